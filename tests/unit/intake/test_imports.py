"""
Imports into a real intake over ASGI and HTTP: nothing doubled, nothing lost, and who was refused is told why.
"""

import asyncio
import csv
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from services.common.contracts.envelope import decode
from services.common.contracts.events import RequestReceived
from services.common.contracts.topics import RECEIVED
from services.common.kit.clock import system_clock
from services.common.kit.settings import Rate
from services.intake.__main__ import main
from services.intake.api import create_app
from services.intake.imports.importing import Counts, Import, Send, only_checked
from services.intake.imports.mapping import Fault, Mapping
from services.intake.imports.rows import Row
from services.intake.imports.sending import PATIENCE, Sender, Stopped
from tests.unit.intake.intakes import World

SAMPLES = Path(__file__).parents[2] / "data" / "imports"
MAPPING = Mapping.model_validate(
    {"title": "t", "constants": {"channel": "import"}, "fields": {"external_id": "no", "text": "metin"}}
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path).running() as running:
        running.http.headers["X-API-Key"] = "writer"
        yield running


class Told:
    """
    What an import said.
    """

    def __init__(self, mapping: Mapping = MAPPING) -> None:
        self.refused: list[tuple[int, str, list[Fault]]] = []
        self.steps: list[int] = []
        self.work = Import(mapping, system_clock, self._tell, lambda counts: self.steps.append(counts.rows))

    def _tell(self, row: Row, external_id: str, faults: Sequence[Fault]) -> None:
        self.refused.append((row.number, external_id, list(faults)))

    async def run(self, rows: Iterator[Row], send: Send, at_once: int = 4) -> Counts:
        await self.work.run(rows, send, at_once)
        return self.work.counts


class Pauses:
    """
    Waits that take no time, and what happens meanwhile.
    """

    def __init__(self, meanwhile: Any = lambda: None) -> None:
        self.waited: list[float] = []
        self._meanwhile = meanwhile

    async def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)
        self._meanwhile()
        await asyncio.sleep(0.01)


def numbered(count: int, text: str = "Çukur var") -> Iterator[Row]:
    return (Row(n, {"no": f"a-{n}", "metin": f"{text} {n}"}) for n in range(1, count + 1))


def received(world: World) -> list[RequestReceived]:
    found = []
    for record in world.publisher.on(RECEIVED.name):
        event = decode(record.topic, record.key, record.value, record.headers).data
        assert isinstance(event, RequestReceived)
        found.append(event)
    return found


# --- what becomes of rows ---


async def test_every_row_becomes_one_request(world: World) -> None:
    told = Told()
    assert await told.run(numbered(50), Sender(world.http).send) == Counts(rows=50, taken=50, refused=0)
    assert sorted(event.external_id or "" for event in received(world)) == sorted(f"a-{n}" for n in range(1, 51))
    assert {event.adapter for event in received(world)} == {"web-form"}
    assert sorted(told.steps) == list(range(1, 51))


async def test_an_import_that_was_interrupted_doubles_nothing_when_it_is_started_again(world: World) -> None:
    sender, sent = Sender(world.http), 0

    async def dying(body: dict[str, Any]) -> list[Fault]:
        nonlocal sent
        sent += 1
        if sent > 20:
            raise Stopped("the machine goes down")
        return await sender.send(body)

    first = Told()
    with pytest.raises(Stopped):
        await first.run(numbered(50), dying)
    assert 0 < first.work.counts.taken <= 20
    assert await Told().run(numbered(50), sender.send) == Counts(50, 50, 0)
    versions = {(event.request_id, event.external_id, event.text) for event in received(world)}
    assert len(versions) == len({request_id for request_id, _, _ in versions}) == 50


async def test_another_body_under_a_known_id_is_reported_and_changes_nothing(world: World) -> None:
    sender = Sender(world.http)
    await Told().run(numbered(3), sender.send)
    changed = Told()
    rows = iter([Row(1, {"no": "a-1", "metin": "Anders"}), *list(numbered(3))[1:]])
    assert await changed.run(rows, sender.send) == Counts(3, 2, 1)
    [(number, external_id, [fault])] = changed.refused
    assert (number, external_id, fault.field) == (1, "a-1", "external_id")
    assert "Anders" not in {event.text for event in received(world)}


async def test_a_refused_row_stops_no_other(world: World) -> None:
    told = Told()
    rows = iter([Row(2, {"no": "1", "metin": ""}), Row(3, {}, "has 3 cells, the header has 2"), *numbered(2)])
    assert await told.run(rows, Sender(world.http).send) == Counts(4, 2, 2)
    assert sorted(told.refused) == [
        (2, "1", [Fault("text", "Field required")]),
        (3, "", [Fault("", "has 3 cells, the header has 2")]),
    ]


