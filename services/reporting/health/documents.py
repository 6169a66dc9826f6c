"""
What reporting's own documents say: how far the projector is, and open requests, or parts, that nobody has moved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.common.contracts.catalogue import catalogue
from services.common.kit.mongo import Client, aggregate
from services.reporting.queries import Pipeline
from services.reporting.repository import PROJECTOR

SHOWN: Final = 20
_FIELDS: Final = ("department", "status", "service_code", "changed_at")


@dataclass(frozen=True, slots=True)
class Untouched:
    """
    How many there are, and those that have waited longest.
    """

    count: int
    oldest: Sequence[dict[str, Any]]


class Documents:
    """
    The questions of the page of health.
    """

    def __init__(self, client: Client, database: str) -> None:
        self._requests, self._meta = client[database]["requests"], client[database]["meta"]

    async def beat(self) -> Mapping[str, Any] | None:
        """
        The projector's last beat (``at``, ``as_of``); None before it ran.
        """
        found: Mapping[str, Any] | None = await self._meta.find_one({"_id": PROJECTOR})
        return found

    async def untouched_since(self, moment: datetime) -> Untouched:
        """
        What is open and had its last step, of those that a citizen hears of, before the moment. Department by
        department: an index knows what is open in each.
        """
        count, oldest = 0, []
        for slug in catalogue().departments:
            served = {"department": slug, "closed": False}
            stages = [{"$match": served}, {"$match": {"registered": True, "changed_at": {"$lt": moment}}}]
            counted = await aggregate(self._requests, [*stages, {"$group": {"_id": None, "n": {"$sum": 1}}}])
            if not counted:
                continue
            count += counted[0]["n"]
            cut: Pipeline = [{"$sort": {"changed_at": 1}}, {"$limit": SHOWN}, {"$project": dict.fromkeys(_FIELDS, 1)}]
            oldest += await aggregate(self._requests, [*stages, *cut])
        return Untouched(count, sorted(oldest, key=lambda row: row["changed_at"])[:SHOWN])
