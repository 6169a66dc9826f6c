"""
Every event that crosses the wire, as a model. Past tense for what happened, imperative for routing's commands.

Producers build these models and may not add unknown fields; consumers read them with ``extra="ignore"`` (see
``envelope.decode``), so a field can be added without a new version. All times are RFC 3339 with a zone.
"""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from services.common.contracts.vocabulary import (
    Action,
    Channel,
    DecidedBy,
    Kind,
    Language,
    NotifyVia,
    Outcome,
    Priority,
    RefusalReason,
    Status,
)


def of_our_age(moment: datetime) -> datetime:
    """
    A time that can be reckoned with: between the years 2000 and 2100. Raises ``ValueError`` for any other.
    """
    if not 2000 <= moment.year < 2100:
        raise ValueError("must be a time between 2000 and 2100")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(of_our_age)]
RequestId = Annotated[str, Field(pattern=r"^[0-9A-HJKMNP-TV-Z]{13}$", description="13 characters, ungrouped")]
ContactId = Annotated[str, Field(pattern=r"^(c_[0-9a-f]{32}|contact:none)$")]
DepartmentSlug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
ServiceCode = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
EventId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class Part(BaseModel):
    """
    A piece of an event.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Event(BaseModel):
    """
    The payload of one record. ``key_field`` names the field that is the record's Kafka key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    key_field: ClassVar[str] = "request_id"

    @property
    def key(self) -> str:
        """
        The record's Kafka key: what is keyed alike stays in order.
        """
        return str(getattr(self, self.key_field))


class Location(Part):
    """
    Where it is: any of an address, a neighbourhood (mahalle) and a WGS84 point in degrees.
    """

    address: str | None = None
    neighbourhood: str | None = None
    lat: float | None = Field(default=None, ge=-90, le=90)
    lon: float | None = Field(default=None, ge=-180, le=180)


class Legal(Part):
    """
    The law under which a petition was filed (3071, 4982, kvkk, cimer) and its number in the registry.
    """

    basis: str
    record_no: str | None = None


class Answered(Part):
    """
    The answer an operator gave at once: the request is settled at first contact.
    """

    text: str


# --- requests.received ---


class RequestReceived(Event):
    """
    A citizen's request as it came in. The first that routing registers for a request_id counts.
    """

    request_id: RequestId
    channel: Channel
    kind: Kind | None = None
    service_code: ServiceCode | None = None
    text: str
    contact_id: ContactId
    location: Location | None = None
    attachments: tuple[str, ...] = ()
    attributes: dict[str, Any] = Field(default_factory=dict)
    adapter: str
    external_id: str | None = None
    entered_by: str | None = None
    received_at: Moment
    legal: Legal | None = None
    notice_version: str | None = None
    answered: Answered | None = None


# --- requests.updates and updates.dept.<slug> ---


class UpdateSubmitted(Event):
    """
    What a department wants done with a request it holds.

    On ``requests.updates`` intake names the department. On ``updates.dept.<slug>`` the topic does, and ``department``
    here is ignored.
    """

    request_id: RequestId
    update_id: str = Field(min_length=1, max_length=64)
    action: Action
    department: DepartmentSlug | None = None
    submitted_at: Moment
    adapter: str | None = None
    note_public: str | None = None
    note_internal: str | None = None
    outcome: Outcome | None = None
    to: DepartmentSlug | None = None
    service_code: ServiceCode | None = None


# --- requests.commands ---


class TimerDue(Event):
    """
    Routing tells itself that a time has come. ``parking``: updates of an unknown request have waited long enough.
    """

    request_id: RequestId
    timer: Literal["parking"]
    due_at: Moment


# --- requests.lifecycle and requests.dept.<slug> ---


class Due(Part):
    """
    By when the department should react and resolve.
    """

    first_response_at: Moment
    resolve_by: Moment


class Lifecycle(Event):
    """
    What every event of a request's life carries: its place in the order and the whole public state it is about.

    ``seq`` is gapless from 1 on requests.lifecycle. ``contact_id`` stands on requests.lifecycle alone.
    ``assignments`` and ``closings`` count so far, this event included.
    """

    request_id: RequestId
    seq: int = Field(ge=0)
    status: Status | None = None
    previous_status: Status | None = None
    department: DepartmentSlug | None = None
    service_code: ServiceCode | None = None
    priority: Priority | None = None
    emergency: bool = False
    occurred_at: Moment
    decided_by: DecidedBy | None = None
    due: Due | None = None
    outcome: Outcome | None = None
    public_text: str | None = None
    neighbourhood: str | None = None
    assignments: int = Field(default=0, ge=0)
    closings: int = Field(default=0, ge=0)
    contact_id: ContactId | None = None
    update_id: str | None = None
    action: Action | None = None


class RequestRegistered(Lifecycle):
    """
    Routing knows the request (seq 1). The causation-id names the RequestReceived that counts.
    """


class RequestAssigned(Lifecycle):
    """
    A department holds the request. On the holder's own topic it also has what the crew needs.
    """

    previous_department: DepartmentSlug | None = None
    rule: str | None = Field(default=None, description="which rule decided")
    reason: str | None = Field(default=None, description="why it came here: the note of who passed it on; holder only")
    text: str | None = None
    kind: Kind | None = None
    channel: Channel | None = None
    location: Location | None = None
    attributes: dict[str, Any] | None = None
    attachments: tuple[str, ...] | None = None


class StatusChanged(Lifecycle):
    """
    The request moved to another state.
    """


class DuplicateReceived(Lifecycle):
    """
    Another body came in under a request_id that is already registered; the first one stands.
    """

    duplicate_event_id: Annotated[str, Field(min_length=1, max_length=200)]


class UpdateRefused(Lifecycle):
    """
    An update was not applied. For a request without a case ``seq`` is 0 and there is no state.
    """

    reason: RefusalReason
    detail: str


# --- contacts ---


class ContactChanged(Event):
    """
    How to reach a citizen, as given with one request or conversation. A tombstone erases it.
    """

    key_field: ClassVar[str] = "contact_id"
    contact_id: ContactId
    changed_at: Moment
    name: str | None = None
    phone: str | None = Field(default=None, description="E.164")
    email: str | None = None
    whatsapp_id: str | None = None
    language: Language = Language.TR
    notify_via: NotifyVia | None = None
    phone_hash: str | None = None
    email_hash: str | None = None
    whatsapp_hash: str | None = None


# --- notifications.lifecycle ---


class Notification(Event):
    """
    What became of telling one recipient of one transition. No address, only the opaque recipient.

    ``transition`` is ``received``, ``assigned`` or ``closed``; repeats are ``assigned.2``, ``closed.2`` and so on.
    """

    request_id: RequestId
    transition: str = Field(pattern=r"^[a-z_]+(\.[0-9]+)?$")
    recipient: ContactId
    attempt: int = Field(default=1, ge=1)
    channel: NotifyVia | None = None
    reason: str | None = None
    late: bool = False
    superseded_by: str | None = None
    occurred_at: Moment


class NotificationQueued(Notification):
    """
    A message waits to be handed over.
    """


class NotificationSent(Notification):
    """
    A provider took the message over.
    """


class NotificationFailed(Notification):
    """
    The message could not be handed over, or (``late``) a provider said so afterwards.
    """


class NotificationSuppressed(Notification):
    """
    By rule nothing is sent: no contact, not wanted, or merged into another message.
    """
