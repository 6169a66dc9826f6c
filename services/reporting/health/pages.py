"""
``/health`` (``/saglik``): how the system is, for administrators; dead letters looked at and sent back.
"""

from collections import Counter
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from services.common.contracts.catalogue import catalogue
from services.common.contracts.roles import Role
from services.common.contracts.topics import GROUPS
from services.common.kit.guard import page_person
from services.common.kit.http import Problem
from services.common.kit.letters import Letter, LettersError
from services.common.kit.logs import logger
from services.common.kit.people import Person
from services.common.kit.publisher import PublishFailed
from services.common.ui.pages import PagesOf
from services.reporting.health.look import troubles
from services.reporting.health.shown import shown
from services.reporting.health.watch import Watch
from services.reporting.people_repository import Entry
from services.reporting.staff import StaffOf

log = logger(__name__)

PATH: Final = "/health"
MOST: Final = 100  # letters sent back by one press
SHOWN: Final = 100

Admin = Annotated[Person, Depends(page_person(Role.ADMIN))]
GroupName = Annotated[str, Path(pattern=f"^({'|'.join(GROUPS)})$")]
Offset = Annotated[int, Path(ge=0, le=2**63 - 1)]
Offsets = Annotated[list[int], Form(max_length=MOST)]

router = APIRouter(include_in_schema=False)


async def _watch(request: Request) -> Watch:
    watch: Watch = request.app.state.watch
    return watch


WatchOf = Annotated[Watch, Depends(_watch)]


@router.get("/saglik")
async def in_turkish(_: Admin) -> Response:
    """
    The same page, by its Turkish name.
    """
    return RedirectResponse(PATH, status_code=307)


@router.get(PATH)
async def health(request: Request, person: Admin, watch: WatchOf, pages: PagesOf) -> Response:
    """
    How everything is now.
    """
    return pages.render(request, "health/health.html", person, **await _view(watch))


@router.get(f"{PATH}/now")
async def health_now(request: Request, person: Admin, watch: WatchOf, pages: PagesOf) -> Response:
    """
    The part of the page that changes.
    """
    return pages.render(request, "health/now.html", person, **await _view(watch))


@router.get(PATH + "/letters/{group}")
async def letters(
    request: Request,
    person: Admin,
    watch: WatchOf,
    pages: PagesOf,
    group: GroupName,
    reason: Annotated[str, Query(max_length=200)] = "",
    sent: bool = False,
) -> Response:
    """
    The dead letters of a group, the newest first. ``reason``: a text in the reason or detail; ``sent``: those that were
    sent back, too.
    """
    found = await _letters(watch, group)
    reasons = Counter(one.reason for one in found if not one.sent_back)
    fitting = [one for one in found if one.matches(reason or None, 0, None) and (sent or not one.sent_back)]
    view: dict[str, Any] = {
        "group": group,
        "letters": [shown(one) for one in reversed(fitting[-SHOWN:])],
        "count": len(fitting),
        "reasons": reasons.most_common(),
        "chosen": {"reason": reason, "sent": sent},
    }
    return pages.render(request, "health/letters.html", person, **view)


@router.get(PATH + "/letters/{group}/{offset}")
async def letter(
    request: Request, person: Admin, watch: WatchOf, pages: PagesOf, group: GroupName, offset: Offset
) -> Response:
    """
    One dead letter: why it is one and what it claims to be, not what it says.
    """
    found = next((one for one in await _letters(watch, group) if one.offset == offset), None)
    if found is None:
        raise Problem(404, f"There is no dead letter {offset} of {group} among those that are kept.")
    return pages.render(request, "health/letter.html", person, group=group, letter=shown(found))


@router.post(PATH + "/letters/{group}/replay")
async def replay(
    request: Request,
    person: Admin,
    watch: WatchOf,
    staff: StaffOf,
    pages: PagesOf,
    group: GroupName,
    offset: Offsets = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    """
    Send letters back to where they came from, each once. Who sent what back is put down before it goes.
    """
    back = f"{PATH}/letters/{group}"
    if not offset:
        said = pages.say(request, "Hiçbir kayıt seçilmedi.", "Nothing was chosen.")
        return pages.redirect(back, flash=said, tone="warn")
    places = ", ".join(map(str, sorted(set(offset))))
    await staff.repository.put_down(
        Entry(at=staff.clock(), what="letters_sent_back", who=person.id, about=f"{group}.dlq", purpose=places)
    )
    try:
        sent = await watch.broker.send_back(group, offset)
    except (LettersError, PublishFailed) as error:
        log.warning("dead letters were not sent back", group=group, error=type(error).__name__)
        said = pages.say(request, "Gönderim yarıda kaldı", "It stopped on the way")
        return pages.redirect(back, flash=f"{said}: {error}", tone="bad")
    log.info("dead letters were sent back", group=group, letters=len(sent.done))
    said = pages.say(request, f"{len(sent.done)} kayıt geri gönderildi", f"{len(sent.done)} sent back")
    if sent.before:
        before = pages.say(request, "daha önce gönderilmişti", "had been sent back before")
        said += f"; {len(sent.before)} {before}"
    return pages.redirect(back, flash=said, tone="ok" if sent.done else "warn")


async def _view(watch: Watch) -> dict[str, Any]:
    look = await watch.look()
    return {"look": look, "troubles": troubles(look), "departments": catalogue().departments}


async def _letters(watch: Watch, group: str) -> list[Letter]:
    try:
        return await watch.broker.letters(group)
    except LettersError as error:
        log.warning("dead letters cannot be read", group=group, error=str(error))
        raise Problem(503, "Kafka does not answer now.", headers={"Retry-After": "10"}) from None
