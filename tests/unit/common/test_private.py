"""
What is taken out of a text before it is kept for training, and what stays.
"""

import random
import re

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.common.contracts.private import is_tckn, masked, without_personal_data

PREFIXES = ("505", "532", "533", "541", "542", "551", "552", "362")
GAPS = ("", " ", "-", ".", "/", "  ", " - ", "\u00a0", "_")
AROUND = (
    "{}",
    "Bana {} numarasından ulaşın.",
    "tel:{}",
    "({}) arayın",
    "Kapımızın önünde çukur var, {}",
    "{}, sokak lambası 3 gündür yanmıyor",
    "no 12 daire 5, {} arayabilirsiniz",
)


def digits_in(text: str) -> str:
    return "".join(char for char in text if char.isdigit())


@st.composite
def phones(draw: st.DrawFn) -> str:
    """
    A Turkish number as people write it: with or without its country code or zero, cut and joined in any way.
    """
    national = draw(st.sampled_from(PREFIXES)) + draw(st.text("0123456789", min_size=7, max_size=7))
    if not phonenumbers.is_valid_number(phonenumbers.parse(national, "TR")):
        national = "5321234567"
    sizes = draw(
        st.sampled_from([(3, 3, 2, 2), (3, 3, 4), (3, 7), (10,), (1,) * 10, (2,) * 5, (3, 2, 2, 3), (4, 3, 3)])
    )
    gap = draw(st.sampled_from(GAPS))
    groups, at = [], 0
    for size in sizes:
        groups.append(national[at : at + size])
        at += size
    if draw(st.booleans()) and sizes[0] == 3:
        groups[0] = f"({groups[0]})"
    before = draw(st.sampled_from(["", "0", "+90", "90", "0090", "+90 0", "00 90 ", "0 "]))
    return before + draw(st.sampled_from(["", " "])) + gap.join(groups)


@st.composite
def tckns(draw: st.DrawFn) -> str:
    nine = [draw(st.integers(1, 9)), *draw(st.lists(st.integers(0, 9), min_size=8, max_size=8))]
    tenth = (7 * sum(nine[0::2]) - sum(nine[1::2])) % 10
    return "".join(map(str, [*nine, tenth, (sum(nine) + tenth) % 10]))


@st.composite
def plates(draw: st.DrawFn) -> str:
    city = draw(st.integers(1, 81))
    letters, shortest, longest = draw(st.sampled_from([(1, 4, 5), (2, 3, 4), (3, 2, 3)]))
    middle = draw(st.text("ABCDEFGHIJKLMNOPRSTUVYZ", min_size=letters, max_size=letters))
    middle = draw(st.sampled_from([middle, middle.lower()]))
    number = draw(st.text("0123456789", min_size=shortest, max_size=longest))
    gap = draw(st.sampled_from(["", " ", "  ", "-", "."]))
    return ("plakası " if gap else "") + gap.join([f"{city:02}", middle, number])


def cards() -> st.SearchStrategy[str]:
    def card(fifteen: str) -> str:
        body = "4" + fifteen[:14]
        doubled = [int(c) * (2 - place % 2) for place, c in enumerate(reversed(body))]
        check = -sum(v - 9 if v > 9 else v for v in doubled) % 10
        return f"{body}{check}"

    return st.text("0123456789", min_size=14, max_size=14).map(card)


@given(phones(), st.sampled_from(AROUND))
@example("0 5 3 2 1 2 3 4 5 6 7", "{}")
@example("+90 (532) 123-45-67", "{}")
def test_no_turkish_telephone_number_survives_however_it_is_written(phone: str, around: str) -> None:
    cleaned = without_personal_data(around.format(phone))
    assert digits_in(cleaned) == digits_in(around)
    assert "telefon" in cleaned


@given(tckns(), st.sampled_from(AROUND), st.sampled_from(["", " ", "-", "."]))
def test_no_identity_number_survives_in_one_piece_or_in_groups(number: str, around: str, gap: str) -> None:
    assert is_tckn(number)
    cleaned = without_personal_data(around.format(gap.join([number[:3], number[3:6], number[6:9], number[9:]])))
    assert digits_in(cleaned) == digits_in(around)


