"""
Records from an event loop to clients of kafka-python, and the broker's acknowledgements back to who waits for them.

``send`` of a client may block while it learns where a topic lives, so a thread calls it: one at a time, however many
wait and however long it blocks, and it takes all that waits in one turn. The acknowledgements of one answer of the
broker wake the loop once.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError

from services.common.contracts.envelope import Record

Done = asyncio.Future[object]


@dataclass(frozen=True, slots=True)
class Handed:
    """
    A record for a client, and its caller's future.
    """

    producer: KafkaProducer
    record: Record
    done: Done


class HandOver:
    """
    For one event loop. Records leave in the order in which they came.
    """

    def __init__(self) -> None:
        self._waiting: list[Handed] = []
        self._turns: asyncio.Task[None] | None = None
        self._settled: deque[tuple[Done, object]] = deque()
        self._waking = False

    async def send(self, producer: KafkaProducer, record: Record) -> None:
        """
        Return when the broker acknowledged. Raises what the client raises. Who gives up before the record's turn takes
        it back.
        """
        loop = asyncio.get_running_loop()
        handed = Handed(producer, record, loop.create_future())
        self._waiting.append(handed)
        if self._turns is None or self._turns.done():
            self._turns = loop.create_task(self._take_turns(loop))
        await handed.done

    async def finish(self, seconds: float) -> None:
        """
        Wait so long at most until clients have all that waits.
        """
        if self._turns is not None:
            await asyncio.wait({self._turns}, timeout=seconds)

    async def _take_turns(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await asyncio.to_thread(self._send, loop, batch)

    def _send(self, loop: asyncio.AbstractEventLoop, batch: Sequence[Handed]) -> None:
        """
        In a thread. A topic that a client waited for in vain is not waited for again in this turn.
        """
        in_vain: dict[str, Exception] = {}
        for handed in batch:
            record, settle = handed.record, partial(self._settle_soon, loop, handed.done)
            if handed.done.cancelled():
                continue
            if record.topic in in_vain:
                settle(in_vain[record.topic])
                continue
            try:
                sent = handed.producer.send(
                    record.topic, value=record.value, key=record.key, headers=list(record.headers)
                )
            except Exception as error:  # it is this caller's, whatever it is
                if isinstance(error, KafkaTimeoutError):
                    in_vain[record.topic] = error
                settle(error)
            else:
                sent.add_callback(settle)
                sent.add_errback(settle)

    def _settle_soon(self, loop: asyncio.AbstractEventLoop, done: Done, outcome: object) -> None:
        """
        From any thread. ``outcome``: what was acknowledged, or the error.
        """
        self._settled.append((done, outcome))
        if not self._waking and not loop.is_closed():
            self._waking = True
            loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        self._waking = False  # before looking: what is added from now on wakes the loop again
        while self._settled:
            done, outcome = self._settled.popleft()
            if done.done():  # its caller has given up
                continue
            if isinstance(outcome, BaseException):
                done.set_exception(outcome)
            else:
                done.set_result(outcome)
