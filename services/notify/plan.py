"""
What would be told: an event, its contact, what was before and the hour go in, the messages come out. Nothing is sent
and nothing is kept. Pure.

There are no rules here: the same functions that work for real are run to their end, with providers that take every
message at once.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from services.common.contracts.envelope import Metadata
from services.common.contracts.events import Lifecycle, MessageWanted, Moment
from services.common.contracts.ids import CONTACT_NONE, derived_id
from services.common.contracts.topics import LIFECYCLE, MESSAGES_OUT
from services.common.contracts.vocabulary import Channel, Language, NotifyVia
from services.notify import planning, sending
from services.notify.domain import (
    CONVERSATION,
    PARTNER,
    Contact,
    Person,
    Reason,
    Row,
    Rules,
    State,
    Telling,
    Told,
)
from services.notify.staff import Staff
from services.notify.templates import template_for
from services.notify.times import ISTANBUL

REQUEST: Final = "7XK29MQ4T3BDM"  # unless the event names another
CONTACT: Final = f"c_{derived_id('plan', 'contact')}"
PERSON: Final = derived_id("plan", "person")
TYPES: Final[Mapping[str, type[Lifecycle] | type[MessageWanted]]] = {
    kind.__name__: kind
    for kind in (*LIFECYCLE.types, *MESSAGES_OUT.types)
    if issubclass(kind, Lifecycle | MessageWanted)
}
_TURNS: Final = 2_000  # far more than any message needs; a plan that needs them all is a fault of ours


class NotAsked(ValueError):
    """
    The question cannot be answered: which fields are wrong, and what would be right there.
    """

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{field}: {message}" for field, message in errors))
        self.errors = errors


def _whole(given: dict[str, Any]) -> dict[str, Any]:
    """
    The event, if all its text can be written. Raises ``ValueError``.
    """
    try:
        json.dumps(given, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        raise ValueError("has half a character (a lone surrogate) in it") from None
    return given


GivenEvent = Annotated[dict[str, Any], AfterValidator(_whole)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class GivenContact(_Model):
    """
    How the citizen can be reached. ``erased``: the data was erased, nothing else counts. ``late``: it has not come yet.
    """

    phone: Annotated[str, StringConstraints(max_length=40)] | None = Field(default=None, description="E.164")
    email: Annotated[str, StringConstraints(max_length=320)] | None = None
    whatsapp_id: Annotated[str, StringConstraints(max_length=200)] | None = None
    language: Language = Language.TR
    notify_via: NotifyVia | None = None
    erased: bool = False
    late: bool = False


class History(_Model):
    """
    What was before: earlier events of the request (each with its ``occurred_at``), how many messages the person had
    today, when they last wrote on WhatsApp, whether they wrote STOP, and when they were last asked for stars.
    """

    events: tuple[GivenEvent, ...] = Field(default=(), max_length=20)
    told_today: int = Field(default=0, ge=0, le=100)
    last_in_at: Moment | None = None
    stopped: bool = False
    surveyed_at: Moment | None = None


class Question(_Model):
    """
    ``event``: its ``type`` (``RequestAssigned``, ``StatusChanged``, ``MessageWanted`` …) and its fields as on the wire;
    what is left out is made up. Without a ``contact`` the citizen left none.
    """

    event: GivenEvent
    contact: GivenContact | None = None
    history: History = History()
    now: Moment
    partners: frozenset[str] = Field(
        default=frozenset(), max_length=20, description="adapters whose systems are told by webhook"
    )


@dataclass(frozen=True, slots=True)
class Foreseen:
    """
    What becomes of one message: the row as it ended, and when it goes out if it does. ``free``: in our own words.
    """

    request_id: str
    row: Row
    at: datetime | None
    free: bool
    language: Language


@dataclass(frozen=True, slots=True)
class _Course:
    telling: Telling
    person: Person
    now: datetime


def foresee(question: Question, rules: Rules, staff: Staff) -> tuple[Foreseen, ...]:
    """
    What is told because of the event and what still waits, in the order in which it ends. Raises ``NotAsked``.
    """
    earlier = [
        _event(given, number, question, f"history.events.{number}")
        for number, given in enumerate(question.history.events)
    ]
    event = _event(question.event, len(earlier), question, "event")
    contact = _contact(question)
    name = f"{CONVERSATION}{event.wanted_id}" if isinstance(event, MessageWanted) else event.request_id
    starts = min((one.occurred_at for one in earlier if isinstance(one, Lifecycle)), default=question.now)
    course = _Course(Telling(name), _person(question), min(starts, question.now))
    for one in earlier:
        if isinstance(one, Lifecycle):
            course = _absorb(_run(course, contact, rules, staff, one.occurred_at), one, contact, question, rules)
    course = _run(course, contact, rules, staff, question.now)
    before = {row.identity for row in course.telling.rows if not _open(row)}
    course = _run(_absorb(replace(course, now=question.now), event, contact, question, rules), contact, rules, staff)
    language = contact.language if contact else Language.TR
    found = [
        Foreseen(
            name,
            row,
            row.sent_at,
            row.channel is NotifyVia.WHATSAPP
            and row.sent_at is not None
            and course.person.window_open(row.sent_at, rules),
            language if row.for_citizen else Language.TR,
        )
        for row in course.telling.rows
        if row.identity not in before
    ]
    return tuple(sorted(found, key=lambda one: (one.at or question.now, one.row.seq, one.row.recipient)))


def line(one: Foreseen, now: datetime) -> str:
    """
    What becomes of a message in a line: ``12:00:30 citizen sms received``, ``+1 08:00 citizen whatsapp/free asked``
    (``+1``: the next day, in Istanbul), ``citizen assigned: merged into received``.
    """
    row = one.row
    who = row.recipient.rpartition(":")[2] if row.for_staff else "partner" if row.for_partner else "citizen"
    if one.at is None:
        into = f" {'into' if row.reason == Reason.MERGED else 'by'} {row.superseded_by}" if row.superseded_by else ""
        failed = "failed, " if row.state is State.FAILED else ""
        return f"{who} {row.kind}: {failed}{row.reason}{into}"
    how = str(row.channel)
    if row.channel is NotifyVia.WHATSAPP:
        how = f"{how}/{'free' if one.free else 'template'}"
    stars = " +stars" if row.survey else ""
    english = " in English" if one.language is Language.EN else ""
    what = row.kind if row.for_partner else template_for(row)
    return f"{_clock(one.at, now)} {who} {how} {what}{stars}{english}"


def _clock(at: datetime, now: datetime) -> str:
    local = at.astimezone(ISTANBUL)
    days = (local.date() - now.astimezone(ISTANBUL).date()).days
    time = f"{local:%H:%M}" if local.second == 0 else f"{local:%H:%M:%S}"
    return f"+{days} {time}" if days else time


def _open(row: Row) -> bool:
    return row.state in (State.PARKED, State.WAITING, State.SENDING)


def _event(given: Mapping[str, Any], number: int, question: Question, place: str) -> Lifecycle | MessageWanted:
    """
    The event that is meant, with what it leaves out made up.
    """
    kind = TYPES.get(str(given.get("type")))
    if kind is None:
        raise NotAsked([(f"{place}.type", f"must be one of {', '.join(TYPES)}")])
    if place != "event" and (not issubclass(kind, Lifecycle) or "occurred_at" not in given):
        raise NotAsked([(f"{place}.occurred_at", "must be there: what was before are events of the request's life")])
    contact_id = CONTACT_NONE if question.contact is None else CONTACT
    if issubclass(kind, Lifecycle):
        made_up: dict[str, Any] = {"request_id": REQUEST, "seq": number + 1, "occurred_at": question.now}
    else:
        made_up = {
            "wanted_id": derived_id("plan", "wanted"),
            "person": PERSON,
            "channel": Channel.WHATSAPP,
            "wanted_at": question.now,
            "until": question.now + timedelta(minutes=10),
        }
    fields = {name: value for name, value in given.items() if name != "type"}
    try:
        return kind.model_validate(made_up | fields | {"contact_id": contact_id})
    except ValidationError as error:
        raise NotAsked(_errors(place, error)) from None


def _errors(place: str, error: ValidationError) -> list[tuple[str, str]]:
    """
    The fields at fault, each once. Which of a field's alternatives did not fit is left out.
    """
    found: dict[str, str] = {}
    for row in error.errors(include_input=False):
        field = ".".join(str(part) for part in (place, *row["loc"]) if part != "constrained-str")
        found.setdefault(field, row["msg"].removeprefix("Value error, "))
    return list(found.items())


def _contact(question: Question) -> Contact | None:
    """
    The contact as it has arrived; None if it has not.
    """
    given = question.contact
    if given is None or given.late:
        return None
    if given.erased:
        return Contact(CONTACT, question.now, erased=True)
    return Contact(
        CONTACT,
        question.now,
        phone=given.phone,
        email=given.email,
        whatsapp_id=given.whatsapp_id,
        language=given.language,
        notify_via=given.notify_via,
    )


def _person(question: Question) -> Person:
    """
    Who stands behind the contact. What they were told today was told when the day began.
    """
    history, now = question.history, question.now
    today = now.astimezone(ISTANBUL).replace(hour=0, minute=0, second=0, microsecond=0)
    told = [Told(f"today-{number}", today) for number in range(history.told_today)]
    if history.surveyed_at is not None:
        told.append(Told("survey", history.surveyed_at, survey=True))
    return Person(history.last_in_at, history.stopped, tuple(told))


def _absorb(
    course: _Course, event: Lifecycle | MessageWanted, contact: Contact | None, question: Question, rules: Rules
) -> _Course:
    meta = Metadata(derived_id("plan", event.model_dump_json()), "/plan", course.now, event.key, "plan", "plan")
    now = max(course.now, event.occurred_at) if isinstance(event, Lifecycle) else course.now
    if isinstance(event, MessageWanted):
        telling = planning.absorb_wanted(course.telling, meta, event, contact, now, rules)
    else:
        telling = planning.absorb(course.telling, meta, event, contact, now, rules, question.partners)
    return replace(course, telling=telling, now=now)


def _run(course: _Course, contact: Contact | None, rules: Rules, staff: Staff, end: datetime | None = None) -> _Course:
    """
    Let time go on until nothing is left to do, or until ``end``.
    """
    for turn in range(_TURNS):
        at = course.telling.next_at
        if at is None or (end is not None and at > end):
            return course
        course = _send(replace(course, now=max(course.now, at)), contact, rules, staff, str(turn))
    raise RuntimeError("a message does not end")


def _send(course: _Course, contact: Contact | None, rules: Rules, staff: Staff, claim: str) -> _Course:
    telling, now = course.telling, course.now
    contacts = _reached((row.recipient for row in telling.rows), contact, staff, now)
    telling = sending.take(telling, contacts, claim, now, rules, {CONTACT: course.person})
    row = telling.in_hand(claim)
    if row is None:
        return replace(course, telling=telling)
    person, told = course.person, sending.told_of(telling, row, now)
    if told is not None:
        person = replace(person, told=(*person.told, told))
    return replace(course, telling=sending.settle(telling, claim, sending.Handed(None), now, rules), person=person)


def _reached(recipients: Iterable[str], contact: Contact | None, staff: Staff, now: datetime) -> dict[str, Contact]:
    found: dict[str, Contact] = {}
    for recipient in recipients:
        if recipient.startswith(PARTNER):
            found[recipient] = Contact(recipient, now, notify_via=NotifyVia.WEBHOOK)
        elif recipient == CONTACT and contact is not None:
            found[recipient] = contact
        elif (person := staff.contact(recipient)) is not None:
            found[recipient] = person
    return found
