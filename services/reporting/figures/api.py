"""
The reports: figures of the sheets in memory, by the filter of lists.

An answer has a weak ETag: it stays the same while no request changes, the same is asked by who sees the same, and the
minute goes on; what is overdue changes by itself. So long its rows are kept, for all who look at the same.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final, Generic, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response

from services.common.kit.auth import Caller
from services.common.kit.guard import DOCUMENTED, scoped
from services.common.kit.http import problems
from services.reporting.asked import filter_of, wrong
from services.reporting.figures import reports, series, service_levels, views
from services.reporting.figures.snapshot import Figures
from services.reporting.figures.spans import previous
from services.reporting.figures.spread import EDGES
from services.reporting.projections import ISTANBUL
from services.reporting.queries import Filter, TooManyBuckets
from services.reporting.tags import has, tag_of

Reader = Annotated[Caller, Depends(scoped("reports:read"))]
ReportQuery = Annotated[views.ReportParameters, Query()]
VolumeQuery = Annotated[views.VolumeParameters, Query()]
SatisfactionQuery = Annotated[views.SatisfactionParameters, Query()]
T = TypeVar("T")
Ask = Callable[[Figures, Filter, datetime], dict[str, Any]]

_SAME: Final[dict[int | str, dict[str, Any]]] = {304: {"description": "the same as If-None-Match says"}}
_MOST_KEPT: Final = 50
router = APIRouter(
    prefix="/v1/reports", responses={**problems(401, 403, 422, 503), **_SAME}, dependencies=DOCUMENTED, tags=["reports"]
)


@router.get("/summary", response_model=views.SummaryReport)
async def summary(request: Request, response: Response, caller: Reader, asked: ReportQuery) -> Any:
    """
    One row for everything, or for what was received from ``from`` to ``to``.
    """

    def ask(figures: Figures, filters: Filter, now: datetime) -> dict[str, Any]:
        return {"rows": [reports.summary(figures.frame, filters, now)]}

    return await _report(request, response, caller, asked, ask)


@router.get("/volume", response_model=views.VolumeReport)
async def volume(request: Request, response: Response, caller: Reader, asked: VolumeQuery) -> Any:
    """
    Received and closed for each hour, day, week or month.
    """

    def ask(figures: Figures, filters: Filter, now: datetime) -> dict[str, Any]:
        rows = series.volume(figures.frame, filters, now, asked.interval, asked.by)
        return {"rows": rows, "interval": asked.interval, "by": asked.by}

    return await _report(request, response, caller, asked, ask)


@router.get("/channels", response_model=views.ChannelsReport)
async def channels(request: Request, response: Response, caller: Reader, asked: ReportQuery) -> Any:
    """
    A row for each channel.
    """
    return await _report(request, response, caller, asked, _grouped("channel"))


@router.get("/departments", response_model=views.DepartmentsReport)
async def departments(request: Request, response: Response, caller: Reader, asked: ReportQuery) -> Any:
    """
    A row for each department, by the work it holds or closed: requests and sub-requests.
    """
    return await _report(request, response, caller, asked, _grouped("department"), work=True)


@router.get("/services", response_model=views.ServicesReport)
async def services(request: Request, response: Response, caller: Reader, asked: ReportQuery) -> Any:
    """
    A row for each service.
    """
    return await _report(request, response, caller, asked, _grouped("service"))


@router.get("/neighbourhoods", response_model=views.NeighbourhoodsReport)
async def neighbourhoods(request: Request, response: Response, caller: Reader, asked: ReportQuery) -> Any:
    """
    A row for each neighbourhood, and where it lies.
    """
    return await _report(request, response, caller, asked, _placed)


@router.get("/sla", response_model=views.SlaReport)
async def sla(request: Request, response: Response, caller: Reader, asked: ReportQuery) -> Any:
    """
    What was promised and kept, by department and priority, in requests and sub-requests.
    """

    def ask(figures: Figures, filters: Filter, now: datetime) -> dict[str, Any]:
        return {"rows": service_levels.sla(figures.frame, filters, now), "edges": EDGES}

    return await _report(request, response, caller, asked, ask, work=True)


@router.get("/backlog", response_model=views.BacklogReport)
async def backlog(request: Request, response: Response, caller: Reader, asked: ReportQuery) -> Any:
    """
    What is open now by its age, and how much was open at the end of each bucket from ``from`` to ``to`` (else of the
    last 90 days), in requests and sub-requests.
    """

    def ask(figures: Figures, filters: Filter, now: datetime) -> dict[str, Any]:
        points = series.backlog_series(figures.frame, filters, now, asked.interval)
        return {"rows": series.backlog(figures.frame, filters, now), "series": points, "interval": asked.interval}

    return await _report(request, response, caller, asked, ask, work=True)


@router.get("/satisfaction", response_model=views.SatisfactionReport)
async def satisfaction(request: Request, response: Response, caller: Reader, asked: SatisfactionQuery) -> Any:
    """
    How those who rated are satisfied.
    """

    def ask(figures: Figures, filters: Filter, now: datetime) -> dict[str, Any]:
        return {"rows": service_levels.satisfaction(figures.frame, filters, now, asked.by), "by": asked.by}

    return await _report(request, response, caller, asked, ask)


@router.get("/heatmap", response_model=views.HeatmapReport)
async def heatmap(request: Request, response: Response, caller: Reader, asked: ReportQuery) -> Any:
    """
    When requests come in: by weekday and hour, and by day.
    """

    def ask(figures: Figures, filters: Filter, now: datetime) -> dict[str, Any]:
        rows, days = series.heatmap(figures.frame, filters, now)
        return {"rows": rows, "days": days}

    return await _report(request, response, caller, asked, ask)


class _Kept(Generic[T]):
    """
    What was worked out lately, by its ETag: once, however many ask at the same time.
    """

    def __init__(self) -> None:
        self._tasks: OrderedDict[str, asyncio.Task[T]] = OrderedDict()

    async def of(self, tag: str, work: Callable[[], T]) -> T:
        """
        What ``work`` gave or gives in a thread. Raises what it raises.
        """
        task = self._tasks.get(tag)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = self._tasks[tag] = asyncio.create_task(asyncio.to_thread(work))
        self._tasks.move_to_end(tag)
        while len(self._tasks) > _MOST_KEPT:
            self._tasks.popitem(last=False)
        return await asyncio.shield(task)


def _grouped(by: reports.By) -> Ask:
    return lambda figures, filters, now: {"rows": reports.grouped(figures.frame, filters, now, by)}


def _placed(figures: Figures, filters: Filter, now: datetime) -> dict[str, Any]:
    rows = reports.grouped(figures.frame, filters, now, "neighbourhood")
    points = (figures.points.get(row["neighbourhood"], (None, None)) for row in rows)
    return {"rows": [{**row, "lat": lat, "lon": lon} for row, (lat, lon) in zip(rows, points, strict=True)]}


async def _report(
    request: Request, response: Response, caller: Caller, asked: views.ReportParameters, ask: Ask, *, work: bool = False
) -> dict[str, Any] | Response:
    """
    The frame of a report. ``work``: it counts parts too.
    """
    filters, now = await filter_of(request, asked, caller), request.app.state.clock()
    if work:
        filters = replace(filters, parts=True)
    earlier = _earlier(filters, now) if asked.compare else None
    figures: Figures = await request.app.state.figures.current()
    tag = tag_of(figures.version, request.url.path, request.url.query, filters.within, f"{now:%Y%m%d%H%M}")
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if has(request, tag):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)

    def answer() -> tuple[dict[str, Any], list[dict[str, Any]] | None]:
        return ask(figures, filters, now), ask(figures, earlier, now)["rows"] if earlier else None

    try:
        found, rows = await _kept(request).of(headers["ETag"], answer)
    except TooManyBuckets as reason:
        raise wrong(("interval", str(reason))) from None
    return {
        "as_of": figures.as_of,
        "lag_seconds": max(0.0, (now - figures.as_of).total_seconds()) if figures.as_of else None,
        "filter": filters.as_query(),
        **found,
        "previous": {"from": earlier.first_day, "to": earlier.last_day, "rows": rows} if earlier else None,
    }


def _kept(request: Request) -> _Kept[Any]:
    state = request.app.state
    if not hasattr(state, "reports_kept"):
        state.reports_kept = _Kept[Any]()
    kept: _Kept[Any] = state.reports_kept
    return kept


def _earlier(filters: Filter, now: datetime) -> Filter:
    """
    The same filter for the period before. Raises ``Problem``.
    """
    found = previous(filters, now)
    if found is None:
        raise wrong(("from", "is needed to compare with the period before"))
    if filters.first_day and filters.first_day > (filters.last_day or now.astimezone(ISTANBUL).date()):
        raise wrong(("from", "lies after today"))
    return found
