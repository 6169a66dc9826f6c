"""
Notify's HTTP side: who may see how a citizen is reached, and that it was seen.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Annotated

import httpx
from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.common.contracts.vocabulary import Language, NotifyVia
from services.common.kit import mongo
from services.common.kit.auth import Caller, KeyVerifier
from services.common.kit.clock import Clock, system_clock
from services.common.kit.guard import DOCUMENTED, People, install_guard, scoped
from services.common.kit.http import Problem, StrictRoute, install, problems
from services.common.kit.people import TokenVerifier
from services.common.ui.links import Links
from services.common.ui.pages import install_pages
from services.notify import callbacks_api, plan_api, preview_pages
from services.notify.plan_answer import Basis
from services.notify.preview_pages import PAGES
from services.notify.repository import NotifyRepository
from services.notify.settings import NotifySettings
from services.notify.staff import load_staff
from services.notify.templates import load_templates

SCOPE = "contacts:read"
AUDIT_SCOPE = "audit:read"
CHECK_SCOPE = "contacts:check"
CHECKS_AN_HOUR = 5
HOUR = timedelta(hours=1)
REQUEST_ID = r"^[0-9A-HJKMNP-TV-Z]{13}$"
RETRY_AFTER = {"Retry-After": "5"}
router = APIRouter(route_class=StrictRoute, dependencies=DOCUMENTED)


class ContactDocument(BaseModel):
    """
    How a citizen is reached.
    """

    contact_id: str
    name: str | None = None
    phone: str | None = Field(default=None, description="E.164")
    email: str | None = None
    whatsapp_id: str | None = None
    language: Language
    notify_via: NotifyVia | None = None


class ContactView(BaseModel):
    """
    Somebody looked at a contact. ``who``: the name of an adapter, or ``person:`` and the person's id.
    """

    at: datetime
    who: str
    contact_id: str
    purpose: str


class ContactViews(BaseModel):
    """
    The newest first.
    """

    items: list[ContactView]


class LastDigits(BaseModel):
    """
    What somebody says are the last digits of the telephone left with a request.
    """

    model_config = ConfigDict(extra="forbid")
    last4: str = Field(pattern=r"^[0-9]{4}$", examples=["2233"])
    request_id: str = Field(pattern=REQUEST_ID)


class DigitsChecked(BaseModel):
    """
    Whether they are.
    """

    same: bool


@dataclass(frozen=True, slots=True)
class Deps:
    """
    What the routes work with.
    """

    repository: NotifyRepository
    people: People
    clock: Clock = system_clock


@router.get("/v1/contacts/{contact_id}", tags=["contacts"], responses=problems(401, 403, 404, 422, 503))
async def contact(
    request: Request,
    caller: Annotated[Caller, Depends(scoped(SCOPE))],
    contact_id: Annotated[str, Path(pattern=r"^c_[0-9a-f]{32}$")],
    purpose: Annotated[
        str, Query(min_length=3, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$", description="why; it is kept")
    ],
) -> ContactDocument:
    """
    How a citizen is reached. Who asked, for whom, why and when is put down before the answer is given.
    """
    deps: Deps = request.app.state.deps
    try:
        await deps.repository.audit(contact_id, caller.adapter, purpose, deps.clock())
        found = (await deps.repository.contacts([contact_id])).get(contact_id)
    except mongo.UNAVAILABLE:
        raise Problem(503, "The database does not answer.", headers=RETRY_AFTER) from None
    if found is None or found.erased:
        raise Problem(404, "There is no such contact, or it was erased.")
    return ContactDocument(
        contact_id=found.id,
        name=found.name,
        phone=found.phone,
        email=found.email,
        whatsapp_id=found.whatsapp_id,
        language=found.language,
        notify_via=found.notify_via,
    )


@router.post("/v1/contacts/{contact_id}/check", tags=["contacts"], responses=problems(401, 403, 422, 429, 503))
async def check(
    request: Request,
    caller: Annotated[Caller, Depends(scoped(CHECK_SCOPE))],
    contact_id: Annotated[str, Path(pattern=r"^c_[0-9a-f]{32}$")],
    said: LastDigits,
) -> DigitsChecked:
    """
    Whether a telephone number ends so: for a citizen who wants to see their own request. Nothing of it is told.

    Each try is audited; of a request five an hour are answered, whoever tries.
    """
    deps: Deps = request.app.state.deps
    now = deps.clock()
    purpose = f"check:{said.request_id}"
    try:
        await deps.repository.audit(contact_id, caller.adapter, purpose, now)
        tried = await deps.repository.audited(
            contact_id=contact_id, who=caller.adapter, since=now - HOUR, before=None, limit=1_000
        )
        if sum(row["purpose"] == purpose for row in tried) > CHECKS_AN_HOUR:
            raise Problem(429, "Tried too often: wait an hour.", headers={"Retry-After": "3600"})
        found = (await deps.repository.contacts([contact_id])).get(contact_id)
    except mongo.UNAVAILABLE:
        raise Problem(503, "The database does not answer.", headers=RETRY_AFTER) from None
    phone = None if found is None or found.erased else found.phone
    return DigitsChecked(same=phone is not None and compare_digest(phone[-4:], said.last4))


@router.get("/v1/audit", tags=["contacts"], responses=problems(401, 403, 422, 503))
async def audit(
    request: Request,
    _: Annotated[Caller, Depends(scoped(AUDIT_SCOPE))],
    contact_id: Annotated[str | None, Query(pattern=r"^c_[0-9a-f]{32}$")] = None,
    who: Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")] = None,
    since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    before: Annotated[AwareDatetime | None, Query(alias="to", description="not included")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> ContactViews:
    """
    Who looked at whose contact, when and why. It tells of contacts by their ids alone.
    """
    deps: Deps = request.app.state.deps
    try:
        rows = await deps.repository.audited(contact_id=contact_id, who=who, since=since, before=before, limit=limit)
    except mongo.UNAVAILABLE:
        raise Problem(503, "The database does not answer.", headers=RETRY_AFTER) from None
    return ContactViews(items=[ContactView(**row) for row in rows])


def create_app(settings: NotifySettings, deps: Deps | None = None) -> FastAPI:
    """
    The app. ``deps`` is for tests; else the app makes its own inside the running loop. Raises ``BrokenTemplates`` or
    ``BrokenStaff``.
    """

    links = Links(
        intake=settings.public_url.rstrip("/"),
        reporting=settings.reporting_public_url.rstrip("/"),
        notify=settings.api_public_url.rstrip("/"),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if deps is not None:
            app.state.deps, app.state.people = deps, deps.people
            yield
            return
        client = mongo.connect(settings.mongo)
        try:
            async with httpx.AsyncClient() as http:
                repository = NotifyRepository(client, settings.database)
                people = People(
                    keys=KeyVerifier(http, settings.intake_url),
                    tokens=TokenVerifier(http, settings.reporting_url),
                    public_url=settings.api_public_url.rstrip("/"),
                    reporting_public_url=links.reporting,
                )
                app.state.deps, app.state.people = Deps(repository, people), people
                yield
        finally:
            client.close()

    app = FastAPI(title="İLKİM notify", version="1", lifespan=lifespan)
    app.state.basis = Basis(settings.rules, load_staff(settings.staff_file), load_templates(), settings.house)

    async def ready() -> dict[str, object]:
        try:
            await app.state.deps.repository.ping()
        except mongo.UNAVAILABLE as error:
            return {"ready": False, "mongo": type(error).__name__}
        return {"ready": True}

    install(app, ready=ready)
    install_guard(app)
    install_pages(app, templates=PAGES, static=PAGES / "static", links=links)
    app.include_router(router)
    app.include_router(callbacks_api.router)
    app.include_router(plan_api.router)
    app.include_router(preview_pages.router)
    return app
