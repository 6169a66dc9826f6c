"""
The figures of calls. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from statistics import median
from typing import Any

from services.reporting.calls.life import Call
from services.reporting.projections import ISTANBUL
from services.reporting.queries import Interval, bucket_of, buckets

Row = dict[str, Any]


def figures(calls: Sequence[Call]) -> Row:
    """
    Of all of these together. A share and a median of nothing are None.
    """
    answered, missed = sum(call.answered for call in calls), sum(call.missed for call in calls)
    return {
        "started": len(calls),
        "answered": answered,
        "missed": missed,
        "answered_share": answered / (answered + missed) if answered + missed else None,
        "median_seconds_to_answer": _median(call.waited for call in calls if call.answered),
        "median_seconds_talked": _median(call.talked for call in calls if call.answered),
        "median_seconds_until_missed": _median(call.rang for call in calls if call.missed),
    }


def in_buckets(calls: Sequence[Call], first: date, last: date, interval: Interval) -> list[Row]:
    """
    A row for each bucket of the span, empty ones too, by when the call began. Raises ``TooManyBuckets``.
    """
    digits = len("2026-11-02T09") if interval is Interval.HOUR else len("2026-11-02")
    found = _grouped((bucket_of(_hour(call)[:digits], interval), call) for call in calls)
    return [{"bucket": name, **figures(found.get(name, []))} for name in buckets(first, last, interval)]


def by_queue(calls: Sequence[Call]) -> list[Row]:
    """
    A row for each queue, by name; what came in by none stands last.
    """
    found = _grouped((call.queue, call) for call in calls)
    return [{"queue": name, **figures(found[name])} for name in sorted(found, key=lambda name: (name is None, name))]


def by_hour(calls: Sequence[Call]) -> list[Row]:
    """
    A row for each hour of the day, of all days together.
    """
    found = _grouped((int(_hour(call)[11:]), call) for call in calls)
    return [{"hour": hour, **figures(found.get(hour, []))} for hour in range(24)]


def _hour(call: Call) -> str:
    return call.at.astimezone(ISTANBUL).strftime("%Y-%m-%dT%H")


def _grouped(pairs: Iterable[tuple[Any, Call]]) -> dict[Any, list[Call]]:
    found: dict[Any, list[Call]] = defaultdict(list)
    for name, call in pairs:
        found[name].append(call)
    return found


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(median(known)) if known else None
