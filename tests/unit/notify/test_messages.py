"""
The words: complete, checked, and safe to put into a mail.
"""

import shutil
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from pydantic import ValidationError

from services.common.contracts.catalogue import catalogue
from services.common.contracts.vocabulary import CLOSED, Language, NotifyVia, Outcome, Status
from services.notify.channels.base import PermanentError
from services.notify.channels.file import FileSender
from services.notify.channels.smtp import SmtpSettings, build_mail
from services.notify.domain import Facts, Row, State
from services.notify.messages import EXPECTED, SHORT_LIMIT, TEMPLATES, BrokenTemplates, House, load_templates
from services.notify.settings import NotifySettings
from tests.unit.notify.lives import CONTACT, NOON, REQUEST

HOUSE = House(
    {Language.TR: "İlkadım Belediyesi", Language.EN: "İlkadım Municipality"}, "444 55 01", "https://ilkim.example/"
)
ANSWER = "Konteyner boşaltıldı & yıkandı <b>."
ROW = Row("closed", CONTACT, 3, "cause", "corr", Facts(Status.RESOLVED, outcome=Outcome.RESOLVED), State.SENDING)
TEXTS = load_templates()


def every_row() -> list[Row]:
    facts = [
        ("received", Facts(Status.RECEIVED)),
        ("received", Facts(Status.ASSIGNED, "sosyal-destek")),
        ("received", Facts(Status.TRIAGE, "basin-halkla-iliskiler")),
        ("assigned.2", Facts(Status.ASSIGNED, "zabita")),
        ("assigned", Facts(Status.TRIAGE, "basin-halkla-iliskiler")),
        *(("closed", Facts(Status.RESOLVED, "zabita", outcome=o, answer=ANSWER)) for o in [*Outcome, None]),
    ]
    return [replace(ROW, transition=transition, facts=fact) for transition, fact in facts]


@pytest.mark.parametrize("language", list(Language))
def test_every_message_has_number_and_link_and_fits_a_short_message(language: Language) -> None:
    subjects = set()
    for row in every_row():
        message = TEXTS.render(HOUSE, REQUEST, row, language)
        assert "7XK2-9MQ4-T3BD-5" in message.subject
        for text in (message.text, message.html, message.short):
            assert "7XK2-9MQ4-T3BD-5" in text
            assert f"https://ilkim.example/t/{REQUEST}" in text
            assert "$" not in text
        assert "\n\n\n" not in message.text
        assert len(message.short) <= SHORT_LIMIT
        subjects.add((message.subject, message.short))
    assert len(subjects) == len(every_row())


def test_the_department_is_named_without_the_catalogues_remarks() -> None:
    row = replace(ROW, transition="received", facts=Facts(Status.ASSIGNED, "sosyal-destek"))
    assert (
        "İlgilenen birim: Sosyal Destek Hizmetleri Müdürlüğü\n" in TEXTS.render(HOUSE, REQUEST, row, Language.TR).text
    )


@pytest.mark.parametrize("slug", catalogue().departments)
def test_the_longest_department_fits_a_short_message(slug: str) -> None:
    row = replace(ROW, transition="received", facts=Facts(Status.ASSIGNED, slug))
    for language in Language:
        message = TEXTS.render(HOUSE, REQUEST, row, language)
        assert len(message.short) <= SHORT_LIMIT
        assert "(" not in message.short


def test_an_answer_stands_in_the_mail_whole_and_escaped_and_is_cut_in_a_short_message() -> None:
    row = replace(ROW, facts=replace(ROW.facts, answer=ANSWER * 20))
    message = TEXTS.render(HOUSE, REQUEST, row, Language.TR)
    assert ANSWER * 20 in message.text
    assert "&amp; yıkandı &lt;b&gt;" in message.html
    assert "<b>" not in message.html
    assert "… " in message.short
    assert message.short.endswith(f"/t/{REQUEST}")


