"""
Partners' systems are told by webhook, signed as Standard Webhooks has it.
"""

from collections.abc import Mapping
from typing import Final

import httpx
import orjson
from standardwebhooks.webhooks import Webhook

from services.common.kit.clock import Clock, system_clock
from services.notify.channels.base import Letter, PermanentError, TemporaryError
from services.notify.channels.http import ask
from services.notify.partners import Partner

# Gone, not there, moved (we follow nobody), or too much for them: the same again would end the same. What else is no
# 2xx may be mended on the other side while we try.
_NEVER: Final = frozenset({301, 302, 303, 307, 308, 404, 410, 413})


class WebhookSender:
    """
    Posts what a message has as ``data`` to the partner whose name it is sent to. A repeat has the same ``webhook-id``,
    by which the partner knows it, so what is unknown can be told again.
    """

    def __init__(self, partners: Mapping[str, Partner], client: httpx.AsyncClient, clock: Clock = system_clock) -> None:
        self._partners = partners
        self._signers = {name: Webhook(partner.secret) for name, partner in partners.items()}
        self._client = client
        self._clock = clock

    async def send(self, letter: Letter, /) -> str | None:
        """
        Return when the partner's system said 2xx. It gives no name; nothing that it says besides is read.
        """
        partner = self._partners.get(letter.to)
        if partner is None or letter.message.data is None:
            raise PermanentError("no_such_partner" if partner is None else "nothing_to_tell")
        body = orjson.dumps(letter.message.data).decode()
        now = self._clock()
        headers = {
            "Content-Type": "application/json",
            "webhook-id": letter.key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signers[letter.to].sign(letter.key, now, body),
        }
        answer = await ask(self._client, self._clock, "POST", partner.url, content=body.encode(), headers=headers)
        if answer.status in _NEVER:
            raise PermanentError(f"http_{answer.status}")
        if not answer.ok:
            raise TemporaryError(f"http_{answer.status}", answer.after)
        return None

    async def close(self) -> None:
        """
        The client belongs to whoever made it.
        """
