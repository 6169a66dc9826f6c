"""
The door for mails, through real clients: who may come in, and when a 250 is said.
"""

import asyncio
import smtplib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import aiosmtplib
import pytest
from pydantic import ValidationError

from services.common.contracts.events import ContactChanged, MessageReceived
from services.intake.mail.listener import is_ours
from services.intake.mail.receiving import Postroom
from services.intake.mail.wiring import door_of
from services.intake.settings import MailSettings
from tests.certificates import contexts
from tests.unit.intake.mails import ADDRESSES, OUR_ADDRESS, SENDER, Room, cases, raw_of, room
from tests.waiting import until

PLAIN = raw_of(cases()[0])
PHOTO = raw_of(next(case for case in cases() if case["file"].endswith("-photo.eml")))
HELLO = b"From: Ayse <ayse.yilmaz@posta.example>\r\nMessage-ID: <satir-uzun-1@posta.example>\r\nSubject: "


def messages(there: Room) -> list[tuple[str, MessageReceived]]:
    return [(e.meta.id, e.data) for e in there.kafka.taken() if isinstance(e.data, MessageReceived)]


@pytest.mark.parametrize("address", [OUR_ADDRESS, "ILKIM@Ilkadim.Example", "ilkim+7xk2@ilkadim.example"])
async def test_mail_to_us_is_taken(address: str) -> None:
    async with room() as there:
        assert (await there.send(PLAIN, to=[address]))[0] == 250
        assert len(messages(there)) == 1


@pytest.mark.parametrize("address", ["baska@ilkadim.example", "ilkim@baska.example", "postmaster", "+ilkim@x.example"])
async def test_mail_to_others_is_refused(address: str) -> None:
    async with room() as there:
        answer = await there.send(PLAIN, to=[address])
        assert answer == (550, "5.1.1 No such mailbox here")
        assert not there.kafka.records
    assert not is_ours(address, ADDRESSES)


async def test_a_mail_to_two_of_our_names_is_one_message() -> None:
    async with room() as there:
        assert (await there.send(PLAIN, to=[OUR_ADDRESS, "ilkim+2@ilkadim.example"]))[0] == 250
        assert len(messages(there)) == 1


async def test_while_kafka_is_away_the_sender_keeps_the_mail_and_nothing_is_there_twice_afterwards() -> None:
    async with room() as there:
        there.kafka.away = True
        code, words = await there.send(PLAIN)
        assert (code, words[:5]) == (451, "4.3.0")
        there.kafka.away = False
        assert (await there.send(PLAIN))[0] == 250
        assert (await there.send(PLAIN))[0] == 250  # the first 250 was lost
        assert len({number for number, _ in messages(there)}) == 1


async def test_while_the_database_is_away_only_mails_with_files_wait() -> None:
    async with room() as there:
        there.shelf.away = True
        assert (await there.send(PHOTO))[0] == 451
        assert not there.kafka.records
        assert (await there.send(PLAIN))[0] == 250
        there.shelf.away = False
        assert (await there.send(PHOTO))[0] == 250
        (_, message) = messages(there)[-1]
        assert [media.attachment for media in message.media] == list(there.shelf.known)
        assert {file.owner for file in there.shelf.known.values()} == {message.adapter}


async def test_the_contact_is_there_before_its_message_and_not_again_with_the_next() -> None:
    async with room() as there:
        for case in cases()[:2]:
            await there.send(raw_of(case))
        kinds = [type(event.data) for event in there.kafka.taken()]
        assert kinds == [ContactChanged, MessageReceived, MessageReceived]


async def test_what_is_too_large_is_refused_before_it_is_sent_and_after() -> None:
    async with room(max_bytes=70_000) as there:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=there.port, start_tls=False) as client:
            with pytest.raises(aiosmtplib.SMTPSenderRefused) as told:
                await client.sendmail(SENDER, [OUR_ADDRESS], PLAIN + b"x" * 70_000)  # the client tells the size
            assert told.value.code == 552
            await client.rset()
            client.esmtp_extensions.pop("size")
            with pytest.raises(aiosmtplib.SMTPDataError) as sent:
                await client.sendmail(SENDER, [OUR_ADDRESS], PLAIN + b"uzun satir\r\n" * 7_000)
            assert sent.value.code == 552
            await client.sendmail(SENDER, [OUR_ADDRESS], PLAIN)  # the connection is still good
        assert len(messages(there)) == 1


