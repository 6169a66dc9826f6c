"""
Links that let a citizen see their own request: intake and notify sign them with one secret, intake checks them. Pure.

A token is ``<minute it ends, hex>-<20 hex digits of HMAC-SHA-256>``, short enough for an SMS. It is bound to the
request, to what it is for, and, where it is for one ending of the request, to that ending.
"""

import hmac
import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from services.common.contracts.ids import keyed_hash

LINK_LASTS: Final = timedelta(days=180)
_SHAPE: Final = re.compile(r"([0-9a-f]{7,8})-([0-9a-f]{20})", re.ASCII)
_MINUTE: Final = 60


class Purpose(StrEnum):
    """
    What a token is for: the link in a message, a browser that has shown who it is, an opinion of one ending.
    """

    LINK = "link"
    SEEN = "seen"
    FEEDBACK = "feedback"


def token(secret: bytes, request_id: str, purpose: Purpose, ends: datetime, closing_seq: int = 0) -> str:
    """
    A token that is good until ``ends``, to the minute.
    """
    minute = f"{int(ends.timestamp()) // _MINUTE:x}"
    return f"{minute}-{_mac(secret, request_id, purpose, minute, closing_seq)}"


def good(secret: bytes, shown: str, request_id: str, purpose: Purpose, now: datetime, closing_seq: int = 0) -> bool:
    """
    Whether what somebody shows is a token for exactly this, and has not ended.
    """
    found = _SHAPE.fullmatch(shown)
    if found is None:
        return False
    minute, mac = found.groups()
    same = hmac.compare_digest(mac, _mac(secret, request_id, purpose, minute, closing_seq))
    return same and now.timestamp() < int(minute, 16) * _MINUTE


def _mac(secret: bytes, request_id: str, purpose: Purpose, minute: str, closing_seq: int) -> str:
    return keyed_hash(secret, "tracking", purpose, request_id, str(closing_seq), minute)[:20]
