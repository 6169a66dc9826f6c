"""
The desk's pages. Every page works without scripts: forms are posted and lead on to a page; ``desk.js`` posts the same
forms and asks the same routes for JSON.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi import Path as InPath
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.datastructures import UploadFile

from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import IllFormedId, grouped, parse_any_id
from services.common.contracts.neighbourhoods import NEIGHBOURHOODS
from services.common.contracts.roles import DESK, Role
from services.common.contracts.vocabulary import CLOSED, Action, Channel
from services.common.kit.auth import Caller
from services.common.kit.guard import page_person
from services.common.kit.http import PROBLEM_JSON, FieldError, Problem, ProblemDocument, StrictRoute
from services.common.kit.people import Person
from services.common.ui import Pages
from services.common.ui.words import REFUSALS, Words
from services.intake import cleaning
from services.intake.application import Intake
from services.intake.attachments.service import Attachments, Later
from services.intake.desk import domain, receipt, speech, suggest, timeline
from services.intake.desk.domain import Form, FormError
from services.intake.desk.others import Others, Turned, timed
from services.intake.desk.scripts import answers
from services.intake.desk.suggest import Suggestions
from services.intake.domain import Conflict, Refused
from services.intake.guard import Away
from services.intake.keeper import NowhereToKeep
from services.intake.read_model import CaseState
from services.intake.schemas import TEXT_LIMIT, NewReply, NewUpdate, UpdateResult

TEMPLATES: Final = Path(__file__).parent / "templates"
STATIC: Final = Path(__file__).parent / "static"
BODY_LIMITS: Final = {"/console": 12_600_000}
"""Bytes: without scripts a photo comes with the form."""
ROUTED_WITHIN: Final = 2.0
"""Seconds in which routing nearly always has answered: so long a receipt waits for the department's name."""
RESULT_WITHIN: Final = 4.0
_LOOK_AGAIN: Final = 0.05
_REFUSED: Final = {reason.value: words for reason, words in REFUSALS.items()}


@dataclass(frozen=True, slots=True)
class Desk:
    """
    What the pages stand on. ``case``: intake's read model of a request; None if it has none, or cannot be read now.
    ``public_url``: without a slash at the end.
    """

    intake: Intake
    files: Attachments
    suggestions: Suggestions
    others: Others
    case: Callable[[str], Awaitable[CaseState | None]]
    public_url: str


Operator = Annotated[Person, Depends(page_person(Role.OPERATOR))]
CallbackId = Annotated[str, InPath(pattern=r"^b_[0-9a-f]{32}$")]
router = APIRouter(prefix="/console", tags=["desk"], include_in_schema=False)
asked = APIRouter(prefix="/console", tags=["desk"], include_in_schema=False, route_class=StrictRoute)


class TextTyped(BaseModel):
    """
    What the operator has typed so far.
    """

    model_config = ConfigDict(extra="forbid")
    text: str
    channel: Channel | None = None


class PlaceMeant(BaseModel):
    """
    What a request is about (a service's code or name) and where, to find others like it.
    """

    model_config = ConfigDict(extra="forbid")
    service: str = ""
    neighbourhood: str = ""
    street: str = ""


async def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.parts.desk
    return desk


async def _pages(request: Request) -> Pages:
    pages: Pages = request.app.state.pages
    return pages


async def _number(request_id: str) -> str:
    try:
        return parse_any_id(request_id)
    except IllFormedId:
        raise Problem(404, "There is no such request.") from None


DeskOf = Annotated[Desk, Depends(_desk)]
PagesOf = Annotated[Pages, Depends(_pages)]
NumberOf = Annotated[str, Depends(_number)]


# --- the form ---


@router.get("")
async def console(request: Request, person: Operator, desk: DeskOf, pages: PagesOf) -> Response:
    """
    The desk with an empty form; ``?callback=`` fills in who is being called back.
    """
    form, notice = Form(key=_new_key()), None
    callback_id = domain.callback_asked_for(request.query_params.get("callback", ""))
    if callback_id is not None:
        try:
            item = await desk.others.callback(person, callback_id, f"callback:{callback_id}")
            form = replace(
                form,
                callback_id=callback_id,
                name=item.get("name") or "",
                phone=item.get("phone") or "",
                language=item.get("language") or "tr",
            )
        except (Away, Turned):
            notice = Words("Aranacak kişinin bilgileri alınamadı.", "Who is to be called back cannot be shown now.")
    return _console(request, pages, person, form, notice=notice)


