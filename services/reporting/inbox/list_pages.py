"""
``/department/<slug>``: the list, the map, many at once, saved searches and ready answers, and the live stream.
"""

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import IllFormedId, parse_any_id
from services.common.contracts.neighbourhoods import NEIGHBOURHOODS
from services.common.contracts.vocabulary import ANSWERS, Action, Outcome
from services.common.kit.http import Problem
from services.common.ui.words import Words
from services.reporting.inbox import live
from services.reporting.inbox.acting import IN_BULK, OUTCOMES, Wrong, offered
from services.reporting.inbox.filters import SORTS, TABS, Asked, Show, asked
from services.reporting.inbox.room import Acting, Place, Reading, Room, RoomOf
from services.reporting.inbox.rows import by_neighbourhood, points, row
from services.reporting.inbox.saved import NotKept
from services.reporting.inbox.sending import KEY_FIELD, Sent, form_of, key_of, said, send
from services.reporting.inbox.telling import department_words, service_words
from services.reporting.projections import Document
from services.reporting.work import Work, place_in

PAGE: Final = 50
ON_THE_MAP: Final = 500
AT_ONCE: Final = 5

router = APIRouter(include_in_schema=False)


def _query(request: Request) -> dict[str, list[str]]:
    return {name: request.query_params.getlist(name) for name in request.query_params}


@router.get("/department/{slug}")
async def department(request: Request, place: Reading, room: RoomOf) -> Response:
    """
    What a department has to do; view, filters and order stand in the URL.
    """
    wanted, wrong = asked(_query(request))
    now, language = room.clock(), room.pages.language(request)
    work = Work(place.slug, wanted.view, wanted.filters, place.person.id)
    limit = ON_THE_MAP if wanted.show is Show.MAP else PAGE
    found, counts, searches = await asyncio.gather(
        room.repository.inbox(work, now, sort=wanted.order, limit=limit + 1, since=wanted.since),
        room.repository.inbox_counts(work, now),
        room.saved.searches(place.person.id, place.slug),
    )
    more = len(found) > limit
    found = found[:limit]
    names = await room.names(found)
    rows = [row(document, names) for document in found]
    since = place_in(found[-1], wanted.order) if more else None
    listed = replace(wanted, show=Show.LIST)
    view: dict[str, Any] = {
        "place": place,
        "title": department_words(place.slug),
        "asked": wanted,
        "wrong": wrong,
        "rows": rows,
        "new": {document["request_id"] for document in found if Action.ACCEPT in offered(document, {place.slug}, now)},
        "tabs": [
            (wanted.url(place.path, view=tab, sort=None), words, counts.get(tab), tab is wanted.view)
            for tab, words in TABS.items()
        ],
        "first": listed.url(place.path, show=wanted.show) if wanted.since else "",
        "next": wanted.url(place.path, since=since) if since else "",
        "as_list": listed.url(place.path),
        "as_map": wanted.url(place.path, show=Show.MAP),
        "clear": Asked(view=wanted.view).url(place.path),
        "searches": searches,
        "sorts": texts(SORTS.items(), language),
        "services": _services(place, wanted, language),
        "neighbourhoods": [(name, name) for name in NEIGHBOURHOODS],
        "bulk": IN_BULK,
        "total": counts.get(wanted.view),
        "key": secrets.token_hex(16),
    }
    if wanted.show is Show.MAP:
        view |= {"points": points(rows), "groups": by_neighbourhood(rows), "tiles": room.tile_url or ""}
        view["attribution"] = room.tile_attribution
        return room.pages.render(request, "inbox/map.html", place.person, headers=map_policy(room), **view)
    return room.pages.render(request, "inbox/list.html", place.person, **view)


def map_policy(room: Room) -> dict[str, str]:
    """
    The content security policy of a page with a map: pictures may come from the tiles' server too, if there is one.
    """
    if not room.tile_url:
        return {}
    origin = "/".join(room.tile_url.split("/", 3)[:3])
    return {"content-security-policy": room.pages.csp.replace("img-src 'self'", f"img-src 'self' {origin}")}


