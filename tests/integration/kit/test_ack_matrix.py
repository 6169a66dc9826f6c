"""
What a raised exception costs, on the broker of this run: the matrix of deploy/decisions/0001, measured again.

Ten events, number 4 raises once; then 20,000 events, number 8,000 raises once. Every way of consuming runs as a
process of its own, is started a second time, and then each event should have been handled.
``python -m tests.integration.kit.test_ack_matrix`` prints the whole table; the test runs our ways, and two that lose
every time, so that it could tell.
"""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from deploy.stack.stack import Stack

pytestmark = pytest.mark.integration

Way = tuple[str, int]  # way of consuming, number of events
LOSING: set[Way] = {("events", 10), ("noack_take+crashing", 10)}
OURS: set[Way] = {("ours", 10), ("ours", 20_000), ("ours-urgent", 10), ("ours-urgent", 20_000)}
OTHERS: set[Way] = {
    ("events+crashing", 10),
    ("noack-events", 10),
    ("noack-events+crashing", 10),
    ("take_events+crashing", 10),
    ("noack-take_events+crashing", 10),
    ("noack_take+crashing", 20_000),
    ("out-of-turn+crashing", 10),
    ("out-of-turn+crashing", 20_000),
}  # what these lose hangs on how far a stream had come


PATIENCE = 120.0  # seconds for a start on a busy machine


@dataclass(frozen=True)
class Row:
    """
    What one way of consuming did.
    """

    way: str
    events: int
    first_exit: int | None
    committed_after_first: int | None
    lost: list[int]


def until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)  # between two looks at the condition
    return condition()


def run(way: str, count: int, servers: str, folder: Path) -> Row:
    events = [str(n).encode() for n in range(count)]
    name = f"ack-{way.replace('+', '-')}-{secrets.token_hex(3)}"
    with KafkaAdminClient(bootstrap_servers=servers) as admin:
        admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    with KafkaProducer(bootstrap_servers=servers) as producer:
        for value in events:
            producer.send(name, key=value, value=value, partition=0)
        producer.flush()
    handled, crashed = folder / f"{name}.handled", folder / f"{name}.crashed"
    command = [sys.executable, "-m", "tests.integration.kit.ack_worker", way, servers, name, name, handled, crashed]
    command.append(str(count * 2 // 5))

    def seen() -> set[bytes]:
        return set(handled.read_bytes().split()) if handled.exists() else set()

    def round_() -> int | None:
        with (folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(part) for part in command], stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": "."}
            )
            with KafkaConsumer(bootstrap_servers=servers, group_id=name, enable_auto_commit=False) as watcher:
                place = TopicPartition(name, 0)

                def over() -> bool:
                    return process.poll() is not None or watcher.committed(place) == count

                handled_by_now = -1
                while handled_by_now < len(seen()) and not until(over, PATIENCE):  # whoever still handles is waited for
                    handled_by_now = len(seen())
            ended = process.poll()
            if ended is None:
                process.send_signal(signal.SIGTERM)
                if not until(lambda: process.poll() is not None, 15):
                    process.kill()
            process.wait()
        return ended

    first = round_()
    committed = committed_offset(servers, name)
    if committed is None or committed < count:
        round_()
    return Row(way, count, first, committed, sorted(int(value) for value in set(events) - seen()))


def committed_offset(servers: str, name: str) -> int | None:
    with KafkaConsumer(bootstrap_servers=servers, group_id=name, enable_auto_commit=False) as consumer:
        return consumer.committed(TopicPartition(name, 0))


def matrix(ways: set[Way], servers: str, folder: Path) -> list[Row]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda way: run(*way, servers, folder), sorted(ways)))


def _shown(lost: list[int]) -> str:
    return f"{len(lost)} ({lost[0]} to {lost[-1]})" if lost else "nothing"


def table(rows: list[Row]) -> str:
    lines = [
        "| way of consuming | events | run 1 exits | committed after run 1 | lost after run 2 |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.way} | {row.events} | {'no' if row.first_exit is None else row.first_exit} "
        f"| {row.committed_after_first} | {_shown(row.lost)} |"
        for row in rows
    ]
    return "\n".join(lines)


def test_our_loop_loses_nothing_where_others_do(infra: Stack, tmp_path: Path) -> None:
    rows = matrix(OURS | LOSING, infra.env["KAFKA_BOOTSTRAP_SERVERS"], tmp_path)
    assert {(row.way, row.events) for row in rows if row.lost} == LOSING, table(rows)


if __name__ == "__main__":
    import tempfile

    every = matrix(OURS | LOSING | OTHERS, os.environ["KAFKA_BOOTSTRAP_SERVERS"], Path(tempfile.mkdtemp()))
    sys.stdout.write(table(every) + "\n")
