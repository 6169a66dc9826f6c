"""
Open data: nobody is alone in it, and nothing personal stands in it.
"""

import random
from collections import Counter
from datetime import date, timedelta
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.figures.facts import SCHEMA, Row
from services.reporting.public.open_data import AT_LEAST, COUNTS, OTHER, REQUESTS, open_counts, open_requests
from services.reporting.public.shown import public_services
from tests.unit.reporting.facts import RECEIVED_AT, fact, frame

TODAY = date(2026, 6, 1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
KNOWN_BY = ("month", "department", "service", "neighbourhood")
HIDDEN = "gurultu"


def pothole(**changes: Any) -> Row:
    return fact(**{"service": "yol-cukur", "department": "fen-isleri", "closed_at": RECEIVED_AT + DAY} | changes)


cells = st.tuples(
    st.integers(0, 2),  # months after March
    st.sampled_from(["fen-isleri", "zabita", "park-bahceler", None]),
    st.sampled_from(["yol-cukur", "cop-alinmadi", "park-bakim", HIDDEN, "siniflandirilamadi", None]),
    st.sampled_from(["Kale", "Kadıköy", "Çiftlik", None]),
    st.integers(1, 9),  # so many of them
)


def rows_of(drawn: list[tuple[int, str | None, str | None, str | None, int]], seed: int) -> list[Row]:
    dice = random.Random(seed)
    found = []
    for months, department, service, neighbourhood, count in drawn:
        for _ in range(count):
            at = RECEIVED_AT + timedelta(days=30 * months + dice.randrange(25), hours=dice.randrange(10))
            found.append(
                fact(
                    received_at=at,
                    closed_at=at + dice.randrange(40) * DAY if dice.random() < 0.8 else None,
                    department=department,
                    service=service,
                    neighbourhood=neighbourhood,
                    part=dice.random() < 0.1,
                    lat=41.287123,
                    lon=36.330456,
                )
            )
    return found


def published(row: Row) -> bool:
    ended = row["closed_day"] is not None and row["closed_day"] < TODAY
    return not row["part"] and row["day"] < TODAY and (ended or row["day"] <= TODAY - 30 * DAY)


@given(st.lists(cells, max_size=14), st.integers(0, 9))
def test_at_least_five_share_everything_by_which_a_request_could_be_known(drawn: Any, seed: int) -> None:
    found = open_requests(frame(*rows_of(drawn, seed)), TODAY)

    assert found.group_by(KNOWN_BY).len().filter(pl.col("len") < AT_LEAST).is_empty()


@given(st.lists(cells, max_size=14), st.integers(0, 9))
def test_no_request_is_lost_but_those_of_a_month_that_is_itself_too_rare(drawn: Any, seed: int) -> None:
    rows = rows_of(drawn, seed)

    months = Counter(f"{row['day']:%Y-%m}" for row in rows if published(row))
    found = Counter(open_requests(frame(*rows), TODAY)["month"].to_list())

    assert found == {month: count for month, count in months.items() if count >= AT_LEAST}


@given(st.lists(cells, max_size=14), st.integers(0, 9))
def test_a_name_that_is_told_is_the_true_one_and_a_place_is_told_with_the_neighbourhood_alone(
    drawn: Any, seed: int
) -> None:
    rows = [row for row in rows_of(drawn, seed) if published(row)]
    found = open_requests(frame(*rows), TODAY)

    true = Counter((f"{row['day']:%Y-%m}", row["department"], row["service"], row["neighbourhood"]) for row in rows)
    told = found.filter(pl.col("neighbourhood").is_not_null()).group_by(KNOWN_BY).len()
    assert all(true[tuple(cell)] == count for *cell, count in told.iter_rows())
    assert found["lat"].is_null().to_list() == found["neighbourhood"].is_null().to_list()
    assert set(found["lat"].drop_nulls()) <= {41.287}  # of 41.287123
    assert found.filter(pl.col("service") == OTHER)["neighbourhood"].is_null().all()


@given(st.lists(cells, max_size=14), st.integers(0, 9))
def test_a_service_that_is_not_public_has_no_name_anywhere(drawn: Any, seed: int) -> None:
    facts = frame(*rows_of(drawn, seed))

    for found in (open_requests(facts, TODAY), open_counts(facts, TODAY)):
        assert set(found["service"]) <= public_services() | {OTHER}


@given(st.lists(cells, max_size=14), st.integers(0, 9))
def test_counts_say_nothing_that_the_requests_do_not_and_none_is_below_five(drawn: Any, seed: int) -> None:
    facts = frame(*rows_of(drawn, seed))

    rows = Counter(open_requests(facts, TODAY).select(KNOWN_BY[:3]).iter_rows())
    found = {tuple(cell): count for *cell, count in open_counts(facts, TODAY).iter_rows()}

    assert found == rows
    assert all(count >= AT_LEAST for count in found.values())


def test_a_rare_service_is_not_told_by_what_a_month_has_left_of_its_department() -> None:
    rows = [*(pothole() for _ in range(9)), pothole(service="kar-buz")]

    found = open_counts(frame(*rows), TODAY).rows()

    assert found == [("2026-03", "fen-isleri", OTHER, 10)]


def test_what_is_rare_loses_its_neighbourhood_then_its_service_then_its_department() -> None:
    services = ("kaldirim-bozuk", "parke-bordur", "istinat-duvari", "kar-buz", "kasis-levha")
    rows = [
        *(pothole(neighbourhood="Kale") for _ in range(5)),
        *(pothole(neighbourhood=name) for name in ("Çay", "Zafer", "Liman", "Pazar", "Hastane")),
        *(pothole(service=name) for name in services),
        *(pothole(department=name) for name in ("zabita", "zabita", "yazi-isleri", "bilgi-islem", "ozel-kalem")),
    ]

    found = open_requests(frame(*rows), TODAY).group_by(KNOWN_BY[1:]).len()

    assert set(found.iter_rows()) == {
        ("fen-isleri", "yol-cukur", "Kale", 5),
        ("fen-isleri", "yol-cukur", None, 5),
        ("fen-isleri", OTHER, None, 5),
        (OTHER, OTHER, None, 5),
    }


def test_if_those_without_a_name_were_too_few_the_rarest_of_the_others_joins_them() -> None:
    rows = [
        pothole(neighbourhood=name) for name, count in (("Kale", 7), ("Çay", 6), ("Zafer", 1)) for _ in range(count)
    ]

    found = open_requests(frame(*rows), TODAY).group_by("neighbourhood").len()

    assert set(found.iter_rows()) == {("Kale", 7), (None, 7)}


def test_a_request_is_told_as_it_stood_when_the_day_began_and_an_open_one_after_thirty_days() -> None:
    old, young = RECEIVED_AT, RECEIVED_AT + 70 * DAY  # 11 May
    rows = [
        *(pothole(received_at=old, closed_at=old + DAY) for _ in range(5)),
        *(pothole(received_at=old + HOUR, closed_at=RECEIVED_AT + 91 * DAY) for _ in range(5)),  # today
        *(pothole(received_at=young, closed_at=young + DAY) for _ in range(5)),
        *(pothole(received_at=young + DAY, closed_at=None) for _ in range(5)),
    ]

    found = open_requests(frame(*rows), TODAY).select("received_day", "closed_day", "outcome", "on_time").unique()

    assert set(found.iter_rows()) == {
        (date(2026, 3, 2), date(2026, 3, 3), "resolved", True),
        (date(2026, 3, 2), None, None, None),
        (date(2026, 5, 11), date(2026, 5, 12), "resolved", True),
    }


def test_the_columns_are_those_that_are_documented_and_the_order_of_the_rows_is_theirs_not_that_of_receipt() -> None:
    rows = [pothole(received_at=RECEIVED_AT + n * HOUR, channel=["web", "phone"][n % 2]) for n in range(6)]
    facts = frame(*rows)

    found = open_requests(facts, TODAY)

    named = {f"{name}_name" for name in ("department", "service")}
    assert found.columns == [one.column.name for one in REQUESTS if one.column.name not in named]
    assert open_counts(facts, TODAY).columns == [one.column.name for one in COUNTS if one.column.name not in named]
    assert found["channel"].to_list() == ["phone"] * 3 + ["web"] * 3


def test_nothing_is_published_of_no_facts() -> None:
    empty = pl.DataFrame(schema=dict(SCHEMA))

    assert (open_requests(empty, TODAY).height, open_counts(empty, TODAY).height) == (0, 0)
