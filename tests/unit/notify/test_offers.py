"""
What can be tapped, and what stands in its place where nothing can.
"""

from dataclasses import replace

import pytest

from services.common.contracts.vocabulary import Language, NotifyVia
from services.notify.catalogue_names import service_name
from services.notify.domain import Offer
from services.notify.offers import choices_of, how_to_choose, opener_of
from services.notify.samples import HOUSE, REQUEST, USUAL, samples
from services.notify.templates import SHORT_LIMIT, load_templates

TEXTS = load_templates()
NUMBERS = [f"{REQUEST[:12]}{end}" for end in "ABCDEFGHJ"]
NINE = (*(Offer(f"req:{number}", number, "vefa-destek") for number in NUMBERS), Offer("new"))


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", samples(USUAL))
def test_whatever_can_be_tapped_fits_whatsapp(name: str, language: Language) -> None:
    row = samples(USUAL, NotifyVia.WHATSAPP)[name]
    choices = choices_of(REQUEST, replace(row, offers=NINE if row.offers else ()), language)
    assert len(choices) <= 10
    assert len(opener_of(row, language)) <= 20
    assert len({choice.id for choice in choices}) == len(choices)
    most = 20 if len(choices) <= 3 else 24
    for choice in choices:
        assert 1 <= len(choice.title) <= most
        assert len(choice.description) <= 72
        assert len(choice.id) <= 200


def test_a_closing_that_asks_for_a_rating_offers_five_stars_and_a_way_back() -> None:
    choices = choices_of(REQUEST, samples(USUAL)["closed_resolved"], Language.TR)
    assert [choice.id for choice in choices] == [
        *(f"fb:{REQUEST}:6:{stars}" for stars in (5, 4, 3, 2, 1)),
        f"reopen:{REQUEST}:6",
    ]
    assert (choices[0].title, choices[0].description) == ("5 yıldız", "Çok iyi")


def test_a_closing_without_a_survey_offers_nothing_and_asks_for_nothing() -> None:
    row = samples(USUAL, survey=False)["closed_resolved"]
    message = TEXTS.render(HOUSE, REQUEST, row, Language.TR)
    assert message.choices == ()
    assert "puan" not in message.text + message.short
    assert "☆" not in message.html


@pytest.mark.parametrize("language", Language)
def test_a_survey_leads_to_the_place_of_the_page_where_it_is_answered(language: Language) -> None:
    message = TEXTS.render(HOUSE, REQUEST, samples(USUAL)["closed_resolved"], language)
    assert message.short.endswith("#puan")
    assert "#puan\n" in message.text
    assert 'class="star"' in message.html


def test_which_request_is_a_list_of_numbers_with_what_they_are_about() -> None:
    first, *_, new = choices_of(REQUEST, replace(samples(USUAL)["say_which"], offers=NINE), Language.TR)
    assert (first.id, first.title) == (f"req:{NUMBERS[0]}", "7XK2-9MQ4-T3BD-A")
    assert first.description == service_name("vefa-destek", Language.TR)
    assert (new.id, new.title) == ("new", "Yeni bildirim")


def test_two_requests_and_something_new_are_buttons_that_say_what_they_are_about() -> None:
    row = samples(USUAL)["say_which"]
    titles = [choice.title for choice in choices_of(REQUEST, row, Language.TR)]
    assert titles == ["Yolda çukur, bozuk…", "Konteyner taşmış", "Yeni bildirim"]
    same = replace(row, offers=(row.offers[0], replace(row.offers[0], request_id="3BDM7XK29MQ4T")))
    assert [choice.title for choice in choices_of(REQUEST, same, Language.TR)] == [
        "7XK2-9MQ4-T3BD-M",
        "3BDM-7XK2-9MQ4-T",
    ]


def test_on_whatsapp_nothing_is_numbered() -> None:
    assert how_to_choose(samples(USUAL, NotifyVia.WHATSAPP)["say_which"], Language.TR) == "Aşağıdan seçin."


def test_in_an_sms_each_choice_has_a_digit_and_what_reads_the_same_its_number() -> None:
    row = samples(USUAL, NotifyVia.SMS)["say_which"]
    assert TEXTS.render(HOUSE, REQUEST, row, Language.TR).short == (
        "Hangi başvurunuz için yazdınız? Yalnızca rakamını yazıp gönderin: "
        "1) Yolda çukur, bozuk asfalt 2) Konteyner taşmış 3) Yeni bildirim"
    )
    same = replace(row, offers=(row.offers[0], replace(row.offers[0], request_id="3BDM7XK29MQ4T")))
    assert "1) Yolda çukur, bozuk asfalt …T3BD-M\n2) Yolda çukur, bozuk asfalt …9MQ4-T" in how_to_choose(
        same, Language.TR
    )


@pytest.mark.parametrize("language", Language)
def test_as_many_choices_as_there_can_be_fit_an_sms(language: Language) -> None:
    row = replace(samples(USUAL, NotifyVia.SMS)["say_which"], offers=NINE)
    short = TEXTS.render(HOUSE, REQUEST, row, language).short
    assert len(short) <= SHORT_LIMIT
    assert all(f" {digit}) " in short for digit in range(1, 11))


def test_a_place_is_asked_for_as_a_place() -> None:
    asking = [name for name, row in samples(USUAL).items() if TEXTS.render(HOUSE, REQUEST, row, Language.TR).asks_place]
    assert asking == ["say_where"]


def test_the_notice_names_meta_on_whatsapp_alone() -> None:
    for channel, named in ((NotifyVia.WHATSAPP, True), (NotifyVia.SMS, False)):
        message = TEXTS.render(HOUSE, REQUEST, samples(USUAL, channel)["say_notice"], Language.TR)
        assert ("Meta" in message.short) is named
        for word in ("İlkadım Belediyesi", "T.C. kimlik", "sağlık", HOUSE.notice):
            assert word in message.short


@pytest.mark.parametrize("channel", [NotifyVia.EMAIL, NotifyVia.SMS, NotifyVia.WHATSAPP])
def test_the_notice_asks_everybody_not_to_write_what_we_must_not_have(channel: NotifyVia) -> None:
    message = TEXTS.render(HOUSE, REQUEST, samples(USUAL, channel)["say_notice"], Language.TR)
    assert bool(message.text) is (channel is NotifyVia.EMAIL)
    for text in filter(None, (message.text, message.short)):
        assert "T.C. kimlik numara" in text
        assert "sağlık bilgi" in text
        assert HOUSE.notice in text


def test_danger_is_said_before_anything_else() -> None:
    for language in Language:
        message = TEXTS.render(HOUSE, REQUEST, samples(USUAL)["say_danger"], language)
        assert "112" in message.short[:60]
