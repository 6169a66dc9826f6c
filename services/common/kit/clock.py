"""
The time, as a dependency: ``Clock`` is any callable that gives the present moment in UTC.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """
    The present moment in UTC.
    """
    return datetime.now(UTC)


class FrozenClock:
    """
    A clock for tests: stands still until it is told to go on.
    """

    def __init__(self, at: datetime) -> None:
        if at.tzinfo is None:
            raise ValueError("a clock needs a zone")
        self.now = at.astimezone(UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        """
        Let time pass.
        """
        self.now += by