@router.post("")
async def form_posted(request: Request, person: Operator, desk: DeskOf, pages: PagesOf) -> Response:
    """
    Without scripts: suggest (``do=suggest``) for what was typed, or register it.
    """
    given = await request.form()
    form = Form.read({**given, "photos": given.getlist("photos")})
    if given.get("do") == "suggest":
        return await _suggested(request, pages, person, desk, form)
    wants_json = "application/json" in request.headers.get("accept", "")
    try:
        form = await _with_uploads(desk, person, form, given.getlist("upload"))
        taken = await _register(desk, person, form)
    except FormError as error:
        return _refused(request, pages, person, form, error.errors, 422, wants_json)
    except Conflict:
        notice = Words(
            "Bu form zaten başka bir metinle kaydedildi: yeni bir form açın.",
            "This form was registered already, with another text: open a new one.",
        )
        return _refused(request, pages, person, form, {}, 409, wants_json, notice)
    except NowhereToKeep:
        notice = Words(
            "Şu an güvenle kaydedilemiyor. Yazdıklarınız duruyor: birkaç saniye sonra yeniden gönderin.",
            "It cannot be kept safely now. What you typed is still here: send it again in some seconds.",
        )
        return _refused(request, pages, person, form, {}, 503, wants_json, notice)
    closed = await _close_callback(desk, person, form, taken)
    where = f"/console/receipt/{taken}" + (
        f"?{urlencode({'record_no': form.record_no})}" if form.record_no and form.channel in domain.ON_PAPER else ""
    )
    if not wants_json:
        return pages.redirect(where, _callback_words(request, pages, closed))
    language = pages.language(request)
    return JSONResponse(
        {
            "request_id": taken,
            "number": grouped(taken),
            "spelled": list(speech.spelled(taken, language)),
            "receipt": where,
            "page": f"/console/requests/{taken}",
            "key": _new_key(),
            "callback_closed": closed,
        },
        status_code=202,
    )


async def _with_uploads(desk: Desk, person: Person, form: Form, uploads: Sequence[object]) -> Form:
    """
    The form with the photos that came with it, kept.
    """
    photos = form.photos
    for upload in uploads:
        raw = await upload.read() if isinstance(upload, UploadFile) else b""
        if not raw:
            continue
        try:
            photos = (*photos, (await desk.files.take(raw, person.caller)).attachment.id)
        except (Refused, Later, Away):
            raise FormError({"photos": domain.MESSAGES["photos"]}) from None
    return replace(form, photos=photos)


async def _register(desk: Desk, person: Person, form: Form) -> str:
    body = domain.to_request(form)
    try:
        taken = await desk.intake.take_request(body, person.caller, form.key or None)
    except Refused as error:
        name = domain.field_of(error.field)
        raise FormError({name: domain.MESSAGES[name]}) from None
    return taken.request_id


async def _close_callback(desk: Desk, person: Person, form: Form, request_id: str) -> bool | None:
    """
    Whether the call-back that led to the request is settled now; None if none did.
    """
    if form.callback is None:
        return None
    try:
        await desk.others.settle(person, form.callback, "done", grouped(request_id))
    except (Away, Turned):
        return False
    return True


def _callback_words(request: Request, pages: Pages, closed: bool | None) -> str:
    if closed is None:
        return ""
    if closed:
        return pages.say(request, "Geri arama tamamlandı olarak işaretlendi.", "The call-back is marked as done.")
    return pages.say(
        request,
        "Geri arama işaretlenemedi: listeden kapatın.",
        "The call-back could not be marked: close it on the list.",
    )


async def _suggested(request: Request, pages: Pages, person: Person, desk: Desk, form: Form) -> Response:
    language = pages.language(request)
    text = form.text.strip()[:TEXT_LIMIT]
    try:
        found = await desk.suggestions.classify(text, None) if text else None
    except Away:
        notice = Words(
            "Öneri şu an alınamıyor; kaydedebilirsiniz.", "No suggestion now; you can register all the same."
        )
        return _console(request, pages, person, form, notice=notice)
    if found is None:
        return _console(request, pages, person, form, errors={"text": domain.MESSAGES["text"]}, status=422)
    form = form.with_suggestion(found.neighbourhood, found.street)
    try:
        alike = await desk.others.similar(person, found.service, form.neighbourhood, found.street or "")
    except (Away, Turned):
        alike = []
    return _console(
        request,
        pages,
        person,
        form,
        suggestion=suggest.view(found, language),
        similar=[_alike(row, language) for row in alike],
    )


