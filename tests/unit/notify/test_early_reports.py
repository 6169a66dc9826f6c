"""
Reports that come before it is written down that their message was sent: each is looked at again.
"""

from collections.abc import Iterable, Sequence
from typing import cast

from services.common.contracts.vocabulary import DeliveryStatus
from services.common.kit.clock import FrozenClock
from services.notify import sending
from services.notify.domain import Telling
from services.notify.outbox import Outbox
from services.notify.reports import LIMIT, Afterwards
from services.notify.repository import NotifyRepository, Place
from services.notify.sending import Handed
from services.notify.statuses import Reported
from tests.unit.notify.lives import CONTACT, NOON, REQUEST, closed
from tests.unit.notify.mornings import Memory, Nowhere
from tests.unit.notify.tellings import RULES, WHATSAPP, after, row

OURS = "wamid.ours"


def report(provider_id: str) -> Reported:
    """
    That a message was delivered.
    """
    return Reported(None, provider_id, DeliveryStatus.DELIVERED, None, NOON)


class Kept(Memory):
    """
    A database with reports whose message was not there; all came at once.
    """

    def __init__(self, telling: Telling, early: Sequence[Reported]) -> None:
        super().__init__([telling], [WHATSAPP])
        self.early = {(NOON, one.id): one for one in early}

    async def early_reports(self, limit: int, after: Place | None = None) -> dict[Place, Reported]:
        """
        As there.
        """
        places = sorted(place for place in self.early if after is None or place > after)
        return {place: self.early[place] for place in places[:limit]}

    async def drop_reports(self, reports: Iterable[Reported]) -> None:
        """
        As there.
        """
        for one in reports:
            del self.early[NOON, one.id]

    async def about(self, reports: Iterable[Reported]) -> dict[str, Telling]:
        """
        As there, of the one message.
        """
        return dict(self.kept) if OURS in {one.provider_id for one in reports} else {}


async def test_foreign_reports_do_not_stand_before_ours_however_many_they_are() -> None:
    claimed = sending.take(after(closed()), {CONTACT: WHATSAPP}, "t", NOON, RULES)
    sent = sending.settle(claimed, "t", Handed(OURS), NOON, RULES)
    ours = report(OURS)
    foreign = [report(f"wamid.{n}") for n in range(3 * LIMIT)]
    behind = [one for one in foreign if one.id < ours.id]
    assert len(behind) > LIMIT
    memory = Kept(sent, [*foreign, ours])
    clock = FrozenClock(NOON)
    repository = cast(NotifyRepository, memory)
    afterwards = Afterwards(repository, {}, RULES, clock, Outbox(repository, Nowhere(), clock))
    assert await afterwards.again()
    assert row(memory.kept[REQUEST], "closed").reached is DeliveryStatus.DELIVERED
    assert len(memory.early) == len(foreign)
