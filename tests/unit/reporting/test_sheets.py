"""
Sheets as bytes, and the snapshot of them.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import cast

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from pymongo.errors import AutoReconnect

from services.common.contracts.clocks import load_calendar
from services.common.kit.clock import FrozenClock
from services.reporting.figures.facts import NEEDED, SCHEMA, Row, fact_of
from services.reporting.figures.flags import BINS, PACKED, with_flags
from services.reporting.figures.making import IN_A_ROUND, a_round
from services.reporting.figures.sheets import decode, digest, encode, form_of
from services.reporting.figures.sheets_repository import Mark, Sheet, Sheets, contents_of
from services.reporting.figures.snapshot import COLUMNS, COMPARE_EVERY, Snapshot
from tests.unit.reporting.facts import RECEIVED_AT, fact, frame
from tests.unit.reporting.lives import Life, documents_of, random_lives

CALENDAR = load_calendar()


def of_seed(seed: int, count: int) -> list[Row]:
    documents = documents_of(event for life in random_lives(seed, count) for event in life.events).values()
    return [row for row in (fact_of(document, CALENDAR) for document in documents) if row]


@given(seed=st.integers(0, 2**32), count=st.integers(0, 8))
def test_a_sheet_is_read_as_it_was_written(seed: int, count: int) -> None:
    facts = frame(*of_seed(seed, count))

    assert_frame_equal(decode([encode(facts)]), facts)


def test_equal_facts_are_equal_bytes_in_whatever_order_they_came_and_whatever_was_seen_before() -> None:
    rows = of_seed(3, 12)
    before = encode(frame(*rows))

    _ = pl.DataFrame({"word": [f"other {n}" for n in range(50)]}, {"word": pl.Categorical()})

    assert encode(frame(*reversed(rows))) == before
    assert digest(encode(frame(*rows[1:]))) != digest(before)


@given(seed=st.integers(0, 2**32), count=st.integers(0, 12), size=st.integers(1, 5))
def test_a_sheet_of_many_parts_is_read_as_one_of_the_whole(seed: int, count: int, size: int) -> None:
    rows = list(frame(*of_seed(seed, count)).iter_rows(named=True))
    parts = [frame(*rows[at : at + size]) for at in range(0, len(rows), size)] or [frame()]

    assert_frame_equal(decode([encode(part) for part in parts]), frame(*rows))


def test_a_sheet_of_older_code_is_read_in_its_parts() -> None:
    one, two = encode(frame(*of_seed(3, 2))), encode(frame(*of_seed(4, 300)))

    assert contents_of({"facts": one}) == [one]
    assert contents_of({"facts": b"".join(len(part).to_bytes(4) + part for part in (two, one, two))}) == [two, one, two]


def test_a_sheet_of_older_code_has_no_facts_that_it_did_not_know_and_none_that_is_gone() -> None:
    older = frame(fact(rating=5)).drop("team", "lat").with_columns(weather=pl.lit("rain"))

    found = decode([encode(older)])

    assert dict(found.schema) == dict(SCHEMA)
    assert found.select("team", "lat", "rating").row(0) == (None, None, 5)


def test_facts_are_made_of_the_fields_that_are_read_and_no_others() -> None:
    for document in documents_of(event for life in random_lives(5, 40) for event in life.events).values():
        assert fact_of({name: document[name] for name in NEEDED}, CALENDAR) == fact_of(document, CALENDAR)


def test_another_calendar_is_another_form() -> None:
    assert form_of(b"closed: []") == form_of(b"closed: []") != form_of(b"closed: [monday]")


def test_a_part_has_a_row_of_its_own_under_the_day_of_the_citizens_request() -> None:
    life = Life().receive().register().assign().split(2)
    rows = [fact_of(document, CALENDAR) for document in documents_of(life.events).values()]

    assert sorted((row["part"], row["day"]) for row in rows if row) == [
        (part, life.events[0].meta.time.date()) for part in (False, True, True)
    ]


class Shelf:
    """
    Sheets that are not in a database.
    """

    def __init__(self) -> None:
        self.frames: dict[str, pl.DataFrame] = {}
        self.written_at: dict[str, datetime] = {}
        self.now = RECEIVED_AT
        self.upto: datetime | None = None
        self.read: list[str] = []
        self.looks = 0
        self.fails: Exception | None = None

    def put(self, day: str, *rows: Row) -> None:
        self.frames[day] = frame(*rows)
        self.now += timedelta(seconds=100)
        self.written_at[day] = self.now

    async def as_of(self) -> datetime | None:
        self.looks += 1
        await asyncio.sleep(0)
        return self.upto

    async def written(self, since: datetime | None) -> list[Sheet]:
        every = [Sheet(day, digest(encode(one)), self.written_at[day]) for day, one in self.frames.items()]
        return [sheet for sheet in every if since is None or sheet.written_at >= since]

    async def contents(self, days: Iterable[str]) -> AsyncIterator[tuple[str, str, list[bytes]]]:
        for day in days:
            if self.fails and self.read:
                raise self.fails
            self.read.append(day)
            content = encode(self.frames[day])
            yield day, digest(content), [content]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def snapshot_of(shelf: Shelf, look_every_seconds: float = 0, clock: FrozenClock | None = None) -> Snapshot:
    clock = clock or FrozenClock(datetime(2100, 1, 1, tzinfo=UTC))
    return Snapshot(cast(Sheets, shelf), clock, look_every_seconds)


def on(day: int, month: int = 3) -> datetime:
    return datetime(2026, month, day, 9, tzinfo=UTC)


async def test_a_snapshot_has_the_rows_of_all_sheets_and_no_numbers(shelf: Shelf) -> None:
    rows = {f"2026-{month:02}-{day:02}": fact(received_at=on(day, month)) for month in (4, 2) for day in (1, 28, 7)}
    for day, row in rows.items():
        shelf.put(day, row)

    figures = await snapshot_of(shelf).current()

    expected = with_flags(frame(*rows.values()).select(COLUMNS))
    assert_frame_equal(figures.frame.sort("received_at"), expected)
    assert "request_id" not in figures.frame.columns


async def test_without_sheets_there_are_columns_but_no_rows(shelf: Shelf) -> None:
    figures = await snapshot_of(shelf).current()

    assert figures.frame.columns == [*COLUMNS, PACKED, *BINS.values()]
    assert figures.frame.is_empty()
    assert figures.as_of is None


async def test_only_what_changed_is_read_again(shelf: Shelf) -> None:
    for day in (1, 2, 3):
        shelf.put(f"2026-03-{day:02}", fact(received_at=on(day)))
    snapshot = snapshot_of(shelf)
    first = await snapshot.current()
    same = await snapshot.current()
    assert (same.version, same.frame) == (first.version, first.frame)
    shelf.read.clear()

    shelf.put("2026-03-02", fact(received_at=on(2)), fact(received_at=on(2), closed_at=on(4)))
    shelf.put("2026-04-02", fact(received_at=on(2, 4)))
    changed = await snapshot.current()

    assert sorted(shelf.read) == ["2026-03-02", "2026-04-02"]
    assert changed.version != first.version
    assert changed.frame.get_column("day").to_list().count(on(2).date()) == 2
    assert (changed.frame.height, first.frame.height) == (5, 3)


async def test_a_sheet_that_was_written_again_with_the_same_facts_is_no_new_version(shelf: Shelf) -> None:
    row = fact()
    shelf.put("2026-03-02", row)
    snapshot = snapshot_of(shelf)
    before = await snapshot.current()
    shelf.put("2026-03-02", row)

    assert (await snapshot.current()).version == before.version
    assert (await snapshot_of(shelf).current()).version == before.version


async def test_a_write_that_is_seen_long_after_its_stamp_is_found_when_all_are_compared(shelf: Shelf) -> None:
    clock = FrozenClock(datetime(2026, 3, 9, tzinfo=UTC))
    shelf.put("2026-03-02", fact(received_at=on(2)))
    shelf.put("2026-03-03", fact(received_at=on(3)))
    snapshot = snapshot_of(shelf, clock=clock)
    await snapshot.current()

    stamped = shelf.written_at["2026-03-02"]
    shelf.put("2026-03-02", *[fact(received_at=on(2))] * 2)
    shelf.written_at["2026-03-02"] = stamped
    clock.advance(COMPARE_EVERY - timedelta(seconds=1))
    before = await snapshot.current()
    clock.advance(timedelta(seconds=1))
    after = await snapshot.current()

    assert (before.frame.height, after.frame.height) == (2, 3)
    assert sorted(shelf.read) == ["2026-03-02", "2026-03-02", "2026-03-03"]


async def test_all_are_compared_again_if_the_database_went_away_meanwhile(shelf: Shelf) -> None:
    clock = FrozenClock(datetime(2026, 3, 9, tzinfo=UTC))
    for day in (2, 3):
        shelf.put(f"2026-03-{day:02}", fact(received_at=on(day)))
    snapshot = snapshot_of(shelf, clock=clock)
    await snapshot.current()
    shelf.frames["2026-03-02"] = frame(*[fact(received_at=on(2))] * 2)
    clock.advance(COMPARE_EVERY)
    shelf.fails = AutoReconnect("away")

    with pytest.raises(AutoReconnect):
        await snapshot.current()
    shelf.fails = None

    assert (await snapshot.current()).frame.height == 3


async def test_a_day_that_nobody_is_left_in_is_empty(shelf: Shelf) -> None:
    shelf.put("2026-03-02", fact())
    snapshot = snapshot_of(shelf)
    await snapshot.current()

    shelf.put("2026-03-02")

    assert (await snapshot.current()).frame.is_empty()


async def test_those_who_ask_at_once_look_once_and_soon_after_not_again(shelf: Shelf) -> None:
    shelf.put("2026-03-02", fact())
    snapshot = snapshot_of(shelf, look_every_seconds=3600)

    found = await asyncio.gather(*(snapshot.current() for _ in range(20)))
    found.append(await snapshot.current())

    assert shelf.looks == 1
    assert {one.frame.height for one in found} == {1}


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """
    The seconds that a snapshot's steady clock has shown; the last is now.
    """
    shown = [0.0]
    monkeypatch.setattr("services.reporting.figures.snapshot.monotonic", lambda: shown[-1])
    return shown


async def with_news_since(shelf: Shelf, snapshot: Snapshot) -> None:
    """
    A sheet that the snapshot has seen, and one that it has not.
    """
    shelf.put("2026-03-02", fact())
    await snapshot.current()
    shelf.put("2026-03-03", fact(received_at=on(3)))


async def test_who_keeps_asking_waits_for_no_look_and_sees_what_is_new_after_it(shelf: Shelf, at: list[float]) -> None:
    snapshot = snapshot_of(shelf, look_every_seconds=1)
    await with_news_since(shelf, snapshot)

    seen = []
    for now in (0.4, 0.6, 1.5):
        at.append(now)
        seen.append((await snapshot.current()).frame.height)

    assert (seen, shelf.looks) == ([1, 1, 2], 2)


async def test_a_look_that_nobody_waited_for_and_failed_is_made_again(shelf: Shelf, at: list[float]) -> None:
    snapshot = snapshot_of(shelf, look_every_seconds=1)
    await with_news_since(shelf, snapshot)
    shelf.fails = AutoReconnect("away")
    at.append(0.6)
    await snapshot.current()
    await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})

    shelf.fails = None
    at.append(1.5)

    assert (await snapshot.current()).frame.height == 2


async def test_rows_stand_in_the_order_of_their_days_whichever_sheet_came_last(shelf: Shelf) -> None:
    snapshot = snapshot_of(shelf)
    for day in (2, 9, 5, 2):
        shelf.put(f"2026-03-{day:02}", fact(received_at=on(day)))
        found = await snapshot.current()

    assert found.frame["day"].to_list() == [on(day).date() for day in (2, 5, 9)]


async def test_the_moment_never_goes_back(shelf: Shelf) -> None:
    snapshot = snapshot_of(shelf)
    for upto, claimed in ((None, None), (on(2), on(2)), (on(1), on(2)), (None, on(2)), (on(3), on(3))):
        shelf.upto = upto
        assert (await snapshot.current()).as_of == claimed


async def test_who_asks_while_the_database_is_away_hears_of_it_and_the_next_reads_the_rest(shelf: Shelf) -> None:
    for month in (2, 3):
        shelf.put(f"2026-{month:02}-02", fact(received_at=on(2, month)))
    snapshot = snapshot_of(shelf)
    shelf.fails = ConnectionError("away")

    with pytest.raises(ConnectionError):
        await snapshot.current()
    shelf.fails = None

    assert (await snapshot.current()).frame.height == 2
    assert shelf.read == ["2026-02-02", "2026-03-02"]


async def test_who_goes_away_during_a_look_takes_it_from_nobody_else(shelf: Shelf) -> None:
    shelf.put("2026-03-02", fact())
    snapshot = snapshot_of(shelf, look_every_seconds=3600)
    hasty, patient = asyncio.create_task(snapshot.current()), asyncio.create_task(snapshot.current())
    await asyncio.sleep(0)

    hasty.cancel()

    assert (await patient).frame.height == 1


async def test_a_database_that_is_away_at_the_start_is_asked_again_by_the_first_who_wants_to_know(shelf: Shelf) -> None:
    shelf.put("2026-03-02", fact())
    shelf.read.append("something")
    shelf.fails = AutoReconnect("away")
    snapshot = snapshot_of(shelf, look_every_seconds=3600)

    await snapshot.warm_up()
    shelf.fails = None

    assert (await snapshot.current()).frame.height == 1
    snapshot.close()


def test_no_day_waits_for_ever_behind_days_that_are_marked_again_and_again() -> None:
    def mark(day: int, since: int | None) -> Mark:
        moment = None if since is None else datetime(2026, 11, 29, 12, 0, since, tzinfo=UTC)
        return Mark(f"2026-11-{day:02}", f"{day}", moment)

    busy = [mark(day, 30) for day in range(10, 30)]
    patient, other_form = mark(2, 1), mark(1, None)
    made = a_round([other_form, *busy, patient])
    assert made[0].day == "2026-11-29"
    assert made[1] == patient
    assert len(made) == IN_A_ROUND
    assert other_form not in made
    assert other_form in a_round([other_form, mark(3, None)])
    assert a_round([]) == []
