"""
Whether a process is stuck, seen from outside its event loop. One that is ends itself; its supervisor starts another.

Ending at once is always safe: nothing was acknowledged that had no effect yet.
"""

import asyncio
import faulthandler
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, time
from typing import Final, Protocol

from services.common.kit import metrics
from services.common.kit.health import Health
from services.common.kit.logs import logger
from services.common.kit.settings import LivenessSettings

log = logger(__name__)
EVERY: Final = 1.0  # s between two looks
JUMP: Final = 2.0  # s by which the clock may differ between two looks before it counts as set


class Switch(Protocol):
    """
    Ends the process unless it is armed again, or disarmed, in time.
    """

    def arm(self, seconds: float) -> None:
        """
        End the process in so many seconds instead of when it was to end before.
        """

    def disarm(self) -> None:
        """
        Let it live.
        """


class DeadMansSwitch:
    """
    Python's own watchdog: a thread outside the interpreter, so it ends a process too whose interpreter is held by one
    long call (a regular expression, say). First it writes where every thread stands, on standard error: code, no data.
    """

    def arm(self, seconds: float) -> None:
        """
        See ``Switch``.
        """
        faulthandler.dump_traceback_later(seconds, exit=True)

    def disarm(self) -> None:
        """
        See ``Switch``.
        """
        faulthandler.cancel_dump_traceback_later()


class WallClock:
    """
    Notices when somebody sets the computer's clock.
    """

    def __init__(self, wall: Callable[[], float] = time, steady: Callable[[], float] = monotonic) -> None:
        self._wall = wall
        self._steady = steady
        self._ahead = wall() - steady()

    def jump(self) -> float:
        """
        By how many seconds it was set since the last look, forward or (negative) back; 0 if it just went on.
        """
        before = self._steady()
        ahead = self._wall() - before
        if self._steady() - before > JUMP / 2:  # this thread did not get the processor between the two
            return 0.0
        jump, self._ahead = ahead - self._ahead, ahead
        return jump if abs(jump) >= JUMP else 0.0


class Watch:
    """
    What the thread does at each look. ``switch`` ends the process ``end_after`` after it was found stuck, or
    ``stuck_after`` later than that if this thread itself does not come to look any more.
    """

    def __init__(self, health: Health, limits: LivenessSettings, switch: Switch, clock: WallClock) -> None:
        self._health = health
        self._grace = limits.end_after
        self._patience = health.stuck_after + self._grace
        self._switch = switch
        self._clock = clock
        self._stuck = False

    def look(self) -> None:
        """
        Arm the switch again if all is well; say once what is not.
        """
        why = self._health.stuck_because
        if why is None:
            self._switch.arm(self._patience)
            if self._stuck:
                log.info("it goes on after all")
        elif not self._stuck:
            self._switch.arm(self._grace)
            log.error("stuck: the process ends and is to be started again", because=why, seconds_left=self._grace)
        self._stuck = why is not None
        metrics.stuck.set(self._stuck)
        metrics.stopped.set(self._health.stopped_because is not None)
        if jump := self._clock.jump():
            metrics.clock_jumps_total.inc()
            log.warning("the computer's clock was set", seconds=round(jump, 1))


@contextmanager
def watched(health: Health, limits: LivenessSettings, switch: Switch | None = None) -> Iterator[None]:
    """
    While the context lasts the process ends itself if it is stuck. To be entered inside the running loop.
    """
    loop, over = asyncio.get_running_loop(), threading.Event()
    switch = switch or DeadMansSwitch()
    health.stuck_after = limits.stuck_after
    health.turned()
    watch = Watch(health, limits, switch, WallClock())

    def run() -> None:
        while not over.wait(EVERY):
            loop.call_soon_threadsafe(health.turned)
            watch.look()

    thread = threading.Thread(target=run, name="liveness", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        switch.disarm()
        health.turned_at = None
