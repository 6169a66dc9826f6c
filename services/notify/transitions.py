"""
Which events are told, to whom, and what their messages are made from. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from services.common.contracts.events import (
    CitizenReminded,
    LegalExtended,
    Lifecycle,
    MasterProgressed,
    RequestAssigned,
    RequestEscalated,
    RequestRegistered,
    RequestReopened,
    StatusChanged,
)
from services.common.contracts.vocabulary import CLOSED, Clock, Level, Outcome, Status

RECEIVED: Final = "received"
ASSIGNED: Final = "assigned"
CLOSING: Final = "closed"
ACCEPTED: Final = "accepted"
IN_PROGRESS: Final = "in_progress"
SCHEDULED: Final = "scheduled"
ASKED: Final = "asked"
REMINDED: Final = "reminded"
WAITING: Final = "waiting"
EXTENDED: Final = "extended"
REOPENED: Final = "reopened"
FOLLOWED: Final = "followed"
ESCALATED: Final = "escalated"

_OF_STATUS: Final[Mapping[Status, str]] = {
    Status.ACCEPTED: ACCEPTED,
    Status.IN_PROGRESS: IN_PROGRESS,
    Status.SCHEDULED: SCHEDULED,
    Status.WAITING_CITIZEN: ASKED,
    Status.WAITING_EXTERNAL: WAITING,
}
_OF_TYPE: Final[Mapping[type[Lifecycle], str]] = {
    CitizenReminded: REMINDED,
    LegalExtended: EXTENDED,
    RequestReopened: REOPENED,
    MasterProgressed: FOLLOWED,
    RequestEscalated: ESCALATED,
}
_IF_SOMETHING_IS_SAID: Final = frozenset({ACCEPTED, IN_PROGRESS})
_OF_A_PART: Final = frozenset({ASKED, REMINDED, ESCALATED})
_FOLLOWED: Final = CLOSED | {Status.SCHEDULED, Status.REOPENED}


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What the text of a message is made from. Nothing that a citizen wrote.

    ``status`` is the master's where a duplicate's citizen hears of it. ``answer``: the public text. ``day``: when
    somebody comes, by when the law's answer is there, or for staff by when it should have been done. ``body``,
    ``written_on`` and ``reference``: another body. ``since``: when the request came in, as far as it is known.
    """

    status: Status | None
    department: str | None = None
    service_code: str | None = None
    outcome: Outcome | None = None
    answer: str | None = None
    emergency: bool = False
    question: str | None = None
    day: datetime | None = None
    body: str | None = None
    written_on: date | None = None
    reference: str | None = None
    neighbourhood: str | None = None
    since: datetime | None = None
    clock: Clock | None = None
    level: Level | None = None


def transition_of(event: Lifecycle) -> str | None:
    """
    What is told of an event, or None. A second assignment or closing is ``assigned.2``, ``closed.2``; all others but
    ``received`` end with the event's seq: ``asked.5``.

    | event | transition | who hears |
    |---|---|---|
    | RequestRegistered | received | the citizen |
    | RequestAssigned | assigned | the citizen |
    | RequestAssigned back to triage | assigned | nobody: Suppressed(internal) |
    | StatusChanged to accepted or in_progress, with a text | accepted, in_progress | the citizen |
    | StatusChanged to accepted or in_progress, without | – | nobody |
    | StatusChanged to scheduled | scheduled | the citizen |
    | StatusChanged to waiting_citizen | asked | the citizen |
    | CitizenReminded | reminded | the citizen |
    | StatusChanged to waiting_external | waiting | the citizen |
    | LegalExtended | extended | the citizen |
    | StatusChanged to a closed state | closed | the citizen |
    | RequestReopened | reopened | the citizen |
    | MasterProgressed: scheduled, closed or reopened | followed | the duplicate's citizen |
    | MasterProgressed: anything else | – | nobody |
    | RequestEscalated | escalated | ``staff:<department>:<level>`` |
    | of a sub-request: asked, reminded, escalated | as above | as above |
    | of a sub-request: anything else | – | nobody: the citizen hears with the request itself |
    | NoteAdded, ReplyReceived, FollowerAdded, DuplicateReceived, UpdateRefused | – | nobody |

    A public text belongs to the state that it came with (routing clears it at the next), so it is never an old one.
    """
    kind = _kind_of(event)
    if kind is None or (event.parent_id is not None and kind not in _OF_A_PART):
        return None
    if kind == RECEIVED:
        return RECEIVED
    if kind in (ASSIGNED, CLOSING):
        number = event.assignments if kind == ASSIGNED else event.closings
        return kind if number <= 1 else f"{kind}.{number}"
    return f"{kind}.{event.seq}"


def _kind_of(event: Lifecycle) -> str | None:
    match event:
        case RequestRegistered():
            return RECEIVED
        case RequestAssigned():
            return ASSIGNED
        case StatusChanged(status=status) if status in CLOSED:
            return CLOSING if event.previous_status not in CLOSED else None
        case StatusChanged(status=status) if status is not None:
            kind = _OF_STATUS.get(status)
            return None if kind in _IF_SOMETHING_IS_SAID and not (event.public_text or "").strip() else kind
        case MasterProgressed(master_status=status):
            return FOLLOWED if status in _FOLLOWED else None
    return _OF_TYPE.get(type(event))


def facts_of(event: Lifecycle) -> Facts:
    """
    What the message about an event is made from. Staff read nothing that was written to a citizen.
    """
    body = event.referred_to
    facts = Facts(
        status=event.status,
        department=event.department,
        service_code=event.service_code,
        outcome=event.outcome,
        answer=event.public_text,
        emergency=event.emergency,
        question=event.question,
        day=event.planned_for,
        body=body.body if body else None,
        written_on=body.on if body else None,
        reference=body.reference if body else None,
    )
    match event:
        case MasterProgressed(master_status=status):
            return replace(facts, status=status)
        case LegalExtended(legal=legal):
            return replace(facts, day=legal.due_at if legal else None)
        case RequestEscalated(clock=clock, level=level):
            return Facts(
                status=event.status,
                department=event.department,
                service_code=event.service_code,
                emergency=event.emergency,
                day=_deadline(event),
                neighbourhood=event.neighbourhood,
                since=event.received_at,
                clock=clock,
                level=level,
            )
    return facts


def _deadline(event: RequestEscalated) -> datetime:
    """
    By when it should have been done. The event's own ``due_at`` is when this step of the escalation was due.
    """
    due, legal = event.due, event.legal
    found = {
        Clock.ACCEPTANCE: due and due.accept_by,
        Clock.PLAN: event.planned_for,
        Clock.RESOLUTION: due and due.resolve_by,
        Clock.LEGAL: legal and legal.due_at,
    }[event.clock]
    return found or event.due_at
