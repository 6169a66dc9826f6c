"""
The reports over HTTP: what is said beside the rows, and who sees which.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import polars as pl
import pytest
from pydantic import SecretStr
from pymongo.errors import AutoReconnect

from services.common.kit.auth import Caller
from services.common.kit.settings import MongoSettings
from services.reporting.api import create_app
from services.reporting.figures import reports
from services.reporting.figures.definitions import definitions
from services.reporting.figures.reports import summary
from services.reporting.figures.snapshot import Figures
from services.reporting.queries import Filter
from services.reporting.settings import ApiSettings
from tests.unit.reporting.facts import fact, frame

SECRET = SecretStr("0123456789abcdef")
NOWHERE = MongoSettings(uri="mongodb://127.0.0.1:1/?directConnection=true&serverSelectionTimeoutMS=50")
REPORTS = (
    "summary", "volume", "channels", "departments", "services", "neighbourhoods", "sla", "backlog", "satisfaction",
    "heatmap",
)  # fmt: skip


class Keys:
    """
    ``all`` reads everything, ``zabita`` what its department holds.
    """

    async def caller(self, key: str) -> Caller | None:
        limit = frozenset({"zabita"}) if key == "zabita" else None
        return Caller(key, frozenset({"reports:read"}), frozenset(), limited_to=limit)


@dataclass
class Room:
    """
    The figures and the time, as a test sets them.
    """

    frame: pl.DataFrame
    now: datetime = datetime(2026, 3, 9, 5, 17, 30, tzinfo=UTC)
    version: str = "1"
    away: bool = False

    async def current(self) -> Figures:
        """
        As ``Snapshot`` gives them.
        """
        if self.away:
            raise AutoReconnect
        return Figures(self.frame, self.version, self.now - timedelta(seconds=2))


@pytest.fixture
def room() -> Room:
    return Room(
        frame(
            fact(),
            fact(department="fen-isleri", channel="web", rating=4, closed_at=datetime(2026, 3, 3, 10, tzinfo=UTC)),
            fact(department="boston-public-works", service="pothole"),
        )
    )


@pytest.fixture
async def client(room: Room) -> AsyncIterator[httpx.AsyncClient]:
    settings = ApiSettings(cursor_secret=SECRET, token_secret=SECRET, mongo=NOWHERE)
    app = create_app(settings, callers=Keys(), clock=lambda: room.now)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        app.state.figures = room
        client.headers["X-API-Key"] = "all"
        yield client


async def read(client: httpx.AsyncClient, path: str, **headers: str) -> dict[str, Any]:
    answer = await client.get(f"/v1/reports/{path}", headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("name", REPORTS)
async def test_every_report_says_how_far_it_is_and_what_was_asked(client: httpx.AsyncClient, name: str) -> None:
    found = await read(client, f"{name}?channel=phone&from=2026-03-01")

    assert found["as_of"] == "2026-03-09T05:17:28Z"
    assert found["lag_seconds"] == 2
    assert found["filter"].items() >= {"channel": "phone", "from": "2026-03-01"}.items()
    assert found["previous"] is None
    assert found["rows"]


@pytest.mark.parametrize("name", REPORTS)
async def test_a_city_in_which_nothing_happened_yet_has_reports(
    client: httpx.AsyncClient, room: Room, name: str
) -> None:
    room.frame = frame()

    found = await read(client, f"{name}?from=2026-03-01&to=2026-03-02&compare=previous")

    assert not any(row.get("received") or row.get("ratings") for row in found["rows"])
    assert len(found["previous"]["rows"]) == len(found["rows"])


@pytest.mark.parametrize("name", REPORTS)
async def test_the_same_is_not_sent_twice_until_something_changes_or_a_minute_goes_by(
    client: httpx.AsyncClient, room: Room, name: str
) -> None:
    path = f"/v1/reports/{name}?from=2026-03-01"
    tag = (await client.get(path)).headers["ETag"]
    held = {"If-None-Match": f'"other", {tag}'}

    same = await client.get(path, headers=held)
    asked_otherwise = await client.get(f"{path}&channel=web", headers=held)
    asked_by_another = await client.get(path, headers={**held, "X-API-Key": "zabita"})
    room.version = "2"
    changed = await client.get(path, headers=held)
    room.version, room.now = "1", room.now + timedelta(minutes=1)
    later = await client.get(path, headers=held)

    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", tag)
    assert same.headers["Cache-Control"] == "private, no-cache"
    assert [answer.status_code for answer in (asked_otherwise, asked_by_another, changed, later)] == [200] * 4


async def test_what_many_ask_at_once_is_worked_out_once(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[datetime] = []

    def counted(frame: pl.DataFrame, filters: Filter, now: datetime) -> dict[str, Any]:
        asked.append(now)
        return summary(frame, filters, now)

    monkeypatch.setattr(reports, "summary", counted)

    answers = await asyncio.gather(*(read(client, "summary") for _ in range(5)))
    other = await read(client, "summary?channel=web")

    assert len(asked) == 2
    assert [answer["rows"][0]["received"] for answer in (*answers, other)] == [3, 3, 3, 3, 3, 1]


async def test_the_period_before_stands_beside_the_rows(client: httpx.AsyncClient) -> None:
    found = await read(client, "summary?from=2026-03-03&to=2026-03-04&compare=previous")

    assert found["rows"][0]["received"] == 0
    previous = found["previous"]
    assert (previous["from"], previous["to"], previous["rows"][0]["received"]) == ("2026-03-01", "2026-03-02", 3)


async def test_a_period_without_an_end_ends_today(client: httpx.AsyncClient) -> None:
    found = await read(client, "summary?from=2026-03-06&compare=previous")

    assert (found["previous"]["from"], found["previous"]["to"]) == ("2026-03-02", "2026-03-05")


@pytest.mark.parametrize("name", REPORTS)
async def test_a_department_sees_what_it_holds_and_nothing_else(
    client: httpx.AsyncClient, room: Room, name: str
) -> None:
    own = "&by=department" if name in ("volume", "satisfaction") else ""
    room.frame = frame(
        fact(rating=5, closed_at=datetime(2026, 3, 3, tzinfo=UTC)), *(fact(department="fen-isleri"),) * 3
    )

    limited = await read(client, f"{name}?from=2026-03-01&to=2026-03-09{own}", **{"X-API-Key": "zabita"})
    foreign = await read(
        client, f"{name}?department=fen-isleri&from=2026-03-01&to=2026-03-09", **{"X-API-Key": "zabita"}
    )
    room.frame = room.frame.filter(pl.col("department") == "zabita")
    alone = await read(client, f"{name}?from=2026-03-01&to=2026-03-09{own}")

    assert limited == alone
    assert not any(row.get("received") or row.get("open") or row.get("ratings") for row in foreign["rows"])


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("summary?compare=previous", "from"),
        ("summary?from=2026-03-10&compare=previous", "from"),
        ("summary?from=2026-03-10&to=2026-03-09", "to"),
        ("summary?compare=yesterday", "compare"),
        ("summary?by=channel", "by"),
        ("volume?by=service", "by"),
        ("satisfaction?by=kind", "by"),
        ("volume?interval=hour&from=2020-01-01", "interval"),
        ("backlog?from=2001-01-01", "interval"),
        ("summary?q=7XK2-9MQ4-T3BD-M", "q"),
        ("summary?q=7xk2", "q"),
        ("summary?q=7XK29MQ4T3BDM.1", "q"),
        ("summary?department=zabita,nowhere", "department"),
        ("summary?service=nothing", "service"),
    ],
)
async def test_what_cannot_be_meant_is_refused_by_name(client: httpx.AsyncClient, path: str, field: str) -> None:
    answer = await client.get(f"/v1/reports/{path}")

    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_what_another_city_calls_its_own_may_be_asked_for(client: httpx.AsyncClient) -> None:
    found = await read(client, "summary?department=boston-public-works&service=pothole")

    assert found["rows"][0]["received"] == 1


async def test_what_the_rows_call_a_neighbourhood_finds_what_they_count(client: httpx.AsyncClient, room: Room) -> None:
    names = ("Kale", "Jamaica Plain", "Allston / Brighton", "JAMAICA PLAIN")
    room.frame = frame(*(fact(neighbourhood=name) for n, name in enumerate(names, start=1) for _ in range(n)))
    rows = (await read(client, "neighbourhoods"))["rows"]

    found = {
        row["neighbourhood"]: await read(client, f"summary?neighbourhood={quote(row['neighbourhood'])}") for row in rows
    }

    assert {name: answer["rows"][0]["received"] for name, answer in found.items()} == {
        name: n for n, name in enumerate(names, start=1)
    }


async def test_a_service_is_searched_by_its_words(client: httpx.AsyncClient) -> None:
    assert (await read(client, "summary?q=GÜRÜLTÜ"))["rows"][0]["received"] == 2


async def test_a_database_that_is_away_is_a_503(client: httpx.AsyncClient, room: Room) -> None:
    room.away = True

    assert (await client.get("/v1/reports/summary")).status_code == 503


async def test_volume_and_satisfaction_are_told_apart_by_what_is_asked(client: httpx.AsyncClient) -> None:
    volume = await read(client, f"volume?by=channel&from={date(2026, 3, 2)}&to={date(2026, 3, 3)}")
    satisfaction = await read(client, "satisfaction?by=department")

    assert volume["rows"][0]["received_by"] == {"phone": 2, "web": 1}
    assert volume["rows"][1] == {"bucket": "2026-03-03", "received": 0, "closed": 1, "received_by": {}}
    assert [(row["group"], row["average"]) for row in satisfaction["rows"]] == [("fen-isleri", 4.0)]


async def test_what_is_described_in_openapi_is_the_definition(client: httpx.AsyncClient) -> None:
    schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]

    described = schemas["DepartmentRow"]["properties"]["on_time_share"]["description"]
    assert described == definitions()["on_time_share"].en.text
