"""
The HTTP side of intake. Order of checks: declared size (413, before anything is read), key, token or session (401),
scope (403), size as it comes in (413), media type (415), body (422), state (409).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, FastAPI, Header, Path, Request, Response
from starlette.types import Scope

from services.common.contracts.ids import parse_any_id
from services.common.kit import guard, http
from services.common.kit.auth import Caller
from services.common.kit.health import Duty
from services.common.kit.http import FieldError, Problem, StrictRoute, problems
from services.common.kit.limits import KeyOwner, Limits, Patience, RateLimit
from services.common.kit.publisher import PublishFailed
from services.common.ui.links import Links
from services.common.ui.pages import install_pages
from services.intake.application import Intake
from services.intake.attachments import api as attachments_api
from services.intake.attachments.service import Attachments
from services.intake.calls import console as calls
from services.intake.calls import twilio_webhook, webhook
from services.intake.citizen import citizens, form_pages, tracking_pages
from services.intake.conversations import whatsapp_webhook
from services.intake.conversations.inbound import Inbox
from services.intake.crises import Declarations, UnknownCrisis
from services.intake.desk import pages as console
from services.intake.desk.room import Desk
from services.intake.domain import Conflict, Forbidden, Refused
from services.intake.guard import Away
from services.intake.keeper import NowhereToKeep
from services.intake.keys import Keys, KeysNotLoaded
from services.intake.open311 import api as open311_api
from services.intake.open311.endpoint import Open311
from services.intake.open311.shape import Shape
from services.intake.schemas import (
    CALLER_KEY,
    CrisisEnd,
    CrisisList,
    CrisisTaken,
    KeyAnswer,
    KeyQuestion,
    NewCrisis,
    NewReply,
    NewRequest,
    NewUpdate,
    ReplyTaken,
    RequestTaken,
    UpdateResult,
    UpdateTaken,
)
from services.intake.sms import webhook as sms_webhook
from services.intake.sms.gateways import Gateways

LOCAL: Final = Links(intake="http://127.0.0.1:8000", reporting="http://127.0.0.1:8001")
SECONDS_TO_SEND: Final = 150.0
"""How long a body may take to arrive, wherever no shorter time is set."""
_SCOPE: Final = "x-scope"


@dataclass(frozen=True, slots=True)
class Parts:
    """
    What the routes need; made by the lifespan, in the running loop.
    """

    intake: Intake
    declarations: Declarations
    attachments: Attachments
    keys: Keys
    people: guard.People
    telephony: calls.Telephony
    desk: Desk
    open311: Open311
    citizens: citizens.Citizens
    inbox: Inbox
    whatsapp: whatsapp_webhook.Hook | None
    sms: Gateways
    limits: Limits
    ready: Callable[[], Awaitable[dict[str, object]]]
    duties: tuple[Duty, ...] = ()


MakeParts = Callable[[], AbstractAsyncContextManager[Parts]]


class GuardedRoute(StrictRoute):
    """
    A route that looks at who calls, and at the scope named ``x-scope`` in its OpenAPI, before it reads the body.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """
        The handler behind the check.
        """
        original = super().get_route_handler()
        scope: str = (self.openapi_extra or {})[_SCOPE]

        async def handler(request: Request) -> Response:
            request.state.caller = caller = await guard.caller(request)
            guard.need(caller, scope)
            return await original(request)

        return handler


def _limits(scope: Scope) -> Limits:
    parts: Parts = scope["app"].state.parts
    return parts.limits


def _owner(scope: Scope) -> KeyOwner:
    people: guard.People = scope["app"].state.people
    return people.keys.caller


# The dependencies are coroutines because FastAPI sends plain functions to a thread.


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


async def _state_caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


async def _request_id(request_id: str) -> str:
    try:
        return parse_any_id(request_id)
    except ValueError as error:  # IllFormedId, or a part of more digits than int() takes
        message = str(error)
        raise Problem(
            422, "This is no request number.", errors=[FieldError(field="request_id", message=message)]
        ) from None


