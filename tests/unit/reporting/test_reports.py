"""
Every report equals what lists and loops give, whatever the facts and the filter.
"""

import random
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.contracts.vocabulary import Channel, Kind, Priority, Status
from services.reporting.figures import reports, series, service_levels
from services.reporting.figures.facts import Row
from services.reporting.figures.flags import with_flags
from services.reporting.figures.points import places_of, points_of
from services.reporting.figures.spans import before
from services.reporting.queries import Filter, Interval, TooManyBuckets
from tests.unit.reporting import naive_figures as naive
from tests.unit.reporting.facts import RECEIVED_AT, fact, frame

NOW = datetime(2026, 3, 9, 5, 17, tzinfo=UTC)
DEPARTMENTS = ("zabita", "fen-isleri", "temizlik-isleri", None)
SERVICES = ("gurultu", "yol-cukur", "cop-alinmadi", None)
NEIGHBOURHOODS = ("Kale", "Kadıköy", None)


def any_fact(dice: random.Random) -> Row:
    """
    A row in which everything may be.
    """

    def some(*values: Any) -> Any:
        return dice.choice(values)

    received_at = NOW - timedelta(seconds=dice.randrange(0, 100 * 86_400))
    closed_at = some(None, received_at + timedelta(seconds=dice.randrange(int(1.2e6))))
    hours = [some(None, 0.0, 1.0, 24.0, -0.5, dice.expovariate(0.02)) for _ in range(4)]
    return fact(
        received_at=received_at,
        closed_at=closed_at,
        part=dice.random() < 0.2,
        status=some(*Status).value,
        channel=some(*Channel, None),
        kind=some(*Kind, None),
        priority=some(*Priority, None),
        department=some(*DEPARTMENTS),
        service=some(*SERVICES),
        neighbourhood=some(*NEIGHBOURHOODS),
        team=some(None, "vefa-1"),
        crisis=some(None, "salgin"),
        **{name: dice.random() < 0.3 for name in ("emergency", "assigned", "responded", "paused", "escalated")},
        at_first_contact=dice.random() < 0.3,
        **{name: some(True, False, None) for name in ("on_time", "first_on_time", "responded_on_time")},
        **{name: dice.randrange(3) for name in ("closings", "reopened", "bounced", "followers")},
        rating=some(None, 1, 2, 3, 4, 5),
        resolve_by=some(None, NOW, NOW + timedelta(milliseconds=1), NOW - timedelta(hours=dice.randrange(50))),
        legal_on=some(None, date(2026, 3, 8), date(2026, 3, 9)),
        hours_to_close=hours[0],
        hours_to_respond=hours[1],
        work_hours_to_close=hours[2],
        work_hours_to_respond=hours[3],
        told=some("sent", "suppressed", "failed", "queued", None),
        told_reason=some("no_contact", "not_wanted", None),
        **{f"messages_{name}": dice.randrange(4) for name in ("sent", "suppressed", "failed", "queued")},
        lat=some(None, 41.301, 41.302, 41.35),
        lon=some(None, 36.301, 36.35, 36.352),
    )


FRAMES = st.builds(
    lambda seed, count, order: frame(*(any_fact(dice) for dice in [random.Random(seed)] for _ in range(count)))[
        ::order
    ],
    st.integers(0, 2**32),
    st.sampled_from((0, 1, 2, 7, 60)),
    st.sampled_from((1, -1)),  # in the order of days, as a snapshot is, or not
)


def few(*values: str | None) -> st.SearchStrategy[tuple[str, ...]]:
    """
    No narrowing, or to one or two of these.
    """
    known = [value for value in values if value is not None]
    return st.just(()) | st.lists(st.sampled_from(known), min_size=1, max_size=2, unique=True).map(tuple)


