"""
What a process knows of itself: whether it is ready, and whether it gets on with what waits for it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from services.common.kit import metrics


class RunningTime:
    """
    Seconds in which this process ran. What it was stopped for, or had no processor, is nobody's fault and left out.
    """

    def __init__(self, steady: Callable[[], float] = monotonic) -> None:
        self._steady = steady
        self._left_out = 0.0
        self._beaten_at: float | None = None

    def __call__(self) -> float:
        return self._steady() - self._left_out

    def beat(self, every: float) -> None:
        """
        To be called ``every`` so many seconds. If a call is later than twice that, the process did not run meanwhile.
        """
        now = self._steady()
        if self._beaten_at is not None and (late := now - self._beaten_at - every) > every:
            self._left_out += late
        self._beaten_at = now


RUNNING: Final = RunningTime()


class Duty:
    """
    One line of work. Quiet is well: only while something waits does time pass without an attempt.
    """

    def __init__(self, name: str, clock: Callable[[], float] = RUNNING) -> None:
        self.name = name
        self._clock = clock
        self._waiting = 0
        self._since = 0.0
        metrics.unattended_seconds.labels(name).set_function(lambda: self.unattended)

    def waits(self, count: int) -> None:
        """
        So much waits now, as far as is known.
        """
        if not self._waiting:
            self._since = self._clock()
        self._waiting = count

    def attempted(self) -> None:
        """
        Something was done about it just now, with success or without.
        """
        self._since = self._clock()

    @property
    def unattended(self) -> float:
        """
        For how many seconds something has been waiting and nothing was done; 0 while nothing waits.
        """
        return max(0.0, self._clock() - self._since) if self._waiting else 0.0


@dataclass
class Health:
    """
    What a process knows of itself. Alive: it gets on with its work, or nothing waits for it, however quiet it is.

    Stuck is who has something to do and did nothing about it for ``stuck_after`` seconds. Who ``stopped_because`` of
    something stands still on purpose and is not stuck. Whoever asks may do so from another thread than the loop's.
    """

    ready: bool = False
    stopped_because: str | None = None
    in_hand_since: float | None = None
    details: dict[str, object] = field(default_factory=dict)
    stuck_after: float = 60.0
    turned_at: float | None = None
    duties: list[Duty] = field(default_factory=list)
    clock: RunningTime = RUNNING

    def turned(self) -> None:
        """
        The event loop has just come round (liveness.py asks it to say so).
        """
        self.turned_at = self.clock()

    def takes(self) -> None:
        """
        A batch, or the next record of one, is taken in hand just now.
        """
        self.in_hand_since = self.clock()

    @property
    def stuck_because(self) -> str | None:
        """
        What has not moved for too long, if anything.
        """
        if self.stopped_because is not None:
            return None
        now = self.clock()
        still = {
            "the event loop does not turn": 0.0 if self.turned_at is None else now - self.turned_at,
            "one batch is in hand": 0.0 if self.in_hand_since is None else now - self.in_hand_since,
            **{f"{duty.name}: something waits, nothing is done": duty.unattended for duty in self.duties},
        }
        return next((f"{what} for {s:.0f} s" for what, s in still.items() if s >= self.stuck_after), None)

    @property
    def alive(self) -> bool:
        """
        False while it is stuck.
        """
        return self.stuck_because is None

    def report(self) -> dict[str, object]:
        """
        The body of both health answers.
        """
        stuck = self.stuck_because
        return {
            "alive": stuck is None,
            "ready": self.ready and self.stopped_because is None and stuck is None,
            **({"stopped_because": self.stopped_because} if self.stopped_because else {}),
            **({"stuck_because": stuck} if stuck else {}),
            **self.details,
        }
