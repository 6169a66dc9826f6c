"""
Decisions of intake, all pure: which number a request gets, which records it becomes, whether an update may pass.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Final
from zoneinfo import ZoneInfo

import orjson
from pydantic import BaseModel

from services.common.contracts import ids, topics
from services.common.contracts.actions import ANY_ACTION_MAY, BY_THE_DESK, FOR_A_CLOSED_REQUEST, NOT_FOR_A_PART, SHAPES
from services.common.contracts.envelope import Metadata, Record, encode
from services.common.contracts.events import (
    Answered,
    CitizenReplied,
    ContactChanged,
    FeedbackSubmitted,
    Legal,
    Location,
    PartAsked,
    Referral,
    Repeat,
    RequestReceived,
    UpdateSubmitted,
)
from services.common.contracts.vocabulary import ANSWERS, CLOSED, STATUS_LABELS, TRIAGE_DEPARTMENT, Action, Channel
from services.common.kit.auth import Caller
from services.intake.read_model import CaseState
from services.intake.schemas import Citizen, NewFeedback, NewReply, NewRequest, NewUpdate, Place, UpdateResult

SOURCE: Final = "/ilkim/intake"
AHEAD: Final = timedelta(minutes=5)  # clocks of adapters differ, but not by more
OLDEST: Final = datetime(
    2000, 1, 1, tzinfo=UTC
)  # imported archives; a year near 1 cannot even be shown in another zone
FRESH: Final = timedelta(seconds=5)
AT_REST: Final = timedelta(seconds=1)
ISTANBUL: Final = ZoneInfo("Europe/Istanbul")
_FIELDS: Final = tuple(name for name in NewUpdate.model_fields if name not in {"action", "department"} | ANY_ACTION_MAY)


class Refused(Exception):
    """
    The input cannot be taken; ``field`` is at fault.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class Forbidden(Exception):
    """
    The caller may not do this.
    """


class Conflict(Exception):
    """
    It does not fit what is already there.
    """


@dataclass(frozen=True, slots=True)
class Accepted:
    """
    An input with its id and the records to keep, in the order in which they must be acknowledged.

    ``keyed``: the id derives from the caller's own key, so that a repeat can be recognised by ``fingerprint``.
    """

    id: str
    fingerprint: str
    keyed: bool
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class CallOf:
    """
    The telephone call in which a request was typed, and the contact that the call made (None: the number is withheld).
    """

    call_id: str
    contact_id: str | None


def fingerprint(body: BaseModel, *ignored: str) -> str:
    """
    A hash of what a body means: the same for every spelling of it, without the ``ignored`` fields.
    """
    meaning = body.model_dump(mode="json", exclude=set(ignored), exclude_none=True, exclude_defaults=True)
    return sha256(orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS)).hexdigest()


