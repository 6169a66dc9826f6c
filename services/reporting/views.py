"""
What the api shows: parameters with their rules, and answers with their fields.
"""

import re
from datetime import date, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import grouped
from services.common.contracts.vocabulary import STATUS_LABELS, Channel, Kind, Status
from services.reporting.projections import Document
from services.reporting.queries import Filter, Interval, widened


def _split(value: object) -> object:
    if not isinstance(value, list):
        return value
    return [part.strip() for text in value for part in str(text).split(",") if part.strip()]


def _department(slug: str) -> str:
    if slug not in catalogue().departments:
        raise ValueError("no department of the catalogue")
    return slug


def _service(code: str) -> str:
    if code not in catalogue().services:
        raise ValueError("no service of the catalogue")
    return code


def _plain_day(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        raise ValueError("a day is written YYYY-MM-DD")
    return value


def _visible(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("give something visible")
    return text.strip()


def _status(name: str) -> str:
    if name not in STATUS_WORDS:
        raise ValueError(f"one of {', '.join(STATUS_WORDS)}")
    return name


STATUS_WORDS: Final = (*(status.value for status in Status), "open", "closed")
Departments = Annotated[list[Annotated[str, AfterValidator(_department)]], BeforeValidator(_split)]
Services = Annotated[list[Annotated[str, AfterValidator(_service)]], BeforeValidator(_split)]
Statuses = Annotated[list[Annotated[str, AfterValidator(_status)]], BeforeValidator(_split)]
Channels = Annotated[list[Channel], BeforeValidator(_split)]
Kinds = Annotated[list[Kind], BeforeValidator(_split)]
Text = Annotated[str, Field(max_length=100), AfterValidator(_visible)]
Texts = Annotated[list[Text], BeforeValidator(_split)]
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2100, 12, 31)), BeforeValidator(_plain_day)]


class Parameters(BaseModel):
    """
    Which requests are meant. Lists are comma separated; ``from`` and ``to`` are local days (Europe/Istanbul), both in.
    """

    model_config = ConfigDict(extra="forbid")
    department: Departments = Field(default=[], description="who holds it now: slugs of the catalogue")
    status: Statuses = Field(default=[], description="states; also open and closed, for all such states")
    channel: Channels = Field(default=[], description="how it came in")
    service: Services = Field(default=[], description="codes of the catalogue")
    neighbourhood: Texts = Field(default=[], description="mahalle, as written in the request")
    kind: Kinds = Field(default=[], description="what the citizen wants")
    first_day: Day | None = Field(default=None, alias="from", description="received on this day or later")
    last_day: Day | None = Field(default=None, alias="to", description="received on this day or earlier")
    q: Text | None = Field(default=None, description="a number or its beginning, or a part of a service's name")

    def filter(self) -> Filter:
        """
        The filter that they name.
        """
        return Filter(
            department=tuple(self.department),
            status=widened(self.status),
            channel=tuple(channel.value for channel in self.channel),
            service=tuple(self.service),
            neighbourhood=tuple(self.neighbourhood),
            kind=tuple(kind.value for kind in self.kind),
            first_day=self.first_day,
            last_day=self.last_day,
            q=self.q,
        )


class ListParameters(Parameters):
    """
    The filter and the place in the list.
    """

    cursor: str | None = Field(default=None, max_length=200, description="next_cursor of the page before")
    limit: int = Field(default=50, ge=1, le=200)


class ReportParameters(Parameters):
    """
    The filter and the width of a bucket.
    """

    interval: Interval = Field(default=Interval.DAY, description="for volume; the other reports have no buckets")


class Answer(BaseModel):
    """
    A part of an answer.
    """

    model_config = ConfigDict(frozen=True)


class StatusLabel(Answer):
    """
    A state in words.
    """

    tr: str
    en: str


class DueTimes(Answer):
    """
    By when the department should react and resolve.
    """

    first_response_at: datetime | None
    resolve_by: datetime | None


