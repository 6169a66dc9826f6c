"""
The form of the desk, and what appears beside it while the operator types.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.datastructures import UploadFile

from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import grouped
from services.common.contracts.neighbourhoods import NEIGHBOURHOODS
from services.common.contracts.vocabulary import Channel
from services.common.kit.http import PROBLEM_JSON, FieldError, Problem, ProblemDocument, StrictRoute
from services.common.kit.people import Person
from services.common.ui.pages import Pages, PagesOf
from services.common.ui.words import Words
from services.intake.attachments.service import Later
from services.intake.desk import domain, receipt, speech, suggest
from services.intake.desk.domain import Form, FormError
from services.intake.desk.others import Turned
from services.intake.desk.room import Desk, DeskOf, Operator, new_key, pages_router
from services.intake.desk.scripts import answers
from services.intake.domain import Conflict, Refused
from services.intake.guard import Away
from services.intake.keeper import NowhereToKeep
from services.intake.schemas import TEXT_LIMIT

router = pages_router()
asked = pages_router(StrictRoute)


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


@router.get("")
async def console(request: Request, person: Operator, desk: DeskOf, pages: PagesOf) -> Response:
    """
    The desk with an empty form; ``?callback=`` fills in who is being called back.
    """
    form, notice = Form(key=new_key()), None
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
            "key": new_key(),
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
