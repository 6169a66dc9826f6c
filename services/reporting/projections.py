"""
Events to one document per request and per sub-request. Pure: no clock, no database.

A document keeps *facts* (``bodies``, ``origin``, ``history``, ``told``, ``inner``, ``feedback``), each in a slot that
its event names, and what ``derive`` makes of them. Facts are set, never counted, so the same events give the same
document in any order, any repetition and any grouping into batches. Where two records claim one slot the smaller in
``_rank`` order stands.

``inner`` is what departments read on their own topics and nobody else may: internal notes, reasons, the citizen's
replies. ``inner_for`` alone gives it out.

A sub-request (``parent_id``) has a life of its own and no body: ``inherit`` gives it its parent's, which is a union of
slots again. So a part knows its channel, kind, text, place and when the citizen asked, and needs no look at the parent.

Times are cut to milliseconds, which is what MongoDB keeps: a document read back equals the one written.
"""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.common.contracts.catalogue import catalogue
from services.common.contracts.envelope import Received
from services.common.contracts.events import (
    CitizenReplied,
    FeedbackSubmitted,
    ForTheCrew,
    Lifecycle,
    Notification,
    NotificationDelivered,
    NotificationRead,
    RequestAssigned,
    RequestEscalated,
    RequestReceived,
    RequestRegistered,
    UpdateSubmitted,
)
from services.common.contracts.ids import derived_id, family_of, grouped
from services.common.contracts.neighbourhoods import neighbourhood
from services.common.contracts.text import fold as plain
from services.common.contracts.topics import department_topic
from services.common.contracts.vocabulary import (
    CLOSED,
    TRIAGE_SERVICE,
    Action,
    Channel,
    Clock,
    Priority,
    Status,
)
from services.reporting.history import life
from services.reporting.history.model import HistoricRequest, event_id_of, millis

Document = dict[str, Any]

ISTANBUL: Final = ZoneInfo("Europe/Istanbul")
OUTCOMES: Final = {
    "NotificationQueued": "queued",
    "NotificationSent": "sent",
    "NotificationDelivered": "delivered",
    "NotificationRead": "read",
    "NotificationFailed": "failed",
    "NotificationSuppressed": "suppressed",
}
_LATER: Final = (NotificationDelivered, NotificationRead)  # what a provider adds to an attempt that is over
_RESPONDED: Final = CLOSED | {
    Status.ACCEPTED,
    Status.IN_PROGRESS,
    Status.SCHEDULED,
    Status.WAITING_CITIZEN,
    Status.WAITING_EXTERNAL,
}


_DEPARTMENT_TOPICS: Final = frozenset(department_topic(slug).name for slug in catalogue().departments)
_TAKEN_UP: Final = frozenset({Action.ACCEPT, Action.START, Action.SCHEDULE, Action.ASK, Action.WAIT})
_URGENCY: Final = (Priority.URGENT, Priority.HIGH, Priority.NORMAL, Priority.LOW)
_NEVER: Final = "9" * 15


def of_a_department(event: Received) -> bool:
    """
    Whether it came on the topic of a department, where all but the words for its eyes alone is said elsewhere too.
    """
    return event.topic in _DEPARTMENT_TOPICS


def tells_something(event: Received) -> bool:
    """
    Whether a document or the archive keeps anything of an event.
    """
    if isinstance(event.data, UpdateSubmitted | CitizenReplied):
        return False  # what is asked and written, not what came of it
    return not of_a_department(event) or bool(_words(event))


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
    return data.request_id if isinstance(data, Lifecycle | Notification | HistoricRequest) else data.key


def body_of(document: Document) -> Document:
    """
    The body that counts: the citizen's text and place, as it came in. Empty while it is not here.
    """
    body: Document = document["bodies"].get(document["origin"] or "") or {}
    return body


def inner_for(document: Document, departments: Collection[str]) -> list[Document]:
    """
    The words that were for the eyes of these departments, oldest first: why it came (``reason``), internal notes
    (``note``), what the citizen wrote (``reply``), each with its ``seq``, ``at``, ``department`` and ``by``.
    """
    found = [{**slot, "seq": int(seq)} for seq, slot in document["inner"].items() if slot["department"] in departments]
    return sorted(found, key=lambda slot: int(slot["seq"]))


