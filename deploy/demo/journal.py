"""
What became of each request, folded from what stands on the topics; and whether all parts agree on it. Pure.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from deploy.demo.day import Line
from deploy.observe import DEPARTMENT_TOPICS, Seen
from services.common.contracts.events import (
    Lifecycle,
    Notification,
    NotificationQueued,
    RequestAssigned,
    RequestRegistered,
    UpdateRefused,
)
from services.common.contracts.topics import LIFECYCLE
from services.common.contracts.vocabulary import STATUS_LABELS, Status

RECEIVED: Final = "received"
CLOSED: Final = "closed"


@dataclass(frozen=True, slots=True)
class Told:
    """
    How one message ended: Sent, Suppressed or Failed, on which channel and why.
    """

    outcome: str
    channel: str | None
    reason: str | None


@dataclass
class Trace:
    """
    One request as the topics show it. Sets of ce_id: a topic may hold an event twice, that is one event.
    """

    registered: set[str] = field(default_factory=set)
    first_assigned: set[str] = field(default_factory=set)
    seq: int = 0
    status: str | None = None
    department: str | None = None
    stands_on: set[str] = field(default_factory=set)
    reached_department: float | None = None
    told: dict[tuple[str, int], Told] = field(default_factory=dict)
    outcomes: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    queued: set[tuple[str, int]] = field(default_factory=set)
    updates: set[str] = field(default_factory=set)

    @property
    def closed(self) -> bool:
        """
        Whether it is in a state in which nothing more is done.
        """
        return self.status is not None and STATUS_LABELS[Status(self.status)].open311 == CLOSED


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


@dataclass(frozen=True, slots=True)
class Reported:
    """
    A request as reporting shows it.
    """

    status: str
    department: str | None
    channel: str | None


class Journal:
    """
    Everything that is known of one run. Requests of others on the same stack are folded too, and never counted.
    """

    def __init__(self) -> None:
        self.accepted: dict[str, Posted] = {}
        self.updates: dict[str, Submitted] = {}
        self.answered: set[tuple[str, str]] = set()
        self._refusals: dict[str, str] = {}
        self._traces: defaultdict[str, Trace] = defaultdict(Trace)

    def trace(self, request_id: str) -> Trace:
        """
        What the topics said of this request so far.
        """
        return self._traces[request_id]

    @property
    def ours(self) -> dict[str, Trace]:
        """
        The traces of this run's requests alone.
        """
        return {request_id: self._traces[request_id] for request_id in self.accepted}

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
            self._reach(DEPARTMENT_TOPICS[seen.topic], data, at)

    def _reach(self, department: str, data: Lifecycle, at: float) -> None:
        if data.update_id is not None:
            self.answered.add((department, data.update_id))
        if isinstance(data, RequestAssigned) and data.department == department:
            trace = self._traces[data.request_id]
            trace.stands_on.add(department)
            if trace.reached_department is None:
                trace.reached_department = at

    def _live(self, trace: Trace, data: Lifecycle, event_id: str) -> None:
        if isinstance(data, RequestRegistered):
            trace.registered.add(event_id)
        if isinstance(data, RequestAssigned) and data.assignments == 1:
            trace.first_assigned.add(event_id)
        if data.seq > trace.seq:
            trace.seq, trace.status, trace.department = data.seq, data.status, data.department
        if data.update_id is not None:
            trace.updates.add(data.update_id)
            if isinstance(data, UpdateRefused):
                self._refusals[data.update_id] = data.reason

    def _tell(self, trace: Trace, data: Notification, event_id: str) -> None:
        key = (data.transition, data.attempt)
        if isinstance(data, NotificationQueued):
            trace.queued.add(key)
        elif not data.late:
            trace.outcomes[key].add(event_id)
            trace.told[key] = Told(type(data).__name__.removeprefix("Notification"), data.channel, data.reason)


def on_topics(journal: Journal, posted: int) -> dict[str, list[str]]:
    """
    What the topics do not show (yet) of a day of so many requests: what is wrong, and the numbers of the requests it is
    wrong for. Empty if every accepted request is registered, assigned and told, and every update answered.
    """
    ours = journal.ours
    checks = {
        "not registered exactly once": [r for r, t in ours.items() if len(t.registered) != 1],
        "not assigned exactly once at first": [r for r, t in ours.items() if len(t.first_assigned) != 1],
        "not on the topic of the department that holds it": [
            r for r, t in ours.items() if t.department not in t.stands_on
        ],
        "with an update neither applied nor refused": [
            one.request_id for u, one in journal.updates.items() if u not in journal.trace(one.request_id).updates
        ],
        "with an update on a department's topic that is not answered there": [
            one.request_id
            for u, one in journal.updates.items()
            if one.topic_of is not None and (one.topic_of, u) not in journal.answered
        ],
        "not told of being received": [r for r, t in ours.items() if (RECEIVED, 1) not in t.told],
        "closed, but not told so": [r for r, t in ours.items() if t.closed and (CLOSED, 1) not in t.told],
        "with a message that still waits": [r for r, t in ours.items() if t.queued - set(t.told)],
        "told twice": [r for r, t in ours.items() if any(len(ids) > 1 for ids in t.outcomes.values())],
    }
    missing = posted - len(ours)
    if missing:
        checks[f"{missing} of {posted} not accepted by intake"] = [""]
    return {what: numbers for what, numbers in checks.items() if numbers}


def in_reporting(journal: Journal, reported: Mapping[str, Reported], received_more: int) -> dict[str, list[str]]:
    """
    Where reporting does not show (yet) what the topics do, in the same form. ``received_more``: by how much
    ``summary.received`` grew during the run.
    """
    ours = journal.ours
    checks = {
        "not in reporting": [r for r in ours if r not in reported],
        "in another state in reporting": [
            r
            for r, t in ours.items()
            if r in reported and (reported[r].status, reported[r].department) != (t.status, t.department)
        ],
    }
    if received_more != len(ours):
        checks[f"summary.received grew by {received_more} instead of {len(ours)}"] = [""]
    return {what: numbers for what, numbers in checks.items() if numbers}


def percentile(values: Sequence[float], share: float) -> float:
    """
    The value that this share of all values does not exceed (nearest rank). NaN if there is none.
    """
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)] if ranked else math.nan


def told_in_words(traces: Mapping[str, Trace]) -> Counter[str]:
    """
    How the first messages ended, as a person reads it: ``sent by email``, ``no_contact``, ``failed (refused)``.
    """
    return _words(trace.told[RECEIVED, 1] for trace in traces.values() if (RECEIVED, 1) in trace.told)


def messages_in_words(traces: Mapping[str, Trace]) -> Counter[str]:
    """
    How all messages ended, in the same words.
    """
    return _words(told for trace in traces.values() for told in trace.told.values())


def _words(endings: Iterable[Told]) -> Counter[str]:
    words: Counter[str] = Counter()
    for told in endings:
        if told.outcome == "Sent":
            words[f"sent by {told.channel}"] += 1
        elif told.outcome == "Suppressed":
            words[told.reason or "suppressed"] += 1
        else:
            words[f"failed ({told.reason})"] += 1
    return words
