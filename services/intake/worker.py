"""
The worker: keeps the read model from requests.lifecycle, and from contacts the hashes by which a person is recognised
when they call; nothing else of a contact. It also sweeps files that no request names. (Apart from the HTTP side, which
needs no Faust.)
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
from services.intake.attachments.repository import GridFSStore
from services.intake.attachments.service import sweep_for_ever
from services.intake.calls.people import Hashes, fold_people
from services.intake.calls.repository import CallRepository
from services.intake.read_model import CaseState, Outcome, UpdateKey, fold
from services.intake.repository import AWAY, Repository
from services.intake.settings import IntakeSettings

Apply = Callable[[Mapping[str, CaseState], Mapping[UpdateKey, Outcome]], Awaitable[None]]
KeepPeople = Callable[[Mapping[str, Hashes | None], Mapping[str, str]], Awaitable[None]]


def handler(apply: Apply, keep_people: KeepPeople) -> Handle:
    """
    The worker's handler: two folds, then one write a collection.
    """

    async def handle(batch: Sequence[Delivery]) -> None:
        events = [(_key(one), None if one.is_tombstone else one.event.data) for one in batch]
        await keep_people(*fold_people(events))
        await apply(*fold(event for _, event in events if isinstance(event, Lifecycle)))

    return handle


def _key(delivery: Delivery) -> str:
    return (delivery.key or b"").decode("utf-8", "replace")


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
        calls = CallRepository(client, settings.database)
        files = GridFSStore(client, settings.database)
        try:
            await repository.prepare()
            await calls.prepare_people()
            async with background(
                lambda: heartbeat(lambda: repository.beat(system_clock()), health),
                lambda: sweep_for_ever(files, system_clock, AWAY),
            ):
                yield handler(
                    lambda cases, outcomes: repository.apply(cases, outcomes, system_clock()), calls.keep_people
                )
        finally:
            client.close()

    return WorkerSpec("intake", (topics.LIFECYCLE.name, topics.CONTACTS.name), lifespan, settings.worker_ops_port)
