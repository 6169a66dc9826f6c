"""
What is to be told of an event, to whom, and when. Pure.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

from services.common.contracts.envelope import Metadata
from services.common.contracts.events import (
    Lifecycle,
    MessageWanted,
    RequestEscalated,
    RequestRegistered,
    RequestReopened,
)
from services.common.contracts.ids import CONTACT_NONE
from services.common.contracts.vocabulary import ANSWERS, TRIAGE_DEPARTMENT, NotifyVia, Outcome, Saying, Status
from services.notify.choosing import choose
from services.notify.domain import PARTNER, SAYING, STAFF, Contact, Offer, Reason, Row, Rules, State, Telling
from services.notify.ledger import merge, park, put, queue, suppress
from services.notify.transitions import (
    ASSIGNED,
    CLOSING,
    ESCALATED,
    EXTENDED,
    RECEIVED,
    REMINDED,
    Facts,
    facts_of,
    transition_of,
)

# Who was answered is asked how they liked it; who withdrew, or had no need of their own, is not.
_RATED: Final = (ANSWERS - {Outcome.INVALID}) | {Outcome.REFERRED}
_NOT_FOR_PARTNERS: Final = frozenset({REMINDED, ESCALATED})


def absorb(
    telling: Telling,
    meta: Metadata,
    event: Lifecycle,
    contact: Contact | None,
    now: datetime,
    rules: Rules,
    partners: frozenset[str] = frozenset(),
) -> Telling:
    """
    Add what is to be told of an event; a repeat changes nothing (the same object comes back).

    ``received`` waits ``rules.hold`` for the department's name. If the first assignment comes before it left the house,
    the two become one message and ``assigned`` ends as merged, in whichever order they arrive. A request that comes
    back to triage is nothing new for its citizen: the department is looked for again. If one of ``partners`` posted the
    request, its system hears of each step by itself, at once, also of those that came before it was known whose it is.
    """
    transition = transition_of(event)
    if transition is None or telling.find(transition) is not None:
        return telling
    row = _row(transition, meta, event, rules)
    if isinstance(event, RequestRegistered) and event.adapter in partners:
        telling = replace(telling, partner=event.adapter)
        for earlier in telling.rows:
            if earlier.reason != Reason.INTERNAL:
                telling = _tell_partner(telling, earlier, now, rules)
    if row.kind == ASSIGNED and event.status is Status.TRIAGE and transition != ASSIGNED:
        return suppress(telling, row, Reason.INTERNAL, now)
    telling = _tell_partner(telling, row, now, rules)
    if _too_old(row, now, rules):
        return suppress(telling, row, Reason.TOO_OLD, now)
    if row.recipient == CONTACT_NONE:
        return suppress(telling, row, Reason.NO_CONTACT, now)
    if row.for_staff:
        return queue(telling, row, NotifyVia.EMAIL, now, now)
    due_at = now
    if transition == RECEIVED:
        assigned = telling.find(ASSIGNED)
        if assigned is None:
            alone = not any(other.for_citizen for other in telling.rows)
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


def absorb_wanted(
    telling: Telling, meta: Metadata, wanted: MessageWanted, contact: Contact | None, now: datetime, rules: Rules
) -> Telling:
    """
    Add what intake wants said in a conversation; a repeat changes nothing (the same object comes back).
    """
    row = Row(
        transition=f"{SAYING}{wanted.say}",
        recipient=wanted.contact_id,
        seq=1,
        cause=meta.id,
        correlation_id=meta.correlation_id,
        facts=Facts(status=None, emergency=wanted.say is Saying.DANGER),
        state=State.WAITING,
        at=wanted.wanted_at,
        until=wanted.until,
        answers_them=True,
        offers=tuple(Offer(option.id, option.request_id, option.service_code) for option in wanted.options),
        answers=wanted.answers,
        about=wanted.request_id,
    )
    if telling.find(row.transition) is not None:
        return telling
    if _too_old(row, now, rules):
        return suppress(telling, row, Reason.TOO_OLD, now)
    if row.recipient == CONTACT_NONE:
        return suppress(telling, row, Reason.NO_CONTACT, now)
    return address(telling, row, contact, now, now, rules)


def address(
    telling: Telling, row: Row, contact: Contact | None, due_at: datetime, now: datetime, rules: Rules
) -> Telling:
    """
    Park the row, or give it a channel, or suppress it.
    """
    if contact is None:
        return park(telling, row, now, rules)
    choice = choose(contact, statutory=row.statutory)
    if isinstance(choice, Reason):
        return suppress(telling, row, choice, now)
    return queue(telling, row, choice, due_at, now)


def _row(transition: str, meta: Metadata, event: Lifecycle, rules: Rules) -> Row:
    """
    The message about an event, with what its manners depend on.
    """
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
        return replace(row, recipient=f"{STAFF}{event.department or TRIAGE_DEPARTMENT}:{event.level}")
    return replace(
        row,
        statutory=row.kind == EXTENDED or (row.kind == CLOSING and event.legal is not None),
        answers_them=_answers_them(event, rules),
        survey=row.kind == CLOSING and event.outcome in _RATED,
    )


def _answers_them(event: Lifecycle, rules: Rules) -> bool:
    """
    Whether it answers what the citizen just did: opened the request again themselves, or wrote it minutes ago.
    """
    if isinstance(event, RequestReopened):
        return event.action is None
    return event.received_at is not None and event.occurred_at - event.received_at <= rules.answers_for


def _tell_partner(telling: Telling, row: Row, now: datetime, rules: Rules) -> Telling:
    """
    Add the same for the partner's system, if the request came from one.
    """
    if telling.partner is None or row.kind in _NOT_FOR_PARTNERS or row.for_partner:
        return telling
    told = Row(
        transition=row.transition,
        recipient=f"{PARTNER}{telling.partner}",
        seq=row.seq,
        cause=row.cause,
        correlation_id=row.correlation_id,
        facts=replace(row.facts, question=None),
        state=State.WAITING,
        at=row.at,
    )
    if _too_old(told, now, rules):
        return suppress(telling, told, Reason.TOO_OLD, now)
    return queue(telling, told, NotifyVia.WEBHOOK, now, now)


def _too_old(row: Row, now: datetime, rules: Rules) -> bool:
    """
    Whether nobody wants to hear it any more.
    """
    too_late = row.until is not None and now > row.until
    return too_late or (row.at is not None and now - row.at > rules.max_age)
