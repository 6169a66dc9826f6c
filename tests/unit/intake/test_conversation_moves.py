"""
People who move to another number, and who has the old one after them.
"""

from datetime import timedelta
from typing import Any

from services.common.contracts import topics
from services.common.contracts.events import MessageReceived
from tests.unit.intake.talks import ANA, HER_NUMBER, NOON, OPEN, message, own
from tests.unit.intake.test_conversation_handler import World

NEW, HEIR, HEIRS_ID = "5" * 32, "6" * 32, "7" * 32
LATER = timedelta(days=90).total_seconds()


def moved(name: str = "m", *, sent: float = 5, **fields: Any) -> MessageReceived:
    """
    Ana has another number now; her contact of old is reached there.
    """
    given: dict[str, Any] = {"kind": "moved", "person": NEW, "replaces": ANA, "also": (), "contact_id": "c_" + NEW}
    return message(name, None, sent=sent, **(given | fields))


def next_owners(name: str, text: str, **fields: Any) -> MessageReceived:
    """
    A message of who has Ana's number after her; WhatsApp knows them by another id.
    """
    given: dict[str, Any] = {"sent": LATER, "also": (HER_NUMBER, HEIRS_ID), "contact_id": "c_" + HEIR}
    return message(name, text, **(given | fields))


async def moved_world() -> World:
    """
    Ana had an open request and moved; months went by.
    """
    world = World(own())
    await world.take(message("1", "Kale mahallesi, çukur"))
    await world.take(moved())
    world.persons.hashes = {NEW}
    await world.pass_by(700, step=100)
    world.now = NOON + timedelta(seconds=LATER)
    world.topic.records.clear()
    return world


async def test_the_next_owner_of_a_number_begins_a_conversation_and_is_offered_nothing() -> None:
    world = await moved_world()
    await world.take(next_owners("2", "Kale mahallesi, lamba yanmıyor"))
    assert {one.say for one in world.published(topics.MESSAGES_OUT)} == {"notice"}
    await world.pass_by(130)
    (request,) = world.published(topics.RECEIVED)
    assert (request.text, request.contact_id) == ("Kale mahallesi, lamba yanmıyor", "c_" + HEIR)
    assert len(world.store.rows) == 2


async def test_who_moved_is_still_offered_their_own() -> None:
    world = await moved_world()
    await world.take(message("2", "Lamba", sent=LATER, person=NEW, also=(), contact_id="c_" + NEW))
    await world.pass_by(60)
    offered = [option.id for one in world.published(topics.MESSAGES_OUT) for option in one.options]
    assert f"req:{OPEN}" in offered
    assert len(world.store.rows) == 1


async def test_what_was_sent_before_the_move_and_comes_after_it_is_still_the_movers() -> None:
    world = World()
    await world.take(message("1", "Çukur var"), message("1", "Çukur var"))
    await world.take(moved())
    await world.take(message("2", "Kale mahallesi", sent=3))
    await world.pass_by(130)
    (request,) = world.published(topics.RECEIVED)
    assert (request.text, request.contact_id) == ("Çukur var\nKale mahallesi", "c_" + NEW)


async def test_a_number_can_have_a_third_owner() -> None:
    world = await moved_world()
    await world.take(next_owners("2", "Kale mahallesi, lamba"))
    await world.take(moved("m2", sent=LATER + 5, person="8" * 32, contact_id="c_" + "8" * 32))
    third = {"also": (), "contact_id": "c_" + "4" * 32}
    await world.take(next_owners("3", "Kale mahallesi, çöp", sent=2 * LATER, **third))
    assert len(world.store.rows) == 3


async def test_who_moves_back_is_the_same_person() -> None:
    world = await moved_world()
    back = {"person": ANA, "replaces": NEW, "contact_id": "c_" + ANA, "also": (HER_NUMBER,)}
    await world.take(moved("m2", sent=LATER, **back))
    await world.take(message("2", "Kale mahallesi, lamba", sent=LATER + 5))
    assert len(world.store.rows) == 1
