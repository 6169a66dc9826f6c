"""
Lives of requests, as routing tells them, for notify's tests.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.common.contracts.envelope import Metadata, decode, encode
from services.common.contracts.events import (
    CitizenReminded,
    ContactChanged,
    Due,
    Event,
    LegalClock,
    LegalExtended,
    Lifecycle,
    MasterProgressed,
    NoteAdded,
    Referral,
    RequestAssigned,
    RequestEscalated,
    RequestRegistered,
    RequestReopened,
    StatusChanged,
)
from services.common.contracts.ids import derived_id
from services.common.contracts.topics import CONTACTS, LIFECYCLE
from services.common.contracts.vocabulary import Clock, Level, Outcome, Status
from services.common.kit.worker import Delivery

NOON = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
REQUEST = "7XK29MQ4T3BDM"
CONTACT = "c_" + "0" * 32


def contact(**fields: Any) -> ContactChanged:
    """
    A citizen with an e-mail address.
    """
    return ContactChanged(**({"contact_id": CONTACT, "changed_at": NOON, "email": "ayse@example.com"} | fields))


def _common(fields: dict[str, Any]) -> dict[str, Any]:
    defaults = {
        "request_id": REQUEST,
        "contact_id": CONTACT,
        "occurred_at": NOON,
        "department": "temizlik-isleri",
        "service_code": "cop-alinmadi",
    }
    return defaults | fields


def registered(**fields: Any) -> RequestRegistered:
    """
    Routing knows the request.
    """
    return RequestRegistered(**_common({"seq": 1, "status": Status.RECEIVED, "department": None} | fields))


def assigned(number: int = 1, **fields: Any) -> RequestAssigned:
    """
    A department holds the request.
    """
    given = {"seq": 1 + number, "status": Status.ASSIGNED, "assignments": number} | fields
    return RequestAssigned(**_common(given))


def closed(number: int = 1, **fields: Any) -> StatusChanged:
    """
    A department has closed it.
    """
    given = {
        "seq": 10 * number,
        "status": Status.RESOLVED,
        "previous_status": Status.ACCEPTED,
        "outcome": Outcome.RESOLVED,
        "public_text": "Konteyner boşaltıldı.",
        "closings": number,
    }
    return StatusChanged(**_common(given | fields))


def changed(status: Status, seq: int, **fields: Any) -> StatusChanged:
    """
    The request moved to a state that is open.
    """
    return StatusChanged(**_common({"seq": seq, "status": status, "previous_status": Status.ACCEPTED} | fields))


def scheduled(seq: int = 6, **fields: Any) -> StatusChanged:
    """
    Somebody comes on a Wednesday at nine.
    """
    return changed(Status.SCHEDULED, seq, **({"planned_for": datetime(2026, 6, 3, 6, 0, tzinfo=UTC)} | fields))


def asked(seq: int = 7, **fields: Any) -> StatusChanged:
    """
    The citizen is asked something.
    """
    return changed(Status.WAITING_CITIZEN, seq, **({"question": "Hangi kapının önünde?"} | fields))


def reminded(seq: int = 8, **fields: Any) -> CitizenReminded:
    """
    The citizen has not answered.
    """
    given = {"seq": seq, "status": Status.WAITING_CITIZEN, "question": "Hangi kapının önünde?"} | fields
    return CitizenReminded(**_common(given))


def waiting(seq: int = 9, **fields: Any) -> StatusChanged:
    """
    Another body has to answer first.
    """
    return changed(Status.WAITING_EXTERNAL, seq, **({"referred_to": Referral(body="SASKİ")} | fields))


def bounced(number: int, **fields: Any) -> RequestAssigned:
    """
    The request is back at the desk.
    """
    triage = {
        "status": Status.TRIAGE,
        "previous_status": Status.ASSIGNED,
        "department": "basin-halkla-iliskiler",
        "service_code": "siniflandirilamadi",
    }
    return assigned(number, **(triage | fields))


def reopened(seq: int = 11, **fields: Any) -> RequestReopened:
    """
    A closed request is open again.
    """
    given = {"seq": seq, "status": Status.REOPENED, "previous_status": Status.RESOLVED, "reopenings": 1} | fields
    return RequestReopened(**_common(given))


def extended(seq: int = 16, **fields: Any) -> LegalExtended:
    """
    The law's longer term holds.
    """
    given = {
        "seq": seq,
        "status": Status.IN_PROGRESS,
        "public_text": "Başka bir kurumun görüşü gerekiyor.",
        "legal": LegalClock(basis="4982", due_at=datetime(2026, 7, 10, 20, 59, 59, tzinfo=UTC), extended=True),
    }
    return LegalExtended(**_common(given | fields))


def followed(master_status: Status = Status.RESOLVED, seq: int = 21, **fields: Any) -> MasterProgressed:
    """
    The request that this one is a duplicate of moved.
    """
    given = {
        "seq": seq,
        "status": Status.DUPLICATE,
        "previous_status": Status.DUPLICATE,
        "outcome": Outcome.DUPLICATE,
        "public_text": "Çukuru kapattık.",
        "master_status": master_status,
        "master_seq": 5,
    }
    return MasterProgressed(**_common(given | fields))


def escalated(level: Level = Level.HEAD, seq: int = 15, **fields: Any) -> RequestEscalated:
    """
    The department has not accepted the request in time; the head is told two hours and a quarter later.
    """
    due = NOON - timedelta(hours=2, minutes=15)
    given = {
        "seq": seq,
        "status": Status.ASSIGNED,
        "neighbourhood": "Kadıköy",
        "received_at": due - timedelta(hours=1),
        "clock": Clock.ACCEPTANCE,
        "level": level,
        "step": 1,
        "due_at": NOON,
        "overdue": True,
        "due": Due(first_response_at=due, accept_by=due, resolve_by=NOON + timedelta(days=3, hours=4)),
    }
    return RequestEscalated(**_common(given | fields))


def noted(seq: int = 22, **fields: Any) -> NoteAdded:
    """
    Somebody wrote an internal note.
    """
    return NoteAdded(**_common({"seq": seq, "status": Status.ACCEPTED} | fields))


def meta(event: Event) -> Metadata:
    """
    The envelope; the same event always has the same.
    """
    return Metadata(derived_id(event.model_dump_json()), "/routing", NOON, event.key, "correlation", "cause")


def delivery(event: Event) -> Delivery:
    """
    The event as the worker's loop hands it on.
    """
    record = encode(CONTACTS if isinstance(event, ContactChanged) else LIFECYCLE, meta(event), event)
    received = decode(record.topic, record.key, record.value, record.headers)
    return Delivery(record.topic, 0, 0, record.key, record.value, record.headers, received)


def tombstone(contact_id: str = CONTACT, at: datetime | None = None) -> Delivery:
    """
    The erasure of a contact.
    """
    headers = (("ce_time", (at or NOON + timedelta(hours=1)).isoformat().encode()),)
    return Delivery(CONTACTS.name, 0, 0, contact_id.encode(), None, headers)


EVENTS: tuple[Lifecycle, ...] = (
    registered(),
    assigned(),
    assigned(2, department="zabita"),
    changed(Status.ACCEPTED, 4, public_text="Ekibimiz bugün bakacak."),
    changed(Status.IN_PROGRESS, 5),
    scheduled(),
    asked(),
    reminded(),
    waiting(),
    closed(),
    reopened(),
    bounced(3, seq=12),
    assigned(4, seq=13),
    escalated(Level.DEPARTMENT, 14),
    escalated(Level.HEAD, 15),
    extended(),
    closed(2),
    followed(),
    noted(),
)
TOLD = {
    "received", "assigned", "assigned.2", "accepted.4", "scheduled.6", "asked.7", "reminded.8", "waiting.9", "closed",
    "reopened.11", "assigned.3", "assigned.4", "escalated.14", "escalated.15", "extended.16", "closed.2", "followed.21",
}  # fmt: skip
"""The transitions of ``EVENTS``, each of which must end once."""
