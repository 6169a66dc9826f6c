"""
What happens to a report of a call, in order: note it, keep who calls and what follows from it, forget what is kept.

The note in MongoDB comes first: operators see the call from there even while Kafka is away. The number itself is in
none of our documents, so it goes to the keeper (Kafka, or intake's spool) with the first report that has it; if we die
between the two, the next report of the call brings it again. A return means: kept, whatever dies now.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from weakref import WeakValueDictionary

from services.common.contracts.envelope import Record
from services.common.kit import metrics
from services.common.kit.auth import Caller
from services.common.kit.clock import Clock
from services.common.kit.logs import logger
from services.intake.calls import domain
from services.intake.calls.domain import Call, NotTheirs, Report, Step
from services.intake.calls.people import OwnRequest, shown
from services.intake.domain import Accepted, CallOf, Refused
from services.intake.guard import Away, Breaker
from services.intake.keeper import Keeper, NowhereToKeep

log = logger(__name__)
TAKE: Final = "calls:take"
PUBLISHED_WITHIN: Final = timedelta(seconds=5)
MISSED_WITHIN: Final = timedelta(days=7)
CONTACTS_SHOWN: Final = 4
CONTACTS_ASKED: Final = 100
_PAUSE: Final = 1.0


class CallStore(Protocol):
    """
    What the switchboard asks of its database.
    """

    async def call(self, call_id: str) -> Call | None: ...
    async def change(
        self, call_id: str, decide: Callable[[Call | None], Call | None], now: datetime
    ) -> Call | None: ...
    async def due(self, now: datetime, published_before: datetime) -> Sequence[str]: ...
    async def changed_since(self, moment: datetime) -> Sequence[Call]: ...
    async def on_now(self) -> Sequence[Call]: ...
    async def missed_before(self, person: str, since: datetime, but: str) -> int: ...
    async def extensions(self) -> Mapping[str, str]: ...
    async def person_at(self, extension: str) -> str | None: ...
    async def extension_of(self, person: str) -> str | None: ...
    async def sit(self, person: str, extension: str | None, now: datetime) -> None: ...
    async def draft(self, name: str, owner: str) -> dict[str, Any] | None: ...
    async def keep_draft(self, name: str, owner: str, body: Mapping[str, Any], now: datetime) -> None: ...
    async def drop_draft(self, name: str, owner: str) -> None: ...
    async def contacts_of(self, person: str, at_most: int) -> Sequence[str]: ...
    async def requests_of(self, contacts: Sequence[str]) -> Sequence[OwnRequest]: ...


class UnknownCall(Exception):
    """
    There is no such call, or it is not theirs to see.
    """


class Switchboard:
    """
    Notes what exchanges report and what operators do with calls. Everything raises ``Away`` while MongoDB is away and
    ``NowhereToKeep`` when an event can be kept nowhere; what was noted by then stands, and a repeat goes on from there.
    """

    def __init__(self, *, secret: bytes, keeper: Keeper, store: CallStore, mongo: Breaker, clock: Clock) -> None:
        self._secret = secret
        self._keeper = keeper
        self.store = store
        self._mongo = mongo
        self._clock = clock
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def now(self) -> datetime:
        """
        The present moment, as exactly as MongoDB keeps it.
        """
        return in_milliseconds(self._clock())

    def call_id(self, exchange: str, number: str) -> str:
        """
        Our id of an exchange's call.
        """
        return domain.call_id_of(self._secret, exchange, number)

    async def take(self, report: Report) -> Call:
        """
        Note a report and what follows from it.
        """
        if report.extension is not None and report.step is not Step.RANG:
            extension = report.extension
            by = await self._mongo.call(lambda: self.store.person_at(extension))
            report = replace(report, by=by)
        return await self._step(report.call_id, lambda call: domain.absorb(call, report, self._secret), report.phone)

    async def answer(self, call_id: str, person: str) -> Call:
        """
        Somebody takes a call by hand. Raises ``UnknownCall`` or ``NotTheirs``.
        """
        extension = await self.extension_of(person)

        def decide(call: Call | None) -> Call:
            if call is None or not (call.rings_at in (None, extension) or domain.is_of(call, person, extension)):
                raise UnknownCall
            return domain.claimed(call, person, extension, self.now())

        return await self._step(call_id, decide)

    async def end(self, call_id: str, person: str) -> Call:
        """
        Somebody says that their call is over. Raises ``UnknownCall`` or ``NotTheirs``.
        """
        extension = await self.extension_of(person)

        def decide(call: Call | None) -> Call:
            if call is None or not domain.is_of(call, person, extension):
                raise UnknownCall
            if call.over:
                raise NotTheirs
            report = Report(Step.HUNG_UP, call.id, call.exchange, self.now(), cause=domain.NORMAL)
            return domain.absorb(call, report, self._secret)

        return await self._step(call_id, decide)

    async def seen(self, call_id: str, person: str) -> Call:
        """
        A call that this operator may see. Raises ``UnknownCall``.
        """
        call = await self._mongo.call(lambda: self.store.call(call_id))
        if call is None or not domain.may_see(call, person, await self.extension_of(person), self.now()):
            raise UnknownCall
        return call

    async def extension_of(self, person: str) -> str | None:
        """
        Where somebody sits.
        """
        return await self._mongo.call(lambda: self.store.extension_of(person))

    async def sit(self, person: str, extension: str | None) -> None:
        """
        Somebody sits there from now on.
        """
        await self._mongo.call(lambda: self.store.sit(person, extension, self.now()))

    async def history(self, call: Call) -> tuple[list[str], list[OwnRequest], int]:
        """
        Of who calls: the contacts to ask notify for (this call's own first), requests, and how many missed calls.
        """
        person = call.person
        if person is None:
            return [], [], 0

        async def look() -> tuple[list[str], list[OwnRequest], int]:
            known = list(await self.store.contacts_of(person, CONTACTS_ASKED))
            requests = await self.store.requests_of(known)
            missed = await self.store.missed_before(person, self.now() - MISSED_WITHIN, call.id)
            own = [call.contact_id] if call.contact_id else []
            others = [contact for contact in known if contact not in own]
            return [*own, *others][:CONTACTS_SHOWN], shown(requests), missed

        return await self._mongo.call(look)

    async def draft(self, name: str, owner: str) -> dict[str, Any] | None:
        """
        What somebody has typed and not registered.
        """
        return await self._mongo.call(lambda: self.store.draft(name, owner))

    async def keep_draft(self, name: str, owner: str, body: Mapping[str, Any]) -> None:
        """
        Keep what somebody has typed.
        """
        await self._mongo.call(lambda: self.store.keep_draft(name, owner, body, self.now()))

    async def drop_draft(self, name: str, owner: str) -> None:
        """
        Forget it.
        """
        await self._mongo.call(lambda: self.store.drop_draft(name, owner))

    # --- requests made of calls ---

    async def of_request(self, call_id: str, caller: Caller) -> CallOf | None:
        """
        The call that a request is made of, for ``accept_request``; None while MongoDB is away: the request is worth
        more than its link. Raises ``Refused`` if it is not this caller's call.
        """
        person = caller.person
        if person is None or not caller.may(TAKE):
            raise Refused("call_id", "belongs to operators who are signed in")
        try:
            extension = await self.extension_of(person.id)
            call = await self._mongo.call(lambda: self.store.call(call_id))
        except Away:
            return None
        if call is None or not domain.is_of(call, person.id, extension):
            raise Refused("call_id", "must be a call that you answered")
        return CallOf(call.id, call.contact_id)

    async def registered(self, call_id: str, request_id: str, person: str) -> None:
        """
        A request was made of the call: its draft is not needed any more. Never raises; a draft expires by itself.
        """

        def decide(call: Call | None) -> Call | None:
            if call is None or call.request_id is not None:
                return call
            return replace(call, request_id=request_id)

        try:
            await self._mongo.call(lambda: self.store.change(call_id, decide, self.now()))
            await self.drop_draft(call_id, person)
        except Away:
            log.warning("a call does not know its request", call_id=call_id, request_id=request_id)

    # --- what time brings ---

    async def sweep(self) -> None:
        """
        For ever: settle the calls whose time has come, and keep what should have been kept.
        """
        while True:
            try:
                await self.sweep_once()
            except (Away, NowhereToKeep):
                log.warning("calls cannot be settled now")
            await asyncio.sleep(_PAUSE)

    async def sweep_once(self) -> None:
        """
        Do what is due now.
        """
        now = self.now()
        for call_id in await self._mongo.call(lambda: self.store.due(now, now - PUBLISHED_WITHIN)):
            await self._step(call_id, lambda call: call)

    async def _step(self, call_id: str, decide: Callable[[Call | None], Call | None], phone: str | None = None) -> Call:
        def whole(call: Call | None) -> Call | None:
            after = decide(call)
            if after is None:
                return None
            after = domain.speak(domain.settle(after, self.now()), self.now())
            return call if after == call else after

        async with self._locks.setdefault(call_id, asyncio.Lock()):
            settled_before: list[bool] = []

            def noted(call: Call | None) -> Call | None:
                settled_before[:] = [call is not None and call.outcome is not None]
                return whole(call)

            call = await self._mongo.call(lambda: self.store.change(call_id, noted, self.now()))
            if call is None:
                raise UnknownCall
            if call.outcome is not None and not settled_before[0]:
                metrics.calls_total.labels(call.outcome).inc()
            return await self._kept(call, phone)

    async def _kept(self, call: Call, phone: str | None) -> Call:
        contact = phone is not None and not call.contact_kept
        records: list[Record] = list(call.outbox)
        if contact and phone is not None:
            records.insert(0, domain.contact_record(call, phone, self._secret))
        if not records:
            return call
        await self._keeper.keep(Accepted(call.id, "", False, tuple(records)))

        def forget(now_there: Call | None) -> Call | None:
            return now_there and domain.acknowledged(now_there, records, contact)

        return await self._mongo.call(lambda: self.store.change(call.id, forget, self.now())) or call


def in_milliseconds(moment: datetime) -> datetime:
    """
    A time as MongoDB keeps it.
    """
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