async def test_what_intake_alone_finds_is_reported_by_field(world: World) -> None:
    sender = Sender(world.http)
    [fault] = await sender.send({"channel": "web", "text": "x", "attachments": ["f_" + "0" * 32]})
    assert fault.field.startswith("attachments")
    [fault] = await sender.send({"channel": "web", "text": "x" * 2_000_000})
    assert fault == ("", "is too large")


async def test_checking_alone_sends_nothing(world: World) -> None:
    counts = await Told().run(numbered(20), only_checked)
    assert (counts.taken, world.publisher.records) == (20, [])


async def test_rows_are_drawn_no_faster_than_they_are_taken() -> None:
    drawn, done, most = 0, 0, 0

    def rows() -> Iterator[Row]:
        nonlocal drawn, most
        for row in numbered(10_000):
            drawn += 1
            most = max(most, drawn - done)
            yield row

    async def send(_: dict[str, Any]) -> list[Fault]:
        nonlocal done
        await asyncio.sleep(0)
        done += 1
        return []

    assert (await Told().run(rows(), send, at_once=8)).taken == 10_000
    assert most == 8


# --- an intake that is busy or away ---


async def test_a_limit_of_the_key_is_obeyed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.rate = Rate(per_second=20, at_once=1)
    pauses = Pauses()
    async with world.running():
        world.http.headers["X-API-Key"] = "writer"
        assert (await Told().run(numbered(20), Sender(world.http, pauses).send)).taken == 20
    assert len(received(world)) == 20
    assert pauses.waited
    assert min(pauses.waited) >= 1


async def test_what_can_be_kept_nowhere_now_is_sent_when_it_can(tmp_path: Path) -> None:
    world = World(tmp_path, spool_bytes=64)
    world.publisher.failing = True

    def back() -> None:
        world.publisher.failing = False

    pauses = Pauses(back)
    async with world.running():
        assert (await Told().run(numbered(5), Sender(world.http, pauses).send)).taken == 5
        assert {event.external_id for event in received(world)} == {f"a-{n}" for n in range(1, 6)}
    assert set(pauses.waited) == {5.0}


