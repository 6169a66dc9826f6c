"""
Calls by Twilio Voice: its signature, what its webhooks report, and what callers hear (TwiML). Pure.

Twilio answers a call itself to read the menu, so ``in-progress`` of the incoming leg says nothing; a member of staff
answered when the leg to the desk is in progress.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hmac import compare_digest
from typing import Final
from urllib.parse import urlsplit
from xml.etree import ElementTree

from services.intake.calls.domain import Report, Step
from services.intake.calls.webhook import caller_number

EXCHANGE: Final = "twilio"
QUEUE: Final = "ilkim"
EMERGENCY: Final = "1"
VOICE: Final = "/webhooks/twilio/voice"
MENU: Final = f"{VOICE}/menu"
STATUS: Final = f"{VOICE}/status"
LANGUAGE: Final = "tr-TR"
WELCOME: Final = (
    "İlkadım Belediyesi İletişim Merkezi'ne hoş geldiniz. "
    "Kimlik ve iletişim bilgileriniz, 6698 sayılı Kanun'a göre, yalnızca başvurunuzu sonuçlandırmak için işlenir. "
    "Ayrıntılı bilgiyi internet sitemizde bulabilirsiniz. "
    "Can ve mal güvenliğini tehdit eden acil bir durum için biri tuşlayınız. Diğer başvurularınız için hatta kalınız."
)
EMERGENCY_ADVICE: Final = (
    "Yangın, kaza, sağlık ve güvenlik gibi acil durumlarda lütfen bu görüşmeyi kapatıp 112'yi arayınız. "
    "Hatta kalırsanız sizi bekletmeden görevli arkadaşımıza bağlıyoruz."
)
PLEASE_HOLD: Final = "Sizi görevli arkadaşımıza bağlıyoruz, lütfen bekleyiniz."
_HASHES: Final = {"HMAC_SHA1": hashlib.sha1, "HMAC_SHA256": hashlib.sha256}
_CAUSES: Final = {
    "completed": "normalClearing",
    "busy": "busy",
    "no-answer": "noAnswer",
    "canceled": "cancel",
    "failed": "congestion",
}
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}

Fields = Sequence[tuple[str, str]]


def signature(url: str, fields: Fields, token: str, algorithm: str = "HMAC_SHA1") -> str:
    """
    What Twilio writes into X-Twilio-Signature for a form posted to this URL. Raises ``KeyError`` for an algorithm that
    it does not use.
    """
    text = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), _HASHES[algorithm]).digest()).decode()


def signed(shown: str | None, url: str, fields: Fields, token: str, settings: str | None = None) -> bool:
    """
    Whether Twilio signed this form for the public ``url``, with its port or without, in a time that tells nothing.

    ``settings`` is its header X-Twilio-Webhooks-Signature-Settings.
    """
    algorithm = _algorithm(settings)
    if shown is None or algorithm not in _HASHES:
        return False
    found = False
    for spelling in _spellings(url):
        expected = signature(spelling, fields, token, algorithm)
        found |= compare_digest(shown.encode("utf-8", "replace"), expected.encode())
    return found


def _algorithm(settings: str | None) -> str:
    for part in (settings or "").split(","):
        name, _, value = part.partition("=")
        if name.strip() == "algorithm" and value.strip():
            return value.strip().upper()
    return "HMAC_SHA1"


def _spellings(url: str) -> Iterable[str]:
    parts = urlsplit(url)
    host = parts.netloc.rpartition(":")[0] if parts.port else parts.netloc
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 80)
    return (parts._replace(netloc=host).geturl(), parts._replace(netloc=f"{host}:{port}").geturl())


def number_of(fields: Mapping[str, str]) -> str | None:
    """
    Twilio's number of the incoming call, also in what it tells of the leg to the desk; None if it is no call.
    """
    return fields.get("ParentCallSid") or fields.get("CallSid") or None


def rang(fields: Mapping[str, str], call_id: str, now: datetime) -> Report:
    """
    A call came in.
    """
    phone = caller_number(fields.get("From", ""))
    return Report(Step.RANG, call_id, EXCHANGE, now, phone=phone, queue=QUEUE)


def report_of(fields: Mapping[str, str], call_id: str, now: datetime) -> Report | None:
    """
    What a status tells; None if nothing that counts.
    """
    status = fields.get("CallStatus", "")
    if fields.get("ParentCallSid"):
        return Report(Step.ANSWERED, call_id, EXCHANGE, now, queue=QUEUE) if status == "in-progress" else None
    if status in ("queued", "ringing"):
        return rang(fields, call_id, now)
    cause = _CAUSES.get(status)
    if cause is None:
        return None
    phone = caller_number(fields.get("From", ""))
    return Report(Step.HUNG_UP, call_id, EXCHANGE, now, phone=phone, queue=QUEUE, cause=cause)


def menu(public_url: str) -> bytes:
    """
    What a caller hears first: who is there, what happens to their data, and 1 for an emergency. Who presses nothing
    goes on.
    """
    response = ElementTree.Element("Response")
    gather = ElementTree.SubElement(
        response,
        "Gather",
        {"input": "dtmf", "numDigits": "1", "timeout": "3", "action": public_url + MENU, "method": "POST"},
    )
    _say(gather, WELCOME)
    ElementTree.SubElement(response, "Redirect", {"method": "POST"}).text = public_url + MENU
    return _document(response)


def connect(public_url: str, digits: str, desk_number: str | None) -> bytes:
    """
    After the menu: 112 is named to whoever pressed 1, then all go to the desk: its number (E.164), or the queue.
    """
    response = ElementTree.Element("Response")
    _say(response, EMERGENCY_ADVICE if digits == EMERGENCY else PLEASE_HOLD)
    if desk_number is None:
        ElementTree.SubElement(response, "Enqueue").text = QUEUE
        return _document(response)
    dial = ElementTree.SubElement(response, "Dial", {"answerOnBridge": "true"})
    told = {
        "statusCallback": public_url + STATUS,
        "statusCallbackEvent": "answered completed",
        "statusCallbackMethod": "POST",
    }
    ElementTree.SubElement(dial, "Number", told).text = desk_number
    return _document(response)


def nothing() -> bytes:
    """
    TwiML that does nothing.
    """
    return _document(ElementTree.Element("Response"))


def _say(parent: ElementTree.Element, text: str) -> None:
    ElementTree.SubElement(parent, "Say", {"language": LANGUAGE}).text = text


def _document(response: ElementTree.Element) -> bytes:
    text: bytes = ElementTree.tostring(response, encoding="utf-8", xml_declaration=True)
    return text
