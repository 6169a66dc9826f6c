"""
Look at the topics from outside, as any subscriber could, and say what happened to each request: for demo, faults,
verify and backup.

``Observer`` and ``everything_of`` read (kafka-python, no consumer group); ``facts`` is pure.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from kafka import KafkaConsumer, TopicPartition

from services.common.contracts.catalogue import catalogue
from services.common.contracts.envelope import ContractError, Received, decode
from services.common.contracts.events import (
    Lifecycle,
    Notification,
    NotificationDelivered,
    NotificationQueued,
    NotificationRead,
    RequestAssigned,
    RequestReceived,
    RequestRegistered,
)
from services.common.contracts.topics import LIFECYCLE, NOTIFICATIONS, department_topic

DEPARTMENT_TOPICS: Final = {department_topic(slug).name: slug for slug in catalogue().departments}
WATCHED: Final = (LIFECYCLE.name, NOTIFICATIONS.name, *DEPARTMENT_TOPICS)

NO_OUTCOME: Final = (NotificationQueued, NotificationDelivered, NotificationRead)

Telling = tuple[str, str, str, int]
"""request_id, transition, recipient, attempt."""


@dataclass(frozen=True, slots=True)
class Seen:
    """
    One record as it stands on a topic; ``event`` is None where it could not be read.
    """

    topic: str
    value: bytes | None
    event: Received | None


def everything_of(
    bootstrap_servers: str, topics: Iterable[str], *, bootstrap_timeout_ms: int | None = None
) -> KafkaConsumer:
    """
    A consumer without a group that has every partition of those topics that exist, at the beginning.
    Raises ``KafkaError`` when no broker answers.
    """
    waits = {} if bootstrap_timeout_ms is None else {"bootstrap_timeout_ms": bootstrap_timeout_ms}
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap_servers.split(","),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4_194_304,
        reconnect_backoff_max_ms=1_000,  # a broker that is being restarted is found again soon
        # end_offsets (kafka-python 3.0.12) asks one that leads no more again and again and never who leads now
        metadata_max_age_ms=5_000,
        **waits,
    )
    consumer.assign(
        [
            TopicPartition(topic, partition)
            for topic in topics
            for partition in sorted(consumer.partitions_for_topic(topic) or ())
        ]
    )
    return consumer


class Observer:
    """
    Reads topics from their beginning, or from now on. Not a member of any group.
    """

    def __init__(self, bootstrap_servers: str, topics: Iterable[str] = WATCHED, *, from_now: bool = False) -> None:
        self._consumer = everything_of(bootstrap_servers, topics)
        places = list(self._consumer.assignment())
        if from_now:
            self._consumer.seek_to_end(*places)
            for place in places:
                self._consumer.position(place)
        self.seen: list[Seen] = []

    def poll(self, timeout_ms: int = 200) -> list[Seen]:
        """
        What came in since the last call, waiting at most so long for the first of it. Kept in ``seen``.
        """
        new: list[Seen] = []
        for records in self._consumer.poll(timeout_ms=timeout_ms, max_records=5_000).values():
            for record in records:
                try:
                    event = decode(record.topic, record.key, record.value, record.headers or ())
                except ContractError:
                    event = None
                new.append(Seen(record.topic, record.value, event))
        self.seen += new
        return new

    def behind(self) -> int:
        """
        How many records stand on the topics that were not read yet.
        """
        places = list(self._consumer.assignment())
        ends = self._consumer.end_offsets(places)
        return sum(max(0, ends[place] - self._consumer.position(place)) for place in places)

    def catch_up(self) -> list[Seen]:
        """
        Read until the end, and give back all that was ever read.
        """
        while self.behind():
            self.poll()
        return self.seen

    def close(self) -> None:
        """
        Let go of the broker.
        """
        self._consumer.close()


@dataclass
class Facts:
    """
    What the topics say of each request. Sets of ce_id: a topic may hold an event twice, that is one event.
    """

    registered: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    assigned: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    holder: dict[str, str] = field(default_factory=dict)
    stands_on: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    lost_by: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    closed: set[str] = field(default_factory=set)
    outcomes: dict[Telling, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    reasons: dict[Telling, str | None] = field(default_factory=dict)
    in_two_versions: int = 0
    repeated: int = 0
    unreadable: int = 0
    seqs: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    received: dict[str, dict[str, datetime]] = field(default_factory=lambda: defaultdict(dict))  # by ce_id, earliest
    registered_for: dict[str, dict[str, datetime]] = field(default_factory=lambda: defaultdict(dict))  # by the cause
    queued: set[Telling] = field(default_factory=set)
    two_versions_of: set[str] = field(default_factory=set)


def facts(seen: Iterable[Seen]) -> Facts:
    """
    Fold what was seen into facts. Order does not matter.
    """
    found = Facts()
    versions: dict[tuple[str, str], bytes | None] = {}
    newest: dict[str, int] = {}
    for one in seen:
        if one.event is None:
            found.unreadable += 1
            continue
        data, event_id = one.event.data, one.event.meta.id
        if isinstance(data, RequestReceived):  # a retry has the same ce_id and another received_at: no second version
            bodies = found.received[data.request_id]
            bodies[event_id] = min(data.received_at, bodies.get(event_id, data.received_at))
            continue
        place = (one.topic, event_id)
        if place in versions:
            found.repeated += 1
            if versions[place] != one.value:
                found.in_two_versions += 1
                found.two_versions_of.add(getattr(data, "request_id", data.key))
            continue
        versions[place] = one.value
        if isinstance(data, Notification):
            _telling(found, data, event_id)
        elif isinstance(data, Lifecycle) and one.topic == LIFECYCLE.name:
            if data.seq:
                found.seqs[data.request_id].add(data.seq)
            if isinstance(data, RequestRegistered):
                found.registered[data.request_id].add(event_id)
                found.registered_for[data.request_id][one.event.meta.causation_id or ""] = data.occurred_at
            if isinstance(data, RequestAssigned):
                found.assigned[data.request_id].add(event_id)
            if data.department is not None and data.seq > newest.get(data.request_id, 0):
                newest[data.request_id] = data.seq
                found.holder[data.request_id] = data.department
            if data.outcome is not None:
                found.closed.add(data.request_id)
        elif isinstance(data, RequestAssigned):
            slug = DEPARTMENT_TOPICS[one.topic]
            (found.stands_on if data.department == slug else found.lost_by)[data.request_id].add(slug)
    return found


def _telling(found: Facts, data: Notification, event_id: str) -> None:
    key = (data.request_id, data.transition, data.recipient, data.attempt)
    if isinstance(data, NotificationQueued):
        found.queued.add(key)
    if isinstance(data, NO_OUTCOME) or data.late:
        return
    found.outcomes[key][event_id] = type(data).__name__.removeprefix("Notification")
    found.reasons[key] = data.reason