def test_a_dollar_in_an_answer_is_only_a_dollar() -> None:
    row = replace(ROW, facts=replace(ROW.facts, answer="$url $$ ${x}"))
    assert "$url $$ ${x}" in TEXTS.render(HOUSE, REQUEST, row, Language.TR).text


def test_every_way_to_close_has_words() -> None:
    for status in CLOSED:
        for outcome in [*Outcome, None]:
            row = replace(ROW, facts=Facts(status, outcome=outcome))
            assert TEXTS.render(HOUSE, REQUEST, row, Language.EN).text


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("received:\n", "recieved:\n", "missing or unknown: received, recieved"),
        ("$department", "$departman", r"unknown \$departman"),
        ("$url", "", r"\$url is missing"),
        ("subject: ", "subjekt: ", "received"),
        ("Merhaba,", "Merhaba $,", "lone"),
        ("Merhaba,", "{", "YAMLError|received|Error"),
    ],
)
def test_broken_templates_are_refused_by_name(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    folder = shutil.copytree(TEMPLATES, tmp_path / "templates")
    file = folder / "tr.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(old, new) if new != "{" else "{", encoding="utf-8")
    with pytest.raises(BrokenTemplates, match=complaint):
        load_templates(folder)


def test_a_missing_language_is_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(TEMPLATES, tmp_path / "templates")
    (folder / "en.yaml").unlink()
    with pytest.raises(BrokenTemplates, match=r"en\.yaml"):
        load_templates(folder)


def test_the_expected_templates_cover_every_outcome() -> None:
    assert {f"closed_{outcome}" for outcome in Outcome} <= set(EXPECTED)


# --- mail and files ---

SMTP = SmtpSettings("127.0.0.1", 25, "ilkim@ilkadim.example", "İlkadım Belediyesi")
MESSAGE = TEXTS.render(HOUSE, REQUEST, ROW, Language.TR)


def test_a_mail_has_both_forms_and_the_same_message_id_at_each_repeat() -> None:
    mails = [build_mail(SMTP, "ayse@example.com", MESSAGE, "k" * 32, lambda: NOON) for _ in range(2)]
    read = message_from_bytes(mails[0].as_bytes(), policy=policy.default)
    assert read["Message-ID"] == f"<{'k' * 32}@ilkadim.example>" == mails[1]["Message-ID"]
    assert read["Auto-Submitted"] == "auto-generated"
    assert read["From"] == "İlkadım Belediyesi <ilkim@ilkadim.example>"
    assert read["Subject"] == MESSAGE.subject
    parts = {part.get_content_type(): part.get_content().replace("\r\n", "\n") for part in read.iter_parts()}
    assert parts["text/plain"] == MESSAGE.text
    assert "<html" in parts["text/html"]


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example\nBcc: everyone@example.com",
        "a@b.example\r\nBcc: x@example.com",
        "a@b.example, c@d.example",
        "kim",
        "",
        "@",
        "şule@example.com",
        "a b@example.com",
    ],
)
def test_an_address_that_is_none_is_refused_and_smuggles_no_header(address: str) -> None:
    with pytest.raises(PermanentError, match="bad_address"):
        build_mail(SMTP, address, MESSAGE, "k", lambda: NOON)


async def test_a_repeat_writes_the_same_file_again(tmp_path: Path) -> None:
    sender = FileSender(tmp_path, NotifyVia.SMS)
    for _ in range(2):
        assert await sender.send("+905321112233", MESSAGE, "key") == "key"
    (file,) = (tmp_path / "sms").iterdir()
    assert file.name == "key.json"
    assert file.stat().st_mode & 0o077 == 0
    await sender.close()


def test_a_lease_that_sending_could_outlast_is_refused() -> None:
    with pytest.raises(ValidationError, match="NOTIFY_LEASE"):
        NotifySettings(lease=timedelta(seconds=10))
