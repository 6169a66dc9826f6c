"""
Alphabets, segments and cutting of an SMS.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.channels.gsm7 import (
    GSM,
    OPERATOR_CODE,
    TURKISH,
    TURKISH_LOCKING,
    UCS2,
    Alphabet,
    fit,
    measure,
    plain,
)

LINK = "https://ilkim.example/t/7XK29MQ4T3BDM?k=abcDEF"
# 3GPP TS 23.038, 6.2.1, row by row as the table is printed; the escape has no character of its own.
DEFAULT_TABLE = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
# A.3.1: where the Turkish locking shift table differs from it.
LOCKING_DIFFERS = {"è": "€", "ì": "ı", "Ø": "Ğ", "ø": "ğ", "Æ": "Ş", "æ": "ş", "¡": "İ", "¿": "ç"}


def test_the_default_alphabet_is_that_of_the_standard() -> None:
    assert GSM.single == frozenset(DEFAULT_TABLE)
    assert GSM.double == frozenset("\f^{}\\[~]|€")


def test_the_turkish_tables_are_those_of_the_standard() -> None:
    assert TURKISH.double == GSM.double | set("ĞİŞçğış")
    assert TURKISH_LOCKING.single == frozenset(DEFAULT_TABLE.translate(str.maketrans(LOCKING_DIFFERS)))


@pytest.mark.parametrize(
    ("text", "alphabet", "units", "segments"),
    [
        ("", GSM, 0, 1),
        ("a" * 160, GSM, 160, 1),
        ("a" * 161, GSM, 161, 2),
        ("a" * 306, GSM, 306, 2),
        ("a" * 307, GSM, 307, 3),
        ("€" * 80, GSM, 160, 1),
        ("a" * 152 + "€" + "a" * 152, GSM, 306, 3),  # the pair does not stand in two segments
        ("Çöp ÜÖÄ", GSM, 7, 1),
        ("çöp", TURKISH, 4, 1),
        ("ş" * 77 + "a", TURKISH, 155, 1),
        ("ş" * 78, TURKISH, 156, 2),
        ("ı" + "a" * 296, TURKISH, 298, 2),
        ("ı" + "a" * 297, TURKISH, 299, 3),
        ("ж" * 70, UCS2, 70, 1),
        ("ж" * 71, UCS2, 71, 2),
        ("ж" * 134, UCS2, 134, 2),
        ("ж" * 135, UCS2, 135, 3),
        ("😀" * 35, UCS2, 70, 1),
        ("😀" * 67, UCS2, 134, 3),  # 33 in each, no half of one
    ],
)
def test_what_a_text_takes(text: str, alphabet: Alphabet, units: int, segments: int) -> None:
    got = measure(text)
    assert (got.alphabet, got.units, got.segments) == (alphabet, units, segments)


def test_the_locking_table_counts_a_turkish_letter_once() -> None:
    assert measure("ş" * 155, (TURKISH_LOCKING,)).segments == 1
    assert measure("ş" * 156, (TURKISH_LOCKING,)).segments == 2
    with pytest.raises(ValueError, match="no alphabet"):
        measure("ж", (GSM, TURKISH_LOCKING))


def test_typography_does_not_cost_half_the_room() -> None:
    text = "“Yol” — açıldı… kâğıt İlkadım’da · 5\u00a0₺"
    assert measure(text).alphabet is UCS2
    assert plain(text) == '"Yol" - açıldı... kağıt İlkadım\'da - 5 TL'
    assert measure(plain(text)).alphabet is TURKISH


def test_a_letter_written_in_two_parts_is_one() -> None:
    assert plain("s\u0327o\u0308") == "şö"


def test_a_text_that_fits_is_left_alone() -> None:
    assert fit("Talebiniz alındı.", 1) == "Talebiniz alındı."


def test_the_link_and_what_follows_it_stay_whole() -> None:
    text = f"7XK2-9MQ4-T3BD-M sonuçlandı: {'kaldırım onarıldı, ' * 30}Takip: {LINK} İlkadım Belediyesi"
    got = fit(text, 2)
    assert got.startswith("7XK2-9MQ4-T3BD-M sonuçlandı: kaldırım onarıldı")
    assert got.endswith(f"... {LINK} İlkadım Belediyesi")
    assert measure(got + OPERATOR_CODE).segments == 2


def test_no_half_link_is_left_where_there_is_no_room_for_one() -> None:
    got = fit(f"Bakınız {LINK}{'x' * 300} teşekkürler", 1)
    assert got == "Bakınız..."


def test_a_word_longer_than_the_room_is_cut_between_letters() -> None:
    got = fit("ğ" * 400, 1)
    assert got == "ğ" * 73 + "..."


TEXTS = st.text(st.sampled_from("abc ğışçİ€{…’😀👍🏽\u0301ж\n") | st.just(" "), max_size=400)


@given(TEXTS, st.integers(1, 4), st.booleans())
def test_what_is_cut_fits_and_begins_as_it_did(text: str, segments: int, linked: bool) -> None:
    whole = f"{text} {LINK}" if linked else text
    got = fit(whole, segments)
    assert measure(got + OPERATOR_CODE).segments <= segments
    assert "https" not in got or LINK in got
    if linked and measure(f"... {LINK}{OPERATOR_CODE}").segments <= segments:
        assert LINK in got
    head = got.partition("...")[0]
    assert plain(whole).startswith(head)


@given(TEXTS)
def test_more_room_never_holds_less(text: str) -> None:
    lengths = [len(fit(text, segments)) for segments in range(1, 5)]
    assert lengths == sorted(lengths)
