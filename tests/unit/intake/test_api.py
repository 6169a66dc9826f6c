"""
The HTTP side over ASGI, with Kafka and MongoDB in memory: every answer of the contract.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.common.contracts.envelope import decode
from services.common.contracts.events import CitizenReplied, CrisisDeclared, Event, RequestReceived, UpdateSubmitted
from services.common.contracts.ids import grouped, random_request_id
from services.common.contracts.vocabulary import Status
from services.common.kit.auth import key_hash
from services.common.kit.clock import system_clock
from services.common.kit.guard import People
from services.common.kit.limits import Buckets, Limits, Rate
from services.common.kit.mongo import UNAVAILABLE
from services.common.kit.testing import FakePublisher
from services.intake.api import Parts, create_app
from services.intake.application import Intake
from services.intake.calls.board import Board
from services.intake.calls.console import Telephony
from services.intake.calls.switchboard import Switchboard
from services.intake.citizen.tiles import Tiles
from services.intake.crises import Declarations
from services.intake.guard import Breaker
from services.intake.keeper import Keeper
from services.intake.keys import Keys, OwnKeys, StoredKey
from services.intake.open311.definitions import definitions
from services.intake.read_model import CaseState
from services.intake.schemas import UpdateResult
from services.intake.spool import Spool
from tests.people import FakeTokens
from tests.unit.intake.call_fakes import FakeCallStore, FakeContacts
from tests.unit.intake.citizens import FakeInner, citizens_of
from tests.unit.intake.desks import FakeOthers, FakeSuggestions, desk_of
from tests.unit.intake.endpoints import FakeReporting, endpoint_of
from tests.unit.intake.fakes import FakeStore
from tests.unit.intake.file_fakes import FakeShelf, attachments_of
from tests.waiting import until

PROBLEM = "application/problem+json"
NEW = {"channel": "web", "text": "Sokakta çukur var"}
EXCHANGES = {"main": "token-of-the-main-exchange"}
TWILIO = "12345"
KEYS = {
    "all": StoredKey(key_hash("all"), "desk", frozenset({"*"}), frozenset()),
    "writer": StoredKey(key_hash("writer"), "web-form", frozenset({"requests:write"}), frozenset()),
    "fen": StoredKey(key_hash("fen"), "fen-app", frozenset({"updates:write"}), frozenset({"fen-isleri"})),
}


class World:
    """
    An intake, what it stands on, and a client for it. The spool is a real one.
    """

    def __init__(self, folder: Path, spool: Path | None = None, spool_bytes: int = 1_000_000) -> None:
        self.folder = folder
        self.spool_folder = spool or folder / secrets.token_hex(4)
        self.spool_bytes = spool_bytes
        self.store = FakeStore()
        self.store.stored = {key.hash: key for key in KEYS.values()}
        self.publisher = FakePublisher()
        self.shelf = FakeShelf()
        self.calls = FakeCallStore()
        self.contacts = FakeContacts()
        self.telephony: Telephony
        self.suggestions = FakeSuggestions()
        self.others = FakeOthers()
        self.reporting = FakeReporting()
        self.inner = FakeInner()
        self.form_rate: Rate | None = None
        self.tiles: Tiles | None = None
        self.public_url = "https://ilkim.example"
        self.definitions = definitions()
        self.rate = Rate(per_second=0, at_once=1)
        self.http: httpx.AsyncClient
        self.spool: Spool
        self.keeper: Keeper

    @asynccontextmanager
    async def parts(self) -> AsyncIterator[Parts]:
        mongo = Breaker("hints", UNAVAILABLE, pause=60)
        keys = Keys(self.store.keys, self.folder / "keys.json", Breaker("keys", UNAVAILABLE, pause=0))
        self.spool = Spool(self.spool_folder, self.spool_bytes)
        self.keeper = Keeper(self.publisher, self.spool, system_clock)  # type: ignore[arg-type]
        mongo_of_calls = Breaker("calls", UNAVAILABLE, pause=0)
        self.telephony = Telephony(
            switchboard=Switchboard(
                secret=b"0123456789abcdef",
                keeper=self.keeper,
                store=self.calls,
                mongo=mongo_of_calls,
                clock=system_clock,
            ),
            board=Board(self.calls, mongo_of_calls, system_clock),
            contacts=self.contacts,
            exchanges=EXCHANGES,
            public_url="https://ilkim.example",
            twilio_token=TWILIO,
        )
        attachments = attachments_of(self.shelf)
        intake = Intake(
            secret=b"0123456789abcdef",
            public_url="https://ilkim.example/",
            keeper=self.keeper,
            store=self.store,
            calls=self.telephony.switchboard,
            files=attachments,
            hints=mongo,
            patient=Breaker("patient", UNAVAILABLE, pause=60),
            clock=system_clock,
        )

        declarations = Declarations(
            self.store,
            self.publisher,  # type: ignore[arg-type]
            Breaker("patient", UNAVAILABLE, pause=0),
            system_clock,
        )

        async def ready() -> dict[str, object]:
            return {"ready": self.keeper.able, "spool": self.keeper.state()}

        await keys.start()
        draining = asyncio.create_task(self.keeper.drain())
        await asyncio.sleep(0)
        people = People(OwnKeys(keys), FakeTokens(), "https://ilkim.example", "https://ilkim.example")
        desk = desk_of(intake, attachments, self.store.cases, self.suggestions, self.others)
        limits = Limits(Buckets(self.rate), Buckets(self.rate))
        open311 = endpoint_of(intake, attachments, people.keys, limits, self.reporting, self.definitions)
        citizens = citizens_of(
            intake,
            attachments,
            self.suggestions,
            self.reporting,
            self.inner,
            self.definitions,
            self.form_rate,
            self.public_url,
            self.tiles,
        )
        yield Parts(
            intake, declarations, attachments, keys, people, self.telephony, desk, open311, citizens, limits, ready
        )
        draining.cancel()
        await intake.drain()
        self.spool.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["World"]:
        app = create_app(self.parts)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://intake", headers={"X-API-Key": "all"}) as self.http,
        ):
            yield self

    async def post(self, path: str = "/v1/requests", json: Any = NEW, **kwargs: Any) -> httpx.Response:
        return await self.http.post(path, json=json, **kwargs)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path).running() as running:
        yield running


def assert_problem(answer: httpx.Response, status: int, field: str | None = None) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    document = answer.json()
    assert document["status"] == status
    assert document["detail"]
    if field is not None:
        assert field in {row["field"] for row in document["errors"]}


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


def published(world: World, at: int = -1) -> Event:
    record = world.publisher.records[at]
    return decode(record.topic, record.key, record.value, record.headers).data


# --- updates ---


def updates_of(request_id: str) -> str:
    return f"/v1/requests/{request_id}/updates"


async def test_an_update_of_an_unknown_request_is_taken_and_pending(world: World) -> None:
    request_id = random_request_id()
    answer = await world.post(
        updates_of(grouped(request_id).lower()), json={"action": "accept", "department": "zabita"}
    )
    assert answer.status_code == 202
    event = published(world)
    assert isinstance(event, UpdateSubmitted)
    assert (event.request_id, event.update_id) == (request_id, answer.json()["update_id"])
    result = await world.http.get(f"{updates_of(request_id)}/{event.update_id}")
    assert result.json() == {"update_id": event.update_id, "result": "pending"}


async def test_the_department_of_a_key_that_serves_one_need_not_be_named(world: World) -> None:
    path = updates_of(random_request_id())
    assert (await world.post(path, json={"action": "accept"}, headers={"X-API-Key": "fen"})).status_code == 202
    assert_problem(await world.post(path, json={"action": "accept"}), 422, "department")
    other = {"action": "accept", "department": "zabita"}
    assert_problem(await world.post(path, json=other, headers={"X-API-Key": "fen"}), 403)
    assert_problem(await world.post(path, json=other, headers={"X-API-Key": "writer"}), 403)


async def test_what_the_read_model_shows_is_refused_at_once(world: World) -> None:
    request_id = random_request_id()
    accept = {"action": "accept", "department": "zabita"}
    world.store.fresh = system_clock()
    world.store.cases[request_id] = CaseState(2, Status.ASSIGNED, "fen-isleri", "yol-cukur")
    assert_problem(await world.post(updates_of(request_id), json=accept), 409)
    world.store.cases[request_id] = CaseState(3, Status.RESOLVED, "zabita", "yol-cukur")
    assert_problem(await world.post(updates_of(request_id), json=accept), 409)
    assert world.publisher.records == []


async def test_what_the_read_model_may_not_know_yet_is_left_to_routing(world: World) -> None:
    request_id = random_request_id()
    accept = {"action": "accept", "department": "zabita"}
    now = system_clock()
    case = CaseState(2, Status.ASSIGNED, "fen-isleri", "yol-cukur", now)
    for fresh, held_since in (
        (None, now - timedelta(minutes=1)),
        (now - timedelta(minutes=1), now - timedelta(minutes=2)),
        (now, now),
    ):
        world.store.fresh = fresh
        world.store.cases[request_id] = replace(case, at=held_since)
        assert (await world.post(updates_of(request_id), json=accept)).status_code == 202
    assert len(world.publisher.records) == 3


async def test_a_repeated_update_is_no_conflict_with_its_own_effect_though_its_fingerprint_was_lost(
    tmp_path: Path,
) -> None:
    request_id = random_request_id()
    resolve = {"action": "resolve", "department": "zabita", "outcome": "resolved", "note_public": "Bitti."}
    first = World(tmp_path)
    async with first.running():
        taken = await first.post(updates_of(request_id), json=resolve, headers={"Idempotency-Key": "k"})
    again = World(tmp_path)  # whose database has what the worker wrote, not what intake would have written
    update_id = taken.json()["update_id"]
    again.store.updates[request_id, update_id] = UpdateResult(update_id=update_id, result="applied", seq=3)
    again.store.cases[request_id] = CaseState(3, Status.RESOLVED, "zabita", "yol-cukur")
    again.store.fresh = system_clock()
    async with again.running():
        repeated = await again.post(updates_of(request_id), json=resolve, headers={"Idempotency-Key": "k"})
        assert (repeated.status_code, repeated.json()) == (202, taken.json())
        assert_problem(await again.post(updates_of(request_id), json=resolve, headers={"Idempotency-Key": "l"}), 409)
        ids = [dict(world.publisher.records[0].headers)["ce_id"] for world in (first, again)]
        assert ids[0] == ids[1]
        assert len(again.publisher.records) == 1


async def test_the_note_of_an_update_goes_behind_the_answer_and_it_is_pending_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, note = asyncio.Event(), world.store.note_updates

    async def late(*args: Any) -> None:
        await release.wait()
        await note(*args)

    monkeypatch.setattr(world.store, "note_updates", late)
    request_id = random_request_id()
    taken = await world.post(updates_of(request_id), json={"action": "accept", "department": "zabita"})
    update_id = taken.json()["update_id"]
    pending = {"update_id": update_id, "result": "pending"}
    assert (await world.http.get(f"{updates_of(request_id)}/{update_id}")).json() == pending
    assert_problem(await world.http.get(f"{updates_of(random_request_id())}/{update_id}"), 404)
    release.set()
    await until(lambda: (request_id, update_id) in world.store.updates)


async def test_a_repeated_update_has_the_same_answer_even_after_it_closed_the_request(world: World) -> None:
    request_id = random_request_id()
    world.store.cases[request_id] = CaseState(2, Status.ACCEPTED, "zabita", "yol-cukur")
    resolve = {"action": "resolve", "department": "zabita", "outcome": "resolved", "note_public": "Bitti."}
    first = await world.post(updates_of(request_id), json=resolve, headers={"Idempotency-Key": "k"})
    world.store.cases[request_id] = CaseState(3, Status.RESOLVED, "zabita", "yol-cukur")
    again = await world.post(updates_of(request_id), json=resolve, headers={"Idempotency-Key": "k"})
    assert first.json() == again.json()
    assert len(world.publisher.records) == 1
    other = resolve | {"note_public": "Başka."}
    assert_problem(await world.post(updates_of(request_id), json=other, headers={"Idempotency-Key": "k"}), 409)


@pytest.mark.parametrize(
    "request_id",
    [
        "1",
        "7XK29MQ4T3BDMX",
        "7XK29MQ4T3BDU",
        "%00",
        "ş" * 13,
        "0" * 12 + "1",
        "6KJGKZA7CFKH7.0",
        "6KJGKZA7CFKH7.01",
        "6KJGKZA7CFKH7.100",
        "6KJGKZA7CFKH7.1.2",
        "6KJGKZA7CFKH7.",
        "6KJGKZA7CFKH7.²",
        f"6KJGKZA7CFKH7.{'9' * 5_000}",
    ],
    ids=lambda request_id: ascii(request_id)[:30],
)
async def test_an_ill_formed_number_is_refused_by_name(world: World, request_id: str) -> None:
    accept = {"action": "accept", "department": "zabita"}
    assert_problem(await world.post(updates_of(request_id), json=accept), 422, "request_id")
    assert_problem(await world.http.get(f"{updates_of(request_id)}/x"), 422, "request_id")
    reply = {"text": "evet", "channel": "sms"}
    assert_problem(await world.post(f"/v1/requests/{request_id}/replies", json=reply), 422, "request_id")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "plan", "department": "zabita"}, "action"),
        ({"action": "resolve", "department": "zabita", "note_public": "x"}, "outcome"),
        ({"action": "resolve", "department": "zabita", "outcome": "resolved"}, "note_public"),
        ({"action": "resolve", "department": "zabita", "outcome": "fine", "note_public": "x"}, "outcome"),
        ({"action": "reject", "department": "zabita"}, "note_internal"),
        ({"action": "reject", "department": "zabita", "note_public": "\u200b"}, "note_public"),
        ({"action": "transfer", "department": "zabita"}, "to"),
        ({"action": "transfer", "department": "zabita", "to": "zabita"}, "to"),
        ({"action": "transfer", "department": "zabita", "to": "yok"}, "to"),
        ({"action": "accept", "department": "yok"}, "department"),
        ({"action": "accept", "department": "zabita", "service_code": "yok"}, "service_code"),
        ({"action": "accept", "department": "zabita", "extra": 1}, "extra"),
        ({"action": "reject", "department": "zabita", "note_internal": "x", "to": "zabita"}, "to"),
        ({"action": "accept", "department": "zabita", "planned_for": "2099-01-01T00:00:00Z"}, "planned_for"),
        ({"action": "schedule", "department": "zabita"}, "planned_for"),
        ({"action": "schedule", "department": "zabita", "planned_for": "2099-01-01T00:00:00Z"}, "planned_for"),
        ({"action": "schedule", "department": "zabita", "planned_for": "2020-01-01T00:00:00Z"}, "planned_for"),
        ({"action": "schedule", "department": "zabita", "planned_for": "2026-01-01T00:00:00"}, "planned_for"),
        ({"action": "ask", "department": "zabita"}, "question"),
        ({"action": "wait", "department": "zabita", "referred_to": {}}, "referred_to.body"),
        ({"action": "refer", "department": "zabita", "referred_to": {"body": "SASKİ"}}, "note_public"),
        ({"action": "extend", "department": "zabita"}, "note_public"),
        ({"action": "split", "department": "zabita", "parts": [{"to": "zabita"}]}, "parts"),
        ({"action": "split", "department": "zabita", "parts": [{"to": "zabita"}] * 11}, "parts"),
        ({"action": "split", "department": "zabita", "parts": [{"to": "zabita"}, {"note": "x"}]}, "parts.1"),
        ({"action": "split", "department": "zabita", "parts": [{"to": "yok"}, {"to": "zabita"}]}, "parts.0.to"),
        ({"action": "duplicate", "department": "zabita", "master": "7XK29MQ4T3BDMX"}, "master"),
        ({"action": "resolve", "department": "zabita", "outcome": "duplicate", "note_public": "x"}, "outcome"),
        ({"action": "cancel", "department": "zabita"}, "note_internal"),
        ({"action": "reopen", "department": "zabita"}, "note_internal"),
        ({"action": "note", "department": "zabita", "note_public": "x"}, "note_internal"),
    ],
    ids=ascii,
)
async def test_an_incomplete_update_is_refused_by_name(world: World, body: dict[str, Any], field: str) -> None:
    assert_problem(await world.post(updates_of(random_request_id()), json=body), 422, field)
    assert world.publisher.records == []


@pytest.mark.parametrize(
    ("status", "action", "department", "taken"),
    [
        (Status.RESOLVED, "reopen", "fen-isleri", True),
        (Status.RESOLVED, "reopen", "basin-halkla-iliskiler", True),
        (Status.RESOLVED, "reopen", "zabita", False),
        (Status.RESOLVED, "note", "fen-isleri", True),
        (Status.RESOLVED, "cancel", "basin-halkla-iliskiler", False),
        (Status.ACCEPTED, "cancel", "basin-halkla-iliskiler", True),
        (Status.ACCEPTED, "note", "basin-halkla-iliskiler", True),
        (Status.ACCEPTED, "start", "basin-halkla-iliskiler", False),
        (Status.ACCEPTED, "reopen", "fen-isleri", False),
    ],
)
async def test_of_a_part_too_the_read_model_shows_what_its_holder_and_the_desk_may_do(
    world: World, status: Status, action: str, department: str, taken: bool
) -> None:
    request_id = f"{random_request_id()}.1"
    world.store.fresh = system_clock()
    world.store.cases[request_id] = CaseState(4, status, "fen-isleri", "yol-cukur")
    note = {} if action == "start" else {"note_internal": "x"}
    answer = await world.post(updates_of(request_id), json={"action": action, "department": department, **note})
    if taken:
        assert answer.status_code == 202
    else:
        assert_problem(answer, 409)
    assert len(world.publisher.records) == taken


async def test_the_result_of_a_parts_update_is_its_own(world: World) -> None:
    request_id = random_request_id()
    part = f"{grouped(request_id).lower()}.1"
    taken = await world.post(updates_of(part), json={"action": "accept", "department": "zabita"})
    update_id = taken.json()["update_id"]
    pending = {"update_id": update_id, "result": "pending"}
    assert (await world.http.get(f"{updates_of(part)}/{update_id}")).json() == pending
    assert_problem(await world.http.get(f"{updates_of(request_id)}/{update_id}"), 404)


async def test_a_repeat_does_not_fail_because_its_time_has_come_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = system_clock()
    request_id = random_request_id()
    plan = {
        "action": "schedule",
        "department": "zabita",
        "planned_for": (started + timedelta(hours=1)).isoformat(),
    }
    need = NEW | {"repeat": {"every_days": 7, "until": started.date().isoformat()}}
    key = {"Idempotency-Key": "k"}
    monkeypatch.setattr("tests.unit.intake.test_api.system_clock", lambda: started)
    first = World(tmp_path)
    async with first.running():
        taken = [
            await first.post(updates_of(request_id), json=plan, headers=key),
            await first.post(json=need, headers=key),
        ]
    monkeypatch.setattr("tests.unit.intake.test_api.system_clock", lambda: started + timedelta(days=2))
    again = World(tmp_path)
    again.store = first.store
    async with again.running():
        repeated = [
            await again.post(updates_of(request_id), json=plan, headers=key),
            await again.post(json=need, headers=key),
        ]
        assert [answer.json() for answer in repeated] == [answer.json() for answer in taken]
        assert_problem(await again.post(updates_of(request_id), json=plan), 422, "planned_for")
        assert_problem(await again.post(json=need), 422, "repeat.until")


async def test_an_unknown_update_is_404_and_unknowable_ones_503(world: World) -> None:
    path = f"{updates_of(random_request_id())}/{'0' * 32}"
    assert_problem(await world.http.get(path), 404)
    world.store.away = True
    assert_problem(await world.http.get(path), 503)


# --- replies ---


def replies_of(request_id: str) -> str:
    return f"/v1/requests/{request_id}/replies"


REPLY = {"text": "Çınar Sokak 14", "channel": "whatsapp", "external_id": "wamid.1"}


async def test_a_reply_is_kept_once_whatever_key_names_it(world: World) -> None:
    request_id = random_request_id()
    answers = [await world.post(replies_of(grouped(request_id)), json=REPLY) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {202}
    assert answers[0].json() == answers[1].json()
    event = published(world)
    assert isinstance(event, CitizenReplied)
    assert (event.request_id, event.reply_id, event.text, event.adapter) == (
        request_id,
        answers[0].json()["reply_id"],
        "Çınar Sokak 14",
        "desk",
    )
    assert_problem(await world.post(replies_of(request_id), json=REPLY | {"text": "başka"}), 409)
    assert_problem(await world.post(replies_of(request_id), json=REPLY | {"channel": "sms"}), 409)
    keyless = {"text": "evet", "channel": "phone", "entered_by": "op-7"}
    for _ in range(2):
        await world.post(replies_of(f"{request_id}.3"), json=keyless, headers={"Idempotency-Key": "k"})
    assert [one.topic for one in world.publisher.records] == ["requests.updates"] * 2


async def test_a_reply_needs_the_scope_of_adapters_and_is_refused_by_name(world: World) -> None:
    path = replies_of(random_request_id())
    assert_problem(await world.post(path, json=REPLY, headers={"X-API-Key": "fen"}), 403)
    assert (await world.post(path, json=REPLY, headers={"X-API-Key": "writer"})).status_code == 202
    for fields, field in (
        ({"text": "\u200b"}, "text"),
        ({"text": None}, "text"),
        ({"channel": "fax"}, "channel"),
        ({"external_id": ""}, "external_id"),
        ({"received_at": "2026-06-01T00:00:00Z"}, "received_at"),
    ):
        assert_problem(await world.post(path, json=REPLY | fields), 422, field)
    assert len(world.publisher.records) == 1


async def test_a_reply_is_kept_while_kafka_is_away_behind_what_was_before_it(world: World) -> None:
    world.publisher.failing = True
    taken = await world.post(json=NEW)
    request_id = taken.json()["request_id"]
    assert (await world.post(replies_of(request_id), json=REPLY)).status_code == 202
    world.publisher.failing = False
    await until(lambda: not world.spool.entries)
    assert [(one.topic, one.key.decode()) for one in world.publisher.records] == [
        ("requests.received", request_id),
        ("requests.updates", request_id),
    ]


# --- crises ---

CRISIS = {"reason": "Vaka sayısı", "declared_by": "Kaymakam"}


async def crisis(world: World, name: str) -> dict[str, Any]:
    answer = await world.http.get("/v1/crises")
    assert answer.status_code == 200
    found: dict[str, Any] = next(one for one in answer.json()["crises"] if one["name"] == name)
    return found


async def test_a_crisis_is_declared_and_ended_and_all_see_it(world: World) -> None:
    assert (await crisis(world, "salgin"))["on"] is False
    declared = await world.post("/v1/crises/salgin", json=CRISIS | {"ends_at": "2099-01-01T00:00:00+03:00"})
    assert declared.status_code == 202
    event = published(world)
    assert isinstance(event, CrisisDeclared)
    assert (event.crisis, event.declared_by, event.declared_at) == ("salgin", "Kaymakam", event.starts_at)
    shown = await crisis(world, "salgin")
    assert (shown["on"], shown["ends_at"], shown["tr"]) == (
        True,
        "2098-12-31T21:00:00Z",
        "Salgın: evden çıkamayanlara destek",
    )
    assert (await crisis(world, "deprem"))["on"] is False
    ended = await world.post("/v1/crises/salgin/end", json=CRISIS | {"reason": "Bitti"})
    assert ended.status_code == 202
    shown = await crisis(world, "salgin")
    assert shown["on"] is False
    assert [(row["state"], row["reason"], row["adapter"]) for row in shown["audit"]] == [
        ("declared", "Bitti", "desk"),
        ("declared", "Vaka sayısı", "desk"),
    ]


async def test_a_crisis_is_not_queued_and_a_try_stands_in_the_audit(world: World) -> None:
    world.publisher.failing = True
    answer = await world.post("/v1/crises/salgin", json=CRISIS)
    assert_problem(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0
    assert world.spool.entries == 0
    shown = await crisis(world, "salgin")
    assert (shown["on"], [row["state"] for row in shown["audit"]]) == (False, ["asked"])
    world.publisher.failing = False
    assert (await world.post("/v1/crises/salgin", json=CRISIS)).status_code == 202
    world.store.away = True
    for answer in (await world.post("/v1/crises/salgin/end", json=CRISIS), await world.http.get("/v1/crises")):
        assert_problem(answer, 503)
        assert int(answer.headers["Retry-After"]) > 0
    assert len(world.publisher.records) == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"reason": " "}, "reason"),
        ({"reason": "x" * 1_001}, "reason"),
        ({"reason": None}, "reason"),
        ({"declared_by": "\u200b"}, "declared_by"),
        ({"declared_by": "x" * 201}, "declared_by"),
        ({"starts_at": "2026-06-01"}, "starts_at"),
        ({"ends_at": "2026-06-01T00:00:00"}, "ends_at"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "ends_at"),
        ({"starts_at": "2026-06-02T00:00:00Z", "ends_at": "2026-06-02T03:00:00+03:00"}, "ends_at"),
        ({"crisis": "salgin"}, "crisis"),
    ],
)
async def test_an_odd_crisis_is_refused_by_name(world: World, fields: dict[str, Any], field: str) -> None:
    assert_problem(await world.post("/v1/crises/salgin", json=CRISIS | fields), 422, field)
    assert world.publisher.records == []
    assert world.store.audit == []


async def test_an_unknown_crisis_is_404_with_those_that_there_are(world: World) -> None:
    for path in ("/v1/crises/covid", "/v1/crises/covid/end"):
        answer = await world.post(path, json=CRISIS)
        assert_problem(answer, 404)
        assert "deprem, salgin" in answer.json()["detail"]


async def test_only_a_key_for_crises_may_see_and_declare_them(world: World) -> None:
    for key in ("writer", "fen"):
        headers = {"X-API-Key": key}
        assert_problem(await world.post("/v1/crises/salgin", json=CRISIS, headers=headers), 403)
        assert_problem(await world.post("/v1/crises/salgin/end", json=CRISIS, headers=headers), 403)
        assert_problem(await world.http.get("/v1/crises", headers=headers), 403)


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
