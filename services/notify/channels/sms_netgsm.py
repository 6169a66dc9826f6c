"""
SMS by NetGSM's REST API, version 2, as NetGSM's own client has it. It takes no key of ours: a repeat is a second SMS.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import httpx

from services.common.contracts.vocabulary import DeliveryStatus
from services.common.kit.clock import Clock, system_clock
from services.notify.channels.base import Letter, PermanentError, Report, TemporaryError
from services.notify.channels.gsm7 import GSM, measure
from services.notify.channels.http import Answer, ask, unclear
from services.notify.channels.sms import SmsSettings, national, words

URL: Final = "https://api.netgsm.com.tr"
_TAKEN: Final = "00"
_NO_RECORDS: Final = "60"
_AT_ONCE: Final = 100  # jobs in one question; ten questions a minute are answered
_MINUTE: Final = timedelta(minutes=1)
_MENDED: Final = timedelta(minutes=5)

# What the codes mean. 30 account or address, 40 our name, 50 and 51 İYS: ours to mend. 20 text, 70 parameter: the
# message. 80 too fast, 85 too many to this number in a minute. 100, 101, 5000: their system.
_OURS: Final = frozenset({"30", "40", "50", "51"})
_MESSAGE: Final = frozenset({"20", "70"})
_FAILED: Final = frozenset({2, 3, 4, 11, 12, 14, 15, 16, 17})  # expired, invalid, not sent, refused …
_DELIVERED: Final = 1
_DUPLICATE: Final = 13  # the same text went to the same number before: that one counts


class NetgsmSender:
    """
    Hands SMS to NetGSM, one a call; its answer's ``jobid`` is what reports are asked by.
    """

    def __init__(self, settings: SmsSettings, client: httpx.AsyncClient, clock: Clock = system_clock) -> None:
        self._settings = settings
        self._auth = httpx.BasicAuth(settings.user, settings.password)
        self._client = client
        self._clock = clock

    async def send(self, letter: Letter, /) -> str | None:
        """
        Return the job's id. Informational messages are no matter of İYS (``iysfilter`` 0).
        """
        text = words(letter.message)
        body: dict[str, Any] = {
            "msgheader": self._settings.sender,
            "iysfilter": "0",
            "messages": [{"msg": text, "no": national(letter.to)}],
        }
        if measure(text).alphabet is not GSM:
            body["encoding"] = "TR"
        answer = await self._post("send", body)
        if answer.body.get("code") != _TAKEN:
            raise _ruling(answer)
        job = answer.body.get("jobid")
        return str(job) if job else None

    async def reports(self, provider_ids: Sequence[str], /) -> Mapping[str, Report]:
        """
        What NetGSM says of the jobs. Raises ``TemporaryError`` if it does not answer or was asked too often.
        """
        found: dict[str, Report] = {}
        for start in range(0, len(provider_ids), _AT_ONCE):
            jobs = list(provider_ids[start : start + _AT_ONCE])
            try:
                answer = await self._post("report", {"jobids": jobs, "pagenumber": 0, "pagesize": _AT_ONCE})
            except TimeoutError as error:
                raise TemporaryError(str(error)) from None
            code = answer.body.get("code")
            if code not in (_TAKEN, _NO_RECORDS):
                raise TemporaryError(f"netgsm_{code or answer.status}", answer.after or _MINUTE)
            for job in answer.body.get("jobs") or ():
                if (report := _report(job.get("status"))) is not None:
                    found[str(job.get("jobid"))] = report
        return found

    async def _post(self, what: str, body: dict[str, Any]) -> Answer:
        url = f"{self._settings.url.rstrip('/')}/sms/rest/v2/{what}"
        return await ask(self._client, self._clock, "POST", url, json=body, auth=self._auth)

    async def close(self) -> None:
        """
        The client belongs to whoever made it.
        """


def _ruling(answer: Answer) -> Exception:
    code = answer.body.get("code")
    if not isinstance(code, str):
        return unclear(answer)
    name = f"netgsm_{code}"
    if code in _OURS:
        return TemporaryError(name, _MENDED, alert=True)
    if code in _MESSAGE:
        return PermanentError(name, elsewhere=True)
    return TemporaryError(name, answer.after or (_MINUTE if code in ("80", "85") else None), alone=code == "85")


def _report(status: object) -> Report | None:
    if status == _DELIVERED:
        return Report(DeliveryStatus.DELIVERED)
    if status == _DUPLICATE:
        return Report(DeliveryStatus.SENT)
    return Report(DeliveryStatus.FAILED, f"netgsm_{status}") if status in _FAILED else None
