"""
The HTTP side of reporting: one request, lists of requests, visit lists. It reads only. (Figures: ``figures.api``.)
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response

from services.common.contracts.ids import IllFormedId, parse_any_id
from services.common.kit.auth import Caller, KeyVerifier
from services.common.kit.clock import Clock, system_clock
from services.common.kit.guard import DOCUMENTED, Callers, install_guard, scoped
from services.common.kit.http import Problem, install, problems
from services.common.kit.limits import RateLimit
from services.common.kit.mongo import UNAVAILABLE, connect
from services.common.kit.people import Tokens
from services.common.ui.pages import install_pages
from services.reporting import people_pages, sign_in, views, visits
from services.reporting.asked import filter_of, wrong
from services.reporting.calls import api as calls
from services.reporting.calls.repository import Calls
from services.reporting.cursors import BadCursor
from services.reporting.dashboard import pages as dashboard
from services.reporting.dashboard.live import Board
from services.reporting.figures import api as figures
from services.reporting.figures import exports_api
from services.reporting.figures import pages as definitions
from services.reporting.figures.sheets_repository import Sheets
from services.reporting.figures.snapshot import Snapshot
from services.reporting.health import pages as health
from services.reporting.health.watch import watch_of
from services.reporting.inbox import pages as inbox
from services.reporting.inbox.room import FORM_LIMIT, room_of
from services.reporting.names_repository import NamesKept
from services.reporting.paging import page_of
from services.reporting.public import api as public
from services.reporting.public import open_pages
from services.reporting.repository import Repository
from services.reporting.settings import ApiSettings
from services.reporting.staff import guard_of, prepare, staff_of
from services.reporting.statement import api as statement

PAGES: Final = Path(__file__).with_name("pages")


def create_app(
    settings: ApiSettings,
    *,
    callers: Callers | None = None,
    tokens: Tokens | None = None,
    clock: Clock = system_clock,
) -> FastAPI:
    """
    The app. ``callers`` is intake's verifier and ``tokens`` our own sessions unless a test gives others.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        client = connect(settings.mongo)
        try:
            async with httpx.AsyncClient() as http:
                app.state.settings = settings
                app.state.clock = clock
                app.state.repository = Repository(client, settings.database)
                app.state.calls = Calls(client, settings.database)
                app.state.sheets = Sheets(client, settings.database)
                snapshot = app.state.figures = Snapshot(app.state.sheets, clock)
                app.state.names = NamesKept(client, settings.database, clock)
                app.state.board = Board(app.state.figures, clock)
                app.state.watch = watch_of(settings, client, http, app.state.sheets, app.state.figures, clock)
                app.state.press = open_pages.Press()
                app.state.open_limits = open_pages.limits(settings.open_rate, settings.trusted_proxies)
                staff = staff_of(settings, client, http, clock)
                app.state.staff = staff
                app.state.inbox = room_of(settings, client, http, staff.repository, app.state.pages, clock)
                app.state.people = guard_of(staff, callers or KeyVerifier(http, settings.intake_url), tokens)
                preparing = asyncio.create_task(prepare(staff.repository))
                warming = asyncio.create_task(snapshot.warm_up())
                yield
                preparing.cancel()
                warming.cancel()
                snapshot.close()
                await app.state.inbox.hub.close()
        finally:
            client.close()

    app = FastAPI(title="İLKİM reporting", version="1", lifespan=lifespan)
    app.include_router(router)
    for reports in (figures.router, calls.router, definitions.router, statement.router, statement.pages_router):
        app.include_router(reports)
    app.include_router(dashboard.stream_router)
    for pages in (
        sign_in.router,
        sign_in.pages_router,
        people_pages.router,
        inbox.router,
        dashboard.router,
        health.router,
    ):
        app.include_router(pages)
    for files in (public.router, open_pages.router, open_pages.pages_router, exports_api.router):
        app.include_router(files)

    async def ready() -> dict[str, object]:
        repository: Repository = app.state.repository
        try:
            await repository.ping()
        except UNAVAILABLE as error:
            return {"ready": False, "waits_for": "mongo", "error": type(error).__name__}
        return {"ready": True}

    async def away(_: Request, __: Exception) -> Response:
        return Problem(503, "The database does not answer now.", headers={"Retry-After": "5"}).response()

    install(app, ready=ready, larger={"/department/": FORM_LIMIT})
    install_guard(app)
    app.add_middleware(RateLimit, limits=open_pages.limits_of, owner=open_pages.owner_of)
    install_pages(app, templates=PAGES, static=PAGES / "static", links=settings.links, now=clock)
    for error in UNAVAILABLE:
        app.add_exception_handler(error, away)
    return app


