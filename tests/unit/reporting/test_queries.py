"""
Filters, buckets and cursors.
"""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.common.contracts.ids import random_request_id
from services.common.contracts.text import fold
from services.common.contracts.vocabulary import CLOSED, Status
from services.reporting.cursors import BadCursor, seal, unseal
from services.reporting.figures.views import ReportParameters
from services.reporting.projections import place_of
from services.reporting.queries import (
    Filter,
    Interval,
    Match,
    TooManyBuckets,
    buckets,
    match,
    services_named,
    widened,
)
from services.reporting.views import ListParameters, Parameters

SECRET = b"a secret of some length"
NOW = datetime(2026, 11, 25, tzinfo=UTC)


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    first, last = date(2026, 11, 29), date(2026, 12, 1)

    assert buckets(first, last, Interval.WEEK) == ["2026-11-23", "2026-11-30"]
    assert buckets(first, last, Interval.MONTH) == ["2026-11-01", "2026-12-01"]
    assert len(buckets(first, last, Interval.HOUR)) == 72


def test_an_endless_series_of_buckets_is_refused() -> None:
    with pytest.raises(TooManyBuckets, match="hour"):
        buckets(date(2000, 1, 1), date(2100, 1, 1), Interval.HOUR)


@given(
    first=st.dates(date(2000, 1, 1), date(2099, 1, 1)),
    days=st.integers(0, 200),
    interval=st.sampled_from(Interval),
)
def test_buckets_are_in_order_and_each_stands_once(first: date, days: int, interval: Interval) -> None:
    names = buckets(first, first + timedelta(days=days), interval)

    assert names == sorted(set(names))


def test_open_and_closed_are_words_for_many_states() -> None:
    assert set(widened(["closed"])) == {status.value for status in CLOSED}
    assert len(widened(["open", "closed"])) == len(Status)
    assert widened(["resolved", "received"]) == ("received", "resolved")


@pytest.mark.parametrize("text", ["ÇUKUR", "çukur", "Cukur"])
def test_a_service_is_found_with_and_without_turkish_letters(text: str) -> None:
    assert fold(text) == "cukur"
    assert "yol-cukur" in str(match(Filter(q=text), NOW))


def test_a_whole_number_is_found_however_it_is_written() -> None:
    number = random_request_id()

    assert match(Filter(q=f"{number[:4]}-{number[4:8]}-{number[8:]}".lower()), NOW) == {
        "registered": True,
        "_id": number,
        "place": {"$gte": ""},
    }


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("7xk2", "^7XK2"),
        ("7XK2-9M", "^7XK29M"),
        ("2", "^2"),
        ("kxq-zvw", "^KXQZVW"),
        ("park", None),
        ("yazab", None),
        ("hayvan", None),
        ("seyyar", None),
        ("çukur 2", None),
    ],
)
def test_a_number_is_searched_by_its_beginning_if_it_looks_like_one_and_names_no_service(
    text: str, prefix: str | None
) -> None:
    ways = match(Filter(q=text), NOW)["$or"]

    assert [way["_id"]["$regex"] for way in ways if "_id" in way] == ([prefix] if prefix else [])
    assert ways[0] == {"service_code": {"$in": services_named(text)}}


@given(
    text=st.one_of(
        st.text("ABEHKNSTXYZabehknstxyz27-.", min_size=1, max_size=9),
        st.sampled_from(["park", "hayvan", "seyyar", "çukur", "7xk2", "7XK29MQ4T3BDM.1"]),
        st.builds(random_request_id),
    ).filter(lambda text: text.strip())
)
def test_a_word_means_in_figures_what_it_means_in_lists_or_is_refused(text: str) -> None:
    found = match(ListParameters(q=text).filter(), NOW)
    by_services = found.get("$or") == [{"service_code": {"$in": services_named(text)}}]

    try:
        ReportParameters(q=text)
    except ValidationError:
        assert not by_services
    else:
        assert by_services


@pytest.mark.parametrize("parameters", [ListParameters, ReportParameters])
def test_a_neighbourhood_is_asked_for_in_any_spelling_and_one_of_another_city_in_its_own(
    parameters: type[Parameters],
) -> None:
    asked = parameters.model_validate({"neighbourhood": ["KADIKOY MAH.,Kale Mahallesi", "Jamaica Plain"]})

    assert asked.filter().neighbourhood == ("Kadıköy", "Kale", "Jamaica Plain")


def test_the_shown_filter_is_the_filter() -> None:
    asked = {
        "department": "zabita,fen-isleri",
        "status": "resolved",
        "team": "vefa-1,vefa-2",
        "crisis": "salgin",
        "overdue": "true",
        "paused": "false",
        "escalated": "true",
        "legal_due_before": "2026-12-01",
        "from": "2026-11-01",
        "q": "çukur",
    }
    lists = ("department", "status", "team", "crisis")
    given_so = {name: [text] if name in lists else text for name, text in asked.items()}
    number = random_request_id()
    family = {"parent": number, "parts": "true"}

    assert ReportParameters.model_validate(given_so).filter().as_query() == asked
    assert ListParameters.model_validate(given_so | family).filter().as_query() == asked | family


def test_parts_are_meant_only_if_they_are_asked_for() -> None:
    number = random_request_id()

    every: Match = {"work": {"$gte": ""}}
    requests: Match = {"place": {"$gte": ""}}  # what is no request has no place
    asked: list[tuple[ListParameters, Match]] = [
        (ListParameters(), requests),
        (ListParameters(parts=True), every),
        (ListParameters(parent=number.lower()), every | {"parent_id": number}),
        (ListParameters(q=number), requests | {"_id": number}),
        (ListParameters(q=f"{number}.2"), every | {"_id": f"{number}.2"}),
    ]

    for parameters, found in asked:
        assert match(parameters.filter(), NOW) == {"registered": True} | found


@given(
    one=st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    other=st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_places_sort_like_times(one: datetime, other: datetime) -> None:
    one, other = (moment.replace(microsecond=0) for moment in (one, other))

    assert (place_of(one) < place_of(other)) == (one < other)


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        (datetime(2026, 11, 23, 20, 59, 59, 999_000, tzinfo=UTC), False),
        (datetime(2026, 11, 23, 21, 0, tzinfo=UTC), True),
        (datetime(2026, 11, 24, 20, 59, 59, 999_000, tzinfo=UTC), True),
        (datetime(2026, 11, 24, 21, 0, tzinfo=UTC), False),
    ],
)
def test_a_day_is_the_day_in_istanbul(moment: datetime, inside: bool) -> None:
    days = match(Filter(first_day=date(2026, 11, 24), last_day=date(2026, 11, 24)), NOW)["place"]

    assert (days["$gte"] <= place_of(moment, random_request_id()) < days["$lt"]) is inside


def test_a_cursor_names_its_place() -> None:
    place = place_of(datetime(2026, 11, 24, tzinfo=UTC), random_request_id())

    assert unseal(SECRET, Filter(), seal(SECRET, Filter(), place)) == place


@given(text=st.text(max_size=60))
def test_a_made_up_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        unseal(SECRET, Filter(), text)


def test_a_cursor_of_another_filter_is_refused() -> None:
    cursor = seal(SECRET, Filter(status=("resolved",)), place_of(datetime(2026, 1, 1, tzinfo=UTC)))

    with pytest.raises(BadCursor):
        unseal(SECRET, Filter(), cursor)
