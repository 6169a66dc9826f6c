"""
Taking a file over while the database comes and goes.
"""

import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import NetworkTimeout

from deploy.stack.config import ROOT
from services.common.kit.clock import FrozenClock
from services.common.kit.mongo import Client
from services.common.kit.settings import MongoSettings
from services.reporting.figures.reports import summary
from services.reporting.figures.sheets_repository import Sheets
from services.reporting.figures.snapshot import Snapshot
from services.reporting.history import importing
from services.reporting.history.importing import RefusalList, Taken, import_file
from services.reporting.history.mapping import load_mapping
from services.reporting.history.repository import HistoryStore
from services.reporting.queries import Filter
from services.reporting.repository import Repository
from services.reporting.settings import ProjectorSettings
from tests.unit.reporting.test_history import mapping_file

pytestmark = pytest.mark.integration

NOW = datetime(2011, 7, 20, 9, 0, tzinfo=UTC)
HEAD = "no,geldi,hedef,bitti,kanal,birim,hizmet\n"
ROWS = [f"{day},2011-07-{day:02} 10:00:00,2011-07-{day + 1:02} 10:00:00,,Telefon,Fen,Çukur\n" for day in range(1, 11)]
STEPS = [
    (HistoryStore, "secret"),
    (HistoryStore, "name"),
    (HistoryStore, "_keep"),
    (Repository, "project"),
    (Sheets, "mark"),
    (Sheets, "write"),
]
Do = Callable[..., Awaitable[Any]]


@pytest.fixture
def take(client: Client, database: str, mongo_uri: str, tmp_path: Path) -> Callable[[list[str]], Awaitable[Taken]]:
    settings = ProjectorSettings(database=database, mongo=MongoSettings(uri=mongo_uri))
    mapping = load_mapping(mapping_file(tmp_path))

    async def run(rows: list[str]) -> Taken:
        path = tmp_path / "old.csv"
        path.write_text(HEAD + "".join(rows), encoding="utf-8")
        return await import_file(client, settings, path, mapping, RefusalList(tmp_path / "refused.csv"), lambda _: None)

    return run


def done_but_not_heard_of(do: Do, times: int) -> Do:
    """
    The same, of which the first ``times`` are done and the database's answer never comes.
    """
    left = [None] * times

    async def instead(*given: Any) -> Any:
        found = await do(*given)
        if left:
            left.pop()
            raise NetworkTimeout("timed out")
        return found

    return instead


@pytest.mark.parametrize(("of", "step"), STEPS, ids=[step for _, step in STEPS])
async def test_a_database_that_does_not_answer_once_changes_nothing_in_what_an_import_says_and_writes(
    client: Client,
    database: str,
    take: Callable[[list[str]], Awaitable[Taken]],
    of: type,
    step: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importing, "_AT_ONCE", 4)
    first = await take(ROWS[:3])
    monkeypatch.setattr(of, step, done_but_not_heard_of(getattr(of, step), 2))

    taken = await take(ROWS)

    figures = await Snapshot(Sheets(client, database), FrozenClock(NOW)).current()
    assert (first.new, taken.new, taken.known, taken.refused.total()) == (3, 7, 3, 0)
    assert summary(figures.frame, Filter(), NOW)["received"] == len(ROWS)
    assert await client[database]["archive"].count_documents({}) == len(ROWS)
    assert await client[database]["sheet_marks"].count_documents({}) == 0


def test_a_command_without_a_database_says_so_in_one_line_and_exits_as_who_is_to_try_again(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text(HEAD + "".join(ROWS), encoding="utf-8")
    words = ["import", str(tmp_path / "old.csv"), "--mapping", str(mapping_file(tmp_path))]
    away = os.environ | {"MONGODB_URI": "mongodb://127.0.0.1:9/?directConnection=true"}

    done = subprocess.run(
        [sys.executable, "-m", "services.reporting", *words], cwd=ROOT, env=away, capture_output=True, text=True
    )

    assert (done.returncode, done.stdout) == (os.EX_TEMPFAIL, "")
    (line,) = done.stderr.split("\n")[1:-1]
    assert line.startswith("error: MongoDB (MONGODB_URI) does not answer: ServerSelectionTimeoutError; ")
