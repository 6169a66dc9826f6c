"""
What a benchmark's numbers are made into.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.figures import Figure, percentile, ratio, spread, worse

numbers = st.lists(st.floats(min_value=0, max_value=1e6), min_size=1, max_size=200)


def test_the_percentiles_of_a_hundred_numbers_are_the_numbers_themselves() -> None:
    values = list(range(100, 0, -1))
    assert [percentile(values, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]


def test_of_no_numbers_there_is_no_percentile() -> None:
    with pytest.raises(ValueError, match="at least one"):
        percentile([], 0.5)


@given(numbers, st.floats(min_value=0.01, max_value=1))
def test_a_percentile_was_measured_and_so_large_a_share_does_not_exceed_it(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6


def test_a_spread_has_its_goals_and_its_peers() -> None:
    found = spread("ours", [1, 2, 3], {"p99": 2.5}, beside="theirs")
    assert [one.name for one in found] == ["ours, p50", "ours, p95", "ours, p99"]
    assert [one.beside for one in found] == ["theirs, p50", "theirs, p95", "theirs, p99"]
    assert [one.reached for one in found] == [None, None, False]


@pytest.mark.parametrize(
    ("unit", "value", "reached"), [("/s", 11, True), ("/s", 9, False), ("ms", 9, True), ("MB", 11, False)]
)
def test_more_is_better_only_of_what_is_done_in_a_second(unit: str, value: float, reached: bool) -> None:
    assert Figure("x", value, unit, goal=10).reached is reached  # type: ignore[arg-type]


def test_a_ratio_needs_a_peer_that_was_measured() -> None:
    ours = Figure("ours", 50, "/s", beside="theirs")
    assert ratio(ours, [ours, Figure("theirs", 100, "/s")]) == 0.5
    assert ratio(ours, [ours]) is None
    assert ratio(ours, [ours, Figure("theirs", 0, "/s")]) is None
    assert ratio(Figure("theirs", 100, "/s"), [ours]) is None


def test_a_slower_machine_is_not_worse_if_the_peer_is_as_much_slower() -> None:
    before = [Figure("ours", 50, "/s", beside="theirs"), Figure("theirs", 100, "/s")]
    now = [Figure("ours", 25, "/s", beside="theirs"), Figure("theirs", 50, "/s")]
    assert [line.split(": ")[1] for line in worse({"routing": now}, {"routing": before})] == ["theirs"]


@pytest.mark.parametrize(("unit", "better", "bad"), [("/s", 80, 70), ("ms", 120, 130)])
def test_what_changed_by_more_than_a_quarter_is_told(unit: str, better: float, bad: float) -> None:
    before = {"x": [Figure("a", 100, unit)]}  # type: ignore[arg-type]
    assert worse({"x": [Figure("a", better, unit)]}, before) == []  # type: ignore[arg-type]
    assert worse({"x": [Figure("a", bad, unit)]}, before) == [f"x: a: {bad}{unit}, was 100{unit}"]  # type: ignore[arg-type]


def test_what_was_not_measured_before_is_not_worse() -> None:
    assert worse({"x": [Figure("a", 1, "/s")]}, {}) == []