def accept_request(
    body: NewRequest,
    *,
    adapter: str,
    idempotency_key: str | None,
    secret: bytes,
    now: datetime,
    call: CallOf | None = None,
) -> Accepted:
    """
    Turn a request into a number and its records: the contact first (if there is one), then the request.

    A request of a ``call`` carries the call's contact, completed by what is given with a number. What is given without
    one becomes a contact of its own: it must not take the call's number away.

    With a key of the caller's the same body gives the same ids and, apart from the times, the same bytes. Raises
    ``Refused`` for a time of receipt in the future or in another age.
    """
    if body.received_at is not None and body.received_at < OLDEST:
        raise Refused("received_at", f"must not be before {OLDEST.year}")
    if body.received_at is not None and body.received_at > now + AHEAD:
        raise Refused("received_at", "must not be in the future")
    key = body.external_id or idempotency_key
    request_id = ids.keyed_request_id(secret, adapter, body.channel, key) if key else ids.random_request_id()
    print_of_body = fingerprint(_settled(body), "received_at", "contact")
    event_id = ids.derived_id(request_id, print_of_body)
    repeat = body.repeat
    own = "c_" + ids.keyed_hash(secret, "contact", request_id, print_of_body)
    of_call = call.contact_id if call and body.contact is None else None
    with_number = body.citizen is not None and body.citizen.phone is not None
    contact = _contact(body.citizen, of_call if of_call and with_number else own, secret, now)
    received = RequestReceived(
        request_id=request_id,
        channel=body.channel,
        kind=body.kind,
        service_code=body.service_code,
        text=body.text,
        contact_id=contact.contact_id if contact else of_call or ids.CONTACT_NONE,
        location=_location(body.location),
        attachments=tuple(body.attachments or ()),
        attributes=body.attributes or {},
        adapter=adapter,
        external_id=body.external_id,
        entered_by=body.entered_by,
        received_at=body.received_at.astimezone(UTC) if body.received_at else now,
        legal=Legal(basis=body.legal.basis, record_no=body.legal.record_no) if body.legal else None,
        notice_version=body.notice_version,
        answered=Answered(text=body.answered.text) if body.answered else None,
        repeat=Repeat(every_days=repeat.every_days, until=repeat.until) if repeat else None,
    )
    records = [encode(topics.RECEIVED, metadata(event_id, request_id, event_id, now), received)]
    if contact:
        meta = metadata(ids.derived_id(event_id, "contact"), request_id, event_id, now)
        records.insert(0, encode(topics.CONTACTS, meta, contact))
    return Accepted(request_id, print_of_body, key is not None, tuple(records))


def check_repeat(body: NewRequest, now: datetime) -> None:
    """
    Refuse a need that is over already or comes again for too long. Raises ``Refused``.

    Apart from ``accept_request`` because it hangs on the clock: a repeat of what was accepted must not fail by it.
    """
    if body.repeat is None:
        return
    today = now.astimezone(ISTANBUL).date()
    if body.repeat.until < today:
        raise Refused("repeat.until", "must not be before today")
    if _beyond(body.repeat.until, today, years=1):
        raise Refused("repeat.until", "must be at most one year ahead")


def speaks_for(department: str | None, caller: Caller) -> str:
    """
    The department in whose name the caller acts: the one it names, or the only one it serves.

    Raises ``Refused`` if it must name one, ``Forbidden`` if it does not serve it.
    """
    if department is None:
        if "*" in caller.scopes or len(caller.departments) > 1:
            raise Refused("department", "is compulsory: this key serves several departments")
        if not caller.departments:
            raise Forbidden("This key serves no department.")
        return next(iter(caller.departments))
    if not caller.serves(department):
        raise Forbidden(f"This key does not serve the department {department}.")
    return department


def typed_by(named: str | None, caller: Caller) -> str | None:
    """
    Who typed what came in: whoever is signed in; a machine says it itself.

    Raises ``Refused`` if somebody is signed in and somebody else is named.
    """
    if caller.person is None:
        return named
    if named not in (None, caller.person.id):
        raise Refused("entered_by", "is you, who are signed in: leave it out")
    return caller.person.id


def accept_update(
    body: NewUpdate,
    *,
    request_id: str,
    department: str,
    adapter: str,
    idempotency_key: str | None,
    secret: bytes,
    now: datetime,
    by: str | None = None,
) -> Accepted:
    """
    Turn an update by ``department`` of a request or a part of one into its record. ``by``: who of the staff asks.

    Raises ``Refused`` naming the field that is missing or does not belong to the action.
    """
    _complete(body, request_id, department)
    update_id = _own_id(secret, "update", adapter, request_id, idempotency_key)
    stated = body.model_copy(update={"department": department})
    print_of_body = fingerprint(stated)
    event_id = ids.derived_id(update_id, print_of_body)
    submitted = UpdateSubmitted(
        request_id=request_id,
        update_id=update_id,
        action=body.action,
        department=department,
        submitted_at=now,
        adapter=adapter,
        by=by,
        note_public=body.note_public,
        note_internal=body.note_internal,
        outcome=body.outcome,
        to=body.to,
        service_code=body.service_code,
        planned_for=body.planned_for,
        question=body.question,
        referred_to=Referral(**body.referred_to.model_dump()) if body.referred_to else None,
        parts=tuple(PartAsked(**part.model_dump()) for part in body.parts or ()),
        master=body.master,
        photos=tuple(body.photos or ()),
        expected_seq=body.expected_seq,
    )
    record = encode(topics.UPDATES, metadata(event_id, request_id, event_id, now), submitted)
    return Accepted(update_id, print_of_body, idempotency_key is not None, (record,))


