"""
What would be told: a question goes in, the messages come out. Nothing is sent and nothing is kept. Pure.

There are no rules here: the same functions that work for real are run to their end, with providers that take every
message at once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from services.common.contracts.envelope import Metadata
from services.common.contracts.events import Lifecycle, MessageWanted
from services.common.contracts.ids import derived_id
from services.common.contracts.vocabulary import Language, NotifyVia
from services.notify import gathering, planning, sending
from services.notify.domain import CONVERSATION, OPEN, PARTNER, Contact, Person, Reason, Row, Rules, State, Telling
from services.notify.plan_question import CONTACT, Question, contact_of, earlier_events, event_of, person_of
from services.notify.samples import OTHERS
from services.notify.staff import Staff
from services.notify.templates import template_for
from services.notify.times import ISTANBUL

_TURNS: Final = 2_000  # far more than any message needs; a plan that needs them all is a fault of ours


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
    """
    How far it has come, and what that depends on.
    """

    telling: Telling
    person: Person
    now: datetime
    contact: Contact | None
    partners: frozenset[str]
    rules: Rules
    staff: Staff
    others: int


def foresee(question: Question, rules: Rules, staff: Staff) -> tuple[Foreseen, ...]:
    """
    What is told because of the event and what still waits, in the order in which it ends. Raises ``NotAsked``.
    """
    earlier, event, now = earlier_events(question), event_of(question), question.now
    name = f"{CONVERSATION}{event.wanted_id}" if isinstance(event, MessageWanted) else event.request_id
    starts = min((now, *(one.occurred_at for one in earlier)))
    contact = contact_of(question)
    course = _Course(
        Telling(name), person_of(question), starts, contact, question.partners, rules, staff, question.history.others
    )
    for one in earlier:
        course = _absorb(_run(course, one.occurred_at), one)
    course = _run(course, now)
    ended = {row.identity for row in course.telling.rows if row.state not in OPEN}
    course = _run(_absorb(replace(course, now=now), event))
    found = [_foreseen(course, row) for row in course.telling.rows if row.identity not in ended]
    return tuple(sorted(found, key=lambda one: (one.at or now, one.row.seq, one.row.recipient)))


def _foreseen(course: _Course, row: Row) -> Foreseen:
    free = (
        row.channel is NotifyVia.WHATSAPP
        and row.sent_at is not None
        and course.person.window_open(row.sent_at, course.rules)
    )
    language = course.contact.language if course.contact and row.for_citizen else Language.TR
    return Foreseen(course.telling.request_id, row, row.sent_at, free, language)


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


def _absorb(course: _Course, event: Lifecycle | MessageWanted) -> _Course:
    meta = Metadata(derived_id("plan", event.model_dump_json()), "/plan", course.now, event.key, "plan", "plan")
    if isinstance(event, MessageWanted):
        telling = planning.absorb_wanted(course.telling, meta, event, course.contact, course.now, course.rules)
        return replace(course, telling=telling)
    now = max(course.now, event.occurred_at)
    telling = planning.absorb(course.telling, meta, event, course.contact, now, course.rules, course.partners)
    return replace(course, telling=telling, now=now)


def _run(course: _Course, end: datetime | None = None) -> _Course:
    """
    Let time go on until nothing is left to do, or until ``end``.
    """
    for turn in range(_TURNS):
        at = course.telling.next_at
        if at is None or (end is not None and at > end):
            return course
        course = _send(replace(course, now=max(course.now, at)), str(turn))
    raise RuntimeError("a message does not end")


def _send(course: _Course, claim: str) -> _Course:
    """
    Send one message that is due, or end what cannot be sent.
    """
    now, rules = course.now, course.rules
    contacts = _reached(course, (row.recipient for row in course.telling.rows))
    telling, others = _gathered(course, contacts)
    telling = sending.take(telling, contacts, claim, now, rules, {CONTACT: course.person})
    telling = gathering.keep(telling, claim, others)
    row = telling.in_hand(claim)
    if row is None:
        return replace(course, telling=telling)
    person, told = course.person, sending.told_of(telling, row, now)
    if told is not None:
        person = replace(person, told=(*person.told, told))
    return replace(course, telling=sending.settle(telling, claim, sending.Handed(None), now, rules), person=person)


def _gathered(course: _Course, contacts: Mapping[str, Contact]) -> tuple[Telling, dict[str, Telling]]:
    """
    What waited for this morning, with what waited for it too: the same news of other requests, a little later.
    """
    telling, now = course.telling, course.now
    found = gathering.waiting(telling, now)[-1:]
    names = [name for name in OTHERS if name != telling.request_id][: course.others]
    tellings = {name: Telling(name, (replace(row, at=now),)) for row in found for name in names}
    plan = gathering.plan([telling, *tellings.values()], contacts, now)
    if telling.request_id in plan:
        telling = gathering.carry(telling, plan, now)
    by = gathering.carriers([telling])
    return telling, {name: gathering.promise(one, by, now) for name, one in tellings.items()}


def _reached(course: _Course, recipients: Iterable[str]) -> dict[str, Contact]:
    found: dict[str, Contact] = {}
    for recipient in recipients:
        if recipient.startswith(PARTNER):
            found[recipient] = Contact(recipient, course.now, notify_via=NotifyVia.WEBHOOK)
        elif recipient == CONTACT and course.contact is not None:
            found[recipient] = course.contact
        elif (person := course.staff.contact(recipient)) is not None:
            found[recipient] = person
    return found
