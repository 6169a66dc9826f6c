"""
What a raised exception costs, on the broker of this run: the matrix of deploy/decisions/0001, measured again.

Ten events, number 4 raises once; then 20,000 events, number 8,000 raises once. Every way of consuming runs as a
process of its own, is started a second time, and then each event should have been handled.
``python -m tests.integration.kit.test_ack_matrix`` prints the table.
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

WAYS = {
    ("events", 10): True,
    ("events+crashing", 10): True,
    ("noack-events", 10): True,
    ("noack-events+crashing", 10): False,
    ("take_events+crashing", 10): True,
    ("noack-take_events+crashing", 10): True,
    ("noack_take+crashing", 10): True,
    ("noack_take+crashing", 20_000): False,
    ("out-of-turn+crashing", 10): True,
    ("out-of-turn+crashing", 20_000): None,
    ("ours", 10): False,
    ("ours", 20_000): False,
    ("ours-urgent", 10): False,
    ("ours-urgent", 20_000): False,
}  # way of consuming and number of events -> does it lose any; None: it hangs on how far the other stream had come


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
                while handled_by_now < len(seen()) and not until(over, 30):  # whoever still handles is waited for
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


def matrix(servers: str, folder: Path) -> list[Row]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda row: run(*row, servers, folder), WAYS))


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


def test_our_loop_loses_nothing_and_the_ways_that_lose_are_known(infra: Stack, tmp_path: Path) -> None:
    rows = matrix(infra.env["KAFKA_BOOTSTRAP_SERVERS"], tmp_path)
    wrong = [row for row in rows if WAYS[row.way, row.events] not in (None, bool(row.lost))]
    assert not wrong, table(rows)


if __name__ == "__main__":
    import tempfile

    sys.stdout.write(table(matrix(os.environ["KAFKA_BOOTSTRAP_SERVERS"], Path(tempfile.mkdtemp()))) + "\n")
