"""
Events to one document per request and per sub-request. Pure: no clock, no database.

A document keeps *facts* (``bodies``, ``origin``, ``history``, ``told``), each in a slot that its event names, and what
``derive`` makes of them. Facts are set, never counted, so the same events give the same document in any order, any
repetition and any grouping into batches. Where two records claim one slot the smaller in ``_rank`` order stands.

A sub-request (``parent_id``) has a life of its own and no body: ``inherit`` gives it its parent's, which is a union of
slots again. So a part knows its channel, kind, text, place and when the citizen asked, and needs no look at the parent.

Times are cut to milliseconds, which is what MongoDB keeps: a document read back equals the one written.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.common.contracts.envelope import Received
from services.common.contracts.events import (
    Lifecycle,
    Notification,
    RequestEscalated,
    RequestReceived,
    RequestRegistered,
)
from services.common.contracts.ids import derived_id, family_of
from services.common.contracts.vocabulary import CLOSED, TRIAGE_SERVICE, Channel, Status

Document = dict[str, Any]

ISTANBUL: Final = ZoneInfo("Europe/Istanbul")
OUTCOMES: Final = {
    "NotificationQueued": "queued",
    "NotificationSent": "sent",
    "NotificationFailed": "failed",
    "NotificationSuppressed": "suppressed",
}
_RESPONDED: Final = CLOSED | {
    Status.ACCEPTED,
    Status.IN_PROGRESS,
    Status.SCHEDULED,
    Status.WAITING_CITIZEN,
    Status.WAITING_EXTERNAL,
}


def fold(document: Document | None, *received: Received) -> Document | None:
    """
    Add events to the document of the request or sub-request they are about; the given document is not changed.

    Commutative, associative and idempotent. None stays None when no event says anything about a request's state.
    """
    facts = _facts(document)
    touched = False
    for event in received:
        touched |= _absorb(facts, event)
    return _with(document, facts) if touched else document


def inherit(part: Document, parent: Document) -> Document:
    """
    The document of a sub-request with the body of its parent; neither of the given documents is changed.

    Commutes with ``fold`` on either of them, and is idempotent.
    """
    facts = _facts(part)
    for key, body in parent["bodies"].items():
        _set(facts["bodies"], key, body)
    if parent["origin"]:
        facts["origin"] = min(parent["origin"], facts["origin"] or parent["origin"])
    return _with(part, facts)


def subject_of(event: Received) -> str:
    """
    The request or sub-request that an event of our topics is about. (Its key is the family's.)
    """
    data = event.data
    return data.request_id if isinstance(data, Lifecycle | Notification) else data.key


def _facts(document: Document | None) -> Document:
    return {
        "request_id": document["request_id"] if document else None,
        "bodies": dict(document["bodies"]) if document else {},
        "history": dict(document["history"]) if document else {},
        "told": dict(document["told"]) if document else {},
        "origin": document["origin"] if document else None,
    }


def _with(document: Document | None, facts: Document) -> Document:
    return {**(document or {}), **facts, **derive(facts)}


def _absorb(facts: Document, event: Received) -> bool:
    data, meta = event.data, event.meta
    facts["request_id"] = subject_of(event)
    if isinstance(data, RequestReceived):
        _set(facts["bodies"], safe_key(meta.id), _body(meta.id, data))
        return True
    if isinstance(data, Notification):
        key = f"{data.transition.replace('.', '-')}/{data.attempt}/{data.recipient}{'/late' if data.late else ''}"
        _set(facts["told"], key, _told(meta.id, data))
        return True
    if isinstance(data, Lifecycle) and data.seq > 0 and data.status is not None:
        _set(facts["history"], str(data.seq), _state(meta.id, data))
        if isinstance(data, RequestRegistered) and meta.causation_id and data.key == data.request_id:
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
        "address": place.address if place else None,
        "neighbourhood": place.neighbourhood if place else None,
        "lat": place.lat if place else None,
        "lon": place.lon if place else None,
        "attributes": json.dumps(data.attributes, ensure_ascii=False) if data.attributes else None,
        "repeats": data.repeat is not None,
        "adapter": data.adapter,
        "answered": data.answered is not None,
        "service_code": data.service_code,
        "notice": data.notice_version is not None,
        "attachments": list(data.attachments),
    }


def _state(event_id: str, data: Lifecycle) -> Document:
    """
    What a step of the history keeps; what has no value is left out. Internal notes and replies never come here.
    """
    due, legal, other = data.due, data.legal, data.referred_to
    entry = {
        "id": event_id,
        "seq": data.seq,
        "type": type(data).__name__,
        "at": _millis(data.occurred_at),
        "status": str(data.status),
        "department": data.department,
        "service_code": data.service_code,
        "priority": str(data.priority) if data.priority else None,
        "emergency": data.emergency or None,
        "decided_by": str(data.decided_by) if data.decided_by else None,
        "respond_by": _millis(due.first_response_at) if due else None,
        "resolve_by": _millis(due.resolve_by) if due else None,
        "accept_by": _millis(due.accept_by) if due and due.accept_by else None,
        "paused_since": _millis(due.paused_since) if due and due.paused_since else None,
        "outcome": str(data.outcome) if data.outcome else None,
        "public_text": data.public_text,
        "neighbourhood": data.neighbourhood,
        "bounces": data.bounces or None,
        "reopenings": data.reopenings or None,
        "planned_for": _millis(data.planned_for) if data.planned_for else None,
        "question": data.question,
        "referred_to": other.model_dump(mode="json") if other else None,
        "legal": {**legal.model_dump(), "due_at": _millis(legal.due_at), "on": local_day(legal.due_at)}
        if legal
        else None,
        "team": data.team,
        "crisis": data.crisis,
        "parts": data.parts or None,
        "master_id": data.master_id,
        "followers": data.followers or None,
    }
    if isinstance(data, RequestEscalated):
        due_at = _millis(data.due_at)
        entry |= {"clock": str(data.clock), "level": str(data.level), "due_at": due_at, "overdue": data.overdue}
    return {name: value for name, value in entry.items() if value is not None}


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
        "staff": data.recipient.startswith("staff:"),
    }


def derive(facts: Mapping[str, Any]) -> Document:
    """
    Everything that lists and figures need, as flat fields; every field is always there.

    Only what is ``registered`` counts anywhere. The body is the one that the registration names; until that body is
    here, the registration's time stands in for ``received_at``. A turn of a need that comes again began when its part
    was registered, weeks after the citizen asked. ``on_time`` is about the last closing, ``closings`` about each: a
    request that was reopened has the first one there, with the due time that held then.

    ``place`` and ``closed_day`` are where requests stand among all, so a part has none; ``work`` is where each stands.
    ``visited_by`` is the department that has it open; what was split is visited in its parts.

    For the public: ``newest_first`` is where a whole request stands, ``shown_as`` the service it is shown under (in
    triage the one that the citizen chose), ``told_public`` whether the citizen was told that the text is public,
    ``changed_at`` the last step that a citizen hears of. Without that notice ``lat`` and ``lon`` name the block, not
    the door.
    """
    request_id = facts["request_id"]
    parent_id = family_of(request_id)
    is_request = parent_id == request_id
    entries: list[Document] = sorted(facts["history"].values(), key=lambda entry: int(entry["seq"]))
    registration = next((entry for entry in entries if entry["type"] == "RequestRegistered"), None)
    body: Document = facts["bodies"].get(facts["origin"] or "") or {}
    last: Document = entries[-1] if entries else {}
    closed = last.get("status") in CLOSED
    told_public = body.get("channel") == Channel.OPEN311 or (body.get("channel") == Channel.WEB and body.get("notice"))
    began_at = registration["at"] if registration else None
    is_turn = not is_request and body.get("repeats")
    received_at = began_at if is_turn else body.get("at") or began_at
    stretch = _stretch(entries, closed=closed)
    closings = _closings(entries)
    closed_at = closings[-1]["at"] if closed else None
    place = place_of(received_at, request_id) if registration and received_at else None
    escalations = [
        {name: entry[name] for name in ("clock", "level", "at", "due_at", "overdue")}
        for entry in entries
        if entry["type"] == "RequestEscalated"
    ]
    return {
        "registered": registration is not None,
        "parent_id": None if is_request else parent_id,
        "part": None if is_request else int(request_id.removeprefix(f"{parent_id}.")),
        "received_at": received_at,
        "place": place if is_request else None,
        "work": place,
        "received_day": local_day(received_at),
        "received_hour": local_hour(received_at),
        "newest_first": newest_first(received_at, request_id) if place and is_request and received_at else None,
        "changed_at": closed_at or _latest([entry for entry in entries if entry["type"] in _HEARD_OF], "at"),
        "shown_as": _shown_as(last.get("service_code"), body.get("service_code")),
        "told_public": bool(told_public),
        "lat": _degree(body.get("lat"), exact=bool(told_public)),
        "lon": _degree(body.get("lon"), exact=bool(told_public)),
        "channel": body.get("channel"),
        "kind": body.get("kind"),
        "neighbourhood": _latest(entries, "neighbourhood") or body.get("neighbourhood"),
        **{name: last.get(name) for name in _OF_THE_LAST},
        "emergency": bool(last.get("emergency")),
        "respond_by": _latest(entries, "respond_by"),
        "resolve_by": _latest(entries, "resolve_by"),
        "paused": not closed and "paused_since" in last,
        "paused_since": None if closed else last.get("paused_since"),
        "pauses": _pauses(entries),
        "assigned_at": next((entry["at"] for entry in entries if entry["type"] == "RequestAssigned"), None),
        "first_response_at": next((entry["at"] for entry in entries if entry["status"] in _RESPONDED), None),
        "closed": closed,
        "visited_by": last.get("department") if place and not closed and not last.get("parts") else None,
        "closed_at": closed_at,
        "closed_day": local_day(closed_at) if is_request else None,
        "closed_hour": local_hour(closed_at) if is_request else None,
        "hours_to_close": _hours(received_at, closed_at),
        "on_time": closings[-1]["on_time"] if closed else None,
        "closings": closings,
        "outcome": _latest(stretch, "outcome") if closed else None,
        "public_text": _latest(stretch, "public_text"),
        "reopened": last.get("reopenings", 0),
        "bounced": last.get("bounces", 0),
        "followers": last.get("followers", 0),
        "parts": last.get("parts", 0),
        "escalations": escalations,
        "escalated": bool(escalations),
        **_telling(facts["told"]),
    }


_OF_THE_LAST: Final = (
    "status", "department", "service_code", "priority", "decided_by", "accept_by", "planned_for",
    "question", "referred_to", "legal", "team", "crisis", "master_id",
)  # fmt: skip
"""Every event carries the whole state, so what its last one does not have is over."""


_HEARD_OF: Final = ("RequestRegistered", "RequestAssigned", "StatusChanged", "RequestReopened")


def is_overdue(document: Document, now: datetime) -> bool:
    """
    Open after its due time, and its clock does not stand still.
    """
    due = document["resolve_by"]
    return not document["closed"] and not document["paused"] and due is not None and due < now


def _stretch(entries: list[Document], *, closed: bool) -> list[Document]:
    """
    The last entries that are all closed, or all open.
    """
    start = len(entries)
    while start and (entries[start - 1]["status"] in CLOSED) == closed:
        start -= 1
    return entries[start:]


def _closings(entries: list[Document]) -> list[Document]:
    """
    Each closing with the due time that held then. A clock that stood still is judged as of when it stopped.
    """
    found: list[Document] = []
    resolve_by, before = None, False
    for entry in entries:
        resolve_by, closed = entry.get("resolve_by", resolve_by), entry["status"] in CLOSED
        if closed and not before:
            judged_at = entry.get("paused_since", entry["at"])
            found.append(
                {
                    "at": entry["at"],
                    "status": entry["status"],
                    "outcome": entry.get("outcome"),
                    "resolve_by": resolve_by,
                    "on_time": judged_at <= resolve_by if resolve_by else None,
                }
            )
        before = closed
    return found


def _pauses(entries: list[Document]) -> list[Document]:
    """
    The stretches in which the clock stood still, in order; ``until`` is None while it does.
    """
    found: list[Document] = []
    for entry in entries:
        since = entry.get("paused_since") if entry["status"] not in CLOSED else None
        if found and found[-1]["until"] is None and since != found[-1]["since"]:
            found[-1]["until"] = since or entry["at"]
        if since and not (found and found[-1]["since"] == since):
            found.append({"since": since, "until": None})
    return found


def _latest(entries: list[Document], field: str) -> Any:
    return next((entry[field] for entry in reversed(entries) if field in entry), None)


def _hours(start: datetime | None, end: datetime | None) -> float | None:
    return round((end - start).total_seconds() / 3600, 4) if start and end else None


def _telling(told: Mapping[str, Document]) -> Document:
    messages = [entry for entry in told.values() if not entry["late"] and not entry["staff"]]
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


def newest_first(moment: datetime, request_id: str = "") -> str:
    """
    A text that sorts the newest second first, and within a second by number. Without a number: before all of it.
    """
    return f"{max(0, _LAST_SECOND - int(moment.timestamp())):010d}.{request_id}"


_LAST_SECOND: Final = 9_999_999_999


def _shown_as(now: str | None, chosen: str | None) -> str | None:
    return chosen if now is None or (now == TRIAGE_SERVICE and chosen) else now


def _degree(degree: float | None, *, exact: bool) -> float | None:
    return degree if degree is None or exact else round(degree, 3)


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
