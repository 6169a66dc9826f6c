"""
Fetches a picture that a stranger only names by a link, without letting him look through us into our own network.

Each name is resolved once and all its addresses are looked at; the connection goes to those very addresses, so an
answer that changes afterwards (DNS rebinding) changes nothing. Every redirect is looked at as the first link was.
There are no cookies, no keys, no proxies of the environment, nothing is unpacked, nothing is kept between two fetches.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

import httpcore
import httpx

from services.common.kit.logs import logger
from services.intake.attachments.kinds import MAX_BYTES
from services.intake.attachments.targets import NotAllowed, Target, redirected, routable, target_of

log = logger(__name__)
Address = IPv4Address | IPv6Address
Resolve = Callable[[str], Awaitable[Sequence[Address]]]
"""The addresses of a name, in the order to try them. Raises ``OSError`` if there are none."""

MOST_REDIRECTS: Final = 3
SECONDS: Final = 10.0
_MOST_TRIED: Final = 3
_SECONDS_TO_CONNECT: Final = 3.0
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HEADERS: Final = (
    (b"Accept", b"image/jpeg, image/png, image/webp, image/gif"),
    (b"Accept-Encoding", b"identity"),
    (b"Connection", b"close"),
    (b"User-Agent", b"ILKIM-Open311"),
)


class NotFetched(Exception):
    """
    There is no picture; the message, which goes behind the field's name, says what would be right. It is the same
    whatever went wrong on the way: it tells nothing of which names and addresses there are.
    """


class SystemResolver:
    """
    Asks as the machine does, in threads of its own: names that are answered slowly hold up nobody else's.
    """

    def __init__(self, at_once: int = 4) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="media-names")

    async def __call__(self, name: str) -> Sequence[Address]:
        """
        The addresses of a name, taken as a whole one: no search domain of ours is put behind it.
        """
        loop = asyncio.get_running_loop()
        rows = await loop.run_in_executor(self._threads, lambda: _system_addresses(f"{name}."))
        return list(dict.fromkeys(rows))


class Pinned(httpcore.AsyncNetworkBackend):
    """
    Connects to the given addresses, the first that answers, whatever host is asked for.
    """

    def __init__(self, network: httpcore.AsyncNetworkBackend, addresses: Sequence[Address]) -> None:
        self._network = network
        self._addresses = addresses

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """
        A connection. Raises httpcore's ``ConnectError`` or ``ConnectTimeout``.
        """
        failed: Exception = httpcore.ConnectError()
        for address in self._addresses:
            try:
                return await self._network.connect_tcp(
                    str(address), port, timeout=_SECONDS_TO_CONNECT, socket_options=socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed


class Fetcher:
    """
    Fetches pictures of at most ``kinds.MAX_BYTES``, each within ``seconds`` and all of its redirects. ``http``: whether
    links may be unencrypted.
    """

    def __init__(
        self,
        *,
        http: bool = False,
        resolve: Resolve | None = None,
        network: httpcore.AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self._http = http
        self._resolve = resolve or SystemResolver()
        self._network = network or httpcore.AnyIOBackend()
        self._tls = tls or httpx.create_ssl_context(trust_env=False)
        self._seconds = seconds

    async def fetch(self, link: str) -> bytes:
        """
        What is there, whatever it is: only its size is looked at. Raises ``NotFetched``.
        """
        try:
            target = target_of(link, http=self._http)
        except NotAllowed as error:
            raise NotFetched(str(error)) from None
        try:
            async with asyncio.timeout(self._seconds):
                return await self._followed(target)
        except (NotAllowed, httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
            log.info("a picture of media_url was not fetched", why=type(error).__name__)
            raise NotFetched(
                f"must lead, with at most {MOST_REDIRECTS} redirects and within {self._seconds:.0f} seconds, to a "
                f"picture of at most {MAX_BYTES // 1_048_576} MB on a server of the public internet"
            ) from None

    async def _followed(self, target: Target) -> bytes:
        for _ in range(MOST_REDIRECTS + 1):
            found = await self._asked(target)
            if isinstance(found, bytes):
                return found
            target = found
        raise NotAllowed("must lead there with fewer redirects")

    async def _asked(self, target: Target) -> bytes | Target:
        """
        What a target answers: its content, or another target.
        """
        pinned = Pinned(self._network, await self._addresses(target))
        url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        async with (
            httpcore.AsyncConnectionPool(ssl_context=self._tls, max_connections=1, network_backend=pinned) as pool,
            pool.stream("GET", url, headers=list(_HEADERS)) as answer,
        ):
            if answer.status in _REDIRECTS:
                location = next((value for name, value in answer.headers if name.lower() == b"location"), b"")
                return redirected(target, location.decode("utf-8", "replace"), http=self._http)
            if answer.status != httpx.codes.OK:
                raise NotAllowed("must be there")
            content = bytearray()
            async for piece in answer.aiter_stream():
                content += piece
                if len(content) > MAX_BYTES:
                    raise NotAllowed("must be smaller")
            return bytes(content)

    async def _addresses(self, target: Target) -> Sequence[Address]:
        """
        Where the target is, if all of it is public. Raises ``NotAllowed`` or ``OSError``.
        """
        fixed = target.address
        found = await self._resolve(target.host) if fixed is None else [fixed]
        if not found or not all(map(routable, found)):
            raise NotAllowed("must be a public server")
        return found[:_MOST_TRIED]


def _system_addresses(name: str) -> list[Address]:
    rows = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [ip_address(row[4][0]) for row in rows]
