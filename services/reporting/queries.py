"""
What a reader asks for, as MongoDB filters and pipelines, and rows made of the answers. Pure.

Every figure is about *registered* requests. What citizens asked is counted in requests, whatever became of it; only
what departments have to do is counted in requests and their parts. ``from`` and ``to`` are local days
(Europe/Istanbul), both included, and mean the day a request was received; only ``volume`` counts closings by the day
of the closing. ``now`` decides what is overdue: open, past its due time, and its clock does not stand still.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final

from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import ALPHABET, IllFormedId, parse_any_id
from services.common.contracts.text import fold
from services.common.contracts.vocabulary import CLOSED, Status
from services.reporting.projections import ISTANBUL, place_of

Match = dict[str, Any]
Row = dict[str, Any]
Pipeline = list[dict[str, Any]]

MAX_BUCKETS: Final = 5_000
PERCENTILES: Final = [0.5, 0.9]


class Interval(StrEnum):
    """
    The width of a bucket of ``volume``. Weeks begin on Monday.
    """

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class TooManyBuckets(ValueError):
    """
    The span has more than ``MAX_BUCKETS`` buckets of this width.
    """


@dataclass(frozen=True, slots=True)
class Filter:
    """
    Which requests are meant. An empty field does not narrow. ``parts``: sub-requests too; ``parent``: its parts alone.
    ``within``: only what these departments hold now, whoever asks for what; no part of the query, but of who asks.
    """

    department: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    neighbourhood: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    team: tuple[str, ...] = ()
    crisis: tuple[str, ...] = ()
    overdue: bool | None = None
    paused: bool | None = None
    escalated: bool | None = None
    emergency: bool | None = None
    on_time: bool | None = None
    legal_due_before: date | None = None
    parent: str | None = None
    parts: bool = False
    first_day: date | None = None
    last_day: date | None = None
    q: str | None = None
    within: frozenset[str] | None = None

    def as_query(self) -> dict[str, str]:
        """
        The filter as parameters of ``GET /v1/requests`` and of every report.
        """
        many = {name: ",".join(getattr(self, name)) for name in _FIELDS}
        flags = {name: getattr(self, name) for name in _FLAGS} | {"parts": self.parts or None}
        days = {"from": self.first_day, "to": self.last_day, "legal_due_before": self.legal_due_before}
        texts = {"parent": self.parent, "q": self.q}
        return {
            **{name: value for name, value in many.items() if value},
            **{name: str(value).lower() for name, value in flags.items() if value is not None},
            **{name: day.isoformat() for name, day in days.items() if day},
            **{name: text for name, text in texts.items() if text},
        }


_FIELDS: Final = {
    "department": "department",
    "status": "status",
    "channel": "channel",
    "service": "service_code",
    "neighbourhood": "neighbourhood",
    "kind": "kind",
    "team": "team",
    "crisis": "crisis",
}
_FLAGS: Final = ("overdue", "paused", "escalated", "emergency", "on_time")


def order_of(filters: Filter) -> str:
    """
    The field that puts what is meant in order: every piece of work has ``work``, requests alone have ``place``.
    """
    return "work" if filters.parts or filters.parent else "place"


def match(filters: Filter, now: datetime) -> Match:
    """
    The filter as a MongoDB query. Days become a range of places, so that one index serves filter, days and order.
    """
    place = {"$gte": place_of(midnight(filters.first_day)) if filters.first_day else ""}
    if filters.last_day:
        place["$lt"] = place_of(midnight(filters.last_day + timedelta(days=1)))
    return {**_match(filters, now), order_of(filters): place}


def after(filters: Filter, now: datetime, place: str) -> Match:
    """
    Those of them that come after this place in a list, newest first. The place lies within the filter's days.
    """
    found, order = match(filters, now), order_of(filters)
    return {**found, order: {**found[order], "$lt": place}}


def closed_match(filters: Filter, now: datetime) -> Match:
    """
    The same, but the days are those of the closing, and only requests are meant.
    """
    first = filters.first_day.isoformat() if filters.first_day else "0"
    last = filters.last_day.isoformat() if filters.last_day else "9"
    return {**_match(filters, now), "closed_day": {"$gte": first, "$lte": last}}


def visit_match(departments: Collection[str] | None) -> Match:
    """
    What these departments have open; None: all of them.
    """
    return {"visited_by": {"$gt": ""} if departments is None else {"$in": sorted(departments)}}


def midnight(day: date) -> datetime:
    """
    When a day begins in Istanbul.
    """
    return datetime.combine(day, time(), ISTANBUL)


def _match(filters: Filter, now: datetime) -> Match:
    found: Match = {"registered": True}
    if filters.parent:
        found["parent_id"] = filters.parent
    for name, field in _FIELDS.items():
        values: Sequence[str] = getattr(filters, name)
        if values:
            found[field] = values[0] if len(values) == 1 else {"$in": list(values)}
    if filters.within is not None:
        shown = sorted(filters.within.intersection(filters.department or filters.within))
        found["department"] = shown[0] if len(shown) == 1 else {"$in": shown}
    for name in ("paused", "escalated", "emergency", "on_time"):
        if (flag := getattr(filters, name)) is not None:
            found[name] = flag
    if filters.overdue is not None:
        late = {"closed": False, "paused": False, "resolve_by": {"$lt": now}}
        found["$and" if filters.overdue else "$nor"] = [late]
    if filters.legal_due_before:
        found["legal.on"] = {"$lt": filters.legal_due_before.isoformat()}
    if filters.q:
        found.update(_search(filters.q))
    return found


def _search(q: str) -> Match:
    try:
        return {"_id": parse_any_id(q)}
    except IllFormedId:
        pass
    ways: list[Match] = [{"service_code": {"$in": services_named(q)}}]
    number = q.upper().replace("-", "").replace(" ", "")
    if number and set(number) <= set(ALPHABET):
        ways.append({"_id": {"$regex": f"^{re.escape(number)}"}})
    return {"$or": ways}


def services_named(words: str) -> list[str]:
    """
    The codes of the services whose code or name has these words in it, with or without Turkish letters.
    """
    wanted = fold(words)
    return [
        code for code, service in catalogue().services.items() if wanted in fold(f"{code} {service.tr} {service.en}")
    ]


def _sum(condition: object) -> Match:
    return {"$sum": {"$cond": [condition, 1, 0]}}


def _counts(now: datetime) -> Match:
    past_due = {"$and": [{"$ne": ["$resolve_by", None]}, {"$lt": ["$resolve_by", now]}]}
    return {
        "received": {"$sum": 1},
        "assigned": _sum({"$ne": ["$assigned_at", None]}),
        "closed": _sum("$closed"),
        "overdue": _sum({"$and": [{"$not": ["$closed"]}, {"$not": ["$paused"]}, past_due]}),
        "paused": _sum("$paused"),
        "escalated": _sum("$escalated"),
        "duplicates": _sum({"$eq": ["$status", Status.DUPLICATE.value]}),
        "on_time": _sum({"$eq": ["$on_time", True]}),
        "late": _sum({"$eq": ["$on_time", False]}),
        "reopened": _sum({"$gt": ["$reopened", 0]}),
    }


_HOURS: Final[Match] = {
    "hours": {"$percentile": {"input": "$hours_to_close", "p": PERCENTILES, "method": "approximate"}}
}


def summary_pipeline(filters: Filter, now: datetime) -> Pipeline:
    """
    Counts for each status and each outcome of the first message.
    """
    parts = {"status": "$status", "told": "$told_received", "reason": "$told_received_reason"}
    messages = {
        f"messages_{name}": {"$sum": f"$messages.{name}"} for name in ("sent", "suppressed", "failed", "queued")
    }
    return [{"$match": match(filters, now)}, {"$group": {"_id": parts, **_counts(now), **messages}}]


def hours_pipeline(filters: Filter, now: datetime) -> Pipeline:
    """
    Median and 90th percentile of the hours from received to closed.
    """
    return [{"$match": match(filters, now)}, {"$group": {"_id": None, **_HOURS}}]


def summary_row(groups: Sequence[Row], hours: Sequence[Row]) -> Row:
    """
    The one row of ``summary``.
    """
    totals: Counter[str] = Counter()
    by_status: Counter[str] = Counter({status.value: 0 for status in Status})
    told: Counter[str] = Counter(sent=0, suppressed=0, failed=0, queued=0, no_contact=0, waiting=0)
    for group in groups:
        parts = group["_id"]
        totals.update({name: value for name, value in group.items() if name != "_id"})
        by_status[parts["status"]] += group["received"]
        told[parts["told"] or "waiting"] += group["received"]
        told["no_contact"] += group["received"] if parts.get("reason") == "no_contact" else 0
    messages = {name: totals[f"messages_{name}"] for name in ("sent", "suppressed", "failed", "queued")}
    return {
        **figures(totals),
        "by_status": dict(by_status),
        "told": dict(told),
        "messages": messages,
        **_spread(hours[0] if hours else {}),
    }


_COUNTED: Final = (
    "received", "assigned", "closed", "overdue", "paused", "escalated", "duplicates", "reopened",
)  # fmt: skip


def figures(totals: Mapping[str, Any]) -> Row:
    """
    The counts that every group has, and what follows from them. A share of nothing is None.
    """
    judged = totals.get("on_time", 0) + totals.get("late", 0)
    return {
        **{name: totals.get(name, 0) for name in _COUNTED},
        "open": totals.get("received", 0) - totals.get("closed", 0),
        "on_time_share": round(totals["on_time"] / judged, 4) if judged else None,
    }


def _spread(group: Mapping[str, Any]) -> Row:
    median, p90 = (group.get("hours") or [None, None])[:2]
    return {
        "median_hours_to_close": round(median, 2) if median is not None else None,
        "p90_hours_to_close": round(p90, 2) if p90 is not None else None,
    }


def grouped_pipeline(filters: Filter, now: datetime, field: str) -> Pipeline:
    """
    Counts and times to close for each value of a field.
    """
    return [{"$match": match(filters, now)}, {"$group": {"_id": f"${field}", **_counts(now), **_HOURS}}]


def grouped_rows(groups: Iterable[Row], name: str) -> list[Row]:
    """
    A row for each group, the largest first; what has no value yet (not assigned) is a row of its own.
    """
    rows = [{name: group["_id"], **figures(group), **_spread(group)} for group in groups]
    return sorted(rows, key=lambda row: (-row["received"], row[name] or ""))


def volume_pipelines(filters: Filter, now: datetime, interval: Interval) -> tuple[Pipeline, Pipeline]:
    """
    Received and closed for each local day or hour.
    """
    unit = "hour" if interval is Interval.HOUR else "day"
    return (
        [{"$match": match(filters, now)}, {"$group": {"_id": f"$received_{unit}", "n": {"$sum": 1}}}],
        [{"$match": closed_match(filters, now)}, {"$group": {"_id": f"$closed_{unit}", "n": {"$sum": 1}}}],
    )


def volume_rows(filters: Filter, interval: Interval, received: Iterable[Row], closed: Iterable[Row]) -> list[Row]:
    """
    A row for each bucket from ``from`` to ``to``, empty ones too; without them, from the first event to the last.

    Raises ``TooManyBuckets``.
    """
    counts = {"received": _by_bucket(received, interval), "closed": _by_bucket(closed, interval)}
    seen = sorted(counts["received"].keys() | counts["closed"].keys())
    first = filters.first_day or (date.fromisoformat(seen[0][:10]) if seen else None)
    last = filters.last_day or (date.fromisoformat(seen[-1][:10]) if seen else None)
    if first is None or last is None:
        return []
    return [
        {"bucket": bucket, "received": counts["received"][bucket], "closed": counts["closed"][bucket]}
        for bucket in buckets(first, last, interval)
    ]


def _by_bucket(groups: Iterable[Row], interval: Interval) -> Counter[str]:
    found: Counter[str] = Counter()
    for group in groups:
        found[bucket_of(group["_id"], interval)] += group["n"]
    return found


def bucket_of(moment: str, interval: Interval) -> str:
    """
    The bucket of a local day or hour, named by its first day (``YYYY-MM-DD``) or its hour (``YYYY-MM-DDTHH``).
    """
    if interval is Interval.WEEK:
        day = date.fromisoformat(moment[:10])
        return (day - timedelta(days=day.weekday())).isoformat()
    if interval is Interval.MONTH:
        return f"{moment[:7]}-01"
    return moment


def buckets(first: date, last: date, interval: Interval) -> list[str]:
    """
    The names of all buckets that touch the days ``first`` to ``last``, in order. Raises ``TooManyBuckets``.
    """
    days = (last - first).days + 1
    width = {Interval.HOUR: 1 / 24, Interval.DAY: 1, Interval.WEEK: 7, Interval.MONTH: 28}[interval]
    if days / width > MAX_BUCKETS:
        raise TooManyBuckets(f"{first} to {last} has more than {MAX_BUCKETS} buckets of one {interval}")
    return list(dict.fromkeys(bucket_of(moment, interval) for moment in _moments(first, days, interval)))


def _moments(first: date, days: int, interval: Interval) -> Iterator[str]:
    for n in range(days):
        day = (first + timedelta(days=n)).isoformat()
        if interval is Interval.HOUR:
            yield from (f"{day}T{hour:02}" for hour in range(24))
        else:
            yield day


def widened(statuses: Iterable[str]) -> tuple[str, ...]:
    """
    Statuses with ``open`` and ``closed`` spelled out, in the order of the life of a request.
    """
    asked = set(statuses)
    return tuple(
        status.value
        for status in Status
        if status.value in asked or ("closed" if status in CLOSED else "open") in asked
    )


__all__ = (
    "Filter",
    "Interval",
    "TooManyBuckets",
    "after",
    "buckets",
    "closed_match",
    "grouped_pipeline",
    "grouped_rows",
    "hours_pipeline",
    "match",
    "midnight",
    "order_of",
    "services_named",
    "summary_pipeline",
    "summary_row",
    "visit_match",
    "volume_pipelines",
    "volume_rows",
    "widened",
)
