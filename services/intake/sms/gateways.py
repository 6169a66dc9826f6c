"""
The gateways that we know, and keeping what they bring.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from services.common.kit import metrics
from services.common.kit.clock import Clock
from services.common.kit.logs import logger
from services.intake.conversations.inbound import Inbox
from services.intake.sms.shapes import Text, seen

log = logger(__name__)
CHANNEL: Final = "sms"
_REMEMBERED: Final = 10_000


class Gateways:
    """
    Takes texts to the inbox. ``tokens``: each gateway's secret by its name. What our ``own_numbers`` (E.164) send is
    left alone: nobody must talk with themselves. What was lately kept is not kept again when it is told again.
    """

    def __init__(
        self, *, inbox: Inbox, tokens: Mapping[str, str], own_numbers: frozenset[str], secret: bytes, clock: Clock
    ) -> None:
        self.tokens = tokens
        self._inbox = inbox
        self._own_numbers = own_numbers
        self._secret = secret
        self._clock = clock
        self._lately: dict[str, None] = {}

    async def take(self, gateway: str, texts: Sequence[Text], ignored: Mapping[str, int]) -> None:
        """
        Keep the texts in their order; ``ignored`` counts what else came. A return means: kept. Raises what the inbox
        raises, and then all may be told again.
        """
        for outcome, times in ignored.items():
            metrics.inbound_total.labels(CHANNEL, outcome).inc(times)
        outcomes = Counter(ignored)
        for text in texts:
            found = seen(text, gateway, self._own_numbers, self._secret, self._clock())
            if found.known_by in self._lately:
                continue
            if found.inbound is not None:
                await self._inbox.take(found.inbound)
            self._remember(found.known_by)
            metrics.inbound_total.labels(CHANNEL, found.outcome).inc()
            outcomes[found.outcome] += 1
        if outcomes:
            log.info("texts came in", gateway=gateway, **outcomes)

    def _remember(self, known_by: str) -> None:
        if len(self._lately) >= _REMEMBERED:
            del self._lately[next(iter(self._lately))]
        self._lately[known_by] = None