def check_plan(body: NewUpdate, now: datetime) -> None:
    """
    Refuse a plan for the past or for more than two years ahead. Raises ``Refused``.

    Apart from ``accept_update`` because it hangs on the clock: a repeat of what was accepted must not fail by it.
    """
    if body.planned_for is None:
        return
    if body.planned_for <= now:
        raise Refused("planned_for", "must be in the future")
    if _beyond(body.planned_for.astimezone(ISTANBUL).date(), now.astimezone(ISTANBUL).date(), years=2):
        raise Refused("planned_for", "must be at most two years ahead")


def accept_reply(
    body: NewReply, *, request_id: str, adapter: str, idempotency_key: str | None, secret: bytes, now: datetime
) -> Accepted:
    """
    Turn what a citizen wrote about a request or a part of one into its record.
    """
    key = body.external_id or idempotency_key
    reply_id = _own_id(secret, "reply", adapter, request_id, key)
    print_of_body = fingerprint(body)
    event_id = ids.derived_id(reply_id, print_of_body)
    replied = CitizenReplied(
        request_id=request_id,
        reply_id=reply_id,
        text=body.text,
        channel=body.channel,
        received_at=now,
        adapter=adapter,
        entered_by=body.entered_by,
    )
    record = encode(topics.UPDATES, metadata(event_id, request_id, event_id, now), replied)
    return Accepted(reply_id, print_of_body, key is not None, (record,))


def accept_feedback(
    body: NewFeedback, *, request_id: str, adapter: str, channel: Channel, secret: bytes, now: datetime
) -> Accepted:
    """
    Turn what a citizen thinks of an ending into its record. For an ending there is one rating and one reopening.
    """
    kind = "reopen" if body.reopen else "rating"
    feedback_id = ids.keyed_hash(secret, "feedback", request_id, str(body.closing_seq), kind)
    print_of_body = fingerprint(body, "token")
    event_id = ids.derived_id(feedback_id, print_of_body)
    given = FeedbackSubmitted(
        request_id=request_id,
        feedback_id=feedback_id,
        closing_seq=body.closing_seq,
        rating=body.rating,
        comment=body.comment,
        reopen=body.reopen,
        channel=channel,
        submitted_at=now,
        adapter=adapter,
    )
    record = encode(topics.UPDATES, metadata(event_id, request_id, event_id, now), given)
    return Accepted(feedback_id, print_of_body, True, (record,))


def check_move(case: CaseState, action: Action, department: str) -> None:
    """
    Refuse what the read model already shows to be impossible; routing has the last word on the rest.

    Raises ``Conflict``.
    """
    closed = case.status in CLOSED
    if closed and action not in FOR_A_CLOSED_REQUEST:
        raise Conflict(f"The request is closed ({STATUS_LABELS[case.status].en}): it takes only reopen and note.")
    if action is Action.REOPEN and not closed:
        raise Conflict(f"The request is not closed ({STATUS_LABELS[case.status].en}).")
    if department == TRIAGE_DEPARTMENT and action in BY_THE_DESK:
        return
    if case.department is not None and case.department != department:
        raise Conflict(f"The department {department} does not hold the request.")


