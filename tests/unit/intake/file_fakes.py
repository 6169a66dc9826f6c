"""
Where intake keeps files, in memory.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime

from services.common.kit.clock import Clock, system_clock
from services.common.kit.mongo import UNAVAILABLE
from services.intake.attachments.scanner import NoScanner, Scanner
from services.intake.attachments.service import Attachments
from services.intake.attachments.store import Attachment, Link, Size
from services.intake.attachments.workshop import Workshop
from services.intake.guard import Breaker

SECRET = b"0123456789abcdef"


class FakeShelf:
    """
    A store of files; ``away`` makes every call fail as MongoDB does when it cannot be reached.
    """

    def __init__(self) -> None:
        self.away = False
        self.known: dict[str, Attachment] = {}
        self.forms: dict[str, dict[Size, bytes]] = {}
        self.holders: dict[str, frozenset[str]] = {}

    def _there(self) -> None:
        if self.away:
            raise UNAVAILABLE[0]("away")

    async def keep(self, attachment: Attachment, forms: Mapping[Size, bytes]) -> None:
        self._there()
        self.known[attachment.id] = attachment
        self.forms[attachment.id] = dict(forms)

    async def touch(self, attachment_id: str, at: datetime) -> Attachment | None:
        self._there()
        found = self.known.get(attachment_id)
        if found is not None:
            self.known[attachment_id] = replace(found, at=max(found.at, at))
        return found

    async def find(self, ids: Collection[str]) -> dict[str, Attachment]:
        self._there()
        return {number: self.known[number] for number in ids if number in self.known}

    async def read(self, attachment_id: str, size: Size) -> AsyncIterator[bytes] | None:
        self._there()
        content = self.forms.get(attachment_id, {}).get(size)
        return None if content is None else _pieces(content)

    async def link(self, ids: Collection[str], owner: str, link: Link) -> bool:
        self._there()
        own = [number for number in ids if number in self.known and self.known[number].owner == owner]
        for number in own:
            links = self.known[number].links
            self.known[number] = replace(self.known[number], links=(*links, link) if link not in links else links)
        return len(own) == len(set(ids))

    async def sweep(self, before: datetime) -> int:
        self._there()
        gone = [number for number, row in self.known.items() if not row.links and row.at < before]
        for number in gone:
            del self.known[number], self.forms[number]
        return len(gone)

    async def holding(self, family: str) -> frozenset[str]:
        self._there()
        return self.holders.get(family, frozenset())


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content


def attachments_of(
    shelf: FakeShelf,
    *,
    scanner: Scanner | None = None,
    workshop: Workshop | None = None,
    holders: Callable[[str], Awaitable[frozenset[str]]] | None = None,
    clock: Clock = system_clock,
) -> Attachments:
    """
    Attachments on a shelf in memory, looked at in real processes.
    """
    return Attachments(
        secret=SECRET,
        store=shelf,
        workshop=workshop or Workshop(),
        scanner=scanner or NoScanner(),
        mongo=Breaker("files", UNAVAILABLE, pause=0),
        holders=holders or shelf.holding,
        clock=clock,
    )
