"""
The bodies that HTTP callers send and get. What passes here is clean: one form for one meaning.
"""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from services.common.contracts.catalogue import catalogue
from services.common.contracts.events import AttachmentId, CallId
from services.common.contracts.ids import parse_request_id
from services.common.contracts.vocabulary import Action, Channel, Kind, Language, NotifyVia, Outcome, Priority
from services.intake import cleaning

TEXT_LIMIT = 4_000
REASON_LIMIT = 1_000
MOST_PARTS = 10
MOST_FILES = 10
MOST_EVENTS = 1_000_000
CALLER_KEY = r"^[!-~]([ -~]{0,198}[!-~])?$"


def _known_service(code: str) -> str:
    if code not in catalogue().services:
        raise ValueError("is not a service of the catalogue")
    return code


def _known_department(slug: str) -> str:
    if slug not in catalogue().departments:
        raise ValueError("is not a department of the catalogue")
    return slug


def _a_citizens(wish: NotifyVia) -> NotifyVia:
    if wish is NotifyVia.WEBHOOK:
        raise ValueError("webhook is for partners' systems: must be email, sms, whatsapp, phone or none")
    return wish


def _line(limit: int) -> Any:
    return AfterValidator(lambda text: cleaning.one_line(text, limit))


def _prose(limit: int) -> Any:
    return AfterValidator(lambda text: cleaning.prose(text, limit))


def _named(limit: int) -> Any:
    return AfterValidator(lambda text: cleaning.named(text, limit))


def _visible(limit: int) -> Any:
    return WithJsonSchema(
        {"type": "string", "minLength": 1, "maxLength": limit, "description": "with something visible"}
    )


def _each_once(files: list[str]) -> list[str]:
    return list(dict.fromkeys(files))


