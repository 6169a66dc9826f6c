"""
Twilio Voice: ``POST /webhooks/twilio/voice``, ``…/menu``, ``…/status``. Only what Twilio signed for our public URL.
"""

from typing import Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response

from services.common.kit.http import FieldError, Problem, problems
from services.intake.calls import twilio
from services.intake.calls.console import Telephony

_XML: Final = "text/xml; charset=utf-8"
_ANSWERS: Final = problems(403, 404, 413, 422, 503)
router = APIRouter(tags=["telephone"])


async def _form(request: Request) -> tuple[Telephony, dict[str, str], str]:
    """
    The signed fields, and our id of the call. 404 if Twilio is not used here, 403 without its signature.
    """
    telephony: Telephony = request.app.state.parts.telephony
    if telephony.twilio_token is None:
        raise Problem(404, "Twilio is not used here.")
    try:
        fields = parse_qsl((await request.body()).decode(), keep_blank_values=True, errors="strict", max_num_fields=200)
    except ValueError:
        errors = [FieldError(field="body", message="must be a form in UTF-8 with at most 200 fields")]
        raise Problem(422, "The body could not be read.", errors=errors) from None
    query = f"?{request.url.query}" if request.url.query else ""
    url = telephony.public_url + request.url.path + query
    headers = request.headers
    settings = headers.get("X-Twilio-Webhooks-Signature-Settings")
    if not twilio.signed(headers.get("X-Twilio-Signature"), url, fields, telephony.twilio_token, settings):
        raise Problem(403, "The signature is not Twilio's for this URL and these fields.")
    form = dict(fields)
    number = twilio.number_of(form)
    if number is None or len(number) > 250:
        errors = [FieldError(field="CallSid", message="must be the call's id")]
        raise Problem(422, "Some fields are not as they should be.", errors=errors)
    return telephony, form, telephony.switchboard.call_id(twilio.EXCHANGE, number)


@router.post(twilio.VOICE, response_class=Response, responses=_ANSWERS)
async def voice(request: Request) -> Response:
    """
    A call comes in: note it, read the menu.
    """
    telephony, form, call_id = await _form(request)
    await telephony.switchboard.take(twilio.rang(form, call_id, telephony.switchboard.now()))
    return Response(twilio.menu(telephony.public_url), media_type=_XML)


@router.post(twilio.MENU, response_class=Response, responses=_ANSWERS)
async def menu(request: Request) -> Response:
    """
    The caller pressed a key, or none: connect them.
    """
    telephony, form, _ = await _form(request)
    twiml = twilio.connect(telephony.public_url, form.get("Digits", ""), telephony.twilio_number)
    return Response(twiml, media_type=_XML)


@router.post(twilio.STATUS, response_class=Response, responses=_ANSWERS)
async def status(request: Request) -> Response:
    """
    A leg of a call changed.
    """
    telephony, form, call_id = await _form(request)
    report = twilio.report_of(form, call_id, telephony.switchboard.now())
    if report is not None:
        await telephony.switchboard.take(report)
    return Response(twilio.nothing(), media_type=_XML)