def _refused(
    request: Request,
    pages: Pages,
    person: Person,
    form: Form,
    errors: Mapping[str, Words],
    status: int,
    as_json: bool,
    notice: Words | None = None,
) -> Response:
    notice = notice or Words("Bazı alanlar düzeltilmeli.", "Some fields are not as they should be.")
    if not as_json:
        return _console(request, pages, person, form, errors=errors, notice=notice, status=status)
    document = ProblemDocument(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=pages.say(request, *notice),
        errors=[FieldError(field=name, message=pages.say(request, *words)) for name, words in errors.items()],
    )
    return JSONResponse(document.model_dump(), status_code=status, media_type=PROBLEM_JSON)


def _console(
    request: Request,
    pages: Pages,
    person: Person,
    form: Form,
    *,
    errors: Mapping[str, Words] | None = None,
    notice: Words | None = None,
    suggestion: dict[str, Any] | None = None,
    similar: list[dict[str, Any]] | None = None,
    status: int = 200,
) -> Response:
    language = pages.language(request)
    return pages.render(
        request,
        "console.html",
        person,
        status=status,
        form=form,
        said=lambda name: pages.say(request, *errors[name]) if errors and name in errors else "",
        wrong=[(name, pages.say(request, *words)) for name, words in (errors or {}).items()],
        notice=notice,
        suggestion=suggestion,
        similar=similar or [],
        channels=[channel.value for channel in domain.CHANNELS],
        bases=[(basis, pages.say(request, *words)) for basis, words in domain.LEGAL_BASES.items()],
        on_paper=[channel.value for channel in domain.ON_PAPER],
        neighbourhoods=NEIGHBOURHOODS,
        services=[
            (code, getattr(service, language), getattr(receipt.department_words(service.department), language))
            for code, service in catalogue().services.items()
            if service.crisis is None
        ],
        ready=answers(),
    )


# --- while typing ---


@asked.post("/suggest")
async def suggested(typed: TextTyped, request: Request, person: Operator, desk: DeskOf, pages: PagesOf) -> Response:
    """
    What the text may mean, as JSON; 204 if it says nothing, 503 while routing does not answer.
    """
    text = typed.text.strip()[:TEXT_LIMIT]
    if not text:
        return Response(status_code=204)
    try:
        found = await desk.suggestions.classify(text, typed.channel)
    except Away:
        raise Problem(
            503, "Routing does not answer: go on without suggestions.", headers={"Retry-After": "2"}
        ) from None
    return JSONResponse(suggest.view(found, pages.language(request)))


@asked.post("/similar")
async def similar(meant: PlaceMeant, request: Request, person: Operator, desk: DeskOf, pages: PagesOf) -> Response:
    """
    Requests that may be about the same thing, as JSON; none while reporting does not answer.
    """
    try:
        service = domain.service_code(meant.service)
    except ValueError:
        service = None
    if service is None:
        return JSONResponse({"items": []})
    try:
        found = await desk.others.similar(person, service, meant.neighbourhood[:100], meant.street[:300])
    except (Away, Turned):
        found = []
    return JSONResponse({"items": [_alike(row, pages.language(request)) for row in found]})


def _alike(row: Mapping[str, Any], language: str) -> dict[str, Any]:
    code = row.get("service_code")
    return {
        "request_id": row["request_id"],
        "number": row["number"],
        "status": row["status_label"][language],
        "service": getattr(receipt.service_words(code), language) if code else "",
        "neighbourhood": row.get("neighbourhood") or "",
        "street": row.get("address") or "",
        "received_at": row["received_at"],
        "text": (row.get("text") or "")[:160],
    }


# --- after it ---


@router.get("/receipt/{request_id}")
async def printed(
    request: Request, number: NumberOf, person: Operator, desk: DeskOf, pages: PagesOf, record_no: str = ""
) -> Response:
    """
    The receipt, ready for printing on A6. A number that intake does not know yet still gets one.
    """
    standing, _ = await _standing(desk, person, number)
    try:
        record = cleaning.one_line(record_no, 100)
    except ValueError:
        record = None
    url = f"{desk.public_url}/t/{number}"
    return pages.render(
        request,
        "receipt.html",
        person,
        standing=standing,
        number=receipt.number_of(standing),
        spelled={language: speech.spelled(number, language) for language in ("tr", "en")},
        url=url,
        qr=receipt.qr_svg(url),
        next=receipt.next_step(standing),
        department=receipt.department_words(standing.department) if standing.department else None,
        service=receipt.service_words(standing.service_code) if standing.service_code else None,
        danger=receipt.DANGER if standing.emergency else None,
        legal=receipt.LEGAL_NOTES.get(standing.legal_basis or ""),
        record_no=record,
    )


