"""
By when: adds hours on the calendar clock (always runs) or the working clock (Mon-Fri 08-12 and 13-17, Istanbul).

Times go in and come out in UTC. Public holidays arrive with the full clocks of step 3.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

CITY: Final = ZoneInfo("Europe/Istanbul")
WORKING_DAYS: Final = range(5)
WORKING_HOURS: Final = ((time(8), time(12)), (time(13), time(17)))


def add_hours(start: datetime, hours: float, clock: Literal["cal", "biz"]) -> datetime:
    """
    The moment ``hours`` later on the clock. Raises ``ValueError`` for a start without a zone.
    """
    if start.tzinfo is None:
        raise ValueError("a time needs a zone")
    left = timedelta(hours=hours)
    if clock == "cal":
        return (start + left).astimezone(UTC)
    now = start.astimezone(CITY)
    day = now.date()
    while True:
        for opens, closes in _windows(day):
            begin = max(now, opens)
            if begin >= closes:
                continue
            if begin + left <= closes:
                return (begin + left).astimezone(UTC)
            left -= closes - begin
        day += timedelta(days=1)


def _windows(day: date) -> list[tuple[datetime, datetime]]:
    if day.weekday() not in WORKING_DAYS:
        return []
    return [
        (datetime.combine(day, opens, CITY), datetime.combine(day, closes, CITY)) for opens, closes in WORKING_HOURS
    ]
