"""
Lives of requests as the other services would publish them, seeded, for the tests of reporting.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from services.common.contracts import events
from services.common.contracts.catalogue import catalogue
from services.common.contracts.envelope import Metadata, Received, encode
from services.common.contracts.ids import keyed_request_id
from services.common.contracts.topics import LIFECYCLE, NOTIFICATIONS, RECEIVED, TOPICS_BY_NAME, Topic
from services.common.contracts.vocabulary import CLOSED, Channel, Kind, Outcome, Status
from services.common.kit.worker import Delivery

START = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)
_SERVICES = ("yol-cukur", "cop-alinmadi", "gurultu", "park-bakim", "siniflandirilamadi")
_NEIGHBOURHOODS = ("Kadıköy", "Çiftlik", None)


def deliver(event: Received) -> Delivery:
    """
    The event as the acknowledgement loop hands it on.
    """
    record = encode(TOPICS_BY_NAME[event.topic], event.meta, event.data)
    return Delivery(event.topic, 0, 0, record.key, record.value, record.headers, event)


class Life:
    """
    One request's life, told step by step; every method adds an event to ``events``.
    """

    def __init__(self, number: int = 0, *, at: datetime = START, service: str = "yol-cukur") -> None:
        self.request_id = keyed_request_id(b"lives", str(number))
        self.number = number
        self.now = at
        self.seq = 0
        self.events: list[Received] = []
        self.service = service
        self.department = catalogue().services[service].department
        self.status: Status | None = None
        self.due = events.Due(first_response_at=at + timedelta(hours=8), resolve_by=at + timedelta(hours=48))

    def _add(self, topic: Topic, name: str, data: events.Event, cause: str = "") -> Received:
        event_id = f"{self.number:024x}{len(self.events):06x}{len(name):02x}"
        meta = Metadata(event_id, "test", self.now, self.request_id, self.request_id, cause)
        self.events.append(Received(topic.name, meta, data))
        return self.events[-1]

    def receive(
        self,
        text: str = "yolda çukur var",
        channel: Channel = Channel.WEB,
        kind: Kind | None = None,
        mahalle: str | None = None,
    ) -> "Life":
        """
        A body comes in.
        """
        body = events.RequestReceived(
            request_id=self.request_id,
            channel=channel,
            kind=kind,
            text=text,
            contact_id="contact:none",
            location=events.Location(neighbourhood=mahalle) if mahalle else None,
            adapter="test",
            received_at=self.now,
        )
        self._add(RECEIVED, text, body)
        return self

    def register(self, cause: str | None = None) -> "Life":
        """
        Routing registers the first body.
        """
        return self.move(events.RequestRegistered, Status.RECEIVED, cause=cause or self.events[0].meta.id)

    def move(
        self,
        kind: type[events.Lifecycle],
        status: Status,
        *,
        after: timedelta = timedelta(minutes=1),
        cause: str = "",
        **more: object,
    ) -> "Life":
        """
        The next lifecycle event.
        """
        self.seq += 1
        self.now += after
        fields = {
            "request_id": self.request_id,
            "seq": self.seq,
            "status": status,
            "previous_status": self.status,
            "department": None if kind is events.RequestRegistered else self.department,
            "service_code": None if kind is events.RequestRegistered else self.service,
            "occurred_at": self.now,
            "due": self.due,
            **more,
        }
        self._add(LIFECYCLE, kind.__name__, kind(**fields), cause)  # type: ignore[arg-type]
        self.status = status
        return self

    def assign(self, to: str | None = None) -> "Life":
        """
        A department gets it.
        """
        before = self.department if to else None
        self.department = to or self.department
        return self.move(events.RequestAssigned, Status.ASSIGNED, previous_department=before)

    def close(self, after: timedelta = timedelta(hours=5), text: str = "yapıldı") -> "Life":
        """
        Its department resolves it.
        """
        return self.move(events.StatusChanged, Status.RESOLVED, after=after, outcome=Outcome.RESOLVED, public_text=text)

    def tell(self, transition: str, kind: type[events.Notification], attempt: int = 1, **more: object) -> "Life":
        """
        A message to the citizen, or what became of it.
        """
        data = kind(
            request_id=self.request_id,
            transition=transition,
            recipient="contact:none",
            attempt=attempt,
            occurred_at=self.now,
            **more,  # type: ignore[arg-type]
        )
        self._add(NOTIFICATIONS, kind.__name__ + transition, data)
        return self


def random_life(draw: random.Random, number: int, days: int = 30) -> Life:
    """
    A life with duplicates, refusals, transfers, reopenings; some are never registered, some have no body.
    """
    at = START + timedelta(seconds=draw.randrange(days * 86_400), microseconds=draw.randrange(1_000_000))
    life = Life(number, at=at, service=draw.choice(_SERVICES))
    for n in range(draw.choice((1, 1, 1, 2))):
        life.receive(f"metin {n}", draw.choice(list(Channel)), draw.choice([None, *Kind]), draw.choice(_NEIGHBOURHOODS))
    if draw.random() < 0.05:
        return life
    life.register()
    life.tell("received", events.NotificationQueued)
    told = draw.choice((events.NotificationSent, events.NotificationSuppressed, events.NotificationFailed))
    life.tell("received", told, reason="no_contact" if told is events.NotificationSuppressed else None)
    if draw.random() < 0.1:
        return life
    life.assign()
    for _ in range(draw.randrange(3)):
        step = draw.choice(("accept", "transfer", "refuse", "duplicate", "close"))
        if step == "accept" and life.status not in CLOSED:
            life.move(events.StatusChanged, Status.ACCEPTED, after=timedelta(hours=draw.randrange(1, 20)))
        elif step == "transfer" and life.status not in CLOSED:
            life.assign(draw.choice(("zabita", "fen-isleri", "park-bahceler")))
        elif step == "refuse" and life.status:
            life.move(events.UpdateRefused, life.status, reason="forbidden_move", detail="hayır")
        elif step == "duplicate" and life.status:
            life.move(events.DuplicateReceived, life.status, duplicate_event_id=f"{number:032x}")
        elif step == "close":
            if life.status in CLOSED:
                life.move(events.StatusChanged, Status.REOPENED, after=timedelta(hours=3))
            else:
                life.close(timedelta(minutes=draw.randrange(1, 6_000)))
    if draw.random() < 0.6 and life.status not in CLOSED:
        life.close(timedelta(minutes=draw.randrange(1, 6_000)))
        life.tell("closed", events.NotificationSent, channel="email")
    return life


def random_lives(seed: int, count: int, days: int = 30) -> Iterator[Life]:
    """
    Lives that are the same for the same seed.
    """
    draw = random.Random(seed)
    return (random_life(draw, number, days) for number in range(count))
