"""
The topics on the broker are those of ``contracts.topics``: ``apply`` makes what is missing, ``verify`` fails on drift.

Neither changes a topic that exists: partitions decide the order of a request's events, so a change is a migration.
"""

import argparse
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource
from kafka.errors import TopicAlreadyExistsError

from services.common.contracts.topics import ALL_TOPICS, Topic


@dataclass(frozen=True, slots=True)
class Found:
    """
    A topic as the broker describes it.
    """

    partitions: int
    configs: Mapping[str, str]


def configs_of(topic: Topic) -> dict[str, str]:
    """
    The settings that a topic must have on the broker.
    """
    wanted = {"cleanup.policy": topic.cleanup, "max.message.bytes": str(topic.max_message_bytes)}
    if topic.retention_ms is not None:
        wanted["retention.ms"] = str(topic.retention_ms)
    return wanted


def drift(topics: Iterable[Topic], found: Mapping[str, Found]) -> Iterator[str]:
    """
    One sentence for each difference between the contract and the broker.
    """
    for topic in topics:
        actual = found.get(topic.name)
        if actual is None:
            yield f"{topic.name}: missing"
            continue
        if actual.partitions != topic.partitions:
            yield f"{topic.name}: {actual.partitions} partitions, the contract says {topic.partitions}"
        for key, value in configs_of(topic).items():
            if actual.configs.get(key) != value:
                yield f"{topic.name}: {key} is {actual.configs.get(key)}, the contract says {value}"


@contextmanager
def admin_client(bootstrap_servers: str, *, timeout_ms: int = 10_000) -> Iterator[KafkaAdminClient]:
    """
    An admin client, closed at the end. Raises ``kafka.errors.KafkaError`` if no broker answers in time.
    """
    client = KafkaAdminClient(
        bootstrap_servers=bootstrap_servers.split(","),
        bootstrap_timeout_ms=timeout_ms,
        request_timeout_ms=max(timeout_ms, 5_000),
    )
    try:
        yield client
    finally:
        client.close()


def describe(client: KafkaAdminClient, names: Iterable[str]) -> dict[str, Found]:
    """
    Those of the named topics that exist.
    """
    present = sorted(set(names) & set(client.list_topics()))
    if not present:
        return {}
    configs = client.describe_configs([ConfigResource("TOPIC", name) for name in present], config_filter="all")
    return {
        described["name"]: Found(
            partitions=len(described["partitions"]),
            configs={key: str(entry["value"]) for key, entry in configs["topic"][described["name"]].items()},
        )
        for described in client.describe_topics(present)
    }


def verify(bootstrap_servers: str, topics: Iterable[Topic] = ALL_TOPICS) -> list[str]:
    """
    Every difference between the contract and the broker; empty when they agree.
    """
    topics = tuple(topics)
    with admin_client(bootstrap_servers) as client:
        return list(drift(topics, describe(client, (topic.name for topic in topics))))


def apply(bootstrap_servers: str, *, replication: int = 1, topics: Iterable[Topic] = ALL_TOPICS) -> list[str]:
    """
    Make the topics that are missing, each with a leader when this returns; then say what still differs.
    """
    topics = tuple(topics)
    with admin_client(bootstrap_servers) as client:
        present = set(client.list_topics())
        missing = {
            topic.name: {
                "num_partitions": topic.partitions,
                "replication_factor": replication,
                "configs": configs_of(topic),
            }
            for topic in topics
            if topic.name not in present
        }
        if missing:
            with suppress(TopicAlreadyExistsError):  # another `apply` beside this one; what follows has the last word
                client.create_topics(missing, wait_for_metadata=True)
        return list(drift(topics, describe(client, (topic.name for topic in topics))))


def serves(bootstrap_servers: str, *, brokers: int = 1, timeout_ms: int = 1_000) -> bool:
    """
    Is every broker in the cluster, and every partition led and in sync? Raises ``KafkaError`` if none answers.
    """
    with admin_client(bootstrap_servers, timeout_ms=timeout_ms) as client:
        if brokers > 1 and len(client.describe_cluster()["brokers"]) != brokers:
            return False
        partitions = [partition for topic in client.describe_topics() for partition in topic["partitions"]]
        return all(
            partition["leader_id"] >= 0 and len(partition["isr_nodes"]) == len(partition["replica_nodes"])
            for partition in partitions
        )


def main() -> int:
    """
    Entry of ``python -m deploy.topics``: exit code 1 and one line per difference when the broker drifts.
    """
    parser = argparse.ArgumentParser(prog="python -m deploy.topics", description=__doc__)
    parser.add_argument("command", choices=("apply", "verify"))
    parser.add_argument("--replication", type=int, default=1, help="copies of each partition (default: 1)")
    arguments = parser.parse_args()
    bootstrap_servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if not bootstrap_servers:
        parser.error("KAFKA_BOOTSTRAP_SERVERS is not set; `. .run/env` sets it for the local stack")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    if arguments.command == "apply":
        differences = apply(bootstrap_servers, replication=arguments.replication)
    else:
        differences = verify(bootstrap_servers)
    for difference in differences:
        print(difference, file=sys.stderr)
    print(f"{len(ALL_TOPICS)} topics in the contract, {len(differences)} differences on the broker")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
