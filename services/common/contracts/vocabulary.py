"""
The closed sets of words that travel in events, with their Turkish and English labels and their Open311 mapping.
"""

from enum import StrEnum
from typing import Final, NamedTuple


class Channel(StrEnum):
    """
    How a request reached us.
    """

    PHONE = "phone"
    WHATSAPP = "whatsapp"
    WALK_IN = "walk_in"
    WEB = "web"
    EMAIL = "email"
    SMS = "sms"
    OPEN311 = "open311"
    PETITION = "petition"
    CIMER = "cimer"
    SOCIAL = "social"
    IMPORT = "import"


class Kind(StrEnum):
    """
    What the citizen wants: şikâyet, istek, öneri, bilgi, teşekkür.
    """

    COMPLAINT = "complaint"
    REQUEST = "request"
    SUGGESTION = "suggestion"
    INFORMATION = "information"
    THANKS = "thanks"


class Priority(StrEnum):
    """
    How soon a department must react; the times stand in the catalogue.
    """

    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class DecidedBy(StrEnum):
    """
    Who chose the service: the sender's service_code, a rule, the classifier, or a person.
    """

    EXPLICIT = "explicit"
    RULE = "rule"
    MODEL = "model"
    PERSON = "person"


class Status(StrEnum):
    """
    The fourteen states of a request.
    """

    RECEIVED = "received"
    TRIAGE = "triage"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in_progress"
    SCHEDULED = "scheduled"
    WAITING_CITIZEN = "waiting_citizen"
    WAITING_EXTERNAL = "waiting_external"
    RESOLVED = "resolved"
    REFERRED = "referred"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"
    CANCELLED = "cancelled"
    REOPENED = "reopened"


class Labels(NamedTuple):
    """
    How a state is shown: Turkish, English, and its GeoReport v2 status (open or closed).
    """

    tr: str
    en: str
    open311: str


STATUS_LABELS: Final[dict[Status, Labels]] = {
    Status.RECEIVED: Labels("Alındı", "Received", "open"),
    Status.TRIAGE: Labels("Değerlendirmede", "Being assessed", "open"),
    Status.ASSIGNED: Labels("Birime iletildi", "With the department", "open"),
    Status.ACCEPTED: Labels("Birim üstlendi", "Accepted", "open"),
    Status.IN_PROGRESS: Labels("İşlemde", "In progress", "open"),
    Status.SCHEDULED: Labels("Planlandı", "Scheduled", "open"),
    Status.WAITING_CITIZEN: Labels("Sizden bilgi bekleniyor", "Waiting for you", "open"),
    Status.WAITING_EXTERNAL: Labels("Dış kurum bekleniyor", "Waiting for another body", "open"),
    Status.RESOLVED: Labels("Çözüldü", "Resolved", "closed"),
    Status.REFERRED: Labels("Diğer kuruma havale", "Referred to another body", "closed"),
    Status.REJECTED: Labels("Yapılamıyor / yetki dışı", "Not possible / not ours", "closed"),
    Status.DUPLICATE: Labels("Mükerrer", "Duplicate", "closed"),
    Status.CANCELLED: Labels("Vatandaş vazgeçti", "Cancelled by the citizen", "closed"),
    Status.REOPENED: Labels("Yeniden açıldı", "Reopened", "open"),
}
CLOSED: Final = frozenset(status for status, labels in STATUS_LABELS.items() if labels.open311 == "closed")


class Outcome(StrEnum):
    """
    Why a request was closed; every closing has one, and a public text.

    The first six are a department's answer (``resolve``). The others follow from how it was closed: referred to another
    body, a duplicate of another request, cancelled by the citizen, or no reply to a question in time.
    """

    RESOLVED = "resolved"
    PARTLY_RESOLVED = "partly_resolved"
    NOT_POSSIBLE = "not_possible"
    NOT_OUR_RESPONSIBILITY = "not_our_responsibility"
    NO_ACTION_NEEDED = "no_action_needed"
    INVALID = "invalid"
    REFERRED = "referred"
    DUPLICATE = "duplicate"
    CANCELLED = "cancelled"
    NO_REPLY = "no_reply"


ANSWERS: Final = frozenset(
    {
        Outcome.RESOLVED,
        Outcome.PARTLY_RESOLVED,
        Outcome.NOT_POSSIBLE,
        Outcome.NOT_OUR_RESPONSIBILITY,
        Outcome.NO_ACTION_NEEDED,
        Outcome.INVALID,
    }
)
"""The outcomes that ``resolve`` can have."""

