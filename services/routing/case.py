"""
What routing knows of a request: one document per family (a request and the parts it was split into), with every event
that it ever gave out, as the bytes that go to Kafka. Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import Field

from services.common.contracts.catalogue import Service
from services.common.contracts.clocks import Calendar, Pause
from services.common.contracts.crises import Crises, Crisis, Declared, crises
from services.common.contracts.envelope import Metadata, Received, Record, caused, encode, pack, unpack
from services.common.contracts.events import (
    Due,
    Event,
    LegalClock,
    Lifecycle,
    Part,
    Referral,
    RequestReceived,
    TimerDue,
)
from services.common.contracts.ids import derived_id, family_of
from services.common.contracts.topics import COMMANDS, LIFECYCLE, department_topic
from services.common.contracts.vocabulary import (
    CLOSED,
    TRIAGE_DEPARTMENT,
    TRIAGE_SERVICE,
    DecidedBy,
    Outcome,
    Priority,
    Status,
    Timer,
)
from services.routing.opinions import Classifier
from services.routing.policy import Policy
from services.routing.rules import RuleBook

SOURCE: Final = "/routing"


class State(Part):
    """
    The public state of a request, as every lifecycle event carries it.
    """

    status: Status
    department: str | None = None
    service_code: str | None = None
    priority: Priority | None = None
    emergency: bool = False
    decided_by: DecidedBy | None = None
    due: Due | None = None
    outcome: Outcome | None = None
    public_text: str | None = None
    neighbourhood: str | None = None
    received_at: datetime | None = None
    assignments: int = 0
    closings: int = 0
    reopenings: int = 0
    bounces: int = 0
    contact_id: str
    planned_for: datetime | None = None
    question: str | None = None
    referred_to: Referral | None = None
    legal: LegalClock | None = None
    team: str | None = None
    crisis: str | None = None
    parent_id: str | None = None
    parts: int = 0
    master_id: str | None = None
    followers: int = 0

    @property
    def closed(self) -> bool:
        """
        Whether it has come to an end (which a reopening may undo).
        """
        return self.status in CLOSED

    @property
    def with_the_desk(self) -> bool:
        """
        Whether nobody knows yet which department is responsible.
        """
        return (self.department, self.service_code) == (TRIAGE_DEPARTMENT, TRIAGE_SERVICE)


class Alarm(Part):
    """
    A time at which routing reminds itself of something.
    """

    timer: Timer
    step: int = 0
    due_at: datetime

    @property
    def name(self) -> str:
        """
        What it is, whenever it is due.
        """
        return f"{self.timer}.{self.step}"


class Asking(Part):
    """
    A question to a master that is not answered yet, and who wanted it asked.
    """

    master: str
    update_id: str
    department: str
    by: str | None = None


class Member(Part):
    """
    One request of a family: its public state, and what only routing needs to know.

    ``since``: when its clocks began to run; ``held``: when its holder got it; ``sla``: the service whose times count;
    ``fired``: when each alarm, by name, went off last; ``passes``: how often in a row it was passed on unaccepted;
    ``turns``: how many turns of a repeating need there were; ``heard``: the master's seq up to which this duplicate has
    heard of it; ``settled``: it can no longer be reopened.
    """

    request_id: str
    seq: int = 0
    state: State
    since: datetime
    held: datetime
    sla: str = TRIAGE_SERVICE
    pauses: tuple[Pause, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    fired: dict[str, datetime] = Field(default_factory=dict)
    passes: int = 0
    turns: int = 0
    reason: str | None = None
    asked_at: datetime | None = None
    closed_at: datetime | None = None
    asking: Asking | None = None
    heard: int = 0
    followers: tuple[str, ...] = ()
    settled: bool = False

    @property
    def paused_since(self) -> datetime | None:
        """
        Since when its clock stands still.
        """
        return self.pauses[-1].since if self.pauses and self.pauses[-1].until is None else None

    def with_state(self, **changes: Any) -> "Member":
        """
        The member with some of its state changed.
        """
        return self.model_copy(update={"state": self.state.model_copy(update=changes)})


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One event that the case gave out, as packed records, and the id of the input that caused it. ``made``: the records
    themselves while they are in hand anyway; they are usually published right after they were made.
    """

    cause: str
    packed: bytes
    made: tuple[Record, ...] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, cause: str, records: Sequence[Record]) -> "Entry":
        """
        An event that is being given out.
        """
        return cls(cause, pack(records), tuple(records))

    @property
    def records(self) -> tuple[Record, ...]:
        """
        The records, ready to be published.
        """
        return unpack(self.packed) if self.made is None else self.made


