"""
What is new in a mail: quotations, signatures and disclaimers as mail programs write them, and prose that only looks so.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailparser_reply import EmailReplyParser  # type: ignore[import-untyped]

from services.intake.mail.quoting import own_words

ANSWER = "Evet, 12 numara."
QUOTED = "> Hangi bina?\n> Teşekkürler."
HEADS = [
    "12 Haz 2026 Cum, 10:15 tarihinde İLKİM <ilkim@ilkadim.example> şunu yazdı:",
    "12 Haz 2026 Cum, 10:15 tarihinde İLKİM\n<ilkim@ilkadim.example>\nşunu yazdı:",
    "İLKİM <ilkim@ilkadim.example>, 12 Haz 2026 Cum, 10:15 tarihinde şunu yazdı:",
    "İLKİM <ilkim@ilkadim.example> şunları yazdı (12 Haz 2026 10:15):",
    "12.06.2026 10:15 tarihinde İLKİM yazdı:",
    "12 Haziran 2026 Cuma saat 10:15 İLKİM yazdı:",
    "On Fri, Jun 12, 2026 at 10:15 AM İLKİM <ilkim@ilkadim.example> wrote:",
    "Am 12.06.26 um 10:15 schrieb İLKİM:",
    "-----Özgün İleti-----\nKimden: İLKİM\nKonu: Soru",
    "-----Orijinal Mesaj-----",
    "-----Original Message-----\nFrom: İLKİM\nSent: Friday\nTo: Ayşe\nSubject: Soru",
    "____________________\nKimden: İLKİM <ilkim@ilkadim.example>\nGönderilme: 12 Haziran\nKime: A\nKonu: S",
    "*Kimden:* İLKİM\n*Tarih:* 12 Haz 2026\n*Konu:* Soru",
    "Gönderen: İLKİM\nGönderme Tarihi: 12 Haz 2026",
    "From: İLKİM\nDate: Fri, 12 Jun 2026",
]
PROSE = [
    "Komşum dilekçesinde şöyle yazdı: çöp alınmıyor.\nBiz de şikâyetçiyiz.",
    "Tabelada yazdı:\nPark yasak.",
    "Kimden: yardım alacağız bilmiyoruz.\nLütfen dönün.",
    "On numaralı sokakta\nçukur var:",
    "Durum:\n- çöp\n- gürültü\n- ışık yok",
    "Teşekkürler,\nbir de sokak lambası yanmıyor.",
    "Bu mesaj ve ekleri olmadan anlatayım",
    "-- \nİmza yalnız",
    "Konu: çöp\nYer: Kadıköy",
]


@pytest.mark.parametrize("head", HEADS)
def test_a_quotation_behind_a_known_head_is_cut(head: str) -> None:
    assert own_words(f"{ANSWER}\n\n{head}\n\n{QUOTED}", answer=True) == ANSWER
    assert own_words(f"{ANSWER}\n{head}\nAlıntı işareti olmadan", answer=True) == ANSWER


@pytest.mark.parametrize("head", HEADS)
def test_an_answer_below_what_it_quotes_is_found(head: str) -> None:
    assert own_words(f"{head}\n{QUOTED}\n\n{ANSWER}", answer=True) == ANSWER


@pytest.mark.parametrize("head", HEADS)
def test_what_is_passed_on_is_kept(head: str) -> None:
    text = f"Bilginize.\n\n{head}\n{QUOTED}"
    assert own_words(text, answer=False) == text


@pytest.mark.parametrize("text", PROSE)
def test_prose_is_not_cut(text: str) -> None:
    assert own_words(text, answer=True) == text


def test_answers_between_quotations_are_kept() -> None:
    text = "> Hangi bina?\n12 numara\n> Ne zamandır?\nÜç gün"
    assert own_words(text, answer=True) == "12 numara\nÜç gün"


@pytest.mark.parametrize(
    "line",
    [
        "iPhone'umdan gönderildi",
        "iPhone’umdan gönderildi",
        "Samsung Galaxy akıllı telefonumdan gönderildi.",
        "Windows için Posta ile gönderildi",
        "Yahoo Postadan gönderildi (https://yahoo.example)",
        "Android için Outlook'u edinin",
        "Sent from my iPhone",
        "Get Outlook for iOS<https://aka.example/o0ukef>",
        "-- \nAyşe Yılmaz\nİlkadım",
        "--\nAyşe",
        "YASAL UYARI: Bu e-posta gizlidir.\nSize gelmediyse silin.",
        "Bu e-posta ve ekleri " + "yalnız alıcısı içindir " * 40,
        "-- \nAyşe\n\nGizlilik Notu: Gizlidir.",
    ],
)
def test_what_programs_and_lawyers_add_is_cut(line: str) -> None:
    for answer in (True, False):
        assert own_words(f"{ANSWER}\n\n{line}\n", answer=answer) == ANSWER
    assert own_words(line, answer=True)  # never to nothing


def test_a_telephone_that_is_spoken_of_is_no_signature() -> None:
    text = "Fotoğraf telefonumdan gönderildi, ulaştı mı?\nBekliyorum."
    assert own_words(text, answer=True) == text


@pytest.mark.parametrize(
    "text",
    [
        "Yes, number 12.\n\nOn Fri, Jun 12, 2026 at 10:15 AM X <x@y.example> wrote:\n\n> Which one?",
        "Yes.\n\nFrom: X\nSent: Friday\nTo: Y\nSubject: Z\n\nWhich one?",
        "Yes.\n\n-----Original Message-----\nWhich one?",
        "Yes.\n\nOn Fri, Jun 12, 2026 at 10:15 AM X\n<x@y.example> wrote:\n> Which one?",
    ],
)
def test_in_english_a_library_that_others_use_agrees(text: str) -> None:
    assert own_words(text, answer=True) == EmailReplyParser(languages=["en"]).parse_reply(text)


PIECES = st.sampled_from([*HEADS, *PROSE, ANSWER, QUOTED, "", "-- ", ">", "iPhone'umdan gönderildi", "YASAL UYARI: x"])


@given(st.lists(PIECES | st.text(max_size=60), max_size=12), st.booleans())
def test_something_is_always_left_and_nothing_is_added(pieces: list[str], answer: bool) -> None:
    text = "\n".join(pieces)
    left = own_words(text, answer=answer)
    lines = iter(line.strip() for line in text.split("\n"))
    assert all(line.strip() in lines for line in left.split("\n") if line.strip())  # in their order
    if any(char.isalnum() for char in text):
        assert any(char.isalnum() for char in left)
