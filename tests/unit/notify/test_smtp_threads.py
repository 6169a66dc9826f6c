"""
The headers of a mail: its thread, and that nothing can be smuggled into them.
"""

import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.common.kit.clock import FrozenClock
from services.notify.channels.base import Letter, PermanentError
from services.notify.channels.smtp import SmtpSettings, build_mail
from services.notify.messages import Message

CLOCK = FrozenClock(datetime(2026, 11, 28, 9, 0, tzinfo=UTC))
SETTINGS = SmtpSettings("127.0.0.1", 25, "ilkim@ilkadim.example", "İlkadım Belediyesi")
MESSAGE = Message("7XK2-9MQ4-T3BD-M numaralı başvurunuz", "Düz yazı: şğİı\n", "<p>şğİı</p>", "kısa")
LETTER = Letter("ayse@example.com", MESSAGE, "k3")
HEADERS = [
    "From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "Auto-Submitted", "X-Auto-Response-Suppress",
    "MIME-Version", "Content-Type",
]  # fmt: skip
THREADED = [*HEADERS, "In-Reply-To", "References"]


def arrived(letter: Letter, settings: SmtpSettings = SETTINGS) -> EmailMessage:
    """
    The mail as a reader's program has it.
    """
    parsed = message_from_bytes(build_mail(settings, letter, CLOCK).as_bytes(), policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def test_a_first_mail_begins_a_thread() -> None:
    mail = arrived(LETTER)
    assert mail["Message-ID"] == "<k3@ilkadim.example>"
    assert mail["In-Reply-To"] is None
    assert sorted(mail.keys()) == sorted(HEADERS)


def test_a_later_one_belongs_to_it() -> None:
    mail = arrived(replace(LETTER, thread=("<k1@ilkadim.example>", "<k2@ilkadim.example>")))
    assert mail["In-Reply-To"] == "<k2@ilkadim.example>"
    assert mail["References"].split() == ["<k1@ilkadim.example>", "<k2@ilkadim.example>"]


def test_an_answer_stands_under_what_it_answers() -> None:
    mail = arrived(replace(LETTER, thread=("<k1@ilkadim.example>",), answers="<CAF=1@mail.example>"))
    assert mail["In-Reply-To"] == "<CAF=1@mail.example>"
    assert mail["References"].split() == ["<k1@ilkadim.example>", "<CAF=1@mail.example>"]


def test_a_long_thread_keeps_its_first_and_its_newest() -> None:
    names = [f"<k{n}@ilkadim.example>" for n in range(60)]
    kept = arrived(replace(LETTER, thread=tuple(names)))["References"].split()
    assert kept == [names[0], *names[-19:]]


@pytest.mark.parametrize("name", ["k1", "<a b@c>", "<a@b>\r\nBcc: x@y.z", "<ş@b.c>", "<>", "<" + "a" * 300 + ">"])
def test_what_is_no_name_of_a_mail_is_left_out(name: str) -> None:
    assert sorted(arrived(replace(LETTER, thread=(name,))).keys()) == sorted(HEADERS)


def test_the_programs_own_button_says_stop() -> None:
    assert arrived(LETTER)["List-Unsubscribe"] == "<mailto:ilkim@ilkadim.example?subject=DUR&body=DUR>"


SMUGGLED = "=?utf-8?q?a=0D=0ABcc:_herkes=40example.com?="  # Python before 3.11.10 decodes it and writes the line break
ANYTHING = st.text(max_size=300) | st.text(st.sampled_from('ab\r\n: ş<>@,"\\\x00\x85\u2028Bcc'), max_size=300)


@given(ANYTHING)
@example("Konu\r\nBcc: herkes@example.com")
@example("Konu\n\n<html>")
@example(SMUGGLED)
@example(f"Konu {SMUGGLED} {SMUGGLED}")
@example("==?" + SMUGGLED)
def test_no_subject_smuggles_a_header(subject: str) -> None:
    mail = arrived(replace(LETTER, message=replace(MESSAGE, subject=subject)))
    assert sorted(mail.keys()) == sorted(HEADERS)
    assert mail["To"] == "ayse@example.com"
    body = mail.get_body(("plain",))
    assert body is not None
    assert body.get_content().split() == MESSAGE.text.split()


@given(ANYTHING)
@example("İlkadım\r\nBcc: herkes@example.com")
@example(SMUGGLED)
def test_no_name_smuggles_a_header(name: str) -> None:
    mail = arrived(LETTER, replace(SETTINGS, from_name=name))
    assert sorted(mail.keys()) == sorted(HEADERS)
    assert [address.addr_spec for address in mail["From"].addresses] == ["ilkim@ilkadim.example"]


@given(ANYTHING | ANYTHING.map(lambda text: f"{text}@example.com"))
@example("ayse@example.com\r\nBcc: herkes@example.com")
@example("ayse@example.com, herkes@example.com")
@example('"a\r\nBcc: x"@example.com')
@example(f"{SMUGGLED}@example.com")
@example(f'"{SMUGGLED}"@example.com')
@example("Ayşe <ayse@example.com>")
@example("a@[")
def test_an_address_is_one_address_or_refused(address: str) -> None:
    with contextlib.suppress(PermanentError):
        mail = arrived(replace(LETTER, to=address))
        assert sorted(mail.keys()) == sorted(HEADERS)
        assert len(mail["To"].addresses) == 1


@given(st.lists(ANYTHING, max_size=5), ANYTHING | st.none())
@example([f"<{SMUGGLED}@example.com>"], None)
@example([], f"<a@{SMUGGLED}>")
def test_no_thread_smuggles_a_header(thread: list[str], answers: str | None) -> None:
    mail = arrived(replace(LETTER, thread=tuple(thread), answers=answers))
    assert sorted(mail.keys()) in (sorted(HEADERS), sorted(THREADED))
