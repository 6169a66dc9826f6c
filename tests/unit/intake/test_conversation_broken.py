"""
A conversation over which our code breaks, and Kafka away: neither stops the others.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.errors import KafkaError, KafkaTimeoutError

from services.common.contracts import topics
from services.common.contracts.envelope import Record
from services.common.kit import metrics
from services.intake.conversations import handler, timing
from services.intake.conversations.handler import BROKEN_FOR, PUBLISHED_WITHIN, for_ever
from services.intake.conversations.model import Conversation, File
from tests.unit.intake.talks import ANA, NOON, message
from tests.unit.intake.test_conversation_handler import PHOTO, World

OTHER: dict[str, Any] = {"person": "5" * 32, "also": (), "contact_id": "c_" + "5" * 32}


def broken() -> float:
    """
    How many conversations were counted as broken.
    """
    return float(metrics.conversations_total.labels("whatsapp", "broken")._value.get())


@pytest.fixture
def anas_breaks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """
    Whatever time brings in Ana's conversation breaks; who was tried is listed.
    """
    tried, sound = [], timing.tick

    def tick(conversation: Conversation, *given: object) -> Conversation:
        tried.append(conversation.person)
        if conversation.person == ANA:
            raise TypeError("a bug, and words of hers")
        return sound(conversation, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(timing, "tick", tick)
    return tried


async def test_a_conversation_that_breaks_waits_alone(
    anas_breaks: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    world, before = World(), broken()
    await world.take(message("1", "Kale mahallesi, çukur"))
    await world.take(message("2", "Kale mahallesi, lamba", **OTHER))
    await world.pass_by(150)
    assert [one.text for one in world.published(topics.RECEIVED)] == ["Kale mahallesi, lamba"]
    assert anas_breaks.count(ANA) == 1, "it is not tried again at once"
    assert broken() == before + 1
    said = capsys.readouterr()
    assert "words of hers" not in said.out + said.err
    await world.pass_by(BROKEN_FOR.total_seconds())
    assert anas_breaks.count(ANA) == 2


async def test_a_file_over_which_we_break_waits_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    world, before = World(), broken()
    kept = world.files.keep

    async def keep(file: File, owner: str) -> str | None:
        if file.provider_id == "66":
            raise ValueError("a bug")
        return await kept(file, owner)

    monkeypatch.setattr(world.files, "keep", keep)
    bad = [{"provider_id": "66", "mime_type": "image/jpeg"}]
    await world.take(message("1", "Kale mahallesi, çukur", kind="media", media=bad))
    await world.take(message("2", "Kale mahallesi, lamba", kind="media", media=PHOTO, **OTHER))
    await world.worker.fetch()
    assert broken() == before + 1
    assert await world.store.to_fetch(NOON) == []


async def test_kafka_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    world, before, published = World(), broken(), asyncio.Event()
    tries: list[int] = []

    async def publish(records: Sequence[Record]) -> None:
        tries.append(len(records))
        world.now += PUBLISHED_WITHIN
        if len(tries) < 3:
            raise KafkaTimeoutError
        published.set()

    monkeypatch.setattr(handler, "_PAUSE", 0)
    monkeypatch.setattr(world.topic, "publish", publish)
    with pytest.raises(KafkaError):
        await world.take(message("1", "Kale mahallesi, çukur"))
    working = asyncio.create_task(for_ever(world.worker.sweep, "sweep"))
    async with asyncio.timeout(10):
        await asyncio.wait([working, asyncio.create_task(published.wait())], return_when=asyncio.FIRST_COMPLETED)
    assert not working.done()
    working.cancel()
    assert broken() == before
