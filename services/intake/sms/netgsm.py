"""
Fetching what came into NetGSM's inbox, for whom it does not call.

``GET /sms/rest/v2/inbox`` with ``startdate`` and ``stopdate`` (without them it lists each message once, and an answer
that is lost would be a message lost). Each look goes back a little behind the last one that succeeded, and after an
outage to that one: what is listed twice is one message. Code 40 is NetGSM's word for "nothing there".
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from services.common.kit.clock import Clock
from services.common.kit.logs import logger
from services.intake.domain import ISTANBUL
from services.intake.keeper import NowhereToKeep
from services.intake.sms.gateways import Gateways
from services.intake.sms.shapes import NoText, texts_of

log = logger(__name__)
GATEWAY: Final = "netgsm"
PATH: Final = "/sms/rest/v2/inbox"
OVERLAP: Final = timedelta(minutes=15)
FIRST: Final = timedelta(days=1)
FARTHEST: Final = timedelta(days=7)
LONGEST_PAUSE: Final = 900.0
_DATE: Final = "%d%m%Y%H%M%S"  # as openapi.json of netgsm-sms-js has it for the inbox
_THERE: Final = "00"
_NOTHING: Final = "40"
_ANSWERS_WITHIN: Final = 20.0


class NotFetched(Exception):
    """
    The inbox could not be read; ``code`` is NetGSM's, HTTP's, or what happened.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class NetgsmInbox:
    """
    NetGSM's inbox, looked into every ``every`` seconds.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        user: str,
        password: str,
        gateways: Gateways,
        clock: Clock,
        every: float,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = http
        self._url = url.rstrip("/") + PATH
        self._auth = httpx.BasicAuth(user, password)
        self._gateways = gateways
        self._clock = clock
        self._every = every
        self._pause = pause
        self._since: datetime | None = None

    async def follow(self) -> None:
        """
        Fetch for ever. While it fails it is tried less and less often, at least every quarter of an hour.
        """
        failures = 0
        while True:
            try:
                await self.fetch()
            except (NotFetched, NowhereToKeep) as error:
                failures += 1
                if failures == 1:
                    why = error.code if isinstance(error, NotFetched) else "nowhere to keep it"
                    log.warning("the SMS inbox is not read", gateway=GATEWAY, why=why)
            else:
                if failures:
                    log.info("the SMS inbox is read again", gateway=GATEWAY, failures=failures)
                failures = 0
            await self._pause(min(self._every * 2 ** min(failures, 20), max(LONGEST_PAUSE, self._every)))

    async def fetch(self) -> None:
        """
        Keep what came in since the last time. Raises ``NotFetched``, or ``NowhereToKeep``: next time it is fetched
        again.
        """
        now = self._clock()
        since = max(self._since - OVERLAP, now - FARTHEST) if self._since else now - FIRST
        listed = await self._listed({"startdate": _written(since), "stopdate": _written(now + OVERLAP)})
        try:
            texts, ignored = texts_of(listed)
        except NoText:
            raise NotFetched("messages of an unknown shape") from None
        await self._gateways.take(GATEWAY, texts, ignored)
        self._since = now

    async def _listed(self, between: dict[str, str]) -> list[Any]:
        try:
            answer = await self._http.get(self._url, params=between, auth=self._auth, timeout=_ANSWERS_WITHIN)
            body = answer.json()
        except httpx.HTTPError as error:
            raise NotFetched(type(error).__name__) from None
        except ValueError:
            raise NotFetched(f"HTTP {answer.status_code}") from None
        code = str(body.get("code", "")) if isinstance(body, dict) else ""
        if code == _NOTHING:
            return []
        listed = body.get("messages") if code == _THERE else None
        if not isinstance(listed, list):
            raise NotFetched(f"HTTP {answer.status_code}, code {code[:10]}")
        return listed


def _written(moment: datetime) -> str:
    return moment.astimezone(ISTANBUL).strftime(_DATE)
