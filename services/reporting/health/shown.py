"""
A dead letter as it may be seen: why it is one and what it claims to be, never what it says. Its value may hold a
citizen's words, and so may a key or a header that is not of our making. Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.common.contracts.ids import IllFormedId, parse_any_id
from services.common.kit.letters import REPLAYED, Letter, LettersError, refused_by_contracts

_ID: Final = re.compile(r"[a-z]{1,4}_[0-9a-f]{8,64}")
_HEADERS: Final[Mapping[str, re.Pattern[str]]] = {
    "ce_id": re.compile(r"[0-9a-f-]{8,64}"),
    "ce_type": re.compile(r"[A-Za-z.]{1,100}"),
    "ce_source": re.compile(r"[a-z/.-]{1,100}"),
    "ce_specversion": re.compile(r"[0-9.]{1,8}"),
    "ce_time": re.compile(r"\d{4}-\d\d-\d\dT[\d:.]{8,18}(Z|[+-]\d\d:\d\d)"),
    "content-type": re.compile(r"[a-z/+.-]{1,60}"),
    "traceparent": re.compile(r"[0-9a-f-]{55}"),
    "correlation-id": re.compile(r"[0-9a-f-]{8,64}"),
    "causation-id": re.compile(r"[0-9a-f-]{8,64}"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """
    ``size``: the bytes of the value, None without one. ``kind``: the event's plain name, empty if it claims none.
    ``refused``: why the contracts would refuse it today too; ``stuck``: why it cannot be sent back at all.
    """

    offset: int
    at: datetime | None
    origin: str
    reason: str
    detail: str
    kind: str
    key: str
    size: int | None
    headers: tuple[tuple[str, str], ...]
    sent_back: bool
    sent_back_at: datetime | None
    refused: str
    stuck: str


def shown(letter: Letter) -> Shown:
    """
    What of a letter may be seen.
    """
    headers = tuple((visible(name), _header(name, raw)) for name, raw in letter.headers)
    refused = stuck = ""
    try:
        refused = refused_by_contracts(letter.original(REPLAYED))
    except LettersError as reason:
        stuck = str(reason)
    return Shown(
        offset=letter.offset,
        at=_moment(letter.at),
        origin=visible(letter.origin),
        reason=visible(letter.reason),
        detail=visible(letter.detail),
        kind=dict(headers).get("ce_type", "").rpartition(".")[2],
        key=_key(letter.key),
        size=None if letter.value is None else len(letter.value),
        headers=headers,
        sent_back=bool(letter.sent_back),
        sent_back_at=_moment(f"{letter.sent_back.rpartition(' ')[2]}Z"),
        refused=visible(refused),
        stuck=visible(stuck),
    )


def visible(text: str) -> str:
    """
    The text without what has no shape or turns the direction of writing.
    """
    return "".join(sign if sign.isprintable() else "·" for sign in text)


def _header(name: str, raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    if name == "ce_subject":
        return _key(raw)
    known = _HEADERS.get(name)
    return text if known and known.fullmatch(text) else hidden(raw)


def _key(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    if _ID.fullmatch(text):
        return text
    try:
        return parse_any_id(text)
    except IllFormedId:
        return hidden(raw)


def hidden(raw: bytes) -> str:
    """
    What stands for bytes that are not shown.
    """
    return f"({len(raw)} B)"


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
