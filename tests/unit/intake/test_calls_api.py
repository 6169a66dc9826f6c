"""
Telephone and console over ASGI, with Kafka, MongoDB and notify in memory.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import uvicorn
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from services.common.contracts.envelope import decode
from services.common.contracts.events import ContactChanged, RequestReceived
from services.common.contracts.topics import CALLS, CONTACTS, RECEIVED
from services.common.contracts.vocabulary import Status
from services.common.kit.clock import system_clock
from services.common.kit.http import strict_json
from services.intake.api import create_app
from services.intake.calls import domain, webhook
from services.intake.calls.board import Board, Change, event, view
from services.intake.calls.domain import Report, Step
from services.intake.calls.people import OwnRequest
from services.intake.guard import Breaker
from tests.people import signed_in
from tests.unit.intake.call_fakes import FakeCallStore
from tests.unit.intake.intakes import EXCHANGES, TWILIO, World, assert_problem
from tests.unit.intake.test_calls_domain import types

SECRET = b"0123456789abcdef"
HOOK = f"/webhooks/telephony/{EXCHANGES['main']}"
AYSE = signed_in("operator", person_id="u_" + "a" * 16)
BORA = signed_in("operator", person_id="u_" + "b" * 16)
NUMBER = "905321112233"
PHONE = "+905321112233"
CALL = domain.call_id_of(SECRET, "main", "x1")
CONTACT = domain.contact_id_of(SECRET, CALL)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path).running() as running:
        running.http.headers.pop("X-API-Key")
        yield running


def new_call(**fields: Any) -> dict[str, Any]:
    return {"event": "newCall", "direction": "in", "from": NUMBER, "to": "4445501", "callId": "x1"} | fields


def answer(extension: str | None = "42", **fields: Any) -> dict[str, Any]:
    found = new_call(event="answer", **fields)
    return found | ({"answeringNumber": extension} if extension else {})


def hangup(cause: str = "normalClearing", **fields: Any) -> dict[str, Any]:
    return new_call(event="hangup", cause=cause, **fields)


async def tell(world: World, *events: dict[str, Any]) -> None:
    for one in events:
        assert (await world.http.post(HOOK, json=one)).status_code == 200


async def settle(world: World) -> None:
    """
    Let the grace pass.
    """
    for call_id, call in world.calls.calls.items():
        if call.hung_up is not None:
            early = replace(call.hung_up, at=call.hung_up.at - domain.GRACE)
            world.calls.calls[call_id] = replace(call, hung_up=early)
    await world.telephony.switchboard.sweep_once()


# --- the webhook ---


async def test_a_call_is_three_events_after_its_contact(world: World) -> None:
    await tell(world, new_call(queue="ilkim"), answer(), hangup())
    assert types(world.publisher.records) == ["ContactChanged", "CallStarted", "CallAnswered", "CallEnded"]
    (contact,) = world.publisher.on(CONTACTS.name)
    data = decode(contact.topic, contact.key, contact.value, contact.headers).data
    assert isinstance(data, ContactChanged)
    assert (data.contact_id, data.phone) == (CONTACT, PHONE)


async def test_repeats_and_disorder_publish_nothing_twice(world: World) -> None:
    await tell(world, answer(), answer(), new_call(), hangup(), hangup(), answer(), new_call())
    assert types(world.publisher.records) == ["ContactChanged", "CallStarted", "CallAnswered", "CallEnded"]


async def test_a_call_that_nobody_answers_is_missed_when_the_grace_is_over(world: World) -> None:
    await tell(world, new_call(), hangup("cancel"))
    assert types(world.publisher.on(CALLS.name)) == ["CallStarted"]
    await settle(world)
    assert types(world.publisher.on(CALLS.name)) == ["CallStarted", "CallMissed"]


async def test_a_form_says_the_same_as_json(world: World) -> None:
    answered = await world.http.post(HOOK, data=new_call(queue="ilkim") | {"user[]": "Agent Ad", "note": ""})
    assert answered.json() == {"call_id": CALL, "state": "ringing"}
    assert world.calls.calls[CALL].queue == "ilkim"


@pytest.mark.parametrize("number", ["anonymous", "", "Restricted", "42", "sip:ayse@example.com"])
async def test_a_number_that_cannot_be_called_back_makes_no_contact(world: World, number: str) -> None:
    await tell(world, new_call(**{"from": number}))
    assert types(world.publisher.records) == ["CallStarted"]


async def test_an_outgoing_call_is_ignored(world: World) -> None:
    taken = await world.http.post(HOOK, json=new_call(direction="out"))
    assert taken.json() == {"call_id": None, "state": "ignored"}
    assert not world.calls.calls


async def test_only_an_exchange_with_its_token_reports_calls(world: World) -> None:
    assert_problem(await world.http.post("/webhooks/telephony/guessed", json=new_call()), 401)
    assert not world.calls.calls


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (new_call(event="ring"), "event"),
        (new_call(callId=""), "callId"),
        (new_call(callId="x" * 251), "callId"),
        (answer("../42"), "answeringNumber"),
        (new_call(at="yesterday"), "at"),
        (new_call(direction="sideways"), "direction"),
    ],
)
async def test_an_event_that_is_none_is_refused_naming_the_field(
    world: World, body: dict[str, Any], field: str
) -> None:
    refused = await world.http.post(HOOK, json=body)
    assert_problem(refused, 422, field)
    assert NUMBER not in refused.text


async def test_other_bodies_are_refused(world: World) -> None:
    assert_problem(await world.http.post(HOOK, json=[1]), 422, "body")
    assert_problem(await world.http.post(HOOK, content=b"{", headers={"content-type": "application/json"}), 422, "body")
    assert_problem(await world.http.post(HOOK, content=b"x", headers={"content-type": "text/plain"}), 415)
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert_problem(await world.http.post(HOOK, content=b"from=%ff", headers=form), 422, "body")


async def test_while_kafka_is_away_the_call_is_seen_and_its_events_are_on_disk(world: World) -> None:
    world.publisher.failing = True
    await tell(world, new_call())
    shown = await world.http.get("/console/calls", headers=AYSE.headers)
    assert [call["call_id"] for call in shown.json()["calls"]] == [CALL]
    assert world.spool.entries == 1


async def test_when_it_can_be_kept_nowhere_the_call_is_seen_and_the_exchange_has_to_repeat(tmp_path: Path) -> None:
    async with World(tmp_path, spool_bytes=100).running() as world:
        world.publisher.failing = True
        assert_problem(await world.http.post(HOOK, json=new_call()), 503)
        assert CALL in world.calls.calls
        world.publisher.failing = False
        world.keeper._kafka._failures = 0
        await tell(world, new_call())
        assert types(world.publisher.records) == ["ContactChanged", "CallStarted"]


async def test_while_mongo_is_away_the_exchange_has_to_repeat(world: World) -> None:
    world.calls.away = True
    assert_problem(await world.http.post(HOOK, json=new_call()), 503)


@pytest.mark.parametrize("writes", [0, 1, 2, 3, 4, 5])
async def test_wherever_we_die_the_repeats_and_the_sweep_bring_the_same_events(world: World, writes: int) -> None:
    world.calls.crash_after = writes
    events = [new_call(), answer(), hangup()]
    for one in events:
        await world.http.post(HOOK, json=one)
    world.calls.crash_after = None
    await tell(world, *events)
    assert len(set(world.publisher.records)) == len({dict(r.headers)["ce_id"] for r in world.publisher.records})
    assert set(types(world.publisher.records)) == {"ContactChanged", "CallStarted", "CallAnswered", "CallEnded"}


async def test_what_was_noted_and_not_kept_is_kept_by_the_sweep(world: World) -> None:
    await tell(world, new_call())
    call = world.calls.calls[CALL]
    spoken = domain.speak(domain.absorb(call, Report(Step.ANSWERED, CALL, "main", call.last_at), SECRET), call.last_at)
    world.calls.calls[CALL] = replace(spoken, changed_at=call.last_at - timedelta(minutes=1))
    await world.telephony.switchboard.sweep_once()
    assert types(world.publisher.on(CALLS.name)) == ["CallStarted", "CallAnswered"]
    assert world.calls.calls[CALL].outbox == ()


def test_the_body_of_an_exchange_may_say_when_it_was_but_not_long_ago() -> None:
    now = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)

    def at(text: str) -> datetime:
        told = webhook.event_of(strict_json(orjson.dumps(new_call(at=text))))
        return webhook.report_of(told, CALL, "main", now).at

    assert at("2026-06-01T11:59:00.123456+03:00") == datetime(2026, 6, 1, 8, 59, 0, 123000, tzinfo=UTC)
    assert at("2026-05-01T12:00:00+03:00") == now
    assert at("2026-06-02T12:00:00+03:00") == now


# --- the console ---


async def test_calls_are_for_operators_who_are_signed_in(world: World) -> None:
    assert_problem(await world.http.get("/console/calls"), 401)
    manager = signed_in("manager")
    for path in ("/console/calls", "/console/extension", f"/console/calls/{CALL}", "/console/drafts/desk"):
        assert_problem(await world.http.get(path, headers=manager.headers), 403)
    without_csrf = {"Cookie": AYSE.headers["Cookie"]}
    assert_problem(await world.http.post(f"/console/calls/{CALL}/answer", headers=without_csrf), 403)


async def test_an_extension_is_one_person_s(world: World) -> None:
    seat = {"extension": "42"}
    assert (await world.http.put("/console/extension", json=seat, headers=AYSE.headers)).json() == seat
    assert (await world.http.put("/console/extension", json=seat, headers=BORA.headers)).json() == seat
    assert (await world.http.get("/console/extension", headers=AYSE.headers)).json() == {"extension": None}
    assert_problem(await world.http.put("/console/extension", json={"extension": "4 2"}, headers=AYSE.headers), 422)


async def whole(world: World, who: Any, call_id: str = CALL) -> httpx.Response:
    return await world.http.get(f"/console/calls/{call_id}", headers=who.headers)


async def test_who_answered_sees_who_calls_and_others_do_not(world: World) -> None:
    person, old = domain.person_of(SECRET, PHONE), "c_" + "0" * 32
    world.calls.contacts[person] = [old]
    world.calls.requests[old] = [OwnRequest("1" * 13, Status.IN_PROGRESS, "fen-isleri", "yol-cukur", system_clock())]
    world.contacts.known[old] = {"contact_id": old, "name": "Ayşe Yılmaz", "phone": PHONE, "language": "tr"}
    await world.http.put("/console/extension", json={"extension": "42"}, headers=AYSE.headers)
    await tell(world, new_call())
    assert (await whole(world, BORA)).status_code == 200  # it rings for everybody
    await tell(world, answer("42"))
    assert_problem(await whole(world, BORA), 404)
    seen = await whole(world, AYSE)
    body = seen.json()
    assert body["call"]["mine"] is True
    assert body["call"]["state"] == "answered"
    assert [row["request_id"] for row in body["requests"]] == ["1" * 13]
    assert [(row["name"], row["of_this_call"]) for row in body["contacts"]] == [("Ayşe Yılmaz", False)]
    assert seen.headers["cache-control"] == "no-store"
    assert (old, AYSE.person.id, f"call:{CALL}") in world.contacts.audit


async def test_a_call_is_told_without_notify_too(world: World) -> None:
    world.contacts.away = True
    await tell(world, new_call())
    body = (await whole(world, AYSE)).json()
    assert (body["contacts_known"], body["contacts"], body["call"]["state"]) == (False, [], "ringing")


async def test_a_withheld_number_shows_nothing_and_asks_nobody(world: World) -> None:
    await tell(world, new_call(**{"from": "anonymous"}))
    body = (await whole(world, AYSE)).json()
    assert (body["call"]["withheld"], body["contacts"], body["requests"], body["missed_before"]) == (True, [], [], 0)
    assert world.contacts.audit == []


async def test_missed_calls_of_the_same_person_are_counted(world: World) -> None:
    await tell(world, new_call(callId="x0"), hangup("cancel", callId="x0"))
    await settle(world)
    await tell(world, new_call())
    assert (await whole(world, AYSE)).json()["missed_before"] == 1


async def test_a_call_for_one_extension_is_seen_there_alone(world: World) -> None:
    await world.http.put("/console/extension", json={"extension": "42"}, headers=AYSE.headers)
    await tell(world, new_call(extension="42"))
    assert (await whole(world, AYSE)).status_code == 200
    assert_problem(await whole(world, BORA), 404)
    assert_problem(await world.http.post(f"/console/calls/{CALL}/answer", headers=BORA.headers), 404)


async def test_a_call_is_taken_and_ended_by_hand_and_the_second_is_told(world: World) -> None:
    await tell(world, new_call())
    taken = await world.http.post(f"/console/calls/{CALL}/answer", headers=AYSE.headers)
    assert (taken.json()["state"], taken.json()["mine"]) == ("answered", True)
    assert_problem(await world.http.post(f"/console/calls/{CALL}/answer", headers=BORA.headers), 409)
    assert_problem(await world.http.post(f"/console/calls/{CALL}/end", headers=BORA.headers), 404)
    assert (await world.http.post(f"/console/calls/{CALL}/end", headers=AYSE.headers)).json()["state"] == "ended"
    assert_problem(await world.http.post(f"/console/calls/{CALL}/end", headers=AYSE.headers), 409)
    assert types(world.publisher.on(CALLS.name)) == ["CallStarted", "CallAnswered", "CallEnded"]


async def test_a_draft_is_its_owner_s_alone(world: World) -> None:
    await tell(world, new_call())
    path, typed = f"/console/drafts/{CALL}", {"text": "Sokakta çukur", "$odd.name": [1, None]}
    assert (await world.http.put(path, json=typed, headers=AYSE.headers)).status_code == 204
    assert (await world.http.get(path, headers=AYSE.headers)).json() == typed
    assert_problem(await world.http.get(path, headers=BORA.headers), 404)
    assert (await whole(world, AYSE)).json()["draft"] == typed
    assert (await world.http.delete(path, headers=AYSE.headers)).status_code == 204
    assert_problem(await world.http.get(path, headers=AYSE.headers), 404)


async def test_a_draft_needs_a_call_of_one_s_own_or_none(world: World) -> None:
    assert_problem(await world.http.put(f"/console/drafts/{CALL}", json={}, headers=AYSE.headers), 404)
    assert (await world.http.put("/console/drafts/desk", json={}, headers=AYSE.headers)).status_code == 204
    large = {"text": "x" * 65_536}
    assert_problem(await world.http.put("/console/drafts/desk", json=large, headers=AYSE.headers), 413)
    odd = {"number": 2**70}
    assert_problem(await world.http.put("/console/drafts/desk", json=odd, headers=AYSE.headers), 422)


# --- a request made of a call ---

TYPED = {"channel": "phone", "text": "Sokakta çukur var", "call_id": CALL}


async def register(world: World, who: Any = AYSE, **fields: Any) -> httpx.Response:
    return await world.http.post("/v1/requests", json=TYPED | fields, headers=who.bearer)


async def received(world: World) -> RequestReceived:
    record = world.publisher.on(RECEIVED.name)[-1]
    data = decode(record.topic, record.key, record.value, record.headers).data
    assert isinstance(data, RequestReceived)
    return data


async def take(world: World, **fields: Any) -> None:
    await tell(world, new_call(**fields))
    await world.http.post(f"/console/calls/{CALL}/answer", headers=AYSE.headers)


async def test_a_request_of_a_call_carries_its_contact_and_ends_its_draft(world: World) -> None:
    await take(world)
    await world.http.put(f"/console/drafts/{CALL}", json={"text": "x"}, headers=AYSE.headers)
    taken = await register(world)
    assert taken.status_code == 202
    assert (await received(world)).contact_id == CONTACT
    assert len(world.publisher.on(CONTACTS.name)) == 1
    assert world.calls.calls[CALL].request_id == taken.json()["request_id"]
    assert world.calls.drafts == {}
    await tell(world, hangup())
    ended = world.publisher.on(CALLS.name)[-1]
    assert taken.json()["request_id"] in (ended.value or b"").decode()


async def test_what_is_typed_with_the_number_completes_the_call_s_contact(world: World) -> None:
    await take(world)
    await register(world, citizen={"name": "Ayşe Yılmaz", "phone": "0532 111 22 33"})
    record = world.publisher.on(CONTACTS.name)[-1]
    contact = decode(record.topic, record.key, record.value, record.headers).data
    assert isinstance(contact, ContactChanged)
    assert (contact.contact_id, contact.name, contact.phone) == (CONTACT, "Ayşe Yılmaz", PHONE)
    assert contact.changed_at > world.calls.calls[CALL].first_at
    assert (await received(world)).contact_id == CONTACT


async def test_what_is_typed_without_the_number_does_not_take_it_from_the_call(world: World) -> None:
    await take(world)
    await register(world, citizen={"name": "Ayşe Yılmaz"})
    assert (await received(world)).contact_id not in (CONTACT, "contact:none")
    assert [record.key.decode() for record in world.publisher.on(CONTACTS.name)].count(CONTACT) == 1


async def test_who_wants_to_stay_unknown_stays_unknown(world: World) -> None:
    await take(world)
    await register(world, contact="none")
    assert (await received(world)).contact_id == "contact:none"


async def test_a_withheld_number_gives_a_request_no_contact(world: World) -> None:
    await take(world, **{"from": "anonymous"})
    await register(world)
    assert (await received(world)).contact_id == "contact:none"


async def test_a_request_of_a_call_is_for_its_operator_alone(world: World) -> None:
    assert_problem(await register(world), 422, "call_id")
    await take(world)
    assert_problem(await register(world, BORA), 422, "call_id")
    machine = await world.http.post("/v1/requests", json=TYPED, headers={"X-API-Key": "all"})
    assert_problem(machine, 422, "call_id")


async def test_a_request_is_registered_although_the_calls_cannot_be_read(world: World) -> None:
    await take(world)
    world.calls.away = True
    assert (await register(world)).status_code == 202


# --- what the console is told ---


def change(*reports: Report, **seats: str) -> Change:
    call = None
    for one in reports:
        call = domain.absorb(call, one, SECRET)
    assert call is not None
    return Change(replace(call, changed_at=call.last_at, rev=1), seats)


RANG = Report(Step.RANG, CALL, "main", datetime(2026, 6, 1, 9, tzinfo=UTC), phone=PHONE)
TAKEN = Report(Step.ANSWERED, CALL, "main", RANG.at + timedelta(seconds=5), extension="42", by=AYSE.person.id)
OVER = Report(Step.HUNG_UP, CALL, "main", RANG.at + timedelta(seconds=9))


@pytest.mark.parametrize(
    ("reports", "hers", "his"),
    [
        ((RANG,), b"ringing", b"ringing"),
        ((RANG, TAKEN), b"answered", b"taken"),
        ((RANG, TAKEN, OVER), b"ended", b"gone"),
        ((RANG, OVER), b"missed", b"missed"),
    ],
)
def test_each_is_told_what_concerns_them(reports: tuple[Report, ...], hers: bytes, his: bytes) -> None:
    for who, name in ((AYSE, hers), (BORA, his)):
        told = event(change(*reports), who.person.id)
        assert told is not None
        lines = told.split(b"\n")
        assert lines[1] == b"event: " + name
        assert PHONE.encode() not in told
    assert (b"exchange" in (event(change(RANG, TAKEN), BORA.person.id) or b"")) is False


def test_whoever_has_just_come_is_told_only_of_what_is_theirs() -> None:
    assert event(change(RANG, TAKEN), BORA.person.id, first=True) is None
    assert event(change(RANG, OVER), BORA.person.id, first=True) is None
    assert event(change(RANG), BORA.person.id, first=True) is not None


def test_nobody_else_hears_what_rings_at_one_extension() -> None:
    at_42 = replace(RANG, extension="42")
    assert event(change(at_42, **{AYSE.person.id: "42"}), AYSE.person.id) is not None
    assert event(change(at_42, **{AYSE.person.id: "42"}), BORA.person.id) is None


async def test_a_stream_tells_what_is_on_then_what_comes_and_ends_with_the_token(tmp_path: Path) -> None:
    store, now = FakeCallStore(), RANG.at
    mongo = Breaker("calls", (), pause=0)
    board = Board(store, mongo, lambda: now)

    async def note(report: Report) -> None:
        await store.change(CALL, lambda call: domain.absorb(call, report, SECRET), report.at)

    await note(RANG)
    stream = board.stream(AYSE.person.id, now + timedelta(minutes=15))
    assert await anext(stream) == b"retry: 1000\n\n"
    assert b"event: ringing" in await anext(stream)
    await note(TAKEN)
    await board.look()
    assert b"event: answered" in await anext(stream)
    await board.look()  # nothing new
    await note(OVER)
    await board.look()
    ended = await anext(stream)
    assert b"event: ended" in ended
    now += timedelta(minutes=15)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert not board._listeners
    number = ended.split(b"\n")[0].removeprefix(b"id: ").decode()
    again = board.stream(AYSE.person.id, now + timedelta(minutes=15), number)
    assert await anext(again) == b"retry: 1000\n\n"
    assert b"event: ended" in await anext(again)
    await again.aclose()


async def test_the_board_looks_only_while_somebody_listens() -> None:
    board = Board(FakeCallStore(), Breaker("calls", (), pause=0), system_clock)
    assert await board.on_now(AYSE.person.id) == []
    assert board._listeners == set()


def test_a_call_is_shown_without_number_and_name() -> None:
    shown = view(change(RANG, TAKEN).call, AYSE.person.id, None)
    assert set(shown) == {
        "call_id", "state", "started_at", "answered_at", "ended_at", "exchange", "queue", "extension", "withheld",
        "mine", "request_id", "rev",
    }  # fmt: skip
    assert shown["started_at"] == "2026-06-01T09:00:00.000000Z"


# --- Twilio ---


async def twilio(world: World, path: str, token: str = TWILIO, **fields: str) -> httpx.Response:
    form = {"CallSid": "CA1", "From": PHONE, "To": "+903624445501", "CallStatus": "ringing", **fields}
    signature = RequestValidator(token).compute_signature(f"https://ilkim.example{path}", form)
    return await world.http.post(path, data=form, headers={"X-Twilio-Signature": signature})


async def test_a_call_by_twilio_hears_the_menu_and_is_a_call_like_others(world: World) -> None:
    heard = await twilio(world, "/webhooks/twilio/voice")
    assert heard.headers["content-type"].startswith("text/xml")
    assert "6698" in heard.text
    assert "112" in (await twilio(world, "/webhooks/twilio/voice/menu", Digits="1")).text
    await twilio(world, "/webhooks/twilio/voice/status", CallSid="CA2", ParentCallSid="CA1", CallStatus="in-progress")
    await twilio(world, "/webhooks/twilio/voice/status", CallStatus="completed")
    assert types(world.publisher.records) == ["ContactChanged", "CallStarted", "CallAnswered", "CallEnded"]


async def test_what_twilio_did_not_sign_is_refused(world: World) -> None:
    assert_problem(await twilio(world, "/webhooks/twilio/voice", token="another"), 403)
    assert_problem(await world.http.post("/webhooks/twilio/voice", data={"CallSid": "CA1"}), 403)
    assert not world.calls.calls


async def test_a_browser_hears_of_a_call_over_a_real_connection(tmp_path: Path) -> None:
    world = World(tmp_path)
    app = create_app(world.parts)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, ws="none"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(60):
        while not server.started:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
        watching = asyncio.create_task(world.telephony.board.watch())
        url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        async with (
            httpx.AsyncClient(base_url=url, timeout=30) as http,
            http.stream("GET", "/console/calls/stream", headers=AYSE.headers) as stream,
        ):
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.aiter_lines()
            assert await anext(lines) == "retry: 1000"
            await http.post(HOOK, json=new_call())
            async for line in lines:
                if line == "event: ringing":
                    break
            data = orjson.loads((await anext(lines)).removeprefix("data: "))
            assert (data["call_id"], data["state"]) == (CALL, "ringing")
        watching.cancel()
        server.should_exit = True
        await serving
