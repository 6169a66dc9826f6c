"""
Telephone calls with Kafka and the MongoDB protocol; two instances of intake that know of each other by MongoDB alone.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from kafka import KafkaConsumer, TopicPartition

from deploy.stack.stack import Stack
from services.common.contracts import topics
from services.common.contracts.envelope import TYPE_PREFIX
from services.common.contracts.events import ContactChanged, RequestRegistered
from services.common.contracts.vocabulary import Status
from services.common.kit.clock import system_clock
from services.common.kit.guard import People
from services.common.kit.mongo import Client, connect
from services.common.kit.settings import KafkaSettings, MongoSettings
from services.intake.api import create_app
from services.intake.calls import domain
from services.intake.calls.domain import Answer, Call, HangUp, Outcome, Report, Step
from services.intake.calls.people import OwnRequest, fold_people
from services.intake.calls.repository import CallRepository
from services.intake.read_model import CaseState
from services.intake.repository import Repository
from services.intake.settings import IntakeSettings
from services.intake.wiring import parts_of
from tests.people import FakeTokens, SignedIn, signed_in

pytestmark = pytest.mark.integration
NOW = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
SECRET = b"a secret of this test run"
TOKEN = "token-of-the-main-exchange"
PHONE = "+905321112233"
PERSON = domain.person_of(SECRET, PHONE)
AYSE = signed_in("operator", person_id="u_" + "a" * 16)
BORA = signed_in("operator", person_id="u_" + "b" * 16)


@pytest.fixture
async def repository(client: Client, database: str) -> CallRepository:
    repository = CallRepository(client, database)
    await repository.prepare()
    return repository


def fresh(number: str = "x1", at: datetime = NOW) -> Call:
    call_id = domain.call_id_of(SECRET, "main", number)
    return domain.absorb(None, Report(Step.RANG, call_id, "main", at, phone=PHONE, queue="ilkim"), SECRET)


async def keep(repository: CallRepository, call: Call, now: datetime = NOW) -> Call:
    kept = await repository.change(call.id, lambda _: call, now)
    assert kept is not None
    return kept


# --- the repository ---


async def test_a_call_comes_back_as_it_was_written(repository: CallRepository) -> None:
    call = domain.speak(
        replace(
            fresh(),
            answered=Answer(NOW + timedelta(seconds=8), "42", AYSE.person.id),
            hung_up=HangUp(NOW + timedelta(seconds=60), "normalClearing"),
            outcome=Outcome.ANSWERED,
            request_id="1" * 13,
            contact_kept=True,
        ),
        NOW,
    )
    kept = await keep(repository, call)
    assert await repository.call(call.id) == kept == replace(call, rev=1, changed_at=NOW)


async def test_no_document_holds_the_number(repository: CallRepository) -> None:
    kept = await keep(repository, domain.speak(fresh(), NOW))
    raw = await repository._calls.find_one({"_id": kept.id})
    assert "5321112233" not in str(raw)


async def test_reports_at_the_same_time_are_all_in_it(repository: CallRepository) -> None:
    call = fresh()
    reports = [
        Report(Step.ANSWERED, call.id, "main", NOW + timedelta(seconds=9 - second), extension=str(second))
        for second in range(8)
    ]

    async def take(report: Report) -> None:
        await repository.change(call.id, lambda before: domain.absorb(before or call, report, SECRET), NOW)

    await asyncio.gather(*map(take, reports))
    found = await repository.call(call.id)
    assert found is not None
    assert found.answered == Answer(NOW + timedelta(seconds=2), "7")
    assert found.last_at == NOW + timedelta(seconds=9)


async def test_a_decision_that_changes_nothing_writes_nothing(repository: CallRepository) -> None:
    kept = await keep(repository, fresh())
    assert await repository.change(kept.id, lambda call: call, NOW) == kept
    assert await repository.change("l_" + "0" * 32, lambda call: call, NOW) is None


async def test_what_is_due_is_found(repository: CallRepository) -> None:
    settled = await keep(repository, replace(fresh("x1"), outcome=Outcome.MISSED))
    ringing = await keep(repository, fresh("x2"))
    unpublished = await keep(repository, domain.speak(replace(fresh("x3"), outcome=Outcome.MISSED), NOW))
    lost = NOW + domain.RINGS_AT_MOST
    assert set(await repository.due(lost, NOW - timedelta(seconds=1))) == {ringing.id}
    assert set(await repository.due(NOW, NOW)) == {unpublished.id}
    assert [call.id for call in await repository.on_now()] == [ringing.id]
    assert settled.id not in await repository.due(lost, lost)


async def test_what_changed_since_is_told_in_its_order(repository: CallRepository) -> None:
    for number in range(3):
        await keep(repository, fresh(f"x{number}"), NOW + timedelta(seconds=number))
    changed = await repository.changed_since(NOW)
    assert [call.changed_at for call in changed] == [NOW + timedelta(seconds=1), NOW + timedelta(seconds=2)]


async def test_missed_calls_of_a_person_are_counted_without_this_one(repository: CallRepository) -> None:
    await keep(repository, replace(fresh("x0", NOW - timedelta(days=9)), outcome=Outcome.MISSED))
    await keep(repository, replace(fresh("x1"), outcome=Outcome.CANCELLED))
    await keep(repository, replace(fresh("x2"), outcome=Outcome.ANSWERED))
    this = await keep(repository, replace(fresh("x3"), outcome=Outcome.MISSED))
    assert await repository.missed_before(PERSON, NOW - timedelta(days=7), this.id) == 1


async def test_who_sits_down_takes_the_place(repository: CallRepository) -> None:
    await repository.sit("u_a", "42", NOW)
    await repository.sit("u_b", "42", NOW)
    assert await repository.extensions() == {"u_b": "42"}
    assert (await repository.person_at("42"), await repository.extension_of("u_a")) == ("u_b", None)
    await repository.sit("u_b", None, NOW)
    assert await repository.extensions() == {}


async def test_a_draft_keeps_whatever_json_is(repository: CallRepository) -> None:
    body: dict[str, Any] = {"text": "ğüşıöçİ\u0000", "$set": {"a.b": [1, None, True]}}
    await repository.keep_draft("desk", "u_a", body, NOW)
    assert await repository.draft("desk", "u_a") == body
    assert await repository.draft("desk", "u_b") is None
    await repository.drop_draft("desk", "u_a")
    assert await repository.draft("desk", "u_a") is None


def contact(number: int, **fields: Any) -> ContactChanged:
    at = NOW + timedelta(seconds=number)
    given = {"phone": PHONE, "phone_hash": PERSON, "changed_at": at} | fields
    return ContactChanged(contact_id="c_" + f"{number:032x}", **given)


def registered(request_id: str, contact_id: str) -> RequestRegistered:
    return RequestRegistered(
        request_id=request_id, seq=1, status=Status.RECEIVED, occurred_at=NOW, contact_id=contact_id
    )


async def test_the_requests_of_who_calls_are_found_until_their_contact_is_erased(
    repository: CallRepository, mongo_uri: str, database: str
) -> None:
    one, two, other = contact(1), contact(2), contact(3, phone_hash="0" * 32)
    rows = [
        (one.contact_id, one),
        (two.contact_id, two),
        (other.contact_id, other),
        ("1" * 13, registered("1" * 13, one.contact_id)),
        ("2" * 13, registered("2" * 13, two.contact_id)),
        ("3" * 13, registered("3" * 13, other.contact_id)),
        ("4" * 13, registered("4" * 13, "contact:none")),
    ]
    for _ in range(2):
        await repository.keep_people(*fold_people(rows))
    client = connect(MongoSettings(uri=mongo_uri))
    case = CaseState(3, Status.IN_PROGRESS, "fen-isleri", "yol-cukur", NOW)
    await Repository(client, database).apply({f"{n}" * 13: case for n in range(1, 5)}, {}, NOW)
    client.close()
    contacts = await repository.contacts_of(PERSON, 10)
    assert contacts == [two.contact_id, one.contact_id]
    found = await repository.requests_of(contacts)
    assert sorted(row.request_id for row in found) == ["1" * 13, "2" * 13]
    assert found[0] == OwnRequest(found[0].request_id, Status.IN_PROGRESS, "fen-isleri", "yol-cukur", NOW)
    await repository.keep_people(*fold_people([(two.contact_id, None)]))
    assert await repository.contacts_of(PERSON, 10) == [one.contact_id]


async def test_an_older_contact_does_not_replace_a_newer_one(repository: CallRepository) -> None:
    newer, older = contact(1, changed_at=NOW, phone_hash="a" * 32), contact(1, changed_at=NOW - timedelta(days=1))
    for row in (newer, older):
        await repository.keep_people(*fold_people([(row.contact_id, row)]))
    assert await repository.contacts_of("a" * 32, 10) == [newer.contact_id]
    assert await repository.contacts_of(PERSON, 10) == []


async def test_a_contact_that_has_no_number_any_more_is_not_found_by_it(repository: CallRepository) -> None:
    for row in (contact(1), contact(1, changed_at=NOW + timedelta(days=1), phone=None, phone_hash=None)):
        await repository.keep_people(*fold_people([(row.contact_id, row)]))
    assert await repository.contacts_of(PERSON, 10) == []


# --- two instances ---


def settings_of(infra: Stack, database: str, folder: Path) -> IntakeSettings:
    return IntakeSettings(
        id_secret=SECRET.decode(),
        data_dir=folder,
        database=database,
        kafka=KafkaSettings(bootstrap_servers=infra.env["KAFKA_BOOTSTRAP_SERVERS"]),
        mongo=MongoSettings(uri=infra.env["MONGODB_URI"]),
        telephony_exchanges={"main": TOKEN},
        notify_url="http://127.0.0.1:9",  # nobody: what a contact is notify's tests know
    )


class Instance:
    """
    One process of intake.
    """

    def __init__(self, app: Any, http: httpx.AsyncClient) -> None:
        self.board = app.state.parts.telephony.board
        self.http = http

    async def tell(self, event: str, number: str, **fields: str) -> str:
        body = {
            "event": event,
            "direction": "in",
            "from": "0532 111 22 33",
            "to": "4445501",
            "callId": number,
            **fields,
        }
        answer = await self.http.post(f"/webhooks/telephony/{TOKEN}", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["call_id"])

    async def told(self, stream: AsyncIterator[bytes], name: str) -> bytes:
        async with asyncio.timeout(20):
            async for event in stream:
                if f"event: {name}\n".encode() in event:
                    return event
        raise AssertionError("the stream ended")


@asynccontextmanager
async def instance(settings: IntakeSettings) -> AsyncIterator[Instance]:
    app = create_app(parts_of(settings))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://intake") as http,
    ):
        app.state.people = People(app.state.people.keys, FakeTokens(), "http://intake", "http://reporting")
        async with asyncio.timeout(20):
            while (await http.get("/readyz")).json()["spool"]["breaker"] != "closed":  # noqa: ASYNC110 - over HTTP
                await asyncio.sleep(0.05)
        yield Instance(app, http)


@pytest.fixture
async def two(infra: Stack, database: str, tmp_path: Path) -> AsyncIterator[Sequence[Instance]]:
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(instance(settings_of(infra, database, tmp_path / name))) for name in "ab"
        ]
    client = connect(MongoSettings(uri=infra.env["MONGODB_URI"]))
    await client.drop_database(database)
    client.close()


def published(servers: str, call_id: str) -> list[str]:
    """
    The types on ``calls`` about a call.
    """
    consumer = KafkaConsumer(bootstrap_servers=servers, consumer_timeout_ms=3_000)
    try:
        topic = topics.CALLS.name
        places = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        rows = [row for row in consumer if row.key == call_id.encode()]
    finally:
        consumer.close()
    return [dict(row.headers)["ce_type"].decode().removeprefix(TYPE_PREFIX) for row in rows]


def stream_of(one: Instance, who: SignedIn) -> AsyncIterator[bytes]:
    stream: AsyncIterator[bytes] = one.board.stream(who.person.id, system_clock() + timedelta(minutes=5))
    return stream


async def test_a_call_told_to_one_instance_is_seen_at_the_other_and_its_events_are_in_kafka(
    two: Sequence[Instance], infra: Stack
) -> None:
    here, there = two
    seat = await here.http.put("/console/extension", json={"extension": "42"}, headers=AYSE.headers)
    assert seat.status_code == 200
    hers, his = stream_of(there, AYSE), stream_of(there, BORA)
    assert await anext(hers) == await anext(his) == b"retry: 1000\n\n"
    call_id = await here.tell("newCall", "i1")
    for stream in (hers, his):
        assert call_id.encode() in await there.told(stream, "ringing")
    await here.tell("answer", "i1", answeringNumber="42")
    await there.told(hers, "answered")
    await there.told(his, "taken")
    await there.tell("hangup", "i1", cause="normalClearing")
    await there.told(hers, "ended")
    await there.told(his, "gone")
    servers = infra.env["KAFKA_BOOTSTRAP_SERVERS"]
    assert await asyncio.to_thread(published, servers, call_id) == ["CallStarted", "CallAnswered", "CallEnded"]
    mine = await there.http.get(f"/console/calls/{call_id}", headers=AYSE.headers)
    assert (mine.json()["call"]["state"], mine.json()["contacts_known"]) == ("ended", False)
    assert (await there.http.get(f"/console/calls/{call_id}", headers=BORA.headers)).status_code == 404


async def test_two_operators_take_one_call_at_two_instances_and_one_is_told(two: Sequence[Instance]) -> None:
    call_id = await two[0].tell("newCall", "i2")
    answers = await asyncio.gather(
        two[0].http.post(f"/console/calls/{call_id}/answer", headers=AYSE.headers),
        two[1].http.post(f"/console/calls/{call_id}/answer", headers=BORA.headers),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_a_missed_call_is_settled_once_by_whichever_instance(two: Sequence[Instance], infra: Stack) -> None:
    listening = stream_of(two[1], AYSE)
    await anext(listening)
    call_id = await two[0].tell("newCall", "i3")
    await two[1].tell("hangup", "i3", cause="cancel")
    await two[1].told(listening, "missed")
    servers = infra.env["KAFKA_BOOTSTRAP_SERVERS"]
    async with asyncio.timeout(40):
        while "CallMissed" not in (found := await asyncio.to_thread(published, servers, call_id)):
            pass
    assert set(found) == {"CallStarted", "CallMissed"}


async def test_a_request_of_a_call_is_kept_with_the_call_s_contact(two: Sequence[Instance]) -> None:
    call_id = await two[0].tell("newCall", "i4")
    await two[1].http.post(f"/console/calls/{call_id}/answer", headers=AYSE.headers)
    body = {"channel": "phone", "text": "Sokakta çukur var", "call_id": call_id}
    taken = await two[1].http.post("/v1/requests", json=body, headers=AYSE.bearer)
    assert taken.status_code == 202
    shown = await two[0].http.get(f"/console/calls/{call_id}", headers=AYSE.headers)
    assert shown.json()["call"]["request_id"] == taken.json()["request_id"]
