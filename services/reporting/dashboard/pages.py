"""
``/`` and ``/panel``: the dashboard. ``/requests``: the list behind any of its bars. ``/v1/stream``: its tiles, live.
"""

import asyncio
from datetime import datetime
from typing import Annotated, Any, Final

import polars as pl
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from services.common.contracts.catalogue import catalogue
from services.common.contracts.roles import Role
from services.common.kit.auth import Caller
from services.common.kit.guard import DOCUMENTED, page_person, scoped
from services.common.kit.http import problems, stopping
from services.common.kit.people import Person
from services.common.ui.formats import Language
from services.common.ui.pages import Pages, PagesOf
from services.reporting import views
from services.reporting.asked import filter_of, wrong
from services.reporting.cursors import BadCursor
from services.reporting.dashboard import live
from services.reporting.dashboard.asked import address, chips, files, parameters
from services.reporting.dashboard.choices import choices
from services.reporting.figures.selection import condition
from services.reporting.figures.snapshot import Figures
from services.reporting.figures.spans import previous
from services.reporting.figures.views import ReportParameters
from services.reporting.inbox.list_pages import map_policy
from services.reporting.inbox.room import Room, RoomOf
from services.reporting.names import Names
from services.reporting.names_repository import names_of
from services.reporting.paging import page_of
from services.reporting.queries import Filter

PATH: Final = "/panel"
LIST: Final = "/requests"
_OF_REPORTS: Final = {field.alias or name for name, field in ReportParameters.model_fields.items()}

router = APIRouter(include_in_schema=False)
stream_router = APIRouter(prefix="/v1", responses=problems(401, 403, 422, 503), dependencies=DOCUMENTED)
Staff = Annotated[Person, Depends(page_person(Role.OPERATOR, Role.DEPARTMENT, Role.MANAGER))]
Reader = Annotated[Caller, Depends(scoped("reports:read"))]


async def panel_page(request: Request, person: Person, pages: Pages, room: Room) -> Response:
    """
    The dashboard. Its figures come by script; what is asked for stands in the address.
    """
    language, limited, names = pages.language(request), person.caller.limited_to, await names_of(request)
    config = {
        "names": names.columns(language),
        "list": LIST,
        "tiles": room.tile_url or "",
        "attribution": room.tile_attribution,
        "limited": sorted(limited) if limited is not None else None,
        "reads": person.has(Role.MANAGER),
    }
    view: dict[str, Any] = {
        "config": config,
        "choices": choices(names, language, limited),
        "city": names.city(language),
        "own": [names.name("department", slug, language) for slug in sorted(limited or ())],
        "asked": dict(request.query_params),
    }
    return pages.render(request, "dashboard/panel.html", person, headers=map_policy(room), **view)


@router.get(PATH)
async def panel(request: Request, person: Staff, pages: PagesOf, room: RoomOf) -> Response:
    """
    The dashboard, for whoever may read figures; a department sees its own.
    """
    return await panel_page(request, person, pages, room)


@router.get(LIST)
async def requests(request: Request, person: Staff, pages: PagesOf, room: RoomOf) -> Response:
    """
    The requests behind a figure: the same parameters as ``GET /v1/requests``, newest first.
    """
    query = request.query_params.multi_items()
    asked = parameters(query)
    filters = await filter_of(request, asked, person.caller)
    secret, now = request.app.state.settings.cursor_secret.get_secret_value().encode(), room.clock()
    try:
        found, cursor = await page_of(room.repository, secret, filters, now, asked.limit, asked.cursor)
    except BadCursor as reason:
        raise wrong(("cursor", str(reason))) from None
    language, names = pages.language(request), await names_of(request)
    narrowing = [(key, value) for key, value in query if key not in ("cursor", "limit", "lang", "theme") and value]
    view: dict[str, Any] = {
        "rows": [_row(document, person, names, language, now) for document in found],
        "chips": chips(query, LIST, names, language),
        "first": address(LIST, narrowing) if asked.cursor else "",
        "next": address(LIST, [*narrowing, ("cursor", cursor)]) if cursor else "",
        "back": address(PATH, [pair for pair in narrowing if pair[0] in _OF_REPORTS]),
        "total": await _total(request, filters, now),
        "files": files(filters, language),
    }
    return pages.render(request, "dashboard/requests.html", person, **view)


async def _total(request: Request, filters: Filter, now: datetime) -> int | None:
    """
    How many there are; None where the facts cannot tell: they know no numbers and no families.
    """
    if filters.parent or filters.q:
        return None
    figures: Figures = await request.app.state.figures.current()
    chosen = figures.frame.lazy().filter(condition(filters, now)).select(pl.len())
    found: int = (await asyncio.to_thread(chosen.collect)).item()
    return found


def _row(document: dict[str, Any], person: Person, names: Names, language: Language, now: datetime) -> dict[str, Any]:
    row = views.row(document, now)
    slug = row["department"]
    opens = slug in person.caller.departments or (slug in catalogue().departments and person.has(Role.MANAGER))
    return {
        **row,
        "href": f"/department/{slug}/{row['request_id']}" if opens else "",
        "department_name": names.name("department", slug, language) if slug else "",
        "service_name": names.name("service", row["service_code"], language) if row["service_code"] else "",
    }


@stream_router.get(
    "/stream",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {}}}},
    tags=["reports"],
)
async def stream(request: Request, caller: Reader, asked: Annotated[ReportParameters, Query()]) -> Response:
    """
    Server-sent events: `tiles` with the figures at the head of the dashboard whenever they change, `beat` with their
    age otherwise. Ends after 15 minutes: come back.
    """
    board: live.Board = request.app.state.board
    filters = await filter_of(request, asked, caller)
    compared = previous(filters, request.app.state.clock()) if asked.compare else None
    pieces = live.events(board, filters, compared, request.app.state.clock, lambda: stopping(request.app))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(pieces, media_type="text/event-stream", headers=headers)