def texts(pairs: Iterable[tuple[str, Words]], language: str) -> list[tuple[str, str]]:
    """
    The choices of a ``select``, in one language.
    """
    return [(str(value), words.tr if language == "tr" else words.en) for value, words in pairs]


def others(slug: str | None, language: str) -> list[tuple[str, str]]:
    """
    Every other department, as choices.
    """
    return texts(((other, department_words(other)) for other in catalogue().departments if other != slug), language)


def _services(place: Place, wanted: Asked, language: str) -> list[tuple[str, str]]:
    """
    The services to filter by: the department's own, and whatever is asked for.
    """
    own = [code for code, service in catalogue().services.items() if service.department == place.slug]
    codes = dict.fromkeys((*own, *wanted.filters.service))
    return sorted(texts(((code, service_words(code)) for code in codes), language), key=lambda pair: pair[1])


@router.get("/department/{slug}/events")
async def events(request: Request, place: Reading, room: RoomOf) -> Response:
    """
    The live stream of a department: server-sent events ``changed`` (a list of numbers) and ``missed``.
    """
    return stream(request, place, room)


def stream(request: Request, place: Place, room: Room) -> Response:
    """
    A department's stream for one page; it goes on after ``?last=`` or ``Last-Event-ID``.
    """
    last = request.query_params.get("last") or request.headers.get("Last-Event-ID")
    pieces = live.events(room.hub, place.slug, live.resumed_at(last), place.person.expires_at, room.clock)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(pieces, media_type="text/event-stream", headers=headers)


# --- many at once ---


@router.post("/department/{slug}/bulk")
async def bulk(request: Request, place: Acting, room: RoomOf) -> Response:
    """
    One action on many requests, with the same words: first (if it needs any) the form, then a result for each.
    """
    form, _ = await form_of(request)
    action = next((one for one in IN_BULK if one in form.get("action", ())), None)
    if action is None:
        raise Problem(422, f"action must be one of {', '.join(IN_BULK)}")
    chosen = [one for text in dict.fromkeys(form.get("id", ())) if (one := _chosen(text))][:PAGE]
    found = {document["request_id"]: document for document in await _own(room, place, [one for one, _ in chosen])}
    chosen = [(number, seq) for number, seq in chosen if number in found]
    names = await room.names(found.values())
    view: dict[str, Any] = {
        "place": place,
        "title": department_words(place.slug),
        "action": action,
        "rows": [row(found[number], names) for number, _ in chosen],
        "chosen": chosen,
        "outcomes": OUTCOMES,
        "departments": others(place.slug, room.pages.language(request)),
        "back": next(iter(form.get("back", ())), ""),
        "values": {name: next(iter(texts), "") for name, texts in form.items()},
        "key": secrets.token_hex(16),
        "wrong": (),
        "results": {},
        "soonest": room.clock(),
    }
    if not view["back"].startswith("?"):
        view["back"] = ""
    if not chosen or (action is not Action.ACCEPT and "sent" not in form):
        return room.pages.render(request, "inbox/bulk.html", place.person, **view)
    key, gate = key_of(form), asyncio.Semaphore(AT_ONCE)

    async def to_one(number: str, seq: str) -> tuple[str, Sent]:
        async with gate:
            own = {**form, "expected_seq": [seq], KEY_FIELD: [key]}
            return number, await send(room, place.person, number, action, own, (), place.slug)

    sent = dict(await asyncio.gather(*(to_one(number, seq) for number, seq in chosen)))
    wrong = _of_the_form(sent.values())
    if wrong:
        view |= {"wrong": wrong, "key": key}
        return room.pages.render(request, "inbox/bulk.html", place.person, status=422, **view)
    view["results"] = {number: (_mark(one), said(one.told)) for number, one in sent.items() if one.told}
    view["again"] = [(number, found[number]["last_seq"]) for number, _ in chosen if not sent[number].done]
    return room.pages.render(request, "inbox/bulk.html", place.person, **view)


