"""
WhatsApp's webhook: ``GET`` and ``POST /webhooks/whatsapp``, as Meta's Cloud API calls it.

A 200 means that all that can be read in the body is kept. After a 503 Meta sends the same again, for days.
"""

from dataclasses import dataclass, field
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from services.common.kit import metrics
from services.common.kit.clock import Clock
from services.common.kit.http import FieldError, Problem, problems
from services.common.kit.logs import logger
from services.intake.conversations.inbound import Inbox
from services.intake.conversations.whatsapp import ADAPTER, NotABody, Parsed, challenge, parse, signed

log = logger(__name__)
PATH: Final = "/webhooks/whatsapp"
BODY_LIMITS: Final = {PATH: 3_145_728}  # Meta's own limit
router = APIRouter(tags=["conversations"])


@dataclass(frozen=True, slots=True)
class Hook:
    """
    What the routes need. With ``number_id`` only what concerns that telephone number of ours is taken.
    """

    inbox: Inbox
    app_secret: bytes = field(repr=False)
    verify_token: str = field(repr=False)
    number_id: str | None
    clock: Clock


def _hook(request: Request) -> Hook:
    hook: Hook | None = request.app.state.parts.whatsapp
    if hook is None:
        raise Problem(404, "WhatsApp is not used here.")
    return hook


@router.get(PATH, response_class=PlainTextResponse, responses=problems(403, 404))
async def verify(request: Request) -> PlainTextResponse:
    """
    Meta asks once whether this URL is ours: the challenge is the answer to who knows our token.
    """
    answer = challenge(request.query_params, _hook(request).verify_token)
    if answer is None:
        raise Problem(403, "The token is not ours.")
    return PlainTextResponse(answer)


@router.post(PATH, responses=problems(400, 401, 404, 413, 503))
async def receive(request: Request) -> dict[str, int]:
    """
    Messages of citizens, and what became of ours. Answers how much was taken.
    """
    hook = _hook(request)
    body = await request.body()
    if not signed(request.headers.get("X-Hub-Signature-256"), body, hook.app_secret):
        raise Problem(401, "The signature is not Meta's for this body.", headers={"WWW-Authenticate": "Signature"})
    try:
        parsed = parse(body, hook.clock(), hook.number_id)
    except NotABody as error:
        errors = [FieldError(field="body", message=str(error))]
        raise Problem(400, "The body could not be read.", errors=errors) from None
    for inbound in parsed.messages:
        await hook.inbox.take(inbound)
    for delivery in parsed.deliveries:
        await hook.inbox.report(delivery)
    _count(parsed)
    return {"messages": len(parsed.messages), "statuses": len(parsed.deliveries)}


def _count(parsed: Parsed) -> None:
    taken = [message.kind.value for message in parsed.messages] + ["status"] * len(parsed.deliveries)
    for outcome in taken:
        metrics.inbound_total.labels(ADAPTER, outcome).inc()
    for why, times in parsed.ignored.items():
        metrics.inbound_total.labels(ADAPTER, why).inc(times)
    if parsed.ignored:
        log.info("parts of a webhook were not taken", channel=ADAPTER, **parsed.ignored)
