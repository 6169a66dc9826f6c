"""
Lists and single requests over HTTP, on a server that speaks MongoDB's protocol.
"""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr

from services.common.contracts import events
from services.common.contracts.ids import grouped, random_request_id
from services.common.contracts.vocabulary import Channel
from services.common.kit.auth import Caller
from services.common.kit.clock import FrozenClock
from services.common.kit.mongo import connect
from services.common.kit.settings import MongoSettings
from services.reporting.api import create_app
from services.reporting.repository import Repository
from services.reporting.settings import ApiSettings
from tests.unit.reporting.lives import START, Life, random_lives

pytestmark = pytest.mark.integration

NOW = START + timedelta(days=40)


class Keys:
    """
    A key is its scopes.
    """

    async def caller(self, key: str) -> Caller | None:
        return Caller(key, frozenset(key.split(",")), frozenset())


@pytest.fixture
async def repository(mongo_uri: str, database: str) -> AsyncIterator[Repository]:
    client = connect(MongoSettings(uri=mongo_uri))
    repository = Repository(client, database)
    await repository.prepare()
    yield repository
    await client.drop_database(database)
    client.close()


@pytest.fixture
async def client(mongo_uri: str, database: str) -> AsyncIterator[httpx.AsyncClient]:
    settings = ApiSettings(
        cursor_secret=SecretStr("0123456789abcdef"), mongo=MongoSettings(uri=mongo_uri), database=database
    )
    app = create_app(settings, callers=Keys(), clock=FrozenClock(NOW))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        client.headers["X-API-Key"] = "reports:read"
        yield client


async def test_the_pages_show_every_request_once_newest_first(
    repository: Repository, client: httpx.AsyncClient
) -> None:
    at_once = [Life(n, at=START).receive().register() for n in range(7)]
    others = [Life(n, at=START + timedelta(hours=n)).receive().register() for n in range(7, 20)]
    await repository.project([event for life in at_once + others for event in life.events])

    seen: list[dict[str, str]] = []
    query: dict[str, str] = {"limit": "3"}
    while True:
        page = (await client.get("/v1/requests", params=query)).raise_for_status().json()
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]

    assert sorted(row["request_id"] for row in seen) == sorted(life.request_id for life in at_once + others)
    keys = [(row["received_at"], row["request_id"]) for row in seen]
    assert keys == sorted(keys, reverse=True)


@pytest.mark.parametrize(
    "query",
    [
        {"status": "resolved"},
        {"status": "open"},
        {"channel": "web,phone"},
        {"department": "zabita"},
        {"from": "2026-11-05", "to": "2026-11-08"},
        {"q": "çukur", "kind": "complaint,request"},
        {"neighbourhood": "Çiftlik"},
    ],
    ids=str,
)
async def test_the_filter_of_a_report_lists_what_it_counted(
    repository: Repository, client: httpx.AsyncClient, query: dict[str, str]
) -> None:
    await repository.project([event for life in random_lives(5, 120) for event in life.events])

    report = (await client.get("/v1/reports/summary", params=query)).raise_for_status().json()
    listed = (await client.get("/v1/requests", params={**report["filter"], "limit": "200"})).raise_for_status().json()

    assert 0 < report["rows"][0]["received"] == len(listed["items"]) < 120


async def test_the_citizens_words_need_their_own_scope(repository: Repository, client: httpx.AsyncClient) -> None:
    life = Life().receive("kapımın önü çukur", Channel.PHONE).register().assign().close()
    life.tell("received", events.NotificationSuppressed, reason="no_contact")
    await repository.project(life.events)
    path = f"/v1/requests/{grouped(life.request_id).lower()}"

    plain = (await client.get(path)).raise_for_status()
    full = (await client.get(path, headers={"X-API-Key": "reports:read,texts:read"})).raise_for_status()

    assert "kapımın" not in plain.text
    assert full.json()["text"] == "kapımın önü çukur"
    shown = plain.json()
    assert shown["request_id"] == life.request_id
    assert shown["status_label"] == {"tr": "Çözüldü", "en": "Resolved"}
    assert [step["seq"] for step in shown["history"]] == [1, 2, 3]
    assert shown["told"][0]["outcome"] == "suppressed"
    assert "contact:none" not in full.text


async def test_a_request_that_is_not_registered_is_not_there(repository: Repository, client: httpx.AsyncClient) -> None:
    life = Life().receive()
    await repository.project(life.events)

    assert (await client.get(f"/v1/requests/{life.request_id}")).status_code == 404
    assert (await client.get(f"/v1/requests/{random_request_id()}")).status_code == 404
    assert (await client.get("/v1/requests")).json()["items"] == []


async def test_every_report_says_of_which_moment_it_is(repository: Repository, client: httpx.AsyncClient) -> None:
    for name in ("summary", "volume", "departments", "channels"):
        report = (await client.get(f"/v1/reports/{name}")).raise_for_status().json()
        assert report["as_of"] is None

    await repository.beat(NOW, NOW - timedelta(seconds=3), 0)

    for name in ("summary", "volume", "departments", "channels"):
        report = (await client.get(f"/v1/reports/{name}?interval=week")).raise_for_status().json()
        assert report["lag_seconds"] == 3
