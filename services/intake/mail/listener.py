"""
The door for mails: SMTP or LMTP. A 250 after the mail is a promise that it is kept; whoever hears anything else still
has it.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP

from services.common.kit import metrics
from services.common.kit.logs import logger
from services.common.kit.publisher import PublishFailed
from services.intake.attachments.service import Later
from services.intake.conversations.inbound import NoAddress
from services.intake.guard import Away
from services.intake.mail.automatic import NOBODY
from services.intake.mail.mime import Unreadable
from services.intake.mail.receiving import Postroom

log = logger(__name__)
_SILENT_SECONDS: Final = 300.0
_MOST_CONNECTIONS: Final = 10
_MOST_RECIPIENTS: Final = 20
_LONGEST_LINE: Final = 65_536  # RFC 5321 has 1,000; who sends more means no harm
_TAKEN: Final = "250 2.0.0 Kept"
_NOT_NOW: Final = "451 4.3.0 The mail cannot be kept now: please send it again later"
_TOO_SLOW: Final = "451 4.3.2 The mail could not be read in time: please send it again later"


@dataclass(frozen=True, slots=True)
class Door:
    """
    How mails come in: for which ``addresses`` (lower case; ``name+anything@`` is the same mailbox), up to how many
    bytes, and within how many seconds one must be kept. With ``tls``, STARTTLS is offered.
    """

    addresses: frozenset[str]
    host: str
    port: int
    protocol: Literal["smtp", "lmtp"] = "smtp"
    hostname: str = "ilkim.invalid"
    max_bytes: int = 36_700_160
    seconds: float = 240.0
    tls: ssl.SSLContext | None = None


def is_ours(address: str, addresses: Collection[str]) -> bool:
    """
    Whether mail to this address is for us.
    """
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}" in addresses


class Doorkeeper:
    """
    What the SMTP library asks at each step.
    """

    def __init__(self, postroom: Postroom, door: Door) -> None:
        self._postroom = postroom
        self._door = door

    async def handle_RCPT(
        self, _server: SMTP, _session: object, envelope: Any, address: str, options: list[str]
    ) -> str:
        """
        Only our own addresses; over LMTP one a mail, for there each would need an answer of its own.
        """
        if not is_ours(address, self._door.addresses):
            return "550 5.1.1 No such mailbox here"
        most = 1 if self._door.protocol == "lmtp" else _MOST_RECIPIENTS
        if len(envelope.rcpt_tos) >= most:
            return "452 4.5.3 Too many recipients: send the mail again to the others"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: object, envelope: Any) -> str:
        """
        The promise, or why there is none.
        """
        sender = "" if envelope.mail_from in NOBODY else envelope.mail_from
        try:
            async with asyncio.timeout(self._door.seconds):
                await self._postroom.take(envelope.original_content, sender)
        except Unreadable as refusal:
            metrics.mails_total.labels("refused").inc()
            return str(refusal)
        except NoAddress:
            metrics.mails_total.labels("refused").inc()
            return "550 5.1.7 The mail has no sender that can be answered"
        except (PublishFailed, Away, Later) as error:
            return _later(_NOT_NOW, error)
        except TimeoutError as error:
            return _later(_TOO_SLOW, error)
        return _TAKEN

    async def handle_exception(self, error: Exception) -> str:
        """
        Whatever it was, the sender keeps the mail; its words stand in no log.
        """
        return _later(_NOT_NOW, error)


def _later(answer: str, error: Exception) -> str:
    metrics.mails_total.labels("later").inc()
    log.warning("a mail is not taken now", error=type(error).__name__)
    return answer


@asynccontextmanager
async def listening(postroom: Postroom, door: Door) -> AsyncIterator[int]:
    """
    Take mails while the context lasts. Gives the port: a free one for 0.
    """
    loop = asyncio.get_running_loop()
    there: set[SMTP] = set()
    library: type[SMTP] = LMTP if door.protocol == "lmtp" else SMTP

    class Visit(library):  # type: ignore[misc]
        """
        One connection: mails one after the other. Who is one too many is sent away.
        """

        line_length_limit = _LONGEST_LINE

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            if len(there - {self}) >= _MOST_CONNECTIONS and isinstance(transport, asyncio.WriteTransport):
                transport.write(b"421 4.3.2 Too many connections\r\n")
                transport.close()
            there.add(self)  # again when TLS starts
            super().connection_made(transport)

        def connection_lost(self, error: Exception | None) -> None:
            there.discard(self)
            super().connection_lost(error)

    def visit() -> SMTP:
        return Visit(
            Doorkeeper(postroom, door),
            data_size_limit=door.max_bytes,
            enable_SMTPUTF8=True,
            hostname=door.hostname,
            ident="ILKIM",
            tls_context=door.tls,
            timeout=_SILENT_SECONDS,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            loop=loop,
        )

    server = await loop.create_server(visit, door.host, door.port)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for one in tuple(there):
            if one.transport is not None:
                one.transport.close()
        await server.wait_closed()