@dataclass(frozen=True, slots=True)
class Parked:
    """
    An input that waits for its request, and until when.
    """

    item: Received
    until: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """
    Everything routing knows of one family. ``rev`` counts the writes; ``published`` counts the leading events that
    Kafka acknowledged. The first of ``members`` is the request itself; none: it is not registered yet.
    """

    request_id: str
    rev: int = 0
    registered_by: str | None = None
    request: RequestReceived | None = None
    members: tuple[Member, ...] = ()
    events: tuple[Entry, ...] = ()
    published: int = 0
    parked: tuple[Parked, ...] = ()
    touched: frozenset[str] = field(default=frozenset(), compare=False)

    def handled(self, event_id: str) -> bool:
        """
        Whether this input had its effect already.
        """
        causes = (*(entry.cause for entry in self.events), *(parked.item.meta.id for parked in self.parked))
        return event_id in causes

    @property
    def parent(self) -> Member:
        """
        The request itself. Raises ``IndexError`` before it is registered.
        """
        return self.members[0]

    @property
    def parts(self) -> tuple[Member, ...]:
        """
        What it was split into.
        """
        return self.members[1:]

    @property
    def open_parts(self) -> tuple[Member, ...]:
        """
        The parts that have not come to an end.
        """
        return tuple(part for part in self.parts if not part.state.closed)

    def find(self, request_id: str) -> Member | None:
        """
        The member with this number.
        """
        return next((member for member in self.members if member.request_id == request_id), None)

    def put(self, member: Member) -> "Case":
        """
        The case with this member in the place of the one it was, or behind all others.
        """
        if self.find(member.request_id) is None:
            return replace(self, members=(*self.members, member))
        kept = (member if known.request_id == member.request_id else known for known in self.members)
        return replace(self, members=tuple(kept))

    @property
    def alarms(self) -> list[tuple[str, Alarm]]:
        """
        All times it waits for, the soonest first, each with the number of the request it is about.
        """
        parking = {parked.until for parked in self.parked}
        found = [(self.request_id, Alarm(timer=Timer.PARKING, due_at=until)) for until in parking]
        found += [(member.request_id, alarm) for member in self.members for alarm in member.alarms]
        return sorted(found, key=lambda pair: (pair[1].due_at, pair[0], pair[1].name))

    @property
    def emergency(self) -> bool:
        """
        Whether anything in it is an emergency that is still open.
        """
        return any(member.state.emergency and not member.state.closed for member in self.members)

    @property
    def size(self) -> int:
        """
        How many bytes its events have.
        """
        return sum(len(entry.packed) for entry in self.events)

    def to_publish(self) -> Iterator[Record]:
        """
        What must be published now, in order: all that never was, and what the inputs of this batch caused before.
        """
        for index, entry in enumerate(self.events):
            if index >= self.published or entry.cause in self.touched:
                yield from entry.records


