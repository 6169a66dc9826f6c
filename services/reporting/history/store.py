"""
Taking historic requests into reporting's database: the only module of history that speaks MongoDB.

Each request is one row of the archive, from which a rebuild makes its document again, and its document. The archive is
written first, then the documents, then the days are marked; whoever dies in between begins again, and what is there
already stays as it is.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Final

from pymongo import ReturnDocument
from pymongo.errors import BulkWriteError

from services.common.kit.clock import Clock, system_clock
from services.common.kit.mongo import Client, Collection, only_duplicates
from services.reporting.figures.sheets_repository import Sheets
from services.reporting.history.mapping import CityMapping, Label
from services.reporting.history.model import HISTORY, HistoricRequest, event_of
from services.reporting.projections import Document, fold

NAMES: Final = "names"
_NUMBERS: Final = "history"


class HistoryStore:
    """
    The archive, the requests and the names of one database.
    """

    def __init__(self, client: Client, database: str, clock: Clock = system_clock) -> None:
        self._clock = clock
        self._sheets = Sheets(client, database, clock)
        db = client[database]
        self._archive = db["archive"]
        self._requests = db["requests"]
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

    async def take(self, requests: Sequence[HistoricRequest]) -> int:
        """
        Keep and project these requests; returns how many of them were not here yet.
        """
        documents = {request.request_id: document_of(request) for request in requests}
        found = self._requests.find({"_id": {"$in": list(documents)}}, {"_id": True})
        known = {row["_id"] async for row in found}
        missing = [request for request in requests if request.request_id not in known]
        await _insert(self._archive, [_archived(request) for request in missing])
        at = self._clock()
        rows = [{"_id": name, "rev": 1, **document, "written_at": at} for name, document in documents.items()]
        await _insert(self._requests, [row for row in rows if row["_id"] not in known])
        await self._sheets.mark(sorted({document["received_day"] for document in documents.values()}), None)
        return len(missing)

    async def name(self, mapping: CityMapping, found: Mapping[str, Mapping[str, str]]) -> None:
        """
        Keep how the city calls its departments and services: as the mapping says, else as its file does.
        """
        names = {"city": mapping.city.model_dump()}
        for field, given in (("department", mapping.departments), ("service", mapping.services)):
            labels = {code: Label(tr=text, en=text) for code, text in found[field].items()} | dict(given)
            names |= {f"{field}s.{code}": label.model_dump() for code, label in labels.items()}
        await self._meta.update_one({"_id": NAMES}, {"$set": names}, upsert=True)


def document_of(request: HistoricRequest) -> Document:
    """
    The document of a request that nothing else is known of.
    """
    document = fold(None, event_of(request))
    if document is None:
        raise AssertionError("a historic request says all about its state")
    return document


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


async def _insert(rows: Collection, documents: Sequence[Document]) -> None:
    try:
        if documents:
            await rows.insert_many(list(documents), ordered=False)
    except BulkWriteError as error:
        only_duplicates(error)
