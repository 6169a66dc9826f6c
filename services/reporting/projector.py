"""
The projector: every public event into the archive and into its request's document.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

from services.common.contracts.topics import LIFECYCLE, NOTIFICATIONS, RECEIVED
from services.common.kit import metrics
from services.common.kit.clock import Clock, system_clock
from services.common.kit.logs import logger
from services.common.kit.mongo import UNAVAILABLE, connect
from services.common.kit.ops import Health
from services.common.kit.worker import Delivery, Handle, Sender, WorkerSpec, background
from services.reporting.repository import Repository
from services.reporting.settings import ProjectorSettings

log = logger(__name__)

GROUP: Final = "reporting"
TOPICS: Final = (RECEIVED.name, LIFECYCLE.name, NOTIFICATIONS.name)
BEAT_SECONDS: Final = 1.0
QUIET: Final = timedelta(seconds=0.5)


class Progress:
    """
    Up to which moment everything published is projected.

    While records come: the newest event that is done. After a quiet of 0.5 s: half a second ago, for what had been
    published then would have come. A process that has handled nothing yet claims nothing until the broker says that
    nothing waits.
    """

    def __init__(self, clock: Clock, health: Health, as_of: datetime | None) -> None:
        self._clock = clock
        self._health = health
        self._as_of = as_of
        self._handled_at: datetime | None = None

    def done(self, newest: datetime) -> None:
        """
        A batch is safe; its newest event is of this time.
        """
        self._handled_at = self._clock()
        self._advance(min(newest, self._handled_at))

    def as_of(self) -> datetime | None:
        """
        The moment, never earlier than said before.
        """
        now = self._clock()
        if self._health.in_hand_since is None and self._caught_up(now):
            self._advance(now - QUIET)
        return self._as_of

    def _caught_up(self, now: datetime) -> bool:
        if self._handled_at is None:
            return self._health.details.get("lag") == 0
        return now - self._handled_at >= QUIET

    def _advance(self, moment: datetime) -> None:
        self._as_of = max(moment, self._as_of or moment)


def projector(repository: Repository, progress: Progress) -> Handle:
    """
    The handler of a batch: archive first, so that a rebuild misses nothing that was ever projected.
    """

    async def handle(batch: Sequence[Delivery]) -> None:
        await repository.keep(batch)
        await repository.project([delivery.event for delivery in batch])
        progress.done(max(delivery.event.meta.time for delivery in batch))

    return handle


async def heartbeat(repository: Repository, progress: Progress, health: Health, clock: Clock) -> None:
    """
    Write once a second how far the projector is; a database that is away is tried again.
    """
    while True:
        as_of = progress.as_of()
        now = clock()
        if as_of is not None:
            metrics.projection_lag_seconds.set((now - as_of).total_seconds())
        try:
            await repository.beat(now, as_of, health.details.get("lag"))
        except UNAVAILABLE as error:
            log.warning("no heartbeat", error=type(error).__name__)
        await asyncio.sleep(BEAT_SECONDS)


def worker(settings: ProjectorSettings, clock: Clock = system_clock) -> WorkerSpec:
    """
    The projector as ``kit.worker`` runs it.
    """
    return WorkerSpec(group=GROUP, topics=TOPICS, lifespan=_lifespan(settings, clock), ops_port=settings.ops_port)


def _lifespan(
    settings: ProjectorSettings, clock: Clock
) -> Callable[[Sender, Health], AbstractAsyncContextManager[Handle]]:
    @asynccontextmanager
    async def lifespan(_: Sender, health: Health) -> AsyncIterator[Handle]:
        client = connect(settings.mongo)
        try:
            repository = Repository(client, settings.database)
            await repository.prepare()
            progress = Progress(clock, health, await repository.as_of())
            async with background(lambda: heartbeat(repository, progress, health, clock)):
                yield projector(repository, progress)
        finally:
            client.close()

    return lifespan
