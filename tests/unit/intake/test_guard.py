"""
Not waiting for what is away, asking once for many, and keys that change.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from services.common.kit.auth import Caller
from services.intake import guard
from services.intake import keys as keys_module
from services.intake.guard import Away, Breaker, Together
from services.intake.keys import Keys, StoredKey


async def test_a_failure_stops_all_tries_for_a_while() -> None:
    tried = 0

    async def fail() -> None:
        nonlocal tried
        tried += 1
        raise OSError

    breaker = Breaker("x", (OSError,), pause=60)
    for _ in range(3):
        with pytest.raises(Away):
            await breaker.call(fail)
    assert tried == 1
    assert breaker.open


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """
    The time of day, to be set by the test.
    """
    now = [1_000.0]
    for module in (guard, keys_module):
        monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


async def test_after_the_pause_one_try_decides_for_all(clock: list[float]) -> None:
    breaker = Breaker("x", (OSError,), pause=5)
    release = asyncio.Event()

    async def fail() -> None:
        raise OSError

    async def wait() -> str:
        await release.wait()
        return "back"

    with pytest.raises(Away):
        await breaker.call(fail)
    clock[0] += 4.9
    assert breaker.open
    clock[0] += 0.2
    probe = asyncio.create_task(breaker.call(wait))
    await asyncio.sleep(0)
    with pytest.raises(Away):
        await breaker.call(wait)
    release.set()
    assert await probe == "back"
    assert await breaker.call(wait) == "back"


async def test_a_single_slow_answer_need_not_stop_all_tries() -> None:
    breaker = Breaker("x", (OSError,), pause=60, after=2)

    async def fail() -> None:
        raise OSError

    async def work() -> None:
        pass

    for attempt in (fail, work, fail, work):
        assert not breaker.open
        with suppress(Away):
            await breaker.call(attempt)
    for _ in range(2):
        assert not breaker.open
        with pytest.raises(Away):
            await breaker.call(fail)
    assert breaker.open


async def test_a_try_that_takes_too_long_is_a_failure_and_a_bug_is_not() -> None:
    breaker = Breaker("x", (OSError,), pause=60, limit=0.01)

    async def broken() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        await breaker.call(broken)
    with pytest.raises(Away):
        await breaker.call(asyncio.Event().wait)
    assert breaker.open


async def test_what_waits_while_one_is_under_way_goes_together() -> None:
    batches: list[list[int]] = []

    async def double(numbers: list[int]) -> Sequence[int]:
        batches.append(numbers)
        await asyncio.sleep(0)
        return [2 * number for number in numbers]

    together = Together(double, at_most=4)
    assert await asyncio.gather(*map(together.ask, range(10))) == [2 * number for number in range(10)]
    assert [len(batch) for batch in batches] == [4, 4, 2]
    await together.drain()


async def test_everybody_in_a_batch_hears_of_its_failure_and_the_next_is_tried() -> None:
    async def fail(numbers: list[int]) -> Sequence[int]:
        if 0 in numbers:
            raise OSError
        return numbers

    together = Together(fail, at_most=2)
    answers = await asyncio.gather(*map(together.ask, range(4)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [OSError, OSError, int, int]


def key(name: str, revoked: bool = False) -> StoredKey:
    return StoredKey(f"hash of {name}", name, frozenset({"*"}), frozenset(), revoked)


async def test_a_new_key_counts_at_once_and_a_revoked_one_no_longer_after_a_refresh(
    tmp_path: Path, clock: list[float]
) -> None:
    stored = [key("a")]

    async def load() -> Sequence[StoredKey]:
        return stored

    keys = Keys(load, tmp_path / "deep" / "keys.json", Breaker("x", (OSError,), pause=0))
    await keys.start()
    stored.append(key("b"))
    clock[0] += 0.3
    assert await keys.caller("hash of b") is not None
    stored[0] = key("a", revoked=True)
    await keys.refresh()
    assert await keys.caller("hash of a") is None
    assert await keys.caller("hash of b") == Caller("b", frozenset({"*"}), frozenset())
    assert "hash of a" not in (tmp_path / "deep" / "keys.json").read_text()


async def test_a_flood_of_wrong_keys_asks_a_few_times_a_second(tmp_path: Path) -> None:
    asked = 0

    async def load() -> Sequence[StoredKey]:
        nonlocal asked
        asked += 1
        return []

    keys = Keys(load, tmp_path / "keys.json", Breaker("x", (OSError,), pause=0))
    await keys.start()
    assert set(await asyncio.gather(*(keys.caller(str(number)) for number in range(1_000)))) == {None}
    assert asked <= 3


async def test_a_broken_copy_of_the_keys_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text('[{"hash": 1')

    async def load() -> Sequence[StoredKey]:
        return [key("a")]

    keys = Keys(load, tmp_path / "keys.json", Breaker("x", (OSError,), pause=0))
    await keys.start()
    assert keys.count == 1
