"""
The recorded day of WhatsApp (tests/data/whatsapp_day): bodies as Meta posts them, and what is to become of them.

``bodies.jsonl`` has a body or the closing of a request a line, with its time. In a body ``{AYSE.1}`` stands for the
number of the request that began with the message ``wamid.AYSE.1`` (``{grouped:AYSE.1}``: as it is written to people),
and our own messages about that request are called ``wamid.OURS.AYSE.…``. ``expected.yaml`` says what is to become of
it, person by person: the requests, and in their order replies, feedback and what is said.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import yaml

from services.common.contracts import ids
from services.common.contracts.envelope import Record, decode
from services.common.contracts.events import CitizenReplied, FeedbackSubmitted, MessageWanted, RequestReceived

FOLDER: Final = Path(__file__).parents[2] / "data/whatsapp_day"
_NUMBER: Final = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{13}\b")
_GROUPED: Final = re.compile(r"\b([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]\b")
_STANDS_FOR: Final = re.compile(r"\{(grouped:)?([A-Z]+\.[0-9]+)\}")


@dataclass(frozen=True, slots=True)
class Moment:
    """
    What happens at a time: a ``body`` comes in, or the request that began with ``closed`` is closed by event ``seq``.
    """

    at: datetime
    body: Any = None
    closed: str | None = None
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """
    The day and what is to become of it.
    """

    moments: tuple[Moment, ...]
    expected: Mapping[str, Any]

    @property
    def bodies(self) -> list[Any]:
        """
        The bodies alone.
        """
        return [one.body for one in self.moments if one.body is not None]


def recorded_day() -> Day:
    """
    The day as it is recorded.
    """
    rows = [json.loads(line) for line in (FOLDER / "bodies.jsonl").read_text().splitlines()]
    moments = tuple(
        Moment(datetime.fromisoformat(row["at"]), row.get("body"), row.get("closed"), row.get("seq", 0)) for row in rows
    )
    return Day(moments, yaml.safe_load((FOLDER / "expected.yaml").read_text()))


def bytes_of(body: Any, number_of: Callable[[str], str]) -> bytes:
    """
    A body as it is posted, with the requests' numbers in it. ``number_of`` knows them by their first message's name.
    """

    def number(found: re.Match[str]) -> str:
        request_id = number_of(f"wamid.{found[2]}")
        return ids.grouped(request_id) if found[1] else request_id

    return _STANDS_FOR.sub(number, json.dumps(body, ensure_ascii=False)).encode()


def outcome(records: list[Record], person_of: Callable[[str], str], name_of: Callable[[str], str]) -> dict[str, Any]:
    """
    What became of the day, as ``expected.yaml`` has it. ``person_of`` knows who has a contact, ``name_of`` the message
    with which a request began.
    """

    def named(request_id: str) -> str:
        return f"{{grouped:{name_of(request_id).removeprefix('wamid.')}}}"

    found: dict[str, Any] = defaultdict(list)
    holders: dict[str, str] = {}
    for record in records:
        event = decode(record.topic, record.key, record.value, record.headers).data
        if isinstance(event, RequestReceived | MessageWanted):
            holders.setdefault(getattr(event, "request_id", None) or "", person_of(event.contact_id or ""))
        match event:
            case RequestReceived():
                found[person_of(event.contact_id or "")].append(_request(event, name_of))
            case CitizenReplied():
                words = _GROUPED.sub(lambda number: named(ids.parse_request_id(number[0])), event.text)
                found[holders[event.request_id]].append({"reply": words, "to": name_of(event.request_id)})
            case FeedbackSubmitted():
                told = {"stars": event.rating, "reopen": event.reopen or None, "comment": event.comment}
                row = {"feedback": name_of(event.request_id), "closing": event.closing_seq} | told
                found[holders[event.request_id]].append({key: value for key, value in row.items() if value is not None})
            case MessageWanted():
                found[person_of(event.contact_id)].append(_said(event, name_of))
    return dict(found)


def _request(event: RequestReceived, name_of: Callable[[str], str]) -> dict[str, Any]:
    place = event.location
    row = {
        "request": name_of(event.request_id),
        "text": event.text,
        "place": [place.lat, place.lon] if place and place.lat is not None else None,
        "address": place.address if place else None,
        "files": len(event.attachments) or None,
    }
    return {key: value for key, value in row.items() if value is not None}


def _said(event: MessageWanted, name_of: Callable[[str], str]) -> dict[str, Any]:
    row = {
        "say": event.say.value,
        "about": name_of(event.request_id) if event.request_id else None,
        "options": [_NUMBER.sub(lambda number: name_of(number[0]), one.id) for one in event.options] or None,
    }
    return {key: value for key, value in row.items() if value is not None}
