"""
Figures along time: volume, the heat map of hours and days, and how the backlog grew and how old it is. Pure.
"""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from services.reporting.figures.selection import condition, of_days, overdue
from services.reporting.figures.tallies import Groups, Numbers, all_together, groups_of
from services.reporting.projections import ISTANBUL
from services.reporting.queries import Filter, Interval, bucket_of, buckets

Row = dict[str, Any]
VolumeBy = Literal["channel", "department", "kind"]

BANDS: Final = ((0, 1), (1, 3), (3, 7), (7, 14), (14, 30), (30, 90), (90, None))
"""Ages of open work in days of 24 hours: from, up to but without."""

BACKLOG_DAYS: Final = 90
NOTHING: Final = ""
"""The value of what is not known or not assigned yet, where values are keys."""

_EPOCH: Final = date(1970, 1, 1)
_DAY: Final = 86_400_000  # milliseconds


def volume(
    frame: pl.DataFrame, filters: Filter, now: datetime, interval: Interval, by: VolumeBy | None = None
) -> list[Row]:
    """
    A row for each bucket from ``from`` to ``to``, empty ones too; without them, from the first event to the last.
    Closings are those of requests, in the bucket in which they fell. Raises ``TooManyBuckets``.
    """
    closings = condition(replace(filters, parts=False), now, day="closed_day") & pl.col("closed_day").is_not_null()
    words = [pl.col(by)] if by else []
    arrived, gone = pl.collect_all(
        [
            of_days(frame, filters).lazy().filter(condition(filters, now)).select("day", "hour", *words),
            frame.lazy().filter(closings).select(day="closed_day", hour="closed_hour"),
        ]
    )
    span = _span(filters, pl.concat([arrived["day"], gone["day"]]))
    if span is None:
        return []
    names = buckets(*span, interval)
    groups = groups_of(arrived[by]) if by else all_together(len(arrived))
    received = _in_buckets(_counted(arrived, groups, span, interval), span, interval)
    closed = _in_buckets(_counted(gone, all_together(len(gone)), span, interval), span, interval)[0]
    return [
        {
            "bucket": name,
            "received": int(received[:, n].sum()),
            "closed": int(closed[n]),
            "received_by": _by_name(groups, received[:, n]) if by else None,
        }
        for n, name in enumerate(names)
    ]


def heatmap(frame: pl.DataFrame, filters: Filter, now: datetime) -> tuple[list[Row], list[Row]]:
    """
    What was received: a row for each hour of the week, and one for each day from the first to the last.
    """
    found = of_days(frame, filters).lazy().filter(condition(filters, now)).select("day", "hour").collect()
    span = _span(filters, found["day"])
    week, days = np.zeros((7, 24), np.intp), list[Row]()
    if span is not None:
        hours = _counted(found, all_together(len(found)), span, Interval.HOUR).reshape(-1, 24)
        for weekday in range(7):
            week[(span[0].weekday() + weekday) % 7] = hours[weekday::7].sum(axis=0)
        by_day = hours.sum(axis=1).tolist()
        days = [{"day": (span[0] + timedelta(days=n)).isoformat(), "received": count} for n, count in enumerate(by_day)]
    cells = [
        {"weekday": weekday + 1, "hour": hour, "received": int(week[weekday, hour])}
        for weekday in range(7)
        for hour in range(24)
    ]
    return cells, days


def backlog(frame: pl.DataFrame, filters: Filter, now: datetime) -> list[Row]:
    """
    What is open now, requests and parts, by age and department: a row for each that has any.
    """
    chosen = condition(replace(filters, parts=True), now) & ~pl.col("closed")
    rows = (
        frame.lazy()
        .filter(chosen)
        .select("department", "received_at", "paused", overdue(now).alias("overdue"))
        .collect()
    )
    ages = rows.select((pl.lit(now) - pl.col("received_at")).dt.total_milliseconds() / _DAY).to_series().to_numpy()
    bands = np.searchsorted([end for _, end in BANDS if end is not None], ages, side="right")
    groups = groups_of(rows["department"])
    counts = groups.counted(bands, len(BANDS))
    held = {
        name: groups.counted(bands * 2 + rows[name].to_numpy(), len(BANDS) * 2)[:, 1::2]
        for name in ("overdue", "paused")
    }
    found = [
        {
            "band": f"{start}+" if end is None else f"{start}-{end}",
            "from_days": start,
            "to_days": end,
            "department": department,
            "open": int(counts[n, band]),
            **{name: int(count[n, band]) for name, count in held.items()},
        }
        for band, (start, end) in enumerate(BANDS)
        for n, department in sorted(enumerate(groups.names), key=lambda named: named[1] or "")
    ]
    return [row for row in found if row["open"]]


