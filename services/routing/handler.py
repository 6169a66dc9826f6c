"""
Routing at work: read the cases of a batch, decide, write once, publish what is unpublished, mark it.

A crash between any two of these steps is mended by the batch coming again: the stored bytes are published once more.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Protocol

from services.common.contracts.envelope import Received, Record
from services.common.contracts.events import UpdateSubmitted
from services.common.contracts.ids import derived_id
from services.common.contracts.topics import COMMANDS, RECEIVED, UPDATES, department_of, department_updates_topic
from services.common.kit import metrics
from services.common.kit.clock import Clock, system_clock
from services.common.kit.errors import Rejected, Retryable
from services.common.kit.logs import logger
from services.common.kit.mongo import UNAVAILABLE, connect
from services.common.kit.ops import Health
from services.common.kit.worker import Delivery, Handle, Sender, WorkerSpec, background, decode_delivery
from services.routing.domain import Case, Rules, decide, parking_command
from services.routing.repository import CaseRepository, Conflict
from services.routing.rules import RuleBook
from services.routing.settings import RoutingSettings

log = logger(__name__)
ATTEMPTS = 5
MAX_INPUT_BYTES = 262_144  # what intake takes at most; what follows from an input must fit into a record too
MAX_UPDATE_BYTES = 32_768  # notes of 4,000 characters, as intake takes them, stay far below


class Publish(Protocol):
    """
    Returns after the broker acknowledged all records.
    """

    async def publish(self, records: Sequence[Record]) -> None: ...


def decode(delivery: Delivery) -> Received:
    """
    Decode by the contracts; on a department's own topic the department is the topic's, whatever the payload says, and
    the ce_id counts within that topic alone: nobody can use up an id that another department is going to use.

    Raises ``ContractError``, or ``Rejected`` for an update that would not fit beside others into a case.
    """
    received = decode_delivery(delivery)
    if len(delivery.value or b"") > MAX_INPUT_BYTES:
        raise Rejected(f"an input has at most {MAX_INPUT_BYTES} bytes")
    if not isinstance(received.data, UpdateSubmitted):
        return received
    if len(delivery.value or b"") > MAX_UPDATE_BYTES:
        raise Rejected(f"an update has at most {MAX_UPDATE_BYTES} bytes")
    department = department_of(delivery.topic)
    if department is None:
        return received
    data = received.data.model_copy(update={"department": department})
    meta = replace(
        received.meta,
        id=derived_id(delivery.topic, received.meta.id),
        subject=data.request_id,
        correlation_id=received.meta.correlation_id or data.request_id,
    )
    return replace(received, meta=meta, data=data)


class Handler:
    """
    Handles a batch. Idempotent: a repeated batch publishes the same bytes.
    """

    def __init__(self, cases: CaseRepository, sender: Publish, rules: Rules, clock: Clock = system_clock) -> None:
        self._cases = cases
        self._sender = sender
        self._rules = rules
        self._clock = clock

    async def __call__(self, batch: Sequence[Delivery]) -> None:
        """
        Return when the batch is stored, published and marked.
        """
        for _ in range(ATTEMPTS):
            try:
                changed = await self._decide_and_store([delivery.event for delivery in batch])
                break
            except Conflict:
                log.info("another worker wrote a case meanwhile, deciding again")
        else:
            raise Retryable("cases keep changing under our hands")
        await self._publish(changed)

    async def _decide_and_store(self, items: Sequence[Received]) -> list[Case]:
        ids = dict.fromkeys(item.data.key for item in items)
        before = await self._cases.load(ids)
        after = {key: before.get(key, Case(key)) for key in ids}
        now = self._clock()
        at = now.replace(microsecond=now.microsecond // 1000 * 1000)  # MongoDB keeps milliseconds
        for item in items:
            after[item.data.key] = decide(after[item.data.key], item, at=at, rules=self._rules)
        await self._cases.save(case for key, case in after.items() if case != before.get(key, Case(key)))
        return list(after.values())

    async def _publish(self, cases: Sequence[Case]) -> None:
        urgent_first = sorted(cases, key=lambda case: not (case.state is not None and case.state.emergency))
        records = [record for case in urgent_first for record in case.to_publish()]
        if records:
            await self._sender.publish(records)
        marks = {case.request_id: len(case.events) for case in cases if case.published < len(case.events)}
        await self._cases.mark_published(marks)


def watch_parking(
    cases: CaseRepository, sender: Publish, settings: RoutingSettings, clock: Clock = system_clock
) -> Callable[[], Awaitable[None]]:
    """
    An endless coroutine that turns parking times which are over into commands. Saying one twice does no harm.
    """

    async def run() -> None:
        while True:
            try:
                over = await cases.parked_before(clock())
                metrics.parked.set(await cases.parked())
                if over:
                    await sender.publish([parking_command(key, due_at, clock()) for key, due_at in over])
            except UNAVAILABLE as error:
                log.warning("timers must wait for MongoDB", error=type(error).__name__)
            await asyncio.sleep(settings.sweep.total_seconds())

    return run


def worker_spec(settings: RoutingSettings, book: RuleBook) -> WorkerSpec:
    """
    Routing as a worker.
    """

    @asynccontextmanager
    async def lifespan(sender: Sender, health: Health) -> AsyncIterator[Handle]:
        client = connect(settings.mongo)
        cases = CaseRepository(client, settings.database)
        await cases.prepare()
        health.details["rules"] = len(book)
        async with background(watch_parking(cases, sender, settings)):
            yield Handler(cases, sender, Rules(book, settings.parking))
        client.close()

    own_systems = (department_updates_topic(slug).name for slug in book.catalogue.departments)
    return WorkerSpec(
        group="routing",
        topics=(RECEIVED.name, UPDATES.name, COMMANDS.name, *own_systems),
        lifespan=lifespan,
        ops_port=settings.ops_port,
        decode=decode,
    )
