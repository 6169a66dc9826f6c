"""
Decisions of intake, all pure: which number a request gets, which records it becomes, whether an update may pass.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

import orjson
from pydantic import BaseModel

from services.common.contracts import ids, topics
from services.common.contracts.envelope import Metadata, Record, encode
from services.common.contracts.events import (
    Answered,
    ContactChanged,
    Legal,
    Location,
    RequestReceived,
    UpdateSubmitted,
)
from services.common.contracts.vocabulary import CLOSED, STATUS_LABELS, Action
from services.common.kit.auth import Caller
from services.intake.read_model import CaseState
from services.intake.schemas import Citizen, NewRequest, NewUpdate, Place

SOURCE: Final = "/ilkim/intake"
AHEAD: Final = timedelta(minutes=5)  # clocks of adapters differ, but not by more
OLDEST_YEAR: Final = 2000  # imported archives; a year near 1 cannot even be shown in another zone
FRESH: Final = timedelta(seconds=5)
AT_REST: Final = timedelta(seconds=1)


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


def fingerprint(body: BaseModel, *ignored: str) -> str:
    """
    A hash of what a body means: the same for every spelling of it, without the ``ignored`` fields.
    """
    meaning = body.model_dump(mode="json", exclude=set(ignored), exclude_none=True, exclude_defaults=True)
    return sha256(orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS)).hexdigest()


def accept_request(
    body: NewRequest, *, adapter: str, idempotency_key: str | None, secret: bytes, now: datetime
) -> Accepted:
    """
    Turn a request into a number and its records: the contact first (if there is one), then the request.

    With a key of the caller's the same body gives the same ids and, apart from the times, the same bytes. Raises
    ``Refused`` for a time of receipt in the future or in another age.
    """
    if body.received_at is not None and body.received_at.year < OLDEST_YEAR:
        raise Refused("received_at", f"must not be before {OLDEST_YEAR}")
    if body.received_at is not None and body.received_at > now + AHEAD:
        raise Refused("received_at", "must not be in the future")
    key = body.external_id or idempotency_key
    request_id = ids.keyed_request_id(secret, adapter, body.channel, key) if key else ids.random_request_id()
    print_of_body = fingerprint(_settled(body), "received_at", "contact")
    event_id = ids.derived_id(request_id, print_of_body)
    contact = _contact(body.citizen, request_id, print_of_body, secret, now)
    received = RequestReceived(
        request_id=request_id,
        channel=body.channel,
        kind=body.kind,
        service_code=body.service_code,
        text=body.text,
        contact_id=contact.contact_id if contact else ids.CONTACT_NONE,
        location=_location(body.location),
        attributes=body.attributes or {},
        adapter=adapter,
        external_id=body.external_id,
        entered_by=body.entered_by,
        received_at=body.received_at.astimezone(UTC) if body.received_at else now,
        legal=Legal(basis=body.legal.basis, record_no=body.legal.record_no) if body.legal else None,
        notice_version=body.notice_version,
        answered=Answered(text=body.answered.text) if body.answered else None,
    )
    records = [encode(topics.RECEIVED, _metadata(event_id, request_id, event_id, now), received)]
    if contact:
        meta = _metadata(ids.derived_id(event_id, "contact"), request_id, event_id, now)
        records.insert(0, encode(topics.CONTACTS, meta, contact))
    return Accepted(request_id, print_of_body, key is not None, tuple(records))


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


def accept_update(
    body: NewUpdate,
    *,
    request_id: str,
    department: str,
    adapter: str,
    idempotency_key: str | None,
    secret: bytes,
    now: datetime,
) -> Accepted:
    """
    Turn an update by ``department`` into its record.

    Raises ``Refused`` naming the field that is missing or does not belong to the action.
    """
    _complete(body, department)
    if idempotency_key is None:
        update_id = ids.derived_id(ids.random_request_id(), ids.random_request_id())
    else:
        update_id = ids.keyed_hash(secret, "update", adapter, request_id, idempotency_key)
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
        note_public=body.note_public,
        note_internal=body.note_internal,
        outcome=body.outcome,
        to=body.to,
        service_code=body.service_code,
    )
    record = encode(topics.UPDATES, _metadata(event_id, request_id, event_id, now), submitted)
    return Accepted(update_id, print_of_body, idempotency_key is not None, (record,))


def check_move(case: CaseState, department: str) -> None:
    """
    Refuse what the read model already shows to be impossible; routing has the last word on the rest.

    Raises ``Conflict``.
    """
    if case.status in CLOSED:
        raise Conflict(f"The request is closed ({STATUS_LABELS[case.status].en}): it takes no updates.")
    if case.department is not None and case.department != department:
        raise Conflict(f"The department {department} does not hold the request.")


def current(case: CaseState, fresh_at: datetime | None, now: datetime) -> bool:
    """
    Whether the read model can be believed on a case: its worker said lately that nothing is behind, and the case did
    not change just now. Otherwise a department that has just got the request may know more than intake.
    """
    return fresh_at is not None and now - fresh_at < FRESH and (case.at is None or now - case.at > AT_REST)


def _complete(body: NewUpdate, department: str) -> None:
    match body.action:
        case Action.RESOLVE:
            if body.outcome is None:
                raise Refused("outcome", "is compulsory for resolve")
            if body.note_public is None:
                raise Refused("note_public", "is compulsory for resolve: the citizen reads it")
        case Action.REJECT:
            if body.note_internal is None and body.note_public is None:
                raise Refused("note_internal", "or note_public is compulsory for reject: say why")
        case Action.TRANSFER:
            if body.to is None:
                raise Refused("to", "is compulsory for transfer")
            if body.to == department:
                raise Refused("to", "must be another department")
        case Action.ACCEPT:
            pass
    if body.outcome is not None and body.action is not Action.RESOLVE:
        raise Refused("outcome", "belongs to resolve alone")
    if body.to is not None and body.action is not Action.TRANSFER:
        raise Refused("to", "belongs to transfer alone")


def _settled(body: NewRequest) -> NewRequest:
    """
    The body without parts that say nothing, so that an empty object and an absent one are alike.
    """
    return body.model_copy(
        update={
            "citizen": body.citizen if body.citizen and body.citizen.given else None,
            "location": body.location if _location(body.location) else None,
            "attributes": body.attributes or None,
            "attachments": None,
        }
    )


def _location(place: Place | None) -> Location | None:
    found = Location(**place.model_dump()) if place else Location()
    return None if found == Location() else found


def _contact(
    citizen: Citizen | None, request_id: str, print_of_body: str, secret: bytes, now: datetime
) -> ContactChanged | None:
    if citizen is None or not citizen.given:
        return None

    def hashed(kind: str, value: str | None) -> str | None:
        return ids.keyed_hash(secret, kind, value) if value else None

    return ContactChanged(
        contact_id="c_" + ids.keyed_hash(secret, "contact", request_id, print_of_body),
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


def _metadata(event_id: str, request_id: str, cause: str, now: datetime) -> Metadata:
    return Metadata(
        id=event_id, source=SOURCE, time=now, subject=request_id, correlation_id=request_id, causation_id=cause
    )
