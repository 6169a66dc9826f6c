"""
Urgent records first, on the broker of this run: the order, and that nothing is lost by it.

Odd numbers are urgent. Workers are processes of their own, ended, killed and joined by another in the middle.
"""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from deploy.stack.stack import Stack
from tests.integration.kit.test_ack_matrix import until

pytestmark = pytest.mark.integration

COUNT, PARTITIONS = 20_000, 4


@dataclass(frozen=True)
class Line:
    """
    A topic of its own, what its workers handled, and how to start one.
    """

    servers: str
    name: str
    folder: Path

    def handled(self, worker: str = "*") -> list[int]:
        """
        What had its effect, of one worker in order.
        """
        return [int(value) for path in self.folder.glob(f"{worker}.handled") for value in path.read_bytes().split()]

    def committed(self, count: int) -> bool:
        """
        Whether the group has acknowledged so many records.
        """
        places = [TopicPartition(self.name, number) for number in range(PARTITIONS)]
        with KafkaConsumer(bootstrap_servers=self.servers, group_id=self.name, enable_auto_commit=False) as consumer:
            return sum(consumer.committed(place) or 0 for place in places) == count

    @contextmanager
    def worker(self, name: str, mode: str = "ours-urgent", **env: str) -> Iterator[subprocess.Popen[bytes]]:
        """
        A worker while the context lasts; what is left of it then is killed.
        """
        command = [sys.executable, "-m", "tests.integration.kit.ack_worker", mode, self.servers, self.name, self.name]
        command += [str(self.folder / f"{name}.handled"), str(self.folder / "crashed"), "-1"]
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": ".", **env})
            try:
                yield process
            finally:
                process.kill()
                process.wait()


@pytest.fixture
def line(infra: Stack, tmp_path: Path) -> Line:
    servers, name = infra.env["KAFKA_BOOTSTRAP_SERVERS"], f"urgent-{secrets.token_hex(3)}"
    with KafkaAdminClient(bootstrap_servers=servers) as admin:
        admin.create_topics({name: {"num_partitions": PARTITIONS, "replication_factor": 1}}, wait_for_metadata=True)
    return Line(servers, name, tmp_path)


def send(line: Line, numbers: list[int]) -> None:
    with KafkaProducer(bootstrap_servers=line.servers) as producer:
        for number in numbers:
            producer.send(line.name, key=b"%d" % number, value=b"%d" % number, partition=number % PARTITIONS)
        producer.flush()


def test_what_is_urgent_is_handled_before_a_backlog_that_was_there_first(line: Line) -> None:
    ordinary, urgent = list(range(0, 4_000, 2)), list(range(1, 101, 2))
    send(line, ordinary + urgent)
    everything = len(ordinary) + len(urgent)
    with line.worker("only", "ours-urgent-held", HELD_FOR=str(everything)):
        assert until(lambda: line.committed(everything), 60), len(line.handled())
    handled = line.handled()
    first_batch = next(place for place, number in enumerate(handled) if number % 2)
    assert first_batch <= 200
    assert sorted(handled[first_batch : first_batch + len(urgent)]) == urgent
    assert sorted(handled) == sorted(ordinary + urgent)


def test_nothing_is_lost_when_workers_are_killed_and_ended_and_others_join(line: Line) -> None:
    """
    Each begins with far more read than handled: half of it urgent, handled out of turn.
    """
    send(line, list(range(COUNT)))

    def handles(worker: str) -> bool:
        before = len(line.handled(worker))
        return until(lambda: len(line.handled(worker)) > before + 400, 60)

    with line.worker("first", BATCH_SECONDS="0.2") as first:
        assert handles("first")
        first.kill()
    with line.worker("second", BATCH_SECONDS="0.2") as second:
        assert handles("second")
        with line.worker("third", BATCH_SECONDS="0.2") as third:
            assert handles("third")
            assert handles("second"), "a worker goes on after another has joined"
            third.send_signal(signal.SIGTERM)
            assert until(lambda: third.poll() is not None, 30), "a worker ends although it has read far ahead"
        assert handles("second"), "a worker goes on after another has left"
        second.kill()
    assert len(set(line.handled())) < COUNT, "all was over before the last one died"
    with line.worker("last"):
        assert until(lambda: line.committed(COUNT), 60), len(line.handled())
    assert set(line.handled()) == set(range(COUNT))