MAYBE = st.none() | st.none() | st.booleans()
DAYS = st.none() | st.dates(date(2025, 12, 1), date(2026, 3, 12))
FILTERS = st.builds(
    Filter,
    department=few(*DEPARTMENTS),
    status=few(*(status.value for status in Status)),
    channel=few(*(channel.value for channel in Channel)),
    service=few(*SERVICES),
    neighbourhood=few(*NEIGHBOURHOODS),
    kind=few(*(kind.value for kind in Kind)),
    team=few("vefa-1"),
    crisis=few("salgin"),
    overdue=MAYBE,
    paused=MAYBE,
    escalated=MAYBE,
    emergency=MAYBE,
    on_time=MAYBE,
    legal_due_before=st.none() | st.just(date(2026, 3, 9)),
    first_day=DAYS,
    last_day=DAYS,
    within=st.none() | st.sets(st.sampled_from(["zabita", "fen-isleri"]), max_size=2).map(frozenset),
)
WIDE = st.builds(Filter, first_day=DAYS, last_day=DAYS)
ASKED = FILTERS | WIDE | st.just(Filter())
checked = settings(max_examples=60)


@checked
@given(facts=FRAMES, filters=ASKED)
def test_the_summary_is_what_loops_give(facts: pl.DataFrame, filters: Filter) -> None:
    assert reports.summary(facts, filters, NOW) == naive.summary(naive.rows_of(facts), filters, NOW)


@checked
@given(facts=FRAMES, filters=ASKED, by=st.sampled_from(["channel", "department", "service", "neighbourhood"]))
def test_groups_are_what_loops_give(facts: pl.DataFrame, filters: Filter, by: reports.By) -> None:
    assert reports.grouped(facts, filters, NOW, by) == naive.grouped(naive.rows_of(facts), filters, NOW, by)


@checked
@given(facts=FRAMES, cuts=st.lists(st.integers(0, 30), max_size=2).map(sorted))
def test_a_neighbourhood_lies_in_the_middle_of_its_requests_however_they_were_added_up(
    facts: pl.DataFrame, cuts: list[int]
) -> None:
    pieces = [facts[start:end] for start, end in pairwise([0, *cuts, len(facts)])]

    found = points_of(map(places_of, pieces))

    own: dict[str, list[tuple[float, float]]] = {}
    for row in naive.rows_of(facts):
        if row["neighbourhood"] and row["lat"] is not None and row["lon"] is not None and not row["part"]:
            own.setdefault(row["neighbourhood"], []).append((row["lat"], row["lon"]))
    assert found == {
        name: pytest.approx([sum(degrees) / len(points) for degrees in zip(*points, strict=True)], abs=1e-4)
        for name, points in own.items()
    }


@checked
@given(
    facts=FRAMES,
    filters=ASKED,
    interval=st.sampled_from(Interval),
    by=st.none() | st.sampled_from(["channel", "department", "kind"]),
)
def test_volume_is_what_loops_give(
    facts: pl.DataFrame, filters: Filter, interval: Interval, by: series.VolumeBy | None
) -> None:
    expected = naive.volume(naive.rows_of(facts), filters, NOW, interval, by)

    assert series.volume(facts, filters, NOW, interval, by) == expected


@checked
@given(facts=FRAMES, filters=ASKED)
def test_the_heat_map_is_what_loops_give(facts: pl.DataFrame, filters: Filter) -> None:
    assert series.heatmap(facts, filters, NOW) == naive.heatmap(naive.rows_of(facts), filters, NOW)


@checked
@given(facts=FRAMES, filters=ASKED, interval=st.sampled_from(Interval))
def test_the_backlog_is_what_loops_give(facts: pl.DataFrame, filters: Filter, interval: Interval) -> None:
    rows = naive.rows_of(facts)

    assert series.backlog(facts, filters, NOW) == naive.backlog(rows, filters, NOW)
    assert series.backlog_series(facts, filters, NOW, interval) == naive.backlog_series(rows, filters, NOW, interval)


@checked
@given(facts=FRAMES, filters=ASKED)
def test_service_levels_are_what_loops_give(facts: pl.DataFrame, filters: Filter) -> None:
    assert service_levels.sla(facts, filters, NOW) == naive.sla(naive.rows_of(facts), filters, NOW)


