"""
What a client asks for or sends, brought to our terms, or refused in Open311's. Pure.

A parameter that is empty is the same as one that is not there.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError

from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import IllFormedId, parse_request_id
from services.common.contracts.neighbourhoods import neighbourhood
from services.common.contracts.vocabulary import Kind
from services.intake import cleaning
from services.intake.open311.definitions import Definitions, check, mended, offered
from services.intake.open311.words import DETAILED, FIXMYSTREET, statuses
from services.intake.schemas import NewReply, NewRequest

Given = Mapping[str, Sequence[str]]
"""Every parameter with its values, in the order in which they came."""

SPAN: Final = timedelta(days=90)
MOST_ROWS: Final = 1_000
_MOST_PAGES: Final = 100_000
_OLDEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
ADDRESS_ID: Final = "address_id"
MEDIA_URL: Final = "media_url"
KINDS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "problem": (Kind.COMPLAINT, Kind.REQUEST),
    "idea": (Kind.SUGGESTION,),
    "tip": (Kind.INFORMATION, Kind.THANKS),
}
_ATTRIBUTE: Final = re.compile(r"attribute\[([^\[\]]{1,60})\](?:\[\d*\])?")
_FIELDS: Final = {
    "text": "description",
    "citizen.name": "first_name",
    "citizen.phone": "phone",
    "citizen.email": "email",
    "location.address": "address_string",
    "location.lat": "lat",
    "location.lon": "long",
    "attributes": "attribute",
    "attachments": "media",
    "external_id": "update_id",
}


class NotTaken(Exception):
    """
    What the client gets instead: an HTTP status and what is wrong, in one sentence each.
    """

    def __init__(self, status: int, *messages: str) -> None:
        super().__init__(*messages)
        self.status = status
        self.messages = messages


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    Which requests a client asks for. ``query`` is the question to reporting (None: nothing can fit), ``ids`` the
    numbers that it names.
    """

    query: dict[str, str] | None
    ids: tuple[str, ...] | None
    extensions: bool
    count_only: bool


@dataclass(frozen=True, slots=True)
class Stretch:
    """
    From when until when, both in it.
    """

    since: datetime
    until: datetime


def value(given: Given, name: str) -> str | None:
    """
    The last value of a parameter that says something.
    """
    return next((text.strip() for text in reversed(given.get(name, ())) if text.strip()), None)


def known_jurisdiction(given: Given, ours: str) -> None:
    """
    Refuse the name of another jurisdiction. We serve one, so it need not be named. Raises ``NotTaken``.
    """
    named = value(given, "jurisdiction_id")
    if named is not None and named.lower() != ours.lower():
        raise NotTaken(404, f"jurisdiction_id was not found: this endpoint serves {ours}.")


def wanted(given: Given, now: datetime, *, span: timedelta = SPAN, paged: bool = True) -> Wanted:
    """
    The filters of ``GET /requests``. ``service_request_id`` overrides all others. Without times the last 90 days are
    meant, unless it asks what changed; without paging the first 1,000 requests. Raises ``NotTaken`` naming every
    parameter at fault.

    ``span``: how far start and end may lie apart. Not ``paged``: pages are the caller's business.
    """
    reader = _Reader(given)
    extensions, count_only = reader.flag("extensions"), reader.flag("just_count")
    page, size = reader.whole("page"), reader.whole("page_size")
    most = reader.whole("max_requests")
    if size == 0:
        reader.wrong(f"page_size must be 1 to {MOST_ROWS}.")
    if not paged:
        page, size, most, count_only = 1, MOST_ROWS, None, False
    query = {
        "page": str(min(max(page or 1, 1), _MOST_PAGES)),
        "page_size": str(0 if count_only else min(size or most or MOST_ROWS, MOST_ROWS)),
    }
    ids = _ids(value(given, "service_request_id"))
    if ids is not None:
        if len(ids) > MOST_ROWS:
            reader.wrong(f"service_request_id may name at most {MOST_ROWS} requests.")
        reader.settle()
        return Wanted(query | {"ids": ",".join(ids)} if ids else None, ids, extensions, count_only)
    changed_from, changed_to = reader.moment("updated_after"), reader.moment("updated_before")
    stretch = reader.stretch(now, span, open_ended=changed_from is not None or changed_to is not None)
    words = reader.listed("status", ("open", "closed"))
    detailed = reader.listed("detailed_status", DETAILED, upper=True)
    kinds = reader.listed("keyword", tuple(KINDS))
    lat, lon, radius = (reader.number(name) for name in ("lat", "long", "radius"))
    reader.degrees(lat, lon)
    if (lat is None) != (radius is None) or (radius is not None and not 0 < radius <= 1_000_000):
        reader.wrong("lat, long and radius (metres, more than 0) belong together.")
    narrowed: dict[str, Sequence[str] | None] = {
        "status": statuses(words, detailed) if words or detailed else None,
        "service": _codes(value(given, "service_code")),
        "kind": [kind for word in sorted(kinds) for kind in KINDS[word]] if kinds else None,
        "neighbourhood": _areas(value(given, "area_code")),
    }
    if reader.flag("with_picture"):
        query["with_photo"] = "true"
    if lat is not None and lon is not None and radius is not None:
        query |= {"lat": repr(lat), "lon": repr(lon), "radius": repr(radius)}
    times = {
        "received_from": stretch.since if stretch else None,
        "received_to": stretch.until if stretch else None,
        "changed_from": changed_from,
        "changed_to": changed_to,
    }
    reader.settle()
    query |= {name: moment.isoformat() for name, moment in times.items() if moment}
    query |= {name: ",".join(values) for name, values in narrowed.items() if values is not None}
    nothing = any(values is not None and not values for values in narrowed.values())
    return Wanted(None if nothing else query, None, extensions, count_only)


