"""
The ledger: one ``Telling`` is everything that is told about one request (or in one conversation). Pure.

A telling is one document, so "received" and "assigned" can be merged in one write. A message (``Row``) is parked until
its contact has arrived, waits until it is due, is in somebody's hand while it is sent, and ends exactly once: sent,
failed or suppressed. The event that says so is put into ``outbox``, as bytes, by the same write. Staff hear in the same
way; who they are stands in a file (``staff.py``), so a message to them is never parked; partners' systems likewise.
What is said in a conversation is a telling of its own, of which no event is published: it is about no request.
What is done to it stands in ledger.py, what is to be told in planning.py, on which channel in choosing.py, how it
leaves the house in sending.py.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final

from services.common.contracts.envelope import Record
from services.common.contracts.events import (
    ContactChanged,
)
from services.common.contracts.vocabulary import DeliveryStatus, Language, NotifyVia
from services.notify.transitions import CLOSING, Facts

STAFF: Final = "staff:"
PARTNER: Final = "partner:"
SAYING: Final = "say_"
CONVERSATION: Final = "m_"


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
    Why a message was suppressed, why it failed, or (the last two) why it waits.
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
    STOPPED = "stopped"
    SUPERSEDED = "superseded"
    DIGEST = "digest"
    OWN_ADDRESS = "own_address"
    QUIET_HOURS = "quiet_hours"
    DAILY_LIMIT = "daily_limit"


@dataclass(frozen=True, slots=True)
class Rules:
    """
    The times of settings.py.

    ``retry_urgent``: how long an emergency's message is tried on one channel. ``status_wait``: how long the provider's
    own word is waited for after an unknown outcome. ``window``: how long after their last message a person on WhatsApp
    may be written to in our own words. The others are manners (manners.py), in Istanbul's time.
    """

    hold: timedelta = timedelta(seconds=30)
    parking: timedelta = timedelta(minutes=15)
    recheck: timedelta = timedelta(seconds=5)
    retry_for: timedelta = timedelta(hours=4)
    retry_urgent: timedelta = timedelta(minutes=15)
    max_age: timedelta = timedelta(days=7)
    lease: timedelta = timedelta(seconds=45)
    status_wait: timedelta = timedelta(minutes=2)
    window: timedelta = timedelta(hours=24)
    answers_for: timedelta = timedelta(minutes=15)
    quiet_from: time = time(21)
    quiet_until: time = time(8)
    daily_limit: int = 4
    next_day_at: time = time(9)
    survey_every: timedelta = timedelta(days=7)
    own_addresses: frozenset[str] = frozenset()


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

    @property
    def hashes(self) -> tuple[str, ...]:
        """
        By what the person behind it is known; by the contact alone if there is nothing else.
        """
        known = (self.whatsapp_hash, self.phone_hash, self.email_hash)
        return tuple(one for one in known if one is not None) or (self.id,)

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


@dataclass(frozen=True, slots=True)
class Told:
    """
    That a message was taken to be sent: ``key`` is the same for all its attempts. ``counts``: for the daily limit.
    """

    key: str
    at: datetime
    survey: bool = False
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Person:
    """
    What is known of whoever stands behind a contact: when they last wrote on WhatsApp, whether they want no more
    messages, and what they were told lately, as far as it counts for the daily limit or was a survey.
    """

    last_in_at: datetime | None = None
    stopped: bool = False
    told: tuple[Told, ...] = ()

    def window_open(self, now: datetime, rules: Rules) -> bool:
        """
        Whether WhatsApp lets us write in our own words.
        """
        return self.last_in_at is not None and now - self.last_in_at < rules.window


@dataclass(frozen=True, slots=True)
class Offer:
    """
    Something that the reader can choose, as intake asked for it.
    """

    id: str
    request_id: str | None = None
    service_code: str | None = None


@dataclass(frozen=True, slots=True)
class Carried:
    """
    A message about another request that is told with this one.
    """

    request_id: str
    transition: str
    facts: Facts
    at: datetime | None = None

    @property
    def key(self) -> str:
        """
        Which message it is, among all of one recipient.
        """
        return f"{self.request_id}/{self.transition}"


@dataclass(frozen=True, slots=True)
class Row:
    """
    One message: its identity (transition, recipient, attempt), its state, and what it says.

    ``due_at`` is when to look at it next: to send it, to look for its contact, or because its sender has not come back.
    After ``give_up_at`` it fails. ``claim`` is the token of who has it in hand. ``at`` is when what it tells happened.

    ``until``: afterwards it is not worth saying. ``statutory``: the law wants it told. ``answers_them``: it answers
    what the person just did. ``survey``: it asks for stars. ``offers``, ``answers`` (a message, as its provider names
    it) and ``about`` (a request) are what intake wants said in a conversation. ``held``: why manners let it wait,
    ``held_for`` whom, by keyed hash; ``carries``: what else is told with it, because it waited for the same morning;
    ``carried_by``: which other message (request/transition) it is promised to.
    ``counted``: it counts for the daily limit. ``doubtful``: nobody knows what became of one of its tries.
    ``reached``: how far the provider says that it came. ``ask_at``: when to ask the provider next, ``asked`` how often
    that was done.
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
    until: datetime | None = None
    statutory: bool = False
    answers_them: bool = False
    survey: bool = False
    offers: tuple[Offer, ...] = ()
    answers: str | None = None
    about: str | None = None
    held: str | None = None
    held_for: str | None = None
    carries: tuple[Carried, ...] = ()
    carried_by: str | None = None
    counted: bool = False
    doubtful: bool = False
    reached: DeliveryStatus | None = None
    sent_at: datetime | None = None
    ask_at: datetime | None = None
    asked: int = 0

    @property
    def identity(self) -> tuple[str, str, int]:
        """
        What makes it this message and no other.
        """
        return self.transition, self.recipient, self.attempt

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
    def for_partner(self) -> bool:
        """
        Whether it goes to a partner's system.
        """
        return self.recipient.startswith(PARTNER)

    @property
    def for_citizen(self) -> bool:
        """
        Whether it goes to a citizen, whose contact may come later.
        """
        return not (self.for_staff or self.for_partner)

    @property
    def saying(self) -> bool:
        """
        Whether it is said in a conversation.
        """
        return self.transition.startswith(SAYING)

    @property
    def untouched(self) -> bool:
        """
        Nothing of it can have left the house yet.
        """
        open_still = self.state in (State.PARKED, State.WAITING) and self.tries == 0
        return open_still and not (self.carries or self.carried_by)

    def repeats_on(self, channel: NotifyVia | None) -> bool:
        """
        Whether it may go out on this channel although it is unknown if it went out already (design.md 4): a mail as a
        mail and a webhook as a webhook, for they have the same id; what is urgent or the last word on every channel.
        """
        if self.facts.emergency or self.kind == CLOSING:
            return True
        return self.channel in (NotifyVia.EMAIL, NotifyVia.WEBHOOK) and channel in (self.channel, None)


