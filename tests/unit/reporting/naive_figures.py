"""
Figures once more, by lists and loops: what ``services.reporting.figures`` has to give, worked out the slow way.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from math import ceil, floor
from typing import Any

import polars as pl

from services.common.contracts.vocabulary import Status
from services.reporting.figures.series import BANDS
from services.reporting.figures.spread import EDGES
from services.reporting.projections import ISTANBUL
from services.reporting.queries import Filter, Interval

Row = dict[str, Any]

LISTS = ("department", "status", "channel", "service", "neighbourhood", "kind", "team", "crisis")
FLAGS = ("paused", "escalated", "emergency", "on_time")


def rows_of(frame: pl.DataFrame) -> list[Row]:
    """
    The facts, one by one.
    """
    return frame.with_columns(pl.col(pl.Categorical).cast(pl.String)).to_dicts()


def late(row: Row, now: datetime) -> bool:
    """
    Whether it is overdue.
    """
    return not row["closed"] and not row["paused"] and row["resolve_by"] is not None and row["resolve_by"] < now


def chosen(
    rows: Iterable[Row], filters: Filter, now: datetime, day: str | None = "day", *, parts: bool = False
) -> list[Row]:
    """
    The rows that a filter means.
    """
    return [row for row in rows if _fits(row, filters, now, day, parts=parts)]


def _fits(row: Row, filters: Filter, now: datetime, day: str | None, *, parts: bool) -> bool:
    if row["part"] and not parts:
        return False
    if day is not None:
        if (filters.first_day or filters.last_day) and row[day] is None:
            return False
        if filters.first_day and row[day] < filters.first_day:
            return False
        if filters.last_day and row[day] > filters.last_day:
            return False
    if any(getattr(filters, name) and row[name] not in getattr(filters, name) for name in LISTS):
        return False
    if filters.within is not None and row["department"] not in filters.within:
        return False
    if any(getattr(filters, name) is not None and row[name] is not getattr(filters, name) for name in FLAGS):
        return False
    if filters.overdue is not None and late(row, now) != filters.overdue:
        return False
    limit = filters.legal_due_before
    return limit is None or (row["legal_on"] is not None and row["legal_on"] < limit)


def quantile(values: Iterable[float | None], part: float) -> float | None:
    """
    Linear between two values, of two digits; what lies below zero is zero.
    """
    found = sorted(max(value, 0.0) for value in values if value is not None)
    if not found:
        return None
    place = part * (len(found) - 1)
    low, high = found[floor(place)], found[ceil(place)]
    return round(low + (high - low) * (place - floor(place)), 2)


def share(part: int, whole: int) -> float | None:
    """
    Of four digits; of nothing: None.
    """
    return round(part / whole, 4) if whole else None


def group(rows: list[Row], now: datetime) -> Row:
    """
    What is counted of every group.
    """

    def count(test: Callable[[Row], object]) -> int:
        return sum(bool(test(row)) for row in rows)

    def times(prefix: str) -> Row:
        return {
            f"{name}_hours_to_{end}": quantile((row[f"{prefix}hours_to_{end}"] for row in rows), part)
            for end in ("close", "respond")
            for name, part in (("median", 0.5), ("p90", 0.9))
        }

    by_status = Counter(row["status"] for row in rows)
    ratings = [row["rating"] for row in rows if row["rating"] is not None]
    on_time, too_late = count(lambda row: row["on_time"] is True), count(lambda row: row["on_time"] is False)
    in_time = count(lambda row: row["responded_on_time"] is True)
    behind = count(lambda row: row["responded_on_time"] is False)
    return {
        "received": len(rows),
        "assigned": count(lambda row: row["assigned"]),
        "open": count(lambda row: not row["closed"]),
        "closed": count(lambda row: row["closed"]),
        "overdue": count(lambda row: late(row, now)),
        "paused": count(lambda row: row["paused"]),
        "escalated": count(lambda row: row["escalated"]),
        "emergencies": count(lambda row: row["emergency"]),
        "emergencies_open": count(lambda row: row["emergency"] and not row["closed"]),
        "duplicates": by_status["duplicate"],
        "referred": by_status["referred"],
        "reopened": count(lambda row: row["reopened"]),
        "bounced": count(lambda row: row["bounced"]),
        "at_first_contact": count(lambda row: row["at_first_contact"]),
        "on_time": on_time,
        "late": too_late,
        "on_time_share": share(on_time, on_time + too_late),
        "responded": count(lambda row: row["responded"]),
        "responded_on_time": in_time,
        "responded_late": behind,
        "responded_on_time_share": share(in_time, in_time + behind),
        **times(""),
        "work_hours": times("work_"),
        "closed_by_outcome": {
            name: by_status[name] for name in ("resolved", "referred", "rejected", "duplicate", "cancelled")
        },
        "rating_average": round(sum(ratings) / len(ratings), 2) if ratings else None,
        "ratings": len(ratings),
    }


def stars_of(rows: list[Row]) -> Row:
    """
    How those who rated are satisfied.
    """
    ratings = [row["rating"] for row in rows if row["rating"] is not None]
    return {
        "stars": {str(star): ratings.count(star) for star in range(1, 6)},
        "ratings": len(ratings),
        "average": round(sum(ratings) / len(ratings), 2) if ratings else None,
        "satisfied_share": share(sum(rating >= 4 for rating in ratings), len(ratings)),
    }


def summary(rows: list[Row], filters: Filter, now: datetime) -> Row:
    """
    The row of ``summary``.
    """
    found = chosen(rows, filters, now)
    told = Counter(row["told"] or "waiting" for row in found)
    return {
        **group(found, now),
        "by_status": {status.value: sum(row["status"] == status for row in found) for status in Status},
        "told": {
            **{name: told[name] for name in ("sent", "suppressed", "failed", "queued", "waiting")},
            "no_contact": sum(row["told_reason"] == "no_contact" for row in found),
        },
        "messages": {
            name: sum(row[f"messages_{name}"] for row in found) for name in ("sent", "suppressed", "failed", "queued")
        },
        "events": {
            name: sum(row[fact] for row in found)
            for name, fact in {
                "closings": "closings", "reopenings": "reopened", "bounces": "bounced", "followers": "followers",
            }.items()
        },
        "satisfaction": stars_of(found),
    }  # fmt: skip


def grouped(rows: list[Row], filters: Filter, now: datetime, by: str) -> list[Row]:
    """
    The rows of ``channels``, ``departments``, ``services`` and, without their points, ``neighbourhoods``.
    """
    found = chosen(rows, filters, now, parts=by == "department")
    names = {row[by] for row in found}
    groups = [{by: name, **group([row for row in found if row[by] == name], now)} for name in names]
    return sorted(groups, key=lambda row: (-row["received"], row[by] or ""))


def bucket(day: date, hour: int, interval: Interval) -> str:
    """
    The name of the bucket.
    """
    match interval:
        case Interval.HOUR:
            return f"{day}T{hour:02}"
        case Interval.DAY:
            return f"{day}"
        case Interval.WEEK:
            return f"{day - timedelta(days=day.weekday())}"
        case Interval.MONTH:
            return f"{day.replace(day=1)}"


def days_between(first: date, last: date) -> list[date]:
    """
    Both included.
    """
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def volume(rows: list[Row], filters: Filter, now: datetime, interval: Interval, by: str | None) -> list[Row]:
    """
    The rows of ``volume``.
    """
    arrived = chosen(rows, filters, now)
    gone = [row for row in chosen(rows, filters, now, "closed_day") if row["closed_day"]]
    days = [row["day"] for row in arrived] + [row["closed_day"] for row in gone]
    first, last = filters.first_day or min(days, default=None), filters.last_day or max(days, default=None)
    if first is None or last is None:
        return []
    hours = range(24) if interval is Interval.HOUR else range(1)
    names = dict.fromkeys(bucket(day, hour, interval) for day in days_between(first, last) for hour in hours)
    found = []
    for name in names:
        here = [row for row in arrived if bucket(row["day"], row["hour"], interval) == name]
        closed = [row for row in gone if bucket(row["closed_day"], row["closed_hour"], interval) == name]
        told_apart = dict(Counter(row[by] or "" for row in here)) if by else None
        found.append({"bucket": name, "received": len(here), "closed": len(closed), "received_by": told_apart})
    return found


def heatmap(rows: list[Row], filters: Filter, now: datetime) -> tuple[list[Row], list[Row]]:
    """
    The hours of the week, and the days.
    """
    found = chosen(rows, filters, now)
    cells = Counter((row["day"].isoweekday(), row["hour"]) for row in found)
    days = Counter(row["day"] for row in found)
    first, last = filters.first_day or min(days, default=None), filters.last_day or max(days, default=None)
    return (
        [
            {"weekday": weekday, "hour": hour, "received": cells[weekday, hour]}
            for weekday in range(1, 8)
            for hour in range(24)
        ],
        [{"day": f"{day}", "received": days[day]} for day in days_between(first, last)] if first and last else [],
    )


def backlog(rows: list[Row], filters: Filter, now: datetime) -> list[Row]:
    """
    Open work by age and department.
    """
    found = []
    standing = [row for row in chosen(rows, filters, now, parts=True) if not row["closed"]]
    for start, end in BANDS:
        here = [
            row
            for row in standing
            if (start == 0 or now - row["received_at"] >= timedelta(days=start))
            and (end is None or now - row["received_at"] < timedelta(days=end))
        ]
        for department in sorted({row["department"] for row in here}, key=lambda name: name or ""):
            own = [row for row in here if row["department"] == department]
            found.append(
                {
                    "band": f"{start}-{end}" if end else f"{start}+",
                    "from_days": start,
                    "to_days": end,
                    "department": department,
                    "open": len(own),
                    "overdue": sum(late(row, now) for row in own),
                    "paused": sum(row["paused"] for row in own),
                }
            )
    return found


def backlog_series(rows: list[Row], filters: Filter, now: datetime, interval: Interval) -> list[Row]:
    """
    How much was open when each bucket ended.
    """
    today = now.astimezone(ISTANBUL).date()
    last = min(filters.last_day or today, today)
    first = filters.first_day or last - timedelta(days=89)
    work = chosen(rows, filters, now, None, parts=True)
    ends = {
        bucket(day, 0, Interval.DAY if interval is Interval.HOUR else interval): day
        for day in days_between(first, last)
    }
    return [
        {
            "bucket": name,
            "open": sum(
                row["day"] <= end
                and not (row["closed_at"] is not None and row["closed_at"].astimezone(ISTANBUL).date() <= end)
                for row in work
            ),
        }
        for name, end in ends.items()
    ]


def sla(rows: list[Row], filters: Filter, now: datetime) -> list[Row]:
    """
    Work judged by its due times, by department and priority.
    """
    work = chosen(rows, filters, now, parts=True)
    pairs = sorted(
        {(row["department"], row["priority"]) for row in work}, key=lambda pair: [name or "" for name in pair]
    )
    found = []
    for department, priority in pairs:
        own = [row for row in work if (row["department"], row["priority"]) == (department, priority)]
        counts = {
            f"{name}{verdict}": sum(row[f"{name}on_time"] is verdict for row in own)
            for name in ("", "first_", "responded_")
            for verdict in (True, False)
        }
        judged, first = counts["True"] + counts["False"], counts["first_True"] + counts["first_False"]
        found.append(
            {
                "department": department,
                "priority": priority,
                "judged": judged,
                "on_time": counts["True"],
                "late": counts["False"],
                "on_time_share": share(counts["True"], judged),
                "first_judged": first,
                "first_on_time": counts["first_True"],
                "first_on_time_share": share(counts["first_True"], first),
                "responded": sum(row["responded"] for row in own),
                "responded_on_time": counts["responded_True"],
                "responded_late": counts["responded_False"],
                "responded_on_time_share": share(
                    counts["responded_True"], counts["responded_True"] + counts["responded_False"]
                ),
                "overdue_now": sum(late(row, now) for row in own),
                **{name: histogram([row[name] for row in own]) for name in ("hours_to_close", "hours_to_respond")},
            }
        )
    return found


def histogram(hours: list[float | None]) -> list[int]:
    """
    How many lie in each bin.
    """
    ends = [*EDGES[1:], float("inf")]
    known = [max(value, 0.0) for value in hours if value is not None]
    return [sum(start <= value < end for value in known) for start, end in zip(EDGES, ends, strict=True)]


def satisfaction(rows: list[Row], filters: Filter, now: datetime, by: str | None) -> list[Row]:
    """
    The rows of ``satisfaction``.
    """
    rated = [row for row in chosen(rows, filters, now) if row["rating"] is not None]
    names = {row[by] for row in rated} if by else {None}
    found = [{"group": name, **stars_of([row for row in rated if by is None or row[by] == name])} for name in names]
    return sorted(found, key=lambda row: (-row["ratings"], row["group"] or ""))
