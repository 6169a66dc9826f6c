"""
Intake's database in memory.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from services.common.contracts.events import CrisisDeclared
from services.common.kit.mongo import UNAVAILABLE
from services.intake.crises import AuditRow
from services.intake.keys import StoredKey
from services.intake.read_model import CaseState, Outcome, UpdateKey
from services.intake.schemas import UpdateResult


class FakeStore:
    """
    A repository; ``away`` makes every call fail as MongoDB does when it cannot be reached.
    """

    def __init__(self) -> None:
        self.away = False
        self.calls = 0
        self.prints: dict[str, str] = {}
        self.cases: dict[str, CaseState] = {}
        self.updates: dict[UpdateKey, UpdateResult] = {}
        self.fresh: datetime | None = None
        self.stored: dict[str, StoredKey] = {}
        self.audit: list[AuditRow] = []

    def _there(self) -> None:
        self.calls += 1
        if self.away:
            raise UNAVAILABLE[0]("away")

    async def fingerprints(self, ids: Collection[str]) -> dict[str, str]:
        self._there()
        return {number: self.prints[number] for number in ids if number in self.prints}

    async def remember(self, fingerprints: Mapping[str, str], at: datetime) -> None:
        self._there()
        self.prints = {**fingerprints, **self.prints}

    async def case(self, request_id: str) -> CaseState | None:
        self._there()
        return self.cases.get(request_id)

    async def fresh_at(self) -> datetime | None:
        self._there()
        return self.fresh

    async def note_updates(self, updates: Collection[UpdateKey], at: datetime) -> None:
        self._there()
        for key in updates:
            self.updates.setdefault(key, UpdateResult(update_id=key[1], result="pending"))

    async def update_result(self, request_id: str, update_id: str) -> UpdateResult | None:
        self._there()
        return self.updates.get((request_id, update_id))

    async def apply(self, cases: Mapping[str, CaseState], outcomes: Mapping[UpdateKey, Outcome], at: datetime) -> None:
        self._there()
        self.cases.update(cases)

    async def keys(self) -> Sequence[StoredKey]:
        self._there()
        return list(self.stored.values())

    async def note_crisis(self, row: AuditRow) -> None:
        self._there()
        self.audit.insert(0, row)

    async def note_declared(self, row_id: str) -> None:
        self._there()
        self.audit = [replace(row, state="declared") if row.id == row_id else row for row in self.audit]

    async def last_declared(self, crisis: str) -> CrisisDeclared | None:
        self._there()
        return next((r.event for r in self.audit if (r.event.crisis, r.state) == (crisis, "declared")), None)

    async def crisis_rows(self, crisis: str, at_most: int) -> Sequence[AuditRow]:
        self._there()
        return [row for row in self.audit if row.event.crisis == crisis][:at_most]