@router.get("/requests/{request_id}/standing")
async def standing(request: Request, number: NumberOf, person: Operator, desk: DeskOf, pages: PagesOf) -> JSONResponse:
    """
    Who has it and what happens next, as JSON; waits up to two seconds for routing's answer.
    """
    known, _ = await _standing(desk, person, number)
    language = pages.language(request)
    step = receipt.next_step(known)
    return JSONResponse(
        {
            "status": known.status,
            "department": getattr(receipt.department_words(known.department), language) if known.department else None,
            "service": getattr(receipt.service_words(known.service_code), language) if known.service_code else None,
            "emergency": known.emergency,
            "next": getattr(step, language),
            "resolve_by": known.resolve_by.isoformat() if known.resolve_by else None,
        }
    )


async def _standing(desk: Desk, person: Person, number: str) -> tuple[receipt.Standing, dict[str, Any] | None]:
    """
    What is known of a request, and reporting's document if it has one; waits a little for a department's name.
    """
    until = monotonic() + ROUTED_WITHIN
    while True:
        case = await desk.case(number)
        if (case is not None and case.department is not None) or monotonic() > until:
            break
        await asyncio.sleep(_LOOK_AGAIN)
    detail: dict[str, Any] | None = None
    while detail is None:
        try:
            detail = await desk.others.request(person, number)
        except Away:
            break
        except Turned as error:
            if error.status != 404 or monotonic() > until:
                break
            await asyncio.sleep(_LOOK_AGAIN)
    return receipt.standing_of(number, case, detail), detail


# --- what became of it ---


@router.get("/find")
async def find(request: Request, person: Operator, pages: PagesOf, q: str = "") -> Response:
    """
    To the request whose number was typed.
    """
    number = domain.number_asked_for(q[:60])
    if number is None:
        words = Words(
            "Bu bir başvuru numarası değil: 13 harf ve rakam olmalı.",
            "This is no request number: it has 13 characters.",
        )
        return pages.redirect("/console", pages.say(request, *words), "warn")
    return pages.redirect(f"/console/requests/{number}")


@router.get("/requests/{request_id}")
async def one_request(request: Request, number: NumberOf, person: Operator, desk: DeskOf, pages: PagesOf) -> Response:
    """
    How a request stands, in words for the citizen who asks, and what the desk can do about it.
    """
    try:
        detail: dict[str, Any] | None = await desk.others.request(person, number)
    except Away:
        detail = None
    except Turned:
        if await desk.case(number) is None:
            raise Problem(404, "There is no such request.") from None
        detail = None
    case = await desk.case(number)
    if detail is None and case is None:
        raise Problem(503, "Reporting does not answer: please try again.", headers={"Retry-After": "5"})
    known = receipt.standing_of(number, case, detail)
    return pages.render(
        request,
        "request.html",
        person,
        number=grouped(number),
        request_id=number,
        standing=known,
        closed=known.status in CLOSED,
        detail=detail,
        steps=timeline.steps(detail) if detail else [],
        told=timeline.told(detail) if detail else [],
        next=receipt.next_step(known),
        department=receipt.department_words(known.department) if known.department else None,
        service=receipt.service_words(known.service_code) if known.service_code else None,
        channels=[channel.value for channel in domain.CHANNELS],
        key=_new_key(),
    )


@router.post("/requests/{request_id}/reply")
async def reply(request: Request, number: NumberOf, person: Operator, desk: DeskOf, pages: PagesOf) -> Response:
    """
    Keep what the citizen answers or adds on the telephone.
    """
    given = await request.form()
    where = f"/console/requests/{number}"
    try:
        body = NewReply.model_validate({"text": given.get("text"), "channel": given.get("channel")})
        await desk.intake.take_reply(body, number, person.caller, _text(given, "key") or None)
    except ValidationError:
        return pages.redirect(where, pages.say(request, *domain.MESSAGES["text"]), "warn")
    except Conflict:
        return pages.redirect(
            where, pages.say(request, "Bu form zaten gönderildi.", "This form was sent already."), "warn"
        )
    return pages.redirect(where, pages.say(request, "Yanıt birime iletildi.", "The reply is with the department."))


