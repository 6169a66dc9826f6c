"""
The HTTP side of reporting: one request, lists of requests, visit lists, figures. It reads only.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Protocol

import httpx
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response, Security
from fastapi.security import APIKeyHeader

from services.common.contracts.ids import IllFormedId, parse_any_id
from services.common.kit.auth import Caller, KeysUnavailable, KeyVerifier
from services.common.kit.clock import Clock, system_clock
from services.common.kit.http import FieldError, Problem, install, problems
from services.common.kit.mongo import UNAVAILABLE, connect
from services.reporting import views, visits
from services.reporting.cursors import BadCursor, seal, unseal
from services.reporting.public import api as public
from services.reporting.queries import Filter, TooManyBuckets, order_of
from services.reporting.repository import Repository
from services.reporting.settings import ApiSettings


class Callers(Protocol):
    """
    Knows who stands behind an API key: ``kit.auth.KeyVerifier``.
    """

    async def caller(self, key: str) -> Caller | None:
        """
        The caller, or None. Raises ``KeysUnavailable``.
        """


def create_app(settings: ApiSettings, *, callers: Callers | None = None, clock: Clock = system_clock) -> FastAPI:
    """
    The app. ``callers`` is intake's verifier unless a test gives another.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        client = connect(settings.mongo)
        try:
            async with httpx.AsyncClient() as http:
                app.state.settings = settings
                app.state.clock = clock
                app.state.callers = callers or KeyVerifier(http, settings.intake_url)
                app.state.repository = Repository(client, settings.database)
                yield
        finally:
            client.close()

    app = FastAPI(title="İLKİM reporting", version="1", lifespan=lifespan)
    app.include_router(router)
    app.include_router(public.router)

    async def ready() -> dict[str, object]:
        repository: Repository = app.state.repository
        try:
            await repository.ping()
        except UNAVAILABLE as error:
            return {"ready": False, "waits_for": "mongo", "error": type(error).__name__}
        return {"ready": True}

    async def away(_: Request, __: Exception) -> Response:
        return Problem(503, "The database does not answer now.", headers={"Retry-After": "5"}).response()

    install(app, ready=ready)
    for error in UNAVAILABLE:
        app.add_exception_handler(error, away)
    return app


async def known(
    request: Request, key: Annotated[str | None, Security(APIKeyHeader(name="X-API-Key", auto_error=False))]
) -> Caller:
    """
    Whoever stands behind the key. Answers 401 without a known key, 503 if keys cannot be checked.
    """
    callers: Callers = request.app.state.callers
    try:
        caller = await callers.caller(key) if key else None
    except KeysUnavailable:
        raise Problem(503, "API keys cannot be checked now.", headers={"Retry-After": "5"}) from None
    if caller is None:
        raise Problem(401, "An API key is needed in X-API-Key.", headers={"WWW-Authenticate": "ApiKey"})
    return caller


def reader(caller: Annotated[Caller, Depends(known)]) -> Caller:
    """
    Whoever may read reports. Answers 403 without the scope.
    """
    if not caller.may("reports:read"):
        raise Problem(403, "This key may not read reports: the scope reports:read is missing.")
    return caller


def visitor(caller: Annotated[Caller, Depends(known)]) -> Caller:
    """
    Whoever may read visit lists of its departments. Answers 403 without the scope.
    """
    if not caller.may("visits:read"):
        raise Problem(403, "This key may not read visit lists: the scope visits:read is missing.")
    return caller


def _repository(request: Request) -> Repository:
    repository: Repository = request.app.state.repository
    return repository


Reader = Annotated[Caller, Depends(reader)]
Visitor = Annotated[Caller, Depends(visitor)]
Store = Annotated[Repository, Depends(_repository)]
ListQuery = Annotated[views.ListParameters, Query()]
ReportQuery = Annotated[views.ReportParameters, Query()]
VisitQuery = Annotated[visits.VisitParameters, Query()]

router = APIRouter(prefix="/v1", responses=problems(401, 403, 422, 503))


def _wrong(field: str, message: str) -> Problem:
    return Problem(422, "Some fields are not as they should be.", errors=[FieldError(field=field, message=message)])


