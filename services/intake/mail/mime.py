"""
A mail as bytes becomes a ``Letter``. Pure; whatever the bytes are, it is read, or refused with a reason.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from email.message import Message
from email.parser import BytesParser
from typing import Final

from services.common.contracts.text import fold
from services.intake.mail import threads
from services.intake.mail.automatic import NOBODY, Nature, Returned, nature_of, returned
from services.intake.mail.headers import AS_IT_CAME, addresses, date, decode, file_name, header, parts
from services.intake.mail.markup import words_of_html
from services.intake.mail.quoting import own_words

MOST_FILES: Final = 10
_MOST_DASHES: Final = 2_000  # lines that begin with --, as each border between parts does
_MOST_BORDERS: Final = 60
_MOST_LINES: Final = 600_000  # 35 MB as mail programs write files have 460,000
_MOST_WORK: Final = 6_000_000  # the parser compares each line with the border of each part around it
_MOST_HEAD: Final = 262_144
_MOST_HOPS: Final = 50
_DEEPEST: Final = 20
_MOST_WORDS: Final = 200_000
_MOST_MARKUP: Final = 400_000  # characters of words and markup, of all parts together
_LOGO: Final = 10_000
_ANSWER: Final = re.compile(r"(?:re|ynt|yan|cvp|aw|sv)\b ?(?:\[\d+\])?:")
_PASSED_ON: Final = re.compile(r"(?:fw|fwd|ilt|ileti|wg)\b ?:")
_NOT_FILES: Final = frozenset(
    {
        "application/pgp-signature",
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
        "application/ics",
        "message/delivery-status",
        "text/calendar",
        "text/rfc822-headers",
    }
)
_SEALED: Final = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-encrypted"})


class Unreadable(Exception):
    """
    The mail cannot be taken, now or later; the message is the SMTP answer (RFC 3463 code and sentence).
    """


@dataclass(frozen=True, slots=True)
class File:
    """
    What came with the words, as its sender calls it. What it is, only its content says.
    """

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Remark:
    """
    A file that is none that we could look at, and why, in Turkish: staff read it below the words.
    """

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Letter:
    """
    A mail as read. ``sender`` is a valid address, but in what no person wrote; ``words`` are what is new in it;
    ``passed_on`` the words of mails inside it; ``reply_to`` the mails that it answers, the nearest first, named as in
    ``threads``; ``sent_at`` what it says itself; ``returned`` what a report says of mails of ours.
    """

    nature: Nature
    message_id: str
    sender: str = ""
    name: str = ""
    subject: str = ""
    words: str = ""
    files: tuple[File, ...] = ()
    remarks: tuple[Remark, ...] = ()
    reply_to: tuple[str, ...] = ()
    sent_at: datetime | None = None
    returned: tuple[Returned, ...] = ()


@dataclass(frozen=True, slots=True)
class _Words:
    text: str
    html: bool = False
    passed_on: bool = False


_Item = _Words | File | Remark


def read(raw: bytes, envelope_sender: str, ours: Collection[str]) -> Letter:
    """
    Read a mail that was handed over with that envelope sender (empty: none). ``ours``: our own addresses in lower case.
    Raises ``Unreadable``.
    """
    message = _parsed(raw)
    nature, message_id = nature_of(message, envelope_sender, ours), threads.own_id(message, raw)
    if nature is Nature.BOUNCE:
        return Letter(nature, message_id, returned=returned(message, raw, ours))
    if nature is not Nature.LETTER:
        return Letter(nature, message_id)
    name, sender = _sender(message, envelope_sender)
    subject, reply_to = header(message, "Subject"), threads.answered(message)
    items = list(_items(message, 0))
    files = [item for item in items if isinstance(item, File)]
    return Letter(
        nature,
        message_id,
        sender=sender,
        name=name,
        subject=subject,
        words=_words(items, answer=_is_answer(subject, reply_to)),
        files=tuple(files[:MOST_FILES]),
        remarks=(
            *(item for item in items if isinstance(item, Remark)),
            *(Remark(file.name, f"en çok {MOST_FILES} dosya alınır") for file in files[MOST_FILES:]),
        ),
        reply_to=reply_to,
        sent_at=date(message),
    )


def _parsed(raw: bytes) -> "Message[str, str]":
    head = re.search(rb"\r?\n\r?\n", raw)
    if (head.start() if head else len(raw)) > _MOST_HEAD:
        raise Unreadable("554 5.6.0 The head of the mail is too large")
    lines = raw.count(b"\n") + raw.count(b"\r") - raw.count(b"\r\n")
    borders = len(re.findall(rb"boundary", raw, re.IGNORECASE))
    if lines > _MOST_LINES or lines * borders > _MOST_WORK:
        raise Unreadable("554 5.6.0 The mail has too many lines: send fewer files at once")
    if raw.count(b"\n--") > _MOST_DASHES or borders > _MOST_BORDERS:
        raise Unreadable("554 5.6.0 The mail has too many parts: send fewer files at once")
    try:
        message = BytesParser(policy=AS_IT_CAME).parsebytes(raw)
    except RecursionError:
        raise Unreadable("554 5.6.0 The mail has mails in mails: send it without them") from None
    if len(message.get_all("Received", [])) > _MOST_HOPS:
        raise Unreadable("554 5.4.6 The mail goes round in circles")
    return message


def _sender(message: "Message[str, str]", envelope_sender: str) -> tuple[str, str]:
    found = addresses(message, "From")
    if not found and envelope_sender not in NOBODY:
        holder: Message[str, str] = Message(policy=AS_IT_CAME)
        holder["From"] = envelope_sender
        found = addresses(holder, "From")
    if not found:
        raise Unreadable("550 5.1.7 The mail has no sender that can be answered, such as ad.soyad@example.com")
    return found[0]


def _is_answer(subject: str, reply_to: Collection[str]) -> bool:
    start = fold(subject[:40])
    return not _PASSED_ON.match(start) and bool(reply_to or _ANSWER.match(start))


def _words(items: Collection[_Item], *, answer: bool) -> str:
    written = list(_bounded(item for item in items if isinstance(item, _Words)))
    own = "\n".join(_text(item) for item in written if not item.passed_on)[:_MOST_WORDS]
    passed_on = (_text(item) for item in written if item.passed_on)
    return "\n\n".join(filter(None, (own_words(own, answer=answer), *passed_on))).strip()


def _bounded(words: Iterable[_Words]) -> Iterator[_Words]:
    room = _MOST_MARKUP
    for one in words:
        yield replace(one, text=one.text[:room])
        room = max(0, room - len(one.text))


def _text(words: _Words) -> str:
    return (words_of_html(words.text) if words.html else words.text).strip()


# --- parts ---


def _items(part: "Message[str, str]", depth: int, *, passed_on: bool = False) -> Iterator[_Item]:
    """
    What a part and the parts in it hold, in their order.
    """
    kind, inner = part.get_content_type(), parts(part)
    if not inner:
        yield from _leaf(part, kind, passed_on=passed_on)
    elif depth > _DEEPEST:
        yield Remark(file_name(part), "çok iç içe")
    elif kind == "multipart/alternative":
        yield from _best([i for p in inner for i in _items(p, depth + 1, passed_on=passed_on)])
    elif kind == "message/rfc822":
        yield _Words(f"[{header(inner[0], 'Subject')}]", passed_on=True)
        yield from _items(inner[0], depth + 1, passed_on=True)
    elif kind not in _NOT_FILES:
        for child in inner:
            yield from _items(child, depth + 1, passed_on=passed_on)


def _best(items: Collection[_Item]) -> Iterator[_Item]:
    """
    Of the same said twice, plain text, if there is something in it.
    """
    plain = any(isinstance(item, _Words) and not item.html and item.text.strip() for item in items)
    return (item for item in items if not (isinstance(item, _Words) and item.html is plain))


def _leaf(part: "Message[str, str]", kind: str, *, passed_on: bool) -> Iterator[_Item]:
    content = part.get_payload(decode=True)
    raw = content if isinstance(content, bytes) else b""
    name, apart = file_name(part), part.get_content_disposition() == "attachment"
    words = kind in ("text/plain", "text/html") or kind.startswith("multipart/")
    if words and not apart and not name:
        text = decode(raw, _parameter(part, "charset")).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
        yield _Words(_flowed(part, text), html=kind == "text/html", passed_on=passed_on)
    elif kind == "application/ms-tnef" or name.lower() == "winmail.dat":
        yield Remark(name or "winmail.dat", "Outlook'un kendi biçimi, okunamıyor")
    elif kind in _SEALED:
        yield Remark(name or "smime.p7m", "şifreli, okunamıyor")
    elif kind.startswith("message/"):
        yield Remark(name or kind, "okunamıyor")
    elif kind not in _NOT_FILES and not (_is_logo(part, kind, raw) and not apart):
        yield File(name or kind, raw)


def _is_logo(part: "Message[str, str]", kind: str, raw: bytes) -> bool:
    """
    A little picture that the words show, as signatures do.
    """
    return kind.startswith("image/") and bool(part.get("Content-ID")) and 0 < len(raw) < _LOGO


def _parameter(part: "Message[str, str]", name: str) -> str:
    """
    A parameter of the part's Content-Type; empty if there is none, or none that can be read.
    """
    value = part.get_param(name)
    return (value[2] if isinstance(value, tuple) else str(value or "")).strip("\"' ")


def _flowed(part: "Message[str, str]", text: str) -> str:
    """
    Lines as they were written, from lines that the sender's program broke (RFC 3676).
    """
    if _parameter(part, "format").lower() != "flowed":
        return text
    tight = _parameter(part, "delsp").lower() == "yes"
    lines: list[str] = []
    waiting: str | None = None  # the quotation marks before a line that waits for its rest
    for raw in text.split("\n"):
        depth = raw[: len(raw) - len(raw.lstrip(">"))]
        line = raw[len(depth) :].removeprefix(" ")
        soft = line.endswith(" ") and line != "-- "
        kept = line[:-1] if soft and tight else line
        if lines and waiting == depth and line != "-- ":
            lines[-1] += kept
        else:
            lines.append(f"{depth} {kept}" if depth else kept)
        waiting = depth if soft else None
    return "\n".join(lines)
