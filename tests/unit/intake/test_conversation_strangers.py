"""
What somebody can do with the number of a request that is not theirs.
"""

from typing import Any

import pytest

from services.common.contracts import topics
from services.common.contracts.ids import grouped
from services.common.contracts.vocabulary import Status
from tests.unit.intake.talks import DONE, OPEN, message, own
from tests.unit.intake.test_conversation_handler import World

STRANGER: dict[str, Any] = {"person": "5" * 32, "also": ("6" * 32,), "contact_id": "c_" + "5" * 32}


def offered(world: World) -> set[str]:
    """
    All that anybody was given to choose from.
    """
    return {option.id for one in world.published(topics.MESSAGES_OUT) for option in one.options}


async def test_an_open_request_that_a_stranger_names_gets_their_words_and_they_are_offered_nothing() -> None:
    world = World(own())
    await world.take(message("1", f"{grouped(OPEN)} hâlâ duruyor", number=OPEN, **STRANGER))
    await world.pass_by(60)
    assert [one.request_id for one in world.published(topics.UPDATES)] == [OPEN]
    assert offered(world) == set()


async def test_a_closed_request_that_a_stranger_names_is_not_theirs_to_open_again() -> None:
    world = World(own(DONE, Status.RESOLVED, closed_seq=4))
    await world.take(message("1", f"{grouped(DONE)} Kale mahallesi, hâlâ duruyor", number=DONE, **STRANGER))
    await world.pass_by(700, step=20)
    assert offered(world) == set()
    assert world.published(topics.UPDATES) == []
    (request,) = world.published(topics.RECEIVED)
    assert request.contact_id == STRANGER["contact_id"]


@pytest.mark.parametrize("choice", [f"req:{OPEN}", f"reopen:{OPEN}:4", f"fb:{OPEN}:4:1"])
async def test_a_button_about_somebody_elses_request_does_nothing(choice: str) -> None:
    world = World(own(status=Status.RESOLVED, closed_seq=4))
    await world.take(message("1", None, kind="choice", choice=choice, **STRANGER))
    await world.pass_by(700, step=20)
    assert {one.say for one in world.published(topics.MESSAGES_OUT)} == {"notice"}
    assert world.published(topics.UPDATES) == world.published(topics.RECEIVED) == []


async def test_who_names_nothing_is_offered_their_own_requests_and_a_stranger_none() -> None:
    for who, own_ones in (({}, {f"req:{OPEN}", "new"}), (STRANGER, set())):
        world = World(own())
        await world.take(message("1", "Lamba", **who))
        await world.pass_by(60)
        assert offered(world) == own_ones
