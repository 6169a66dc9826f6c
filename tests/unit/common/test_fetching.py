import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from services.common.kit.fetching import AT_ONCE_BYTES, IDLE_MS, TOGETHER_BYTES, Fetches


def _app() -> tuple[Any, Any]:
    fetcher = SimpleNamespace(_fetch_min_bytes=1, _fetch_max_wait_ms=1_500)
    consumer = SimpleNamespace(_thread=SimpleNamespace(_consumer=SimpleNamespace(_fetcher=fetcher)))
    return SimpleNamespace(consumer=consumer), fetcher


def _asks(fetcher: Any) -> tuple[int, int]:
    return fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms


async def test_once_a_batch_came_the_broker_is_to_wait_for_more_but_not_longer_than_batches_are_apart() -> None:
    app, fetcher = _app()
    Fetches(app, 0.1).took()
    assert _asks(fetcher) == (TOGETHER_BYTES, 100)


async def test_after_a_pause_the_first_record_comes_at_once() -> None:
    app, fetcher = _app()
    fetches = Fetches(app, 0.001)
    for _ in range(3):
        fetches.took()
    for _ in range(1_000):
        if _asks(fetcher) == (AT_ONCE_BYTES, IDLE_MS):
            break
        await asyncio.sleep(0.005)
    else:
        pytest.fail("the pause was not noticed")
    fetches.took()
    assert _asks(fetcher) == (TOGETHER_BYTES, 1)


async def test_who_takes_batches_as_they_come_gets_each_record_at_once() -> None:
    app, fetcher = _app()
    Fetches(app, 0.0).took()
    assert _asks(fetcher) == (1, 1_500)
