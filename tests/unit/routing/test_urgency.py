"""
What goes first: emergencies by their service, and what declares a crisis.
"""

import pytest

from services.common.contracts.catalogue import catalogue
from services.common.contracts.envelope import Received
from services.common.contracts.events import CrisisDeclared, Event
from services.routing.rules import RuleBook
from services.routing.rules_form import ServiceRule
from services.routing.urgency import looks_urgent
from tests.builders import NOON, meta_of, parking_over, received, request, update

RULES = [
    ServiceRule(name="cukur", words=("çukur",), service="yol-cukur"),
    ServiceRule(name="cokme", words=("göçük",), service="yol-cokme"),
]
URGENT = looks_urgent(RuleBook(RULES, [], [], catalogue()))


def of(data: Event) -> bool:
    return URGENT(received(data))


@pytest.mark.parametrize(
    ("service_code", "text", "urgent"),
    [
        ("yol-cokme", "Bir şey", True),
        ("yol-cukur", "Burada göçük var", False),
        (None, "Burada göçük var", True),
        (None, "Göçük, yanında çukur", False),
        (None, "Burada çukur var", False),
        (None, "Hiçbir kuralın tanımadığı", False),
        ("artik-yok", "Burada göçük var", True),
    ],
)
def test_a_request_is_urgent_when_its_service_or_the_first_rule_for_its_text_is_an_emergency(
    service_code: str | None, text: str, urgent: bool
) -> None:
    assert of(request(service_code=service_code, text=text)) == urgent


def test_a_crisis_goes_before_the_backlog_that_it_changes() -> None:
    declared = CrisisDeclared(crisis="deprem", starts_at=NOON, reason="Deprem", declared_by="afad", declared_at=NOON)
    assert URGENT(Received("crises", meta_of(declared), declared))


def test_nothing_else_is_urgent() -> None:
    assert not of(update("1" * 13, "accept"))
    assert not of(parking_over("1" * 13))
