"""
The short form of chaos: misbehaving providers, notify killed twice, every message counted.
"""

import asyncio

import pytest
from rich.console import Console

from tests.faults.chaos import Run, show, standing

pytestmark = [pytest.mark.e2e, pytest.mark.faults, pytest.mark.long]
SEED = 11


def test_misbehaving_providers_and_a_notify_that_is_killed_lose_nothing_and_double_nothing() -> None:
    console = Console(record=True, width=110)
    with standing(SEED, console) as (stack, stands):
        report = asyncio.run(Run(stack, stands, SEED, console.print).go(transitions=200, kills=2))
    show(report, console)
    assert report.ok, console.export_text()
    assert report.kills == 2
    assert report.transitions == 200
    assert report.statuses > 0
