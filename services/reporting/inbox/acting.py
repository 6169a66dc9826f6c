"""
What can be done with a request now, and what a filled form asks of intake. Pure.

The last word is routing's; here is only what a page offers, so that nobody fills in a form for nothing.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.common.contracts.actions import BY_THE_DESK, FOR_A_CLOSED_REQUEST, NOT_FOR_A_PART, SHAPES
from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import IllFormedId, parse_request_id
from services.common.contracts.roles import DESK
from services.common.contracts.vocabulary import ANSWERS, CLOSED, Action, Outcome, Status
from services.common.ui.words import Words
from services.reporting.projections import ISTANBUL, Document

MOST_PARTS: Final = 10
NOT_TAKEN_UP: Final = frozenset({Status.TRIAGE, Status.ASSIGNED, Status.REOPENED})
WITH_OPEN_PARTS: Final = frozenset({Action.CANCEL, Action.SPLIT, Action.TRANSFER, Action.EXTEND, Action.NOTE})
IN_BULK: Final = (Action.ACCEPT, Action.SCHEDULE, Action.TRANSFER, Action.RESOLVE)
"""What may be done to many requests at once, with the same words for all."""
ORDER: Final = (
    Action.ACCEPT, Action.START, Action.RESOLVE, Action.SCHEDULE, Action.ASK, Action.REJECT, Action.TRANSFER,
    Action.WAIT, Action.REFER, Action.SPLIT, Action.DUPLICATE, Action.EXTEND, Action.CANCEL, Action.REOPEN, Action.NOTE,
)  # fmt: skip
"""As they stand on the page: what is wanted most comes first."""

Form = Mapping[str, Sequence[str]]


def offered(document: Document, acts_for: Set[str], now: datetime) -> tuple[Action, ...]:
    """
    The actions that somebody who acts for these departments is offered, in the order of the page; none for others.
    """
    holder = document["department"] in acts_for
    if not holder and DESK not in acts_for:
        return ()
    wanted = (action for action in ORDER if holder or action in BY_THE_DESK)
    return tuple(action for action in wanted if _fits(action, document, now))


def _fits(action: Action, document: Document, now: datetime) -> bool:
    status = Status(document["status"])
    if status in CLOSED:
        return action in FOR_A_CLOSED_REQUEST
    is_part = document["parent_id"] is not None
    if is_part and action in NOT_FOR_A_PART:
        return False
    if document["parts"] and action not in WITH_OPEN_PARTS:
        return False
    match action:
        case Action.REOPEN:
            return False
        case Action.ACCEPT:
            return status in NOT_TAKEN_UP
        case Action.START:
            return status is not Status.IN_PROGRESS
        case Action.REJECT:
            return bool(document["department"] != DESK)
        case Action.EXTEND:
            legal = document["legal"]
            return bool(legal and legal["basis"] == "4982" and not legal["extended"] and now <= legal["due_at"])
        case _:
            return True


@dataclass(frozen=True, slots=True)
class Wrong:
    """
    A field of a form and what would be right there.
    """

    field: str
    words: Words


class FormRefused(Exception):
    """
    The form cannot be sent on as it is.
    """

    def __init__(self, *wrong: Wrong) -> None:
        super().__init__(", ".join(one.field for one in wrong))
        self.wrong = wrong


_MISSING: Final[dict[tuple[str, ...], Words]] = {
    ("note_internal", "note_public"): Words("Nedenini yazın.", "Say why."),
    ("to",): Words("Hangi birime? Listeden seçin.", "To which department? Choose from the list."),
    ("planned_for",): Words("Gün ve saat seçin.", "Choose the day and the time."),
    ("question",): Words("Vatandaşa ne sorulacak?", "What is the citizen to be asked?"),
    ("referred_to",): Words("Kurumun adını yazın.", "Name the other body."),
    ("note_public",): Words("Vatandaşın okuyacağı metni yazın.", "Write what the citizen will read."),
    ("parts",): Words("En az iki parça gerekir.", "It takes two parts or more."),
    ("outcome",): Words("Sonucu seçin.", "Choose the outcome."),
    ("master",): Words("Asıl başvurunun numarasını yazın.", "Give the number of the request that it repeats."),
    ("note_internal",): Words("Notu yazın.", "Write the note."),
}


def body_of(action: Action, form: Form, department: str, now: datetime) -> dict[str, Any]:
    """
    The body of ``POST /v1/requests/{id}/updates`` that a form asks for. Fields of other actions are not read.

    Raises ``FormRefused`` with every field that is missing or cannot be read.
    """
    wrong: list[Wrong] = []
    found: dict[str, Any] = {}
    shape = SHAPES[action]
    for name in sorted(shape.takes):
        try:
            value = _READ.get(name, _text)(name, form)
        except FormRefused as refused:
            wrong += refused.wrong
            continue
        if value:
            found[name] = value
    if "planned_for" in found and datetime.fromisoformat(found["planned_for"]) <= now:
        wrong.append(Wrong("planned_for", Words("Gelecekte bir zaman seçin.", "Choose a time in the future.")))
    faulty = {one.field for one in wrong}
    wrong += [
        Wrong("body" if need == ("referred_to",) else need[0], _MISSING[need])
        for need in shape.needs
        if not any(name in found or name in faulty for name in need)
    ]
    seen = _text("expected_seq", form)
    if seen and action is not Action.NOTE:  # a note stands beside whatever happened
        if not seen.isdecimal() or int(seen) < 1:
            wrong.append(Wrong("expected_seq", Words("Sayfayı yenileyin.", "Load the page anew.")))
        else:
            found["expected_seq"] = int(seen)
    if wrong:
        raise FormRefused(*wrong)
    return {"action": str(action), "department": department, **found}


def _text(name: str, form: Form) -> str:
    return next(iter(form.get(name, ())), "").replace("\r\n", "\n").strip()


def _among(known: Set[str] | Mapping[str, object], words: Words) -> Any:
    def read(name: str, form: Form) -> str:
        text = _text(name, form)
        if text and text not in known:
            raise FormRefused(Wrong(name, words))
        return text

    return read


def _moment(name: str, form: Form) -> str:
    """
    A field ``datetime-local`` has no zone: it is the city's wall clock.
    """
    text = _text(name, form)
    try:
        at = datetime.fromisoformat(text) if text else None
    except ValueError:
        raise FormRefused(
            Wrong(name, Words("Gün ve saat: 03.06.2026 09.00.", "Day and time, as 2026-06-03 09:00."))
        ) from None
    return (at if at.tzinfo else at.replace(tzinfo=ISTANBUL)).isoformat() if at else ""


def _body(_: str, form: Form) -> dict[str, str]:
    body = _text("body", form)
    more = {"on": _text("body_on", form), "reference": _text("body_reference", form)}
    return {"body": body, **{name: text for name, text in more.items() if text}} if body else {}


def _parts(_: str, form: Form) -> list[dict[str, str]]:
    columns = [[text.strip() for text in form.get(f"part_{name}", ())] for name in ("to", "service", "note")]
    length = max(map(len, columns))
    rows = zip(*(column + [""] * (length - len(column)) for column in columns), strict=True)
    found, wrong = [], []
    for number, (to, service, note) in enumerate(rows, start=1):
        if not (to or service or note):
            continue
        if not (to or service):
            wrong.append(
                Wrong(
                    "parts", Words(f"{number}. parça: birim ya da hizmet seçin.", f"Part {number}: choose who does it.")
                )
            )
        part = {"to": to, "service_code": service, "note": note}
        found.append({name: text for name, text in part.items() if text})
    if wrong:
        raise FormRefused(*wrong)
    if len(found) == 1 or len(found) > MOST_PARTS:
        raise FormRefused(Wrong("parts", Words(f"2 ile {MOST_PARTS} parça arası.", f"2 to {MOST_PARTS} parts.")))
    return found


def _number(name: str, form: Form) -> str:
    text = _text(name, form)
    try:
        return parse_request_id(text) if text else ""
    except IllFormedId:
        raise FormRefused(
            Wrong(name, Words("Başvuru numarası böyle değil: 7XK2-9MQ4-T3BD-M.", "No request number."))
        ) from None


def _photos(name: str, form: Form) -> list[str]:
    return list(dict.fromkeys(text for text in form.get(name, ()) if text))


_READ: Final[Mapping[str, Any]] = {
    "to": _among(catalogue().departments, Words("Böyle bir birim yok; listeden seçin.", "Choose from the list.")),
    "service_code": _among(
        catalogue().services, Words("Böyle bir hizmet yok; listeden seçin.", "Choose from the list.")
    ),
    "outcome": _among({str(one) for one in ANSWERS}, Words("Listeden seçin.", "Choose from the list.")),
    "planned_for": _moment,
    "referred_to": _body,
    "parts": _parts,
    "master": _number,
    "photos": _photos,
}

OUTCOMES: Final = tuple(outcome for outcome in Outcome if outcome in ANSWERS)
