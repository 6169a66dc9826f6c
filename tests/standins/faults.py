"""
How a stand-in provider misbehaves: by a script, one entry a message, or by chance.
"""

import asyncio
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from aiohttp import web


class Fault(StrEnum):
    """
    What can happen to a message beside being taken and refused.
    """

    NONE = "none"
    SLOW = "slow"  # taken, answered after a while
    AWAY = "away"  # not taken: 503
    BROKEN = "broken"  # not taken: 500 with a page that is no JSON
    LOST = "lost"  # taken, and the connection breaks before the answer
    LATE = "late"  # taken, and the answer comes after everybody's time-out


@dataclass
class Faults:
    """
    ``script``: what happens to the next messages, a fault or a provider's error code, before chance decides. The others
    are chances between 0 and 1; ``codes`` are error codes with theirs. Chance is the same at every run with one seed.
    """

    script: deque[Fault | int] = field(default_factory=deque)
    slow: float = 0.0
    away: float = 0.0
    broken: float = 0.0
    lost: float = 0.0
    late: float = 0.0
    codes: dict[int, float] = field(default_factory=dict)
    seconds_slow: float = 0.05
    seconds_late: float = 30.0
    seed: int = 1
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def then(self, *entries: Fault | int) -> None:
        """
        Let this happen to the next messages.
        """
        self.script.extend(entries)

    def next(self) -> Fault | int:
        """
        What happens to the message that has just come.
        """
        if self.script:
            return self.script.popleft()
        faults = ((Fault(name), getattr(self, name)) for name in ("slow", "away", "broken", "lost", "late"))
        return self._draw([*faults, *self.codes.items()])

    async def answering(self, fault: Fault | int, request: web.Request) -> None:
        """
        Do to the answer of a message that was taken what ``fault`` says.
        """
        if fault is Fault.LOST:
            assert request.transport is not None
            request.transport.abort()
        elif fault is Fault.SLOW:
            await asyncio.sleep(self.seconds_slow)
        elif fault is Fault.LATE:
            await asyncio.sleep(self.seconds_late)

    def _draw(self, entries: Iterable[tuple[Fault | int, float]]) -> Fault | int:
        drawn, reached = self.chance.random(), 0.0
        for entry, share in entries:
            reached += share
            if drawn < reached:
                return entry
        return Fault.NONE
