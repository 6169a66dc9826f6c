"""
The call-back list for operators: what is to be done, without numbers; one item, with its number, audited.
"""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.common.contracts.vocabulary import Language
from services.common.kit import mongo
from services.common.kit.auth import Caller
from services.common.kit.guard import DOCUMENTED, scoped
from services.common.kit.http import Problem, StrictRoute, problems
from services.notify.callbacks import Callback, CallbackState, NotOpen, Source, tried

SCOPE: Final = "contacts:read"
MOST: Final = 200
_AWAY: Final = {"Retry-After": "5"}

router = APIRouter(route_class=StrictRoute, dependencies=DOCUMENTED, tags=["call-back list"])
CallerOf = Annotated[Caller, Depends(scoped(SCOPE))]
ItemId = Annotated[str, Path(pattern=r"^b_[0-9a-f]{32}$")]
Purpose = Annotated[
    str, Query(min_length=3, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$", description="why; it is kept")
]
Note = Annotated[str, Field(min_length=1, max_length=1_000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]


class ToldDocument(BaseModel):
    """
    What the person is to be told: which transition of which request.
    """

    request_id: str
    transition: str
    at: datetime


class CallbackDocument(BaseModel):
    """
    Somebody to call back. ``missed``: how many calls of theirs nobody answered.
    """

    id: str
    state: CallbackState
    sources: list[Source]
    since: datetime | None
    missed: int
    last_missed_at: datetime | None
    told: list[ToldDocument]
    tries: int
    last_try_at: datetime | None


class CallbackList(BaseModel):
    """
    The list, at most 200, and how many are open in all.
    """

    callbacks: list[CallbackDocument]
    open: int


class NoteDocument(BaseModel):
    """
    What came of calling back.
    """

    at: datetime
    by: str
    result: str
    note: str | None


class WholeCallback(CallbackDocument):
    """
    An item with whom to call, and what was noted before. Without a phone it was erased, or has not arrived.
    """

    name: str | None
    phone: str | None = Field(description="E.164")
    language: Language
    notes: list[NoteDocument]


class NewTry(BaseModel):
    """
    What came of it, in the operator's words.
    """

    model_config = ConfigDict(extra="forbid")
    note: Note | None = None


@router.get("/v1/callbacks", responses=problems(401, 403, 422, 503))
async def callbacks(
    request: Request, _: CallerOf, state: Annotated[CallbackState, Query()] = CallbackState.OPEN
) -> CallbackList:
    """
    Whom to call back, the longest waiting first, without their numbers.
    """
    repository = request.app.state.deps.repository.callbacks
    try:
        found = await repository.items(state, MOST)
        return CallbackList(callbacks=[_document(item) for item in found], open=await repository.count_open())
    except mongo.UNAVAILABLE:
        raise _away() from None


@router.get("/v1/callbacks/{item_id}", responses=problems(401, 403, 404, 422, 503))
async def callback(request: Request, caller: CallerOf, item_id: ItemId, purpose: Purpose) -> WholeCallback:
    """
    One item with name and number. Who asked, for whom, why and when is put down before the answer is given.
    """
    deps = request.app.state.deps
    try:
        item: Callback | None = await deps.repository.callbacks.item(item_id)
        if item is None:
            raise Problem(404, "There is no such item.")
        for contact_id in item.contacts:
            await deps.repository.audit(contact_id, caller.adapter, purpose, deps.clock())
        known = await deps.repository.contacts(item.contacts)
    except mongo.UNAVAILABLE:
        raise _away() from None
    contacts = [known[one] for one in item.contacts if one in known and not known[one].erased]
    return WholeCallback(
        **_document(item).model_dump(),
        name=next((contact.name for contact in contacts if contact.name), None),
        phone=next((contact.phone for contact in contacts if contact.phone), None),
        language=contacts[0].language if contacts else Language.TR,
        notes=[NoteDocument(at=one.at, by=one.by, result=one.result, note=one.note) for one in item.tries],
    )


@router.post("/v1/callbacks/{item_id}/done", responses=problems(401, 403, 404, 409, 415, 422, 503))
async def done(request: Request, caller: CallerOf, item_id: ItemId, body: NewTry) -> CallbackDocument:
    """
    The person was reached.
    """
    return await _tried(request, caller, item_id, "done", body.note)


@router.post("/v1/callbacks/{item_id}/failed", responses=problems(401, 403, 404, 409, 415, 422, 503))
async def failed(request: Request, caller: CallerOf, item_id: ItemId, body: NewTry) -> CallbackDocument:
    """
    The person was not reached. After the third time the item is closed.
    """
    return await _tried(request, caller, item_id, "failed", body.note)


async def _tried(
    request: Request, caller: Caller, item_id: str, result: Literal["done", "failed"], note: str | None
) -> CallbackDocument:
    deps: Any = request.app.state.deps
    now, by = deps.clock(), caller.person.id if caller.person else caller.adapter
    try:
        if await deps.repository.callbacks.item(item_id) is None:
            raise Problem(404, "There is no such item.")
        item = await deps.repository.callbacks.change(item_id, lambda item: tried(item, by, result, note, now), now)
    except NotOpen:
        raise Problem(409, "There is nothing to call back for any more.") from None
    except mongo.UNAVAILABLE:
        raise _away() from None
    return _document(item)


def _away() -> Problem:
    return Problem(503, "The database does not answer.", headers=_AWAY)


def _document(item: Callback) -> CallbackDocument:
    """
    An open item shows what is open, a closed one what it was about.
    """
    is_open = item.state is CallbackState.OPEN
    missed = item.open_missed if is_open else item.missed
    told = item.open_told if is_open else item.told
    sources = [source for source, there in ((Source.MISSED_CALL, missed), (Source.PHONE_ONLY, told)) if there]
    return CallbackDocument(
        id=item.id,
        state=item.state or CallbackState.DONE,
        sources=sources,
        since=item.since,
        missed=len(missed),
        last_missed_at=max((one.at for one in missed), default=None),
        told=[ToldDocument(request_id=one.request_id, transition=one.transition, at=one.at) for one in told],
        tries=item.open_tries if is_open else len(item.tries),
        last_try_at=item.tries[-1].at if item.tries else None,
    )
