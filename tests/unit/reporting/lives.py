"""
Lives of requests as the other services would publish them, seeded, for the tests of reporting.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from services.common.contracts import events
from services.common.contracts.catalogue import catalogue
from services.common.contracts.envelope import Metadata, Received, encode
from services.common.contracts.ids import keyed_request_id
from services.common.contracts.topics import (
    LIFECYCLE,
    NOTIFICATIONS,
    RECEIVED,
    TOPICS_BY_NAME,
    UPDATES,
    Topic,
    department_topic,
)
from services.common.contracts.vocabulary import CLOSED, Channel, Kind, Outcome, Status
from services.common.kit.worker import Delivery
from services.reporting.projections import Document, fold, inherit, subject_of

START = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)
CLERK = "u_00000000000000c1"
PHOTO = "a_" + "1" * 32
_SERVICES = ("yol-cukur", "cop-alinmadi", "gurultu", "park-bakim", "siniflandirilamadi")
_NEIGHBOURHOODS = ("Kadıköy", "Çiftlik", None)


def deliver(event: Received) -> Delivery:
    """
    The event as the acknowledgement loop hands it on.
    """
    record = encode(TOPICS_BY_NAME[event.topic], event.meta, event.data)
    return Delivery(event.topic, 0, 0, record.key, record.value, record.headers, event)


def documents_of(received: Iterable[Received]) -> dict[str, Document]:
    """
    The documents that come of these events, by number: each folded by itself, then the parts given their parent's body.
    """
    own: dict[str, list[Received]] = defaultdict(list)
    for event in received:
        own[subject_of(event)].append(event)
    found = {name: document for name, events in own.items() if (document := fold(None, *events)) is not None}
    parents = {name: found.get(document["parent_id"] or "") for name, document in found.items()}
    return {name: inherit(found[name], parent) if parent else found[name] for name, parent in parents.items()}


class Life:
    """
    One request's life, told step by step; every method adds an event to ``events``. A part's events stand among its
    parent's. ``state`` is what every event says from then on.
    """

    def __init__(
        self, number: int = 0, *, at: datetime = START, service: str = "yol-cukur", parent: "Life | None" = None
    ) -> None:
        self.request_id = keyed_request_id(b"lives", str(number))
        self.parts: list[Life] = []
        self.state: dict[str, object] = {}
        self.number = number
        self.now = at
        self.seq = 0
        self.events: list[Received] = []
        self.service = service
        self.department = catalogue().services[service].department
        self.status: Status | None = None
        self.due = events.Due(first_response_at=at + timedelta(hours=8), resolve_by=at + timedelta(hours=48))
        if parent is not None:
            parent.parts.append(self)
            self.request_id = f"{parent.request_id}.{len(parent.parts)}"
            self.events = parent.events
            self.state["parent_id"] = parent.request_id

    def _add(self, topic: Topic, name: str, data: events.Event, cause: str = "") -> Received:
        event_id = f"{self.number:024x}{len(self.events):06x}{len(name):02x}"
        meta = Metadata(event_id, "test", self.now, self.request_id, data.key, cause)
        self.events.append(Received(topic.name, meta, data))
        return self.events[-1]

    def receive(
        self,
        text: str = "yolda çukur var",
        channel: Channel = Channel.WEB,
        kind: Kind | None = None,
        mahalle: str | None = None,
        address: str | None = None,
        attributes: dict[str, object] | None = None,
        repeat: events.Repeat | None = None,
        point: tuple[float, float] | None = None,
        **more: object,
    ) -> "Life":
        """
        A body comes in.
        """
        lat, lon = point or (None, None)
        place = events.Location(neighbourhood=mahalle, address=address, lat=lat, lon=lon)
        fields = {
            "request_id": self.request_id,
            "channel": channel,
            "kind": kind,
            "text": text,
            "contact_id": "contact:none",
            "location": place if place != events.Location() else None,
            "attributes": attributes or {},
            "repeat": repeat,
            "adapter": "test",
            "received_at": self.now,
            **more,
        }
        body = events.RequestReceived.model_validate(fields)
        self._add(RECEIVED, text, body)
        return self

    def rate(self, rating: int | None, closing_seq: int | None = None, comment: str | None = None) -> "Life":
        """
        The citizen's opinion of an ending (the last one); without stars that it is to be opened again.
        """
        data = events.FeedbackSubmitted(
            request_id=self.request_id,
            feedback_id=f"f-{len(self.events)}",
            closing_seq=closing_seq or self.seq,
            rating=rating,
            comment=comment or "yine açıldı",
            reopen=rating is None,
            channel=Channel.WEB,
            submitted_at=self.now,
            adapter="ilkim:web",
        )
        self._add(UPDATES, "feedback", data)
        return self

    def register(self, cause: str | None = None) -> "Life":
        """
        Routing registers the first body, or a part because its parent was split.
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
            **self.state,
            **more,
        }
        self._add(LIFECYCLE, kind.__name__, kind(**fields), cause)
        self.last = self.events[-1]
        self.status = status
        return self

    def whisper(self, **words: object) -> "Life":
        """
        The holder reads the last event on its own topic too, with words for its eyes alone.
        """
        data = self.last.data.model_copy(update=words)
        assert isinstance(data, events.Lifecycle)
        assert data.department is not None
        topic = department_topic(data.department).name
        self.events.append(Received(topic, self.last.meta, data))
        return self

    def assign(self, to: str | None = None, **more: object) -> "Life":
        """
        A department gets it.
        """
        before = self.department if to else None
        self.department = to or self.department
        return self.move(events.RequestAssigned, Status.ASSIGNED, previous_department=before, **more)  # type: ignore[arg-type]

    def remark(self, kind: type[events.Lifecycle], **more: object) -> "Life":
        """
        Something is said that changes no state.
        """
        assert self.status is not None
        return self.move(kind, self.status, **more)  # type: ignore[arg-type]

    def keep(self, **state: object) -> "Life":
        """
        The state has this too from now on.
        """
        self.state |= state
        return self

    def split(self, count: int = 2) -> "Life":
        """
        Its department splits it; each part is registered and assigned.
        """
        self.keep(parts=len(self.parts) + count)
        self.move(events.StatusChanged, Status.IN_PROGRESS)
        for department in ("zabita", "fen-isleri", "park-bahceler")[:count]:
            part = Life(self.number, at=self.now, service=self.service, parent=self)
            part.register(cause=f"{len(self.events):032x}").assign(department)
        return self

    def pause(self, status: Status = Status.WAITING_CITIZEN, **more: object) -> "Life":
        """
        Its department asks the citizen or another body; the clock stands still.
        """
        self.due = self.due.model_copy(update={"paused_since": self.now + timedelta(minutes=1)})
        return self.move(events.StatusChanged, status, **more)  # type: ignore[arg-type]

    def resume(self, after: timedelta = timedelta(hours=10)) -> "Life":
        """
        The work goes on, and its due time is later by the pause.
        """
        since = self.due.paused_since
        assert since is not None
        later = self.due.resolve_by + (self.now + after - since)
        self.due = self.due.model_copy(update={"paused_since": None, "resolve_by": later})
        return self.move(events.StatusChanged, Status.IN_PROGRESS, after=after)

    def reopen(self, after: timedelta = timedelta(hours=3)) -> "Life":
        """
        It is open again, with new due times.
        """
        at = self.now + after
        self.due = events.Due(first_response_at=at + timedelta(hours=8), resolve_by=at + timedelta(hours=48))
        self.keep(reopenings=int(str(self.state.get("reopenings", 0))) + 1, master_id=None)
        return self.move(events.RequestReopened, Status.REOPENED, after=after)

    def escalate(self, level: str = "department", step: int = 1, clock: str = "resolution") -> "Life":
        """
        Somebody is told that time ran out.
        """
        late = self.now > self.due.resolve_by
        return self.remark(
            events.RequestEscalated, clock=clock, level=level, step=step, due_at=self.due.resolve_by, overdue=late
        )

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
            attempt=attempt,
            occurred_at=self.now,
            **{"recipient": "contact:none"} | more,
        )
        self._add(NOTIFICATIONS, kind.__name__ + transition, data)
        return self


MASTER = keyed_request_id(b"lives", "master")
_LEGAL = events.LegalClock(basis="3071", due_at=START + timedelta(days=30))
_OPEN_STEPS = (
    "accept", "transfer", "bounce", "refuse", "duplicate", "close", "pause", "plan", "escalate", "note", "extend",
    "follower", "follow", "split", "reply",
)  # fmt: skip


def _live_on(draw: random.Random, life: Life) -> None:
    """
    One more step of a life, as it is possible now.
    """
    assert life.status is not None
    if life.due.paused_since and life.status not in CLOSED:
        step = draw.choice(("resume", "remind", "close", "escalate"))
    elif life.status in CLOSED:
        step = draw.choice(("reopen", "refuse", "note", "master" if life.state.get("master_id") else "duplicate"))
    else:
        step = draw.choice(_OPEN_STEPS)
    hours = timedelta(hours=draw.randrange(1, 20))
    match step:
        case "accept":
            life.move(
                events.StatusChanged, Status.ACCEPTED, after=hours, action="accept", by=draw.choice((None, CLERK))
            )
        case "transfer":
            life.assign(draw.choice(("zabita", "fen-isleri", "park-bahceler"))).whisper(reason="burası sizin")
        case "bounce":
            life.keep(bounces=int(str(life.state.get("bounces", 0))) + 1).assign("basin-halkla-iliskiler")
        case "refuse":
            life.remark(events.UpdateRefused, reason="forbidden_move", detail="hayır")
        case "duplicate":
            life.remark(events.DuplicateReceived, duplicate_event_id=f"{life.number:032x}")
        case "close":
            life.close(timedelta(minutes=draw.randrange(1, 6_000)))
            life.due = life.due.model_copy(update={"paused_since": None})
        case "reopen":
            life.reopen(hours)
        case "pause":
            asked = draw.random() < 0.5
            other = {"referred_to": events.Referral(body="SASKİ")}
            life.pause(
                Status.WAITING_CITIZEN if asked else Status.WAITING_EXTERNAL, **({"question": "?"} if asked else other)
            )
        case "resume":
            life.resume(hours)
        case "remind":
            life.remark(events.CitizenReminded, question="?")
        case "plan":
            life.move(events.StatusChanged, Status.SCHEDULED, planned_for=life.now + hours)
        case "escalate":
            life.escalate(draw.choice(("department", "head", "deputy_mayor")), clock=draw.choice(("plan", "legal")))
        case "note":
            life.remark(events.NoteAdded, by=CLERK, photos=[PHOTO]).whisper(note="ekip yarın")
        case "reply":
            life.remark(events.ReplyReceived).whisper(reply="bakkalın önünde")
        case "extend":
            life.keep(legal=_LEGAL.model_copy(update={"extended": True})).remark(events.LegalExtended)
        case "follower":
            life.keep(followers=int(str(life.state.get("followers", 0))) + 1)
            life.remark(events.FollowerAdded, follower=MASTER)
        case "follow":
            life.keep(master_id=MASTER)
            life.move(events.StatusChanged, Status.DUPLICATE, outcome=Outcome.DUPLICATE, public_text="aynısı var")
        case "master":
            life.remark(events.MasterProgressed, master_status="resolved", master_seq=4, public_text="yapıldı")
        case "split":
            if not life.parts and "." not in life.request_id:
                life.split(draw.randrange(2, 4))


def random_life(draw: random.Random, number: int, days: int = 30) -> Life:
    """
    A family's life with all that can happen; some are never registered, some have no department yet.
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
    life.keep(team=draw.choice((None, "vefa-1")), crisis=draw.choice((None, "salgin")))
    life.keep(legal=draw.choice((None, _LEGAL))).assign()
    for _ in range(draw.randrange(6)):
        _live_on(draw, draw.choice((life, *life.parts)))
    if draw.random() < 0.6 and life.status not in CLOSED:
        life.close(timedelta(minutes=draw.randrange(1, 6_000)))
        life.tell("closed", events.NotificationSent, channel="email")
        if draw.random() < 0.5:
            life.rate(draw.choice((None, 1, 3, 5))).rate(draw.choice((2, 4)))
    return life


def random_lives(seed: int, count: int, days: int = 30) -> Iterator[Life]:
    """
    Lives that are the same for the same seed.
    """
    draw = random.Random(seed)
    return (random_life(draw, number, days) for number in range(count))
