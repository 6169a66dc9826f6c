"""
Every message as its readers see it, with made-up facts. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final

from services.common.contracts.vocabulary import Language, NotifyVia
from services.notify.channels.gsm7 import Measure, measure, plain
from services.notify.digest import Work, digest
from services.notify.domain import SAYING
from services.notify.expected import DIGEST
from services.notify.messages import House, Message
from services.notify.samples import AT, HOUSE, REQUEST, USUAL, samples
from services.notify.templates import Templates
from services.notify.transitions import ESCALATED

_INBOX: Final = "https://ilkim.example/department/fen-isleri"


class Audience(StrEnum):
    """
    Who reads a message.
    """

    CITIZEN = "citizen"
    CONVERSATION = "conversation"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Meta:
    """
    Meta's template as it is filled: ``parameters`` are pairs of what and how.
    """

    name: str
    text: str
    parameters: tuple[tuple[str, str], ...]
    buttons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """
    One message on each channel on which it goes; staff are written to by mail alone.
    """

    name: str
    audience: Audience
    mail: Message
    sms: Message | None = None
    measure: Measure | None = None
    whatsapp: Message | None = None
    meta: Meta | None = None


def audience_of(name: str) -> Audience:
    """
    Who reads what a template says.
    """
    if name.startswith(SAYING):
        return Audience.CONVERSATION
    return Audience.STAFF if name == DIGEST or name.startswith(ESCALATED) else Audience.CITIZEN


def previews(
    templates: Templates, house: House, language: Language, audience: Audience | None = None, *, emergency: bool = False
) -> Sequence[Preview]:
    """
    All messages to an audience, or to all.
    """
    names = [*samples(USUAL), DIGEST]
    return [
        preview(templates, house, name, language, emergency=emergency)
        for name in names
        if audience in (None, audience_of(name))
    ]


def preview(templates: Templates, house: House, name: str, language: Language, *, emergency: bool = False) -> Preview:
    """
    One message. Raises ``KeyError`` if no template is called so.
    """
    house = replace(house, tracking_secret=HOUSE.tracking_secret)  # a made-up link opens nothing
    audience = audience_of(name)
    if name == DIGEST:
        return Preview(name, audience, digest(templates, house, "fen-isleri", _WORK, _INBOX, AT))
    facts = replace(USUAL, emergency=emergency)
    mail, sms, whatsapp = (
        templates.render(house, REQUEST, samples(facts, channel)[name], language)
        for channel in (NotifyVia.EMAIL, NotifyVia.SMS, NotifyVia.WHATSAPP)
    )
    if audience is Audience.STAFF:
        return Preview(name, audience, mail)
    meta = None
    if (call := whatsapp.template) is not None:
        known = templates.meta
        meta = Meta(call.name, known.text(call), tuple(known.filled(call).items()), known.buttons(call))
    return Preview(name, audience, mail, sms, measure(plain(sms.short)), whatsapp, meta)


_WORK: Final = (
    Work(REQUEST, "yol-cokme", True, AT - timedelta(hours=2), True),
    Work("3BDM7XK29MQ4T", "yol-cukur", False, AT - timedelta(days=2, hours=3), True),
    Work("9MQ4T3BDM7XK2", "yol-cukur", False, AT + timedelta(hours=5), False),
    Work("T3BDM7XK29MQ4", "yol-cukur", False, AT + timedelta(days=3), False),
)
