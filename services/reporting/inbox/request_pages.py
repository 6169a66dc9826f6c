"""
``/department/<slug>/<number>``: one request, everything that happened to it, and everything that can be done with it.
"""

import asyncio
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from services.common.contracts.catalogue import catalogue
from services.common.contracts.vocabulary import Action, RefusalReason
from services.common.kit.http import Problem
from services.common.ui.pages import Tone
from services.common.ui.words import Words
from services.reporting.inbox import telling
from services.reporting.inbox.acting import OUTCOMES, Form, Wrong, offered
from services.reporting.inbox.answers import filled, fitting
from services.reporting.inbox.list_pages import map_policy, others, texts
from services.reporting.inbox.room import NOT_HERE, Acting, Place, Reading, Room, RoomOf, own_request
from services.reporting.inbox.rows import row
from services.reporting.inbox.sending import Sent, form_of, said, seen_by_now, send
from services.reporting.inbox.telling import department_words, service_words
from services.reporting.projections import Document, body_of

SIZES: Final = ("thumb", "public", "original")
_ATTACHMENT: Final = re.compile(r"a_[0-9a-f]{32}")
ALWAYS_KEPT: Final = ("_csrf", "_key", "expected_seq", "photos")

router = APIRouter(include_in_schema=False)


@router.get("/department/{slug}/photos/{attachment_id}")
async def photo(attachment_id: str, place: Reading, room: RoomOf, size: str = "public") -> Response:
    """
    A photo, as intake shows it to this person (or does not).
    """
    if size not in SIZES:
        raise Problem(422, f"size must be one of {', '.join(SIZES)}")
    if not _ATTACHMENT.fullmatch(attachment_id):
        raise Problem(404, NOT_HERE)
    passed = await room.intake.photo(place.person, attachment_id, size)
    return Response(passed.body, passed.status, dict(passed.headers))


@router.get("/department/{slug}/{request_id}")
async def one(
    request: Request, request_id: str, place: Reading, room: RoomOf, after: int = 0, noted: bool = False, form: str = ""
) -> Response:
    """
    One request. ``after``: the step that the reader just made, which is waited for (``noted``: with its note).
    ``form``: which form is open.
    """
    document = await own_request(room, place, request_id)
    if after:
        await seen_by_now(room, document["request_id"], after, noted=noted)
        document = await own_request(room, place, request_id)
    if document["department"] != place.slug:
        return await _gone(request, place, room, document, status=404)
    opened = Action(form) if form in set(Action) else None
    return await _page(request, place, room, document, opened=opened, at_least=after)


@router.post("/department/{slug}/{request_id}/{action}")
async def act(request: Request, request_id: str, action: str, place: Acting, room: RoomOf) -> Response:
    """
    Do something with a request, and say what came of it: done, kept, refused (and who was faster), or what is missing.
    """
    if action not in set(Action):
        raise Problem(404, NOT_HERE)
    document = await own_request(room, place, request_id)
    wanted = Action(action)
    form, files = await form_of(request)
    sent = await send(room, place.person, document["request_id"], wanted, form, files, place.slug)
    if sent.told is not None and sent.done:
        seq = sent.told.seq or 0
        address = f"{place.path}/{document['request_id']}"
        tone: Tone = "ok" if sent.told.result == "applied" else "info"
        if wanted in (Action.REJECT, Action.TRANSFER) and sent.told.result == "applied":
            address = place.path
        elif seq:
            address = f"{address}?after={seq}{'&noted=1' if any(form.get('note_internal', ())) else ''}"
        words = said(sent.told)
        return _on(request, room, address, room.pages.say(request, words.tr, words.en), tone)
    return await _not_done(request, place, room, document, wanted, form, sent)


def _on(request: Request, room: Room, address: str, text: str, tone: Tone) -> Response:
    """
    Where to go now: a redirect, or, for a script (which would eat what is said once), the address as JSON.
    """
    answer = room.pages.redirect(address, text, tone)
    if "application/json" not in request.headers.get("accept", ""):
        return answer
    told = JSONResponse({"go": address, "text": text, "tone": tone}, headers={"Cache-Control": "no-store"})
    for cookie in answer.headers.getlist("set-cookie"):
        told.headers.append("set-cookie", cookie)
    return told


async def _not_done(
    request: Request, place: Place, room: Room, before: Document, action: Action, form: Form, sent: Sent
) -> Response:
    told = sent.told
    if told is not None and told.seq:
        await seen_by_now(room, before["request_id"], told.seq)
    document = await room.repository.request(before["request_id"]) or before
    kept = {**form, "photos": sent.photos}
    if document["department"] != place.slug:
        return await _gone(request, place, room, document, status=409, kept=kept, action=action)
    changed = told is not None and (told.result == "conflict" or told.reason == RefusalReason.CHANGED_MEANWHILE)
    status = {"away": 503, "forbidden": 403, "invalid": 422}.get(told.result, 409) if told else 422
    seen = _int(form.get("expected_seq", ()))
    return await _page(
        request,
        place,
        room,
        document,
        status=status,
        opened=action,
        kept=kept,
        wrong=sent.wrong,
        told=said(told) if told else None,
        detail=told.detail if told and told.result == "refused" and not changed else None,
        seen=seen if changed else None,
        same_key=told is None or told.result in ("away", "invalid"),
    )


