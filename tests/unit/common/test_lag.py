"""
How far a group is behind: every partition of its topics counts, committed or not.
"""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from services.common.kit.groups import group_lag

A0, A1, A2, B0 = (TopicPartition(*one) for one in (("a", 0), ("a", 1), ("a", 2), ("b", 0)))


class Broker:
    """
    Topic ``a`` with three partitions, ``b`` with one, and other people's.
    """

    def __init__(self, committed: dict[TopicPartition, int], begin: dict[TopicPartition, int] | None = None) -> None:
        self.committed = committed
        self.begin = begin or {}
        self.broken = ""

    async def list_consumer_group_offsets(self, group: str) -> dict[TopicPartition, Any]:
        assert group == "g"
        return {tp: SimpleNamespace(offset=offset) for tp, offset in self.committed.items()}

    async def describe_topics(self, topics: list[str]) -> list[dict[str, Any]]:
        partitions = {"a": (0, 1, 2), "b": (0,)}
        return [
            {
                "topic": topic,
                "error_code": 3 if topic == self.broken else 0,
                "partitions": [{"partition": number} for number in partitions[topic]],
            }
            for topic in topics
        ]

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: self.begin.get(tp, 0) for tp in partitions}

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 10)

    def lag(self) -> dict[TopicPartition, int]:
        return asyncio.run(group_lag("g", ("a", "b"), self, self))


def test_a_partition_without_a_commit_is_behind_by_all_it_holds() -> None:
    assert Broker({A0: 10, A1: 7, B0: -1}, {A2: 4}).lag() == {A0: 0, A1: 3, A2: 6, B0: 10}


def test_what_the_broker_has_dropped_is_not_waited_for() -> None:
    assert Broker({A0: 2, A1: 10, A2: 10, B0: 10}, {A0: 9}).lag()[A0] == 1


def test_the_offsets_of_other_topics_do_not_count() -> None:
    other = TopicPartition("c", 0)
    assert other not in Broker({other: 0}).lag()


def test_a_topic_that_cannot_be_described_leaves_the_lag_unknown() -> None:
    broker = Broker({})
    broker.broken = "b"
    with pytest.raises(KafkaError):
        broker.lag()
