"""
The life of a request, as a pure function: ``decide(case, input, at, rules) -> case`` with the new events inside it.

A case is one document: the state, and every event that it ever gave out, as the bytes that go to Kafka. An input that
was handled before changes nothing, so a repeat gives the same bytes (tests/unit/routing, tests/integration/routing).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from services.common.contracts.catalogue import Service
from services.common.contracts.envelope import Metadata, Received, Record, caused, encode, pack, unpack
from services.common.contracts.events import (
    Due,
    DuplicateReceived,
    Lifecycle,
    Part,
    RequestAssigned,
    RequestReceived,
    RequestRegistered,
    StatusChanged,
    TimerDue,
    UpdateRefused,
    UpdateSubmitted,
)
from services.common.contracts.ids import derived_id
from services.common.contracts.topics import COMMANDS, LIFECYCLE, department_topic
from services.common.contracts.vocabulary import (
    CLOSED,
    TRIAGE_DEPARTMENT,
    TRIAGE_SERVICE,
    Action,
    DecidedBy,
    Outcome,
    Priority,
    RefusalReason,
    Status,
)
from services.common.kit.errors import Rejected
from services.routing.clocks import add_hours
from services.routing.rules import RuleBook

SOURCE: Final = "/routing"
MAX_EVENTS: Final = 2_000  # a case is one document of at most 16 MB, an event is about 2 kB
MAX_BYTES: Final = 8_000_000
MAX_PARKED: Final = 100

_WORK: Final = frozenset({Status.IN_PROGRESS, Status.SCHEDULED, Status.WAITING_CITIZEN, Status.WAITING_EXTERNAL})
_ENDS: Final = frozenset(CLOSED)
MOVES: Final[dict[Status, frozenset[Status]]] = {
    Status.RECEIVED: frozenset({Status.TRIAGE, Status.ASSIGNED}),
    Status.TRIAGE: frozenset({Status.ASSIGNED, Status.ACCEPTED}) | _WORK | _ENDS,
    Status.ASSIGNED: frozenset({Status.TRIAGE, Status.ASSIGNED, Status.ACCEPTED}) | _WORK | _ENDS,
    Status.ACCEPTED: frozenset({Status.TRIAGE, Status.ASSIGNED}) | _WORK | _ENDS,
    Status.IN_PROGRESS: frozenset({Status.TRIAGE, Status.ASSIGNED}) | _WORK | _ENDS,
    Status.SCHEDULED: frozenset({Status.TRIAGE, Status.ASSIGNED}) | _WORK | _ENDS,
    Status.WAITING_CITIZEN: frozenset({Status.TRIAGE, Status.ASSIGNED}) | _WORK | _ENDS,
    Status.WAITING_EXTERNAL: frozenset({Status.TRIAGE, Status.ASSIGNED}) | _WORK | _ENDS,
    Status.REOPENED: frozenset({Status.TRIAGE, Status.ASSIGNED, Status.ACCEPTED}) | _WORK | _ENDS,
    **{closed: frozenset({Status.REOPENED}) for closed in _ENDS},
}
CLOSES_AS: Final[dict[Outcome, Status]] = {
    Outcome.RESOLVED: Status.RESOLVED,
    Outcome.NO_ACTION_NEEDED: Status.RESOLVED,
    Outcome.NOT_POSSIBLE: Status.REJECTED,
    Outcome.NOT_OUR_RESPONSIBILITY: Status.REJECTED,
    Outcome.INVALID: Status.REJECTED,
}


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
    assignments: int = 0
    closings: int = 0
    contact_id: str


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One event that the case gave out, as packed records, and the id of the input that caused it.
    """

    cause: str
    packed: bytes

    @property
    def records(self) -> tuple[Record, ...]:
        """
        The records, ready to be published.
        """
        return unpack(self.packed)


