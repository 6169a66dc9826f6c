"""
Which rows of facts a filter means. Pure.
"""

from datetime import datetime
from functools import reduce
from operator import and_
from typing import Final

import polars as pl

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