@checked
@given(
    facts=FRAMES, filters=ASKED, by=st.none() | st.sampled_from(["channel", "department", "service", "neighbourhood"])
)
def test_satisfaction_is_what_loops_give(
    facts: pl.DataFrame, filters: Filter, by: service_levels.SatisfactionBy | None
) -> None:
    expected = naive.satisfaction(naive.rows_of(facts), filters, NOW, by)

    assert service_levels.satisfaction(facts, filters, NOW, by) == expected


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (date(2026, 3, 9), date(2026, 3, 9), (date(2026, 3, 8), date(2026, 3, 8))),
        (date(2026, 3, 2), date(2026, 3, 8), (date(2026, 2, 23), date(2026, 3, 1))),
        (date(2026, 3, 1), date(2026, 3, 31), (date(2026, 2, 1), date(2026, 2, 28))),
        (date(2026, 1, 1), date(2026, 2, 28), (date(2025, 11, 1), date(2025, 12, 31))),
        (date(2024, 1, 1), date(2024, 12, 31), (date(2023, 1, 1), date(2023, 12, 31))),
        (date(2026, 3, 1), date(2026, 3, 30), (date(2026, 1, 30), date(2026, 2, 28))),
    ],
)
def test_the_period_before_has_as_many_days_or_whole_months(
    first: date, last: date, expected: tuple[date, date]
) -> None:
    assert before(first, last) == expected


def test_what_was_packed_before_gives_the_same() -> None:
    facts = frame(*(any_fact(dice) for dice in [random.Random(7)] for _ in range(200)))

    assert reports.summary(with_flags(facts), Filter(), NOW) == reports.summary(facts, Filter(), NOW)


def test_a_search_means_the_services_that_are_called_so() -> None:
    facts = frame(fact(service="yol-cukur"), fact(service="gurultu"), fact(service=None))

    assert reports.summary(facts, Filter(q="ÇUKUR"), NOW)["received"] == 1
    assert reports.summary(facts, Filter(q="zzz"), NOW)["received"] == 0


def test_parts_are_work_of_departments_and_no_requests_of_citizens() -> None:
    facts = frame(fact(), fact(part=True), fact(part=True, department="fen-isleri"))

    departments = reports.grouped(facts, Filter(), NOW, "department")

    assert reports.summary(facts, Filter(), NOW)["received"] == 1
    assert [(row["department"], row["received"]) for row in departments] == [("zabita", 2), ("fen-isleri", 1)]
    assert sum(row["open"] for row in series.backlog(facts, Filter(), NOW)) == 3
    assert series.backlog_series(facts, Filter(), NOW, Interval.DAY)[-1]["open"] == 3


def test_an_endless_series_of_hours_is_refused_before_anything_is_counted() -> None:
    facts = frame(fact(), fact(received_at=RECEIVED_AT - timedelta(days=400)))

    with pytest.raises(TooManyBuckets, match="hour"):
        series.volume(facts, Filter(), NOW, Interval.HOUR)


def test_days_without_events_are_there_with_zero() -> None:
    facts = frame(fact(closed_at=RECEIVED_AT + timedelta(days=2)))

    rows = series.volume(facts, Filter(), NOW, Interval.DAY)

    assert [(row["bucket"], row["received"], row["closed"]) for row in rows] == [
        ("2026-03-02", 1, 0),
        ("2026-03-03", 0, 0),
        ("2026-03-04", 0, 1),
    ]


def test_the_backlog_falls_on_the_day_of_the_last_closing() -> None:
    closed_at = RECEIVED_AT + timedelta(days=1)
    facts = frame(fact(closed_at=closed_at), fact(closed_at=closed_at, part=True), fact())
    days = Filter(first_day=date(2026, 3, 1), last_day=date(2026, 3, 4))

    rows = series.backlog_series(facts, days, NOW, Interval.DAY)

    assert [row["open"] for row in rows] == [0, 3, 1, 1]
