"""
The kill matrix in short, where there is no Java; ``make faults-short`` is the whole one. On Apache Kafka
test_fault_suite.py kills the same under three brokers.
"""

import pytest
from rich.console import Console

from deploy.stack.stack import Stack
from tests.faults.kill_matrix import run_on, show

pytestmark = [pytest.mark.e2e, pytest.mark.faults]


def test_nothing_is_lost_or_doubled_when_every_process_is_killed_under_load(
    kind: str, request: pytest.FixtureRequest
) -> None:
    if kind == "jvm":
        pytest.skip("test_fault_suite.py kills the same processes and more on Apache Kafka")
    stack: Stack = request.getfixturevalue("stack")
    console = Console(record=True, width=110)
    report = run_on(stack, requests=250, rate=25, kills=1, seed=7, console=console)
    show(report, console)
    assert report.ok, console.export_text()
    assert len(report.kills) == 4
    assert len(report.told.accepted) >= 250
