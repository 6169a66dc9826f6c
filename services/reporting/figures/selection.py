"""
Which rows of facts a filter means. Pure.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from operator import and_
from typing import Final

import polars as pl

from services.reporting.figures.tallies import Mask, Numbers
from services.reporting.queries import Filter, services_named

_WORDS: Final = ("department", "status", "channel", "service", "neighbourhood", "kind", "team", "crisis")
_FLAGS: Final = ("paused", "escalated", "emergency", "on_time")


def overdue(now: datetime) -> pl.Expr:
    """
    Open after its due time, and its clock does not stand still.
    """
    return ~pl.col("closed") & ~pl.col("paused") & (pl.col("resolve_by") < now).fill_null(value=False)


def condition(filters: Filter, now: datetime, *, day: str | None = "day") -> pl.Expr:
    """
    True for the rows that are meant. ``day`` is the column that ``from`` and ``to`` are about; None: they do not count.
    The ``parent`` of a filter is not looked at: rows do not know their family.
    """
    found = [pl.lit(value=True)]
    if not filters.parts:
        found.append(~pl.col("part"))
    if day and filters.first_day:
        found.append(pl.col(day) >= filters.first_day)
    if day and filters.last_day:
        found.append(pl.col(day) <= filters.last_day)
    found += [pl.col(name).is_in(list(values)) for name in _WORDS if (values := getattr(filters, name))]
    if filters.within is not None:
        found.append(pl.col("department").is_in(sorted(filters.within)))
    found += [pl.col(name) == flag for name in _FLAGS if (flag := getattr(filters, name)) is not None]
    if filters.overdue is not None:
        found.append(overdue(now) == filters.overdue)
    if filters.legal_due_before:
        found.append(pl.col("legal_on") < filters.legal_due_before)
    if filters.q:
        found.append(pl.col("service").is_in(services_named(filters.q)))
    return reduce(and_, found)


def of_days(frame: pl.DataFrame, filters: Filter) -> pl.DataFrame:
    """
    No row outside the filter's days, if rows are in the order of their days, as a snapshot's are: nothing is copied,
    and nobody passes over three years to see a week. Rows in another order come back as they are.
    """
    days = frame["day"]
    if not (filters.first_day or filters.last_day) or not days.is_sorted():
        return frame
    start = days.search_sorted(filters.first_day, side="left") if filters.first_day else 0
    end = days.search_sorted(filters.last_day, side="right") if filters.last_day else len(days)
    return frame.slice(start, max(0, end - start))


def chosen(frame: pl.DataFrame, asked: pl.Expr, columns: Sequence[str]) -> tuple[pl.DataFrame, Mask | None]:
    """
    These columns of the rows for which ``asked`` is true, and None; or of all rows, and which of them are meant, since
    it takes longer to copy the most of a million rows than to pass over the others.
    """
    mask = frame.with_columns(asked.fill_null(value=False).alias("asked"))["asked"]
    meant = mask.sum()
    if 2 * meant < len(frame):
        return frame.select(columns).filter(mask), None
    return frame.select(columns), None if meant == len(frame) else mask.to_numpy()


def late_rows(frame: pl.DataFrame, now: datetime) -> Numbers:
    """
    Which rows are ``overdue``.
    """
    running = frame.select((~pl.col("closed") & ~pl.col("paused")).arg_true()).to_series()
    late = (frame["resolve_by"].gather(running) < now).fill_null(value=False)
    return running.filter(late).to_numpy()
