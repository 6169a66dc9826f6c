"""
A request's life in words for its citizen: what happened, what happens next, by when. Pure.

``of_public`` is what everybody may see; ``of_own`` is for who has shown that the request is theirs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from services.common.contracts.vocabulary import CLOSED, STATUS_LABELS, TRIAGE_SERVICE, Status
from services.common.ui.words import Words
from services.intake.desk.receipt import department_words, service_words
from services.intake.open311.reading import PublicView

REOPENS_WITHIN: Final = timedelta(days=14)
"""As routing's policy has it (``reopening_days``); routing has the last word."""
_TOLD: Final = ("RequestRegistered", "RequestAssigned", "StatusChanged", "RequestReopened")
_NEXT: Final = {
    Status.RECEIVED: Words("İlgili birime iletiliyor.", "It is on its way to the department in charge."),
    Status.TRIAGE: Words(
        "Hangi birimin ilgileneceğini belirliyoruz.", "We are finding out which department is in charge."
    ),
    Status.ASSIGNED: Words("İlgili birime iletildi; birim inceleyip üstlenecek.", "The department looks at it next."),
    Status.ACCEPTED: Words(
        "Birim üstlendi; sırada işin yapılması var.", "The department took it on; the work is next."
    ),
    Status.IN_PROGRESS: Words("Ekip üzerinde çalışıyor.", "The crew is working on it."),
    Status.SCHEDULED: Words("Planlandı; verilen günde yapılacak.", "It is planned for the day given."),
    Status.WAITING_CITIZEN: Words("Sizden bir yanıt bekleniyor.", "We are waiting for an answer of yours."),
    Status.WAITING_EXTERNAL: Words("Başka bir kurumun yanıtı bekleniyor.", "We are waiting for another body."),
    Status.REOPENED: Words("Yeniden açıldı; birim yeniden bakacak.", "It is open again; the department looks anew."),
    Status.RESOLVED: Words("Sonuçlandı; yapılacak başka bir şey yok.", "It is settled; nothing more is to be done."),
    Status.REFERRED: Words("Görevli kuruma iletildi.", "It was passed on to the body in charge."),
    Status.REJECTED: Words("Yapılamadı; nedeni aşağıda.", "It could not be done; the reason is below."),
    Status.DUPLICATE: Words(
        "Aynı konudaki başvuruyla birlikte izleniyor.", "It is followed with another about the same."
    ),
    Status.CANCELLED: Words("Geri çekildi.", "It was withdrawn."),
}


@dataclass(frozen=True, slots=True)
class Step:
    """
    One thing that happened. ``text`` is what the department told everybody.
    """

    at: datetime
    status: Status
    title: Words
    text: str | None


@dataclass(frozen=True, slots=True)
class Tracked:
    """
    What the page shows. ``closing_seq``: the lifecycle's seq of the last ending, None while it is open. ``text`` and
    ``question`` are there for the citizen alone.
    """

    request_id: str
    status: Status
    service: Words | None
    service_code: str | None
    department: Words | None
    neighbourhood: str | None
    received_at: datetime | None
    due_at: datetime | None
    paused: bool
    planned_for: datetime | None
    closed_at: datetime | None
    closing_seq: int | None
    outcome_text: str | None
    steps: tuple[Step, ...]
    text: str | None = None
    question: str | None = None
    emergency: bool = False

    @property
    def closed(self) -> bool:
        """
        Whether it has ended.
        """
        return self.status in CLOSED

    @property
    def next(self) -> Words:
        """
        What happens now.
        """
        return _NEXT[self.status]

    def reopens(self, now: datetime) -> bool:
        """
        Whether its citizen may still say that it has not ended.
        """
        return self.closed_at is not None and now < self.closed_at + REOPENS_WITHIN


def just_received(request_id: str) -> Tracked:
    """
    A request that nobody but intake knows yet.
    """
    return Tracked(
        request_id=request_id,
        status=Status.RECEIVED,
        service=None,
        service_code=None,
        department=None,
        neighbourhood=None,
        received_at=None,
        due_at=None,
        paused=False,
        planned_for=None,
        closed_at=None,
        closing_seq=None,
        outcome_text=None,
        steps=(),
    )


def of_public(view: PublicView) -> Tracked:
    """
    What reporting gives everybody.
    """
    rows = [(step.seq, step.at, step.status, step.public_text) for step in view.steps]
    return Tracked(
        request_id=view.request_id,
        status=view.status,
        service=service_words(view.service_code),
        service_code=view.service_code,
        department=department_words(view.department) if view.department else None,
        neighbourhood=view.neighbourhood,
        received_at=view.received_at,
        due_at=view.due_at,
        paused=view.status is Status.WAITING_CITIZEN,
        planned_for=view.planned_for,
        closed_at=view.closed_at,
        closing_seq=closing_seq([(seq, status) for seq, _, status, _ in rows]),
        outcome_text=view.public_text if view.status in CLOSED else None,
        steps=_steps(rows),
    )


def of_own(detail: Mapping[str, Any]) -> Tracked:
    """
    What reporting gives intake of a request whose citizen is there: its document, as ``GET /v1/requests/{id}`` has it.
    """
    status = Status(detail["status"])
    history = detail["history"]
    rows = [
        (row["seq"], datetime.fromisoformat(row["at"]), Status(row["status"]), row.get("public_text"))
        for row in history
        if row["type"] in _TOLD
    ]
    code = detail["service_code"]
    return Tracked(
        request_id=detail["request_id"],
        status=status,
        service=service_words(code) if code and code != TRIAGE_SERVICE else None,
        service_code=code,
        department=department_words(detail["department"]) if detail["department"] else None,
        neighbourhood=detail["neighbourhood"],
        received_at=datetime.fromisoformat(detail["received_at"]),
        due_at=_moment(detail["due"]["resolve_by"]),
        paused=detail["paused"],
        planned_for=_moment(detail["planned_for"]),
        closed_at=_moment(detail["closed_at"]) if status in CLOSED else None,
        closing_seq=closing_seq([(row["seq"], Status(row["status"])) for row in history]),
        outcome_text=detail["public_text"] if status in CLOSED else None,
        steps=_steps(rows),
        text=detail["text"],
        question=detail["question"],
        emergency=detail["emergency"],
    )


def closing_seq(steps: Sequence[tuple[int, Status]]) -> int | None:
    """
    The seq of the step that ended it last; None while it is open.
    """
    found = None
    for seq, status in reversed(steps):
        if status not in CLOSED:
            break
        found = seq
    return found


def _steps(rows: Sequence[tuple[int, datetime, Status, str | None]]) -> tuple[Step, ...]:
    """
    The newest first. Two assignments in a row are two steps: the request moved on to another department.
    """
    return tuple(Step(at, status, label(status), text) for _, at, status, text in rows)[::-1]


def label(status: Status) -> Words:
    """
    The state as citizens read it.
    """
    known = STATUS_LABELS[status]
    return Words(known.tr, known.en)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
