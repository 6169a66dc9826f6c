"""
Records that are not ours, on every topic that a service reads: each becomes a dead letter, and the line goes on.

All junk is sent first, each piece followed, in the same partition, by a good request; then every case is looked at.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.partitioner import murmur2

from deploy.stack.stack import Stack
from services.common.contracts import events, topics
from services.common.contracts.envelope import Headers, Record, encode
from services.common.contracts.ids import derived_id, random_request_id
from services.common.kit import letters
from tests.builders import meta_of, parking_over, request, update
from tests.waiting import eventually

pytestmark = pytest.mark.e2e

OWN_SYSTEM = topics.department_updates_topic("fen-isleri")
READERS = {
    topics.RECEIVED.name: ("routing", "reporting"),
    topics.UPDATES.name: ("routing", "reporting"),
    topics.COMMANDS.name: ("routing",),
    OWN_SYSTEM.name: ("routing",),
    topics.LIFECYCLE.name: ("intake", "notify", "reporting"),
    topics.CONTACTS.name: ("notify",),
    topics.NOTIFICATIONS.name: ("reporting",),
}


def good(topic: str, request_id: str, contact_id: str) -> Record:
    """
    An event as it belongs on the topic.
    """
    now = datetime.now(UTC)
    data: dict[str, events.Event] = {
        topics.RECEIVED.name: request(request_id, contact_id=contact_id, received_at=now),
        topics.UPDATES.name: update(request_id, "accept", update_id="1"),
        OWN_SYSTEM.name: update(request_id, "accept", update_id="1"),
        topics.COMMANDS.name: parking_over(request_id),
        topics.LIFECYCLE.name: events.RequestRegistered(request_id=request_id, seq=1, occurred_at=now),
        topics.CONTACTS.name: events.ContactChanged(
            contact_id=contact_id, changed_at=now, email=f"{request_id.lower()}@example.org"
        ),
        topics.NOTIFICATIONS.name: events.NotificationQueued(
            request_id=request_id, transition="received", recipient=contact_id, occurred_at=now
        ),
    }
    return encode(topics.TOPICS_BY_NAME[topic], meta_of(data[topic]), data[topic])


def headers(record: Record, **changes: bytes) -> Headers:
    changed: dict[str, Any] = dict(record.headers) | changes
    return tuple(changed.items())


def other_type(record: Record) -> bytes:
    name = "RequestReceived" if record.topic == topics.CONTACTS.name else "ContactChanged"
    return f"tr.bel.ilkadim.ilkim.{name}".encode()


KINDS: dict[str, tuple[str, Callable[[Record], Record]]] = {
    "tombstone where none belongs": (
        "value is empty",
        lambda r: replace(r, value=None, key=b"" if r.topic == topics.CONTACTS.name else r.key),
    ),
    "empty value": ("value is empty", lambda r: replace(r, value=b"")),
    "no headers": ("header ce_id is missing", lambda r: replace(r, headers=())),
    "header that is no text": ("not UTF-8", lambda r: replace(r, headers=headers(r, ce_id=b"\xff\xfe"))),
    "empty header": ("header ce_source is missing", lambda r: replace(r, headers=headers(r, ce_source=b""))),
    "type of another topic": ("does not carry", lambda r: replace(r, headers=headers(r, ce_type=other_type(r)))),
    "unknown type": (
        "does not carry NeverHeardOf",
        lambda r: replace(r, headers=headers(r, ce_type=b"tr.bel.ilkadim.ilkim.NeverHeardOf")),
    ),
    "type of another system": (
        "ce_type must start",
        lambda r: replace(r, headers=headers(r, ce_type=b"com.example.Thing")),
    ),
    "newer version": ("ce_specversion must be 1.0", lambda r: replace(r, headers=headers(r, ce_specversion=b"2.0"))),
    "time outside the calendar": (
        "ce_time must be",
        lambda r: replace(r, headers=headers(r, ce_time=b"0001-01-01T00:00:00+23:59")),
    ),
    "no JSON": ("json_invalid", lambda r: replace(r, value=b"<xml/>")),
    "a list": ("model_type|model_attributes_type", lambda r: replace(r, value=b"[]")),
    "an object without fields": ("missing", lambda r: replace(r, value=b"{}")),
    "deep nesting": ("json_invalid", lambda r: replace(r, value=b"[" * 200_000)),
    "lone surrogate": ("json_invalid", lambda r: replace(r, value=(r.value or b"")[:-1] + b',"x":"\\ud800"}')),
    "another's key": ("the key is not", lambda r: replace(r, key=random_request_id().encode())),
    "no key": ("the key is not", lambda r: replace(r, key=b"")),
    "1 MB of noise": ("json_invalid", lambda r: replace(r, value=os.urandom(1_000_000))),
}


@dataclass(frozen=True)
class Case:
    """
    One piece of junk, where it lies, and the good request behind it.
    """

    junk: Record
    partition: int
    offset: int
    request_id: str

    @property
    def origin(self) -> str:
        return f"{self.junk.topic}/{self.partition}/{self.offset}"


class Aftermath:
    """
    What became of everything that was sent.
    """

    def __init__(self, stack: Stack) -> None:
        self.env = stack.env
        self.servers = stack.env["KAFKA_BOOTSTRAP_SERVERS"]
        self.http = httpx.Client(headers={"X-API-Key": self.env["API_KEY"]}, timeout=15)
        self.letters: dict[tuple[str, str], letters.Letter] = {}
        with KafkaProducer(bootstrap_servers=self.servers, max_request_size=2_097_152) as producer:
            self.cases = {(topic, kind): self._send(producer, topic, kind) for topic in READERS for kind in KINDS}
            producer.flush()

    def _send(self, producer: KafkaProducer, topic: str, kind: str) -> Case:
        request_id, contact_id = random_request_id(), f"c_{derived_id(random_request_id())}"
        model = good(topic, request_id, contact_id)
        junk = KINDS[kind][1](model)
        partitions = topics.TOPICS_BY_NAME[topic].partitions
        lies = producer.send(
            topic,
            value=junk.value,
            key=junk.key or (b"" if topic == topics.CONTACTS.name else None),  # compacted: a key, be it empty
            headers=list(junk.headers),
            partition=(murmur2(model.key) & 0x7FFFFFFF) % partitions,
        ).get(timeout=30)
        own_way = topic if topic in (topics.UPDATES.name, topics.COMMANDS.name) else OWN_SYSTEM.name
        for name in (topics.CONTACTS.name, topics.RECEIVED.name, own_way):
            behind = good(name, request_id, contact_id)
            sent = producer.send(name, value=behind.value, key=behind.key, headers=list(behind.headers))
            assert name != topic or sent.get(timeout=30).partition == lies.partition
        return Case(junk, lies.partition, lies.offset, request_id)

    def letter(self, group: str, origin: str) -> letters.Letter | None:
        if (group, origin) not in self.letters:
            self.letters |= {(group, letter.origin): letter for letter in letters.read(self.servers, group)}
        return self.letters.get((group, origin))

    def get(self, service: str, path: str) -> dict[str, Any]:
        answer = self.http.get(self.env[f"{service}_URL"] + path)
        return dict(answer.json()) if answer.is_success else {}


@pytest.fixture(scope="module")
def aftermath(stack: Stack) -> Iterator[Aftermath]:
    made = Aftermath(stack)
    yield made
    made.http.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("topic", READERS)
def test_junk_becomes_a_dead_letter_with_its_reason_and_the_request_behind_it_is_handled(
    aftermath: Aftermath, topic: str, kind: str
) -> None:
    case = aftermath.cases[topic, kind]
    for group in READERS[topic]:
        letter = eventually(lambda group=group: aftermath.letter(group, case.origin))
        assert letter.reason == "ContractError"
        assert [part for part in KINDS[kind][0].split("|") if part in letter.detail], letter.detail
        assert (letter.key, letter.value) == (case.junk.key, case.junk.value)
        assert letter.headers == case.junk.headers
        assert eventually(lambda group=group: committed(aftermath.servers, group, case))
    assert eventually(lambda: registered_and_told(aftermath, case.request_id))
    if topic != topics.COMMANDS.name:
        path = f"/v1/requests/{case.request_id}/updates/1"
        assert eventually(lambda: aftermath.get("INTAKE", path).get("result") == "applied")


def registered_and_told(aftermath: Aftermath, request_id: str) -> bool:
    found = aftermath.get("REPORTING", f"/v1/requests/{request_id}")
    return "sent" in [step["outcome"] for step in found.get("told", [])]


def committed(servers: str, group: str, case: Case) -> bool:
    with KafkaConsumer(bootstrap_servers=servers.split(","), group_id=group, enable_auto_commit=False) as consumer:
        return (consumer.committed(TopicPartition(case.junk.topic, case.partition)) or 0) > case.offset
