"""
The edge of gathering.py: before what waited for the morning is sent, what belongs into one message is put together.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Final

from services.common.contracts.vocabulary import NotifyVia
from services.notify import gathering
from services.notify.domain import Row, Rules, Telling
from services.notify.repository import NotifyRepository

LIMIT: Final = 200


async def gather(repository: NotifyRepository, due: Mapping[str, Telling], now: datetime, rules: Rules) -> bool:
    """
    Put together what waited for these persons, if several requests have news for them. Whether a telling changed.
    """
    people = {row.held_for for telling in due.values() for row in gathering.waiting(telling, now) if row.held_for}
    if not people:
        return False
    tellings = await repository.held_for(people, LIMIT)
    keys = [gathering.carried(one, row).key for one in tellings.values() for row in gathering.waiting(one, now)]
    by = gathering.carriers((await repository.carrying(keys)).values())
    changed = await _give_way(repository, tellings, by, now)
    if not changed:
        may = await _one_for_several(repository, tellings, now, rules)
        plan = gathering.plan(tellings.values(), now, may)
        written = await repository.change(plan, lambda telling: gathering.carry(telling, plan, now), known=tellings)
        changed = any(written[key] is not tellings[key] for key in plan)
        await _give_way(repository, tellings, gathering.carriers(written.values()), now)
    return changed


async def _give_way(
    repository: NotifyRepository, tellings: Mapping[str, Telling], by: Mapping[str, str], now: datetime
) -> bool:
    ending = [key for key, one in tellings.items() if gathering.give_way(one, by, now) is not one]
    written = await repository.change(ending, partial(gathering.give_way, by=by, now=now), known=tellings)
    return any(written[key] is not tellings[key] for key in ending)


async def _one_for_several(
    repository: NotifyRepository, tellings: Mapping[str, Telling], now: datetime, rules: Rules
) -> Callable[[Row], bool]:
    """
    Whether a message may tell of several requests: not by WhatsApp's templates, which tell of one.
    """
    rows = (row for telling in tellings.values() for row in telling.rows)
    contacts = await repository.contacts(
        row.recipient for row in rows if row.held and row.channel is NotifyVia.WHATSAPP
    )
    crowd = await repository.people.behind(contacts.values())
    free = {name for name, one in contacts.items() if crowd.person(one, now, rules).window_open(now, rules)}
    return lambda row: row.channel is not NotifyVia.WHATSAPP or row.recipient in free