def may_see(result: UpdateResult, caller: Caller) -> bool:
    """
    Whether the caller may see what became of an update: of somebody else's in another department, only whether it is
    still pending.
    """
    person = caller.person
    return person is None or caller.limited_to is None or result.result == "pending" or result.by == person.id


def current(case: CaseState, fresh_at: datetime | None, now: datetime) -> bool:
    """
    Whether the read model can be believed on a case: its worker said lately that nothing is behind, and the case did
    not change just now. Otherwise a department that has just got the request may know more than intake.
    """
    return fresh_at is not None and now - fresh_at < FRESH and (case.at is None or now - case.at > AT_REST)


def _complete(body: NewUpdate, request_id: str, department: str) -> None:
    action, shape = body.action, SHAPES[body.action]
    given = [name for name in _FIELDS if getattr(body, name) is not None]
    for names in shape.needs:
        if not set(names) & set(given):
            others = f"or {' or '.join(names[1:])} " if names[1:] else ""
            raise Refused(names[0], f"{others}is compulsory for {action}")
    for name in given:
        if name not in shape.takes:
            raise Refused(name, f"belongs to {', '.join(a for a in Action if name in SHAPES[a].takes)} alone")
    if body.to == department:
        raise Refused("to", "must be another department")
    if body.outcome is not None and body.outcome not in ANSWERS:
        raise Refused("outcome", f"must be one of {', '.join(sorted(ANSWERS))}")
    if body.master is not None and body.master == ids.family_of(request_id):
        raise Refused("master", "must be another request")
    if action in NOT_FOR_A_PART and ids.family_of(request_id) != request_id:
        raise Refused("action", f"{action} is for a whole request, not for a part of one")


def _own_id(secret: bytes, kind: str, adapter: str, request_id: str, key: str | None) -> str:
    """
    The id of what was sent about a request: always the same for the caller's key, without one a new one each time.
    """
    if key is None:
        return ids.derived_id(ids.random_request_id(), ids.random_request_id())
    return ids.keyed_hash(secret, kind, adapter, request_id, key)


def _beyond(day: date, today: date, *, years: int) -> bool:
    """
    Whether a day is more than so many years ahead.
    """
    return (day.year - years, day.month, day.day) > (today.year, today.month, today.day)


def _settled(body: NewRequest) -> NewRequest:
    """
    The body without parts that say nothing, so that an empty object and an absent one are alike.
    """
    return body.model_copy(
        update={
            "citizen": body.citizen if body.citizen and body.citizen.given else None,
            "location": body.location if _location(body.location) else None,
            "attributes": body.attributes or None,
            "attachments": body.attachments or None,
        }
    )


def _location(place: Place | None) -> Location | None:
    found = Location(**place.model_dump()) if place else Location()
    return None if found == Location() else found


def _contact(citizen: Citizen | None, contact_id: str, secret: bytes, now: datetime) -> ContactChanged | None:
    if citizen is None or not citizen.given:
        return None

    def hashed(kind: str, value: str | None) -> str | None:
        return ids.keyed_hash(secret, kind, value) if value else None

    return ContactChanged(
        contact_id=contact_id,
        changed_at=now,
        name=citizen.name,
        phone=citizen.phone,
        email=citizen.email,
        whatsapp_id=citizen.whatsapp_id,
        language=citizen.language,
        notify_via=citizen.notify_via,
        phone_hash=hashed("phone", citizen.phone),
        email_hash=hashed("email", citizen.email.lower() if citizen.email else None),
        whatsapp_hash=hashed("whatsapp", citizen.whatsapp_id),
    )


def metadata(event_id: str, subject: str, cause: str, now: datetime) -> Metadata:
    """
    The envelope of an event of ours about a request, a part (one trace with its request) or a crisis.
    """
    family = ids.family_of(subject)
    return Metadata(id=event_id, source=SOURCE, time=now, subject=subject, correlation_id=family, causation_id=cause)
