"""
Calls for operators: ``/console/calls…``. Who calls is told to who has the call, or for whom it rings; to nobody else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Protocol

import httpx
import orjson
from fastapi import APIRouter, Depends, Header, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from services.common.contracts.roles import Role
from services.common.kit.guard import page_person
from services.common.kit.http import FieldError, Problem, StrictRoute, problems, stopping
from services.common.kit.logs import logger
from services.common.kit.people import Person
from services.intake.calls.board import Board, view
from services.intake.calls.domain import Call, NotTheirs
from services.intake.calls.people import OwnRequest
from services.intake.calls.switchboard import Switchboard, UnknownCall
from services.intake.calls.webhook import EXTENSION

log = logger(__name__)
DRAFT_LIMIT: Final = 65_536
_STREAM: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_PRIVATE: Final = {"Cache-Control": "no-store"}


class Contacts(Protocol):
    """
    Knows how citizens are reached, and notes who asked.
    """

    async def contacts(self, ids: Sequence[str], person: Person, purpose: str) -> list[dict[str, Any]] | None:
        """
        Those of the contacts that are there; None if nobody answers.
        """


@dataclass(frozen=True, slots=True)
class Telephony:
    """
    What the routes of calls need. ``exchanges``: tokens by exchange. ``twilio``: its auth token, if it is used.
    """

    switchboard: Switchboard
    board: Board
    contacts: Contacts
    exchanges: dict[str, str]
    public_url: str
    twilio_token: str | None = None
    twilio_number: str | None = None


class NotifyContacts:
    """
    Notify's contacts, asked in the name of who is signed in: notify puts down who asked, and why.
    """

    def __init__(self, http: httpx.AsyncClient, notify_url: str) -> None:
        self._http = http
        self._url = notify_url.rstrip("/")

    async def contacts(self, ids: Sequence[str], person: Person, purpose: str) -> list[dict[str, Any]] | None:
        """
        Those of the contacts that are there and not erased; None if notify does not answer.
        """
        found = []
        for contact_id in ids:
            try:
                answer = await self._http.get(
                    f"{self._url}/v1/contacts/{contact_id}",
                    params={"purpose": purpose},
                    headers={"Authorization": f"Bearer {person.token}"},
                    timeout=1.5,
                )
                if answer.status_code == httpx.codes.NOT_FOUND:
                    continue
                found.append(answer.raise_for_status().json())
            except (httpx.HTTPError, ValueError) as error:
                log.warning("notify does not tell a contact", error=type(error).__name__)
                return None
        return found


class Seat(BaseModel):
    """
    At which extension somebody sits; None: at none.
    """

    model_config = ConfigDict(extra="forbid")
    extension: Annotated[str, Field(pattern=EXTENSION)] | None


class Caller(BaseModel):
    """
    How who calls may be reached: of this call, or of an earlier request from the same number.
    """

    contact_id: str
    name: str | None
    phone: str | None
    email: str | None
    whatsapp_id: str | None
    language: str
    notify_via: str | None
    of_this_call: bool


class TheirRequest(BaseModel):
    """
    A request that was made from this number.
    """

    request_id: str
    status: str
    department: str | None
    service_code: str | None
    at: str | None
    open: bool


class WholeCall(BaseModel):
    """
    A call and who it may be. ``contacts_known`` false: notify does not answer, all else is there.
    """

    call: dict[str, Any]
    contacts: list[Caller]
    contacts_known: bool
    requests: list[TheirRequest]
    missed_before: int
    draft: dict[str, Any] | None


CallId = Annotated[str, Path(pattern=r"^l_[0-9a-f]{32}$")]
DraftName = Annotated[str, Path(pattern=r"^(l_[0-9a-f]{32}|desk)$", description="a call, or `desk` without one")]
Operator = Annotated[Person, Depends(page_person(Role.OPERATOR))]
router = APIRouter(route_class=StrictRoute, tags=["console"])


async def _telephony(request: Request) -> Telephony:
    telephony: Telephony = request.app.state.parts.telephony
    return telephony


TelephonyOf = Annotated[Telephony, Depends(_telephony)]


@router.get("/console/calls/stream", responses=problems(401, 403))
async def stream(
    request: Request, person: Operator, telephony: TelephonyOf, last_event_id: Annotated[str | None, Header()] = None
) -> StreamingResponse:
    """
    Calls as they come and go (server-sent events): ringing, answered, taken, ended, missed, gone.
    """
    told = telephony.board.stream(person.id, person.expires_at, last_event_id, lambda: stopping(request.app))
    return StreamingResponse(told, media_type="text/event-stream", headers=_STREAM)


@router.get("/console/calls", responses=problems(401, 403, 503))
async def calls(person: Operator, telephony: TelephonyOf) -> dict[str, list[dict[str, Any]]]:
    """
    The calls that are on now and concern the operator.
    """
    return {"calls": await telephony.board.on_now(person.id)}


@router.get("/console/extension", responses=problems(401, 403, 503))
async def get_extension(person: Operator, telephony: TelephonyOf) -> Seat:
    """
    Where the operator sits.
    """
    return Seat(extension=await telephony.switchboard.extension_of(person.id))


@router.put("/console/extension", responses=problems(401, 403, 415, 422, 503))
async def put_extension(seat: Seat, person: Operator, telephony: TelephonyOf) -> Seat:
    """
    Sit down at an extension for a shift (16 hours), or at none. Whoever sat there does not any more.
    """
    await telephony.switchboard.sit(person.id, seat.extension)
    return seat


@router.get("/console/calls/{call_id}", responses=problems(401, 403, 404, 422, 503))
async def get_call(call_id: CallId, person: Operator, telephony: TelephonyOf, response: Response) -> WholeCall:
    """
    A call of the operator's and who it may be. That it was looked at is put down by notify.
    """
    switchboard = telephony.switchboard
    call = await _seen(switchboard, call_id, person)
    ids, requests, missed = await switchboard.history(call)
    contacts = await telephony.contacts.contacts(ids, person, f"call:{call.id}")
    response.headers.update(_PRIVATE)
    return WholeCall(
        call=view(call, person.id, await switchboard.extension_of(person.id)),
        contacts=[_caller(contact, call) for contact in contacts or []],
        contacts_known=contacts is not None,
        requests=[_theirs(request) for request in requests],
        missed_before=missed,
        draft=await switchboard.draft(call.id, person.id),
    )


@router.post("/console/calls/{call_id}/answer", responses=problems(401, 403, 404, 409, 422, 503))
async def answer(call_id: CallId, person: Operator, telephony: TelephonyOf) -> dict[str, Any]:
    """
    Take a call by hand, where the exchange does not tell who answered.
    """
    return await _done(telephony, call_id, person, "answer")


@router.post("/console/calls/{call_id}/end", responses=problems(401, 403, 404, 409, 422, 503))
async def end(call_id: CallId, person: Operator, telephony: TelephonyOf) -> dict[str, Any]:
    """
    Say that one's call is over, where the exchange does not.
    """
    return await _done(telephony, call_id, person, "end")


@router.get("/console/drafts/{name}", responses=problems(401, 403, 404, 422, 503))
async def get_draft(name: DraftName, person: Operator, telephony: TelephonyOf, response: Response) -> dict[str, Any]:
    """
    What the operator has typed and not registered.
    """
    found = await telephony.switchboard.draft(name, person.id)
    if found is None:
        raise Problem(404, "There is no such draft.")
    response.headers.update(_PRIVATE)
    return found


@router.put("/console/drafts/{name}", status_code=204, responses=problems(401, 403, 404, 413, 415, 422, 503))
async def put_draft(name: DraftName, body: dict[str, Any], person: Operator, telephony: TelephonyOf) -> None:
    """
    Keep what the operator has typed: for them alone, for 24 hours, or until it is registered.
    """
    try:
        size = len(orjson.dumps(body))
    except TypeError:
        errors = [FieldError(field="body", message="must have sound text and numbers of at most 64 bits")]
        raise Problem(422, "The body could not be read.", errors=errors) from None
    if size > DRAFT_LIMIT:
        raise Problem(413, f"A draft has at most {DRAFT_LIMIT} bytes.")
    if name != "desk":
        await _seen(telephony.switchboard, name, person)
    await telephony.switchboard.keep_draft(name, person.id, body)


@router.delete("/console/drafts/{name}", status_code=204, responses=problems(401, 403, 422, 503))
async def delete_draft(name: DraftName, person: Operator, telephony: TelephonyOf) -> None:
    """
    Forget what was typed.
    """
    await telephony.switchboard.drop_draft(name, person.id)


async def _seen(switchboard: Switchboard, call_id: str, person: Person) -> Call:
    try:
        return await switchboard.seen(call_id, person.id)
    except UnknownCall:
        raise Problem(404, "There is no such call, or it is not yours.") from None


async def _done(telephony: Telephony, call_id: str, person: Person, what: str) -> dict[str, Any]:
    switchboard = telephony.switchboard
    try:
        call = await (switchboard.answer if what == "answer" else switchboard.end)(call_id, person.id)
    except UnknownCall:
        raise Problem(404, "There is no such call, or it is not yours.") from None
    except NotTheirs:
        raise Problem(409, "The call is over, or somebody else has it.") from None
    return view(call, person.id, await switchboard.extension_of(person.id))


def _caller(contact: dict[str, Any], call: Call) -> Caller:
    given = {name: contact.get(name) for name in ("name", "phone", "email", "whatsapp_id", "notify_via")}
    number = str(contact["contact_id"])
    language = str(contact.get("language") or "tr")
    return Caller(contact_id=number, language=language, of_this_call=number == call.contact_id, **given)


def _theirs(request: OwnRequest) -> TheirRequest:
    return TheirRequest(
        request_id=request.request_id,
        status=request.status,
        department=request.department,
        service_code=request.service_code,
        at=request.at.isoformat() if request.at else None,
        open=request.open,
    )
