"""
What is to be told of an event, to whom, and when. Pure.
"""

from dataclasses import replace
from datetime import datetime

from services.common.contracts.envelope import Metadata
from services.common.contracts.events import Lifecycle, RequestEscalated
from services.common.contracts.ids import CONTACT_NONE
from services.common.contracts.vocabulary import TRIAGE_DEPARTMENT, NotifyVia, Status
from services.notify.choosing import choose
from services.notify.domain import STAFF, Contact, Reason, Row, Rules, State, Telling, merge, park, put, queue, suppress
from services.notify.transitions import ASSIGNED, RECEIVED, facts_of, transition_of


def absorb(
    telling: Telling, meta: Metadata, event: Lifecycle, contact: Contact | None, now: datetime, rules: Rules
) -> Telling:
    """
    Add what is to be told of an event; a repeat changes nothing (the same object comes back).

    ``received`` waits ``rules.hold`` for the department's name. If the first assignment comes before it left the house,
    the two become one message and ``assigned`` ends as merged, in whichever order they arrive. A request that comes
    back to triage is nothing new for its citizen: the department is looked for again.
    """
    transition = transition_of(event)
    if transition is None or telling.find(transition) is not None:
        return telling
    row = Row(
        transition=transition,
        recipient=event.contact_id or CONTACT_NONE,
        seq=event.seq,
        cause=meta.id,
        correlation_id=meta.correlation_id,
        facts=facts_of(event),
        state=State.WAITING,
        at=event.occurred_at,
    )
    if isinstance(event, RequestEscalated):
        row = replace(row, recipient=f"{STAFF}{event.department or TRIAGE_DEPARTMENT}:{event.level}")
    if row.kind == ASSIGNED and event.status is Status.TRIAGE and transition != ASSIGNED:
        return suppress(telling, row, Reason.INTERNAL, now)
    if now - event.occurred_at > rules.max_age:
        return suppress(telling, row, Reason.TOO_OLD, now)
    if row.recipient == CONTACT_NONE:
        return suppress(telling, row, Reason.NO_CONTACT, now)
    if row.for_staff:
        return queue(telling, row, NotifyVia.EMAIL, now, now)
    due_at = now
    if transition == RECEIVED:
        assigned = telling.find(ASSIGNED)
        if assigned is None:
            alone = all(other.for_staff for other in telling.rows)
            due_at = max(now, event.occurred_at + rules.hold) if alone else now
        elif assigned.untouched:
            row = replace(row, facts=assigned.facts)
            telling = merge(telling, assigned, RECEIVED, now)
        elif assigned.state in (State.SENDING, State.SENT, State.WAITING):
            return merge(telling, row, ASSIGNED, now)
    else:
        received = telling.find(RECEIVED)
        if received is None:
            due_at = max(now, event.occurred_at + rules.hold) if transition == ASSIGNED else now
        elif received.untouched:
            released = replace(received, due_at=min(received.due_at or now, now))
            if transition == ASSIGNED:
                telling = put(telling, replace(released, facts=row.facts))
                return merge(telling, row, RECEIVED, now)
            telling = put(telling, released)
    return address(telling, row, contact, due_at, now, rules)


def address(
    telling: Telling, row: Row, contact: Contact | None, due_at: datetime, now: datetime, rules: Rules
) -> Telling:
    """
    Park the row, or give it a channel, or suppress it.
    """
    if contact is None:
        return park(telling, row, now, rules)
    choice = choose(contact)
    if isinstance(choice, Reason):
        return suppress(telling, row, choice, now)
    return queue(telling, row, choice, due_at, now)
