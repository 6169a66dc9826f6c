"""
The intake process itself with neither Kafka nor MongoDB: a full disk, kills, and a second one on the same folder.
"""

import asyncio
import resource
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import pytest

from deploy.stack.config import ROOT
from services.common.kit.auth import key_hash

pytestmark = pytest.mark.integration
KEY: Final = "a key of this test run"
NOBODY: Final = "127.0.0.1:9"  # no Kafka, no MongoDB

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def start(tmp_path: Path, port: int) -> Iterator[Start]:
    """
    Start intake on this test's folder; ``file_bytes`` is how large a file may become.
    """
    row = {"hash": key_hash(KEY), "adapter": "test", "scopes": ["*"], "departments": []}
    (tmp_path / "keys.json").write_bytes(orjson.dumps([row]))
    running: list[subprocess.Popen[str]] = []

    def begin(file_bytes: int | None = None, *, on: int = port) -> "subprocess.Popen[str]":
        environment = {
            "PATH": "",
            "INTAKE_PORT": str(on),
            "INTAKE_ID_SECRET": "a secret of this test run",
            "INTAKE_DATA_DIR": str(tmp_path),
            "KAFKA_BOOTSTRAP_SERVERS": NOBODY,
            "MONGODB_URI": f"mongodb://{NOBODY}/?directConnection=true",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "services.intake"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append(process)
        if file_bytes is not None:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
        return process

    yield begin
    for process in running:
        with process:
            process.kill()


@pytest.fixture
async def http(port: int) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": KEY}, timeout=20) as client:
        yield client


async def spool_state(http: httpx.AsyncClient) -> dict[str, Any]:
    """
    What /readyz tells of the spool, as soon as it answers.
    """
    async with asyncio.timeout(30):
        while True:
            try:
                found: dict[str, Any] = (await http.get("/readyz")).json()["spool"]
                return found
            except httpx.TransportError:
                await asyncio.sleep(0.05)


def body(number: int) -> dict[str, Any]:
    return {"channel": "web", "text": "ş" * 500, "external_id": f"e{number}"}


async def test_with_the_disk_full_it_is_503_and_after_a_kill_all_that_was_accepted_is_there(
    start: Start, http: httpx.AsyncClient
) -> None:
    first = start(60_000)
    await spool_state(http)
    accepted: dict[int, str] = {}
    for number in range(200):
        answer = await http.post("/v1/requests", json=body(number))
        if answer.status_code != 202:
            break
        accepted[number] = answer.text
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert len(accepted) > 10
    assert (await http.get("/readyz")).status_code == 503
    assert (await spool_state(http))["state"] == "full"
    assert (await http.post("/v1/requests", json=body(0))).text == accepted[0]  # it is kept already
    first.kill()
    first.wait()
    start()  # the disk has room again
    state = await spool_state(http)
    assert (state["entries"], state["state"]) == (len(accepted), "filling")
    assert (await http.get("/readyz")).status_code == 200
    for number, text in accepted.items():
        assert (await http.post("/v1/requests", json=body(number))).text == text
        assert (await http.post("/v1/requests", json=body(number) | {"text": "başka"})).status_code == 409
    assert (await spool_state(http))["entries"] == len(accepted)
    assert (await http.post("/v1/requests", json=body(len(accepted)))).status_code == 202


async def test_a_second_intake_on_the_same_folder_does_not_start_and_says_why(
    start: Start, http: httpx.AsyncClient, port: int
) -> None:
    start()
    await spool_state(http)
    second = start(on=port + 1)
    told, _ = await asyncio.to_thread(second.communicate)
    assert second.returncode != 0
    assert "another intake uses" in told
    assert "INTAKE_DATA_DIR" in told
    assert (await http.post("/v1/requests", json=body(1))).status_code == 202
