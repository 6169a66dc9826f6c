"""
What the reports show: parameters with their rules, and answers with their fields. A field's meaning is its definition.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, Field

from services.reporting.figures.definitions import definitions
from services.reporting.figures.series import VolumeBy
from services.reporting.figures.service_levels import SatisfactionBy
from services.reporting.figures.spread import EDGES
from services.reporting.queries import Interval, number_begun
from services.reporting.views import Answer, Parameters, Text

R = TypeVar("R", bound=Answer)


def _no_number(words: str) -> str:
    if number_begun(words):
        raise ValueError("a number names one request: GET /v1/requests?q=")
    return words


ServiceWords = Annotated[Text, AfterValidator(_no_number)]
"""What facts can be asked for in words: they know services, and no number by its beginning."""


class Compare(StrEnum):
    """
    With what the rows are compared.
    """

    PREVIOUS = "previous"


class ReportParameters(Parameters):
    """
    The filter, the width of a bucket, and with what to compare.
    """

    interval: Interval = Field(
        default=Interval.DAY, description="for volume and backlog; the other reports have no buckets"
    )
    compare: Compare | None = Field(
        default=None,
        description="previous: the rows of the period before, too; needs from, and to means today if absent",
    )
    q: ServiceWords | None = Field(default=None, description="a part of a service's name")


class VolumeParameters(ReportParameters):
    """
    Those of every report, and what is told apart.
    """

    by: VolumeBy | None = Field(default=None, description="tell what was received apart by this")


class SatisfactionParameters(ReportParameters):
    """
    Those of every report, and what is told apart.
    """

    by: SatisfactionBy | None = Field(default=None, description="a row for each of these")


def _figure(name: str) -> Any:
    return Field(description=definitions()[name].en.text)


class Spread(Answer):
    """
    Half take less than the median, nine of ten less than the 90th percentile.
    """

    median_hours_to_close: float | None = _figure("median_hours_to_close")
    p90_hours_to_close: float | None = _figure("p90_hours_to_close")
    median_hours_to_respond: float | None = _figure("median_hours_to_respond")
    p90_hours_to_respond: float | None = _figure("p90_hours_to_respond")


class Outcomes(Answer):
    """
    Closed ones by the state in which they ended.
    """

    resolved: int
    referred: int
    rejected: int
    duplicate: int
    cancelled: int


class FiguresRow(Spread):
    """
    What is counted of every group.
    """

    received: int = _figure("received")
    assigned: int = _figure("assigned")
    open: int = _figure("open")
    closed: int = _figure("closed")
    overdue: int = _figure("overdue")
    paused: int = _figure("paused")
    escalated: int = _figure("escalated")
    emergencies: int = _figure("emergencies")
    emergencies_open: int = _figure("emergencies_open")
    duplicates: int = _figure("duplicates")
    referred: int = _figure("referred")
    reopened: int = _figure("reopened")
    bounced: int = _figure("bounced")
    at_first_contact: int = _figure("at_first_contact")
    on_time: int = _figure("on_time")
    late: int = _figure("late")
    on_time_share: float | None = _figure("on_time_share")
    responded: int = _figure("responded")
    responded_on_time: int = _figure("responded_on_time")
    responded_late: int = _figure("responded_late")
    responded_on_time_share: float | None = _figure("responded_on_time_share")
    work_hours: Spread = _figure("work_hours")
    closed_by_outcome: Outcomes = _figure("closed_by_outcome")
    rating_average: float | None = _figure("rating_average")
    ratings: int = _figure("ratings")


class Satisfaction(Answer):
    """
    How those who rated are satisfied.
    """

    stars: dict[str, int] = Field(examples=[{"1": 2, "2": 0, "3": 4, "4": 11, "5": 20}])
    ratings: int = _figure("ratings")
    average: float | None = _figure("rating_average")
    satisfied_share: float | None = _figure("satisfied_share")


class Events(Answer):
    """
    Events, not requests.
    """

    closings: int
    reopenings: int
    bounces: int
    followers: int


class SummaryRow(FiguresRow):
    """
    Everything in one row.
    """

    by_status: dict[str, int] = _figure("by_status")
    told: dict[str, int] = _figure("told")
    messages: dict[str, int] = _figure("messages")
    events: Events = _figure("events")
    satisfaction: Satisfaction = _figure("satisfaction")


class ChannelRow(FiguresRow):
    """
    What came in on a channel; null: known by its registration only, so far.
    """

    channel: str | None


class DepartmentRow(FiguresRow):
    """
    The work that a department holds or closed, in requests and sub-requests; null: not assigned yet.
    """

    department: str | None


class ServiceRow(FiguresRow):
    """
    What is about a service; null: not decided yet.
    """

    service: str | None


class NeighbourhoodRow(FiguresRow):
    """
    What is about a neighbourhood; null: not said. ``lat`` and ``lon`` as in the definition of its point.
    """

    neighbourhood: str | None
    lat: float | None = _figure("neighbourhood_point")
    lon: float | None = _figure("neighbourhood_point")


class VolumeRow(Answer):
    """
    One bucket, named by its first local day or its local hour. ``received_by``: by the values of ``by``; an empty
    text is what is not known yet.
    """

    bucket: str = Field(examples=["2026-11-25"])
    received: int = _figure("received")
    closed: int = _figure("closed")
    received_by: dict[str, int] | None


class SlaRow(Answer):
    """
    The work of a department with one priority, judged by its due times. The lists have a number for each of ``edges``.
    """

    department: str | None
    priority: str | None
    judged: int = _figure("judged")
    on_time: int = _figure("on_time")
    late: int = _figure("late")
    on_time_share: float | None = _figure("on_time_share")
    first_judged: int = _figure("first_judged")
    first_on_time: int = _figure("first_on_time")
    first_on_time_share: float | None = _figure("first_on_time_share")
    responded: int = _figure("responded")
    responded_on_time: int = _figure("responded_on_time")
    responded_late: int = _figure("responded_late")
    responded_on_time_share: float | None = _figure("responded_on_time_share")
    overdue_now: int = _figure("overdue_now")
    hours_to_close: list[int] = _figure("hours_to_close")
    hours_to_respond: list[int] = _figure("hours_to_respond")


class BacklogRow(Answer):
    """
    Open work of a department of one age, in days of 24 hours: from, up to but without.
    """

    band: Literal["0-1", "1-3", "3-7", "7-14", "14-30", "30-90", "90+"]
    from_days: int
    to_days: int | None
    department: str | None
    open: int = _figure("backlog")
    overdue: int = _figure("overdue")
    paused: int = _figure("paused")


class BacklogPoint(Answer):
    """
    How much was open when a bucket ended.
    """

    bucket: str = Field(examples=["2026-11-25"])
    open: int = _figure("backlog_series")


class SatisfactionRow(Satisfaction):
    """
    The ratings of one value of ``by``, or all.
    """

    group: str | None


class HeatCell(Answer):
    """
    An hour of the week; 1 is Monday.
    """

    weekday: int = Field(ge=1, le=7)
    hour: int = Field(ge=0, le=23)
    received: int = _figure("received")


class HeatDay(Answer):
    """
    A local day.
    """

    day: date
    received: int = _figure("received")


class Previous(Answer, Generic[R]):
    """
    The same rows of the period before.
    """

    model_config = ConfigDict(frozen=True, validate_by_name=True, serialize_by_alias=True)
    first_day: date = Field(alias="from")
    last_day: date = Field(alias="to")
    rows: list[R]


class Report(Answer, Generic[R]):
    """
    ``as_of``: everything published until then is counted. ``filter``: the same on ``GET /v1/requests``.
    """

    as_of: datetime | None = _figure("as_of")
    lag_seconds: float | None = _figure("lag_seconds")
    filter: dict[str, str]
    rows: list[R]
    previous: Previous[R] | None = _figure("previous")


class SummaryReport(Report[SummaryRow]):
    """
    One row.
    """


class VolumeReport(Report[VolumeRow]):
    """
    A row for each bucket, empty ones too.
    """

    interval: Interval
    by: VolumeBy | None


class ChannelsReport(Report[ChannelRow]):
    """
    A row for each channel that has any.
    """


class DepartmentsReport(Report[DepartmentRow]):
    """
    A row for each department that has any.
    """


class ServicesReport(Report[ServiceRow]):
    """
    A row for each service that has any.
    """


class NeighbourhoodsReport(Report[NeighbourhoodRow]):
    """
    A row for each neighbourhood that has any.
    """


class SlaReport(Report[SlaRow]):
    """
    A row for each department and priority that has any. ``edges``: hours at which the bins begin; the last has no end.
    """

    edges: list[int] = Field(examples=[list(EDGES)])


class BacklogReport(Report[BacklogRow]):
    """
    A row for each age and department that has any, and how much was open over time.
    """

    interval: Interval
    series: list[BacklogPoint]


class SatisfactionReport(Report[SatisfactionRow]):
    """
    One row, or one for each value of ``by`` that has ratings.
    """

    by: SatisfactionBy | None


class HeatmapReport(Report[HeatCell]):
    """
    The 168 hours of the week, and the days from the first to the last.
    """

    days: list[HeatDay]
