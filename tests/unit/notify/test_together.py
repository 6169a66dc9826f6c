"""
One message about several requests: every one of them can be opened from it.
"""

from dataclasses import replace

import pytest

from services.common.contracts.vocabulary import Language, NotifyVia
from services.notify import together
from services.notify.domain import Carried
from services.notify.messages import Message
from services.notify.samples import AT, HOUSE, REQUEST, USUAL, samples
from services.notify.templates import SHORT_LIMIT, load_templates

TEXTS = load_templates()
OTHERS = ("3BDM7XK29MQ4T", "9MQ4T3BDM7XK2", "T3BDM7XK29MQ4", "K29MQ4T3BDM7X")


def message_of(channel: NotifyVia, language: Language = Language.TR) -> Message:
    found = samples(USUAL, channel)
    rows = [found[name] for name in ("scheduled", "asked", "waiting", "assigned")]
    carried = tuple(Carried(number, row.transition, row.facts, AT) for number, row in zip(OTHERS, rows, strict=True))
    return together.render(TEXTS, HOUSE, REQUEST, replace(found["accepted"], carries=carried), language)


@pytest.mark.parametrize("language", Language)
def test_a_mail_says_all_and_has_a_button_to_each_request(language: Language) -> None:
    message = message_of(NotifyVia.EMAIL, language)
    for number in (REQUEST, *OTHERS):
        assert message.html.count(f'href="{HOUSE.page}{number}?k=') == 2  # the button, and its address below
        assert f"{HOUSE.page}{number}?k=" in message.text
    assert message.html.count("<hr") == len(OTHERS)
    assert "5" in message.subject


def test_a_short_message_names_every_request_and_fits() -> None:
    message = message_of(NotifyVia.SMS)
    assert message.short.count("numaralı başvurunuz") == 5
    assert len(message.short) <= 2 * SHORT_LIMIT


def test_a_message_that_carries_nothing_is_its_own() -> None:
    row = samples(USUAL)["accepted"]
    assert together.render(TEXTS, HOUSE, REQUEST, row, Language.TR) == TEXTS.render(HOUSE, REQUEST, row, Language.TR)
