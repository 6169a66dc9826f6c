"""
The call-back list at the desk. Notify keeps it, and notes who looked at whose number.
"""

from typing import Annotated, Any, Literal

from fastapi import Path as InPath
from fastapi import Request, Response

from services.common.kit.http import Problem
from services.common.ui.pages import PagesOf
from services.common.ui.words import Words
from services.intake.desk.others import Turned, timed
from services.intake.desk.room import DeskOf, Operator, pages_router, text_of
from services.intake.guard import Away

CallbackId = Annotated[str, InPath(pattern=r"^b_[0-9a-f]{32}$")]
router = pages_router()


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
        await desk.others.settle(person, callback_id, result, text_of(given, "note") or None)
    except Away:
        words = Words("Kaydedilemedi: yeniden deneyin.", "It could not be kept: please try again.")
        return pages.redirect(f"/console/callbacks/{callback_id}", pages.say(request, *words), "bad")
    except Turned:
        words = Words("Bu arama bu arada kapatılmış.", "This call-back was settled meanwhile.")
        return pages.redirect("/console/callbacks", pages.say(request, *words), "warn")
    words = Words("Kaydedildi.", "Kept.") if result == "done" else Words("Yanıtsız arama yazıldı.", "The try is noted.")
    return pages.redirect("/console/callbacks", pages.say(request, *words))
