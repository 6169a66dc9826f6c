"""
What intake takes from whoever is signed in: who they are goes with it, and what others asked for stays unseen.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.common.contracts.events import CitizenReplied, RequestReceived, UpdateSubmitted
from services.common.contracts.ids import random_request_id
from services.common.contracts.roles import Role
from services.intake.schemas import UpdateResult
from tests.builders import read
from tests.people import signed_in
from tests.unit.intake.intakes import World, assert_problem

CLERK = signed_in(Role.DEPARTMENT, departments=("zabita",))
COLLEAGUE = signed_in(Role.DEPARTMENT, departments=("zabita",), person_id="u_00000000000000c2")
OPERATOR = signed_in(Role.OPERATOR)
STRANGER = "u_0000000000000000"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path).running() as running:
        del running.http.headers["X-API-Key"]
        yield running


def last(world: World) -> Any:
    return read(world.publisher.records[-1]).data


async def test_who_is_signed_in_asked_for_the_update_and_no_body_says_otherwise(world: World) -> None:
    path = f"/v1/requests/{random_request_id()}/updates"
    body = {"action": "accept", "expected_seq": 3}

    taken = await world.post(path, json=body, headers=CLERK.bearer)
    assert taken.status_code == 202
    update = last(world)
    assert isinstance(update, UpdateSubmitted)
    assert (update.by, update.adapter, update.department) == (CLERK.person.id, f"person:{CLERK.person.id}", "zabita")
    assert update.expected_seq == 3
    assert_problem(await world.post(path, json=body | {"by": STRANGER}, headers=CLERK.bearer), 422, "by")
    other = body | {"department": "fen-isleri"}
    assert_problem(await world.post(path, json=other, headers=CLERK.bearer), 403)


async def test_the_key_of_one_person_is_not_the_key_of_another(world: World) -> None:
    path, body = f"/v1/requests/{random_request_id()}/updates", {"action": "accept"}

    async def sent(who: Any) -> str:
        answer = await world.post(path, json=body, headers=who.bearer | {"Idempotency-Key": "form-1"})
        return str(answer.json()["update_id"])

    assert await sent(CLERK) == await sent(CLERK) != await sent(COLLEAGUE)


async def test_who_is_signed_in_typed_the_request_and_the_reply(world: World) -> None:
    request = {"channel": "phone", "text": "Sokak lambası yanmıyor", "contact": "none"}
    reply = {"channel": "phone", "text": "Bakkalın önünde"}
    for path, body, kind in (
        ("/v1/requests", request, RequestReceived),
        (f"/v1/requests/{random_request_id()}/replies", reply, CitizenReplied),
    ):
        assert (await world.post(path, json=body, headers=OPERATOR.bearer)).status_code == 202
        assert isinstance(last(world), kind)
        assert last(world).entered_by == OPERATOR.person.id
        other = body | {"entered_by": STRANGER}
        assert_problem(await world.post(path, json=other, headers=OPERATOR.bearer), 422, "entered_by")


async def test_a_clerk_reads_what_became_of_the_own_wishes_alone(world: World) -> None:
    number = random_request_id()
    by = {"mine": CLERK.person.id, "other": COLLEAGUE.person.id, "machine": None}
    for name, who in by.items():
        result = UpdateResult(update_id=name, result="refused", reason="not_the_holder", detail="…", by=who)
        world.store.updates[number, name] = result

    async def status(name: str, headers: dict[str, str]) -> int:
        return (await world.http.get(f"/v1/requests/{number}/updates/{name}", headers=headers)).status_code

    assert [await status(name, CLERK.bearer) for name in by] == [200, 404, 404]
    assert [await status(name, OPERATOR.bearer) for name in by] == [200, 200, 200]
    assert [await status(name, {"X-API-Key": "all"}) for name in by] == [200, 200, 200]
    shown = await world.http.get(f"/v1/requests/{number}/updates/mine", headers=CLERK.bearer)
    assert "by" not in shown.json()
