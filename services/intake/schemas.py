"""
The bodies that HTTP callers send and get. What passes here is clean: one form for one meaning.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from services.common.contracts.catalogue import catalogue
from services.common.contracts.vocabulary import Action, Channel, Kind, Language, NotifyVia, Outcome
from services.intake import cleaning

TEXT_LIMIT = 4_000
CALLER_KEY = r"^[!-~]([ -~]{0,198}[!-~])?$"


def _prose(text: str) -> str:
    return cleaning.prose(text, TEXT_LIMIT)


def _known_service(code: str) -> str:
    if code not in catalogue().services:
        raise ValueError("is not a service of the catalogue")
    return code


def _known_department(slug: str) -> str:
    if slug not in catalogue().departments:
        raise ValueError("is not a department of the catalogue")
    return slug


def _line(limit: int) -> Any:
    return AfterValidator(lambda text: cleaning.one_line(text, limit))


def _none_yet(attachments: list[str]) -> list[str]:
    if attachments:
        raise ValueError("are not accepted yet: send the request without them")
    return attachments


Prose = Annotated[
    str,
    AfterValidator(_prose),
    WithJsonSchema(
        {"type": "string", "minLength": 1, "maxLength": TEXT_LIMIT, "description": "with something visible"}
    ),
]
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
KnownService = Annotated[str, AfterValidator(_known_service), Field(examples=["yol-cukur"])]
KnownDepartment = Annotated[str, AfterValidator(_known_department), Field(examples=["fen-isleri"])]
Attributes = Annotated[
    dict[str, Any], AfterValidator(cleaning.attributes), WithJsonSchema({"type": "object", "maxProperties": 50})
]
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
    notify_via: NotifyVia | None = None

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
    attachments: Annotated[list[str], AfterValidator(_none_yet), Field(max_length=100)] | None = None
    attributes: Attributes | None = None
    external_id: CallerKey | None = None
    entered_by: Word | None = None
    received_at: AwareDatetime | None = None
    legal: LegalBasis | None = None
    notice_version: Word | None = None
    answered: AnswerGiven | None = None

    @model_validator(mode="after")
    def _reachable_or_not(self) -> "NewRequest":
        if self.contact == "none" and self.citizen is not None and self.citizen.given:
            raise ValueError('contact "none" and a citizen exclude each other')
        return self


class RequestTaken(BaseModel):
    """
    The request is kept and has its number.
    """

    request_id: str = Field(examples=["7XK29MQ4T3BD5"])
    status: Literal["received"] = "received"
    tracking_url: str


class NewUpdate(Body):
    """
    What a department does with a request it holds.

    ``resolve`` needs ``outcome`` and ``note_public``; ``reject`` a note; ``transfer`` needs ``to``.
    """

    action: Action
    department: KnownDepartment | None = Field(default=None, description="compulsory if the key serves several")
    note_public: Prose | None = None
    note_internal: Prose | None = None
    outcome: Outcome | None = None
    to: KnownDepartment | None = None
    service_code: KnownService | None = None


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
