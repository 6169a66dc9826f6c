"""
How a soak is judged and drawn.
"""

import pytest

from tests.bench.soak import grows, sparkline


@pytest.mark.parametrize(
    ("megabytes", "expected"),
    [
        ([100, 150, 160, 160, 161, 160, 162, 161, 160], False),
        ([50, 60, 70, 80, 90, 100, 110, 120, 130], True),
        ([100, 100, 100, 100, 100, 100, 100, 400, 100], False),  # one peak is no growth
        ([100, 300], False),  # too few to say anything
    ],
)
def test_memory_grows_if_it_still_does_after_two_thirds_of_the_run(megabytes: list[float], expected: bool) -> None:
    assert grows(megabytes) is expected


def test_a_row_of_bars_begins_at_nought_and_has_at_most_so_many() -> None:
    assert sparkline([0, 50, 100]) == "▁▅█"
    assert sparkline([7] * 40, width=10) == "█" * 10
    assert sparkline([]) == ""
