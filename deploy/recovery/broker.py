"""
Whole topics and what groups acknowledged, read from a broker and brought back to one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from time import monotonic, sleep
from typing import Final, TypeVar

from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from deploy.observe import everything_of
from deploy.recovery.archive import Copied, copied
from deploy.terminal import ToolError
from deploy.topics import admin_client
from services.common.contracts.topics import GROUPS

SILENCE_SECONDS: Final = 30.0
Answer = TypeVar("Answer")
Offsets = dict[str, dict[str, int]]
"""By group and partition (``topic/number``), up to where everything is acknowledged."""


def place(partition: str) -> TopicPartition:
    """
    ``topic/number`` as the client has it.
    """
    topic, _, number = partition.rpartition("/")
    return TopicPartition(topic, int(number))


def name_of(place_: TopicPartition) -> str:
    """
    The inverse of ``place``.
    """
    return f"{place_.topic}/{place_.partition}"


def acknowledged(servers: str) -> Offsets:
    """
    What our groups have acknowledged; a group that never did is there with nothing.
    """
    found: Offsets = {}
    with admin_client(servers) as client:
        for group in GROUPS:
            known = _answered(partial(client.list_group_offsets, {group: None})).get(group, {})
            found[group] = {name_of(at): one.offset for at, one in sorted(known.items()) if one.offset >= 0}
    return found


def members(servers: str) -> dict[str, int]:
    """
    How many processes are in each of our groups.
    """
    with admin_client(servers) as client:
        found = _answered(partial(client.describe_groups, list(GROUPS)))
    return {group: len(described["members"]) for group, described in found.items()}


def ends(servers: str, topics: Iterable[str]) -> dict[str, int]:
    """
    By partition, the offset that the next record will get.
    """
    consumer = everything_of(servers, topics)
    try:
        return {name_of(at): end for at, end in consumer.end_offsets(list(consumer.assignment())).items()}
    finally:
        consumer.close()


def beginnings(servers: str, topics: Iterable[str]) -> dict[str, int]:
    """
    By partition, the offset of the oldest record that the broker keeps.
    """
    consumer = everything_of(servers, topics)
    try:
        return {name_of(at): first for at, first in consumer.beginning_offsets(list(consumer.assignment())).items()}
    finally:
        consumer.close()


def read(servers: str, topic: str) -> Iterator[Copied]:
    """
    The records that stand on a topic now, of each partition in their order. Raises ``ToolError`` if no more come.
    """
    consumer = everything_of(servers, [topic])
    try:
        places = list(consumer.assignment())
        until = consumer.end_offsets(places)
        heard = monotonic()
        while open_ones := [at for at in places if consumer.position(at) < until[at]]:
            consumer.pause(*(at for at in places if at not in open_ones))
            for at, records in consumer.poll(timeout_ms=500, max_records=2_000).items():
                heard = monotonic()
                yield from (copied(record) for record in records if record.offset < until[at])
            if monotonic() - heard > SILENCE_SECONDS:
                raise ToolError(f"{topic}: the broker gives no more records; `make status` shows whether it is well")
    finally:
        consumer.close()


def filled(servers: str, topics: Iterable[str]) -> list[str]:
    """
    Those of the topics that exist and ever had a record.
    """
    return sorted({place(partition).topic for partition, end in ends(servers, topics).items() if end})


def produce(servers: str, topic: str, records: Iterable[Copied], progress: Callable[[], None]) -> int:
    """
    Write records into their partitions, in their order and with their times; how many. Raises ``ToolError`` if the
    broker does not take one.
    """
    producer = KafkaProducer(
        bootstrap_servers=servers.split(","),
        enable_idempotence=True,
        acks="all",
        linger_ms=20,
        allow_auto_create_topics=False,
        max_request_size=2_097_152,
    )
    failed: list[BaseException] = []
    count = 0
    try:
        for record in records:
            sent = producer.send(
                topic,
                value=record.value,
                key=record.key,
                headers=list(record.headers),
                partition=record.partition,
                timestamp_ms=record.at,
            )
            sent.add_errback(failed.append)
            count += 1
            progress()
            if failed:
                break
        producer.flush(timeout=60)
    except KafkaError as error:
        failed.append(error)
    finally:
        producer.close(timeout=10)
    if failed:
        raise ToolError(
            f"{topic}: the broker took not all records ({type(failed[0]).__name__}); empty it and try again"
        )
    return count


def acknowledge(servers: str, group: str, offsets: Mapping[str, int]) -> None:
    """
    Let a group go on from there. Raises ``ToolError`` if it does not take that, as when a process of it runs.
    """
    if not offsets:
        return
    wanted = {place(partition): OffsetAndMetadata(offset, "", -1) for partition, offset in offsets.items()}
    with admin_client(servers) as client:
        answers = _answered(partial(client.alter_group_offsets, group, wanted))
    refused = sorted(name_of(at) for at, error in answers.items() if error.errno)
    if refused:
        raise ToolError(f"group {group} does not take its offsets for {', '.join(refused[:3])}: does the service run?")


def _answered(ask: Callable[[], Answer]) -> Answer:
    """
    The answer about a group. While its coordinator is being chosen, as on a broker that is new, ask again.
    """
    deadline = monotonic() + SILENCE_SECONDS
    while True:
        try:
            return ask()
        except KafkaError as error:
            if not error.retriable or monotonic() > deadline:
                raise
        sleep(0.2)
