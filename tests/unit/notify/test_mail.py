"""
A message as a mail and in a file.
"""

import json
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from services.common.contracts.vocabulary import Language, NotifyVia
from services.notify.channels.base import Letter, PermanentError
from services.notify.channels.file import FileSender
from services.notify.channels.smtp import SmtpSettings, build_mail
from tests.unit.notify.lives import NOON, REQUEST
from tests.unit.notify.test_messages import HOUSE, ROW, TEXTS

SMTP = SmtpSettings("127.0.0.1", 25, "ilkim@ilkadim.example", "İlkadım Belediyesi")
MESSAGE = TEXTS.render(HOUSE, REQUEST, ROW, Language.TR)


def test_a_mail_has_both_forms_and_the_same_message_id_at_each_repeat() -> None:
    mails = [build_mail(SMTP, Letter("ayse@example.com", MESSAGE, "k" * 32), lambda: NOON) for _ in range(2)]
    read = message_from_bytes(mails[0].as_bytes(), policy=policy.default)
    assert read["Message-ID"] == f"<{'k' * 32}@ilkadim.example>" == mails[1]["Message-ID"]
    assert read["Auto-Submitted"] == "auto-generated"
    assert read["From"] == "İlkadım Belediyesi <ilkim@ilkadim.example>"
    assert read["Subject"] == MESSAGE.subject
    parts = {part.get_content_type(): part.get_content().replace("\r\n", "\n") for part in read.iter_parts()}
    assert parts["text/plain"] == MESSAGE.text
    assert "<html" in parts["text/html"]


def test_a_mail_makes_no_classes_of_its_own_as_the_library_would_for_each_header() -> None:
    one, other = (build_mail(SMTP, Letter("ayse@example.com", MESSAGE, key), lambda: NOON) for key in "ab")
    assert [type(value) for value in one.values()] == [type(value) for value in other.values()]


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
        build_mail(SMTP, Letter(address, MESSAGE, "k"), lambda: NOON)


async def test_a_mail_in_a_file_has_its_subject_and_whole_text(tmp_path: Path) -> None:
    await FileSender(tmp_path, NotifyVia.EMAIL).send(Letter("ayse@example.com", MESSAGE, "key"))
    kept = json.loads((tmp_path / "email" / "key.json").read_text(encoding="utf-8"))
    assert (kept["subject"], kept["text"]) == (MESSAGE.subject, MESSAGE.text)


async def test_a_repeat_writes_the_same_file_again(tmp_path: Path) -> None:
    sender = FileSender(tmp_path, NotifyVia.SMS)
    for _ in range(2):
        assert await sender.send(Letter("+905321112233", MESSAGE, "key")) == "key"
    (file,) = (tmp_path / "sms").iterdir()
    assert file.name == "key.json"
    assert file.stat().st_mode & 0o077 == 0
    await sender.close()
