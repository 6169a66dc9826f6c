"""
The fault suite in short; ``make faults`` is the whole.
"""

import os

import pytest
from rich.console import Console

from deploy.stack import jvm
from tests.faults.schedule import Kind, Lane
from tests.faults.suite import run

pytestmark = [pytest.mark.e2e, pytest.mark.faults]
KINDS = (Kind.KILL, Kind.PAUSE, Kind.LEADER, Kind.TORN, Kind.CLOCK)


def test_nothing_that_clients_were_told_is_lost_doubled_or_out_of_order_on_three_brokers() -> None:
    if jvm.choose(os.environ.get("STACK", "auto"), lambda _line: None) != "jvm":
        pytest.skip("three brokers need Apache Kafka on Java (STACK=jvm)")
    console = Console(record=True, width=120)
    suite, report = run(requests=700, seconds=45, seed=5, console=console, kinds=KINDS, longest=8)
    assert report.ok, console.export_text()
    assert len(report.told.accepted) >= 700
    assert {one.fault.lane for one in suite.injector.done} == set(Lane)
