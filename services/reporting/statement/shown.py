"""
A statement as it is read: every text in one language, every number written, every bar a ratio. Pure.

The sheet of paper and the page draw what stands here and decide nothing themselves, so they cannot differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from services.common.contracts.vocabulary import Status
from services.common.ui import formats
from services.common.ui.formats import Language
from services.common.ui.words import STATUSES, Words
from services.reporting.names import Names, short
from services.reporting.statement import writing
from services.reporting.statement.models import Group, Statement
from services.reporting.statement.month import Month
from services.reporting.statement.texts import BUSIEST, COMPARED, LIKE_FOR_LIKE, NOTES, TITLE, WORDS
from services.reporting.statement.tiles import Fact, Tile, facts_of, tiles_of
from services.reporting.statement.writing import Delta, delta, in_days, month_name, shortened

ROWS: Final = 10
FEW_ROWS: Final = 8
KINDS_SHOWN: Final = 5
NAME_LENGTH: Final = 38


@dataclass(frozen=True, slots=True)
class Bar:
    """
    One bar of many. ``ratio`` is of the longest (for parts of a whole: of the whole).
    """

    label: str
    value: str
    share: str
    ratio: float
    delta: Delta | None = None
    query: str = ""  # what finds its requests


@dataclass(frozen=True, slots=True)
class DayBar:
    """
    What came in on a day.
    """

    label: str
    title: str
    ratio: float
    weekend: bool


@dataclass(frozen=True, slots=True)
class MonthBar:
    """
    What came in and what was concluded in a month.
    """

    label: str
    title: str
    received: float
    concluded: float
    same: bool  # the month of the statement, or the same of the year before


@dataclass(frozen=True, slots=True)
class Line:
    """
    A line of the departments' table.
    """

    name: str
    query: str
    received: str
    ratio: float
    delta: Delta | None
    concluded: str
    on_time: str
    median: str
    open: str


@dataclass(frozen=True, slots=True)
class Shown:
    """
    Everything that stands on the sheet. ``words`` are its fixed texts by name.
    """

    lang: Language
    municipality: str
    title: str
    month: str
    query: str  # what finds the requests that came in
    scope: str
    provisional: str
    lede: str
    tiles: Sequence[Tile]
    facts: Sequence[Fact]
    days: Sequence[DayBar]
    busiest: str
    months: Sequence[MonthBar]
    channels: Sequence[Bar]
    kinds: Sequence[Bar]
    outcomes: Sequence[Bar]
    neighbourhoods: Sequence[Bar]
    neighbourhoods_rest: str
    departments: Sequence[Line]
    departments_rest: str
    services: Sequence[Bar]
    services_rest: str
    notes: Sequence[str]
    as_of: str
    words: dict[str, str]


def shown(statement: Statement, language: Language, names: Names, municipality: str, as_of: datetime | None) -> Shown:
    """
    The statement in words. ``as_of``: everything that was published until then is counted.
    """
    return _Writer(statement, language, names).written(municipality, as_of)


@dataclass(frozen=True, slots=True)
class _Writer:
    statement: Statement
    language: Language
    names: Names

    def say(self, tr: str, en: str) -> str:
        return tr if self.language == "tr" else en

    def number(self, value: float, digits: int = 0) -> str:
        return formats.number(value, self.language, digits)

    def written(self, municipality: str, as_of: datetime | None) -> Shown:
        of, top_month = self.statement, self._top_month
        return Shown(
            lang=self.language,
            municipality=municipality,
            title=self.say(*TITLE),
            month=month_name(of.month, self.language),
            query=urlencode({"from": of.days[0].day, "to": of.days[-1].day}),
            scope=self._scope(),
            provisional=self._provisional(),
            lede=self._lede(),
            tiles=tiles_of(of, self.language),
            facts=facts_of(of, self.language),
            days=self._days(),
            busiest=self._busiest(),
            months=[self._month(n, top_month) for n in range(len(of.months))],
            channels=self._bars("channel", of.by_channel, FEW_ROWS),
            kinds=self._bars("kind", of.by_kind, KINDS_SHOWN),
            outcomes=self._outcomes(),
            neighbourhoods=self._bars("neighbourhood", of.by_neighbourhood, ROWS),
            neighbourhoods_rest=self._rest(of.by_neighbourhood, ROWS, Words("mahalle", "neighbourhoods")),
            departments=self._departments(),
            departments_rest=self._rest(of.by_department, ROWS, Words("birim", "departments")),
            services=self._bars("service", of.by_service, ROWS),
            services_rest=self._rest(of.by_service, ROWS, Words("hizmet", "services")),
            notes=self._notes(),
            as_of=self._as_of(as_of),
            words={name: self.say(*words) for name, words in WORDS.items()},
        )

    @property
    def _top_day(self) -> int:
        return max((day.received for day in self.statement.days), default=0)

    @property
    def _top_month(self) -> int:
        return max((max(one.received, one.concluded) for one in self.statement.months), default=0)

    def _scope(self) -> str:
        held = self.statement.departments
        if held is None:
            return ""
        text = ", ".join(self.say(*self.names.words("department", slug)) for slug in held)
        text = text or self.say("hiçbir birim", "no department")
        return self.say("Yalnızca: ", "Only: ") + shortened(text, 80)

    def _provisional(self) -> str:
        if not self.statement.provisional:
            return ""
        until = formats.moment(self.statement.until, self.language)
        return self.say(f"GEÇİCİ · {until} itibarıyla", f"PROVISIONAL · as of {until}")

    def _lede(self) -> str:
        numbers, standing = self.statement.numbers, self.statement.standing
        name = writing.month_alone(self.statement.month, self.language)
        if not numbers.received:
            return self.say(f"{name} ayında başvuru gelmedi.", f"No requests came in during {name}.")
        came, closed, still = (self.number(n) for n in (numbers.received, standing.closed, standing.open))
        share = writing.share(standing.closed / numbers.received, self.language)
        return self.say(
            f"{name} ayında {came} başvuru geldi. Bunlardan bugüne kadar {closed} tanesi ({share}) sonuçlandı, "
            f"{still} tanesi sürüyor.",
            f"{came} requests came in during {name}. By today {closed} of them ({share}) are concluded, "
            f"{still} are still open.",
        )

    def _busiest(self) -> str:
        if not self._top_day:
            return ""
        day = next(one.day for one in self.statement.days if one.received == self._top_day)
        return self.say(*BUSIEST).format(writing.day_name(day, self.language), self.number(self._top_day))

    def _days(self) -> list[DayBar]:
        """
        All days of the month: those that are to come are empty.
        """
        month, top = Month.parse(self.statement.month), self._top_day
        counts = {one.day: one.received for one in self.statement.days}
        bars = []
        for n in range(month.last_day.day):
            day = month.first_day + timedelta(days=n)
            received = counts.get(day)
            title = f"{formats.day(day, self.language)}: {'–' if received is None else self.number(received)}"
            bars.append(DayBar(str(day.day), title, (received or 0) / top if top else 0.0, day.weekday() > 4))
        return bars

    def _month(self, n: int, top: int) -> MonthBar:
        one = self.statement.months[n]
        counted = [self.number(count) for count in (one.received, one.concluded)]
        name, same = month_name(one.month, self.language), one.month[5:] == self.statement.month[5:]
        return MonthBar(
            label=writing.month_short(one.month, self.language, with_year=same),
            title=self.say("{}: gelen {}, sonuçlanan {}", "{}: received {}, concluded {}").format(name, *counted),
            received=one.received / top if top else 0.0,
            concluded=one.concluded / top if top else 0.0,
            same=same,
        )

    def _name(self, group: Group) -> str:
        return shortened(short(self.say(group.name.tr, group.name.en)), NAME_LENGTH)

    def _bars(self, field: str, groups: Sequence[Group], most: int) -> list[Bar]:
        known = [group for group in groups if group.received and group.value is not None]
        return [
            Bar(
                self._name(group),
                self.number(group.received),
                writing.share(group.share, self.language),
                group.received / known[0].received,
                delta(group.received, group.received_before, self.language),
                urlencode({field: group.value}),
            )
            for group in known[:most]
        ]

    def _departments(self) -> list[Line]:
        known = [group for group in self.statement.by_department if group.value is not None]
        top = max((group.received for group in known), default=0)
        return [
            Line(
                name=self._name(group),
                query=urlencode({"department": group.value, "parts": "true"}),
                received=self.number(group.received),
                ratio=group.received / top if top else 0.0,
                delta=delta(group.received, group.received_before, self.language),
                concluded=self.number(group.concluded),
                on_time=writing.whole_share(group.on_time_share, self.language),
                median=in_days(group.median_hours_to_close, self.language),
                open=self.number(group.open_at_end),
            )
            for group in known[:ROWS]
        ]

    def _rest(self, groups: Sequence[Group], most: int, unit: Words) -> str:
        """
        What is not listed: how many more, and what has no value yet.
        """
        rest = [group.received for group in groups if group.received and group.value is not None][most:]
        count, received = self.number(len(rest)), self.number(sum(rest))
        more = self.say(f"{count} {unit.tr} daha: {received}", f"{count} more {unit.en}: {received}")
        nowhere = [
            f"{self._name(group)}: {self.number(group.received)}"
            for group in groups
            if group.value is None and group.received
        ]
        return " · ".join([*([more] if rest else []), *nowhere])

    def _outcomes(self) -> list[Bar]:
        whole = self.statement.numbers.concluded
        return [
            Bar(
                self.say(*STATUSES[Status(status)]),
                self.number(count),
                writing.share(count / whole, self.language),
                count / whole,
            )
            for status, count in self.statement.numbers.by_outcome.items()
            if count
        ]

    def _notes(self) -> list[str]:
        compared = LIKE_FOR_LIKE if self.statement.provisional else COMPARED
        return [self.say(*words) for words in (*NOTES, compared)]

    def _as_of(self, at: datetime | None) -> str:
        if at is None:
            return ""
        moment = formats.moment(at, self.language)
        return self.say(f"Veriler {moment} itibarıyladır.", f"Figures as of {moment}.")
