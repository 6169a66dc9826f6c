"""
A list's address says what is listed, and is read as the same again.
"""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.catalogue import catalogue
from services.common.contracts.neighbourhoods import NEIGHBOURHOODS
from services.common.contracts.vocabulary import Channel, Kind, Priority, Status
from services.reporting.inbox.filters import SORTS, TABS, Asked, Show, asked
from services.reporting.work import Sort, View, WorkFilter


def some(*values: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=3, unique=True).map(tuple)


days = st.dates(date(2020, 1, 1), date(2030, 1, 1))
narrowing = st.builds(
    WorkFilter,
    service=some(*catalogue().services),
    neighbourhood=some(*NEIGHBOURHOODS),
    priority=some(*Priority),
    channel=some(*Channel),
    kind=some(*Kind),
    status=some(*Status),
    team=some("vefa-1", "vefa-2"),
    crisis=some("salgin", "deprem"),
    emergency=st.sampled_from([True, None]),
    escalated=st.sampled_from([True, None]),
    reopened=st.sampled_from([True, None]),
    first_day=st.none() | st.dates(date(2020, 1, 1), date(2024, 1, 1)),
    last_day=st.none() | st.dates(date(2024, 1, 1), date(2030, 1, 1)),
    q=st.none() | st.text(min_size=1, max_size=50).map(str.strip).filter(bool),
)
everything = st.builds(
    Asked,
    view=st.sampled_from(list(TABS)),
    filters=narrowing,
    sort=st.none() | st.sampled_from(list(SORTS)),
    show=st.sampled_from(Show),
    since=st.none() | st.just("000000000000123.7XK29MQ4T3BDM"),
)


@given(everything)
def test_an_address_is_read_as_what_it_was_made_of(wanted: Asked) -> None:
    assert asked({name: [text] for name, text in wanted.as_query().items()}) == (wanted, ())


@given(
    st.dictionaries(
        st.sampled_from(
            ["view", "sort", "show", "since", "q", "from", "to", "emergency", "service", "neighbourhood", "x"]
        ),
        st.lists(st.text(max_size=20), max_size=3),
    )
)
def test_whatever_stands_in_an_address_what_cannot_be_read_is_left_out(query: dict[str, list[str]]) -> None:
    found, _ = asked(query)

    assert asked({name: [text] for name, text in found.as_query().items()}) == (found, ())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("view", "triage"),
        ("view", "x"),
        ("sort", "x"),
        ("show", "x"),
        ("from", "dün"),
        ("service", "uzay"),
        ("service", "yol-cukur,uzay"),
        ("neighbourhood", "Atakum"),
        ("priority", "sonra"),
        ("team", "x"),
        ("crisis", "x"),
    ],
)
def test_what_cannot_be_read_is_named_with_what_would_be_right(name: str, text: str) -> None:
    found, wrong = asked({name: [text]})

    assert found == Asked()
    assert [one.field for one in wrong] == [name]
    assert wrong[0].words.tr
    assert wrong[0].words.en


def test_a_span_of_days_ends_after_it_began() -> None:
    found, wrong = asked({"from": ["2026-06-03"], "to": ["2026-06-02"]})

    assert (found.filters.first_day, found.filters.last_day) == (date(2026, 6, 3), None)
    assert [one.field for one in wrong] == ["to"]


def test_neighbourhoods_are_found_however_they_are_written() -> None:
    assert asked({"neighbourhood": ["KADIKOY MAH."]})[0].filters.neighbourhood == ("Kadıköy",)


def test_closed_ones_come_in_the_order_of_their_closing_unless_another_is_asked_for() -> None:
    assert Asked(view=View.CLOSED).order is Sort.CLOSED
    assert Asked(view=View.NEW).order is Sort.DUE
    assert Asked(view=View.CLOSED, sort=Sort.OLDEST).order is Sort.OLDEST


def test_another_list_begins_at_its_first_page() -> None:
    wanted = Asked(view=View.NEW, since="x", filters=WorkFilter(q="çukur"))

    assert wanted.url("/department/zabita", view=View.MINE) == "/department/zabita?view=mine&q=%C3%A7ukur"
    assert Asked().url("/department/zabita") == "/department/zabita"
