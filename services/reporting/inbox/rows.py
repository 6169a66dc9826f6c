"""
What lists, maps and the triage queue show of a request. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.common.contracts.catalogue import catalogue
from services.common.contracts.crises import crises
from services.common.contracts.roles import DESK
from services.common.contracts.vocabulary import TRIAGE_SERVICE, Action
from services.common.ui.words import Words
from services.reporting.inbox.telling import Names, department_words, service_words
from services.reporting.projections import Document, body_of

EXCERPT: Final = 160


@dataclass(frozen=True, slots=True)
class Row:
    """
    One request or part of one in a list. ``seq`` is its last step: forms say that it was seen.
    """

    id: str
    seq: int
    service: Words
    text: str
    place: str
    address: str
    status: str
    priority: str | None
    emergency: bool
    channel: str | None
    received_at: datetime | None
    due_at: datetime | None
    due_clock: str | None
    closed_at: datetime | None
    planned_for: datetime | None
    paused: bool
    assignee: str
    part: int | None
    parts: int
    followers: int
    reopened: int
    bounced: int
    legal: str | None
    team: Words | None
    photos: int
    lat: float | None
    lon: float | None


def row(document: Document, names: Names) -> Row:
    """
    A document as a row; ``names`` are those of the staff.
    """
    body = body_of(document)
    legal, assignee = document["legal"], document["assignee"]
    return Row(
        id=document["request_id"],
        seq=document["last_seq"],
        service=service_words(document["service_code"]),
        text=excerpt(body.get("text") or ""),
        place=document["neighbourhood"] or "",
        address=body.get("address") or "",
        status=document["status"],
        priority=document["priority"],
        emergency=document["emergency"],
        channel=document["channel"],
        received_at=document["received_at"],
        due_at=document["next_due"],
        due_clock=document["next_clock"],
        closed_at=document["closed_at"],
        planned_for=document["planned_for"],
        paused=document["paused"],
        assignee=names.get(assignee or "", ""),
        part=document["part"],
        parts=document["parts"],
        followers=document["followers"],
        reopened=document["reopened"],
        bounced=document["bounced"],
        legal=legal["basis"] if legal else None,
        team=team_words(document["team"]),
        photos=len(document["photos"]),
        lat=body.get("lat"),
        lon=body.get("lon"),
    )


def excerpt(text: str) -> str:
    """
    The beginning of a text on one line, cut at a word.
    """
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT else f"{line[:EXCERPT].rsplit(' ', 1)[0]} …"


def team_words(name: str | None) -> Words | None:
    """
    What a team is called.
    """
    for crisis in crises().crises.values():
        if name in crisis.teams:
            return Words(crisis.teams[name].tr, crisis.teams[name].en)
    return None


def staff_of(documents: Iterable[Mapping[str, Any]]) -> set[str]:
    """
    Every member of staff whose name stands somewhere in these documents.
    """
    found: set[str | None] = set()
    for document in documents:
        found.add(document["assignee"])
        found |= {stop.get("by") for stop in document["trail"]}
        found |= {entry.get("by") for entry in (document.get("history") or {}).values()}
        found |= {entry.get("by") for entry in (document.get("inner") or {}).values()}
    return {by for by in found if by}


@dataclass(frozen=True, slots=True)
class Point:
    """
    A request on the map.
    """

    lat: float
    lon: float
    row: Row


def points(rows: Iterable[Row]) -> list[Point]:
    """
    Those that have a place on the map.
    """
    return [Point(one.lat, one.lon, one) for one in rows if one.lat is not None and one.lon is not None]


def by_neighbourhood(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    """
    The rows of each neighbourhood, the most first; those without one last.
    """
    found: dict[str, list[Row]] = {}
    for one in rows:
        found.setdefault(one.place, []).append(one)
    return sorted(found.items(), key=lambda group: (not group[0], -len(group[1]), group[0]))


@dataclass(frozen=True, slots=True)
class Choice:
    """
    Where a request in triage may go: a service, its department, and how sure the classifier is (None: it did not say).
    """

    service_code: str
    department: str
    service: Words
    holder: Words
    confidence: float | None


def choices(document: Document) -> list[Choice]:
    """
    The services that the classifier takes it for, best first; at most three. "Nobody knows" is none of them, and
    neither is what exists in a crisis alone.
    """
    known = {code for code, service in catalogue().services.items() if code != TRIAGE_SERVICE and not service.crisis}
    return [
        Choice(
            candidate["service_code"],
            candidate["department"],
            service_words(candidate["service_code"]),
            department_words(candidate["department"]),
            candidate["confidence"],
        )
        for candidate in document["candidates"][:3]
        if candidate["service_code"] in known
    ]


def all_choices(language: str) -> list[Choice]:
    """
    Every service that a request may be given, by the name in this language.
    """
    found = [
        Choice(code, service.department, service_words(code), department_words(service.department), None)
        for code, service in catalogue().services.items()
        if service.crisis is None and code != TRIAGE_SERVICE
    ]
    return sorted(found, key=lambda choice: choice.service.tr if language == "tr" else choice.service.en)


def sending(service_code: str, to: str) -> Action:
    """
    How a request in triage gets a service: what is the desk's own to do, the desk accepts; all else it passes on.
    """
    return Action.ACCEPT if to == DESK and service_code else Action.TRANSFER
