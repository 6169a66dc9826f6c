"""
Everything intake keeps in MongoDB (database ``intake``). Only here.

``fingerprints``: which body stands behind a number, 30 days. ``requests`` and ``updates``: the read model, kept by the
worker from requests.lifecycle. ``meta``: when the worker last found nothing behind. ``keys``: API keys by hash.
``crises``: who declared which crisis, when and why, for ever.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pymongo import IndexModel, UpdateOne, WriteConcern
from pymongo.errors import BulkWriteError, PyMongoError

from services.common.contracts.events import CrisisDeclared
from services.common.contracts.vocabulary import Status
from services.common.kit.errors import Retryable
from services.common.kit.mongo import Client, ensure_indexes, only_duplicates
from services.intake.crises import AuditRow
from services.intake.keys import StoredKey
from services.intake.read_model import CaseState, Outcome, UpdateKey
from services.intake.schemas import UpdateResult

AWAY: Final[tuple[type[Exception], ...]] = (PyMongoError, Retryable, TimeoutError)
_DAYS_30: Final = 30 * 24 * 3600


class Repository:
    """
    Intake's collections. Every write can be repeated; none is taken back by an older one.
    """

    def __init__(self, client: Client, database: str = "intake") -> None:
        db = client[database]
        self._client = client
        self._fingerprints = db.get_collection("fingerprints", write_concern=WriteConcern(w=1, j=False))
        self._requests = db["requests"]
        self._updates = db["updates"]
        self._meta = db.get_collection("meta", write_concern=WriteConcern(w=1, j=False))
        self._keys = db["keys"]
        self._crises = db["crises"]

    async def prepare(self) -> None:
        """
        Make the indexes that are missing.
        """
        await ensure_indexes(self._fingerprints, [IndexModel("at", expireAfterSeconds=_DAYS_30)])
        await ensure_indexes(self._updates, [IndexModel("at", expireAfterSeconds=_DAYS_30)])
        await ensure_indexes(self._crises, [IndexModel([("crisis", 1), ("declared_at", -1)])])

    async def ping(self) -> None:
        """
        Return if the server answers.
        """
        await self._client.admin.command("ping")

    # --- which body stands behind a number ---

    async def fingerprints(self, ids: Collection[str]) -> dict[str, str]:
        """
        The fingerprints that are known, in one query.
        """
        rows = self._fingerprints.find({"_id": {"$in": list(ids)}}, {"fp": 1})
        return {row["_id"]: row["fp"] async for row in rows}

    async def remember(self, fingerprints: Mapping[str, str], at: datetime) -> None:
        """
        Keep fingerprints; the first for an id stands. These are hints (routing has the last word): no wait for disk.
        """
        rows = [{"_id": number, "fp": fp, "at": at} for number, fp in fingerprints.items()]
        await _unless_there(self._fingerprints.insert_many(rows, ordered=False))

    # --- the read model ---

    async def case(self, request_id: str) -> CaseState | None:
        """
        What is known of a request.
        """
        row = await self._requests.find_one({"_id": request_id})
        if row is None:
            return None
        return CaseState(
            row["seq"],
            Status(row["status"]),
            row["department"],
            row["service_code"],
            row.get("at"),
            row.get("closed_seq"),
        )

    async def holders(self, family: str) -> frozenset[str]:
        """
        The departments that hold a request or a part of it now, as far as is known.
        """
        query = {"_id": {"$gte": family, "$lt": f"{family}/"}}  # the dot before a part's number sorts before the slash
        return frozenset([row["department"] async for row in self._requests.find(query, {"department": 1})]) - {None}

    async def fresh_at(self) -> datetime | None:
        """
        When the worker last found that the read model lacks nothing.
        """
        row = await self._meta.find_one({"_id": "read_model"})
        return None if row is None else row["fresh_at"]

    async def beat(self, at: datetime) -> None:
        """
        The read model lacks nothing now.
        """
        await self._meta.update_one({"_id": "read_model"}, {"$set": {"fresh_at": at}}, upsert=True)

    async def note_updates(self, updates: Collection[UpdateKey], at: datetime) -> None:
        """
        These updates were accepted: pending, unless their results are already there.
        """
        writes = [
            UpdateOne(
                {"_id": _update_key(*key)},
                {"$setOnInsert": {"request_id": key[0], "result": "pending", "at": at}},
                upsert=True,
            )
            for key in updates
        ]
        await _unless_there(self._updates.bulk_write(writes, ordered=False))

    async def update_result(self, request_id: str, update_id: str) -> UpdateResult | None:
        """
        What became of an update of this request.
        """
        row = await self._updates.find_one({"_id": _update_key(request_id, update_id)})
        if row is None:
            return None
        return UpdateResult(
            update_id=update_id,
            result=row["result"],
            reason=row.get("reason"),
            detail=row.get("detail"),
            seq=row.get("seq"),
            by=row.get("by"),
        )

    async def apply(self, cases: Mapping[str, CaseState], outcomes: Mapping[UpdateKey, Outcome], at: datetime) -> None:
        """
        Keep the newest state of each request (a higher seq wins) and the results of updates. What was applied stays
        applied: a refusal of another department's update with the same id is not this update's result.
        """
        if cases:
            writes = [
                UpdateOne(
                    {"_id": request_id, "seq": {"$lt": case.seq}},
                    {
                        "$set": {
                            "seq": case.seq,
                            "status": case.status,
                            "department": case.department,
                            "service_code": case.service_code,
                            "at": case.at,
                        }
                        | ({} if case.closed_seq is None else {"closed_seq": case.closed_seq})
                    },
                    upsert=True,
                )
                for request_id, case in cases.items()
            ]
            await _unless_there(self._requests.bulk_write(writes, ordered=False))
        if outcomes:
            writes = [
                UpdateOne(
                    {"_id": _update_key(*key)} | ({"result": {"$ne": "applied"}} if outcome.reason else {}),
                    {
                        "$set": {
                            "request_id": outcome.request_id,
                            "result": outcome.result,
                            "reason": outcome.reason,
                            "detail": outcome.detail,
                            "seq": outcome.seq,
                            "by": outcome.by,
                        },
                        "$setOnInsert": {"at": at},
                    },
                    upsert=True,
                )
                for key, outcome in outcomes.items()
            ]
            if not await _unless_there(self._updates.bulk_write(writes, ordered=False)):
                # applied before, or the note came between: then it is there to be replaced now
                await _unless_there(self._updates.bulk_write(writes, ordered=False))

    # --- the audit of crises ---

    async def note_crisis(self, row: AuditRow) -> None:
        """
        Add a row.
        """
        await self._crises.insert_one(
            {"_id": row.id, "adapter": row.adapter, "state": row.state, **row.event.model_dump()}
        )

    async def note_declared(self, row_id: str) -> None:
        """
        Kafka has what this row asked for.
        """
        await self._crises.update_one({"_id": row_id}, {"$set": {"state": "declared"}})

    async def last_declared(self, crisis: str) -> CrisisDeclared | None:
        """
        The last word on a crisis that Kafka has, as far as is known.
        """
        newest = [("declared_at", -1), ("declared_by", -1)]
        row = await self._crises.find_one({"crisis": crisis, "state": "declared"}, sort=newest)
        return None if row is None else _audit_row(row).event

    async def crisis_rows(self, crisis: str, at_most: int) -> Sequence[AuditRow]:
        """
        The rows about a crisis, newest first.
        """
        rows = self._crises.find({"crisis": crisis}).sort("declared_at", -1).limit(at_most)
        return [_audit_row(row) async for row in rows]

    # --- keys ---

    async def keys(self, *, revoked: bool = False) -> Sequence[StoredKey]:
        """
        All keys that count, or all that ever were.
        """
        rows = self._keys.find({} if revoked else {"revoked_at": None}).sort("created_at", 1)
        return [_key(row) async for row in rows]

    async def add_key(self, key: StoredKey, at: datetime) -> None:
        """
        Add a key, or give the one with this hash its name, scopes and departments.
        """
        await self._keys.update_one(
            {"_id": key.hash},
            {
                "$set": {
                    "name": key.name,
                    "scopes": sorted(key.scopes),
                    "departments": sorted(key.departments),
                    "revoked_at": None,
                },
                "$setOnInsert": {"created_at": at},
            },
            upsert=True,
        )

    async def revoke_keys(self, names_or_hashes: Iterable[str], at: datetime) -> int:
        """
        Revoke every key with such a name or hash; returns how many.
        """
        given = list(names_or_hashes)
        query = {"revoked_at": None, "$or": [{"name": {"$in": given}}, {"_id": {"$in": given}}]}
        return (await self._keys.update_many(query, {"$set": {"revoked_at": at}})).modified_count


def _update_key(request_id: str, update_id: str) -> str:
    return f"{request_id}/{update_id}"


def _audit_row(row: Mapping[str, Any]) -> AuditRow:
    fields = {name: row[name] for name in CrisisDeclared.model_fields}
    return AuditRow(row["_id"], CrisisDeclared(**fields), row["adapter"], row["state"])


def _key(row: Mapping[str, Any]) -> StoredKey:
    return StoredKey(
        hash=row["_id"],
        name=row["name"],
        scopes=frozenset(row["scopes"]),
        departments=frozenset(row["departments"]),
        revoked=row.get("revoked_at") is not None,
    )


async def _unless_there(write: Any) -> bool:
    """
    Await a bulk write; that a document is already there (another writer, or a newer state) is no error but False.
    """
    try:
        await write
        return True
    except BulkWriteError as error:
        only_duplicates(error)
        return False
