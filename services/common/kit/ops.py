"""
The loopback port of a worker: /healthz (is it alive), /readyz (does it work now), /metrics, and what the worker adds.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web

from services.common.kit import metrics
from services.common.kit.health import Health

InWorker = Callable[[Callable[[], Any]], Awaitable[Any]]
IN_WORKER: Final[web.AppKey[InWorker]] = web.AppKey("in_worker")
"""Of the app in which a worker's own routes run: does a piece of work where the worker does its own, and gives its
result. What routes share with the worker is to be touched there alone."""


@asynccontextmanager
async def serve_ops(
    health: Health, port: int, host: str = "127.0.0.1", routes: Sequence[web.RouteDef] = ()
) -> AsyncIterator[int]:
    """
    Serve the three routes, and those of the worker's own, while the context lasts. Gives the port: a free one for 0.

    A thread with an event loop of its own serves them, so that a worker whose loop is blocked still says so. See
    ``IN_WORKER``.
    """
    started: Future[tuple[int, Callable[[], None]]] = Future()
    app = _app(health, routes)
    app[IN_WORKER] = _in(asyncio.get_running_loop())
    thread = threading.Thread(target=_run, args=(app, host, port, started), name="ops", daemon=True)
    thread.start()
    taken, stop = await asyncio.wrap_future(started)
    try:
        yield taken
    finally:
        stop()
        await asyncio.to_thread(thread.join)


def _in(loop: asyncio.AbstractEventLoop) -> InWorker:
    async def call(work: Callable[[], Any]) -> Any:
        async def result() -> Any:
            return work()

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(result(), loop))

    return call


def _app(health: Health, routes: Sequence[web.RouteDef]) -> web.Application:
    async def healthz(_: web.Request) -> web.Response:
        report = health.report()
        return web.json_response(report, status=200 if report["alive"] else 503)

    async def readyz(_: web.Request) -> web.Response:
        report = health.report()
        return web.json_response(report, status=200 if report["ready"] else 503)

    async def scrape(_: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": metrics.CONTENT_TYPE})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", scrape), *routes])
    return app


def _run(app: web.Application, host: str, port: int, started: "Future[tuple[int, Callable[[], None]]]") -> None:
    async def serve() -> None:
        runner, loop, over = web.AppRunner(app, access_log=None), asyncio.get_running_loop(), asyncio.Event()

        def stop() -> None:
            loop.call_soon_threadsafe(over.set)

        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, reuse_address=True).start()
            started.set_result((int(runner.addresses[0][1]), stop))
            await over.wait()
        finally:
            await runner.cleanup()

    try:
        asyncio.run(serve())
    except Exception as error:  # the port is taken, say: whoever waits for the start is to know
        if started.done():
            raise
        started.set_exception(error)
