"""
What is told of the senders.
"""

import asyncio
from datetime import datetime
from typing import cast

import pytest

from services.common.contracts.vocabulary import NotifyVia
from services.common.kit.health import Duty, Health
from services.notify import watching
from services.notify.channels.webhook import PartnersSender
from services.notify.repository import NotifyRepository
from services.notify.watching import states
from tests.unit.notify.test_gate import DOWN, NOW, Provider, World
from tests.waiting import until


async def test_a_provider_is_down_since_its_first_failure_in_a_row_and_up_when_it_answers() -> None:
    world = World(*[DOWN] * 5)
    assert states({NotifyVia.SMS: world.gate})["sms"]["up"] is True
    for _ in range(5):
        await world.send()
    told = states({NotifyVia.SMS: world.gate})
    assert told == {
        "sms": {"up": False, "down_since": NOW.isoformat(), "last_error": "http_503", "last_error_at": NOW.isoformat()}
    }


def test_each_partner_is_told_apart_and_a_sender_without_a_provider_is_up() -> None:
    world = World()
    told = states({NotifyVia.WEBHOOK: PartnersSender({"saski": world.gate}), NotifyVia.EMAIL: Provider()})
    assert {name: state["up"] for name, state in told.items()} == {"webhook:saski": True, "email": True}


class Ledger:
    """
    Says how much waits.
    """

    def __init__(self) -> None:
        self.rows = {"due": 0, "later": 9, "unpublished": 0}

    async def waiting(self, now: datetime) -> dict[str, int]:
        return self.rows


async def test_what_is_due_and_what_is_unpublished_wait_for_those_whose_duty_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "SECONDS", 0.01)
    health, ledger = Health(stuck_after=0.1), Ledger()
    duties = {"due": Duty("messages"), "unpublished": Duty("outbox")}
    watch = asyncio.create_task(watching.watch(cast(NotifyRepository, ledger), {}, health, duties, lambda: NOW))
    try:
        await until(lambda: "messages" in health.details)
        assert health.stuck_because is None, "messages for later wait for nobody"
        ledger.rows = {"due": 1, "later": 9, "unpublished": 0}
        await until(lambda: (health.stuck_because or "").startswith("messages: something waits"))
        ledger.rows = {"due": 0, "later": 9, "unpublished": 1}
        await until(lambda: (health.stuck_because or "").startswith("outbox: something waits"))
    finally:
        watch.cancel()