def stretch_of(given: Given, now: datetime) -> Stretch:
    """
    ``start_date`` and ``end_date`` of the updates' feed. Raises ``NotTaken``.
    """
    reader = _Reader(given)
    stretch = reader.stretch(now, SPAN, open_ended=False)
    reader.settle()
    assert stretch is not None  # noqa: S101 - nothing is open ended, and what is wrong was raised
    return stretch


def point(given: Given) -> tuple[float, float]:
    """
    The point that ``GET /coverage`` asks about. Raises ``NotTaken``.
    """
    reader = _Reader(given)
    lat, lon = reader.number("lat"), reader.number("long")
    reader.degrees(lat, lon)
    if not reader.faults and (lat is None or lon is None):
        reader.wrong("lat and long are required.")
    reader.settle()
    return lat or 0.0, lon or 0.0


def service_of(given: Given) -> str:
    """
    The service that a report is about. Raises ``NotTaken``: 400 if none is named, 404 if it is not offered.
    """
    code = value(given, "service_code")
    if code is None:
        raise NotTaken(400, "service_code is required.")
    if code not in offered():
        raise NotTaken(404, "service_code was not found: see GET /services.")
    return code


def report(given: Given, known: Definitions, attachments: Sequence[str] = ()) -> NewRequest:
    """
    A report as a request of ours. A report without words has its service's name as text. Raises ``NotTaken`` naming
    every field at fault.
    """
    service_code = service_of(given)
    reader = _Reader(given)
    lat, lon = reader.number("lat"), reader.number("long")
    reader.degrees(lat, lon)
    nowhere = bool(reader.faults)
    address, address_id = value(given, "address_string"), value(given, ADDRESS_ID)
    if lat is None and not (address or address_id or nowhere):
        reader.wrong("A location is required: lat and long, or address_string, or address_id.")
    answers, wrong = check(known.of(service_code), _answers(given))
    for row in wrong:
        reader.wrong(f"attribute[{row.code}] {row.message}.")
    kept: dict[str, Any] = dict(answers)
    if address_id:
        kept[ADDRESS_ID] = address_id[:200]
    if media_url := value(given, MEDIA_URL):
        kept[MEDIA_URL] = reader.link(MEDIA_URL, media_url)
    name = " ".join(part for part in (value(given, "first_name"), value(given, "last_name")) if part)
    body = {
        "channel": "open311",
        "service_code": service_code,
        "text": value(given, "description") or catalogue().services[service_code].tr,
        "citizen": {"name": name or None, "email": value(given, "email"), "phone": value(given, "phone")},
        "location": {"address": address, **({} if nowhere else {"lat": lat, "lon": lon})},
        "attributes": kept or None,
        "attachments": list(attachments) or None,
    }
    try:
        request = NewRequest.model_validate(body)
    except ValidationError as error:
        for fault in error.errors():
            reader.wrong(_sentence(fault))
        raise NotTaken(400, *reader.faults) from None
    reader.settle()
    return request


@dataclass(frozen=True, slots=True)
class UpdateSent:
    """
    What a client adds to a request (FixMyStreet's extension): its own id of it, and the words.
    """

    request_id: str
    update_id: str
    reply: NewReply


def update(given: Given) -> UpdateSent:
    """
    An update as a reply of ours. A state that somebody else says it has changes none of ours: it is told to whoever
    holds the request. Raises ``NotTaken``.
    """
    reader = _Reader(given)
    fields = ("service_request_id", "update_id", "status", "updated_datetime", "description")
    found = {name: value(given, name) for name in fields}
    for name in fields:
        if found[name] is None:
            reader.wrong(f"{name} is required.")
    reader.moment("updated_datetime")
    status = (found["status"] or "").lower()
    if status and status not in FIXMYSTREET:
        reader.wrong(f"status must be one of {', '.join(sorted(FIXMYSTREET)).upper()}.")
    reader.settle()
    said = [found["description"] or ""]
    if status not in ("open", "unchanged"):
        said.append(f"(FixMyStreet: {status.upper()})")
    if media_url := value(given, MEDIA_URL):
        said.append(reader.link(MEDIA_URL, media_url))
    try:
        request_id = parse_request_id(found["service_request_id"] or "")
    except IllFormedId:
        raise NotTaken(404, "service_request_id was not found.") from None
    body = {"text": "\n\n".join(said), "channel": "open311", "external_id": found["update_id"]}
    try:
        reply = NewReply.model_validate(body)
    except ValidationError as error:
        for fault in error.errors():
            reader.wrong(_sentence(fault))
        raise NotTaken(400, *reader.faults) from None
    reader.settle()
    return UpdateSent(request_id, found["update_id"] or "", reply)


