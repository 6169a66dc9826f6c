"""
How tests wait: for a condition, never for a time. The pause between two looks only leaves the processor to others.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx


def eventually(look: Callable[[], Any], seconds: float = 60.0, what: str = "it") -> Any:
    """
    What ``look`` gives as soon as it is something. A service that does not answer yet has nothing to show. Fails after
    ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if found := look():
                return found
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come true within {seconds:.0f} s")


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """
    Return when the condition, which lies in other tasks, holds. Raises ``TimeoutError`` after ``seconds``.
    """
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - other tasks have no event to wait for
            await asyncio.sleep(0.01)
