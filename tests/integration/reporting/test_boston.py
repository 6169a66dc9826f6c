"""
Half a year of Boston's 311, taken over by its mapping: the figures are those of its file.

The data lies beside the project and is not a part of it; where it is not there, so is this test not.
"""

import gzip
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd  # type: ignore[import-untyped]
import pytest

from services.common.kit.clock import FrozenClock
from services.common.kit.mongo import Client
from services.common.kit.settings import MongoSettings
from services.reporting.figures.reports import By, grouped, summary
from services.reporting.figures.sheets_repository import Sheets
from services.reporting.figures.snapshot import Snapshot
from services.reporting.history.import_cli import progress
from services.reporting.history.importing import RefusalList, Taken, import_file
from services.reporting.history.mapping import load_mapping, slug_of
from services.reporting.queries import Filter
from services.reporting.rebuild_repository import Rebuild
from services.reporting.settings import ProjectorSettings

ROOT = Path(__file__).parents[3]
DATA = ROOT.parent / "shared" / "data" / "real" / "boston311_2011H2.csv.gz"
MAPPING = load_mapping(ROOT / "examples" / "boston311" / "mapping.yaml")
NOW = datetime(2012, 1, 1, tzinfo=UTC)

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not DATA.exists(), reason="the data of Boston is not beside this checkout"),
]

Import = Callable[[Path], Any]


@pytest.fixture
def take(client: Client, mongo_uri: str, database: str, tmp_path: Path) -> Import:
    settings = ProjectorSettings(database=database, mongo=MongoSettings(uri=mongo_uri))

    async def run(path: Path) -> Taken:
        return await import_file(client, settings, path, MAPPING, RefusalList(tmp_path / "refused.csv"), progress)

    return run


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """
    Every hundredth row.
    """
    path = tmp_path / "sample.csv.gz"
    lines = gzip.decompress(DATA.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join([lines[0], *lines[1::100]])))
    return path


def meant(column: str, text: str) -> object:
    return getattr(MAPPING.columns, column).of({getattr(MAPPING.columns, column).column: text})


def counted(rows: pd.DataFrame) -> dict[str, int]:
    return {
        "received": len(rows),
        "closed": int((rows.case_status == "Closed").sum()),
        "open": int((rows.case_status == "Open").sum()),
        "on_time": int((rows.ontime == "ONTIME").sum()),
        "late": int((rows.ontime == "OVERDUE").sum()),
        "duplicates": int(rows.closure_reason.str.strip().str.startswith("Case Closed Duplicate").sum()),
    }


def straight(path: Path) -> dict[str, dict[str | None, dict[str, int]]]:
    """
    What pandas counts in the file, without any code of ours but the names of codes.
    """
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    places = rows.neighborhood.str.strip()
    groups = {
        "channel": rows.source.map(lambda text: meant("channel", text)),
        "department": rows.department.map(lambda text: meant("department", text)),
        "service": rows.type.map(slug_of),
        "neighbourhood": places.where(places != "", None),
    }
    return {
        "all": {None: counted(rows)},
        **{
            name: {
                (None if pd.isna(value) else value): counted(found) for value, found in rows.groupby(key, dropna=False)
            }
            for name, key in groups.items()
        },
    }


def some(row: Mapping[str, Any]) -> dict[str, int]:
    return {name: row[name] for name in ("received", "closed", "open", "on_time", "late", "duplicates")}


async def reported(client: Client, database: str) -> dict[str, dict[str | None, dict[str, int]]]:
    """
    What the reports say of the same.
    """
    figures = await Snapshot(Sheets(client, database), FrozenClock(NOW)).current()
    every = Filter()
    groups: tuple[By, ...] = ("channel", "department", "service", "neighbourhood")
    return {
        "all": {None: some(summary(figures.frame, every, NOW))},
        **{name: {row[name]: some(row) for row in grouped(figures.frame, every, NOW, name)} for name in groups},
    }


async def documents(client: Client, database: str) -> list[dict[str, Any]]:
    varies = {"written_at": False, "rev": False}
    return [row async for row in client[database]["requests"].find({}, varies).sort("_id")]


async def test_the_figures_of_a_sample_are_those_of_its_file_however_often_it_comes(
    client: Client, database: str, take: Import, sample: Path
) -> None:
    expected = straight(sample)

    first = await take(sample)
    once = await reported(client, database)
    second = await take(sample)

    assert (first.new, first.refused.total()) == (expected["all"][None]["received"], 0)
    assert once == expected
    assert (second.new, second.known) == (0, first.new)
    assert await reported(client, database) == expected


async def test_a_rebuild_makes_the_same_documents_of_the_archive(
    client: Client, database: str, take: Import, sample: Path
) -> None:
    await take(sample)
    before = await documents(client, database)

    async for _ in Rebuild(client, database).run():
        pass

    assert before
    assert await documents(client, database) == before


async def test_an_import_that_died_between_archive_and_document_is_made_good_by_the_next(
    client: Client, database: str, take: Import, sample: Path
) -> None:
    requests = client[database]["requests"]
    first = await take(sample)
    lost = [row["_id"] async for row in requests.find({}, {"_id": True}).limit(100)]
    await requests.delete_many({"_id": {"$in": lost}})

    again = await take(sample)

    assert (again.new, again.known) == (0, first.new)
    assert await reported(client, database) == straight(sample)


async def test_the_words_of_the_file_are_nowhere_in_the_database(
    client: Client, database: str, take: Import, sample: Path
) -> None:
    rows = pd.read_csv(sample, dtype=str, keep_default_na=False)
    words = {text.strip() for text in [*rows.location, *rows.closure_reason, *rows.case_enquiry_id] if len(text) > 9}

    await take(sample)

    kept = "".join([str(row) async for row in client[database]["archive"].find()])
    kept += "".join([str(row) async for row in client[database]["requests"].find()])
    assert len(words) > 300
    assert not [text for text in words if text in kept]


@pytest.mark.long
async def test_the_figures_of_the_whole_are_those_of_its_file(client: Client, database: str, take: Import) -> None:
    taken = await take(DATA)

    found = await reported(client, database)
    assert (taken.new, taken.refused.total()) == (58_251, 0)
    assert found == straight(DATA)
    assert (found["all"][None]["on_time"], found["all"][None]["late"]) == (46_572, 11_521)
    assert found["channel"]["phone"]["received"] == 28_136  # Constituent Call
