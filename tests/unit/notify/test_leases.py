"""
Who has a message in hand has it for a whole lease, is known to have it, and sends it only if time is left for that.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from pymongo.errors import AutoReconnect

from services.common.contracts.ids import random_request_id
from services.common.kit.clock import FrozenClock
from services.common.kit.retry import within_budget
from services.common.kit.worker import background
from services.notify.domain import Contact, State, Telling
from services.notify.handler import Notifier
from services.notify.loops import persistently
from tests.unit.notify.lives import NOON, REQUEST, closed, contact, delivery, escalated
from tests.unit.notify.mornings import MORNING, Memory, Provider, held, notifier, work
from tests.unit.notify.tellings import AYSE, RULES, after, row

SLOW = timedelta(seconds=10)
TOO_LATE = RULES.lease - timedelta(seconds=10)
IDS = [random_request_id() for _ in range(60)]  # three writes


class Slow(Memory):
    """
    A database in which each look at contacts and each write takes its time; how long each claim was to last is noted.
    """

    def __init__(self, tellings: Sequence[Telling], clock: FrozenClock) -> None:
        super().__init__(tellings, [AYSE])
        self._clock = clock
        self.leases: list[timedelta] = []

    async def contacts(self, ids: Iterable[str]) -> dict[str, Contact]:
        """
        As there.
        """
        self._clock.advance(SLOW)
        return await super().contacts(ids)

    async def change(
        self, ids: Iterable[str], decide: Callable[[Telling], Telling], known: Mapping[str, Telling] | None = None
    ) -> dict[str, Telling]:
        """
        As there.
        """
        began = self._clock()
        written = await super().change(ids, decide, known)
        claimed = [one for telling in written.values() for one in telling.rows if one.state is State.SENDING]
        self.leases += [one.due_at - began for one in claimed if one.due_at is not None]
        self._clock.advance(SLOW)
        return written


class LosesAnAnswer(Memory):
    """
    A database that does the first write but whose answer is lost.
    """

    lost = False

    async def change(
        self, ids: Iterable[str], decide: Callable[[Telling], Telling], known: Mapping[str, Telling] | None = None
    ) -> dict[str, Telling]:
        """
        As there.
        """
        written = await super().change(ids, decide, known)
        if not self.lost:
            self.lost = True
            raise AutoReconnect("the connection is gone")
        return written


async def come(provider: Provider, letters: int) -> None:
    """
    Return when the provider has so many.
    """
    async with asyncio.timeout(5):
        while len(provider.taken) < letters:  # noqa: ASYNC110 - the end is a number
            await asyncio.sleep(0.01)


async def too_late(memory: Memory, provider: Provider, clock: FrozenClock) -> Notifier:
    """
    A process that took what is due and came to sending it when its lease was nearly over.
    """
    process = notifier(memory, provider, clock)
    _, hands = await process.take()
    while not hands:
        _, hands = await process.take()
    clock.advance(TOO_LATE)
    await process.fly(hands)
    return process


async def test_a_lease_begins_with_the_write_that_claims() -> None:
    clock = FrozenClock(NOON)
    memory = Slow([after(closed())], clock)
    await notifier(memory, Provider(), clock).take()
    assert memory.leases == [RULES.lease]


async def test_the_leases_of_a_long_batch_begin_with_the_writes_that_claim() -> None:
    clock, provider = FrozenClock(NOON), Provider()
    memory = Slow([], clock)
    process = notifier(memory, provider, clock)
    async with background(process.deliver):
        await asyncio.sleep(0)
        await process.handle([delivery(escalated(request_id=key)) for key in IDS])
        await come(provider, len(IDS))
    assert memory.leases[: len(IDS)] == [RULES.lease] * len(IDS)


async def test_what_has_too_little_of_its_lease_left_is_not_sent_and_was_no_try() -> None:
    memory, provider = Memory([after(closed())], [AYSE]), Provider()
    await too_late(memory, provider, FrozenClock(NOON))
    given_back = row(memory.kept[REQUEST], "closed")
    assert provider.taken == []
    assert (given_back.state, given_back.tries, given_back.doubtful) == (State.WAITING, 0, False)


async def test_what_was_given_back_is_sent_by_the_next_who_takes_it() -> None:
    clock = FrozenClock(NOON)
    memory, provider = Memory([after(closed())], [AYSE]), Provider()
    process = await too_late(memory, provider, clock)
    _, hands = await process.take()
    await process.fly(hands)
    assert len(provider.taken) == 1
    assert row(memory.kept[REQUEST], "closed").state is State.SENT


async def test_what_another_took_meanwhile_is_not_given_back() -> None:
    clock = FrozenClock(NOON)
    memory, provider = Memory([after(closed())], [AYSE]), Provider()
    process = notifier(memory, provider, clock)
    _, hands = await process.take()
    telling = memory.kept[REQUEST]
    others = replace(telling, rows=tuple(replace(one, claim="other") for one in telling.rows), rev=telling.rev + 1)
    memory.kept[REQUEST] = others
    clock.advance(TOO_LATE)
    await process.fly(hands)
    assert memory.kept[REQUEST] is others


async def test_a_message_that_was_given_back_still_carries_the_others() -> None:
    clock, provider = FrozenClock(MORNING), Provider()
    memory = Memory([held(key) for key in IDS[:3]], [AYSE])
    await too_late(memory, provider, clock)
    assert provider.taken == []
    await work(memory, provider, clock)
    assert len(provider.taken) == 1
    assert sorted(kind for _, _, kind, _, _ in memory.outcomes()) == ["Sent", "Suppressed", "Suppressed"]


async def test_what_was_claimed_by_a_write_whose_answer_was_lost_is_in_hand() -> None:
    memory = LosesAnAnswer([after(closed())], [AYSE])
    _, hands = await persistently(notifier(memory, Provider(), FrozenClock(NOON)).take)
    assert [hand.row.claim for hand in hands] == [row(memory.kept[REQUEST], "closed").claim]


async def test_what_a_batch_claimed_by_a_write_whose_answer_was_lost_is_sent() -> None:
    memory, provider = LosesAnAnswer([], []), Provider()
    process = notifier(memory, provider, FrozenClock(NOON))
    async with background(process.deliver):
        await asyncio.sleep(0)
        await within_budget(lambda: process.handle([delivery(contact()), delivery(closed())]), 5.0)
        await come(provider, 1)
    assert row(memory.kept[REQUEST], "closed").doubtful is False
