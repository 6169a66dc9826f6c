"""
What is asked of every row, packed into one number, so that a million rows are counted in milliseconds. Pure.

Bits 0 to 15 are the ``FLAGS``, 16 to 19 the state's place in ``Status``, 20 to 22 the stars, 0 for none.
"""

from typing import Final

import polars as pl

from services.common.contracts.vocabulary import Status

PACKED: Final = "flags"
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
    The frame with the column ``flags``, if it does not have it yet.
    """
    if PACKED in frame.columns:
        return frame
    bits = [_at(n, asked.fill_null(value=False)) for n, asked in enumerate(_EXPRESSIONS.values())]
    state = pl.col("status").cast(pl.Enum(STATES)).to_physical()
    return frame.with_columns(pl.sum_horizontal(*bits, _at(16, state), _at(20, _RATED)).alias(PACKED))


def _at(bit: int, value: pl.Expr) -> pl.Expr:
    return value.cast(pl.UInt32) * (1 << bit)
