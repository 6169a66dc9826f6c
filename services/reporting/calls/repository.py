"""
The collection ``calls``: a document a call, its steps by their event, so that a step that comes again changes nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pymongo import IndexModel, UpdateOne

from services.common.contracts.envelope import Received
from services.common.contracts.events import Call as CallEvent
from services.common.contracts.ids import derived_id
from services.common.kit.mongo import Client, ensure_indexes
from services.reporting.calls.life import Call, call_of, step_of

INDEXES: Final = (IndexModel("at"),)


class Calls:
    """
    All reads and writes of calls.
    """

    def __init__(self, client: Client, database: str) -> None:
        self._calls = client[database]["calls"]

    async def prepare(self) -> None:
        """
        Create the index that is missing.
        """
        await ensure_indexes(self._calls, INDEXES)

    async def keep(self, events: Sequence[Received]) -> None:
        """
        Put the steps down, in whatever order they come.
        """
        writes = [_write(event.meta.id, event.data) for event in events if isinstance(event.data, CallEvent)]
        if writes:
            await self._calls.bulk_write(writes, ordered=False)

    async def between(self, since: datetime, before: datetime) -> list[Call]:
        """
        The calls that began in this time.
        """
        found = self._calls.find({"at": {"$gte": since, "$lt": before}}, {"steps": 1})
        return [call_of(row["steps"].values()) async for row in found]


def _write(event_id: str, event: CallEvent) -> UpdateOne:
    step = {f"steps.{derived_id(event_id)}": step_of(event)}
    return UpdateOne({"_id": event.call_id}, {"$set": step, "$min": {"at": event.occurred_at}}, upsert=True)
