"""
How much one caller may ask: token buckets for each address and each key, and a time for bodies to arrive.
"""

import asyncio
import ipaddress
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import ceil
from time import monotonic
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.common.kit import metrics
from services.common.kit.auth import Caller, KeysUnavailable
from services.common.kit.http import CutShort, Problem, unless_cut_short
from services.common.kit.settings import Networks, Rate

_KEPT: Final = 20_000
_FREE: Final = ("/healthz", "/readyz", "/metrics", "/static/", "/v1/keys/verify")
_STATE: Final = "spent"

KeyOwner = Callable[[str], Awaitable[Caller | None]]
"""Whose key it is: ``guard.Callers.caller``."""


class Buckets:
    """
    A bucket for each name, full at first; a call takes a token, time brings them back. The names used longest ago are
    forgotten when there are too many.
    """

    def __init__(self, rate: Rate, clock: Callable[[], float] = monotonic, kept: int = _KEPT) -> None:
        self._rate = rate
        self._clock = clock
        self._kept = kept
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> float:
        """
        Take a token: 0 if there was one, else the seconds until there will be.
        """
        if not self._rate.per_second:
            return 0.0
        level = self._level(name)
        if level < 1:
            return (1 - level) / self._rate.per_second
        self._put(name, level - 1)
        return 0.0

    def give_back(self, name: str) -> None:
        """
        That call was nobody's business after all.
        """
        if self._rate.per_second:
            self._put(name, min(self._level(name) + 1, self._rate.at_once))

    def _level(self, name: str) -> float:
        level, at = self._levels.get(name, (float(self._rate.at_once), self._clock()))
        return min(float(self._rate.at_once), level + (self._clock() - at) * self._rate.per_second)

    def _put(self, name: str, level: float) -> None:
        self._levels[name] = (level, self._clock())
        self._levels.move_to_end(name)
        if len(self._levels) > self._kept:
            self._levels.popitem(last=False)


@dataclass(slots=True)
class Limits:
    """
    The buckets of a service. A key with every scope (the development key, our own tools) has no limit. What
    ``trusted_proxies`` say of the address behind them is believed.
    """

    addresses: Buckets
    keys: Buckets
    trusted_proxies: Networks = frozenset()

    def spend(self, caller: Caller, request: Request) -> None:
        """
        A call whose key came in its body: it counts for the key, no longer for the address. Raises ``Problem`` 429.
        """
        address = request.scope.get("state", {}).pop(_STATE, None)
        if address is not None:
            self.addresses.give_back(address)
        wait = 0.0 if "*" in caller.scopes else self.keys.take(caller.adapter)
        if wait:
            raise _too_many(wait)


class RateLimit:
    """
    Answer 429 with Retry-After when a key, or an address without a key, asks too much.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limits: Callable[[Scope], Limits | None],
        owner: Callable[[Scope], KeyOwner],
    ) -> None:
        self.app = app
        self._limits = limits
        self._owner = owner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Count one request.
        """
        limits = self._limits(scope) if scope["type"] == "http" else None
        if limits is None or scope["path"].startswith(_FREE):
            await self.app(scope, receive, send)
            return
        wait = await self._wait(scope, limits)
        if wait:
            metrics.http_requests_total.labels(scope["method"], "limited", "429").inc()
            await _too_many(wait).response()(scope, receive, send)
            return
        await self.app(scope, receive, send)

    async def _wait(self, scope: Scope, limits: Limits) -> float:
        headers = dict(scope["headers"])
        key = headers.get(b"x-api-key", b"").decode("latin-1")
        if key:
            try:
                caller = await self._owner(scope)(key)
            except KeysUnavailable:
                caller = None
            if caller is not None:
                return 0.0 if "*" in caller.scopes else limits.keys.take(caller.adapter)
        address = address_of(scope, limits.trusted_proxies)
        scope.setdefault("state", {})[_STATE] = address
        return limits.addresses.take(address)


class Patience:
    """
    Answer 408 when a body has not arrived within so many seconds: whoever sends a byte now and then holds no place.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Watch the body of one request.
        """
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        deadline, complete = asyncio.get_running_loop().time() + self.seconds, False

        async def watched() -> Message:
            nonlocal complete
            if complete:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise CutShort(_too_slow(self.seconds).response()) from None
            complete = not message.get("more_body", False)
            return message

        await unless_cut_short(self.app, scope, watched, send)


def address_of(scope: Scope, trusted: Networks = frozenset()) -> str:
    """
    Who is at the other end: the last address in ``X-Forwarded-For`` that is no proxy of ours, if one of ours sent it.
    Of IPv6 the first 64 bits, which one customer has.
    """
    client = scope.get("client")
    found = client[0] if client else "unknown"
    forwarded = dict(scope["headers"]).get(b"x-forwarded-for", b"").decode("latin-1")
    for address in reversed([part.strip() for part in forwarded.split(",") if part.strip()]):
        if not _within(found, trusted):
            break
        found = address
    try:
        parsed = ipaddress.ip_address(found)
    except ValueError:
        return found[:60]
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else found


def _within(address: str, networks: Networks) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def _too_slow(seconds: float) -> Problem:
    return Problem(408, f"The body did not arrive within {seconds:g} seconds.", headers={"Connection": "close"})


def _too_many(wait: float) -> Problem:
    return Problem(429, "Too many calls: please wait a little.", headers={"Retry-After": str(ceil(wait))})
