"""
The life of a call, pure: what an exchange reported of it, what follows, and whom it concerns.

A call is what its reports say together, whatever their order and however often they are repeated: ``absorb`` takes the
least of everything. Only the outcome is said once and stays: an answered call is over as soon as its hang-up is known;
one that nobody answered is missed ``GRACE`` after it, so that an answer that was overtaken still counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from services.common.contracts import events, ids, topics
from services.common.contracts.envelope import Record, encode
from services.intake.domain import metadata

GRACE: Final = timedelta(seconds=3)
RINGS_AT_MOST: Final = timedelta(minutes=10)  # after that its hang-up was lost
SPOKEN_AT_MOST: Final = timedelta(hours=4)  # likewise
SHOWN_AFTER: Final = timedelta(hours=12)  # how long its operator still sees a call that is over
LOST: Final = "lost"
NORMAL: Final = "normalClearing"
CAUSES: Final = (
    NORMAL,
    "cancel",
    "busy",
    "noAnswer",
    "congestion",
    "notFound",
    "forwarded",
    "rejected",
    LOST,
    "unknown",
)

T = TypeVar("T")


class Step(StrEnum):
    """
    What an exchange reports.
    """

    RANG = "newCall"
    ANSWERED = "answer"
    HUNG_UP = "hangup"


class State(StrEnum):
    """
    How a call stands, as operators see it.
    """

    RINGING = "ringing"
    ANSWERED = "answered"
    ENDED = "ended"
    MISSED = "missed"


class Outcome(StrEnum):
    """
    What became of a call. ``cancelled``: the caller gave up; somebody is to call back, as for ``missed``.
    """

    ANSWERED = "answered"
    MISSED = "missed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Report:
    """
    One step of a call as an exchange told it. ``phone`` is E.164, None if it is withheld; it never is in a log.
    """

    step: Step
    call_id: str
    exchange: str
    at: datetime
    phone: str | None = field(default=None, repr=False)
    queue: str | None = None
    extension: str | None = None
    by: str | None = None
    cause: str = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """
    Who took a call when: at which extension, and which member of staff that is, as far as it is known.
    """

    at: datetime
    extension: str | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class HangUp:
    """
    When it was over and why, in the words of ``CAUSES``.
    """

    at: datetime
    cause: str


@dataclass(frozen=True, slots=True)
class Call:
    """
    A call as far as it is known. ``rings_at``: it rings at this extension alone. ``said``: the events that were decided
    on; ``outbox``: those that Kafka may not have yet. An ``outcome`` never changes. ``rev`` counts writes.
    """

    id: str
    exchange: str
    first_at: datetime
    last_at: datetime
    queue: str | None = None
    rings_at: str | None = None
    person: str | None = None
    contact_id: str | None = None
    contact_kept: bool = False
    answered: Answer | None = None
    hung_up: HangUp | None = None
    outcome: Outcome | None = None
    request_id: str | None = None
    said: frozenset[str] = frozenset()
    outbox: tuple[Record, ...] = ()
    rev: int = 0
    changed_at: datetime | None = None

    @property
    def state(self) -> State:
        """
        How it stands.
        """
        if self.outcome is not None:
            return State.ENDED if self.outcome is Outcome.ANSWERED else State.MISSED
        if self.hung_up is not None:
            return State.MISSED if self.answered is None else State.ENDED
        return State.RINGING if self.answered is None else State.ANSWERED

    @property
    def over(self) -> bool:
        """
        Whether nobody speaks any more, or ever did.
        """
        return self.state in (State.ENDED, State.MISSED)

    @property
    def settle_at(self) -> datetime | None:
        """
        When its outcome is due, at the latest.
        """
        if self.outcome is not None:
            return None
        if self.hung_up is not None:
            return self.hung_up.at if self.answered is not None else self.hung_up.at + GRACE
        return self.last_at + RINGS_AT_MOST if self.answered is None else self.answered.at + SPOKEN_AT_MOST


class NotTheirs(Exception):
    """
    The call cannot be had: it is over, or somebody else has it.
    """


def call_id_of(secret: bytes, exchange: str, number: str) -> str:
    """
    Our id of a call: always the same for the exchange's own number of it.
    """
    return "l_" + ids.keyed_hash(secret, "call", exchange, number)


def contact_id_of(secret: bytes, call_id: str) -> str:
    """
    The contact that a call makes: a request that is made of it carries the same.
    """
    return "c_" + ids.keyed_hash(secret, "call", call_id)


def person_of(secret: bytes, phone: str) -> str:
    """
    The keyed hash by which calls and requests of one number are linked.
    """
    return ids.keyed_hash(secret, "phone", phone)


def _least(one: T | None, other: T | None) -> T | None:
    given = [value for value in (one, other) if value is not None]
    return min(given, default=None)  # type: ignore[type-var]


def _first_answer(one: Answer | None, other: Answer | None) -> Answer | None:
    given = [answer for answer in (one, other) if answer is not None]
    return min(given, key=_answer_order, default=None)


def _answer_order(answer: Answer) -> tuple[datetime, bool, str, bool, str]:
    """
    The earlier first; of two at the same time the one that says more.
    """
    extension, by = answer.extension, answer.by
    return answer.at, extension is None, extension or "", by is None, by or ""


def _first_hang_up(one: HangUp | None, other: HangUp | None) -> HangUp | None:
    given = [hang_up for hang_up in (one, other) if hang_up is not None]
    return min(given, key=lambda hang_up: (hang_up.at, hang_up.cause), default=None)


def absorb(call: Call | None, report: Report, secret: bytes) -> Call:
    """
    The call, and what the report says. A repeat gives the same object back.

    A hang-up that names an extension tells of an answer that was lost.
    """
    if call is None:
        call = Call(report.call_id, report.exchange, report.at, report.at)
    answer = hang_up = None
    if report.step is Step.ANSWERED or (report.step is Step.HUNG_UP and report.extension):
        answer = Answer(report.at, report.extension, report.by)
    if report.step is Step.HUNG_UP:
        hang_up = HangUp(report.at, report.cause)
    after = replace(
        call,
        first_at=min(call.first_at, report.at),
        last_at=max(call.last_at, report.at),
        queue=_least(call.queue, report.queue),
        rings_at=_least(call.rings_at, report.extension) if report.step is Step.RANG else call.rings_at,
        person=_least(call.person, person_of(secret, report.phone)) if report.phone else call.person,
        contact_id=contact_id_of(secret, call.id) if report.phone else call.contact_id,
        answered=_first_answer(call.answered, answer),
        hung_up=_first_hang_up(call.hung_up, hang_up),
    )
    return call if after == call else after


def claimed(call: Call, by: str, extension: str | None, now: datetime) -> Call:
    """
    The call with this person on it, who took it by hand. Raises ``NotTheirs``.
    """
    if call.answered is not None and call.answered.by == by:
        return call
    if call.over or (call.answered is not None and call.answered.by is not None):
        raise NotTheirs
    if call.answered is not None:
        return replace(call, answered=replace(call.answered, by=by))
    return replace(call, answered=Answer(now, extension, by), last_at=max(call.last_at, now))


def settle(call: Call, now: datetime) -> Call:
    """
    The call with its outcome, if that is due. Without any hang-up for too long it counts as lost.
    """
    if call.outcome is not None or call.settle_at is None:
        return call
    if call.answered is not None and (call.hung_up is not None or call.settle_at <= now):
        return replace(call, outcome=Outcome.ANSWERED)
    if call.settle_at > now:
        return call
    cause = call.hung_up.cause if call.hung_up else LOST
    return replace(call, outcome=Outcome.CANCELLED if cause == "cancel" else Outcome.MISSED)


def speak(call: Call, now: datetime) -> Call:
    """
    The call with the events that follow from it and were not said yet in its outbox, as bytes: they stay as they are.
    """
    new = [event for event in _events(call) if type(event).__name__ not in call.said]
    if not new:
        return call
    return replace(
        call,
        said=call.said | {type(event).__name__ for event in new},
        outbox=(*call.outbox, *(_record(event, now) for event in new)),
    )


def _events(call: Call) -> Iterable[events.Call]:
    common = {
        "call_id": call.id,
        "exchange": call.exchange,
        "queue": call.queue,
        "person": call.person,
        "contact_id": call.contact_id,
    }
    yield events.CallStarted(**common, occurred_at=call.first_at)
    if call.answered is not None:
        answered = call.answered
        yield events.CallAnswered(**common, occurred_at=answered.at, extension=answered.extension, by=answered.by)
    if call.outcome is None:
        return
    if call.outcome is Outcome.ANSWERED and call.answered is not None:
        answered = call.answered
        ended_at = call.hung_up.at if call.hung_up else call.last_at
        yield events.CallEnded(
            **common,
            occurred_at=ended_at,
            extension=answered.extension,
            by=answered.by,
            seconds=_seconds(answered.at, ended_at),
            request_id=call.request_id,
        )
    else:
        missed_at = call.hung_up.at if call.hung_up else call.last_at
        cause = call.hung_up.cause if call.hung_up else LOST
        yield events.CallMissed(
            **common, occurred_at=missed_at, cause=cause, seconds=_seconds(call.first_at, missed_at)
        )


def _seconds(start: datetime, end: datetime) -> int:
    return max(0, round((end - start).total_seconds()))


def _record(event: events.Call, now: datetime) -> Record:
    started = ids.derived_id(event.call_id, events.CallStarted.__name__)
    event_id = ids.derived_id(event.call_id, type(event).__name__)
    return encode(topics.CALLS, metadata(event_id, event.call_id, started, now), event)


def contact_record(call: Call, phone: str, secret: bytes) -> Record:
    """
    How to reach who calls, for ``contacts``: as of the call's first moment, so that what an operator adds is later.
    """
    contact = events.ContactChanged(
        contact_id=contact_id_of(secret, call.id),
        changed_at=call.first_at,
        phone=phone,
        phone_hash=person_of(secret, phone),
    )
    event_id = ids.derived_id(call.id, "contact")
    return encode(topics.CONTACTS, metadata(event_id, call.id, event_id, call.first_at), contact)


def acknowledged(call: Call, records: Iterable[Record], contact: bool) -> Call:
    """
    The call without the events that are kept; ``contact``: its contact is kept too.
    """
    done = {record.headers for record in records}
    left = tuple(record for record in call.outbox if record.headers not in done)
    after = replace(call, outbox=left, contact_kept=call.contact_kept or contact)
    return call if after == call else after


# --- whom it concerns ---


def rings_for(call: Call, extension: str | None) -> bool:
    """
    Whether it rings for somebody at this extension (None: none chosen).
    """
    return call.state is State.RINGING and call.rings_at in (None, extension)


def is_of(call: Call, person: str, extension: str | None) -> bool:
    """
    Whether this person took it: by name, or, if no name is known, at their extension.
    """
    answered = call.answered
    if answered is None:
        return False
    if answered.by is not None:
        return answered.by == person
    return extension is not None and answered.extension == extension


def may_see(call: Call, person: str, extension: str | None, now: datetime) -> bool:
    """
    Whether this operator may know who calls: who has the call, or has had it lately, or for whom it rings now.
    """
    if rings_for(call, extension):
        return True
    lately = call.hung_up is None or now - call.hung_up.at < SHOWN_AFTER
    return lately and is_of(call, person, extension)
