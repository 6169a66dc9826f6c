"""
Declaring a crisis, ending it, and telling which are on.

A crisis is declared, not queued: the answer comes after Kafka acknowledged, and there is none while Kafka is away. The
audit is written before Kafka is asked, so a try that failed stands in it as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal, Protocol
from uuid import uuid4

from services.common.contracts import topics
from services.common.contracts.catalogue import catalogue
from services.common.contracts.crises import Crisis, Declared, crises
from services.common.contracts.envelope import encode
from services.common.contracts.events import CrisisDeclared
from services.common.kit.clock import Clock
from services.intake.domain import Refused, metadata
from services.intake.guard import Breaker
from services.intake.schemas import (
    CrisisAsked,
    CrisisEnd,
    CrisisList,
    CrisisService,
    CrisisState,
    CrisisTaken,
    CrisisTeam,
    NewCrisis,
)

if TYPE_CHECKING:
    from services.common.kit.publisher import Publisher  # its client is none of the worker's, which only reads

SHOWN: Final = 20


class UnknownCrisis(Exception):
    """
    ``crises.yaml`` has no such crisis; the message says which it has.
    """


@dataclass(frozen=True, slots=True)
class AuditRow:
    """
    Who declared what by which adapter, and how far it came: ``asked`` before Kafka was asked, ``declared`` after.
    """

    id: str
    event: CrisisDeclared
    adapter: str
    state: Literal["asked", "declared"] = "asked"


class Audit(Protocol):
    """
    What is asked of the database. Rows are only ever added; of a row only its state changes, and once.
    """

    async def note_crisis(self, row: AuditRow) -> None: ...
    async def note_declared(self, row_id: str) -> None: ...
    async def last_declared(self, crisis: str) -> CrisisDeclared | None: ...
    async def crisis_rows(self, crisis: str, at_most: int) -> Sequence[AuditRow]: ...


class Declarations:
    """
    Declares crises, and tells which are on by what was declared here and by ``crises.yaml``.

    Everything raises ``Away`` if the database cannot be asked; after that, declaring again is right and harmless.
    """

    def __init__(self, audit: Audit, publisher: "Publisher", mongo: Breaker, clock: Clock) -> None:
        self._audit = audit
        self._publisher = publisher
        self._mongo = mongo
        self._clock = clock

    async def declare(self, name: str, body: NewCrisis, adapter: str) -> CrisisTaken:
        """
        Declare a crisis. Raises ``UnknownCrisis``, ``Refused`` or ``PublishFailed``.
        """
        known(name)
        return await self._publish(declaration(name, body, self._clock()), adapter)

    async def end(self, name: str, body: CrisisEnd, adapter: str) -> CrisisTaken:
        """
        Declare that a crisis ends now. Raises ``UnknownCrisis`` or ``PublishFailed``.
        """
        crisis = known(name)
        last = await self._mongo.call(lambda: self._audit.last_declared(name))
        return await self._publish(ending(name, body, last or crisis, self._clock()), adapter)

    async def all(self) -> CrisisList:
        """
        Every crisis that can be declared.
        """
        now, states = self._clock(), []
        for name in crises().crises:
            last = await self._mongo.call(lambda name=name: self._audit.last_declared(name))  # type: ignore[misc]
            rows = await self._mongo.call(lambda name=name: self._audit.crisis_rows(name, SHOWN))  # type: ignore[misc]
            states.append(state(name, last, rows, now))
        return CrisisList(as_of=now, crises=states)

    async def _publish(self, event: CrisisDeclared, adapter: str) -> CrisisTaken:
        row = AuditRow(uuid4().hex, event, adapter)
        record = encode(topics.CRISES, metadata(row.id, event.crisis, row.id, event.declared_at), event)
        await self._mongo.call(lambda: self._audit.note_crisis(row))
        await self._publisher.publish(record)
        await self._mongo.call(lambda: self._audit.note_declared(row.id))
        return CrisisTaken(
            crisis=event.crisis, starts_at=event.starts_at, ends_at=event.ends_at, declared_at=event.declared_at
        )


def known(name: str) -> Crisis:
    """
    The crisis of this name. Raises ``UnknownCrisis``.
    """
    crisis = crises().crises.get(name)
    if crisis is None:
        raise UnknownCrisis(f"There is no such crisis. There are: {', '.join(sorted(crises().crises))}.")
    return crisis


def declaration(name: str, body: NewCrisis, now: datetime) -> CrisisDeclared:
    """
    A crisis as it is to be declared. Raises ``Refused`` if it ends before it begins.
    """
    starts_at = body.starts_at or now
    if body.ends_at is not None and body.ends_at <= starts_at:
        raise Refused("ends_at", "must be after starts_at" if body.starts_at else "must be in the future")
    return CrisisDeclared(
        crisis=name,
        starts_at=starts_at,
        ends_at=body.ends_at,
        reason=body.reason,
        declared_by=body.declared_by,
        declared_at=now,
    )


def ending(name: str, body: CrisisEnd, times: CrisisDeclared | Crisis, now: datetime) -> CrisisDeclared:
    """
    The declaration after which a crisis of these times is off: it ends now, or ended when it did. One that was not to
    begin yet never does. It is always possible, for the last try to declare one may have come through unnoticed.
    """
    ends_at = min(times.ends_at or now, now)
    return CrisisDeclared(
        crisis=name,
        starts_at=min(times.starts_at or ends_at, ends_at),
        ends_at=ends_at,
        reason=body.reason,
        declared_by=body.declared_by,
        declared_at=now,
    )


def state(name: str, last: CrisisDeclared | None, rows: Sequence[AuditRow], now: datetime) -> CrisisState:
    """
    A crisis as it is shown: the last declaration counts, without one the times in ``crises.yaml``.
    """
    crisis = known(name)
    times = last or crisis
    return CrisisState(
        name=name,
        tr=crisis.tr,
        en=crisis.en,
        on=name in Declared.of([last] if last else []).on(now, crises()),
        starts_at=times.starts_at,
        ends_at=times.ends_at,
        services=_services(name, crisis),
        teams=[
            CrisisTeam(
                name=slug,
                tr=team.tr,
                en=team.en,
                department=team.department,
                services=sorted(team.services),
                neighbourhoods=sorted(team.neighbourhoods),
            )
            for slug, team in crisis.teams.items()
        ],
        audit=[
            CrisisAsked(state=row.state, adapter=row.adapter, **row.event.model_dump(exclude={"crisis"}))
            for row in rows
        ],
    )


def _services(name: str, crisis: Crisis) -> list[CrisisService]:
    return [
        CrisisService(
            code=code,
            tr=service.tr,
            en=service.en,
            only_in_crisis=service.crisis == name,
            priority=crisis.priorities.get(code, service.priority),
        )
        for code, service in catalogue().services.items()
        if service.crisis == name or code in crisis.priorities
    ]
