"""
One local stack for the whole run: infrastructure when a test asks for it, services when a journey does.

``STACK=`` chooses the broker (default: the strongest found), ``MONGO=`` the database's server. With ``CI=true`` only
Apache Kafka will do.
"""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from deploy.stack import docker, jvm, mongo
from deploy.stack.stack import Stack
from tests.ports import free_port_base

KIND = os.environ.get("STACK", "auto")
DATABASE = os.environ.get("MONGO", "")
BROWSERS = (Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium"))
"""The first is the second without a window's furniture, and takes half the processor."""
CHROMIUM = Path(os.environ.get("CHROMIUM", next((path for path in BROWSERS if path.exists()), BROWSERS[0])))

settings.register_profile("patient", settings(), deadline=None)  # how busy the machine is decides no test
settings.load_profile("patient")


def pytest_report_header() -> str:
    """
    Say on what the run stands.
    """
    kind = jvm.choose(KIND, lambda _line: None)
    broker = "Apache Kafka (jvm)" if kind == "jvm" else "embedded emulator, not durable"
    database = f"SecantusDB (MongoDB protocol stand-in, {mongo.choose(DATABASE, kind)})"
    if kind == "docker":
        broker, database, containers = "Apache Kafka (container)", "MongoDB (container)", "testcontainers"
    else:
        containers = f"none ({docker.lacks() or 'STACK=docker takes them'})"
    browser = f"Chromium ({CHROMIUM})" if CHROMIUM.exists() else f"none ({CHROMIUM} is missing)"
    return f"broker: {broker}; database: {database}; containers: {containers}; mail: aiosmtpd; browser: {browser}"


class OneBrowser(LoadFileScheduling):
    """
    A file stays with one worker, and all files that drive Chromium with one too: two browsers at once take two
    processors so fully that everything waits.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "tests/browser" if nodeid.startswith("tests/browser/") else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """
    With ``--dist loadfile``.
    """
    return OneBrowser(config, log) if config.getoption("dist") == "loadfile" else None


def new_stack(folder: Path) -> Stack:
    """
    A stack on ports of its own, not yet up.
    """
    if jvm.choose(KIND, lambda _line: None) == "docker":
        from tests.containers import ContainerStack  # testcontainers is loaded where it is used

        return ContainerStack(folder, free_port_base())
    return Stack(folder, free_port_base(), KIND, database=DATABASE)


@pytest.fixture(scope="session")
def kind() -> str:
    """
    The broker that the run stands on.
    """
    return jvm.choose(KIND, lambda _line: None)


@pytest.fixture(scope="session")
def infra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """
    Kafka with its topics, the database and the mail sink, in a folder and on ports of their own.
    """
    stack = new_stack(tmp_path_factory.mktemp("stack"))
    if os.environ.get("CI") and stack.config.kind != "jvm":
        pytest.fail(f"CI must run on Apache Kafka, this is {stack.config.kind}: Java 17 and Maven are needed")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NOTIFY_DIGESTS", "false")  # tests count mails, on working mornings too
            stack.up(services=False)
            yield stack
    finally:
        stack.down()


@pytest.fixture(scope="session")
def stack(infra: Stack) -> Stack:
    """
    The infrastructure and all services.
    """
    infra.up(services=True)
    return infra


@pytest.fixture
def mongo_uri(infra: Stack) -> str:
    """
    The database server; take a database name of your own.
    """
    return infra.env["MONGODB_URI"]


@pytest.fixture
def database() -> str:
    """
    A database name that nobody else uses.
    """
    return f"test_{secrets.token_hex(6)}"
