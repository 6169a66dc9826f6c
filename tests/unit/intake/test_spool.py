"""
What was accepted is in the spool whatever happens: cuts, damage, kills, full disks, and any order of work.
"""

import asyncio
import errno
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.stack.config import ROOT
from services.common.contracts.envelope import Record
from services.intake.domain import Accepted
from services.intake.frames import Entry, pack, unpack
from services.intake.spool import Spool, SpoolFull, SpoolInUse
from tests.unit.intake.spools import accepted

ROOMY = 1_000_000
quick = settings(max_examples=60)
text = st.text(max_size=30)
utf8 = text.map(str.encode)
records = st.builds(Record, text, utf8, st.none() | utf8, st.lists(st.tuples(text, utf8), max_size=3).map(tuple))
entries = st.builds(
    Entry,
    st.builds(Accepted, text, text, st.booleans(), st.lists(records, min_size=1, max_size=3).map(tuple)),
    st.floats(0, 1e10),
)


@contextmanager
def opened(folder: Path, max_bytes: int = ROOMY) -> Iterator[Spool]:
    spool = Spool(folder, max_bytes)
    try:
        yield spool
    finally:
        spool.close()


async def all_of(spool: Spool) -> list[Accepted]:
    """
    Everything in order; it is taken out.
    """
    found: list[Accepted] = []
    while spool.entries:
        head = await spool.head(7)
        found += head
        await spool.advance(len(head))
    return found


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.spool"))


async def filled(folder: Path, count: int) -> list[Accepted]:
    """
    A closed spool of one segment.
    """
    inputs = [accepted(number) for number in range(count)]
    with opened(folder) as spool:
        for one in inputs:
            await spool.append(one, 1.0)
    assert len(segments(folder)) == 1
    return inputs


# --- bytes ---


@quick
@given(st.lists(entries, max_size=4), st.binary(max_size=20))
def test_entries_come_back_as_they_were_whatever_stands_behind_them(written: list[Entry], behind: bytes) -> None:
    data = b"".join(map(pack, written))
    found = list(unpack(data + behind))
    assert [one.entry for one in found] == written
    assert [data[one.start : one.end] for one in found] == [pack(one) for one in written]


@settings(max_examples=150)
@given(st.data())
def test_a_cut_at_any_byte_loses_at_most_the_unfinished_last_entry(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        inputs = asyncio.run(filled(folder, 4))
        (segment,) = segments(folder)
        raw = segment.read_bytes()
        cut = data.draw(st.integers(0, len(raw)))
        whole = [one.entry.accepted for one in unpack(raw) if one.end <= cut]
        assert whole == inputs[: len(whole)]
        segment.write_bytes(raw[:cut])

        async def go() -> None:
            with opened(folder) as spool:
                assert spool.entries == len(whole)
                await spool.append(accepted("new"), 1.0)
            with opened(folder) as spool:
                assert await all_of(spool) == [*whole, accepted("new")]

        asyncio.run(go())
        assert not list(folder.glob("*.damaged"))


@settings(max_examples=150)
@given(st.data())
def test_damage_to_any_byte_loses_at_most_the_entry_in_which_it_lies(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        inputs = asyncio.run(filled(folder, 4))
        (segment,) = segments(folder)
        raw = bytearray(segment.read_bytes())
        spot = data.draw(st.integers(0, len(raw) - 1))
        hit = next(number for number, one in enumerate(unpack(bytes(raw))) if one.start <= spot < one.end)
        raw[spot] ^= data.draw(st.integers(1, 255))
        segment.write_bytes(raw)

        async def go() -> None:
            with opened(folder) as spool:
                assert await all_of(spool) == inputs[:hit] + inputs[hit + 1 :]

        asyncio.run(go())
        beside = list(folder.glob("*.damaged"))
        assert len(beside) == (hit < 3)  # the last cannot be told from a torn tail
        assert all(one.stat().st_mode & 0o777 == 0o600 for one in beside)


# --- any order of work ---

steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 5)),
        st.tuples(st.just("advance"), st.integers(1, 5)),
        st.tuples(st.sampled_from(["reopen", "forget the position"]), st.just(0)),
    ),
    max_size=25,
)


