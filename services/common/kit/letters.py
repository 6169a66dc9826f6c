"""
Dead letters read from their topics and sent back to where they came from. (Writing them: ``dead_letters``.)

What was sent back is noted behind it, as a record on the dead-letter topic itself (key ``dlq-note``), so that nothing
is sent back twice and the note is kept exactly as long as its letter. Who dies between sending and noting sends again
next time: the same ce_id, which has one effect.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from services.common.contracts.envelope import ContractError, Headers, Record, decode, rfc3339
from services.common.contracts.topics import TOPICS_BY_NAME, dlq_of
from services.common.kit.dead_letters import AT, DETAIL, ORIGIN, REASON
from services.common.kit.publisher import Publisher

NOTE_KEY: Final = b"dlq-note"
NOTE_OF: Final = "dlq-offset"
NOTE_HOW: Final = "dlq-how"
REPLAYED: Final = "dlq-replayed-from"


class LettersError(Exception):
    """
    The letters cannot be read or sent; the message says what to do about it.
    """


@dataclass(frozen=True, slots=True)
class Letter:
    """
    A dead letter: its place, why and from where it came, and the original as bytes.
    """

    topic: str
    offset: int
    at: str
    origin: str
    reason: str
    detail: str
    key: bytes
    value: bytes | None
    headers: Headers
    sent_back: str = ""

    @property
    def origin_topic(self) -> str:
        """
        The topic to send it back to. Raises ``LettersError`` if that is none of ours.
        """
        name = self.origin.rsplit("/", 2)[0]
        if name not in TOPICS_BY_NAME or name.endswith(".dlq"):
            raise LettersError(f"letter {self.offset} comes from {name!r}, which is none of our topics")
        return name

    def matches(self, text: str | None, first: int, last: int | None) -> bool:
        """
        Whether it lies in the range, and the text in its reason or detail.
        """
        said = f"{self.reason} {self.detail}".casefold()
        in_range = first <= self.offset and (last is None or self.offset <= last)
        return in_range and (text is None or text.casefold() in said)

    def original(self, how: str) -> Record:
        """
        The original record, with a header that says from which letter it is.
        """
        return Record(
            self.origin_topic, self.key, self.value, (*self.headers, (how, f"{self.topic}/{self.offset}".encode()))
        )


def letters_of(records: Iterable[Any]) -> list[Letter]:
    """
    The dead letters among the records of a dead-letter topic, each knowing whether it was sent back.
    """
    letters, sent = [], {}
    for record in records:
        headers = tuple(record.headers or ())
        ours = {name: (raw or b"").decode("utf-8", "replace") for name, raw in headers if name.startswith("dlq-")}
        if record.key == NOTE_KEY and NOTE_OF in ours:
            sent[ours[NOTE_OF]] = f"{ours.get(NOTE_HOW, 'sent back')} {ours.get(AT, '')[:19]}".strip()
            continue
        kept = tuple((name, raw) for name, raw in headers if not name.startswith("dlq-"))
        letters.append(
            Letter(
                topic=record.topic,
                offset=record.offset,
                at=ours.get(AT, ""),
                origin=ours.get(ORIGIN, "?"),
                reason=ours.get(REASON, "?"),
                detail=ours.get(DETAIL, ""),
                key=record.key or b"",
                value=record.value,
                headers=kept,
            )
        )
    return [replace(one, sent_back=sent.get(str(one.offset), "")) for one in letters]


def read(servers: str, group: str, newest: int | None = None) -> list[Letter]:
    """
    The dead letters of the group that the broker still keeps, oldest first; of a long topic only those among the
    ``newest`` records. Waits for the broker: not for an event loop. Raises ``LettersError``.
    """
    consumer, place = reader(servers, dlq_of(group).name)
    try:
        end = consumer.end_offsets([place])[place]
        consumer.seek_to_beginning(place)
        if newest is not None and consumer.position(place) < end - newest:
            consumer.seek(place, end - newest)
        found: list[Any] = []
        while consumer.position(place) < end:
            for batch in consumer.poll(timeout_ms=500).values():
                found += batch
        return letters_of(found)
    except (KafkaError, OSError):
        raise _no_broker(servers) from None
    finally:
        with suppress(KafkaError, OSError):
            consumer.close()


def reader(servers: str, topic: str) -> tuple[KafkaConsumer, TopicPartition]:
    """
    A consumer without a group on a topic of one partition, placed nowhere yet. Raises ``LettersError``.
    """
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=servers.split(","),
            bootstrap_timeout_ms=5_000,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=4_194_304,
        )
    except (KafkaError, OSError):
        raise _no_broker(servers) from None
    if not consumer.partitions_for_topic(topic):
        consumer.close()
        raise LettersError(f"the broker has no topic {topic}: `python -m deploy.topics apply` makes it")
    place = TopicPartition(topic, 0)
    consumer.assign([place])
    return consumer, place


def _no_broker(servers: str) -> LettersError:
    return LettersError(f"no broker answers at {servers}: does it run (`make up`, `make status`)?")


def refused_by_contracts(record: Record) -> str:
    """
    Why the contracts do not take the record; empty if they do. It never quotes what the record says.
    """
    try:
        decode(record.topic, record.key, record.value, record.headers)
    except ContractError as reason:
        return str(reason)
    return ""


def note(letter: Letter, how: str) -> Record:
    """
    The record that remembers that this letter was sent back.
    """
    headers = {NOTE_OF: str(letter.offset), NOTE_HOW: how, AT: rfc3339(datetime.now(UTC))}
    return Record(letter.topic, NOTE_KEY, None, tuple((name, text.encode()) for name, text in headers.items()))


async def send_back(publisher: Publisher, letter: Letter, record: Record, how: str) -> None:
    """
    Send what is to be sent for the letter, and note that it was. Raises ``PublishFailed``.
    """
    await publisher.publish(record)
    await publisher.publish(note(letter, how))
