"""
Requests whose news waits for one morning, and a notifier on a database in memory that stops where it is told to.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

from services.common.contracts.envelope import Record, decode
from services.common.contracts.events import Notification
from services.common.contracts.vocabulary import NotifyVia
from services.common.kit.clock import FrozenClock
from services.notify import sending
from services.notify.channels.base import Letter
from services.notify.domain import Contact, Telling
from services.notify.handler import Notifier
from services.notify.people import Crowd
from services.notify.repository import NotifyRepository
from services.notify.samples import HOUSE
from services.notify.staff import load_staff
from services.notify.templates import load_templates
from tests.unit.notify.lives import CONTACT, NOON, closed
from tests.unit.notify.tellings import AYSE, RULES, after

NIGHT = NOON.replace(hour=20)  # 23:00 in Istanbul
MORNING = NOON.replace(day=2, hour=5)
IDS = ("7XK29MQ4T3BDM", "8XK29MQ4T3BDM", "9XK29MQ4T3BDM")
TEXTS = load_templates()


class Died(Exception):
    """
    The process is gone.
    """


def held(request_id: str, minutes: float = 0, **fields: Any) -> Telling:
    """
    A closing that waits for the morning.
    """
    event = closed(request_id=request_id, occurred_at=NIGHT + timedelta(minutes=minutes), **fields)
    telling = after(event, telling=Telling(request_id))
    return sending.take(telling, {CONTACT: AYSE}, "t", NIGHT + timedelta(hours=1), RULES)


class Memory:
    """
    What ``NotifyRepository`` promises, in memory. At every look or write somebody else may go first, as ``turns`` say;
    a write that ``dies`` says is not made, and its process is gone.
    """

    def __init__(self, tellings: Iterable[Telling], contacts: Iterable[Contact]) -> None:
        self.kept = {one.request_id: one for one in tellings}
        self.known = {one.id: one for one in contacts}
        self.turns: Iterator[int] = iter(())
        self.dies: Iterator[bool] = iter(())
        self.people = self
        self.records: list[Record] = []

    async def _turn(self) -> None:
        for _ in range(next(self.turns, 0)):
            await asyncio.sleep(0)

    async def tellings(self, ids: Iterable[str]) -> dict[str, Telling]:
        """
        As there.
        """
        await self._turn()
        return {key: self.kept.get(key, Telling(key)) for key in ids}

    async def due(self, now: datetime, limit: int) -> dict[str, Telling]:
        """
        As there.
        """
        await self._turn()
        found = [one for one in self.kept.values() if one.next_at is not None and one.next_at <= now]
        found.sort(key=lambda one: (one.next_at or now, one.request_id))
        return {one.request_id: one for one in found[:limit]}

    async def held_for(self, people: Iterable[str], limit: int) -> dict[str, Telling]:
        """
        As there.
        """
        await self._turn()
        return {key: one for key, one in self.kept.items() if set(one.held_for) & set(people)}

    async def contacts(self, ids: Iterable[str]) -> dict[str, Contact]:
        """
        As there.
        """
        await self._turn()
        return {key: self.known[key] for key in ids if key in self.known}

    async def behind(self, _: object) -> Crowd:
        """
        Nobody has been told anything.
        """
        return Crowd()

    async def note_told(self, *_: object) -> None:
        """
        Nobody looks at it.
        """

    async def note_messages(self, _: object) -> None:
        """
        Nobody looks at it.
        """

    async def keep_contacts(self, contacts: Iterable[Contact], _: datetime) -> None:
        """
        As there.
        """
        self.known |= {one.id: one for one in contacts}

    async def change(
        self, ids: Iterable[str], decide: Callable[[Telling], Telling], known: Mapping[str, Telling] | None = None
    ) -> dict[str, Telling]:
        """
        As there; each telling is written by itself.
        """
        written = {}
        for key in list(ids):
            before = (known or {}).get(key) or self.kept.get(key, Telling(key))
            while True:
                after = decide(before)
                await self._turn()
                if after is before:
                    written[key] = before
                    break
                if self.kept.get(key, Telling(key)).rev != before.rev:
                    before = self.kept[key]
                    continue
                if next(self.dies, False):
                    raise Died
                self.records += [record for record in after.outbox if record not in before.outbox]
                written[key] = self.kept[key] = replace(after, rev=before.rev + 1)
                break
        return written

    def outcomes(self) -> list[tuple[str, str, str, str | None, str | None]]:
        """
        What was said to have become of each message: request, transition, how it ended, why, and by which other.
        """
        found = []
        for record in self.records:
            event = decode(record.topic, record.key, record.value, record.headers).data
            assert isinstance(event, Notification)
            kind = type(event).__name__.removeprefix("Notification")
            if kind != "Queued":
                found.append((event.request_id, event.transition, kind, event.reason, event.superseded_by))
        return sorted(found, key=str)


class Provider:
    """
    A provider that answers each message as it is told to: with an error, or by taking it.
    """

    def __init__(self, errors: Iterable[Exception | None] = ()) -> None:
        self.errors = iter(errors)
        self.taken: list[Letter] = []

    async def send(self, letter: Letter, /) -> str | None:
        """
        Take the message, or raise.
        """
        if (error := next(self.errors, None)) is not None:
            raise error
        self.taken.append(letter)
        return letter.key

    async def close(self) -> None:
        """
        Nothing to close.
        """

    def times(self, number: str) -> int:
        """
        How often a request's number was told.
        """
        return sum(number in letter.message.text for letter in self.taken)


class Nowhere:
    """
    No Kafka: what is to be published is looked at in the outbox.
    """

    async def publish(self, records: Sequence[Record], /) -> None:
        """
        Drop them.
        """


def notifier(memory: Memory, provider: Provider, clock: FrozenClock) -> Notifier:
    """
    A process on this database.
    """
    return Notifier(
        cast(NotifyRepository, memory),
        Nowhere(),
        dict.fromkeys(NotifyVia, provider),
        TEXTS,
        load_staff(),
        HOUSE,
        RULES,
        clock=clock,
    )


async def work(memory: Memory, provider: Provider, clock: FrozenClock, processes: int = 2, rounds: int = 400) -> None:
    """
    Let processes work side by side, and start anew where one died, until every message has ended.
    """

    async def one() -> None:
        with suppress(Died):
            process = notifier(memory, provider, clock)
            while True:
                progress, hands = await process.take()
                await process.fly(hands)
                if not (progress or hands):
                    return

    for _ in range(rounds):
        await asyncio.gather(*(one() for _ in range(processes)))
        if all(telling.next_at is None for telling in memory.kept.values()):
            return
        clock.advance(RULES.lease + timedelta(seconds=1))
