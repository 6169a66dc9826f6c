"""
Conversations on the real MongoDB protocol: kept, found, killed anywhere; and with all services around them.
"""

import os
import secrets
import signal
from base64 import b64encode
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from deploy.stack.stack import Stack
from services.common.contracts import topics
from services.common.contracts.envelope import ContractError, Record, decode, encode
from services.common.contracts.events import ContactChanged, MessageReceived
from services.common.contracts.ids import message_hash
from services.common.contracts.vocabulary import Channel, Saying
from services.common.kit.mongo import Client, connect
from services.common.kit.settings import MongoSettings
from services.intake.calls.people import Hashes
from services.intake.calls.repository import CallRepository
from services.intake.conversations.domain import absorb
from services.intake.conversations.handler import Conversations
from services.intake.conversations.model import Conversation, Known
from services.intake.conversations.repository import ConversationRepository
from services.intake.domain import metadata
from tests.unit.intake.conversation_fakes import Died, FakeFiles, FakeSuggestions, FakeTopic, Fate
from tests.unit.intake.talks import ANA, HER_NUMBER, NOON, OPEN, RULES, message
from tests.waiting import eventually

pytestmark = pytest.mark.integration
KEPT = "a_" + "7" * 32
PHOTO = [{"provider_id": "77", "mime_type": "image/jpeg"}]


@pytest.fixture
async def store(client: Client, database: str) -> ConversationRepository:
    store = ConversationRepository(client, RULES, database)
    await store.prepare()
    return store


def begun(given: MessageReceived | None = None, now: datetime = NOON) -> Conversation:
    return absorb(None, given or message("1", "Çukur var", kind="media", media=PHOTO), Known(), now, RULES)


async def test_a_conversation_comes_back_as_it_was_written(store: ConversationRepository) -> None:
    written = await store.write(None, begun(), NOON)
    assert written is not None
    assert written.outbox
    assert await store.get(written.id) == written
    assert await store.get("whatsapp:unknown") is None


async def test_who_writes_second_is_told(store: ConversationRepository) -> None:
    first = await store.write(None, begun(), NOON)
    assert first is not None
    assert await store.write(None, begun(), NOON) is None
    assert await store.write(first, replace(first, hidden=True), NOON) is not None
    assert await store.write(first, first, NOON) is None
    there = await store.get(first.id)
    assert there is not None
    assert there.hidden


async def test_a_person_is_found_by_any_hash_on_the_same_channel_alone(store: ConversationRepository) -> None:
    written = await store.write(None, begun(), NOON)
    for hashes in ([ANA], ["5" * 32, HER_NUMBER]):
        assert await store.find(Channel.WHATSAPP, hashes, NOON) == written
    assert await store.find(Channel.SMS, [HER_NUMBER], NOON) is None
    other = await store.write(None, begun(message("2", "Lamba", person=HER_NUMBER, also=())), NOON)
    assert await store.find(Channel.WHATSAPP, [HER_NUMBER, ANA], NOON) in (written, other)
    assert await store.find(Channel.WHATSAPP, [ANA, HER_NUMBER], NOON) == written


async def test_what_is_due_is_found_when_it_is(store: ConversationRepository) -> None:
    one = await store.write(None, begun(), NOON)
    assert one is not None
    soon, later = NOON + timedelta(seconds=1), NOON + RULES.longest
    assert await store.due(soon, NOON - timedelta(seconds=1)) == []
    assert await store.due(soon, NOON) == [one.id]  # its outbox is not empty
    assert await store.due(later, NOON - timedelta(seconds=1)) == [one.id]
    assert await store.to_fetch(NOON - timedelta(seconds=1)) == []
    assert await store.to_fetch(NOON) == [one.id]


async def test_whoever_was_erased_is_not_known(store: ConversationRepository) -> None:
    one = await store.write(None, begun(), NOON)
    assert one is not None
    await store.forget([])
    await store.forget(["c_" + "5" * 32])
    assert await store.get(one.id) == one
    await store.forget([one.contact_id])
    assert await store.get(one.id) is None


async def test_our_messages_are_found_by_channel_and_providers_id(store: ConversationRepository) -> None:
    for _ in range(2):
        await store.keep_sent(
            {message_hash(Channel.WHATSAPP, "x"): OPEN, message_hash(Channel.EMAIL, "x"): "7XK29MQ4T3BDA"}, NOON
        )
    asked = [(Channel.WHATSAPP, "x"), (Channel.SMS, "x")]
    assert await store.sent(asked) == {(Channel.WHATSAPP, "x"): OPEN}
    assert await store.sent([]) == {}


async def test_the_telephone_number_that_whatsapps_ids_hold_is_not_kept(
    store: ConversationRepository, client: Client, database: str
) -> None:
    name = "wamid." + b64encode(b"\x1c\x18\x0c905320000001\x15\x02\x00\x12\x18\x143AADF84413").decode()
    await store.keep_sent({message_hash(Channel.WHATSAPP, name): OPEN}, NOON)
    assert await store.sent([(Channel.WHATSAPP, name)]) == {(Channel.WHATSAPP, name): OPEN}
    rows = await client[database]["sent"].find().to_list(None)
    assert [name in str(row) for row in rows] == [False]


async def test_contacts_are_found_by_telephone_whatsapp_and_mail(client: Client, database: str) -> None:
    people = CallRepository(client, database)
    await people.prepare_people()
    rows = {"c_1": Hashes(NOON, phone="p"), "c_2": Hashes(NOON, whatsapp="w"), "c_3": Hashes(NOON, email="e")}
    await people.keep_people(rows, {OPEN: "c_2"})
    assert set(await people.contacts_with(["p", "w", "e", "x"], 10)) == {"c_1", "c_2", "c_3"}
    assert await people.contacts_with(["x"], 10) == []


