"""
When a citizen may be written to, and when not: quiet hours, at most so many messages a day, who wrote STOP. Pure.

Excepted from hours and numbers are emergencies, that a request was received, what is said in a conversation, and the
answer to what the person just did. What the law wants told passes STOP, not the hours.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Final

from services.common.contracts.vocabulary import NotifyVia
from services.notify.choosing import address_of, channels
from services.notify.domain import Contact, Person, Reason, Row, Rules, State, Telling
from services.notify.ledger import put, suppress
from services.notify.times import ISTANBUL
from services.notify.transitions import ASKED, EXTENDED, RECEIVED

_NO_STATE: Final = frozenset({RECEIVED, EXTENDED})  # they say nothing of where the request is now


@dataclass(frozen=True, slots=True)
class Go:
    """
    Write now. ``counts``: it is one of the day's messages. ``survey``: it may ask for stars.
    """

    counts: bool = True
    survey: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """
    Not before ``until``; look again then.
    """

    until: datetime
    reason: Reason


@dataclass(frozen=True, slots=True)
class Never:
    """
    Do not write this at all.
    """

    reason: Reason


def decide(row: Row, contact: Contact, person: Person, now: datetime, rules: Rules) -> Go | Wait | Never:
    """
    Whether a message that is due may go to a citizen who can be reached.

    | what it is                                          | answer                                        |
    |-----------------------------------------------------|-----------------------------------------------|
    | to staff or a partner's system                      | go                                            |
    | past its ``until``                                  | too_old                                       |
    | to one of our own numbers or addresses              | own_address                                   |
    | to who wrote STOP, and neither law nor conversation | stopped                                       |
    | an exception (``exempt``)                           | go, not counted                               |
    | in quiet hours                                      | wait for the morning                          |
    | beyond the day's number                             | wait for the next day                         |
    | anything else                                       | go; a later try or attempt is not counted anew |
    """
    if not row.for_citizen:
        return Go(counts=False)
    if row.until is not None and now > row.until:
        return Never(Reason.TOO_OLD)
    if _is_ours(row, contact, rules):
        return Never(Reason.OWN_ADDRESS)
    if person.stopped and not (row.statutory or row.saying):
        return Never(Reason.STOPPED)
    survey = row.survey and _may_ask(contact, person, now, rules)
    if exempt(row, person, now, rules):
        return Go(counts=False, survey=survey)
    if morning := _end_of_quiet(now, rules):
        return Wait(morning, Reason.QUIET_HOURS)
    begun = row.tries > 0 or row.attempt > 1
    if not begun and _told_today(person, now) >= rules.daily_limit:
        return Wait(_local(now, rules.next_day_at, days=1), Reason.DAILY_LIMIT)
    return Go(survey=survey)


def exempt(row: Row, person: Person, now: datetime, rules: Rules) -> bool:
    """
    Whether neither the hour nor the number of messages holds it back.
    """
    if row.facts.emergency or row.saying or row.kind == RECEIVED:
        return True
    if row.answers_them and row.at is not None and now - row.at <= rules.answers_for:
        return True
    wrote = person.last_in_at
    return row.kind == ASKED and wrote is not None and now - wrote <= rules.answers_for


def supersede(telling: Telling, now: datetime) -> Telling:
    """
    End what was held back and is not the newest any more: a later state waits too, or went out meanwhile. What the law
    wants told stays, without its question for stars, and so does what may have left the house. The same object comes
    back if there is nothing to do.
    """
    for row in telling.rows:
        if row.held is None or row.state is not State.WAITING or row.doubtful or row.carries or row.carried_by:
            continue
        if row.kind in _NO_STATE or row.saying:
            continue
        newest = _newest_after(telling, row)
        if newest is None:
            continue
        if not row.statutory:
            telling = suppress(telling, replace(row, superseded_by=newest.transition), Reason.SUPERSEDED, now)
        elif row.survey:
            telling = put(telling, replace(row, survey=False))
    return telling


def _newest_after(telling: Telling, row: Row) -> Row | None:
    """
    The newest later state that the same recipient hears or has heard.
    """
    newer = (
        other
        for other in telling.rows
        if other.recipient == row.recipient
        and other.seq > row.seq
        and other.kind not in _NO_STATE
        and (other.state in (State.WAITING, State.SENT) or other.reason == Reason.DIGEST)
    )
    return max(newer, key=lambda other: other.seq, default=None)


def _is_ours(row: Row, contact: Contact, rules: Rules) -> bool:
    reachable = channels(contact)
    channel = row.channel if row.attempt > 1 else next(iter(reachable), None)
    address = address_of(contact, channel) if channel else None
    return address is not None and _plain(address) in map(_plain, rules.own_addresses)


def _plain(address: str) -> str:
    return address.lower().removeprefix("+")


def _may_ask(contact: Contact, person: Person, now: datetime, rules: Rules) -> bool:
    if person.stopped or contact.notify_via is NotifyVia.NONE:
        return False
    return not any(told.survey and now - told.at < rules.survey_every for told in person.told)


def _told_today(person: Person, now: datetime) -> int:
    today = now.astimezone(ISTANBUL).date()
    return sum(told.counts and told.at.astimezone(ISTANBUL).date() == today for told in person.told)


def _end_of_quiet(now: datetime, rules: Rules) -> datetime | None:
    """
    When the quiet hours in which ``now`` lies are over, or None if it lies in none.
    """
    begins, ends, local = rules.quiet_from, rules.quiet_until, now.astimezone(ISTANBUL)
    clock = local.time()
    quiet = begins <= clock < ends if begins <= ends else clock >= begins or clock < ends
    if not quiet:
        return None
    return _local(now, ends, days=0 if clock < ends else 1)


def _local(now: datetime, at: time, *, days: int) -> datetime:
    """
    This time in Istanbul, so many days after today.
    """
    day = now.astimezone(ISTANBUL).date() + timedelta(days=days)
    return datetime.combine(day, at, ISTANBUL).astimezone(UTC)
