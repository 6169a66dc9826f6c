"""
The HTTP side over ASGI: what becomes of a request, who may call, and how it says that it is well.
"""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.common.contracts.events import RequestReceived
from services.common.contracts.ids import random_request_id
from services.common.kit.auth import key_hash
from services.common.kit.clock import system_clock
from tests.unit.intake.intakes import NEW, World, assert_problem, published
from tests.waiting import until


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path).running() as running:
        yield running


async def test_a_request_is_answered_with_its_number_after_contact_and_request_are_kept(world: World) -> None:
    answer = await world.post(json=NEW | {"citizen": {"phone": "0532 111 22 33"}})
    assert answer.status_code == 202
    body = answer.json()
    assert body == {
        "request_id": body["request_id"],
        "status": "received",
        "tracking_url": f"https://ilkim.example/t/{body['request_id']}",
    }
    assert [record.topic for record in world.publisher.records] == ["contacts", "requests.received"]


async def test_the_same_key_and_body_give_the_same_answer_and_nothing_new(world: World) -> None:
    answers = [await world.post(headers={"Idempotency-Key": "k"}) for _ in range(3)]
    assert len({answer.text for answer in answers}) == 1
    assert len(world.publisher.records) == 1


async def test_the_same_key_with_another_body_is_a_conflict(world: World) -> None:
    await world.post(json=NEW | {"external_id": "e1"})
    assert_problem(await world.post(json=NEW | {"external_id": "e1", "text": "başka"}), 409)
    assert len(world.publisher.records) == 1


async def test_a_repeat_is_recognised_after_a_restart(tmp_path: Path) -> None:
    first = World(tmp_path)
    async with first.running():
        await first.post(json=NEW | {"external_id": "e1"})
    again = World(tmp_path)
    again.store = first.store
    async with again.running():
        assert (await again.post(json=NEW | {"external_id": "e1"})).status_code == 202
        assert_problem(await again.post(json=NEW | {"external_id": "e1", "text": "başka"}), 409)
        assert again.publisher.records == []


async def test_what_finds_neither_kafka_nor_room_is_a_503_and_nothing_is_remembered_of_it(tmp_path: Path) -> None:
    async with World(tmp_path, spool_bytes=100).running() as world:
        world.publisher.failing = True
        for _ in range(2):
            answer = await world.post(json=NEW | {"external_id": "e1"})
            assert_problem(answer, 503)
            assert int(answer.headers["Retry-After"]) > 0
        assert world.store.prints == {}
        assert (await world.http.get("/readyz")).status_code == 503
        world.publisher.failing = False
        await until(lambda: world.keeper.direct)
        assert (await world.post(json=NEW | {"external_id": "e1"})).status_code == 202
        assert len(world.publisher.records) == 1


async def test_while_kafka_is_away_all_is_taken_and_published_in_order_when_it_is_back(world: World) -> None:
    world.publisher.failing = True
    taken = [await world.post(json=NEW | {"citizen": {"name": f"Kişi {number}"}}) for number in range(5)]
    assert {answer.status_code for answer in taken} == {202}
    ready = await world.http.get("/readyz")
    assert ready.status_code == 200
    assert {"entries": 5, "state": "filling", "breaker": "open"}.items() <= ready.json()["spool"].items()
    assert world.publisher.records == []
    world.publisher.failing = False
    await until(lambda: not world.spool.entries)
    assert [record.key.decode() for record in world.publisher.on("requests.received")] == [
        answer.json()["request_id"] for answer in taken
    ]
    before: set[str] = set()
    for record in world.publisher.records:
        if record.topic == "contacts":
            before.add(record.key.decode())
        else:
            assert record.value is not None
            assert json.loads(record.value)["contact_id"] in before
    empty = {"entries": 0, "bytes": 0, "oldest_seconds": 0, "state": "empty", "breaker": "closed"}
    await until(lambda: world.keeper.state() == empty)


async def test_a_key_is_remembered_over_a_kill_while_kafka_and_mongo_are_away(tmp_path: Path) -> None:
    first = World(tmp_path)
    async with first.running():
        first.publisher.failing = True
        await first.post(json=NEW | {"external_id": "e1"})
    again = World(tmp_path, first.spool_folder)  # with an empty database
    async with again.running():
        again.publisher.failing = True
        assert again.spool.entries == 1
        assert (await again.post(json=NEW | {"external_id": "e1"})).status_code == 202
        assert_problem(await again.post(json=NEW | {"external_id": "e1", "text": "başka"}), 409)
        assert again.spool.entries == 1


