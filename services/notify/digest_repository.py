"""
The morning digests in MongoDB: ``digests``, a document a day and department.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from services.common.kit.mongo import Client, ensure_indexes

KEEP: Final = timedelta(days=30)


class DigestRepository:
    """
    Whom a digest was written to on which day. The insert decides who of several processes writes it.
    """

    def __init__(self, client: Client, database: str) -> None:
        self._digests = client[database]["digests"]

    async def prepare(self) -> None:
        """
        Make the indexes.
        """
        keep = IndexModel("at", expireAfterSeconds=int(KEEP.total_seconds()), name="keep")
        await ensure_indexes(self._digests, [IndexModel("day"), keep])

    async def done(self, day: date) -> set[str]:
        """
        The departments that have theirs.
        """
        return {row["department"] async for row in self._digests.find({"day": day.isoformat()}, {"department": 1})}

    async def claim(self, day: date, department: str) -> bool:
        """
        Whether it is ours to write.
        """
        row = {"_id": f"{day}/{department}", "day": day.isoformat(), "department": department, "at": datetime.now(UTC)}
        try:
            await self._digests.insert_one(row)
        except DuplicateKeyError:
            return False
        return True

    async def release(self, day: date, department: str) -> None:
        """
        It could not be written: somebody may try again.
        """
        await self._digests.delete_one({"_id": f"{day}/{department}"})
