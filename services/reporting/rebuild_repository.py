"""
All documents made again from the archive, beside the running version; the new ones then take the place of the old.

While this runs the projector writes into both (``Repository.project``), so that nothing is missing in the new ones when
they take over, and readers never see less. Whoever dies here leaves the old ones as they were; whoever dies when they
took over leaves a flag, by which the projector marks all sheets (``Sheets.mark_remade``).

The archive is read in ranges of request numbers, which are drawn at random: a range holds whole families, so most
documents are made at one go and put in, not changed step by step.
"""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import timedelta
from time import monotonic
from typing import Any, Final

from pymongo.errors import BulkWriteError

from services.common.contracts.envelope import Received, decode
from services.common.contracts.ids import ALPHABET, family_of
from services.common.kit.clock import Clock, system_clock
from services.common.kit.mongo import Client, ensure_indexes, only_duplicates
from services.reporting.documents_repository import days_of, kept, project
from services.reporting.history.model import HISTORY, restored
from services.reporting.projections import Document, fold, inherit, subject_of
from services.reporting.repository import BUILDING, REBUILD, REMADE, REQUEST_INDEXES, REQUESTS

LEASE: Final = timedelta(seconds=60)
_RENEWED_EVERY_SECONDS: Final = 10.0
_TRUSTED_SECONDS: Final = 30.0
_EVENTS_IN_A_RANGE: Final = 3_000
_WRITTEN_AT_ONCE: Final = 200


class Overtaken(Exception):
    """
    Nobody can tell any more whether the projector wrote into the new documents all the time. Start again.
    """


class Rebuild:
    """
    One rebuild of a database. Not two at once.
    """

    def __init__(self, client: Client, database: str, clock: Clock = system_clock) -> None:
        self._client = client
        self._clock = clock
        self._database = database
        db = client[database]
        self._archive = db["archive"]
        self._meta = db["meta"]
        self._requests = db[REQUESTS]
        self._building = db[BUILDING]
        self._renewed_at: float | None = None
        self._first_rev = int(clock().timestamp())  # so that nobody who read an old document writes over a new one

    async def run(self) -> AsyncIterator[int]:
        """
        Make all documents again and let them take over, yielding how many events are done. Raises ``Overtaken``.
        """
        building = await self._meta.find_one({"_id": REBUILD})
        if building and building["until"] > self._clock():
            raise Overtaken(f"another rebuild is running, or died less than {LEASE.seconds} s ago")
        await self._building.drop()
        await ensure_indexes(self._building, REQUEST_INDEXES)  # now, while it costs nothing
        await self._announce()
        renewing = asyncio.create_task(self._keep_announced())
        try:
            done = 0
            for span in spans(await self._archive.estimated_document_count()):
                done += await self._fold(span)
                yield done
            if renewing.done():
                renewing.result()
            await self._take_over()
        finally:
            renewing.cancel()
            await self._meta.delete_one({"_id": REBUILD})
            await self._building.drop()  # of a rebuild that failed, or what came for it after it took over

    async def _announce(self) -> None:
        asked_at = monotonic()
        if self._renewed_at is not None and asked_at - self._renewed_at > _TRUSTED_SECONDS:
            raise Overtaken("the database did not answer in time; start the rebuild again")
        said = {"until": self._clock() + LEASE, "first_rev": self._first_rev}
        await self._meta.update_one({"_id": REBUILD}, {"$set": said}, upsert=True)
        self._renewed_at = asked_at

    async def _keep_announced(self) -> None:
        while True:
            await asyncio.sleep(_RENEWED_EVERY_SECONDS)
            await self._announce()

    async def _fold(self, span: Mapping[str, str]) -> int:
        events = [_restored(row) async for row in self._archive.find({"request_id": span})]
        found = await asyncio.to_thread(_documents, events)
        late = await self._put(found) | await self._split_meanwhile(found)
        again = [event for event in events if event.data.key in late]
        await project(self._building, again, self._clock, self._first_rev)
        return len(events)

    async def _put(self, found: Mapping[str, Document]) -> set[str]:
        """
        Put in what is not there yet; returns the families that the projector was quicker with.
        """
        first = {"rev": self._first_rev, "written_at": self._clock()}
        rows = [{"_id": name, **document, **first} for name, document in found.items()]
        there: set[str] = set()
        for start in range(0, len(rows), _WRITTEN_AT_ONCE):
            try:
                await self._building.insert_many(rows[start : start + _WRITTEN_AT_ONCE], ordered=False)
            except BulkWriteError as error:
                there.update(only_duplicates(error))
        return {family_of(name) for name in there}

    async def _split_meanwhile(self, found: Mapping[str, Document]) -> set[str]:
        """
        Families of which the projector put in a part, perhaps before its request was there to inherit from.
        """
        parents = [name for name, document in found.items() if document["parent_id"] is None]
        parts = self._building.find({"parent_id": {"$in": parents}}, {"parent_id": True})
        return {row["parent_id"] async for row in parts if row["_id"] not in found}

    async def _take_over(self) -> None:
        await self._announce()
        await self._meta.update_one({"_id": REMADE}, {"$set": {"at": self._clock()}}, upsert=True)
        names = {"renameCollection": self._name(BUILDING), "to": self._name(REQUESTS), "dropTarget": True}
        await self._client.admin.command(names)

    def _name(self, collection: str) -> str:
        return f"{self._database}.{collection}"


def _documents(events: Sequence[Received]) -> dict[str, Document]:
    """
    The documents of whole families.
    """
    by_subject: dict[str, list[Received]] = defaultdict(list)
    for event in events:
        by_subject[subject_of(event)].append(event)
    found = {name: document for name, own in by_subject.items() if (document := fold(None, *own)) is not None}
    for name, document in found.items():
        parent = found.get(document["parent_id"] or "")
        found[name] = inherit(document, parent) if parent else document
        found[name]["days"] = kept(days_of(found[name]))
    return found


def _restored(row: Mapping[str, Any]) -> Received:
    if row["topic"] == HISTORY:
        return restored(row["value"])
    headers = [(name, text.encode()) for name, text in row["headers"]]
    return decode(row["topic"], row["request_id"].encode(), row["value"].encode(), headers)


def spans(events: int) -> Iterator[Mapping[str, str]]:
    """
    Ranges that together hold every request number, of a few thousand events each.
    """
    length = 0
    while events > _EVENTS_IN_A_RANGE * len(ALPHABET) ** length:
        length += 1
    edges = ["", *map("".join, itertools.islice(itertools.product(ALPHABET, repeat=length), 1, None))]
    for low, high in itertools.zip_longest(edges, edges[1:]):
        yield {"$gte": low, "$lt": high or "~"}