def _filter(parameters: views.Parameters) -> Filter:
    filters = parameters.filter()
    if filters.first_day and filters.last_day and filters.first_day > filters.last_day:
        raise _wrong("to", "lies before from")
    return filters


@router.get("/requests/{request_id}", response_model=views.RequestDetail, responses=problems(404), tags=["requests"])
async def get_request(request: Request, request_id: str, caller: Reader, store: Store) -> dict[str, Any]:
    """
    One request or sub-request (``….1``): its state, its life, its parts, and what the citizen was told. Never contact
    data, never an address or an internal note.
    """
    try:
        canonical = parse_any_id(request_id)
    except IllFormedId as reason:
        raise _wrong("request_id", str(reason)) from None
    document = await store.request(canonical)
    if document is None:
        raise Problem(404, "No request has this number.")
    parts = await store.parts_of(canonical)
    return views.detail(document, parts, request.app.state.clock(), with_text=caller.may("texts:read"))


@router.get("/requests", response_model=views.RequestList, tags=["requests"])
async def list_requests(request: Request, _: Reader, store: Store, parameters: ListQuery) -> dict[str, Any]:
    """
    Requests that fit the filter, newest first. Follow ``next_cursor``; what comes in meanwhile shifts nothing.
    """
    secret, now = request.app.state.settings.cursor_secret.get_secret_value().encode(), request.app.state.clock()
    filters = _filter(parameters)
    try:
        since = unseal(secret, filters, parameters.cursor) if parameters.cursor else None
    except BadCursor as reason:
        raise _wrong("cursor", str(reason)) from None
    found = await store.page(filters, now, parameters.limit + 1, since)
    page, last = found[: parameters.limit], found[parameters.limit - 1 : parameters.limit]
    more = len(found) > parameters.limit
    return {
        "items": [views.row(document, now) for document in page],
        "next_cursor": seal(secret, filters, last[0][order_of(filters)]) if more else None,
        "filter": filters.as_query(),
    }


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
        raise _wrong("team", "name a team or a department")
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


async def _report(
    request: Request, filters: Filter, ask: Callable[[datetime], Awaitable[list[dict[str, Any]]]]
) -> dict[str, Any]:
    """
    The frame of a report. ``as_of`` is read before the rows, so that it never claims too much.
    """
    store, now = _repository(request), request.app.state.clock()
    as_of = await store.as_of()
    lag = max(0.0, (now - as_of).total_seconds()) if as_of else None
    return {"as_of": as_of, "lag_seconds": lag, "filter": filters.as_query(), "rows": await ask(now)}


@router.get("/reports/summary", response_model=views.SummaryReport, tags=["reports"])
async def summary(request: Request, _: Reader, store: Store, parameters: ReportQuery) -> dict[str, Any]:
    """
    One row for everything, or for what was received from ``from`` to ``to``.
    """
    filters = _filter(parameters)

    async def rows(now: datetime) -> list[dict[str, Any]]:
        return [await store.summary(filters, now)]

    return await _report(request, filters, rows)


@router.get("/reports/volume", response_model=views.VolumeReport, tags=["reports"])
async def volume(request: Request, _: Reader, store: Store, parameters: ReportQuery) -> dict[str, Any]:
    """
    Received and closed for each hour, day, week or month.
    """
    filters = _filter(parameters)
    try:
        report = await _report(request, filters, lambda now: store.volume(filters, now, parameters.interval))
    except TooManyBuckets as reason:
        raise _wrong("interval", str(reason)) from None
    return {**report, "interval": parameters.interval}


@router.get("/reports/departments", response_model=views.DepartmentsReport, tags=["reports"])
async def departments(request: Request, _: Reader, store: Store, parameters: ReportQuery) -> dict[str, Any]:
    """
    A row for each department, by the work it holds or closed: requests and sub-requests.
    """
    filters = replace(_filter(parameters), parts=True)
    return await _report(request, filters, lambda now: store.grouped(filters, now, "department"))


@router.get("/reports/channels", response_model=views.ChannelsReport, tags=["reports"])
async def channels(request: Request, _: Reader, store: Store, parameters: ReportQuery) -> dict[str, Any]:
    """
    A row for each channel.
    """
    filters = _filter(parameters)
    return await _report(request, filters, lambda now: store.grouped(filters, now, "channel"))