@router.post("/requests/{request_id}/{action}")
async def act(
    request: Request,
    number: NumberOf,
    action: Literal["cancel", "reopen", "note"],
    person: Operator,
    desk: DeskOf,
    pages: PagesOf,
) -> Response:
    """
    What the desk may do to whoever's request: close it because the citizen withdrew it, open it again, write a note.
    """
    given = await request.form()
    where = f"/console/requests/{number}"
    try:
        body = NewUpdate.model_validate(
            {"action": Action(action), "department": DESK, "note_internal": given.get("text")}
        )
        taken = await desk.intake.take_update(body, number, person.caller, _text(given, "key") or None)
    except ValidationError:
        words = Words("Nedenini yazın (en çok 4.000 harf).", "Say why (at most 4,000 characters).")
        return pages.redirect(where, pages.say(request, *words), "warn")
    except Conflict:
        words = Words("Başvurunun şimdiki durumunda bu yapılamaz.", "This is not possible in its present state.")
        return pages.redirect(where, pages.say(request, *words), "warn")
    result = await _result(desk, number, taken.update_id, person.caller)
    if result is None or result.result == "pending":
        words = Words("Alındı; sonucu birazdan görünür.", "Taken; the result will be seen shortly.")
        return pages.redirect(where, pages.say(request, *words), "info")
    if result.result == "refused":
        words = _REFUSED.get(result.reason or "", Words("Kabul edilmedi.", "It was refused."))
        return pages.redirect(where, pages.say(request, *words), "bad")
    return pages.redirect(where, pages.say(request, "Yapıldı.", "Done."))


async def _result(desk: Desk, number: str, update_id: str, caller: Caller) -> UpdateResult | None:
    until = monotonic() + RESULT_WITHIN
    while True:
        try:
            found = await desk.intake.update_result(number, update_id, caller)
        except Away:
            return None
        if (found is not None and found.result != "pending") or monotonic() > until:
            return found
        await asyncio.sleep(2 * _LOOK_AGAIN)


# --- call-backs ---


@router.get("/callbacks")
async def callbacks(
    request: Request,
    person: Operator,
    desk: DeskOf,
    pages: PagesOf,
    state: Literal["open", "done", "failed"] = "open",
) -> Response:
    """
    Who waits to be called back: the oldest first, without numbers.
    """
    found: dict[str, Any] | None
    try:
        found = timed(await desk.others.callbacks(person, state))
    except (Away, Turned):
        found = None
    return pages.render(request, "callbacks.html", person, status=200 if found else 503, state=state, found=found)


@router.get("/callbacks/{callback_id}")
async def callback(
    request: Request, callback_id: CallbackId, person: Operator, desk: DeskOf, pages: PagesOf
) -> Response:
    """
    One of them with name and number: notify notes that this person looked.
    """
    try:
        item = await desk.others.callback(person, callback_id, f"callback:{callback_id}")
    except Away:
        raise Problem(503, "Notify does not answer: please try again.", headers={"Retry-After": "5"}) from None
    except Turned as error:
        raise Problem(404 if error.status == 404 else 403, "There is no such call-back.") from None
    return pages.render(request, "callback.html", person, item=timed(item))


@router.post("/callbacks/{callback_id}/{result}")
async def settle(
    request: Request,
    callback_id: CallbackId,
    result: Literal["done", "failed"],
    person: Operator,
    desk: DeskOf,
    pages: PagesOf,
) -> Response:
    """
    It is done, or nobody answered (the third time ends it).
    """
    given = await request.form()
    try:
        await desk.others.settle(person, callback_id, result, _text(given, "note") or None)
    except Away:
        words = Words("Kaydedilemedi: yeniden deneyin.", "It could not be kept: please try again.")
        return pages.redirect(f"/console/callbacks/{callback_id}", pages.say(request, *words), "bad")
    except Turned:
        words = Words("Bu arama bu arada kapatılmış.", "This call-back was settled meanwhile.")
        return pages.redirect("/console/callbacks", pages.say(request, *words), "warn")
    words = Words("Kaydedildi.", "Kept.") if result == "done" else Words("Yanıtsız arama yazıldı.", "The try is noted.")
    return pages.redirect("/console/callbacks", pages.say(request, *words))


def _text(given: Mapping[str, object], name: str) -> str:
    value = given.get(name)
    return value.strip()[:TEXT_LIMIT] if isinstance(value, str) else ""


def _new_key() -> str:
    return f"desk-{secrets.token_hex(12)}"