async def test_lines_longer_than_the_standard_has_are_read() -> None:
    async with room() as there:
        assert (await there.send(HELLO + b"uzun\r\n\r\n" + b"uzun " * 2_000))[0] == 250
        ((_, message),) = messages(there)
        assert len(message.text or "") == 9_999


async def test_what_nobody_thought_of_leaves_the_mail_with_its_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("a citizen's words")

    async with room() as there:
        with monkeypatch.context() as patched:
            patched.setattr(Postroom, "take", broken)
            code, words = await there.send(PLAIN)
        assert (code, "citizen" in words) == (451, False)
        assert (await there.send(PLAIN))[0] == 250


async def test_a_mail_that_takes_too_long_stays_with_its_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stuck(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Postroom, "take", stuck)
    async with room(seconds=0.05) as there:
        code, words = await there.send(PLAIN)
    assert (code, words[:5]) == (451, "4.3.2")


async def test_several_mails_come_over_one_connection() -> None:
    async with room() as there:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=there.port, start_tls=False) as client:
            for case in cases()[:5]:
                await client.sendmail(SENDER, [OUR_ADDRESS], raw_of(case))
        assert len(messages(there)) == 5


async def test_who_is_one_too_many_is_sent_away_until_another_leaves() -> None:
    async with room() as there:
        clients = [aiosmtplib.SMTP(hostname="127.0.0.1", port=there.port, start_tls=False) for _ in range(10)]
        for client in clients:
            await client.connect()
        with pytest.raises((aiosmtplib.SMTPException, OSError)):
            await there.send(PLAIN)
        await clients[0].quit()
        there.kafka.records.clear()
        tries = asyncio.create_task(_until_in(there))
        await until(tries.done)
        assert len(messages(there)) == 1
        for client in clients[1:]:
            await client.quit()


async def _until_in(there: Room) -> None:
    while True:
        with suppress(aiosmtplib.SMTPException, OSError):
            await there.send(PLAIN)
            return


async def test_lmtp_takes_one_recipient_a_mail() -> None:
    def deliver(port: int) -> Sequence[tuple[int, bytes]]:
        with smtplib.LMTP("127.0.0.1", port) as client:
            client.ehlo()
            mail, first = client.mail(SENDER), client.rcpt(OUR_ADDRESS)
            return mail, first, client.rcpt("ilkim+2@ilkadim.example"), client.data(PLAIN)

    async with room(protocol="lmtp") as there:
        answers = await asyncio.to_thread(deliver, there.port)
        assert [code for code, _ in answers] == [250, 250, 452, 250]
        assert len(messages(there)) == 1


async def test_starttls_is_offered_with_a_certificate(tmp_path: Path) -> None:
    _, trusting = contexts(tmp_path, "localhost")
    both = tmp_path / "both.pem"
    door = door_of(MailSettings(tls_certificate=both, tls_key=both))

    def deliver(port: int) -> str:
        with smtplib.SMTP("localhost", port) as client:
            client.starttls(context=trusting)
            client.sendmail(SENDER, [OUR_ADDRESS], PLAIN)
            return str(client.sock.version())  # type: ignore[union-attr]

    async with room(tls=door.tls, host="localhost") as there:
        assert (await asyncio.to_thread(deliver, there.port)).startswith("TLS")
        assert len(messages(there)) == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"addresses": []}, "at least 1"),
        ({"addresses": ["ilkim"]}, "e-mail address such as"),
        ({"addresses": [" "]}, "must be addresses such as"),
        ({"tls_key": "key.pem"}, "give both or neither"),
        ({"protocol": "imap"}, "'smtp' or 'lmtp'"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(given: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        MailSettings.model_validate(given)


def test_our_addresses_are_compared_in_lower_case() -> None:
    assert MailSettings.model_validate({"addresses": ["Ilkim@ILKADIM.example"]}).addresses == ADDRESSES
