"""
Mails that nobody wrote: replies of machines, reports of what became of our own mails, our own mails come back. Pure.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from enum import StrEnum
from typing import Final

from services.common.contracts.text import fold
from services.common.contracts.vocabulary import DeliveryStatus
from services.intake.mail.headers import AS_IT_CAME, addresses, decode, header, parts, raw_header
from services.intake.mail.threads import domain_of, message_ids

NOBODY: Final = frozenset({"", "<>"})
_LOOKED_AT: Final = 200_000  # bytes of a report without form
_BLOCKS: Final = 20
_PRECEDENCE: Final = frozenset({"bulk", "junk", "list", "auto_reply"})
_MARKS: Final = ("X-Autoreply", "X-Autorespond", "X-Auto-Reply", "List-Id")
_SUBJECT: Final = re.compile(
    r"(?:(?:re|ynt|yan|cvp|aw) ?: ?)*(?:otomatik (?:yanit|cevap|mesaj)|ofis disinda(?:yim)?|is ?yeri disinda(?:yim)?"
    r"|automatic reply|auto-?reply|auto ?response|out of (?:the )?office|abwesenheits\w*|automatische antwort)\b"
    r"(?P<rest>.*)"
)
_MACHINE: Final = re.compile(r"(?:mailer-daemon|postmaster|mail-daemon|mdaemon)@", re.IGNORECASE)
_STATUS: Final = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_RETURNED_ID: Final = re.compile(r"^Message-I[dD]:\s*(<[!-;=?-~]{1,398}>)", re.MULTILINE)
_RETURNED_TO: Final = re.compile(r"^(?:To|Final-Recipient|X-Failed-Recipients):(.{1,300})", re.MULTILINE)


class Nature(StrEnum):
    """
    What a mail is: a person's letter, a machine's reply, a report about a mail of ours, or a mail of our own.
    """

    LETTER = "letter"
    AUTO_REPLY = "auto_reply"
    BOUNCE = "bounce"
    LOOP = "loop"


@dataclass(frozen=True, slots=True)
class Returned:
    """
    What a mail server says of a mail of ours: which, to whom, and with which status code (RFC 3463).
    """

    message_id: str
    recipient: str
    status: DeliveryStatus
    code: str | None


def nature_of(message: "Message[str, str]", envelope_sender: str, ours: Collection[str]) -> Nature:
    """
    What the mail is. ``ours``: the addresses that we write from and are written to, in lower case.
    """
    if any(address.lower() in ours for _, address in addresses(message, "From")):
        return Nature.LOOP
    if _is_report(message) or (_from_machine(message, envelope_sender) and message.get("X-Failed-Recipients")):
        return Nature.BOUNCE
    if envelope_sender in NOBODY:
        return Nature.BOUNCE if _from_machine(message, "") else Nature.AUTO_REPLY
    return Nature.AUTO_REPLY if _automatic(message) else Nature.LETTER


def returned(message: "Message[str, str]", raw: bytes, ours: Collection[str]) -> tuple[Returned, ...]:
    """
    What a report says of mails of ours for good: that it failed, or arrived. That it may still arrive, and what is said
    of other people's mails, is nothing.
    """
    domains = {address.rpartition("@")[2] for address in ours}
    found = _formal(message) if _is_report(message) else _formless(message, raw)
    return tuple(report for report in found if domain_of(report.message_id) in domains)


def _is_report(message: "Message[str, str]") -> bool:
    return message.get_content_type() == "multipart/report" and any(
        part.get_content_type() == "message/delivery-status" for part in parts(message)
    )


def _automatic(message: "Message[str, str]") -> bool:
    submitted = raw_header(message, "Auto-Submitted").partition(";")[0].strip().lower()
    if submitted not in ("", "no") or any(message.get(mark) for mark in _MARKS):
        return True
    if raw_header(message, "Precedence").lower() in _PRECEDENCE or message.get_content_type() == "multipart/report":
        return True
    said = _SUBJECT.fullmatch(fold(header(message, "Subject"))[:300])
    if said is None:
        return False
    rest = said["rest"].strip()
    return not rest or rest[0] in ":!.-([" or bool(raw_header(message, "In-Reply-To"))


def _from_machine(message: "Message[str, str]", envelope_sender: str) -> bool:
    return envelope_sender in NOBODY and bool(_MACHINE.search(raw_header(message, "From")))


def _formal(message: "Message[str, str]") -> list[Returned]:
    """
    RFC 3464: one block for each recipient, and the mail that it is about, or its head.
    """
    blocks: list[Message[str, str]] = []
    about = ""
    for part in parts(message):
        match part.get_content_type():
            case "message/delivery-status":
                blocks = parts(part)[1:_BLOCKS]
            case "message/rfc822":
                about = next((_id_of(inner) for inner in parts(part)), "")
            case "text/rfc822-headers":
                text = decode(part.get_payload(decode=True) or b"", None)  # type: ignore[arg-type]
                about = _id_of(Parser(policy=AS_IT_CAME).parsestr(text[:_LOOKED_AT], headersonly=True))
    found = []
    for block in blocks:
        recipient = _recipient(raw_header(block, "Original-Recipient") or raw_header(block, "Final-Recipient"))
        status = _status_of(raw_header(block, "Action").lower())
        if about and recipient and status:
            code = _STATUS.search(raw_header(block, "Status"))
            found.append(Returned(about, recipient, status, code.group(1) if code else None))
    return found


def _formless(message: "Message[str, str]", raw: bytes) -> list[Returned]:
    """
    What older servers write in words: our mail's head stands somewhere in it.
    """
    text = decode(raw[:_LOOKED_AT], None).replace("\r\n", "\n").partition("\n\n")[2]
    about, code = _RETURNED_ID.search(text), _STATUS.search(text)
    named = _RETURNED_TO.search(text)
    recipient = _recipient(raw_header(message, "X-Failed-Recipients") or (named.group(1) if named else ""))
    if about is None or not recipient or (code and code.group(1)[0] != "5"):
        return []
    return [Returned(about.group(1), recipient, DeliveryStatus.FAILED, code.group(1) if code else None)]


def _id_of(message: "Message[str, str]") -> str:
    return next(iter(message_ids(raw_header(message, "Message-ID"))), "")


def _recipient(value: str) -> str:
    bare = value.rpartition(";")[2].strip()
    holder: Message[str, str] = Message(policy=AS_IT_CAME)
    holder["To"] = bare
    return next((address for _, address in addresses(holder, "To")), "")


def _status_of(action: str) -> DeliveryStatus | None:
    return {"failed": DeliveryStatus.FAILED, "delivered": DeliveryStatus.DELIVERED}.get(action)
