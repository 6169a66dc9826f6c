"""
Topics from outside: write records, count what stands there and when it was written, forget a group. kafka-python.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from services.common.contracts.envelope import Record

Ends = dict[TopicPartition, int]


def write(servers: str, records: Iterable[Record]) -> int:
    """
    Write the records, return when all are acknowledged; how many there were.
    """
    count = 0
    with KafkaProducer(bootstrap_servers=servers.split(","), acks="all", linger_ms=20, batch_size=262_144) as producer:
        for record in records:
            producer.send(record.topic, key=record.key, value=record.value, headers=list(record.headers))
            count += 1
        producer.flush()
    return count


def make_topic(servers: str, name: str, partitions: int) -> None:
    """
    A topic for a peer's output. The broker stamps its records: some peers hand on the time of what they read.
    """
    stamped = {"message.timestamp.type": "LogAppendTime"}
    admin = KafkaAdminClient(bootstrap_servers=servers.split(","))
    try:
        admin.create_topics([NewTopic(name, partitions, replication_factor=1, topic_configs=stamped)])
    finally:
        admin.close()


def forget_group(servers: str, group: str) -> None:
    """
    A group that nobody is in any more begins anew.
    """
    admin = KafkaAdminClient(bootstrap_servers=servers.split(","))
    try:
        if (said := admin.delete_groups([group])[group]) != "OK":
            raise RuntimeError(f"the group {group} cannot begin anew: {said}")
    finally:
        admin.close()


class Watch:
    """
    Counts what is added to some topics from now on. Asks for their ends alone, so it costs next to nothing.
    """

    def __init__(self, servers: str, topics: Sequence[str]) -> None:
        self._consumer = KafkaConsumer(bootstrap_servers=servers.split(","), enable_auto_commit=False)
        self._places = [
            TopicPartition(topic, number)
            for topic in topics
            for number in sorted(self._consumer.partitions_for_topic(topic) or ())
        ]
        self._consumer.assign(self._places)
        self._from: Ends = self.ends()

    def ends(self) -> Ends:
        """
        Where each partition ends now.
        """
        return dict(self._consumer.end_offsets(self._places))

    def begin(self) -> None:
        """
        Count from here.
        """
        self._from = self.ends()

    @property
    def added(self) -> int:
        """
        How many records were added.
        """
        return sum(self.ends().values()) - sum(self._from.values())

    def wait(self, count: int, seconds: float) -> bool:
        """
        Return when so many were added (True) or the seconds are over (False).
        """
        deadline = time.monotonic() + seconds
        while self.added < count:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def settle(self, count: int, seconds: float, still: float = 2.0) -> bool:
        """
        ``wait``, and then until nothing has been added for ``still`` seconds.
        """
        deadline = time.monotonic() + seconds
        if not self.wait(count, seconds):
            return False
        before = -1
        while (added := self.added) != before:
            if time.monotonic() > deadline:
                return False
            before = added
            time.sleep(still)
        return True

    def times(self) -> list[float]:
        """
        When (Unix) each record that was added was written, in order.
        """
        return sorted(record.timestamp / 1000 for record in self.records())

    def records(self) -> Iterator[Any]:
        """
        Every record that was added, with its ``timestamp``.
        """
        ends = self.ends()
        for place, start in self._from.items():
            self._consumer.seek(place, start)
        left = {place for place in self._places if ends[place] > self._from[place]}
        while left:
            for found in self._consumer.poll(timeout_ms=500, max_records=5_000).values():
                yield from found
            left = {place for place in left if self._consumer.position(place) < ends[place]}

    def close(self) -> None:
        """
        Let go of the broker.
        """
        self._consumer.close()


@contextmanager
def watching(servers: str, *topics: str) -> Iterator[Watch]:
    """
    A ``Watch`` for a while.
    """
    watch = Watch(servers, topics)
    try:
        yield watch
    finally:
        watch.close()