@given(st.text("123456789", min_size=11, max_size=11))
def test_eleven_digits_are_taken_out_even_if_their_check_digits_are_wrong(number: str) -> None:
    assert without_personal_data(f"kimliğim {number} olarak kayıtlı") == "kimliğim kimlik olarak kayıtlı"


@given(st.text("0123456789", min_size=24, max_size=24), st.sampled_from(["", " ", "-"]), st.sampled_from(["TR", "tr"]))
def test_no_iban_survives(digits: str, gap: str, country: str) -> None:
    whole = country + digits
    written = gap.join(whole[at : at + 4] for at in range(0, 26, 4))
    assert without_personal_data(f"İadeyi {written} hesabına yapın") == "İadeyi iban hesabına yapın"


@given(cards(), st.sampled_from(["", " ", "-", "."]))
def test_no_card_number_survives(number: str, gap: str) -> None:
    written = gap.join(number[at : at + 4] for at in range(0, 16, 4))
    assert without_personal_data(f"kartım {written} çekilmedi") == "kartım kart çekilmedi"


@given(plates(), st.sampled_from(["{} yolu kapattı", "kaldırıma park eden {}", "Araç: {}."]))
def test_no_plate_survives(plate: str, around: str) -> None:
    cleaned = without_personal_data(around.format(plate))
    assert not digits_in(cleaned)
    assert re.search(r"\bplaka\b", cleaned)


@given(st.emails(), st.sampled_from(["Bana {} yazın", "{}", "posta: {}"]))
def test_no_e_mail_address_survives(address: str, around: str) -> None:
    mailbox, _, domain = address.rpartition("@")
    cleaned = without_personal_data(around.format(address))
    assert "@" not in cleaned
    assert domain not in cleaned or domain in around
    assert mailbox not in cleaned or len(mailbox) < 8


@given(st.text())
@example("0532 123 45 67 1234567")
@example("tel 05321234567 7654321 plaka 34 km 500")
@example("Sayın Ahmet Yılmaz Ayşe Hanım, adım Ali ad Veli")
def test_what_went_through_once_stays_as_it_is(text: str) -> None:
    cleaned = without_personal_data(text)
    assert without_personal_data(cleaned) == cleaned


PIECES = (
    "0532 123 45 67", "532", "55 ABC 123", "ABC", "12345678901", "TR33", "0006 1005", "a@b.co", "www.x.com", "Sayın",
    "Ahmet", "Yılmaz", "ad", "plaka", "telefon", "Bey", "adım", "Ad Soyad:", "Kale", "Mahallesi", ",", ".", "no", "@",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=10).map(" ".join))
def test_pieces_of_personal_data_in_any_order_are_clean_after_one_going_through(text: str) -> None:
    cleaned = without_personal_data(text)
    assert without_personal_data(cleaned) == cleaned


SENTENCES = (
    "Kapımın önünde 2 metre derinliğinde çukur var", "saat 22.30'da 10 da 150 kişi geldi", "5.3.2026 18.30 da aradım",
    "05.11.2026 8.30 gibi", "20 km 500 m yol, 15 dk 200 kez", "adım atamıyoruz kaldırımda", "ismim gizli kalsın lütfen",
    "Sayın Başkanım çöpler alınmıyor", "SAYIN BAŞKAN SOKAĞIMIZDA ÇUKUR VAR", "Sayın Fen İşleri Müdürlüğü yetkilileri",
    "Mehmet Akif Ersoy Caddesi kapalı", "Gazi Mustafa Kemal Bulvarı", "Ben Fatih Mahallesi sakiniyim",
    "No: 12 A, kat 3",
    "2023 2024 2025 2026 yıllarında", "12.500.000 TL ceza",
    "1453 Sokak ile 1071 Sokak arası", "her gün 10 ile 15 arası",
    "Ben Kale Mahallesi'nde oturuyorum", "adım adım izliyoruz", "Muhtar Bey ilgilenmedi", "100. Yıl Bulvarı 19 Mayıs",
    "ruhsat 2019/2020 dönemi", "Saygılarımla, mahalle sakinleri", "I am a student here", "Pazar günü 3 bin kişi",
)  # fmt: skip


