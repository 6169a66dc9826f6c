"""
The bridge between Asterisk and our webhook: ARI's WebSocket and REST on one side, ``POST`` on the other.

What was heard is told in its order and as long as it takes: the webhook may be away, and repeats do no harm. When the
WebSocket breaks it is opened again (after 1 s, 2 s, … at most 30 s) and what happened meanwhile is read from the list
of channels.
"""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import orjson

from services.common.kit.logs import logger
from services.intake.calls import asterisk
from services.intake.calls.asterisk import Action, Ask, Channels, Plan, Stop, Tell

log = logger(__name__)
_LONGEST_PAUSE: Final = 30.0
_WAITING: Final = 10_000
_PATIENCE: Final = aiohttp.ClientTimeout(total=10)
_AWAY: Final = (aiohttp.ClientError, TimeoutError, OSError)


class Replaced(Exception):
    """
    Another process has the application now.
    """


class AsteriskBridge:
    """
    Follows one Asterisk until another process takes its application over.
    """

    def __init__(
        self, *, url: str, user: str, password: str, plan: Plan, webhook: str, first_pause: float = 1.0
    ) -> None:
        self._ari = url.rstrip("/") + "/ari"
        self._auth = {"Authorization": aiohttp.encode_basic_auth(user, password)}
        self._plan = plan
        self._webhook = webhook
        self._first_pause = first_pause
        self._channels = Channels()
        self._telling: asyncio.Queue[Tell] = asyncio.Queue(_WAITING)

    async def run(self) -> None:
        """
        Follow, for ever. Raises ``Replaced``.
        """
        async with aiohttp.ClientSession(timeout=_PATIENCE) as http:
            teller = asyncio.create_task(self._tell_all(http))
            try:
                await self._follow_all(http)
            finally:
                with suppress(TimeoutError):
                    async with asyncio.timeout(5):
                        await self._telling.join()
                teller.cancel()
                await asyncio.gather(teller, return_exceptions=True)

    async def _follow_all(self, http: aiohttp.ClientSession) -> None:
        pause = self._first_pause
        while True:
            try:
                async with http.ws_connect(
                    f"{self._ari}/events", params={"app": self._plan.app}, headers=self._auth, heartbeat=20
                ) as socket:
                    log.info("asterisk is there")
                    pause = self._first_pause
                    await self._adopt(http)
                    async for message in socket:
                        if message.type is aiohttp.WSMsgType.TEXT:
                            await self._hear(http, message.data)
            except _AWAY as error:
                log.warning("asterisk is away", error=type(error).__name__, pause=pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _adopt(self, http: aiohttp.ClientSession) -> None:
        async with http.get(f"{self._ari}/channels", headers=self._auth) as answer:
            answer.raise_for_status()
            there = await answer.json()
        self._channels, actions = asterisk.adopt(self._channels, there, self._plan)
        await self._act(http, actions)

    async def _hear(self, http: aiohttp.ClientSession, text: str) -> None:
        try:
            event: dict[str, Any] = orjson.loads(text)
            self._channels, actions = asterisk.follow(self._channels, event, self._plan)
        except (ValueError, KeyError, TypeError, AttributeError) as error:  # its text may hold a number
            log.error("asterisk said something odd", error=type(error).__name__)
            return
        await self._act(http, actions)

    async def _act(self, http: aiohttp.ClientSession, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Tell():
                    await self._telling.put(action)
                case Ask():
                    await self._ask(http, action)
                case Stop():
                    log.error("another process took the application over: this one stops", app=self._plan.app)
                    raise Replaced

    async def _ask(self, http: aiohttp.ClientSession, ask: Ask) -> None:
        async with http.request(
            ask.method, self._ari + quote(ask.path), params=dict(ask.query), headers=self._auth
        ) as answer:
            if answer.status >= 400 and answer.status != 404:
                log.error("asterisk refused", path=ask.path.rpartition("/")[2], status=answer.status)

    async def _tell_all(self, http: aiohttp.ClientSession) -> None:
        while True:
            tell = await self._telling.get()
            await self._tell(http, tell)
            self._telling.task_done()

    async def _tell(self, http: aiohttp.ClientSession, tell: Tell) -> None:
        pause = self._first_pause
        while True:
            try:
                async with http.post(self._webhook, json=dict(tell.body)) as answer:
                    if answer.status < 300:
                        return
                    if answer.status < 500 and answer.status != 429:
                        log.error("the webhook refused an event", step=tell.body["event"], status=answer.status)
                        return
            except _AWAY as error:
                log.warning("the webhook is away", error=type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def run_bridge(make: Callable[[], AsteriskBridge]) -> bool:
    """
    Run a bridge until SIGTERM; False if another process took its application over.
    """

    async def run() -> bool:
        bridge = asyncio.create_task(make().run())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, bridge.cancel)
        with suppress(asyncio.CancelledError):
            try:
                await bridge
            except Replaced:
                return False
        return True

    return asyncio.run(run())
