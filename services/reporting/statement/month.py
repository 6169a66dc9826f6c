"""
Months of the city's calendar, and how far one is to be counted. Pure.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from services.reporting.projections import ISTANBUL
from services.reporting.queries import midnight


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """
    A month of the calendar.
    """

    year: int
    number: int

    @staticmethod
    def parse(text: str) -> "Month":
        """
        The month that is written ``YYYY-MM``. Raises ``ValueError`` saying what would be right.
        """
        if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text, re.ASCII):
            raise ValueError("a month is written YYYY-MM")
        month = Month(int(text[:4]), int(text[5:]))
        if not 2000 <= month.year <= 2100:
            raise ValueError("a month lies between 2000-01 and 2100-12")
        return month

    @staticmethod
    def of(moment: datetime) -> "Month":
        """
        The month of a moment, by the clocks of Istanbul.
        """
        local = moment.astimezone(ISTANBUL)
        return Month(local.year, local.month)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"

    def plus(self, months: int) -> "Month":
        """
        So many months later, or earlier.
        """
        year, month = divmod(self.year * 12 + self.number - 1 + months, 12)
        return Month(year, month + 1)

    @property
    def first_day(self) -> date:
        """
        Its first day.
        """
        return date(self.year, self.number, 1)

    @property
    def last_day(self) -> date:
        """
        Its last day.
        """
        return self.plus(1).first_day - timedelta(days=1)

    @property
    def start(self) -> datetime:
        """
        When it begins in Istanbul (UTC).
        """
        return midnight(self.first_day).astimezone(UTC)

    @property
    def end(self) -> datetime:
        """
        When the next one begins (UTC).
        """
        return self.plus(1).start


@dataclass(frozen=True, slots=True)
class Span:
    """
    A month, counted until ``end``, which does not belong to it: its own end, or the same stretch of it as of another.
    """

    month: Month
    end: datetime

    @staticmethod
    def until(month: Month, now: datetime) -> "Span":
        """
        The month as far as it is over.
        """
        return Span(month, min(month.end, now))

    @property
    def start(self) -> datetime:
        """
        When the month begins.
        """
        return self.month.start

    @property
    def whole(self) -> bool:
        """
        Whether it is the whole month.
        """
        return self.end >= self.month.end

    def earlier(self, months: int) -> "Span":
        """
        What to compare with: so many months before, whole if this one is whole, else as long as this one lasted.
        """
        month = self.month.plus(-months)
        return Span(month, month.end if self.whole else min(month.end, month.start + (self.end - self.start)))
