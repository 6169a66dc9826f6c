"""
Every topic as one typed object: its name, its event types, its key, its partitions and how long it keeps records.

A bare topic name stands nowhere else. ``deploy/topics.py`` creates the topics from here and fails on drift.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from services.common.contracts import events
from services.common.contracts.catalogue import catalogue
from services.common.contracts.events import Event

DAYS_30: Final = int(timedelta(days=30).total_seconds() * 1000)


@dataclass(frozen=True, slots=True)
class Topic:
    """
    A topic and what may stand on it. ``retention_ms`` is None for compacted topics.
    """

    name: str
    title: str
    types: tuple[type[Event], ...] = ()
    partitions: int = 12
    cleanup: Literal["delete", "compact"] = "delete"
    retention_ms: int | None = DAYS_30
    max_message_bytes: int = 1_048_576
    tombstones: bool = False

    @property
    def by_type(self) -> Mapping[str, type[Event]]:
        """
        The models by their plain event name.
        """
        return {model.__name__: model for model in self.types}


LIFECYCLE_TYPES: Final = (
    events.RequestRegistered,
    events.RequestAssigned,
    events.StatusChanged,
    events.RequestEscalated,
    events.RequestReopened,
    events.NoteAdded,
    events.ReplyReceived,
    events.CitizenReminded,
    events.LegalExtended,
    events.FollowerAdded,
    events.MasterProgressed,
    events.DuplicateReceived,
    events.UpdateRefused,
)

RECEIVED: Final = Topic("requests.received", "Requests as they came in (intake)", (events.RequestReceived,))
UPDATES: Final = Topic(
    "requests.updates",
    "What departments ask for over HTTP, and what citizens reply and think of it (intake)",
    (events.UpdateSubmitted, events.CitizenReplied, events.FeedbackSubmitted),
)
COMMANDS: Final = Topic(
    "requests.commands",
    "What routing tells itself",
    (events.TimerDue, events.FollowerAsked, events.MasterChanged, events.RerouteAsked),
)
CRISES: Final = Topic(
    "crises",
    "When which crisis is on (intake)",
    (events.CrisisDeclared,),
    partitions=1,
    cleanup="compact",
    retention_ms=None,
)
LIFECYCLE: Final = Topic("requests.lifecycle", "The life of every request, in order (routing)", LIFECYCLE_TYPES)
CONTACTS: Final = Topic(
    "contacts",
    "How to reach citizens; personal data stands here and in notify alone (intake)",
    (events.ContactChanged,),
    cleanup="compact",
    retention_ms=None,
    tombstones=True,
)
CALLS: Final = Topic(
    "calls",
    "Telephone calls: when, how long, answered or not (intake)",
    (events.CallStarted, events.CallAnswered, events.CallEnded, events.CallMissed),
    partitions=3,
)
MESSAGES_IN: Final = Topic(
    "messages.inbound",
    "What citizens wrote in conversations, before it is a request (intake)",
    (events.MessageReceived,),
)
MESSAGES_OUT: Final = Topic(
    "messages.outbound",
    "What intake wants said in conversations, and what providers report of messages (intake)",
    (events.MessageWanted, events.DeliveryReported),
)
NOTIFICATIONS: Final = Topic(
    "notifications.lifecycle",
    "What became of each message to a citizen (notify)",
    (
        events.NotificationQueued,
        events.NotificationSent,
        events.NotificationDelivered,
        events.NotificationRead,
        events.NotificationFailed,
        events.NotificationSuppressed,
    ),
)

_DEPARTMENT_PREFIX: Final = "requests.dept."
_DEPARTMENT_UPDATES_PREFIX: Final = "updates.dept."


def department_topic(slug: str) -> Topic:
    """
    The topic on which a department reads its requests. Raises ``KeyError`` for an unknown department.
    """
    return _DEPARTMENT_TOPICS[slug]


def department_updates_topic(slug: str) -> Topic:
    """
    The topic on which a department's own system answers. Raises ``KeyError`` for an unknown department.
    """
    return _DEPARTMENT_UPDATES_TOPICS[slug]


def department_of(topic: str) -> str | None:
    """
    The department whose own system writes this topic, or None if it is not such a topic.
    """
    slug = topic.removeprefix(_DEPARTMENT_UPDATES_PREFIX)
    return slug if slug != topic and slug in _DEPARTMENT_UPDATES_TOPICS else None


_DEPARTMENT_TOPICS: Final = {
    slug: Topic(f"{_DEPARTMENT_PREFIX}{slug}", f"Requests of {name.en}", LIFECYCLE_TYPES, partitions=1)
    for slug, name in catalogue().departments.items()
}
_DEPARTMENT_UPDATES_TOPICS: Final = {
    slug: Topic(
        f"{_DEPARTMENT_UPDATES_PREFIX}{slug}",
        f"Updates by the own system of {name.en}",
        (events.UpdateSubmitted,),
        partitions=1,
    )
    for slug, name in catalogue().departments.items()
}

GROUPS: Final = ("intake", "routing", "notify", "reporting")


def dlq_of(group: str) -> Topic:
    """
    The dead-letter topic of a consumer group: original bytes and headers, reason and origin in headers.
    """
    return Topic(f"{group}.dlq", f"Records that {group} can never handle", partitions=1, max_message_bytes=2_097_152)


ALL_TOPICS: Final[tuple[Topic, ...]] = (
    RECEIVED,
    UPDATES,
    COMMANDS,
    LIFECYCLE,
    CONTACTS,
    CRISES,
    CALLS,
    MESSAGES_IN,
    MESSAGES_OUT,
    NOTIFICATIONS,
    *_DEPARTMENT_TOPICS.values(),
    *_DEPARTMENT_UPDATES_TOPICS.values(),
    *(dlq_of(group) for group in GROUPS),
)
TOPICS_BY_NAME: Final[Mapping[str, Topic]] = {topic.name: topic for topic in ALL_TOPICS}