def _repository(request: Request) -> Repository:
    repository: Repository = request.app.state.repository
    return repository


Reader = Annotated[Caller, Depends(scoped("reports:read"))]
Visitor = Annotated[Caller, Depends(scoped("visits:read"))]
Store = Annotated[Repository, Depends(_repository)]
ListQuery = Annotated[views.ListParameters, Query()]
TextReader = Annotated[Caller, Depends(scoped("texts:read"))]
SimilarQuery = Annotated[views.SimilarParameters, Query()]
VisitQuery = Annotated[visits.VisitParameters, Query()]

router = APIRouter(prefix="/v1", responses=problems(401, 403, 422, 503), dependencies=DOCUMENTED)


@router.get("/requests/{request_id}", response_model=views.RequestDetail, responses=problems(404), tags=["requests"])
async def get_request(request: Request, request_id: str, caller: Reader, store: Store) -> dict[str, Any]:
    """
    One request or sub-request (``….1``): its state, its life, its parts, and what the citizen was told. Never contact
    data, never an address or an internal note.
    """
    try:
        canonical = parse_any_id(request_id)
    except IllFormedId as reason:
        raise wrong(("request_id", str(reason))) from None
    document = await store.request(canonical)
    if document is None or not caller.sees(document["department"]):
        raise Problem(404, "No request has this number.")
    parts = [part for part in await store.parts_of(canonical) if caller.sees(part["department"])]
    return views.detail(document, parts, request.app.state.clock(), with_text=caller.may("texts:read"))


@router.get("/requests", response_model=views.RequestList, tags=["requests"])
async def list_requests(request: Request, caller: Reader, store: Store, parameters: ListQuery) -> dict[str, Any]:
    """
    Requests that fit the filter, newest first. Follow ``next_cursor``; what comes in meanwhile shifts nothing.
    """
    secret, now = request.app.state.settings.cursor_secret.get_secret_value().encode(), request.app.state.clock()
    filters = await filter_of(request, parameters, caller)
    try:
        page, cursor = await page_of(store, secret, filters, now, parameters.limit, parameters.cursor)
    except BadCursor as reason:
        raise wrong(("cursor", str(reason))) from None
    return {
        "items": [views.row(document, now) for document in page],
        "next_cursor": cursor,
        "filter": filters.as_query(),
    }


@router.get("/similar", response_model=views.SimilarList, tags=["requests"])
async def similar(request: Request, caller: TextReader, store: Store, asked: SimilarQuery) -> dict[str, Any]:
    """
    What may be the same as what is being reported: open, or closed in the last two weeks, of the same service or
    department in the same neighbourhood. For whoever may read the citizens' words.
    """
    now, within = request.app.state.clock(), caller.limited_to
    found = await store.similar(asked.service, asked.neighbourhood, asked.street, now, departments=within)
    return {"items": [views.similar_row(document, now) for document in found]}


@router.get(
    "/visits",
    response_model=visits.VisitList,
    responses={200: {"content": {"text/csv": {}, "text/html": {}}}},
    tags=["visits"],
)
async def visit_list(request: Request, caller: Visitor, store: Store, parameters: VisitQuery) -> Response:
    """
    What a team or a department has to visit, in the order to go there. It shows addresses and the citizens' words: the
    key must have the scope visits:read and serve the department.
    """
    if parameters.department is None and parameters.team is None:
        raise wrong(("team", "name a team or a department"))
    departments = None if "*" in caller.scopes else caller.departments
    if parameters.department is not None:
        departments = frozenset({parameters.department})
        if not caller.serves(parameters.department):
            raise Problem(403, "This key does not serve this department.")
    as_of = await store.as_of()
    found = visits.visits_of(await store.to_visit(departments), parameters)
    match parameters.format:
        case visits.Format.CSV:
            answer = Response(visits.as_csv(found), media_type="text/csv")
            answer.headers["Content-Disposition"] = 'attachment; filename="ziyaret-listesi.csv"'
        case visits.Format.HTML:
            answer = Response(visits.as_html(found, parameters, as_of), media_type="text/html")
            answer.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
        case visits.Format.JSON:
            listed = visits.VisitList(as_of=as_of, filter=parameters.as_query(), visits=found)
            answer = Response(listed.model_dump_json(), media_type="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
