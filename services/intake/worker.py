"""
The worker: keeps the read model from requests.lifecycle. (Apart from the HTTP side, which needs no Faust.)
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from services.common.contracts import topics
from services.common.contracts.events import Lifecycle
from services.common.kit.clock import system_clock
from services.common.kit.mongo import connect
from services.common.kit.ops import Health
from services.common.kit.worker import Delivery, Handle, Sender, WorkerSpec
from services.intake.read_model import CaseState, Outcome, UpdateKey, fold
from services.intake.repository import Repository
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


def worker(settings: IntakeSettings) -> WorkerSpec:
    """
    The worker as ``run_worker`` takes it.
    """

    @asynccontextmanager
    async def lifespan(_: Sender, __: Health) -> AsyncIterator[Handle]:
        client = connect(settings.mongo)
        repository = Repository(client, settings.database)
        try:
            await repository.prepare()
            yield handler(lambda cases, outcomes: repository.apply(cases, outcomes, system_clock()))
        finally:
            client.close()

    return WorkerSpec("intake", (topics.LIFECYCLE.name,), lifespan, settings.worker_ops_port)