def answering(*answers: int | Exception) -> tuple[httpx.AsyncClient, Counter[str]]:
    left, asked = list(answers), Counter[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        asked[request.url.path] += 1
        now = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(now, Exception):
            raise now
        return httpx.Response(now, json=["somebody else's answer"], headers={"Retry-After": "soon"})

    return httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://intake"), asked


async def test_an_intake_that_comes_back_gets_the_row() -> None:
    lost = httpx.ReadError("lost")
    http, asked = answering(httpx.ConnectError("away"), lost, lost, 504, 202)
    pauses = Pauses()
    assert await Sender(http, pauses).send({}) == []
    assert asked == {"/v1/requests": 5}
    assert pauses.waited == [2, 4, 8, 5]


async def test_an_intake_that_stays_away_ends_the_import_not_the_row() -> None:
    http, _ = answering(httpx.ConnectError("away"))
    pauses, told = Pauses(), Told()
    with pytest.raises(Stopped, match="has not taken anything"):
        await told.run(numbered(9), Sender(http, pauses).send, at_once=1)
    assert sum(pauses.waited) >= PATIENCE
    assert told.work.counts == Counts()


@pytest.mark.parametrize(
    ("status", "why"), [(401, "key"), (403, "requests:write"), (404, "address"), (500, "500"), (422, "address")]
)
async def test_an_answer_that_no_row_can_change_ends_the_import(status: int, why: str) -> None:
    http, asked = answering(status)
    with pytest.raises(Stopped, match=why):
        await Told().run(numbered(100), Sender(http).send, at_once=1)
    assert asked.total() == 1


# --- the command ---


@asynccontextmanager
async def served(world: World) -> AsyncIterator[str]:
    server = uvicorn.Server(uvicorn.Config(create_app(world.parts), port=0, log_config=None, ws="none"))
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(60):
            while not server.started:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


class Command:
    """
    The command line, with a key and an address in its environment.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.environment, self._capsys = monkeypatch, capsys
        monkeypatch.setenv("INTAKE_API_KEY", "writer")
        monkeypatch.setenv("INTAKE_URL", "http://127.0.0.1:9")

    def run(self, *words: str | Path) -> tuple[int, str, str]:
        self.environment.setattr(sys, "argv", ["intake", "import", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = self._capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


async def test_the_command_takes_a_file_and_reports_what_it_refused(tmp_path: Path, command: Command) -> None:
    world, report = World(tmp_path), tmp_path / "out.csv"
    lines = (SAMPLES / "cimer.csv").read_bytes().decode("windows-1254")
    bad = '=1+1;dün;Şikâyet;Hayır;Gizli Kişi;12;;;"";Ulugazi;\r\n'
    file = tmp_path / "export.csv"
    file.write_bytes((lines + bad).encode("windows-1254"))
    async with served(world) as url:
        command.environment.setenv("INTAKE_URL", url)
        code, out, _ = await asyncio.to_thread(
            command.run, file, "--mapping", "cimer", "--report", report, "--at-once", "2"
        )
        assert (code, out.splitlines()[-1]) == (1, "export.csv: 5 rows, 4 taken, 1 refused")
        again, out, _ = await asyncio.to_thread(command.run, SAMPLES / "cimer.csv", "--mapping", "cimer")
        assert (again, out.splitlines()[-1]) == (0, "cimer.csv: 4 rows, 4 taken, 0 refused")
        assert len({event.request_id for event in received(world)}) == 4
    told = list(csv.DictReader(report.read_text("utf-8-sig").splitlines(), delimiter=";"))
    assert {(row["row"], row["external_id"], row["field"], row["column"]) for row in told} == {
        ("6", "'=1+1", "text", "Konu + Başvuru Metni"),
        ("6", "'=1+1", "received_at", "Başvuru Tarihi"),
        ("6", "'=1+1", "citizen.phone", "Telefon"),
    }
    assert "Gizli" not in report.read_text("utf-8-sig")


def test_a_dry_run_needs_neither_key_nor_intake(command: Command) -> None:
    command.environment.delenv("INTAKE_API_KEY")
    code, out, _ = command.run(SAMPLES / "social.jsonl", "--mapping", "social", "--dry-run")
    assert (code, out) == (0, "social.jsonl: 3 rows, 3 good, 0 refused\n")


def test_without_a_report_the_first_refused_rows_are_said(tmp_path: Path, command: Command) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps({"platform": "x", "id": n}) + "\n" for n in range(300)), encoding="utf-8")
    code, out, said = command.run(file, "--mapping", "social", "--dry-run")
    assert (code, out) == (1, "a.jsonl: 300 rows, 0 good, 300 refused\n")
    assert "row 1: x:0: text: Field required\n" in said
    assert (said.count("Field required"), said.count("--report FILE"), said.count("00 rows")) == (20, 1, 3)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["none.csv", "--mapping", "cimer"], "none.csv: No such file"),
        ([SAMPLES / "cimer.csv", "--mapping", "cimmer"], "--mapping must be"),
        ([SAMPLES / "cimer.csv", "--mapping", "partner"], "the header lacks: id"),
        ([SAMPLES / "cimer.csv", "--mapping", "cimer", "--key-file", "none"], "No such file"),
        ([SAMPLES / "cimer.csv", "--mapping", "cimer", "--report", "none/out.csv"], "No such file"),
        ([SAMPLES / "cimer.csv", "--mapping", "cimer", "--report", SAMPLES / "cimer.csv"], "another file"),
        ([SAMPLES / "cimer.csv", "--mapping", "cimer", "--at-once", "0"], "must be 1 to 64"),
    ],
)
def test_what_cannot_be_begun_with_ends_with_2(command: Command, words: list[str | Path], why: str) -> None:
    code, out, said = command.run(*words)
    assert (code, why in said) == (2, True), said
    assert "taken" not in out or ", 0 taken, 0 refused" in out


def test_without_a_key_nothing_is_begun(command: Command) -> None:
    command.environment.delenv("INTAKE_API_KEY")
    code, _, said = command.run(SAMPLES / "cimer.csv", "--mapping", "cimer")
    assert (code, "INTAKE_API_KEY" in said) == (2, True)


async def test_a_wrong_key_ends_with_2_and_a_right_one_comes_from_its_file(tmp_path: Path, command: Command) -> None:
    world, key = World(tmp_path), tmp_path / "key"
    async with served(world) as url:
        command.environment.setenv("INTAKE_URL", url)
        command.environment.setenv("INTAKE_API_KEY", "nobodys")
        words = (SAMPLES / "partner.json", "--mapping", "partner")
        code, _, said = await asyncio.to_thread(command.run, *words)
        assert (code, "requests:write" in said, received(world)) == (2, True, [])
        key.write_text("writer\n", encoding="utf-8")
        code, _, _ = await asyncio.to_thread(command.run, *words, "--key-file", key)
        assert (code, len(received(world))) == (0, 3)
