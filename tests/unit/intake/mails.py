"""
The recorded mails, and a mailroom for tests: the real door on a free port, its files and what it publishes in memory.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import aiosmtplib
import yaml

from services.common.contracts import ids, topics
from services.common.contracts.envelope import Received, Record, decode
from services.common.contracts.events import ContactChanged, DeliveryReported, MessageReceived
from services.common.kit.publisher import PublishFailed
from services.intake.attachments.kinds import Unfit, kind_of
from services.intake.attachments.workshop import Looked, Workshop
from services.intake.conversations.inbound import Inbox
from services.intake.domain import Accepted
from services.intake.mail.listener import Door, listening
from services.intake.mail.receiving import Postroom
from tests.unit.intake.file_fakes import FakeShelf, attachments_of

MAILS: Final = Path(__file__).parents[2] / "data" / "mails"
SECRET: Final = b"0123456789abcdef"
OUR_ADDRESS: Final = "ilkim@ilkadim.example"
ADDRESSES: Final = frozenset({OUR_ADDRESS})
SENDER: Final = "ayse.yilmaz@posta.example"
NOW: Final = datetime(2026, 6, 12, 8, 0, tzinfo=UTC)


@cache
def cases() -> tuple[Mapping[str, Any], ...]:
    """
    The recorded mails with what becomes of each, as ``expected.yaml`` has them.
    """
    return tuple(yaml.safe_load((MAILS / "expected.yaml").read_text(encoding="utf-8")))


def raw_of(case: Mapping[str, Any]) -> bytes:
    """
    A recorded mail's bytes.
    """
    return (MAILS / str(case["file"])).read_bytes()


@dataclass
class FakeKafka:
    """
    What was published, and whether it is ``away``.
    """

    records: list[Record] = field(default_factory=list)
    away: bool = False

    async def keep(self, accepted: Accepted) -> None:
        """
        As the mailroom's own: each record, in order.
        """
        for record in accepted.records:
            if self.away:
                raise PublishFailed("away")
            self.records.append(record)

    def taken(self) -> list[Received]:
        """
        What was published since it was last asked, decoded.
        """
        taken = [decode(r.topic, r.key, r.value, r.headers) for r in self.records]
        self.records.clear()
        return taken


class Glance(Workshop):
    """
    Looks at the first bytes of a file alone, without a process.
    """

    async def look(self, raw: bytes) -> Looked:
        """
        What the file is. Raises ``Unfit``.
        """
        if len(raw) < 50:
            raise Unfit("is torn off")
        return Looked(kind_of(raw), None, None, b"", b"", None, None, 0)


@dataclass
class Room:
    """
    A mailroom whose door is open on ``port``.
    """

    port: int
    kafka: FakeKafka
    shelf: FakeShelf

    async def send(self, raw: bytes, *, envelope: str = SENDER, to: Sequence[str] = (OUR_ADDRESS,)) -> tuple[int, str]:
        """
        Hand a mail over as a mail server does; the answer that counts.
        """
        return await handed_over(self.port, raw, envelope=envelope, to=to)


async def handed_over(
    port: int, raw: bytes, *, envelope: str = SENDER, to: Sequence[str] = (OUR_ADDRESS,)
) -> tuple[int, str]:
    """
    What the server on the port says to a mail.
    """
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, use_tls=False, start_tls=False) as client:
        try:
            _, answer = await client.sendmail(
                envelope, list(to), raw, mail_options=[] if envelope.isascii() else ["SMTPUTF8"]
            )
        except aiosmtplib.SMTPRecipientsRefused as refused:
            return refused.recipients[0].code, refused.recipients[0].message
        except aiosmtplib.SMTPResponseException as refused:
            return refused.code, refused.message
        return 250, answer


@asynccontextmanager
async def room(**door: Any) -> AsyncIterator[Room]:
    """
    A mailroom while the context lasts; ``door`` as in ``Door``.
    """
    kafka, shelf = FakeKafka(), FakeShelf()
    files = attachments_of(shelf, workshop=Glance())
    postroom = Postroom(Inbox(SECRET, kafka.keep, lambda: NOW), files, ADDRESSES, lambda: NOW)
    async with listening(postroom, Door(**{"addresses": ADDRESSES, "host": "127.0.0.1", "port": 0, **door})) as port:
        yield Room(port, kafka, shelf)


def outcome(events: Sequence[Received]) -> dict[str, Any]:
    """
    What was published for one mail, in the words of ``expected.yaml``. Fails if no contact came before a message.
    """
    found: dict[str, Any] = {}
    contact: ContactChanged | None = None
    for event in events:
        match event.data:
            case ContactChanged() as contact:
                assert event.topic == topics.CONTACTS.name
            case MessageReceived() as message:
                assert contact is not None
                assert (contact.contact_id, contact.email_hash) == (message.contact_id, message.person)
                found["message"] = _told(message, contact)
            case DeliveryReported() as report:
                found.setdefault("reports", []).append(_report(report))
    return found


def wanted(case: Mapping[str, Any], secret: bytes = SECRET) -> dict[str, Any]:
    """
    The same as ``outcome``, as it should be.
    """
    reports = [
        {**row, "recipient": ids.keyed_hash(secret, "email", row["recipient"])} for row in case.get("reports", ())
    ]
    return {
        **({"message": case["message"]} if "message" in case else {}),
        **({"reports": reports} if reports else {}),
    }


def _told(message: MessageReceived, contact: ContactChanged) -> dict[str, Any]:
    told = {
        "kind": str(message.kind),
        "subject": message.subject,
        "sender": contact.email,
        "name": contact.name,
        "text": message.text,
        "files": len(message.media) or None,
        "reply_to": list(message.reply_to) or None,
        "number": message.number,
        "wish": message.wish and str(message.wish),
        "made_id": message.provider_id.endswith("@made.invalid>") or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _report(report: DeliveryReported) -> dict[str, Any]:
    return {
        "provider_id": report.provider_id,
        "key_sent": report.key_sent,
        "status": str(report.status),
        "code": report.code,
        "recipient": report.person,
    }
