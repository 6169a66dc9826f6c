"""
SMS by İletimerkezi's JSON API. It takes no key of ours, but it refuses the same order twice.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import httpx

from services.common.contracts.vocabulary import DeliveryStatus
from services.common.kit.clock import Clock, system_clock
from services.notify.channels.base import Letter, PermanentError, Report, TemporaryError
from services.notify.channels.http import Answer, ask, unclear
from services.notify.channels.sms import SmsSettings, national, words

URL: Final = "https://api.iletimerkezi.com"
_OK: Final = 200
_REPEATED: Final = 451
_NOTHING_TO_SAY: Final = frozenset({455, 456})  # no such order; not yet its time
_MENDED: Final = timedelta(minutes=5)

# 401 account, 402 credit, 450, 459, 460 our name, 467-470 İYS and papers: ours to mend. 452, 466: the number.
# 422, 453, 454: the message. All else: their system.
_OURS: Final = frozenset({401, 402, 450, 459, 460, 467, 468, 469, 470})
_MESSAGE: Final = frozenset({400, 422, 452, 453, 454, 466})
_STATUS: Final = {111: DeliveryStatus.DELIVERED, 112: DeliveryStatus.FAILED}
_ORDER_FAILED: Final = 115


class IletimerkeziSender:
    """
    Hands SMS to İletimerkezi, one an order; the order's id is what reports are asked by.
    """

    def __init__(self, settings: SmsSettings, client: httpx.AsyncClient, clock: Clock = system_clock) -> None:
        self._settings = settings
        self._client = client
        self._clock = clock

    async def send(self, letter: Letter, /) -> str | None:
        """
        Return the order's id; None if İletimerkezi has the very same order already, for then it was sent.
        """
        order = {
            "sender": self._settings.sender,
            "sendDateTime": [],
            "iys": "0",  # informational messages are no matter of İYS
            "message": {"text": words(letter.message), "receipents": {"number": [national(letter.to)]}},
        }
        answer = await self._post("send-sms", order)
        code = _code(answer)
        if code == _REPEATED:
            return None
        if code != _OK:
            raise _ruling(answer, code)
        match answer.body:
            case {"response": {"order": {"id": found}}}:
                return str(found)
            case _:
                return None

    async def reports(self, provider_ids: Sequence[str], /) -> Mapping[str, Report]:
        """
        What İletimerkezi says of the orders, asked one by one. Raises ``TemporaryError`` if it does not answer.
        """
        found: dict[str, Report] = {}
        for order in provider_ids:
            try:
                answer = await self._post("get-report", {"id": order, "page": "1", "rowCount": "1000"})
            except TimeoutError as error:
                raise TemporaryError(str(error)) from None
            code = _code(answer)
            if code in _NOTHING_TO_SAY:
                continue
            if code != _OK:
                raise TemporaryError(f"iletimerkezi_{code or answer.status}", answer.after)
            if (report := _report(answer.body)) is not None:
                found[order] = report
        return found

    async def _post(self, what: str, order: dict[str, Any]) -> Answer:
        account = {"key": self._settings.user, "hash": self._settings.password}
        body = {"request": {"authentication": account, "order": order}}
        url = f"{self._settings.url.rstrip('/')}/v1/{what}/json"
        return await ask(self._client, self._clock, "POST", url, json=body)

    async def close(self) -> None:
        """
        The client belongs to whoever made it.
        """


def _code(answer: Answer) -> int | None:
    """
    The code in the body, which is a number or one in quotes.
    """
    match answer.body:
        case {"response": {"status": {"code": int() | str() as code}}} if str(code).isdecimal():
            return int(code)
        case _:
            return None


def _ruling(answer: Answer, code: int | None) -> Exception:
    if code is None:
        return unclear(answer)
    name = f"iletimerkezi_{code}"
    if code in _OURS:
        return TemporaryError(name, _MENDED, alert=True)
    if code in _MESSAGE:
        return PermanentError(name, elsewhere=True)
    return TemporaryError(name, answer.after)


def _report(body: Mapping[str, Any]) -> Report | None:
    match body:
        case {"response": {"order": {"message": [{"status": int() | str() as said}, *_]}}} if str(said).isdecimal():
            status = _STATUS.get(int(said))
            code = f"iletimerkezi_{said}" if status is DeliveryStatus.FAILED else None
            return None if status is None else Report(status, code)
        case {"response": {"order": {"status": int() | str() as said}}} if str(said) == str(_ORDER_FAILED):
            return Report(DeliveryStatus.FAILED, f"iletimerkezi_{said}")
        case _:
            return None
