"""
Sheets on a server that speaks MongoDB's protocol: whatever dies and whoever works at once, they say what the events do.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from unittest.mock import patch
from uuid import uuid4

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from services.common.contracts.clocks import load_calendar
from services.common.contracts.envelope import Received
from services.common.kit.clock import FrozenClock, system_clock
from services.common.kit.health import Health
from services.common.kit.mongo import Client, connect
from services.common.kit.settings import MongoSettings
from services.reporting.calls.repository import Calls
from services.reporting.figures import making
from services.reporting.figures.facts import Row, fact_of, frame_of
from services.reporting.figures.flags import with_flags
from services.reporting.figures.making import CannotMake, keep_made, make, make_all
from services.reporting.figures.sheets import decode, digest
from services.reporting.figures.sheets_repository import Made, Part, Sheets, contents_of
from services.reporting.figures.snapshot import COLUMNS, Snapshot
from services.reporting.projections import Document
from services.reporting.projector import Progress, projector
from services.reporting.repository import Repository
from tests.unit.reporting.lives import START, Life, deliver, documents_of, random_lives

pytestmark = pytest.mark.integration

CALENDAR = load_calendar()
DAY = timedelta(days=1)


class Desk:
    """
    A projector's database, and what it does.
    """

    def __init__(self, client: Client, database: str) -> None:
        self.repository = Repository(client, database)
        self.sheets = Sheets(client, database, form="form")
        self.handle = projector(
            self.repository, self.sheets, Progress(system_clock, Health(), None), Calls(client, database)
        )

    async def prepare(self) -> None:
        await self.repository.prepare()
        await self.sheets.prepare()
        await self.sheets.mark_other_forms()

    async def take(self, events: Sequence[Received]) -> None:
        await self.handle([deliver(event) for event in events])

    async def die_before_the_mark(self, events: Sequence[Received]) -> None:
        await self.repository.keep([deliver(event) for event in events])
        await self.repository.project(events)

    async def frames(self) -> dict[str, pl.DataFrame]:
        days = [row["_id"] async for row in self.sheets.sheets.find({}, {"_id": True})]
        return {day: decode(parts) async for day, _, parts in self.sheets.contents(days)}

    async def compare(self, events: Iterable[Received]) -> None:
        """
        All sheets are what a naive recomputation gives, and keep no part of before; a day that is left by all is empty.
        """
        async for row in self.sheets.sheets.find({}):
            assert [digest(part) for part in contents_of(row)] == [part["digest"] for part in row["parts"]]
            assert len(row["facts"]) == len(row["parts"])
        expected, found = naive(events), await self.frames()
        assert expected.keys() <= found.keys()
        for day, frame in found.items():
            assert_frame_equal(frame, frame_of(expected.get(day, [])))


def naive(events: Iterable[Received]) -> dict[str, list[Row]]:
    by_day: dict[str, list[Row]] = defaultdict(list)
    for document in documents_of(events).values():
        if row := fact_of(document, CALENDAR):
            by_day[str(row["day"])].append(row)
    return by_day


@pytest.fixture
async def desk(client: Client, database: str) -> Desk:
    desk = Desk(client, database)
    await desk.prepare()
    return desk


def at_night(number: int) -> Life:
    """
    Registered on the day after the citizen wrote (in Istanbul), and its body is not the first event.
    """
    life = Life(number, at=datetime(2026, 11, 3, 20, 59, 30, tzinfo=UTC)).receive().register().assign()
    assert {str(row["day"]) for rows in naive(life.events).values() for row in rows} == {"2026-11-03"}
    assert {str(row["day"]) for rows in naive(life.events[1:]).values() for row in rows} == {"2026-11-04"}
    return life


async def test_a_request_moves_to_another_day_when_its_body_comes_late(desk: Desk) -> None:
    body, *others = at_night(1).events
    await desk.take(others)
    await make_all(desk.sheets, CALENDAR)
    assert (await desk.frames())["2026-11-04"].height == 1

    await desk.take([body])
    await make_all(desk.sheets, CALENDAR)

    frames = await desk.frames()
    assert (frames["2026-11-03"].height, frames["2026-11-04"].height) == (1, 0)


async def test_a_projector_that_dies_before_the_mark_marks_both_days_when_the_events_come_again(desk: Desk) -> None:
    body, *others = at_night(2).events
    await desk.take(others)
    await make_all(desk.sheets, CALENDAR)

    await desk.die_before_the_mark([body])
    await desk.take([body])
    await make_all(desk.sheets, CALENDAR)

    await desk.compare([body, *others])


async def test_what_changes_while_a_sheet_is_made_is_all_that_is_marked_afterwards(
    desk: Desk, client: Client, database: str
) -> None:
    first, second = Life(3).receive().register(), Life(13, at=START + timedelta(minutes=1)).receive().register()
    await desk.take([*first.events, *second.events])
    (mark,) = await desk.sheets.marked()
    (change,) = second.assign().events[-1:]

    class Slow(Sheets):
        async def write(self, day: str, made: Made, parts: Sequence[Part]) -> bool:
            await desk.take([change])
            return await super().write(day, made, parts)

    assert await make(Slow(client, database, form="form"), CALENDAR, mark.day)

    (left,) = await desk.sheets.marked()
    document = documents_of(second.events)[second.request_id]
    assert left.token != mark.token
    assert (left.blocks, left.since) == ({document["work"][:11]}, _millis(change.meta.time))
    await make_all(desk.sheets, CALENDAR)
    assert await desk.sheets.marked() == []
    await desk.compare([*first.events, *second.events])


async def test_what_somebody_took_who_died_is_taken_again_with_what_was_marked_since(desk: Desk) -> None:
    early, late = Life(3).receive().register(), Life(13, at=START + timedelta(minutes=1)).receive().register()
    await desk.take([*early.events, *late.events])
    await make_all(desk.sheets, CALENDAR)
    (of_late,), (of_early,) = late.assign().events[-1:], early.assign().events[-1:]
    await desk.take([of_late])
    taken = await desk.sheets.take("2026-11-02")
    await desk.take([of_early])  # stands before it, and was published before it

    again = await desk.sheets.take("2026-11-02")

    assert taken is not None
    assert again is not None
    blocks = [documents_of(life.events)[life.request_id]["work"][:11] for life in (early, late)]
    assert (taken.blocks, taken.since) == ({blocks[1]}, _millis(of_late.meta.time))
    assert (again.blocks, again.since) == (set(blocks), _millis(of_early.meta.time))
    await desk.sheets.unmark(taken)  # it lived after all, and knew nothing of the second
    assert await desk.sheets.marked() == [again]
    await make_all(desk.sheets, CALENDAR)
    assert await desk.sheets.marked() == []
    await desk.compare([*early.events, *late.events])


async def test_who_takes_what_another_took_needs_no_third_making(desk: Desk, client: Client, database: str) -> None:
    life = Life(4).receive().register().assign()
    await desk.take(life.events)

    class Overtaken(Sheets):
        async def write(self, day: str, made: Made, parts: Sequence[Part]) -> bool:
            await desk.sheets.take(day)  # somebody who is about to make it too, of the same
            return await super().write(day, made, parts)

    assert await make(Overtaken(client, database, form="form"), CALENDAR, "2026-11-02")

    assert await desk.sheets.marked() == []
    await desk.compare(life.events)


async def test_a_sheet_of_what_was_read_earlier_never_replaces_a_newer_one(
    desk: Desk, client: Client, database: str
) -> None:
    life = Life(4).receive().register().assign()
    await desk.take(life.events)
    (mark,) = await desk.sheets.marked()

    class Slow(Sheets):
        async def write(self, day: str, made: Made, parts: Sequence[Part]) -> bool:
            before = len(life.events)
            await desk.take(life.close().events[before:])
            await make_all(desk.sheets, CALENDAR)
            return await super().write(day, made, parts)

    slow = Slow(client, database, form="form")

    assert not await make(slow, CALENDAR, mark.day)
    assert await desk.sheets.marked() == []
    await desk.compare(life.events)


async def test_of_a_sheet_the_parts_alone_are_made_again_in_which_something_changed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "IN_A_PART", 2)
    lives = [Life(number, at=START + number * timedelta(minutes=1)).receive().register() for number in range(9)]
    await desk.take([event for life in lives for event in life.events])
    await make_all(desk.sheets, CALENDAR)
    before = (await desk.sheets.made("2026-11-02")).parts
    assert [part.rows for part in before] == [2, 2, 2, 2, 1]
    assert {part.content for part in before} == {None}  # what is kept is not read, however much it is
    for life in (*lives[:4], *lives[6:8]):  # whoever reads them again fails
        await desk.repository.requests.update_one({"_id": life.request_id}, {"$set": {"closings": "?"}})

    between = Life(20, at=START + timedelta(minutes=4, seconds=30)).receive().register()
    late = Life(21, at=START + timedelta(minutes=9)).receive().register()
    await desk.take([*lives[5].assign().events[-1:], *between.events, *late.events])
    await make_all(desk.sheets, CALENDAR)

    assert [part.rows for part in (await desk.sheets.made("2026-11-02")).parts] == [2, 2, 2, 1, 2, 2]
    await desk.compare([event for life in (*lives, between, late) for event in life.events])
    await desk.take(lives[3].assign().events)  # in one part with one of those
    with pytest.raises(CannotMake):
        await make_all(desk.sheets, CALENDAR)


async def test_what_older_code_marked_and_wrote_is_made_again_as_a_whole(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "IN_A_PART", 1)
    lives = [Life(number, at=START + number * timedelta(minutes=1)).receive().register() for number in range(3)]
    events = [event for life in lives for event in life.events]
    await desk.take(events)
    await make_all(desk.sheets, CALENDAR)
    (sheet,) = [row async for row in desk.sheets.sheets.find({})]
    parts = [{"first": part["first"], "rows": part["rows"]} for part in sheet["parts"]]
    older = {
        "form": "older",
        "parts": parts,
        "facts": b"".join(len(part).to_bytes(4) + part for part in contents_of(sheet)),
    }
    await desk.sheets.sheets.update_one({}, {"$set": older})
    assert [row async for _, _, row in desk.sheets.contents(["2026-11-02"])] == [contents_of(sheet)]
    await desk.repository.requests.update_many({}, {"$set": {"days": ["2026-11-02"]}})
    await desk.sheets.marks.insert_one({"_id": "2026-11-03", "token": "older", "since": START})
    taken = {
        "blocks": ["x"],
        "since": START,
        "token": "t1",
    }  # by newer code, which died; older code marked it then
    await desk.sheets.marks.insert_one({"_id": "2026-11-04", "token": "t2", "since": START, "taken": taken})
    await desk.repository.beat(START + DAY, START + DAY, 0)
    assert await desk.sheets.as_of() == START - timedelta(milliseconds=1)  # also of an api beside an older projector

    await desk.sheets.prepare()
    await desk.sheets.mark({"2026-11-04": ["y"]}, START)
    await desk.take(lives[2].assign().events)

    assert {mark.day: "" in mark.blocks for mark in await desk.sheets.marked()} == dict.fromkeys(
        ("2026-11-02", "2026-11-03", "2026-11-04"), True
    )
    await make_all(desk.sheets, CALENDAR)
    await desk.compare([event for life in lives for event in life.events])
    (kept,) = {tuple(row["days"]) async for row in desk.repository.requests.find({"_id": lives[2].request_id})}
    assert kept == ("2026-11-02",)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_any_order_and_with_any_deaths_the_sheets_are_those_of_a_naive_recomputation(
    mongo_uri: str, seed: int
) -> None:
    async def live() -> None:
        client = connect(MongoSettings(uri=mongo_uri))
        database = f"test_sheets_{uuid4().hex[:12]}"
        desks = Desk(client, database), Desk(client, database)
        try:
            await desks[0].prepare()
            with patch.object(making, "IN_A_PART", 2):
                await _any_order(desks, random.Random(seed))
        finally:
            await client.drop_database(database)
            client.close()

    asyncio.run(live())


async def _any_order(desks: tuple[Desk, Desk], draw: random.Random) -> None:
    events = [event for life in random_lives(draw.randrange(2**32), 12, days=4) for event in life.events]
    waiting = [*events, *draw.sample(events, len(events) // 3)]
    draw.shuffle(waiting)
    while waiting:
        size = draw.randrange(1, 30)
        batch, waiting = waiting[:size], waiting[size:]
        match draw.randrange(5):
            case 0:
                await desks[0].die_before_the_mark(batch)
                waiting += batch
            case 1:
                half = len(batch) // 2
                await asyncio.gather(
                    *(desk.take(part) for desk, part in zip(desks, (batch[:half], batch[half:]), strict=True) if part)
                )
            case 2:
                await asyncio.gather(desks[1].take(batch), *(make_all(desk.sheets, CALENDAR) for desk in desks))
            case _:
                await desks[0].take(batch)
                for mark in (await desks[0].sheets.marked())[: draw.randrange(3)]:
                    await make(desks[0].sheets, CALENDAR, mark.day)
    await asyncio.gather(*(make_all(desk.sheets, CALENDAR) for desk in desks))
    await desks[0].compare(events)


async def test_the_moment_that_a_snapshot_claims_is_one_whose_events_are_all_in_it(desk: Desk) -> None:
    events = sorted((event for life in random_lives(21, 14, days=5) for event in life.events), key=_time)
    snapshot = Snapshot(desk.sheets, look_every_seconds=0)
    draw = random.Random(21)
    claimed = []
    for start in range(0, len(events), 9):
        batch = events[start : start + 9]
        await desk.take(batch)
        await desk.repository.beat(batch[-1].meta.time, batch[-1].meta.time, 0)
        for mark in (await desk.sheets.marked())[: draw.randrange(9)]:
            await make(desk.sheets, CALENDAR, mark.day)

        figures = await snapshot.current()

        if figures.as_of is None:
            continue
        claimed.append(figures.as_of)
        assert figures.as_of <= batch[-1].meta.time
        later = {event.data.key for event in events if event.meta.time > figures.as_of}
        over = [event for event in events if event.data.key not in later]
        expected = with_flags(frame_of(row for rows in naive(over).values() for row in rows).select(COLUMNS))
        assert expected.join(figures.frame, on=COLUMNS, nulls_equal=True, how="anti").is_empty()
    assert claimed == sorted(claimed)
    assert len(set(claimed)) > 5

    await make_all(desk.sheets, CALENDAR)
    figures = await snapshot.current()
    assert figures.as_of == _millis(events[-1].meta.time)
    assert figures.frame.height == sum(len(rows) for rows in naive(events).values())


def _millis(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _time(event: Received) -> datetime:
    return event.meta.time


async def test_nothing_is_claimed_of_days_that_had_no_sheet_before_this_code(client: Client, database: str) -> None:
    desk = Desk(client, database)
    await desk.repository.prepare()
    lives = [Life(n, at=START + n * DAY).receive().register().assign() for n in range(3)]
    await desk.repository.project([event for life in lives for event in life.events])
    await desk.repository.beat(START + 9 * DAY, START + 9 * DAY, 0)
    snapshot = Snapshot(desk.sheets, look_every_seconds=0)
    assert (await snapshot.current()).as_of is None

    await desk.prepare()
    figures = await snapshot.current()
    assert figures.frame.is_empty()
    assert figures.as_of is not None
    assert figures.as_of < START

    await make_all(desk.sheets, CALENDAR)
    figures = await snapshot.current()
    assert (figures.frame.height, figures.as_of) == (3, START + 9 * DAY)


async def test_no_part_of_a_sheet_of_another_form_is_kept(
    desk: Desk, client: Client, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "IN_A_PART", 1)
    lives = [Life(number, at=START + number * timedelta(minutes=1)).receive().register() for number in range(3)]
    await desk.take([event for life in lives for event in life.events])
    await make_all(Sheets(client, database, form="another"), CALENDAR)  # by somebody with another calendar

    await desk.take(lives[2].assign().events[-1:])

    assert (await desk.sheets.made("2026-11-02")).parts == ()
    await make_all(desk.sheets, CALENDAR)
    assert len((await desk.sheets.made("2026-11-02")).parts) == 3


async def test_sheets_of_another_form_are_made_again_once_and_the_moment_stands_meanwhile(
    desk: Desk, client: Client, database: str
) -> None:
    life = Life(5).receive().register().assign()
    await desk.take(life.events)
    await make_all(desk.sheets, CALENDAR)
    await desk.repository.beat(START, START, 0)

    another = Sheets(client, database, form="another")
    assert await another.are_of_another_form()
    assert not await desk.sheets.are_of_another_form()
    assert await another.mark_other_forms() == 1
    assert await another.mark_other_forms() == 0

    (mark,) = await desk.sheets.marked()
    assert mark.since is None
    assert await desk.sheets.as_of() == START


async def test_a_day_whose_documents_give_no_facts_stays_marked_and_holds_nobody_up(desk: Desk) -> None:
    good, bad = Life(6, at=START).receive().register(), Life(7, at=START + DAY).receive().register()
    await desk.take([*good.events, *bad.events])
    broken: Document = {"closings": "?"}
    await desk.repository.requests.update_one({"_id": bad.request_id}, {"$set": broken})

    async def until_one_is_left() -> None:
        while len(await desk.sheets.marked()) > 1:  # noqa: ASYNC110 - the loop has no event to wait for
            await asyncio.sleep(0.05)

    loop = asyncio.create_task(keep_made(desk.sheets, CALENDAR))
    await asyncio.wait_for(until_one_is_left(), 20)
    assert not loop.done()
    loop.cancel()

    assert [mark.day for mark in await desk.sheets.marked()] == ["2026-11-03"]
    assert list(await desk.frames()) == ["2026-11-02"]


async def test_a_clock_that_is_slow_hides_no_sheet(client: Client, database: str, desk: Desk) -> None:
    slow = Sheets(client, database, FrozenClock(START - timedelta(seconds=30)), form="form")
    quick = Sheets(client, database, FrozenClock(START), form="form")
    snapshot = Snapshot(desk.sheets, look_every_seconds=0)
    for sheets, life in ((quick, Life(8)), (slow, Life(9, at=START + DAY))):
        await desk.take(life.receive().register().events)
        await make_all(sheets, CALENDAR)
        await snapshot.current()

    assert (await snapshot.current()).frame.height == 2


async def test_a_sheet_is_not_put_in_the_place_of_another_that_was_written_as_often(desk: Desk) -> None:
    first, second = Part.of("a", 1, b"one"), Part.of("b", 1, b"two")
    assert await desk.sheets.write("2026-11-02", Made(0), [first])
    made = await desk.sheets.made("2026-11-02")
    await desk.sheets.sheets.delete_many({})
    assert await desk.sheets.write("2026-11-02", Made(0), [second])

    assert not await desk.sheets.write("2026-11-02", made, [*made.parts, second])

    assert [parts async for _, _, parts in desk.sheets.contents(["2026-11-02"])] == [[b"two"]]
