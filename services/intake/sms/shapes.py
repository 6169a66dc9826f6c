"""
What gateways call things: every body that one of them sends becomes texts, whoever made it.

A gateway is set up to call ``/webhooks/sms/<its token>`` with one of the shapes below, one message or several of them
(a JSON array, or an array called ``messages``), as JSON or as a form. It gives the whole text, its parts joined. Times
without a zone are Istanbul's. İletimerkezi is not among them: its webhook brings reports of deliveries alone.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from services.common.contracts import ids
from services.common.contracts.vocabulary import Channel, MessageKind
from services.intake import cleaning
from services.intake.conversations.inbound import Inbound, Party, sound
from services.intake.domain import ISTANBUL
from services.intake.schemas import TEXT_LIMIT

NO_NUMBER: Final = "no_number"
OWN_NUMBER: Final = "own_number"
STATUS: Final = "status"
UNKNOWN: Final = "unknown_shape"
_SENDER_LIMIT: Final = 100
_AT_LIMIT: Final = 40
_ID: Final = re.compile(r"[!-~]{1,200}")
_DATES: Final = (
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d/%m/%Y %H:%M:%S",
    "%d%m%Y%H%M", "%d%m%Y%H%M%S",  # in this order: the longer one reads twelve digits too, and wrongly
)  # fmt: skip


class Shape(NamedTuple):
    """
    What a gateway calls the sender, the text, when it was sent, and its own id of the message if it has one.
    """

    sender: str
    text: str
    at: str
    id: str | None = None


SHAPES: Final = (
    Shape("from", "text", "at", "id"),  # ours, for whoever can choose
    Shape("source_addr", "content", "received_at", "message_id"),  # Verimor (verimor/SMS-API user_guide.md, PUSH)
    Shape("sender", "message", "datetime"),  # NetGSM's inbox (netgsm/netgsm-sms-js openapi.json)
    Shape("ceptel", "mesaj", "tarih"),  # assumed, as are the next two: no gateway's documentation of a push has them
    Shape("gonderen", "mesaj", "tarih"),
    Shape("telno", "mesaj", "tarih"),
)


@dataclass(frozen=True, slots=True)
class Text:
    """
    One SMS as a gateway tells of it: ``at`` as it wrote it, ``id`` its own, if it has one that can be used.
    """

    sender: str = field(repr=False)
    text: str = field(repr=False)
    at: str = ""
    id: str | None = None


class Seen(NamedTuple):
    """
    What a text comes to: ``known_by`` is the same whenever it is told again; ``inbound`` is None if it is no message of
    a citizen, and ``outcome`` says why.
    """

    known_by: str
    outcome: str
    inbound: Inbound | None


class NoText(ValueError):
    """
    The body tells of no SMS in any known shape.
    """


def texts_of(value: Any) -> tuple[list[Text], Counter[str]]:
    """
    The texts in a body, and why others in it are none: a report of a message of ours, or no shape that we know. Raises
    ``NoText`` if there is nothing else.
    """
    inner = value.get("messages") if isinstance(value, dict) else value
    rows = inner if isinstance(inner, list) else [value]
    found: list[Text] = []
    ignored: Counter[str] = Counter()
    for row in rows:
        text = _text(row)
        if text is not None:
            found.append(text)
        else:
            ignored[STATUS if _is_report(row) else UNKNOWN] += 1
    if ignored[UNKNOWN] and not found:
        shapes = "; ".join(", ".join(filter(None, shape)) for shape in SHAPES)
        raise NoText(f"must have the fields of one of these: {shapes}")
    return found, ignored


def seen(text: Text, gateway: str, own_numbers: frozenset[str], secret: bytes, now: datetime) -> Seen:
    """
    The message that a text is. None is what comes from a name, a short number, or a number of our own (E.164).

    Without an id of the gateway's it is known by sender, text and minute, whichever gateway tells of it.
    """
    words, at = sound(text.text, TEXT_LIMIT) or "", _moment(text.at)
    phone = _phone(text.sender)
    if text.id:
        known_by = f"{gateway}:{text.id}"
    else:
        minute = text.at if text.at and at is None else (at or now).strftime("%Y%m%d%H%M")
        known_by = ids.keyed_hash(secret, "sms", phone or sound(text.sender, _SENDER_LIMIT) or "", words, minute)
    if phone is None or phone in own_numbers:
        return Seen(known_by, NO_NUMBER if phone is None else OWN_NUMBER, None)
    inbound = Inbound(
        channel=Channel.SMS,
        adapter=f"sms:{gateway}",
        provider_id=known_by,
        sender=Party(phone=phone),
        kind=MessageKind.TEXT,
        sent_at=at or now,
        text=words,
    )
    return Seen(known_by, MessageKind.TEXT, inbound)


def _text(row: Any) -> Text | None:
    if not isinstance(row, Mapping) or _is_report(row):
        return None
    given = {str(name).lower(): value for name, value in row.items()}
    for shape in SHAPES:
        sender, words = _words(given.get(shape.sender)), _words(given.get(shape.text))
        if sender is not None and words is not None:
            number = _words(given.get(shape.id)) if shape.id else None
            known = number if number and _ID.fullmatch(number) else None
            return Text(sender, words, sound(_words(given.get(shape.at)), _AT_LIMIT) or "", known)
    return None


def _is_report(row: Any) -> bool:
    """
    İletimerkezi's and Verimor's reports of what became of our messages come to the same address.
    """
    return isinstance(row, Mapping) and (isinstance(row.get("report"), Mapping) or row.get("type") == "outbound")


def _words(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


def _phone(sender: str) -> str | None:
    try:
        return cleaning.phone(sender[:_SENDER_LIMIT])
    except ValueError:
        return None


def _moment(text: str) -> datetime | None:
    """
    In UTC.
    """
    try:
        return cleaning.moment(text)
    except ValueError:
        pass
    for form in _DATES:
        try:
            return datetime.strptime(text, form).replace(tzinfo=ISTANBUL).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None
