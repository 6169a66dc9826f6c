"""
Every template, with usual and with the longest facts, is something that the providers take.
"""

import re

import pytest

from services.common.contracts.vocabulary import Language, NotifyVia
from services.notify.channels.base import Letter
from services.notify.channels.gsm7 import OPERATOR_CODE, UCS2, measure, plain
from services.notify.channels.sms import SEGMENTS, SEGMENTS_WITH_CHOICES, words
from services.notify.channels.whatsapp import payload
from services.notify.messages import Message
from services.notify.samples import HOUSE, LONGEST, USUAL, samples
from services.notify.templates import load_templates
from tests.standins.whatsapp import StandInWhatsApp

TEMPLATES = load_templates()
REQUEST = "7XK29MQ4T3BDM"
META = StandInWhatsApp(
    templates={
        body["name"]: next(part for part in body["components"] if part["type"] == "BODY")["text"].count("{{")
        for body in TEMPLATES.meta.bodies(HOUSE)
    }
)
LINK = re.compile(r"https://\S+")
CASES = [
    pytest.param(name, facts, language, id=f"{name}-{kind}-{language}")
    for kind, facts in (("usual", USUAL), ("longest", LONGEST))
    for name in samples(facts)
    for language in Language
]


def message(name: str, facts: object, language: Language, channel: NotifyVia) -> Message:
    row = samples(facts, channel)[name]  # type: ignore[arg-type]
    return TEMPLATES.render(HOUSE, REQUEST, row, language)


@pytest.mark.parametrize(("name", "facts", "language"), CASES)
def test_meta_takes_it_inside_the_window_and_outside(name: str, facts: object, language: Language) -> None:
    said = message(name, facts, language, NotifyVia.WHATSAPP)
    assert META._wrong(payload(Letter("905320001122", said, "k", free=True))) is None
    if said.template is not None:
        assert META._wrong(payload(Letter("905320001122", said, "k"))) is None


@pytest.mark.parametrize(("name", "facts", "language"), CASES)
def test_an_sms_is_short_and_needs_no_dear_alphabet(name: str, facts: object, language: Language) -> None:
    said = message(name, facts, language, NotifyVia.SMS)
    took = measure(words(said) + OPERATOR_CODE)
    assert took.segments <= (SEGMENTS_WITH_CHOICES if said.choices else SEGMENTS)
    assert took.alphabet is not UCS2
    assert LINK.findall(words(said)) == LINK.findall(said.short)
    if facts is USUAL:
        assert words(said) == plain(said.short)  # whole
