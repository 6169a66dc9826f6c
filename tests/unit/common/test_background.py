"""
What runs in the background of a server does not die unseen.
"""

import asyncio

import pytest

from services.common.kit.background import or_stop


async def test_a_background_task_that_breaks_stops_the_process() -> None:
    stopped: list[bool] = []

    async def broken() -> None:
        raise RuntimeError("a bug")

    await or_stop(broken(), lambda: stopped.append(True))
    assert stopped == [True]


async def test_a_background_task_that_ends_or_is_cancelled_stops_nothing() -> None:
    stopped: list[bool] = []
    await or_stop(asyncio.sleep(0), lambda: stopped.append(True))
    task = asyncio.create_task(or_stop(asyncio.Event().wait(), lambda: stopped.append(True)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped == []
