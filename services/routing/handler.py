"""
Routing at work: read the cases of a batch, decide, write once, publish what is unpublished, mark it.

A crash between any two of these steps is mended by the batch coming again: the stored bytes are published once more.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from services.common.contracts.envelope import Received, Record
from services.common.contracts.events import CrisisDeclared, UpdateSubmitted
from services.common.contracts.ids import derived_id
from services.common.contracts.topics import (
    COMMANDS,
    CRISES,
    RECEIVED,
    UPDATES,
    department_of,
    department_updates_topic,
)
from services.common.contracts.vocabulary import Timer
from services.common.kit import metrics
from services.common.kit.clock import Clock, system_clock
from services.common.kit.errors import Rejected, Retryable
from services.common.kit.health import Duty, Health
from services.common.kit.logs import logger
from services.common.kit.mongo import UNAVAILABLE, connect
from services.common.kit.worker import Delivery, Handle, Sender, WorkerSpec, background, decode_delivery
from services.routing.case import Alarm, Case, Rules, timer_command
from services.routing.classify_api import routes
from services.routing.domain import decide
from services.routing.drift import Drift
from services.routing.opinions import Classifier
from services.routing.repository import CaseRepository, Conflict
from services.routing.settings import RoutingSettings
from services.routing.urgency import looks_urgent

log = logger(__name__)
ATTEMPTS = 5
PATIENCE: Final = timedelta(seconds=60)
TOGETHER: Final = 500
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

    def __init__(
        self,
        cases: CaseRepository,
        sender: Publish,
        rules: Rules,
        clock: Clock = system_clock,
        drift: Drift | None = None,
    ) -> None:
        self._cases = cases
        self._sender = sender
        self._rules = rules
        self._clock = clock
        self._drift = drift

    async def __call__(self, batch: Sequence[Delivery]) -> None:
        """
        Return when the batch is stored, published and marked. Crises of the batch hold for all of it.
        """
        items = [delivery.event for delivery in batch]
        crises = [item.data for item in items if isinstance(item.data, CrisisDeclared)]
        if crises:
            await self._cases.declare(crises)
            await self.refresh()
        items = [item for item in items if not isinstance(item.data, CrisisDeclared)]
        for _ in range(ATTEMPTS):
            try:
                changed = await self._decide_and_store(items)
                break
            except Conflict:
                log.info("another worker wrote a case meanwhile, deciding again")
        else:
            raise Retryable("cases keep changing under our hands")
        await self._publish(changed)

    async def refresh(self) -> None:
        """
        Take in which crises are declared; another instance may have been told.
        """
        declared = await self._cases.declared()
        if declared != self._rules.declared:
            self._rules = replace(self._rules, declared=declared)
            log.info("crises changed", on=sorted(self._rules.crises_on(self._clock())))

    async def _decide_and_store(self, items: Sequence[Received]) -> list[Case]:
        ids = dict.fromkeys(item.data.key for item in items)
        before = await self._cases.load(ids)
        after = {key: before.get(key, Case(key)) for key in ids}
        now = self._clock()
        at = now.replace(microsecond=now.microsecond // 1000 * 1000)  # MongoDB keeps milliseconds
        for item in items:
            after[item.data.key] = decide(after[item.data.key], item, at=at, rules=self._rules)
        await self._cases.save(case for key, case in after.items() if case != before.get(key, Case(key)))
        if self._drift is not None:
            self._drift.registered(
                case for key, case in after.items() if case.members and not (key in before and before[key].members)
            )
        return list(after.values())

    async def _publish(self, cases: Sequence[Case]) -> None:
        urgent_first = sorted(cases, key=lambda case: not case.emergency)
        records = [record for case in urgent_first for record in case.to_publish()]
        if records:
            await self._sender.publish(records)
        marks = {case.request_id: len(case.events) for case in cases if case.published < len(case.events)}
        await self._cases.mark_published(marks)


class AlarmClock:
    """
    Turns alarms that are due into commands on requests.commands. Saying one twice does no harm, for it has the same
    ce_id; one that was said is said again only after ``patience``, if it has still not gone off.
    """

    def __init__(
        self, cases: CaseRepository, sender: Publish, clock: Clock = system_clock, patience: timedelta = PATIENCE
    ) -> None:
        self._cases = cases
        self._sender = sender
        self._clock = clock
        self._patience = patience
        self.duty = Duty("alarms")
        self._said: dict[tuple[str, Alarm], datetime] = {}

    async def sweep(self) -> int:
        """
        Say every alarm that is due now; how many were said. One that was said stays due until the command came round.
        """
        now = self._clock()
        late = dict.fromkeys(Timer, 0.0)
        self._said = {key: at for key, at in self._said.items() if now - at < self._patience}
        said, ringing = 0, []
        async for _, alarms in self._cases.due(now):
            self.duty.attempted()
            for _, alarm in alarms:
                late[alarm.timer] = max(late[alarm.timer], (now - alarm.due_at).total_seconds())
            ringing += [pair for pair in alarms if pair[1].due_at <= now and pair not in self._said]
            if len(ringing) >= TOGETHER:
                said += await self._say(ringing, now)
                ringing = []
        for timer, seconds in late.items():
            metrics.alarm_late_seconds.labels(timer).set(seconds)
        return said + await self._say(ringing, now)

    async def _say(self, ringing: list[tuple[str, Alarm]], now: datetime) -> int:
        if ringing:
            await self._sender.publish([timer_command(number, alarm) for number, alarm in ringing])
            self._said |= dict.fromkeys(ringing, now)
        return len(ringing)


def watch(
    cases: CaseRepository, handler: Handler, alarms: AlarmClock, pause: timedelta
) -> Callable[[], Awaitable[None]]:
    """
    An endless coroutine that looks at alarms and crises again and again. MongoDB may be away.
    """

    async def run() -> None:
        alarms.duty.waits(1)  # somebody's time may come at any moment
        while True:
            try:
                await handler.refresh()
                metrics.parked.set(await cases.parked())
                await alarms.sweep()
            except UNAVAILABLE as error:
                log.warning("alarms must wait for MongoDB", error=type(error).__name__)
            alarms.duty.attempted()
            await asyncio.sleep(pause.total_seconds())

    return run


def worker_spec(settings: RoutingSettings, rules: Rules, shadow: Classifier | None = None) -> WorkerSpec:
    """
    Routing as a worker. ``shadow``: a second model, compared with the one that decides.
    """
    model = rules.model
    drift = None if model is None else Drift(model, rules.book.catalogue, shadow)

    @asynccontextmanager
    async def lifespan(sender: Sender, health: Health) -> AsyncIterator[Handle]:
        client = connect(settings.mongo)
        cases = CaseRepository(client, settings.database)
        await cases.prepare()
        health.details["rules"] = len(rules.book)
        health.details["model"] = model.version if model else f"none: no file {settings.model_file.name}"
        if model is None:
            log.warning("no classifier: what no rule knows goes to the desk", file=settings.model_file.name)
        if shadow is not None:
            health.details["shadow_model"] = shadow.version
        handler = Handler(cases, sender, rules, drift=drift)
        await handler.refresh()
        alarms = AlarmClock(cases, sender)
        health.duties.append(alarms.duty)
        async with background(watch(cases, handler, alarms, settings.sweep)):
            yield handler
        client.close()

    own_systems = (department_updates_topic(slug).name for slug in rules.book.catalogue.departments)
    return WorkerSpec(
        group="routing",
        topics=(RECEIVED.name, UPDATES.name, COMMANDS.name, CRISES.name, *own_systems),
        lifespan=lifespan,
        ops_port=settings.ops_port,
        decode=decode,
        urgent=looks_urgent(rules.book, model),
        routes=routes(rules),
    )
