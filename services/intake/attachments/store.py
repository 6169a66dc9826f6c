"""
What is known of a file that intake keeps, and what a place to keep files must do.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from services.intake.attachments.kinds import Kind


class Size(StrEnum):
    """
    Which of a file's forms: as it was sent, or one of the copies that hold pixels alone.
    """

    ORIGINAL = "original"
    PUBLIC = "public"
    THUMB = "thumb"


class Use(StrEnum):
    """
    What a file is to its request: what the citizen sent with it, or what a department shows of its work.
    """

    SENT = "sent"
    SHOWN = "shown"


@dataclass(frozen=True, slots=True)
class Link:
    """
    The request (or part of one) that a file belongs to.
    """

    request_id: str
    use: Use


@dataclass(frozen=True, slots=True)
class Attachment:
    """
    A file that is kept. ``owner`` is the adapter or person who sent it, ``at`` when they last did.
    """

    id: str
    owner: str
    kind: Kind
    size: int
    width: int | None
    height: int | None
    at: datetime
    links: tuple[Link, ...] = ()


class Store(Protocol):
    """
    A place to keep files. What returns is kept; a file is there with all its forms or not at all.
    """

    async def keep(self, attachment: Attachment, forms: Mapping[Size, bytes]) -> None:
        """
        Keep a file; one that is there already only gets its time anew.
        """

    async def touch(self, attachment_id: str, at: datetime) -> Attachment | None:
        """
        The file, if it is there, which gets its time anew.
        """

    async def find(self, ids: Collection[str]) -> dict[str, Attachment]:
        """
        Those of the files that are there.
        """

    async def read(self, attachment_id: str, size: Size) -> AsyncIterator[bytes] | None:
        """
        One form of a file in pieces; None if there is none such.
        """

    async def link(self, ids: Collection[str], owner: str, link: Link) -> bool:
        """
        Tie files of an owner to a request. False if one of them is gone; then some may be tied.
        """

    async def sweep(self, before: datetime) -> int:
        """
        Delete what was sent before then and belongs to no request, and what is left of files half kept. How many.
        """
