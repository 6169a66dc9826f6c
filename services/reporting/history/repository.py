"""
Taking historic requests into reporting's database: the only module of history that speaks MongoDB.

Each request is a document, and a row of the archive, from which a rebuild makes its document again. The archive is
written first, then the documents, then the days are marked: whoever dies in between begins again. What is archived
already stays as it is, whatever the file or the mapping says now.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Final

from pymongo import ReturnDocument
from pymongo.errors import BulkWriteError

from services.common.contracts.envelope import Received
from services.common.kit.clock import Clock, system_clock
from services.common.kit.mongo import Client, only_duplicates
from services.common.kit.retry import PATIENCE, within_budget
from services.reporting.figures.sheets_repository import Sheets
from services.reporting.history.mapping import CityMapping, Label
from services.reporting.history.model import HISTORY, HistoricRequest, event_of, restored
from services.reporting.names_repository import NAMES
from services.reporting.projections import Document
from services.reporting.repository import Repository

_NUMBERS: Final = "history"
_INVENTED: Final = "invented"


class NotEmpty(Exception):
    """
    The database has requests of somebody, so nothing is invented beside them.
    """


class HistoryStore:
    """
    The archive, the requests and the names of one database.
    """

    def __init__(self, client: Client, database: str, clock: Clock = system_clock) -> None:
        self._sheets = Sheets(client, database, clock)
        self._repository = Repository(client, database, clock)
        db = client[database]
        self._archive = db["archive"]
        self._meta = db["meta"]

    async def secret(self) -> bytes:
        """
        What numbers are derived with, made once for each database: nobody can tell a number from an id of the source.
        """
        first = {"$setOnInsert": {"secret": secrets.token_bytes(32)}}
        row = await self._meta.find_one_and_update(
            {"_id": _NUMBERS}, first, upsert=True, return_document=ReturnDocument.AFTER
        )
        return bytes(row["secret"])

    async def for_inventions(self) -> None:
        """
        Take this database for invented requests, now and later. Raises ``NotEmpty``.
        """
        known = await self._meta.find_one({"_id": _INVENTED})
        if known is None and await self._archive.find_one({}):
            raise NotEmpty(f"the database {self._archive.database.name} has requests in it; name another by --database")
        await self._meta.update_one({"_id": _INVENTED}, {"$set": {"invented": True}}, upsert=True)

    async def take(self, requests: Sequence[HistoricRequest]) -> int:
        """
        Keep and project these requests; returns how many of them were not here yet (two imports at once may both say
        so of one). A database that is away is waited for, within ``PATIENCE`` at each step; then one of
        ``kit.retry.RETRY`` is raised.
        """
        events = {event.meta.id: event for event in map(event_of, requests)}
        rows = [_archived(request) for request in requests]
        known = await within_budget(lambda: self._archive.count_documents({"_id": {"$in": list(events)}}), PATIENCE)
        there = await within_budget(lambda: self._keep(rows), PATIENCE)
        events |= await within_budget(lambda: self._archived_as(there), PATIENCE)
        days = await within_budget(lambda: self._repository.project(list(events.values())), PATIENCE)
        await within_budget(lambda: self._sheets.mark(days, None), PATIENCE)
        return len(requests) - known

    async def _keep(self, rows: list[Document]) -> list[str]:
        """
        Put rows into the archive; returns those that were there already, which stay as they are.
        """
        try:
            await self._archive.insert_many(rows, ordered=False)
        except BulkWriteError as error:
            return only_duplicates(error)
        return []

    async def _archived_as(self, names: Sequence[str]) -> dict[str, Received]:
        found = self._archive.find({"_id": {"$in": names}}, {"value": True})
        return {row["_id"]: restored(row["value"]) async for row in found}

    async def name(self, mapping: CityMapping, found: Mapping[str, Mapping[str, str]]) -> None:
        """
        Keep how the city calls its departments and services: as the mapping says, else as its file does.
        """
        names = {"city": mapping.city.model_dump()}
        for field, given in (("department", mapping.departments), ("service", mapping.services)):
            labels = {code: Label(tr=text, en=text) for code, text in found[field].items()} | dict(given)
            names |= {f"{field}s.{code}": label.model_dump() for code, label in labels.items()}
        await self._meta.update_one({"_id": NAMES}, {"$set": names}, upsert=True)


def _archived(request: HistoricRequest) -> Document:
    event = event_of(request)
    return {
        "_id": event.meta.id,
        "request_id": request.key,
        "topic": HISTORY,
        "ce_id": event.meta.id,
        "type": type(request).__name__,
        "at": request.received_at,
        "headers": [],
        "value": request.model_dump_json(exclude_none=True),
    }
