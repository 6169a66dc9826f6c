"""
``/triage``: what nobody could place, with the classifier's best three; one key sends each to its department.
"""

import asyncio
import secrets
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import grouped
from services.common.contracts.roles import DESK
from services.common.contracts.vocabulary import Action
from services.common.kit.http import Problem
from services.common.ui.pages import Tone
from services.common.ui.words import Words
from services.reporting.inbox import telling
from services.reporting.inbox.list_pages import stream
from services.reporting.inbox.room import Operator, Place, Room, RoomOf, own_request
from services.reporting.inbox.rows import all_choices, choices, row, sending
from services.reporting.inbox.sending import Sent, form_of, said, seen_by_now, send
from services.reporting.inbox.telling import department_words, service_words
from services.reporting.projections import Document, body_of
from services.reporting.work import Sort, View, Work

PAGE: Final = 50
PATH: Final = "/triage"

router = APIRouter(include_in_schema=False)


@router.get(PATH)
async def queue(request: Request, person: Operator, room: RoomOf, id: str = "") -> Response:
    """
    The undecided ones, emergencies first. ``id``: which one is open (default: the first).
    """
    work = Work(DESK, View.TRIAGE, person_id=person.id)
    found = await room.repository.inbox(work, room.clock(), sort=Sort.URGENT, limit=PAGE)
    whole = await asyncio.gather(*(room.repository.request(document["request_id"]) for document in found))
    items = await _items(room, [document for document in whole if document is not None])
    chosen = next((item for item in items if item["row"].id == id), items[0] if items else None)
    return room.pages.render(
        request,
        "inbox/triage.html",
        person,
        items=items,
        chosen=chosen["row"].id if chosen else "",
        total=(await room.repository.inbox_counts(work, room.clock())).get(View.TRIAGE, len(items)),
        services=all_choices(room.pages.language(request)),
        desk=DESK,
    )


async def _items(room: Room, documents: list[Document]) -> list[dict[str, Any]]:
    names = await room.names(documents)
    found = []
    for document in documents:
        steps = telling.steps(document, names, frozenset({DESK}))
        found.append(
            {
                "row": row(document, names),
                "text": body_of(document).get("text") or "",
                "choices": choices(document),
                "trail": telling.passed_on(document["trail"], names),
                "reasons": [step for step in steps if step.reason or step.reply],
                "key": secrets.token_hex(16),
            }
        )
    return found


@router.get(f"{PATH}/events")
async def events(request: Request, person: Operator, room: RoomOf) -> Response:
    """
    The live stream of the queue.
    """
    return stream(request, Place(DESK, person, acts=True), room)


@router.get(PATH + "/{request_id}")
async def fate(request: Request, request_id: str, person: Operator, room: RoomOf) -> JSONResponse:
    """
    What became of a request that has just left the queue: who did what with it.
    """
    document = await own_request(room, Place(DESK, person, acts=True), request_id)
    steps = telling.steps(document, await room.names([document]), frozenset({DESK}))
    number, last = grouped(document["request_id"]), steps[-1]
    text = room.pages.say(
        request,
        f"{number}: {last.who.tr} işlem yaptı ({last.words.tr}).",
        f"{number}: {last.who.en} acted ({last.words.en}).",
    )
    return JSONResponse({"text": text}, headers={"Cache-Control": "no-store"})


@router.post(PATH + "/{request_id}")
async def place_it(request: Request, request_id: str, person: Operator, room: RoomOf) -> Response:
    """
    Give a request its service and its department. Scripts get JSON, forms a redirect to the next one.
    """
    form, _ = await form_of(request)
    code = next(iter(form.get("service_code", ())), "")
    service = catalogue().services.get(code)
    if service is None:
        raise Problem(422, "service_code must be a service of the catalogue.")
    to = next(iter(form.get("to", ())), "") or service.department
    document = await own_request(room, Place(DESK, person, acts=True), request_id)
    number = document["request_id"]
    action = sending(code, to)
    sent = await send(room, person, number, action, {**form, "to": [to]}, (), DESK)
    seen = next(iter(form.get("expected_seq", ())), "")
    words, tone = await _words(room, document, action, sent, (code, to), int(seen) if seen.isdecimal() else 0)
    if "application/json" in request.headers.get("accept", ""):
        result = sent.told.result if sent.told else "invalid"
        text = room.pages.say(request, words.tr, words.en)
        return JSONResponse({"result": result, "done": sent.done, "text": text, "tone": tone})
    return room.pages.redirect(PATH, room.pages.say(request, words.tr, words.en), tone)


async def _words(
    room: Room, document: Document, action: Action, sent: Sent, goal: tuple[str, str], seen: int
) -> tuple[Words, Tone]:
    number, (code, to) = grouped(document["request_id"]), goal
    if sent.done:
        holder, service = department_words(to), service_words(code)
        if action is Action.ACCEPT:
            return Words(
                f"{number}: masada kaldı ({service.tr})", f"{number}: stays with the desk ({service.en})"
            ), "ok"
        return Words(
            f"{number} gönderildi: {holder.tr} ({service.tr})", f"{number} sent: {holder.en} ({service.en})"
        ), "ok"
    if sent.told is None:
        wrong = sent.wrong[0].words
        return Words(f"{number}: {wrong.tr}", f"{number}: {wrong.en}"), "warn"
    words = said(sent.told)
    if sent.told.seq:
        await seen_by_now(room, document["request_id"], sent.told.seq)
    now = await room.repository.request(document["request_id"]) or document
    names = await room.names([now])
    news = telling.since(telling.steps(now, names, frozenset({DESK})), seen)
    if not news or sent.told.result not in ("refused", "conflict"):
        return Words(f"{number}: {words.tr}", f"{number}: {words.en}"), "warn"
    last = news[-1]
    return (
        Words(
            f"{number}: sizden önce {last.who.tr} işlem yaptı ({last.words.tr}).",
            f"{number}: {last.who.en} was faster ({last.words.en}).",
        ),
        "warn",
    )
