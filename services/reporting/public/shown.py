"""
What everybody may see of a request, and how it is found. Pure.

A request is public if the service it is shown under is (in triage the one that the citizen chose). The citizen's own
words, address and answers are shown only if the citizen was told so (Open311, or the web form with its notice) and the
request is not in triage; telephone numbers, e-mail addresses, TCKN and IBAN are masked in them. Otherwise the service
stands for the text, the neighbourhood for the address, and the block for the point. Never a name, never a contact.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any, Final

from services.common.contracts.catalogue import catalogue
from services.common.contracts.private import masked
from services.common.contracts.public import PublicRequest, PublicStep
from services.common.contracts.vocabulary import TRIAGE_SERVICE, Status
from services.reporting.projections import Document, newest_first

Match = dict[str, Any]
_METRES_A_DEGREE: Final = 111_195.0
_SECOND: Final = timedelta(seconds=1)
STEPS: Final = ("RequestRegistered", "RequestAssigned", "StatusChanged", "RequestReopened")


@dataclass(frozen=True, slots=True)
class Near:
    """
    Within so many metres of a point (WGS84).
    """

    lat: float
    lon: float
    metres: float


@dataclass(frozen=True, slots=True)
class PublicFilter:
    """
    Which public requests are meant; what is empty does not narrow. Times are inclusive, to the second.
    """

    ids: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    neighbourhoods: tuple[str, ...] = ()
    received_from: datetime | None = None
    received_to: datetime | None = None
    changed_from: datetime | None = None
    changed_to: datetime | None = None
    near: Near | None = None
    with_photo: bool = False


@cache
def public_services() -> frozenset[str]:
    """
    The services under which a request may be shown.
    """
    return frozenset(
        code for code, service in catalogue().services.items() if service.public and code != TRIAGE_SERVICE
    )


def is_public(document: Document) -> bool:
    """
    Whether everybody may know of the request.
    """
    return document.get("newest_first") is not None and document.get("shown_as") in public_services()


def public_match(wanted: PublicFilter) -> Match:
    """
    The filter as a MongoDB query that finds public requests alone.
    """
    codes = public_services().intersection(wanted.services) if wanted.services else public_services()
    found: Match = {"newest_first": _stretch(wanted), "shown_as": {"$in": sorted(codes)}}
    if wanted.ids:
        found["_id"] = {"$in": list(wanted.ids)}
    if wanted.statuses:
        found["status"] = {"$in": list(wanted.statuses)}
    if wanted.kinds:
        found["kind"] = {"$in": list(wanted.kinds)}
    if wanted.neighbourhoods:
        found["neighbourhood"] = {"$in": list(wanted.neighbourhoods)}
    if wanted.with_photo:
        found["photos.0"] = {"$exists": True}
    changed: Match = {}
    if wanted.changed_from:
        changed["$gte"] = _second(wanted.changed_from)
    if wanted.changed_to:
        changed["$lt"] = _second(wanted.changed_to) + _SECOND
    if changed:
        found |= {"registered": True, "changed_at": changed}
    if wanted.near:
        found |= _around(wanted.near)
    return found


def steps_pipeline(since: datetime, until: datetime, at_most: int) -> list[dict[str, Any]]:
    """
    The steps of public requests from ``since`` to ``until``, oldest first.
    """
    within = {"$gte": _second(since), "$lt": _second(until) + _SECOND}
    wanted = PublicFilter(received_to=until, changed_from=since)
    return [
        {"$match": public_match(wanted)},
        {"$project": {"shown_as": 1, "step": {"$objectToArray": "$history"}}},
        {"$unwind": "$step"},
        {"$match": {"step.v.at": within, "step.v.type": {"$in": list(STEPS)}}},
        {"$sort": {"step.v.at": 1, "_id": 1, "step.v.seq": 1}},
        {"$limit": at_most},
    ]


def step_of_row(row: Mapping[str, Any]) -> PublicStep:
    """
    A row of ``steps_pipeline``.
    """
    return _step(row["_id"], row["step"]["v"], row["shown_as"])


def shown(document: Document) -> PublicRequest:
    """
    The request as everybody may see it. Only for one that ``is_public``.
    """
    in_triage = document["status"] == Status.TRIAGE
    told = document["told_public"] and not in_triage
    body: Document = document["bodies"].get(document["origin"] or "") or {}
    answers: dict[str, Any] = json.loads(body.get("attributes") or "{}") if told else {}
    address_id = answers.pop(ADDRESS_ID, None)
    answers.pop(MEDIA_URL, None)  # a link of a stranger: for the crew, not for everybody
    department = document["department"]
    return PublicRequest(
        request_id=document["request_id"],
        status=document["status"],
        service_code=document["shown_as"],
        kind=document["kind"],
        channel=document["channel"],
        department=None if in_triage else department,
        text=_masked(body.get("text")) if told else None,
        address=_masked(body.get("address")) if told else None,
        address_id=_masked(address_id) if isinstance(address_id, str) else None,
        neighbourhood=_masked(document["neighbourhood"]),
        lat=document["lat"],
        lon=document["lon"],
        attributes={name: _masked_within(value) for name, value in answers.items()} if told else None,
        public_text=_masked(document["public_text"]),
        received_at=document["received_at"],
        changed_at=document["changed_at"],
        closed_at=document["closed_at"],
        due_at=document["resolve_by"],
        planned_for=document["planned_for"],
        followers=document["followers"],
        photos=tuple(document.get("photos") or ()) if document["closed"] else (),
        steps=tuple(
            _step(document["request_id"], entry, document["shown_as"])
            for entry in sorted(document["history"].values(), key=lambda entry: int(entry["seq"]))
            if entry["type"] in STEPS
        ),
    )


ADDRESS_ID: Final = "address_id"
MEDIA_URL: Final = "media_url"
"""The answers under which Open311 keeps an address's id in somebody's register, and a link to a picture."""


def _step(request_id: str, entry: Mapping[str, Any], service_code: str) -> PublicStep:
    return PublicStep(
        request_id=request_id,
        seq=entry["seq"],
        at=entry["at"],
        status=entry["status"],
        service_code=service_code,
        public_text=_masked(entry.get("public_text")),
    )


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _stretch(wanted: PublicFilter) -> Match:
    """
    A range of ``newest_first``: later moments come first in it.
    """
    found: Match = {"$gt": newest_first(wanted.received_to) if wanted.received_to else ""}
    if wanted.received_from:
        found["$lt"] = newest_first(wanted.received_from - _SECOND)
    return found


def _around(near: Near) -> Match:
    """
    A box that the indexes can use nothing of, then the circle in it: on a plane, which errs by less than a thousandth
    within the distances of a city.
    """
    tall = near.metres / _METRES_A_DEGREE
    shrink = max(math.cos(math.radians(near.lat)), 0.01)
    wide = tall / shrink
    north = {"$subtract": ["$lat", near.lat]}
    east = {"$multiply": [{"$subtract": ["$lon", near.lon]}, shrink]}
    squares = {"$add": [{"$multiply": [north, north]}, {"$multiply": [east, east]}]}
    return {
        "lat": {"$gte": near.lat - tall, "$lte": near.lat + tall},
        "lon": {"$gte": near.lon - wide, "$lte": near.lon + wide},
        "$expr": {"$lte": [squares, tall * tall]},
    }


def _masked_within(value: Any) -> Any:
    match value:
        case str():
            return _masked(value)
        case list():
            return [_masked_within(item) for item in value]
        case dict():
            return {name: _masked_within(item) for name, item in value.items()}
    return value


@lru_cache(maxsize=4_096)
def _masked(text: str | None) -> str | None:
    return masked(text) if text else None
