"""
The files of messages: fetched from WhatsApp's Graph API, looked at as every file is, and kept as attachments.

Graph names a URL for a media id; our token goes to Meta's hosts alone, over https, and no redirect is followed.
"""

import asyncio
import base64
from hashlib import sha256
from typing import Final, Protocol
from urllib.parse import quote, urlsplit

import httpx

from services.common.kit.auth import Caller
from services.common.kit.errors import Retryable
from services.common.kit.logs import logger
from services.intake.attachments.kinds import MAX_BYTES
from services.intake.attachments.service import Attachments, Later
from services.intake.attachments.store import Use
from services.intake.conversations.model import File, Tie
from services.intake.domain import Refused
from services.intake.guard import Away

log = logger(__name__)
SECONDS: Final = 20.0
_METAS_HOSTS: Final = (".fbsbx.com", ".whatsapp.net", ".facebook.com")
_GONE: Final = frozenset({400, 404, 410})


class NotNow(Exception):
    """
    The file cannot be had just now.
    """


class Unobtainable(Exception):
    """
    The file never will be had.
    """


class Source(Protocol):
    """
    Where a provider keeps the files of messages.
    """

    async def fetch(self, provider_id: str, told: str | None) -> bytes:
        """
        The file; ``told`` is its SHA-256 as the message had it. Raises ``NotNow`` or ``Unobtainable``.
        """


class Graph:
    """
    WhatsApp's files. ``url``: the Graph API with its version.
    """

    def __init__(self, http: httpx.AsyncClient, url: str, token: str) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._bearer = {"Authorization": f"Bearer {token}"}

    async def fetch(self, provider_id: str, told: str | None) -> bytes:
        """
        The file. Raises ``NotNow`` or ``Unobtainable``.
        """
        try:
            async with asyncio.timeout(SECONDS):
                raw = await self._downloaded(await self._place(provider_id))
        except (httpx.HTTPError, TimeoutError) as error:
            raise NotNow(type(error).__name__) from None
        if told is not None and told not in _hashes(raw):
            raise NotNow("the file is not the one that was sent")
        return raw

    async def _place(self, provider_id: str) -> str:
        answer = await self._http.get(f"{self._url}/{quote(provider_id, safe='')}", headers=self._bearer)
        _check(answer)
        try:
            found = answer.json()
        except ValueError:
            raise NotNow("Graph answers with something else") from None
        place = found.get("url") if isinstance(found, dict) else None
        if not isinstance(place, str) or not self._may_follow(place):
            raise Unobtainable("the link does not lead to Meta")
        return place

    def _may_follow(self, place: str) -> bool:
        try:
            link, own = urlsplit(place), urlsplit(self._url)
            if (link.scheme, link.netloc) == (own.scheme, own.netloc):
                return True
            metas = (link.hostname or "").endswith(_METAS_HOSTS)
            return link.scheme == "https" and link.port in (None, 443) and "@" not in link.netloc and metas
        except ValueError:
            return False

    async def _downloaded(self, place: str) -> bytes:
        content = bytearray()
        async with self._http.stream("GET", place, headers=self._bearer) as answer:
            _check(answer)
            async for piece in answer.aiter_bytes():
                content += piece
                if len(content) > MAX_BYTES:
                    raise Unobtainable("the file is too large")
        return bytes(content)


class Files:
    """
    Keeps the files of messages and ties them to what was made of them. Without a ``source`` none can be fetched.
    """

    def __init__(self, source: Source | None, attachments: Attachments) -> None:
        self._source = source
        self._attachments = attachments

    async def keep(self, file: File, owner: str) -> str | None:
        """
        The number of the attachment that the file is now; None if it never will be one. Raises ``NotNow``.
        """
        if file.attachment is not None:
            return file.attachment
        if self._source is None or file.provider_id is None:
            return None
        try:
            raw = await self._source.fetch(file.provider_id, file.sha256)
            return (await self._attachments.take(raw, _caller(owner))).attachment.id
        except (Unobtainable, Refused) as error:
            log.info("a file of a message is not taken", why=str(error))
            return None
        except (Later, Away) as error:
            raise NotNow(type(error).__name__) from None

    async def tie(self, tie: Tie) -> None:
        """
        Tie files to a request before it is published. Raises ``Retryable`` while that cannot be.
        """
        try:
            await self._attachments.tie(tie.attachments, _caller(tie.owner), tie.request_id, Use.SENT)
        except Refused as error:  # it goes without them rather than not at all
            log.warning("files could not be tied to their request", request_id=tie.request_id, why=str(error))
        except Away:
            raise Retryable("files cannot be tied now") from None


def _caller(owner: str) -> Caller:
    return Caller(owner, frozenset(), frozenset())


def _check(answer: httpx.Response) -> None:
    if answer.status_code in _GONE:
        raise Unobtainable(f"Graph does not have it: {answer.status_code}")
    if answer.status_code != httpx.codes.OK:
        raise NotNow(f"Graph answers {answer.status_code}")


def _hashes(raw: bytes) -> frozenset[str]:
    digest = sha256(raw)
    return frozenset({digest.hexdigest(), base64.b64encode(digest.digest()).decode()})
