"""
A Meta that speaks as much of the Graph API as its documentation says WhatsApp's senders may use: messages, media, and
signed webhooks with the statuses of what it took. No code of Meta's exists here.
"""

import asyncio
import hashlib
import hmac
import itertools
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp import web

from tests.standins.faults import Fault, Faults
from tests.standins.running import serving

TOKEN = "EAAG-token-of-the-stand-in"
SECRET = "app-secret-of-the-stand-in"
PHONE_NUMBER_ID = "106540352242922"
DISPLAY_NUMBER = "905051785501"
WABA = "102290129340398"
TEXTS = {
    0: "AuthException",
    4: "Application request limit reached",
    100: "Invalid parameter",
    190: "Access token expired",
    368: "Temporarily blocked for policies violations",
    130429: "Rate limit hit",
    130472: "User's number is part of an experiment",
    131000: "Something went wrong",
    131016: "Service unavailable",
    131026: "Message undeliverable",
    131031: "Account has been locked",
    131042: "Business eligibility payment issue",
    131047: "Re-engagement message",
    131049: "Not delivered to maintain healthy ecosystem engagement",
    131056: "Pair rate limit hit",
    132000: "Number of parameters does not match the expected number of params",
    132001: "Template name does not exist in the translation",
    132015: "Template is paused",
}
STATUS = {0: 401, 190: 401, 4: 429, 130429: 429, 131056: 429, 131000: 500, 131016: 503}


@dataclass
class Taken:
    """
    A message that Meta has taken over: its recipient sees it. ``key`` is our biz_opaque_callback_data.
    """

    id: str
    key: str | None
    to: str
    body: dict[str, Any]


@dataclass
class Statuses:
    """
    What is told of a message after it was taken, and how badly: chances between 0 and 1. ``code``: why it failed.
    """

    kinds: tuple[str, ...] = ("sent", "delivered", "read")
    doubled: float = 0.0
    disordered: float = 0.0
    dropped: float = 0.0
    failed: float = 0.0
    code: int = 131026
    seconds: float = 0.0


