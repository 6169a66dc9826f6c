"""
Calls on the database: steps in any order and again, by the projector, are the same calls; and the report over HTTP.
"""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.common.contracts.envelope import Received
from services.common.contracts.events import Call as CallEvent
from services.common.contracts.events import CallAnswered, CallEnded, CallMissed, CallStarted
from services.common.contracts.roles import Role
from services.common.contracts.topics import CALLS
from services.common.kit import http
from services.common.kit.clock import FrozenClock, system_clock
from services.common.kit.guard import People
from services.common.kit.health import Health
from services.common.kit.mongo import Client
from services.common.kit.worker import Delivery
from services.reporting.calls import api
from services.reporting.calls.life import Call
from services.reporting.calls.repository import Calls
from services.reporting.figures.sheets_repository import Sheets
from services.reporting.projector import Progress, projector
from services.reporting.queries import midnight
from services.reporting.repository import Repository
from tests.builders import meta_of
from tests.people import FakeTokens, SignedIn, signed_in

pytestmark = pytest.mark.integration
DAY = date(2026, 11, 2)
NOW = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)


def events(number: int) -> list[CallEvent]:
    """
    The life of a call: two of three are answered.
    """
    begun = datetime(2026, 11, 2, 6, 0, tzinfo=UTC) + timedelta(minutes=number)
    given: dict[str, Any] = {"call_id": f"l_{number:032x}", "exchange": "main", "queue": "masa"}
    started = CallStarted(occurred_at=begun, **given)
    if number % 3 == 0:
        missed = CallMissed(occurred_at=begun + timedelta(seconds=30), cause="abandoned", seconds=30, **given)
        return [started, missed]
    answered = CallAnswered(occurred_at=begun + timedelta(seconds=8), extension="101", **given)
    return [started, answered, CallEnded(occurred_at=begun + timedelta(seconds=98), seconds=90, **given)]


def delivered(found: Sequence[CallEvent]) -> list[Delivery]:
    """
    The events as the projector gets them.
    """
    return [
        Delivery(CALLS.name, 0, offset, b"", b"", (), received=Received(CALLS.name, meta_of(one), one))
        for offset, one in enumerate(found)
    ]


async def projected(client: Client, database: str, batches: Sequence[Sequence[CallEvent]]) -> list[Call]:
    calls = Calls(client, database)
    await calls.prepare()
    progress = Progress(system_clock, Health(), None)
    handle = projector(Repository(client, database), Sheets(client, database), progress, calls)
    for batch in batches:
        await handle(delivered(batch))
    return await calls.between(midnight(DAY), midnight(DAY + timedelta(days=1)))


def in_order(found: list[Call]) -> list[Call]:
    return sorted(found, key=lambda call: call.at)


async def test_any_order_and_repetition_gives_the_same_calls(client: Client, database: str) -> None:
    steps = [one for number in range(12) for one in events(number)]
    once = in_order(await projected(client, f"{database}_a", [steps]))
    chance = random.Random(8)
    again = [*steps, *chance.choices(steps, k=20)]
    chance.shuffle(again)
    found = in_order(await projected(client, database, [again[n : n + 7] for n in range(0, len(again), 7)]))
    await client.drop_database(f"{database}_a")
    assert len(found) == 12
    assert found == once


def app_of(client: Client, database: str) -> FastAPI:
    app = FastAPI()
    app.include_router(api.router)
    app.state.clock = FrozenClock(NOW)
    app.state.calls, app.state.repository = Calls(client, database), Repository(client, database)
    app.state.settings = SimpleNamespace()
    url = "http://test"
    app.state.people = People(None, FakeTokens(), public_url=url, reporting_public_url=url)  # type: ignore[arg-type]

    async def ready() -> dict[str, object]:
        return {"ready": True}

    http.install(app, ready=ready)
    return app


async def asked(app: FastAPI, query: str, who: SignedIn | None = None) -> httpx.Response:
    headers = (who or signed_in(Role.MANAGER)).headers
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers) as one:
        return await one.get(f"/v1/reports/calls{query}")


async def test_the_report_counts_the_calls_of_the_days_asked(client: Client, database: str) -> None:
    await projected(client, database, [[one for number in range(12) for one in events(number)]])
    await Repository(client, database).beat(NOW, NOW - timedelta(seconds=2), 0)
    app = app_of(client, database)
    found = (await asked(app, f"?from={DAY}&to={DAY}&interval=hour")).json()
    assert found["total"] == {
        "started": 12, "answered": 8, "missed": 4, "answered_share": pytest.approx(2 / 3),
        "median_seconds_to_answer": 8.0, "median_seconds_talked": 90.0, "median_seconds_until_missed": 30.0,
    }  # fmt: skip
    assert [row["bucket"] for row in found["rows"] if row["started"]] == ["2026-11-02T09"]
    assert (len(found["rows"]), len(found["hours"]), found["queues"][0]["queue"]) == (24, 24, "masa")
    assert (found["lag_seconds"], found["filter"]) == (2.0, {"from": "2026-11-02", "to": "2026-11-02"})
    assert (await asked(app, "?from=2026-11-03")).json()["total"]["started"] == 0


async def test_a_department_does_not_see_calls_and_a_wrong_question_is_told(client: Client, database: str) -> None:
    app = app_of(client, database)
    department = signed_in(Role.DEPARTMENT, departments=("zabita",))
    assert (await asked(app, "", department)).status_code == 403
    backwards = await asked(app, "?from=2026-11-03&to=2026-11-02")
    assert (backwards.status_code, backwards.json()["errors"][0]["field"]) == (422, "to")
    narrow = await asked(app, "?from=2000-01-01&interval=hour")
    assert (narrow.status_code, narrow.json()["errors"][0]["field"]) == (422, "interval")
