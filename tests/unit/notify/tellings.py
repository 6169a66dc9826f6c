"""
Tellings as the planning makes them, for notify's tests.
"""

from datetime import timedelta

from services.common.contracts.events import Lifecycle
from services.common.contracts.vocabulary import Level
from services.notify import planning
from services.notify.domain import Contact, Row, Rules, Telling
from tests.unit.notify.lives import NOON, REQUEST, contact, meta

RULES = Rules()
AYSE = Contact.of(contact())
WHATSAPP = Contact.of(contact(email=None, whatsapp_id="905321112233"))
HEAD_OF = "staff:temizlik-isleri:head"
STAFF = {
    f"staff:temizlik-isleri:{level}": Contact(f"staff:temizlik-isleri:{level}", NOON, email=f"{level}@example.org")
    for level in Level
}


def after(*events: Lifecycle, who: Contact | None = AYSE, telling: Telling | None = None, late: float = 0) -> Telling:
    """
    The telling after these events, absorbed ``late`` seconds after noon.
    """
    telling = telling or Telling(REQUEST)
    for event in events:
        telling = planning.absorb(telling, meta(event), event, who, NOON + timedelta(seconds=late), RULES)
    return telling


def row(telling: Telling, transition: str) -> Row:
    """
    The first attempt at telling a transition, which is there.
    """
    found = telling.find(transition)
    assert found is not None
    return found