async def test_while_mongo_is_away_requests_and_updates_are_taken_and_it_is_asked_once(world: World) -> None:
    world.store.away = True
    before = world.store.calls
    for number in range(5):
        assert (await world.post(json=NEW | {"external_id": str(number)})).status_code == 202
    assert (await world.post(json=NEW | {"external_id": "1"})).status_code == 202
    assert_problem(await world.post(json=NEW | {"external_id": "1", "text": "başka"}), 409)
    update = {"action": "accept", "department": "zabita"}
    assert (await world.post(f"/v1/requests/{random_request_id()}/updates", json=update)).status_code == 202
    assert world.store.calls - before <= 2  # one look-up, one write behind the answer


async def test_keys_and_scopes_are_checked_before_the_body(world: World) -> None:
    assert_problem(await world.post(json=[], headers={"X-API-Key": ""}), 401)
    assert_problem(await world.post(json=[], headers={"X-API-Key": "wrong"}), 401)
    assert_problem(await world.post(json=[], headers={"X-API-Key": "fen"}), 403)
    assert_problem(await world.post(headers={"X-API-Key": b"\xff\xfe"}), 401)


async def test_keys_count_from_the_disk_while_mongo_is_away(world: World, tmp_path: Path) -> None:
    restarted = World(tmp_path)
    restarted.store.away = True
    async with restarted.running():
        assert (await restarted.post()).status_code == 202
        assert_problem(await restarted.post(headers={"X-API-Key": "wrong"}), 401)
    assert "all" not in (tmp_path / "keys.json").read_text()
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600


