"""
Departments on their topics: the tool, the examples in three languages, and what a department can not do.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.department import talk
from deploy.stack import jvm
from deploy.stack.config import ROOT
from deploy.stack.stack import Stack
from services.common.contracts.envelope import Record, encode
from services.common.contracts.events import UpdateRefused
from services.common.contracts.ids import grouped, random_request_id
from services.common.contracts.topics import RECEIVED
from tests.builders import meta_of, request, update
from tests.e2e.test_journey import City, eventually

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def city(stack: Stack) -> Iterator[City]:
    there = City(stack)
    yield there
    there.topics.close()
    there.http.close()


def _hear_ctrl_c() -> None:
    """
    A test run in the background has Ctrl-C ignored, and would hand that down.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Running:
    """
    A process whose output is read while it runs.
    """

    def __init__(self, command: list[str], env: dict[str, str], folder: Path) -> None:
        self.out = folder / f"{random_request_id()}.out"
        self.file = self.out.open("wb")
        self.process = subprocess.Popen(
            command,
            stdout=self.file,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**os.environ, **env},
            preexec_fn=_hear_ctrl_c,
        )

    def says(self, text: str) -> str:
        def look() -> str | None:
            said = self.out.read_text(errors="replace")
            assert self.process.poll() is None or text in said, said
            return said if text in said else None

        return str(eventually(look, 90))

    def end(self, how: int = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        code = self.process.wait(30)
        self.file.close()
        return code


def department(city: City, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.department", *arguments],
        cwd=ROOT,
        env={**os.environ, **city.env},
        capture_output=True,
        text=True,
        check=False,
    )


def history(city: City, request_id: str, status: str) -> list[dict[str, Any]]:
    return [step for step in city.reported(request_id, status)["history"] if step["type"] == "StatusChanged"]


def test_a_departments_own_system_accepts_and_the_result_is_read_over_http(city: City) -> None:
    request_id = city.post(text="duvar yıkıldı", service_code="istinat-duvari", contact="none")
    city.on_department("fen-isleri", request_id)
    own = update(request_id, "accept", None, update_id="1")
    talk.publish(city.env["KAFKA_BOOTSTRAP_SERVERS"], talk.update_record("fen-isleri", own))
    assert city.result(request_id, "1")["result"] == "applied"
    assert city.reported(request_id, "accepted")["department"] == "fen-isleri"


@pytest.mark.parametrize("claimed", [None, "fen-isleri", "zabita"])
@pytest.mark.parametrize("action", ["accept", "reject", "transfer", "resolve"])
def test_no_payload_moves_another_departments_request_or_spoils_its_own_answer(
    city: City, action: str, claimed: str | None
) -> None:
    servers = city.env["KAFKA_BOOTSTRAP_SERVERS"]
    request_id = city.post(text="kaldırım bozuk", service_code="kaldirim-bozuk", contact="none")
    city.on_department("fen-isleri", request_id)
    holders = talk.update_record("fen-isleri", update(request_id, "accept", None, update_id="same"))
    foreign = talk.update_record("zabita", update(request_id, action, claimed, update_id="same", to="park-bahceler"))
    ids = dict(foreign.headers) | {"ce_id": dict(holders.headers)["ce_id"]}  # even with the id the holder will use
    talk.publish(servers, Record(foreign.topic, foreign.key, foreign.value, tuple(ids.items())))
    refused = eventually(lambda: refusal_on(city, "zabita", request_id))
    assert (refused.reason, refused.department) == ("not_the_holder", "fen-isleri")
    assert city.result(request_id, "same")["reason"] == "not_the_holder"
    talk.publish(servers, holders)
    assert eventually(lambda: city.result(request_id, "same")["result"] == "applied")
    assert city.reported(request_id, "accepted")["department"] == "fen-isleri"


def refusal_on(city: City, slug: str, request_id: str) -> UpdateRefused | None:
    city.topics.poll()
    ours = (one.event.data for one in city.topics.seen if one.topic == f"requests.dept.{slug}" and one.event)
    return next((one for one in ours if isinstance(one, UpdateRefused) and one.request_id == request_id), None)


def test_the_tool_accepts_once_and_tells_why_not_twice(city: City) -> None:
    request_id = city.post(text="çukur", service_code="yol-cukur", contact="none")
    city.on_department("fen-isleri", request_id)
    first = department(city, "accept", "fen-isleri", grouped(request_id).lower(), "--update-id", "a")
    assert (first.returncode, first.stdout) == (
        0,
        f"{grouped(request_id)} applied: Birim üstlendi, now with fen-isleri\n",
    )
    again = department(city, "accept", "fen-isleri", request_id, "--update-id", "a")
    assert again.returncode == 0, again.stderr
    other = department(city, "accept", "fen-isleri", request_id)
    assert other.returncode == 1
    assert "refused: forbidden_move" in other.stderr
    moved = department(city, "transfer", "fen-isleri", request_id, "--to", "zabita", "--note-internal", "işgal")
    assert "now with zabita" in moved.stdout
    sent = department(city, "resolve", "zabita", request_id, "--note-public", "Kaldırıldı.", "--no-wait")
    assert sent.returncode == 0, sent.stderr
    assert history(city, request_id, "resolved")[-1]["public_text"] == "Kaldırıldı."


def test_the_tool_says_what_to_do_when_something_is_wrong(city: City) -> None:
    unknown = department(city, "tail", "zabitalar")
    assert (unknown.returncode, "perhaps: zabita" in unknown.stderr) == (2, True)
    away = subprocess.run(
        [sys.executable, "-m", "deploy.department", "tail", "zabita"],
        cwd=ROOT,
        env={**os.environ, "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert away.returncode == 2
    assert "no broker answers at 127.0.0.1:9" in away.stderr
    assert "make up" in away.stderr
    waiting = department(city, "accept", "zabita", random_request_id(), "--timeout", "0.5")
    assert waiting.returncode == 1
    assert "no answer within 0.5 s" in waiting.stderr


def test_tail_shows_what_comes_in_and_ctrl_c_ends_it(city: City, tmp_path: Path) -> None:
    tail = Running(
        [sys.executable, "-m", "deploy.department", "tail", "veteriner-isleri", "--since", "10m"], city.env, tmp_path
    )
    try:
        nasty = request(text="köpek\x1b[2J\nsürüsü", service_code="basibos-kopek", received_at=datetime.now(UTC))
        request_id = nasty.request_id  # written past intake, which takes no such character
        talk.publish(city.env["KAFKA_BOOTSTRAP_SERVERS"], encode(RECEIVED, meta_of(nasty), nasty))
        said = tail.says(grouped(request_id))
        assert "Sahipsiz köpek" in said
        assert "\x1b[2J" not in said
    finally:
        code = tail.end(signal.SIGINT)
    assert code == 0
    printed = department(city, "tail", "veteriner-isleri", "--since", "beginning", "--no-follow", "--json")
    rows = [json.loads(line) for line in printed.stdout.splitlines()]
    assert next(row for row in rows if row["request_id"] == request_id)["text"] == "köpek\x1b[2J\nsürüsü"
    filtered = department(
        city, "tail", "veteriner-isleri", "--since", "beginning", "--no-follow", "--json", "--emergency"
    )
    assert request_id not in filtered.stdout


def test_the_planning_example_answers_once_although_it_is_killed_in_the_middle(city: City, tmp_path: Path) -> None:
    command = [sys.executable, "examples/department_autoplan.py"]
    request_id = city.post(text="budama", service_code="agac-budama", contact="none")
    first = Running(command, city.env | {"DAY_SECONDS": "600"}, tmp_path)
    first.says(f"{request_id} accept")
    city.reported(request_id, "accepted")
    first.end(signal.SIGKILL)
    second = Running(command, city.env | {"DAY_SECONDS": "0.1"}, tmp_path)
    try:
        second.says(f"{request_id} resolve")
        steps = history(city, request_id, "resolved")
    finally:
        second.end()
    assert [step["status"] for step in steps] == ["accepted", "resolved"]
    assert steps[0]["public_text"].endswith("günü programa alındı.")


def test_the_shortest_example_in_python_accepts(city: City, tmp_path: Path) -> None:
    request_id = city.post(text="seyyar", service_code="seyyar-satici", contact="none")
    example = Running([sys.executable, "examples/department_short.py"], city.env, tmp_path)
    try:
        city.reported(request_id, "accepted")
    finally:
        example.end()


@pytest.fixture(scope="module")
def java() -> str:
    if not shutil.which("javac") or not jvm.jars_current():
        if os.environ.get("CI"):
            pytest.fail("a JDK and Kafka's jars are needed")
        pytest.skip("NO JDK OR NO KAFKA JARS: the Java example is not tried")
    return f"{jvm.LIBS}/*"


def test_the_example_in_java_accepts(city: City, java: str, tmp_path: Path) -> None:
    subprocess.run(["javac", "-cp", java, "-d", str(tmp_path), str(ROOT / "examples/Department.java")], check=True)
    request_id = city.post(text="çöp", service_code="cop-alinmadi", contact="none")
    example = Running(["java", "-cp", f"{tmp_path}:{java}", "Department", "temizlik-isleri"], city.env, tmp_path)
    try:
        example.says(f"{request_id} accept")
        city.reported(request_id, "accepted")
    finally:
        example.end()


def test_kafkas_own_console_consumer_reads_a_department_topic(city: City, java: str, tmp_path: Path) -> None:
    request_id = city.post(text="salıncak kırık", service_code="oyun-grubu-ariza", contact="none")
    reader = Running(
        [
            "java", "-cp", java, "org.apache.kafka.tools.consumer.ConsoleConsumer",
            "--bootstrap-server", city.env["KAFKA_BOOTSTRAP_SERVERS"], "--topic", "requests.dept.park-bahceler",
            "--from-beginning", "--formatter-property", "print.headers=true", "--formatter-property", "print.key=true",
        ],
        city.env,
        tmp_path,
    )  # fmt: skip
    try:
        said = reader.says(request_id)
    finally:
        reader.end()
    (line,) = [one for one in said.splitlines() if request_id in one and "RequestAssigned" in one]
    assert "ce_specversion:1.0" in line
    assert '"text":"salıncak kırık"' in line


@pytest.mark.skipif(not shutil.which("kcat"), reason="KCAT IS MISSING: Debian package kcat")
def test_kcat_reads_a_department_topic(city: City) -> None:
    request_id = city.post(text="gürültü", service_code="gurultu", contact="none")
    city.on_department("zabita", request_id)
    servers = city.env["KAFKA_BOOTSTRAP_SERVERS"]
    printed = subprocess.run(
        ["kcat", "-b", servers, "-t", "requests.dept.zabita", "-C", "-o", "beginning", "-e", "-q", "-f", "%k %h %s\n"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert request_id in printed
    assert "ce_specversion=1.0" in printed
