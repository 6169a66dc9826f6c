"""
Tasks beside a server: none dies unseen.
"""

import os
import signal
from collections.abc import Awaitable, Callable

from services.common.kit.logs import logger

log = logger(__name__)


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)  # the server answers what it has begun; the supervisor starts another


async def or_stop(work: Awaitable[object], stop: Callable[[], None] = _stop) -> None:
    """
    Do the work of a background task. If it breaks, stop the process: without it the service would only seem to work.
    """
    try:
        await work
    except Exception as error:  # whatever it is, it has no name here
        log.error("a background task broke: the process stops", error=type(error).__name__)
        stop()