def _int(texts: Sequence[str]) -> int | None:
    text = next(iter(texts), "")
    return int(text) if text.isascii() and text.isdecimal() else None


async def _page(
    request: Request,
    place: Place,
    room: Room,
    document: Document,
    *,
    status: int = 200,
    opened: Action | None = None,
    kept: Form | None = None,
    wrong: Sequence[Wrong] = (),
    told: Any = None,
    detail: str | None = None,
    seen: int | None = None,
    same_key: bool = False,
    at_least: int = 0,
) -> Response:
    now, language = room.clock(), room.pages.language(request)
    family = document["parent_id"] or document["request_id"]
    parts, own, names, alike = await asyncio.gather(
        room.repository.parts_of(family),
        room.saved.answers(place.slug),
        room.names([document]),
        _alike(room, place, document),
    )
    steps = telling.steps(document, names, frozenset({place.slug}))
    acts_for = {place.slug} if place.acts else frozenset[str]()
    offers = offered(document, acts_for, now)
    body = body_of(document)
    kept = kept or {}
    key = next(iter(kept.get("_key", ())), "") if same_key else ""
    view: dict[str, Any] = {
        "place": place,
        "document": document,
        "body": body,
        "row": row(document, names),
        "service": service_words(document["service_code"]),
        "title": department_words(place.slug),
        "steps": steps,
        "trail": telling.passed_on(document["trail"], names),
        "brought": [one for one in body.get("attachments", ()) if _ATTACHMENT.fullmatch(one)],
        "alike": [row(other, names) for other in alike],
        "replies": [step for step in steps if step.reply],
        "parts": [
            (part, row(part, names), department_words(part["department"]), part["department"] == place.slug)
            for part in parts
            if part["request_id"] != document["request_id"]
        ],
        "offers": offers,
        "opened": opened if opened in offers or kept else None,
        "values": {name: next(iter(texts), "") for name, texts in kept.items()},
        "lists": kept,
        "photos": [one for one in kept.get("photos", ()) if one],
        "wrong": wrong,
        "told": told,
        "detail": detail,
        "meanwhile": telling.since(steps, seen) if seen is not None else [],
        "seq": max(document["last_seq"], at_least),
        "key": key or secrets.token_hex(16),
        "keys": {action: secrets.token_hex(16) for action in Action},
        "outcomes": OUTCOMES,
        "answers": [(answer, filled(answer, document)) for answer in fitting(document, own)],
        "departments": others(document["department"], language),
        "services": _services(language),
        "attributes": _attributes(body),
        "tiles": room.tile_url or "",
        "attribution": room.tile_attribution,
        "soonest": now,
    }
    return room.pages.render(request, "inbox/request.html", place.person, status, headers=map_policy(room), **view)


async def _alike(room: Room, place: Place, document: Document) -> list[Document]:
    """
    What this department holds that may be about the same matter.
    """
    service, neighbourhood = document["service_code"], document["neighbourhood"]
    if not service or not neighbourhood:
        return []
    street = body_of(document).get("address")
    found = await room.repository.similar(service, neighbourhood, street, room.clock(), departments={place.slug})
    family = document["parent_id"] or document["request_id"]
    return [one for one in found if (one["parent_id"] or one["request_id"]) != family]


async def _gone(
    request: Request,
    place: Place,
    room: Room,
    document: Document,
    *,
    status: int,
    kept: Form | None = None,
    action: Action | None = None,
) -> Response:
    """
    Another department holds it now: which one, and who passed it on; nothing else of it. What was typed is shown.
    """
    names = await room.names([document])
    trail = telling.passed_on(document["trail"], names)
    here = max((number for number, (stop, _, _) in enumerate(trail) if stop["department"] == place.slug), default=-1)
    typed = {name: text for name, texts in (kept or {}).items() if name not in ALWAYS_KEPT for text in texts if text}
    return room.pages.render(
        request,
        "inbox/gone.html",
        place.person,
        status,
        place=place,
        number=document["request_id"],
        holder=department_words(document["department"]),
        moved=trail[here + 1] if 0 <= here < len(trail) - 1 else None,
        typed=typed,
        action=action,
    )


def _services(language: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """
    The catalogue as groups of a ``select``: by department.
    """
    groups: dict[str, list[tuple[str, Words]]] = {}
    for code, service in catalogue().services.items():
        groups.setdefault(service.department, []).append((code, service_words(code)))
    named = [(name, groups.get(slug, [])) for slug, name in others(None, language)]
    return [(name, sorted(texts(found, language), key=lambda pair: pair[1])) for name, found in named if found]


def _attributes(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = json.loads(body.get("attributes") or "{}")
    return [(name, str(value)) for name, value in found.items() if isinstance(value, str | int | float)]
