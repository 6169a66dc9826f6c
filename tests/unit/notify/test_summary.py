"""
One message about several requests: every one of them is named, and can be opened from it.
"""

from dataclasses import replace

import pytest

from services.common.contracts.ids import grouped
from services.common.contracts.vocabulary import Language, NotifyVia
from services.notify.channels.gsm7 import measure, plain
from services.notify.channels.sms import words
from services.notify.messages import Message
from services.notify.samples import HOUSE, OTHERS, REQUEST, USUAL, samples
from services.notify.templates import SEGMENTS, load_templates

TEXTS = load_templates()
NUMBERS = (REQUEST, *OTHERS)


def message_of(channel: NotifyVia, language: Language = Language.TR, most: int = 5) -> Message:
    row = samples(USUAL, channel)["summary"]
    return TEXTS.render(HOUSE, REQUEST, replace(row, carries=row.carries[: most - 1]), language)


@pytest.mark.parametrize("language", Language)
def test_a_mail_says_all_and_has_a_button_to_each_request(language: Language) -> None:
    message = message_of(NotifyVia.EMAIL, language)
    for number in NUMBERS:
        assert message.html.count(f'href="{HOUSE.page}{number}?k=') == 2  # the button, and its address below
        assert f"{HOUSE.page}{number}?k=" in message.text
    assert message.html.count("<hr") == 5
    assert "5" in message.subject
    assert USUAL.question is not None
    assert USUAL.question in message.text


@pytest.mark.parametrize("language", Language)
def test_on_whatsapp_each_request_has_a_line_with_its_link(language: Language) -> None:
    lines = message_of(NotifyVia.WHATSAPP, language).short.split("\n")
    assert len(lines) == 7
    for number, line in zip(NUMBERS, lines[1:], strict=False):
        assert grouped(number) in line
        assert f"{HOUSE.page}{number}?k=" in line


@pytest.mark.parametrize("language", Language)
def test_an_sms_names_every_request_and_has_links_while_there_is_room(language: Language) -> None:
    whole = message_of(NotifyVia.SMS, language)
    assert words(whole) == plain(whole.short)
    assert all(grouped(number) in whole.short for number in NUMBERS)
    two = message_of(NotifyVia.SMS, language, 2)
    assert measure(plain(two.short)).segments <= SEGMENTS
    assert two.short.count(f"{HOUSE.page}") == 2


@pytest.mark.parametrize("language", Language)
def test_outside_the_window_metas_template_says_how_many_and_which(language: Language) -> None:
    call = message_of(NotifyVia.WHATSAPP, language).template
    assert call is not None
    assert (call.name, call.parameters[0]) == ("ozet", "5")
    assert all(grouped(number) in call.parameters[1] for number in NUMBERS)
    assert len(call.parameters[1]) <= 512
    assert call.link is not None
    assert call.link.startswith(f"{REQUEST}?k=")


def test_the_same_row_always_gives_the_same_words() -> None:
    assert message_of(NotifyVia.EMAIL) == message_of(NotifyVia.EMAIL)
