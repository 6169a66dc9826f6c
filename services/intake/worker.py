"""
The worker: keeps the read model from requests.lifecycle. (Apart from the HTTP side, which needs no Faust.)
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

from services.common.contracts import topics
from services.common.contracts.events import Lifecycle
from services.common.kit.clock import system_clock
from services.common.kit.mongo import connect
from services.common.kit.ops import Health
from services.common.kit.worker import Delivery, Handle, Sender, WorkerSpec, background
from services.intake.read_model import CaseState, Outcome, UpdateKey, fold
from services.intake.repository import AWAY, Repository
from services.intake.settings import IntakeSettings

Apply = Callable[[Mapping[str, CaseState], Mapping[UpdateKey, Outcome]], Awaitable[None]]


def handler(apply: Apply) -> Handle:
    """
    The worker's handler: one fold, then one write a collection.
    """

    async def handle(batch: Sequence[Delivery]) -> None:
        events = (delivery.event.data for delivery in batch)
        await apply(*fold(event for event in events if isinstance(event, Lifecycle)))

    return handle


def up_to_date(health: Health) -> bool:
    """
    Whether the read model has all of requests.lifecycle, as far as the worker knows.
    """
    ready = health.ready and health.stopped_because is None
    return ready and health.in_hand_since is None and health.details.get("lag") == 0


async def heartbeat(beat: Callable[[], Awaitable[None]], health: Health, pause: float = 1.0) -> None:
    """
    Say every second that the read model is up to date, while it is; for ever. MongoDB may be away.
    """
    while True:
        if up_to_date(health):
            with suppress(*AWAY):
                await beat()
        await asyncio.sleep(pause)


def worker(settings: IntakeSettings) -> WorkerSpec:
    """
    The worker as ``run_worker`` takes it.
    """

    @asynccontextmanager
    async def lifespan(_: Sender, health: Health) -> AsyncIterator[Handle]:
        client = connect(settings.mongo)
        repository = Repository(client, settings.database)
        try:
            await repository.prepare()
            async with background(lambda: heartbeat(lambda: repository.beat(system_clock()), health)):
                yield handler(lambda cases, outcomes: repository.apply(cases, outcomes, system_clock()))
        finally:
            client.close()

    return WorkerSpec("intake", (topics.LIFECYCLE.name,), lifespan, settings.worker_ops_port)
