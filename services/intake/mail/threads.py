"""
The names of mails: the only place that brings a Message-ID to the form in which it is kept and compared. Pure.

That form is the one in which notify sends it and keeps it as ``provider_id``: ``<local@domain>`` with its brackets, as
it stands in the header, letters as they are.
"""

import re
from email.message import Message
from hashlib import sha256
from typing import Final

from services.common.contracts.ids import derived_id
from services.intake.mail.headers import raw_header

MOST: Final = 20
_ID: Final = re.compile(r"<[!-;=?-~]{1,398}>")
_BARE: Final = re.compile(r"[!-;=?-~]{1,390}@[!-;=?-~]{1,200}")
_TELLING: Final = 8  # characters before the @: what is shorter is no name, some devices call every mail <1@scanner>


def message_ids(value: str) -> tuple[str, ...]:
    """
    The Message-IDs in a header, in its order; one alone may lack its brackets.
    """
    found = _ID.findall(value)
    if not found and len(value) <= 398 and _BARE.fullmatch(value.strip()):
        found = [f"<{value.strip()}>"]
    return tuple(dict.fromkeys(found))


def domain_of(message_id: str) -> str:
    """
    The part behind the @, in lower case.
    """
    return message_id.strip("<>").rpartition("@")[2].lower()


def answered(message: "Message[str, str]") -> tuple[str, ...]:
    """
    The mails that this one answers, the nearest first: In-Reply-To, then References from its end; at most 20.
    """
    nearest = message_ids(raw_header(message, "In-Reply-To"))
    before = message_ids(raw_header(message, "References"))
    return tuple(dict.fromkeys((*nearest, *reversed(before))))[:MOST]


def own_id(message: "Message[str, str]", raw: bytes) -> str:
    """
    The mail's Message-ID; if it has none that tells it from others, one made from what it says, whichever way it came.
    """
    found = message_ids(raw_header(message, "Message-ID"))
    if found and len(found[0].partition("@")[0]) > _TELLING:
        return found[0]
    start = re.search(rb"\r?\n\r?\n", raw)
    body = raw[start.end() :] if start else raw
    said = (raw_header(message, name) for name in ("From", "Date", "Subject", "Message-ID"))
    return f"<{derived_id('mail', *said, sha256(body).hexdigest())}@made.invalid>"
