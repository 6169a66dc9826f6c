"""
The names that the history import left in the database.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from fastapi import Request

from services.common.kit.clock import Clock, system_clock
from services.common.kit.logs import logger
from services.common.kit.mongo import UNAVAILABLE, Client
from services.reporting.names import Names

log = logger(__name__)

NAMES: Final = "names"
"""The ``_id`` in ``meta``: ``city``, and by code ``departments`` and ``services``, each ``{tr, en}``."""
EVERY: Final = timedelta(minutes=1)


class NamesKept:
    """
    The names of a database as they were a minute ago at most.
    """

    def __init__(self, client: Client, database: str, clock: Clock = system_clock) -> None:
        self._meta = client[database]["meta"]
        self._clock = clock
        self._names = Names()
        self._looked_at: datetime | None = None
        self._looking = asyncio.Lock()

    async def current(self) -> Names:
        """
        The names; while the database does not answer those that were known before, at first the catalogue's.
        """
        async with self._looking:
            now = self._clock()
            if self._looked_at is None or now - self._looked_at >= EVERY:
                self._looked_at = now
                try:
                    kept = await self._meta.find_one({"_id": NAMES})
                except UNAVAILABLE as error:
                    log.warning("names cannot be asked for now", error=type(error).__name__)
                else:
                    self._names = Names.of(kept) if kept else Names()
        return self._names


async def names_of(request: Request) -> Names:
    """
    The names that this app knows now.
    """
    names: Names = await request.app.state.names.current()
    return names
