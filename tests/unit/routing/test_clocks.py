"""
Due times on the two clocks.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.routing.clocks import CITY, WORKING_DAYS, WORKING_HOURS, add_hours

IST = ZoneInfo("Europe/Istanbul")


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-06-01T09:00", 2, "2026-06-01T11:00"),
        ("2026-06-01T11:00", 2, "2026-06-01T14:00"),
        ("2026-06-01T16:00", 2, "2026-06-02T09:00"),
        ("2026-06-05T16:30", 1, "2026-06-08T08:30"),
        ("2026-06-06T10:00", 8, "2026-06-08T17:00"),
        ("2026-06-01T06:00", 40, "2026-06-05T17:00"),
    ],
)
def test_working_hours_skip_the_night_the_lunch_and_the_weekend(start: str, hours: float, due: str) -> None:
    begin = datetime.fromisoformat(start).replace(tzinfo=IST)
    assert add_hours(begin, hours, "biz") == datetime.fromisoformat(due).replace(tzinfo=IST)


def test_calendar_hours_run_through() -> None:
    start = datetime(2026, 6, 6, 22, tzinfo=UTC)
    assert add_hours(start, 6, "cal") == start + timedelta(hours=6)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        add_hours(datetime(2026, 6, 1), 1, "cal")  # noqa: DTZ001 - that is the point


def slow(start: datetime, minutes: int) -> datetime:
    now = start
    while minutes > 0:
        local = now.astimezone(CITY)
        minutes -= local.weekday() in WORKING_DAYS and any(a <= local.time() < b for a, b in WORKING_HOURS)
        now += timedelta(minutes=1)
    return now


@settings(max_examples=150, deadline=None)
@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda t: t.replace(second=0, microsecond=0)),  # noqa: DTZ001
    st.integers(1, 60 * 30),
)
def test_working_time_agrees_with_a_walk_minute_by_minute(start: datetime, minutes: int) -> None:
    begin = start.replace(tzinfo=UTC)
    assert add_hours(begin, minutes / 60, "biz") == slow(begin, minutes)
