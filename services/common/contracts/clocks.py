"""
The clocks of a request: by when, and how long so far, on calendar time or on the city's working time.

Moments go in with any zone and come out in UTC; days and opening hours are the city's. Nothing here reads the time or
waits, and only ``load_calendar`` touches a file. Holidays are those of law 2429 as the library ``holidays`` knows them
for 2000 to 2100: its lunar dates are proclaimed ones up to 2032 and estimates after; beyond 2100 it has none.
"""

import re
from bisect import bisect_left, bisect_right
from calendar import isleap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate, count, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

import yaml
from holidays import HALF_DAY, PUBLIC, country_holidays
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from services.common.contracts.yaml_file import read_yaml

Kind = Literal["cal", "biz"]
Closed = bool | Literal["half"]
Hours = tuple[time, time]
Stretch = tuple[datetime, datetime]

HALF_DAY_ENDS: Final = time(13)  # law 2429: the eve of a holiday is one from 13:00 on
LAST_SECOND: Final = time(23, 59, 59)
LAST_MOMENT: Final = datetime.max.replace(tzinfo=UTC)
ONE_DAY: Final = timedelta(days=1)


class BrokenCalendar(Exception):
    """
    The calendar file cannot be used; the message names the entry. Routing refuses to start.
    """


@dataclass(frozen=True, slots=True)
class Pause:
    """
    A stretch in which the clock stands still; ``until`` None: it still does.

    One that ends before it began is empty: the moments may come from two machines whose clocks differ.
    """

    since: datetime
    until: datetime | None = None


