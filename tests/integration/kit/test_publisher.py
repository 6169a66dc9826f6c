"""
The real publisher on the broker of this run, and that all our clients agree on where a key lives.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from deploy.stack.stack import Stack
from services.common.contracts.envelope import Record
from services.common.contracts.ids import random_request_id
from services.common.contracts.topics import RECEIVED
from services.common.kit.publisher import KafkaPublisher, PublishFailed
from services.common.kit.settings import KafkaSettings
from tests.contract.publisher_contract import PublisherContract, ReadBack, record

pytestmark = pytest.mark.integration


def stored(servers: str) -> list[Record]:
    with KafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest") as consumer:
        places = [TopicPartition(RECEIVED.name, n) for n in consumer.partitions_for_topic(RECEIVED.name) or ()]
        consumer.assign(places)
        ends = consumer.end_offsets(places)
        found = []
        while any(consumer.position(place) < end for place, end in ends.items()):
            for rows in consumer.poll(timeout_ms=500).values():
                found += [Record(row.topic, row.key, row.value, tuple(row.headers)) for row in rows]
        return found


class TestKafkaPublisher(PublisherContract):
    """
    kafka-python, idempotent, acks=all.
    """

    @pytest.fixture
    async def publisher(self, infra: Stack) -> AsyncIterator[KafkaPublisher]:
        publisher = KafkaPublisher(KafkaSettings(bootstrap_servers=infra.env["KAFKA_BOOTSTRAP_SERVERS"]))
        yield publisher
        await publisher.close()

    @pytest.fixture
    def read_back(self, infra: Stack) -> ReadBack:
        async def read(key: bytes) -> list[Record]:
            found = await asyncio.to_thread(stored, infra.env["KAFKA_BOOTSTRAP_SERVERS"])
            return [one for one in found if one.key == key]

        return read

    @pytest.fixture
    def cut_off(self, publisher: KafkaPublisher) -> Callable[[], Awaitable[None]]:
        async def cut() -> None:
            publisher._settings = KafkaSettings(bootstrap_servers="127.0.0.1:9")  # nobody listens there

        return cut


async def test_a_record_that_is_too_large_is_refused_and_the_next_one_goes_through(infra: Stack) -> None:
    publisher = KafkaPublisher(KafkaSettings(bootstrap_servers=infra.env["KAFKA_BOOTSTRAP_SERVERS"]))
    try:
        with pytest.raises(PublishFailed, match="MessageSizeTooLarge"):
            await publisher.publish(record(random_request_id(), "x" * 3_000_000))
        await publisher.publish(record(random_request_id(), "metin"))
    finally:
        await publisher.close()


async def test_a_client_that_met_a_fatal_error_is_replaced(infra: Stack) -> None:
    publisher = KafkaPublisher(KafkaSettings(bootstrap_servers=infra.env["KAFKA_BOOTSTRAP_SERVERS"]))
    try:
        await publisher.publish(record(random_request_id(), "metin"))
        broken = publisher._producer
        assert broken is not None
        broken._transaction_manager.transition_to_fatal_error(KafkaError("its request for an id timed out"))
        with pytest.raises(PublishFailed):
            await publisher.publish(record(random_request_id(), "metin"))
        assert publisher._replacing is not None
        await publisher._replacing
        await publisher.publish(record(random_request_id(), "metin"))
    finally:
        await publisher.close()


async def test_intakes_and_the_workers_clients_put_a_key_on_the_same_partition(infra: Stack) -> None:
    servers = infra.env["KAFKA_BOOTSTRAP_SERVERS"]
    numbers = [random_request_id().encode() for _ in range(50)]
    theirs = AIOKafkaProducer(bootstrap_servers=servers)
    await theirs.start()
    ours = await asyncio.to_thread(_partitions, servers, numbers)
    try:
        sent = [await theirs.send_and_wait(RECEIVED.name, b"{}", key=number) for number in numbers]
    finally:
        await theirs.stop()
    assert [row.partition for row in sent] == ours
    assert len(set(ours)) > 1


def _partitions(servers: str, keys: list[bytes]) -> list[int]:
    from kafka import KafkaProducer

    with KafkaProducer(bootstrap_servers=servers) as producer:
        return [producer.send(RECEIVED.name, value=b"{}", key=key).get(10).partition for key in keys]


async def test_it_publishes_again_after_a_clean_restart_of_its_broker_with_records_under_way(infra: Stack) -> None:
    """
    kafka-python 3.0.12 dropped its producer id when a record expired, and never asked for another.
    """
    publisher = KafkaPublisher(KafkaSettings(bootstrap_servers=infra.env["KAFKA_BOOTSTRAP_SERVERS"]))
    number = random_request_id()
    try:
        await publisher.publish(record(number, "vorher"))
        stopping = asyncio.create_task(asyncio.to_thread(infra.stop, "kafka-1"))
        failed = 0
        while not (stopping.done() and failed):  # the broker refuses, then is gone; records expire after 8 s
            results = await asyncio.gather(
                *(publisher.publish(record(number, "metin")) for _ in range(3)), return_exceptions=True
            )
            failed += sum(isinstance(result, PublishFailed) for result in results)
        await asyncio.to_thread(infra.start, "kafka-1")
        async with asyncio.timeout(60):
            while True:
                try:
                    await publisher.publish(record(number, "nachher"))
                    break
                except PublishFailed:
                    continue
    finally:
        await publisher.close()
    assert any(
        b"nachher" in (one.value or b"")
        for one in await asyncio.to_thread(stored, infra.env["KAFKA_BOOTSTRAP_SERVERS"])
    )
