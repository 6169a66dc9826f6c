"""
Requests as files: CSV, XLSX, GeoJSON, by the filter of lists and reports, sheet by sheet.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

import polars as pl
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import Field

from services.common.kit.auth import Caller
from services.common.kit.guard import DOCUMENTED, scoped
from services.common.kit.http import problems
from services.reporting.asked import filter_of, wrong
from services.reporting.figures import workbook
from services.reporting.figures.exports import columns, shown
from services.reporting.figures.files import documented, download
from services.reporting.figures.selection import condition
from services.reporting.figures.sheets import decode
from services.reporting.figures.sheets_repository import Sheets
from services.reporting.figures.snapshot import Figures
from services.reporting.figures.tables import Csv, CsvForExcel, GeoJson, Language, Writer
from services.reporting.figures.views import ServiceWords
from services.reporting.figures.workbook import Xlsx
from services.reporting.names_repository import names_of
from services.reporting.queries import Filter
from services.reporting.views import Parameters

_SHEETS_AT_ONCE: Final = 8
_ENOUGH_ROWS: Final = 5_000
_FILES: Final = {"tr": "ilkim-basvurular", "en": "ilkim-requests"}
_TITLES: Final = {"tr": "Başvurular", "en": "Requests"}


class Form(StrEnum):
    """
    What the file is.
    """

    CSV = "csv"
    XLSX = "xlsx"
    GEOJSON = "geojson"


class ExportParameters(Parameters):
    """
    The filter, and for whom the file is.
    """

    q: ServiceWords | None = Field(default=None, description="a part of a service's name")
    parts: bool = Field(default=False, description="sub-requests too, beside the requests")
    lang: Language = Field(default="tr", description="of headings and names")
    excel: bool = Field(
        default=False,
        description="csv alone: for a double click in Turkish Excel (byte order mark, semicolons, comma, words)",
    )

    def filter(self) -> Filter:
        """
        The filter that they name.
        """
        return replace(super().filter(), parts=self.parts)


Reader = Annotated[Caller, Depends(scoped("reports:read"))]
Asked = Annotated[ExportParameters, Query()]
router = APIRouter(prefix="/v1/exports", tags=["exports"], dependencies=DOCUMENTED)


@router.get(
    "/requests.{form}",
    response_class=StreamingResponse,
    responses=problems(401, 403, 422, 503) | documented(Csv.media_type, Xlsx.media_type, GeoJson.media_type),
)
async def requests(request: Request, caller: Reader, form: Form, asked: Asked) -> StreamingResponse:
    """
    The requests that fit the filter, oldest first, without limit (XLSX: 1,048,575). CSV and GeoJSON have codes for
    machines, XLSX and CSV with ``excel=true`` words for people. No cell is a formula. The place is the block, unless
    the citizen was told that it is public; words, addresses and contacts are not here.
    """
    filters, now = await filter_of(request, asked, caller), request.app.state.clock()
    if form is Form.XLSX:
        figures: Figures = await request.app.state.figures.current()
        await asyncio.to_thread(_check_height, figures.frame, filters, now)
    people = form is Form.XLSX or (form is Form.CSV and asked.excel)
    called = (await names_of(request)).tables(asked.lang)
    rows = chosen(
        request.app.state.sheets,
        filters,
        lambda facts: shown(facts.filter(condition(filters, now)), called, now, people=people),
    )
    span = "".join(f"_{day}" for day in (filters.first_day, filters.last_day) if day)
    name = f"{_FILES[asked.lang]}{span}.{form}"
    return download(_writer(form, asked, people=people), rows, name, **{"Cache-Control": "no-store"})


async def chosen(
    sheets: Sheets, filters: Filter, choose: Callable[[pl.DataFrame], pl.DataFrame]
) -> AsyncIterator[pl.DataFrame]:
    """
    What is chosen of the facts of each day of the filter, in the order of days, some days at a time.
    """
    first, last = str(filters.first_day or ""), str(filters.last_day or "9")
    days = sorted(sheet.day for sheet in await sheets.written(None) if first <= sheet.day <= last)
    waiting: list[pl.DataFrame] = []
    for start in range(0, len(days), _SHEETS_AT_ONCE):
        found = {day: parts async for day, _, parts in sheets.contents(days[start : start + _SHEETS_AT_ONCE])}
        for _, parts in sorted(found.items()):
            waiting.append(await asyncio.to_thread(decode, parts))
            if sum(frame.height for frame in waiting) >= _ENOUGH_ROWS:
                yield await asyncio.to_thread(choose, pl.concat(waiting))
                waiting.clear()
    if waiting:
        yield await asyncio.to_thread(choose, pl.concat(waiting))


def _writer(form: Form, asked: ExportParameters, *, people: bool) -> Writer:
    shape = columns(people=people)
    match form:
        case Form.CSV:
            return CsvForExcel(shape, asked.lang) if people else Csv(shape)
        case Form.XLSX:
            return Xlsx(shape, asked.lang, _TITLES[asked.lang])
        case Form.GEOJSON:
            return GeoJson()


def _check_height(facts: pl.DataFrame, filters: Filter, now: datetime) -> None:
    if facts.height <= workbook.MOST_ROWS:
        return
    height = facts.filter(condition(filters, now)).height
    if height > workbook.MOST_ROWS:
        most = f"a sheet of Excel holds {workbook.MOST_ROWS:,} rows and these are {height:,}"
        raise wrong(("from", f"{most}: ask for fewer days with from and to, or for requests.csv"))
