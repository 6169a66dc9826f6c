"""
From the ledger to Kafka: the stored events, in their order, forgotten when Kafka has them.

What was just written is handed over as it was written; a look into the database finds the rest: what was to wait for a
moment, and what a process that died left behind.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from itertools import islice
from time import monotonic
from typing import Final, Protocol

import orjson

from services.common.contracts.envelope import TYPE_PREFIX, Record
from services.common.kit import metrics
from services.common.kit.clock import Clock
from services.common.kit.health import Duty
from services.common.kit.logs import logger
from services.notify import callbacks, sending
from services.notify.domain import STAFF, Telling
from services.notify.loops import IDLE_SECONDS, Bell, persistently
from services.notify.repository import NotifyRepository

log = logger(__name__)
LIMIT: Final = 200
GATHER_SECONDS: Final = 0.1  # between two rounds: many are forgotten in one statement, and that is what costs
LEFT_FOR: Final = timedelta(seconds=1)  # what whoever wrote it has not published by then, it was left behind
MOST_HANDED_OVER: Final = 400  # tellings of some 8 KB; more lie in the database until there is room


class Kafkaesque(Protocol):
    """
    Publishes in order and returns after Kafka acknowledged.
    """

    async def publish(self, records: Sequence[Record], /) -> None: ...


class Outbox:
    """
    The only one that publishes.
    """

    def __init__(self, repository: NotifyRepository, kafka: Kafkaesque, clock: Clock) -> None:
        self._repository = repository
        self._kafka = kafka
        self._clock = clock
        self._written: dict[str, Telling] = {}
        self._bell = Bell()
        self.duty = Duty("outbox")

    def hand_over(self, written: Iterable[Telling]) -> None:
        """
        Publish what these have to say by now, as they were just written.
        """
        now = self._clock()
        for telling in written:
            due = telling.publish_at is not None and telling.publish_at <= now
            if due and (telling.request_id in self._written or len(self._written) < MOST_HANDED_OVER):
                self._written[telling.request_id] = telling
        if self._written:
            self._bell.ring()

    async def run(self) -> None:
        """
        For ever: publish.
        """
        look_at = monotonic()
        while True:
            self.duty.attempted()
            if self._written:
                await persistently(self._publish_written)
                await asyncio.sleep(GATHER_SECONDS)
            if monotonic() >= look_at and not await persistently(self._publish_found):
                look_at = monotonic() + IDLE_SECONDS
            if not self._written:
                await self._bell.wait(max(0.0, look_at - monotonic()))

    async def publish_once(self) -> int:
        """
        Publish what is there now; gives how many events that was.
        """
        return await self._publish_written() or await self._publish_found()

    async def _publish_written(self) -> int:
        some = dict(islice(self._written.items(), LIMIT))
        published = await self._publish(some)
        for key, telling in some.items():
            if self._written.get(key) is telling:
                del self._written[key]
        return published

    async def _publish_found(self) -> int:
        found = await self._repository.unpublished(self._clock() - LEFT_FOR, LIMIT)
        for key, telling in found.items():
            if key in self._written and self._written[key].rev <= telling.rev:
                del self._written[key]
        return await self._publish(found)

    async def _publish(self, tellings: Mapping[str, Telling]) -> int:
        records = [record for telling in tellings.values() for record in telling.outbox]
        if not records:
            return 0
        await self._note_phone_only(tellings.values())
        await self._kafka.publish(records)
        if not await self._repository.acknowledge(tellings.values()):
            await self._repository.change(
                tellings, lambda telling: sending.acknowledged(telling, tellings[telling.request_id].outbox)
            )
        for record in records:
            _count(record)
        return len(records)

    async def _note_phone_only(self, tellings: Iterable[Telling]) -> None:
        """
        Put whoever can only be called on the call-back list, before Kafka hears that they were not written to.
        """
        found = [telling for telling in tellings if callbacks.phone_rows(telling)]
        if not found:
            return
        now = self._clock()
        recipients = {row.recipient for telling in found for row in callbacks.phone_rows(telling)}
        contacts = (await self._repository.contacts(recipients)).values()
        for telling in found:
            for person, told in callbacks.by_phone(telling, contacts, now).items():
                await self._repository.callbacks.change(
                    callbacks.callback_id(person), partial(callbacks.with_all_told, told=told), now
                )


def _count(record: Record) -> None:
    """
    Count an event that Kafka has taken, and speak up about those that a person should look at.
    """
    kind = dict(record.headers)["ce_type"].decode().removeprefix(TYPE_PREFIX).removeprefix("Notification").lower()
    data = orjson.loads(record.value or b"{}")
    transition = str(data["transition"]).partition(".")[0]
    metrics.notifications_total.labels(transition, data.get("channel", "none"), kind).inc()
    if kind == "failed":
        who = "staff" if str(data["recipient"]).startswith(STAFF) else "a citizen"
        log.error(f"{who} was not told", request_id=data["request_id"], transition=transition, reason=data["reason"])
