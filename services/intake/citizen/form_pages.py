"""
The form at ``/``. It works without scripts: *suggest* brings the subject, its questions and what is like it; *search*
finds subjects by words; *send* registers. ``citizen.js`` asks for the same page while the citizen types and takes the
part that changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import IllFormedId, grouped, parse_request_id
from services.common.contracts.neighbourhoods import NEIGHBOURHOODS
from services.common.contracts.text import fold
from services.common.contracts.tracking import LINK_LASTS, Purpose, token
from services.common.contracts.vocabulary import CLOSED, Channel, Status
from services.common.kit.http import Problem
from services.common.kit.limits import address_of
from services.common.ui.pages import Pages, PagesOf
from services.common.ui.words import Words
from services.intake.attachments.service import Later
from services.intake.citizen import form as forms
from services.intake.citizen.citizens import BUSY, CITIZEN, OWN_PAGE, Citizens, CitizensOf
from services.intake.citizen.form import ANSWER, Form, FormError, TicketState
from services.intake.citizen.notice import CURRENT, notice, versions
from services.intake.citizen.search import LONGEST, search
from services.intake.citizen.tracking import label
from services.intake.desk import suggest
from services.intake.desk.domain import position
from services.intake.desk.receipt import department_words, service_words
from services.intake.desk.suggest import Classified
from services.intake.domain import Conflict, Refused
from services.intake.guard import Away
from services.intake.keeper import NowhereToKeep
from services.intake.open311.coverage import CENTRE, OUTLINE
from services.intake.open311.definitions import offered
from services.intake.open311.reading import PublicView, ReadingAway
from services.intake.schemas import TEXT_LIMIT

BODY_LIMITS: Final = {"/new": 12_600_000}
"""Bytes: photos come with the form."""
_MOST_FIELDS: Final = 300
_ALIKE: Final = 4
_METRES: Final = 200
_OPEN: Final = ",".join(status.value for status in Status if status not in CLOSED)
_LATELY: Final = timedelta(days=60)
AGAIN: Final = Words(
    "Yazdıklarınız duruyor: göz atıp bir kez daha gönderin.",
    "What you typed is still here: have a look and send it once more.",
)
SENT_ALREADY: Final = Words(
    "Bu formla bir başvuru kaydedilmişti. Bu yeni bir başvuruysa bir kez daha gönderin.",
    "A request was registered with this form already. If this is a new one send it once more.",
)
TOO_MANY: Final = Words(
    "Bu bağlantıdan kısa sürede çok form geldi. Yazdıklarınız duruyor: biraz bekleyip yeniden gönderin.",
    "Many forms came from this connection. What you typed is still here: wait a little and send it again.",
)
router = APIRouter(tags=["citizen"], include_in_schema=False)


@router.get("/")
async def blank(request: Request, citizens: CitizensOf, pages: PagesOf) -> Response:
    """
    The empty form; ``?same_as=`` with the number of a public request that this citizen has too, ``?q=`` with words of
    a subject.
    """
    form = Form(q=request.query_params.get("q", "")[:LONGEST])
    other = await _other(citizens, request.query_params.get("same_as", ""))
    if other is not None:
        form = replace(
            form, service=other.service_code, neighbourhood=other.neighbourhood or "", same_as=other.request_id
        )
    return _page(request, citizens, pages, form)


@router.get("/new")
async def reloaded(pages: PagesOf) -> Response:
    """
    Somebody reloads the answer to the form.
    """
    return pages.redirect("/")


@router.get("/notice")
@router.get("/notice/{version}")
async def privacy_notice(request: Request, pages: PagesOf, version: str = CURRENT) -> Response:
    """
    The privacy notice, in the version that was shown with a request.
    """
    try:
        blocks = notice(version, pages.language(request))
    except KeyError:
        raise Problem(404, "There is no such version of the notice.") from None
    return pages.render(request, "notice.html", blocks=blocks, version=version, versions=versions(), current=CURRENT)


@router.post("/new", dependencies=[OWN_PAGE])
async def posted(request: Request, citizens: CitizensOf, pages: PagesOf) -> Response:
    """
    Suggest (``do=suggest``), search (``do=search``), take a subject that was found (``pick``), or register and lead on
    to the request's page. Whatever goes wrong, the form comes back as it was typed.
    """
    try:
        async with request.form(max_files=forms.MOST_PHOTOS, max_fields=_MOST_FIELDS, max_part_size=65_536) as given:
            form, does = Form.read(given.multi_items()), given.get("do")
            asked = does == "suggest" or "pick" in given
            parts = [part for part in given.getlist("upload") if isinstance(part, UploadFile)]
            uploads = [raw for part in parts if (raw := await part.read())]
    except HTTPException:
        raise Problem(400, "This is no form of ours.") from None
    if does == "search":
        return _page(request, citizens, pages, form)
    if asked:
        return await _suggested(request, citizens, pages, form)
    refused = _unwelcome(request, citizens, form)
    if refused is not None:
        notice_of, status, fresh = refused
        return _page(request, citizens, pages, form, notice_of=notice_of, status=status, fresh=fresh)
    try:
        form = await _with_uploads(citizens, form, uploads)
        body = forms.to_request(form, citizens.known, pages.language(request), CURRENT)
        found = None if form.warned else await _classified(citizens, form)
        if found is not None and found.emergency:
            return _page(request, citizens, pages, replace(form, warned="1"), found=found, status=409)
        taken = await citizens.intake.take_request(body, CITIZEN, forms.key_of(form.ticket))
    except FormError as error:
        return _page(request, citizens, pages, form, errors=error.errors, status=422)
    except Refused as error:
        name = forms.field_of(error.field)
        return _page(request, citizens, pages, form, errors={name: forms.MESSAGES[name]}, status=422)
    except Conflict:
        return _page(request, citizens, pages, form, notice_of=SENT_ALREADY, status=409, fresh=True)
    except (NowhereToKeep, Away, Later):
        return _page(request, citizens, pages, form, notice_of=BUSY, status=503)
    key = token(citizens.secret, taken.request_id, Purpose.LINK, citizens.clock() + LINK_LASTS)
    return pages.redirect(f"/t/{taken.request_id}?new=1&k={key}")


def _unwelcome(request: Request, citizens: Citizens, form: Form) -> tuple[Words, int, bool] | None:
    """
    Why a form is not taken from whoever sends it: what to say, the status, and whether it gets a fresh ticket.
    """
    state = forms.ticket_state(citizens.secret, form.ticket, citizens.clock())
    if form.website or state is not TicketState.GOOD:
        return AGAIN, 409, state is TicketState.OVER
    if citizens.forms.take(address_of(request.scope, citizens.trusted_proxies)):
        return TOO_MANY, 429, False
    return None


async def _with_uploads(citizens: Citizens, form: Form, uploads: Sequence[bytes]) -> Form:
    """
    The form with the files that came with it, kept. Raises ``FormError``, ``Away`` or ``Later``.
    """
    if len(uploads) + len(form.photos) > forms.MOST_PHOTOS:
        raise FormError({"upload": forms.MESSAGES["upload"]})
    photos = form.photos
    for raw in uploads:
        try:
            with citizens.files.place(CITIZEN.adapter):
                taken = await citizens.files.take(raw, CITIZEN)
        except Refused:
            raise FormError({"upload": forms.MESSAGES["upload"]}) from None
        photos = (*photos, taken.attachment.id)
    return replace(form, photos=tuple(dict.fromkeys(photos)))


async def _classified(citizens: Citizens, form: Form) -> Classified | None:
    """
    What routing makes of the text; None for a blank one, and while routing does not answer.
    """
    text = form.text.strip()[:TEXT_LIMIT]
    if not text:
        return None
    try:
        return await citizens.suggestions.classify(text, Channel.WEB)
    except Away:
        return None


async def _suggested(request: Request, citizens: Citizens, pages: Pages, form: Form) -> Response:
    found = await _classified(citizens, form)
    if found is not None:
        form = form.with_suggestion(found.neighbourhood, found.street)
    errors = {} if form.text.strip() or form.service or form.q.strip() else {"text": forms.MESSAGES["text"]}
    code = form.service or (found.service if found else "")
    alike = await _alike(citizens, code, form)
    return _page(request, citizens, pages, form, found=found, alike=alike, errors=errors)


async def _alike(citizens: Citizens, code: str, form: Form) -> Sequence[PublicView]:
    """
    Open public requests for the same service nearby, the newest first.
    """
    if code not in offered():
        return ()
    since = citizens.clock() - _LATELY
    query = {
        "service": code,
        "status": _OPEN,
        "page": "1",
        "page_size": str(_ALIKE),
        "received_from": since.isoformat(),
    }
    try:
        point = position(form.position)
    except ValueError:
        point = None
    if point is not None:
        query |= {"lat": str(point[0]), "lon": str(point[1]), "radius": str(_METRES)}
    elif form.neighbourhood.strip():
        query["neighbourhood"] = form.neighbourhood.strip()[:100]
    else:
        return ()
    try:
        return (await citizens.reader.page(query)).items
    except ReadingAway:
        return ()


async def _other(citizens: Citizens, text: str) -> PublicView | None:
    try:
        return await citizens.reader.one(parse_request_id(text)) if text else None
    except (IllFormedId, ReadingAway):
        return None


def _page(
    request: Request,
    citizens: Citizens,
    pages: Pages,
    form: Form,
    *,
    found: Classified | None = None,
    alike: Sequence[PublicView] = (),
    errors: Mapping[str, Words] | None = None,
    notice_of: Words | None = None,
    status: int = 200,
    fresh: bool = False,
) -> Response:
    language = pages.language(request)
    errors = errors or {}
    if fresh or not form.ticket:
        form = replace(form, ticket=forms.new_ticket(citizens.secret, citizens.clock()))
    code = form.service if form.service in offered() else ""
    return pages.render(
        request,
        "citizen.html",
        status=status,
        headers={"content-security-policy": citizens.tiles.policy(pages.csp)} if citizens.tiles else None,
        form=form,
        said=lambda name: pages.say(request, *errors[name]) if name in errors else "",
        wrong=[(name.replace(ANSWER, "q-"), pages.say(request, *words)) for name, words in errors.items()],
        notice_of=notice_of,
        suggestion=suggest.view(found, language) if found else None,
        choices=_choices(found, code, language),
        service=service_words(code) if code else None,
        questions=citizens.known.of(code),
        pairs=lambda question: [(key, getattr(words, language)) for key, words in question.values.items()],
        alike=[_row(view, language) for view in alike],
        neighbourhoods=NEIGHBOURHOODS,
        groups=_groups(language, offered(), by_name=True),
        hits=_groups(language, search(form.q)),
        tiles=citizens.tiles,
        centre=CENTRE,
        outline=OUTLINE,
        ways=[(way.value, pages.say(request, *_WAYS[way.value])) for way in forms.WAYS],
        notice_version=CURRENT,
    )


_WAYS: Final = {
    "sms": Words("SMS", "SMS"),
    "email": Words("E-posta", "E-mail"),
    "phone": Words("Telefonla arayın", "Call me"),
    "none": Words("Bildirim istemiyorum", "No messages"),
}


def _choices(found: Classified | None, chosen: str, language: str) -> list[tuple[str, str]]:
    """
    The subjects to choose from: what the text may mean, and what was chosen already.
    """
    codes = [choice.service for choice in found.candidates[:3]] if found else []
    if chosen and chosen not in codes:
        codes.insert(0, chosen)
    return [(code, getattr(service_words(code), language)) for code in codes if code in offered()]


def _groups(language: str, codes: Sequence[str], *, by_name: bool = False) -> list[tuple[str, list[tuple[str, str]]]]:
    """
    Subjects under their departments, in the order given or both by name.
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    for code in codes:
        service = catalogue().services[code]
        groups.setdefault(getattr(department_words(service.department), language), []).append(
            (code, getattr(service, language))
        )
    if not by_name:
        return list(groups.items())
    return [
        (name, sorted(rows, key=lambda row: fold(row[1])))
        for name, rows in sorted(groups.items(), key=lambda group: fold(group[0]))
    ]


def _row(view: PublicView, language: str) -> dict[str, Any]:
    return {
        "request_id": view.request_id,
        "number": grouped(view.request_id),
        "service": getattr(service_words(view.service_code), language),
        "status": getattr(label(view.status), language),
        "where": ", ".join(filter(None, (view.address, view.neighbourhood))),
        "text": (view.text or "")[:160],
        "received_at": view.received_at,
        "followers": view.followers,
    }
