"""
What the page of health asks, on the real Kafka and the database: groups, dead letters that really go back, requests
left lying.
"""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from deploy.stack.stack import Stack
from services.common.contracts.envelope import Record, encode
from services.common.contracts.ids import random_request_id
from services.common.contracts.topics import CRISES, GROUPS, RECEIVED, dlq_of
from services.common.kit.dead_letters import dead_letter
from services.common.kit.groups import BrokerAway, standings
from services.common.kit.letters import Letter
from services.common.kit.mongo import Client
from services.common.kit.settings import KafkaSettings
from services.common.kit.worker import Delivery
from services.reporting.health.broker import Broker
from services.reporting.health.documents import Documents
from services.reporting.repository import Repository
from tests.builders import meta_of, request

pytestmark = pytest.mark.integration
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def broker(infra: Stack) -> Broker:
    return Broker(KafkaSettings(bootstrap_servers=infra.env["KAFKA_BOOTSTRAP_SERVERS"]))


@pytest.fixture
def producer(infra: Stack) -> Iterator[KafkaProducer]:
    with KafkaProducer(bootstrap_servers=infra.env["KAFKA_BOOTSTRAP_SERVERS"]) as producer:
        yield producer


def received() -> Record:
    data = request(random_request_id())
    return encode(RECEIVED, meta_of(data), data)


def dies(producer: KafkaProducer, record: Record, why: str) -> int:
    """
    Put the record where routing would have put what an older version refused; gives its offset.
    """
    delivery = Delivery(record.topic, 0, 0, record.key, record.value, record.headers)
    letter = dead_letter("routing.dlq", delivery, ValueError(why))
    sent = producer.send(letter.topic, value=letter.value, key=letter.key, headers=list(letter.headers))
    offset: int = sent.get(30).offset
    return offset


def arrived(servers: str, record: Record) -> list[tuple[bytes | None, bytes | None, dict[str, bytes]]]:
    """
    All on the record's topic that has its key.
    """
    consumer = KafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)
    try:
        places = [TopicPartition(record.topic, number) for number in consumer.partitions_for_topic(record.topic) or ()]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends, found = consumer.end_offsets(places), []
        while any(consumer.position(place) < end for place, end in ends.items()):
            for batch in consumer.poll(timeout_ms=500).values():
                found += [(one.key, one.value, dict(one.headers)) for one in batch if one.key == record.key]
        return found
    finally:
        consumer.close()


async def test_a_letter_goes_back_to_its_topic_once_and_is_no_longer_counted(
    infra: Stack, broker: Broker, producer: KafkaProducer
) -> None:
    record, why = received(), f"tag-{secrets.token_hex(4)}"
    offset = dies(producer, record, why)
    before = next(group for group in await broker.groups() if group.name == "routing")
    sent = await broker.send_back("routing", [offset])
    assert [one.offset for one in sent.done] == [offset]
    again = await broker.send_back("routing", [offset])
    assert ([one.offset for one in again.done], [one.offset for one in again.before]) == ([], [offset])
    (back,) = arrived(infra.env["KAFKA_BOOTSTRAP_SERVERS"], record)
    assert back[:2] == (record.key, record.value)
    assert back[2]["dlq-replayed-from"] == f"routing.dlq/{offset}".encode()
    after = next(group for group in await broker.groups() if group.name == "routing")
    assert after.dead == before.dead - 1


async def test_a_letter_from_nowhere_of_ours_stops_all_before_anything_is_sent(
    infra: Stack, broker: Broker, producer: KafkaProducer
) -> None:
    good = received()
    first = dies(producer, good, "good")
    stray = dies(producer, Record("nobody.knows", good.key, good.value, good.headers), "stray")
    with pytest.raises(Exception, match="none of our topics"):
        await broker.send_back("routing", [first, stray])
    assert arrived(infra.env["KAFKA_BOOTSTRAP_SERVERS"], good) == []
    waiting: list[Letter] = [one for one in await broker.letters("routing") if one.offset in (first, stray)]
    assert [one.sent_back for one in waiting] == ["", ""]


async def test_a_group_is_behind_by_what_it_has_not_acknowledged_and_who_left_is_not_in_it(
    infra: Stack, producer: KafkaProducer
) -> None:
    servers, group = infra.env["KAFKA_BOOTSTRAP_SERVERS"], f"kept-{secrets.token_hex(4)}"
    with KafkaAdminClient(bootstrap_servers=servers) as admin:
        admin.create_topics(
            {dlq_of(group).name: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True
        )
    place = TopicPartition(CRISES.name, 0)
    sent = [producer.send(CRISES.name, key=secrets.token_bytes(8), value=b"{}").get(30).offset for _ in range(3)]
    consumer = KafkaConsumer(bootstrap_servers=servers, group_id=group, enable_auto_commit=False)
    consumer.assign([place])
    consumer.seek(place, sent[1])
    consumer.commit()
    consumer.close()
    (standing,) = await standings(servers, [group])
    assert standing.behind == {f"{CRISES.name}/0": 2}
    assert standing.members in (0, None)


async def test_every_group_of_ours_is_looked_at(broker: Broker) -> None:
    assert tuple(group.name for group in await broker.groups()) == GROUPS


async def test_without_a_broker_one_is_told_in_time() -> None:
    with pytest.raises(BrokerAway):
        await Broker(KafkaSettings(bootstrap_servers="127.0.0.1:9")).groups()


async def test_left_lying_is_what_is_open_and_had_no_step_for_long(client: Client, database: str) -> None:
    repository = Repository(client, database)
    await repository.prepare()

    def row(number: int, department: str, days: int, *, closed: bool = False) -> dict[str, object]:
        at = NOW - timedelta(days=days)
        known = {"registered": True, "department": department, "closed": closed, "changed_at": at}
        return {"_id": f"r{number}", "status": "assigned", "service_code": None, **known}

    await repository.requests.insert_many(
        [row(1, "zabita", 40), row(2, "fen-isleri", 20), row(3, "zabita", 3), row(4, "zabita", 90, closed=True)]
    )
    found = await Documents(client, database).untouched_since(NOW - timedelta(days=14))
    assert (found.count, [one["_id"] for one in found.oldest]) == (2, ["r1", "r2"])
