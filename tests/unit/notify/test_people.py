"""
The persons behind contacts: joined by hash, by the latest word, whatever the order.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.notify.domain import Contact, Told
from services.notify.people import Crowd
from tests.unit.notify.lives import NOON, contact
from tests.unit.notify.tellings import RULES, WHATSAPP

BOTH = replace(WHATSAPP, whatsapp_hash="w", phone_hash="p")
MAIL = Contact.of(contact(email_hash="m"))
HOUR = timedelta(hours=1)


def test_what_is_known_under_any_hash_of_a_contact_is_known_of_its_person() -> None:
    crowd = Crowd({"w": {"last_in_at": NOON}, "p": {"last_in_at": NOON - HOUR, "stop_at": NOON}, "m": {}})
    person = crowd.person(BOTH, NOON, RULES)
    assert (person.last_in_at, person.stopped) == (NOON, True)
    other = crowd.person(MAIL, NOON, RULES)
    assert (other.last_in_at, other.stopped) == (None, False)


@pytest.mark.parametrize(
    ("words", "stopped"),
    [({}, False), ({"stop_at": 1}, True), ({"start_at": 1}, False), ({"stop_at": 1, "start_at": 2}, False),
     ({"stop_at": 3, "start_at": 2}, True)],
)  # fmt: skip
def test_the_last_wish_counts(words: dict[str, int], stopped: bool) -> None:
    said = {name: NOON + hours * HOUR for name, hours in words.items()}
    assert Crowd({"w": said}).person(BOTH, NOON, RULES).stopped is stopped


def test_a_message_is_counted_once_whatever_is_repeated_and_a_survey_is_remembered_for_a_week() -> None:
    crowd = Crowd({"w": {"told": {"a": {"at": NOON, "survey": False, "counts": True}}}})
    crowd.tell(BOTH, Told("a", NOON + HOUR))
    crowd.tell(BOTH, Told("b", NOON + HOUR, survey=True, counts=False))
    crowd.tell(BOTH, None)
    assert [one.key for one in crowd.person(BOTH, NOON + 2 * HOUR, RULES).told] == ["a", "b"]
    assert [one.key for one in crowd.person(BOTH, NOON + 30 * HOUR, RULES).told] == ["b"]
    assert crowd.person(BOTH, NOON + timedelta(days=8), RULES).told == ()
    assert crowd.past(BOTH.hashes, NOON + timedelta(days=8), RULES) == ["a", "b"]


def test_who_has_no_hash_is_known_by_the_contact_alone() -> None:
    crowd = Crowd({WHATSAPP.id: {"stop_at": NOON}})
    assert WHATSAPP.hashes == (WHATSAPP.id,)
    assert crowd.person(WHATSAPP, NOON, RULES).stopped
