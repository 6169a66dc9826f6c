"""
The calls of the moment, told to whoever has the console open: one look at MongoDB every 0.4 s serves all of a process.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Final

import orjson

from services.common.contracts.envelope import rfc3339
from services.common.kit.clock import Clock
from services.common.kit.logs import logger
from services.intake.calls import domain
from services.intake.calls.domain import Call, State
from services.intake.calls.switchboard import CallStore
from services.intake.guard import Away, Breaker

log = logger(__name__)
LOOK_EVERY: Final = 0.4
HEARTBEAT: Final = 15.0
OVERLAP: Final = timedelta(seconds=3)  # clocks of several instances differ, and a write takes its time
BACK_AT_MOST: Final = timedelta(hours=1)
_REMEMBERED: Final = 2_000
_WAITING: Final = 500


@dataclass(frozen=True, slots=True)
class Change:
    """
    A call as it is now, and who sits where.
    """

    call: Call
    extensions: Mapping[str, str]


class Overrun(Exception):
    """
    A listener does not take what it is told: it has to connect again.
    """


class Listener:
    """
    What one open console has not been told yet.
    """

    def __init__(self) -> None:
        self._waiting: deque[Change] = deque()
        self._some = asyncio.Event()

    def tell(self, changes: Iterable[Change]) -> None:
        """
        Put changes into the line.
        """
        self._waiting.extend(changes)
        self._some.set()

    async def next(self, seconds: float) -> list[Change]:
        """
        What has come, after waiting for it at most so long. Raises ``Overrun``.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._some.wait()
        except TimeoutError:
            return []
        self._some.clear()
        if len(self._waiting) > _WAITING:
            raise Overrun
        found = list(self._waiting)
        self._waiting.clear()
        return found


class Board:
    """
    Looks for changed calls while somebody listens.
    """

    def __init__(self, store: CallStore, mongo: Breaker, clock: Clock) -> None:
        self._store = store
        self._mongo = mongo
        self._clock = clock
        self._listeners: set[Listener] = set()
        self._somebody = asyncio.Event()
        self._told: dict[str, int] = {}
        self._mark: datetime | None = None

    @contextmanager
    def _listening(self) -> Any:
        listener = Listener()
        self._listeners.add(listener)
        self._somebody.set()
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    async def watch(self) -> None:
        """
        For ever: look, tell, rest.
        """
        while True:
            if not self._listeners:
                self._mark, self._told = None, {}
                self._somebody.clear()
                await self._somebody.wait()
            try:
                await self.look()
            except Away:
                await asyncio.sleep(LOOK_EVERY)
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """
        Look once, and tell every listener what is new.
        """
        if self._mark is None:
            self._mark = self._clock() - OVERLAP
        since = self._mark - OVERLAP
        calls = await self._mongo.call(lambda: self._store.changed_since(since))
        new = [call for call in calls if self._told.get(call.id, 0) < call.rev]
        if not new:
            return
        extensions = await self._mongo.call(self._store.extensions)
        for call in new:
            self._told.pop(call.id, None)
            self._told[call.id] = call.rev
            self._mark = max(self._mark, call.changed_at or self._mark)
        for old in list(self._told)[:-_REMEMBERED]:
            del self._told[old]
        for listener in self._listeners:
            listener.tell(Change(call, extensions) for call in new)

    async def stream(
        self,
        person: str,
        until: datetime,
        last_id: str | None = None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> AsyncGenerator[bytes, None]:
        """
        Server-sent events for one person until their token runs out, or the process is ``stopping``: first what is on
        now (and what changed since ``last_id``), then what comes. Nobody is told of a number.
        """
        with self._listening() as listener:
            yield b"retry: 1000\n\n"
            for change in await self._first(last_id):
                if told := event(change, person, first=last_id is None):
                    yield told
            beat_at = monotonic() + HEARTBEAT
            while self._clock() < until and not stopping():
                try:
                    changes = await listener.next(1.0)
                except Overrun:
                    return
                for change in changes:
                    if told := event(change, person):
                        yield told
                if monotonic() >= beat_at:
                    yield b": ping\n\n"
                    beat_at = monotonic() + HEARTBEAT

    async def on_now(self, person: str) -> list[dict[str, Any]]:
        """
        The calls that are on now and concern this person. Raises ``Away``.
        """
        changes = await self._mongo.call(lambda: self._changes(None))
        pairs = [(change.call, change.extensions.get(person)) for change in changes]
        return [view(c, person, e) for c, e in pairs if domain.rings_for(c, e) or domain.is_of(c, person, e)]

    async def _first(self, last_id: str | None) -> Sequence[Change]:
        try:
            return await self._mongo.call(lambda: self._changes(_moment(last_id)))
        except Away:
            return []

    async def _changes(self, since: datetime | None) -> list[Change]:
        extensions = await self._store.extensions()
        calls = {call.id: call for call in await self._store.on_now()}
        if since is not None:
            oldest = max(since - OVERLAP, self._clock() - BACK_AT_MOST)
            calls |= {call.id: call for call in await self._store.changed_since(oldest)}
        return [Change(call, extensions) for call in calls.values()]


def _moment(last_id: str | None) -> datetime | None:
    """
    The time in an event id that we gave; None for anything else.
    """
    if last_id is None or not (last_id.isascii() and last_id.isdigit() and len(last_id) == 13):
        return None
    return datetime.fromtimestamp(int(last_id) / 1000, UTC)


def event(change: Change, person: str, *, first: bool = False) -> bytes | None:
    """
    What somebody is told of a change, as a server-sent event. ``first``: they do not know of any call yet, so what is
    somebody else's or is over is not told.
    """
    call, extension = change.call, change.extensions.get(person)
    whole = view(call, person, extension)
    brief = {"call_id": call.id, "state": call.state}
    match call.state:
        case State.RINGING:
            if not domain.rings_for(call, extension):
                return None
            name, data = "ringing", whole
        case State.MISSED:
            if first or call.rings_at not in (None, extension):
                return None
            name, data = "missed", whole
        case State.ANSWERED:
            name, data = ("answered", whole) if whole["mine"] else ("taken", brief)
        case State.ENDED:
            name, data = ("ended", whole) if whole["mine"] else ("gone", brief)
    if first and data is brief:
        return None
    number = int((call.changed_at or call.last_at).timestamp() * 1000)
    return f"id: {number}\nevent: {name}\n".encode() + b"data: " + orjson.dumps(data) + b"\n\n"


def view(call: Call, person: str, extension: str | None) -> dict[str, Any]:
    """
    A call as the console gets it: no number, no name.
    """

    def text(moment: datetime | None) -> str | None:
        return None if moment is None else rfc3339(moment)

    return {
        "call_id": call.id,
        "state": call.state,
        "started_at": text(call.first_at),
        "answered_at": text(call.answered.at if call.answered else None),
        "ended_at": text(call.hung_up.at if call.hung_up else None),
        "exchange": call.exchange,
        "queue": call.queue,
        "extension": call.answered.extension if call.answered else call.rings_at,
        "withheld": call.person is None,
        "mine": domain.is_of(call, person, extension),
        "request_id": call.request_id,
        "rev": call.rev,
    }