CallerOf = Annotated[Caller, Depends(_state_caller)]
PartsOf = Annotated[Parts, Depends(_parts)]
RequestIdOf = Annotated[str, Depends(_request_id)]
CrisisName = Annotated[str, Path(examples=["salgin"], description="as in crises.yaml")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", pattern=CALLER_KEY, description="the same key and body give the same answer, once kept"
    ),
]

guarded = APIRouter(route_class=GuardedRoute, dependencies=guard.DOCUMENTED)
internal = APIRouter(route_class=StrictRoute, tags=["keys"])


@guarded.post(
    "/v1/requests",
    status_code=202,
    tags=["requests"],
    responses=problems(401, 403, 409, 413, 415, 422, 503),
    openapi_extra={_SCOPE: "requests:write"},
)
async def post_request(
    body: NewRequest, caller: CallerOf, parts: PartsOf, idempotency_key: IdempotencyKey = None
) -> RequestTaken:
    """
    Take a citizen's request. The answer comes when it is kept; send again with the same key after a 503.
    """
    return await parts.intake.take_request(body, caller, idempotency_key)


@guarded.post(
    "/v1/requests/{request_id}/updates",
    status_code=202,
    tags=["updates"],
    responses=problems(401, 403, 409, 413, 415, 422, 503),
    openapi_extra={_SCOPE: "updates:write"},
)
async def post_update(
    request_id: RequestIdOf, body: NewUpdate, caller: CallerOf, parts: PartsOf, idempotency_key: IdempotencyKey = None
) -> UpdateTaken:
    """
    Take what a department does with a request or with a part of one (``….1``). What cannot be judged at once is
    answered at the update's result.
    """
    return await parts.intake.take_update(body, request_id, caller, idempotency_key)


@guarded.get(
    "/v1/requests/{request_id}/updates/{update_id}",
    tags=["updates"],
    responses=problems(401, 403, 404, 422, 503),
    response_model_exclude_none=True,
    openapi_extra={_SCOPE: "updates:write"},
)
async def get_update(request_id: RequestIdOf, update_id: str, caller: CallerOf, parts: PartsOf) -> UpdateResult:
    """
    Whether an update was applied or refused, and why.
    """
    found = await parts.intake.update_result(request_id, update_id, caller)
    if found is None:
        raise Problem(404, "No such update of this request is known.")
    return found


@guarded.post(
    "/v1/requests/{request_id}/replies",
    status_code=202,
    tags=["requests"],
    responses=problems(401, 403, 409, 413, 415, 422, 503),
    openapi_extra={_SCOPE: "requests:write"},
)
async def post_reply(
    request_id: RequestIdOf, body: NewReply, caller: CallerOf, parts: PartsOf, idempotency_key: IdempotencyKey = None
) -> ReplyTaken:
    """
    For channel adapters and operators: take what a citizen answered to a question about a request, or added unasked.

    With ``external_id`` (or ``Idempotency-Key``) it can be sent again without harm. If the request waits for its
    citizen, the reply lets it go on; in any case its holder reads it.
    """
    return await parts.intake.take_reply(body, request_id, caller, idempotency_key)


@guarded.get(
    "/v1/crises",
    tags=["crises"],
    responses=problems(401, 403, 503),
    openapi_extra={_SCOPE: "crises:write"},
)
async def get_crises(parts: PartsOf) -> CrisisList:
    """
    Every crisis that can be declared: whether it is on, what it changes, and who declared it when and why.
    """
    return await parts.declarations.all()


@guarded.post(
    "/v1/crises/{name}",
    status_code=202,
    tags=["crises"],
    responses=problems(401, 403, 404, 413, 415, 422, 503),
    openapi_extra={_SCOPE: "crises:write"},
)
async def post_crisis(name: CrisisName, body: NewCrisis, caller: CallerOf, parts: PartsOf) -> CrisisTaken:
    """
    Declare a crisis, from now or later, for a time or until it is ended. The last word on a crisis counts.

    The answer comes when it is declared; after a 503 it may or may not be: declare it again.
    """
    return await parts.declarations.declare(name, body, caller.adapter)


