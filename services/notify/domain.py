"""
What to tell whom, when and how: pure functions over one ``Telling``, everything that is told about one request.

A telling is one document, so "received" and "assigned" can be merged in one write. A message (``Row``) is parked until
its contact has arrived, waits until it is due, is in somebody's hand while it is sent, and ends exactly once: sent,
failed or suppressed. The event that says so is put into ``outbox``, as bytes, by the same write. Staff hear in the same
way; who they are stands in a file (``staff.py``), so a message to them is never parked.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final

import phonenumbers

from services.common.contracts.envelope import Metadata, Record, encode
from services.common.contracts.events import (
    ContactChanged,
    Lifecycle,
    Notification,
    NotificationFailed,
    NotificationQueued,
    NotificationSent,
    NotificationSuppressed,
    RequestEscalated,
)
from services.common.contracts.ids import CONTACT_NONE, derived_id
from services.common.contracts.topics import NOTIFICATIONS
from services.common.contracts.vocabulary import TRIAGE_DEPARTMENT, Language, NotifyVia, Status
from services.notify.transitions import ASSIGNED, CLOSING, RECEIVED, Facts, facts_of, transition_of

SOURCE: Final = "/notify"
STAFF: Final = "staff:"
QUEUED_AFTER: Final = timedelta(seconds=1)  # what is sent within a second is published together with its outcome


class State(StrEnum):
    """
    Where a message is. The last three are final.
    """

    PARKED = "parked"
    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    SUPPRESSED = "suppressed"


OPEN: Final = frozenset({State.PARKED, State.WAITING, State.SENDING})


class Reason(StrEnum):
    """
    Why a message was suppressed, or why it failed.
    """

    NO_CONTACT = "no_contact"
    NO_ADDRESS = "no_address"
    NOT_WANTED = "not_wanted"
    PHONE_ONLY = "phone_only"
    ERASED = "erased"
    MERGED = "merged"
    INTERNAL = "internal"
    TOO_OLD = "too_old"
    CONTACT_MISSING = "contact_missing"
    BAD_ADDRESS = "bad_address"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Rules:
    """
    The times of settings.py.
    """

    hold: timedelta = timedelta(seconds=30)
    parking: timedelta = timedelta(minutes=15)
    recheck: timedelta = timedelta(seconds=5)
    retry_for: timedelta = timedelta(hours=1)
    max_age: timedelta = timedelta(days=7)
    lease: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Contact:
    """
    How to reach a citizen, as of ``at``. An erased one has nothing but its id.
    """

    id: str
    at: datetime
    erased: bool = False
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    whatsapp_id: str | None = None
    language: Language = Language.TR
    notify_via: NotifyVia | None = None
    phone_hash: str | None = None
    email_hash: str | None = None
    whatsapp_hash: str | None = None

    @classmethod
    def of(cls, event: ContactChanged) -> "Contact":
        """
        The contact that an event gives.
        """
        given = {name: getattr(event, name) for name in cls.__slots__ if name not in ("id", "at", "erased")}
        return cls(event.contact_id, event.changed_at, **given)

    def supersedes(self, other: "Contact") -> bool:
        """
        The later one wins; at the same moment an erasure does.
        """
        return (self.at, self.erased) > (other.at, other.erased)


def newest(contacts: Iterable[Contact]) -> dict[str, Contact]:
    """
    The one that counts of each contact, whatever their order.
    """
    found: dict[str, Contact] = {}
    for contact in contacts:
        if contact.id not in found or contact.supersedes(found[contact.id]):
            found[contact.id] = contact
    return found


# --- the channel ---

# In this order, if the citizen named no wish or the wish cannot be met: the written channel people look at soonest.
PREFERRED: Final = (NotifyVia.WHATSAPP, NotifyVia.SMS, NotifyVia.EMAIL)
_MOBILE: Final = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)


@lru_cache(maxsize=4096)
def takes_sms(phone: str) -> bool:
    """
    Whether the number (E.164) is a mobile one. A landline or a 444 number is not.
    """
    try:
        number = phonenumbers.parse(phone, None)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.number_type(number) in _MOBILE


def address_of(contact: Contact, channel: NotifyVia) -> str | None:
    """
    Where a message on this channel goes, or None if the contact cannot be reached so.
    """
    if channel is NotifyVia.EMAIL:
        return contact.email
    if channel is NotifyVia.WHATSAPP:
        return contact.whatsapp_id
    if channel is NotifyVia.SMS and contact.phone and takes_sms(contact.phone):
        return contact.phone
    return None


def choose(contact: Contact) -> NotifyVia | Reason:
    """
    The channel to write on, or why nothing is written.

    | contact                                       | answer                                  |
    |-----------------------------------------------|-----------------------------------------|
    | erased                                        | erased                                  |
    | wishes ``none``                               | not_wanted                              |
    | wishes ``phone``                              | phone_only (the call-back list)         |
    | wishes a channel on which it can be reached   | that channel                            |
    | otherwise                                     | the first reachable of whatsapp, sms, email |
    | only a landline or 444 number                 | phone_only                              |
    | nothing at all                                | no_address                              |
    """
    if contact.erased:
        return Reason.ERASED
    if contact.notify_via is NotifyVia.NONE:
        return Reason.NOT_WANTED
    if contact.notify_via is NotifyVia.PHONE:
        return Reason.PHONE_ONLY
    if contact.notify_via is not None and address_of(contact, contact.notify_via):
        return contact.notify_via
    for channel in PREFERRED:
        if address_of(contact, channel):
            return channel
    return Reason.PHONE_ONLY if contact.phone else Reason.NO_ADDRESS


# --- messages ---


@dataclass(frozen=True, slots=True)
class Row:
    """
    One message: its identity (transition, recipient, attempt), its state, and what it says.

    ``due_at`` is when to look at it next: to send it, to look for its contact, or because its sender has not come back.
    After ``give_up_at`` it fails. ``claim`` is the token of who has it in hand. ``at`` is when what it tells happened.
    """

    transition: str
    recipient: str
    seq: int
    cause: str
    correlation_id: str
    facts: Facts
    state: State
    at: datetime | None = None
    due_at: datetime | None = None
    give_up_at: datetime | None = None
    attempt: int = 1
    tries: int = 0
    claim: str | None = None
    channel: NotifyVia | None = None
    reason: str | None = None
    superseded_by: str | None = None
    provider_id: str | None = None

    @property
    def kind(self) -> str:
        """
        The transition without its number.
        """
        return self.transition.partition(".")[0]

    @property
    def for_staff(self) -> bool:
        """
        Whether it goes to a member of staff.
        """
        return self.recipient.startswith(STAFF)

    @property
    def untouched(self) -> bool:
        """
        Nothing of it can have left the house yet.
        """
        return self.state in (State.PARKED, State.WAITING) and self.tries == 0

    def repeats_on(self, channel: NotifyVia | None) -> bool:
        """
        Whether it may go out on this channel although it is unknown if it went out already (design.md 4): a mail as a
        mail, for it has the same Message-ID; what is urgent or the last word on every channel.
        """
        if self.facts.emergency or self.kind == CLOSING:
            return True
        return self.channel is NotifyVia.EMAIL and channel in (NotifyVia.EMAIL, None)


@dataclass(frozen=True, slots=True)
class Telling:
    """
    All messages about one request, and the events about them that Kafka has not acknowledged yet.
    """

    request_id: str
    rows: tuple[Row, ...] = ()
    outbox: tuple[Record, ...] = ()
    publish_at: datetime | None = None
    rev: int = 0

    def find(self, transition: str) -> Row | None:
        """
        The first attempt at telling a transition.
        """
        return next((row for row in self.rows if row.transition == transition and row.attempt == 1), None)

    @property
    def next_at(self) -> datetime | None:
        """
        When to look at the telling again. One message at a time: while one is being sent, the others wait for it.
        """
        in_hand = [row.due_at for row in self.rows if row.state is State.SENDING and row.due_at]
        return min(in_hand or [row.due_at for row in self.rows if row.state in OPEN and row.due_at], default=None)

    @property
    def parked_for(self) -> list[str]:
        """
        The contacts it waits for.
        """
        return sorted({row.recipient for row in self.rows if row.state is State.PARKED})

    def in_hand(self, claim: str) -> Row | None:
        """
        The message that was taken with this token.
        """
        return next((row for row in self.rows if row.state is State.SENDING and row.claim == claim), None)


def key_of(request_id: str, row: Row) -> str:
    """
    The key under which a provider gets the message: the same for ever, so that a repeat can be recognised.
    """
    return derived_id("notify", request_id, row.transition, row.recipient, str(row.attempt))


def _put(telling: Telling, row: Row) -> Telling:
    identity = (row.transition, row.recipient, row.attempt)
    others = [r for r in telling.rows if (r.transition, r.recipient, r.attempt) != identity]
    return replace(telling, rows=tuple(sorted([*others, row], key=lambda r: (r.seq, r.transition, r.attempt))))


def _say(telling: Telling, row: Row, kind: type[Notification], now: datetime) -> Telling:
    meta = Metadata(
        id=derived_id(key_of(telling.request_id, row), kind.__name__),
        source=SOURCE,
        time=now,
        subject=telling.request_id,
        correlation_id=row.correlation_id,
        causation_id=row.cause,
    )
    data = kind(
        request_id=telling.request_id,
        transition=row.transition,
        recipient=row.recipient,
        attempt=row.attempt,
        channel=row.channel,
        reason=row.reason,
        superseded_by=row.superseded_by,
        occurred_at=now,
    )
    soon = now + QUEUED_AFTER if kind is NotificationQueued else now
    at = soon if telling.publish_at is None else min(soon, telling.publish_at)
    return replace(telling, outbox=(*telling.outbox, encode(NOTIFICATIONS, meta, data)), publish_at=at)


_FINAL: Final[Mapping[State, type[Notification]]] = {
    State.SENT: NotificationSent,
    State.FAILED: NotificationFailed,
    State.SUPPRESSED: NotificationSuppressed,
}


def _end(telling: Telling, row: Row, state: State, now: datetime, reason: str | None = None) -> Telling:
    ended = replace(row, state=state, reason=reason, due_at=None, give_up_at=None, claim=None)
    return _say(_put(telling, ended), ended, _FINAL[state], now)


def _suppress(telling: Telling, row: Row, reason: Reason, now: datetime) -> Telling:
    return _end(telling, replace(row, channel=None), State.SUPPRESSED, now, reason)


def _merge(telling: Telling, row: Row, into: str, now: datetime) -> Telling:
    return _suppress(telling, replace(row, superseded_by=into), Reason.MERGED, now)


# --- what happened ---


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
        return _suppress(telling, row, Reason.INTERNAL, now)
    if now - event.occurred_at > rules.max_age:
        return _suppress(telling, row, Reason.TOO_OLD, now)
    if row.recipient == CONTACT_NONE:
        return _suppress(telling, row, Reason.NO_CONTACT, now)
    if row.for_staff:
        return _queue(telling, row, NotifyVia.EMAIL, now, now)
    due_at = now
    if transition == RECEIVED:
        assigned = telling.find(ASSIGNED)
        if assigned is None:
            alone = all(other.for_staff for other in telling.rows)
            due_at = max(now, event.occurred_at + rules.hold) if alone else now
        elif assigned.untouched:
            row = replace(row, facts=assigned.facts)
            telling = _merge(telling, assigned, RECEIVED, now)
        elif assigned.state in (State.SENDING, State.SENT, State.WAITING):
            return _merge(telling, row, ASSIGNED, now)
    else:
        received = telling.find(RECEIVED)
        if received is None:
            due_at = max(now, event.occurred_at + rules.hold) if transition == ASSIGNED else now
        elif received.untouched:
            released = replace(received, due_at=min(received.due_at or now, now))
            if transition == ASSIGNED:
                telling = _put(telling, replace(released, facts=row.facts))
                return _merge(telling, row, RECEIVED, now)
            telling = _put(telling, released)
    return _address(telling, row, contact, due_at, now, rules)


def _address(
    telling: Telling, row: Row, contact: Contact | None, due_at: datetime, now: datetime, rules: Rules
) -> Telling:
    """
    Park the row, or give it a channel, or suppress it.
    """
    if contact is None:
        return _park(telling, row, now, rules)
    choice = choose(contact)
    if isinstance(choice, Reason):
        return _suppress(telling, row, choice, now)
    return _queue(telling, row, choice, due_at, now)


def _queue(telling: Telling, row: Row, channel: NotifyVia, due_at: datetime, now: datetime) -> Telling:
    """
    Let the row wait for its time to be sent.
    """
    end = row.give_up_at if row.tries else None
    waiting = replace(row, state=State.WAITING, channel=channel, due_at=due_at, give_up_at=end)
    telling = _put(telling, waiting)
    return telling if row.channel else _say(telling, waiting, NotificationQueued, now)  # what has a channel was queued


def _park(telling: Telling, row: Row, now: datetime, rules: Rules) -> Telling:
    """
    Wait for the contact, until ``give_up_at``.
    """
    end = row.give_up_at or now + rules.parking
    return _put(telling, replace(row, state=State.PARKED, claim=None, due_at=now + rules.recheck, give_up_at=end))


# --- sending ---


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
            telling = _end(telling, row, State.FAILED, now, Reason.UNKNOWN)
            continue
        if contact is None and row.for_staff:
            telling = _end(telling, row, State.FAILED, now, Reason.NO_ADDRESS)
            continue
        if contact is None or choice is None:
            late = row.state is State.PARKED and row.give_up_at is not None and row.give_up_at <= now
            telling = (
                _end(telling, row, State.FAILED, now, Reason.CONTACT_MISSING)
                if late
                else _park(telling, row, now, rules)
            )
            continue
        if row.state is State.PARKED:
            telling = _address(telling, row, contact, now, now, rules)
            row = next(r for r in telling.rows if (r.transition, r.attempt) == (row.transition, row.attempt))
            if row.state is not State.WAITING:
                continue
        if isinstance(choice, Reason):
            telling = _suppress(telling, row, choice, now)
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
        return _put(telling, taken)
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
            return _end(telling, replace(row, provider_id=provider_id), State.SENT, now)
        case Refused(reason):
            return _end(telling, row, State.FAILED, now, reason)
        case Unanswered():
            if not row.repeats_on(row.channel):
                return _end(telling, row, State.FAILED, now, Reason.UNKNOWN)
            return _again(telling, row, "timeout", now)
        case Away(reason):
            return _again(telling, row, reason, now)


def _again(telling: Telling, row: Row, reason: str, now: datetime) -> Telling:
    again = now + pause_after(row.tries)
    if row.give_up_at is not None and again > row.give_up_at:
        return _end(telling, row, State.FAILED, now, Reason.UNREACHABLE)
    return _put(telling, replace(row, state=State.WAITING, due_at=again, claim=None, reason=reason))


def acknowledged(telling: Telling, records: Iterable[Record]) -> Telling:
    """
    Forget the events that Kafka has taken.
    """
    done = {record.headers for record in records}
    left = tuple(record for record in telling.outbox if record.headers not in done)
    return replace(telling, outbox=left, publish_at=telling.publish_at if left else None)