@dataclass(frozen=True, slots=True)
class Rules:
    """
    What deciding depends on besides the case, the input and the time. Without a ``model``, what no rule knows goes to
    the desk.
    """

    book: RuleBook
    calendar: Calendar
    policy: Policy = field(default_factory=Policy)
    declared: Declared = field(default_factory=Declared)
    crises: Crises = field(default_factory=crises)
    parking: timedelta = timedelta(minutes=15)
    model: Classifier | None = None

    def service(self, code: str) -> Service:
        """
        A service of the catalogue.
        """
        return self.book.catalogue.services[code]

    def crises_on(self, at: datetime) -> dict[str, Crisis]:
        """
        The crises that are on at that moment.
        """
        return self.declared.on(at, self.crises)


@dataclass(frozen=True, slots=True)
class Now:
    """
    What is being handled: the envelope of the input, the time, and the rules.
    """

    meta: Metadata
    at: datetime
    rules: Rules


def emit(
    case: Case,
    request_id: str,
    now: Now,
    kind: type[Lifecycle],
    *,
    previous: Status | None = None,
    also: Sequence[str | None] = (),
    concerns: Sequence[str | None] | None = None,
    secrets: dict[str, Any] | None = None,
    **extra: Any,
) -> Case:
    """
    Append one event of a member to the case: on requests.lifecycle, and on the topics of the departments it concerns
    (the holder's, and those in ``also``; or only ``concerns``). ``secrets`` are fields for the holder's eyes alone.
    """
    member = case.find(request_id)
    seq = member.seq + 1 if member else 0
    base: dict[str, Any] = {"request_id": request_id, "seq": seq, "occurred_at": now.at, **extra}
    if member:
        base |= {name: getattr(member.state, name) for name in State.model_fields}
        base["previous_status"] = None if seq == 1 else previous or member.state.status
        case = case.put(member.model_copy(update={"seq": seq}))
    event = kind(**base)
    holder = member.state.department if member else None
    own = {} if request_id == case.request_id else {"part": request_id}
    out = caused(now.meta, SOURCE, now.at, *own.values(), kind.__name__, str(seq))
    out = replace(out, subject=request_id)
    records = [encode(LIFECYCLE, out, event)]
    for slug in dict.fromkeys(concerns if concerns is not None else [holder, *also]):
        if slug is None:
            continue
        seen = event.model_copy(update={"contact_id": None, **((secrets or {}) if slug == holder else {})})
        records.append(encode(department_topic(slug), out, seen))
    return replace(case, events=(*case.events, Entry.of(now.meta.id, records)))


def command(case: Case, now: Now, *commands: Event) -> Case:
    """
    Append commands to other cases, to be published like events.
    """
    if not commands:
        return case
    records = []
    for number, order in enumerate(commands):
        out = caused(now.meta, SOURCE, now.at, type(order).__name__, order.key, str(len(case.events)), str(number))
        records.append(encode(COMMANDS, replace(out, subject=order.key, correlation_id=order.key), order))
    return replace(case, events=(*case.events, Entry.of(now.meta.id, records)))


def crew(case: Case, reason: str | None) -> dict[str, Any]:
    """
    What the holder of a request reads besides its public state: the fields of ``events.ForTheCrew``.
    """
    request = case.request
    assert request is not None  # noqa: S101 - a registered case
    return {
        "reason": reason,
        "text": request.text,
        "kind": request.kind,
        "channel": request.channel,
        "location": request.location,
        "attributes": request.attributes or None,
        "attachments": request.attachments or None,
    }


def timer_command(request_id: str, alarm: Alarm) -> Record:
    """
    The command that routing sends itself when an alarm is due. The same alarm always gives the same bytes.
    """
    family = family_of(request_id)
    meta = Metadata(
        id=derived_id(request_id, alarm.name, alarm.due_at.isoformat()),
        source=SOURCE,
        time=alarm.due_at,
        subject=request_id,
        correlation_id=family,
        causation_id=family,
    )
    due = TimerDue(request_id=request_id, timer=alarm.timer, step=alarm.step, due_at=alarm.due_at)
    return encode(COMMANDS, meta, due)
