"""
The fault suite's schedule: the same for the same seed, complete in ten minutes, and never more than may be at once.
"""

from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.schedule import HEALS, LASTS, TARGETS, Kind, Lane, schedule

SEEDS = st.integers(min_value=0)


@given(SEEDS)
def test_a_seed_gives_the_same_faults_again(seed: int) -> None:
    assert schedule(seed, 600) == schedule(seed, 600)


def test_another_seed_gives_others() -> None:
    assert schedule(1, 600) != schedule(2, 600)


@given(SEEDS)
def test_in_ten_minutes_every_kind_comes_in_each_lane_that_has_it(seed: int) -> None:
    come = {(fault.lane, fault.kind) for fault in schedule(seed, 600)}
    assert come == {(lane, kind) for lane in Lane for kind in TARGETS[lane]}


@given(SEEDS)
def test_in_twenty_minutes_each_of_our_processes_is_killed_and_stopped(seed: int) -> None:
    hit = defaultdict(set)
    for fault in schedule(seed, 1_200):
        if fault.lane is Lane.OURS:
            hit[fault.kind].add(fault.target)
    for kind in (Kind.KILL, Kind.PAUSE):
        assert hit[kind] == set(TARGETS[Lane.OURS][kind])


@given(SEEDS, st.floats(min_value=0, max_value=3_600))
def test_faults_of_one_lane_leave_each_other_time_to_heal_and_end_with_the_run(seed: int, seconds: float) -> None:
    for lane in Lane:
        faults = [fault for fault in schedule(seed, seconds) if fault.lane is lane]
        assert all(one.ends + HEALS[lane] <= following.at + 0.2 for one, following in pairwise(faults))
        assert all(fault.ends <= seconds + 0.2 for fault in faults)


@given(SEEDS)
def test_every_fault_hits_a_target_of_its_kind_for_as_long_as_that_kind_lasts(seed: int) -> None:
    for fault in schedule(seed, 600):
        shortest, longest = LASTS[fault.kind]
        assert fault.target in TARGETS[fault.lane][fault.kind]
        assert shortest <= fault.seconds <= longest
        assert bool(fault.amount) == (fault.kind in (Kind.SLOW, Kind.TORN, Kind.CLOCK, Kind.STORM))


@given(SEEDS)
def test_none_lasts_longer_than_it_may(seed: int) -> None:
    assert all(fault.seconds <= 8 for fault in schedule(seed, 60, longest=8))


@pytest.mark.parametrize("kind", Kind)
def test_only_the_kinds_that_were_asked_for_come(kind: Kind) -> None:
    faults = schedule(3, 300, {kind})
    assert {fault.kind for fault in faults} == {kind}
    assert len(faults) == 1 or kind is not Kind.UPGRADE


@given(SEEDS)
def test_the_upgrade_is_the_first_that_is_done_to_our_processes(seed: int) -> None:
    assert next(fault.kind for fault in schedule(seed, 600) if fault.lane is Lane.OURS) is Kind.UPGRADE


@given(SEEDS)
def test_of_our_processes_only_those_that_were_asked_for_are_killed_each_once_before_the_first_again(seed: int) -> None:
    victims = {"intake", "routing", "notify", "projector"}
    killed = [one.target for one in schedule(seed, 45, {Kind.KILL}, processes=victims) if one.lane is Lane.OURS]
    assert set(killed) == set(killed[:4]) == victims


@given(SEEDS)
def test_not_again_kills_each_of_them_once_and_does_each_thing_below_once(seed: int) -> None:
    victims, kinds = {"intake", "routing", "notify", "projector"}, {Kind.KILL, Kind.LEADER, Kind.TORN}
    faults = schedule(seed, 600, kinds, 6, victims, again=False)
    assert sorted(one.target for one in faults if one.lane is Lane.OURS) == sorted(victims)
    assert sorted(one.kind for one in faults if one.lane is Lane.UNDER) == sorted(kinds)
