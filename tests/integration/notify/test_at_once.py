"""
What is due is written down and in hand by one write, and its outcome is published without being read back.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from services.common.contracts.ids import random_request_id
from services.common.kit.mongo import Client
from services.common.kit.worker import background
from services.notify.channels.base import Letter
from services.notify.domain import State, Telling
from tests.integration.notify.scene import Provider, Scene
from tests.unit.notify.lives import assigned, closed, contact, delivery, escalated, registered

pytestmark = pytest.mark.integration
BATCH = [delivery(contact()), delivery(closed())]


class SlowProvider(Provider):
    """
    A provider that answers when it is let.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.may = asyncio.Event()

    async def send(self, letter: Letter, /) -> str | None:
        """
        Say that it was asked, wait, take the message.
        """
        self.asked.set()
        await self.may.wait()
        return await super().send(letter)


@asynccontextmanager
async def running(house: Scene) -> AsyncIterator[None]:
    """
    A process that sends and publishes.
    """
    async with background(house.notifier.deliver, house.notifier.outbox.run):
        await asyncio.sleep(0)  # they have begun
        await asyncio.sleep(0)
        yield


async def come(house: Scene, state: State) -> Telling:
    """
    The telling, when its first message has come to this.
    """
    async with asyncio.timeout(10):
        while (telling := await house.telling()).rows[0].state is not state:  # noqa: ASYNC110 - it lies in the database
            await asyncio.sleep(0.01)
    return telling


async def test_a_message_is_in_hand_on_disk_before_its_provider_is_called_by_the_write_that_puts_it_down(
    client: Client, database: str
) -> None:
    provider = SlowProvider()
    house = Scene(client, database, provider)
    await house.repository.prepare()
    async with running(house):
        await house.notifier.handle(BATCH)
        async with asyncio.timeout(10):
            await provider.asked.wait()
        telling = await house.telling()
        assert [(row.state, row.claim is None) for row in telling.rows] == [(State.SENDING, False)]
        assert telling.rev == 1
        provider.may.set()
        await come(house, State.SENT)


async def test_a_message_whose_process_died_while_it_was_sent_has_one_outcome(client: Client, database: str) -> None:
    provider = SlowProvider()
    house = Scene(client, database, provider)
    await house.repository.prepare()
    async with running(house):
        await house.notifier.handle(BATCH)
        async with asyncio.timeout(10):
            await provider.asked.wait()
    next_one = Scene(client, database)
    await next_one.notifier.handle(BATCH)
    await next_one.run_dry()
    assert [{kind for kind, _, _ in found} for found in next_one.outcomes().values()] == [{"Sent"}]
    assert len(next_one.provider.letters) == 1


async def test_what_finds_no_seat_waits_for_one_that_is_free(client: Client, database: str) -> None:
    """
    All seats have messages that are on their way; one more comes.
    """
    provider = SlowProvider()
    house = Scene(client, database, provider)
    await house.repository.prepare()
    ids = [random_request_id() for _ in range(101)]
    async with running(house):
        await house.notifier.handle([delivery(escalated(request_id=key)) for key in ids])
        stored = (await house.repository.tellings(ids)).values()
        assert sorted(one.rows[0].state for one in stored) == [*[State.SENDING] * 100, State.WAITING]
        provider.may.set()
        async with asyncio.timeout(20):
            while len(house.provider.letters) < len(ids):  # noqa: ASYNC110 - the end is a number
                await asyncio.sleep(0.01)
    assert len({letter.key for letter in provider.letters}) == len(ids)


async def test_what_is_said_while_kafka_takes_what_was_said_before_is_not_forgotten(house: Scene) -> None:
    await house.notifier.handle([delivery(event) for event in (contact(), registered(), assigned())])
    house.kafka.meanwhile = partial(house.notifier.handle, [delivery(escalated())])
    await house.notifier.outbox.publish_once()
    telling = await house.telling()
    assert {record.headers for record in telling.outbox}.isdisjoint(record.headers for record in house.kafka.records)
    await house.run_dry()
    assert house.outcomes().keys() == {"received", "assigned", "escalated.15"}
    assert (await house.telling()).outbox == ()
