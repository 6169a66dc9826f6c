"""
What everybody may take home and pass on: requests without anything personal, and counts. Pure.

Nobody is alone in it. The month, the department, the service and the neighbourhood of a request are what others could
know it by; at least ``AT_LEAST`` published requests share each published combination of them. What is rarer is told
more coarsely: without its neighbourhood, then without its service, then without its department; and if those that lost
a name would be too few among themselves, the rarest of those that kept it joins them. (k-anonymity, as in ISO/IEC 20889
and in the Turkish data protection authority's guide to anonymising, with the secondary suppression of statistical
offices.) Days stand for times, blocks for doors; the order of the rows says nothing.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

from services.reporting.figures.tables import Column
from services.reporting.public.shown import public_services

AT_LEAST: Final = 5
OTHER: Final = "diger"
NOWHERE: Final = ""
OLD: Final = timedelta(days=30)
"""An open request is published when it is as old as this; a closed one on the day after."""

_KNOWN_BY: Final = ("month", "department", "service", "neighbourhood")


@dataclass(frozen=True, slots=True)
class Documented:
    """
    A column and what it means.
    """

    column: Column
    tr: str
    en: str


def _column(name: str, tr: str, en: str) -> Documented:
    return Documented(Column(name, tr, en), tr, en)


REQUESTS: Final = (
    _column("month", "Geldiği ay (YYYY-AA)", "Month of receipt (YYYY-MM)"),
    _column("received_day", "Geldiği gün", "Day of receipt"),
    _column("closed_day", "Kapandığı gün; boşsa açık", "Day of closing; empty: open"),
    _column("department", "Sorumlu müdürlük, kod; “diger”: seyrek", "Responsible department, code; “diger”: rare"),
    _column("department_name", "Müdürlüğün adı", "Name of the department"),
    _column("service", "Hizmet, kod; “diger”: seyrek veya gizli", "Service, code; “diger”: rare or not public"),
    _column("service_name", "Hizmetin adı", "Name of the service"),
    _column("neighbourhood", "Mahalle; seyrekse boş", "Neighbourhood; empty where rare"),
    _column("channel", "Geldiği kanal: phone, whatsapp, web …", "Channel: phone, whatsapp, web …"),
    _column("outcome", "Sonuç: resolved, referred …; boşsa açık", "Outcome: resolved, referred …; empty: open"),
    _column("on_time", "Süresinde kapandı mı: true, false", "Whether it was closed on time: true, false"),
    _column("lat", "Enlem, yapı adasına yuvarlanmış", "Latitude, rounded to the block"),
    _column("lon", "Boylam, yapı adasına yuvarlanmış", "Longitude, rounded to the block"),
)
COUNTS: Final = (
    _column("month", "Ay (YYYY-AA)", "Month (YYYY-MM)"),
    _column("department", "Sorumlu müdürlük, kod; “diger”: seyrek", "Responsible department, code; “diger”: rare"),
    _column("department_name", "Müdürlüğün adı", "Name of the department"),
    _column("service", "Hizmet, kod; “diger”: seyrek veya gizli", "Service, code; “diger”: rare or not public"),
    _column("service_name", "Hizmetin adı", "Name of the service"),
    _column("received", "Yayımlanan başvuru sayısı, en az 5", "Requests published, at least 5"),
)


def open_requests(facts: pl.DataFrame, today: date) -> pl.DataFrame:
    """
    The requests that are published on this day, as they stood when it began: closed, or older than 30 days. The columns
    are those of ``REQUESTS`` without the names of codes.
    """
    ended = (pl.col("closed_day") < today).fill_null(value=False)
    rows = _received(facts, today).filter(ended | (pl.col("received_day") <= today - OLD))
    cells = _coarser(rows.group_by(_KNOWN_BY).agg(pl.len().alias("rows")))
    there = pl.col("neighbourhood") != NOWHERE
    published = (
        rows.with_columns(
            pl.when(ended).then(pl.col(name)).alias(name) for name in ("closed_day", "outcome", "on_time")
        )
        .join(cells, on=_KNOWN_BY)
        .with_columns(pl.col(f"shown_{name}").alias(name) for name in _KNOWN_BY[1:])
        .with_columns(
            *(pl.when(there).then(pl.col(name).round(3)).alias(name) for name in ("lat", "lon")),
            pl.when(there).then(pl.col("neighbourhood")),
        )
        .select(one.column.name for one in REQUESTS if not one.column.name.endswith("_name"))
    )
    return published.sort(published.columns)


def open_counts(facts: pl.DataFrame, today: date) -> pl.DataFrame:
    """
    How many requests are published, by month, department and service: the counts of ``open_requests`` themselves, so
    that neither file says by subtraction what the other hides. The columns are those of ``COUNTS`` without the names of
    codes.
    """
    by = ["month", "department", "service"]
    return open_requests(facts, today).group_by(by).agg(pl.len().alias("received")).sort(by)


def _received(facts: pl.DataFrame, today: date) -> pl.DataFrame:
    """
    Whole requests of the days before, with what they could be known by as texts: what is not public has no name.
    """
    public = pl.col("service").is_in(sorted(public_services()))
    return facts.filter(~pl.col("part"), pl.col("day") < today).select(
        pl.col("day").dt.to_string("%Y-%m").alias("month"),
        pl.col("day").alias("received_day"),
        "closed_day",
        pl.col("department").cast(pl.String).fill_null(OTHER),
        pl.when(public).then(pl.col("service").cast(pl.String)).otherwise(pl.lit(OTHER)).alias("service"),
        pl.col("neighbourhood").cast(pl.String).fill_null(NOWHERE),
        *(pl.col(name).cast(pl.String) for name in ("channel", "outcome")),
        "on_time",
        "lat",
        "lon",
    )


def _coarser(cells: pl.DataFrame) -> pl.DataFrame:
    """
    What each combination is published as (``shown_…``). It is not there if its whole month is too rare.
    """
    cells = cells.filter(pl.col("rows").sum().over("month") >= AT_LEAST).with_columns(
        pl.col(name).alias(f"shown_{name}") for name in _KNOWN_BY[1:]
    )
    within = ["month"]
    for name, coarse in (("shown_department", OTHER), ("shown_service", OTHER), ("shown_neighbourhood", NOWHERE)):
        coarse_already = pl.col(within[-1]) == OTHER
        cells = cells.with_columns(pl.when(coarse_already).then(pl.lit(coarse)).otherwise(pl.col(name)).alias(name))
        cells = _merged(cells, tuple(within), name, coarse)
        within.append(name)
    return cells


def _merged(cells: pl.DataFrame, within: tuple[str, ...], name: str, coarse: str) -> pl.DataFrame:
    """
    Groups that are too rare become ``coarse``. If that is too rare itself, the rarest of the others joins it.
    """
    rows = pl.col("rows")
    sized = cells.with_columns(size=rows.sum().over(*within, name))
    kept = (pl.col(name) != coarse) & (pl.col("size") >= AT_LEAST)
    by_size = [pl.col(column).filter(kept) for column in ("size", name)]
    rest = rows.filter(~kept).sum().over(within)
    rarest = pl.col(name).filter(kept).sort_by(by_size).first().over(within)
    joins = (rest > 0) & (rest < AT_LEAST) & (pl.col(name) == rarest)
    stays = kept & ~joins.fill_null(value=False)
    return sized.with_columns(pl.when(stays).then(pl.col(name)).otherwise(pl.lit(coarse)).alias(name))
