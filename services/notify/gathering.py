"""
Several requests of one person with news for the same morning make one message: the oldest tells of the others too, and
these end as suppressed, naming it. Pure.

In two steps, so that a crash between them loses nothing: first the one that carries is written with what it carries,
then the others end. Whoever comes later finds by what is carried that they may end.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from services.notify.domain import Carried, Reason, Row, State, Telling
from services.notify.ledger import put, suppress

MOST: Final = 5  # requests in one message

Plan = Mapping[str, tuple[Row, tuple[Carried, ...]]]
"""By request: which of its messages carries which others."""


def carried(telling: Telling, row: Row) -> Carried:
    """
    The message, as another one tells it.
    """
    return Carried(telling.request_id, row.transition, row.facts, row.at)


def waiting(telling: Telling, now: datetime) -> list[Row]:
    """
    The messages whose better time has come and of which nothing has left the house. What the law wants told goes by
    itself.
    """
    return [
        row
        for row in telling.rows
        if row.held_for is not None
        and row.held is not None
        and row.state is State.WAITING
        and row.due_at is not None
        and row.due_at <= now
        and (row.tries, row.attempt) == (0, 1)
        and not (row.statutory or row.carries)
    ]


def plan(tellings: Iterable[Telling], now: datetime, may: Callable[[Row], bool]) -> Plan:
    """
    Who carries what: by person and channel the oldest message the others, of other requests. ``may``: whether the
    channel lets one message tell of several requests.
    """
    groups: dict[tuple[str | None, str | None], list[tuple[Telling, Row]]] = {}
    for telling in tellings:
        for row in waiting(telling, now)[-1:]:
            if may(row):
                groups.setdefault((row.held_for, row.channel), []).append((telling, row))
    found: dict[str, tuple[Row, tuple[Carried, ...]]] = {}
    for group in groups.values():
        (first, oldest), *others = sorted(group, key=lambda one: (one[1].at or now, one[0].request_id))[:MOST]
        if others:
            found[first.request_id] = (oldest, tuple(carried(telling, row) for telling, row in others))
    return found


def carry(telling: Telling, plan: Plan, now: datetime) -> Telling:
    """
    Let the telling's message carry what it is to carry, if it waits as it did.
    """
    row, others = plan[telling.request_id]
    if row not in waiting(telling, now):
        return telling
    return put(telling, replace(row, carries=others))


def carriers(tellings: Iterable[Telling]) -> dict[str, str]:
    """
    By what is carried: the request and transition that carry it.
    """
    return {
        one.key: f"{telling.request_id}/{row.transition}"
        for telling in tellings
        for row in telling.rows
        for one in row.carries
    }


def give_way(telling: Telling, by: Mapping[str, str], now: datetime) -> Telling:
    """
    End the messages that another one carries.
    """
    for row in waiting(telling, now):
        carrier = by.get(carried(telling, row).key)
        if carrier is not None:
            telling = suppress(telling, replace(row, superseded_by=carrier), Reason.DIGEST, now)
    return telling
