"""
The stand-in for Meta is held against somebody else's client: pywa believes its signatures, reads its statuses, and
fetches its media.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from aiohttp import web
from pywa import WhatsApp
from pywa.errors import WhatsAppError
from pywa.types import MessageStatus
from pywa.utils import webhook_updates_validator

from services.notify.channels.base import Letter
from services.notify.channels.http import new_client
from services.notify.channels.whatsapp import WhatsAppSender, WhatsAppSettings
from services.notify.messages import Message
from tests.standins.faults import Fault
from tests.standins.running import serving
from tests.standins.whatsapp import PHONE_NUMBER_ID, SECRET, TOKEN, StandInWhatsApp, Statuses, stand_in_whatsapp

AYSE = "905320001122"


@pytest.fixture
async def meta() -> AsyncIterator[StandInWhatsApp]:
    async with stand_in_whatsapp() as running:
        yield running


async def told(meta: StandInWhatsApp, count: int, how: Statuses) -> list[dict[str, Any]]:
    """
    The bodies that a webhook hears of so many messages, all with a signature that pywa believes; the first call is
    answered 503.
    """
    heard: list[tuple[bytes, str]] = []

    async def hear(request: web.Request) -> web.Response:
        heard.append((await request.read(), request.headers["X-Hub-Signature-256"]))
        return web.Response(status=503 if len(heard) == 1 else 200)

    app = web.Application()
    app.add_routes([web.post("/webhooks/whatsapp", hear)])
    async with serving(app) as url, new_client() as http:
        meta.webhook_url, meta.statuses = f"{url}/webhooks/whatsapp", how
        sender = WhatsAppSender(WhatsAppSettings(meta.url, PHONE_NUMBER_ID, TOKEN), http)
        for number in range(count):
            await sender.send(Letter(AYSE, Message("", "", "", "kısa"), f"k{number}", free=True))
        await meta.quiet()
    assert all(webhook_updates_validator(SECRET, raw, signature) for raw, signature in heard)
    return [json.loads(raw) for raw, _ in heard[1:]]


async def test_statuses_are_told_until_they_are_heard(meta: StandInWhatsApp) -> None:
    client = WhatsApp(phone_id=PHONE_NUMBER_ID, token=TOKEN)
    statuses = [MessageStatus.from_update(client, body) for body in await told(meta, 1, Statuses())]
    assert [str(status.status) for status in statuses] == ["sent", "delivered", "read"]
    named = {(status.id, status.tracker, status.from_user.wa_id) for status in statuses}
    assert named == {(meta.taken[0].id, "k0", AYSE)}


async def test_statuses_can_come_twice_out_of_order_and_as_failures(meta: StandInWhatsApp) -> None:
    by_message: dict[str, list[str]] = {}
    for body in await told(meta, 8, Statuses(doubled=1, disordered=1, failed=0.5)):
        (status,) = body["entry"][0]["changes"][0]["value"]["statuses"]
        by_message.setdefault(status["id"], []).append(status["status"])
        assert (status["status"] == "failed") is ("errors" in status)
    assert by_message.keys() == {taken.id for taken in meta.taken}
    kinds = {tuple(sorted(found)) for found in by_message.values()}
    assert kinds == {("delivered", "delivered", "read", "read", "sent", "sent"), ("failed", "failed", "sent", "sent")}
    ranks = ["sent", "delivered", "read", "failed"]
    assert any(found != sorted(found, key=ranks.index) for found in by_message.values())


async def test_media_are_fetched_in_two_steps_and_sometimes_not(meta: StandInWhatsApp) -> None:
    about = meta.add_media(b"\xff\xd8\xff\xe0 jpeg", "image/jpeg")

    def by_pywa() -> bytes:
        with httpx.Client() as session:
            client = WhatsApp(phone_id=PHONE_NUMBER_ID, token=TOKEN, session=session)
            session.base_url = httpx.URL(meta.url)
            found = client.get_media_url(about["id"])
            assert found.mime_type == "image/jpeg"
            return client.get_media_bytes(found.url)

    assert await asyncio.to_thread(by_pywa) == b"\xff\xd8\xff\xe0 jpeg"
    meta.media_faults.then(Fault.AWAY)
    with pytest.raises(WhatsAppError):
        await asyncio.to_thread(by_pywa)
