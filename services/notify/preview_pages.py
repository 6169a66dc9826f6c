"""
The page on which all messages can be looked at before anybody gets one.
"""

from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse

from services.common.contracts.roles import Role
from services.common.contracts.vocabulary import Language, NotifyVia
from services.common.kit.guard import page_person
from services.common.kit.http import Problem
from services.common.kit.people import Person
from services.common.ui.pages import PagesOf
from services.notify.messages import House
from services.notify.plan_answer import Basis
from services.notify.previews import Audience, preview, previews
from services.notify.templates import Templates

PAGES: Final = Path(__file__).with_name("pages")
CHANNELS: Final = (NotifyVia.EMAIL, NotifyVia.SMS, NotifyVia.WHATSAPP)
# A mail brings its own styles and nothing else; it is a picture in our page, and never runs or opens anything there.
MAIL_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'"
router = APIRouter(include_in_schema=False)
Reader = Annotated[Person, Depends(page_person(Role.OPERATOR, Role.MANAGER, Role.ADMIN))]
Wanted = Annotated[str, Query(max_length=20)]


@router.get("/previews")
async def previews_page(
    request: Request,
    person: Reader,
    pages: PagesOf,
    language: Wanted = "",
    channel: Wanted = "",
    audience: Wanted = "",
    emergency: Wanted = "",
) -> HTMLResponse:
    """
    Every message on every channel, or those that are asked for. What is asked for and is not there counts as not asked.
    """
    templates, house = _words(request)
    wanted = next((one for one in Language if one == language), Language.TR)
    group = next((one for one in Audience if one == audience), None)
    answer = pages.render(
        request,
        "previews.html",
        person,
        shown=previews(templates, house, wanted, group, emergency=bool(emergency)),
        language=wanted.value,
        channel=channel if channel in CHANNELS else "",
        audience=group or "",
        emergency=bool(emergency),
        municipality=house.names[wanted],
    )
    answer.headers["Content-Security-Policy"] = f"{pages.csp}; frame-src 'self'"
    return answer


@router.get("/previews/mail/{language}/{name}")
async def preview_mail(
    request: Request, _: Reader, language: Language, name: str, emergency: Wanted = ""
) -> HTMLResponse:
    """
    One mail as its reader's mail program shows it.
    """
    templates, house = _words(request)
    try:
        found = preview(templates, house, name, language, emergency=bool(emergency))
    except KeyError:
        raise Problem(404, "There is no such message.") from None
    headers = {"Content-Security-Policy": MAIL_POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(found.mail.html, headers=headers)


def _words(request: Request) -> tuple[Templates, House]:
    basis: Basis = request.app.state.basis
    return basis.templates, basis.house
