"""
An Asterisk that speaks as much ARI as its documentation says our bridge may use; no Asterisk package exists here.
"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.standins.running import serving


def channel(number: str = "1717223400.42", **fields: Any) -> dict[str, Any]:
    """
    An incoming channel as ARI shows it.
    """
    return {
        "id": number,
        "name": "PJSIP/trunk-0000002a",
        "state": "Ring",
        "caller": {"name": "", "number": "05321112233"},
        "connected": {"name": "", "number": ""},
        "accountcode": "",
        "dialplan": {
            "context": "from-trunk",
            "exten": "4445501",
            "priority": 2,
            "app_name": "Stasis",
            "app_data": "ilkim,4445501",
        },
        "creationtime": "2026-06-01T09:30:00.100+0300",
        "language": "tr",
    } | fields


class StandInAsterisk:
    """
    Keeps channels, hands out events to the newest WebSocket of an application, notes what it is asked. A newer
    WebSocket replaces the older one, which is told so. Wrong credentials are answered 401, unknown channels 404.
    """

    def __init__(self, credentials: str = "ilkim:secret") -> None:
        self.channels: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.subscribed: set[str] = set()
        self.connections = 0
        self.url = ""
        self.authorization = "Basic " + b64encode(credentials.encode()).decode()
        self._socket: web.WebSocketResponse | None = None
        self._transport: asyncio.Transport | None = None
        self._connected = asyncio.Condition()

    async def connected(self, times: int) -> None:
        """
        Return when an application has connected and read the list of channels so often.
        """
        async with self._connected:
            await self._connected.wait_for(lambda: self.connections >= times)

    async def say(self, kind: str, **fields: Any) -> None:
        """
        Send an event to the application.
        """
        assert self._socket is not None
        event = {"type": kind, "application": "ilkim", "asterisk_id": "00:11:22:33:44:55", **fields}
        await self._socket.send_json({"timestamp": "2026-06-01T09:30:00.123+0300"} | event)

    async def ring(self, number: str = "1717223400.42", **fields: Any) -> None:
        """
        A call comes into the application.
        """
        self.channels[number] = channel(number, **fields)
        await self.say("StasisStart", args=["4445501"], channel=self.channels[number])

    async def cut(self) -> None:
        """
        Break the WebSocket.
        """
        assert self._transport is not None
        self._transport.close()

    async def _events(self, request: web.Request) -> web.StreamResponse:
        self._check(request)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        older, self._socket, self._transport = self._socket, socket, request.transport
        if older is not None and not older.closed:
            await older.send_json({"type": "ApplicationReplaced", "application": request.query["app"]})
            await older.close()
        async for _ in socket:
            pass
        return socket

    async def _list(self, request: web.Request) -> web.Response:
        self._check(request)
        answer = web.json_response(list(self.channels.values()))
        async with self._connected:
            self.connections += 1
            self._connected.notify_all()
        return answer

    async def _do(self, request: web.Request) -> web.Response:
        self._check(request)
        number, what = request.match_info["channel"], request.match_info["what"]
        self.asked.append(what)
        if number not in self.channels:
            return web.json_response({"message": "Channel not found"}, status=404)
        if what == "continue":
            self.channels[number]["dialplan"] |= {"app_name": "Queue", "app_data": "ilkim"}
        if what != "play":
            return web.Response(status=204)
        playback = {"id": "p1", "media_uri": request.query["media"], "target_uri": f"channel:{number}", "state": "done"}
        asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(self._played(playback)))
        return web.json_response(playback | {"state": "queued"}, status=201)

    async def _played(self, playback: dict[str, Any]) -> None:
        await self.say("PlaybackFinished", playback=playback)

    async def _subscribe(self, request: web.Request) -> web.Response:
        self._check(request)
        self.subscribed.add(request.query["eventSource"])
        return web.json_response({"name": request.match_info["app"]})

    def _check(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != self.authorization:
            raise web.HTTPUnauthorized


@asynccontextmanager
async def stand_in_asterisk() -> AsyncIterator[StandInAsterisk]:
    """
    A running one.
    """
    asterisk = StandInAsterisk()
    app = web.Application()
    app.add_routes(
        [
            web.get("/ari/events", asterisk._events),
            web.get("/ari/channels", asterisk._list),
            web.post("/ari/channels/{channel}/{what:answer|play|continue}", asterisk._do),
            web.post("/ari/applications/{app}/subscription", asterisk._subscribe),
        ]
    )
    async with serving(app) as url:
        asterisk.url = url
        yield asterisk
