"""
The integration suite on containers: Kafka and MongoDB by testcontainers, with STACK=docker and an engine that answers.

Image, settings and command are those of deploy/compose.yaml. testcontainers' own Kafka and MongoDB classes do not fit:
the first runs Confluent's image with an older Kafka, the second a server with a password and without a replica set.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from kafka.errors import KafkaError
from pymongo import MongoClient
from testcontainers.core.container import DockerContainer

from deploy import topics
from deploy.stack.config import HOST, StackError
from deploy.stack.docker import COMPOSE, CONTAINERS
from deploy.stack.stack import Stack

START_SECONDS = 120


def compose_service(name: str) -> dict[str, Any]:
    """
    A service as deploy/compose.yaml describes it.
    """
    service: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"][name]
    return service


def kafka(port: int) -> DockerContainer:
    """
    The broker, not started; this machine will reach it on ``port``, on loopback alone.
    """
    service = compose_service("kafka-1")
    container = DockerContainer(service["image"]).with_kwargs(hostname="kafka-1")
    for name, value in service["environment"].items():
        container.with_env(name, value.replace("${PORT_KAFKA:-8092}", str(port)))
    container.ports["9094/tcp"] = (HOST, port)
    return container


def mongo(port: int) -> DockerContainer:
    """
    The database, not started and without its replica set; this machine will reach it on ``port``, on loopback alone.
    """
    service = compose_service("mongo")
    container = DockerContainer(service["image"]).with_command(service["command"]).with_kwargs(user=service["user"])
    container.ports["27017/tcp"] = (HOST, port)
    return container


def until(condition: Callable[[], bool], what: str) -> None:
    """
    Return when the condition holds. Raises ``StackError`` after two minutes.
    """
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise StackError(f"not within {START_SECONDS} s: {what}")
        time.sleep(0.1)  # between two looks at the condition


def broker_serves(port: int) -> bool:
    """
    Does the broker answer?
    """
    try:
        return topics.serves(f"{HOST}:{port}")
    except (KafkaError, OSError):
        return False


def make_replica_set(uri: str) -> None:
    """
    Wait for the server, make its replica set of one, and return when it takes writes.
    """
    members = [{"_id": 0, "host": "localhost:27017"}]
    with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=START_SECONDS * 1_000) as client:
        client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
        until(lambda: bool(client.admin.command("hello")["isWritablePrimary"]), "the database takes writes")


class ContainerStack(Stack):
    """
    A stack whose broker and database are held by the test run, on the ports where compose would publish them.
    """

    def __init__(self, run_dir: Path, port_base: int) -> None:
        super().__init__(run_dir, port_base, "docker")
        self._containers: list[DockerContainer] = []

    def _start_containers(self) -> dict[str, int]:
        if not self._containers:
            broker_port, database_port = (self.config.port_base + offset for offset in CONTAINERS.values())
            for container in (kafka(broker_port), mongo(database_port)):
                self._containers.append(container)
                container.start()
            make_replica_set(self.env["MONGODB_URI"])
            until(lambda: broker_serves(broker_port), "the broker answers")
        return {}

    def _stop_containers(self, *, wipe: bool) -> None:
        while self._containers:
            self._containers.pop().stop(delete_volume=True)
