"""
The fault suite in short; ``make faults`` is the whole.
"""

import pytest
from rich.console import Console

from tests.faults.kill_matrix import VICTIMS
from tests.faults.schedule import Kind, Lane
from tests.faults.suite import run

pytestmark = [pytest.mark.e2e, pytest.mark.faults]
KINDS = (Kind.KILL, Kind.LEADER, Kind.TORN)


def test_nothing_that_clients_were_told_is_lost_doubled_or_out_of_order_on_three_brokers(kind: str) -> None:
    if kind != "jvm":
        pytest.skip("three brokers need Apache Kafka on Java (STACK=jvm)")
    console = Console(record=True, width=120)
    suite, report = run(
        requests=300,
        seconds=50,
        seed=11,
        console=console,
        kinds=KINDS,
        longest=6,
        processes=VICTIMS,
        again=False,
        say=console.print,
    )
    assert report.ok, console.export_text()
    assert len(report.told.accepted) >= 300
    done = [one.fault for one in suite.injector.done]
    assert sorted(one.target for one in done if one.lane is Lane.OURS) == sorted(VICTIMS)
    assert sorted(one.kind for one in done if one.lane is Lane.UNDER) == sorted(KINDS)
