"""
Several requests of one person with news for the same morning make one message: the oldest tells of the others too, and
these end as suppressed, naming it. Pure.

In four steps, each the write of one telling, so that a crash between them loses nothing and tells nothing twice:

1. ``carry``: the oldest is written with all that it might carry. That is done once in its life.
2. ``promise``: each of the others that still waits is promised to it, and is not sent by itself from now on.
3. ``keep``: taken to be sent, it keeps only what is promised to it, in the same write. Its list is final then.
4. ``follow``: what is promised ends once the provider has taken the message that carries it. It is free again if that
   one ended untold, or left without it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from services.common.contracts.vocabulary import DeliveryStatus, Language, NotifyVia
from services.notify.choosing import address_of, choose
from services.notify.domain import OPEN, Carried, Contact, Reason, Row, State, Telling
from services.notify.ledger import end, put, suppress
from services.notify.manners import supersede

MOST: Final = 5  # requests in one message
LOOK_AGAIN: Final = timedelta(minutes=1)  # what is promised looks for its carrier, should nobody have told it

Plan = Mapping[str, tuple[Row, tuple[Carried, ...]]]
"""By request: which of its messages carries which others."""
_Way = tuple[NotifyVia, str | None, Language]


def carried(telling: Telling, row: Row) -> Carried:
    """
    The message, as another one tells it.
    """
    return Carried(telling.request_id, row.transition, row.facts, row.at)


def name_of(telling: Telling, row: Row) -> str:
    """
    The message, as those that it carries name it.
    """
    return carried(telling, row).key


def waiting(telling: Telling, now: datetime) -> list[Row]:
    """
    The messages whose better time has come and of which nothing has left the house. What the law wants told goes by
    itself.
    """
    return [row for row in _ready(telling, now) if not row.carries]


def _ready(telling: Telling, now: datetime) -> list[Row]:
    due = (row for row in telling.rows if _unbegun(row) and row.due_at is not None and row.due_at <= now)
    return [row for row in due if not (row.statutory or row.carried_by)]


def _unbegun(row: Row) -> bool:
    held = row.held is not None and row.held_for is not None
    return held and row.state is State.WAITING and (row.tries, row.attempt) == (0, 1)


def persons(tellings: Iterable[Telling], now: datetime) -> frozenset[str]:
    """
    Whose messages may be put together, or were begun to be.
    """
    return frozenset(row.held_for for one in tellings for row in _ready(one, now) if row.held_for)


def apart(telling: Telling) -> bool:
    """
    Whether none of its messages waits for a better time, or is to be told with others.
    """
    return not any(row.held or row.carries or row.carried_by for row in telling.rows if row.state in OPEN)


def plan(tellings: Collection[Telling], contacts: Mapping[str, Contact], now: datetime) -> Plan:
    """
    Who carries what: of all that goes to one address in one language the oldest message the others, of other requests.
    What an earlier plan lets a message carry that is not on its way stays with it.
    """
    groups: dict[_Way, list[tuple[Telling, Row]]] = {}
    planned = carriers(tellings)
    for telling in tellings:
        for row in waiting(telling, now)[-1:]:
            way = _way(contacts.get(row.recipient))
            if way is not None and name_of(telling, row) not in planned:
                groups.setdefault(way, []).append((telling, row))
    found: dict[str, tuple[Row, tuple[Carried, ...]]] = {}
    for group in groups.values():
        (first, oldest), *others = sorted(group, key=lambda one: (one[1].at or now, one[0].request_id))[:MOST]
        if others:
            found[first.request_id] = (oldest, tuple(carried(telling, row) for telling, row in others))
    return found


def _way(contact: Contact | None) -> _Way | None:
    channel = choose(contact) if contact is not None else None
    if contact is None or not isinstance(channel, NotifyVia):
        return None
    return channel, address_of(contact, channel), contact.language


def carry(telling: Telling, plan: Plan, now: datetime) -> Telling:
    """
    Let the telling's message carry what it is to carry, if it waits as it did.
    """
    row, others = plan[telling.request_id]
    if row not in waiting(telling, now):
        return telling
    telling = supersede(telling, now)
    return put(telling, replace(row, carries=others)) if row in waiting(telling, now) else telling


def carriers(tellings: Iterable[Telling]) -> dict[str, str]:
    """
    By what might be carried: the message that might carry it, as long as that is not on its way.
    """
    return {
        one.key: name_of(telling, row)
        for telling in tellings
        for row in telling.rows
        if _unbegun(row)
        for one in row.carries
    }


def promise(telling: Telling, by: Mapping[str, str], now: datetime) -> Telling:
    """
    Promise what waits to the messages that would carry it. An older state of the same request ends.
    """
    if not any(name_of(telling, row) in by for row in waiting(telling, now)):
        return telling
    telling = supersede(telling, now)
    for row in waiting(telling, now):
        if (carrier := by.get(name_of(telling, row))) is not None:
            telling = put(telling, replace(row, carried_by=carrier, due_at=now + LOOK_AGAIN))
    return telling


def keep(telling: Telling, claim: str, others: Mapping[str, Telling]) -> Telling:
    """
    Let the message that was taken with ``claim`` carry only what is promised to it. ``others``: the tellings of what it
    might carry, read while it was not on its way. A message about several requests does not ask for stars.
    """
    row = telling.in_hand(claim)
    if row is None or not row.carries or (row.tries, row.attempt) != (1, 1):
        return telling
    name = name_of(telling, row)
    promised = {
        name_of(other, one)
        for other in others.values()
        for one in other.rows
        if one.state is State.WAITING and one.carried_by == name
    }
    kept = tuple(one for one in row.carries if one.key in promised)
    return put(telling, replace(row, carries=kept, survey=row.survey and not kept))


def follow(telling: Telling, others: Mapping[str, Telling], now: datetime) -> Telling:
    """
    End what is promised to messages of ``others`` that were sent, free it if they ended untold or do not carry it, and
    look again later otherwise. Of what became of the carrier nobody knows: then of what it carried neither.
    """
    for row in telling.rows:
        carrier = others.get((row.carried_by or "").partition("/")[0])
        if carrier is None or row.carried_by is None or row.state is not State.WAITING:
            continue
        tries = [one for one in carrier.rows if name_of(telling, row) in {each.key for each in one.carries}]
        open_ones = [one for one in tries if one.state in OPEN]
        free = replace(row, carried_by=None, due_at=now)
        if any(one.state is State.SENT for one in tries):
            telling = suppress(telling, replace(free, superseded_by=row.carried_by), Reason.DIGEST, now)
        elif open_ones and row.due_at is not None and row.due_at <= now:
            later = max(now + LOOK_AGAIN, *(one.due_at or now for one in open_ones))
            telling = put(telling, replace(row, due_at=later))
        elif open_ones:
            continue
        elif any(map(_unknown, tries)) and not row.repeats_on(row.channel):
            telling = end(telling, free, State.FAILED, now, Reason.UNKNOWN)
        else:
            telling = put(telling, free)
    return telling


def _unknown(row: Row) -> bool:
    return row.doubtful and row.reached is not DeliveryStatus.FAILED
