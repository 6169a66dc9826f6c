"""
What intake keeps of calls in MongoDB. No number, name or address; only what an operator types stands in ``drafts``.

``calls``: a document a call, 30 days. ``extensions``: who sits at which extension, for a shift. ``drafts``: what an
operator has typed and not registered, 24 hours. ``contact_hashes`` and ``request_contacts``: which contacts are the
same person's, and which requests are theirs; kept by the worker.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from pymongo import DeleteOne, IndexModel, ReplaceOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from services.common.contracts.envelope import pack, unpack
from services.common.contracts.vocabulary import Status
from services.common.kit.mongo import Client, ensure_indexes, only_duplicates
from services.intake.calls.domain import Answer, Call, HangUp, Outcome
from services.intake.calls.people import Hashes, OwnRequest

KEEP_CALLS: Final = 30 * 24 * 3600
KEEP_DRAFTS: Final = 24 * 3600
KEEP_EXTENSIONS: Final = 16 * 3600
AT_MOST: Final = 500


class CallRepository:
    """
    The collections. A call is written only on top of what was read: who comes second reads and decides again.
    """

    def __init__(self, client: Client, database: str = "intake") -> None:
        db = client[database]
        self._calls = db["calls"]
        self._extensions = db["extensions"]
        self._drafts = db["drafts"]
        self._hashes = db["contact_hashes"]
        self._holders = db["request_contacts"]
        self._requests = db["requests"]

    async def prepare(self) -> None:
        """
        Make the indexes that are missing.
        """
        await ensure_indexes(
            self._calls,
            [
                IndexModel("first_at", expireAfterSeconds=KEEP_CALLS),
                IndexModel("changed_at"),
                IndexModel("settle_at", sparse=True),
                IndexModel("outbox_at", sparse=True),
                IndexModel([("person", 1), ("first_at", -1)]),
            ],
        )
        await ensure_indexes(self._extensions, [IndexModel("at", expireAfterSeconds=KEEP_EXTENSIONS)])
        await ensure_indexes(self._drafts, [IndexModel("at", expireAfterSeconds=KEEP_DRAFTS)])
        await self.prepare_people()

    async def prepare_people(self) -> None:
        """
        Make the indexes of what the worker keeps.
        """
        await ensure_indexes(
            self._hashes,
            [
                IndexModel([("phone", 1), ("at", -1)], sparse=True),
                IndexModel("whatsapp", sparse=True),
                IndexModel("email", sparse=True),
            ],
        )
        await ensure_indexes(self._holders, [IndexModel("contact_id")])

    # --- calls ---

    async def call(self, call_id: str) -> Call | None:
        """
        What is known of a call.
        """
        row = await self._calls.find_one({"_id": call_id})
        return None if row is None else _call(row)

    async def change(self, call_id: str, decide: Callable[[Call | None], Call | None], now: datetime) -> Call | None:
        """
        Decide and write until it is written on top of what was read; gives what stands there now. If ``decide`` gives
        back what it got, nothing is written. What it raises is raised here.
        """
        while True:
            before = await self.call(call_id)
            after = decide(before)
            if after is None or after is before:
                return after
            rev = 0 if before is None else before.rev
            body = _document(after, rev + 1, now)
            if before is None:
                try:
                    await self._calls.insert_one(body)
                    return _call(body)
                except DuplicateKeyError:
                    continue
            if (await self._calls.replace_one({"_id": call_id, "rev": rev}, body)).matched_count:
                return _call(body)

    async def due(self, now: datetime, published_before: datetime) -> list[str]:
        """
        The calls whose outcome is due, and those whose events should be kept by now and are not.
        """
        query = {"$or": [{"settle_at": {"$lte": now}}, {"outbox_at": {"$lte": published_before}}]}
        return [row["_id"] async for row in self._calls.find(query, {"_id": 1}).limit(AT_MOST)]

    async def changed_since(self, moment: datetime) -> list[Call]:
        """
        The calls that were written since then, oldest change first.
        """
        rows = self._calls.find({"changed_at": {"$gt": moment}}).sort("changed_at", 1).limit(AT_MOST)
        return [_call(row) async for row in rows]

    async def on_now(self) -> list[Call]:
        """
        The calls that are not settled yet, the oldest first.
        """
        rows = self._calls.find({"settle_at": {"$exists": True}}).sort("settle_at", 1).limit(AT_MOST)
        return sorted([_call(row) async for row in rows], key=lambda call: call.first_at)

    async def missed_before(self, person: str, since: datetime, but: str) -> int:
        """
        How many calls of this person since then nobody answered, without the call ``but``.
        """
        missed = [Outcome.MISSED, Outcome.CANCELLED]
        query = {"person": person, "first_at": {"$gte": since}, "outcome": {"$in": missed}, "_id": {"$ne": but}}
        return await self._calls.count_documents(query)

    # --- extensions ---

    async def extensions(self) -> dict[str, str]:
        """
        Who sits where: extension by person.
        """
        return {row["_id"]: row["extension"] async for row in self._extensions.find({})}

    async def person_at(self, extension: str) -> str | None:
        """
        Who sits at an extension.
        """
        row = await self._extensions.find_one({"extension": extension}, sort=[("at", -1)])
        return None if row is None else str(row["_id"])

    async def extension_of(self, person: str) -> str | None:
        """
        Where somebody sits.
        """
        row = await self._extensions.find_one({"_id": person})
        return None if row is None else str(row["extension"])

    async def sit(self, person: str, extension: str | None, now: datetime) -> None:
        """
        Somebody sits there from now on, and whoever sat there does not. None: nowhere.
        """
        if extension is None:
            await self._extensions.delete_one({"_id": person})
            return
        await self._extensions.replace_one({"_id": person}, {"extension": extension, "at": now}, upsert=True)
        await self._extensions.delete_many({"extension": extension, "_id": {"$ne": person}})

    # --- drafts ---

    async def draft(self, name: str, owner: str) -> dict[str, Any] | None:
        """
        What this person has typed for this call, or without one.
        """
        row = await self._drafts.find_one({"_id": _draft_key(name, owner)})
        if row is None:
            return None
        body: dict[str, Any] = orjson.loads(row["body"])
        return body

    async def keep_draft(self, name: str, owner: str, body: Mapping[str, Any], now: datetime) -> None:
        """
        Keep it instead of what was there.
        """
        key = _draft_key(name, owner)
        await self._drafts.replace_one({"_id": key}, {"body": orjson.dumps(body), "at": now}, upsert=True)

    async def drop_draft(self, name: str, owner: str) -> None:
        """
        It is registered, or not wanted any more.
        """
        await self._drafts.delete_one({"_id": _draft_key(name, owner)})

    # --- who is the same person ---

    async def keep_people(self, hashes: Mapping[str, Hashes | None], holders: Mapping[str, str]) -> None:
        """
        Keep the newest hashes of each contact (None: it was erased) and the contact of each request.
        """
        if hashes:
            writes = [
                DeleteOne({"_id": contact_id})
                if row is None
                else ReplaceOne({"_id": contact_id, "at": {"$lte": row.at}}, {"at": row.at, **row.given}, upsert=True)
                for contact_id, row in hashes.items()
            ]
            await _unless_there(self._hashes.bulk_write(writes, ordered=False))
        if holders:
            rows = [ReplaceOne({"_id": number}, {"contact_id": who}, upsert=True) for number, who in holders.items()]
            await _unless_there(self._holders.bulk_write(rows, ordered=False))

    async def contacts_of(self, person: str, at_most: int) -> list[str]:
        """
        The contacts with this telephone, newest first.
        """
        rows = self._hashes.find({"phone": person}, {"_id": 1}).sort("at", -1).limit(at_most)
        return [row["_id"] async for row in rows]

    async def contacts_with(self, hashes: Collection[str], at_most: int) -> list[str]:
        """
        The contacts with one of these telephones, WhatsApp ids or e-mail addresses, newest first.
        """
        given = {"$in": list(hashes)}
        query = {"$or": [{"phone": given}, {"whatsapp": given}, {"email": given}]}
        rows = self._hashes.find(query, {"_id": 1}).sort("at", -1).limit(at_most)
        return [row["_id"] async for row in rows]

    async def has_number(self, contact_id: str) -> bool:
        """
        Whether a telephone number of this contact is known.
        """
        return await self._hashes.find_one({"_id": contact_id, "phone": {"$exists": True}}, {"_id": 1}) is not None

    async def holder(self, contact_id: str) -> str | None:
        """
        The WhatsApp hash of this contact, as far as one is known.
        """
        row = await self._hashes.find_one({"_id": contact_id}, {"whatsapp": 1})
        return row.get("whatsapp") if row else None

    async def contact_of(self, request_id: str) -> str | None:
        """
        The contact that a request carries, if there is one.
        """
        row = await self._holders.find_one({"_id": request_id})
        return row["contact_id"] if row else None

    async def requests_of(self, contacts: Collection[str]) -> Sequence[OwnRequest]:
        """
        The requests that carry one of these contacts, as the read model has them.
        """
        if not contacts:
            return []
        holders = self._holders.find({"contact_id": {"$in": list(contacts)}}, {"_id": 1}).limit(AT_MOST)
        return await self.requests([row["_id"] async for row in holders])

    async def requests(self, numbers: Collection[str]) -> Sequence[OwnRequest]:
        """
        Those of these requests that the read model has.
        """
        if not numbers:
            return []
        return [
            OwnRequest(
                row["_id"],
                Status(row["status"]),
                row["department"],
                row["service_code"],
                row.get("at"),
                row.get("closed_seq"),
            )
            async for row in self._requests.find({"_id": {"$in": list(numbers)}})
        ]


def _draft_key(name: str, owner: str) -> str:
    return f"{name}/{owner}"


def _document(call: Call, rev: int, now: datetime) -> dict[str, Any]:
    found: dict[str, Any] = {
        "_id": call.id,
        "rev": rev,
        "exchange": call.exchange,
        "first_at": call.first_at,
        "last_at": call.last_at,
        "queue": call.queue,
        "rings_at": call.rings_at,
        "person": call.person,
        "contact_id": call.contact_id,
        "contact_kept": call.contact_kept,
        "outcome": call.outcome,
        "request_id": call.request_id,
        "said": sorted(call.said),
        "changed_at": now,
    }
    if call.answered is not None:
        answered = call.answered
        found["answered"] = {"at": answered.at, "extension": answered.extension, "by": answered.by}
    if call.hung_up is not None:
        found["hung_up"] = {"at": call.hung_up.at, "cause": call.hung_up.cause}
    if call.outbox:
        found |= {"outbox": pack(call.outbox), "outbox_at": now}
    if call.settle_at is not None:
        found["settle_at"] = call.settle_at
    return found


def _call(row: Mapping[str, Any]) -> Call:
    answered, hung_up = row.get("answered"), row.get("hung_up")
    return Call(
        id=row["_id"],
        exchange=row["exchange"],
        first_at=row["first_at"],
        last_at=row["last_at"],
        queue=row["queue"],
        rings_at=row["rings_at"],
        person=row["person"],
        contact_id=row["contact_id"],
        contact_kept=row["contact_kept"],
        answered=Answer(answered["at"], answered["extension"], answered["by"]) if answered else None,
        hung_up=HangUp(hung_up["at"], hung_up["cause"]) if hung_up else None,
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        request_id=row["request_id"],
        said=frozenset(row["said"]),
        outbox=unpack(bytes(row["outbox"])) if row.get("outbox") else (),
        rev=row["rev"],
        changed_at=row["changed_at"],
    )


async def _unless_there(write: Any) -> None:
    """
    Await a bulk write; that a newer document is already there is no error.
    """
    try:
        await write
    except BulkWriteError as error:
        only_duplicates(error)
