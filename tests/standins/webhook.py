"""
A partner's system that takes our webhooks and checks them with the library that Standard Webhooks publishes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.standins.faults import Fault, Faults
from tests.standins.running import serving

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class StandInPartner:
    """
    Takes what is signed with ``secret``; 401 otherwise. A script's number is the HTTP status of the answer.
    """

    url: str = ""
    secret: str = SECRET
    faults: Faults = field(default_factory=Faults)
    headers: dict[str, str] = field(default_factory=dict)  # of the answers: Retry-After, Location
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)  # webhook-id, body

    async def _hear(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        try:
            body = Webhook(self.secret).verify(raw, dict(request.headers))
        except WebhookVerificationError:
            return web.Response(status=401)
        fault = self.faults.next()
        if fault in (Fault.AWAY, Fault.BROKEN):
            return web.Response(status=503 if fault is Fault.AWAY else 500, headers=self.headers)
        if not isinstance(fault, Fault):
            return web.Response(status=fault, headers=self.headers)
        self.heard.append((request.headers["webhook-id"], body))
        await self.faults.answering(fault, request)
        return web.Response(status=204)


@asynccontextmanager
async def stand_in_partner() -> AsyncIterator[StandInPartner]:
    """
    A running one; it listens at ``<url>/hooks``.
    """
    partner = StandInPartner()
    app = web.Application()
    app.add_routes([web.post("/hooks", partner._hear)])
    async with serving(app) as url:
        partner.url = f"{url}/hooks"
        yield partner
