"""
Files in MongoDB: what is known of them in ``attachments``, their bytes in the GridFS bucket ``files``.

The bytes of each try to keep a file have ids of their own, noted in ``attachment_tries`` before the first byte and
deleted from there when the row in ``attachments`` names them. So a process may die anywhere: ``sweep`` finds the try,
and whether a row names it says whether its bytes count. Deleting a file is the same backwards.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, Final

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from services.common.kit.mongo import Client, bucket, drop_file, ensure_indexes, open_file, put_file
from services.intake.attachments.kinds import Kind
from services.intake.attachments.store import Attachment, Link, Size, Use

_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


class GridFSStore:
    """
    The ``Store`` in MongoDB.
    """

    def __init__(self, client: Client, database: str = "intake") -> None:
        self._attachments = client[database]["attachments"]
        self._tries = client[database]["attachment_tries"]
        self._files = bucket(client, database, "files")

    async def prepare(self) -> None:
        """
        Make the indexes that are missing.
        """
        await ensure_indexes(self._attachments, [IndexModel([("linked", 1), ("at", 1)])])
        await ensure_indexes(self._tries, [IndexModel("at")])

    async def keep(self, attachment: Attachment, forms: Mapping[Size, bytes]) -> None:
        """
        Keep a file; one that is there already only gets its time anew.
        """
        attempt = token_hex(16)
        await self._tries.insert_one({"_id": attempt, "attachment": attachment.id, "at": attachment.at})
        for size, content in forms.items():
            await put_file(self._files, _file_id(attempt, size), content)
        row = {
            "_id": attachment.id,
            "owner": attachment.owner,
            "media_type": attachment.kind.value,
            "size": attachment.size,
            "width": attachment.width,
            "height": attachment.height,
            "at": attachment.at,
            "files": attempt,
            "forms": sorted(forms),
            "links": [],
            "linked": False,
        }
        try:
            await self._attachments.insert_one(row)
        except DuplicateKeyError:
            await self.touch(attachment.id, attachment.at)
            await self._drop_bytes(attempt)
        await self._tries.delete_one({"_id": attempt})

    async def touch(self, attachment_id: str, at: datetime) -> Attachment | None:
        """
        The file, if it is there, which gets its time anew.
        """
        row: dict[str, Any] | None = await self._attachments.find_one_and_update(
            {"_id": attachment_id}, {"$max": {"at": at}}
        )
        return None if row is None else _attachment(row)

    async def find(self, ids: Collection[str]) -> dict[str, Attachment]:
        """
        Those of the files that are there.
        """
        rows = self._attachments.find({"_id": {"$in": list(ids)}})
        return {row["_id"]: _attachment(row) async for row in rows}

    async def read(self, attachment_id: str, size: Size) -> AsyncIterator[bytes] | None:
        """
        One form of a file in pieces; None if there is none such.
        """
        row = await self._attachments.find_one({"_id": attachment_id, "forms": size.value}, {"files": 1})
        return None if row is None else await open_file(self._files, _file_id(row["files"], size))

    async def link(self, ids: Collection[str], owner: str, link: Link) -> bool:
        """
        Tie files of an owner to a request. False if one of them is gone; then some may be tied.
        """
        tied = {"request_id": link.request_id, "use": link.use.value}
        done = await self._attachments.update_many(
            {"_id": {"$in": list(ids)}, "owner": owner}, {"$addToSet": {"links": tied}, "$set": {"linked": True}}
        )
        return done.matched_count == len(set(ids))

    async def sweep(self, before: datetime) -> int:
        """
        Delete what was sent before then and belongs to no request, and what is left of files half kept. How many.
        """
        deleted = 0
        old = {"linked": False, "at": {"$lt": before}}
        async for row in self._attachments.find(old, {"files": 1}):
            await self._tries.update_one(
                {"_id": row["files"]}, {"$setOnInsert": {"attachment": row["_id"], "at": _LONG_AGO}}, upsert=True
            )
            gone = await self._attachments.delete_one({"_id": row["_id"], "files": row["files"], **old})
            deleted += gone.deleted_count
        async for row in self._tries.find({"at": {"$lt": before}}):
            if await self._attachments.find_one({"files": row["_id"], "_id": row["attachment"]}, {"_id": 1}) is None:
                await self._drop_bytes(row["_id"])
            await self._tries.delete_one({"_id": row["_id"]})
        return deleted

    async def _drop_bytes(self, attempt: str) -> None:
        for size in Size:
            await drop_file(self._files, _file_id(attempt, size))


def _file_id(attempt: str, size: Size) -> str:
    return f"{attempt}/{size}"


def _attachment(row: Mapping[str, Any]) -> Attachment:
    return Attachment(
        id=row["_id"],
        owner=row["owner"],
        kind=Kind(row["media_type"]),
        size=row["size"],
        width=row["width"],
        height=row["height"],
        at=row["at"],
        links=tuple(Link(link["request_id"], Use(link["use"])) for link in row["links"]),
    )
