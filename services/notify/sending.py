"""
How messages leave the house: taken into hand, sent once, and what became of them. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from services.common.contracts.envelope import Record
from services.common.contracts.ids import derived_id
from services.common.contracts.vocabulary import NotifyVia
from services.notify import choosing, manners
from services.notify.domain import OPEN, Contact, Person, Reason, Row, Rules, State, Telling, Told
from services.notify.ledger import end, key_of, park, put, queue, suppress, told_key
from services.notify.manners import Go, Never, Wait

NOBODY: Final = Person()
STRANGERS: Final[Mapping[str, Person]] = MappingProxyType({})


def take(
    telling: Telling,
    contacts: Mapping[str, Contact],
    claim: str,
    now: datetime,
    rules: Rules,
    people: Mapping[str, Person] = STRANGERS,
) -> Telling:
    """
    Take the first message that is due into hand, under the token ``claim``. What cannot be sent ends here: its contact
    did not come, was erased, or does not want to hear; what had better wait goes on waiting. A contact that is not in
    ``contacts`` has not been looked up or has not come, for an erased one is there: its message is parked. Staff and
    partners that are not there do not exist: their message fails.

    After a try of which nobody knows what became, the provider's own word is waited for if it gives one; then the
    message is taken again if it may be repeated, and fails as unknown otherwise.
    """
    busy = {row.recipient for row in telling.rows if row.state is State.SENDING and row.due_at and row.due_at > now}
    telling = manners.supersede(telling, now)
    for row in sorted(telling.rows, key=lambda r: r.state is not State.SENDING):  # stable: what was begun comes first
        contact = contacts.get(row.recipient)
        arrived = row.state is State.PARKED and contact is not None
        if row.state not in OPEN or row.recipient in busy or row.due_at is None or (row.due_at > now and not arrived):
            continue
        if row.carried_by is not None:
            continue
        if row.state is State.SENDING:
            row = replace(row, doubtful=True)
            if row.claim is not None and row.channel is NotifyVia.WHATSAPP and rules.status_wait:
                return put(telling, replace(row, claim=None, due_at=now + rules.status_wait))
            if not row.repeats_on(None if contact is None else _channel(telling, row, contact)):
                telling = end(telling, row, State.FAILED, now, Reason.UNKNOWN)
                continue
        if contact is None:
            telling = _without_contact(telling, row, now, rules)
            continue
        choice = choosing.choose(contact, statutory=row.statutory)
        channel = choice if isinstance(choice, Reason) else _channel(telling, row, contact) or Reason.NO_ADDRESS
        if isinstance(channel, Reason):
            telling = _never(telling, row, channel, now)
            continue
        match manners.decide(row, contact, _before(people.get(row.recipient, NOBODY), telling, row), now, rules):
            case Never(reason):
                telling = _never(telling, row, reason, now)
            case Wait(until, reason):  # the time to try it begins anew
                waiting = replace(row, claim=None, give_up_at=None, held=reason, held_for=contact.hashes[0])
                telling = queue(telling, waiting, channel, until, now)
            case Go(counts, survey):
                if row.state is State.PARKED:
                    telling = queue(telling, row, channel, now, now)
                taken = replace(
                    row,
                    state=State.SENDING,
                    channel=channel,
                    claim=claim,
                    tries=row.tries + 1,
                    due_at=now + rules.lease,
                    give_up_at=(row.give_up_at if row.tries else None) or now + _deadline(row, rules),
                    survey=survey,
                    counted=counts,
                    held=None,
                )
                return _said_with_its_outcome(put(telling, taken), now, rules)
    return telling


def _said_with_its_outcome(telling: Telling, now: datetime, rules: Rules) -> Telling:
    """
    Let what need not be published yet wait for what becomes of the message in hand, at most as long as its lease.
    """
    if telling.publish_at is None or telling.publish_at <= now:
        return telling
    return replace(telling, publish_at=now + rules.lease)


def _before(person: Person, telling: Telling, row: Row) -> Person:
    """
    The person, as they were before an earlier try at the same message.
    """
    if not person.told:
        return person
    own = told_key(telling.request_id, row)
    return replace(person, told=tuple(one for one in person.told if one.key != own))


def told_of(telling: Telling, row: Row, now: datetime) -> Told | None:
    """
    What is to be remembered of a message in hand: nothing if it does not count and is no survey.
    """
    if not (row.counted or row.survey):
        return None
    return Told(told_key(telling.request_id, row), now, row.survey, counts=row.counted)


def _channel(telling: Telling, row: Row, contact: Contact) -> NotifyVia | None:
    """
    The first channel on which no earlier attempt was made.
    """
    tried = telling.tried(row)
    return next((channel for channel in choosing.channels(contact) if channel not in tried), None)


def _deadline(row: Row, rules: Rules) -> timedelta:
    return rules.retry_urgent if row.facts.emergency else rules.retry_for


def _without_contact(telling: Telling, row: Row, now: datetime, rules: Rules) -> Telling:
    if not row.for_citizen:
        return end(telling, row, State.FAILED, now, Reason.NO_ADDRESS)
    if row.state is State.PARKED and row.give_up_at is not None and row.give_up_at <= now:
        return end(telling, row, State.FAILED, now, Reason.CONTACT_MISSING)
    return park(telling, row, now, rules)


def _never(telling: Telling, row: Row, reason: Reason, now: datetime) -> Telling:
    if row.doubtful:
        return end(telling, row, State.FAILED, now, Reason.UNKNOWN)
    return suppress(telling, row, reason, now)


@dataclass(frozen=True, slots=True)
class Handed:
    """
    The provider took it. ``ask``: it has to be asked what became of it.
    """

    provider_id: str | None
    ask: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """
    The provider will never take it. ``elsewhere``: another channel may.
    """

    reason: str
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Away:
    """
    The provider cannot take it now, and not before ``after`` is over if it said so.
    """

    reason: str
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """
    The provider did not answer in time: nobody knows whether it took it.
    """


@dataclass(frozen=True, slots=True)
class Late:
    """
    Too little was left of the lease: it was not tried.
    """


Result = Handed | Refused | Away | Unanswered | Late
FIRST_ASKED: Final = timedelta(seconds=30)


def pause_after(tries: int, key: str) -> timedelta:
    """
    How long to wait before the next try: about 2 s, 4 s, 8 s … at most 5 minutes; up to half of it is taken off, by
    the message's key, so that what failed together is not tried together.
    """
    share = int(derived_id(key, str(tries))[:8], 16) / 0xFFFFFFFF
    return timedelta(seconds=min(2.0**tries, 300.0) * (1 - share / 2))


def settle(
    telling: Telling, claim: str, result: Result, now: datetime, rules: Rules, contact: Contact | None = None
) -> Telling:
    """
    Put down what became of the message taken with ``claim``. Changes nothing if somebody else has it by now, or if its
    provider said earlier what became of it. ``contact``: where else its recipient can be reached.
    """
    row = telling.in_hand(claim)
    if row is None:
        return telling
    match result:
        case Handed(provider_id, ask):
            sent = replace(row, provider_id=provider_id, sent_at=now, ask_at=now + FIRST_ASKED if ask else None)
            return end(telling, sent, State.SENT, now)
        case Refused(reason, elsewhere):
            failed = end(telling, row, State.FAILED, now, reason)
            return onward(failed, row, contact, now) if elsewhere else failed
        case Unanswered():
            row = replace(row, doubtful=True)
            if row.channel is NotifyVia.WHATSAPP and rules.status_wait:
                return put(telling, replace(row, claim=None, due_at=now + rules.status_wait))
            if not row.repeats_on(row.channel):
                return end(telling, row, State.FAILED, now, Reason.UNKNOWN)
            return _again(telling, row, Away("timeout"), contact, now)
        case Late():
            return put(telling, replace(row, state=State.WAITING, due_at=now, claim=None, tries=row.tries - 1))
        case Away():
            return _again(telling, row, result, contact, now)


def _again(telling: Telling, row: Row, away: Away, contact: Contact | None, now: datetime) -> Telling:
    """
    Try later; after the deadline it failed, and another channel is tried unless it may have gone out on this one.
    """
    pause = max(pause_after(row.tries, key_of(telling.request_id, row)), away.after or timedelta())
    again = now + pause
    if row.give_up_at is not None and again > row.give_up_at:
        if row.doubtful:
            return end(telling, row, State.FAILED, now, Reason.UNKNOWN)
        return onward(end(telling, row, State.FAILED, now, Reason.UNREACHABLE), row, contact, now)
    return put(telling, replace(row, state=State.WAITING, due_at=again, claim=None, reason=away.reason))


def onward(telling: Telling, row: Row, contact: Contact | None, now: datetime) -> Telling:
    """
    The next attempt, on the next channel on which its recipient can be reached; nothing if there is none, or in a
    conversation, which stays where it is.
    """
    if telling.conversation:
        return telling
    following = replace(
        row,
        attempt=row.attempt + 1,
        state=State.WAITING,
        channel=None,
        tries=0,
        claim=None,
        give_up_at=None,
        reason=None,
        provider_id=None,
        doubtful=False,
        reached=None,
        sent_at=None,
        ask_at=None,
        asked=0,
    )
    channel = None if contact is None else _channel(telling, following, contact)
    if channel is None or any(other.identity == following.identity for other in telling.rows):
        return telling
    return queue(telling, following, channel, now, now)


def acknowledged(telling: Telling, records: Iterable[Record]) -> Telling:
    """
    Forget the events that Kafka has taken; the same object comes back if none of them is there.
    """
    done = {record.headers for record in records}
    left = tuple(record for record in telling.outbox if record.headers not in done)
    if len(left) == len(telling.outbox):
        return telling
    return replace(telling, outbox=left, publish_at=telling.publish_at if left else None)
