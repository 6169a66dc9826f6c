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

_BY: Final = {
    "sms": Words("SMS", "SMS"),
    "whatsapp": Words("WhatsApp", "WhatsApp"),
    "email": Words("E-posta", "E-mail"),
    "phone": Words("Telefon", "Telephone"),
}
_WHY: Final = {
    "no_contact": Words("iletişim bilgisi yok", "no contact"),
    "phone_only": Words("yalnız telefonu var: geri arama listesinde", "a telephone alone: on the call-back list"),
    "not_wanted": Words("bildirim istemedi", "wants no messages"),
    "merged": Words("tek bildirimde birleştirildi", "told together with another"),
    "internal": Words("vatandaşı ilgilendirmiyor", "nothing for the citizen"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """
    One message to the citizen: by which channel, what became of it, and why it was not sent.
    """

    at: datetime
    by: Words | None
    outcome: Words
    why: Words | None


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


def told(detail: Mapping[str, Any]) -> list[Told]:
    """
    What became of each message to the citizen, the newest first.
    """
    return [
        Told(
            at=datetime.fromisoformat(row["at"]),
            by=_BY.get(row["channel"] or ""),
            outcome=_TOLD.get(row["outcome"]) or Words(row["outcome"], row["outcome"]),
            why=_WHY.get(row["reason"] or ""),
        )
        for row in detail["told"]
    ][::-1]
