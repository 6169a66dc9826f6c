"""
The loopback port of a worker: /healthz (is it alive), /readyz (does it work now), /metrics, and what the worker adds.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

from aiohttp import web

from services.common.kit import metrics


@dataclass
class Health:
    """
    What a worker knows of itself. Alive: it made progress in the last 60 s or has nothing in hand.
    """

    ready: bool = False
    stopped_because: str | None = None
    in_hand_since: float | None = None
    details: dict[str, object] = field(default_factory=dict)

    @property
    def alive(self) -> bool:
        """
        False when one batch has been in hand for more than 60 s.
        """
        return self.in_hand_since is None or monotonic() - self.in_hand_since < 60

    def report(self) -> dict[str, object]:
        """
        The body of both health answers.
        """
        return {
            "alive": self.alive,
            "ready": self.ready and self.stopped_because is None,
            **({"stopped_because": self.stopped_because} if self.stopped_because else {}),
            **self.details,
        }


@asynccontextmanager
async def serve_ops(
    health: Health, port: int, host: str = "127.0.0.1", routes: Sequence[web.RouteDef] = ()
) -> AsyncIterator[int]:
    """
    Serve the three routes, and those of the worker's own, while the context lasts. Gives the port: a free one for 0.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response(health.report(), status=200 if health.alive else 503)

    async def readyz(_: web.Request) -> web.Response:
        report = health.report()
        return web.json_response(report, status=200 if report["ready"] else 503)

    async def scrape(_: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": metrics.CONTENT_TYPE})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", scrape), *routes])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, reuse_address=True).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
