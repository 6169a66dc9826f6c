"""
The life of a request in words, Turkish and English: each step, who took it, and what was said to whom. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import grouped
from services.common.contracts.vocabulary import (
    CLOSED,
    TRIAGE_DEPARTMENT,
    Action,
    Clock,
    DecidedBy,
    Level,
    Outcome,
    Status,
)
from services.common.ui.words import CLOCKS, LEVELS, OUTCOMES, STATUSES, Words
from services.reporting.projections import Document

Names = Mapping[str, str]
"""Members of staff by their ids."""


@dataclass(frozen=True, slots=True)
class Step:
    """
    One step. ``public`` is what the citizen reads, ``note`` and ``reason`` are for colleagues, ``reply`` is what the
    citizen wrote.
    """

    seq: int
    at: datetime
    kind: str
    tone: str
    words: Words
    who: Words
    public: str | None = None
    question: str | None = None
    note: str | None = None
    reason: str | None = None
    reply: str | None = None
    photos: tuple[str, ...] = ()


def department_words(slug: str | None) -> Words:
    """
    What a department is called; the slug itself if the catalogue does not know it.
    """
    known = catalogue().departments.get(slug or "")
    return Words(known.tr, known.en) if known else Words(slug or "–", slug or "–")


def service_words(code: str | None) -> Words:
    """
    What a service is called; the code itself if the catalogue does not know it.
    """
    known = catalogue().services.get(code or "")
    return Words(known.tr, known.en) if known else Words(code or "–", code or "–")


def steps(document: Document, names: Names, departments: frozenset[str] | None) -> list[Step]:
    """
    All steps, the oldest first. Notes, reasons and replies are those that were written for ``departments`` (None: all).
    """
    entries = sorted(document["history"].values(), key=lambda entry: int(entry["seq"]))
    inner = document.get("inner") or {}
    before: Mapping[str, Any] = {}
    found = []
    for entry in entries:
        own = inner.get(str(entry["seq"])) or {}
        if departments is not None and own.get("department") not in departments:
            own = {}
        found.append(_step(entry, before, own, names))
        before = entry
    return found


def since(all_steps: list[Step], seq: int) -> list[Step]:
    """
    What happened after somebody looked (``seq`` was the last step then); that something was refused is no news.
    """
    return [step for step in all_steps if step.seq > seq and step.kind != "UpdateRefused"]


def _step(entry: Mapping[str, Any], before: Mapping[str, Any], own: Mapping[str, Any], names: Names) -> Step:
    tone, words = _words(entry, before)
    said_before = before.get("public_text") if before.get("status") == entry.get("status") else None
    asked_before = before.get("question")
    public, question = entry.get("public_text"), entry.get("question")
    return Step(
        seq=int(entry["seq"]),
        at=entry["at"],
        kind=entry["type"],
        tone=tone,
        words=words,
        who=_who(entry, before, own, names),
        public=public if public != said_before else None,
        question=question if question != asked_before else None,
        note=own.get("note"),
        reason=own.get("reason"),
        reply=own.get("reply"),
        photos=tuple(entry.get("photos") or ()),
    )


def _who(entry: Mapping[str, Any], before: Mapping[str, Any], own: Mapping[str, Any], names: Names) -> Words:
    """
    Who did it: a person by name, else what decided, else the department's own system.
    """
    by = entry.get("by") or own.get("by")
    if by:
        name = names.get(by)
        return Words(name, name) if name else Words("Bir görevli", "A member of staff")
    if entry["type"] == "RequestAssigned" and not entry.get("action"):
        return _DECIDED.get(entry.get("decided_by"), _SYSTEM)
    if own.get("reply") or entry["type"] == "ReplyReceived":
        return Words("Vatandaş", "The citizen")
    return department_words(before.get("department")) if entry.get("action") else _SYSTEM


_SYSTEM: Final = Words("Sistem", "The system")
_DECIDED: Final[Mapping[str | None, Words]] = {
    DecidedBy.EXPLICIT.value: Words("Bildirenin seçimi", "As the sender chose"),
    DecidedBy.RULE.value: Words("Kural", "A rule"),
    DecidedBy.MODEL.value: Words("Sınıflandırıcı", "The classifier"),
    DecidedBy.PERSON.value: Words("Bir görevli", "A member of staff"),
}


def _words(entry: Mapping[str, Any], before: Mapping[str, Any]) -> tuple[str, Words]:
    match entry["type"]:
        case "RequestRegistered":
            return "info", Words("Başvuru kaydedildi", "The request was registered")
        case "RequestAssigned":
            return "info", _assigned(entry, before)
        case "RequestReopened":
            return "warn", Words("Yeniden açıldı", "Opened again")
        case "RequestEscalated":
            return "bad" if entry.get("overdue") else "warn", _escalated(entry)
        case "DuplicateReceived":
            return "info", Words("Aynı numarayla başka bir metin geldi; ilki geçerli", "Another text came in under it")
        case "UpdateRefused":
            return "warn", Words("Bir istek uygulanmadı", "A wish was not carried out")
        case "NoteAdded":
            return "info", Words("İç not yazıldı", "An internal note was written")
        case "ReplyReceived":
            return "info", Words("Vatandaş yazdı", "The citizen wrote")
        case "CitizenReminded":
            return "info", Words("Vatandaşa soru hatırlatıldı", "The citizen was reminded of the question")
        case "LegalExtended":
            return "warn", Words("Yasal süre uzatıldı", "The legal term was extended")
        case "FollowerAdded":
            return "info", Words("Aynı konuda bir başvuru daha bağlandı", "Another request was tied to this one")
        case "MasterProgressed":
            return "info", Words("Bağlı olduğu başvuru ilerledi", "The request it follows moved on")
        case _:
            return _moved(entry, before)


def _assigned(entry: Mapping[str, Any], before: Mapping[str, Any]) -> Words:
    to, service = department_words(entry.get("department")), service_words(entry.get("service_code"))
    if entry.get("status") == Status.TRIAGE:
        back = before.get("department") not in (None, TRIAGE_DEPARTMENT)
        return Words("Triyaja geri döndü", "Came back to triage") if back else Words("Triyaja düştü", "Went to triage")
    if before.get("department") in (None, entry.get("department")):
        return Words(f"{to.tr} birimine verildi: {service.tr}", f"Given to {to.en}: {service.en}")
    origin = department_words(before.get("department"))
    return Words(f"{origin.tr} → {to.tr}: {service.tr}", f"{origin.en} → {to.en}: {service.en}")


def _escalated(entry: Mapping[str, Any]) -> Words:
    clock, level = CLOCKS[Clock(entry["clock"])], LEVELS[Level(entry["level"])]
    if entry.get("overdue"):
        return Words(f"{clock.tr} doldu; haber verildi: {level.tr}", f"{clock.en} is over; told: {level.en}")
    return Words(f"{clock.tr} azalıyor; haber verildi: {level.tr}", f"{clock.en} runs out; told: {level.en}")


def _moved(entry: Mapping[str, Any], before: Mapping[str, Any]) -> tuple[str, Words]:
    status = Status(entry["status"])
    words = STATUSES[status]
    if status in CLOSED:
        outcome = entry.get("outcome")
        how = OUTCOMES[Outcome(outcome)] if outcome else words
        if status is Status.DUPLICATE and entry.get("master_id"):
            number = grouped(entry["master_id"])
            how = Words(f"{how.tr}: {number}", f"{how.en}: {number}")
        return "ok" if status is Status.RESOLVED else "warn", Words(f"Kapandı: {how.tr}", f"Closed: {how.en}")
    if entry.get("parts", 0) > before.get("parts", 0):
        count = entry["parts"]
        return "info", Words(f"{count} parçaya bölündü", f"Split into {count} parts")
    other = entry.get("referred_to")
    if status is Status.WAITING_EXTERNAL and other:
        return "info", Words(f"{words.tr}: {other['body']}", f"{words.en}: {other['body']}")
    if entry["status"] == before.get("status") and entry.get("service_code") != before.get("service_code"):
        service = service_words(entry.get("service_code"))
        return "info", Words(f"Hizmet düzeltildi: {service.tr}", f"The service was corrected: {service.en}")
    return "info", words


def passed_on(trail: Sequence[Mapping[str, Any]], names: Names) -> list[tuple[Mapping[str, Any], Words, Words]]:
    """
    How a request went from department to department: each stop, what it is called, and who sent it there and how.
    """
    found = []
    for number, stop in enumerate(trail):
        by = names.get(stop.get("by") or "")
        before = department_words(trail[number - 1]["department"]) if number else None
        sender = Words(by, by) if by else before if stop.get("action") and before else _DECIDED.get(stop["decided_by"])
        how = _SENT.get(stop.get("action"))
        who = sender or _SYSTEM
        words = Words(f"{how.tr}: {who.tr}", f"{how.en}: {who.en}") if how else who
        found.append((stop, department_words(stop["department"]), words))
    return found


_SENT: Final[Mapping[str | None, Words]] = {
    Action.REJECT.value: Words("Reddetti", "Rejected by"),
    Action.TRANSFER.value: Words("Devretti", "Transferred by"),
    Action.SPLIT.value: Words("Böldü", "Split by"),
}
