"""
What happens to an input, in order: recognise a repeat, check, keep, remember, answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final, Protocol, TypeVar
from weakref import WeakValueDictionary

from services.common.contracts.vocabulary import Action, Channel
from services.common.kit.auth import Caller
from services.common.kit.clock import Clock
from services.intake.attachments.store import Use
from services.intake.domain import (
    Accepted,
    CallOf,
    Conflict,
    accept_feedback,
    accept_reply,
    accept_request,
    accept_update,
    check_move,
    check_plan,
    check_repeat,
    current,
    may_see,
    speaks_for,
    typed_by,
)
from services.intake.guard import Away, Breaker, Together
from services.intake.keeper import Keeper
from services.intake.read_model import CaseState, UpdateKey
from services.intake.schemas import (
    FeedbackTaken,
    NewFeedback,
    NewReply,
    NewRequest,
    NewUpdate,
    ReplyTaken,
    RequestTaken,
    UpdateResult,
    UpdateTaken,
)

_CACHED: Final = 50_000

T = TypeVar("T")


class Store(Protocol):
    """
    What intake asks of its database.
    """

    async def fingerprints(self, ids: Collection[str]) -> dict[str, str]: ...
    async def remember(self, fingerprints: Mapping[str, str], at: datetime) -> None: ...
    async def case(self, request_id: str) -> CaseState | None: ...
    async def fresh_at(self) -> datetime | None: ...
    async def note_updates(self, updates: Collection[UpdateKey], at: datetime) -> None: ...
    async def update_result(self, request_id: str, update_id: str) -> UpdateResult | None: ...


class Calls(Protocol):
    """
    What intake asks of its telephone side.
    """

    async def of_request(self, call_id: str, caller: Caller) -> CallOf | None: ...
    async def registered(self, call_id: str, request_id: str, person: str) -> None: ...


class Files(Protocol):
    """
    What intake asks of whoever keeps files.
    """

    async def tie(self, numbers: Sequence[str], caller: Caller, request_id: str, use: Use) -> None:
        """
        Tie the caller's files to a request. Raises ``Refused``, or ``Away``: without its files nothing is accepted.
        """


class Fingerprints:
    """
    Which body stands behind an id: the lately used in memory, all of 30 days in MongoDB.

    A query serves all who ask at the same time, writes go behind the answer and are not hurried. While MongoDB is away
    only memory is asked: a second body under an old key then passes and routing records it as a duplicate.
    """

    def __init__(self, store: Store, reads: Breaker, writes: Breaker, clock: Clock) -> None:
        self._cache: dict[str, str] = {}
        self._store = store
        self._read_guard = reads
        self._write_guard = writes
        self._clock = clock
        self._reads = Together(self._read)
        self._writes = Together(self._write)

    async def of(self, number: str) -> str | None:
        """
        The fingerprint of the body that was accepted under this id, as far as is known.
        """
        if (cached := self._cache.get(number)) is not None:
            return cached
        if self._read_guard.open:
            return None
        try:
            return await self._reads.ask(number)
        except Away:
            return None

    def remember(self, number: str, fingerprint: str) -> None:
        """
        This body stands behind the id.
        """
        if len(self._cache) >= _CACHED:
            del self._cache[next(iter(self._cache))]
        self._cache[number] = fingerprint
        self._writes.ask((number, fingerprint))

    async def drain(self) -> None:
        """
        Return when all is written or MongoDB is away.
        """
        await self._writes.drain()

    async def _read(self, numbers: list[str]) -> Sequence[str | None]:
        found = await self._read_guard.call(lambda: self._store.fingerprints(numbers))
        return [found.get(number) for number in numbers]

    async def _write(self, pairs: list[tuple[str, str]]) -> Sequence[None]:
        with suppress(Away):
            await self._write_guard.call(lambda: self._store.remember(dict(pairs), self._clock()))
        return [None] * len(pairs)


class Notes:
    """
    Which updates were accepted: the lately accepted in memory, all in MongoDB. Writes go behind the answer.
    """

    def __init__(self, store: Store, writes: Breaker, clock: Clock) -> None:
        self._lately: dict[UpdateKey, None] = {}
        self._store = store
        self._guard = writes
        self._clock = clock
        self._writes = Together(self._write)

    def __contains__(self, update: UpdateKey) -> bool:
        return update in self._lately

    def remember(self, update: UpdateKey) -> None:
        """
        This update was accepted.
        """
        if len(self._lately) >= _CACHED:
            del self._lately[next(iter(self._lately))]
        self._lately[update] = None
        self._writes.ask(update)

    async def drain(self) -> None:
        """
        Return when all is written or MongoDB is away.
        """
        await self._writes.drain()

    async def _write(self, updates: list[UpdateKey]) -> Sequence[None]:
        with suppress(Away):
            await self._guard.call(lambda: self._store.note_updates(updates, self._clock()))
        return [None] * len(updates)


class Intake:
    """
    Takes requests, updates and replies. A return means: kept, whatever dies now.

    ``hints`` guards the database where it only helps and a caller waits, ``patient`` where it is asked for its own sake
    or nobody waits.
    """

    def __init__(
        self,
        *,
        secret: bytes,
        public_url: str,
        keeper: Keeper,
        store: Store,
        calls: Calls,
        files: Files,
        hints: Breaker,
        patient: Breaker,
        clock: Clock,
    ) -> None:
        self._secret = secret
        self._public_url = public_url.rstrip("/")
        self._keeper = keeper
        self._store = store
        self._calls = calls
        self._files = files
        self._hints = hints
        self._patient = patient
        self._clock = clock
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._notes = Notes(store, patient, clock)
        self.fingerprints = Fingerprints(store, hints, patient, clock)

    async def take_request(self, body: NewRequest, caller: Caller, idempotency_key: str | None) -> RequestTaken:
        """
        Keep a request. Raises ``Refused``, ``Conflict`` (same key, other body), ``NowhereToKeep``, or, if it has
        files, ``Away``.
        """
        body = body.model_copy(update={"entered_by": typed_by(body.entered_by, caller)})
        accepted = accept_request(
            body,
            adapter=caller.adapter,
            idempotency_key=idempotency_key,
            secret=self._secret,
            now=self._clock(),
            call=await self._calls.of_request(body.call_id, caller) if body.call_id else None,
        )

        async def fits() -> None:
            check_repeat(body, self._clock())
            await self._files.tie(body.attachments or (), caller, accepted.id, Use.SENT)

        await self._take_once(accepted, fits)
        if body.call_id and caller.person:
            await self._calls.registered(body.call_id, accepted.id, caller.person.id)
        return RequestTaken(request_id=accepted.id, tracking_url=f"{self._public_url}/t/{accepted.id}")

    async def take_update(
        self, body: NewUpdate, request_id: str, caller: Caller, idempotency_key: str | None
    ) -> UpdateTaken:
        """
        Keep a department's update. Raises ``Refused``, ``Forbidden``, ``Conflict``, ``NowhereToKeep``, or, if it has
        photos, ``Away``.
        """
        department = speaks_for(body.department, caller)
        accepted = accept_update(
            body,
            request_id=request_id,
            department=department,
            adapter=caller.adapter,
            idempotency_key=idempotency_key,
            secret=self._secret,
            now=self._clock(),
            by=caller.person.id if caller.person else None,
        )

        async def fits() -> None:
            check_plan(body, self._clock())
            conflict = await self._if_there(lambda: self._conflict(accepted, request_id, body.action, department))
            if conflict is not None:
                raise conflict
            await self._files.tie(body.photos or (), caller, request_id, Use.SHOWN)

        await self._take_once(accepted, fits)
        self._notes.remember((request_id, accepted.id))
        return UpdateTaken(update_id=accepted.id)

    async def take_reply(
        self, body: NewReply, request_id: str, caller: Caller, idempotency_key: str | None
    ) -> ReplyTaken:
        """
        Keep what a citizen wrote. Raises ``Refused``, ``Conflict`` (same key, other body) or ``NowhereToKeep``.
        """
        body = body.model_copy(update={"entered_by": typed_by(body.entered_by, caller)})
        accepted = accept_reply(
            body,
            request_id=request_id,
            adapter=caller.adapter,
            idempotency_key=idempotency_key,
            secret=self._secret,
            now=self._clock(),
        )
        await self._take_once(accepted)
        return ReplyTaken(reply_id=accepted.id)

    async def take_feedback(self, body: NewFeedback, request_id: str, adapter: str, channel: Channel) -> FeedbackTaken:
        """
        Keep what a citizen thinks of how a request ended; that they may was checked. Raises ``Conflict`` (another
        opinion of this ending was taken) or ``NowhereToKeep``.
        """
        accepted = accept_feedback(
            body, request_id=request_id, adapter=adapter, channel=channel, secret=self._secret, now=self._clock()
        )
        await self._take_once(accepted)
        return FeedbackTaken(feedback_id=accepted.id)

    async def update_result(self, request_id: str, update_id: str, caller: Caller) -> UpdateResult | None:
        """
        What became of an update. Whoever is limited to some departments sees what became of their own wishes alone.

        Raises ``Away`` if that cannot be known now.
        """
        found = await self._patient.call(lambda: self._store.update_result(request_id, update_id))
        if found is None and (request_id, update_id) in self._notes:
            return UpdateResult(update_id=update_id, result="pending")
        return found if found is not None and may_see(found, caller) else None

    async def drain(self) -> None:
        """
        Return when what goes behind the answers is written or MongoDB is away.
        """
        await asyncio.gather(self.fingerprints.drain(), self._notes.drain())

    async def _conflict(self, accepted: Accepted, request_id: str, action: Action, department: str) -> Conflict | None:
        """
        What the read model has against an update, if it can be believed and does not know the update already: a repeat
        whose fingerprint was lost must not fail by its own effect (kept again, it has the same id and no new effect).
        """
        case = await self._store.case(request_id)
        if case is None:
            return None
        try:
            check_move(case, action, department)
        except Conflict as conflict:
            if not current(case, await self._store.fresh_at(), self._clock()):
                return None
            if accepted.keyed and await self._store.update_result(request_id, accepted.id) is not None:
                return None
            return conflict
        return None

    async def _take_once(self, accepted: Accepted, fits: Callable[[], Awaitable[None]] | None = None) -> None:
        """
        Keep it unless this body was kept under this id before. ``fits`` raises if it does not fit what is there.
        """
        async with self._locks.setdefault(accepted.id, asyncio.Lock()):
            known = await self._known(accepted.id) if accepted.keyed else None
            if known is None:
                if fits is not None:
                    await fits()
                await self._keeper.keep(accepted)
                if accepted.keyed:
                    self.fingerprints.remember(accepted.id, accepted.fingerprint)
            elif known != accepted.fingerprint:
                raise Conflict("Another body was already accepted under this external_id or Idempotency-Key.")

    async def _known(self, number: str) -> str | None:
        return self._keeper.fingerprint(number) or await self.fingerprints.of(number)

    async def _if_there(self, work: Callable[[], Awaitable[T]]) -> T | None:
        try:
            return await self._hints.call(work)
        except Away:
            return None
