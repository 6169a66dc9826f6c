"""
One request at the desk: its receipt, what became of it, what its citizen answers, and what the desk may do to it.
"""

import asyncio
from time import monotonic
from typing import Any, Final, Literal

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from services.common.contracts.ids import grouped
from services.common.contracts.roles import DESK
from services.common.contracts.vocabulary import CLOSED, Action
from services.common.kit.auth import Caller
from services.common.kit.http import Problem
from services.common.kit.people import Person
from services.common.ui.pages import PagesOf
from services.common.ui.words import REFUSALS, Words
from services.intake import cleaning
from services.intake.desk import domain, receipt, speech, timeline
from services.intake.desk.others import Turned
from services.intake.desk.room import Desk, DeskOf, NumberOf, Operator, new_key, pages_router, text_of
from services.intake.domain import Conflict
from services.intake.guard import Away
from services.intake.schemas import NewReply, NewUpdate, UpdateResult

ROUTED_WITHIN: Final = 2.0
"""Seconds in which routing nearly always has answered: so long a receipt waits for the department's name."""
RESULT_WITHIN: Final = 4.0
_LOOK_AGAIN: Final = 0.05
_REFUSED: Final = {reason.value: words for reason, words in REFUSALS.items()}
router = pages_router()


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
        key=new_key(),
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
        await desk.intake.take_reply(body, number, person.caller, text_of(given, "key") or None)
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
        taken = await desk.intake.take_update(body, number, person.caller, text_of(given, "key") or None)
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
