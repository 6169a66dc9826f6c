"""
CloudEvents 1.0 in Kafka's binary mode: metadata in headers, the event as JSON in the value.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from pydantic import ValidationError

from services.common.contracts.events import Event, of_our_age
from services.common.contracts.ids import derived_id
from services.common.contracts.topics import TOPICS_BY_NAME, Topic

TYPE_PREFIX: Final = "tr.bel.ilkadim.ilkim."
CONTENT_TYPE: Final = "application/json"
_REQUIRED: Final = ("ce_id", "ce_type", "ce_source", "ce_specversion", "ce_time")
_OURS: Final = (*_REQUIRED, "ce_subject", "correlation-id", "causation-id")
MAX_HEADER: Final = 200

Headers = tuple[tuple[str, bytes], ...]


class ContractError(Exception):
    """
    The record is not an event of its topic. The message names what is wrong and never quotes the payload.
    """


@dataclass(frozen=True, slots=True)
class Record:
    """
    A record as bytes, ready for Kafka or for an outbox. ``value`` None is a tombstone.
    """

    topic: str
    key: bytes
    value: bytes | None
    headers: Headers


def pack(records: Sequence[Record]) -> bytes:
    """
    Records as one byte string, for an outbox in a database: there, nested lists of bytes cost twice as much.
    """
    parts: list[bytes] = []
    for record in records:
        pairs = [part for name, value in record.headers for part in (name.encode(), value)]
        parts += [record.topic.encode(), record.key, b"" if record.value is None else b"\1" + record.value]
        parts += [len(record.headers).to_bytes(2, "big"), *pairs]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def unpack(packed: bytes) -> tuple[Record, ...]:
    """
    What ``pack`` packed. Raises ``ValueError`` if the bytes are cut.
    """
    parts: list[bytes] = []
    at = 0
    while at < len(packed):
        end = at + 4 + int.from_bytes(packed[at : at + 4], "big")
        if end > len(packed):
            raise ValueError("packed records are cut")
        parts.append(packed[at + 4 : end])
        at = end
    records, left = [], iter(parts)
    for topic in left:
        key, value, count = next(left), next(left), int.from_bytes(next(left), "big")
        headers = tuple((next(left).decode(), next(left)) for _ in range(count))
        records.append(Record(topic.decode(), key, value[1:] if value else None, headers))
    return tuple(records)


@dataclass(frozen=True, slots=True)
class Metadata:
    """
    The envelope of an event. ``subject`` is the request_id; ``causation_id`` is the ce_id of what caused it.
    """

    id: str
    source: str
    time: datetime
    subject: str
    correlation_id: str
    causation_id: str


@dataclass(frozen=True, slots=True)
class Received:
    """
    A decoded record.
    """

    topic: str
    meta: Metadata
    data: Event


def traceparent(correlation_id: str, event_id: str) -> str:
    """
    The W3C trace context of an event, derived from its ids, so that a repeat has the same bytes.
    """
    return f"00-{sha256(correlation_id.encode()).hexdigest()[:32]}-{sha256(event_id.encode()).hexdigest()[:16]}-01"


def rfc3339(moment: datetime) -> str:
    """
    A time in UTC with microseconds and ``Z``. Raises ``ValueError`` for a time without a zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time needs a zone")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def encode(topic: Topic, meta: Metadata, data: Event) -> Record:
    """
    Put an event into a record: the same event and metadata always give the same bytes.

    Raises ``ContractError`` if the topic does not carry this type.
    """
    if type(data) not in topic.types:
        raise ContractError(f"{topic.name} does not carry {type(data).__name__}")
    headers = {
        "ce_id": meta.id,
        "ce_type": TYPE_PREFIX + type(data).__name__,
        "ce_source": meta.source,
        "ce_specversion": "1.0",
        "ce_time": rfc3339(meta.time),
        "ce_subject": meta.subject,
        "content-type": CONTENT_TYPE,
        "traceparent": traceparent(meta.correlation_id, meta.id),
        "correlation-id": meta.correlation_id,
        "causation-id": meta.causation_id,
    }
    value = data.model_dump_json(exclude_none=True).encode()
    return Record(topic.name, data.key.encode(), value, tuple((k, v.encode()) for k, v in headers.items()))


def decode(topic_name: str, key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> Received:
    """
    Read a record of one of our topics, ignoring fields that this version does not know.

    Raises ``ContractError`` for anything that is not such an event: no value, a missing or odd header, a type that the
    topic does not carry, a payload that does not fit, a key that is not the payload's.
    """
    topic = TOPICS_BY_NAME.get(topic_name)
    if topic is None:
        raise ContractError(f"{topic_name} is not one of our topics")
    if not value:
        raise ContractError("the value is empty")
    meta, kind = _metadata(headers)
    model = topic.by_type.get(kind)
    if model is None:
        raise ContractError(f"{topic_name} does not carry {kind[:80]}")
    try:
        data = model.model_validate_json(value, extra="ignore")
    except ValidationError as error:
        places = "; ".join(
            f"{'.'.join(map(str, row['loc'])) or 'payload'}: {row['type']}"
            for row in error.errors(include_input=False, include_url=False, include_context=False)[:5]
        )
        raise ContractError(f"{kind}: {places}") from None
    if key != data.key.encode():
        raise ContractError(f"the key is not the payload's {type(data).key_field}")
    return Received(topic_name, meta, data)


def _metadata(headers: Iterable[tuple[str, bytes]]) -> tuple[Metadata, str]:
    try:
        found = {name: raw.decode("utf-8") for name, raw in headers}
    except (UnicodeDecodeError, AttributeError):
        raise ContractError("a header is empty or not UTF-8") from None
    for name in _REQUIRED:
        if not found.get(name):
            raise ContractError(f"header {name} is missing")
    for name in _OURS:
        if len(found.get(name, "")) > MAX_HEADER:
            raise ContractError(f"header {name} is longer than {MAX_HEADER} characters")
    if found["ce_specversion"] != "1.0":
        raise ContractError("ce_specversion must be 1.0")
    if not found["ce_type"].startswith(TYPE_PREFIX):
        raise ContractError(f"ce_type must start with {TYPE_PREFIX}")
    try:
        time = datetime.fromisoformat(found["ce_time"])
        utc = time.astimezone(UTC)
        if time.tzinfo is None:
            raise ContractError("ce_time must have a zone")
        of_our_age(utc)
    except (ValueError, OverflowError):
        raise ContractError("ce_time must be an RFC 3339 time between 2000 and 2100") from None
    meta = Metadata(
        id=found["ce_id"],
        source=found["ce_source"],
        time=utc,
        subject=found.get("ce_subject", ""),
        correlation_id=found.get("correlation-id", ""),
        causation_id=found.get("causation-id", ""),
    )
    return meta, found["ce_type"].removeprefix(TYPE_PREFIX)


def caused(cause: Metadata, source: str, at: datetime, *names: str) -> Metadata:
    """
    The metadata of an event that follows from another: its id derives from the cause's id and ``names``.
    """
    return Metadata(
        id=derived_id(cause.id, *names),
        source=source,
        time=at,
        subject=cause.subject,
        correlation_id=cause.correlation_id,
        causation_id=cause.id,
    )
