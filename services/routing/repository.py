"""
Routing's cases in MongoDB: one document a case, written only if nobody wrote it since it was read.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pymongo import InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError

from services.common.contracts.crises import Declared
from services.common.contracts.envelope import Metadata, Received
from services.common.contracts.events import CitizenReplied, CrisisDeclared, RequestReceived, UpdateSubmitted
from services.common.kit.mongo import Client, only_duplicates
from services.routing.case import Alarm, Case, Entry, Member, Parked

Due = tuple[str, list[tuple[str, Alarm]]]
"""A case and its alarms, each with the number of the request it is about."""
_Write = InsertOne[dict[str, Any]] | ReplaceOne[dict[str, Any]] | UpdateOne


class Conflict(Exception):
    """
    Somebody else wrote one of the cases meanwhile: read again and decide again.
    """


class CaseRepository:
    """
    The collections ``cases`` (one document a family) and ``crises`` (the last word on each crisis).
    """

    def __init__(self, client: Client, database: str) -> None:
        self._cases = client[database]["cases"]
        self._crises = client[database]["crises"]

    async def prepare(self) -> None:
        """
        Make the indexes that the alarms look through.
        """
        await self._cases.create_index("next_alarm_at", sparse=True)
        await self._cases.create_index("unknown", sparse=True)

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
        How many requests that nobody knows have inputs waiting for them.
        """
        return await self._cases.count_documents({"unknown": True})

    async def due(self, moment: datetime) -> AsyncIterator[Due]:
        """
        The cases that have an alarm due by then, the longest overdue first.
        """
        rows = self._cases.find({"next_alarm_at": {"$lte": moment}}, {"alarms": 1}).sort("next_alarm_at")
        async for row in rows:
            yield row["_id"], [(at["of"], _alarm_from(at)) for at in row["alarms"]]

    async def placed_by_machine(self) -> AsyncIterator[Case]:
        """
        The cases that a rule or the model sent where they are and that nobody has taken up.
        """
        where = "members.0.state."
        untouched = {
            f"{where}decided_by": {"$in": ["rule", "model"]},
            f"{where}status": {"$in": ["triage", "assigned"]},
        }
        async for row in self._cases.find(untouched):
            yield case_from(row)

    async def decided_by_people(self) -> AsyncIterator[Case]:
        """
        The cases whose service a person decided.
        """
        async for row in self._cases.find({"members.0.state.decided_by": "person"}):
            yield case_from(row)

    async def declare(self, events: Iterable[CrisisDeclared]) -> None:
        """
        Remember the last word on each crisis. Repeats and older words change nothing.
        """
        for event in Declared.of([*(await self.declared()).latest, *events]).latest:
            row = {"_id": event.crisis, "event": event.model_dump_json()}
            await self._crises.replace_one({"_id": event.crisis}, row, upsert=True)

    async def declared(self) -> Declared:
        """
        What was declared so far.
        """
        rows = [row["event"] async for row in self._crises.find()]
        return Declared.of(CrisisDeclared.model_validate_json(row) for row in rows)


def row_of(case: Case, rev: int) -> dict[str, Any]:
    """
    A case as a document with the given ``rev``.
    """
    row: dict[str, Any] = {
        "_id": case.request_id,
        "rev": rev,
        "registered_by": case.registered_by,
        "request": case.request.model_dump_json(exclude_none=True) if case.request else None,
        "members": [member.model_dump(mode="json", exclude_defaults=True) for member in case.members],
        "events": [{"cause": entry.cause, "records": entry.packed} for entry in case.events],
        "published": case.published,
        "parked": [{**_parked_row(parked.item), "until": parked.until} for parked in case.parked],
        "alarms": [{"of": number, "timer": a.timer, "step": a.step, "due_at": a.due_at} for number, a in case.alarms],
    }
    if case.alarms:
        row["next_alarm_at"] = case.alarms[0][1].due_at
    if not case.members:
        row["unknown"] = True
    return row


def case_from(row: Mapping[str, Any]) -> Case:
    """
    A document as a case.
    """
    return Case(
        request_id=row["_id"],
        rev=row["rev"],
        registered_by=row["registered_by"],
        request=RequestReceived.model_validate_json(row["request"]) if row["request"] else None,
        members=tuple(Member.model_validate(member) for member in row["members"]),
        events=tuple(Entry(entry["cause"], bytes(entry["records"])) for entry in row["events"]),
        published=row["published"],
        parked=tuple(Parked(_parked_from(item), item["until"]) for item in row["parked"]),
    )


def _alarm_from(row: Mapping[str, Any]) -> Alarm:
    return Alarm(timer=row["timer"], step=row["step"], due_at=row["due_at"])


_PARKED_TYPES: Final = {model.__name__: model for model in (UpdateSubmitted, CitizenReplied)}


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
        "type": type(item.data).__name__,
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
    return Received(row["topic"], meta, _PARKED_TYPES[row["type"]].model_validate_json(row["data"]))
