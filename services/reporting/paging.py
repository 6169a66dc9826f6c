"""
A page of a list of requests, for the API and for the page that people read.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.reporting.cursors import seal, unseal
from services.reporting.projections import Document
from services.reporting.queries import Filter, order_of


class Shelf(Protocol):
    """
    Where documents stand in order: ``repository.Repository``.
    """

    async def page(self, filters: Filter, now: datetime, limit: int, since: str | None) -> Sequence[Document]:
        """
        Those that fit and come after a place, newest first.
        """


async def page_of(
    shelf: Shelf, secret: bytes, filters: Filter, now: datetime, limit: int, cursor: str | None
) -> tuple[Sequence[Document], str | None]:
    """
    At most ``limit`` documents behind the cursor, newest first, and the cursor of the next page if there is one.
    Raises ``BadCursor``.
    """
    since = unseal(secret, filters, cursor) if cursor else None
    found = await shelf.page(filters, now, limit + 1, since)
    more = len(found) > limit
    return found[:limit], seal(secret, filters, found[limit - 1][order_of(filters)]) if more else None
