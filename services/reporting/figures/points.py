"""
Where neighbourhoods lie on the map: in the middle of all their requests, whatever a question is about, so that a point
does not wander from one answer to the next. Pure.
"""

from collections.abc import Iterable
from typing import Final

import polars as pl

Point = tuple[float, float]
"""Latitude and longitude in degrees."""

_POINT: Final = ("lat", "lon")
_NOWHERE: Final = pl.DataFrame(
    schema={"neighbourhood": pl.String, **dict.fromkeys(_POINT, pl.Float64), "placed": pl.UInt32}
)


def places_of(rows: pl.DataFrame) -> pl.DataFrame:
    """
    The sums of the places of each neighbourhood's requests and how many there are, to be added up by ``points_of``.
    """
    placed = rows.filter(~pl.col("part")).drop_nulls(("neighbourhood", *_POINT))
    sums = placed.group_by("neighbourhood").agg(pl.col(*_POINT).sum(), pl.len().alias("placed"))
    return sums.cast({"neighbourhood": pl.String})


def points_of(places: Iterable[pl.DataFrame]) -> dict[str, Point]:
    """
    The mean place of each neighbourhood.
    """
    whole = pl.concat([_NOWHERE, *places]).group_by("neighbourhood").sum()
    mean = whole.select("neighbourhood", (pl.col(*_POINT) / pl.col("placed")).round(4))
    return {name: (lat, lon) for name, lat, lon in mean.iter_rows()}
