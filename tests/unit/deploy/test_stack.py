"""
What the stack decides before it starts anything: ports, socket, the kind of broker, pid files, drift of topics.
"""

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from deploy import topics
from deploy.mail_sink import file_name
from deploy.stack import jvm
from deploy.stack.config import StackError
from deploy.stack.pids import PidFiles, handle
from deploy.stack.stack import last_lines, socket_path, taken_ports
from services.common.contracts.topics import CONTACTS, RECEIVED


def silent(_line: str) -> None:
    pass


def test_only_the_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with socket.create_server(("127.0.0.1", 0)) as closed:
            free = closed.getsockname()[1]
        assert taken_ports({"mongo": taken, "mail": free}) == {"mongo": taken}


def test_a_deep_run_folder_still_gets_a_socket_that_fits() -> None:
    assert socket_path(Path("/tmp/run")) == Path("/tmp/run/supervisor.sock")
    assert len(str(socket_path(Path("/tmp") / ("deep" * 30)))) < 100


def test_the_last_lines_of_a_missing_log_are_empty(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "none.log") == ""


@pytest.mark.parametrize(
    ("printed", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_392"', 8),
        ('openjdk version "25" 2025-09-16', 25),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", 0),
    ],
)
def test_java_says_its_version_in_many_ways(printed: str, major: int) -> None:
    assert jvm.java_major(printed) == major


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def set_up(*, docker: bool, lacks: str, ci: bool = False) -> None:
        monkeypatch.setattr(jvm, "docker_lacks", lambda: "" if docker else "no Docker engine answers")
        monkeypatch.setattr(jvm, "jvm_lacks", lambda: lacks)
        monkeypatch.setenv("CI", "1") if ci else monkeypatch.delenv("CI", raising=False)

    return set_up


def test_kafka_on_java_is_taken_before_a_container(machine: Callable[..., None]) -> None:
    machine(docker=True, lacks="")
    assert jvm.choose("auto", silent) == "jvm"


def test_without_java_a_docker_engine_serves(machine: Callable[..., None]) -> None:
    machine(docker=True, lacks="there is no java")
    assert jvm.choose("auto", silent) == "docker"


def test_without_java_the_embedded_broker_serves_and_says_why(machine: Callable[..., None]) -> None:
    machine(docker=False, lacks="there is no java")
    said: list[str] = []
    assert jvm.choose("", said.append) == "embedded"
    assert "there is no java" in said[0]
    assert "no Docker engine" in said[1]


def test_ci_never_falls_back_to_the_embedded_broker(machine: Callable[..., None]) -> None:
    machine(docker=True, lacks="there is no java", ci=True)
    with pytest.raises(StackError, match="there is no java"):
        jvm.choose("auto", silent)


@pytest.mark.parametrize(
    ("wanted", "reason"), [("jvm", "there is no java"), ("docker", "no Docker engine"), ("x", "not known")]
)
def test_a_stack_that_cannot_run_is_refused_with_its_reason(
    machine: Callable[..., None], wanted: str, reason: str
) -> None:
    machine(docker=False, lacks="there is no java")
    with pytest.raises(StackError, match=reason):
        jvm.choose(wanted, silent)


def supervisor(*, pid: int = 0, started: list[str] | None = None) -> SimpleNamespace:
    names = [] if started is None else started
    return SimpleNamespace(
        getProcessInfo=lambda _name: {"pid": pid}, startProcess=lambda name, _wait: names.append(name)
    )


def test_the_pid_file_follows_the_process(tmp_path: Path) -> None:
    files, details = PidFiles(tmp_path), {"processname": "intake", "pid": "41"}
    path = tmp_path / "pids" / "intake"
    handle(files, "PROCESS_STATE_RUNNING", details, supervisor())
    assert path.read_text() == "41\n"
    handle(files, "PROCESS_STATE_EXITED", details, supervisor())
    assert not path.exists()
    handle(files, "PROCESS_STATE_STARTING", {"processname": "intake"}, supervisor(pid=42))
    assert path.read_text() == "42\n"
    handle(files, "PROCESS_STATE_STOPPED", details, supervisor())
    assert not path.exists()


def test_only_unasked_ends_count_as_restarts(tmp_path: Path) -> None:
    files, details = PidFiles(tmp_path), {"processname": "notify", "pid": "7"}
    for event in ("STOPPED", "EXITED", "BACKOFF"):
        handle(files, f"PROCESS_STATE_{event}", details, supervisor())
    assert files.restarts() == {"notify": 2}


def test_what_the_supervisor_gave_up_on_is_started_afresh(tmp_path: Path) -> None:
    started: list[str] = []
    handle(PidFiles(tmp_path), "PROCESS_STATE_FATAL", {"processname": "routing"}, supervisor(started=started))
    assert started == ["routing"]


def found(topic: topics.Topic, **changes: str) -> topics.Found:
    return topics.Found(topic.partitions, {**topics.configs_of(topic), **changes})


def test_a_broker_that_agrees_has_no_drift() -> None:
    both = (RECEIVED, CONTACTS)
    assert list(topics.drift(both, {topic.name: found(topic) for topic in both})) == []


def test_each_kind_of_drift_is_named() -> None:
    actual = topics.Found(3, {**topics.configs_of(RECEIVED), "retention.ms": "1"})
    differences = list(topics.drift((RECEIVED, CONTACTS), {RECEIVED.name: actual}))
    assert differences == [
        f"requests.received: 3 partitions, the contract says {RECEIVED.partitions}",
        f"requests.received: retention.ms is 1, the contract says {RECEIVED.retention_ms}",
        "contacts: missing",
    ]


def test_a_compacted_topic_has_no_retention_time() -> None:
    assert "retention.ms" not in topics.configs_of(CONTACTS)


def test_a_repeated_mail_ends_on_the_same_hash() -> None:
    first = file_name(b"Message-ID: <a@b>\r\n\r\none", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    again = file_name(b"Message-ID: <a@b>\r\nX-Try: 2\r\n\r\none", datetime(2026, 1, 2, 3, 5, 5, tzinfo=UTC))
    assert first.startswith("20260102T030405.000000Z-")
    assert first.split("-")[1] == again.split("-")[1]
