"""
Windows of a list and the stages it is asked in.
"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.lists import FIRST_WINDOW, parted, windows
from services.reporting.projections import place_of
from services.reporting.queries import Filter, match

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
places = st.integers(1, 500_000).map(lambda hour: place_of(datetime.fromtimestamp(hour * 3600, UTC), "R1"))


@given(low=st.just("") | places, high=st.none() | places, found=st.lists(places))
def test_windows_cover_every_place_of_the_span_once_the_newest_first(
    low: str, high: str | None, found: list[str]
) -> None:
    spans = list(windows({"$gte": low, **({"$lt": high} if high else {})}, NOW))

    for place in found:
        covered = [span for span in spans if span["$gte"] <= place and ("$lt" not in span or place < span["$lt"])]
        assert len(covered) == (place >= low and (high is None or place < high))
    assert all(newer["$gte"] == older["$lt"] for newer, older in pairwise(spans))


def test_the_first_window_is_narrow_and_all_time_is_a_handful() -> None:
    spans = list(windows({"$gte": ""}, NOW))

    assert spans[0] == {"$gte": place_of(NOW - FIRST_WINDOW)}
    assert len(spans) < 9
    assert spans[-1]["$gte"] == ""


def test_what_lies_ahead_of_the_clock_is_in_the_first_window() -> None:
    ahead = place_of(NOW + timedelta(days=400))

    first = next(windows({"$gte": "", "$lt": ahead}, NOW))

    assert first == {"$gte": place_of(NOW - FIRST_WINDOW), "$lt": ahead}


@pytest.mark.parametrize(
    ("filters", "served"),
    [
        (Filter(), {"registered", "place"}),
        (Filter(channel=("web",), kind=("complaint",)), {"registered", "channel", "place"}),
        (Filter(channel=("web", "phone"), kind=("complaint",)), {"registered", "place"}),
        (Filter(within=frozenset({"zabita"}), overdue=True), {"registered", "department", "place"}),
        (Filter(department=("zabita", "fen-isleri"), escalated=True, q="yol"), {"registered", "place"}),
        (Filter(parts=True, department=("zabita",), paused=False), {"registered", "department", "work"}),
        (Filter(parent="R1", status=("resolved",)), {"parent_id", "registered", "work"}),
    ],
    ids=lambda one: str(one.as_query()) if isinstance(one, Filter) else "",
)
def test_one_index_serves_what_it_can_and_the_rest_is_looked_at_afterwards(filters: Filter, served: set[str]) -> None:
    query = match(filters, NOW)

    by_index, rest = parted(query)

    assert by_index.keys() == served
    assert {**by_index, **rest} == query
    assert not by_index.keys() & rest.keys()
