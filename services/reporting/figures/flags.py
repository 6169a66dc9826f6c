"""
What is asked of every row, packed into one number, so that a million rows are counted in milliseconds. Pure.

Bits 0 to 15 are the ``FLAGS``, 16 to 19 the state's place in ``Status``, 20 to 22 the stars, 0 for none. That
number is a word of a category of its own: its place there is small, and rows are counted by it. So are the words by
which rows are grouped. Beside them stand the ``bins`` of hours.
"""

from typing import Final

import polars as pl

from services.common.contracts.vocabulary import Status
from services.reporting.figures.bins import bins_of

PACKED: Final = "flags"
BINS: Final = {
    name: f"{name}_bin"
    for name in ("hours_to_close", "hours_to_respond", "work_hours_to_close", "work_hours_to_respond")
}
"""The columns of hours, and those of their bins."""

GROUPED: Final = ("channel", "kind", "service", "neighbourhood", "department", "priority")
"""The words by which rows are grouped."""

_KIND: Final = pl.Categorical(pl.Categories("flags"))
_RATED: Final = pl.col("rating").fill_null(0)
_EXPRESSIONS: Final = {
    "assigned": pl.col("assigned"),
    "closed": pl.col("closed"),
    "paused": pl.col("paused"),
    "escalated": pl.col("escalated"),
    "emergencies": pl.col("emergency"),
    "emergencies_open": pl.col("emergency") & ~pl.col("closed"),
    "at_first_contact": pl.col("at_first_contact"),
    "responded": pl.col("responded"),
    "responded_on_time": pl.col("responded_on_time"),
    "responded_late": ~pl.col("responded_on_time"),
    "on_time": pl.col("on_time"),
    "late": ~pl.col("on_time"),
    "first_on_time": pl.col("first_on_time"),
    "first_late": ~pl.col("first_on_time"),
    "reopened": pl.col("reopened") > 0,
    "bounced": pl.col("bounced") > 0,
}
FLAGS: Final = tuple(_EXPRESSIONS)
STATES: Final = tuple(status.value for status in Status)


def with_flags(frame: pl.DataFrame) -> pl.DataFrame:
    """
    The frame with the columns ``flags`` and those of ``BINS``, and with the words of ``GROUPED`` counted from 0 in each
    column, if it does not have them yet.
    """
    if PACKED in frame.columns:
        return frame
    bits = [_at(n, asked.fill_null(value=False)) for n, asked in enumerate(_EXPRESSIONS.values())]
    state = pl.col("status").cast(pl.Enum(STATES)).to_physical()
    bins = [
        pl.Series(name, bins_of(frame[of].fill_null(float("nan")).to_numpy()), pl.UInt16) for of, name in BINS.items()
    ]
    packed = pl.sum_horizontal(*bits, _at(16, state), _at(20, _RATED)).cast(pl.String).cast(_KIND)
    words = [pl.col(name).cast(pl.Categorical(pl.Categories(name, physical=pl.UInt16))) for name in GROUPED]
    return frame.with_columns(packed.alias(PACKED), *bins, *words)


def _at(bit: int, value: pl.Expr) -> pl.Expr:
    return value.cast(pl.UInt32) * (1 << bit)
