"""
Events to one document per request. Pure: no clock, no database.

A document keeps *facts* (``bodies``, ``origin``, ``history``, ``told``), each in a slot that its event names, and what
``derive`` makes of them. Facts are set, never counted, so the same events give the same document in any order, any
repetition and any grouping into batches. Where two records claim one slot the smaller in ``_rank`` order stands.

Times are cut to milliseconds, which is what MongoDB keeps: a document read back equals the one written.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.common.contracts.envelope import Received
from services.common.contracts.events import (
    Lifecycle,
    Notification,
    RequestReceived,
    RequestRegistered,
)
from services.common.contracts.ids import derived_id
from services.common.contracts.vocabulary import CLOSED, TRIAGE_DEPARTMENT, Status

Document = dict[str, Any]

ISTANBUL: Final = ZoneInfo("Europe/Istanbul")
OUTCOMES: Final = {
    "NotificationQueued": "queued",
    "NotificationSent": "sent",
    "NotificationFailed": "failed",
    "NotificationSuppressed": "suppressed",
}
_REMARKS: Final = frozenset({"DuplicateReceived", "UpdateRefused"})
"""Lifecycle events that repeat the state without changing it."""
_RESPONDED: Final = CLOSED | {
    Status.ACCEPTED,
    Status.IN_PROGRESS,
    Status.SCHEDULED,
    Status.WAITING_CITIZEN,
    Status.WAITING_EXTERNAL,
}


def fold(document: Document | None, *received: Received) -> Document | None:
    """
    Add events to a request's document; the given document is not changed.

    Commutative, associative and idempotent. None stays None when no event says anything about a request's state.
    """
    facts: Document = {
        "request_id": document["request_id"] if document else None,
        "bodies": dict(document["bodies"]) if document else {},
        "history": dict(document["history"]) if document else {},
        "told": dict(document["told"]) if document else {},
        "origin": document["origin"] if document else None,
    }
    touched = False
    for event in received:
        touched |= _absorb(facts, event)
    if not touched:
        return document
    return {**(document or {}), **facts, **derive(facts)}


def _absorb(facts: Document, event: Received) -> bool:
    data, meta = event.data, event.meta
    facts["request_id"] = data.key
    if isinstance(data, RequestReceived):
        _set(facts["bodies"], safe_key(meta.id), _body(meta.id, data))
        return True
    if isinstance(data, Notification):
        key = f"{data.transition.replace('.', '-')}/{data.attempt}/{data.recipient}{'/late' if data.late else ''}"
        _set(facts["told"], key, _told(meta.id, data))
        return True
    if isinstance(data, Lifecycle) and data.seq > 0 and data.status is not None:
        _set(facts["history"], str(data.seq), _state(meta.id, data))
        if isinstance(data, RequestRegistered) and meta.causation_id:
            origin = safe_key(meta.causation_id)
            facts["origin"] = min(origin, facts["origin"] or origin)
        return True
    return False


def _set(slots: dict[str, Document], key: str, entry: Document) -> None:
    known = slots.get(key)
    if known is None or _rank(entry) < _rank(known):
        slots[key] = entry


def _rank(entry: Document) -> tuple[bool, str, datetime]:
    return entry.get("outcome") == "queued", entry["id"], entry["at"]


def safe_key(text: str) -> str:
    """
    The text itself if it can be a field name in MongoDB, else an id derived from it.
    """
    return text if text.isascii() and text.isalnum() and len(text) <= 64 else derived_id(text)


def _millis(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)


def _body(event_id: str, data: RequestReceived) -> Document:
    place = data.location
    return {
        "id": event_id,
        "at": _millis(data.received_at),
        "channel": data.channel.value,
        "kind": data.kind.value if data.kind else None,
        "text": data.text,
        "neighbourhood": place.neighbourhood if place else None,
        "lat": place.lat if place else None,
        "lon": place.lon if place else None,
        "adapter": data.adapter,
        "answered": data.answered is not None,
    }


def _state(event_id: str, data: Lifecycle) -> Document:
    return {
        "id": event_id,
        "seq": data.seq,
        "type": type(data).__name__,
        "at": _millis(data.occurred_at),
        "status": str(data.status),
        "previous_status": str(data.previous_status) if data.previous_status else None,
        "department": data.department,
        "previous_department": getattr(data, "previous_department", None),
        "service_code": data.service_code,
        "priority": str(data.priority) if data.priority else None,
        "emergency": data.emergency,
        "decided_by": str(data.decided_by) if data.decided_by else None,
        "respond_by": _millis(data.due.first_response_at) if data.due else None,
        "resolve_by": _millis(data.due.resolve_by) if data.due else None,
        "outcome": str(data.outcome) if data.outcome else None,
        "public_text": data.public_text,
        "neighbourhood": data.neighbourhood,
    }


def _told(event_id: str, data: Notification) -> Document:
    return {
        "id": event_id,
        "at": _millis(data.occurred_at),
        "transition": data.transition,
        "attempt": data.attempt,
        "outcome": OUTCOMES[type(data).__name__],
        "channel": str(data.channel) if data.channel else None,
        "reason": data.reason,
        "late": data.late,
    }


def derive(facts: Mapping[str, Any]) -> Document:
    """
    Everything that lists and figures need, as flat fields; every field is always there.

    Only a ``registered`` request counts anywhere. Its body is the one that its registration names; until that body is
    here, the registration's time stands in for ``received_at``.
    """
    entries: list[Document] = sorted(facts["history"].values(), key=lambda entry: int(entry["seq"]))
    moves = [entry for entry in entries if entry["type"] not in _REMARKS]
    registration = next((entry for entry in entries if entry["type"] == "RequestRegistered"), None)
    body: Document = facts["bodies"].get(facts["origin"] or "") or {}
    last: Document = entries[-1] if entries else {}
    closed = last.get("status") in CLOSED
    received_at = body.get("at") or (registration["at"] if registration else None)
    stretch = _stretch(entries, closed=closed)
    closed_at = stretch[0]["at"] if closed else None
    resolve_by = _latest(entries, "resolve_by")
    return {
        "registered": registration is not None,
        "received_at": received_at,
        "place": place_of(received_at, facts["request_id"]) if registration and received_at else None,
        "received_day": local_day(received_at),
        "received_hour": local_hour(received_at),
        "channel": body.get("channel"),
        "kind": body.get("kind"),
        "neighbourhood": _latest(entries, "neighbourhood") or body.get("neighbourhood"),
        "status": last.get("status"),
        "department": last.get("department"),
        "service_code": last.get("service_code"),
        "priority": last.get("priority"),
        "emergency": bool(last.get("emergency")),
        "decided_by": last.get("decided_by"),
        "respond_by": _latest(entries, "respond_by"),
        "resolve_by": resolve_by,
        "assigned_at": next((entry["at"] for entry in moves if entry["type"] == "RequestAssigned"), None),
        "first_response_at": next((entry["at"] for entry in moves if entry["status"] in _RESPONDED), None),
        "closed": closed,
        "closed_at": closed_at,
        "closed_day": local_day(closed_at),
        "closed_hour": local_hour(closed_at),
        "hours_to_close": _hours(received_at, closed_at),
        "on_time": closed_at <= resolve_by if closed_at and resolve_by else None,
        "outcome": _latest(stretch, "outcome") if closed else None,
        "public_text": _latest(stretch, "public_text"),
        "reopened": sum(entry["status"] not in CLOSED and entry["previous_status"] in CLOSED for entry in moves),
        "bounced": sum(_is_bounce(entry) for entry in moves),
        **_telling(facts["told"]),
    }


def _stretch(entries: list[Document], *, closed: bool) -> list[Document]:
    """
    The last entries that are all closed, or all open.
    """
    start = len(entries)
    while start and (entries[start - 1]["status"] in CLOSED) == closed:
        start -= 1
    return entries[start:]


def _latest(entries: list[Document], field: str) -> Any:
    return next((entry[field] for entry in reversed(entries) if entry[field] is not None), None)


def _is_bounce(entry: Document) -> bool:
    before = entry["previous_department"]
    return before not in (None, TRIAGE_DEPARTMENT, entry["department"])


def _hours(start: datetime | None, end: datetime | None) -> float | None:
    return round((end - start).total_seconds() / 3600, 4) if start and end else None


def _telling(told: Mapping[str, Document]) -> Document:
    messages = [entry for entry in told.values() if not entry["late"]]
    first = max((entry for entry in messages if entry["transition"] == "received"), key=_attempt, default=None)
    return {
        "told_received": first["outcome"] if first else None,
        "told_received_reason": first["reason"] if first else None,
        "messages": {name: sum(entry["outcome"] == name for entry in messages) for name in OUTCOMES.values()},
    }


def _attempt(entry: Document) -> tuple[int, str]:
    return entry["attempt"], entry["id"]


def place_of(received_at: datetime, request_id: str = "") -> str:
    """
    Where a request stands among all, as a text that sorts: by the time it came in, then by its number.
    """
    return f"{max(0, int(received_at.timestamp() * 1000)):015d}.{request_id}"


def local_day(moment: datetime | None) -> str | None:
    """
    The day in Istanbul, ``YYYY-MM-DD``.
    """
    return moment.astimezone(ISTANBUL).date().isoformat() if moment else None


def local_hour(moment: datetime | None) -> str | None:
    """
    The hour in Istanbul, ``YYYY-MM-DDTHH``.
    """
    return moment.astimezone(ISTANBUL).strftime("%Y-%m-%dT%H") if moment else None
