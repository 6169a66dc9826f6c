"""
When the worker says that the read model is up to date.
"""

import asyncio
from contextlib import suppress
from time import monotonic

import pytest

from services.common.kit.health import Health
from services.intake.repository import AWAY
from services.intake.worker import heartbeat, up_to_date


@pytest.mark.parametrize(
    ("health", "says"),
    [
        (Health(ready=True, details={"lag": 0}), True),
        (Health(ready=True, details={"lag": 1}), False),
        (Health(ready=True), False),
        (Health(ready=False, details={"lag": 0}), False),
        (Health(ready=True, details={"lag": 0}, in_hand_since=monotonic()), False),
        (Health(ready=True, details={"lag": 0}, stopped_because="dead letters"), False),
    ],
)
def test_the_read_model_is_up_to_date_when_nothing_is_behind_and_nothing_in_hand(health: Health, says: bool) -> None:
    assert up_to_date(health) is says


async def test_the_heart_beats_on_after_mongo_was_away() -> None:
    beats, twice = 0, asyncio.Event()

    async def beat() -> None:
        nonlocal beats
        beats += 1
        if beats == 1:
            raise AWAY[0]("away")
        twice.set()

    task = asyncio.create_task(heartbeat(beat, Health(ready=True, details={"lag": 0}), pause=0.01))
    async with asyncio.timeout(10):
        await twice.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
