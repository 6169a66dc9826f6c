"""
How many messages are in hand at once, and the tasks in which they are on their way.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from time import monotonic


@dataclass(slots=True)
class Taken:
    """
    Seats that were taken, and how many of them are kept when the block that took them ends.
    """

    taken: int
    kept: int = 0


class Seats:
    """
    So many messages may be in hand at once, and none while it is not ``open``. Who asks first is served first. What is
    on its way in the end has ``landing`` seconds: of a message that is cut off nobody knows whether it went out.
    """

    def __init__(self, seats: int, landing: float) -> None:
        self._seats = seats
        self._landing = landing
        self._under_way: set[asyncio.Task[None]] = set()
        self._free = 0
        self._freed = asyncio.Event()
        self._turn = asyncio.Lock()
        self._flights: asyncio.TaskGroup | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """
        Messages may be taken meanwhile; in the end waits for those on their way. Raises what a flight raised.
        """
        async with asyncio.TaskGroup() as self._flights:
            self._give_back(self._seats)
            try:
                yield
            finally:
                self._free, self._flights = 0, None
                await self._land()

    async def _land(self) -> None:
        deadline = monotonic() + self._landing
        while self._under_way and (left := deadline - monotonic()) > 0:
            with suppress(asyncio.CancelledError):  # whoever ends us may say so more than once
                await asyncio.wait(self._under_way, timeout=left)

    @asynccontextmanager
    async def some(self, most: int) -> AsyncIterator[Taken]:
        """
        Wait until there is a seat; take at most so many, and give back what was not kept.
        """
        await self._wait_for(1)
        with self._take(most) as taken:
            yield taken

    @asynccontextmanager
    async def soon(self, most: int, seconds: float) -> AsyncIterator[Taken]:
        """
        Take so many if they are free in time, else what there is, maybe none; give back what was not kept.
        """
        if self._flights is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wait_for(min(most, self._seats))
        with self._take(most) as taken:
            yield taken

    async def _wait_for(self, seats: int) -> None:
        async with self._turn:
            while self._free < seats:
                self._freed.clear()
                await self._freed.wait()

    @contextmanager
    def _take(self, most: int) -> Iterator[Taken]:
        taken = Taken(min(most, self._free))
        self._free -= taken.taken
        try:
            yield taken
        finally:
            self._give_back(taken.taken - taken.kept)

    def _give_back(self, seats: int) -> None:
        if self._flights is not None:
            self._free += seats
            self._freed.set()

    def fly(self, flight: Callable[[], Awaitable[object]], taken: Taken, messages: int) -> None:
        """
        Let so many messages be on their way; they keep their seats until they are through.
        """
        if self._flights is None:  # it ends: who looks at the ledger next finds them
            return

        async def fly() -> None:
            await flight()
            self._give_back(messages)

        taken.kept = messages
        task = self._flights.create_task(fly())
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
