"""
What runs in the background of the HTTP side does not die unseen; the scopes that a key can have.
"""

import asyncio

import pytest

from services.intake.keys import SCOPES
from services.intake.wiring import or_stop


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


def test_every_scope_that_a_service_asks_for_can_be_given() -> None:
    assert {"requests:write", "updates:write", "reports:read", "texts:read", "contacts:read"} <= set(SCOPES)
