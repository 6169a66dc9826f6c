"""
Events for tests, with sensible defaults and random ids.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.common.contracts.clocks import load_calendar
from services.common.contracts.envelope import Metadata, Received, Record, decode, encode
from services.common.contracts.events import CitizenReplied, Event, RequestReceived, TimerDue, UpdateSubmitted
from services.common.contracts.ids import derived_id, random_request_id
from services.common.contracts.topics import COMMANDS, CRISES, RECEIVED, UPDATES, Topic
from services.common.kit.worker import Delivery

CALENDAR = load_calendar()
NOON = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)  # a Monday, 12:00 in Samsun


def request(request_id: str | None = None, **fields: Any) -> RequestReceived:
    """
    A request by e-mail about a pothole, nobody to tell.
    """
    defaults: dict[str, Any] = {
        "request_id": request_id or random_request_id(),
        "channel": "web",
        "text": "Sokakta çukur var",
        "service_code": "yol-cukur",
        "contact_id": "contact:none",
        "adapter": "test",
        "received_at": NOON,
    }
    return RequestReceived(**(defaults | fields))


def update(request_id: str, action: str, department: str | None = "fen-isleri", **fields: Any) -> UpdateSubmitted:
    """
    An update with whatever its action needs.
    """
    needs: dict[str, dict[str, Any]] = {
        "resolve": {"outcome": "resolved", "note_public": "Onarıldı."},
        "reject": {"note_internal": "bizim değil"},
        "transfer": {"to": "zabita"},
        "schedule": {"planned_for": NOON + timedelta(days=2)},
        "ask": {"question": "Hangi kapının önünde?"},
        "wait": {"referred_to": {"body": "SASKİ"}},
        "extend": {"note_public": "Başka bir kurumun görüşü gerekiyor."},
        "split": {"parts": [{"to": "zabita", "service_code": "hatali-park"}, {"service_code": "yol-cukur"}]},
        "refer": {"referred_to": {"body": "SASKİ", "reference": "2026/4411"}, "note_public": "SASKİ'nin görevi."},
        "duplicate": {"master": "1" * 13},
        "cancel": {"note_public": "Vatandaş vazgeçti."},
        "reopen": {"note_internal": "yine bozuldu"},
        "note": {"note_internal": "Ekip yarın gidecek."},
    }
    defaults: dict[str, Any] = {
        "request_id": request_id,
        "update_id": random_request_id(),
        "action": action,
        "department": department,
        "submitted_at": NOON,
        "adapter": "test",
    }
    return UpdateSubmitted(**(defaults | needs.get(action, {}) | fields))


def parking_over(request_id: str, due_at: datetime = NOON + timedelta(minutes=15)) -> TimerDue:
    """
    The command that ends parking for what was to wait until then.
    """
    return TimerDue(request_id=request_id, timer="parking", due_at=due_at)


def reply(request_id: str, **fields: Any) -> CitizenReplied:
    """
    What a citizen answers.
    """
    defaults: dict[str, Any] = {
        "request_id": request_id,
        "reply_id": random_request_id(),
        "text": "Bakkalın önünde.",
        "channel": "whatsapp",
        "received_at": NOON,
        "adapter": "test",
    }
    return CitizenReplied(**(defaults | fields))


def topic_of(kind: type[Event]) -> Topic:
    """
    The topic on which routing gets an event of this type.
    """
    return next(topic for topic in (RECEIVED, UPDATES, COMMANDS, CRISES) if kind in topic.types)


def meta_of(data: Event) -> Metadata:
    """
    An envelope whose id derives from the event: the same event is the same input.
    """
    return Metadata(
        id=derived_id(data.model_dump_json()),
        source="/test",
        time=NOON,
        subject=data.key,
        correlation_id=data.key,
        causation_id=data.key,
    )


def received(data: Event) -> Received:
    """
    The event as a consumer has it.
    """
    return Received(topic_of(type(data)).name, meta_of(data), data)


def delivery(data: Event, offset: int = 0) -> Delivery:
    """
    The event as the acknowledgement loop hands it on.
    """
    record = encode(topic_of(type(data)), meta_of(data), data)
    return Delivery(record.topic, 0, offset, record.key, record.value, record.headers, received(data))


def read(record: Record) -> Received:
    """
    Decode a record that some code under test produced.
    """
    return decode(record.topic, record.key, record.value, record.headers)
