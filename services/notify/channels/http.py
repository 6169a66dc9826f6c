"""
How providers are spoken to over HTTP: what is known after a failure, and what is not.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx
import orjson

from services.common.kit.clock import Clock
from services.notify.channels.base import TemporaryError

LIMIT_SECONDS: Final = 10.0  # below NOTIFY_SEND_TIMEOUT, together with what a gate may wait
MOST_BYTES: Final = 262_144  # of an answer; nobody has more to say
LONGEST_AFTER: Final = timedelta(hours=1)
_UNCLEAR: Final = frozenset({500, 502, 504})  # from a proxy, or half way: it may have been taken


def new_client() -> httpx.AsyncClient:
    """
    The client for all senders. Certificates are checked, redirects are not followed, the environment has no say.
    """
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=32, keepalive_expiry=30)
    timeout = httpx.Timeout(LIMIT_SECONDS, connect=3.0, pool=3.0)
    return httpx.AsyncClient(timeout=timeout, limits=limits, follow_redirects=False, trust_env=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What came back: the status, the JSON object if it was one, and how long the provider wants to be left alone.
    """

    status: int
    body: Mapping[str, Any] = field(default_factory=dict)
    after: timedelta | None = None

    @property
    def ok(self) -> bool:
        """
        A 2xx.
        """
        return 200 <= self.status < 300


async def ask(client: httpx.AsyncClient, clock: Clock, method: str, url: str, **request: Any) -> Answer:
    """
    Ask once. Raises ``TemporaryError`` if it has not been asked for certain, ``TimeoutError`` if nobody knows: no
    answer, half of one, or an answer from somewhere on the way.
    """
    try:
        async with (
            asyncio.timeout(LIMIT_SECONDS),
            client.stream(method, url, follow_redirects=False, **request) as response,
        ):
            raw = b""
            async for chunk in response.aiter_bytes():
                raw += chunk
                if len(raw) > MOST_BYTES:
                    break
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
        raise TemporaryError("unreachable") from None
    except httpx.RequestError as error:  # its text may hold the address
        raise TimeoutError(type(error).__name__) from None
    return Answer(response.status_code, _object(raw), _after(response.headers.get("Retry-After"), clock()))


def unclear(answer: Answer) -> TimeoutError | TemporaryError:
    """
    What an answer means in which the provider does not say it itself: with 500, 502 and 504 it may have taken it.
    """
    if answer.status in _UNCLEAR:
        return TimeoutError(f"http_{answer.status}")
    return TemporaryError(f"http_{answer.status}", answer.after)


def _object(raw: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _after(given: str | None, now: datetime) -> timedelta | None:
    """
    Retry-After in seconds or as a date; within an hour.
    """
    if given is None:
        return None
    try:
        wait = timedelta(seconds=int(given)) if given.isdecimal() else parsedate_to_datetime(given) - now
    except (ValueError, TypeError, OverflowError):  # no date, a date without a zone, more seconds than there are
        return None
    return min(max(wait, timedelta(0)), LONGEST_AFTER)
