"""
What is told of the senders.
"""

from services.common.contracts.vocabulary import NotifyVia
from services.notify.channels.webhook import PartnersSender
from services.notify.watching import states
from tests.unit.notify.test_gate import DOWN, NOW, Provider, World


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
