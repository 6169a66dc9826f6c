"""
The webhook for every telephone exchange: ``POST /webhooks/telephony/{token}``, JSON or form, as Zammad's generic CTI
has it (newCall, answer, hangup). Repeats, disorder and lost events do no harm. What we do not know is ignored, a
``recordingUrl`` too: recordings stay with the exchange.

A 2xx means that it is kept. After a 503 the exchange sends again; if it does not, a later event of the call brings what
is missing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from services.common.kit.http import BodyError, FieldError, Problem, problems
from services.intake import cleaning
from services.intake.calls.domain import CAUSES, Report, Step
from services.intake.calls.switchboard import Switchboard, in_milliseconds
from services.intake.hooks import owner_of, value_of

AHEAD: Final = timedelta(minutes=5)
OLDEST: Final = timedelta(days=1)
EXTENSION: Final = r"^[0-9A-Za-z*#+_.-]{1,20}$"
_WITHHELD: Final = frozenset({"", "anonymous", "unknown", "restricted", "private", "unavailable", "withheld"})
_CAUSES: Final = {cause.lower(): cause for cause in CAUSES}

router = APIRouter()


def _word(limit: int) -> Any:
    return AfterValidator(lambda text: cleaning.one_line(text, limit))


def _text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Extension = Annotated[str, BeforeValidator(_text), Field(pattern=EXTENSION)]
Numberlike = Annotated[str, BeforeValidator(_text), Field(max_length=200)]


class CtiEvent(BaseModel):
    """
    One event of an exchange. ``extension`` and ``at`` are ours: where alone it rings, and when it was.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
    event: Literal["newCall", "answer", "hangup"]
    call_id: Annotated[str, BeforeValidator(_text), Field(alias="callId", min_length=1, max_length=250)]
    direction: Literal["in", "out"] = "in"
    number: Numberlike = Field(alias="from", default="", repr=False)
    queue: Annotated[str, _word(100)] | None = None
    extension: Extension | None = None
    answering_number: Extension | None = Field(alias="answeringNumber", default=None)
    cause: str = Field(default="unknown", max_length=200)
    at: Annotated[datetime, BeforeValidator(cleaning.moment)] | None = None


class Taken(BaseModel):
    """
    The event is kept. ``ignored``: it is of an outgoing call.
    """

    call_id: str | None = None
    state: str = "ignored"


def caller_number(text: str) -> str | None:
    """
    The number of who calls as E.164; None if it is withheld or no number that could be called back.
    """
    if text.strip().lower() in _WITHHELD:
        return None
    try:
        return cleaning.phone(text)
    except ValueError:
        return None


def fields_of(raw: bytes, media_type: str) -> dict[str, Any]:
    """
    The fields of a body, JSON or form. Raises ``BodyError``.
    """
    value = value_of(raw, media_type)
    if not isinstance(value, dict):
        raise BodyError("the body must be an object")
    return value


def event_of(fields: Mapping[str, Any]) -> CtiEvent:
    """
    The event in the fields; blank ones count as left out. Answers 422 naming the fields at fault, never what they hold.
    """
    given = {name: value for name, value in fields.items() if value not in (None, "")}
    try:
        return CtiEvent.model_validate(given)
    except ValidationError as error:
        errors = [
            FieldError(field=".".join(map(str, row["loc"])), message=row["msg"].removeprefix("Value error, "))
            for row in error.errors(include_input=False, include_context=False, include_url=False)
        ]
        raise Problem(422, "Some fields are not as they should be.", errors=errors) from None


def report_of(event: CtiEvent, call_id: str, exchange: str, now: datetime) -> Report:
    """
    What an event reports. A time of the exchange's own counts if it is of the last day.
    """
    at = event.at if event.at is not None and now - OLDEST <= event.at <= now + AHEAD else now
    step = Step(event.event)
    return Report(
        step=step,
        call_id=call_id,
        exchange=exchange,
        at=in_milliseconds(at),
        phone=caller_number(event.number),
        queue=event.queue,
        extension=event.extension if step is Step.RANG else event.answering_number,
        cause=_CAUSES.get(event.cause.lower(), "unknown"),
    )


@router.post("/webhooks/telephony/{token}", tags=["telephone"], responses=problems(401, 413, 415, 422, 503))
async def post_event(request: Request, token: str) -> Taken:
    """
    For telephone exchanges and their bridges: a call rings, is answered, is over.
    """
    telephony = request.app.state.parts.telephony
    exchange = owner_of(token, telephony.exchanges)
    if exchange is None:
        raise Problem(401, "No telephone exchange has this token.", headers={"WWW-Authenticate": "Token"})
    raw = await request.body()
    try:
        event = event_of(fields_of(raw, request.headers.get("content-type", "")))
    except BodyError as error:
        errors = [FieldError(field="body", message=str(error))]
        raise Problem(422, "The body could not be read.", errors=errors) from None
    switchboard: Switchboard = telephony.switchboard
    if event.direction == "out":
        return Taken()
    call_id = switchboard.call_id(exchange, event.call_id)
    call = await switchboard.take(report_of(event, call_id, exchange, switchboard.now()))
    return Taken(call_id=call.id, state=call.state)
