"""
Notify's collections: ``contacts``, ``tellings`` (ledger and outbox in one, a document a request), ``reports`` whose
message is not known yet, and ``audit``; the call-back list stands in callbacks_repository.py, the persons in people.py,
the morning digests in digest_repository.py.

A telling is written only if nobody wrote it since it was read; who comes second reads and decides again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from pymongo import DESCENDING, IndexModel, InsertOne, ReplaceOne
from pymongo.errors import BulkWriteError

from services.common.kit.mongo import Client, ensure_indexes, only_duplicates
from services.notify.callbacks_repository import CallbackRepository
from services.notify.digest_repository import DigestRepository
from services.notify.documents import (
    PARKED,
    contact_from,
    contact_to,
    held_mark,
    parked_mark,
    report_from,
    report_to,
    telling_from,
    telling_to,
)
from services.notify.domain import Contact, State, Telling
from services.notify.people_repository import PeopleRepository
from services.notify.statuses import KEEP_EARLY, Reported

KEEP_AUDIT: Final = timedelta(days=730)
Place = tuple[datetime, str]
"""Where a kept report stands among the others: since when it is kept, and its id."""


class NotifyRepository:
    """
    All that notify keeps.
    """

    def __init__(self, client: Client, database: str) -> None:
        db = client[database]
        self._client = client
        self._contacts, self._tellings, self._audit = db["contacts"], db["tellings"], db["audit"]
        self._reports = db["reports"]
        self.callbacks = CallbackRepository(client, database)
        self.people = PeopleRepository(client, database)
        self.digests = DigestRepository(client, database)

    async def prepare(self) -> None:
        """
        Make the indexes.
        """
        await ensure_indexes(
            self._tellings,
            [
                IndexModel("next_at", sparse=True),
                IndexModel("publish_at", sparse=True),
                IndexModel("ask_at", sparse=True),
                IndexModel("marks", sparse=True),
                IndexModel("gone_on", expireAfterSeconds=0),
            ],
        )
        await self.callbacks.prepare()
        await self.people.prepare()
        await self.digests.prepare()
        await ensure_indexes(self._reports, [IndexModel("kept_at", expireAfterSeconds=int(KEEP_EARLY.total_seconds()))])
        await ensure_indexes(
            self._audit,
            [IndexModel("contact_id"), IndexModel("at", expireAfterSeconds=int(KEEP_AUDIT.total_seconds()))],
        )

    async def ping(self) -> None:
        """
        Raises if the database does not answer.
        """
        await self._client.admin.command("ping")

    # contacts

    async def contacts(self, ids: Iterable[str]) -> dict[str, Contact]:
        """
        Those of the contacts that have arrived, erased ones too.
        """
        wanted = list(set(ids))
        if not wanted:
            return {}
        return {raw["_id"]: contact_from(raw) async for raw in self._contacts.find({"_id": {"$in": wanted}})}

    async def keep_contacts(self, contacts: Iterable[Contact], now: datetime) -> None:
        """
        Write each unless a later one stands there already; an erasure leaves the id and its time alone. Messages that
        were parked for one of them are looked at again at once.
        """
        given = {contact.id: contact for contact in contacts}
        if not given:
            return
        known: list[str] = []
        try:
            await self._contacts.insert_many([contact_to(contact) for contact in given.values()], ordered=False)
        except BulkWriteError as error:
            known = only_duplicates(error)
        if known:
            await self._replace_older(given[key] for key in known)
        waiting = {"marks": {"$in": list(map(parked_mark, given))}, "rows.state": {"$ne": State.SENDING}}
        await self._tellings.update_many(waiting, {"$set": {"next_at": now}})

    async def _replace_older(self, contacts: Iterable[Contact]) -> None:
        writes = []
        for contact in contacts:
            older = {"$lte" if contact.erased else "$lt": contact.at}
            writes.append(ReplaceOne({"_id": contact.id, "at": older}, contact_to(contact)))
        try:
            await self._contacts.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            only_duplicates(error)

    # tellings

    async def tellings(self, ids: Iterable[str]) -> dict[str, Telling]:
        """
        The tellings by request; an empty one where there is none yet.
        """
        wanted = list(dict.fromkeys(ids))
        found = {key: Telling(key) for key in wanted}
        async for raw in self._tellings.find({"_id": {"$in": wanted}}):
            found[raw["_id"]] = telling_from(raw)
        return found

    async def due(self, now: datetime, limit: int) -> dict[str, Telling]:
        """
        The tellings to look at by now, longest overdue first.
        """
        found = self._tellings.find({"next_at": {"$lte": now}}).sort("next_at", 1).limit(limit)
        return {raw["_id"]: telling_from(raw) async for raw in found}

    async def unpublished(self, now: datetime, limit: int) -> dict[str, Telling]:
        """
        The tellings with events that Kafka should have by now, oldest first.
        """
        found = self._tellings.find({"publish_at": {"$lte": now}}).sort("publish_at", 1).limit(limit)
        return {raw["_id"]: telling_from(raw) async for raw in found}

    async def acknowledge(self, published: Iterable[Telling]) -> bool:
        """
        Forget the events of these, which Kafka has taken. False if somebody wrote one of them since it was read: of
        that nothing is forgotten.
        """
        ids: dict[int, list[str]] = {}
        for telling in published:
            ids.setdefault(telling.rev, []).append(telling.request_id)
        done = 0
        for rev, some in ids.items():  # one statement for many is a fraction of a write for each
            nothing_left = {"$set": {"outbox": []}, "$unset": {"publish_at": ""}, "$inc": {"rev": 1}}
            answer = await self._tellings.update_many({"_id": {"$in": some}, "rev": rev}, nothing_left)
            done += answer.matched_count
        return done == sum(map(len, ids.values()))

    async def to_ask(self, now: datetime, limit: int) -> dict[str, Telling]:
        """
        The tellings with messages whose provider has to be asked by now.
        """
        found = self._tellings.find({"ask_at": {"$lte": now}}).sort("ask_at", 1).limit(limit)
        return {raw["_id"]: telling_from(raw) async for raw in found}

    async def about(self, reports: Iterable[Reported]) -> dict[str, Telling]:
        """
        The tellings whose messages the reports are about.
        """
        marks = sorted({mark for report in reports for mark in report.marks})
        if not marks:
            return {}
        return {raw["_id"]: telling_from(raw) async for raw in self._tellings.find({"marks": {"$in": marks}})}

    async def held_for(self, people: Iterable[str], limit: int) -> dict[str, Telling]:
        """
        The tellings with messages that wait for a better time to tell these persons.
        """
        found = self._tellings.find({"marks": {"$in": [held_mark(one) for one in people]}}).limit(limit)
        return {raw["_id"]: telling_from(raw) async for raw in found}

    async def parked(self) -> int:
        """
        How many requests have a message that waits for its contact.
        """
        return await self._tellings.count_documents({"marks": PARKED})

    async def waiting(self, now: datetime) -> dict[str, int]:
        """
        How many requests have a message that is due, one that waits for its time, and news that Kafka has not taken.
        """
        return {
            "due": await self._tellings.count_documents({"next_at": {"$lte": now}}),
            "later": await self._tellings.count_documents({"next_at": {"$gt": now}}),
            "unpublished": await self._tellings.count_documents({"publish_at": {"$lte": now}}),
        }

    async def change(
        self,
        ids: Iterable[str],
        decide: Callable[[Telling], Telling],
        known: Mapping[str, Telling] | None = None,
    ) -> dict[str, Telling]:
        """
        Decide and write until everything is written on top of what was read; give back what stands there now.

        ``decide`` may be called again for a telling that somebody else wrote meanwhile; if it gives back the same
        object nothing is written. ``known`` saves the first read.
        """
        todo = list(dict.fromkeys(ids))
        result: dict[str, Telling] = {}
        before: Mapping[str, Telling] = known if known is not None else await self.tellings(todo)
        while todo:
            changed: dict[str, Telling] = {}
            for key in todo:
                result[key] = decided = decide(before[key])
                if decided is not before[key]:
                    changed[key] = decided
            todo = await self._write(changed)
            result |= {key: replace(decided, rev=decided.rev + 1) for key, decided in changed.items()}
            if todo:
                before = await self.tellings(todo)
        return result

    async def _write(self, tellings: Mapping[str, Telling]) -> list[str]:
        """
        Write each if its ``rev`` still stands; return those that somebody else wrote first.
        """
        if not tellings:
            return []
        token, now = uuid4().hex, datetime.now(UTC)
        new, known = [], []
        for telling in tellings.values():
            body = {**telling_to(telling, telling.rev + 1, now), "by": token}
            if telling.rev == 0:
                new.append(InsertOne(body))
            else:
                known.append(ReplaceOne({"_id": telling.request_id, "rev": telling.rev}, body))
        try:
            answer = await self._tellings.bulk_write([*new, *known], ordered=False)
            if answer.inserted_count + answer.matched_count == len(tellings):
                return []
        except BulkWriteError as error:
            only_duplicates(error)
        mine = {
            raw["_id"] async for raw in self._tellings.find({"_id": {"$in": list(tellings)}, "by": token}, {"_id": 1})
        }
        return [key for key in tellings if key not in mine]

    # reports

    async def keep_reports(self, reports: Sequence[Reported], now: datetime) -> None:
        """
        Keep reports for a while, until their message is there; one that is kept already stays as it is.
        """
        if not reports:
            return
        documents = {report.id: {**report_to(report), "kept_at": now} for report in reports}
        try:
            await self._reports.insert_many(list(documents.values()), ordered=False)
        except BulkWriteError as error:
            only_duplicates(error)

    async def early_reports(self, limit: int, after: Place | None = None) -> dict[Place, Reported]:
        """
        The reports that wait for their message, by their place: the oldest first, or those that come after a place.
        """
        wanted: dict[str, Any] = {}
        if after is not None:
            kept_at, report_id = after
            wanted = {"$or": [{"kept_at": {"$gt": kept_at}}, {"kept_at": kept_at, "_id": {"$gt": report_id}}]}
        found = self._reports.find(wanted).sort([("kept_at", 1), ("_id", 1)]).limit(limit)
        return {(raw["kept_at"], raw["_id"]): report_from(raw) async for raw in found}

    async def drop_reports(self, reports: Iterable[Reported]) -> None:
        """
        Forget reports that found their message.
        """
        gone = [report.id for report in reports]
        if gone:
            await self._reports.delete_many({"_id": {"$in": gone}})

    # audit

    async def audit(self, contact_id: str, who: str, purpose: str, now: datetime) -> None:
        """
        Put down who asked for whose address, why and when. Returns after it is on disk.
        """
        await self._audit.insert_one({"contact_id": contact_id, "who": who, "purpose": purpose, "at": now})

    async def audited(
        self,
        *,
        contact_id: str | None = None,
        who: str | None = None,
        since: datetime | None = None,
        before: datetime | None = None,
        limit: int = 100,
    ) -> list[dict[str, Any]]:
        """
        Who looked at whose contact, when and why, newest first.
        """
        wanted: dict[str, Any] = {
            name: value for name, value in (("contact_id", contact_id), ("who", who)) if value is not None
        }
        times = {name: at for name, at in (("$gte", since), ("$lt", before)) if at is not None}
        if times:
            wanted["at"] = times
        found = self._audit.find(wanted, {"_id": 0}).sort("at", DESCENDING).limit(limit)
        return [row async for row in found]