@dataclass
class StandInWhatsApp:
    """
    Takes messages and says what became of them to ``webhook_url``, signed with ``secret``; repeats until a 2xx.

    Free text goes to those in ``open_to`` alone (None: everybody), templates must be in ``templates`` by name with the
    number of their body's parameters (None: all are approved). Faults: see ``Faults`` and ``Statuses``.
    """

    webhook_url: str | None = None
    secret: str = SECRET
    open_to: set[str] | None = None
    templates: dict[str, int] | None = None
    faults: Faults = field(default_factory=Faults)
    statuses: Statuses = field(default_factory=Statuses)
    url: str = ""  # what stands where https://graph.facebook.com/v25.0 stands
    asked: list[dict[str, Any]] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    media: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    media_faults: Faults = field(default_factory=Faults)
    told: int = 0
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _telling: set["asyncio.Task[None]"] = field(default_factory=set)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _client: aiohttp.ClientSession | None = None

    def by_key(self, key: str) -> list[Taken]:
        """
        What was taken with this key: more than one means that the recipient sees it more than once.
        """
        return [taken for taken in self.taken if taken.key == key]

    def to(self, number: str) -> list[Taken]:
        """
        What this person sees, in its order.
        """
        return [taken for taken in self.taken if taken.to == number]

    async def wait_for(self, count: int) -> None:
        """
        Return when so many messages have been taken.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.taken) >= count)

    async def quiet(self) -> None:
        """
        Return when all statuses of what was taken have been told.
        """
        while self._telling:
            await asyncio.gather(*self._telling)

    def add_media(self, data: bytes, mime_type: str) -> dict[str, Any]:
        """
        Somebody's file. Gives what a message about it holds: id, mime_type, sha256.
        """
        number = f"17000000{next(self._numbers):07d}"
        self.media[number] = (data, mime_type)
        return {"id": number, "mime_type": mime_type, "sha256": b64encode(hashlib.sha256(data).digest()).decode()}

    async def post(self, body: dict[str, Any]) -> int:
        """
        Send a webhook body as Meta does: signed, once. Gives the status of the answer.
        """
        assert self.webhook_url is not None
        assert self._client is not None
        raw = json.dumps(body).encode()
        signature = hmac.new(self.secret.encode(), raw, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={signature}", "Content-Type": "application/json"}
        async with self._client.post(self.webhook_url, data=raw, headers=headers) as answer:
            return answer.status

    # --- what it is asked ---

    async def _message(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _error(190)
        if body.get("status") == "read":
            return web.json_response({"success": True})
        if (wrong := self._wrong(body)) is not None:
            return _error(*wrong)
        fault = self.faults.next()
        if fault is Fault.AWAY:
            return _error(131016)
        if fault is Fault.BROKEN:
            return web.Response(status=500, text="<html>Sorry, something went wrong.</html>", content_type="text/html")
        if not isinstance(fault, Fault):
            return _error(fault)
        taken = await self._take(body)
        await self.faults.answering(fault, request)
        known = {"wa_id": taken.to} if "to" in body else {"user_id": taken.to}
        return web.json_response(
            {
                "messaging_product": "whatsapp",
                "contacts": [{"input": taken.to, **known}],
                "messages": [{"id": taken.id}],
            }
        )

    async def _take(self, body: dict[str, Any]) -> Taken:
        number = b64encode(f"{body.get('to') or body['recipient']}/{next(self._numbers):08d}".encode()).decode()
        taken = Taken(
            f"wamid.{number}", body.get("biz_opaque_callback_data"), body.get("to") or body["recipient"], body
        )
        async with self._changed:
            self.taken.append(taken)
            self._changed.notify_all()
        if self.webhook_url is not None:
            task = asyncio.create_task(self._tell(taken))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)
        return taken

    def _wrong(self, body: dict[str, Any]) -> tuple[int, str] | None:
        """
        What the documentation forbids.
        """
        to, kind = body.get("to") or body.get("recipient"), body.get("type", "text")
        content = body.get(kind)
        if body.get("messaging_product") != "whatsapp" or not to or not isinstance(content, dict):
            return 100, "messaging_product, to or recipient, and the content named like type are needed"
        if len(body.get("biz_opaque_callback_data") or "") > 512:
            return 100, "biz_opaque_callback_data: at most 512"
        if kind == "template":
            return self._wrong_template(content)
        if self.open_to is not None and to not in self.open_to:
            return 131047, "more than 24 hours have passed since the recipient last replied"
        if kind == "text" and not 1 <= len(content.get("body", "")) <= 4096:
            return 100, "text.body: 1 to 4096 characters"
        wrong = _wrong_interactive(content) if kind == "interactive" else None
        return None if wrong is None else (100, wrong)

    def _wrong_template(self, template: dict[str, Any]) -> tuple[int, str] | None:
        bodies = [part for part in template.get("components", ()) if part["type"] == "body"]
        values = [one["text"] for part in bodies for one in part["parameters"]]
        if self.templates is not None:
            if template["name"] not in self.templates:
                return 132001, template["name"]
            if len(values) != self.templates[template["name"]]:
                return 132000, f"body: {len(values)} parameters"
        if any(not value or any(odd in value for odd in ("\n", "\t", "     ")) for value in values):
            return 100, "a parameter cannot be empty, or have new lines, tabs or more than 4 spaces"
        return None

    async def _media(self, request: web.Request) -> web.StreamResponse:
        number = request.match_info["media"]
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _error(190)
        fault = self.media_faults.next()
        if fault in (Fault.AWAY, Fault.BROKEN):
            return _error(131016)
        if number not in self.media:
            return _error(100, "Unsupported get request. Object with ID does not exist", 400)
        data, mime = self.media[number]
        about = {
            "messaging_product": "whatsapp",
            "url": f"{request.scheme}://{request.host}/whatsapp_business/attachments/{number}",
            "mime_type": mime,
            "sha256": hashlib.sha256(data).hexdigest(),
            "file_size": len(data),
            "id": number,
        }
        return web.json_response(about)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401)
        found = self.media.get(request.match_info["media"])
        return web.Response(status=404) if found is None else web.Response(body=found[0], content_type=found[1])

    # --- what it tells ---

    async def _tell(self, taken: Taken) -> None:
        chance, how = self.faults.chance, self.statuses
        kinds = ["sent", "failed"] if chance.random() < how.failed else list(how.kinds)
        kinds = [kind for kind in kinds if chance.random() >= how.dropped]
        kinds = [kind for kind in kinds for _ in range(2 if chance.random() < how.doubled else 1)]
        if chance.random() < how.disordered:
            chance.shuffle(kinds)
        for kind in kinds:
            await asyncio.sleep(how.seconds)
            while True:
                try:
                    if 200 <= await self.post(envelope(self._status(taken, kind))) < 300:
                        break
                except aiohttp.ClientError:
                    pass  # whoever is called is down: it is tried again, as Meta does
                await asyncio.sleep(0.2)
            self.told += 1

    def _status(self, taken: Taken, kind: str) -> dict[str, Any]:
        status: dict[str, Any] = {"id": taken.id, "status": kind, "timestamp": str(int(datetime.now(UTC).timestamp()))}
        status["recipient_id" if "to" in taken.body else "recipient_user_id"] = taken.to
        if taken.key is not None:
            status["biz_opaque_callback_data"] = taken.key
        if kind == "failed":  # these come without contacts
            text = TEXTS.get(self.statuses.code, "")
            status["errors"] = [{"code": self.statuses.code, "title": text, "error_data": {"details": text}}]
            return {"statuses": [status]}
        known = {"wa_id" if "to" in taken.body else "user_id": taken.to}
        return {"contacts": [{"profile": {"name": "Ad Soyad"}, **known}], "statuses": [status]}


def envelope(value: dict[str, Any]) -> dict[str, Any]:
    """
    A webhook body around messages or statuses.
    """
    metadata = {"display_phone_number": DISPLAY_NUMBER, "phone_number_id": PHONE_NUMBER_ID}
    change = {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
    return {"object": "whatsapp_business_account", "entry": [{"id": WABA, "changes": [change]}]}


def _wrong_interactive(content: dict[str, Any]) -> str | None:
    action = content.get("action", {})
    if not 1 <= len(content.get("body", {}).get("text", "")) <= 1024:
        return "interactive.body.text: 1 to 1024 characters"
    match content.get("type"):
        case "button":
            replies = [button["reply"] for button in action["buttons"]]
            if not 1 <= len(replies) <= 3 or len({reply["id"] for reply in replies}) != len(replies):
                return "1 to 3 buttons, each with an id of its own"
            ok = all(1 <= len(reply["title"]) <= 20 and 1 <= len(reply["id"]) <= 256 for reply in replies)
            return None if ok else "a button has a title of 1 to 20 characters and an id of 1 to 256"
        case "list":
            rows = [row for section in action["sections"] for row in section["rows"]]
            if not 1 <= len(rows) <= 10 or len({row["id"] for row in rows}) != len(rows):
                return "1 to 10 rows, each with an id of its own"
            ok = all(1 <= len(row["title"]) <= 24 and len(row.get("description", "")) <= 72 for row in rows)
            ok = ok and all(1 <= len(row["id"]) <= 200 for row in rows)
            return None if ok and 1 <= len(action.get("button", "")) <= 20 else "a row or the button is too long"
        case "location_request_message":
            return None if action == {"name": "send_location"} else "action.name: send_location"
        case kind:
            return f"interactive.type: {kind}"


def _error(code: int, details: str = "", status: int | None = None) -> web.Response:
    message = f"(#{code}) {TEXTS.get(code, 'Error')}"
    error = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "AbCdEf"}
    if details:
        error["error_data"] = {"messaging_product": "whatsapp", "details": details}
    return web.json_response({"error": error}, status=status or STATUS.get(code, 400))


@asynccontextmanager
async def stand_in_whatsapp() -> AsyncIterator[StandInWhatsApp]:
    """
    A running one.
    """
    meta = StandInWhatsApp()
    app = web.Application()
    app.add_routes(
        [
            web.post(f"/v25.0/{PHONE_NUMBER_ID}/messages", meta._message),
            web.get("/v25.0/{media:[0-9]+}", meta._media),
            web.get("/whatsapp_business/attachments/{media}", meta._file),
        ]
    )
    async with serving(app) as url, aiohttp.ClientSession() as client:
        meta.url, meta._client = f"{url}/v25.0", client
        try:
            yield meta
        finally:
            for task in meta._telling:
                task.cancel()
            await asyncio.gather(*meta._telling, return_exceptions=True)
