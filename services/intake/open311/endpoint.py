"""
What Open311 stands on, and what happens to a report: its key, its photos, its number.
"""

import asyncio
import base64
import binascii
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final, Protocol
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from services.common.contracts.ids import IllFormedId, keyed_hash, parse_request_id
from services.common.kit.auth import Caller, KeysUnavailable
from services.common.kit.clock import Clock
from services.common.kit.guard import Callers
from services.common.kit.limits import Limits
from services.intake.attachments.fetcher import Fetcher, NotFetched
from services.intake.attachments.kinds import MAX_BYTES
from services.intake.attachments.service import Attachments, Later
from services.intake.domain import Refused
from services.intake.open311.definitions import Definitions
from services.intake.open311.parameters import MEDIA_URL, Given, NotTaken, report, service_of, update, value
from services.intake.open311.reading import Lately, PublicReader
from services.intake.schemas import NewReply, NewRequest, ReplyTaken, RequestTaken

MOST_FILES: Final = 10
BODY_LIMIT: Final = 26_000_000
"""Two photos as large as one may be, or more smaller ones, and what multipart puts around them."""
_MOST_FIELDS: Final = 300
_SECONDS_TO_SEND: Final = 120.0
_MEDIA: Final = "media"
_SCOPE: Final = "requests:write"
_NO_PICTURE: Final = (
    f"{MEDIA_URL} must lead to a whole picture that is JPEG, PNG, WebP or GIF and has at most {MAX_BYTES} bytes."
)


class Taker(Protocol):
    """
    Keeps requests and replies: ``Intake``.
    """

    async def take_request(self, body: NewRequest, caller: Caller, idempotency_key: str | None) -> RequestTaken: ...
    async def take_reply(
        self, body: NewReply, request_id: str, caller: Caller, idempotency_key: str | None
    ) -> ReplyTaken: ...


@dataclass(frozen=True, slots=True)
class Sent:
    """
    What a client sent: parameters of query and body, and its pictures.
    """

    given: Given
    files: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Open311:
    """
    The endpoint's parts. ``base_url`` has no format and no slash at its end. With a ``fetcher`` the picture behind a
    report's ``media_url`` is fetched and kept; without one the link is an attribute of the report and nothing else.
    """

    base_url: str
    jurisdiction: str
    contact: str
    key_service: str
    secret: bytes
    known: Definitions
    reader: PublicReader
    lately: Lately
    keys: Callers
    limits: Limits
    intake: Taker
    attachments: Attachments
    clock: Clock
    fetcher: Fetcher | None = None

    async def caller(self, request: Request, given: Given) -> Caller:
        """
        Whose ``api_key`` it is (or key in ``X-API-Key``). Raises ``NotTaken``: 403 for none, a wrong one, or one that
        may not report; ``Problem`` 429.
        """
        key = value(given, "api_key") or request.headers.get("X-API-Key")
        try:
            caller = await self.keys.caller(key) if key else None
        except KeysUnavailable:
            raise NotTaken(503, "Keys cannot be checked now: please send it again.") from None
        if caller is None:
            raise NotTaken(403, "A valid api_key is required: see key_service in the discovery document.")
        self.limits.spend(caller, request)
        if not caller.may(_SCOPE):
            raise NotTaken(403, "This api_key may not report: its scope requests:write is missing.")
        return caller

    async def report(self, sent: Sent, caller: Caller, idempotency_key: str | None) -> str:
        """
        Take a report; returns its number. It is checked before its pictures are fetched and kept. Raises ``NotTaken``
        and what ``Intake.take_request`` raises.
        """
        report(sent.given, self.known)
        link = value(sent.given, MEDIA_URL)
        if self.fetcher is not None and link and len(sent.files) >= MOST_FILES:
            raise NotTaken(400, f"media and media_url: at most {MOST_FILES} pictures together.")
        fetched = [await self._linked(self.fetcher, link, caller)] if self.fetcher is not None and link else []
        attachments = [*[await self._picture(raw, caller) for raw in sent.files], *fetched]
        body = report(sent.given, self.known, list(dict.fromkeys(attachments)))
        taken = await self.intake.take_request(body, caller, idempotency_key)
        self.lately.remember(taken.request_id)
        return taken.request_id

    async def update(self, sent: Sent, caller: Caller) -> str:
        """
        Take what somebody adds to a request; returns their id of it, which may be sent again without harm. Raises
        ``NotTaken``, ``ReadingAway`` and what ``Intake.take_reply`` raises.
        """
        if sent.files:
            raise NotTaken(400, "Pictures are not taken with updates: give a link in media_url.")
        added = update(sent.given)
        if not await self.reader.known(added.request_id):
            raise NotTaken(404, "service_request_id was not found.")
        await self.intake.take_reply(added.reply, added.request_id, caller, None)
        return added.update_id

    def in_batch(self, given: Given) -> bool:
        """
        Whether the service's reports get a token first.
        """
        return service_of(given) in self.known.batch

    def token_of(self, request_id: str) -> str:
        """
        The token that stands for a number until it is processed.
        """
        return f"T{request_id}{keyed_hash(self.secret, 'open311-token', request_id)[:16].upper()}"

    def number_of(self, token: str) -> str:
        """
        The number that a token of ours stands for. Raises ``NotTaken``.
        """
        try:
            request_id = parse_request_id(token[1:14])
        except IllFormedId:
            request_id = ""
        if not request_id or not compare_digest(
            token.upper().encode("utf-8", "replace"), self.token_of(request_id).encode()
        ):
            raise NotTaken(404, "token was not found.")
        return request_id

    async def _picture(self, raw: bytes, caller: Caller) -> str:
        try:
            with self.attachments.place(caller.adapter):
                taken = await self.attachments.take(raw, caller)
        except Refused as error:
            raise NotTaken(400, f"media: the file {error.message}.") from None
        except Later as error:
            raise NotTaken(503, f"{error} Please send it again.") from None
        if not taken.attachment.kind.picture:
            raise NotTaken(400, "media: the file must be a picture.")
        return taken.attachment.id

    async def _linked(self, fetcher: Fetcher, link: str, caller: Caller) -> str:
        """
        The picture behind a link, kept. What is behind it instead is not told.
        """
        try:
            with self.attachments.place(caller.adapter):
                taken = await self.attachments.take(await fetcher.fetch(link), caller)
        except NotFetched as error:
            raise NotTaken(400, f"{MEDIA_URL} {error}.") from None
        except Refused:
            raise NotTaken(400, _NO_PICTURE) from None
        except Later as error:
            raise NotTaken(503, f"{error} Please send it again.") from None
        if not taken.attachment.kind.picture:
            raise NotTaken(400, _NO_PICTURE)
        return taken.attachment.id


