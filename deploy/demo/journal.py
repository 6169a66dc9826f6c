"""
What became of each request and of its parts, folded from what stands on the topics. Pure.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from deploy.demo.day import Line
from deploy.observe import DEPARTMENT_TOPICS, Seen
from services.common.contracts.events import (
    CitizenReminded,
    LegalExtended,
    Lifecycle,
    MasterProgressed,
    Notification,
    NotificationDelivered,
    NotificationQueued,
    NotificationRead,
    RequestAssigned,
    RequestEscalated,
    RequestRegistered,
    RequestReopened,
    StatusChanged,
    UpdateRefused,
)
from services.common.contracts.ids import family_of
from services.common.contracts.topics import LIFECYCLE
from services.common.contracts.vocabulary import CLOSED, Status

_STATES_TOLD = {
    Status.SCHEDULED: "scheduled",
    Status.WAITING_CITIZEN: "asked",
    Status.WAITING_EXTERNAL: "waiting",
}
_EVENTS_TOLD = {
    RequestReopened: "reopened",
    LegalExtended: "extended",
    CitizenReminded: "reminded",
    RequestEscalated: "escalated",
}


@dataclass(frozen=True, slots=True)
class Told:
    """
    How one message ended: Sent, Suppressed or Failed, on which channel, why, and to whom.
    """

    outcome: str
    channel: str | None
    reason: str | None
    recipient: str


@dataclass
class Trace:
    """
    One request, or a part of one, as the topics show it. Sets of ce_id: a topic may hold an event twice, that is one
    event. ``to_tell``: the transitions of which somebody must hear.
    """

    registered: set[str] = field(default_factory=set)
    first_assigned: set[str] = field(default_factory=set)
    newest: Lifecycle | None = None
    been: set[Status] = field(default_factory=set)
    stands_on: set[str] = field(default_factory=set)
    reached_department: float | None = None
    escalations: dict[str, RequestEscalated] = field(default_factory=dict)
    events: dict[str, str] = field(default_factory=dict)
    master: MasterProgressed | None = None
    heard: set[str] = field(default_factory=set)
    to_tell: set[str] = field(default_factory=set)
    told: dict[tuple[str, int], Told] = field(default_factory=dict)
    outcomes: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    queued: set[tuple[str, int]] = field(default_factory=set)
    updates: set[str] = field(default_factory=set)

    @property
    def status(self) -> Status | None:
        """
        The state it is in.
        """
        return self.newest.status if self.newest else None

    @property
    def department(self) -> str | None:
        """
        Who holds it.
        """
        return self.newest.department if self.newest else None

    @property
    def closed(self) -> bool:
        """
        Whether it is in a state in which nothing more is done.
        """
        return self.status in CLOSED

    def happened(self, kind: type[Lifecycle]) -> int:
        """
        How many events of this type there were.
        """
        return sum(name == kind.__name__ for name in self.events.values())


@dataclass(frozen=True, slots=True)
class Posted:
    """
    A request that intake accepted: when it was sent and answered, on the clock of the observers.
    """

    line: Line
    sent: float
    answered: float


@dataclass(frozen=True, slots=True)
class Submitted:
    """
    An update that a department handed in: when, and on whose topic; by HTTP if on none.
    """

    request_id: str
    at: float
    topic_of: str | None


class Journal:
    """
    Everything that is known of one run. Requests of others on the same stack are folded too, and never counted.
    """

    def __init__(self) -> None:
        self.accepted: dict[str, Posted] = {}
        self.updates: dict[str, Submitted] = {}
        self.replies: dict[str, str] = {}
        self.answered: set[tuple[str, str]] = set()
        self._refusals: dict[str, str] = {}
        self._traces: defaultdict[str, Trace] = defaultdict(Trace)

    def trace(self, request_id: str) -> Trace:
        """
        What the topics said of this request or part so far.
        """
        return self._traces[request_id]

    @property
    def ours(self) -> dict[str, Trace]:
        """
        The traces of this run's requests alone.
        """
        return {request_id: self._traces[request_id] for request_id in self.accepted}

    @property
    def parts(self) -> dict[str, Trace]:
        """
        The traces of the parts of this run's requests.
        """
        return {
            number: trace
            for number, trace in self._traces.items()
            if family_of(number) != number and family_of(number) in self.accepted
        }

    @property
    def families(self) -> defaultdict[str, list[Trace]]:
        """
        The traces of the parts by the number of their request; nothing for one without parts.
        """
        found: defaultdict[str, list[Trace]] = defaultdict(list)
        for number, trace in self.parts.items():
            found[family_of(number)].append(trace)
        return found

    def accept(self, request_id: str, posted: Posted) -> None:
        """
        Intake gave this number.
        """
        self.accepted[request_id] = posted

    def submit(self, update_id: str, request_id: str, at: float, *, topic_of: str | None = None) -> None:
        """
        Intake took a department's update, or it stands on that department's topic.
        """
        self.updates[update_id] = Submitted(request_id, at, topic_of)

    def reply(self, reply_id: str, request_id: str) -> None:
        """
        Intake took what a citizen wrote.
        """
        self.replies[reply_id] = request_id

    def refused(self, *, by_topic: bool) -> Counter[str]:
        """
        Why routing refused updates of this run, one way or the other.
        """
        return Counter(
            reason
            for update_id, reason in self._refusals.items()
            if update_id in self.updates and (self.updates[update_id].topic_of is not None) is by_topic
        )

    def add(self, seen: Seen, at: float) -> None:
        """
        A record was read at this moment.
        """
        if seen.event is None:
            return
        data, event_id = seen.event.data, seen.event.meta.id
        if isinstance(data, Notification):
            self._tell(self._traces[data.request_id], data, event_id)
        elif isinstance(data, Lifecycle) and seen.topic == LIFECYCLE.name:
            self._live(self._traces[data.request_id], data, event_id)
        elif isinstance(data, Lifecycle) and seen.topic in DEPARTMENT_TOPICS:
            self._reach(DEPARTMENT_TOPICS[seen.topic], data, event_id, at)

    def _reach(self, department: str, data: Lifecycle, event_id: str, at: float) -> None:
        trace = self._traces[data.request_id]
        if data.update_id is not None:
            self.answered.add((department, data.update_id))
        if data.reply is not None and data.department == department:
            trace.heard.add(event_id)
        if isinstance(data, RequestAssigned) and data.department == department:
            trace.stands_on.add(department)
            if trace.reached_department is None:
                trace.reached_department = at

    def _live(self, trace: Trace, data: Lifecycle, event_id: str) -> None:
        if isinstance(data, RequestRegistered):
            trace.registered.add(event_id)
        if isinstance(data, RequestAssigned) and data.assignments == 1:
            trace.first_assigned.add(event_id)
        if isinstance(data, RequestEscalated):
            trace.escalations[event_id] = data
        if isinstance(data, MasterProgressed) and (trace.master is None or data.seq > trace.master.seq):
            trace.master = data
        if data.status is not None:
            trace.been.add(data.status)
            trace.events[event_id] = type(data).__name__
            if trace.newest is None or data.seq > trace.newest.seq:
                trace.newest = data
        transition = to_tell(data)
        if transition is not None:
            trace.to_tell.add(transition)
        if data.update_id is not None:
            trace.updates.add(data.update_id)
            if isinstance(data, UpdateRefused):
                self._refusals[data.update_id] = data.reason

    def _tell(self, trace: Trace, data: Notification, event_id: str) -> None:
        key = (data.transition, data.attempt)
        if isinstance(data, NotificationQueued):
            trace.queued.add(key)
        elif not (data.late or isinstance(data, NotificationDelivered | NotificationRead)):
            trace.outcomes[key].add(event_id)
            outcome = type(data).__name__.removeprefix("Notification")
            trace.told[key] = Told(outcome, data.channel, data.reason, data.recipient)


def to_tell(data: Lifecycle) -> str | None:
    """
    The transition under which somebody must hear of this event, as a reader of the contract expects it: the citizen of
    everything that changes for them, staff of escalations; of a part only questions and escalations.
    """
    kind = _EVENTS_TOLD.get(type(data))
    match data:
        case StatusChanged(status=status) if status in CLOSED:
            return _numbered("closed", data.closings) if data.parent_id is None else None
        case StatusChanged(status=status) if status is not None:
            kind = _STATES_TOLD.get(status)
        case MasterProgressed(master_status=status) if status in CLOSED | {Status.SCHEDULED, Status.REOPENED}:
            kind = "followed"
        case RequestRegistered():
            return "received" if data.parent_id is None else None
        case RequestAssigned():
            return _numbered("assigned", data.assignments) if data.parent_id is None else None
    if kind is None or (data.parent_id is not None and kind not in ("asked", "reminded", "escalated")):
        return None
    return f"{kind}.{data.seq}"


def _numbered(kind: str, number: int) -> str:
    return kind if number == 1 else f"{kind}.{number}"
