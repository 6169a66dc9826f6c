"""
The HTTP side over ASGI: what departments do, and what citizens reply.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.common.contracts.events import CitizenReplied, UpdateSubmitted
from services.common.contracts.ids import grouped, random_request_id
from services.common.contracts.vocabulary import Status
from services.common.kit.clock import system_clock
from services.intake.read_model import CaseState
from services.intake.schemas import UpdateResult
from tests.unit.intake.intakes import NEW, World, assert_problem, published
from tests.waiting import until


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path).running() as running:
        yield running


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
    monkeypatch.setattr("tests.unit.intake.intakes.system_clock", lambda: started)
    first = World(tmp_path)
    async with first.running():
        taken = [
            await first.post(updates_of(request_id), json=plan, headers=key),
            await first.post(json=need, headers=key),
        ]
    monkeypatch.setattr("tests.unit.intake.intakes.system_clock", lambda: started + timedelta(days=2))
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