async def sent(request: Request) -> Sent:
    """
    What stands in the query and in a form, urlencoded or multipart; the form's fields count more. Raises ``NotTaken``.
    """
    found: dict[str, list[str]] = {}
    for name, text in request.query_params.multi_items():
        found.setdefault(name, []).append(text)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    files: list[bytes] = []
    try:
        async with asyncio.timeout(_SECONDS_TO_SEND):
            match kind:
                case "multipart/form-data":
                    fields, files = await _multipart(request)
                case "" | "application/x-www-form-urlencoded":
                    fields = _urlencoded(await request.body())
                case _:
                    raise NotTaken(400, "The body must be application/x-www-form-urlencoded or multipart/form-data.")
    except TimeoutError:
        raise NotTaken(408, f"The body did not come within {_SECONDS_TO_SEND:.0f} seconds.") from None
    own: dict[str, list[str]] = {}
    for name, text in fields:
        own.setdefault(name, []).append(text)
    files += [_unpacked(text) for name in (_MEDIA, f"{_MEDIA}[]") for text in own.pop(name, []) if text.strip()]
    if len(files) > MOST_FILES:
        raise NotTaken(400, f"media: at most {MOST_FILES} files.")
    if any(len(raw) > MAX_BYTES for raw in files):
        raise NotTaken(413, f"media: a file may have at most {MAX_BYTES} bytes.")
    return Sent({**found, **own}, tuple(files))


def _urlencoded(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            body.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=_MOST_FIELDS
        )
    except UnicodeDecodeError:
        raise NotTaken(400, "The form is not UTF-8, urlencoded.") from None
    except ValueError:
        raise NotTaken(400, f"The form has more than {_MOST_FIELDS} fields.") from None


async def _multipart(request: Request) -> tuple[list[tuple[str, str]], list[bytes]]:
    try:
        form = await request.form(max_files=MOST_FILES, max_fields=_MOST_FIELDS, max_part_size=BODY_LIMIT)
    except HTTPException:
        raise NotTaken(400, f"The body is not multipart/form-data with at most {MOST_FILES} files.") from None
    try:
        fields = [(name, part) for name, part in form.multi_items() if isinstance(part, str)]
        parts = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
        files = [raw for part in parts if (raw := await part.read())]
    finally:
        await form.close()
    return fields, files


def _unpacked(text: str) -> bytes:
    """
    A picture that came as base64, bare or as a ``data:`` URL.
    """
    bare = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode("".join(bare.split()), validate=True)
    except (binascii.Error, ValueError):
        raise NotTaken(400, "media must be a file, or a picture in base64.") from None
