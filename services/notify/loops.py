"""
What endless loops wait for, and how long they bear with a database or a Kafka that is away.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

from services.common.kit.retry import within_budget
from services.notify.settings import BUDGET_SECONDS

T = TypeVar("T")
IDLE_SECONDS: Final = 1.0  # how late what waits for its time may be


class Bell:
    """
    Wakes one waiting loop; a ring while nobody waits is not lost.
    """

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """
        Wake the loop.
        """
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        """
        Return at the next ring, or after some time.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        self._rung.clear()


async def persistently(call: Callable[[], Awaitable[T]]) -> T:
    """
    What ``call`` gives; tried again for ``BUDGET_SECONDS`` while what it needs is away.
    """
    return await within_budget(call, BUDGET_SECONDS)
