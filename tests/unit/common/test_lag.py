"""
How far a group is behind: every partition of its topics counts, committed or not.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client import REGISTRY

from services.common.kit import groups
from services.common.kit.groups import group_lag
from services.common.kit.health import Duty, Health
from tests.waiting import until

A0, A1, A2, B0 = (TopicPartition(*one) for one in (("a", 0), ("a", 1), ("a", 2), ("b", 0)))


class Broker:
    """
    Topic ``a`` with three partitions, ``b`` with one, and other people's.
    """

    def __init__(self, committed: dict[TopicPartition, int], begin: dict[TopicPartition, int] | None = None) -> None:
        self.committed = committed
        self.begin = begin or {}
        self.broken = ""
        self.silent = False

    async def list_consumer_group_offsets(self, group: str) -> dict[TopicPartition, Any]:
        assert group == "g"
        if self.silent:
            await asyncio.Event().wait()
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


@asynccontextmanager
async def watching(monkeypatch: pytest.MonkeyPatch, broker: Broker, *own: TopicPartition) -> AsyncIterator[Health]:
    """
    The lag is watched for a worker that has these partitions.
    """

    @asynccontextmanager
    async def clients(_: str) -> AsyncIterator[tuple[Broker, Broker]]:
        yield broker, broker

    monkeypatch.setattr(groups, "clients", clients)
    health, records = Health(stuck_after=0.1), Duty("records")
    health.duties.append(records)
    watch = asyncio.create_task(groups.watch_lag("", "g", ("a", "b"), health, lambda: set(own), records))
    try:
        yield health
    finally:
        watch.cancel()


def reached() -> float | None:
    return REGISTRY.get_sample_value("dependency_up", {"name": "kafka"})


async def test_what_is_behind_on_its_own_partitions_waits_for_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching(monkeypatch, Broker({A0: 10, A1: 7, A2: 10, B0: 10}), A0, A1) as health:
        await until(lambda: health.stuck_because is not None)
        assert health.details["behind"] == {"a/1": 3}
        assert reached() == 1


async def test_what_is_behind_on_the_partitions_of_others_is_no_reason_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching(monkeypatch, Broker({A0: 10, A1: 7, A2: 10, B0: 10}), A0, A2) as health:
        await until(lambda: "lag" in health.details)
        assert health.details["lag"] == 3
        assert health.duties[0].unattended == 0


async def test_a_broker_that_gives_no_answer_is_a_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker({})
    broker.broken = "b"
    async with watching(monkeypatch, broker, A0) as health:
        await until(lambda: reached() == 0)
        assert health.alive, "ending would not bring the broker back"


@pytest.mark.parametrize("away", ["refuses", "is silent"])
async def test_what_waited_when_the_broker_went_away_is_no_reason_to_end(
    monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    monkeypatch.setattr(groups, "EVERY", 0.01)
    monkeypatch.setattr(groups, "PATIENCE", 0.05)
    broker = Broker({A0: 3})
    async with watching(monkeypatch, broker, A0) as health:
        await until(lambda: health.duties[0].unattended > 0)
        broker.broken, broker.silent = ("b", False) if away == "refuses" else ("", True)
        await until(lambda: reached() == 0)
        assert health.duties[0].unattended == 0
        broker.broken, broker.silent = "", False
        await until(lambda: health.stuck_because is not None)
        assert reached() == 1
