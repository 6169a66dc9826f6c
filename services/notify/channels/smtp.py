"""
Mail over SMTP, plain and HTML, over a few connections that stay open.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.errors import MessageError
from email.headerregistry import Address, BaseHeader, HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Final, Literal

import aiosmtplib

from services.common.kit.clock import Clock, system_clock
from services.notify.channels.base import Letter, PermanentError, TemporaryError
from services.notify.domain import Reason

TIMEOUT_SECONDS: Final = 10.0  # below NOTIFY_SEND_TIMEOUT, so that the code of the failure is known
PERMANENT: Final = 500
_MENDED: Final = timedelta(minutes=5)  # how soon to look whether somebody has mended our account
# Printable ASCII, no brackets within; and no encoded word: Python before 3.11.10 decodes one in any header that it is
# given, and writes the line break that is in it.
_MESSAGE_ID: Final = re.compile(r"<(?!.*=\?)[!-;=?-~]{1,250}>")
_REFERENCES: Final = 19  # the newest, after the first of the thread


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """
    The mail server, and who writes.
    """

    host: str
    port: int
    from_address: str
    from_name: str
    security: Literal["none", "starttls", "tls"] = "none"
    user: str | None = None
    password: str | None = None
    connections: int = 4


class _Headers(HeaderRegistry):
    """
    The library makes a class for each header of each mail: 75 KB of cyclic garbage a mail. Here each is made once.
    """

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[object, type[BaseHeader]] = {}

    def __getitem__(self, name: str) -> type[BaseHeader]:
        """
        The class of a header, by what the library would make it from.
        """
        kind: Any = self.registry.get(name.lower(), self.default_class)
        if kind not in self._made:
            self._made[kind] = super().__getitem__(name)
        return self._made[kind]


_POLICY: Final = SMTP.clone(header_factory=_Headers())


def build_mail(settings: SmtpSettings, letter: Letter, clock: Clock) -> EmailMessage:
    """
    The mail as it goes out. Its Message-ID derives from the key, so a repeat is the same mail to every mail program;
    what was said before about the request is its thread. Who answers DUR by the program's own button gets no more.

    Raises ``PermanentError`` for an address that is none; no header can be smuggled in through one, or a subject.
    """
    try:
        sender = Address(_line(settings.from_name), addr_spec=settings.from_address)
        receiver = Address(addr_spec=letter.to)
        letter.to.encode("ascii")
    except (ValueError, IndexError, AttributeError, MessageError):  # the parser's own faults on some broken addresses
        raise PermanentError(Reason.BAD_ADDRESS, elsewhere=True, asked=False) from None
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = sender
    mail["To"] = receiver
    mail["Subject"] = _line(letter.message.subject)
    mail["Date"] = format_datetime(clock())
    mail["Message-ID"] = f"<{letter.key}@{sender.domain}>"
    before = [*letter.thread, *([letter.answers] if letter.answers is not None else [])]
    if named := [name for name in dict.fromkeys(before) if _MESSAGE_ID.fullmatch(name)]:
        mail["In-Reply-To"] = named[-1]
        mail["References"] = " ".join([named[0], *named[1:][-_REFERENCES:]])
    mail["List-Unsubscribe"] = f"<mailto:{settings.from_address}?subject=DUR&body=DUR>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(letter.message.text)
    mail.add_alternative(letter.message.html, subtype="html")
    return mail


def _line(text: str) -> str:
    """
    The text as one line without control characters and without what a header would decode.
    """
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.replace("=?", "= ?").split())


class SmtpSender:
    """
    Hands mails to one server. A refused recipient or refused content is permanent; all else is temporary, for then the
    server or our account with it is at fault, not the message.
    """

    def __init__(self, settings: SmtpSettings, clock: Clock = system_clock) -> None:
        self._settings = settings
        self._clock = clock
        self._idle: asyncio.LifoQueue[aiosmtplib.SMTP | None] = asyncio.LifoQueue()
        for _ in range(settings.connections):
            self._idle.put_nowait(None)

    async def send(self, letter: Letter, /) -> str | None:
        """
        Return after the server said 250 to the content.
        """
        mail = build_mail(self._settings, letter, self._clock)
        async with self._connection() as client:
            try:
                await client.send_message(mail, sender=self._settings.from_address, recipients=[letter.to])
            except aiosmtplib.SMTPRecipientsRefused as refused:
                code = max((row.code for row in refused.recipients), default=0)
                self._judge(code, refused, alone=True)  # a 4xx here is grey listing or a full mailbox
            except aiosmtplib.SMTPDataError as refused:
                self._judge(refused.code, refused)
        return str(mail["Message-ID"])

    @staticmethod
    def _judge(code: int, cause: Exception, *, alone: bool = False) -> None:
        if code >= PERMANENT:
            raise PermanentError(Reason.REFUSED, elsewhere=True) from cause
        raise TemporaryError(f"smtp_{code}", alone=alone) from cause

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[aiosmtplib.SMTP]:
        client = await self._idle.get()
        keep = False
        try:
            if client is None or not client.is_connected:
                client = await self._connect()
            yield client
            keep = True
        except PermanentError:
            keep = True
            raise
        except aiosmtplib.SMTPAuthenticationError:  # its text may hold the account
            raise TemporaryError("smtp_login", _MENDED, alert=True) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise TemporaryError(type(error).__name__) from error
        finally:
            if client is not None and not keep:
                client.close()
            self._idle.put_nowait(client if keep else None)

    async def _connect(self) -> aiosmtplib.SMTP:
        settings = self._settings
        client = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            timeout=TIMEOUT_SECONDS,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            validate_certs=True,
            username=settings.user,
            password=settings.password,
        )
        await client.connect()
        return client

    async def close(self) -> None:
        """
        Close the idle connections.
        """
        while not self._idle.empty():
            client = self._idle.get_nowait()
            if client is not None:
                client.close()