async def test_without_any_state_of_the_keys_nobody_is_told_that_a_key_is_wrong(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.store.away = True
    async with world.running():
        assert_problem(await world.post(), 503)


HOSTILE: list[tuple[Any, str | None]] = [
    (NEW | {"channel": "fax"}, "channel"),
    (NEW | {"kind": "wish"}, "kind"),
    (NEW | {"service_code": "yok"}, "service_code"),
    (NEW | {"surprise": 1}, "surprise"),
    (NEW | {"text": ""}, "text"),
    (NEW | {"text": " \u200b\u3164"}, "text"),
    (NEW | {"text": "x" * 4_001}, "text"),
    (NEW | {"text": "a\x00b"}, "text"),
    (NEW | {"text": None}, "text"),
    ({"channel": "web"}, "text"),
    (NEW | {"citizen": {"phone": "12345"}}, "citizen.phone"),
    (NEW | {"citizen": {"email": "ali@"}}, "citizen.email"),
    (NEW | {"citizen": {"whatsapp_id": "a b"}}, "citizen.whatsapp_id"),
    (NEW | {"citizen": {"name": "x" * 201}}, "citizen.name"),
    (NEW | {"citizen": []}, "citizen"),
    (NEW | {"citizen": {"name": "Ali"}, "contact": "none"}, None),
    (NEW | {"location": {"lat": 41.0}}, "location"),
    (NEW | {"location": {"lat": 141.0, "lon": 36}}, "location.lat"),
    (NEW | {"location": {"lat": 41.0, "lon": -181}}, "location.lon"),
    (NEW | {"attachments": ["x"]}, "attachments.0"),
    (NEW | {"attributes": {"a": "x" * 10_001}}, "attributes"),
    (NEW | {"external_id": "ş"}, "external_id"),
    (NEW | {"received_at": "2099-01-01T00:00:00Z"}, "received_at"),
    (NEW | {"received_at": "0001-01-01T00:00:00+14:00"}, "received_at"),
    (NEW | {"received_at": "2026-01-01T00:00:00"}, "received_at"),
    (NEW | {"received_at": "2000-01-01T00:00:00+14:00"}, "received_at"),
    (NEW | {"repeat": {"every_days": 0, "until": "2099-01-01"}}, "repeat.every_days"),
    (NEW | {"repeat": {"every_days": 32, "until": "2099-01-01"}}, "repeat.every_days"),
    (NEW | {"repeat": {"every_days": "7", "until": "2099-01-01"}}, "repeat.every_days"),
    (NEW | {"repeat": {"every_days": 7}}, "repeat.until"),
    (NEW | {"repeat": {"every_days": 7, "until": "yarın"}}, "repeat.until"),
    (NEW | {"repeat": {"every_days": 7, "until": "2020-01-01"}}, "repeat.until"),
    (NEW | {"repeat": {"every_days": 7, "until": "2099-01-01"}}, "repeat.until"),
    (NEW | {"repeat": 7}, "repeat"),
    ([], None),
    ("text", None),
    (None, None),
]
HOSTILE_BYTES = [
    b"",
    b"{",
    b'{"channel":"web","text":"a\\ud800"}',
    b'{"channel":"web","text":"a","text":"b"}',
    b'{"channel":"web","text":"\xff"}',
    b'{"channel":"web","text":"a","location":{"lat":NaN,"lon":36}}',
    b'{"channel":"web","text":"a","location":{"lat":1e999,"lon":36}}',
    b'{"channel":"web","text":"a","attributes":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    b'{"channel":"web","text":"a","attributes":{"a":' + b"9" * 5_000 + b"}}",
    b'{"channel":"web","text":"a","\\ud800":1}',
]


@pytest.mark.parametrize(("body", "field"), HOSTILE, ids=lambda value: ascii(value)[:40])
async def test_hostile_input_is_refused_by_name_and_nothing_is_kept(world: World, body: Any, field: str | None) -> None:
    assert_problem(await world.post(json=body), 422, field)
    assert world.publisher.records == []


@pytest.mark.parametrize("raw", HOSTILE_BYTES, ids=lambda raw: ascii(raw[:50]))
async def test_hostile_bytes_are_refused_and_nothing_is_kept(world: World, raw: bytes) -> None:
    assert_problem(await world.post(json=None, content=raw, headers={"Content-Type": "application/json"}), 422)
    assert world.publisher.records == []


@pytest.mark.parametrize("key", ["", " ", "x" * 201, b"\xc5\x9f"])
async def test_an_odd_idempotency_key_is_refused_by_name(world: World, key: Any) -> None:
    assert_problem(await world.post(headers={"Idempotency-Key": key}), 422, "Idempotency-Key")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
async def test_another_media_type_is_415(world: World, kind: str) -> None:
    answer = await world.http.post("/v1/requests", content=json.dumps(NEW), headers={"Content-Type": kind})
    assert_problem(answer, 415)


async def test_too_large_a_body_is_413_whether_its_length_is_said_or_not(world: World) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 10_000

    headers = {"Content-Type": "application/json"}
    assert_problem(await world.http.post("/v1/requests", content=b" " * 300_000, headers=headers), 413)
    assert_problem(await world.http.post("/v1/requests", content=chunks(), headers=headers), 413)


async def test_a_service_of_a_crisis_is_taken_at_any_time_and_a_need_may_repeat(world: World) -> None:
    until = (system_clock() + timedelta(days=60)).date().isoformat()
    body = NEW | {"service_code": "vefa-alisveris", "repeat": {"every_days": 7, "until": until}}
    assert (await world.post(json=body)).status_code == 202
    request = published(world)
    assert isinstance(request, RequestReceived)
    assert request.service_code == "vefa-alisveris"
    assert request.repeat is not None
    assert (request.repeat.every_days, request.repeat.until.isoformat()) == (7, until)


# --- keys and operation ---


async def test_our_own_services_learn_whose_a_key_is_by_its_hash(world: World) -> None:
    answer = await world.post("/v1/keys/verify", json={"key_hash": key_hash("fen")}, headers={"X-API-Key": ""})
    assert answer.json() == {"adapter": "fen-app", "scopes": ["updates:write"], "departments": ["fen-isleri"]}
    assert_problem(await world.post("/v1/keys/verify", json={"key_hash": "0" * 64}), 404)
    assert_problem(await world.post("/v1/keys/verify", json={"key_hash": "fen"}), 422, "key_hash")


async def test_unknown_paths_and_methods_are_problem_documents(world: World) -> None:
    assert_problem(await world.http.get("/nothing"), 404)
    assert_problem(await world.http.delete("/v1/requests"), 405)


async def test_a_bug_is_a_problem_document_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(world.publisher, "publish", broken)
    assert_problem(await world.post(), 500)


async def test_openapi_lists_the_errors_and_the_scope_of_every_route(world: World) -> None:
    paths = (await world.http.get("/openapi.json")).json()["paths"]
    post = paths["/v1/requests"]["post"]
    assert {"202", "401", "403", "409", "413", "415", "422", "503"} <= set(post["responses"])
    assert post["x-scope"] == "requests:write"
    assert post["security"] == [{"APIKeyHeader": []}, {"HTTPBearer": []}, {"APIKeyCookie": []}]
    for path, method, scope in (
        ("/v1/requests/{request_id}/updates", "post", "updates:write"),
        ("/v1/requests/{request_id}/updates/{update_id}", "get", "updates:write"),
        ("/v1/requests/{request_id}/replies", "post", "requests:write"),
        ("/v1/crises", "get", "crises:write"),
        ("/v1/crises/{name}", "post", "crises:write"),
        ("/v1/crises/{name}/end", "post", "crises:write"),
    ):
        route = paths[path][method]
        assert route["x-scope"] == scope
        assert route["security"] == post["security"]
        answers = {"401", "403", "503"} | ({"202", "413", "415", "422"} if method == "post" else {"200"})
        assert answers <= set(route["responses"])


async def test_health_readiness_and_metrics_answer(world: World) -> None:
    assert (await world.http.get("/healthz")).status_code == 200
    assert (await world.http.get("/readyz")).status_code == 200
    await world.post()
    assert 'route="/v1/requests",status="202"' in (await world.http.get("/metrics")).text
