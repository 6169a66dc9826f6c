"""
The monthly statement as figures: against a recomputation row by row, and where months begin and end.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.ui.words import Words
from services.reporting.figures import reports
from services.reporting.figures.facts import Row
from services.reporting.names import Names
from services.reporting.projections import ISTANBUL
from services.reporting.queries import Filter
from services.reporting.statement.models import Group, Numbers, Statement
from services.reporting.statement.month import Month, Span
from services.reporting.statement.statement import statement_of
from tests.unit.reporting.facts import fact, frame
from tests.unit.reporting.statement_room import NOW, a_year_and_a_half

OCTOBER = Month(2026, 10)
LATER = datetime(2026, 12, 20, tzinfo=UTC)
DAY = timedelta(days=1)
ENDS = ("resolved", "referred", "rejected", "duplicate", "cancelled")


def local(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=ISTANBUL).astimezone(UTC)  # type: ignore[misc,arg-type]


def of(*rows: Row, month: Month = OCTOBER, now: datetime = LATER, **options: Any) -> Statement:
    return statement_of(frame(*rows), Names(), month, now, **options)


# --- months ---


@pytest.mark.parametrize(
    "text", ["2026-13", "2026-00", "2026-1", "26-01", "2026-01-01", "1999-12", "2101-01", "", "٢٠٢٦-٠١"]
)
def test_what_is_no_month_is_refused_and_the_right_form_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"a month (is written YYYY-MM|lies between)"):
        Month.parse(text)


@given(st.integers(2000, 2099), st.integers(1, 12), st.integers(-30, 30))
def test_months_go_forth_and_back(year: int, number: int, steps: int) -> None:
    month = Month(year, number)
    assert month.plus(steps).plus(-steps) == month
    assert Month.parse(str(month)) == month
    assert month.last_day + DAY == month.plus(1).first_day


def test_a_running_month_is_compared_with_the_same_stretch_of_others_and_never_beyond_their_end() -> None:
    march = Span.until(Month(2026, 3), local(2026, 3, 30, 12))
    assert not march.whole
    assert march.earlier(1).end == local(2026, 3, 1)  # February has no 30th
    assert march.earlier(12).end == local(2025, 3, 30, 12)
    assert Span.until(OCTOBER, LATER).earlier(1) == Span(Month(2026, 9), local(2026, 10, 1))


# --- what belongs to a month ---


def test_a_month_begins_and_ends_by_the_clocks_of_istanbul() -> None:
    first, last = local(2026, 10, 1), local(2026, 11, 1) - timedelta(milliseconds=1)
    rows = [fact(received_at=at) for at in (first - timedelta(milliseconds=1), first, last, local(2026, 11, 1))]
    found = of(*rows)
    assert found.numbers.received == 2
    assert [one for one in found.days if one.received] == [
        found.days[0].model_copy(update={"received": 1}),
        found.days[-1].model_copy(update={"received": 1}),
    ]
    assert (found.days[0].day, found.days[-1].day) == (date(2026, 10, 1), date(2026, 10, 31))


def test_a_closing_counts_in_the_month_it_falls_in_and_the_backlog_is_that_of_the_months_end() -> None:
    old = fact(received_at=local(2026, 9, 10), closed_at=local(2026, 10, 5))
    over_the_end = fact(received_at=local(2026, 10, 30), closed_at=local(2026, 11, 3))
    open_long = fact(received_at=local(2026, 8, 1))
    found = of(old, over_the_end, open_long)
    assert (found.numbers.received, found.numbers.concluded) == (1, 1)
    assert (found.numbers.open_at_end, found.numbers.open_over_30_days) == (2, 1)
    assert (found.standing.closed, found.standing.open) == (1, 0)
    assert of(old, over_the_end, open_long, month=Month(2026, 9)).numbers.open_at_end == 2


def test_a_month_reads_the_same_later_though_its_requests_went_on() -> None:
    rows = [fact(received_at=local(2026, 10, 1) + n * DAY, closed_at=local(2026, 10, 20) + n * DAY) for n in range(25)]
    at_once = frame(*(row if row["closed_at"] < local(2026, 11, 1) else row | _still_open() for row in rows))
    told = statement_of(at_once, Names(), OCTOBER, local(2026, 11, 1))
    assert told.numbers == of(*rows).numbers
    assert told.standing != of(*rows).standing


def _still_open() -> Row:
    nothing = dict.fromkeys(("closed_at", "closed_day", "outcome", "hours_to_close", "hours_to_respond", "on_time"))
    return {**nothing, "closed": False, "status": "assigned", "closings": 0}


def test_departments_count_work_and_everything_else_requests() -> None:
    whole = fact(received_at=local(2026, 10, 3), department="zabita")
    part = fact(received_at=local(2026, 10, 3), department="fen-isleri", part=True, closed_at=local(2026, 10, 4))
    found = of(whole, part)
    assert (found.numbers.received, found.numbers.concluded) == (1, 0)
    assert {group.value: group.received for group in found.by_department} == {"zabita": 1, "fen-isleri": 1}
    assert sum(group.received for group in found.by_service) == 1


def test_whoever_is_limited_to_departments_sees_these_alone() -> None:
    rows = [fact(received_at=local(2026, 10, 3), department=slug) for slug in ("zabita", "fen-isleri", None)]
    found = of(*rows, departments={"zabita"})
    assert found.departments == ["zabita"]
    assert found.numbers.received == 1
    assert [group.value for group in found.by_department] == ["zabita"]
    assert of(*rows, departments=()).numbers.received == 0


def test_there_is_no_comparison_with_a_month_of_which_the_beginning_is_missing() -> None:
    rows = [fact(received_at=local(2026, 9, 2)), fact(received_at=local(2026, 10, 2))]
    assert of(*rows).previous is None
    assert {group.received_before for group in of(*rows).by_channel} == {None}
    begun = fact(received_at=local(2026, 9, 1, 23))
    assert of(*rows, begun).previous is not None
    assert {group.received_before for group in of(*rows, begun).by_channel} == {2}
    assert [one.month for one in of(*rows, begun).months] == ["2026-09", "2026-10"]


def test_a_month_without_anything_has_counts_of_nothing_and_shares_of_nothing() -> None:
    found = of()
    assert found.previous is None
    assert found.numbers.received == found.numbers.concluded == found.numbers.open_at_end == 0
    assert found.numbers.solved_share is found.numbers.median_hours_to_close is found.numbers.rating_average is None
    assert len(found.days) == 31
    assert found.by_channel == found.by_department == []


def test_a_running_month_is_provisional_and_counts_until_now() -> None:
    now = local(2026, 10, 10, 12)
    found = of(fact(received_at=now - DAY), fact(received_at=local(2026, 9, 10, 11)), now=now)
    assert found.provisional
    assert found.until == now
    assert found.days[-1].day == date(2026, 10, 10)
    assert not of().provisional


def test_groups_have_the_names_of_the_city_and_those_of_nothing_say_so() -> None:
    boston = Names(imported={"department": {"pwd": Words("Fen İşleri (Boston)", "Public Works")}})
    rows = [fact(department="pwd", neighbourhood=None), fact(department="zabita", neighbourhood="Kale")]
    found = statement_of(frame(*rows), boston, Month(2026, 3), NOW)
    assert {group.value: group.name.tr for group in found.by_department} == {
        "pwd": "Fen İşleri (Boston)",
        "zabita": "Zabıta Müdürlüğü",
    }
    assert {group.value: group.name.en for group in found.by_neighbourhood} == {
        None: "No neighbourhood given",
        "Kale": "Kale",
    }


# --- against a recomputation ---


def test_what_stands_now_is_what_the_summary_of_the_dashboard_says() -> None:
    facts = a_year_and_a_half()
    found = statement_of(facts, Names(), OCTOBER, NOW)
    row = reports.summary(facts, Filter(first_day=OCTOBER.first_day, last_day=OCTOBER.last_day), NOW)
    assert (found.numbers.received, found.standing.closed, found.standing.open) == (
        row["received"], row["closed"], row["open"],
    )  # fmt: skip
    assert found.standing.resolved == row["closed_by_outcome"]["resolved"]


moments = st.integers(0, 75 * 24).map(lambda hours: local(2026, 8, 20) + timedelta(hours=hours))
lengths = st.one_of(st.none(), st.integers(0, 50 * 24).map(lambda hours: timedelta(hours=hours)))


@st.composite
def rows_of_facts(draw: st.DrawFn) -> Row:
    received_at, took, answer = draw(moments), draw(lengths), draw(lengths)
    closed_at = received_at + took if took is not None else None
    answered = min((one for one in (answer, took) if one is not None), default=None)
    return fact(
        received_at=received_at,
        closed_at=closed_at,
        hours_to_respond=answered.total_seconds() / 3600 if answered is not None else None,
        responded_on_time=draw(st.sampled_from([True, False, None])) if answered is not None else None,
        status="assigned" if took is None else draw(st.sampled_from(ENDS)),
        channel=draw(st.sampled_from(["phone", "web", None])),
        kind=draw(st.sampled_from(["complaint", None])),
        service=draw(st.sampled_from(["gurultu", "yol-cukur", None])),
        neighbourhood=draw(st.sampled_from(["Kale", "19 Mayıs", None])),
        department=draw(st.sampled_from(["zabita", "fen-isleri", None])),
        part=draw(st.booleans()),
        emergency=draw(st.booleans()),
        at_first_contact=draw(st.booleans()),
        rating=draw(st.sampled_from([None, 1, 3, 4, 5])),
        closings=draw(st.integers(0, 3)),
    )  # fmt: skip


@settings(max_examples=60)
@given(st.lists(rows_of_facts(), max_size=12), st.sampled_from([LATER, local(2026, 10, 17, 5)]))
def test_every_figure_equals_the_one_counted_row_by_row(rows: list[Row], now: datetime) -> None:
    rows = [row for row in rows if row["received_at"] < now and not (row["closed_at"] and row["closed_at"] > now)]
    found, span = of(*rows, now=now), Span.until(OCTOBER, now)
    whole = [row for row in rows if not row["part"]]
    assert found.numbers == _numbers(whole, span)
    for before, told in ((span.earlier(1), found.previous), (span.earlier(12), found.year_before)):
        assert told is None or told == _numbers(whole, before)
    assert {one.month: one.received for one in found.months}[str(OCTOBER)] == found.numbers.received
    for field in ("channel", "kind", "service", "neighbourhood", "department"):
        counted = rows if field == "department" else whole
        groups: list[Group] = getattr(found, f"by_{field}")
        assert {group.value: _of_group(group) for group in groups} == _groups(counted, span, field)
        assert [group.received for group in groups] == sorted((group.received for group in groups), reverse=True)
    days = Counter(row["day"] for row in whole if span.start <= row["received_at"] < span.end)
    assert {one.day: one.received for one in found.days if one.received} == days


def _within(row: Row, moment: datetime | None, span: Span) -> bool:
    return moment is not None and span.start <= moment < span.end


def _answered(row: Row) -> datetime | None:
    hours = row["hours_to_respond"]
    return row["received_at"] + timedelta(hours=hours) if hours is not None else None


def _share(flags: Iterable[bool]) -> float | None:
    known = list(flags)
    return round(sum(known) / len(known), 4) if known else None


def _median(hours: Sequence[float]) -> float | None:
    return round(median(hours), 2) if hours else None


def _open(rows: Iterable[Row], span: Span) -> list[Row]:
    return [
        row for row in rows if row["received_at"] < span.end and (not row["closed_at"] or row["closed_at"] >= span.end)
    ]


def _numbers(rows: list[Row], span: Span) -> Numbers:
    came = [row for row in rows if _within(row, row["received_at"], span)]
    ended = [row for row in rows if _within(row, row["closed_at"], span)]
    answered = [row for row in rows if _within(row, _answered(row), span)]
    judged = [row["on_time"] for row in ended if row["on_time"] is not None]
    ratings = [row["rating"] for row in ended if row["rating"]]
    still = _open(rows, span)
    return Numbers(
        received=len(came),
        concluded=len(ended),
        solved=sum(row["status"] == "resolved" for row in ended),
        solved_share=_share(row["status"] == "resolved" for row in ended),
        on_time=sum(judged),
        late=len(judged) - sum(judged),
        on_time_share=_share(judged),
        median_hours_to_respond=_median([row["hours_to_respond"] for row in answered]),
        responded_on_time_share=_share(
            row["responded_on_time"] for row in answered if row["responded_on_time"] is not None
        ),
        median_hours_to_close=_median([row["hours_to_close"] for row in ended]),
        ratings=len(ratings),
        rating_average=round(sum(ratings) / len(ratings), 2) if ratings else None,
        satisfied_share=_share(rating >= 4 for rating in ratings),
        emergencies=sum(row["emergency"] for row in came),
        emergency_median_hours_to_respond=_median([row["hours_to_respond"] for row in answered if row["emergency"]]),
        at_first_contact=sum(row["at_first_contact"] for row in came),
        reopened=sum(row["closings"] > 1 for row in ended),
        open_at_end=len(still),
        open_over_30_days=sum(row["received_at"] < span.end - 30 * DAY for row in still),
        by_outcome={state: sum(row["status"] == state for row in ended) for state in ENDS},
    )


def _of_group(group: Group) -> tuple[Any, ...]:
    return (
        group.received, group.concluded, group.open_at_end, group.solved_share, group.on_time_share,
        group.median_hours_to_close,
    )  # fmt: skip


def _groups(rows: list[Row], span: Span, field: str) -> dict[str | None, tuple[Any, ...]]:
    found = {}
    for value in {row[field] for row in rows}:
        numbers = _numbers([row for row in rows if row[field] == value], span)
        told = (
            numbers.received, numbers.concluded, numbers.open_at_end, numbers.solved_share, numbers.on_time_share,
            numbers.median_hours_to_close,
        )  # fmt: skip
        if any(told[:3]):
            found[value] = told
    return found
