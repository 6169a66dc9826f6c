"""
Where accepted inputs go: to Kafka, or to the spool while Kafka cannot take them, and from there to Kafka in order.
"""

import asyncio
from collections.abc import Sequence
from itertools import takewhile
from typing import Final

from services.common.contracts.envelope import Record
from services.common.kit import metrics
from services.common.kit.clock import Clock
from services.common.kit.health import Duty
from services.common.kit.logs import logger
from services.common.kit.publisher import Publisher, PublishFailed
from services.intake.domain import Accepted
from services.intake.guard import Away, Breaker
from services.intake.spool import Spool, SpoolFull

log = logger(__name__)
_CALLER_WAITS: Final = 2.0
_DRAIN_WAITS: Final = 12.0  # longer than the publisher itself takes to give up
_PAUSE: Final = 1.0
_BATCH: Final = 200


class NowhereToKeep(Exception):
    """
    Neither Kafka nor the spool takes it: the caller must send again.
    """


class Keeper:
    """
    Keeps inputs. What is causally after an input that was kept stands behind it on its topics:

    while anything is in the spool, all goes through the spool, and the spool is left in order. After a time-out nobody
    knows whether Kafka has the records, so the very same go into the spool: a topic may hold them twice, never in two
    versions. Then nobody waits for Kafka any more; ``drain`` alone tries again.
    """

    def __init__(self, publisher: Publisher, spool: Spool, clock: Clock) -> None:
        self._publisher = publisher
        self._spool = spool
        self._clock = clock
        self._kafka = Breaker("Kafka", (PublishFailed,), pause=_PAUSE, limit=_CALLER_WAITS)
        self._draining = False
        self.duty = Duty("spool")

    @property
    def direct(self) -> bool:
        """
        Whether the next input goes straight to Kafka.
        """
        return self._draining and not self._spool.entries and not self._kafka.open

    @property
    def able(self) -> bool:
        """
        Whether the next input can be kept, as far as is known.
        """
        return not self._spool.full or (self.direct and not self._kafka.tripped)

    async def keep(self, accepted: Accepted) -> None:
        """
        Return when every record is acknowledged (each before the next is sent) or all are in the spool.

        Raises ``NowhereToKeep``.
        """
        if self.direct:
            try:
                await self._kafka.call(lambda: self._publish(accepted.records))
            except Away:
                pass
            else:
                return
        try:
            await self._spool.append(accepted, self._clock().timestamp())
        except SpoolFull as error:
            raise NowhereToKeep from error
        if self._draining:
            self.duty.waits(self._spool.entries)

    def fingerprint(self, number: str) -> str | None:
        """
        Which body waits in the spool under an id that derives from the caller's key.
        """
        return self._spool.fingerprint(number)

    async def drain(self) -> None:
        """
        Bring what is in the spool to Kafka, for ever. To be started when the publisher is connected.
        """
        self._draining = True
        while True:
            self.duty.waits(self._spool.entries)
            await self._spool.some()
            await self._kafka.pause()
            self.duty.attempted()
            try:
                batch = await self._spool.head(1 if self._kafka.tripped else _BATCH)
                await self._kafka.call(lambda batch=batch: self._drain(batch), limit=_DRAIN_WAITS)  # type: ignore[misc]
            except Away:
                continue
            except Exception:  # the spool must be tried again whatever it was
                log.exception("the spool cannot be drained")
                await asyncio.sleep(_PAUSE)

    def state(self) -> dict[str, object]:
        """
        What /readyz tells. ``breaker`` is open while Kafka is not reached.
        """
        spool, away = self._spool, self._kafka.tripped or not self._draining
        if spool.full:
            state = "full"
        elif not spool.entries:
            state = "empty"
        else:
            state = "filling" if away else "draining"
        return {
            "entries": spool.entries,
            "bytes": spool.size,
            "oldest_seconds": round(self._oldest_seconds(), 1),
            "state": state,
            "breaker": "open" if away else "closed",
        }

    def measure(self) -> None:
        """
        Let the metrics follow this keeper.
        """
        metrics.spool_entries.set_function(lambda: self._spool.entries)
        metrics.spool_bytes.set_function(lambda: self._spool.size)
        metrics.spool_limit_bytes.set(self._spool.limit)
        metrics.disk_free_bytes.labels("spool").set_function(lambda: self._spool.disk_free)
        metrics.spool_oldest_seconds.set_function(self._oldest_seconds)
        metrics.breaker_open.set_function(lambda: self._kafka.tripped or not self._draining)

    def _oldest_seconds(self) -> float:
        oldest = self._spool.oldest()
        return 0.0 if oldest is None else max(0.0, self._clock().timestamp() - oldest)

    async def _publish(self, records: Sequence[Record]) -> None:
        for record in records:
            await self._publisher.publish(record)

    async def _drain(self, batch: Sequence[Accepted]) -> None:
        """
        Publish those of one request one after the other, those of different requests side by side, and let go of all
        before the first that is not acknowledged. Raises what a publish raised.
        """
        chains: dict[bytes, list[int]] = {}
        for place, entry in enumerate(batch):
            chains.setdefault(entry.records[-1].key, []).append(place)
        done = [False] * len(batch)

        async def follow(places: Sequence[int]) -> None:
            for place in places:
                await self._publish(batch[place].records)
                done[place] = True

        try:
            results = await asyncio.gather(*map(follow, chains.values()), return_exceptions=True)
        finally:
            await self._spool.advance(sum(1 for _ in takewhile(bool, done)))
        for result in results:
            if result is not None:
                raise result
