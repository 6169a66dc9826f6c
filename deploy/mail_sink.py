"""
A mail server for development: takes every mail on loopback and writes it to a folder, one file each. Sends nothing on.
"""

import argparse
import asyncio
import hashlib
import signal
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session


def file_name(content: bytes, arrived: datetime) -> str:
    """
    When the mail came and which it is: a repeated mail (same Message-ID) ends on the same hash.
    """
    identity = str(message_from_bytes(content).get("Message-ID") or "").encode() or content
    return f"{arrived.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{hashlib.sha256(identity).hexdigest()[:16]}.eml"


class MailSink:
    """
    Answers 250 only after the mail stands whole in the folder; a reader never sees half a file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802, RUF100 (aiosmtpd's name)
        """
        Keep the mail as it came, with its envelope's addresses on top.
        """
        content = bytes(envelope.content or b"")
        head = f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\n"
        target = self._folder / file_name(content, datetime.now(UTC))
        unfinished = target.with_suffix(".part")
        unfinished.write_bytes(head.encode() + content)
        unfinished.replace(target)
        return "250 OK"


async def serve(port: int, folder: Path) -> None:
    """
    Take mail into an existing folder until SIGTERM or SIGINT.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    sink = MailSink(folder)
    server = await loop.create_server(lambda: SMTP(sink, hostname="localhost", enable_SMTPUTF8=True), "127.0.0.1", port)
    async with server:
        await stop.wait()


def main() -> None:
    """
    Entry of ``python -m deploy.mail_sink``.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    asyncio.run(serve(arguments.port, arguments.folder))


if __name__ == "__main__":
    main()