@pytest.mark.parametrize("text", SENTENCES)
def test_a_text_without_personal_data_stays_as_it_is(text: str) -> None:
    assert without_personal_data(text) == text


@given(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=4).map(". ".join))
def test_so_does_a_text_of_several_such_sentences(text: str) -> None:
    assert without_personal_data(text) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Ben Ali Yılmaz, kapım kırık", "Ben ad, kapım kırık"),
        ("ben ahmet, kapım kırık", "ben ad, kapım kırık"),
        ("adım Ayşe, çöp alınmadı", "adım ad, çöp alınmadı"),
        ("ismim ali yılmaz bir sorunum var", "ismim ad bir sorunum var"),
        ("ADIM AYŞE KAYA", "ADIM ad"),
        ("Sayın Demirtaş, sokakta çukur var", "Sayın ad, sokakta çukur var"),
        ("Sayın Başkanım Ahmet Demir, merhaba", "Sayın Başkanım ad, merhaba"),
        ("Ad Soyad: ali veli\nTel: 435 12 34", "Ad Soyad: ad\nTel: telefon"),
        ("ADI SOYADI : FATMA KAYA", "ADI SOYADI : ad"),
        ("komşum Ahmet Bey çöp döküyor", "komşum ad Bey çöp döküyor"),
        ("Ahmet Yıldız'ın bahçesi", "ad'ın bahçesi"),
        ("Ben Ali Yılmaz Kale mahallesinden", "Ben ad Kale mahallesinden"),
        ("Gereğini arz ederim. Mehmet Yurt", "Gereğini arz ederim. ad"),
        ("My name is John Smith and I live here", "My name is ad and I live here"),
        ("O532 123 45 67", "telefon"),
        ("0532/123/45/67 ve 05331234567,05341234567", "telefon ve telefon,telefon"),
        ("+49 151 23456789", "telefon"),
        ("444 4 055'i aradım", "telefon'i aradım"),
        ("telefonum 4351234", "telefonum telefon"),
        ("sıfır beş yüz otuz iki dört yüz on iki kırk beş altmış yedi", "telefon"),
        ("TC: 123 456 789 00", "TC: kimlik"),
        ("başvurum 2611250000123", "başvurum numara"),
        ("ali.veli (at) ornek.com ya da @ali_veli", "eposta ya da hesap"),
        ("fotoğraf https://ornek.com/a?b=1.", "fotoğraf bağlantı."),
    ],
)
def test_what_it_was_stands_in_its_place(text: str, cleaned: str) -> None:
    assert without_personal_data(text) == cleaned


def test_a_text_of_nothing_but_odd_characters_comes_to_an_end() -> None:
    noise = "".join(random.Random(5).choices("0123456789 .-/()@AaBbÇç", k=20_000))
    assert len(without_personal_data(noise)) < len(noise)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Beni 0532 111 22 33'ten arayın", "Beni telefon'ten arayın"),
        ("TC 10000000146 numaralı", "TC kimlik numaralı"),
        ("ad.soyad@example.com'a yazın", "eposta'a yazın"),
        ("IBAN TR330006100519786457841326", "IBAN iban"),
        ("sıfır beş yüz otuz iki yüz on bir", "telefon"),
    ],
)
def test_what_can_be_used_against_somebody_is_masked_in_public(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Ahmet Yılmaz Sokak 12'de çukur & <su> var",
        "ğüşıöçİ ĞÜŞIÖÇ",
        "www.example.com'da yazıyor",
        "55 ABC 123 park etmiş",
    ],
)
def test_streets_names_links_and_plates_are_shown_in_public_as_written(text: str) -> None:
    assert masked(text) == text
