"""
What the projector says of how far it is.
"""

from datetime import timedelta

import pytest

from services.common.kit.clock import FrozenClock
from services.common.kit.ops import Health
from services.reporting.projector import GROUP, QUIET, TOPICS, Progress
from tests.unit.reporting.lives import START

BEFORE = START - timedelta(hours=1)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(START)


@pytest.fixture
def health() -> Health:
    return Health()


def test_the_group_and_topics_stay_what_they_are() -> None:
    assert GROUP == "reporting"
    assert TOPICS == ("requests.received", "requests.lifecycle", "notifications.lifecycle")


@pytest.mark.parametrize("lag", [None, 7])
def test_a_new_process_claims_nothing_while_records_wait(clock: FrozenClock, health: Health, lag: int | None) -> None:
    progress = Progress(clock, health, BEFORE)
    if lag is not None:
        health.details["lag"] = lag

    clock.advance(timedelta(minutes=1))

    assert progress.as_of() == BEFORE


def test_a_new_process_with_nothing_to_do_is_up_to_date(clock: FrozenClock, health: Health) -> None:
    health.details["lag"] = 0

    assert Progress(clock, health, None).as_of() == START - QUIET


def test_while_records_come_the_newest_that_is_done_counts(clock: FrozenClock, health: Health) -> None:
    progress = Progress(clock, health, BEFORE)

    progress.done(START - timedelta(seconds=40))

    assert progress.as_of() == START - timedelta(seconds=40)


def test_after_a_short_quiet_everything_is_done(clock: FrozenClock, health: Health) -> None:
    progress = Progress(clock, health, BEFORE)
    progress.done(START - timedelta(seconds=40))

    clock.advance(QUIET)

    assert progress.as_of() == START


def test_a_batch_in_hand_is_not_done(clock: FrozenClock, health: Health) -> None:
    progress = Progress(clock, health, BEFORE)
    progress.done(START)
    health.in_hand_since = 1.0

    clock.advance(timedelta(minutes=1))

    assert progress.as_of() == START


def test_the_moment_never_goes_back_nor_ahead_of_the_clock(clock: FrozenClock, health: Health) -> None:
    progress = Progress(clock, health, START)

    progress.done(START - timedelta(days=3))
    assert progress.as_of() == START
    progress.done(START + timedelta(days=3))
    assert progress.as_of() == START
