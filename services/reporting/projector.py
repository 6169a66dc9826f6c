"""
The projector: every public event, and what departments read on their own topics, into the archive and into its
request's document.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from services.common.contracts.catalogue import catalogue
from services.common.contracts.clocks import Calendar
from services.common.contracts.topics import CALLS, LIFECYCLE, NOTIFICATIONS, RECEIVED, UPDATES, department_topic
from services.common.kit import metrics
from services.common.kit.clock import Clock, system_clock
from services.common.kit.health import Health
from services.common.kit.logs import logger
from services.common.kit.mongo import UNAVAILABLE, connect
from services.common.kit.worker import Delivery, Handle, Sender, WorkerSpec, background
from services.reporting.calls.repository import Calls
from services.reporting.figures.making import keep_made
from services.reporting.figures.sheets import form_of
from services.reporting.figures.sheets_repository import Sheets
from services.reporting.repository import Repository
from services.reporting.settings import ProjectorSettings

log = logger(__name__)

APART: Final = 0.1  # seconds between two batches: reporting may be half a second behind (design.md 9)
GROUP: Final = "reporting"
DEPARTMENTS: Final = tuple(department_topic(slug).name for slug in catalogue().departments)
TOPICS: Final = (RECEIVED.name, UPDATES.name, LIFECYCLE.name, NOTIFICATIONS.name, *DEPARTMENTS, CALLS.name)
BEAT_SECONDS: Final = 1.0


class Progress:
    """
    Up to which moment everything published is projected: never more than is true.

    ``kit.worker`` asks the broker every few seconds which partitions are behind. Of one that was not, all that was
    published until the question is done; of one that was, all until its newest event that is done since. The earliest
    of these moments counts. Before the first answer nothing is claimed.
    """

    def __init__(self, clock: Clock, health: Health, as_of: datetime | None) -> None:
        self._clock = clock
        self._health = health
        self._as_of = as_of
        self._newest: dict[str, datetime] = {}

    def done(self, newest: Mapping[str, datetime]) -> None:
        """
        A batch is safe; the times of its newest events by partition (``topic/number``).
        """
        for partition, moment in newest.items():
            self._newest[partition] = max(moment, self._newest.get(partition, moment))

    def as_of(self) -> datetime | None:
        """
        The moment, never earlier than said before.
        """
        asked_at, behind = self._health.details.get("lag_asked_at"), self._health.details.get("behind")
        if isinstance(asked_at, float) and isinstance(behind, Mapping) and behind.keys() <= self._newest.keys():
            asked = datetime.fromtimestamp(asked_at, UTC)
            moment = min(self._clock(), asked, *(self._newest[partition] for partition in behind))
            self._as_of = max(moment, self._as_of or moment)
        return self._as_of


def projector(repository: Repository, sheets: Sheets, progress: Progress, calls: Calls) -> Handle:
    """
    The handler of a batch: archive first, so that a rebuild misses nothing that was ever projected; then the documents;
    then the marks of their days, so that no figure stays behind. Calls are no requests: theirs are documents of their
    own, and no sheet has them.
    """

    async def handle(batch: Sequence[Delivery]) -> None:
        await calls.keep([delivery.event for delivery in batch if delivery.topic == CALLS.name])
        of_requests = [delivery for delivery in batch if delivery.topic != CALLS.name]
        if of_requests:
            await repository.keep(of_requests)
            days = await repository.project([delivery.event for delivery in of_requests])
            await sheets.mark(days, min(delivery.event.meta.time for delivery in of_requests))
        ordered = sorted(batch, key=lambda delivery: delivery.event.meta.time)
        progress.done({f"{one.topic}/{one.partition}": one.event.meta.time for one in ordered})

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


def worker(settings: ProjectorSettings, calendar: Calendar, clock: Clock = system_clock) -> WorkerSpec:
    """
    The projector as ``kit.worker`` runs it; ``calendar`` is what stands in the settings' file.
    """
    return WorkerSpec(GROUP, TOPICS, _lifespan(settings, calendar, clock), settings.ops_port, apart=APART)


def _lifespan(
    settings: ProjectorSettings, calendar: Calendar, clock: Clock
) -> Callable[[Sender, Health], AbstractAsyncContextManager[Handle]]:
    @asynccontextmanager
    async def lifespan(_: Sender, health: Health) -> AsyncIterator[Handle]:
        client = connect(settings.mongo)
        try:
            repository, calls = Repository(client, settings.database), Calls(client, settings.database)
            sheets = Sheets(client, settings.database, form=form_of(settings.calendar_file.read_bytes()))
            await repository.prepare()
            await sheets.prepare()
            await calls.prepare()
            marked = await sheets.mark_other_forms()
            if marked:
                log.info("sheets are made again", days=marked)
            progress = Progress(clock, health, await repository.as_of())
            async with background(
                lambda: heartbeat(repository, progress, health, clock), lambda: keep_made(sheets, calendar)
            ):
                yield projector(repository, sheets, progress, calls)
        finally:
            client.close()

    return lifespan
