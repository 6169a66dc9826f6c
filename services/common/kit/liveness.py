"""
Whether a process is stuck, seen from outside its event loop. One that is ends itself; its supervisor starts another.

Ending at once is always safe: nothing was acknowledged that had no effect yet.
"""

import asyncio
import faulthandler
import os
import signal
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
    Ends the process, also if nobody can ask for it any more.
    """

    def arm(self, seconds: float) -> None:
        """
        From now on, end the process when it has used so many seconds of the processor and was not armed again.
        """

    def disarm(self) -> None:
        """
        Let it live.
        """

    def end(self) -> None:
        """
        End it now.
        """


class DeadMansSwitch:
    """
    The kernel's own timer of processor time, so it ends a process too whose interpreter is held by one long call (a
    regular expression, say), and never one that is stopped or waits for the processor. First it writes where every
    thread stands, on standard error: code, no data.
    """

    def __init__(self) -> None:
        faulthandler.register(signal.SIGPROF, chain=True)  # and then what the signal does of itself: it ends

    def arm(self, seconds: float) -> None:
        """
        See ``Switch``.
        """
        signal.setitimer(signal.ITIMER_PROF, seconds)

    def disarm(self) -> None:
        """
        See ``Switch``.
        """
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.unregister(signal.SIGPROF)

    def end(self) -> None:
        """
        See ``Switch``. The exit code is 1.
        """
        faulthandler.dump_traceback()
        os._exit(1)


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
    What the thread does at each look. ``switch`` ends the process ``end_after`` after it was found stuck; it does so by
    itself if this thread does not come to look any more while the process uses the processor for longer than that.
    """

    def __init__(self, health: Health, limits: LivenessSettings, switch: Switch, clock: WallClock) -> None:
        self._health = health
        self._limits = limits
        self._switch = switch
        self._clock = clock
        self._stuck_at: float | None = None

    def look(self) -> None:
        """
        Arm the switch again; say once what is not well, and end the process if it stays so.
        """
        self._switch.arm(self._limits.stuck_after + self._limits.end_after)
        self._health.clock.beat(EVERY)
        now, why = self._health.clock(), self._health.stuck_because
        if why is None:
            if self._stuck_at is not None:
                log.info("it goes on after all")
            self._stuck_at = None
        elif self._stuck_at is None:
            self._stuck_at = now
            grace = self._limits.end_after
            log.error("stuck: the process ends and is to be started again", because=why, seconds_left=grace)
        elif now - self._stuck_at >= self._limits.end_after:
            self._switch.end()
        metrics.stuck.set(why is not None)
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
    health.clock.beat(EVERY)
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
