"""
Notify's collections: ``contacts``, ``tellings`` (ledger and outbox in one, a document a request) and ``audit``; the
call-back list stands in callbacks_repository.py.

A telling is written only if nobody wrote it since it was read; who comes second reads and decides again.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from pymongo import DESCENDING, IndexModel, InsertOne, ReplaceOne
from pymongo.errors import BulkWriteError

from services.common.contracts.envelope import Record
from services.common.contracts.vocabulary import Clock, Language, Level, NotifyVia, Outcome, Status
from services.common.kit.mongo import Client, ensure_indexes, only_duplicates
from services.notify.callbacks_repository import CallbackRepository
from services.notify.domain import Contact, Row, State, Telling
from services.notify.transitions import Facts

KEEP_TELLINGS: Final = timedelta(days=90)  # longer than topics and dead letters are kept: a replay finds what was told
KEEP_AUDIT: Final = timedelta(days=730)


def utc(moment: datetime | None) -> datetime | None:
    """
    What the driver gives, in the one zone that events are written in.
    """
    return None if moment is None else moment.astimezone(UTC)


def _known(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


def _row_to(row: Row) -> dict[str, Any]:
    raw = asdict(row)
    facts = raw["facts"]
    if row.facts.written_on is not None:
        facts["written_on"] = row.facts.written_on.isoformat()  # BSON has no day without a time
    return _known({**raw, "facts": _known(facts)})


def _row_from(raw: Mapping[str, Any]) -> Row:
    facts = raw["facts"]
    return Row(
        **{
            **raw,
            "facts": Facts(
                **{
                    **facts,
                    "status": Status(facts["status"]) if facts.get("status") else None,
                    "outcome": Outcome(facts["outcome"]) if facts.get("outcome") else None,
                    "clock": Clock(facts["clock"]) if facts.get("clock") else None,
                    "level": Level(facts["level"]) if facts.get("level") else None,
                    "day": utc(facts.get("day")),
                    "since": utc(facts.get("since")),
                    "written_on": date.fromisoformat(facts["written_on"]) if facts.get("written_on") else None,
                }
            ),
            "state": State(raw["state"]),
            "channel": NotifyVia(raw["channel"]) if raw.get("channel") else None,
            "at": utc(raw.get("at")),
            "due_at": utc(raw.get("due_at")),
            "give_up_at": utc(raw.get("give_up_at")),
        }
    )


def telling_to(telling: Telling, rev: int, now: datetime) -> dict[str, Any]:
    """
    The document of a telling. What the indexes look for is absent when there is nothing to do.
    """
    found: dict[str, Any] = {
        "_id": telling.request_id,
        "rev": rev,
        "rows": [_row_to(row) for row in telling.rows],
        "outbox": [
            {"topic": r.topic, "key": r.key, "value": r.value, "headers": [list(pair) for pair in r.headers]}
            for r in telling.outbox
        ],
        "written_on": datetime(now.year, now.month, now.day, tzinfo=UTC),  # a day, so that its index rests
    }
    if telling.next_at is not None:
        found["next_at"] = telling.next_at
    if telling.publish_at is not None:
        found["publish_at"] = telling.publish_at
    if telling.parked_for:
        found["parked_for"] = telling.parked_for
    return found


def telling_from(raw: Mapping[str, Any]) -> Telling:
    """
    The telling in a document.
    """
    return Telling(
        raw["_id"],
        tuple(_row_from(row) for row in raw["rows"]),
        tuple(
            Record(r["topic"], bytes(r["key"]), bytes(r["value"]), tuple((k, bytes(v)) for k, v in r["headers"]))
            for r in raw["outbox"]
        ),
        utc(raw.get("publish_at")),
        raw["rev"],
    )


def _contact_to(contact: Contact) -> dict[str, Any]:
    if contact.erased:
        return {"_id": contact.id, "at": contact.at, "erased": True}
    known = {key: value for key, value in asdict(contact).items() if value is not None and key not in ("id", "erased")}
    return {"_id": contact.id, **known}


class NotifyRepository:
    """
    All that notify keeps.
    """

    def __init__(self, client: Client, database: str) -> None:
        db = client[database]
        self._client = client
        self._contacts, self._tellings, self._audit = db["contacts"], db["tellings"], db["audit"]
        self.callbacks = CallbackRepository(client, database)

    async def prepare(self) -> None:
        """
        Make the indexes.
        """
        await ensure_indexes(
            self._tellings,
            [
                IndexModel("next_at", sparse=True),
                IndexModel("publish_at", sparse=True),
                IndexModel("parked_for", sparse=True),
                IndexModel("written_on", expireAfterSeconds=int(KEEP_TELLINGS.total_seconds())),
            ],
        )
        await self.callbacks.prepare()
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
        found: dict[str, Contact] = {}
        async for raw in self._contacts.find({"_id": {"$in": wanted}}):
            fields = {key: value for key, value in raw.items() if key not in ("_id", "at", "language", "notify_via")}
            found[raw["_id"]] = Contact(
                id=raw["_id"],
                at=raw["at"].astimezone(UTC),
                language=Language(raw.get("language", Language.TR)),
                notify_via=NotifyVia(raw["notify_via"]) if raw.get("notify_via") else None,
                **fields,
            )
        return found

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
            await self._contacts.insert_many([_contact_to(contact) for contact in given.values()], ordered=False)
        except BulkWriteError as error:
            known = only_duplicates(error)
        if known:
            await self._replace_older(given[key] for key in known)
        waiting = {"parked_for": {"$in": list(given)}, "rows.state": {"$ne": State.SENDING}}
        await self._tellings.update_many(waiting, {"$set": {"next_at": now}})

    async def _replace_older(self, contacts: Iterable[Contact]) -> None:
        writes = []
        for contact in contacts:
            older = {"$lte" if contact.erased else "$lt": contact.at}
            writes.append(ReplaceOne({"_id": contact.id, "at": older}, _contact_to(contact)))
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

    async def parked(self) -> int:
        """
        How many requests have a message that waits for its contact.
        """
        return await self._tellings.count_documents({"parked_for": {"$exists": True}})

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
