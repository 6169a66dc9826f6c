"""
The edge of gathering.py: before what waited for the morning is sent, what belongs into one message is put together;
after it was sent, what it told of ends.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Final

from services.notify import gathering
from services.notify.domain import Row, Telling
from services.notify.repository import NotifyRepository

LIMIT: Final = 200


async def gather(repository: NotifyRepository, due: Mapping[str, Telling], now: datetime) -> bool:
    """
    Put together what waited for these persons, if several requests have news for them, and see what became of what
    others carry. Whether a telling changed.
    """
    changed = await _follow(repository, due, now)
    people = gathering.persons(due.values(), now)
    if not people:
        return changed
    tellings = await repository.held_for(people, LIMIT)
    recipients = {row.recipient for one in tellings.values() for row in gathering.waiting(one, now)}
    plan = gathering.plan(tellings.values(), await repository.contacts(recipients), now)
    written = await repository.change(plan, partial(gathering.carry, plan=plan, now=now), known=tellings)
    changed |= any(written[key] is not tellings[key] for key in plan)
    tellings |= written
    by = gathering.carriers(tellings.values())
    ids = [key for key, one in tellings.items() if gathering.promise(one, by, now) is not one]
    promised = await repository.change(ids, partial(gathering.promise, by=by, now=now), known=tellings)
    return changed or any(promised[key] is not tellings[key] for key in ids)


async def carried_by(repository: NotifyRepository, due: Mapping[str, Telling]) -> dict[str, Telling]:
    """
    The tellings of what these might carry.
    """
    rows = (row for telling in due.values() for row in telling.rows if not row.tries)
    return await _carried(repository, rows)


async def told(repository: NotifyRepository, written: Iterable[Telling], now: datetime) -> None:
    """
    End what these carried, or free it, after they were tried.
    """
    carriers = {one.request_id: one for one in written}
    others = await _carried(repository, (row for one in carriers.values() for row in one.rows))
    await repository.change(others, partial(gathering.follow, others=carriers, now=now), known=others)


async def _carried(repository: NotifyRepository, rows: Iterable[Row]) -> dict[str, Telling]:
    ids = {one.request_id for row in rows for one in row.carries}
    return await repository.tellings(ids) if ids else {}


async def _follow(repository: NotifyRepository, due: Mapping[str, Telling], now: datetime) -> bool:
    names = [row.carried_by for one in due.values() for row in one.rows if row.carried_by and row.due_at]
    if not names:
        return False
    carriers = await repository.tellings(name.partition("/")[0] for name in names)
    ids = [key for key, one in due.items() if gathering.follow(one, carriers, now) is not one]
    written = await repository.change(ids, partial(gathering.follow, others=carriers, now=now), known=due)
    return any(written[key] is not due[key] for key in ids)
