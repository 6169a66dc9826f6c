"""
Whom to call back, and why: one item for each person. Pure.

A person stands on the list because nobody answered their calls, or because they have a telephone and nothing else on
which they could be told what became of their request. What is told twice changes nothing; the order does not matter.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal

from services.common.contracts.events import CallAnswered, CallMissed
from services.common.contracts.ids import derived_id
from services.notify.domain import Contact, Reason, Row, State, Telling
from services.notify.transitions import ASSIGNED, RECEIVED

MOST_TRIES: Final = 3
FORGET_AFTER: Final = timedelta(days=31)  # longer than a topic keeps what it could bring again
_NOT_BY_PHONE: Final = frozenset({RECEIVED, ASSIGNED})  # who called was given the number, and hears of what follows


class CallbackState(StrEnum):
    """
    How an item stands.
    """

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"


class Source(StrEnum):
    """
    Why somebody is to be called back.
    """

    MISSED_CALL = "missed_call"
    PHONE_ONLY = "phone_only"


@dataclass(frozen=True, slots=True)
class Missed:
    """
    A call that nobody answered. ``settled``: it is dealt with.
    """

    call_id: str
    at: datetime
    contact_id: str | None = None
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """
    What somebody is to be told by telephone: which transition of which request.
    """

    request_id: str
    transition: str
    at: datetime
    contact_id: str | None = None
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Try:
    """
    Somebody called back. ``note`` is theirs, for whoever tries next.
    """

    at: datetime
    by: str
    result: Literal["done", "failed"]
    note: str | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Callback:
    """
    All about calling one person back. ``answered_at``: when they last spoke with us.
    """

    id: str
    missed: tuple[Missed, ...] = ()
    told: tuple[Told, ...] = ()
    tries: tuple[Try, ...] = ()
    answered_at: datetime | None = None
    rev: int = 0

    @property
    def open_missed(self) -> tuple[Missed, ...]:
        """
        The missed calls that nobody has dealt with.
        """
        spoken = self.answered_at
        return tuple(one for one in self.missed if not one.settled and (spoken is None or one.at > spoken))

    @property
    def open_told(self) -> tuple[Told, ...]:
        """
        What is still to be told.
        """
        return tuple(one for one in self.told if not one.settled)

    @property
    def state(self) -> CallbackState | None:
        """
        How it stands; None if there never was anything to call back for.
        """
        if self.open_missed or self.open_told:
            return CallbackState.OPEN
        if not self.missed and not self.told:
            return None
        failed = self.tries and self.tries[-1].result == "failed" and not self.tries[-1].counts
        return CallbackState.FAILED if failed else CallbackState.DONE

    @property
    def since(self) -> datetime | None:
        """
        How long the longest of it has been waiting.
        """
        waiting: tuple[Missed | Told, ...] = (*self.open_missed, *self.open_told)
        return min((one.at for one in waiting), default=None)

    @property
    def open_tries(self) -> int:
        """
        How often it was tried since it is open.
        """
        return sum(one.counts for one in self.tries)

    @property
    def contacts(self) -> tuple[str, ...]:
        """
        Where the number may stand, the newest first.
        """
        every: tuple[Missed | Told, ...] = (*self.missed, *self.told)
        known = sorted(every, key=lambda one: one.at, reverse=True)
        return tuple(dict.fromkeys(one.contact_id for one in known if one.contact_id))


class NotOpen(Exception):
    """
    There is nothing to call back for any more.
    """


def callback_id(person: str) -> str:
    """
    The item of a person, by the keyed hash of their number (or, without one, by their contact).
    """
    return "b_" + derived_id("callback", person)


def with_missed(item: Callback, missed: Missed) -> Callback:
    """
    The item, and a missed call.
    """
    if any(one.call_id == missed.call_id for one in item.missed):
        return item
    return replace(item, missed=tuple(sorted((*item.missed, missed), key=lambda one: (one.at, one.call_id))))


def with_told(item: Callback, told: Told) -> Callback:
    """
    The item, and something to tell.
    """
    if any((one.request_id, one.transition) == (told.request_id, told.transition) for one in item.told):
        return item
    return replace(item, told=tuple(sorted((*item.told, told), key=lambda one: (one.at, one.request_id))))


def spoken(item: Callback, at: datetime) -> Callback:
    """
    The item of somebody with whom we spoke then: the calls that they missed before are dealt with.
    """
    if item.answered_at is not None and item.answered_at >= at:
        return item
    return replace(item, answered_at=at)


def with_call(item: Callback, call: CallMissed | CallAnswered) -> Callback:
    """
    The item, and what a call says: it was missed, or somebody spoke with them.
    """
    if isinstance(call, CallAnswered):
        return spoken(item, call.occurred_at)
    return with_missed(item, Missed(call.call_id, call.occurred_at, call.contact_id))


def with_all_told(item: Callback, told: Iterable[Told]) -> Callback:
    """
    The item, and several things to tell.
    """
    for one in told:
        item = with_told(item, one)
    return item


def tried(item: Callback, by: str, result: Literal["done", "failed"], note: str | None, now: datetime) -> Callback:
    """
    The item after somebody called back. After ``MOST_TRIES`` in vain nobody tries any more, until there is something
    new. Raises ``NotOpen``.
    """
    if item.state is not CallbackState.OPEN:
        raise NotOpen
    over = result == "done" or item.open_tries + 1 >= MOST_TRIES
    tries = (*item.tries, Try(now, by, result, note))
    if not over:
        return replace(item, tries=tries)
    return replace(
        item,
        missed=tuple(replace(one, settled=True) for one in item.missed),
        told=tuple(replace(one, settled=True) for one in item.told),
        tries=tuple(replace(one, counts=False) for one in tries),
    )


def trimmed(item: Callback, now: datetime) -> Callback:
    """
    The item without what is settled and so old that no topic brings it again.
    """
    oldest = now - FORGET_AFTER
    return replace(
        item,
        missed=tuple(one for one in item.missed if one.at > oldest or one in item.open_missed),
        told=tuple(one for one in item.told if one.at > oldest or not one.settled),
        tries=tuple(one for one in item.tries if one.at > oldest or one.counts),
    )


def by_phone(telling: Telling, contacts: Iterable[Contact], now: datetime) -> dict[str, list[Told]]:
    """
    What of a telling is for the telephone alone, by person.
    """
    persons = {contact.id: contact.phone_hash or contact.id for contact in contacts}
    found: dict[str, list[Told]] = {}
    for row in phone_rows(telling):
        person = persons.get(row.recipient, row.recipient)
        found.setdefault(person, []).append(Told(telling.request_id, row.transition, row.at or now, row.recipient))
    return found


def phone_rows(telling: Telling) -> list[Row]:
    """
    The messages that could not be written because there is only a telephone, and that are worth a call.
    """
    return [
        row
        for row in telling.rows
        if row.state is State.SUPPRESSED and row.reason == Reason.PHONE_ONLY and row.kind not in _NOT_BY_PHONE
    ]
