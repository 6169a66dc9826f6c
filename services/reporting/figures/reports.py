"""
The figures of all requests together, and by channel, department, service or neighbourhood. Pure.

Every figure is one of requests as they are now. ``from`` and ``to`` mean the day a request was received; ``now``
decides what is overdue. What a figure means stands in ``definitions.yaml``. A share or a median of nothing is None.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Literal, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from services.common.contracts.vocabulary import Status
from services.reporting.figures.flags import PACKED, with_flags
from services.reporting.figures.selection import condition, overdue
from services.reporting.figures.spread import spread_of
from services.reporting.figures.tallies import STARS, Groups, Tally, all_together, groups_of, tally
from services.reporting.queries import Filter

Row = dict[str, Any]
By = Literal["channel", "department", "service", "neighbourhood"]

OUTCOMES: Final = (Status.RESOLVED, Status.REFERRED, Status.REJECTED, Status.DUPLICATE, Status.CANCELLED)
SATISFIED: Final = 4
"""Stars from which a citizen counts as satisfied."""

_SHARES: Final = {"median": 0.5, "p90": 0.9}
_HOURS: Final = ("hours_to_close", "hours_to_respond", "work_hours_to_close", "work_hours_to_respond")
_COUNTED: Final = (
    "assigned", "closed", "paused", "escalated", "emergencies", "emergencies_open", "at_first_contact", "on_time",
    "late", "responded", "responded_on_time", "responded_late", "reopened", "bounced",
)  # fmt: skip
_TOLD: Final = ("sent", "suppressed", "failed", "queued")
_EVENTS: Final = {"closings": "closings", "reopenings": "reopened", "bounces": "bounced", "followers": "followers"}


def summary(frame: pl.DataFrame, filters: Filter, now: datetime) -> Row:
    """
    The one row of ``summary``.
    """
    chosen = with_flags(frame).lazy().filter(condition(filters, now))
    told = {
        **{name: pl.col("told") == name for name in _TOLD},
        "no_contact": pl.col("told_reason") == "no_contact",
        "waiting": pl.col("told").is_null(),
    }
    sums = [
        pl.struct(asked.sum().alias(name) for name, asked in told.items()).alias("told"),
        pl.struct(pl.col(f"messages_{name}").cast(pl.Int64).sum().alias(name) for name in _TOLD).alias("messages"),
        pl.struct(pl.col(name).cast(pl.Int64).sum().alias(event) for event, name in _EVENTS.items()).alias("events"),
    ]
    rows, summed = pl.collect_all([chosen.select(*_columns(now)), chosen.select(*sums)])
    counted = _Counted(rows, all_together(len(rows)))
    return {
        **counted.row(0),
        "by_status": {name: int(count[0]) for name, count in counted.tally.states.items()},
        **summed.row(0, named=True),
        "satisfaction": satisfaction_of({star: int(count[0]) for star, count in counted.tally.stars.items()}),
    }


def grouped(frame: pl.DataFrame, filters: Filter, now: datetime, by: By) -> list[Row]:
    """
    A row for each value, the largest first; what has no value yet (not assigned) is a row of its own. Departments are
    counted by their work: requests and parts.
    """
    if by == "department":
        filters = replace(filters, parts=True)
    columns = [*_columns(now), pl.col(by)]
    if by == "neighbourhood":
        columns += [pl.col("lat"), pl.col("lon")]
    rows = with_flags(frame).lazy().filter(condition(filters, now)).select(*columns).collect()
    groups = groups_of(rows[by])
    counted = _Counted(rows, groups)
    found: list[Row] = [{by: name, **counted.row(n)} for n, name in enumerate(groups.names)]
    if by == "neighbourhood":
        middles = {name: _middle(groups, rows[name]) for name in ("lat", "lon")}
        for n, row in enumerate(found):
            row.update({name: middle[n] for name, middle in middles.items()})
    return sorted(found, key=lambda row: (-row["received"], row[by] or ""))


class _Counted:
    """
    All that is counted of rows that have ``_columns``, by groups.
    """

    def __init__(self, rows: pl.DataFrame, groups: Groups) -> None:
        self.tally: Tally = tally(groups, rows[PACKED].to_numpy())
        self._overdue = groups.counted(rows["overdue"].to_numpy().view(np.uint8), 2)[:, 1]
        with ThreadPoolExecutor(2) as threads:
            self._spreads = dict(
                zip(_HOURS, threads.map(lambda name: _quantiles(groups, rows[name]), _HOURS), strict=True)
            )

    def row(self, n: int) -> Row:
        """
        The figures of one group.
        """
        tally = self.tally
        received = int(tally.rows[n])
        counts = {name: int(tally.flags[name][n]) for name in _COUNTED}
        closed = {status.value: int(tally.states[status][n]) for status in OUTCOMES}
        stars = {star: int(tally.stars[star][n]) for star in STARS}
        spreads = {name: _spread(name.removeprefix("work_"), self._spreads[name][n]) for name in _HOURS}
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


def hours(name: str) -> pl.Expr:
    """
    A column of hours as ``spread_of`` takes it.
    """
    return pl.col(name).fill_null(float("nan"))


def _columns(now: datetime) -> list[pl.Expr]:
    return [pl.col(PACKED), overdue(now).alias("overdue"), *map(hours, _HOURS)]


def _quantiles(groups: Groups, column: pl.Series) -> npt.NDArray[np.float64]:
    return spread_of(groups, column.to_numpy()).quantiles(list(_SHARES.values()))


def _spread(name: str, quantiles: npt.NDArray[np.float64]) -> Row:
    return {f"{which}_{name}": _rounded(value, 2) for which, value in zip(_SHARES, quantiles, strict=True)}


def _middle(groups: Groups, degrees: pl.Series) -> list[float | None]:
    """
    The median of degrees by groups. They are counted from the least one, so that their bins are fine.
    """
    least = cast(float | None, degrees.min()) or 0.0
    found = (degrees - least).cast(pl.Float32).fill_null(float("nan")).to_numpy()
    return [_rounded(least + value, 4) for value in spread_of(groups, found).quantiles([0.5])[:, 0]]


def _rounded(value: float, digits: int) -> float | None:
    return None if np.isnan(value) else round(float(value), digits)
