"""
What a monthly statement says.

Everything is as it stood when the month ended (or stands now, while it runs): what *came in* counts by the moment it
was received, what was *concluded* by the moment of its last closing, whenever it had come in. So a month is compared
with others of the same age, and reads the same in a year, but for what was reopened since. ``standing`` alone says how
the month's requests stand now.
"""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """
    A part of the statement.
    """

    model_config = ConfigDict(frozen=True)


class Numbers(Part):
    """
    The figures of a month. Shares are of 1, and of nothing they are null; hours are those of the calendar.
    """

    received: int = Field(description="requests that came in")
    concluded: int = Field(description="requests whose last closing lies in the month, whenever they came in")
    solved: int = Field(description="of the concluded: closed as resolved")
    solved_share: float | None
    on_time: int = Field(description="of the concluded: closed by the time promised")
    late: int
    on_time_share: float | None
    median_hours_to_respond: float | None = Field(description="of the first answers given in the month")
    responded_on_time_share: float | None
    median_hours_to_close: float | None = Field(description="of the concluded")
    ratings: int = Field(description="of the concluded: rated by the citizen, 1 to 5")
    rating_average: float | None
    satisfied_share: float | None = Field(description="of the ratings: 4 or 5")
    emergencies: int = Field(description="of those that came in")
    emergency_median_hours_to_respond: float | None = Field(description="of first answers given in the month")
    at_first_contact: int = Field(description="of those that came in: answered by whoever took them")
    reopened: int = Field(description="of the concluded: had been closed and reopened before")
    open_at_end: int = Field(description="not concluded when the month ended, whenever they came in")
    open_over_30_days: int = Field(description="of these: came in more than 30 days before")
    by_outcome: dict[str, int] = Field(description="the concluded, by the state they ended in")


class MonthNumbers(Numbers):
    """
    The figures of one month of several.
    """

    month: str = Field(examples=["2026-10"])


class Name(Part):
    """
    What something is called.
    """

    tr: str
    en: str


class Group(Part):
    """
    What fell to one channel, department, neighbourhood, kind or service; ``value`` null: to none yet.
    """

    value: str | None
    name: Name
    received: int
    share: float | None = Field(description="of all that came in")
    received_before: int | None = Field(description="in the month before; null: there were no figures yet")
    concluded: int
    solved_share: float | None
    on_time_share: float | None
    median_hours_to_close: float | None
    open_at_end: int


class DayCount(Part):
    """
    What came in on a local day.
    """

    day: date
    received: int


class Standing(Part):
    """
    How the requests that came in during the month stand now.
    """

    closed: int
    open: int
    resolved: int


class Statement(Part):
    """
    The statement of a month. ``provisional``: the month is not over; then it is compared with the same stretch of the
    others. ``previous`` and ``year_before`` are null where there were no figures yet. Departments count work: requests
    and sub-requests.
    """

    month: str = Field(examples=["2026-10"])
    provisional: bool
    until: datetime = Field(description="the end of what is counted")
    departments: list[str] | None = Field(description="only what these hold now; null: everything")
    numbers: Numbers
    previous: Numbers | None
    year_before: Numbers | None
    standing: Standing
    months: list[MonthNumbers] = Field(description="this month and the twelve before, oldest first")
    days: list[DayCount]
    by_channel: list[Group]
    by_department: list[Group]
    by_neighbourhood: list[Group]
    by_kind: list[Group]
    by_service: list[Group]
