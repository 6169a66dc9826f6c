"""
What the api shows: parameters with their rules, and answers with their fields.
"""

import re
from dataclasses import replace
from datetime import date, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import IllFormedId, grouped, parse_any_id, parse_request_id
from services.common.contracts.neighbourhoods import neighbourhood
from services.common.contracts.vocabulary import STATUS_LABELS, Channel, Kind, Status
from services.reporting.projections import Document, body_of, is_overdue
from services.reporting.queries import Filter, widened


def comma_separated(value: object) -> object:
    """
    The values of a parameter that may be given several times and hold several each.
    """
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


def _number(text: str) -> str:
    try:
        return parse_request_id(text)
    except IllFormedId as reason:
        raise ValueError(str(reason)) from None


def _is_part(text: str | None) -> bool:
    try:
        return "." in parse_any_id(text or "")
    except IllFormedId:
        return False


def _visible(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("give something visible")
    return text.strip()


def _status(name: str) -> str:
    if name not in STATUS_WORDS:
        raise ValueError(f"one of {', '.join(STATUS_WORDS)}")
    return name


STATUS_WORDS: Final = (*(status.value for status in Status), "open", "closed")
Department = Annotated[str, AfterValidator(_department), Field(examples=["fen-isleri"])]
Code = Annotated[str, Field(max_length=100), AfterValidator(_visible)]
Codes = Annotated[list[Code], BeforeValidator(comma_separated)]
Statuses = Annotated[list[Annotated[str, AfterValidator(_status)]], BeforeValidator(comma_separated)]
Channels = Annotated[list[Channel], BeforeValidator(comma_separated)]
Kinds = Annotated[list[Kind], BeforeValidator(comma_separated)]
Slugs = Annotated[
    list[Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]], BeforeValidator(comma_separated)
]
Text = Annotated[str, Field(max_length=100), AfterValidator(_visible)]
Place = Annotated[Text, AfterValidator(lambda text: neighbourhood(text) or text)]
"""A neighbourhood however it is written; one of an imported city as it is written there."""
Places = Annotated[list[Place], BeforeValidator(comma_separated)]
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2100, 12, 31)), BeforeValidator(_plain_day)]


class Parameters(BaseModel):
    """
    Which requests are meant. Lists are comma separated; ``from`` and ``to`` are local days (Europe/Istanbul), both in.
    """

    model_config = ConfigDict(extra="forbid")
    department: Codes = Field(default=[], description="who holds it now: slugs of the catalogue")
    status: Statuses = Field(default=[], description="states; also open and closed, for all such states")
    channel: Channels = Field(default=[], description="how it came in")
    service: Codes = Field(default=[], description="codes of the catalogue")
    neighbourhood: Places = Field(default=[], description="mahalle, however it is written")
    kind: Kinds = Field(default=[], description="what the citizen wants")
    team: Slugs = Field(default=[], description="who of the department goes there", examples=[["vefa-2"]])
    crisis: Slugs = Field(default=[], description="under which crisis it was assigned", examples=[["salgin"]])
    overdue: bool | None = Field(
        default=None, description="open after its due time, and its clock does not stand still"
    )
    paused: bool | None = Field(default=None, description="open, and its clock stands still")
    escalated: bool | None = Field(default=None, description="somebody was told, at least once, that time runs out")
    emergency: bool | None = Field(default=None, description="somebody's life or safety was in danger")
    on_time: bool | None = Field(default=None, description="how the last closing was judged by its due time")
    legal_due_before: Day | None = Field(default=None, description="the law's last day lies before this day")
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
            team=tuple(self.team),
            crisis=tuple(self.crisis),
            overdue=self.overdue,
            paused=self.paused,
            escalated=self.escalated,
            emergency=self.emergency,
            on_time=self.on_time,
            legal_due_before=self.legal_due_before,
            first_day=self.first_day,
            last_day=self.last_day,
            q=self.q,
        )


class ListParameters(Parameters):
    """
    The filter and the place in the list. Sub-requests are listed if they are asked for.
    """

    parent: Annotated[str, AfterValidator(_number)] | None = Field(
        default=None, description="the sub-requests of this request alone", examples=["7XK2-9MQ4-T3BD-M"]
    )
    parts: bool = Field(default=False, description="sub-requests too, beside the requests")
    cursor: str | None = Field(default=None, max_length=200, description="next_cursor of the page before")
    limit: int = Field(default=50, ge=1, le=200)

    def filter(self) -> Filter:
        """
        The filter that they name; a search for the number of a sub-request finds it.
        """
        return replace(super().filter(), parent=self.parent, parts=self.parts or _is_part(self.q))


