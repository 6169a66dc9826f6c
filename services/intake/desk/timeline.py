"""
The life of a request in the words that an operator may read to the citizen who asks what became of it. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.common.contracts.vocabulary import Status
from services.common.ui.words import STATUSES, Words
from services.intake.desk.receipt import department_words

_EVENTS: Final = {
    "RequestRegistered": Words("Kayda alındı", "Registered"),
    "RequestEscalated": Words("Süresi hatırlatıldı", "The department was reminded of its time"),
    "LegalExtended": Words("Yasal süre uzatıldı", "The legal term was extended"),
    "ReplyReceived": Words("Vatandaş yazdı", "The citizen wrote"),
    "CitizenReminded": Words("Vatandaşa hatırlatıldı", "The citizen was reminded"),
    "FollowerAdded": Words("Aynı konuda bir başvuru daha bağlandı", "Another request about it was tied to it"),
    "MasterProgressed": Words("Bağlı olduğu başvuruda gelişme var", "News of the request it is tied to"),
}
_UNSAID: Final = frozenset({"NoteAdded", "DuplicateReceived", "UpdateRefused"})
_TOLD: Final = {
    "sent": Words("gönderildi", "sent"),
    "delivered": Words("ulaştı", "delivered"),
    "read": Words("okundu", "read"),
    "suppressed": Words("gönderilmedi", "not sent"),
    "failed": Words("ulaşmadı", "failed"),
    "queued": Words("sırada", "waiting"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """
    One thing that happened; ``text`` is what the department told the citizen.
    """

    at: datetime
    title: Words
    department: Words | None
    text: str | None


def steps(detail: Mapping[str, Any]) -> list[Step]:
    """
    What happened, the newest first. Internal notes and what was refused are left out.
    """
    found = []
    before: str | None = None
    for row in detail["history"]:
        if row["type"] in _UNSAID:
            continue
        holder = row.get("department")
        title = _EVENTS.get(row["type"]) or STATUSES[Status(row["status"])]
        moved = holder is not None and holder != before
        found.append(
            Step(
                at=datetime.fromisoformat(row["at"]),
                title=title,
                department=department_words(holder) if moved else None,
                text=row.get("public_text"),
            )
        )
        before = holder or before
    return found[::-1]


def told(row: Mapping[str, Any]) -> Words:
    """
    What became of a message, in a word.
    """
    name = str(row["outcome"])
    return _TOLD.get(name, Words(name, name))
