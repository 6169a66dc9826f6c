"""
Due times and running times: the examples that people have agreed on.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from services.common.contracts import catalogue, clocks
from services.common.contracts.clocks import BrokenCalendar, Calendar, Override, Pause, legal_due, load_calendar

FILE = Path(clocks.__file__).with_name("calendar.yaml")
CITY = load_calendar(FILE)
ISTANBUL = ZoneInfo("Europe/Istanbul")
WEEK = ((time(8), time(12)), (time(13), time(17)))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ISTANBUL)


def city_with(*overrides: Override) -> Calendar:
    return Calendar(ISTANBUL, range(1, 6), WEEK, country="TR", overrides=overrides)


def working_hours(calendar: Calendar, day: date) -> float:
    begin = calendar.day_start(day)
    return calendar.elapsed(begin, begin + timedelta(days=1), "biz") / timedelta(hours=1)


def dates(year: int, days: Iterable[str]) -> set[date]:
    return {date.fromisoformat(f"{year}-{day}") for day in days}


# --- the week and the holidays --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-06-01T09:00", 2, "2026-06-01T11:00"),
        ("2026-06-01T11:00", 2, "2026-06-01T14:00"),
        ("2026-06-01T16:00", 2, "2026-06-02T09:00"),
        ("2026-06-05T16:30", 1, "2026-06-08T08:30"),
        ("2026-06-06T10:00", 8, "2026-06-08T17:00"),
        ("2026-06-01T06:00", 40, "2026-06-05T17:00"),
        ("2026-06-05T15:00", 24, "2026-06-10T15:00"),
        ("2026-06-05T15:00", 72, "2026-06-18T15:00"),
    ],
)
def test_working_hours_skip_the_night_the_lunch_and_the_weekend(start: str, hours: float, due: str) -> None:
    assert CITY.add(at(start), hours, "biz") == at(due)


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-04-22T16:00", 2, "2026-04-24T09:00"),  # 23 April
        ("2026-03-19T11:00", 2, "2026-03-23T09:00"),  # the eve's morning, then Ramazan on Friday, then the weekend
        ("2026-05-26T08:00", 4, "2026-05-26T12:00"),
        ("2026-05-26T08:00", 4.5, "2026-06-01T08:30"),  # Kurban takes the rest of the week
        ("2026-10-28T14:00", 1, "2026-10-30T09:00"),
        ("2026-12-31T16:00", 2, "2027-01-04T09:00"),
        ("2012-10-25T09:00", 1, "2012-10-30T09:00"),  # Kurban, the eve of 29 October within it, 29 October
    ],
)
def test_working_hours_skip_holidays_and_the_afternoon_before_them(start: str, hours: float, due: str) -> None:
    assert CITY.add(at(start), hours, "biz") == at(due)


@pytest.mark.parametrize(
    ("year", "whole", "half"),
    [
        (
            2026,
            "01-01 03-20 03-21 03-22 04-23 05-01 05-19 05-27 05-28 05-29 05-30 07-15 08-30 10-29",
            "03-19 05-26 10-28",
        ),
        (
            2027,
            "01-01 03-09 03-10 03-11 04-23 05-01 05-16 05-17 05-18 05-19 07-15 08-30 10-29",
            "03-08 05-15 10-28",
        ),
    ],
)
def test_the_holidays_of_a_year_are_those_of_the_law_and_no_others(year: int, whole: str, half: str) -> None:
    weekdays = {day for n in range(365) if (day := date(year, 1, 1) + timedelta(days=n)).weekday() < 5}
    assert {day for day in weekdays if working_hours(CITY, day) == 0} == dates(year, whole.split()) & weekdays
    assert {day for day in weekdays if working_hours(CITY, day) == 4} == dates(year, half.split()) & weekdays
    assert {working_hours(CITY, day) for day in weekdays} == {0, 4, 8}


def test_an_eve_on_a_saturday_opens_no_office() -> None:
    assert not CITY.is_working_day(date(2027, 5, 15))


def test_a_half_day_is_a_working_day() -> None:
    assert CITY.is_working_day(date(2026, 5, 26))


@pytest.mark.parametrize(
    ("hours", "left"), [([(time(9), time(17))], 4), ([(time(12), time(12, 30)), (time(12, 30), time(17))], 1)]
)
def test_a_half_day_cuts_a_window_at_one(hours: list[clocks.Hours], left: float) -> None:
    assert working_hours(Calendar(ISTANBUL, range(1, 6), hours, country="TR"), date(2026, 5, 26)) == left


@pytest.mark.parametrize(
    ("day", "following"), [("2026-05-26", "2026-05-26"), ("2026-05-27", "2026-06-01"), ("2026-01-01", "2026-01-02")]
)
def test_the_next_working_day_is_the_day_itself_or_the_first_after_the_holiday(day: str, following: str) -> None:
    assert CITY.next_working_day(date.fromisoformat(day)) == date.fromisoformat(following)


@pytest.mark.parametrize(
    ("eve", "days"),
    [
        ("2000-01-07", 3),
        ("2000-12-26", 3),  # Ramazan twice in one year
        ("2006-12-30", 4),  # Kurban over the turn of the year
        ("2032-12-31", 0),  # no eve: Ramazan's is the day after, and that is New Year's Day
    ],
)
def test_a_feast_at_the_turn_of_a_year_is_whole(eve: str, days: int) -> None:
    every_day = Calendar(ISTANBUL, range(1, 8), WEEK, country="TR")
    first = date.fromisoformat(eve)
    worked = [working_hours(every_day, first + timedelta(days=n)) for n in range(days + 2)]
    assert worked == ([4, *[0] * days, 8] if days else [8, 0])


# --- overrides ------------------------------------------------------------------------------------------------------


def test_a_bridge_day_by_decree_is_closed() -> None:
    calendar = city_with(Override(date=date(2026, 5, 25), closed=True, why="idari izin"))
    assert calendar.add(at("2026-05-22T16:00"), 2, "biz") == at("2026-05-26T09:00")
    assert not calendar.is_working_day(date(2026, 5, 25))


def test_a_saturday_by_decree_is_worked_like_any_other_day() -> None:
    calendar = city_with(Override(date=date(2026, 6, 6), closed=False, why="25 Mayıs yerine"))
    assert working_hours(calendar, date(2026, 6, 6)) == 8


def test_a_half_day_by_decree_ends_at_one() -> None:
    calendar = city_with(Override(date=date(2026, 6, 3), closed="half", why="arife yerine"))
    assert calendar.add(at("2026-06-03T11:00"), 2, "biz") == at("2026-06-04T09:00")


def test_an_override_opens_a_holiday() -> None:
    calendar = city_with(Override(date=date(2026, 7, 15), closed=False, why="afet çalışması"))
    assert working_hours(calendar, date(2026, 7, 15)) == 8


# --- the bugs of others (FH#3776, FH#2449, osTicket#3034 …) ---------------------------------------------------------


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Auckland"])
@pytest.mark.parametrize("kind", ["cal", "biz"])
def test_the_sender_s_zone_changes_no_due_time(zone: str, kind: clocks.Kind) -> None:
    start = at("2026-06-05T16:30")
    due = CITY.add(start.astimezone(ZoneInfo(zone)), 1, kind)
    assert due == CITY.add(start, 1, kind)
    assert due.tzinfo is UTC


def test_nothing_is_overdue_at_the_moment_it_is_created() -> None:
    start = at("2026-06-06T23:00")
    assert CITY.elapsed(start, start, "biz") == CITY.elapsed(start, start, "cal") == timedelta()
    assert CITY.add(start, 1 / 3600, "biz") > start


def test_time_on_hold_counts_even_if_the_hold_ends_with_the_resolution() -> None:
    resolved = at("2026-06-30T09:00")
    assert CITY.elapsed(at("2026-01-05T08:00"), resolved, "cal", [Pause(at("2026-01-05T10:00"), resolved)]) == (
        timedelta(hours=2)
    )


def test_a_hundred_holds_of_no_length_move_nothing_by_a_second() -> None:
    start = at("2026-06-01T09:00")
    holds = [Pause(moment, moment) for n in range(100) if (moment := start + timedelta(minutes=n))]
    assert CITY.add(start, 8, "biz", holds) == CITY.add(start, 8, "biz")


def test_a_pause_that_ends_before_it_began_is_empty() -> None:
    start = at("2026-06-01T09:00")
    skewed = Pause(start + timedelta(minutes=30), start + timedelta(minutes=29))
    assert CITY.add(start, 1, "biz", [skewed]) == start + timedelta(hours=1)
    assert CITY.elapsed(start, start + timedelta(hours=1), "biz", [skewed]) == timedelta(hours=1)


# --- pauses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "until", "due"),
    [
        ("2026-06-01T10:00", "2026-06-01T11:00", "2026-06-01T15:00"),
        ("2026-06-01T12:00", "2026-06-01T13:00", "2026-06-01T14:00"),  # over lunch: costs nothing
        ("2026-06-01T10:00", "2026-06-03T10:00", "2026-06-03T14:00"),
        ("2026-06-01T08:00", "2026-06-01T09:30", "2026-06-01T14:30"),  # began before the start
        ("2026-06-01T14:00", "2026-06-01T16:00", "2026-06-01T14:00"),  # begins when the time is already over
        ("2026-06-01T10:00", None, "2026-06-01T14:00"),  # nobody knows its end yet
    ],
)
def test_a_pause_moves_the_due_time_by_the_working_time_in_it(since: str, until: str | None, due: str) -> None:
    pause = Pause(at(since), None if until is None else at(until))
    assert CITY.add(at("2026-06-01T09:00"), 4, "biz", [pause]) == at(due)


def test_an_open_pause_stops_the_running_time() -> None:
    start = at("2026-06-01T09:00")
    assert CITY.elapsed(start, at("2026-06-05T09:00"), "biz", [Pause(at("2026-06-01T11:00"))]) == timedelta(hours=2)


# --- the edges of add and elapsed -----------------------------------------------------------------------------------


def test_calendar_hours_run_through() -> None:
    start = datetime(2026, 6, 6, 22, tzinfo=UTC)
    assert CITY.add(start, 6, "cal") == start + timedelta(hours=6)


@pytest.mark.parametrize("kind", ["cal", "biz"])
def test_no_hours_are_over_at_once(kind: clocks.Kind) -> None:
    start = at("2026-06-06T22:00")
    assert CITY.add(start, 0, kind) == start


@pytest.mark.parametrize("kind", ["cal", "biz"])
def test_no_time_runs_towards_the_past(kind: clocks.Kind) -> None:
    assert CITY.elapsed(at("2026-06-02T10:00"), at("2026-06-01T10:00"), kind) == timedelta()


def test_negative_hours_are_refused() -> None:
    with pytest.raises(ValueError, match="backwards"):
        CITY.add(at("2026-06-01T10:00"), -1, "cal")


def test_a_due_time_beyond_the_last_year_is_refused() -> None:
    with pytest.raises(OverflowError):
        CITY.add(at("2026-06-01T10:00"), 24 * 366 * 8000, "cal")


@pytest.mark.parametrize(
    "ask",
    [
        lambda naive, aware: CITY.add(naive, 1, "cal"),
        lambda naive, aware: CITY.add(naive, 0, "biz"),
        lambda naive, aware: CITY.add(aware, 1, "cal", [Pause(naive, aware)]),
        lambda naive, aware: CITY.elapsed(naive, aware, "biz"),
        lambda naive, aware: CITY.elapsed(aware, naive, "biz"),
        lambda naive, aware: CITY.elapsed(aware, aware, "biz", [Pause(aware, naive)]),
        lambda naive, aware: CITY.local(naive),
        lambda naive, aware: legal_due("3071", naive, CITY),
    ],
)
def test_a_time_without_a_zone_is_refused(ask) -> None:
    with pytest.raises(ValueError, match="zone"):
        ask(datetime(2026, 6, 1), at("2026-06-01T00:00"))  # noqa: DTZ001 - that is the point


def test_local_and_day_start_turn_between_utc_and_the_city() -> None:
    assert CITY.local(datetime(2026, 6, 1, 22, tzinfo=UTC)).isoformat() == "2026-06-02T01:00:00+03:00"
    assert CITY.day_start(date(2026, 6, 2), time(1)) == datetime(2026, 6, 1, 22, tzinfo=UTC)


# --- the law --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("basis", "filed", "extended", "last_day"),
    [
        ("4982", "2026-05-18T10:00", False, "2026-06-12"),  # over 19 May and Kurban; its eve counts
        ("4982", "2026-05-18T10:00", True, "2026-07-03"),
        ("4982", "2026-06-01T10:00", False, "2026-06-22"),
        ("4982", "2026-06-06T10:00", False, "2026-06-26"),  # filed on a Saturday
        ("3071", "2026-05-18T10:00", False, "2026-06-17"),
        ("3071", "2026-05-18T10:00", True, "2026-06-17"),  # only 4982 knows an extension
        ("kvkk", "2026-05-18T10:00", False, "2026-06-17"),
        ("cimer", "2026-05-18T10:00", False, "2026-06-17"),
        ("3071", "2026-05-07T10:00", False, "2026-06-08"),  # day 30 is a Saturday
        ("3071", "2026-04-27T10:00", False, "2026-06-01"),  # day 30 is the first day of Kurban
        ("3071", "2026-04-26T10:00", False, "2026-05-26"),  # day 30 is its eve: a working day
        ("3071", "2026-05-17T23:59", False, "2026-06-16"),
    ],
)
def test_the_law_s_last_day(basis: str, filed: str, extended: bool, last_day: str) -> None:
    due = legal_due(basis, at(filed), CITY, extended=extended)
    assert due is not None
    assert due.on == date.fromisoformat(last_day)
    assert due.at == at(f"{last_day}T23:59:59")
    assert due.at.tzinfo is UTC


def test_the_day_of_filing_is_the_city_s_day() -> None:
    late_evening_in_utc = datetime(2026, 5, 17, 22, 30, tzinfo=UTC)  # Monday half past one in Istanbul
    due = legal_due("3071", late_evening_in_utc, CITY)
    assert due is not None
    assert due.on == date(2026, 6, 17)


@pytest.mark.parametrize("basis", ["none", "", "4982 ", "2577"])
def test_a_basis_without_a_term_has_no_legal_due(basis: str) -> None:
    assert legal_due(basis, at("2026-05-18T10:00"), CITY) is None


@pytest.mark.parametrize("basis", ["3071", "4982"])
@pytest.mark.parametrize(("law", "moved_to"), [(False, None), (True, date(2026, 6, 18))])
def test_a_bridge_day_moves_a_legal_due_only_if_law_made_it(basis: str, law: bool, moved_to: date | None) -> None:
    filed = at("2026-05-18T10:00" if basis == "3071" else "2026-05-22T10:00")
    plain = legal_due(basis, filed, CITY)
    bridged = legal_due(basis, filed, city_with(Override(date=date(2026, 6, 17), closed=True, why="köprü", law=law)))
    assert plain is not None
    assert bridged is not None
    assert plain.on == date(2026, 6, 17)
    assert bridged.on == (moved_to or plain.on)


# --- the file -------------------------------------------------------------------------------------------------------


def test_the_file_and_the_catalogue_name_the_same_week() -> None:
    mine = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    theirs = yaml.safe_load(Path(catalogue.__file__).with_name("catalogue.yaml").read_text(encoding="utf-8"))[
        "calendars"
    ]
    assert {"tz": mine["zone"], "days": mine["days"], "hours": mine["hours"], "holidays": mine["country"]} == theirs[
        "biz"
    ]


def edited(path: Path, change: dict[str, object]) -> Path:
    path.write_text(yaml.safe_dump(yaml.safe_load(FILE.read_text(encoding="utf-8")) | change), encoding="utf-8")
    return path


def test_an_override_in_the_file_is_followed(tmp_path: Path) -> None:
    row = {"date": date(2026, 6, 3), "closed": "half", "why": "arife"}
    calendar = load_calendar(edited(tmp_path / "calendar.yaml", {"overrides": [row]}))
    assert working_hours(calendar, date(2026, 6, 3)) == 4


def test_the_example_in_the_file_can_be_switched_on(tmp_path: Path) -> None:
    text = FILE.read_text(encoding="utf-8").replace("\noverrides: []\n", "\n")
    path = tmp_path / "calendar.yaml"
    path.write_text(text.replace("# overrides:", "overrides:").replace("#   - {", "  - {"), encoding="utf-8")
    calendar = load_calendar(path)
    assert working_hours(calendar, date(2026, 5, 25)) == 0
    assert working_hours(calendar, date(2026, 6, 6)) == 8


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"zone": "Europe/Samsun"}, "zone"),
        ({"country": "XX"}, "country"),
        ({"country": "FR"}, "country"),  # the library has no half days for it
        ({"days": []}, "days"),
        ({"days": [0, 1]}, "days"),
        ({"hours": []}, "hours"),
        ({"hours": [780]}, r"hours\.0"),  # what YAML makes of 13:00 without quotes
        ({"hours": ["08:00-12:00", "8-17"]}, r"hours\.1"),
        ({"hours": ["08:00-25:00"]}, r"hours\.0"),
        ({"hours": ["13:00-17:00", "08:00-12:00"]}, "hours"),
        ({"hours": ["08:00-12:00", "11:00-17:00"]}, "hours"),
        ({"hours": ["12:00-12:00"]}, "hours"),
        ({"overrides": [{"date": "2026-06-31", "closed": True, "why": "x"}]}, r"overrides\.0\.date"),
        ({"overrides": [{"date": date(2026, 6, 1), "closed": "maybe", "why": "x"}]}, r"overrides\.0\.closed"),
        ({"overrides": [{"date": date(2026, 6, 1), "closed": True}]}, r"overrides\.0\.why"),
        ({"overrides": [{"date": date(2026, 6, 1), "closed": c, "why": "x"} for c in (True, False)]}, "overrides"),
        ({"holidays": "TR"}, "holidays"),
    ],
)
def test_a_broken_file_is_refused_and_the_entry_named(tmp_path: Path, change: dict[str, object], named: str) -> None:
    with pytest.raises(BrokenCalendar, match=rf"calendar\.yaml: {named}"):
        load_calendar(edited(tmp_path / "calendar.yaml", change))


@pytest.mark.parametrize("text", ["zone: [", "", "- 1"])
def test_a_file_that_is_no_calendar_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "calendar.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BrokenCalendar, match=r"calendar\.yaml"):
        load_calendar(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenCalendar, match="cannot be read"):
        load_calendar(tmp_path / "calendar.yaml")