def backlog_series(frame: pl.DataFrame, filters: Filter, now: datetime, interval: Interval) -> list[Row]:
    """
    How much was open, requests and parts, when each bucket ended: received until then, by the last closing not closed.
    Days from ``from`` to ``to``, or the last ``BACKLOG_DAYS``; what came in before them counts too. An hour is a day.
    Raises ``TooManyBuckets``.
    """
    today = now.astimezone(ISTANBUL).date()
    last = min(filters.last_day or today, today)
    first = filters.first_day or last - timedelta(days=BACKLOG_DAYS - 1)
    if first > last:
        return []
    interval = Interval.DAY if interval is Interval.HOUR else interval
    names = buckets(first, last, interval)
    chosen = frame.lazy().filter(condition(replace(filters, parts=True), now, day=None))
    local = pl.col("closed_at").dt.convert_time_zone(ISTANBUL.key).dt.date()
    arrived, gone, parts_gone = pl.collect_all(
        [
            chosen.select("day"),
            chosen.filter(pl.col("closed_day").is_not_null()).select("closed_day"),
            chosen.filter(pl.col("part") & pl.col("closed_at").is_not_null()).select(local),
        ]
    )
    came, went, parts_went = (_until(found.to_series(), first, last) for found in (arrived, gone, parts_gone))
    standing = came - went - parts_went
    ends = [*(start - 1 for start in _starts((first, last), interval)[1:]), (last - first).days]
    return [{"bucket": name, "open": int(standing[end])} for name, end in zip(names, ends, strict=True)]


def _until(days: pl.Series, first: date, last: date) -> Numbers:
    """
    How many of the days lie before the end of each day from ``first`` to ``last``.
    """
    places = np.maximum(_numbers(days) - _number(first), 0)
    width = (last - first).days + 1
    return np.bincount(places, minlength=width)[:width].cumsum()


def _span(filters: Filter, days: pl.Series) -> tuple[date, date] | None:
    first, last = filters.first_day or days.min(), filters.last_day or days.max()
    return (first, last) if isinstance(first, date) and isinstance(last, date) and first <= last else None


def _counted(rows: pl.DataFrame, groups: Groups, span: tuple[date, date], interval: Interval) -> Numbers:
    """
    Rows by group and day of the span, or hour of its days.
    """
    days = _numbers(rows["day"]) - _number(span[0])
    width = (span[1] - span[0]).days + 1
    if interval is Interval.HOUR:
        return groups.counted(days * 24 + rows["hour"].to_numpy(), width * 24)
    return groups.counted(days, width)


def _in_buckets(counts: Numbers, span: tuple[date, date], interval: Interval) -> Numbers:
    if interval is Interval.HOUR:
        return counts
    return np.add.reduceat(counts, _starts(span, interval), axis=1)


def _starts(span: tuple[date, date], interval: Interval) -> list[int]:
    """
    At which days of the span, counted from 0, a bucket begins.
    """
    names = [
        bucket_of((span[0] + timedelta(days=n)).isoformat(), interval) for n in range((span[1] - span[0]).days + 1)
    ]
    return [n for n, name in enumerate(names) if n == 0 or name != names[n - 1]]


def _by_name(groups: Groups, counts: Numbers) -> dict[str, int]:
    return {name or NOTHING: int(count) for name, count in zip(groups.names, counts, strict=True) if count}


def _numbers(days: pl.Series) -> npt.NDArray[np.int32]:
    return days.to_physical().to_numpy()


def _number(day: date) -> int:
    return (day - _EPOCH).days
