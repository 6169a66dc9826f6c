"""
The call-back list in MongoDB: ``callbacks``, a document a person, without name or number.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from services.common.kit.mongo import Client, ensure_indexes
from services.notify.callbacks import Callback, CallbackState, Missed, Told, Try, trimmed

KEEP: Final = timedelta(days=90)


class CallbackRepository:
    """
    The list. An item is written only on top of what was read; who comes second reads and decides again.
    """

    def __init__(self, client: Client, database: str) -> None:
        self._items = client[database]["callbacks"]

    async def prepare(self) -> None:
        """
        Make the indexes.
        """
        await ensure_indexes(
            self._items,
            [
                IndexModel([("state", 1), ("since", 1)]),
                IndexModel([("state", 1), ("written_at", -1)]),
                IndexModel("written_at", expireAfterSeconds=int(KEEP.total_seconds()), name="keep"),
            ],
        )

    async def change(self, item_id: str, decide: Callable[[Callback], Callback], now: datetime) -> Callback:
        """
        Decide and write until it is written on top of what was read; gives what stands there now. What ``decide``
        raises is raised here.
        """
        while True:
            row = await self._items.find_one({"_id": item_id})
            before = Callback(item_id) if row is None else _from(row)
            after = decide(before)
            if after is before:
                return before
            body = _to(trimmed(after, now), before.rev + 1, now)
            if row is None:
                try:
                    await self._items.insert_one(body)
                    return _from(body)
                except DuplicateKeyError:
                    continue
            if (await self._items.replace_one({"_id": item_id, "rev": before.rev}, body)).matched_count:
                return _from(body)

    async def item(self, item_id: str) -> Callback | None:
        """
        One item, if there is or was anything to call back for.
        """
        row = await self._items.find_one({"_id": item_id, "state": {"$ne": None}})
        return None if row is None else _from(row)

    async def items(self, state: CallbackState, limit: int) -> Sequence[Callback]:
        """
        Open ones by how long they wait, others by when they were closed, the latest first.
        """
        order = [("since", 1)] if state is CallbackState.OPEN else [("written_at", -1)]
        rows = self._items.find({"state": state}).sort(order).limit(limit)
        return [_from(row) async for row in rows]

    async def count_open(self) -> int:
        """
        How many are open.
        """
        return await self._items.count_documents({"state": CallbackState.OPEN})


def _to(item: Callback, rev: int, now: datetime) -> dict[str, Any]:
    return {
        "_id": item.id,
        "rev": rev,
        "state": item.state,
        "since": item.since,
        "missed": [asdict(one) for one in item.missed],
        "told": [asdict(one) for one in item.told],
        "tries": [asdict(one) for one in item.tries],
        "answered_at": item.answered_at,
        "written_at": now,
    }


def _from(row: dict[str, Any]) -> Callback:
    def utc(one: dict[str, Any]) -> dict[str, Any]:
        return {**one, "at": one["at"].astimezone(UTC)}

    answered_at = row["answered_at"]
    return Callback(
        row["_id"],
        tuple(Missed(**utc(one)) for one in row["missed"]),
        tuple(Told(**utc(one)) for one in row["told"]),
        tuple(Try(**utc(one)) for one in row["tries"]),
        None if answered_at is None else answered_at.astimezone(UTC),
        row["rev"],
    )
