"""
A question about what would be told: what it is made of, and the event, contact and person that it means. Pure.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from services.common.contracts.events import Lifecycle, MessageWanted, Moment
from services.common.contracts.ids import CONTACT_NONE, derived_id
from services.common.contracts.topics import LIFECYCLE, MESSAGES_OUT
from services.common.contracts.vocabulary import Channel, Language, NotifyVia
from services.notify.domain import Contact, Person, Told
from services.notify.times import ISTANBUL

REQUEST: Final = "7XK29MQ4T3BDM"  # unless the event names another
CONTACT: Final = f"c_{derived_id('plan', 'contact')}"
PERSON: Final = derived_id("plan", "person")
TYPES: Final[Mapping[str, type[Lifecycle] | type[MessageWanted]]] = {
    kind.__name__: kind
    for kind in (*LIFECYCLE.types, *MESSAGES_OUT.types)
    if issubclass(kind, Lifecycle | MessageWanted)
}


class NotAsked(ValueError):
    """
    The question cannot be answered: which fields are wrong, and what would be right there.
    """

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{field}: {message}" for field, message in errors))
        self.errors = errors


def _whole(given: dict[str, Any]) -> dict[str, Any]:
    """
    The event, if all its text can be written. Raises ``ValueError``.
    """
    try:
        json.dumps(given, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        raise ValueError("has half a character (a lone surrogate) in it") from None
    return given


GivenEvent = Annotated[dict[str, Any], AfterValidator(_whole)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class GivenContact(_Model):
    """
    How the citizen can be reached. ``erased``: the data was erased, nothing else counts. ``late``: it has not come yet.
    """

    phone: Annotated[str, StringConstraints(max_length=40)] | None = Field(default=None, description="E.164")
    email: Annotated[str, StringConstraints(max_length=320)] | None = None
    whatsapp_id: Annotated[str, StringConstraints(max_length=200)] | None = None
    language: Language = Language.TR
    notify_via: NotifyVia | None = None
    erased: bool = False
    late: bool = False


class History(_Model):
    """
    What was before: earlier events of the request (each with its ``occurred_at``), how many messages the person had
    today, when they last wrote on WhatsApp, whether they wrote STOP, when they were last asked for stars, and how many
    other requests of theirs have the same news a little later.
    """

    events: tuple[GivenEvent, ...] = Field(default=(), max_length=20)
    told_today: int = Field(default=0, ge=0, le=100)
    last_in_at: Moment | None = None
    stopped: bool = False
    surveyed_at: Moment | None = None
    others: int = Field(default=0, ge=0, le=3)


class Question(_Model):
    """
    ``event``: its ``type`` (``RequestAssigned``, ``StatusChanged``, ``MessageWanted`` …) and its fields as on the wire;
    what is left out is made up. Without a ``contact`` the citizen left none.
    """

    event: GivenEvent
    contact: GivenContact | None = None
    history: History = History()
    now: Moment
    partners: frozenset[str] = Field(
        default=frozenset(), max_length=20, description="adapters whose systems are told by webhook"
    )


def event_of(question: Question) -> Lifecycle | MessageWanted:
    """
    The event that is asked about, with what it leaves out made up. Raises ``NotAsked``.
    """
    return _event(question.event, len(question.history.events), question, "event")


def earlier_events(question: Question) -> list[Lifecycle]:
    """
    What was before. Raises ``NotAsked``.
    """
    found: list[Lifecycle] = []
    for number, given in enumerate(question.history.events):
        place = f"history.events.{number}"
        event = _event(given, number, question, place)
        if not isinstance(event, Lifecycle) or "occurred_at" not in given:
            raise NotAsked([(f"{place}.occurred_at", "must be there: what was before is of the request's life")])
        found.append(event)
    return found


def _event(given: Mapping[str, Any], number: int, question: Question, place: str) -> Lifecycle | MessageWanted:
    kind = TYPES.get(str(given.get("type")))
    if kind is None:
        raise NotAsked([(f"{place}.type", f"must be one of {', '.join(TYPES)}")])
    if issubclass(kind, Lifecycle):
        made_up: dict[str, Any] = {"request_id": REQUEST, "seq": number + 1, "occurred_at": question.now}
    else:
        made_up = {
            "wanted_id": derived_id("plan", "wanted"),
            "person": PERSON,
            "channel": Channel.WHATSAPP,
            "wanted_at": question.now,
            "until": question.now + timedelta(minutes=10),
        }
    fields = {name: value for name, value in given.items() if name != "type"}
    contact = {"contact_id": CONTACT_NONE if question.contact is None else CONTACT}
    try:
        return kind.model_validate(made_up | fields | contact)
    except ValidationError as error:
        raise NotAsked(_errors(place, error)) from None


def _errors(place: str, error: ValidationError) -> list[tuple[str, str]]:
    """
    The fields at fault, each once. Which of a field's alternatives did not fit is left out.
    """
    found: dict[str, str] = {}
    for row in error.errors(include_input=False):
        field = ".".join(str(part) for part in (place, *row["loc"]) if part != "constrained-str")
        found.setdefault(field, row["msg"].removeprefix("Value error, "))
    return list(found.items())


def contact_of(question: Question) -> Contact | None:
    """
    The contact as it has arrived; None if it has not.
    """
    given = question.contact
    if given is None or given.late:
        return None
    if given.erased:
        return Contact(CONTACT, question.now, erased=True)
    return Contact(
        CONTACT,
        question.now,
        phone=given.phone,
        email=given.email,
        whatsapp_id=given.whatsapp_id,
        language=given.language,
        notify_via=given.notify_via,
    )


def person_of(question: Question) -> Person:
    """
    Who stands behind the contact. What they were told today was told when the day began.
    """
    history, now = question.history, question.now
    today = now.astimezone(ISTANBUL).replace(hour=0, minute=0, second=0, microsecond=0)
    told = [Told(f"today-{number}", today) for number in range(history.told_today)]
    if history.surveyed_at is not None:
        told.append(Told("survey", history.surveyed_at, survey=True, counts=False))
    return Person(history.last_in_at, history.stopped, tuple(told))
