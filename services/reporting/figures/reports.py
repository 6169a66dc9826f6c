"""
The figures of all requests together, and by channel, department, service or neighbourhood. Pure.

Every figure is one of requests as they are now. ``from`` and ``to`` mean the day a request was received; ``now``
decides what is overdue. What a figure means stands in ``definitions.yaml``. A share or a median of nothing is None.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from math import isnan
from operator import itemgetter
from typing import Any, Final, Literal, TypeVar

import polars as pl

from services.common.contracts.vocabulary import Status
from services.reporting.figures.flags import BINS, PACKED, with_flags
from services.reporting.figures.selection import chosen, condition, late_rows, of_days
from services.reporting.figures.spread import quantiles_of
from services.reporting.figures.tallies import Groups, Mask, Tally, all_together, groups_of, tally
from services.reporting.queries import Filter

Row = dict[str, Any]
T = TypeVar("T")
By = Literal["channel", "department", "service", "neighbourhood"]

OUTCOMES: Final = (Status.RESOLVED, Status.REFERRED, Status.REJECTED, Status.DUPLICATE, Status.CANCELLED)
SATISFIED: Final = 4
"""Stars from which a citizen counts as satisfied."""

_SHARES: Final = {"median": 0.5, "p90": 0.9}
_COLUMNS: Final = (PACKED, "closed", "paused", "resolve_by", *BINS, *BINS.values())
_COUNTED: Final = (
    "assigned", "closed", "paused", "escalated", "emergencies", "emergencies_open", "at_first_contact", "on_time",
    "late", "responded", "responded_on_time", "responded_late", "reopened", "bounced",
)  # fmt: skip
_TOLD: Final = ("sent", "suppressed", "failed", "queued")
_EVENTS: Final = {"closings": "closings", "reopenings": "reopened", "bounces": "bounced", "followers": "followers"}
_SUMMED: Final = ("told", "told_reason", *(f"messages_{name}" for name in _TOLD), *_EVENTS.values())


def summary(frame: pl.DataFrame, filters: Filter, now: datetime) -> Row:
    """
    The one row of ``summary``.
    """
    rows, mask = chosen(with_flags(of_days(frame, filters)), condition(filters, now), (*_COLUMNS, *_SUMMED))
    counted = _Counted(rows, all_together(len(rows), mask), now)
    return {
        **counted.row(0),
        "by_status": {name: int(count[0]) for name, count in counted.tally.states.items()},
        **_sums(rows, mask),
        "satisfaction": satisfaction_of({star: int(count[0]) for star, count in counted.tally.stars.items()}),
    }


def grouped(frame: pl.DataFrame, filters: Filter, now: datetime, by: By) -> list[Row]:
    """
    A row for each value, the largest first; what has no value yet (not assigned) is a row of its own. Departments are
    counted by their work: requests and parts.
    """
    if by == "department":
        filters = replace(filters, parts=True)
    rows, mask = chosen(with_flags(of_days(frame, filters)), condition(filters, now), (*_COLUMNS, by))
    groups = groups_of(rows[by], mask)
    counted = _Counted(rows, groups, now)
    found: list[Row] = [{by: name, **counted.row(n)} for n, name in enumerate(groups.names)]
    return sorted(filter(itemgetter("received"), found), key=lambda row: (-row["received"], row[by] or ""))


class _Counted:
    """
    All that is counted of rows that have ``_COLUMNS``, by groups.
    """

    def __init__(self, rows: pl.DataFrame, groups: Groups, now: datetime) -> None:
        self._overdue = groups.counted_of(late_rows(rows, now))
        with ThreadPoolExecutor(2) as threads:
            counted = threads.submit(tally, groups, rows[PACKED])
            self._spreads = dict(
                zip(BINS, threads.map(lambda name: _quantiles(groups, rows[BINS[name]], rows[name]), BINS), strict=True)
            )
        self.tally: Tally = counted.result()
        self._flags = {name: self.tally.flags[name].tolist() for name in _COUNTED}
        self._closed = {status.value: self.tally.states[status].tolist() for status in OUTCOMES}
        self._stars = {star: counts.tolist() for star, counts in self.tally.stars.items()}

    def row(self, n: int) -> Row:
        """
        The figures of one group.
        """
        received = int(self.tally.rows[n])
        counts, closed, stars = _at(n, self._flags), _at(n, self._closed), _at(n, self._stars)
        spreads = {name: _spread(name.removeprefix("work_"), self._spreads[name][n]) for name in BINS}
        return {
            "received": received,
            **counts,
            "open": received - counts["closed"],
            "overdue": int(self._overdue[n]),
            "duplicates": closed["duplicate"],
            "referred": closed["referred"],
            "on_time_share": share(counts["on_time"], counts["on_time"] + counts["late"]),
            "responded_on_time_share": share(
                counts["responded_on_time"], counts["responded_on_time"] + counts["responded_late"]
            ),
            **spreads["hours_to_close"],
            **spreads["hours_to_respond"],
            "work_hours": {**spreads["work_hours_to_close"], **spreads["work_hours_to_respond"]},
            "closed_by_outcome": closed,
            "rating_average": average(stars),
            "ratings": sum(stars.values()),
        }


def _at(n: int, counts: Mapping[T, Sequence[int]]) -> dict[T, int]:
    return {name: numbers[n] for name, numbers in counts.items()}


def share(part: int, whole: int) -> float | None:
    """
    A share, from 0 to 1, of four digits; None: of nothing.
    """
    return round(part / whole, 4) if whole else None


def average(stars: Mapping[int, int]) -> float | None:
    """
    The average of so many ratings of so many stars.
    """
    ratings = sum(stars.values())
    return round(sum(star * count for star, count in stars.items()) / ratings, 2) if ratings else None


def satisfaction_of(stars: Mapping[int, int]) -> Row:
    """
    How satisfied those are who rated.
    """
    ratings = sum(stars.values())
    return {
        "stars": {str(star): count for star, count in stars.items()},
        "ratings": ratings,
        "average": average(stars),
        "satisfied_share": share(sum(count for star, count in stars.items() if star >= SATISFIED), ratings),
    }


def _sums(rows: pl.DataFrame, mask: Mask | None) -> dict[str, dict[str, int]]:
    """
    What became of messages, and how often things happened.
    """
    told = {
        **{name: pl.col("told") == name for name in _TOLD},
        "no_contact": pl.col("told_reason") == "no_contact",
        "waiting": pl.col("told").is_null(),
    }
    meant = pl.lit(value=True) if mask is None else pl.lit(pl.Series(mask))
    found = rows.select(
        pl.struct((asked & meant).sum().alias(name) for name, asked in told.items()).alias("told"),
        pl.struct(pl.col(f"messages_{name}").filter(meant).sum().alias(name) for name in _TOLD).alias("messages"),
        pl.struct(pl.col(name).filter(meant).sum().alias(event) for event, name in _EVENTS.items()).alias("events"),
    )
    return found.row(0, named=True)


def _quantiles(groups: Groups, bins: pl.Series, hours: pl.Series) -> list[list[float]]:
    found: list[list[float]] = quantiles_of(groups, bins.to_numpy(), hours, list(_SHARES.values())).tolist()
    return found


def _spread(name: str, quantiles: Sequence[float]) -> Row:
    return {
        f"{which}_{name}": None if isnan(value) else round(value, 2)
        for which, value in zip(_SHARES, quantiles, strict=True)
    }
