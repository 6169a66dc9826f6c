"""
How stand-ins run: on a free loopback port, in the test's own loop or in a thread beside a test that has none.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import TypeVar

from aiohttp import web

T = TypeVar("T")


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """
    Serve an application on a free loopback port; gives its URL.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextmanager
def in_thread(standin: Callable[[], AbstractAsyncContextManager[T]]) -> Iterator[T]:
    """
    Run a stand-in beside: ``with in_thread(stand_in_whatsapp) as meta: …``. It is up when the block begins.
    """
    up, down = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []
    found: list[T] = []
    failed: list[BaseException] = []

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        async with standin() as running:
            found.append(running)
            up.set()
            await down.wait()

    def thread() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # the test says it; a thread's own traceback would be lost
            failed.append(error)
        finally:
            up.set()

    beside = threading.Thread(target=thread, daemon=True)
    beside.start()
    up.wait()
    if failed:
        raise failed[0]
    try:
        yield found[0]
    finally:
        loops[0].call_soon_threadsafe(down.set)
        beside.join()
        if failed:
            raise failed[0]
