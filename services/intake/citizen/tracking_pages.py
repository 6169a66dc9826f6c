"""
The page of a request, ``/t/<number>``. Everybody sees what is public; what is the citizen's own, and doing anything,
needs the link of a message or the last digits of the telephone, after which the browser holds a signed cookie.

An unknown number and one that is not public give the same page, after the same questions.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from time import monotonic
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from services.common.contracts.ids import family_of, grouped, parse_any_id
from services.common.contracts.tracking import LINK_LASTS, Purpose, good, token
from services.common.contracts.vocabulary import Channel, Status
from services.common.kit.http import FieldError, Problem, StrictRoute, problems
from services.common.ui.pages import Pages, PagesOf
from services.common.ui.words import Words
from services.intake.citizen.citizens import BUSY, CITIZEN, OWN_PAGE, Citizens, CitizensOf
from services.intake.citizen.form import key_of, new_ticket
from services.intake.citizen.inner import TooOften
from services.intake.citizen.tracking import REOPENS_WITHIN, Tracked, just_received, label, of_own, of_public
from services.intake.desk.receipt import DANGER, qr_svg
from services.intake.domain import Conflict
from services.intake.guard import Away
from services.intake.keeper import NowhereToKeep
from services.intake.open311.reading import ReadingAway
from services.intake.schemas import FeedbackTaken, NewFeedback, NewReply

COOKIE: Final = "ilkim_track"
ROUTED_WITHIN: Final = 1.5
"""Seconds in which a request nearly always has its department."""
_LOOK_AGAIN: Final = 0.1
SEEN_LASTS: Final = timedelta(hours=12)
NOT_SAME: Final = Words(
    "Bu numara ve rakamlarla bir başvuru gösteremiyoruz. Rakamları denetleyin ya da mesajdaki bağlantıyı kullanın.",
    "We cannot show a request with this number and these digits. Check them, or use the link in our message.",
)
ALREADY: Final = Words("Bu sonuç için görüşünüz alınmıştı.", "Your opinion of this outcome was taken already.")
AWAY: Final = Words("Ayrıntılar şu an gösterilemiyor.", "Details cannot be shown now.")
NO_NUMBER: Final = Words(
    "Başvuru numarası 13 harf ve rakamdır: 7XK2-9MQ4-T3BD-M gibi. Numarayı denetleyin.",
    "A request number has 13 letters and digits, such as 7XK2-9MQ4-T3BD-M. Please check it.",
)
TEXT: Final = Words("Birkaç sözcük yazın (en çok 4.000 harf).", "Write a few words (at most 4,000).")
RATING: Final = Words("1 ile 5 arasında bir yıldız seçin.", "Choose one to five stars.")
router = APIRouter(tags=["citizen"], include_in_schema=False)
api = APIRouter(tags=["feedback"], route_class=StrictRoute)


@dataclass(frozen=True, slots=True)
class Reader:
    """
    Who looks at which request: ``proven`` is whether they have shown that it is theirs.
    """

    number: str
    proven: bool


async def _number(request_id: str) -> str:
    try:
        return family_of(parse_any_id(request_id))
    except ValueError:  # IllFormedId, or a part of more digits than int() takes
        raise Problem(404, "There is no such request.") from None


Number = Annotated[str, Depends(_number)]


async def _reader(request: Request, number: Number, citizens: CitizensOf) -> Reader:
    shown = request.cookies.get(COOKIE, "")
    return Reader(number, good(citizens.secret, shown, number, Purpose.SEEN, citizens.clock()))


async def _citizen(reader: Annotated[Reader, Depends(_reader)]) -> str:
    if not reader.proven:
        raise Problem(403, "First show that the request is yours.")
    return reader.number


ReaderOf = Annotated[Reader, Depends(_reader)]
OwnNumber = Annotated[str, Depends(_citizen)]


@router.get("/t")
@router.get("/t/")
async def find(request: Request, pages: PagesOf, no: str = "") -> Response:
    """
    Look a request up by its number, however it is grouped.
    """
    if not no.strip():
        return pages.render(request, "find.html", no="", error="")
    try:
        return pages.redirect(f"/t/{family_of(parse_any_id(no))}")
    except ValueError:
        return pages.render(request, "find.html", status=422, no=no[:60], error=pages.say(request, *NO_NUMBER))


@router.get("/t/{request_id}")
async def page(request: Request, request_id: str, pages: PagesOf, citizens: CitizensOf, k: str = "") -> Response:
    """
    The request's page. The link of a message (``?k=``) becomes a cookie, and the address is clean again.
    """
    try:
        number = family_of(parse_any_id(request_id))
    except ValueError:
        return pages.render(request, "find.html", status=404, no=request_id[:60], error=pages.say(request, *NO_NUMBER))
    new = "?new=1" if "new" in request.query_params else ""
    if k:
        answer = pages.redirect(f"/t/{number}{new}")
        if good(citizens.secret, k, number, Purpose.LINK, citizens.clock()):
            _remember(answer, citizens, number)
        return answer
    if request_id != number:
        return pages.redirect(f"/t/{number}{new}")
    return await _shown(request, pages, citizens, await _reader(request, number, citizens))


@router.post("/t/{request_id}/prove", dependencies=[OWN_PAGE])
async def prove(
    request: Request, reader: ReaderOf, pages: PagesOf, citizens: CitizensOf, last4: Annotated[str, Form()] = ""
) -> Response:
    """
    The last digits of the telephone that was left with the request.
    """
    digits = last4.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) == 4):
        error = Words("Dört rakam yazın.", "Write four digits.")
        return await _shown(request, pages, citizens, reader, errors={"last4": error}, status=422)
    wait = ceil(citizens.tries.take(reader.number))
    try:
        same = not wait and await citizens.inner.knows(reader.number, digits)
    except TooOften as error:
        wait, same = error.wait, False
    except Away:
        return await _shown(request, pages, citizens, reader, notice_of=AWAY, status=503)
    if wait:
        often = Words("Çok fazla denendi: bir saat sonra yeniden deneyin.", "Tried too often: try again in an hour.")
        return await _shown(request, pages, citizens, reader, errors={"last4": often}, status=429)
    if not same:
        return await _shown(request, pages, citizens, reader, errors={"last4": NOT_SAME}, status=422)
    answer = pages.redirect(f"/t/{reader.number}")
    _remember(answer, citizens, reader.number)
    return answer


@router.post("/t/{request_id}/forget", dependencies=[OWN_PAGE])
async def forget(number: Number, pages: PagesOf) -> Response:
    """
    This browser is somebody else's too.
    """
    answer = pages.redirect(f"/t/{number}")
    answer.delete_cookie(COOKIE, path=f"/t/{number}")
    return answer


@router.post("/t/{request_id}/reply", dependencies=[OWN_PAGE])
async def reply(
    request: Request,
    number: OwnNumber,
    pages: PagesOf,
    citizens: CitizensOf,
    text: Annotated[str, Form()] = "",
    ticket: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """
    An answer to a question, or something to add.
    """
    reader = Reader(number, True)
    try:
        body = NewReply(text=text, channel=Channel.WEB)
        await citizens.intake.take_reply(body, number, CITIZEN, key_of(ticket) or None)
    except ValidationError:
        return await _shown(request, pages, citizens, reader, errors={"text": TEXT}, typed=text, status=422)
    except Conflict:
        return await _shown(request, pages, citizens, reader, notice_of=ALREADY, typed=text, status=409)
    except NowhereToKeep:
        return await _shown(request, pages, citizens, reader, notice_of=BUSY, typed=text, status=503)
    return pages.redirect(
        f"/t/{number}", pages.say(request, "Yazdığınız ilgili birime iletildi.", "It was passed on to the department.")
    )


@router.post("/t/{request_id}/feedback", dependencies=[OWN_PAGE])
async def feedback(
    request: Request,
    number: OwnNumber,
    pages: PagesOf,
    citizens: CitizensOf,
    do: Annotated[Literal["rate", "reopen"], Form()],
    key: Annotated[str, Form(max_length=60)] = "",
    closing_seq: Annotated[int, Form(ge=1, le=1_000_000)] = 1,
    rating: Annotated[int | None, Form()] = None,
    comment: Annotated[str, Form()] = "",
) -> Response:
    """
    Stars for how it ended, or that it has not ended.
    """
    reader, again = Reader(number, True), do == "reopen"
    try:
        body = NewFeedback(
            token=key,
            closing_seq=closing_seq,
            rating=None if again else rating,
            comment=comment if comment.strip() else None,
            reopen=again,
        )
        await _take(citizens, number, body)
    except ValidationError:
        errors = {"comment": TEXT} if again else {"rating": RATING}
        return await _shown(request, pages, citizens, reader, errors=errors, typed=comment, status=422)
    except Conflict:
        return await _shown(request, pages, citizens, reader, notice_of=ALREADY, status=409)
    except NowhereToKeep:
        return await _shown(request, pages, citizens, reader, notice_of=BUSY, typed=comment, status=503)
    done = (
        Words("Yeniden açılması istendi; birim haberdar edildi.", "We asked the department to open it again.")
        if again
        else Words("Görüşünüz için teşekkürler.", "Thank you for your opinion.")
    )
    return pages.redirect(f"/t/{number}", pages.say(request, *done))


@api.post(
    "/v1/requests/{request_id}/feedback",
    status_code=202,
    responses=problems(403, 404, 409, 413, 415, 422, 503),
)
async def post_feedback(number: Number, body: NewFeedback, citizens: CitizensOf) -> FeedbackTaken:
    """
    Take what a citizen thinks of how a request ended; the token of the tracking page says that they may. Of each ending
    one rating and one reopening count.
    """
    return await _take(citizens, number, body)


async def _take(citizens: Citizens, number: str, body: NewFeedback) -> FeedbackTaken:
    if not good(citizens.secret, body.token, number, Purpose.FEEDBACK, citizens.clock(), body.closing_seq):
        raise Problem(
            403,
            "The token is not good for this ending, or no longer.",
            errors=[FieldError(field="token", message="take the one of the request's page; it lasts two weeks")],
        )
    return await citizens.intake.take_feedback(body, number, CITIZEN.adapter, Channel.WEB)


def _remember(answer: RedirectResponse, citizens: Citizens, number: str) -> None:
    """
    Let this browser see the citizen's own, for half a day.
    """
    answer.set_cookie(
        COOKIE,
        token(citizens.secret, number, Purpose.SEEN, citizens.clock() + SEEN_LASTS),
        max_age=int(SEEN_LASTS.total_seconds()),
        path=f"/t/{number}",
        httponly=True,
        samesite="lax",
        secure=citizens.public_url.startswith("https:"),
    )


async def _tracked(citizens: Citizens, reader: Reader, *, patient: bool) -> Tracked | None:
    """
    What this reader may see; None for nothing. ``patient``: the request was sent just now, so wait a little until it
    has its department. Raises ``Away`` or ``ReadingAway``.
    """
    if reader.proven:
        detail = await citizens.inner.request(reader.number)
        give_up_at = monotonic() + (ROUTED_WITHIN if patient else 0)
        while (detail is None or detail["department"] is None) and monotonic() < give_up_at:
            await asyncio.sleep(_LOOK_AGAIN)
            detail = await citizens.inner.request(reader.number)
        return of_own(detail) if detail else just_received(reader.number)
    view = await citizens.reader.one(reader.number)
    return of_public(view) if view else None


async def _shown(
    request: Request,
    pages: Pages,
    citizens: Citizens,
    reader: Reader,
    *,
    errors: dict[str, Words] | None = None,
    notice_of: Words | None = None,
    typed: str = "",
    status: int = 200,
) -> Response:
    now, number = citizens.clock(), reader.number
    new = reader.proven and "new" in request.query_params
    try:
        seen = await _tracked(citizens, reader, patient=new)
    except (Away, ReadingAway):
        seen, notice_of, status = None, AWAY, 503
    key, link = "", f"{citizens.public_url}/t/{number}"
    if seen is not None and seen.closing_seq is not None and seen.closed_at is not None and seen.reopens(now):
        key = token(citizens.secret, number, Purpose.FEEDBACK, seen.closed_at + REOPENS_WITHIN, seen.closing_seq)
    own_link = f"{link}?k={token(citizens.secret, number, Purpose.LINK, now + LINK_LASTS)}" if new else link
    return pages.render(
        request,
        "track.html",
        status=status,
        number=number,
        shown_number=grouped(number),
        proven=reader.proven,
        seen=seen,
        label=label(seen.status) if seen else None,
        waiting=seen is not None and seen.status is Status.WAITING_CITIZEN,
        danger=DANGER if seen and seen.emergency else None,
        new=new,
        own_link=own_link,
        qr=qr_svg(own_link) if new else "",
        key=key,
        ticket=new_ticket(citizens.secret, now),
        typed=typed,
        notice_of=notice_of,
        said=lambda name: pages.say(request, *errors[name]) if errors and name in errors else "",
        wrong=[(name, pages.say(request, *words)) for name, words in (errors or {}).items()],
    )
