"""
Routing's cases in MongoDB: one document a case, written only if nobody wrote it since it was read.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError

from services.common.contracts.envelope import Metadata, Received
from services.common.contracts.events import RequestReceived, UpdateSubmitted
from services.common.kit.mongo import Client, only_duplicates
from services.routing.domain import Case, Entry, Parked, State

_Write = InsertOne[dict[str, Any]] | ReplaceOne[dict[str, Any]] | UpdateOne


class Conflict(Exception):
    """
    Somebody else wrote one of the cases meanwhile: read again and decide again.
    """


class CaseRepository:
    """
    The collection ``cases``.
    """

    def __init__(self, client: Client, database: str) -> None:
        self._cases = client[database]["cases"]

    async def prepare(self) -> None:
        """
        Make the index that the timers look through.
        """
        await self._cases.create_index("parked_until", sparse=True)

    async def load(self, request_ids: Iterable[str]) -> dict[str, Case]:
        """
        The cases that exist, in one query.
        """
        found = self._cases.find({"_id": {"$in": list(request_ids)}})
        return {row["_id"]: case_from(row) async for row in found}

    async def save(self, cases: Iterable[Case]) -> None:
        """
        Write each case if its ``rev`` in the database is the one it was read with. Raises ``Conflict`` otherwise;
        cases that were written then stay written, which is harmless because deciding again changes nothing in them.
        """
        new, known = [], []
        for case in cases:
            row = row_of(case, case.rev + 1)
            if case.rev == 0:
                new.append(InsertOne(row))
            else:
                known.append(ReplaceOne({"_id": case.request_id, "rev": case.rev}, row))
        if not new and not known:
            return
        if await self._write([*new, *known]) != len(known):
            raise Conflict

    async def mark_published(self, published: Mapping[str, int]) -> None:
        """
        Remember how many leading events of each case Kafka has acknowledged. Never goes back.
        """
        if published:
            marks = [UpdateOne({"_id": key}, {"$max": {"published": count}}) for key, count in published.items()]
            await self._write(marks)

    async def _write(self, writes: Sequence[_Write]) -> int | None:
        """
        How many documents were met; None if one to be inserted was there already.
        """
        try:
            return (await self._cases.bulk_write(list(writes), ordered=False)).matched_count
        except BulkWriteError as error:
            only_duplicates(error)
        return None

    async def parked(self) -> int:
        """
        How many requests that nobody knows have updates waiting for them.
        """
        return await self._cases.count_documents({"parked_until": {"$exists": True}})

    async def parked_before(self, moment: datetime, limit: int = 500) -> list[tuple[str, datetime]]:
        """
        The cases whose parking time is over, oldest first.
        """
        rows = (
            self._cases.find({"parked_until": {"$lte": moment}}, {"parked_until": 1}).sort("parked_until").limit(limit)
        )
        return [(row["_id"], row["parked_until"]) async for row in rows]


def row_of(case: Case, rev: int) -> dict[str, Any]:
    """
    A case as a document with the given ``rev``.
    """
    row: dict[str, Any] = {
        "_id": case.request_id,
        "rev": rev,
        "seq": case.seq,
        "state": case.state.model_dump(mode="json", exclude_none=True) if case.state else None,
        "registered_by": case.registered_by,
        "request": case.request.model_dump_json(exclude_none=True) if case.request else None,
        "bounces": case.bounces,
        "events": [{"cause": entry.cause, "records": entry.packed} for entry in case.events],
        "published": case.published,
        "parked": [{**_parked_row(parked.item), "until": parked.until} for parked in case.parked],
    }
    if case.parked_until is not None:
        row["parked_until"] = case.parked_until
    return row


def case_from(row: Mapping[str, Any]) -> Case:
    """
    A document as a case.
    """
    return Case(
        request_id=row["_id"],
        rev=row["rev"],
        seq=row["seq"],
        state=State.model_validate(row["state"]) if row["state"] else None,
        registered_by=row["registered_by"],
        request=RequestReceived.model_validate_json(row["request"]) if row["request"] else None,
        bounces=row["bounces"],
        events=tuple(Entry(entry["cause"], bytes(entry["records"])) for entry in row["events"]),
        published=row["published"],
        parked=tuple(Parked(_parked_from(item), item["until"]) for item in row["parked"]),
    )


def _parked_row(item: Received) -> dict[str, Any]:
    meta = item.meta
    return {
        "topic": item.topic,
        "id": meta.id,
        "source": meta.source,
        "time": meta.time.isoformat(),
        "subject": meta.subject,
        "correlation_id": meta.correlation_id,
        "causation_id": meta.causation_id,
        "data": item.data.model_dump_json(exclude_none=True),
    }


def _parked_from(row: Mapping[str, Any]) -> Received:
    meta = Metadata(
        id=row["id"],
        source=row["source"],
        time=datetime.fromisoformat(row["time"]),
        subject=row["subject"],
        correlation_id=row["correlation_id"],
        causation_id=row["causation_id"],
    )
    return Received(row["topic"], meta, UpdateSubmitted.model_validate_json(row["data"]))
