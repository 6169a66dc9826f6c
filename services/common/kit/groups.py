"""
What the broker knows of consumer groups: how far behind they are, and who is in them.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError, for_code

from services.common.contracts.topics import dlq_of

SECONDS: Final = 6.0  # for one question about all groups


class BrokerAway(Exception):
    """
    Kafka does not answer in time. The message is the kind of error.
    """


@dataclass(frozen=True, slots=True)
class Standing:
    """
    A group. ``members``: processes in it, None if the broker does not say. ``behind``: records not acknowledged, by
    partition (``topic/number``), of the topics of which it ever acknowledged one. ``letters_end``: how many records its
    dead-letter topic ever had.
    """

    group: str
    members: int | None
    behind: Mapping[str, int]
    letters_end: int


async def standings(servers: str, groups: Sequence[str]) -> list[Standing]:
    """
    How each group stands. While a group's coordinator is being chosen it is waited for. Raises ``BrokerAway``.
    """
    try:
        async with asyncio.timeout(SECONDS), clients(servers) as (admin, probe):
            while True:
                try:
                    return [await _standing(group, admin, probe) for group in groups]
                except GroupCoordinatorNotAvailableError:  # a broker that has just started, or hands the group over
                    await asyncio.sleep(0.2)
    except (KafkaError, OSError) as error:
        raise BrokerAway(type(error).__name__) from error


async def group_lag(group: str, topics: Sequence[str], admin: Any, probe: Any) -> dict[TopicPartition, int]:
    """
    How many records of each partition of the topics the group has not acknowledged; where it never did, all there are.

    Raises ``KafkaError`` if a topic cannot be described.
    """
    committed = await admin.list_consumer_group_offsets(group)
    partitions: list[TopicPartition] = []
    for topic in await admin.describe_topics(list(topics)):
        if topic["error_code"]:
            raise for_code(topic["error_code"])(topic["topic"])
        partitions += [TopicPartition(topic["topic"], one["partition"]) for one in topic["partitions"]]
    starts: dict[TopicPartition, int] = await probe.beginning_offsets(partitions)
    ends: dict[TopicPartition, int] = await probe.end_offsets(partitions)
    reached = {tp: max(start, committed[tp].offset if tp in committed else -1) for tp, start in starts.items()}
    return {tp: max(0, end - reached[tp]) for tp, end in ends.items()}


@asynccontextmanager
async def clients(servers: str) -> AsyncIterator[tuple[AIOKafkaAdminClient, AIOKafkaConsumer]]:
    """
    An admin client and a consumer without a group, for questions. Raises ``KafkaError`` when no broker answers.
    """
    admin, probe = AIOKafkaAdminClient(bootstrap_servers=servers), AIOKafkaConsumer(bootstrap_servers=servers)
    try:
        await admin.start()
        await probe.start()
        yield admin, probe
    finally:
        await probe.stop()
        await admin.close()


async def _standing(group: str, admin: Any, probe: Any) -> Standing:
    topics = sorted({place.topic for place in await admin.list_consumer_group_offsets(group)})
    lag = await group_lag(group, topics, admin, probe) if topics else {}
    letters = TopicPartition(dlq_of(group).name, 0)
    return Standing(
        group=group,
        members=await _members(group, admin),
        behind={f"{place.topic}/{place.partition}": count for place, count in sorted(lag.items()) if count},
        letters_end=(await probe.end_offsets([letters]))[letters],
    )


async def _members(group: str, admin: Any) -> int | None:
    for answer in await admin.describe_consumer_groups([group]):
        for described in answer.to_object()["groups"]:
            if not described["error_code"]:
                return len(described["members"])
    return None
