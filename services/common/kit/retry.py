"""
Waiting for what is away.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final, TypeVar

from aiokafka.errors import KafkaError

from services.common.kit import metrics
from services.common.kit.errors import Retryable
from services.common.kit.logs import logger
from services.common.kit.mongo import UNAVAILABLE

log = logger(__name__)
T = TypeVar("T")
RETRY: Final[tuple[type[Exception], ...]] = (Retryable, KafkaError, *UNAVAILABLE)
PATIENCE: Final = 60.0
"""Seconds that a step of a command may take until it is not tried again: a database restarts, another takes over."""


async def within_budget(call: Callable[[], Awaitable[T]], seconds: float) -> T:
    """
    What ``call`` gives, which must be idempotent: tried again with growing pauses while the error is one of ``RETRY``;
    the last error is raised when time is up, of which the tries themselves are a part.
    """
    deadline, pause = monotonic() + seconds, 0.1
    while True:
        try:
            return await call()
        except RETRY as error:
            if monotonic() + pause > deadline:
                raise
            metrics.retries_total.inc()
            log.warning("trying again", error=type(error).__name__, pause=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)
