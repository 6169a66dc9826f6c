"""
Archive, projection and figures on a server that speaks MongoDB's protocol.
"""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from services.common.contracts import events
from services.common.contracts.envelope import Received
from services.common.kit.clock import FrozenClock
from services.common.kit.mongo import Client
from services.reporting.projections import subject_of
from services.reporting.repository import Repository
from tests.unit.reporting.lives import START, Life, deliver, documents_of, random_lives

pytestmark = pytest.mark.integration

NOW = START + timedelta(days=20)
PLACE = events.Location(address="Lale Sk. 14")


@pytest.fixture
async def repository(client: Client, database: str) -> Repository:
    repository = Repository(client, database)
    await repository.prepare()
    return repository


async def take(repository: Repository, received: Sequence[Received]) -> None:
    await repository.keep([deliver(event) for event in received])
    await repository.project(received)


async def documents(repository: Repository) -> dict[str, dict[str, Any]]:
    found = {row.pop("_id"): row async for row in repository.requests.find()}
    for row in found.values():
        row.pop("rev")
        row.pop("days", None)
        row.pop("written_at", None)
    return found


async def test_what_is_read_back_is_what_was_folded(repository: Repository) -> None:
    lives = list(random_lives(1, 40))

    await take(repository, [event for life in lives for event in life.events])

    assert await documents(repository) == documents_of(event for life in lives for event in life.events)


async def test_two_projectors_with_the_same_events_in_another_order_agree(repository: Repository) -> None:
    lives = list(random_lives(2, 25))
    received = [event for life in lives for event in life.events]

    async def one(seed: int) -> None:
        shuffled = random.Random(seed).sample(received, len(received))
        for start in range(0, len(shuffled), 20):
            await take(repository, shuffled[start : start + 20])

    await asyncio.gather(one(1), one(2))

    assert await documents(repository) == documents_of(event for life in lives for event in life.events)


@pytest.mark.parametrize("first", [0, 1])
async def test_a_part_gets_its_parents_body_whichever_of_two_projectors_is_killed(
    repository: Repository, first: int
) -> None:
    # What a kill between own events and inheritance leaves: the one side is written, the other process has not looked.
    life = Life().receive("duvar").register().assign().split(2)
    parents = [event for event in life.events if subject_of(event) == life.request_id]
    parts = [event for event in life.events if subject_of(event) != life.request_id]
    halves = [parents, parts]
    known = documents_of(halves[first])
    await repository.requests.insert_many([{"_id": name, "rev": 1, **row} for name, row in known.items()])

    await take(repository, halves[1 - first])

    assert await documents(repository) == documents_of(life.events)


async def test_no_note_and_no_reply_is_archived(repository: Repository) -> None:
    life = Life().receive().register().assign()
    life.remark(events.NoteAdded, note="gizli not").remark(events.ReplyReceived, reply="gizli yanıt")

    await take(repository, life.events)

    rows = [row async for row in repository.archive.find()]
    assert len(rows) == len(life.events)
    assert "gizli" not in str(rows)


async def test_of_a_departments_topic_the_words_are_archived_once_and_nothing_that_came_otherwise(
    repository: Repository,
) -> None:
    life = Life().receive("Ali Veli'nin kapısı").register().assign("zabita").whisper(text="Ali Veli'nin kapısı")
    life.assign("fen-isleri").whisper(reason="kazı var", text="Ali Veli'nin kapısı", location=PLACE)

    await take(repository, life.events)
    await take(repository, life.events)

    rows = [row async for row in repository.archive.find({"topic": {"$regex": "^requests.dept"}})]
    assert [(row["topic"], "kazı var" in row["value"]) for row in rows] == [("requests.dept.fen-isleri", True)]
    assert "Ali" not in rows[0]["value"]
    assert "Lale" not in rows[0]["value"]


async def test_what_changed_lately_is_told_to_who_holds_it_or_held_it(repository: Repository) -> None:
    clock = FrozenClock(NOW)
    repository = Repository(repository._client, repository.requests.database.name, clock)
    here = Life(1).receive().register().assign("zabita")
    await take(repository, here.events)
    clock.advance(timedelta(minutes=1))
    gone = Life(2).receive().register().assign("zabita").assign("fen-isleri")
    await take(repository, gone.events)

    async def ids(after: timedelta, *departments: str) -> set[str]:
        return {change.id for change in await repository.changed_since(NOW + after, departments)}

    assert await ids(timedelta(), "zabita") == {here.request_id, gone.request_id}
    assert await ids(timedelta(), "fen-isleri", "park-bahceler") == {gone.request_id}
    assert await ids(timedelta(seconds=30), "zabita") == {gone.request_id}
    assert await ids(timedelta(seconds=64), "zabita") == {gone.request_id}, "it may be seen late"
    assert await ids(timedelta(seconds=66), "zabita") == set()
    (change,) = await repository.changed_since(NOW + timedelta(seconds=30), ["zabita"])
    assert (change.department, change.rev, change.written_at) == ("fen-isleri", 1, clock())
    clock.advance(timedelta(minutes=1))
    await take(repository, gone.events)  # nothing new
    assert await ids(timedelta(seconds=70), "zabita") == set()
    await take(repository, gone.remark(events.NoteAdded).whisper(note="n").events[-1:])
    assert await ids(timedelta(seconds=70), "zabita") == {gone.request_id}


async def test_a_repeated_batch_writes_nothing(repository: Repository) -> None:
    received = Life().receive().register().assign().events
    await take(repository, received)
    before = await repository.requests.find_one()

    await take(repository, received)

    assert await repository.requests.find_one() == before
    assert await repository.archive.count_documents({}) == len(received)
