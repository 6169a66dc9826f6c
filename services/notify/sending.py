"""
How messages leave the house: taken into hand, sent once, and what became of them. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.common.contracts.envelope import Record
from services.common.contracts.vocabulary import NotifyVia
from services.notify.choosing import choose
from services.notify.domain import OPEN, Contact, Reason, Row, Rules, State, Telling, end, park, put, suppress
from services.notify.planning import address


def take(telling: Telling, contacts: Mapping[str, Contact], claim: str, now: datetime, rules: Rules) -> Telling:
    """
    Take the first message that is due into hand, under the token ``claim``. What cannot be sent ends here: its contact
    did not come, was erased, or does not want to hear. A message whose sender did not come back is taken again if it
    may be repeated, and fails as unknown otherwise. A contact that is not in ``contacts`` has not been looked up or has
    not come, for an erased one is there: its message is parked. Staff that is not there does not exist: its message
    fails.
    """
    if any(row.state is State.SENDING and row.due_at and row.due_at > now for row in telling.rows):
        return telling
    for row in sorted(telling.rows, key=lambda r: r.state is not State.SENDING):  # stable: what was begun comes first
        contact = contacts.get(row.recipient)
        arrived = row.state is State.PARKED and contact is not None
        if row.state not in OPEN or row.due_at is None or (row.due_at > now and not arrived):
            continue
        choice = None if contact is None else choose(contact)
        if row.state is State.SENDING and not row.repeats_on(choice if isinstance(choice, NotifyVia) else None):
            telling = end(telling, row, State.FAILED, now, Reason.UNKNOWN)
            continue
        if contact is None and row.for_staff:
            telling = end(telling, row, State.FAILED, now, Reason.NO_ADDRESS)
            continue
        if contact is None or choice is None:
            late = row.state is State.PARKED and row.give_up_at is not None and row.give_up_at <= now
            telling = (
                end(telling, row, State.FAILED, now, Reason.CONTACT_MISSING) if late else park(telling, row, now, rules)
            )
            continue
        if row.state is State.PARKED:
            telling = address(telling, row, contact, now, now, rules)
            row = next(r for r in telling.rows if (r.transition, r.attempt) == (row.transition, row.attempt))
            if row.state is not State.WAITING:
                continue
        if isinstance(choice, Reason):
            telling = suppress(telling, row, choice, now)
            continue
        taken = replace(
            row,
            state=State.SENDING,
            channel=choice,
            claim=claim,
            tries=row.tries + 1,
            due_at=now + rules.lease,
            give_up_at=row.give_up_at or now + rules.retry_for,
        )
        return put(telling, taken)
    return telling


@dataclass(frozen=True, slots=True)
class Handed:
    """
    The provider took it.
    """

    provider_id: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """
    The provider will never take it.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Away:
    """
    The provider cannot take it now.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """
    The provider did not answer in time: nobody knows whether it took it.
    """


Result = Handed | Refused | Away | Unanswered


def pause_after(tries: int) -> timedelta:
    """
    How long to wait before the next try: 2 s, 4 s, 8 s … at most 5 minutes.
    """
    return timedelta(seconds=min(2.0**tries, 300.0))


def settle(telling: Telling, claim: str, result: Result, now: datetime) -> Telling:
    """
    Put down what became of the message taken with ``claim``. Changes nothing if somebody else has it by now.
    """
    row = telling.in_hand(claim)
    if row is None:
        return telling
    match result:
        case Handed(provider_id):
            return end(telling, replace(row, provider_id=provider_id), State.SENT, now)
        case Refused(reason):
            return end(telling, row, State.FAILED, now, reason)
        case Unanswered():
            if not row.repeats_on(row.channel):
                return end(telling, row, State.FAILED, now, Reason.UNKNOWN)
            return _again(telling, row, "timeout", now)
        case Away(reason):
            return _again(telling, row, reason, now)


def _again(telling: Telling, row: Row, reason: str, now: datetime) -> Telling:
    again = now + pause_after(row.tries)
    if row.give_up_at is not None and again > row.give_up_at:
        return end(telling, row, State.FAILED, now, Reason.UNREACHABLE)
    return put(telling, replace(row, state=State.WAITING, due_at=again, claim=None, reason=reason))


def acknowledged(telling: Telling, records: Iterable[Record]) -> Telling:
    """
    Forget the events that Kafka has taken.
    """
    done = {record.headers for record in records}
    left = tuple(record for record in telling.outbox if record.headers not in done)
    return replace(telling, outbox=left, publish_at=telling.publish_at if left else None)
