"""
On which channel a citizen is written to.
"""

from typing import Any

import pytest

from services.common.contracts.vocabulary import NotifyVia
from services.notify import choosing
from services.notify.domain import Contact, Reason
from tests.unit.notify.lives import CONTACT, NOON, contact

MOBILE, LANDLINE, SHORT = "+905321112233", "+903622222222", "+904445501"


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"email": "a@b.example"}, NotifyVia.EMAIL),
        ({"phone": MOBILE}, NotifyVia.SMS),
        ({"phone": "+4915112345678"}, NotifyVia.SMS),
        ({"whatsapp_id": "905321112233", "phone": MOBILE, "email": "a@b.example"}, NotifyVia.WHATSAPP),
        ({"phone": MOBILE, "email": "a@b.example"}, NotifyVia.SMS),
        ({"phone": MOBILE, "email": "a@b.example", "notify_via": "email"}, NotifyVia.EMAIL),
        ({"phone": MOBILE, "notify_via": "whatsapp"}, NotifyVia.SMS),
        ({"phone": LANDLINE, "notify_via": "sms"}, Reason.PHONE_ONLY),
        ({"phone": LANDLINE, "email": "a@b.example"}, NotifyVia.EMAIL),
        ({"phone": LANDLINE}, Reason.PHONE_ONLY),
        ({"phone": SHORT}, Reason.PHONE_ONLY),
        ({"phone": "not a number"}, Reason.PHONE_ONLY),
        ({"phone": MOBILE, "notify_via": "phone"}, Reason.PHONE_ONLY),
        ({"email": "a@b.example", "notify_via": "none"}, Reason.NOT_WANTED),
        ({}, Reason.NO_ADDRESS),
    ],
)
def test_the_channel_is_the_wish_or_the_first_reachable(fields: dict[str, Any], answer: NotifyVia | Reason) -> None:
    assert choosing.choose(Contact.of(contact(**({"email": None} | fields)))) == answer


def test_an_erased_contact_is_written_to_on_no_channel() -> None:
    assert choosing.choose(Contact(CONTACT, NOON, erased=True)) is Reason.ERASED


@pytest.mark.parametrize(
    ("fields", "order"),
    [
        ({"whatsapp_id": "905321112233", "phone": MOBILE, "email": "a@b.example"}, ["whatsapp", "sms", "email"]),
        ({"phone": MOBILE, "email": "a@b.example", "notify_via": "email"}, ["email", "sms"]),
        ({"whatsapp_id": "905321112233", "phone": LANDLINE, "notify_via": "sms"}, ["whatsapp"]),
        ({"email": "a@b.example", "notify_via": "none"}, ["email"]),
        ({"phone": LANDLINE}, []),
    ],
)
def test_what_comes_next_if_the_first_channel_fails(fields: dict[str, Any], order: list[str]) -> None:
    assert [*choosing.channels(Contact.of(contact(**({"email": None} | fields))))] == order


def test_a_partners_system_is_reached_by_its_name() -> None:
    partner = Contact("partner:muhtar-app", NOON)
    assert choosing.channels(partner) == (NotifyVia.WEBHOOK,)
    assert choosing.address_of(partner, NotifyVia.WEBHOOK) == "muhtar-app"
    assert choosing.address_of(Contact.of(contact()), NotifyVia.WEBHOOK) is None


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"notify_via": "none"}, NotifyVia.EMAIL),
        ({"notify_via": "phone"}, Reason.PHONE_ONLY),
        ({"email": None}, Reason.NO_ADDRESS),
    ],
)
def test_what_the_law_wants_told_passes_the_wish_to_hear_nothing(
    fields: dict[str, Any], answer: NotifyVia | Reason
) -> None:
    assert choosing.choose(Contact.of(contact(**fields)), statutory=True) == answer