class SimilarParameters(BaseModel):
    """
    What is being reported, and where: never in the citizen's words, for a URL stands in logs.
    """

    model_config = ConfigDict(extra="forbid")
    service: Annotated[str, AfterValidator(_service)] = Field(description="a code of the catalogue")
    neighbourhood: Place = Field(description="mahalle, however it is written", examples=["Kadıköy"])
    street: Text | None = Field(default=None, description="what is there comes first", examples=["Lale Sokak"])


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
    By when the department should react, accept and resolve. While the clock stands still (``paused_since``),
    ``resolve_by`` is as it was then.
    """

    first_response_at: datetime | None
    accept_by: datetime | None
    resolve_by: datetime | None
    paused_since: datetime | None


class LegalTerm(Answer):
    """
    By when the law wants an answer; ``on`` is the last day (Europe/Istanbul). Never paused.
    """

    basis: str = Field(examples=["3071"])
    on: str = Field(examples=["2026-12-25"])
    due_at: datetime
    extended: bool


class RequestRow(Answer):
    """
    A request, or a sub-request (with a ``parent_id``), in a list. ``number`` is the request_id, grouped for reading
    aloud. ``reopened``, ``followers`` and ``parts_count`` count. A sub-request has its parent's ``received_at``, but a
    turn of a need that comes again has its own.
    """

    request_id: str = Field(examples=["7XK29MQ4T3BDM"])
    number: str = Field(examples=["7XK2-9MQ4-T3BD-M"])
    status: str = Field(examples=["scheduled"])
    status_label: StatusLabel
    department: str | None = Field(examples=["fen-isleri"])
    service_code: str | None = Field(examples=["yol-cukur"])
    priority: str | None = Field(examples=["normal"])
    emergency: bool
    channel: str | None = Field(examples=["phone"])
    kind: str | None = Field(examples=["complaint"])
    neighbourhood: str | None = Field(examples=["Kadıköy"])
    received_at: datetime
    assigned_at: datetime | None
    first_response_at: datetime | None
    closed_at: datetime | None
    due: DueTimes
    legal: LegalTerm | None
    on_time: bool | None
    overdue: bool
    paused: bool
    escalated: bool
    planned_for: datetime | None
    outcome: str | None
    reopened: int
    team: str | None = Field(examples=["vefa-2"])
    crisis: str | None = Field(examples=["salgin"])
    parent_id: str | None
    parts_count: int
    master_id: str | None
    followers: int


class HistoryStep(Answer):
    """
    One event of the request's life. ``clock``, ``level`` and ``due_at``: an escalation, on which clock and to whom.
    """

    seq: int
    type: str = Field(examples=["RequestEscalated"])
    status: str
    department: str | None = None
    at: datetime
    outcome: str | None = None
    public_text: str | None = None
    clock: str | None = Field(default=None, examples=["resolution"])
    level: str | None = Field(default=None, examples=["head"])
    due_at: datetime | None = None


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


class OtherBody(Answer):
    """
    Who else has the matter: its name, the day it was written to, and the number it has there.
    """

    body: str = Field(examples=["SASKİ Genel Müdürlüğü"])
    on: str | None = None
    reference: str | None = None


class Escalation(Answer):
    """
    Somebody was told that time runs out, or (``overdue``) ran out.
    """

    clock: str
    level: str
    at: datetime
    due_at: datetime
    overdue: bool


class Closing(Answer):
    """
    One closing, judged by the due time that held then; the first one counts for first-time resolution.
    """

    at: datetime
    status: str
    outcome: str | None
    resolve_by: datetime | None
    on_time: bool | None


class Pause(Answer):
    """
    A stretch in which the clock stood still; without ``until`` it still does.
    """

    since: datetime
    until: datetime | None


class RequestDetail(RequestRow):
    """
    A request or sub-request with its life. ``text`` is the citizen's own words, for callers with the scope texts:read
    alone. ``parts``: its sub-requests and their states. ``question``: what the citizen is asked. ``rating``: 1 to 5
    stars of the citizen for the last ending that they rated.
    """

    decided_by: str | None
    public_text: str | None
    text: str | None
    question: str | None = Field(examples=["Hangi kapının önünde?"])
    referred_to: OtherBody | None
    rating: int | None
    bounced: int
    parts: list[RequestRow]
    escalations: list[Escalation]
    closings: list[Closing]
    pauses: list[Pause]
    history: list[HistoryStep]
    told: list[ToldStep]


class RequestList(Answer):
    """
    A page of requests, newest first. ``next_cursor`` is null on the last page.
    """

    items: list[RequestRow]
    next_cursor: str | None
    filter: dict[str, str]


class SimilarRow(RequestRow):
    """
    A request that may be about the same, with its place and the citizen's own words.
    """

    address: str | None = Field(examples=["Lale Sokak 14"])
    text: str | None


class SimilarList(Answer):
    """
    At most five, the most alike first: in the same street, of the same service, the latest.
    """

    items: list[SimilarRow]


def row(document: Document, now: datetime) -> dict[str, Any]:
    """
    The fields of ``RequestRow``; ``now`` decides what is overdue.
    """
    labels = STATUS_LABELS[Status(document["status"])]
    return {
        **{name: document[name] for name in RequestRow.model_fields if name in document},
        "number": grouped(document["request_id"]),
        "status_label": {"tr": labels.tr, "en": labels.en},
        "due": {
            "first_response_at": document["respond_by"],
            **{name: document[name] for name in ("accept_by", "resolve_by", "paused_since")},
        },
        "overdue": is_overdue(document, now),
        "parts_count": document["parts"],
    }


def similar_row(document: Document, now: datetime) -> dict[str, Any]:
    """
    The fields of ``SimilarRow``.
    """
    body = body_of(document)
    return {**row(document, now), "address": body.get("address"), "text": body.get("text")}


def detail(document: Document, parts: list[Document], now: datetime, *, with_text: bool) -> dict[str, Any]:
    """
    The fields of ``RequestDetail``. Of messages only those to citizens are shown: staff are told of an escalation.
    """
    body = body_of(document)
    plain = (
        "decided_by", "public_text", "question", "referred_to", "bounced", "escalations", "closings", "pauses"
    )  # fmt: skip
    told = [step for step in document["told"].values() if not step["staff"]]
    return {
        **row(document, now),
        **{name: document[name] for name in plain},
        "text": body.get("text") if with_text else None,
        "rating": document.get("rating"),
        "parts": [row(part, now) for part in parts],
        "history": sorted(document["history"].values(), key=lambda step: int(step["seq"])),
        "told": sorted(told, key=lambda step: (step["at"], step["id"])),
    }
