"""
Everything made again from the archive, beside whoever reads and writes meanwhile.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from polars.testing import assert_frame_equal
from pymongo.errors import AutoReconnect

from services.common.contracts.clocks import CALENDAR_FILE, load_calendar
from services.common.contracts.envelope import Received
from services.common.contracts.ids import ALPHABET
from services.common.kit.clock import FrozenClock, system_clock
from services.common.kit.mongo import Client
from services.reporting.figures.making import keep_made, make_all
from services.reporting.figures.sheets import decode, form_of
from services.reporting.figures.sheets_repository import Sheets
from services.reporting.rebuild_repository import LEASE, Overtaken, Rebuild, spans
from services.reporting.repository import BUILDING, REBUILD, REMADE, Repository
from tests.unit.reporting.lives import Life, deliver, documents_of, random_lives

pytestmark = pytest.mark.integration


@pytest.fixture
async def repository(client: Client, database: str) -> Repository:
    repository = Repository(client, database)
    await repository.prepare()
    return repository


async def take(repository: Repository, received: Sequence[Received]) -> None:
    await repository.keep([deliver(event) for event in received])
    await repository.project(received)


async def documents(repository: Repository) -> dict[str, dict[str, Any]]:
    found = {row["_id"]: row async for row in repository.requests.find()}
    ours = ("_id", "rev", "days", "written_at")
    return {name: {field: row[field] for field in row if field not in ours} for name, row in found.items()}


async def run(rebuild: Rebuild) -> list[int]:
    return [done async for done in rebuild.run()]


async def test_what_is_made_again_is_what_was_there_whatever_the_old_documents_say(
    repository: Repository, client: Client, database: str
) -> None:
    received = [event for life in random_lives(3, 60) for event in life.events]
    await take(repository, received)
    await repository.requests.update_many({}, {"$set": {"status": "wrong"}})
    await repository.requests.delete_one({"registered": True})

    progress = await run(Rebuild(client, database))

    assert progress[-1] == await repository.archived_count()
    assert await documents(repository) == documents_of(received)
    indexes = {tuple(index["key"]) async for index in repository.requests.list_indexes()}
    assert ("registered", "work") in indexes
    assert BUILDING not in await client[database].list_collection_names()


async def test_beside_a_running_projector_readers_never_see_less_and_nothing_is_missing(
    repository: Repository, client: Client, database: str
) -> None:
    lives = list(random_lives(4, 90))
    received = [event for life in lives for event in life.events]
    half = len(received) // 2
    await take(repository, received[:half])
    over = asyncio.Event()

    async def project_the_rest() -> None:
        for start in range(half, len(received), 10):
            await take(repository, received[start : start + 10])

    async def look() -> list[int]:
        seen = [await repository.requests.count_documents({"registered": True})]
        while not over.is_set():
            seen.append(await repository.requests.count_documents({"registered": True}))
        return seen

    async def make_again() -> None:
        await run(Rebuild(client, database))
        over.set()

    seen, _, _ = await asyncio.gather(look(), project_the_rest(), make_again())

    assert seen == sorted(seen)
    assert await documents(repository) == documents_of(received)


async def test_a_part_that_comes_before_its_request_is_made_again_inherits_from_it(
    repository: Repository, client: Client, database: str
) -> None:
    life = Life().receive().register().assign()
    await take(repository, life.events)
    before = len(life.events)
    life.split(2)

    class Splitting(Rebuild):
        async def _fold(self, span: Any) -> int:
            await take(repository, life.events[before:])
            await repository.archive.delete_many({"ce_id": {"$in": [one.meta.id for one in life.events[before:]]}})
            return await super()._fold(span)

    await run(Splitting(client, database))

    assert await documents(repository) == documents_of(life.events)


async def test_who_read_an_old_document_writes_over_no_new_one(
    repository: Repository, client: Client, database: str
) -> None:
    life = Life().receive().register().assign()
    await take(repository, life.events)
    old = await repository.requests.find_one({})
    assert old is not None

    await run(Rebuild(client, database))

    new = await repository.requests.find_one({})
    assert new is not None
    assert new["rev"] > old["rev"] + 1_000_000


async def test_a_rebuild_that_dies_leaves_everything_as_it_was_and_the_next_waits_for_its_lease(
    repository: Repository, client: Client, database: str
) -> None:
    received = [event for life in random_lives(5, 10) for event in life.events]
    await take(repository, received)
    clock = FrozenClock(system_clock())
    until = {"until": clock() + LEASE, "first_rev": 1}
    await repository.meta.update_one({"_id": REBUILD}, {"$set": until}, upsert=True)
    before = await documents(repository)

    with pytest.raises(Overtaken, match="another rebuild"):
        await run(Rebuild(client, database, clock))
    assert await documents(repository) == before

    clock.advance(LEASE + timedelta(seconds=1))
    await run(Rebuild(client, database, clock))
    assert await documents(repository) == documents_of(received)


async def test_a_rebuild_that_could_not_say_that_it_lives_does_not_take_over(
    repository: Repository, client: Client, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take(repository, Life().receive().register().events)
    await repository.requests.update_many({}, {"$set": {"status": "old"}})
    monkeypatch.setattr("services.reporting.rebuild_repository._TRUSTED_SECONDS", 0.0)

    with pytest.raises(Overtaken, match="did not answer"):
        await run(Rebuild(client, database))

    assert await repository.requests.count_documents({"status": "old"}) == 1
    assert await repository.meta.find_one({"_id": REBUILD}) is None


async def test_a_rebuild_that_dies_after_it_took_over_has_its_days_marked_by_the_projector(
    repository: Repository, client: Client, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take(repository, Life().receive().register().assign().events)
    clock = FrozenClock(system_clock())
    sheets, calendar = Sheets(client, database, clock), load_calendar()
    await repository.requests.update_many({}, {"$set": {"department": "old"}})
    await sheets.mark_all()
    await make_all(sheets, calendar)
    (before,) = [decode(parts) async for _, _, parts in sheets.contents(await days_of(sheets))]

    async def rename_and_die(command: Any) -> None:
        await client.admin.command(command)
        raise AutoReconnect

    dying = Rebuild(client, database, clock)
    monkeypatch.setattr(dying, "_client", SimpleNamespace(admin=SimpleNamespace(command=rename_and_die)))
    with pytest.raises(AutoReconnect):
        await run(dying)
    killed = {"until": clock() + LEASE, "first_rev": 1}
    await repository.meta.update_one({"_id": REBUILD}, {"$set": killed}, upsert=True)

    await sheets.mark_remade()
    assert await sheets.marked() == []  # it may live
    clock.advance(LEASE + timedelta(seconds=1))
    projector = asyncio.create_task(keep_made(sheets, calendar))

    async def until_all_is_made() -> None:
        while await repository.meta.find_one({"_id": REMADE}) or await sheets.marked():  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.05)

    await asyncio.wait_for(until_all_is_made(), 20)
    projector.cancel()
    (after,) = [decode(parts) async for _, _, parts in sheets.contents(await days_of(sheets))]
    assert before.get_column("department").to_list() == ["old"]
    assert after.get_column("department").to_list() != ["old"]


async def days_of(sheets: Sheets) -> list[str]:
    return [row["_id"] async for row in sheets.sheets.find()]


async def test_who_marks_all_leaves_the_flag_of_a_rebuild_that_took_over_meanwhile(
    repository: Repository, client: Client, database: str
) -> None:
    await take(repository, Life().receive().register().events)
    await run(Rebuild(client, database))

    class Slow(Sheets):
        async def mark(self, *given: Any) -> None:
            await super().mark(*given)
            await run(Rebuild(client, database))

    await Slow(client, database).mark_all()
    assert await repository.meta.find_one({"_id": REMADE})
    await Sheets(client, database).mark_all()
    assert await repository.meta.find_one({"_id": REMADE}) is None


@pytest.mark.parametrize("events", [0, 3_000, 3_001, 2_000_000])
def test_every_number_is_in_one_range(events: int) -> None:
    ranges = list(spans(events))

    for number in ("0000000000000", "9ZZZZZZZZZZZZ", "ZZZZZZZZZZZZZ", "A", *(Life(n).request_id for n in range(200))):
        assert sum(one["$gte"] <= number < one["$lt"] for one in ranges) == 1
    assert events / len(ranges) <= 3_000
    assert len(ranges) <= max(1, len(ALPHABET) * events / 3_000)


async def command(mongo_uri: str, database: str) -> tuple[int | None, str]:
    """
    ``python -m services.reporting rebuild``: its exit code, and what it says.
    """
    environment = {**os.environ, "MONGODB_URI": mongo_uri, "REPORTING_DATABASE": database}
    words, pipe = (sys.executable, "-m", "services.reporting", "rebuild"), asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *words, env=environment, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )
    shown, _ = await process.communicate()
    return process.returncode, shown.decode()


async def test_the_command_touches_nothing_where_sheets_are_made_with_another_calendar(
    repository: Repository, client: Client, mongo_uri: str, database: str
) -> None:
    await take(repository, Life(1).receive().register().events)
    sheets = Sheets(client, database, form="of another calendar")
    await sheets.mark_other_forms()

    code, shown = await command(mongo_uri, database)

    assert (code, "REPORTING_CALENDAR_FILE" in shown) == (2, True)
    assert await repository.meta.find_one({"_id": REBUILD}) is None


async def test_the_command_makes_documents_and_sheets_again(
    repository: Repository, client: Client, mongo_uri: str, database: str
) -> None:
    received = [event for life in random_lives(7, 30) for event in life.events]
    await take(repository, received)
    sheets, calendar = Sheets(client, database, form=form_of(CALENDAR_FILE.read_bytes())), load_calendar()
    await sheets.mark_other_forms()
    await make_all(sheets, calendar)
    days = await days_of(sheets)
    before = {day: decode(parts) async for day, _, parts in sheets.contents(days)}
    await repository.requests.delete_one({"registered": True})
    await sheets.sheets.delete_one({"_id": days[0]})

    code, shown = await command(mongo_uri, database)

    assert code == 0
    archived = await repository.archived_count()
    assert f"{archived:,} of {archived:,} events" in shown
    assert await documents(repository) == documents_of(received)
    after = {day: decode(parts) async for day, _, parts in sheets.contents(days)}
    assert after.keys() == before.keys()
    for day, frame in before.items():
        assert_frame_equal(after[day], frame)
    assert len(after) > 5
    assert await repository.meta.find_one({"_id": REMADE}) is None
