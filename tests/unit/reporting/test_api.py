"""
Who may ask what: everything that is decided before the database is asked.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from pymongo.errors import OperationFailure

from services.common.kit.auth import Caller, KeysUnavailable
from services.common.kit.mongo import Client
from services.common.kit.settings import MongoSettings
from services.reporting.api import create_app
from services.reporting.figures.snapshot import Figures
from services.reporting.repository import Repository
from services.reporting.settings import ApiSettings
from tests.unit.reporting.facts import frame

SECRET = SecretStr("0123456789abcdef")
NOWHERE = MongoSettings(uri="mongodb://127.0.0.1:1/?directConnection=true&serverSelectionTimeoutMS=50")


class Keys:
    """
    Knows three keys; ``away`` is what intake's absence looks like.
    """

    async def caller(self, key: str) -> Caller | None:
        if key == "away":
            raise KeysUnavailable
        scopes = {"reader": {"reports:read"}, "writer": {"requests:write"}, "all": {"*"}, "crew": {"visits:read"}}
        departments = frozenset({"zabita"}) if key == "crew" else frozenset[str]()
        return Caller(key, frozenset(scopes[key]), departments) if key in scopes else None


class Nothing:
    """
    The figures of a city in which nobody ever asked for anything.
    """

    async def current(self) -> Figures:
        return Figures(frame(), "0", None)


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app(ApiSettings(cursor_secret=SECRET, token_secret=SECRET, mongo=NOWHERE), callers=Keys())


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        app.state.figures = Nothing()
        client.headers["X-API-Key"] = "reader"
        yield client


REPORTS = (
    "summary", "volume", "channels", "departments", "services", "neighbourhoods", "sla", "backlog", "satisfaction",
    "heatmap",
)  # fmt: skip
PATHS = (
    "/v1/requests/7XK29MQ4T3BDM",
    "/v1/requests",
    *(f"/v1/reports/{name}" for name in REPORTS),
)
VISITS = "/v1/visits?department=zabita"
SIMILAR = "/v1/similar?service=yol-cukur&neighbourhood=Kale"


@pytest.mark.parametrize("path", [*PATHS, VISITS, SIMILAR])
@pytest.mark.parametrize(("key", "status"), [("", 401), ("unknown", 401), ("writer", 403), ("away", 503)])
async def test_only_a_known_key_with_the_scope_reads(
    client: httpx.AsyncClient, path: str, key: str, status: int
) -> None:
    answer = await client.get(path, headers={"X-API-Key": key})

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        (path, query, field)
        for path in PATHS[1:]
        for query, field in {
            "colour=red": "colour",
            "department=zabita,nowhere": "department",
            "status=lost": "status",
            "channel=pigeon": "channel",
            "service=nothing": "service",
            "kind=x": "kind",
            "from=2026-13-01": "from",
            "from=0": "from",
            "team=Vefa": "team",
            "crisis=a%00b": "crisis",
            "overdue=perhaps": "overdue",
            "paused=2": "paused",
            "escalated=": "escalated",
            "legal_due_before=1.12.2026": "legal_due_before",
            "to=2026-11-24T10:00:00": "to",
            "from=2026-11-02&to=2026-11-01": "to",
            "q=%00": "q",
            "neighbourhood=" + "x" * 101: "neighbourhood",
        }.items()
    ]
    + [
        ("/v1/requests", "limit=0", "limit"),
        ("/v1/requests", "limit=201", "limit"),
        ("/v1/requests", "interval=day", "interval"),
        ("/v1/requests", "cursor=abc", "cursor"),
        ("/v1/requests", "cursor=1.2.%F0%9F", "cursor"),
        ("/v1/requests/7XK2", "", "request_id"),
        ("/v1/requests/7XK29MQ4T3BDM.0", "", "request_id"),
        ("/v1/requests", "parent=7XK2", "parent"),
        ("/v1/requests", "parts=some", "parts"),
        ("/v1/reports/summary", "parts=true", "parts"),
        ("/v1/reports/volume", "interval=year", "interval"),
        ("/v1/reports/summary", "cursor=abc", "cursor"),
    ],
)
async def test_what_cannot_be_meant_is_refused_by_name(
    client: httpx.AsyncClient, path: str, query: str, field: str
) -> None:
    answer = await client.get(f"{path}?{query}")

    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"].split(".")[0] == field


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "team"),
        ("team=Vefa%202", "team"),
        ("department=nowhere", "department"),
        ("department=zabita&day=25.11.2026", "day"),
        ("department=zabita&format=xlsx", "format"),
        ("department=zabita&colour=red", "colour"),
    ],
)
async def test_a_visit_list_that_cannot_be_meant_is_refused_by_name(
    client: httpx.AsyncClient, query: str, field: str
) -> None:
    answer = await client.get(f"/v1/visits?{query}", headers={"X-API-Key": "crew"})

    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize(("key", "department"), [("reader", "zabita"), ("crew", "fen-isleri")])
async def test_a_visit_list_needs_its_scope_and_its_department(
    client: httpx.AsyncClient, key: str, department: str
) -> None:
    answer = await client.get(f"/v1/visits?department={department}", headers={"X-API-Key": key})

    assert answer.status_code == 403


async def test_a_database_that_is_away_is_a_503_and_not_ready(client: httpx.AsyncClient) -> None:
    paths = ("/v1/requests", "/readyz", "/healthz")

    answers = await asyncio.gather(*map(client.get, paths))

    assert [answer.status_code for answer in answers] == [503, 503, 200]


async def test_a_list_that_is_read_while_a_rebuild_takes_over_is_a_503_that_says_when_to_come_again(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    class Replaced:
        def __getitem__(self, _: str) -> "Replaced":
            return self

        def aggregate(self, _: object) -> "Replaced":
            return self

        def __aiter__(self) -> "Replaced":
            return self

        async def __anext__(self) -> object:
            raise OperationFailure("collection dropped", 175)

    app.state.repository = Repository(cast(Client, Replaced()), "x")

    answer = await client.get("/v1/requests")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


async def test_the_description_names_every_error(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]

    for path, methods in paths.items():
        if path.startswith(("/v1/public/", "/v1/open/")):
            assert {"422", "503"} <= methods["get"]["responses"].keys(), path
        elif path.startswith("/v1/"):
            assert {"401", "403", "422", "503"} <= methods["get"]["responses"].keys(), path
    assert "404" in paths["/v1/requests/{request_id}"]["get"]["responses"]


async def test_what_is_similar_shows_texts_and_needs_their_scope(client: httpx.AsyncClient) -> None:
    assert (await client.get(SIMILAR)).status_code == 403
    assert (await client.get(SIMILAR, headers={"X-API-Key": "all"})).status_code == 503  # the database is away


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("neighbourhood=Kale", "service"),
        ("service=yol-cukur", "neighbourhood"),
        ("service=yok&neighbourhood=Kale", "service"),
        ("service=yol-cukur&neighbourhood=%20", "neighbourhood"),
        ("service=yol-cukur&neighbourhood=Kale&text=x", "text"),
    ],
)
async def test_what_is_similar_is_asked_for_by_service_and_place(
    client: httpx.AsyncClient, query: str, field: str
) -> None:
    answer = await client.get(f"/v1/similar?{query}", headers={"X-API-Key": "all"})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
