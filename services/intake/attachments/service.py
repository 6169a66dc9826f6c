"""
What happens to a file, in order: look at it, have it scanned, keep it, answer; and who may see it afterwards.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Final

from services.common.contracts import ids
from services.common.kit.auth import Caller
from services.common.kit.clock import Clock
from services.common.kit.logs import logger
from services.intake.attachments.kinds import Kind, Unfit
from services.intake.attachments.scanner import Scanner, ScannerAway
from services.intake.attachments.store import Attachment, Link, Size, Store, Use
from services.intake.attachments.workshop import Looked, Workshop, WorkshopFull
from services.intake.domain import Refused
from services.intake.guard import Breaker

log = logger(__name__)
UNUSED: Final = timedelta(hours=24)
MOST: Final = 10
MOST_REQUESTS: Final = 100
_BETWEEN_SWEEPS: Final = 600.0
_AT_ONCE: Final = 16
_AT_ONCE_OF_ONE: Final = 8

Holders = Callable[[str], Awaitable[frozenset[str]]]
"""Of a request: the departments that hold it or a part of it now, as far as is known."""


class Later(Exception):
    """
    The file cannot be taken or shown just now; the message says why.
    """


@dataclass(frozen=True, slots=True)
class Taken:
    """
    A file that is kept, and what its camera says of when and where: for whoever sent it, kept nowhere.
    """

    attachment: Attachment
    taken_at: datetime | None
    position: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Shown:
    """
    One form of a file, in pieces.
    """

    attachment: Attachment
    size: Size
    pieces: AsyncIterator[bytes]

    @property
    def media_type(self) -> str:
        """
        What the form is: copies are JPEG.
        """
        return self.attachment.kind if self.size is Size.ORIGINAL else Kind.JPEG


def attachment_id(secret: bytes, owner: str, raw: bytes) -> str:
    """
    The number of a file: the same for the same content from the same adapter or person, and no other's.
    """
    return "a_" + ids.keyed_hash(secret, "attachment", owner, sha256(raw).hexdigest())


def may_see(caller: Caller, attachment: Attachment, holders: Collection[str]) -> bool:
    """
    Whether a file is shown to the caller: it may read texts, and sees all, or what one of the ``holders`` of the file's
    requests holds. A file that belongs to no request yet is its sender's too, if that is a person.
    """
    if not attachment.links and caller.person is not None and caller.adapter == attachment.owner:
        return True
    return caller.may("texts:read") and (caller.sees(None) or any(caller.sees(holder) for holder in holders))


class Attachments:
    """
    Takes files and shows them. A return of ``take`` means: kept, whatever dies now.
    """

    def __init__(
        self,
        *,
        secret: bytes,
        store: Store,
        workshop: Workshop,
        scanner: Scanner,
        mongo: Breaker,
        holders: Holders,
        clock: Clock,
    ) -> None:
        self._secret = secret
        self._store = store
        self._workshop = workshop
        self._scanner = scanner
        self._mongo = mongo
        self._holders = holders
        self._clock = clock
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def place(self, owner: str) -> Iterator[None]:
        """
        A place for one upload, to be had before its body is read: so many files at most are in memory and on the disk,
        and one caller does not take all the places. Raises ``Later``.
        """
        if self._under_way.total() >= _AT_ONCE or self._under_way[owner] >= _AT_ONCE_OF_ONE:
            raise Later("Too many files are being sent at once.")
        self._under_way[owner] += 1
        try:
            yield
        finally:
            self._under_way[owner] -= 1
            if not self._under_way[owner]:
                del self._under_way[owner]

    async def take(self, raw: bytes, caller: Caller) -> Taken:
        """
        Keep a file. Raises ``Refused`` (field ``file``), ``Later``, or ``Away`` while MongoDB is.
        """
        try:
            looked = await self._workshop.look(raw)
        except Unfit as error:
            raise Refused("file", str(error)) from None
        except WorkshopFull:
            raise Later("The file cannot be looked at now.") from None
        await self._scan(raw)
        attachment = Attachment(
            id=attachment_id(self._secret, caller.adapter, raw),
            owner=caller.adapter,
            kind=looked.kind,
            size=len(raw),
            width=looked.width,
            height=looked.height,
            at=self._clock(),
        )
        if await self._mongo.call(lambda: self._store.touch(attachment.id, attachment.at)) is None:
            await self._mongo.call(lambda: self._store.keep(attachment, _forms(raw, looked)))
        return Taken(attachment, looked.taken_at, looked.position)

    async def show(self, number: str, size: Size | None, caller: Caller) -> Shown | None:
        """
        A file in one of its forms, by default the one that is best looked at; None if it is not there or not for the
        caller. Raises ``Away``.
        """
        attachment = (await self._mongo.call(lambda: self._store.find([number]))).get(number)
        if attachment is None:
            return None
        holders = frozenset[str]() if caller.limited_to is None else await self._holding(attachment)
        if not may_see(caller, attachment, holders):
            return None
        form = size or (Size.PUBLIC if attachment.kind.picture else Size.ORIGINAL)
        pieces = await self._mongo.call(lambda: self._store.read(number, form))
        return None if pieces is None else Shown(attachment, form, pieces)

    async def check_owned(
        self, numbers: Sequence[str], caller: Caller, field: str, *, pictures: bool = False
    ) -> dict[str, Attachment]:
        """
        The files, which are the caller's own (and pictures, if only those will do). Raises ``Refused`` naming the first
        that is not, or ``Away``.
        """
        if not numbers:
            return {}
        if len(numbers) > MOST:
            raise Refused(field, f"must be at most {MOST} files")
        found = await self._mongo.call(lambda: self._store.find(numbers))
        for index, number in enumerate(numbers):
            attachment = found.get(number)
            if attachment is None or attachment.owner != caller.adapter:
                raise Refused(
                    f"{field}.{index}",
                    "is no file of yours: send it to POST /v1/attachments first, as the same caller, "
                    f"at most {UNUSED // timedelta(hours=1)} hours before",
                )
            if len(attachment.links) >= MOST_REQUESTS:
                raise Refused(f"{field}.{index}", f"belongs to {MOST_REQUESTS} requests already: send another one")
            if pictures and not attachment.kind.picture:
                raise Refused(f"{field}.{index}", "must be a picture: a PDF is not shown")
        return found

    async def tie(self, numbers: Sequence[str], caller: Caller, request_id: str, use: Use) -> None:
        """
        Tie the caller's files to a request, before the request or update that names them is kept: what is accepted
        must not lose its files. (If it is not kept after all, they stay for nothing.) Raises ``Refused`` or ``Away``.
        """
        field = "attachments" if use is Use.SENT else "photos"
        if not await self.check_owned(numbers, caller, field, pictures=use is Use.SHOWN):
            return
        tied = await self._mongo.call(lambda: self._store.link(numbers, caller.adapter, Link(request_id, use)))
        if not tied:
            raise Refused(field, "hold a file that was deleted just now: send it once more")

    async def _scan(self, raw: bytes) -> None:
        try:
            verdict = await self._scanner.scan(raw)
        except ScannerAway:
            raise Later("The file cannot be scanned now.") from None
        if verdict.found is not None:
            log.warning("a file is infected", found=verdict.found[:100])
            raise Refused("file", "holds something harmful, a virus scanner says: send another one")

    async def _holding(self, attachment: Attachment) -> frozenset[str]:
        holders: set[str] = set()
        for family in sorted({ids.family_of(link.request_id) for link in attachment.links}):
            holders |= await self._mongo.call(partial(self._holders, family))
        return frozenset(holders)


async def sweep_for_ever(store: Store, clock: Clock, away: tuple[type[Exception], ...]) -> None:
    """
    Every ten minutes, delete what was sent a day ago and belongs to no request. MongoDB may be away.
    """
    while True:
        try:
            deleted = await store.sweep(clock() - UNUSED)
        except away as error:
            log.warning("files are not swept now", error=type(error).__name__)
        else:
            if deleted:
                log.info("files that were never used are deleted", files=deleted)
        await asyncio.sleep(_BETWEEN_SWEEPS)


def _forms(raw: bytes, looked: Looked) -> dict[Size, bytes]:
    if not looked.kind.picture:
        return {Size.ORIGINAL: raw}
    return {Size.ORIGINAL: raw, Size.PUBLIC: looked.public, Size.THUMB: looked.thumb}
