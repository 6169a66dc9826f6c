"""
What the desk asks of other services, in memory.
"""

from dataclasses import dataclass, field
from typing import cast

from services.common.contracts.vocabulary import Channel, DecidedBy, Priority
from services.common.kit.people import Person
from services.intake.application import Intake
from services.intake.attachments.service import Attachments
from services.intake.desk.others import Json, Others, Settled, Turned
from services.intake.desk.room import Desk
from services.intake.desk.suggest import Candidate, Classified
from services.intake.guard import Away
from services.intake.read_model import CaseState

POTHOLE = Classified(
    service="yol-cukur",
    department="fen-isleri",
    priority=Priority.HIGH,
    emergency=False,
    confidence=0.91,
    decided_by=DecidedBy.MODEL,
    candidates=(
        Candidate(service="yol-cukur", department="fen-isleri", confidence=0.91),
        Candidate(service="kazi-onarim", department="fen-isleri", confidence=0.05),
        Candidate(service="kaldirim-bozuk", department="fen-isleri", confidence=0.02),
    ),
    neighbourhood="Kadıköy",
    street="Lise Caddesi No: 12",
)
GAS = Classified(
    service="ext-dogalgaz",
    department="dis-kurum",
    priority=Priority.URGENT,
    emergency=True,
    confidence=0.97,
    decided_by=DecidedBy.RULE,
    candidates=(Candidate(service="ext-dogalgaz", department="dis-kurum", confidence=0.97),),
    refer_to="dogalgaz",
)


@dataclass
class FakeSuggestions:
    """
    Routing: ``answer`` for every text, or ``Away`` without one. ``asked``: the texts it saw.
    """

    answer: Classified | None = None
    asked: list[str] = field(default_factory=list)

    async def classify(self, text: str, channel: Channel | None) -> Classified:
        self.asked.append(text)
        if self.answer is None:
            raise Away
        return self.answer


@dataclass
class FakeOthers:
    """
    Reporting and notify; ``away`` makes both silent. ``purposes``: why numbers were looked at.
    """

    away: bool = False
    requests: dict[str, Json] = field(default_factory=dict)
    alike: list[Json] = field(default_factory=list)
    waiting: dict[str, Json] = field(default_factory=dict)
    purposes: list[str] = field(default_factory=list)
    settled: list[tuple[str, str, str | None]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    def _there(self, person: Person) -> None:
        self.tokens.add(person.token)
        if self.away:
            raise Away

    async def request(self, person: Person, request_id: str) -> Json:
        self._there(person)
        if request_id not in self.requests:
            raise Turned(404)
        return self.requests[request_id]

    async def similar(self, person: Person, service: str, neighbourhood: str, street: str) -> list[Json]:
        self._there(person)
        return self.alike

    async def callbacks(self, person: Person, state: str) -> Json:
        self._there(person)
        rows = [row for row in self.waiting.values() if row["state"] == state]
        return {"callbacks": rows, "open": sum(row["state"] == "open" for row in self.waiting.values())}

    async def callback(self, person: Person, callback_id: str, purpose: str) -> Json:
        self._there(person)
        if callback_id not in self.waiting:
            raise Turned(404)
        self.purposes.append(purpose)
        return {
            **self.waiting[callback_id],
            "name": "Ayşe Yılmaz",
            "phone": "+905321112233",
            "language": "tr",
            "notes": [],
        }

    async def settle(self, person: Person, callback_id: str, result: Settled, note: str | None) -> Json:
        self._there(person)
        if callback_id not in self.waiting:
            raise Turned(409)
        self.settled.append((callback_id, result, note))
        return self.waiting.pop(callback_id)


def desk_of(
    intake: Intake,
    files: Attachments,
    cases: dict[str, CaseState] | None = None,
    suggestions: FakeSuggestions | None = None,
    others: FakeOthers | None = None,
) -> Desk:
    """
    A desk that stands on an intake and, apart from it, on what is in memory.
    """

    async def case(request_id: str) -> CaseState | None:
        return (cases or {}).get(request_id)

    return Desk(
        intake=intake,
        files=files,
        suggestions=suggestions or FakeSuggestions(),
        others=cast(Others, others or FakeOthers()),
        case=case,
        public_url="https://ilkim.example",
    )
