"""
Looking at the whole system once for all who look, and never at what is away for longer than a few seconds.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Final, Protocol

import httpx

from services.common.kit.clock import Clock
from services.common.kit.groups import BrokerAway
from services.common.kit.logs import logger
from services.common.kit.mongo import UNAVAILABLE, Client
from services.reporting.figures.sheets_repository import Sheets
from services.reporting.figures.snapshot import Figures
from services.reporting.health.broker import Broker, Group
from services.reporting.health.documents import Documents, Untouched
from services.reporting.health.look import Look, Projector
from services.reporting.health.processes import ask
from services.reporting.settings import ApiSettings

log = logger(__name__)
FRESH: Final = 2.0  # s that a look is good for
UNTOUCHED_FRESH: Final = 60.0  # s: it goes through all that is open


class Source(Protocol):
    """
    Where the figures are: ``figures.snapshot.Snapshot``.
    """

    async def current(self) -> Figures:
        """
        The facts as they are now.
        """


@dataclass
class Watch:
    """
    What is looked at. ``urls``: our processes by name.
    """

    broker: Broker
    documents: Documents
    sheets: Sheets
    figures: Source
    http: httpx.AsyncClient
    clock: Clock
    urls: Mapping[str, str]
    untouched_days: int
    _look: asyncio.Task[Look] | None = field(default=None, init=False)
    _looked_at: float = field(default=0.0, init=False)
    _untouched: tuple[float, Untouched] | None = field(default=None, init=False)

    async def look(self) -> Look:
        """
        How it is, at most two seconds old; whoever asks during a look waits for its end.
        """
        if self._look is None or (self._look.done() and monotonic() - self._looked_at >= FRESH):
            self._look = asyncio.create_task(self._all())
        return await asyncio.shield(self._look)

    async def _all(self) -> Look:
        processes, groups, (projector, untouched) = await asyncio.gather(
            ask(self.http, self.urls), self._groups(), self._of_documents()
        )
        self._looked_at = monotonic()
        return Look(self.clock(), processes, groups, projector, untouched, self.untouched_days)

    async def _groups(self) -> list[Group] | None:
        try:
            return await self.broker.groups()
        except BrokerAway as error:
            log.warning("kafka cannot be asked", error=str(error))
            return None

    async def _of_documents(self) -> tuple[Projector | None, Untouched | None]:
        try:
            beat, marks = await self.documents.beat() or {}, await self.sheets.marked()
            figures = await self.figures.current()
            projector = Projector(beat.get("at"), beat.get("as_of"), figures.as_of, len(marks))
            return projector, await self._untouched_ones()
        except UNAVAILABLE as error:
            log.warning("the database cannot be asked", error=type(error).__name__)
            return None, None

    async def _untouched_ones(self) -> Untouched:
        if self._untouched is None or monotonic() - self._untouched[0] >= UNTOUCHED_FRESH:
            since = self.clock() - timedelta(days=self.untouched_days)
            self._untouched = monotonic(), await self.documents.untouched_since(since)
        return self._untouched[1]


def watch_of(
    settings: ApiSettings, client: Client, http: httpx.AsyncClient, sheets: Sheets, figures: Source, clock: Clock
) -> Watch:
    """
    Put it together.
    """
    return Watch(
        broker=Broker(settings.kafka),
        documents=Documents(client, settings.database),
        sheets=sheets,
        figures=figures,
        http=http,
        clock=clock,
        urls={"intake": settings.intake_url, "notify-api": settings.notify_url, **settings.ops_urls},
        untouched_days=settings.untouched_days,
    )
