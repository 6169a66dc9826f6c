"""
Taking into hand while somebody else writes to the same telling.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from services.common.kit.clock import FrozenClock
from services.notify.domain import State, Telling
from tests.unit.notify.lives import NOON, escalated, registered
from tests.unit.notify.mornings import Memory, Provider, notifier
from tests.unit.notify.tellings import RULES, after


class Interrupted(Memory):
    """
    A database to which somebody else writes first, once.
    """

    def __init__(self, before: Telling, meanwhile: Telling) -> None:
        super().__init__([before], [])
        self._meanwhile: Telling | None = meanwhile

    async def change(
        self, ids: Iterable[str], decide: Callable[[Telling], Telling], known: Mapping[str, Telling] | None = None
    ) -> dict[str, Telling]:
        """
        As there, after the other one.
        """
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            self.kept[meanwhile.request_id] = replace(meanwhile, rev=meanwhile.rev + 1)
        return await super().change(ids, decide, known)


async def test_a_message_to_staff_that_came_while_another_was_looked_at_is_sent() -> None:
    parked = after(registered(), who=None)
    memory = Interrupted(parked, after(escalated(), telling=parked))
    clock = FrozenClock(NOON + RULES.recheck * 2)
    process = notifier(memory, Provider(), clock)
    _, hands = await process.take()
    assert [(hand.row.transition, hand.row.state) for hand in hands] == [("escalated.15", State.SENDING)]
