"""
What a reader asks for, as a filter and as MongoDB's query, and the buckets of time. Pure.

Only *registered* requests are shown. ``from`` and ``to`` are local days (Europe/Istanbul), both included, and mean the
day a request was received. ``now`` decides what is overdue: open, past its due time, and its clock runs.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
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
_LONG_ENOUGH: Final = 6


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
    number = number_begun(q)
    if number:
        ways.append({"_id": {"$regex": f"^{re.escape(number)}"}})
    return {"$or": ways}


def number_begun(words: str) -> str | None:
    """
    The number of a request or of a part, or its beginning, without grouping; None for words. What has no digit is a
    number only if it is long and names no service.
    """
    number = words.upper().replace("-", "").replace(" ", "")
    if not set(number.partition(".")[0]) <= set(ALPHABET):
        return None
    if any(sign.isdigit() for sign in number):
        return number
    return number if len(number) >= _LONG_ENOUGH and not services_named(words) else None


def services_named(words: str) -> list[str]:
    """
    The codes of the services whose code or name has these words in it, with or without Turkish letters.
    """
    wanted = fold(words)
    return [
        code for code, service in catalogue().services.items() if wanted in fold(f"{code} {service.tr} {service.en}")
    ]


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
    "match",
    "midnight",
    "number_begun",
    "order_of",
    "services_named",
    "visit_match",
    "widened",
)
