"""
Public requests as the database finds them: filters, order, pages, steps.
"""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr

from services.common.contracts import events
from services.common.contracts.vocabulary import Channel, Kind, Status
from services.common.kit.mongo import connect
from services.common.kit.settings import MongoSettings
from services.reporting.api import create_app
from services.reporting.repository import Repository
from services.reporting.settings import ApiSettings
from tests.unit.reporting.lives import START, Life, deliver

pytestmark = pytest.mark.integration
HERE = (41.2867, 36.33)


def lives() -> list[Life]:
    """
    Eight requests, a minute apart: the last two are not public. 0 is closed, 4 stands 150 m east of the others.
    """
    found = []
    for number in range(8):
        life = Life(
            number, at=START + timedelta(minutes=number), service="gurultu" if number > 5 else "yol-cukur"
        ).receive(
            f"metin {number}",
            Channel.OPEN311,
            Kind.SUGGESTION if number == 2 else None,
            "Kadıköy" if number == 3 else "Çiftlik",
            point=(HERE[0], HERE[1] + (0.0018 if number == 4 else 0)),
        )
        found.append(life.register().assign())
    found[0].close(timedelta(days=3))
    return found


@pytest.fixture
async def http(mongo_uri: str, database: str) -> AsyncIterator[httpx.AsyncClient]:
    mongo = MongoSettings(uri=mongo_uri)
    client = connect(mongo)
    repository = Repository(client, database)
    await repository.prepare()
    received = [event for life in lives() for event in life.events]
    await repository.keep([deliver(event) for event in received])
    await repository.project(received)
    secret = SecretStr("0123456789abcdef")
    app = create_app(ApiSettings(cursor_secret=secret, token_secret=secret, mongo=mongo, database=database))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http,
    ):
        yield http
    await client.drop_database(database)
    client.close()


async def numbers(http: httpx.AsyncClient, **query: object) -> list[int]:
    answer = await http.get("/v1/public/requests", params={name: str(value) for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    found = [int(item["text"].split()[1]) for item in answer.json()["items"]]
    if "page" not in query:
        assert answer.json()["total"] == len(found)
    return found


async def test_public_requests_alone_are_listed_the_newest_first(http: httpx.AsyncClient) -> None:
    assert await numbers(http) == [5, 4, 3, 2, 1, 0]


async def test_pages_together_are_the_list_and_each_says_how_many_there_are(http: httpx.AsyncClient) -> None:
    pages = [await numbers(http, page=page, page_size=4) for page in (1, 2, 3)]
    assert pages == [[5, 4, 3, 2], [1, 0], []]
    counted = (await http.get("/v1/public/requests?page_size=0&page=1")).json()
    assert counted == {"total": 6, "items": []}


async def test_every_filter_narrows(http: httpx.AsyncClient) -> None:
    at = [(START + timedelta(minutes=number)).isoformat() for number in range(8)]
    chosen = ",".join(life.request_id for life in lives()[2:7:4] + lives()[3:4])
    assert await numbers(http, ids=chosen) == [3, 2]
    assert await numbers(http, status="resolved,rejected") == [0]
    assert await numbers(http, kind="suggestion") == [2]
    assert await numbers(http, neighbourhood="Kadıköy") == [3]
    assert await numbers(http, service="gurultu") == []
    assert await numbers(http, service="gurultu,yol-cukur", received_from=at[4]) == [5, 4]
    assert await numbers(http, received_from=at[1], received_to=at[2]) == [2, 1]
    assert await numbers(http, changed_from=(START + timedelta(days=1)).isoformat()) == [0]
    assert await numbers(http, changed_to=(START + timedelta(minutes=4)).isoformat()) == [2, 1]
    assert await numbers(http, with_photo="true") == []


async def test_a_circle_holds_what_lies_within_its_metres(http: httpx.AsyncClient) -> None:
    lat, lon = HERE
    assert await numbers(http, lat=lat, lon=lon, radius=100) == [5, 3, 2, 1, 0]
    assert await numbers(http, lat=lat, lon=lon, radius=200) == [5, 4, 3, 2, 1, 0]
    assert await numbers(http, lat=lat, lon=lon + 0.0018, radius=1) == [4]
    assert await numbers(http, lat=-lat, lon=lon, radius=1_000_000) == []


async def test_one_request_is_shown_unknown_or_hidden(http: httpx.AsyncClient) -> None:
    found = {life.number: life.request_id for life in lives()}
    shown = await http.get(f"/v1/public/requests/{found[1].lower()}")
    assert (shown.status_code, shown.json()["request_id"]) == (200, found[1])
    assert (await http.get(f"/v1/public/requests/{found[6]}")).status_code == 403
    assert (await http.get(f"/v1/public/requests/{Life(99).request_id}")).status_code == 404
    assert (await http.get("/v1/public/requests/7XK2")).status_code == 422


async def test_steps_of_public_requests_come_in_order_and_only_those_of_the_time_asked_for(
    http: httpx.AsyncClient,
) -> None:
    since, until = START.isoformat(), (START + timedelta(days=5)).isoformat()
    items = (await http.get("/v1/public/steps", params={"since": since, "until": until})).json()["items"]
    assert [item["at"] for item in items] == sorted(item["at"] for item in items)
    assert len(items) == 6 * 2 + 1
    assert items[-1]["status"] == Status.RESOLVED
    assert items[-1]["public_text"] == "yapıldı"
    late = {"since": (START + timedelta(days=1)).isoformat(), "until": until}
    assert len((await http.get("/v1/public/steps", params=late)).json()["items"]) == 1
    few = await http.get("/v1/public/steps", params={"since": since, "until": until, "limit": "3"})
    assert few.json()["items"] == items[:3]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("ids=123", "ids.0"),
        ("received_from=2026-01-01T00:00:00", "received_from"),
        ("lat=41&lon=36", ""),
        ("page_size=1001", "page_size"),
        ("radius=nan&lat=1&lon=1", "radius"),
        ("what=1", "what"),
    ],
)
async def test_what_cannot_be_asked_is_named(http: httpx.AsyncClient, query: str, field: str) -> None:
    answer = await http.get(f"/v1/public/requests?{query}")
    assert answer.status_code == 422
    assert field in {row["field"] for row in answer.json()["errors"]} or not field


async def test_a_reopened_request_is_open_for_the_public_again(http: httpx.AsyncClient) -> None:
    life = Life(50).receive("metin 50", Channel.OPEN311).register().assign().close().reopen()
    repository: Repository = http._transport.app.state.repository  # type: ignore[attr-defined]
    await repository.project(life.events)
    found = (await http.get(f"/v1/public/requests/{life.request_id}")).json()
    assert (found["status"], found["closed_at"]) == ("reopened", None)
    assert isinstance(life.events[-1].data, events.RequestReopened)


async def test_a_request_whose_body_is_not_here_yet_is_unknown_and_not_hidden(http: httpx.AsyncClient) -> None:
    body, *others = Life(51).receive("metin 51", Channel.OPEN311).register().assign().events
    repository: Repository = http._transport.app.state.repository  # type: ignore[attr-defined]
    answers, listed = [], []
    for event in (*others, body):
        await repository.project([event])
        answers.append((await http.get(f"/v1/public/requests/{Life(51).request_id}")).status_code)
        found = await http.get("/v1/public/requests", params={"ids": Life(51).request_id})
        listed.append(found.raise_for_status().json()["total"])
    assert answers == [404, 404, 200]
    assert listed == [0, 0, 1]
