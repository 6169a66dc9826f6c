"""
What people keep for themselves: searches (a person's own, per department) and ready answers (a department's own).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.common.contracts.vocabulary import Outcome
from services.common.kit.mongo import Client
from services.reporting.inbox.answers import LONGEST, Answer, Title, checked

MOST: Final = 50
NAME_LIMIT: Final = 60


class NotKept(ValueError):
    """
    It cannot be kept as it is; the text says what would be right.
    """

    def __init__(self, field: str, tr: str, en: str) -> None:
        super().__init__(f"{field}: {en}")
        self.field = field
        self.tr = tr
        self.en = en


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """
    A list's address under a name.
    """

    id: str
    name: str
    query: str


class Saved:
    """
    The collections ``saved_searches`` and ``saved_answers`` of reporting's database.
    """

    def __init__(self, client: Client, database: str) -> None:
        self._searches = client[database]["saved_searches"]
        self._answers = client[database]["saved_answers"]

    async def searches(self, person_id: str, department: str) -> list[SavedSearch]:
        """
        A person's searches in a department, by name.
        """
        found = self._searches.find({"person": person_id, "department": department}).sort("name", 1).limit(MOST)
        return [SavedSearch(row["_id"], row["name"], row["query"]) async for row in found]

    async def keep_search(self, person_id: str, department: str, name: str, query: str, now: datetime) -> None:
        """
        Keep a search; the same name again takes the place of the first. Raises ``NotKept``.
        """
        name = _named(name)
        row = {"person": person_id, "department": department, "name": name, "query": query, "at": now}
        await self._put(
            self._searches, {"person": person_id, "department": department}, _id(person_id, department, name), row
        )

    async def drop_search(self, person_id: str, search_id: str) -> None:
        """
        Forget one of the person's own searches.
        """
        await self._searches.delete_one({"_id": search_id, "person": person_id})

    async def answers(self, department: str) -> list[Answer]:
        """
        The department's own answers, by title. The text is the same in both languages: they wrote it in one.
        """
        found = self._answers.find({"department": department}).sort("title", 1).limit(MOST)
        return [
            Answer(
                key=row["_id"],
                title=Title(tr=row["title"], en=row["title"]),
                tr=row["text"],
                en=row["text"],
                departments=frozenset({department}),
                outcome=Outcome(row["outcome"]),
            )
            async for row in found
        ]

    async def keep_answer(
        self, department: str, title: str, text: str, outcome: Outcome, person_id: str, now: datetime
    ) -> None:
        """
        Keep an answer for the department; the same title again takes the place of the first. Raises ``NotKept``.
        """
        title, text = _named(title), text.replace("\r\n", "\n").strip()
        if not 0 < len(text) <= LONGEST:
            raise NotKept("text", f"1 ile {LONGEST} karakter arası yazın.", f"Write 1 to {LONGEST} characters.")
        try:
            checked(text)
        except ValueError:
            known = "{number}, {service}, {neighbourhood}, {department}"
            raise NotKept("text", f"Yer tutucular: {known}", f"The placeholders are {known}") from None
        row = {
            "department": department,
            "title": title,
            "text": text,
            "outcome": str(outcome),
            "by": person_id,
            "at": now,
        }
        await self._put(self._answers, {"department": department}, _id(department, title), row)

    async def drop_answer(self, department: str, key: str) -> None:
        """
        Forget one of the department's own answers.
        """
        await self._answers.delete_one({"_id": key, "department": department})

    async def _put(self, collection: Any, owner: dict[str, str], key: str, row: dict[str, Any]) -> None:
        if await collection.count_documents({**owner, "_id": {"$ne": key}}, limit=MOST) >= MOST:
            raise NotKept("name", f"En çok {MOST} tane saklanır; birini silin.", f"At most {MOST} are kept: drop one.")
        await collection.replace_one({"_id": key}, row, upsert=True)


def _named(text: str) -> str:
    name = " ".join(text.split())
    if not 0 < len(name) <= NAME_LIMIT:
        raise NotKept(
            "name",
            f"1 ile {NAME_LIMIT} karakter arası bir ad verin.",
            f"Give it a name of 1 to {NAME_LIMIT} characters.",
        )
    return name


def _id(*parts: Sequence[str] | str) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:32]
