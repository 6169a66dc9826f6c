"""
What a department has to do, as MongoDB filters and pipelines: the views of its inbox, what looks like another request,
and what changed lately. Pure.

``now`` decides what is due. Every list has its order in one text field, so that the next page begins behind the last
row's (``place_in``) and one index serves what is open, another what is closed.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import IllFormedId, parse_any_id
from services.common.contracts.text import fold
from services.common.contracts.vocabulary import Status
from services.reporting.projections import Document, body_of, closed_place, place_of
from services.reporting.queries import Match, Pipeline, midnight

SOON: Final = timedelta(hours=24)
CLOSED_LATELY: Final = timedelta(days=30)
ALIKE_CLOSED: Final = timedelta(days=14)
ALIKE_OPEN: Final = timedelta(days=365)
ALIKE_LOOKED_AT: Final = 200
OVERLAP: Final = timedelta(seconds=5)
"""How long a write may take to become visible after it was stamped."""


class View(StrEnum):
    """
    A tab of the inbox. ``new``: nobody accepted it yet; ``mine``: open, and the asker took it up last; ``closed``: in
    the last 30 days; ``triage``: nobody knows yet which department is responsible.
    """

    NEW = "new"
    DUE_SOON = "due_soon"
    OVERDUE = "overdue"
    MINE = "mine"
    WAITING = "waiting"
    PLANNED = "planned"
    OPEN = "open"
    CLOSED = "closed"
    ALL = "all"
    TRIAGE = "triage"


class Sort(StrEnum):
    """
    An order. ``due``: the soonest first, then what is closed, the latest first; ``urgent``: emergencies, then by
    priority, then by due time; ``newest`` and ``oldest``: by receipt; ``closed``: the name of ``due`` for what is
    closed.
    """

    DUE = "due"
    URGENT = "urgent"
    NEWEST = "newest"
    OLDEST = "oldest"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class WorkFilter:
    """
    Which work is meant. An empty field does not narrow. Days are those of the receipt, in Istanbul, both in. ``q``:
    words that all occur in number, service, place or the citizen's text, wherever in a word.
    """

    service: tuple[str, ...] = ()
    neighbourhood: tuple[str, ...] = ()
    priority: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    team: tuple[str, ...] = ()
    crisis: tuple[str, ...] = ()
    emergency: bool | None = None
    escalated: bool | None = None
    reopened: bool | None = None
    first_day: date | None = None
    last_day: date | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """
    A department's work in one view. ``person_id``: whose is ``mine``.
    """

    department: str
    view: View = View.OPEN
    filters: WorkFilter = field(default_factory=WorkFilter)
    person_id: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """
    A request was written: how often by now, who holds it, and everybody who ever held it.
    """

    id: str
    rev: int
    department: str | None
    written_at: datetime
    held_by: tuple[str, ...] = ()


_ORDER: Final[dict[Sort, tuple[str, int]]] = {
    Sort.DUE: ("due_place", 1),
    Sort.URGENT: ("urgent_place", 1),
    Sort.NEWEST: ("work", -1),
    Sort.OLDEST: ("work", 1),
    Sort.CLOSED: ("due_place", 1),
}
_FIELDS: Final = {
    "service": "service_code",
    "neighbourhood": "neighbourhood",
    "priority": "priority",
    "channel": "channel",
    "kind": "kind",
    "status": "status",
    "team": "team",
    "crisis": "crisis",
}
_NEW: Final = (Status.TRIAGE, Status.ASSIGNED, Status.REOPENED)
_WAITING: Final = (Status.WAITING_CITIZEN, Status.WAITING_EXTERNAL)
_NOBODY: Final = ""


def order_in(sort: Sort) -> tuple[str, int]:
    """
    The field that puts a list in order, and which way.
    """
    return _ORDER[sort]


def place_in(document: Document, sort: Sort) -> str:
    """
    Where a row of a list stands; the next page begins behind it.
    """
    return document[_ORDER[sort][0]] or ""


def work_match(work: Work, now: datetime, sort: Sort = Sort.DUE, since: str | None = None) -> Match:
    """
    The work as a MongoDB query; behind the place ``since``.
    """
    name, way = _ORDER[sort]
    found: Match = {"department": work.department, **_view(work.view, now, work.person_id)}
    if name == "work" or work.view is View.ALL:
        found |= {"registered": True, "work": {"$gt": ""}}  # as the index has it; every place says as much
    behind = {"$gt" if way > 0 else "$lt": since} if since is not None else {}
    found[name] = {"$gt": "", **found.get(name, {}), **behind}
    if narrowed := _narrowed(work.filters):
        found["$and"] = narrowed
    return found


def counts_pipeline(work: Work, now: datetime) -> Pipeline:
    """
    How much there is in each view but ``all``, which only grows.
    """
    counted = [view for view in View if view is not View.ALL]
    lately: list[Match] = [{"closed": False}, _view(View.CLOSED, now, None)]
    found: Match = {"registered": True, "department": work.department, "$or": lately}
    if narrowed := _narrowed(work.filters):
        found["$and"] = narrowed
    sums = {view.value: {"$sum": {"$cond": [_is_in(view, now, work.person_id), 1, 0]}} for view in counted}
    return [{"$match": found}, {"$group": {"_id": None, **sums}}]


def counts_of(groups: Sequence[Mapping[str, Any]]) -> dict[View, int]:
    """
    The answer of ``counts_pipeline``.
    """
    found = groups[0] if groups else {}
    return {view: found.get(view.value, 0) for view in View if view is not View.ALL}


def _view(view: View, now: datetime, person_id: str | None) -> Match:
    match view:
        case View.ALL:
            return {}
        case View.CLOSED:
            return {"closed": True, "due_place": {"$lt": closed_place(now - CLOSED_LATELY)}}
        case View.NEW:
            return {"closed": False, "status": {"$in": list(_NEW)}}
        case View.DUE_SOON:
            return {"closed": False, "next_due": {"$gte": now, "$lt": now + SOON}}
        case View.OVERDUE:
            return {"closed": False, "next_due": {"$lt": now}}
        case View.MINE:
            return {"closed": False, "assignee": person_id or _NOBODY}
        case View.WAITING:
            return {"closed": False, "status": {"$in": list(_WAITING)}}
        case View.PLANNED:
            return {"closed": False, "status": Status.SCHEDULED}
        case View.TRIAGE:
            return {"closed": False, "status": Status.TRIAGE}
        case View.OPEN:
            return {"closed": False}


def _is_in(view: View, now: datetime, person_id: str | None) -> Match:
    """
    The same, as an expression about one document; what was closed long ago is not among them.
    """
    due: list[Match] = [{"$ne": ["$next_due", None]}]
    tests: list[Match] = {
        View.NEW: [{"$in": ["$status", list(_NEW)]}],
        View.DUE_SOON: [*due, {"$gte": ["$next_due", now]}, {"$lt": ["$next_due", now + SOON]}],
        View.OVERDUE: [*due, {"$lt": ["$next_due", now]}],
        View.MINE: [{"$eq": ["$assignee", person_id or _NOBODY]}],
        View.WAITING: [{"$in": ["$status", list(_WAITING)]}],
        View.PLANNED: [{"$eq": ["$status", Status.SCHEDULED]}],
        View.TRIAGE: [{"$eq": ["$status", Status.TRIAGE]}],
    }.get(view, [])
    return {"$and": [{"$eq": ["$closed", view is View.CLOSED]}, *tests]}


def _narrowed(filters: WorkFilter) -> list[Match]:
    found: list[Match] = []
    for name, known in _FIELDS.items():
        values: tuple[str, ...] = getattr(filters, name)
        if values:
            found.append({known: {"$in": list(values)}})
    for name in ("emergency", "escalated"):
        if (flag := getattr(filters, name)) is not None:
            found.append({name: flag})
    if filters.reopened is not None:
        found.append({"reopened": {"$gt": 0} if filters.reopened else 0})
    if filters.first_day:
        found.append({"work": {"$gte": place_of(midnight(filters.first_day))}})
    if filters.last_day:
        found.append({"work": {"$lt": place_of(midnight(filters.last_day + timedelta(days=1)))}})
    return [*found, *_searched(filters.q or "")]


def _searched(q: str) -> list[Match]:
    try:
        return [{"_id": parse_any_id(q)}]
    except IllFormedId:
        return [{"search": {"$regex": re.escape(word)}} for word in fold(q).split()]


# --- what looks like another request ---


def alike_match(service: str, neighbourhood: str, now: datetime, departments: Collection[str] | None) -> Match:
    """
    What the same department has, or had until two weeks ago, in the same neighbourhood: whole requests that are not
    themselves duplicates.
    """
    known = catalogue().services.get(service)
    same: list[Match] = [{"service_code": service}, *([{"department": known.department}] if known else [])]
    found: Match = {
        "registered": True,
        "neighbourhood": neighbourhood,
        "place": {"$gte": place_of(now - ALIKE_OPEN)},
        "status": {"$ne": Status.DUPLICATE},
        "$and": [{"$or": same}, {"$or": [{"closed": False}, {"closed_at": {"$gte": now - ALIKE_CLOSED}}]}],
    }
    if departments is not None:
        found["department"] = {"$in": sorted(departments)}
    return found


def ranked(found: Iterable[Document], service: str, street: str | None, limit: int) -> list[Document]:
    """
    The most alike first: in the same street, then of the same service, then the latest.
    """
    wanted = fold(street or "").split()

    def rank(document: Document) -> tuple[bool, bool, str]:
        address = fold(body_of(document).get("address") or "")
        there = bool(wanted) and all(word in address for word in wanted)
        return there, document["service_code"] == service, document["place"]

    return sorted(found, key=rank, reverse=True)[:limit]
