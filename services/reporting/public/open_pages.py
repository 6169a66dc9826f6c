"""
Open data: the page that says what it is, and the files. For everybody, without a key.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Final

import polars as pl
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Scope

from services.common.kit.guard import People
from services.common.kit.http import problems
from services.common.kit.limits import Buckets, KeyOwner, Limits
from services.common.kit.settings import Networks, Rate
from services.common.ui.pages import PagesOf
from services.reporting.figures.files import documented, download
from services.reporting.figures.snapshot import Figures
from services.reporting.figures.tables import Column, Csv, GeoJson, Language, Writer
from services.reporting.names_repository import names_of
from services.reporting.projections import ISTANBUL
from services.reporting.public.open_data import (
    AT_LEAST,
    COUNTS,
    OTHER,
    REQUESTS,
    Documented,
    open_counts,
    open_requests,
)

PAGE: Final = "/acik-veri"
FILES: Final = "/v1/open"
LICENCE: Final = "https://creativecommons.org/licenses/by/4.0/"
_PIECE: Final = 20_000
_KEPT: Final = {"Cache-Control": "public, max-age=3600"}
_OTHERS: Final = {"tr": "Diğer", "en": "Other"}


@dataclass(frozen=True, slots=True)
class Publication:
    """
    What is published on a day; made in that hour.
    """

    hour: datetime
    requests: pl.DataFrame
    counts: pl.DataFrame

    @property
    def day(self) -> date:
        """
        The day at whose beginning everything stood as it is told.
        """
        return self.hour.date()


class Press:
    """
    Makes the publication, once an hour at most, when somebody asks for it.
    """

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()
        self._latest: Publication | None = None

    async def publication(self, figures: Figures, now: datetime) -> Publication:
        """
        The publication of this hour.
        """
        hour = now.astimezone(ISTANBUL).replace(minute=0, second=0, microsecond=0)
        async with self._one_at_a_time:
            if self._latest is None or self._latest.hour != hour:
                self._latest = await asyncio.to_thread(_published, figures.frame, hour)
            return self._latest


def _published(facts: pl.DataFrame, hour: datetime) -> Publication:
    return Publication(hour, open_requests(facts, hour.date()), open_counts(facts, hour.date()))


def limits(rate: Rate, trusted_proxies: Networks) -> Limits:
    """
    How much one address, or one key, may ask of it.
    """
    return Limits(Buckets(rate), Buckets(rate), trusted_proxies)


def limits_of(scope: Scope) -> Limits | None:
    """
    The limits of open data, for a call that is about it.
    """
    if not scope["path"].startswith((PAGE, FILES)):
        return None
    found: Limits = scope["app"].state.open_limits
    return found


def owner_of(scope: Scope) -> KeyOwner:
    """
    Who knows whose key it is.
    """
    people: People = scope["app"].state.people
    return people.keys.caller


Lang = Annotated[Language, Query(description="of the names of departments and services")]
pages_router = APIRouter(include_in_schema=False)
router = APIRouter(prefix=FILES, tags=["open data"], responses=problems(422, 429, 503))


@pages_router.get(PAGE)
async def page(request: Request, pages: PagesOf) -> Response:
    """
    What it is, what stands in it, and the files.
    """
    published = await _publication(request)
    rows = published.requests
    return pages.render(
        request,
        "open-data.html",
        published_on=published.day,
        months=rows["month"].n_unique(),
        first=rows["received_day"].min(),
        last=rows["received_day"].max(),
        requests=rows.height,
        counts=published.counts.height,
        at_least=AT_LEAST,
        licence=LICENCE,
        files=FILES,
        tables=(REQUESTS, COUNTS),
    )


@router.get("/requests.csv", response_class=StreamingResponse, responses=documented(Csv.media_type))
async def requests_csv(request: Request, lang: Lang = "tr") -> StreamingResponse:
    """
    A row for each request that is closed or older than 30 days, as it stood when this day began. At least five share
    each combination of month, department, service and neighbourhood; what is rarer is told more coarsely. CC BY 4.0.
    """
    published, called = await _publication(request), await _called(request, lang)
    return _file(Csv(_shape(REQUESTS)), published.requests, REQUESTS, f"ilkim-{published.day}.csv", called)


@router.get("/requests.geojson", response_class=StreamingResponse, responses=documented(GeoJson.media_type))
async def requests_geojson(request: Request, lang: Lang = "tr") -> StreamingResponse:
    """
    The same as points; a request whose place is not told has no geometry.
    """
    published, called = await _publication(request), await _called(request, lang)
    return _file(GeoJson(), published.requests, REQUESTS, f"ilkim-{published.day}.geojson", called)


@router.get("/figures.csv", response_class=StreamingResponse, responses=documented(Csv.media_type))
async def figures_csv(request: Request, lang: Lang = "tr") -> StreamingResponse:
    """
    How many requests are published, by month, department and service; at least 5 in each row. CC BY 4.0.
    """
    published, called = await _publication(request), await _called(request, lang)
    return _file(Csv(_shape(COUNTS)), published.counts, COUNTS, f"ilkim-figures-{published.day}.csv", called)


async def _publication(request: Request) -> Publication:
    state = request.app.state
    press: Press = state.press
    return await press.publication(await state.figures.current(), state.clock())


def _shape(table: tuple[Documented, ...]) -> tuple[Column, ...]:
    return tuple(one.column for one in table)


def _file(
    writer: Writer, rows: pl.DataFrame, table: tuple[Documented, ...], name: str, called: list[pl.Expr]
) -> StreamingResponse:
    return download(writer, _pieces(rows, table, called), name, **_KEPT)


async def _called(request: Request, lang: Language) -> list[pl.Expr]:
    """
    The columns of names, of those of codes.
    """
    names = (await names_of(request)).tables(lang)
    return [
        pl.col(kind).replace({**names[kind], OTHER: _OTHERS[lang]}).alias(f"{kind}_name")
        for kind in ("department", "service")
    ]


async def _pieces(
    rows: pl.DataFrame, table: tuple[Documented, ...], called: list[pl.Expr]
) -> AsyncIterator[pl.DataFrame]:
    for piece in rows.iter_slices(_PIECE):
        yield piece.with_columns(called).select(one.column.name for one in table)