CLOSES_AS: Final[dict[Outcome, Status]] = {
    Outcome.RESOLVED: Status.RESOLVED,
    Outcome.PARTLY_RESOLVED: Status.RESOLVED,
    Outcome.NO_ACTION_NEEDED: Status.RESOLVED,
    Outcome.NOT_POSSIBLE: Status.REJECTED,
    Outcome.NOT_OUR_RESPONSIBILITY: Status.REJECTED,
    Outcome.INVALID: Status.REJECTED,
    Outcome.REFERRED: Status.REFERRED,
    Outcome.DUPLICATE: Status.DUPLICATE,
    Outcome.CANCELLED: Status.CANCELLED,
    Outcome.NO_REPLY: Status.CANCELLED,
}
"""In which state a request of this outcome is."""


class Action(StrEnum):
    """
    What can be asked for a request: by the department that holds it; cancel, reopen and note by the desk too.
    """

    ACCEPT = "accept"
    REJECT = "reject"
    TRANSFER = "transfer"
    START = "start"
    SCHEDULE = "schedule"
    ASK = "ask"
    WAIT = "wait"
    EXTEND = "extend"
    SPLIT = "split"
    RESOLVE = "resolve"
    REFER = "refer"
    DUPLICATE = "duplicate"
    CANCEL = "cancel"
    REOPEN = "reopen"
    NOTE = "note"


class Clock(StrEnum):
    """
    The clocks that run beside a request: accept in time, be there as planned, resolve in time, answer as the law says.
    """

    ACCEPTANCE = "acceptance"
    PLAN = "plan"
    RESOLUTION = "resolution"
    LEGAL = "legal"


class Timer(StrEnum):
    """
    What routing can be reminded of: the clocks, and the ends of waiting (for a request, for the citizen, for a
    reopening, for the next turn of a repeating need).
    """

    PARKING = "parking"
    ACCEPTANCE = "acceptance"
    PLAN = "plan"
    RESOLUTION = "resolution"
    LEGAL = "legal"
    WAITING = "waiting"
    REOPENING = "reopening"
    REPEAT = "repeat"


class Level(StrEnum):
    """
    Who is told that time runs out: the department, its head, the deputy mayor above it.
    """

    DEPARTMENT = "department"
    HEAD = "head"
    DEPUTY_MAYOR = "deputy_mayor"


class RefusalReason(StrEnum):
    """
    Why routing refused an update.
    """

    UNKNOWN_REQUEST = "unknown_request"
    NOT_THE_HOLDER = "not_the_holder"
    FORBIDDEN_MOVE = "forbidden_move"
    CHANGED_MEANWHILE = "changed_meanwhile"
    UNKNOWN_DEPARTMENT = "unknown_department"
    UNKNOWN_SERVICE = "unknown_service"
    UNKNOWN_MASTER = "unknown_master"
    TOO_LATE = "too_late"
    TOO_MANY = "too_many"
    INCOMPLETE = "incomplete"


class Language(StrEnum):
    """
    The languages that citizens are written to in.
    """

    TR = "tr"
    EN = "en"


class NotifyVia(StrEnum):
    """
    How a citizen wants to be told; ``none`` is a wish not to be written to. ``webhook`` is for partners' systems alone.
    """

    EMAIL = "email"
    SMS = "sms"
    WHATSAPP = "whatsapp"
    PHONE = "phone"
    NONE = "none"
    WEBHOOK = "webhook"


class MessageKind(StrEnum):
    """
    What a message in a conversation is. ``choice``: a button or a row; ``contact``: the number that we asked for;
    ``edited`` and ``deleted`` are about an earlier one; ``moved``: the sender has another address now; ``unreadable``:
    of a type that no provider gives us.
    """

    TEXT = "text"
    LOCATION = "location"
    MEDIA = "media"
    CHOICE = "choice"
    CONTACT = "contact"
    REACTION = "reaction"
    EDITED = "edited"
    DELETED = "deleted"
    MOVED = "moved"
    UNREADABLE = "unreadable"


class Wish(StrEnum):
    """
    That the sender wants no more messages from us, or wants them again.
    """

    STOP = "stop"
    START = "start"


class Saying(StrEnum):
    """
    What intake wants said in a conversation. Notify has a template for each.
    """

    NOTICE = "notice"  # who we are, what happens to what is written, what not to send (KVKK)
    DANGER = "danger"  # call 112
    WHICH = "which"  # which of your open requests is this about?
    DESCRIBE = "describe"  # a photo or a place came alone: what is it about?
    WHERE = "where"  # where is it?
    NUMBER = "number"  # we see no telephone number: give us one if you want to be called
    UNREADABLE = "unreadable"  # this type of message cannot be read here
    ADDED = "added"  # what you wrote was added to your request
    THANKS = "thanks"  # for a rating
    STOPPED = "stopped"  # you hear nothing more from us; how to undo it
    STARTED = "started"  # you hear from us again
    CLOSED = "closed"  # that request is closed: new request or reopen?


class DeliveryStatus(StrEnum):
    """
    How far a message of ours came; ``failed`` can follow on ``sent``.
    """

    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


TRIAGE_DEPARTMENT: Final = "basin-halkla-iliskiler"
TRIAGE_SERVICE: Final = "siniflandirilamadi"
