"""
Times and numbers as they stand on the pages.
"""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.ui import formats
from services.common.ui.formats import Language

NOW = datetime(2026, 11, 28, 11, 5, tzinfo=UTC)


def test_a_moment_is_on_the_citys_wall_clock() -> None:
    assert formats.moment(NOW, "tr") == "28.11.2026 14:05"
    assert formats.moment(NOW, "en") == "28 Nov 2026 14:05"
    assert formats.clock(NOW) == "14:05"


def test_a_time_without_zone_counts_as_utc() -> None:
    naive = NOW.replace(tzinfo=None)
    assert formats.moment(naive, "tr") == formats.moment(NOW, "tr")
    assert formats.ago(naive, NOW + timedelta(hours=2), "tr") == "2 saat önce"


def test_the_day_of_an_evening_hour_in_utc_is_the_citys_next_day() -> None:
    late = datetime(2026, 11, 28, 22, 0, tzinfo=UTC)
    assert formats.day(late, "tr") == "29.11.2026"
    assert formats.day(date(2026, 11, 28), "tr", long=True) == "28 Kasım 2026 Cumartesi"
    assert formats.day(date(2026, 11, 28), "en", long=True) == "Saturday, 28 November 2026"


@pytest.mark.parametrize(
    ("value", "tr", "en"),
    [(1234, "1.234", "1,234"), (1234567.25, "1.234.567,2", "1,234,567.2"), (0, "0", "0"), (12.5, "12,5", "12.5")],
)
def test_numbers(value: float, tr: str, en: str) -> None:
    assert formats.number(value, "tr") == tr
    assert formats.number(value, "en") == en


@pytest.mark.parametrize(
    ("share", "tr", "en"),
    [(0.935, "%93,5", "93.5%"), (1.0, "%100", "100%"), (2 / 3, "%66,7", "66.7%"), (0, "%0", "0%")],
)
def test_shares_have_the_sign_where_the_language_has_it(share: float, tr: str, en: str) -> None:
    assert formats.percent(share, "tr") == tr
    assert formats.percent(share, "en") == en


@pytest.mark.parametrize(
    ("left", "tr", "en", "urgency"),
    [
        (timedelta(hours=3, minutes=59), "3 saat kaldı", "3 hours left", "soon"),
        (timedelta(hours=4, minutes=1), "4 saat kaldı", "4 hours left", "calm"),
        (timedelta(minutes=1), "1 dakika kaldı", "1 minute left", "soon"),
        (timedelta(hours=47, minutes=59), "47 saat kaldı", "47 hours left", "calm"),
        (timedelta(days=2), "2 gün kaldı", "2 days left", "calm"),
        (timedelta(0), "0 dakika gecikti", "0 minutes overdue", "overdue"),
        (-timedelta(days=2, hours=23), "2 gün gecikti", "2 days overdue", "overdue"),
    ],
)
def test_a_limit_says_what_is_left_or_how_long_it_is_past(left: timedelta, tr: str, en: str, urgency: str) -> None:
    assert formats.due(NOW + left, NOW, "tr") == (tr, urgency)
    assert formats.due(NOW + left, NOW, "en") == (en, urgency)


@given(st.timedeltas(timedelta(0), timedelta(days=400)), st.sampled_from(formats.LANGUAGES))
def test_what_is_left_is_never_overstated(left: timedelta, language: Language) -> None:
    count, unit = formats.span(left, language).split(" ")
    length = {"dakika": 60, "saat": 3600, "gün": 86400, "minute": 60, "hour": 3600, "day": 86400}[
        unit.removesuffix("s")
    ]
    assert 0 <= left.total_seconds() - int(count) * length < length


def test_what_lies_ahead_by_clocks_that_differ_was_just_now() -> None:
    assert formats.ago(NOW + timedelta(seconds=3), NOW, "tr") == "az önce"
    assert formats.ago(NOW - timedelta(days=3), NOW, "en") == "3 days ago"


@pytest.mark.parametrize(("count", "text"), [(1, "1 kB"), (420_000, "420 kB"), (1_400_000, "1,4 MB")])
def test_sizes_of_files(count: int, text: str) -> None:
    assert formats.size(count, "tr") == text