def _mark(sent: Sent) -> str:
    """
    How a result is marked: ``done``, ``soon`` (kept, not decided yet), ``not``.
    """
    return "not" if not sent.done else "done" if sent.told and sent.told.result == "applied" else "soon"


def _chosen(text: str) -> tuple[str, str] | None:
    number, _, seq = text.partition(":")
    try:
        return parse_any_id(number), seq
    except IllFormedId:
        return None


async def _own(room: Room, place: Place, numbers: Sequence[str]) -> list[Document]:
    found = await asyncio.gather(*map(room.repository.request, numbers))
    return [document for document in found if document is not None and document["department"] == place.slug]


def _of_the_form(sent: Iterable[Sent]) -> tuple[Wrong, ...]:
    """
    What is wrong with the words that all share: nothing of that was sent anywhere.
    """
    return next((one.wrong for one in sent if one.told is None and one.wrong), ())


# --- what people keep ---


@router.post("/department/{slug}/searches")
async def keep_search(request: Request, place: Reading, room: RoomOf) -> Response:
    """
    Keep the present filters under a name.
    """
    form, _ = await form_of(request)
    wanted, _ = asked(_parsed(next(iter(form.get("query", ())), "")))
    wanted = replace(wanted, since=None)
    try:
        name = next(iter(form.get("name", ())), "")
        query = wanted.url("")
        await room.saved.keep_search(place.person.id, place.slug, name, query, room.clock())
    except NotKept as reason:
        return room.pages.redirect(wanted.url(place.path), room.pages.say(request, reason.tr, reason.en), "warn")
    return room.pages.redirect(
        wanted.url(place.path), room.pages.say(request, "Arama saklandı.", "The search is kept.")
    )


def _parsed(query: str) -> dict[str, list[str]]:
    return parse_qs(query.removeprefix("?"))


@router.post("/department/{slug}/searches/{search_id}/drop")
async def drop_search(request: Request, search_id: str, place: Reading, room: RoomOf) -> Response:
    """
    Forget one of the person's own searches.
    """
    await room.saved.drop_search(place.person.id, search_id)
    return room.pages.redirect(place.path, room.pages.say(request, "Arama silindi.", "The search is gone."))


@router.get("/department/{slug}/answers")
async def own_answers(request: Request, place: Acting, room: RoomOf) -> Response:
    """
    The department's own ready answers.
    """
    return await _answers(request, place, room)


async def _answers(request: Request, place: Place, room: Room, status: int = 200, **view: Any) -> Response:
    shown = {"values": {}, "wrong": None, **view}
    return room.pages.render(
        request,
        "inbox/answers.html",
        place.person,
        status=status,
        place=place,
        title=department_words(place.slug),
        answers=await room.saved.answers(place.slug),
        outcomes=OUTCOMES,
        **shown,
    )


@router.post("/department/{slug}/answers")
async def keep_answer(request: Request, place: Acting, room: RoomOf) -> Response:
    """
    Keep a ready answer for the department.
    """
    form, _ = await form_of(request)
    values = {name: next(iter(form.get(name, ())), "") for name in ("name", "text", "outcome")}
    if values["outcome"] not in {str(outcome) for outcome in ANSWERS}:
        wrong = NotKept("outcome", "Listeden seçin.", "Choose from the list.")
        return await _answers(request, place, room, status=422, values=values, wrong=wrong)
    try:
        await room.saved.keep_answer(
            place.slug, values["name"], values["text"], Outcome(values["outcome"]), place.person.id, room.clock()
        )
    except NotKept as reason:
        return await _answers(request, place, room, status=422, values=values, wrong=reason)
    text = room.pages.say(request, "Yanıt saklandı.", "The answer is kept.")
    return room.pages.redirect(f"{place.path}/answers", text)


@router.post("/department/{slug}/answers/{key}/drop")
async def drop_answer(request: Request, key: str, place: Acting, room: RoomOf) -> Response:
    """
    Forget one of the department's own answers.
    """
    await room.saved.drop_answer(place.slug, key)
    return room.pages.redirect(
        f"{place.path}/answers", room.pages.say(request, "Yanıt silindi.", "The answer is gone.")
    )
