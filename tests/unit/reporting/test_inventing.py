"""
Invented requests: the same by the same seed, and such as ours are.
"""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.catalogue import catalogue
from services.common.contracts.clocks import Calendar, load_calendar
from services.common.contracts.ids import parse_request_id
from services.reporting.figures.facts import SCHEMA, fact_of
from services.reporting.figures.sheets import encode
from services.reporting.history.generate_cli import requests_of
from services.reporting.history.inventing import Invention
from services.reporting.history.model import event_of
from services.reporting.history.working_time import WorkingTime
from services.reporting.projections import fold
from services.reporting.queries import midnight

CALENDAR = load_calendar()
FIRST, LAST = date(2026, 1, 1), date(2026, 2, 28)
CLOCK = WorkingTime(CALENDAR, date(2026, 1, 1), date(2026, 6, 30))
moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 6, 1), timezones=st.just(UTC))  # noqa: DTZ001


def invention(seed: int = 1, requests: int = 5_000, calendar: Calendar = CALENDAR) -> Invention:
    return Invention(seed, requests, FIRST, LAST, calendar)


@pytest.fixture(scope="module")
def facts() -> pl.DataFrame:
    return pl.concat([frame for _, frame in invention().days()])


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def test_the_same_seed_invents_the_same_sheets_byte_by_byte() -> None:
    first, again, other = ([encode(frame) for _, frame in invention(seed).days()] for seed in (1, 1, 2))

    assert first == again
    assert not set(first) & set(other)


def test_as_many_requests_are_invented_as_were_asked_for_each_on_its_day(facts: pl.DataFrame) -> None:
    requests = facts.filter(~pl.col("part"))

    assert requests.height == 5_000
    assert requests["request_id"].n_unique() == 5_000
    assert (requests["day"].min(), requests["day"].max()) == (FIRST, LAST)
    assert facts.schema == pl.Schema(SCHEMA)
    assert (facts["received_at"].dt.convert_time_zone("Europe/Istanbul").dt.date() == facts["day"]).all()
    assert (facts["received_at"].dt.convert_time_zone("Europe/Istanbul").dt.hour() == facts["hour"]).all()


def test_what_is_invented_is_of_this_city(facts: pl.DataFrame) -> None:
    known = catalogue()

    assert set(facts["service"]) <= known.services.keys()
    assert set(facts["department"]) <= known.departments.keys()
    for number in facts.filter(~pl.col("part"))["request_id"].head(50):
        assert parse_request_id(number) == number


def test_nothing_is_known_that_had_not_happened_when_the_last_day_ended(facts: pl.DataFrame) -> None:
    end = midnight(LAST + timedelta(days=1)).astimezone(UTC)
    closed, still_open = facts.filter("closed"), facts.filter(~pl.col("closed"))

    assert (closed["closed_at"] < end).all()
    assert (closed["closed_at"] >= closed["received_at"]).all()
    assert still_open.height > 100
    for name in ("closed_at", "outcome", "hours_to_close", "on_time", "rating"):
        assert still_open[name].null_count() == still_open.height


def test_every_kind_of_figure_has_something_to_show(facts: pl.DataFrame) -> None:
    for name in ("emergency", "paused", "escalated", "at_first_contact", "on_time", "responded_on_time", "part"):
        assert facts[name].drop_nulls().n_unique() == 2, name
    for name in ("reopened", "bounced", "followers", "rating"):
        assert facts[name].drop_nulls().n_unique() > 1, name
    assert facts["channel"].n_unique() == 10


def test_snow_is_a_matter_of_winter() -> None:
    def snow(month: int) -> int:
        days = Invention(1, 3_000, date(2025, month, 1), date(2025, month, 28), CALENDAR).days()
        return sum(frame.filter(pl.col("service") == "kar-buz").height for _, frame in days)

    assert snow(1) > 5 * snow(7)


def test_documents_of_invented_requests_have_their_facts(facts: pl.DataFrame) -> None:
    rows = facts.filter(~pl.col("part")).tail(300)

    found = [fact_of(fold(None, event_of(request)) or {}, CALENDAR) for request in requests_of(rows)]

    names = [
        "request_id", "day", "hour", "received_at", "closed_day", "closed_at", "channel", "kind", "service", "status",
        "neighbourhood", "department", "priority", "outcome", "emergency", "responded", "closed", "rating", "reopened",
        "respond_by", "resolve_by", "lat", "lon",
    ]  # fmt: skip
    expected = rows.select(names).to_dicts()
    assert [{name: (row or {})[name] for name in names} for row in found] == expected


@given(moments, st.floats(0, 400))
def test_working_time_of_columns_is_that_of_the_citys_clock(since: datetime, hours: float) -> None:
    until = since + timedelta(hours=hours)
    started = np.array([ms(since)])

    between = CLOCK.between(started, np.array([ms(until)]))[0]

    assert between == pytest.approx(CALENDAR.elapsed(since, until, "biz").total_seconds() / 3600, abs=1e-3)


@given(moments, st.floats(0.1, 80))
def test_what_takes_so_many_working_hours_ends_when_the_citys_clock_says(since: datetime, hours: float) -> None:
    ended = int(CLOCK.after(np.array([ms(since)]), np.array([hours]))[0])

    due = CALENDAR.add(since, hours, "biz")
    left = CALENDAR.elapsed(min(due, at := datetime.fromtimestamp(ended / 1000, UTC)), max(due, at), "biz")
    assert left < timedelta(seconds=2)
