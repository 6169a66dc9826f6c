"""
Where a long run stands: a local stack of its own, and waiting for conditions on it.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
from rich.console import Console

from deploy.stack.stack import Stack
from tests.ports import free_port_base


@contextmanager
def own_stack(
    name: str, console: Console, kind: str | None = None, services: Sequence[str] | None = None
) -> Iterator[Stack]:
    """
    A stack that is up, on free ports and in a folder that stays for its logs; stopped in the end. ``STACK``,
    ``MONGO``, ``BROKERS`` and ``PORT_BASE`` choose as in the Makefile, unless the run needs one ``kind``. With
    ``services`` only these of ours are up.
    """
    os.environ["NOTIFY_DIGESTS"] = "false"  # mails are counted, on working mornings too
    folder = Path(tempfile.mkdtemp(prefix=f"ilkim-{name}-"))
    port_base = int(os.environ.get("PORT_BASE") or free_port_base())
    kind, brokers = kind or os.environ.get("STACK", "auto"), int(os.environ.get("BROKERS", "1"))
    stack = Stack(folder, port_base, kind, brokers, database=os.environ.get("MONGO", ""))
    console.print(f"stack {stack.config.kind}, {brokers} broker(s), {stack.config.database}; logs in {folder / 'logs'}")
    try:
        stack.up(services=services or True)
        yield stack
    finally:
        stack.down()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float, pause: float = 0.2) -> bool:
    """
    Wait for a condition, at most so long; whether it came true. A service that does not answer in time (it was just
    killed, or is behind) has not said yes; only the last look raises.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if await condition():
                return True
        await asyncio.sleep(pause)
    return await condition()