@dataclass(frozen=True, slots=True)
class Telling:
    """
    All messages about one request, and the events about them that Kafka has not acknowledged yet. In a conversation
    ``request_id`` is ``m_`` and what was wanted. ``partner``: whose system posted the request and hears of it.
    """

    request_id: str
    rows: tuple[Row, ...] = ()
    outbox: tuple[Record, ...] = ()
    publish_at: datetime | None = None
    rev: int = 0
    partner: str | None = None

    @property
    def conversation(self) -> bool:
        """
        Whether it is what was said in a conversation, of which nothing is published.
        """
        return self.request_id.startswith(CONVERSATION)

    @property
    def recipients(self) -> frozenset[str]:
        """
        Whom its messages go to.
        """
        return frozenset(row.recipient for row in self.rows)

    def find(self, transition: str) -> Row | None:
        """
        The first attempt at telling a transition; a partner's system hears beside.
        """
        firsts = (row for row in self.rows if row.attempt == 1 and not row.for_partner)
        return next((row for row in firsts if row.transition == transition), None)

    def tried(self, row: Row) -> frozenset[NotifyVia]:
        """
        The channels on which earlier attempts at this message were made.
        """
        earlier = (r for r in self.rows if r.identity[:2] == row.identity[:2] and r.attempt < row.attempt)
        return frozenset(one.channel for one in earlier if one.channel is not None)

    @property
    def next_at(self) -> datetime | None:
        """
        When to look at the telling again. One message at a time: while one is being sent to somebody, the others to
        them wait for it.
        """
        busy = {row.recipient for row in self.rows if row.state is State.SENDING}
        open_rows = [row for row in self.rows if row.due_at and row.state in OPEN]
        looked_at = [row.due_at for row in open_rows if row.state is State.SENDING or row.recipient not in busy]
        return min(filter(None, looked_at), default=None)

    def due(self, now: datetime) -> bool:
        """
        Whether it has to be looked at by now.
        """
        return self.next_at is not None and self.next_at <= now

    @property
    def ask_at(self) -> datetime | None:
        """
        When to ask a provider what became of one of its messages.
        """
        return min((row.ask_at for row in self.rows if row.ask_at), default=None)

    @property
    def parked_for(self) -> list[str]:
        """
        The contacts it waits for.
        """
        return sorted({row.recipient for row in self.rows if row.state is State.PARKED})

    @property
    def held_for(self) -> list[str]:
        """
        The persons for whom messages of it wait for a better time.
        """
        return sorted({row.held_for for row in self.rows if row.state in OPEN and row.held and row.held_for})

    def in_hand(self, claim: str) -> Row | None:
        """
        The message that was taken with this token.
        """
        return next((row for row in self.rows if row.state is State.SENDING and row.claim == claim), None)
