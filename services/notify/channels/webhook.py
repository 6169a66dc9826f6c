"""
Partners' systems are told by webhook, signed as Standard Webhooks has it.
"""

from collections.abc import Mapping
from typing import Final

import httpx
import orjson
from standardwebhooks.webhooks import Webhook

from services.common.kit.clock import Clock, system_clock
from services.notify.channels.base import Letter, PermanentError, Sender, TemporaryError
from services.notify.channels.http import ask
from services.notify.partners import Partner

# Gone, not there, moved (we follow nobody), or too much for them: the same again would end the same. What else is no
# 2xx may be mended on the other side while we try.
_NEVER: Final = frozenset({301, 302, 303, 307, 308, 404, 410, 413})


class WebhookSender:
    """
    Posts what a message has as ``data`` to one partner. A repeat has the same ``webhook-id``, by which the partner
    knows it, so what is unknown can be told again.
    """

    def __init__(self, partner: Partner, client: httpx.AsyncClient, clock: Clock = system_clock) -> None:
        self._url = partner.url
        self._signer = Webhook(partner.secret)
        self._client = client
        self._clock = clock

    async def send(self, letter: Letter, /) -> str | None:
        """
        Return when the partner's system said 2xx. It gives no name; nothing that it says besides is read.
        """
        if letter.message.data is None:
            raise PermanentError("nothing_to_tell", asked=False)
        body = orjson.dumps(letter.message.data).decode()
        now = self._clock()
        headers = {
            "Content-Type": "application/json",
            "webhook-id": letter.key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(letter.key, now, body),
        }
        answer = await ask(self._client, self._clock, "POST", self._url, content=body.encode(), headers=headers)
        if answer.status in _NEVER:
            raise PermanentError(f"http_{answer.status}")
        if not answer.ok:
            raise TemporaryError(f"http_{answer.status}", answer.after)
        return None

    async def close(self) -> None:
        """
        The client belongs to whoever made it.
        """


class PartnersSender:
    """
    All partners as one channel: a message's address is the partner's name. That one is down is no matter of the others.
    """

    def __init__(self, partners: Mapping[str, Sender]) -> None:
        self._partners = partners

    @property
    def partners(self) -> Mapping[str, Sender]:
        """
        What stands behind, by the partners' names.
        """
        return self._partners

    async def send(self, letter: Letter, /) -> str | None:
        """
        Tell the partner. Raises ``PermanentError`` for one that is not in the file any more.
        """
        partner = self._partners.get(letter.to)
        if partner is None:
            raise PermanentError("no_such_partner", asked=False)
        return await partner.send(letter)

    async def close(self) -> None:
        """
        Close what stands behind.
        """
        for partner in self._partners.values():
            await partner.close()
