"""
The steps of the Dockerfile, executed without an engine, make an image in which every process of compose.yaml serves.

On a stack of its own: the processes of an image join the consumer groups that every stack has.
"""

import json
import re
import secrets
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import yaml

from deploy import docker_steps
from deploy.docker_steps import Stage
from deploy.stack.config import SERVICES
from deploy.stack.docker import COMPOSE
from deploy.stack.stack import Stack, _until
from tests.ports import free_port_base

pytestmark = [pytest.mark.integration, pytest.mark.long]
SECRETS = {
    name: secrets.token_hex(16) for name in ("INTAKE_ID_SECRET", "REPORTING_CURSOR_SECRET", "REPORTING_TOKEN_SECRET")
}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return docker_steps.build(tmp_path_factory.mktemp("image") / "work")


@pytest.fixture(scope="module")
def infrastructure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """
    A broker with its topics and a database: those of a local stack, as the image's processes would find them.
    """
    stack = Stack(tmp_path_factory.mktemp("run"), free_port_base())
    try:
        stack.up(services=False)
        yield stack
    finally:
        stack.down(wipe=True)


def service(name: str) -> dict[str, Any]:
    described: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"][name]
    return described


def environment(name: str, stack: Stack) -> dict[str, str]:
    """
    What compose.yaml gives to a process; only places, ports and secrets are this run's.
    """
    filled = {
        variable: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
        for variable, value in service(name)["environment"].items()
        if value is not None
    }
    here = {**stack.env, **SECRETS}
    ports = {variable: here[variable] for variable in filled if re.search(r"_PORT$|_URL$|BOOTSTRAP|URI$", variable)}
    hosts = {variable: "127.0.0.1" for variable in filled if variable.endswith("_HOST")}
    return {**filled, **ports, **hosts, **{name: value for name, value in SECRETS.items() if name in filled}}


def files(image: Stage) -> set[str]:
    """
    Every file of the image but those of its volume and of its /tmp.
    """
    found = (path.relative_to(image.root).as_posix() for path in image.root.rglob("*"))
    return {name for name in found if name.split("/")[0] not in ("data", "tmp")}


def test_the_image_has_every_module_with_its_packages_and_no_tools(image: Stage) -> None:
    assert int(docker_steps.import_all(image).split()[0]) > 50
    packages = {path.name for path in image.path("/opt/venv/lib").glob("python3*/site-packages/*")}
    assert {"faust", "motor", "fastapi"} <= packages
    assert not {"pip", "pytest", "mypy", "supervisor", "noida_db", "secantus"} & packages


def test_every_process_gets_healthy_as_compose_starts_it_and_writes_only_where_it_may(
    image: Stage, infrastructure: Stack
) -> None:
    before = files(image)
    running: dict[str, subprocess.Popen[str]] = {}
    with ExitStack() as ends:
        for process in SERVICES:
            started = image.run(service(process.name)["command"], environment(process.name, infrastructure))
            running[process.name] = started
            ends.callback(started.kill)
        for process in SERVICES:
            test = service(process.name)["healthcheck"]["test"][1:-1]
            check = [*test, str(infrastructure.config.port(process.name))]
            healthy = _until(lambda check=check: image.run(check).wait() == 0, 120)  # type: ignore[misc]
            assert healthy, _end(running[process.name])
        assert files(image) == before
        for started in running.values():
            started.send_signal(getattr(signal, image.notes["STOPSIGNAL"]))
        codes = {name: started.wait(30) for name, started in running.items()}
    assert set(codes.values()) <= {0, -signal.SIGTERM, 128 + signal.SIGTERM}, json.dumps(codes)


def _end(process: subprocess.Popen[str]) -> str:
    process.kill()
    return process.communicate()[0][-3000:]


def test_the_topics_job_finds_the_broker_as_the_contract_wants_it(image: Stage, infrastructure: Stack) -> None:
    command = service("topics")["command"]
    done = image.run(command, {"KAFKA_BOOTSTRAP_SERVERS": infrastructure.env["KAFKA_BOOTSTRAP_SERVERS"]})
    assert done.wait(60) == 0, _end(done)


def test_the_keys_job_makes_a_key_and_may_be_repeated(image: Stage, infrastructure: Stack) -> None:
    shell, option, line = service("keys")["command"]
    env = {"MONGODB_URI": infrastructure.env["MONGODB_URI"], "API_KEY": secrets.token_hex(16)}
    for _ in range(2):
        done = image.run([shell, option, line.replace("$$", "$")], env)
        assert done.wait(60) == 0, _end(done)
    listed = image.run(["python", "-m", "services.intake", "keys", "list"], env)
    printed, _ = listed.communicate(timeout=60)
    assert [line.split()[1:3] for line in printed.splitlines()] == [["valid", "first"]]