class Override(BaseModel):
    """
    One day that follows neither the week nor the holidays: closed, open the whole day, or open until 13:00.

    ``law``: the day was set by law, so the legal clocks follow it too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    date: date
    closed: Literal[True, False, "half"]
    why: Annotated[str, Field(min_length=1)]
    law: bool = False


class Calendar:
    """
    When the offices work. Immutable; each year is worked out once, when it is first asked for.

    ``days``: 1 Monday to 7 Sunday; ``hours``: by the city's wall clock, in order, the same on every day, and none of
    them at an hour that summer time skips or repeats. ``country``: a code of the library; None for no holidays.
    Raises ``ValueError`` where these make no week, where two overrides share a day, and for an unknown country.
    """

    def __init__(
        self,
        zone: ZoneInfo,
        days: Collection[int],
        hours: Sequence[Hours],
        *,
        country: str | None = None,
        overrides: Sequence[Override] = (),
    ) -> None:
        if not days or not set(days) <= set(range(1, 8)):
            raise ValueError("days: one to seven of 1 (Monday) to 7 (Sunday) are needed")
        edges = [edge for window in hours for edge in window]
        if not edges or any(this > following for this, following in pairwise(edges)):
            raise ValueError("hours: windows are needed, in order, none over another")
        if any(opens == closes for opens, closes in hours):
            raise ValueError("hours: a window is empty")
        self._zone = zone
        self._days = frozenset(days)
        self._hours = tuple(hours)
        self._country = country
        self._overrides = {override.date: override for override in overrides}
        if len(self._overrides) < len(overrides):
            raise ValueError("overrides: a date stands twice")
        self._holidays: dict[int, Mapping[date, Closed]] = {}
        self._windows: dict[int, list[Stretch]] = {}
        self._worked: dict[int, list[timedelta]] = {}
        self._holidays_of(2000)  # refuses an unknown country here, not at the first request

    def add(self, start: datetime, hours: float, kind: Kind, pauses: Sequence[Pause] = ()) -> datetime:
        """
        The earliest moment, in UTC, at which the clock has run for ``hours`` since ``start``; ``start`` itself for 0.

        An open pause is left out, for nobody knows its end: the due time stays as it stood when that pause began. A
        pause that begins when the time is already over moves nothing. Raises ``ValueError`` for a moment without a
        zone and for negative hours.
        """
        left = timedelta(hours=hours)
        if left < timedelta():
            raise ValueError("a clock does not run backwards")
        at = _utc(start)
        if not left:
            return at
        held = [(_utc(pause.since), _utc(pause.until)) for pause in pauses if pause.until is not None]
        if not held and kind == "biz":
            return self._when_worked(at, left)
        for begin, end in _without(held, self._open(at, kind)):
            if left <= end - begin:
                return begin + left
            left -= end - begin
        raise OverflowError("no such moment before the year 10000")

    def elapsed(self, start: datetime, end: datetime, kind: Kind, pauses: Sequence[Pause] = ()) -> timedelta:
        """
        How long the clock ran from ``start`` to ``end``: nothing if ``end`` is not later.

        An open pause lasts until ``end``. Raises ``ValueError`` for a moment without a zone.
        """
        finish = _utc(end)
        held = [(_utc(pause.since), finish if pause.until is None else _utc(pause.until)) for pause in pauses]
        total = timedelta()
        for opens, closes in _without(held, self._open(_utc(start), kind)):
            if opens >= finish:
                break
            total += min(closes, finish) - opens
        return total

    def is_working_day(self, day: date, *, legal: bool = False) -> bool:
        """
        Whether the offices open on that day; a half day counts as one. ``legal``: overrides by decree do not count.
        """
        return self._closed(day, legal=legal) is not True

    def next_working_day(self, day: date, *, legal: bool = False) -> date:
        """
        The first working day not before ``day``: often the day itself.
        """
        while not self.is_working_day(day, legal=legal):
            day += ONE_DAY
        return day

    def local(self, moment: datetime) -> datetime:
        """
        The moment on the city's wall clock. Raises ``ValueError`` for one without a zone.
        """
        return _utc(moment).astimezone(self._zone)

    def day_start(self, day: date, at: time = time()) -> datetime:
        """
        That day, at that time of the city's wall clock, in UTC.
        """
        return datetime.combine(day, at, self._zone).astimezone(UTC)

    def _open(self, start: datetime, kind: Kind) -> Iterator[Stretch]:
        if kind == "cal":
            yield start, LAST_MOMENT
            return
        for year in count(start.astimezone(self._zone).year):
            windows = self._windows_of(year)
            for opens, closes in windows[bisect_right(windows, start, key=itemgetter(1)) :]:
                yield max(opens, start), closes

    def _when_worked(self, start: datetime, left: timedelta) -> datetime:
        """
        ``add`` without pauses, by the sums of the years instead of window by window: a request has seven due times.
        """
        for year in count(start.astimezone(self._zone).year):
            windows, worked = self._windows_of(year), self._worked_in(year)
            first = bisect_right(windows, start, key=itemgetter(1))
            if first == len(windows):
                continue
            before = worked[first - 1] if first else timedelta()
            due = before + max(start - windows[first][0], timedelta()) + left
            last = bisect_left(worked, due)
            if last < len(windows):
                return windows[last][1] - (worked[last] - due)
            left = due - worked[-1]
        raise OverflowError("no such moment before the year 10000")

    def _worked_in(self, year: int) -> list[timedelta]:
        """
        How long the offices were open in that year by the end of each of its windows.
        """
        if year not in self._worked:
            lengths = (closes - opens for opens, closes in self._windows_of(year))
            self._worked[year] = list(accumulate(lengths))
        return self._worked[year]

    def _windows_of(self, year: int) -> list[Stretch]:
        if year not in self._windows:
            days = (date(year, 1, 1) + n * ONE_DAY for n in range(366 if isleap(year) else 365))
            self._windows[year] = [
                (self.day_start(day, opens), self.day_start(day, closes))
                for day in days
                for opens, closes in self._hours_on(day)
            ]
        return self._windows[year]

    def _hours_on(self, day: date) -> Iterable[Hours]:
        closed = self._closed(day)
        if closed is True:
            return ()
        if closed == "half":
            return ((opens, min(closes, HALF_DAY_ENDS)) for opens, closes in self._hours if opens < HALF_DAY_ENDS)
        return self._hours

    def _closed(self, day: date, *, legal: bool = False) -> Closed:
        override = self._overrides.get(day)
        if override is not None and (override.law or not legal):
            return override.closed
        return day.isoweekday() not in self._days or self._holidays_of(day.year).get(day, False)

    def _holidays_of(self, year: int) -> Mapping[date, Closed]:
        if self._country is None:
            return {}
        if year not in self._holidays:
            try:
                half = country_holidays(self._country, years=year, categories=HALF_DAY)
                whole = country_holidays(self._country, years=year, categories=PUBLIC)
            except (NotImplementedError, ValueError) as error:
                raise ValueError(f"country: {error}") from error
            closed: dict[date, Closed] = dict.fromkeys(half, "half")
            # The eve of one feast may lie within another (28 October 2012): then the whole day is closed.
            self._holidays[year] = closed | dict.fromkeys(whole, True)
        return self._holidays[year]


def _without(held: Iterable[Stretch], stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    """
    What is left of the stretches (in order) outside those held (in any order, over one another or empty).
    """
    ordered = sorted(stretch for stretch in held if stretch[0] < stretch[1])
    for begin, end in stretches:
        at = begin
        for since, until in ordered:
            if since >= end:
                break
            if since > at:
                yield at, since
            at = max(at, until)
        if at < end:
            yield at, end


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time needs a zone")
    return moment.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class LegalDue:
    """
    The last day on which the law is kept (the city's date), and its last second in UTC.
    """

    on: date
    at: datetime


CALENDAR_DAYS: Final = {"3071": 30, "kvkk": 30, "cimer": 30}  # law 3071 art. 7; law 6698 art. 13; CİMER as 3071
WORKING_DAYS: Final = {"4982": (15, 30)}  # law 4982 art. 11; 30 where another body has to be heard


def legal_due(basis: str, filed: datetime, calendar: Calendar, *, extended: bool = False) -> LegalDue | None:
    """
    By when the law wants an answer; None for a basis that sets no term. Never paused.

    The day of filing is not counted, and a last day without work moves to the next with it; half days are working days.
    ``extended`` lengthens 4982 alone. Bridge days by decree (idari izin) move nothing: the chambers of the Danıştay
    disagree on whether they lengthen a term, and the earlier day is right under both readings.
    """
    day = calendar.local(filed).date()
    if basis in CALENDAR_DAYS:
        day = calendar.next_working_day(day + timedelta(days=CALENDAR_DAYS[basis]), legal=True)
    elif basis in WORKING_DAYS:
        for _ in range(WORKING_DAYS[basis][extended]):
            day = calendar.next_working_day(day + ONE_DAY, legal=True)
    else:
        return None
    return LegalDue(day, calendar.day_start(day, LAST_SECOND))


def _window(text: object) -> Hours:
    if not isinstance(text, str) or re.fullmatch(r"\d\d:\d\d-\d\d:\d\d", text) is None:
        raise ValueError('hours look like "08:00-12:00"')
    opens, closes = text.split("-")
    return time.fromisoformat(opens), time.fromisoformat(closes)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    zone: ZoneInfo
    country: str | None
    days: list[int]
    hours: list[Annotated[Hours, BeforeValidator(_window)]]
    overrides: list[Override]


CALENDAR_FILE: Final = Path(__file__).with_name("calendar.yaml")


def load_calendar(path: Path = CALENDAR_FILE) -> Calendar:
    """
    Read and check the calendar file. Raises ``BrokenCalendar`` naming the entry that is wrong.
    """
    try:
        file = _File.model_validate(read_yaml(path))
        return Calendar(file.zone, file.days, file.hours, country=file.country, overrides=file.overrides)
    except (OSError, yaml.YAMLError) as error:
        raise BrokenCalendar(f"{path.name} cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BrokenCalendar(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except ValueError as error:
        raise BrokenCalendar(f"{path.name}: {error}") from error