@quick
@given(steps, st.integers(1_000, 20_000))
def test_whatever_is_done_in_whatever_order_the_spool_holds_exactly_what_was_kept(
    todo: list[tuple[str, int]], max_bytes: int
) -> None:
    async def go(folder: Path) -> None:
        spool = Spool(folder, max_bytes)
        kept: list[Accepted] = []
        number = 0
        for step, count in todo:
            if step == "append":
                new = [accepted(number + one) for one in range(count)]
                number += count
                answers = await asyncio.gather(*(spool.append(one, 1.0) for one in new), return_exceptions=True)
                kept += [one for one, answer in zip(new, answers, strict=True) if answer is None]
                assert {type(answer) for answer in answers} <= {type(None), SpoolFull}
            elif step == "advance":
                head = await spool.head(count)
                assert list(head) == kept[: len(head)]
                assert bool(head) == bool(kept)
                await spool.advance(len(head))
                del kept[: len(head)]
            else:
                spool.close()
                if step == "forget the position":
                    (folder / "position").unlink()
                spool = Spool(folder, max_bytes)
                repeated = spool.entries - len(kept)  # published twice, with the same bytes
                assert repeated == 0 or (step == "forget the position" and repeated > 0)
                await spool.advance(repeated)
            assert spool.entries == len(kept)
            assert spool.size == sum(one.stat().st_size for one in segments(folder)) <= max_bytes
            assert spool.keyed() == {one.id: one.fingerprint for one in kept}
        assert await all_of(spool) == kept
        assert not segments(folder)
        spool.close()

    with tempfile.TemporaryDirectory() as place:
        asyncio.run(go(Path(place)))


# --- the disk ---


async def test_many_who_ask_at_once_share_few_fsyncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = 0
    real = os.fdatasync

    def counted(descriptor: int) -> None:
        nonlocal synced
        synced += 1
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", counted)
    with opened(tmp_path) as spool:
        await asyncio.gather(*(spool.append(accepted(number), 1.0) for number in range(300)))
        assert spool.entries == 300
    assert synced <= 3


async def test_nobody_is_answered_before_the_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: (real(descriptor), order.append("fsync"))[0])
    with opened(tmp_path) as spool:
        for _ in range(3):
            await spool.append(accepted(1), 1.0)
            order.append("answer")
    assert order == ["fsync", "answer"] * 3


async def test_only_the_owner_reads_it_and_it_is_gone_once_drained(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    with opened(folder) as spool:
        await spool.append(accepted(1), 1.0)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {one.stat().st_mode & 0o777 for one in folder.iterdir()} == {0o600}
        assert spool.oldest() == 1.0
        await spool.advance(1)
        assert (spool.entries, spool.size, spool.oldest()) == (0, 0, None)
        assert [one.name for one in folder.iterdir()] == ["position"]


async def test_drained_segments_make_room_before_all_is_drained(tmp_path: Path) -> None:
    with opened(tmp_path, 16_000) as spool:
        count = 0
        with suppress(SpoolFull):
            while not spool.full:
                await spool.append(accepted(count), 1.0)
                count += 1
        assert spool.full
        assert len(segments(tmp_path)) > 8
        await spool.advance(count // 2)
        assert not spool.full
        await spool.append(accepted("new"), 1.0)
        assert (await all_of(spool))[-1] == accepted("new")


async def test_two_cannot_have_one_spool(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(SpoolInUse, match="INTAKE_DATA_DIR"):
        Spool(tmp_path, ROOMY)
    with opened(tmp_path):
        pass


Failing = Callable[..., Any]


@pytest.mark.parametrize("calls", [["fdatasync"], ["pwrite"], ["fdatasync", "ftruncate"]])
async def test_a_failed_write_keeps_nothing_and_the_next_may_succeed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: Sequence[str]
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "told to fail")

    with opened(tmp_path) as spool:
        await spool.append(accepted(1), 1.0)
        with monkeypatch.context() as broken:
            for call in calls:
                broken.setattr(os, call, fail)
            with pytest.raises(SpoolFull):
                await spool.append(accepted(2), 1.0)
            assert spool.full
        await spool.append(accepted(3), 1.0)
        assert not spool.full
        assert await all_of(spool) == [accepted(1), accepted(3)]


def program(folder: Path, *more: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.unit.intake.spools", str(folder), *more]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


async def test_a_disk_that_is_really_full_loses_nothing_that_was_kept_and_keeps_nothing_else(tmp_path: Path) -> None:
    process = await asyncio.to_thread(program, tmp_path, "50001")
    told, _ = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0
    (segment,) = segments(tmp_path)
    assert sum(one.end - one.start for one in unpack(segment.read_bytes())) == segment.stat().st_size <= 50_001
    with opened(tmp_path) as spool:
        found = [one.id for one in await all_of(spool)]
    assert found == [word for word in told.split() if word.startswith("id-")]
    assert len(found) > 50


async def test_a_kill_at_any_moment_loses_nothing_that_was_kept(tmp_path: Path) -> None:
    for round_ in range(3):
        folder = tmp_path / str(round_)
        with await asyncio.to_thread(program, folder) as process:
            assert process.stdout is not None
            told = [await asyncio.to_thread(process.stdout.readline) for _ in range(50 + 37 * round_)]
            process.send_signal(signal.SIGKILL)
            told += await asyncio.to_thread(process.stdout.readlines)
        with opened(folder) as spool:
            found = [one.id for one in await all_of(spool)]
        answered = [line.strip() for line in told if line.startswith("id-") and line.endswith("\n")]
        assert found[: len(answered)] == answered
        assert len(found) <= len(answered) + 1
