"""
Mail over TLS: the server must be who it says it is, and nothing goes out in the clear instead.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from aiosmtpd.smtp import SMTP as Server
from aiosmtpd.smtp import AuthResult

from services.notify.channels.base import Letter, TemporaryError
from services.notify.channels.smtp import SmtpSender, SmtpSettings
from services.notify.messages import Message
from tests.certificates import contexts

LETTER = Letter("ayse@example.com", Message("Konu", "Metin\n", "<p>Metin</p>", "kısa"), "k")
Security = Literal["starttls", "tls"]


class Postman:
    """
    Takes every mail, and lets nobody log in.
    """

    def __init__(self) -> None:
        self.mails = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails += 1
        return "250 taken"


@asynccontextmanager
async def post(**how: Any) -> AsyncIterator[tuple[Postman, int]]:
    """
    A mail server on a free port: ``ssl`` for TLS from the start, ``tls_context`` for STARTTLS, or neither.
    """
    postman, loop = Postman(), asyncio.get_running_loop()
    whole = {"ssl": how.pop("ssl", None)}
    server = await loop.create_server(
        lambda: Server(postman, hostname="localhost", loop=loop, **how), "localhost", 0, **whole
    )
    try:
        yield postman, server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def send(port: int, security: Security, **more: Any) -> None:
    sender = SmtpSender(SmtpSettings("localhost", port, "ilkim@ilkadim.example", "İlkadım", security=security, **more))
    try:
        await sender.send(LETTER)
    finally:
        await sender.close()


def offered(security: Security, context: ssl.SSLContext) -> dict[str, Any]:
    return {"ssl": context} if security == "tls" else {"tls_context": context}


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_server_that_is_known_gets_the_mail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: Security
) -> None:
    context, _ = contexts(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "both.pem"))
    async with post(**offered(security, context)) as (postman, port):
        await send(port, security)
    assert postman.mails == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("name", ["localhost", "mail.example"])
async def test_one_that_nobody_vouches_for_gets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: Security, name: str
) -> None:
    context, _ = contexts(tmp_path, name)
    if name != "localhost":  # trusted, but somebody else
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "both.pem"))
    async with post(**offered(security, context)) as (postman, port):
        with pytest.raises(TemporaryError):
            await send(port, security)
    assert postman.mails == 0


async def test_nothing_goes_in_the_clear_where_starttls_is_wanted() -> None:
    async with post() as (postman, port):
        with pytest.raises(TemporaryError):
            await send(port, "starttls")
    assert postman.mails == 0


async def test_an_account_that_is_refused_is_for_a_person_to_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, _ = contexts(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "both.pem"))

    def refuse(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=False, handled=False)

    async with post(tls_context=context, authenticator=refuse) as (postman, port):
        with pytest.raises(TemporaryError, match="smtp_login") as error:
            await send(port, "starttls", user="ilkim", password="wrong")
    assert error.value.alert
    assert postman.mails == 0
