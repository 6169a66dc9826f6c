"""
The SMTP sender against a real SMTP server.
"""

import asyncio
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP as Server

from services.common.contracts.vocabulary import NotifyVia
from services.common.kit.clock import FrozenClock
from services.common.kit.mongo import connect
from services.common.kit.settings import MongoSettings
from services.common.kit.testing import FakePublisher
from services.notify.channels.base import Letter, PermanentError, TemporaryError
from services.notify.channels.smtp import SmtpSender, SmtpSettings
from services.notify.domain import Rules
from services.notify.handler import Notifier
from services.notify.messages import Message
from services.notify.repository import NotifyRepository
from services.notify.settings import NotifySettings
from services.notify.staff import load_staff
from services.notify.templates import load_templates
from tests.unit.notify.lives import EVENTS, NOON, contact, delivery, escalated

pytestmark = pytest.mark.integration
MESSAGE = Message("7XK2-9MQ4-T3BD-M numaralı başvurunuz", "Düz yazı: şğİı\n", "<p>şğİı</p>", "kısa")


class Postman:
    """
    What the server does with a mail; addresses tell it how to fail.
    """

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.peers: set[Any] = set()
        self.answers: list[str] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address.startswith("nobody@"):
            return "550 no such user"
        if address.startswith("grey@"):
            return "451 come again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        self.peers.add(session.peer)
        return self.answers.pop() if self.answers else "250 taken"


@pytest.fixture
async def post() -> AsyncIterator[tuple[Postman, SmtpSender]]:
    postman = Postman()
    server = await asyncio.get_running_loop().create_server(
        lambda: Server(postman, hostname="test", loop=asyncio.get_running_loop()), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    sender = SmtpSender(SmtpSettings("127.0.0.1", port, "ilkim@ilkadim.example", "İlkadım Belediyesi", connections=2))
    yield postman, sender
    await sender.close()
    server.close()


async def test_a_mail_arrives_as_it_was_written(post: tuple[Postman, SmtpSender]) -> None:
    postman, sender = post
    assert await sender.send(Letter("ayse@example.com", MESSAGE, "k1")) == "<k1@ilkadim.example>"
    (mail,) = postman.mails
    assert mail["To"] == "ayse@example.com"
    assert mail["Subject"] == MESSAGE.subject
    assert "şğİı" in mail.get_body(("plain",)).get_content()
    assert "şğİı" in mail.get_body(("html",)).get_content()


async def test_connections_stay_open_and_are_few(post: tuple[Postman, SmtpSender]) -> None:
    postman, sender = post
    await asyncio.gather(*(sender.send(Letter("ayse@example.com", MESSAGE, f"k{n}")) for n in range(20)))
    assert len(postman.mails) == 20
    assert len(postman.peers) <= 2


async def test_a_refused_recipient_is_final_and_the_next_mail_goes_out(post: tuple[Postman, SmtpSender]) -> None:
    postman, sender = post
    with pytest.raises(PermanentError, match="refused"):
        await sender.send(Letter("nobody@example.com", MESSAGE, "k"))
    await sender.send(Letter("ayse@example.com", MESSAGE, "k"))
    assert len(postman.mails) == 1


@pytest.mark.parametrize(
    ("to", "answer", "error"),
    [
        ("grey@example.com", "250 taken", TemporaryError),
        ("ayse@example.com", "452 no room", TemporaryError),
        ("ayse@example.com", "554 spam", PermanentError),
        ("ayse@example.com", "421 going down", TemporaryError),
    ],
)
async def test_the_first_digit_decides(
    post: tuple[Postman, SmtpSender], to: str, answer: str, error: type[Exception]
) -> None:
    postman, sender = post
    postman.answers = [answer]
    with pytest.raises(error) as raised:
        await sender.send(Letter(to, MESSAGE, "k"))
    assert getattr(raised.value, "alone", False) is to.startswith("grey@")  # it says nothing of the server
    postman.answers = []
    await sender.send(Letter("ayse@example.com", MESSAGE, "k"))


async def test_a_server_that_is_away_is_a_temporary_error() -> None:
    sender = SmtpSender(SmtpSettings("127.0.0.1", 9, "ilkim@ilkadim.example", "İlkadım", connections=1))
    for _ in range(2):
        with pytest.raises(TemporaryError):
            await sender.send(Letter("ayse@example.com", MESSAGE, "k"))


async def test_a_whole_life_arrives_as_mails_to_the_citizen_and_to_staff(
    post: tuple[Postman, SmtpSender], mongo_uri: str, database: str
) -> None:
    postman, sender = post
    client, clock = connect(MongoSettings(uri=mongo_uri)), FrozenClock(NOON)
    repository = NotifyRepository(client, database)
    notifier = Notifier(
        repository,
        FakePublisher(),
        {NotifyVia.EMAIL: sender},
        load_templates(),
        load_staff(),
        NotifySettings().house,
        Rules(daily_limit=100),
        clock=clock,
    )
    try:
        await notifier.handle([delivery(event) for event in (contact(), *EVENTS)])
        await notifier.handle([delivery(escalated(seq=30, emergency=True))])
        progress = True
        while progress:
            progress, hands = await notifier.take()
            await notifier.fly(hands)
    finally:
        client.close()
    by_reader: dict[str, list[str]] = {}
    for mail in postman.mails:
        by_reader.setdefault(mail["To"], []).append(mail["Subject"])
    assert by_reader.keys() == {
        "ayse@example.com", "temizlik-isleri@example.org", "mudur.temizlik-isleri@example.org",
    }  # fmt: skip
    assert len(by_reader["ayse@example.com"]) == 13
    ordinary, urgent = by_reader["mudur.temizlik-isleri@example.org"]
    assert "ACİL" not in ordinary
    assert urgent.startswith("ACİL 7XK2-9MQ4-T3BD-M: ")
    for mail in postman.mails:
        if mail["To"].endswith("@example.org"):
            assert "ayse" not in mail.as_string()
