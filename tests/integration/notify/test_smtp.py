"""
The SMTP sender against a real SMTP server.
"""

import asyncio
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP as Server

from services.notify.channels.base import PermanentError, TemporaryError
from services.notify.channels.smtp import SmtpSender, SmtpSettings
from services.notify.messages import Message

pytestmark = pytest.mark.integration
MESSAGE = Message("7XK2-9MQ4-T3BD-5 numaralı başvurunuz", "Düz yazı: şğİı\n", "<p>şğİı</p>", "kısa")


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
    assert await sender.send("ayse@example.com", MESSAGE, "k1") == "<k1@ilkadim.example>"
    (mail,) = postman.mails
    assert mail["To"] == "ayse@example.com"
    assert mail["Subject"] == MESSAGE.subject
    assert "şğİı" in mail.get_body(("plain",)).get_content()
    assert "şğİı" in mail.get_body(("html",)).get_content()


async def test_connections_stay_open_and_are_few(post: tuple[Postman, SmtpSender]) -> None:
    postman, sender = post
    await asyncio.gather(*(sender.send("ayse@example.com", MESSAGE, f"k{n}") for n in range(20)))
    assert len(postman.mails) == 20
    assert len(postman.peers) <= 2


async def test_a_refused_recipient_is_final_and_the_next_mail_goes_out(post: tuple[Postman, SmtpSender]) -> None:
    postman, sender = post
    with pytest.raises(PermanentError, match="refused"):
        await sender.send("nobody@example.com", MESSAGE, "k")
    await sender.send("ayse@example.com", MESSAGE, "k")
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
    with pytest.raises(error):
        await sender.send(to, MESSAGE, "k")
    postman.answers = []
    await sender.send("ayse@example.com", MESSAGE, "k")


async def test_a_server_that_is_away_is_a_temporary_error() -> None:
    sender = SmtpSender(SmtpSettings("127.0.0.1", 9, "ilkim@ilkadim.example", "İlkadım", connections=1))
    for _ in range(2):
        with pytest.raises(TemporaryError):
            await sender.send("ayse@example.com", MESSAGE, "k")
