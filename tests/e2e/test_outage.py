"""
Kafka away under load, in short; ``make faults-outage`` is the whole.
"""

import asyncio

import pytest
from rich.console import Console

from deploy.stack.stack import Stack
from tests.faults.outage import another_intake, run_outage, two_instances

pytestmark = [pytest.mark.e2e, pytest.mark.faults, pytest.mark.long]


@pytest.fixture
def durable(stack: Stack) -> Stack:
    if stack.config.kind == "embedded":
        pytest.skip("the embedded broker loses what it acknowledged when it stops: Apache Kafka is needed (STACK=jvm)")
    return stack


def test_what_is_accepted_while_kafka_is_away_and_intake_is_killed_is_kept_once_and_in_order(durable: Stack) -> None:
    console = Console(record=True, width=120)
    assert run_outage(durable, rate=10, away=8, kills=1, console=console), console.export_text()


def test_one_external_id_sent_to_two_instances_at_once_is_one_request(durable: Stack) -> None:
    with another_intake(durable, "intake-beside") as url:
        part = asyncio.run(two_instances(durable, url, 30))
    assert part.ok, [(finding.name, finding.wrong) for finding in part.findings if not finding.ok]
