"""
Two helpers at intake's edge: do not wait for what is away, and ask once for many callers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Generic, TypeVar

from services.common.kit.logs import logger

log = logger(__name__)
Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Away(Exception):
    """
    It failed just now, or failed so lately that it was not tried.
    """


class Breaker:
    """
    After ``after`` failures in a row nothing is tried for ``pause`` seconds, then one try in each such time until one
    succeeds. ``limit`` bounds how long a try may take.
    """

    def __init__(
        self,
        what: str,
        errors: tuple[type[Exception], ...],
        *,
        pause: float,
        limit: float | None = None,
        after: int = 1,
    ) -> None:
        self._what = what
        self._errors: tuple[type[Exception], ...] = (*errors, TimeoutError)
        self._pause = pause
        self._limit = limit
        self._after = after
        self._failures = 0
        self._next_try_at = 0.0

    @property
    def open(self) -> bool:
        """
        Whether nothing is tried now.
        """
        return self.tripped and monotonic() < self._next_try_at

    @property
    def tripped(self) -> bool:
        """
        Whether it failed and has not succeeded since: true while ``open``, and while the next try is due.
        """
        return self._failures >= self._after

    async def pause(self) -> None:
        """
        Return when something may be tried again.
        """
        if self.open:
            await asyncio.sleep(self._next_try_at - monotonic())

    async def call(self, work: Callable[[], Awaitable[Answer]], *, limit: float | None = None) -> Answer:
        """
        Do the work (within another ``limit`` than usual, if given), or raise ``Away``.
        """
        if self.open:
            raise Away
        self._next_try_at = monotonic() + self._pause
        try:
            async with asyncio.timeout(self._limit if limit is None else limit):
                answer = await work()
        except self._errors as error:
            self._failures += 1
            self._next_try_at = monotonic() + self._pause
            if self._failures == self._after:
                log.warning("away", what=self._what, error=type(error).__name__)
            raise Away from error
        if self._failures >= self._after:
            log.info("back", what=self._what)
        self._failures = 0
        return answer


class Together(Generic[Asked, Answer]):
    """
    One piece of work for many callers: what comes while one is under way waits and goes into the next together.
    """

    def __init__(self, work: Callable[[list[Asked]], Awaitable[Sequence[Answer]]], *, at_most: int = 500) -> None:
        self._work = work
        self._at_most = at_most
        self._waiting: list[tuple[Asked, asyncio.Future[Answer]]] = []
        self._task: asyncio.Task[None] | None = None

    def ask(self, what: Asked) -> "asyncio.Future[Answer]":
        """
        Put it into the next piece of work. The future brings the answer or the work's exception.
        """
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody need wait for it
        self._waiting.append((what, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return future

    async def drain(self) -> None:
        """
        Return when nothing waits.
        """
        while self._task is not None and not self._task.done():
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._at_most], self._waiting[self._at_most :]
            try:
                answers = await self._work([what for what, _ in batch])
            except Exception as error:  # it is handed to whoever asked
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), answer in zip(batch, answers, strict=True):
                    if not future.done():
                        future.set_result(answer)
