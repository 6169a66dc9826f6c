"""
A worker that lives and gets on with nothing: it says so, ends itself, and the stack's supervisor starts another.
"""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from kafka import KafkaAdminClient, KafkaProducer

from deploy.stack import config as plan
from deploy.stack.stack import Stack
from tests.ports import free_port_base
from tests.waiting import eventually

pytestmark = pytest.mark.integration

RECORDS = [str(n).encode() for n in range(5)]


@pytest.fixture
def topic(infra: Stack) -> str:
    if infra.config.kind == "embedded":
        pytest.skip("the emulator never frees the place of a member that died: a second life would wait for ever")
    name = f"stuck-{secrets.token_hex(4)}"
    with KafkaAdminClient(bootstrap_servers=infra.config.bootstrap_servers) as admin:
        admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    return name


def send(infra: Stack, topic: str, values: list[bytes]) -> None:
    with KafkaProducer(bootstrap_servers=infra.config.bootstrap_servers) as producer:
        for value in values:
            producer.send(topic, key=value, value=value, partition=0)
        producer.flush()


@contextmanager
def supervised(folder: Path, command: list[str], **environment: str) -> Iterator[psutil.Process]:
    """
    Keep a process as the local stack keeps its own. Gives the one that keeps it.
    """
    files = {"logfile": folder / "supervisord.log", "pidfile": folder / "supervisord.pid"}
    program = {**plan.program(command, folder / "worker.log"), "autostart": "true"}
    (folder / "supervisord.conf").write_text(plan.ini({"supervisord": files, "program:worker": program}))
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "-c", str(folder / "supervisord.conf")],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield psutil.Process(supervisor.pid)
    finally:
        supervisor.terminate()
        supervisor.wait(60)


def worker(infra: Stack, topic: str, folder: Path, port: int) -> list[str]:
    program = [sys.executable, "-m", "tests.integration.kit.stuck_worker", infra.config.bootstrap_servers, topic]
    return [*program, str(folder / "handled"), str(folder / "blocked"), str(port)]


def test_a_worker_whose_handler_blocks_is_found_stuck_and_replaced(infra: Stack, topic: str, tmp_path: Path) -> None:
    port, handled = free_port_base(), tmp_path / "handled"
    url = f"http://127.0.0.1:{port}/healthz"
    send(infra, topic, RECORDS)

    def ill() -> dict[str, Any] | None:
        answer = httpx.get(url)
        return dict(answer.json()) if answer.status_code == 503 else None

    with supervised(
        tmp_path,
        worker(infra, topic, tmp_path, port),
        LIVENESS_STUCK_AFTER="3",
        LIVENESS_END_AFTER="3",
    ):
        said = eventually(ill, what="a 503 of the worker that is stuck")
        assert said["alive"] is False
        assert "the event loop does not turn" in said["stuck_because"]
        eventually(lambda: handled.exists() and handled.read_bytes().split() == RECORDS, what="the second life's work")
        assert httpx.get(url).json()["alive"] is True
    log = (tmp_path / "worker.log").read_text()
    assert "in blocks" in log, "it says where it stood"


AWAY_SECONDS = 45  # longer than it takes to be found stuck and to end, and than Kafka waits for a member
MANY = [str(n).encode() for n in range(1_500)]


@pytest.mark.long
@pytest.mark.parametrize("away", ["the broker", "the processor"])
def test_a_worker_that_has_to_wait_with_work_left_is_not_stuck_and_finishes_it(
    infra: Stack, topic: str, tmp_path: Path, away: str
) -> None:
    handled = tmp_path / "handled"
    (tmp_path / "blocked").touch()
    send(infra, topic, MANY)
    with supervised(
        tmp_path,
        worker(infra, topic, tmp_path, free_port_base()),
        LIVENESS_STUCK_AFTER="25",
        LIVENESS_END_AFTER="5",
        PAUSE="0.02",
    ) as supervisor:
        eventually(handled.exists, what="the first batch")
        if away == "the broker":
            infra.stop("kafka-1")
            time.sleep(AWAY_SECONDS)
            infra.start("kafka-1")
        else:
            (process,) = supervisor.children()
            process.suspend()
            time.sleep(AWAY_SECONDS)
            process.resume()
        eventually(lambda: set(handled.read_bytes().split()) == set(MANY), 120, "all the work")
    assert "stuck" not in (tmp_path / "worker.log").read_text()