@dataclass(frozen=True, slots=True)
class Parked:
    """
    An update that waits for its request, and until when.
    """

    item: Received
    until: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """
    Everything routing knows of one request. ``rev`` counts the writes; ``published`` counts the leading events that
    Kafka acknowledged. ``seq`` 0 is a request that is not registered yet, with the updates that wait for it.
    """

    request_id: str
    rev: int = 0
    seq: int = 0
    state: State | None = None
    registered_by: str | None = None
    request: RequestReceived | None = None
    bounces: int = 0
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
    def parked_until(self) -> datetime | None:
        """
        When the first of the parked updates has waited long enough.
        """
        return min((parked.until for parked in self.parked), default=None)

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
    What deciding depends on besides the case and the input.
    """

    book: RuleBook
    parking: timedelta = timedelta(minutes=15)

    def service(self, code: str) -> Service:
        """
        A service of the catalogue.
        """
        return self.book.catalogue.services[code]


def decide(case: Case, item: Received, *, at: datetime, rules: Rules) -> Case:
    """
    The case after an input. An input that had its effect already gives the case back, marked to be published again.

    Raises ``Rejected`` for an input that routing does not take and for a case that has grown past all bounds.
    """
    case = replace(case, touched=case.touched | {item.meta.id})
    if case.handled(item.meta.id):
        return case
    if len(case.events) >= MAX_EVENTS or case.size > MAX_BYTES:
        raise Rejected(f"a case has at most {MAX_EVENTS} events and {MAX_BYTES} bytes")
    if isinstance(item.data, RequestReceived):
        return _receive(case, item.meta, item.data, at, rules)
    if isinstance(item.data, UpdateSubmitted):
        return _update(case, item, item.data, at, rules)
    if isinstance(item.data, TimerDue):
        return _timer(case, item.data, at, rules)
    raise Rejected(f"routing does not take {type(item.data).__name__}")


def choose_service(request: RequestReceived, rules: Rules) -> tuple[str, DecidedBy, str | None]:
    """
    Service, who decided, and by which rule: the sender's service_code, else the first matching rule, else triage.
    """
    if request.service_code is not None and request.service_code in rules.book.catalogue.services:
        return request.service_code, DecidedBy.EXPLICIT, None
    hit = rules.book.first_match(request.text)
    if hit is not None:
        return hit.service, DecidedBy.RULE, hit.name
    return TRIAGE_SERVICE, DecidedBy.RULE, "no-rule-matched"


def due_times(service: Service, start: datetime, rules: Rules) -> Due:
    """
    By when to react (by priority) and to resolve (by service), counted from when the request came in.
    """
    hours, clock = rules.book.catalogue.first_response_hours[service.priority]
    return Due(
        first_response_at=add_hours(start, hours, clock),
        resolve_by=add_hours(start, service.sla_hours, service.clock),
    )


def _receive(case: Case, meta: Metadata, request: RequestReceived, at: datetime, rules: Rules) -> Case:
    if case.registered_by is not None:
        return _emit(case, meta, at, lambda base: DuplicateReceived(**base, duplicate_event_id=meta.id))
    place = request.location.neighbourhood if request.location else None
    received = State(status=Status.RECEIVED, neighbourhood=place, contact_id=request.contact_id)
    waiting = case.parked
    case = replace(case, registered_by=meta.id, request=request, state=received, parked=())
    case = _emit(case, meta, at, lambda base: RequestRegistered(**base))
    code, by, rule = choose_service(request, rules)
    department = TRIAGE_DEPARTMENT if request.answered else rules.service(code).department
    case = _assign(case, meta, at, rules, department=department, code=code, by=by, rule=rule)
    if request.answered is not None:
        case = _close(case, meta, at, Outcome.RESOLVED, request.answered.text)
    for parked in waiting:
        case = decide(case, parked.item, at=at, rules=rules)
    return case


def _update(case: Case, item: Received, update: UpdateSubmitted, at: datetime, rules: Rules) -> Case:
    if case.state is None:
        if len(case.parked) >= MAX_PARKED:
            detail = f"{MAX_PARKED} updates of this unknown request wait already"
            return _refuse(case, item.meta, update, at, rules, RefusalReason.UNKNOWN_REQUEST, detail)
        return replace(case, parked=(*case.parked, Parked(item, at + rules.parking)))
    state = case.state
    refusal = _refusal(state, update, rules)
    if refusal is not None:
        return _refuse(case, item.meta, update, at, rules, *refusal)
    extra: dict[str, Any] = {"update_id": update.update_id, "action": update.action}
    why = update.note_internal or update.note_public
    match update.action:
        case Action.ACCEPT:
            accepted = {"status": Status.ACCEPTED, "public_text": update.note_public or state.public_text}
            return _move(case, item.meta, at, state.model_copy(update=accepted), **extra)
        case Action.REJECT:
            case = replace(case, bounces=case.bounces + 1)
            return _assign(
                case, item.meta, at, rules, department=TRIAGE_DEPARTMENT, code=TRIAGE_SERVICE,
                by=DecidedBy.PERSON, rule=None, bounced=True, reason=why, **extra,
            )  # fmt: skip
        case Action.TRANSFER:
            return _assign(
                case, item.meta, at, rules, department=str(update.to), code=_service_after(state, update),
                by=DecidedBy.PERSON, rule=None, reason=why, **extra,
            )  # fmt: skip
        case Action.RESOLVE:
            return _close(case, item.meta, at, update.outcome or Outcome.RESOLVED, str(update.note_public), **extra)


def _refusal(state: State, update: UpdateSubmitted, rules: Rules) -> tuple[RefusalReason, str] | None:
    """
    Why an update cannot be applied, or None if it can.
    """
    catalogue = rules.book.catalogue
    if update.department is None:
        return RefusalReason.INCOMPLETE, "department: an update on requests.updates names who asks"
    if update.department not in catalogue.departments:
        return RefusalReason.UNKNOWN_DEPARTMENT, "department: no such department"
    if update.department != state.department:
        return RefusalReason.NOT_THE_HOLDER, f"the request is held by {state.department}"
    if update.action is Action.REJECT and not (update.note_internal or update.note_public):
        return RefusalReason.INCOMPLETE, "note_internal: reject needs a reason"
    if update.action is Action.RESOLVE and not (update.outcome and (update.note_public or "").strip()):
        return RefusalReason.INCOMPLETE, "outcome, note_public: resolve needs an outcome and a text for the citizen"
    if update.action is Action.TRANSFER:
        if update.to is None:
            return RefusalReason.INCOMPLETE, "to: transfer needs the department that takes over"
        if update.to not in catalogue.departments:
            return RefusalReason.UNKNOWN_DEPARTMENT, "to: no such department"
        if update.to == state.department:
            return RefusalReason.FORBIDDEN_MOVE, "to: the department holds the request already"
    if update.service_code is not None and update.service_code not in catalogue.services:
        return RefusalReason.UNKNOWN_SERVICE, "service_code: no such service"
    if _target(state, update) not in MOVES[state.status] or (
        update.action is Action.REJECT and state.status is Status.TRIAGE
    ):
        return RefusalReason.FORBIDDEN_MOVE, f"{update.action} is not possible while the request is {state.status}"
    return None


def _service_after(state: State, update: UpdateSubmitted) -> str:
    """
    Who passes a request on may name another service; otherwise it keeps the one it has.
    """
    return update.service_code or state.service_code or TRIAGE_SERVICE


def _status_when_assigned(department: str, code: str) -> Status:
    return Status.TRIAGE if (department, code) == (TRIAGE_DEPARTMENT, TRIAGE_SERVICE) else Status.ASSIGNED


def _target(state: State, update: UpdateSubmitted) -> Status:
    match update.action:
        case Action.ACCEPT:
            return Status.ACCEPTED
        case Action.REJECT:
            return Status.TRIAGE
        case Action.TRANSFER:
            return _status_when_assigned(str(update.to), _service_after(state, update))
        case Action.RESOLVE:
            return CLOSES_AS[update.outcome or Outcome.RESOLVED]


def _timer(case: Case, timer: TimerDue, at: datetime, rules: Rules) -> Case:
    """
    Updates that were to wait until then, and no longer, are refused. A request that came in meanwhile leaves nothing to
    do, and so does a command that comes again.
    """
    over = [parked for parked in case.parked if parked.until <= timer.due_at]
    case = replace(case, parked=tuple(parked for parked in case.parked if parked.until > timer.due_at))
    for parked in over:
        update = parked.item.data
        assert isinstance(update, UpdateSubmitted)  # noqa: S101 - only updates are parked
        reason = RefusalReason.UNKNOWN_REQUEST
        case = _refuse(case, parked.item.meta, update, at, rules, reason, "no such request came in")
    return case


def _assign(
    case: Case,
    meta: Metadata,
    at: datetime,
    rules: Rules,
    *,
    department: str,
    code: str,
    by: DecidedBy,
    rule: str | None,
    reason: str | None = None,
    bounced: bool = False,
    **extra: Any,
) -> Case:
    """
    Give the request to a department. ``reason`` is for the new holder's eyes alone. A bounced request keeps its urgency
    and its due times until a person has classified it anew: what was dangerous still is.
    """
    assert case.state is not None and case.request is not None  # noqa: S101, PT018 - a registered case
    before, request, service = case.state, case.request, rules.service(code)
    urgency = {
        "priority": service.priority,
        "emergency": service.emergency,
        "due": due_times(service, request.received_at, rules),
    }
    state = before.model_copy(
        update={
            "status": _status_when_assigned(department, code),
            "department": department,
            "service_code": code,
            "decided_by": by,
            **({} if bounced else urgency),
            "assignments": before.assignments + 1,
            "public_text": None,  # what the department before said of its plans holds no more
        }
    )
    crew = {
        "reason": reason,
        "text": request.text,
        "kind": request.kind,
        "channel": request.channel,
        "location": request.location,
        "attributes": request.attributes or None,
        "attachments": request.attachments or None,
    }
    extra |= {"rule": rule, "previous_department": before.department}
    return _move(case, meta, at, state, build=RequestAssigned, crew=crew, **extra)


def _close(case: Case, meta: Metadata, at: datetime, outcome: Outcome, text: str, **extra: Any) -> Case:
    assert case.state is not None  # noqa: S101 - a registered case
    closed = {
        "status": CLOSES_AS[outcome],
        "outcome": outcome,
        "public_text": text,
        "closings": case.state.closings + 1,
    }
    return _move(case, meta, at, case.state.model_copy(update=closed), **extra)


def _move(
    case: Case,
    meta: Metadata,
    at: datetime,
    state: State,
    *,
    build: type[Lifecycle] = StatusChanged,
    crew: dict[str, Any] | None = None,
    **extra: Any,
) -> Case:
    """
    Go to a new state and say so. The holder reads it on its topic (an assignment with what the crew needs); who lost
    the request reads it too, without.
    """
    assert case.state is not None  # noqa: S101 - a registered case
    before = case.state
    case = replace(case, state=state)
    losers = [before.department] if before.department not in (None, state.department) else []
    return _emit(
        case,
        meta,
        at,
        lambda base: build(**base, **extra),
        previous=before.status,
        crew=crew,
        also=losers,
    )


def _refuse(
    case: Case,
    meta: Metadata,
    update: UpdateSubmitted,
    at: datetime,
    rules: Rules,
    reason: RefusalReason,
    detail: str,
) -> Case:
    asker = update.department if update.department in rules.book.catalogue.departments else None

    def build(base: dict[str, Any]) -> Lifecycle:
        return UpdateRefused(**base, update_id=update.update_id, action=update.action, reason=reason, detail=detail)

    return _emit(case, meta, at, build, concerns=[asker])


def _emit(
    case: Case,
    meta: Metadata,
    at: datetime,
    build: Callable[[dict[str, Any]], Lifecycle],
    *,
    previous: Status | None = None,
    crew: dict[str, Any] | None = None,
    also: Sequence[str | None] = (),
    concerns: Sequence[str | None] | None = None,
) -> Case:
    """
    Append one event to the case: on requests.lifecycle, and on the topics of the departments that it concerns.
    """
    state = case.state
    seq = case.seq + 1 if state is not None else 0
    base: dict[str, Any] = {"request_id": case.request_id, "seq": seq, "occurred_at": at}
    if state is not None:
        base |= {name: getattr(state, name) for name in State.model_fields}
        base["previous_status"] = previous if previous is not None else state.status
        if seq == 1:
            base["previous_status"] = None
    event = build(base)
    out = caused(meta, SOURCE, at, type(event).__name__, str(seq))
    records = [encode(LIFECYCLE, out, event)]
    holder = state.department if state else None
    departments = list(dict.fromkeys(concerns if concerns is not None else [holder, *also]))
    for slug in departments:
        if slug is None:
            continue
        seen = event.model_copy(update={"contact_id": None, **(crew if crew and slug == holder else {})})
        records.append(encode(department_topic(slug), out, seen))
    return replace(case, seq=seq, events=(*case.events, Entry(meta.id, pack(records))))


def parking_command(case_id: str, due_at: datetime, at: datetime) -> Record:
    """
    The command that routing sends itself when a parking time is over. The same time always gives the same ce_id.
    """
    meta = Metadata(
        id=derived_id(case_id, "parking", due_at.isoformat()),
        source=SOURCE,
        time=at,
        subject=case_id,
        correlation_id=case_id,
        causation_id=case_id,
    )
    return encode(COMMANDS, meta, TimerDue(request_id=case_id, timer="parking", due_at=due_at))
