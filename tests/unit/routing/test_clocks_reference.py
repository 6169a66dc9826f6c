"""
The clocks against a slow reference that knows one minute at a time, and the laws they keep.

The reference shares nothing with the code but the library's list of holidays, which it asks for in its own way.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.common.contracts.clocks import Calendar, Kind, Override, Pause, legal_due

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ISTANBUL = ZoneInfo("Europe/Istanbul")
SENDERS = [ISTANBUL, UTC, ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")]

TURKISH = dict(
    holidays.country_holidays(
        "TR", years=range(1999, 2103), categories=("public", "half_day"), language="en_US"
    ).items()
)
OTHERWISE = {  # one of each kind, on days that are something else without it
    date(2026, 5, 25): True,
    date(2026, 6, 6): False,
    date(2026, 7, 15): False,
    date(2026, 6, 3): "half",
    date(2026, 8, 1): "half",
    date(2026, 10, 28): True,
}


class City(NamedTuple):
    """
    A calendar, and what the reference has to know to do without it.
    """

    calendar: Calendar
    zone: ZoneInfo
    hours: tuple[tuple[int, int], ...]
    holidays: bool
    otherwise: dict[date, bool | str]


def city(zone: str, hours: tuple[tuple[int, int], ...], *, turkish: bool, otherwise: dict[date, bool | str]) -> City:
    calendar = Calendar(
        ZoneInfo(zone),
        range(1, 6),
        [(time(opens), time(closes)) for opens, closes in hours],
        country="TR" if turkish else None,
        overrides=[Override(date=day, closed=closed, why="test") for day, closed in otherwise.items()],
    )
    return City(calendar, ZoneInfo(zone), hours, turkish, otherwise)


OFFICE = ((8, 12), (13, 17))
ILKADIM = city("Europe/Istanbul", OFFICE, turkish=True, otherwise={})
EDITED = city("Europe/Istanbul", OFFICE, turkish=True, otherwise=OTHERWISE)
BERLIN_AT_NIGHT = city(
    "Europe/Berlin", ((0, 5), (20, 23)), turkish=False, otherwise={}
)  # summer time begins in a window
NEW_YORK_LATE = city(
    "America/New_York", ((9, 17), (19, 23)), turkish=False, otherwise={}
)  # at work as UTC changes its year
THROUGH_ONE = city(
    "Europe/Istanbul", ((9, 12), (12, 16), (18, 20)), turkish=True, otherwise={}
)  # a half day cuts a window
CITIES = [ILKADIM, EDITED, BERLIN_AT_NIGHT, NEW_YORK_LATE, THROUGH_ONE]


# --- the reference --------------------------------------------------------------------------------------------------


@cache
def day_by_the_minute(hours: tuple[tuple[int, int], ...], closed: bool | str) -> bytes:
    """
    1440 bytes, a 1 for each minute in which the offices work.
    """
    ends = {True: 0, "half": 13, False: 24}[closed]
    return bytes(any(opens * 60 <= m < min(closes, ends) * 60 for opens, closes in hours) for m in range(1440))


def closed_on(where: City, day: date) -> bool | str:
    if day in where.otherwise:
        return where.otherwise[day]
    if day.weekday() in (5, 6):
        return True
    if not where.holidays or day not in TURKISH:
        return False
    return "half" if all("from 1pm" in name for name in TURKISH[day].split("; ")) else True


def minutes(where: City, kind: Kind, start: datetime, length: int, pauses: Sequence[Pause]) -> bytearray:
    """
    A byte for each minute from ``start`` on, 1 while the clock runs. ``start`` and pauses at whole minutes.
    """
    first = start.astimezone(UTC).replace(minute=0)
    runs = bytearray()
    while len(runs) < length + 60:
        local = (first + len(runs) * MINUTE).astimezone(where.zone)
        by_minute = b"\1" * 1440 if kind == "cal" else day_by_the_minute(where.hours, closed_on(where, local.date()))
        runs += by_minute[local.hour * 60 : local.hour * 60 + 60]
    for pause in pauses:
        since = min(max(0, (pause.since - first) // MINUTE), len(runs))
        until = len(runs) if pause.until is None else max(0, (pause.until - first) // MINUTE)
        until = max(since, min(until, len(runs)))
        runs[since:until] = bytes(until - since)
    skipped = (start - first) // MINUTE
    return runs[skipped : skipped + length]


def slow_add(where: City, start: datetime, work: int, kind: Kind, pauses: Sequence[Pause]) -> datetime:
    start = start.astimezone(UTC)  # minutes are added to the moment, not to the sender's wall clock
    length = 1440
    while True:
        left = work
        for passed, running in enumerate(minutes(where, kind, start, length, pauses)):
            if not left:
                return start + passed * MINUTE
            left -= running
        length *= 4


def slow_elapsed(where: City, start: datetime, end: datetime, kind: Kind, pauses: Sequence[Pause]) -> timedelta:
    length = max(0, (end.astimezone(UTC) - start.astimezone(UTC)) // MINUTE)
    return sum(minutes(where, kind, start, length, pauses)) * MINUTE


# --- the cases ------------------------------------------------------------------------------------------------------

naive = st.one_of(
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 6, 1)),  # noqa: DTZ001 - the zone follows
    st.datetimes(datetime(2026, 3, 16), datetime(2026, 11, 2)),  # noqa: DTZ001 - both feasts, all overrides
    st.builds(
        lambda year, hours: datetime(year, 12, 28) + hours * HOUR,  # noqa: DTZ001 - the turn of a year
        st.integers(2000, 2099),
        st.integers(0, 200),
    ),
)
moments = st.builds(lambda at, zone: at.replace(tzinfo=UTC).astimezone(zone), naive, st.sampled_from(SENDERS))
whole_minutes = moments.map(lambda at: at.replace(second=0, microsecond=0))
kinds: st.SearchStrategy[Kind] = st.sampled_from(["biz", "biz", "biz", "cal"])
cities = st.sampled_from(CITIES)


class Holds(NamedTuple):
    """
    Pauses as multiples of ``unit`` minutes: when each begins, counted from the start of the case, and how long it lasts
    (None: still). On a unit of 30 they often touch one another and the edges of windows.
    """

    unit: int
    rows: list[tuple[int, int | None]]

    def around(self, start: datetime) -> list[Pause]:
        step, zero = self.unit * MINUTE, start.astimezone(UTC)
        return [
            Pause(zero + begin * step, None if length is None else zero + (begin + length) * step)
            for begin, length in self.rows
        ]


units, begins, lengths = st.sampled_from([30, 30, 17]), st.integers(-100, 400), st.integers(-2, 100)
ended = st.builds(Holds, units, st.lists(st.tuples(begins, lengths), max_size=5))
some_open = st.builds(Holds, units, st.lists(st.tuples(begins, lengths | st.none()), max_size=5))


def closed_pauses(pauses: Sequence[Pause]) -> list[Pause]:
    return [pause for pause in pauses if pause.until is not None]


@settings(max_examples=800)
@given(cities, whole_minutes, st.integers(1, 60 * 60), kinds, some_open)
def test_add_agrees_with_a_walk_minute_by_minute(
    where: City, start: datetime, work: int, kind: Kind, holds: Holds
) -> None:
    pauses = holds.around(start)
    due = where.calendar.add(start, work / 60, kind, pauses)
    assert due == slow_add(where, start, work, kind, closed_pauses(pauses))


@settings(max_examples=800)
@given(cities, whole_minutes, st.integers(-1000, 60 * 24 * 14), kinds, some_open, st.sampled_from(SENDERS))
def test_elapsed_agrees_with_a_count_minute_by_minute(
    where: City, start: datetime, length: int, kind: Kind, holds: Holds, zone: ZoneInfo
) -> None:
    pauses = holds.around(start)
    end = (start.astimezone(UTC) + length * MINUTE).astimezone(zone)
    assert where.calendar.elapsed(start, end, kind, pauses) == slow_elapsed(where, start, end, kind, pauses)


@pytest.mark.parametrize("change", [datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 10, 24, 20, tzinfo=UTC)])
def test_a_window_over_the_change_of_summer_time_has_its_real_length(change: datetime) -> None:
    """
    Both changes fall on a Sunday, so the week of this one calendar has seven days.
    """
    calendar = Calendar(ZoneInfo("Europe/Berlin"), range(1, 8), [(time(0), time(5))])
    hours = 4 if change.month == 3 else 6
    assert calendar.elapsed(change, change + 12 * HOUR, "biz") == hours * HOUR


# --- the laws, to the microsecond -----------------------------------------------------------------------------------

hours = st.one_of(st.floats(0, 60), st.integers(0, 500))


@settings(max_examples=200)
@given(cities, moments, hours, kinds, ended)
def test_the_time_that_ran_until_the_due_time_is_the_time_asked_for(
    where: City, start: datetime, asked: float, kind: Kind, holds: Holds
) -> None:
    pauses = holds.around(start)
    due = where.calendar.add(start, asked, kind, pauses)
    assert where.calendar.elapsed(start, due, kind, pauses) == timedelta(hours=asked)


@settings(max_examples=200)
@given(cities, moments, hours.filter(lambda asked: asked > 0.001), kinds, ended)
def test_the_due_time_is_the_earliest_moment_at_which_the_time_has_run(
    where: City, start: datetime, asked: float, kind: Kind, holds: Holds
) -> None:
    pauses = holds.around(start)
    just_before = where.calendar.add(start, asked, kind, pauses) - timedelta(microseconds=1)
    assert where.calendar.elapsed(start, just_before, kind, pauses) < timedelta(hours=asked)


@settings(max_examples=150)
@given(cities, moments, hours, hours, kinds, some_open)
def test_more_hours_are_never_due_earlier(
    where: City, start: datetime, one: float, other: float, kind: Kind, holds: Holds
) -> None:
    pauses = holds.around(start)
    fewer, more = sorted((one, other))
    assert where.calendar.add(start, fewer, kind, pauses) <= where.calendar.add(start, more, kind, pauses)


@settings(max_examples=150)
@given(cities, moments, st.integers(0, 20_000), hours, kinds, some_open)
def test_a_later_start_is_never_due_earlier(
    where: City, start: datetime, later: int, asked: float, kind: Kind, holds: Holds
) -> None:
    pauses = holds.around(start)
    then = start.astimezone(UTC) + later * MINUTE
    assert where.calendar.add(start, asked, kind, pauses) <= where.calendar.add(then, asked, kind, pauses)


@settings(max_examples=150)
@given(cities, moments, hours, kinds, some_open, some_open)
def test_one_more_pause_never_makes_a_due_time_earlier(
    where: City, start: datetime, asked: float, kind: Kind, holds: Holds, others: Holds
) -> None:
    pauses, more = holds.around(start), others.around(start)
    assert where.calendar.add(start, asked, kind, pauses) <= where.calendar.add(start, asked, kind, pauses + more)


@settings(max_examples=150)
@given(cities, moments, hours, kinds, st.integers(0, 5000), st.integers(0, 5000), ended)
def test_a_pause_before_the_start_or_after_the_due_time_changes_nothing(
    where: City, start: datetime, asked: float, kind: Kind, gap: int, length: int, holds: Holds
) -> None:
    pauses = holds.around(start)
    due = where.calendar.add(start, asked, kind, pauses)
    zero = start.astimezone(UTC)
    before = Pause(zero - (gap + length) * MINUTE, zero - gap * MINUTE)
    after = Pause(due + gap * MINUTE, due + (gap + length) * MINUTE)
    open_after = Pause(due + gap * MINUTE)
    assert where.calendar.add(start, asked, kind, [after, *pauses, before, open_after]) == due
    assert where.calendar.elapsed(start, due, kind, [after, *pauses, before, open_after]) == timedelta(hours=asked)


@settings(max_examples=150)
@given(cities, moments, st.integers(0, 50_000), st.integers(0, 50_000), kinds, ended)
def test_running_times_of_two_parts_make_that_of_the_whole(
    where: City, start: datetime, first: int, second: int, kind: Kind, holds: Holds
) -> None:
    pauses = holds.around(start)
    middle = start.astimezone(UTC) + first * MINUTE
    end = middle + second * MINUTE
    elapsed = where.calendar.elapsed
    assert elapsed(start, middle, kind, pauses) + elapsed(middle, end, kind, pauses) == elapsed(
        start, end, kind, pauses
    )


@settings(max_examples=100)
@given(cities, moments, hours, kinds, some_open, st.randoms())
def test_the_order_of_pauses_does_not_matter(
    where: City, start: datetime, asked: float, kind: Kind, holds: Holds, order: Random
) -> None:
    pauses = holds.around(start)
    shuffled = order.sample(pauses, len(pauses))
    assert where.calendar.add(start, asked, kind, pauses) == where.calendar.add(start, asked, kind, shuffled)


@settings(max_examples=200)
@given(cities, moments, st.integers(0, 20_000), st.integers(0, 20_000), kinds)
def test_under_an_open_pause_the_running_time_stays_as_it_was(
    where: City, start: datetime, first: int, second: int, kind: Kind
) -> None:
    since = start.astimezone(UTC) + first * MINUTE
    held = where.calendar.elapsed(start, since + second * MINUTE, kind, [Pause(since)])
    assert held == where.calendar.elapsed(start, since, kind)


# --- the law --------------------------------------------------------------------------------------------------------


def working_days_after(filed: datetime, last: date) -> list[date]:
    day0 = filed.astimezone(ISTANBUL).date()
    days = [day0 + n * DAY for n in range(1, (last - day0).days + 1)]
    return [day for day in days if closed_on(ILKADIM, day) is not True]


@settings(max_examples=150)
@given(moments, st.booleans(), st.sampled_from([ILKADIM, EDITED]))
def test_4982_is_due_on_the_fifteenth_or_thirtieth_working_day(filed: datetime, extended: bool, where: City) -> None:
    due = legal_due("4982", filed, where.calendar, extended=extended)
    assert due is not None
    counted = working_days_after(filed, due.on)
    assert len(counted) == (30 if extended else 15)
    assert counted[-1] == due.on


@settings(max_examples=150)
@given(moments, st.sampled_from(["3071", "kvkk", "cimer"]), st.sampled_from([ILKADIM, EDITED]))
@example(datetime(2026, 4, 27, 12, tzinfo=UTC), "3071", ILKADIM)
def test_30_days_end_on_the_first_working_day_from_the_thirtieth_on(filed: datetime, basis: str, where: City) -> None:
    due = legal_due(basis, filed, where.calendar)
    assert due is not None
    thirtieth = filed.astimezone(ISTANBUL).date() + 30 * DAY
    assert [day for day in working_days_after(filed, due.on) if day >= thirtieth] == [due.on]
