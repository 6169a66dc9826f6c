"""
The recorded day of WhatsApp (tests/data/whatsapp_day): bodies as Meta posts them, and what is to become of them.

``bodies.jsonl`` has a body or the closing of a request a line, with its time. In a body ``{AYSE.1}`` stands for the
number of the request that began with the message ``wamid.AYSE.1`` (``{grouped:AYSE.1}``: as it is written to people),
``{closing:AYSE.1}`` for the seq of the event that closed it, and ``wamid.OURS.AYSE.1`` for a message of ours about it.
``expected.yaml`` says what is to become of it.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

import yaml

from services.common.contracts import ids
from services.common.contracts.events import CitizenReplied, Event, FeedbackSubmitted, MessageWanted, RequestReceived
from services.common.contracts.vocabulary import Channel
from services.intake.conversations.inbound import message_id_of

FOLDER: Final = Path(__file__).parents[2] / "data/whatsapp_day"
_NUMBER: Final = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{13}\b")
_GROUPED: Final = re.compile(r"\b([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]\b")
_STANDS_FOR: Final = re.compile(r"\{(grouped:|closing:)?([A-Z]+\.[0-9]+)\}|wamid\.(OURS)\.([A-Z]+\.[0-9]+)\b")


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


def rows_of(body: Any) -> Iterator[dict[str, Any]]:
    """
    The messages in a body that have an id.
    """
    for entry in body.get("entry", []):
        for change in entry["changes"]:
            yield from (row for row in change["value"].get("messages", []) if row and "id" in row)


def numbers_of(day: Day, secret: bytes) -> dict[str, str]:
    """
    Each message of the day by the number that a request has which begins with it.
    """
    names = {row["id"] for body in day.bodies for row in rows_of(body)}
    channel = Channel.WHATSAPP
    return {ids.keyed_request_id(secret, channel, channel, message_id_of(channel, name, "")): name for name in names}


class Names(Protocol):
    """
    What stands behind the names of the day where it is played: requests by the message with which they began.
    """

    def number_of(self, name: str) -> str: ...
    def name_of(self, request_id: str) -> str: ...
    def closing_of(self, name: str) -> int | None: ...
    def ours_of(self, name: str) -> str: ...
    def person_of(self, contact_id: str) -> str: ...


def bytes_of(body: Any, names: Names) -> bytes:
    """
    A body as it is posted.
    """

    def known(found: re.Match[str]) -> str:
        if found[3]:
            return names.ours_of(f"wamid.{found[4]}")
        name = f"wamid.{found[2]}"
        if found[1] == "closing:":
            return str(names.closing_of(name))
        return ids.grouped(names.number_of(name)) if found[1] else names.number_of(name)

    return _STANDS_FOR.sub(known, json.dumps(body, ensure_ascii=False)).encode()


def outcome(events: Sequence[Event], names: Names) -> dict[str, Any]:
    """
    What became of the day, as ``expected.yaml`` has it.
    """
    return _Told(names, events).all()


class _Told:
    """
    Events in the words of ``expected.yaml``.
    """

    def __init__(self, names: Names, events: Sequence[Event]) -> None:
        self.names = names
        self.events = events
        requests = [event for event in events if isinstance(event, RequestReceived)]
        self.holders = {one.request_id: names.person_of(one.contact_id or "") for one in requests}

    def all(self) -> dict[str, Any]:
        found: dict[str, Any] = defaultdict(list)
        for event in self.events:
            match event:
                case RequestReceived():
                    found[self.holders[event.request_id]].append(_filled(self.request(event)))
                case CitizenReplied():
                    row = {"reply": self.words(event.text), "to": self.names.name_of(event.request_id)}
                    found[self.holders[event.request_id]].append(row)
                case FeedbackSubmitted():
                    found[self.holders[event.request_id]].append(_filled(self.feedback(event)))
                case MessageWanted():
                    found[self.names.person_of(event.contact_id)].append(_filled(self.said(event)))
        return dict(found)

    def request(self, event: RequestReceived) -> dict[str, Any]:
        place = event.location
        return {
            "request": self.names.name_of(event.request_id),
            "text": event.text,
            "place": [place.lat, place.lon] if place and place.lat is not None else None,
            "address": place.address if place else None,
            "files": len(event.attachments) or None,
        }

    def feedback(self, event: FeedbackSubmitted) -> dict[str, Any]:
        name = self.names.name_of(event.request_id)
        return {
            "feedback": name,
            "closing": "last" if event.closing_seq == self.names.closing_of(name) else event.closing_seq,
            "stars": event.rating,
            "reopen": event.reopen or None,
            "comment": event.comment,
        }

    def said(self, event: MessageWanted) -> dict[str, Any]:
        return {
            "say": event.say.value,
            "about": self.names.name_of(event.request_id) if event.request_id else None,
            "options": [self.option(one.id) for one in event.options] or None,
        }

    def option(self, written: str) -> str:
        named = _NUMBER.sub(lambda number: self.names.name_of(number[0]), written)
        kind, _, rest = named.partition(":")
        name, _, seq = rest.partition(":")
        return f"{kind}:{name}:last" if seq and int(seq) == self.names.closing_of(name) else named

    def words(self, text: str) -> str:
        """
        A reply with the names of the requests whose numbers stand in it.
        """

        def named(number: re.Match[str]) -> str:
            return f"{{grouped:{self.names.name_of(ids.parse_request_id(number[0])).removeprefix('wamid.')}}}"

        return _GROUPED.sub(named, text)


def _filled(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if value is not None}
