"""
``GET /v1/stream``: the tiles of a page, again whenever they change.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from services.common.kit.clock import Clock
from services.common.kit.logs import logger
from services.common.kit.mongo import UNAVAILABLE
from services.reporting.dashboard.tiles import Tiles, tiles
from services.reporting.figures.snapshot import Figures
from services.reporting.queries import Filter

log = logger(__name__)

EVERY: Final = 1.0  # s between two looks
QUIET: Final = timedelta(seconds=15)  # without news until a line is sent, so that nobody takes the connection for dead
LASTS: Final = timedelta(minutes=15)  # then the browser comes back, and whoever may no longer is not let in
_KEPT: Final = 64


class Source(Protocol):
    """
    Where the facts are: ``figures.snapshot.Snapshot``.
    """

    async def current(self) -> Figures:
        """
        The facts as they are now.
        """


class Board:
    """
    Makes the tiles of a filter once, however many pages show them.
    """

    def __init__(self, source: Source, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._made: OrderedDict[object, asyncio.Future[Tiles]] = OrderedDict()

    async def look(self, filters: Filter, before: Filter | None) -> tuple[Figures, Tiles]:
        """
        The facts and the tiles now. What only time changes (what is overdue) is a minute old at most.
        """
        figures, now = await self._source.current(), self._clock()
        key = (figures.version, now.replace(second=0, microsecond=0), filters, before)
        if key not in self._made:
            while len(self._made) >= _KEPT:
                self._made.popitem(last=False)
            self._made[key] = asyncio.ensure_future(asyncio.to_thread(tiles, figures.frame, filters, before, now))
        try:
            return figures, await asyncio.shield(self._made[key])
        except Exception:
            self._made.pop(key, None)
            raise


async def events(
    board: Board,
    filters: Filter,
    before: Filter | None,
    clock: Clock,
    stopping: Callable[[], bool],
    *,
    every: float = EVERY,
) -> AsyncIterator[str]:
    """
    The stream for one page: ``tiles`` when they change, ``beat`` (how old they are) when nothing else was said for a
    while. Ends after a quarter of an hour, and when the process stops.
    """
    yield "retry: 2000\n\n"
    until, said_at, shown = clock() + LASTS, datetime.min.replace(tzinfo=clock().tzinfo), None
    while clock() < until and not stopping():
        try:
            figures, made = await board.look(filters, before)
        except UNAVAILABLE as error:
            log.warning("figures cannot be asked for now", error=type(error).__name__)
            if clock() - said_at >= QUIET:
                said_at = clock()
                yield ": the database does not answer\n\n"
        else:
            age = aged(figures, clock())
            if made != shown:
                shown, said_at = made, clock()
                yield _event("tiles", {**age, **made})
            elif clock() - said_at >= QUIET:
                said_at = clock()
                yield _event("beat", age)
        await asyncio.sleep(every)


def aged(figures: Figures, now: datetime) -> dict[str, Any]:
    """
    Until when everything is in, and how many seconds ago that was.
    """
    as_of = figures.as_of
    return {
        "as_of": as_of.isoformat() if as_of else None,
        "lag_seconds": max(0.0, (now - as_of).total_seconds()) if as_of else None,
    }


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
