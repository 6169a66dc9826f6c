"""
Conversations at work, with their surroundings in memory; and killed anywhere.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.contracts import topics
from services.common.contracts.envelope import Record
from services.common.contracts.events import MessageReceived, NotificationSent
from services.common.contracts.ids import message_hash
from services.common.contracts.vocabulary import Channel, NotifyVia
from services.intake.conversations.handler import Conversations, sent_in
from tests.unit.intake.conversation_fakes import (
    Died,
    FakeConversations,
    FakeFiles,
    FakePersons,
    FakeSuggestions,
    FakeTopic,
    Fate,
)
from tests.unit.intake.talks import ANA, HER_NUMBER, NOON, OPEN, RULES, message, own, read

KEPT = "a_" + "7" * 32
PHOTO = [{"provider_id": "77", "mime_type": "image/jpeg"}]


class World:
    """
    Everything a worker stands on, which outlives it, and a clock.
    """

    def __init__(self, *requests: Any, dies_at: Sequence[int] = ()) -> None:
        fate = Fate(dies_at)
        self.now = NOON
        self.store = FakeConversations(RULES, fate)
        self.persons = FakePersons("c_" + "9" * 32, (ANA, HER_NUMBER), *requests)
        self.topic = FakeTopic(fate)
        self.suggestions = FakeSuggestions()
        self.files = FakeFiles({"77": KEPT}, fate)

    @property
    def worker(self) -> Conversations:
        return Conversations(
            store=self.store,
            persons=self.persons,
            sender=self.topic,
            suggestions=self.suggestions,
            files=self.files,
            rules=RULES,
            clock=lambda: self.now,
        )

    async def take(self, *messages: MessageReceived) -> None:
        await self.worker.take(messages)

    async def pass_by(self, seconds: float, step: float = 5) -> None:
        """
        Time passes; the worker sweeps and fetches meanwhile.
        """
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.now += timedelta(seconds=step)
            await until_alive(lambda: self.worker.fetch())
            await until_alive(lambda: self.worker.sweep())

    def published(self, topic: topics.Topic) -> list[Any]:
        return [read(record) for record in self.topic.records if record.topic == topic.name]


async def until_alive(work: Callable[[], Awaitable[None]]) -> None:
    """
    Do it with a new worker whenever one dies.
    """
    while True:
        try:
            return await work()
        except Died:
            continue


async def test_messages_become_a_request_after_the_quiet_time() -> None:
    world = World()
    await world.take(message("1", "Çukur var"), message("2", "Kale mahallesi", sent=1))
    assert [one.say for one in world.published(topics.MESSAGES_OUT)] == ["notice"]
    await world.pass_by(130)
    assert [one.text for one in world.published(topics.RECEIVED)] == ["Çukur var\nKale mahallesi"]
    assert world.suggestions.asked == ["Çukur var", "Kale mahallesi"]


async def test_a_file_is_fetched_kept_and_tied_before_its_request_is_published() -> None:
    world = World()
    await world.take(message("1", "Kale mahallesi, çukur", kind="media", media=PHOTO))
    await world.pass_by(130)
    (request,) = world.published(topics.RECEIVED)
    assert request.attachments == (KEPT,)
    assert [(tie.request_id, tie.owner, tie.attachments) for tie in world.files.tied] == [
        (request.request_id, "whatsapp", (KEPT,))
    ]


async def test_a_file_that_cannot_be_had_now_is_tried_until_it_can() -> None:
    world = World()
    world.files.files.clear()
    await world.take(message("1", "Kale mahallesi, çukur", kind="media", media=PHOTO))
    await world.pass_by(200)
    assert world.published(topics.RECEIVED) == []
    world.files.files["77"] = KEPT
    await world.pass_by(60)
    assert [one.attachments for one in world.published(topics.RECEIVED)] == [(KEPT,)]


def candidate(service: str, confidence: float) -> dict[str, Any]:
    return {"service": service, "department": "fen-isleri", "confidence": confidence}


@pytest.mark.parametrize(
    ("text", "service", "candidates", "urgent"),
    [
        ("Rögar kapağı açık", "rogar-kapagi", [], True),
        ("Çocuk kuyuya düştü", "siniflandirilamadi", [candidate("oyun-grubu-tehlike", 0.58)], True),
        ("Binadan duman çıkıyor", "duman-koku", [candidate("duman-koku", 0.91)], True),
        ("Teşekkür ederim", "oneri-tesekkur", [candidate("oneri-tesekkur", 0.88)], False),
        ("Bakkalın önünde", "siniflandirilamadi", [candidate("evsiz-barinma", 0.39)], False),
    ],
)
async def test_routings_word_of_danger_counts_if_the_text_is_about_an_emergency(
    text: str, service: str, candidates: list[dict[str, Any]], urgent: bool
) -> None:
    world = World()
    world.suggestions.answer = {"emergency": True, "service": service, "candidates": candidates}
    await world.take(message("1", text))
    assert ("danger" in [one.say for one in world.published(topics.MESSAGES_OUT)]) is urgent


async def test_what_routing_takes_for_danger_by_mistake_stays_with_its_request() -> None:
    world = World(own())
    world.store.about[Channel.WHATSAPP, "ours"] = OPEN
    world.suggestions.answer = {"emergency": True, "service": "agac-devrilme"}
    await world.take(message("1", "Ağacı kim kesecek?", reply_to=("ours",)))
    assert [one.say for one in world.published(topics.MESSAGES_OUT)] == ["notice", "added"]


async def test_an_emergency_is_known_without_routing_too() -> None:
    world = World()
    world.suggestions.away = True
    await world.take(message("1", "Kale mahallesinde yangın var"))
    assert [one.text for one in world.published(topics.RECEIVED)] == ["Kale mahallesinde yangın var"]
    assert [one.say for one in world.published(topics.MESSAGES_OUT)] == ["notice", "danger"]


async def test_an_answer_to_a_message_of_ours_finds_its_request() -> None:
    world = World(own())
    world.store.about[Channel.WHATSAPP, "wamid.ours"] = OPEN
    await world.take(message("1", "Bakkalın önünde", reply_to=("wamid.ours",)))
    assert [(one.request_id, one.text) for one in world.published(topics.UPDATES)] == [(OPEN, "Bakkalın önünde")]


async def test_one_person_with_another_hash_has_one_conversation() -> None:
    world = World()
    await world.take(message("1", "Çukur var"))
    await world.take(message("2", "Kale mahallesi", sent=1, person="5" * 32, also=(ANA, HER_NUMBER)))
    await world.pass_by(130)
    assert len(world.store.rows) == 1
    assert [one.text for one in world.published(topics.RECEIVED)] == ["Çukur var\nKale mahallesi"]


async def test_on_another_channel_it_is_another_conversation() -> None:
    world = World()
    await world.take(message("1", "Kale mahallesi"), message("1", "Çukur", channel="sms"))
    await world.pass_by(130)
    assert sorted(one.channel for one in world.published(topics.RECEIVED)) == ["sms", "whatsapp"]


async def test_words_vanish_from_the_database_when_they_became_a_request() -> None:
    world = World()
    await world.take(message("1", "gizli söz"))
    await world.pass_by(130)
    assert "gizli söz" in world.published(topics.RECEIVED)[0].text
    ((state, outbox, _),) = world.store.rows.values()
    assert (outbox, "gizli" in state.decode()) == (b"", False)


def test_our_messages_are_kept_by_their_providers_ids() -> None:
    given: dict[str, Any] = {"request_id": OPEN, "transition": "received", "recipient": "c_" + ANA, "occurred_at": NOON}
    rows = [
        NotificationSent(**given, channel=NotifyVia.WHATSAPP, message_hash=message_hash("whatsapp", "wamid.1")),
        NotificationSent(**given, channel=NotifyVia.EMAIL),
        NotificationSent(**given, channel=NotifyVia.WEBHOOK, message_hash=message_hash("webhook", "x")),
        None,
    ]
    assert sent_in(rows) == {message_hash(Channel.WHATSAPP, "wamid.1"): OPEN}


# --- killed anywhere ---

GIVEN = (
    message("1", "Çukur var"),
    message("2", None, sent=1, kind="media", media=PHOTO),
    message("3", "Bakkalın önünde", sent=2, reply_to=("ours",)),
    message("4", "Kale mahallesi", sent=3),
    message("5", "DUR", sent=4, wish="stop"),
)


async def lived_through(batches: Sequence[Sequence[MessageReceived]], dies_at: Sequence[int]) -> list[Record]:
    world = World(dies_at=dies_at)
    world.store.about[Channel.WHATSAPP, "ours"] = OPEN
    for batch in batches:
        await until_alive(lambda batch=batch: world.take(*batch))  # type: ignore[misc]
    await world.pass_by(140, step=35)
    while any(outbox for _, outbox, _ in world.store.rows.values()):
        await world.pass_by(10, step=10)
    return world.topic.records


@settings(max_examples=100)
@given(
    cuts=st.sets(st.integers(1, len(GIVEN) - 1)),
    dies_at=st.lists(st.integers(1, 90), max_size=12),
    again=st.sets(st.integers(0, len(GIVEN) - 1)),
)
async def test_killed_anywhere_the_same_is_requested_and_said(
    cuts: set[int], dies_at: list[int], again: set[int]
) -> None:
    edges = [0, *sorted(cuts), len(GIVEN)]
    batches = [GIVEN[start:end] for start, end in pairwise(edges)]
    expected = await lived_through([GIVEN], [])
    records = await lived_through([*batches, [GIVEN[place] for place in again]], dies_at)
    versions: dict[bytes, set[Record]] = defaultdict(set)
    for record in records:
        versions[dict(record.headers)["ce_id"]].add(record)
    assert all(len(found) == 1 for found in versions.values()), "an event stands on its topic in two versions"
    assert set(records) == set(expected)
