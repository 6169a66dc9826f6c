"""
Lives of requests, as routing tells them, for notify's tests.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.common.contracts.envelope import Metadata, decode, encode
from services.common.contracts.events import (
    ContactChanged,
    Event,
    Lifecycle,
    RequestAssigned,
    RequestRegistered,
    StatusChanged,
)
from services.common.contracts.ids import derived_id
from services.common.contracts.topics import CONTACTS, LIFECYCLE
from services.common.contracts.vocabulary import Outcome, Status
from services.common.kit.worker import Delivery

NOON = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
REQUEST = "7XK29MQ4T3BD5"
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


EVENTS: tuple[Lifecycle, ...] = (registered(), assigned(), assigned(2, department="zabita"), closed(), closed(2))
