"""
The local stack on Apache Kafka: what `kill -9` does to its broker and its database, and who follows it.
"""

import os
import signal
import smtplib
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from pymongo import MongoClient

from deploy import topics
from deploy.stack import jvm
from deploy.stack.stack import Stack, quiet_clients
from services.common.contracts.topics import RECEIVED
from tests.ports import free_port_base

pytestmark = pytest.mark.integration


def until(condition: Callable[[], bool], seconds: float) -> float:
    """
    How long it took until the condition held; fails after ``seconds``.
    """
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
    return time.monotonic() - began


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    lacking = jvm.jvm_lacks()
    if lacking:
        if os.environ.get("CI") or os.environ.get("REQUIRE_BROKER"):
            pytest.fail(f"Apache Kafka is needed: {lacking}")
        pytest.skip(f"APACHE KAFKA IS MISSING: {lacking}")
    quiet_clients()
    stack = Stack(tmp_path_factory.mktemp("run"), free_port_base(), "jvm")
    try:
        stack.up(services=False)
        yield stack
    finally:
        stack.down(wipe=True)


def kill_and_wait(stack: Stack, name: str) -> None:
    killed = stack.pid(name)
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    until(lambda: stack.pid(name) not in (None, killed), 5)
    stack.wait_ready(name)


def test_a_running_stack_is_left_as_it_is(stack: Stack) -> None:
    before = stack.pid("kafka-1")
    assert not stack.up(services=False)
    assert stack.pid("kafka-1") == before


def test_the_topics_are_those_of_the_contract(stack: Stack) -> None:
    assert topics.verify(stack.env["KAFKA_BOOTSTRAP_SERVERS"]) == []


def test_the_run_folder_is_for_its_owner_alone(stack: Stack) -> None:
    assert stack.config.run_dir.stat().st_mode & 0o777 == 0o700
    assert (stack.config.run_dir / "env").stat().st_mode & 0o777 == 0o600


def test_what_kafka_acknowledged_survives_a_kill(stack: Stack) -> None:
    bootstrap = stack.env["KAFKA_BOOTSTRAP_SERVERS"]
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    sent = [producer.send(RECEIVED.name, value=b"%d" % number, partition=0) for number in range(500)]
    offsets = [record.get(10).offset for record in sent]
    producer.close()

    kill_and_wait(stack, "kafka-1")

    partition = TopicPartition(RECEIVED.name, 0)
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    consumer.assign([partition])
    consumer.seek(partition, offsets[0])
    kept: list[bytes] = []
    until(lambda: kept.extend(r.value for rs in consumer.poll(200).values() for r in rs) or len(kept) >= 500, 20)
    consumer.close()
    assert kept == [b"%d" % number for number in range(500)]


def test_what_the_database_acknowledged_survives_a_kill(stack: Stack) -> None:
    with MongoClient[dict[str, int]](stack.env["MONGODB_URI"], w="majority") as client:
        rows = client["stack_test"]["rows"]
        for number in range(200):
            rows.insert_one({"_id": number})
        kill_and_wait(stack, "mongo")
        assert rows.count_documents({}) == 200


def test_a_stopped_process_stays_down_until_it_is_started(stack: Stack) -> None:
    stack.stop("mail")
    until(lambda: stack.pid("mail") is None, 5)
    assert not stack.ready("mail")
    stack.start("mail")
    until(lambda: stack.pid("mail") is not None, 5)


def test_a_mail_is_kept_with_its_addresses(stack: Stack) -> None:
    mail = EmailMessage()
    mail["Message-ID"], mail["Subject"] = "<1@example.org>", "Başvurunuz alındı"
    mail.set_content("Teşekkürler")
    with smtplib.SMTP("127.0.0.1", stack.config.port("mail")) as client:
        client.send_message(mail, "from@example.org", ["to@example.org"])
    kept = list(Path(stack.config.run_dir, "mail").glob("*.eml"))
    assert [b"X-Envelope-To: to@example.org" in path.read_bytes() for path in kept] == [True]


def test_nothing_runs_after_down_and_the_data_is_there_at_the_next_up(stack: Stack) -> None:
    with MongoClient[dict[str, int]](stack.env["MONGODB_URI"], w="majority") as client:
        client["stack_test"]["kept"].insert_one({"_id": 1})
    key, pids = stack.env["API_KEY"], [stack.pid(process.name) for process in stack.config.infrastructure]
    stack.down()
    assert not [pid for pid in pids if pid and Path(f"/proc/{pid}").exists()]
    stack.up(services=False)
    assert stack.env["API_KEY"] == key
    with MongoClient[dict[str, int]](stack.env["MONGODB_URI"]) as client:
        assert client["stack_test"]["kept"].count_documents({}) == 1