Prose = Annotated[str, _prose(TEXT_LIMIT), _visible(TEXT_LIMIT)]
Reason = Annotated[str, _prose(REASON_LIMIT), _visible(REASON_LIMIT)]
Named = Annotated[str, _named(200), _visible(200)]
Name = Annotated[str, _line(200), WithJsonSchema({"type": "string", "maxLength": 200})]
Address = Annotated[str, _line(300), WithJsonSchema({"type": "string", "maxLength": 300})]
Word = Annotated[str, _line(100), WithJsonSchema({"type": "string", "maxLength": 100})]
Phone = Annotated[
    str,
    AfterValidator(cleaning.phone),
    WithJsonSchema({"type": "string", "examples": ["0532 111 22 33", "+905321112233", "444 55 01"]}),
]
Email = Annotated[
    str, AfterValidator(cleaning.email), WithJsonSchema({"type": "string", "format": "email", "maxLength": 253})
]
WhatsappId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,140}$", examples=["905321112233", "TR.1349120865"])]
CallerKey = Annotated[str, Field(pattern=CALLER_KEY, description="1 to 200 printable ASCII characters")]
Moment = Annotated[
    datetime,
    BeforeValidator(cleaning.moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-06-03T09:00:00+03:00"]}),
]
Day = Annotated[
    date,
    BeforeValidator(cleaning.day),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-06-03"]}),
]
OtherRequest = Annotated[
    str,
    AfterValidator(parse_request_id),
    WithJsonSchema({"type": "string", "examples": ["7XK2-9MQ4-T3BD-M"], "description": "a request's number"}),
]
KnownService = Annotated[str, AfterValidator(_known_service), Field(examples=["yol-cukur"])]
KnownDepartment = Annotated[str, AfterValidator(_known_department), Field(examples=["fen-isleri"])]
Attributes = Annotated[
    dict[str, Any], AfterValidator(cleaning.attributes), WithJsonSchema({"type": "object", "maxProperties": 50})
]
CitizensWish = Annotated[
    NotifyVia,
    AfterValidator(_a_citizens),
    WithJsonSchema({"type": "string", "enum": [via.value for via in NotifyVia if via is not NotifyVia.WEBHOOK]}),
]
Files = Annotated[list[AttachmentId], AfterValidator(_each_once), Field(max_length=MOST_FILES)]
Seq = Annotated[int, Field(strict=True, ge=1, le=MOST_EVENTS, description="the last event that was seen")]
Latitude = Annotated[float, Field(strict=True, ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(strict=True, ge=-180, le=180, allow_inf_nan=False)]


class Body(BaseModel):
    """
    Something a caller sends: unknown fields are refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


class Citizen(Body):
    """
    How to reach the citizen. No field is compulsory; blank is the same as left out.
    """

    name: Name | None = None
    phone: Phone | None = None
    email: Email | None = None
    whatsapp_id: WhatsappId | None = None
    language: Language = Language.TR
    notify_via: CitizensWish | None = None

    @property
    def given(self) -> bool:
        """
        Whether there is anything to keep about the person.
        """
        return any((self.name, self.phone, self.email, self.whatsapp_id))


class Place(Body):
    """
    Where it is. A point needs both of its degrees (WGS84).
    """

    address: Address | None = None
    neighbourhood: Word | None = None
    lat: Latitude | None = None
    lon: Longitude | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> "Place":
        if (self.lat is None) != (self.lon is None):
            raise ValueError("lat and lon belong together: give both or none")
        return self


class LegalBasis(Body):
    """
    The law under which a petition was filed and its number in the registry.
    """

    basis: Literal["3071", "4982", "kvkk", "cimer"]
    record_no: Word | None = None


class AnswerGiven(Body):
    """
    The answer given at first contact: the request is settled by it.
    """

    text: Prose


class Repetition(Body):
    """
    A need that comes again every so many days until a last day in Istanbul's calendar, at most a year ahead.
    """

    every_days: Annotated[int, Field(strict=True, ge=1, le=31)]
    until: Day


class NewRequest(Body):
    """
    A citizen's request. With ``external_id`` (or ``Idempotency-Key``) it can be sent again without harm.
    """

    channel: Channel
    kind: Kind | None = None
    service_code: KnownService | None = None
    text: Prose
    citizen: Citizen | None = None
    contact: Literal["none"] | None = Field(default=None, description="the citizen wants to stay unknown")
    location: Place | None = None
    attachments: Files | None = None
    attributes: Attributes | None = None
    external_id: CallerKey | None = None
    entered_by: Word | None = None
    received_at: AwareDatetime | None = None
    legal: LegalBasis | None = None
    notice_version: Word | None = None
    answered: AnswerGiven | None = None
    call_id: CallId | None = Field(default=None, description="the call in which an operator typed it: their own")
    repeat: Repetition | None = None

    @model_validator(mode="after")
    def _reachable_or_not(self) -> "NewRequest":
        if self.contact == "none" and self.citizen is not None and self.citizen.given:
            raise ValueError('contact "none" and a citizen exclude each other')
        return self


class RequestTaken(BaseModel):
    """
    The request is kept and has its number.
    """

    request_id: str = Field(examples=["7XK29MQ4T3BDM"])
    status: Literal["received"] = "received"
    tracking_url: str


class OtherBody(Body):
    """
    Another body: its name, the day it was written to, and the number under which it has the matter.
    """

    body: Named
    on: Day | None = None
    reference: Word | None = None


class NewPart(Body):
    """
    One part of a split: for the department ``to``, or for the one whose service it is. ``note`` is for its eyes alone.
    """

    to: KnownDepartment | None = None
    service_code: KnownService | None = None
    note: Prose | None = None

    @model_validator(mode="after")
    def _for_somebody(self) -> "NewPart":
        if self.to is None and self.service_code is None:
            raise ValueError("needs to or service_code: who is to do it")
        return self


class NewUpdate(Body):
    """
    What a department does with a request it holds, or with a part of one.

    | action | needs | may have besides notes |
    |---|---|---|
    | accept | | service_code |
    | start | | photos |
    | reject | note_internal or note_public | to, service_code |
    | transfer | to | service_code |
    | schedule | planned_for: in the future, at most two years ahead | |
    | ask | question | |
    | wait | referred_to | |
    | extend | note_public: the reason, told to the applicant | |
    | split | parts: 2 to 10 | |
    | resolve | outcome (a department's answer), note_public | service_code, photos |
    | refer | referred_to, note_public | |
    | duplicate | master | |
    | cancel | note_internal or note_public | |
    | reopen | note_internal or note_public | |
    | note | note_internal (and nothing public) | photos |

    A closed request takes only ``reopen`` and ``note``. ``cancel``, ``reopen`` and ``note`` the desk may do to whatever
    request, all else its holder alone. A part can be neither split nor a duplicate.

    With ``expected_seq``, any of them is refused (``changed_meanwhile``) if the request has moved on since that event.
    """

    action: Action
    department: KnownDepartment | None = Field(default=None, description="compulsory if the key serves several")
    note_public: Prose | None = None
    note_internal: Prose | None = None
    outcome: Outcome | None = None
    to: KnownDepartment | None = None
    service_code: KnownService | None = None
    planned_for: Moment | None = None
    question: Prose | None = None
    referred_to: OtherBody | None = None
    parts: Annotated[list[NewPart], Field(min_length=2, max_length=MOST_PARTS)] | None = None
    master: OtherRequest | None = None
    photos: Files | None = None
    expected_seq: Seq | None = None


class UpdateTaken(BaseModel):
    """
    The update is kept; whether it was applied is told at ``GET …/updates/{update_id}``.
    """

    update_id: str


class UpdateResult(BaseModel):
    """
    What became of an update.
    """

    update_id: str
    result: Literal["pending", "applied", "refused"]
    reason: str | None = None
    detail: str | None = None
    seq: int | None = Field(default=None, description="the lifecycle event that it led to")
    by: str | None = Field(default=None, exclude=True)


class NewReply(Body):
    """
    What a citizen answered to a question, or added unasked; on ``channel``, typed by ``entered_by`` if by anybody.
    """

    text: Prose
    channel: Channel
    external_id: CallerKey | None = None
    entered_by: Word | None = None


class ReplyTaken(BaseModel):
    """
    The reply is kept.
    """

    reply_id: str


class NewFeedback(Body):
    """
    What a citizen thinks of how a request ended: 1 to 5 stars, or ``reopen`` and a comment that says why.

    ``closing_seq`` is the ending it is about, ``token`` what the tracking page gave for it.
    """

    token: Annotated[str, Field(max_length=60)]
    closing_seq: Seq
    rating: Annotated[int, Field(strict=True, ge=1, le=5, description="5 is best")] | None = None
    comment: Prose | None = None
    reopen: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> "NewFeedback":
        if self.rating is None and not self.reopen:
            raise ValueError("needs rating or reopen")
        if self.reopen and self.comment is None:
            raise ValueError("reopen needs a comment: why it is not settled")
        return self


class FeedbackTaken(BaseModel):
    """
    The feedback is kept.
    """

    feedback_id: str


class CrisisEnd(Body):
    """
    Why a crisis is over, and who says so.
    """

    reason: Reason
    declared_by: Named


class NewCrisis(CrisisEnd):
    """
    From when until when a crisis is on (from now, without end), why, and who says so.
    """

    starts_at: Moment | None = None
    ends_at: Moment | None = None


class CrisisTaken(BaseModel):
    """
    The crisis is declared, from now on for everybody.
    """

    crisis: str
    starts_at: datetime
    ends_at: datetime | None
    declared_at: datetime


class CrisisService(BaseModel):
    """
    A service that a crisis touches: there only while it is on, or more urgent than otherwise.
    """

    code: str
    tr: str
    en: str
    only_in_crisis: bool
    priority: Priority


class CrisisTeam(BaseModel):
    """
    Who goes to which neighbourhoods for which services; no neighbourhoods are all of them.
    """

    name: str
    tr: str
    en: str
    department: str
    services: list[str]
    neighbourhoods: list[str]


class CrisisAsked(BaseModel):
    """
    A line of the audit. ``asked``: written before Kafka was asked; ``declared``: Kafka has it.
    """

    state: Literal["asked", "declared"]
    declared_at: datetime
    starts_at: datetime
    ends_at: datetime | None
    reason: str
    declared_by: str
    adapter: str


class CrisisState(BaseModel):
    """
    A crisis that can be declared, and whether it is on now. ``audit``: the last 20, newest first.
    """

    name: str
    tr: str
    en: str
    on: bool
    starts_at: datetime | None
    ends_at: datetime | None
    services: list[CrisisService]
    teams: list[CrisisTeam]
    audit: list[CrisisAsked]


class CrisisList(BaseModel):
    """
    All crises as of a moment.
    """

    as_of: datetime
    crises: list[CrisisState]


class KeyQuestion(Body):
    """
    Which key: SHA-256 of it, in hex.
    """

    key_hash: str = Field(pattern=r"^[0-9a-f]{64}$")


class KeyAnswer(BaseModel):
    """
    Whose key it is and what it may do.
    """

    adapter: str
    scopes: list[str]
    departments: list[str]