# --- killed anywhere ---

GIVEN = (
    message("1", "Çukur var"),
    message("2", None, sent=1, kind="media", media=PHOTO),
    message("3", "Bakkalın önünde", sent=2, reply_to=("ours",)),
    message("4", "Kale mahallesi", sent=3),
)


class Mortal(ConversationRepository):
    """
    The real repository, until the process dies.
    """

    def __init__(self, client: Client, database: str, fate: Fate) -> None:
        super().__init__(client, RULES, database)
        self._fate = fate

    async def get(self, conversation_id: str) -> Conversation | None:
        self._fate.step()
        return await super().get(conversation_id)

    async def write(self, before: Conversation | None, after: Conversation, now: datetime) -> Conversation | None:
        self._fate.step()
        written = await super().write(before, after, now)
        self._fate.step()
        return written


async def lived_through(uri: str, again: int, dies_at: list[int]) -> list[Record]:
    """
    The messages come, one of them once more, and time passes; a worker that dies is replaced.
    """
    client, database, fate = connect(MongoSettings(uri=uri)), f"test_{secrets.token_hex(6)}", Fate(dies_at)
    store, topic, now = Mortal(client, database, fate), FakeTopic(fate), NOON
    files, persons, suggestions = FakeFiles({"77": KEPT}, fate), CallRepository(client, database), FakeSuggestions()

    def worker() -> Conversations:
        return Conversations(
            store=store,
            persons=persons,
            sender=topic,
            suggestions=suggestions,
            files=files,
            rules=RULES,
            clock=lambda: now,
        )

    async def until_alive(work: Callable[[Conversations], Awaitable[None]]) -> None:
        while True:
            try:
                return await work(worker())
            except Died:
                continue

    try:
        await store.keep_sent({message_hash(Channel.WHATSAPP, "ours"): OPEN}, NOON)
        for batch in (GIVEN[:2], GIVEN[2:], (GIVEN[again],)):
            await until_alive(partial(Conversations.take, messages=batch))
        for seconds in (30, 60, 130, 140, 150, 160):
            now = NOON + timedelta(seconds=seconds)
            await until_alive(Conversations.fetch)
            await until_alive(Conversations.sweep)
        row = await client[database]["conversations"].find_one({})
        assert "Çukur" not in str(row)
    finally:
        await client.drop_database(database)
        client.close()
    return topic.records


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(again=st.integers(0, len(GIVEN) - 1), dies_at=st.lists(st.integers(1, 50), max_size=5))
async def test_killed_anywhere_the_same_is_requested_and_said(mongo_uri: str, again: int, dies_at: list[int]) -> None:
    expected = await lived_through(mongo_uri, 0, [])
    records = await lived_through(mongo_uri, again, dies_at)
    versions: dict[bytes, set[Record]] = defaultdict(set)
    for record in records:
        versions[dict(record.headers)["ce_id"]].add(record)
    assert all(len(found) == 1 for found in versions.values()), "an event stands on its topic in two versions"
    assert set(records) == set(expected)


# --- with all services ---


def published(stack: Stack, topic: topics.Topic, contact_id: str) -> list[Any]:
    """
    The events about this contact on a topic.
    """
    consumer = KafkaConsumer(bootstrap_servers=stack.env["KAFKA_BOOTSTRAP_SERVERS"], consumer_timeout_ms=1_000)
    try:
        places = [TopicPartition(topic.name, n) for n in sorted(consumer.partitions_for_topic(topic.name) or ())]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        rows = []
        for row in consumer:
            with suppress(ContractError):  # other tests put junk on these topics
                rows.append(decode(row.topic, row.key, row.value, row.headers).data)
    finally:
        consumer.close()
    return [row for row in rows if getattr(row, "contact_id", None) == contact_id]


def test_an_emergency_by_whatsapp_is_one_request_though_the_worker_is_killed(stack: Stack) -> None:
    person, name, now = secrets.token_hex(16), secrets.token_hex(8), datetime.now(UTC)
    contact_id = "c_" + person
    fields: dict[str, Any] = {"person": person, "contact_id": contact_id, "sent_at": now, "received_at": now}
    given = message(name, "Kale mahallesinde yangın var", also=(), **fields)
    contact = ContactChanged(contact_id=contact_id, changed_at=now, phone="+905320000001", whatsapp_id="905320000001")
    meta = metadata(given.message_id, given.message_id, given.message_id, now)
    about = metadata(secrets.token_hex(16), given.message_id, given.message_id, now)
    records = [encode(topics.CONTACTS, about, contact), *[encode(topics.MESSAGES_IN, meta, given)] * 2]
    producer = KafkaProducer(bootstrap_servers=stack.env["KAFKA_BOOTSTRAP_SERVERS"])
    for record in records:
        producer.send(record.topic, key=record.key, value=record.value, headers=list(record.headers))
    producer.flush()
    producer.close()
    if stack.config.kind != "embedded":  # that broker does not free the place of who is killed
        os.kill(stack.pid("intake-worker") or 0, signal.SIGKILL)
    requests = eventually(lambda: published(stack, topics.RECEIVED, contact_id), what="the request")
    assert {request.text for request in requests} == {"Kale mahallesinde yangın var"}
    assert len({request.request_id for request in requests}) == 1
    said = eventually(
        lambda: [one.say for one in published(stack, topics.MESSAGES_OUT, contact_id)], what="what is to be said"
    )
    assert set(said) >= {Saying.NOTICE, Saying.DANGER}
    (assigned,) = eventually(
        lambda: {one.department for one in published(stack, topics.LIFECYCLE, contact_id) if one.seq == 2},
        what="the assignment",
    )
    assert assigned
