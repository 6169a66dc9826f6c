"""
Reading ahead from Faust's stream: what an urgent record may overtake, and what is given back when Faust takes it away.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

from services.common.contracts.envelope import ContractError, Received
from services.common.kit import metrics
from services.common.kit.delivery import Decode, Delivery
from services.common.kit.errors import Rejected
from services.common.kit.read_ahead import Read, ReadAhead
from services.common.kit.settings import WorkerSettings

UNREAD = 500  # records: a fraction of a second's reading

Urgent = Callable[[Received], bool]
"""Whether a decoded record goes before those that are not."""


def _delivery(event: Any) -> Delivery:
    message = event.message
    headers = message.headers or ()
    pairs = headers.items() if isinstance(headers, dict) else headers
    return Delivery(message.topic, message.partition, message.offset, message.key, message.value, tuple(pairs))


def look(delivery: Delivery, decode: Decode, urgent: Urgent | None) -> tuple[Delivery, bool]:
    """
    The record decoded, and whether it is urgent, if anything may be; what cannot be decoded stays as it is, the loop
    makes a dead letter of it.
    """
    if urgent is None or delivery.is_tombstone:
        return delivery, False
    try:
        received = decode(delivery)
    except (ContractError, Rejected):
        return delivery, False
    return replace(delivery, received=received), urgent(received)


def bounds(settings: WorkerSettings, largest: int | None, *, urgent_first: bool) -> tuple[ReadAhead, int]:
    """
    How far to read ahead, and how many records to take at once, never more than ``largest``. If something may be
    urgent: far, and few, because the batch in hand is what an urgent record waits for. Else one batch beside the one
    in hand.
    """
    limit = min(settings.batch_size, largest or settings.batch_size)
    if not urgent_first:
        return ReadAhead(2 * limit, settings.read_ahead_bytes), limit
    limit = min(limit, settings.urgent_batch_size)
    return ReadAhead(settings.read_ahead, settings.read_ahead_bytes), limit


class Reader:
    """
    Reads ahead from ``stream.noack().events()`` while its context lasts; gives out batches, acknowledges them.

    When Faust suspends its flow (a rebalance, the end) it waits until nothing is unacknowledged, then it forgets what
    it read and reads from what is committed. So what has not begun by then is given back: Faust takes an event that is
    marked as acknowledged for done, but commits only what went through ``ack``.

    With ``urgent_first``, as long as it reads and more than ``UNREAD`` records stand unread, it gives out nothing else:
    handling would take the processor from reading, and an urgent record may stand anywhere.
    """

    def __init__(
        self,
        stream: Any,
        read_ahead: ReadAhead,
        look: Callable[[Delivery], tuple[Delivery, bool]],
        *,
        urgent_first: bool,
        gets_on: Callable[[], None],
    ) -> None:
        self._stream = stream
        self._read_ahead = read_ahead
        self._look = look
        self._urgent_first = urgent_first
        self._gets_on = gets_on
        self._unread: dict[tuple[str, int], int] = {}
        self._read_at = 0.0
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()

    async def __aenter__(self) -> "Reader":
        self._feeder = asyncio.create_task(self._feed())
        metrics.read_ahead.set_function(lambda: len(self._read_ahead))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._feeder.cancel()

    async def _feed(self) -> None:
        async for event in self._stream.noack().events():  # it lets the loop go before each event
            delivery, urgent = self._look(_delivery(event))
            while self._read_ahead.full:
                self._room.clear()
                await self._room.wait()
            read = Read(event, delivery)
            if self._is_current(event):
                self._read_ahead.put(read, urgent=urgent)
                self._note_unread(event.message)
                self._arrived.set()
            else:
                self._give_back([read])

    def _note_unread(self, message: Any) -> None:
        if self._urgent_first:
            end = self._stream.app.consumer.highwater(message.tp) or 0
            self._unread[message.topic, message.partition] = end - message.offset - 1
            self._read_at = monotonic()

    def _catches_up(self) -> bool:
        if self._read_ahead.urgent or self._read_ahead.full:
            return False
        return monotonic() - self._read_at < 1 and sum(self._unread.values()) > UNREAD

    def _is_current(self, event: Any) -> bool:
        app = self._stream.app
        return bool(app.flow_control.is_active() and event.message.generation_id == app.consumer_generation_id)

    def _give_back(self, reads: Sequence[Read]) -> None:
        for read in reads:
            read.event.message.acked = True

    async def take(self, limit: int) -> list[Read]:
        """
        What is there: at least one record, at most ``limit``; none when the stream has ended.
        """
        while True:
            if not self._stream.app.flow_control.is_active():
                self._give_back(self._read_ahead.drop())
                self._unread.clear()
                self._room.set()
            if self._catches_up():
                self._gets_on()
                await asyncio.sleep(0.02)
                continue
            if batch := self._read_ahead.take(limit):
                return batch
            self._arrived.clear()
            arrival = asyncio.ensure_future(self._arrived.wait())
            await asyncio.wait({arrival, self._feeder}, return_when=asyncio.FIRST_COMPLETED)
            if not arrival.done():
                arrival.cancel()
                self._feeder.result()
                return []

    async def ack(self, batch: Sequence[Read]) -> None:
        """
        The batch had its effect: acknowledge what has nothing unhandled before it.
        """
        for read in self._read_ahead.handled(batch):
            await self._stream.ack(read.event)
        self._room.set()
