"""
Changes as they happen, for pages that are open: one question to the database per process, whoever listens.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from services.common.kit.clock import Clock
from services.common.kit.logs import logger
from services.common.kit.mongo import UNAVAILABLE
from services.reporting.work import Change

log = logger(__name__)

EVERY: Final = 1.0  # s between two questions
QUIET: Final = 15.0  # s without a change until a line is sent, so that nobody takes the connection for dead
RESUME: Final = timedelta(minutes=10)  # whoever was away longer is told to load the page anew
_REMEMBERED: Final = 20_000


class Changes(Protocol):
    """
    Where changes are asked for: ``repository.Repository``.
    """

    async def changed_since(self, moment: datetime, departments: Collection[str]) -> list[Change]:
        """
        What was written since, of what these departments hold or ever held.
        """


@dataclass(frozen=True, slots=True)
class News:
    """
    Requests that changed; ``at`` is where to go on from. ``missed``: there may have been more, load everything anew.
    """

    at: datetime
    ids: tuple[str, ...]
    missed: bool = False


class Hub:
    """
    Asks for changes while somebody listens, and gives each listener those of its department.
    """

    def __init__(self, changes: Changes, clock: Clock, *, every: float = EVERY) -> None:
        self._changes = changes
        self._clock = clock
        self._every = every
        self._listeners: dict[asyncio.Queue[News], str] = {}
        self._asking: asyncio.Task[None] | None = None
        self._seen: dict[str, int] = {}

    @asynccontextmanager
    async def listen(self, department: str, since: datetime | None) -> AsyncIterator[asyncio.Queue[News]]:
        """
        A queue of what changes in a department; first of all what changed after ``since``.
        """
        queue: asyncio.Queue[News] = asyncio.Queue()
        if since is not None:
            queue.put_nowait(await self._since(department, since))
        self._listeners[queue] = department
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        try:
            yield queue
        finally:
            del self._listeners[queue]

    async def close(self) -> None:
        """
        Ask no more.
        """
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _since(self, department: str, since: datetime) -> News:
        now = self._clock()
        if now - since > RESUME:
            return News(now, (), missed=True)
        found = await self._changes.changed_since(since, {department})
        return News(now, tuple(sorted({change.id for change in found})))

    async def _ask(self) -> None:
        since = self._clock()
        while self._listeners:
            await asyncio.sleep(self._every)
            now = self._clock()
            try:
                found = await self._changes.changed_since(since, set(self._listeners.values()))
            except UNAVAILABLE as error:
                log.warning("changes cannot be asked for now", error=type(error).__name__)
                continue
            since = now
            self._tell(now, [change for change in found if self._seen.get(change.id) != change.rev])

    def _tell(self, at: datetime, found: Collection[Change]) -> None:
        if len(self._seen) > _REMEMBERED:
            self._seen.clear()
        self._seen.update((change.id, change.rev) for change in found)
        for queue, department in self._listeners.items():
            ids = {one.id for one in found if department == one.department or department in one.held_by}
            if ids:
                queue.put_nowait(News(at, tuple(sorted(ids))))


def as_event(news: News) -> str:
    """
    The news as a server-sent event: its id is where to resume.
    """
    name = "missed" if news.missed else "changed"
    return f"id: {news.at.isoformat()}\nevent: {name}\ndata: {json.dumps(news.ids)}\n\n"


def resumed_at(last_event_id: str | None) -> datetime | None:
    """
    The moment that a browser names when it comes back; None if it names none.
    """
    try:
        at = datetime.fromisoformat(last_event_id) if last_event_id else None
    except ValueError:
        return None
    return at if at and at.tzinfo else None


async def events(
    hub: Hub, department: str, since: datetime | None, until: datetime, clock: Clock
) -> AsyncIterator[str]:
    """
    The stream for one page. It ends when the person's token runs out (``until``): the browser comes back with another.
    """
    async with hub.listen(department, since) as queue:
        yield "retry: 2000\n\n" if since else f"retry: 2000\n{as_event(News(clock(), ()))}"
        while clock() < until:
            try:
                async with asyncio.timeout(QUIET):
                    news = await queue.get()
            except TimeoutError:
                yield ": still here\n\n"
                continue
            yield as_event(news)