def _answers(given: Given) -> dict[str, list[str]]:
    """
    ``attribute[CODE]=a``, ``attribute[CODE][]=a`` and ``attribute[CODE][0]=a``, by code.
    """
    found: dict[str, list[str]] = {}
    for name, texts in given.items():
        if match := _ATTRIBUTE.fullmatch(name):
            found.setdefault(match[1], []).extend(texts)
    return found


def _sentence(fault: Any) -> str:
    place = ".".join(str(part) for part in fault["loc"])
    name = next((ours for theirs, ours in _FIELDS.items() if place == theirs or place.startswith(f"{theirs}.")), place)
    message = fault["msg"].removeprefix("Value error, ")
    return f"{name or 'location'} {message[:1].lower()}{message[1:]}."


def _ids(text: str | None) -> tuple[str, ...] | None:
    """
    The numbers that are numbers; None if none were asked for. An unknown one is simply absent from the answer.
    """
    if text is None:
        return None
    found = []
    for part in text.split(","):
        try:
            found.append(parse_request_id(part))
        except IllFormedId:
            continue
    return tuple(dict.fromkeys(found))


def _codes(text: str | None) -> list[str] | None:
    """
    The codes that are offered; another one finds nothing.
    """
    if text is None:
        return None
    asked = {part.strip() for part in text.split(",")}
    return [code for code in offered() if code in asked]


def _areas(text: str | None) -> list[str] | None:
    """
    The neighbourhoods as they are called; one that is none of ours finds nothing.
    """
    if text is None:
        return None
    return sorted({name for part in text.split(",") if (name := neighbourhood(part))})


class _Reader:
    """
    Reads parameters and gathers what is wrong with them.
    """

    def __init__(self, given: Given) -> None:
        self._given = given
        self.faults: list[str] = []

    def wrong(self, message: str) -> None:
        if message not in self.faults:
            self.faults.append(message)

    def settle(self) -> None:
        if self.faults:
            raise NotTaken(400, *self.faults)

    def number(self, name: str) -> float | None:
        text = value(self._given, name)
        if text is None:
            return None
        try:
            found = float(text) if len(text) <= 40 and "_" not in text else math.nan
        except ValueError:
            found = math.nan
        if not math.isfinite(found):
            self.wrong(f"{name} must be a number such as 41.2867.")
            return None
        return found

    def degrees(self, lat: float | None, lon: float | None) -> None:
        if (value(self._given, "lat") is None) != (value(self._given, "long") is None):
            self.wrong("lat and long belong together: give both or none.")
        if lat is not None and abs(lat) > 90:
            self.wrong("lat must be between -90 and 90.")
        if lon is not None and abs(lon) > 180:
            self.wrong("long must be between -180 and 180.")

    def whole(self, name: str) -> int | None:
        text = value(self._given, name)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            self.wrong(f"{name} must be a whole number.")
            return None
        return int(text)

    def flag(self, name: str) -> bool:
        text = (value(self._given, name) or "false").lower()
        if text not in ("true", "false", "1", "0"):
            self.wrong(f"{name} must be true or false.")
        return text in ("true", "1")

    def listed(self, name: str, known: Iterable[str], *, upper: bool = False) -> frozenset[str]:
        words = [word.strip() for word in (value(self._given, name) or "").split(",") if word.strip()]
        found = frozenset(word.upper() if upper else word.lower() for word in words)
        if found - frozenset(known):
            self.wrong(f"{name} must be one or more of {', '.join(known)}.")
        return found & frozenset(known)

    def moment(self, name: str) -> datetime | None:
        text = value(self._given, name)
        if text is None:
            return None
        try:
            return cleaning.moment(mended(text))
        except ValueError as error:
            self.wrong(f"{name} {error}.")
            return None

    def link(self, name: str, text: str) -> str:
        if len(text) > 2_000 or not re.fullmatch(r"https?://[^\s<>\"]+", text):
            self.wrong(f"{name} must be a link that begins with https:// or http://.")
        return text

    def stretch(self, now: datetime, span: timedelta, *, open_ended: bool) -> Stretch | None:
        """
        ``[start, end]``; only a start: 90 days from it, at most until now; only an end: the 90 days before it.
        """
        before = len(self.faults)
        start, end = self.moment("start_date"), self.moment("end_date")
        if len(self.faults) > before:
            return None
        if start is None and end is None:
            return None if open_ended else Stretch(now - SPAN, now)
        since = start if start is not None else max((end or now) - SPAN, _OLDEST)
        until = end if end is not None else max(since, min(now, since + SPAN))
        if since > until:
            self.wrong("start_date must not be later than end_date.")
        elif until - since > span:
            self.wrong(f"start_date and end_date may span at most {span.days} days.")
        return Stretch(since, until)