@guarded.post(
    "/v1/crises/{name}/end",
    status_code=202,
    tags=["crises"],
    responses=problems(401, 403, 404, 413, 415, 422, 503),
    openapi_extra={_SCOPE: "crises:write"},
)
async def end_crisis(name: CrisisName, body: CrisisEnd, caller: CallerOf, parts: PartsOf) -> CrisisTaken:
    """
    End a crisis now. One that is not on stays off.
    """
    return await parts.declarations.end(name, body, caller.adapter)


@internal.post("/v1/keys/verify", responses=problems(404, 413, 415, 422, 503))
async def verify_key(question: KeyQuestion, parts: PartsOf) -> KeyAnswer:
    """
    For our own services: whose key has this hash. Tells nothing to whoever does not hold the key.
    """
    try:
        caller = await parts.keys.caller(question.key_hash)
    except KeysNotLoaded:
        raise Problem(503, "Keys cannot be checked now.", headers={"Retry-After": "5"}) from None
    if caller is None:
        raise Problem(404, "No key has this hash.")
    return KeyAnswer(adapter=caller.adapter, scopes=sorted(caller.scopes), departments=sorted(caller.departments))


def create_app(make_parts: MakeParts, links: Links = LOCAL) -> FastAPI:
    """
    The application; ``make_parts`` opens and closes what it stands on. ``links``: where browsers find our pages.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with make_parts() as parts:
            app.state.parts, app.state.people = parts, parts.people
            http.health_of(app).duties.extend(parts.duties)
            yield

    app = FastAPI(
        title="İLKİM intake",
        version="1.0.0",
        description="Takes requests of citizens and updates of departments. A 202 means that it is kept.",
        lifespan=lifespan,
    )

    async def ready() -> dict[str, object]:
        parts: Parts = app.state.parts
        return await parts.ready()

    http.install(
        app,
        ready=ready,
        larger={
            **attachments_api.BODY_LIMITS,
            **open311_api.BODY_LIMITS,
            **console.BODY_LIMITS,
            **form_pages.BODY_LIMITS,
            **whatsapp_webhook.BODY_LIMITS,
        },
    )
    guard.install_guard(app)
    app.add_middleware(Patience, seconds=SECONDS_TO_SEND)
    app.add_middleware(RateLimit, limits=_limits, owner=_owner)
    app.add_middleware(Shape)
    install_pages(
        app, templates=(console.TEMPLATES, citizens.TEMPLATES), static=(console.STATIC, citizens.STATIC), links=links
    )

    @app.exception_handler(Refused)
    async def _refused(_: Request, error: Refused) -> Response:
        errors = [FieldError(field=error.field, message=error.message)]
        return Problem(422, "Some fields are not as they should be.", errors=errors).response()

    @app.exception_handler(Forbidden)
    async def _forbidden(_: Request, error: Forbidden) -> Response:
        return Problem(403, str(error)).response()

    @app.exception_handler(Conflict)
    async def _conflict(_: Request, error: Conflict) -> Response:
        return Problem(409, str(error)).response()

    @app.exception_handler(NowhereToKeep)
    async def _nowhere(_: Request, __: NowhereToKeep) -> Response:
        detail = "It cannot be kept safely now: please send it again, with the same key if it has one."
        return Problem(503, detail, headers={"Retry-After": "5"}).response()

    @app.exception_handler(UnknownCrisis)
    async def _unknown_crisis(_: Request, error: UnknownCrisis) -> Response:
        return Problem(404, str(error)).response()

    @app.exception_handler(PublishFailed)
    async def _not_published(_: Request, __: PublishFailed) -> Response:
        return Problem(503, "Kafka does not answer: please send it again.", headers={"Retry-After": "5"}).response()

    @app.exception_handler(Away)
    async def _away(_: Request, __: Away) -> Response:
        return Problem(503, "MongoDB does not answer: please send it again.", headers={"Retry-After": "5"}).response()

    open311_api.install(app)
    app.include_router(guarded)
    app.include_router(attachments_api.router)
    app.include_router(internal)
    app.include_router(webhook.router)
    app.include_router(twilio_webhook.router)
    app.include_router(whatsapp_webhook.router)
    app.include_router(sms_webhook.router)
    app.include_router(calls.router)
    app.include_router(console.router)
    app.include_router(tracking_pages.api)
    app.include_router(form_pages.router)
    app.include_router(tracking_pages.router)
    return app