def _facts(document: Document | None) -> Document:
    return {
        "request_id": document["request_id"] if document else None,
        "bodies": dict(document["bodies"]) if document else {},
        "history": dict(document["history"]) if document else {},
        "told": dict(document["told"]) if document else {},
        "inner": dict(document.get("inner", {})) if document else {},
        "feedback": dict(document.get("feedback", {})) if document else {},
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
    if isinstance(data, HistoricRequest):
        _remember(facts, meta.id, data)
        return True
    if isinstance(data, FeedbackSubmitted):
        if data.rating is not None:
            _set(facts["feedback"], str(data.closing_seq), _opinion(meta.id, data))
        return data.rating is not None
    if isinstance(data, Notification):
        later = "/late" if data.late else f"/{OUTCOMES[type(data).__name__]}" if isinstance(data, _LATER) else ""
        key = f"{data.transition.replace('.', '-')}/{data.attempt}/{data.recipient}{later}"
        _set(facts["told"], key, _told(meta.id, data))
        return True
    if of_a_department(event):
        words = _words(event)
        if words and isinstance(data, Lifecycle):
            _set(facts["inner"], str(data.seq), _inner(meta.id, data, words))
        return bool(words)
    if isinstance(data, Lifecycle) and data.seq > 0 and data.status is not None:
        _set(facts["history"], str(data.seq), _state(meta.id, data))
        if isinstance(data, RequestRegistered) and meta.causation_id and data.key == data.request_id:
            origin = safe_key(meta.causation_id)
            facts["origin"] = min(origin, facts["origin"] or origin)
        return True
    return False


def _remember(facts: Document, event_id: str, data: HistoricRequest) -> None:
    _set(facts["bodies"], event_id, life.body(event_id, data))
    for step in life.steps(data):
        _set(facts["history"], str(step["seq"]), step)
    if data.rating is not None:
        _set(facts["feedback"], "1", {"id": event_id, "at": data.closed_at, "rating": data.rating, "comment": None})
    facts["origin"] = event_id


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


def _words(event: Received) -> Document:
    """
    What a department's own event says that no other says.
    """
    data = event.data
    if not isinstance(data, Lifecycle) or data.seq == 0:
        return {}
    reason = data.reason if isinstance(data, ForTheCrew) else None
    said = {"note": data.note, "reply": data.reply, "reason": reason}
    return {name: text for name, text in said.items() if text is not None}


def _inner(event_id: str, data: Lifecycle, words: Document) -> Document:
    by = {"by": data.by} if data.by else {}
    return {"id": event_id, "at": millis(data.occurred_at), "department": data.department, **words, **by}


def _body(event_id: str, data: RequestReceived) -> Document:
    place = data.location
    return {
        "id": event_id,
        "at": millis(data.received_at),
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
        "at": millis(data.occurred_at),
        "status": str(data.status),
        "department": data.department,
        "service_code": data.service_code,
        "priority": str(data.priority) if data.priority else None,
        "emergency": data.emergency or None,
        "decided_by": str(data.decided_by) if data.decided_by else None,
        "respond_by": millis(due.first_response_at) if due else None,
        "resolve_by": millis(due.resolve_by) if due else None,
        "accept_by": millis(due.accept_by) if due and due.accept_by else None,
        "paused_since": millis(due.paused_since) if due and due.paused_since else None,
        "outcome": str(data.outcome) if data.outcome else None,
        "public_text": data.public_text,
        "neighbourhood": data.neighbourhood,
        "bounces": data.bounces or None,
        "reopenings": data.reopenings or None,
        "planned_for": millis(data.planned_for) if data.planned_for else None,
        "question": data.question,
        "referred_to": other.model_dump(mode="json") if other else None,
        "legal": {**legal.model_dump(), "due_at": millis(legal.due_at), "on": local_day(legal.due_at)}
        if legal
        else None,
        "team": data.team,
        "crisis": data.crisis,
        "parts": data.parts or None,
        "master_id": data.master_id,
        "followers": data.followers or None,
        "action": str(data.action) if data.action else None,
        "by": data.by,
        "photos": list(data.photos) or None,
    }
    if isinstance(data, RequestEscalated):
        due_at = millis(data.due_at)
        entry |= {"clock": str(data.clock), "level": str(data.level), "due_at": due_at, "overdue": data.overdue}
    if isinstance(data, RequestAssigned):
        candidates = [candidate.model_dump() for candidate in data.candidates or ()]
        entry |= {name: getattr(data, name) for name in ("rule", "model", "confidence")}
        entry["candidates"] = candidates or None
    return {name: value for name, value in entry.items() if value is not None}


def _opinion(event_id: str, data: FeedbackSubmitted) -> Document:
    return {"id": event_id, "at": millis(data.submitted_at), "rating": data.rating, "comment": data.comment}


def _told(event_id: str, data: Notification) -> Document:
    return {
        "id": event_id,
        "at": millis(data.occurred_at),
        "transition": data.transition,
        "attempt": data.attempt,
        "outcome": OUTCOMES[type(data).__name__],
        "channel": str(data.channel) if data.channel else None,
        "reason": data.reason,
        "late": data.late,
        "staff": not data.recipient.startswith("c"),  # or a partner's system: nobody that figures are about
    }


def derive(facts: Mapping[str, Any]) -> Document:
    """
    Everything that lists and figures need, as flat fields; every field is always there.

    Only what is ``registered`` counts anywhere. The body is the one that the registration names; until that body is
    here, the registration's time stands in for ``received_at``. A turn of a need that comes again began when its part
    was registered, weeks after the citizen asked. ``on_time`` is about the last closing, ``closings`` about each: a
    request that was reopened has the first one there, with the due time that held then. A step with an ``on_time`` of
    its own is one of history: its source's judgement stands, of an open request too.

    ``place`` and ``closed_day`` are where requests stand among all, so a part has none; ``work`` is where each stands.
    ``visited_by`` is the department that has it open; what was split is visited in its parts.

    ``neighbourhood`` is one of the city's, however it was written, and None if it is none of them: whatever else a
    citizen wrote there is no word of figures. A historic request keeps the names of its own city.

    ``rating`` is what the citizen thought of the last ending that they rated, 5 being best.

    For the public: ``newest_first`` is where a whole request stands once its body is here, ``shown_as`` the service it
    is shown under (in triage the one that the citizen chose), ``told_public`` whether the citizen was told that the
    text is public, ``changed_at`` the last step that a citizen hears of. Without that notice ``lat`` and ``lon`` name
    the block, not the door.
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
    said_place = _latest(entries, "neighbourhood") or body.get("neighbourhood") or None
    historic = facts["origin"] == event_id_of(request_id)
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
        "newest_first": newest_first(received_at, request_id)
        if body and place and is_request and received_at
        else None,
        "changed_at": closed_at or _latest([entry for entry in entries if entry["type"] in _HEARD_OF], "at"),
        "shown_as": _shown_as(last.get("service_code"), body.get("service_code")),
        "told_public": bool(told_public),
        "lat": _degree(body.get("lat"), exact=bool(told_public)),
        "lon": _degree(body.get("lon"), exact=bool(told_public)),
        "channel": body.get("channel"),
        "kind": body.get("kind"),
        "neighbourhood": neighbourhood(said_place or "") or (said_place if historic else None),
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
        "on_time": closings[-1]["on_time"] if closed else last.get("on_time"),
        "closings": closings,
        "outcome": _latest(stretch, "outcome") if closed else None,
        "public_text": _latest(stretch, "public_text"),
        "reopened": last.get("reopenings", 0),
        "bounced": last.get("bounces", 0),
        "followers": last.get("followers", 0),
        "parts": last.get("parts", 0),
        "escalations": escalations,
        "escalated": bool(escalations),
        "last_seq": int(last.get("seq", 0)),
        "rating": _rating(facts.get("feedback", {})),
        "search": _search(request_id, last.get("service_code"), body),
        **_handling(entries),
        **_places(request_id, last if place else {}, closed_at, _clocks(last, entries, judged=bool(closings))),
        **_telling(facts["told"]),
    }


def _rating(feedback: Mapping[str, Document]) -> int | None:
    return int(feedback[max(feedback, key=int)]["rating"]) if feedback else None


_OF_THE_LAST: Final = (
    "status", "department", "service_code", "priority", "decided_by", "accept_by", "planned_for",
    "question", "referred_to", "legal", "team", "crisis", "master_id",
)  # fmt: skip
"""Every event carries the whole state, so what its last one does not have is over."""


_HEARD_OF: Final = ("RequestRegistered", "RequestAssigned", "StatusChanged", "RequestReopened")


def _handling(entries: list[Document]) -> Document:
    """
    Who had it, who has it, and what they showed. ``candidates`` are what the classifier last took it for.
    """
    assigned = [entry for entry in entries if entry["type"] == "RequestAssigned"]
    guessed: Document = next((entry for entry in reversed(assigned) if "candidates" in entry), {})
    assignee = None
    for entry in entries:
        if entry["type"] == "RequestAssigned":
            assignee = None
        elif entry["type"] == "StatusChanged" and entry.get("action") in _TAKEN_UP:
            assignee = entry.get("by")
    named = ("department", "at", "seq", "status", "decided_by", "by", "service_code", "rule", "action")
    return {
        "assignee": assignee,
        "photos": list(dict.fromkeys(photo for entry in entries for photo in entry.get("photos", ()))),
        "candidates": guessed.get("candidates", []),
        "confidence": guessed.get("confidence"),
        "model": guessed.get("model"),
        "trail": [{name: entry.get(name) for name in named} for entry in assigned],
        "held_by": list(dict.fromkeys(entry["department"] for entry in assigned if "department" in entry)),
    }


def _clocks(last: Document, entries: list[Document], *, judged: bool) -> Document:
    """
    The clocks that run, and when each is over. The law's ends with the first answer; resolution stands still in pauses.
    """
    if not last or last["status"] in CLOSED:
        return {}
    found = {
        Clock.ACCEPTANCE: last.get("accept_by"),
        Clock.RESOLUTION: _latest(entries, "resolve_by") if "paused_since" not in last else None,
        Clock.LEGAL: last["legal"]["due_at"] if "legal" in last and not judged else None,
    }
    return {str(clock): moment for clock, moment in found.items() if moment is not None}


def _places(request_id: str, last: Document, closed_at: datetime | None, clocks: Document) -> Document:
    next_clock = min(clocks, key=lambda clock: clocks[clock], default=None)
    next_due = clocks[next_clock] if next_clock else None
    due_place = place_of(next_due, request_id) if next_due else f"{_NEVER}.{request_id}"
    if closed_at:
        due_place = closed_place(closed_at, request_id)
    urgency = _URGENCY.index(Priority(last.get("priority", Priority.NORMAL)))
    urgent_place = f"{0 if last.get('emergency') else 1}{urgency}.{due_place}"
    return {
        "next_due": next_due,
        "next_clock": next_clock,
        "due_place": due_place if last else None,
        "urgent_place": urgent_place if last else None,
    }


def closed_place(closed_at: datetime, request_id: str = "") -> str:
    """
    Where what is closed stands in a department's list: behind all that is open, the latest first.
    """
    return f"~{newest_first(closed_at, request_id)}"


def _search(request_id: str, service_code: str | None, body: Document) -> str:
    """
    What is looked for by words, folded: number, names of the service, place, the citizen's words.
    """
    service = catalogue().services.get(service_code or "")
    names = (service.tr, service.en) if service else ()
    said = (body.get(name) for name in ("neighbourhood", "address", "text"))
    return plain("\n".join(part for part in (request_id, grouped(request_id), *names, *said) if part))


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
                    "on_time": entry.get("on_time", judged_at <= resolve_by if resolve_by else None),
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
    ended = [entry for entry in messages if entry["outcome"] not in ("delivered", "read")]
    first = max((entry for entry in ended if entry["transition"] == "received"), key=_attempt, default=None)
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
