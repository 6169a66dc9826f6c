"""
The monthly statement over HTTP: as JSON, as a page to print and as PDF; and its page for those who work here.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.common.contracts.roles import Role
from services.common.kit.auth import Caller
from services.common.kit.guard import DOCUMENTED, page_person, scoped
from services.common.kit.http import problems
from services.common.kit.people import Person
from services.common.ui.formats import Language
from services.common.ui.pages import PagesOf
from services.reporting.asked import wrong
from services.reporting.figures.snapshot import Figures
from services.reporting.names import Names
from services.reporting.names_repository import names_of
from services.reporting.settings import ApiSettings
from services.reporting.statement.models import Statement
from services.reporting.statement.month import Month
from services.reporting.statement.pdf import pdf_of
from services.reporting.statement.shown import Shown, shown
from services.reporting.statement.statement import statement_of
from services.reporting.statement.writing import month_name
from services.reporting.tags import has, tag_of

CHOICES: Final = 60  # months in the picker


class Form(StrEnum):
    """
    What the statement is given as.
    """

    JSON = "json"
    HTML = "html"
    PDF = "pdf"


MEDIA_TYPES: Final = {Form.JSON: "application/json", Form.HTML: "text/html", Form.PDF: "application/pdf"}


class MonthParameters(BaseModel):
    """
    As what, and in which language people read it.
    """

    model_config = ConfigDict(extra="forbid")
    format: Form | None = Field(default=None, description="without it Accept decides; JSON if that names none of them")
    lang: Language | None = Field(default=None, description="of page and PDF; JSON has both")


class MonthlyStatement(Statement):
    """
    The statement as JSON. ``as_of``: everything that was published until then is counted.
    """

    as_of: datetime | None
    lag_seconds: float | None


Reader = Annotated[Caller, Depends(scoped("reports:read"))]
Staff = Annotated[Person, Depends(page_person(Role.OPERATOR, Role.DEPARTMENT, Role.MANAGER))]

router = APIRouter(
    prefix="/v1/reports", tags=["reports"], dependencies=DOCUMENTED, responses=problems(401, 403, 422, 503)
)
pages_router = APIRouter(include_in_schema=False)


def accepted(header: str) -> Form:
    """
    The form that an ``Accept`` prefers; JSON where it names none, or likes another no better.
    """
    ranges: dict[str, float] = {}
    for part in header.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        try:
            ranges[kind] = float(weight)
        except ValueError:
            ranges[kind] = 0.0

    def weight_of(form: Form) -> float:
        kind = MEDIA_TYPES[form]
        names = (kind, f"{kind.partition('/')[0]}/*", "*/*")
        return next((ranges[name] for name in names if name in ranges), 0.0)

    return max(Form, key=weight_of)


def _asked(text: str, now: datetime) -> Month:
    try:
        month = Month.parse(text)
    except ValueError as reason:
        raise wrong(("month", str(reason))) from None
    if month.start >= now:
        raise wrong(("month", "has not begun"))
    return month


async def _known(request: Request) -> tuple[Figures, Names]:
    return await request.app.state.figures.current(), await names_of(request)


async def _counted(
    figures: Figures, names: Names, month: Month, now: datetime, within: frozenset[str] | None
) -> Statement:
    return await asyncio.to_thread(statement_of, figures.frame, names, month, now, within)


def _written(request: Request, statement: Statement, language: Language, figures: Figures, names: Names) -> Shown:
    settings: ApiSettings = request.app.state.settings
    ours = settings.municipality_tr if language == "tr" else settings.municipality_en
    return shown(statement, language, names, names.city(language) or ours, figures.as_of)


@router.get(
    "/monthly/{month}",
    response_model=MonthlyStatement,
    responses={200: {"content": {"text/html": {}, "application/pdf": {}}}, 304: {"description": "as you have it"}},
)
async def monthly(
    request: Request, month: str, caller: Reader, pages: PagesOf, asked: Annotated[MonthParameters, Query()]
) -> Response:
    """
    The statement of a month (``YYYY-MM``) of the city's calendar: what the contact centre publishes. A month that is
    not over is ``provisional``.
    """
    now: datetime = request.app.state.clock()
    wanted, form = _asked(month, now), asked.format or accepted(request.headers.get("accept", ""))
    language, (figures, names) = asked.lang or pages.language(request), await _known(request)
    headers = {
        "etag": tag_of(figures.version, wanted, form, language, caller.limited_to, f"{now:%Y%m%d%H%M}"),
        "cache-control": "private, no-cache",
        "vary": "accept, cookie",
    }
    if has(request, headers["etag"]):
        return Response(status_code=304, headers=headers)
    statement = await _counted(figures, names, wanted, now, caller.limited_to)
    if form is Form.JSON:
        lag = max(0.0, (now - figures.as_of).total_seconds()) if figures.as_of else None
        answer = MonthlyStatement(**dict(statement), as_of=figures.as_of, lag_seconds=lag)
        return Response(answer.model_dump_json(), media_type=MEDIA_TYPES[form], headers=headers)
    sheet = _written(request, statement, language, figures, names)
    if form is Form.HTML:
        return pages.render(request, "statement/printed.html", headers=headers, sheet=sheet)
    headers["content-disposition"] = f'inline; filename="{FILES[language]}-{wanted}.pdf"'
    return Response(await asyncio.to_thread(pdf_of, sheet), media_type=MEDIA_TYPES[form], headers=headers)


FILES: Final = {"tr": "ilkim-aylik-rapor", "en": "ilkim-monthly-statement"}


@pages_router.get("/monthly")
async def monthly_page(
    request: Request, person: Staff, pages: PagesOf, month: Annotated[str, Query(max_length=7)] = ""
) -> Response:
    """
    The statement of a month to look at; without ``month`` that of the last one that is over.
    """
    now, language = request.app.state.clock(), pages.language(request)
    this = Month.of(now)
    wanted = _asked(month, now) if month else this.plus(-1)
    figures, names = await _known(request)
    statement = await _counted(figures, names, wanted, now, person.caller.limited_to)
    return pages.render(
        request,
        "statement/monthly.html",
        person,
        sheet=_written(request, statement, language, figures, names),
        month=str(wanted),
        months=_choices(this, wanted, language),
        earlier=str(wanted.plus(-1)),
        later=str(wanted.plus(1)) if wanted < this else "",
    )


def _choices(this: Month, wanted: Month, language: Language) -> Sequence[tuple[str, str]]:
    """
    The months to choose from, newest first; the one that is shown is always among them.
    """
    months = sorted({wanted, *(this.plus(-n) for n in range(CHOICES))}, reverse=True)
    return [(str(month), month_name(str(month), language)) for month in months]
