"""
Who is stuck and who is only quiet, and what becomes of a process that is stuck.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread

import pytest
from aiohttp import ClientSession
from prometheus_client import REGISTRY

from services.common.kit.health import Duty, Health, RunningTime
from services.common.kit.liveness import EVERY, JUMP, WallClock, Watch
from services.common.kit.ops import serve_ops
from services.common.kit.settings import LivenessSettings

LIMITS = LivenessSettings(stuck_after=60, end_after=30)


class Seconds:
    """
    A clock that is set by hand.
    """

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Switch:
    """
    Remembers what was done to it.
    """

    armed: float | None = None
    ended: int = 0

    def arm(self, seconds: float) -> None:
        self.armed = seconds

    def disarm(self) -> None:
        self.armed = None

    def end(self) -> None:
        self.ended += 1


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def health(clock: Seconds) -> Health:
    return Health(ready=True, clock=RunningTime(clock))


@pytest.fixture
def duty(health: Health) -> Duty:
    duty = Duty("records", health.clock)
    health.duties.append(duty)
    return duty


def test_a_worker_without_lag_is_well_however_long_it_is_quiet(clock: Seconds, health: Health, duty: Duty) -> None:
    duty.waits(0)
    clock.now += 86_400
    duty.waits(0)
    assert health.alive
    assert health.report()["ready"] is True


def test_a_worker_with_lag_and_without_progress_is_stuck_after_its_time(
    clock: Seconds, health: Health, duty: Duty
) -> None:
    duty.waits(3)
    clock.now += 59.9
    assert health.alive
    clock.now += 0.1
    assert health.stuck_because == "records: something waits, nothing is done for 60 s"
    assert health.report() == {"alive": False, "ready": False, "stuck_because": health.stuck_because}


def test_lag_that_comes_after_a_quiet_night_has_its_whole_time(clock: Seconds, health: Health, duty: Duty) -> None:
    duty.waits(0)
    clock.now += 40_000
    duty.waits(5)
    clock.now += 59
    assert health.alive


def test_who_gets_on_is_well_although_the_lag_grows(clock: Seconds, health: Health, duty: Duty) -> None:
    for lag in range(1, 100):
        duty.waits(lag * 1_000)
        clock.now += 30
        duty.attempted()
    assert health.alive


def test_one_duty_that_is_not_done_is_enough(clock: Seconds, health: Health, duty: Duty) -> None:
    outbox = Duty("outbox", health.clock)
    health.duties.append(outbox)
    duty.waits(1)
    outbox.waits(1)
    clock.now += 61
    duty.attempted()
    assert health.stuck_because == "outbox: something waits, nothing is done for 61 s"


def test_a_batch_that_stays_in_hand_is_stuck_although_nobody_knows_the_lag(clock: Seconds, health: Health) -> None:
    health.takes()
    clock.now += 60
    assert health.stuck_because == "one batch is in hand for 60 s"


def test_a_loop_that_does_not_turn_is_stuck(clock: Seconds, health: Health) -> None:
    health.turned()
    clock.now += 60
    assert health.stuck_because == "the event loop does not turn for 60 s"


def test_who_stands_still_on_purpose_is_not_ready_but_not_stuck(clock: Seconds, health: Health, duty: Duty) -> None:
    duty.waits(1)
    health.stopped_because = "500 dead letters in a row"
    clock.now += 3_600
    report = health.report()
    assert (report["alive"], report["ready"]) == (True, False)


def test_how_long_a_duty_is_not_done_is_a_metric(clock: Seconds) -> None:
    duty = Duty("of this test", clock)
    duty.waits(1)
    clock.now += 7
    assert REGISTRY.get_sample_value("unattended_seconds", {"duty": "of this test"}) == 7


# --- the thread's look ---


@pytest.fixture
def switch() -> Switch:
    return Switch()


@pytest.fixture
def look_on(clock: Seconds, health: Health, switch: Switch) -> Callable[[float], None]:
    """
    So many seconds go by, and the thread looks as often as it should.
    """
    watch = Watch(health, LIMITS, switch, WallClock())
    watch.look()

    def look(seconds: float) -> None:
        for _ in range(round(seconds / EVERY)):
            clock.now += EVERY
            watch.look()

    return look


LookOn = Callable[[float], None]


def test_each_look_arms_the_switch_should_it_be_the_last(look_on: LookOn, switch: Switch) -> None:
    switch.armed = None
    look_on(1)
    assert switch.armed == 90


def test_what_is_stuck_is_said_at_once_and_ends_after_its_grace(look_on: LookOn, switch: Switch, duty: Duty) -> None:
    duty.waits(1)
    look_on(59)
    assert REGISTRY.get_sample_value("stuck") == 0
    look_on(1)
    assert REGISTRY.get_sample_value("stuck") == 1
    look_on(29)
    assert switch.ended == 0
    look_on(1)
    assert switch.ended == 1


def test_what_goes_on_after_all_lives_on(look_on: LookOn, switch: Switch, duty: Duty) -> None:
    duty.waits(1)
    look_on(80)
    duty.attempted()
    look_on(50)
    assert REGISTRY.get_sample_value("stuck") == 0
    assert switch.ended == 0


def test_the_grace_begins_anew_when_it_is_stuck_again(look_on: LookOn, switch: Switch, duty: Duty) -> None:
    duty.waits(1)
    look_on(80)
    duty.attempted()
    look_on(80)
    assert switch.ended == 0


@pytest.mark.parametrize("held", [2.5, 61.0, 3_600.0, 86_400.0])
def test_a_process_that_was_held_is_not_stuck_for_that(
    look_on: LookOn, switch: Switch, clock: Seconds, health: Health, duty: Duty, held: float
) -> None:
    duty.waits(1)
    health.takes()
    health.turned()
    look_on(50)
    clock.now += held  # SIGSTOP, a computer that sleeps, or one that has no processor to spare
    look_on(9)
    assert REGISTRY.get_sample_value("stuck") == 0
    look_on(2)
    assert REGISTRY.get_sample_value("stuck") == 1, "it is stuck when the time that it ran is up"


def test_looks_that_are_a_little_late_count_in_full(clock: Seconds, health: Health, duty: Duty) -> None:
    watch = Watch(health, LIMITS, Switch(), WallClock())
    duty.waits(1)
    for _ in range(31):
        watch.look()
        clock.now += 2 * EVERY
    assert not health.alive


def test_a_worker_that_stopped_is_a_metric(health: Health) -> None:
    watch = Watch(health, LIMITS, Switch(), WallClock())
    health.stopped_because = "500 dead letters in a row"
    watch.look()
    assert REGISTRY.get_sample_value("stopped") == 1
    health.stopped_because = None
    watch.look()
    assert REGISTRY.get_sample_value("stopped") == 0


# --- the computer's clock ---


@pytest.mark.parametrize("jump", [3_600.0, -3_600.0, JUMP, -JUMP])
def test_a_clock_that_is_set_is_noticed_once(jump: float) -> None:
    wall, steady = Seconds(), Seconds()
    clock = WallClock(wall, steady)
    wall.now += 1 + jump
    steady.now += 1
    assert clock.jump() == pytest.approx(jump)
    wall.now += 1
    steady.now += 1
    assert clock.jump() == 0


def test_a_process_that_was_held_for_an_hour_sees_no_jump() -> None:
    wall, steady = Seconds(), Seconds()
    clock = WallClock(wall, steady)
    wall.now += 3_600
    steady.now += 3_600
    assert clock.jump() == 0


def test_a_thread_that_is_held_between_the_two_clocks_sees_no_jump_and_keeps_the_last_one() -> None:
    wall, steady = Seconds(), Seconds()
    reads = 0

    def held_after_the_first_read() -> float:
        nonlocal reads
        reads += 1
        if reads == 2:
            steady.now += 5
            wall.now += 5
            return steady.now - 5
        return steady.now

    clock = WallClock(wall, held_after_the_first_read)
    assert clock.jump() == 0
    assert clock.jump() == 0


# --- the loopback port ---


async def test_the_port_answers_and_says_why_although_the_workers_loop_is_blocked() -> None:
    health = Health(ready=True, stuck_after=0.2)
    found: dict[str, tuple[int, dict[str, object]]] = {}

    def ask(port: int) -> None:
        async def both() -> None:
            async with ClientSession() as http:
                for name in ("healthz", "readyz"):
                    async with http.get(f"http://127.0.0.1:{port}/{name}") as answer:
                        found[name] = answer.status, await answer.json()

        asyncio.run(both())

    async with serve_ops(health, 0) as port:
        health.turned()
        time.sleep(0.3)  # noqa: ASYNC251 - the handler that blocks
        asking = Thread(target=ask, args=(port,))
        asking.start()
        asking.join()  # still on the loop, which turns no more
    status, body = found["healthz"]
    assert status == found["readyz"][0] == 503
    assert str(body["stuck_because"]).startswith("the event loop does not turn for")


async def test_a_port_that_somebody_else_has_is_said_to_whoever_starts() -> None:
    async with serve_ops(Health(), 0) as port:
        with pytest.raises(OSError, match="address already in use"):
            async with serve_ops(Health(), port):
                pass
