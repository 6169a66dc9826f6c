"""
The figures at the head of the page, and what changed since the time before. Pure; made of the reports.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import polars as pl

from services.reporting.figures.reports import summary
from services.reporting.figures.selection import condition
from services.reporting.projections import ISTANBUL
from services.reporting.queries import Filter, midnight

Tiles = dict[str, Any]
_OF_A_SPAN: Final = (
    "received", "closed", "on_time_share", "late", "median_hours_to_respond", "median_hours_to_close",
    "rating_average", "ratings", "at_first_contact", "reopened",
)  # fmt: skip
_NOW: Final = ("open", "overdue", "paused", "emergencies_open")


def tiles(frame: pl.DataFrame, filters: Filter, before: Filter | None, now: datetime) -> Tiles:
    """
    ``today``: received since midnight, and yesterday until this time of day. ``span``: what was received on the days of
    the filter; ``before``: the same of another span. ``now``: how it stands, whatever day it came in; ``open_before``:
    what was open when the span began, by the last closing.
    """
    today = now.astimezone(ISTANBUL).date()
    always = replace(filters, first_day=None, last_day=None)

    def on(day: date) -> pl.Expr:
        return condition(replace(always, first_day=day, last_day=day), now)

    until_then = pl.col("received_at") <= now - timedelta(days=1)
    return {
        "today": {
            "received": frame.filter(on(today)).height,
            "yesterday": frame.filter(on(today - timedelta(days=1)) & until_then).height,
        },
        "span": _some(summary(frame, filters, now), _OF_A_SPAN),
        "before": _some(summary(frame, before, now), _OF_A_SPAN) if before else None,
        "now": _some(summary(frame, always, now), _NOW) | {"open_before": _open_before(frame, filters, now)},
    }


def _open_before(frame: pl.DataFrame, filters: Filter, now: datetime) -> int | None:
    if filters.first_day is None:
        return None
    began = midnight(filters.first_day).astimezone(UTC)
    open_then = (pl.col("received_at") < began) & ((pl.col("closed_at") >= began) | pl.col("closed_at").is_null())
    return frame.lazy().filter(condition(filters, now, day=None) & open_then).collect().height


def _some(row: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: row[name] for name in names}
