"""
``GET /v1/reports/calls``: the figures of telephone calls.
"""

import asyncio
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.common.kit.auth import Caller
from services.common.kit.guard import DOCUMENTED, scoped
from services.common.kit.http import Problem, problems
from services.reporting.asked import wrong
from services.reporting.calls import report
from services.reporting.calls.life import Call
from services.reporting.calls.repository import Calls
from services.reporting.figures.definitions import definitions
from services.reporting.projections import ISTANBUL
from services.reporting.queries import Interval, TooManyBuckets, buckets, midnight
from services.reporting.views import Answer, Day

DAYS: Final = 30
Reader = Annotated[Caller, Depends(scoped("reports:read"))]
router = APIRouter(
    prefix="/v1/reports", responses=problems(401, 403, 422, 503), dependencies=DOCUMENTED, tags=["reports"]
)


class CallParameters(BaseModel):
    """
    Which calls are meant: those that began on local days (Europe/Istanbul), both in; the last 30 days if absent.
    """

    model_config = ConfigDict(extra="forbid")
    first_day: Day | None = Field(default=None, alias="from", description="local day, in; 29 days before to if absent")
    last_day: Day | None = Field(default=None, alias="to", description="local day, in; today if absent")
    interval: Interval = Field(default=Interval.DAY, description="the width of a bucket")


def _figure(name: str) -> Any:
    return Field(description=definitions()[name].en.text)


class CallFigures(Answer):
    """
    Of some calls together.
    """

    started: int = _figure("calls_started")
    answered: int = _figure("calls_answered")
    missed: int = _figure("calls_missed")
    answered_share: float | None = _figure("answered_share")
    median_seconds_to_answer: float | None = _figure("median_seconds_to_answer")
    median_seconds_talked: float | None = _figure("median_seconds_talked")
    median_seconds_until_missed: float | None = _figure("median_seconds_until_missed")


class CallBucket(CallFigures):
    """
    Of a bucket, named by its first day or its hour.
    """

    bucket: str


class CallQueue(CallFigures):
    """
    Of a queue of the exchange; null: of none.
    """

    queue: str | None


class CallHour(CallFigures):
    """
    Of an hour of the day, 0 to 23, of all days together.
    """

    hour: int


class CallsReport(Answer):
    """
    ``rows``: the buckets in order, empty ones too; ``total``: all of them together.
    """

    as_of: datetime | None = _figure("as_of")
    lag_seconds: float | None = _figure("lag_seconds")
    filter: dict[str, str]
    interval: Interval
    total: CallFigures
    rows: list[CallBucket]
    queues: list[CallQueue]
    hours: list[CallHour]


@router.get("/calls", response_model=CallsReport)
async def calls(request: Request, caller: Reader, asked: Annotated[CallParameters, Query()]) -> dict[str, Any]:
    """
    Telephone calls to the centre: how many were answered, how long callers waited and talked, and when they gave up.
    Calls belong to no department: whoever sees one department's figures alone does not see them.
    """
    if caller.limited_to is not None:
        raise Problem(403, "Calls belong to no department: your roles do not show them.")
    now: datetime = request.app.state.clock()
    last = asked.last_day or now.astimezone(ISTANBUL).date()
    first = asked.first_day or last - timedelta(days=DAYS - 1)
    if first > last:
        raise wrong(("to", "lies before from"))
    try:
        buckets(first, last, asked.interval)
    except TooManyBuckets as reason:
        raise wrong(("interval", str(reason))) from None
    store: Calls = request.app.state.calls
    as_of: datetime | None = await request.app.state.repository.as_of()
    found = await store.between(midnight(first), midnight(last + timedelta(days=1)))
    made = await asyncio.to_thread(_made, found, first, last, asked.interval)
    return {
        "as_of": as_of,
        "lag_seconds": max(0.0, (now - as_of).total_seconds()) if as_of else None,
        "filter": {"from": first.isoformat(), "to": last.isoformat()},
        "interval": asked.interval,
        **made,
    }


def _made(found: list[Call], first: date, last: date, interval: Interval) -> dict[str, Any]:
    return {
        "total": report.figures(found),
        "rows": report.in_buckets(found, first, last, interval),
        "queues": report.by_queue(found),
        "hours": report.by_hour(found),
    }
