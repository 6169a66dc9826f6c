"""
Every event that crosses the wire, as a model. Past tense for what happened, imperative for routing's commands.

Producers build these models and may not add unknown fields; consumers read them with ``extra="ignore"`` (see
``envelope.decode``), so a field can be added without a new version. All times are RFC 3339 with a zone.
"""

from datetime import date, datetime
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from services.common.contracts.ids import family_of
from services.common.contracts.vocabulary import (
    Action,
    Channel,
    Clock,
    DecidedBy,
    DeliveryStatus,
    Kind,
    Language,
    Level,
    MessageKind,
    NotifyVia,
    Outcome,
    Priority,
    RefusalReason,
    Saying,
    Status,
    Timer,
    Wish,
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
PartId = Annotated[
    str,
    Field(
        pattern=r"^[0-9A-HJKMNP-TV-Z]{13}\.[1-9][0-9]?$", description="a sub-request: the request's number, .1 to .99"
    ),
]
AnyRequestId = RequestId | PartId
ContactId = Annotated[str, Field(pattern=r"^(c_[0-9a-f]{32}|contact:none)$")]
DepartmentSlug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
AttachmentId = Annotated[str, Field(pattern=r"^a_[0-9a-f]{32}$", description="a file that intake keeps")]
StaffId = Annotated[str, Field(pattern=r"^u_[0-9a-f]{16}$", description="a member of staff; opaque")]
CallId = Annotated[
    str, Field(pattern=r"^l_[0-9a-f]{32}$", description="a telephone call; derived from the exchange's id")
]
PersonHash = Annotated[
    str, Field(pattern=r"^[0-9a-f]{32}$", description="keyed hash of a telephone number, an e-mail or WhatsApp address")
]
MessageId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", description="a message; derived from the provider's id")]
ProviderId = Annotated[
    str, Field(min_length=1, max_length=400, pattern=r"^[!-~]+$", description="as the provider has it")
]
ServiceCode = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
EventId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
Recipient = Annotated[
    str,
    Field(pattern=r"^staff:[a-z0-9]+(-[a-z0-9]+)*:(department|head|deputy_mayor)$", description="a member of staff"),
]
PartnerRecipient = Annotated[
    str, Field(pattern=r"^partner:[a-z0-9]+([._-][a-z0-9]+)*$", description="whose system posted the request")
]


class Part(BaseModel):
    """
    A piece of an event.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)


class Event(BaseModel):
    """
    The payload of one record. ``key_field`` names the field that is the record's Kafka key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)
    key_field: ClassVar[str] = "request_id"

    @property
    def key(self) -> str:
        """
        The record's Kafka key: what is keyed alike stays in order. A sub-request has its parent's key.
        """
        return family_of(str(getattr(self, self.key_field)))


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


class Repeat(Part):
    """
    A need that comes again: every so many days (the first time at once), until a last day in Istanbul's calendar.
    """

    every_days: int = Field(ge=1, le=31)
    until: date


class Referral(Part):
    """
    Another body: its name, the day it was written to, and the number under which it has the matter.
    """

    body: Annotated[str, Field(min_length=1, max_length=200)]
    on: date | None = None
    reference: Annotated[str, Field(max_length=100)] | None = None


class PartAsked(Part):
    """
    One part of a request that several departments must settle; without ``to`` it goes to the service's department.
    """

    to: DepartmentSlug | None = None
    service_code: ServiceCode | None = None
    note: str | None = Field(default=None, description="what this department is to do; for its eyes alone")


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
    repeat: Repeat | None = None


# --- requests.updates and updates.dept.<slug> ---


class UpdateSubmitted(Event):
    """
    What a department wants done with a request it holds.

    On ``requests.updates`` intake names the department. On ``updates.dept.<slug>`` the topic does, and ``department``
    here is ignored. What each action needs beside it:

    | action | needs | leads to |
    |---|---|---|
    | accept, start | | accepted, in_progress |
    | reject | note_internal or note_public; ``to`` if it knows who is responsible | that department, or triage |
    | transfer | to | that department |
    | schedule | planned_for | scheduled |
    | ask | question | waiting_citizen |
    | wait | referred_to | waiting_external |
    | extend | note_public (the reason, told to the applicant) | a 4982 request: 30 working days |
    | split | parts | sub-requests; the request follows them |
    | resolve | outcome, note_public | resolved or rejected |
    | refer | referred_to, note_public | referred |
    | duplicate | master | duplicate, once the master agreed |
    | cancel | note_public or note_internal | cancelled |
    | reopen | note_internal or note_public | reopened, in the same department |
    | note | note_internal | no other state |
    """

    request_id: AnyRequestId
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
    planned_for: Moment | None = None
    question: str | None = None
    referred_to: Referral | None = None
    parts: tuple[PartAsked, ...] = ()
    master: RequestId | None = None
    photos: tuple[AttachmentId, ...] = Field(default=(), max_length=10, description="what the crew shows with it")
    by: StaffId | None = Field(default=None, description="who of the staff asked for it, signed in")
    expected_seq: int | None = Field(
        default=None, ge=1, description="the seq that the asker saw; refused if the request has changed since"
    )


class CitizenReplied(Event):
    """
    What a citizen answered to a question, or added unasked, on any channel.
    """

    request_id: AnyRequestId
    reply_id: str = Field(min_length=1, max_length=64)
    text: str
    channel: Channel
    received_at: Moment
    adapter: str
    entered_by: str | None = None


class FeedbackSubmitted(Event):
    """
    What a citizen thinks of how a request ended: stars, a comment, or (``reopen``) that it has not ended, and why.

    It is about the closing that was the lifecycle's ``closing_seq``; of each kind the first for a closing counts.
    """

    request_id: RequestId
    feedback_id: str = Field(min_length=1, max_length=64)
    closing_seq: int = Field(ge=1)
    rating: int | None = Field(default=None, ge=1, le=5, description="5 is best")
    comment: str | None = None
    reopen: bool = False
    channel: Channel
    submitted_at: Moment
    adapter: str

    @model_validator(mode="after")
    def _says_something(self) -> "FeedbackSubmitted":
        if self.rating is None and not (self.reopen and self.comment):
            raise ValueError("needs a rating, or reopen with a comment that says why")
        return self


# --- requests.commands ---


class TimerDue(Event):
    """
    Routing tells itself that a time has come: which timer, which step of it, and when it was due.
    """

    request_id: AnyRequestId
    timer: Timer
    due_at: Moment
    step: int = Field(default=0, ge=0)


class FollowerAsked(Event):
    """
    A request asks another one, its master, whether it may close as its duplicate; ``update_id`` is what asked for it.
    """

    request_id: RequestId
    follower: RequestId
    update_id: str = Field(min_length=1, max_length=64)
    department: DepartmentSlug


class MasterChanged(Event):
    """
    A master tells a follower what became of its question (``update_id``, ``refused``), and later of its own progress.
    """

    request_id: RequestId
    master: RequestId
    seq: int = Field(ge=0, description="the master's")
    update_id: str | None = None
    refused: str | None = Field(default=None, description="why it cannot be followed")
    status: Status | None = None
    outcome: Outcome | None = None
    public_text: str | None = None
    planned_for: Moment | None = None


class RerouteAsked(Event):
    """
    Somebody edited the rules and wants them applied to a request that nobody has taken up yet.
    """

    request_id: RequestId
    asked_at: Moment
    asked_by: str


# --- requests.lifecycle and requests.dept.<slug> ---


class Due(Part):
    """
    By when the department should react, accept and resolve. While the clock stands still (``paused_since``) resolve_by
    is as it was then; it moves on by the pause when the clock runs again.
    """

    first_response_at: Moment
    resolve_by: Moment
    accept_by: Moment | None = None
    paused_since: Moment | None = None


class LegalClock(Part):
    """
    By when the law wants an answer: never paused. ``basis``: 3071, 4982, kvkk or cimer.
    """

    basis: str
    due_at: Moment
    extended: bool = False


class Lifecycle(Event):
    """
    What every event of a request's life carries: its place in the order and the whole public state it is about.

    ``seq`` is gapless from 1 on requests.lifecycle, for each request and sub-request. ``contact_id`` stands on
    requests.lifecycle alone; ``note`` (internal) and ``reply`` (the citizen's words) on the holder's topic alone.
    ``assignments``, ``closings``, ``reopenings`` and ``bounces`` count so far, this event included.
    """

    request_id: AnyRequestId
    seq: int = Field(ge=0)
    status: Status | None = None
    previous_status: Status | None = None
    department: DepartmentSlug | None = None
    service_code: ServiceCode | None = None
    priority: Priority | None = None
    emergency: bool = False
    occurred_at: Moment
    received_at: Moment | None = Field(default=None, description="when the citizen's request came in")
    decided_by: DecidedBy | None = None
    due: Due | None = None
    outcome: Outcome | None = None
    public_text: str | None = None
    neighbourhood: str | None = None
    assignments: int = Field(default=0, ge=0)
    closings: int = Field(default=0, ge=0)
    reopenings: int = Field(default=0, ge=0)
    bounces: int = Field(default=0, ge=0)
    contact_id: ContactId | None = None
    update_id: str | None = None
    action: Action | None = None
    planned_for: Moment | None = Field(default=None, description="scheduled: when somebody comes")
    question: str | None = Field(default=None, description="waiting_citizen: what the citizen is asked")
    referred_to: Referral | None = Field(default=None, description="waiting_external, referred: the other body")
    legal: LegalClock | None = None
    team: Slug | None = Field(default=None, description="who of the department goes there")
    crisis: Slug | None = Field(default=None, description="the crisis under which it was assigned")
    parent_id: RequestId | None = Field(default=None, description="the request that this one is a part of")
    parts: int = Field(default=0, ge=0, description="how many sub-requests it was split into")
    master_id: RequestId | None = Field(default=None, description="duplicate: of which request")
    followers: int = Field(default=0, ge=0, description="how many duplicates hear with it")
    by: StaffId | None = Field(default=None, description="who of the staff asked for it, signed in")
    photos: tuple[AttachmentId, ...] = Field(default=(), description="what the crew shows with it")
    note: str | None = Field(default=None, description="internal; holder only")
    reply: str | None = Field(default=None, description="what the citizen wrote; holder only")


class RequestRegistered(Lifecycle):
    """
    Routing knows the request (seq 1). The causation-id names the RequestReceived that counts; ``adapter`` posted it.
    """

    adapter: str | None = None


class ForTheCrew(Lifecycle):
    """
    What the holder's own topic has besides: what the crew needs. Absent everywhere else.
    """

    reason: str | None = Field(default=None, description="why it came here: the note of who passed it on; holder only")
    text: str | None = None
    kind: Kind | None = None
    channel: Channel | None = None
    location: Location | None = None
    attributes: dict[str, Any] | None = None
    attachments: tuple[str, ...] | None = None


class Candidate(Part):
    """
    A service that the classifier takes a text for, who that service's department is, and how probable it is.
    """

    service_code: ServiceCode
    department: DepartmentSlug
    confidence: float = Field(ge=0, le=1)


class RequestAssigned(ForTheCrew):
    """
    A department holds the request. On the holder's own topic it also has what the crew needs.

    ``model`` is there if the classifier had a say: in the service (with ``candidates``, the best first, also if it was
    not sure and the desk decides) or in the emergency. ``confidence``: how probable the service is that it decided.
    """

    previous_department: DepartmentSlug | None = None
    rule: str | None = Field(
        default=None, description="which rule decided, or which model; +danger: an emergency by it"
    )
    model: str | None = Field(default=None, max_length=100, description="the classifier's version")
    confidence: float | None = Field(default=None, ge=0, le=1)
    candidates: tuple[Candidate, ...] | None = Field(default=None, max_length=3)


class RequestReopened(ForTheCrew):
    """
    A closed request is open again, with the department that closed it.
    """


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


class RequestEscalated(Lifecycle):
    """
    Time runs out or ran out on one of the clocks, and somebody is told: its department, then the head, then the deputy
    mayor. The state stays. ``overdue``: the time has passed.
    """

    clock: Clock
    level: Level
    step: int = Field(ge=1)
    due_at: Moment
    overdue: bool


class NoteAdded(Lifecycle):
    """
    Somebody wrote an internal note; its text is for the holder alone.
    """


class ReplyReceived(Lifecycle):
    """
    The citizen wrote again while nobody was waiting for it; the text is for the holder alone.
    """


class CitizenReminded(Lifecycle):
    """
    The citizen has not answered the question yet and is to be asked once more.
    """


class LegalExtended(Lifecycle):
    """
    The law's longer term holds from now on; the applicant is told why (4982 m.11).
    """


class FollowerAdded(Lifecycle):
    """
    Another citizen reported the same: that request hears with this one.
    """

    follower: RequestId


class MasterProgressed(Lifecycle):
    """
    The request that this duplicate follows moved: what its citizen is told. ``master_status`` is the master's state.
    """

    master_status: Status
    master_seq: int = Field(ge=1)


# --- crises ---


class CrisisDeclared(Event):
    """
    A crisis of ``crises.yaml`` is declared for a time: the last word on it counts. Ending one is declaring its end.
    """

    key_field: ClassVar[str] = "crisis"
    crisis: Slug
    starts_at: Moment
    ends_at: Moment | None = None
    reason: Annotated[str, Field(min_length=1, max_length=1_000)]
    declared_by: str
    declared_at: Moment


# --- calls ---


class Call(Event):
    """
    A step of a telephone call to the centre. ``person`` and ``contact_id`` are absent if the number is withheld; the
    number itself stands in ``contacts`` alone. ``exchange`` names the telephone exchange that told us.
    """

    key_field: ClassVar[str] = "call_id"
    call_id: CallId
    occurred_at: Moment
    exchange: str = Field(min_length=1, max_length=100)
    queue: str | None = Field(default=None, max_length=100)
    person: PersonHash | None = None
    contact_id: ContactId | None = None


class CallStarted(Call):
    """
    It rings.
    """


class CallAnswered(Call):
    """
    Somebody took it: at which extension, and who that is if we know.
    """

    extension: str | None = Field(default=None, max_length=50)
    by: StaffId | None = None


class CallEnded(Call):
    """
    An answered call is over. ``seconds``: how long it was spoken.
    """

    extension: str | None = Field(default=None, max_length=50)
    by: StaffId | None = None
    seconds: int = Field(ge=0)
    request_id: RequestId | None = Field(default=None, description="the request that was registered in it")


class CallMissed(Call):
    """
    The caller hung up, or was turned away, before anybody answered: somebody is to call back. ``seconds`` it rang.
    """

    cause: str = Field(min_length=1, max_length=100)
    seconds: int = Field(ge=0)


# --- messages.inbound and messages.outbound ---


class Media(Part):
    """
    A file in a message: ``provider_id`` to fetch it by, or ``attachment`` if intake has it already.
    """

    provider_id: ProviderId | None = None
    attachment: AttachmentId | None = None
    mime_type: str | None = Field(default=None, max_length=200, description="what the sender says; nobody's to trust")
    sha256: str | None = Field(default=None, max_length=100, description="base64 or hex, as the provider has it")

    @model_validator(mode="after")
    def _somewhere(self) -> "Media":
        if (self.provider_id is None) == (self.attachment is None):
            raise ValueError("needs provider_id or attachment, not both")
        return self


class MessageReceived(Event):
    """
    What came in on a conversation channel, before it is a request or belongs to one. No address stands in it.

    ``person`` is the hash by which the sender is known, ``also`` others of the same person (a WhatsApp user has a
    business-scoped id, and a number while it is visible), ``replaces`` the person's hash before it changed.
    ``reply_to`` are our messages that it answers, as the provider names them, the nearest first; ``number`` a request's
    number that stands in it; ``choice`` the button or row that was chosen; ``about`` what was edited or deleted.
    ``wish``: the sender says that they want no more messages, or want them again. ``sent_at`` is the provider's time.
    """

    key_field: ClassVar[str] = "person"
    message_id: MessageId
    provider_id: ProviderId
    channel: Channel
    person: PersonHash
    also: tuple[PersonHash, ...] = Field(default=(), max_length=4)
    replaces: PersonHash | None = None
    contact_id: ContactId
    kind: MessageKind
    text: str | None = Field(default=None, max_length=20_000)
    subject: str | None = Field(default=None, max_length=500)
    location: Location | None = None
    media: tuple[Media, ...] = Field(default=(), max_length=10)
    reply_to: tuple[ProviderId, ...] = Field(default=(), max_length=20)
    number: AnyRequestId | None = None
    choice: str | None = Field(default=None, max_length=256)
    about: MessageId | None = None
    wish: Wish | None = None
    sent_at: Moment
    received_at: Moment
    adapter: str = Field(min_length=1, max_length=100)


class Option(Part):
    """
    Something that the citizen can choose: a request (``req:<number>``), ``new``, or what the message's kind says.
    """

    id: str = Field(min_length=1, max_length=200)
    request_id: AnyRequestId | None = None
    service_code: ServiceCode | None = None


class MessageWanted(Event):
    """
    Intake wants something said in a conversation: notify has the words, in the citizen's language, and sends them once.

    ``answers`` is the message, as the provider names it, to which this is the answer. After ``until`` it is not worth
    saying any more.
    """

    key_field: ClassVar[str] = "person"
    wanted_id: MessageId
    person: PersonHash
    contact_id: ContactId
    channel: Channel
    say: Saying
    request_id: AnyRequestId | None = None
    options: tuple[Option, ...] = Field(default=(), max_length=10)
    answers: ProviderId | None = None
    wanted_at: Moment
    until: Moment


class DeliveryReported(Event):
    """
    A provider says what became of a message of ours. ``key`` is what we had sent with it, if the provider echoes it;
    ``code`` the provider's own word for a failure. Reports come late, twice and out of order.
    """

    key_field: ClassVar[str] = "person"
    person: PersonHash
    channel: Channel
    provider_id: ProviderId
    key_sent: str | None = Field(default=None, max_length=200)
    status: DeliveryStatus
    code: str | None = Field(default=None, max_length=100)
    reported_at: Moment


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

    ``transition`` is ``received``, ``assigned`` or ``closed``; repeats are ``assigned.2``, ``closed.2`` and so on. The
    others have the seq of what they tell: ``asked.5``, ``scheduled.6``, ``escalated.9``.
    """

    request_id: AnyRequestId
    transition: str = Field(pattern=r"^[a-z_]+(\.[0-9]+)?$")
    recipient: ContactId | Recipient | PartnerRecipient
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
    A provider took the message over. By ``message_hash`` (``ids.message_hash``) an answer to it finds its request.
    """

    message_hash: MessageId | None = None


class NotificationDelivered(Notification):
    """
    The provider says that the message reached the recipient's device.
    """


class NotificationRead(Notification):
    """
    The provider says that the recipient saw the message.
    """


class NotificationFailed(Notification):
    """
    The message could not be handed over, or (``late``) a provider said so afterwards.
    """


class NotificationSuppressed(Notification):
    """
    By rule nothing is sent: no contact, not wanted, or merged into another message.
    """
