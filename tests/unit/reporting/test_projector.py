"""
What the projector says of how far it is.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

import pytest

from services.common.contracts.catalogue import catalogue
from services.common.kit.clock import FrozenClock
from services.common.kit.health import Health
from services.reporting.calls.repository import Calls
from services.reporting.figures.sheets_repository import Sheets
from services.reporting.projector import GROUP, TOPICS, Progress, projector
from services.reporting.repository import Repository
from tests.unit.reporting.lives import START, deliver, random_lives

BEFORE = START - timedelta(hours=1)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(START)


@pytest.fixture
def health() -> Health:
    return Health()


def test_the_group_and_topics_stay_what_they_are() -> None:
    assert GROUP == "reporting"
    assert TOPICS[:4] == ("requests.received", "requests.updates", "requests.lifecycle", "notifications.lifecycle")
    assert set(TOPICS[4:]) == {"calls", *(f"requests.dept.{slug}" for slug in catalogue().departments)}


A, B = "requests.received/0", "requests.lifecycle/3"


def ago(seconds: float) -> datetime:
    return START - timedelta(seconds=seconds)


def ask(health: Health, at: datetime, **behind: int) -> None:
    """
    The worker asked the broker; partitions by the names A and B.
    """
    health.details["lag"] = sum(behind.values())
    health.details["behind"] = {{"A": A, "B": B}[name]: lag for name, lag in behind.items()}
    health.details["lag_asked_at"] = at.timestamp()


def test_nothing_is_claimed_until_the_lag_was_asked(clock: FrozenClock, health: Health) -> None:
    progress = Progress(clock, health, BEFORE)
    assert progress.as_of() == BEFORE

    progress.done({A: ago(40)})
    clock.advance(timedelta(minutes=1))

    assert progress.as_of() == BEFORE


def test_when_nothing_waited_everything_published_until_the_question_is_done(
    clock: FrozenClock, health: Health
) -> None:
    ask(health, ago(2))

    assert Progress(clock, health, None).as_of() == ago(2)


def test_a_new_process_claims_nothing_while_a_partition_waits_of_which_it_did_nothing(
    clock: FrozenClock, health: Health
) -> None:
    progress = Progress(clock, health, BEFORE)
    ask(health, START, A=7, B=1)

    progress.done({A: ago(40)})

    assert progress.as_of() == BEFORE


def test_the_partition_that_is_farthest_behind_decides(clock: FrozenClock, health: Health) -> None:
    progress = Progress(clock, health, BEFORE)
    ask(health, START, A=7, B=1)

    progress.done({A: ago(40), B: ago(1)})
    assert progress.as_of() == ago(40)
    progress.done({A: ago(30)})
    assert progress.as_of() == ago(30)


def test_a_quiet_partition_with_nothing_left_holds_nothing_up(clock: FrozenClock, health: Health) -> None:
    progress = Progress(clock, health, BEFORE)
    progress.done({A: ago(3000), B: ago(10)})

    ask(health, START, B=1)

    assert progress.as_of() == ago(10)


def test_what_came_after_the_question_is_claimed_after_the_next_one(clock: FrozenClock, health: Health) -> None:
    progress = Progress(clock, health, BEFORE)
    ask(health, ago(5), A=1)
    progress.done({A: START})
    assert progress.as_of() == ago(5)

    ask(health, ago(1))

    assert progress.as_of() == ago(1)


def test_while_the_broker_cannot_be_asked_the_moment_stands(clock: FrozenClock, health: Health) -> None:
    progress = Progress(clock, health, BEFORE)
    ask(health, ago(1))

    clock.advance(timedelta(hours=1))

    assert progress.as_of() == ago(1)


def test_the_moment_never_goes_back_nor_ahead_of_the_clock(clock: FrozenClock, health: Health) -> None:
    progress = Progress(clock, health, ago(9))

    ask(health, ago(5), A=1)
    progress.done({A: START - timedelta(days=3)})
    assert progress.as_of() == ago(9)
    ask(health, START + timedelta(days=3), A=1)
    progress.done({A: START + timedelta(days=3)})
    assert progress.as_of() == START


async def test_the_handler_keeps_the_newest_event_of_each_partition_and_marks_days_by_the_oldest(
    clock: FrozenClock, health: Health
) -> None:
    class Store:
        async def keep(self, _: object) -> None: ...

        async def project(self, _: object) -> dict[str, str]:
            return {"2026-11-02": "b", "2026-11-01": "a"}

    class Kept:
        async def keep(self, _: object) -> None: ...

    class Marks:
        marked: tuple[dict[str, str], datetime] | None = None

        async def mark(self, days: dict[str, str], since: datetime) -> None:
            self.marked = days, since

    events = next(iter(random_lives(1, 1))).events
    batch = [replace(deliver(event), topic="t", partition=number % 2) for number, event in enumerate(events)]
    times = [one.event.meta.time for one in batch]
    progress = Progress(FrozenClock(max(times)), health, None)
    health.details |= {"behind": {"t/0": 1, "t/1": 1}, "lag_asked_at": max(times).timestamp()}

    marks = Marks()
    await projector(cast(Repository, Store()), cast(Sheets, marks), progress, cast(Calls, Kept()))(batch)

    assert progress.as_of() == min(max(times[0::2]), max(times[1::2]))
    assert marks.marked == ({"2026-11-01": "a", "2026-11-02": "b"}, min(times))