class RequestRow(Answer):
    """
    A request in a list. ``number`` is the request_id, grouped for reading aloud.
    """

    request_id: str
    number: str
    status: str
    status_label: StatusLabel
    department: str | None
    service_code: str | None
    priority: str | None
    emergency: bool
    channel: str | None
    kind: str | None
    neighbourhood: str | None
    received_at: datetime
    assigned_at: datetime | None
    first_response_at: datetime | None
    closed_at: datetime | None
    due: DueTimes
    on_time: bool | None
    outcome: str | None
    reopened: int


class HistoryStep(Answer):
    """
    One event of the request's life.
    """

    seq: int
    type: str
    status: str
    department: str | None
    at: datetime
    outcome: str | None
    public_text: str | None


class ToldStep(Answer):
    """
    What became of one message to the citizen.
    """

    transition: str
    attempt: int
    outcome: str
    channel: str | None
    reason: str | None
    late: bool
    at: datetime


class RequestDetail(RequestRow):
    """
    A request with its life. ``text`` is the citizen's own words, for callers with the scope texts:read alone.
    """

    decided_by: str | None
    public_text: str | None
    text: str | None
    history: list[HistoryStep]
    told: list[ToldStep]


class RequestList(Answer):
    """
    A page of requests, newest first. ``next_cursor`` is null on the last page.
    """

    items: list[RequestRow]
    next_cursor: str | None
    filter: dict[str, str]


class Figures(Answer):
    """
    Counts of requests. ``assigned``: ever given to a department (triage is one). ``overdue``: open after its due time.
    ``on_time_share``: of the closed ones with a due time. ``reopened``: requests opened again at least once.
    """

    received: int
    assigned: int
    open: int
    closed: int
    overdue: int
    on_time_share: float | None
    reopened: int
    median_hours_to_close: float | None
    p90_hours_to_close: float | None


class SummaryRow(Figures):
    """
    Everything in one row. ``told``: requests by what became of the first message (``waiting``: nothing yet;
    ``no_contact``: those of ``suppressed`` that left no contact). ``messages``: all messages by outcome.
    """

    by_status: dict[str, int]
    told: dict[str, int]
    messages: dict[str, int]


class DepartmentRow(Figures):
    """
    What a department holds; null: not assigned yet.
    """

    department: str | None


class ChannelRow(Figures):
    """
    What came in on a channel; null: known by its registration only, so far.
    """

    channel: str | None


class VolumeRow(Answer):
    """
    One bucket, named by its first local day or its local hour. ``closed``: closings that fell into it.
    """

    bucket: str
    received: int
    closed: int


class Report(Answer):
    """
    ``as_of``: everything published until then is counted. ``filter``: the same on ``GET /v1/requests``.
    """

    as_of: datetime | None
    lag_seconds: float | None
    filter: dict[str, str]


class SummaryReport(Report):
    """
    One row.
    """

    rows: list[SummaryRow]


class VolumeReport(Report):
    """
    A row for each bucket, empty ones too.
    """

    interval: Interval
    rows: list[VolumeRow]


class DepartmentsReport(Report):
    """
    A row for each department that has any.
    """

    rows: list[DepartmentRow]


class ChannelsReport(Report):
    """
    A row for each channel that has any.
    """

    rows: list[ChannelRow]


def row(document: Document) -> dict[str, Any]:
    """
    The fields of ``RequestRow``.
    """
    labels = STATUS_LABELS[Status(document["status"])]
    return {
        **{name: document[name] for name in RequestRow.model_fields if name in document},
        "request_id": document["_id"],
        "number": grouped(document["_id"]),
        "status_label": {"tr": labels.tr, "en": labels.en},
        "due": {"first_response_at": document["respond_by"], "resolve_by": document["resolve_by"]},
    }


def detail(document: Document, *, with_text: bool) -> dict[str, Any]:
    """
    The fields of ``RequestDetail``.
    """
    body = document["bodies"].get(document["origin"] or "", {})
    return {
        **row(document),
        "decided_by": document["decided_by"],
        "public_text": document["public_text"],
        "text": body.get("text") if with_text else None,
        "history": sorted(document["history"].values(), key=lambda step: int(step["seq"])),
        "told": sorted(document["told"].values(), key=lambda step: (step["at"], step["id"])),
    }
