"""
Conversations' surroundings in memory: their database, whose requests there are, Kafka, routing's opinion, files.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from services.common.contracts.envelope import Record, pack, unpack
from services.common.contracts.vocabulary import Channel
from services.intake.calls.people import OwnRequest
from services.intake.conversations.media import NotNow
from services.intake.conversations.model import Conversation, File, Rules, Tie
from services.intake.conversations.repository import SentKey
from services.intake.conversations.timing import next_at
from services.intake.desk.suggest import Classified
from services.intake.guard import Away

_FORM = TypeAdapter(Conversation)


class Died(BaseException):
    """
    The process is gone.
    """


class Fate:
    """
    At which steps the process dies: ``dies_at`` counts steps, as they come.
    """

    def __init__(self, dies_at: Collection[int] = ()) -> None:
        self._dies_at = frozenset(dies_at)
        self._step = 0

    def step(self) -> None:
        """
        One more step; perhaps the last.
        """
        self._step += 1
        if self._step in self._dies_at:
            raise Died


class FakeConversations:
    """
    A repository that keeps conversations as the real one does: as JSON and bytes.
    """

    def __init__(self, rules: Rules, fate: Fate | None = None) -> None:
        self._rules = rules
        self._fate = fate or Fate()
        self.rows: dict[str, tuple[bytes, bytes, datetime]] = {}
        self.about: dict[SentKey, str] = {}
        self.postponed: dict[str, datetime] = {}

    async def get(self, conversation_id: str) -> Conversation | None:
        self._fate.step()
        row = self.rows.get(conversation_id)
        return None if row is None else replace(_FORM.validate_json(row[0]), outbox=unpack(row[1]))

    async def find(self, channel: Channel, hashes: Sequence[str], at: datetime) -> Conversation | None:
        for name in hashes:
            for number in list(self.rows):
                one = await self.get(number)
                if one and one.channel is channel and name in one.names(at):
                    return one
        return None

    async def left_at(self, channel: Channel, name: str) -> datetime | None:
        rows = [await self.get(number) for number in list(self.rows)]
        moves = [left.at for one in rows if one and one.channel is channel for left in one.left if left.hash == name]
        return max(moves, default=None)

    async def write(self, before: Conversation | None, after: Conversation, now: datetime) -> Conversation | None:
        self._fate.step()
        there = self.rows.get(after.id)
        rev = 0 if there is None else _FORM.validate_json(there[0]).rev
        if rev != (before.rev if before else 0):
            return None
        written = replace(after, rev=rev + 1)
        self.postponed.pop(after.id, None)
        self.rows[after.id] = (_FORM.dump_json(replace(written, outbox=())), pack(written.outbox), now)
        self._fate.step()
        return written

    async def due(self, now: datetime, published_before: datetime) -> Sequence[str]:
        found = []
        for number, (_, outbox, at) in list(self.rows.items()):
            moment = next_at((await self.get(number)) or _never(), self._rules)
            if (moment and moment <= now) or (outbox and at <= published_before):
                found.append(number)
        return [number for number in found if self.postponed.get(number, now) <= now]

    async def to_fetch(self, now: datetime) -> Sequence[str]:
        rows = [await self.get(number) for number in list(self.rows)]
        found = [one.id for one in rows if one and one.fetch_at and one.fetch_at <= now]
        return [number for number in found if self.postponed.get(number, now) <= now]

    async def postpone(self, conversation_id: str, now: datetime, until: datetime) -> None:
        self.postponed[conversation_id] = until

    async def sent(self, keys: Collection[SentKey]) -> dict[SentKey, str]:
        return {key: self.about[key] for key in keys if key in self.about}


class FakePersons:
    """
    Requests that carry a contact, which is known by hashes.
    """

    def __init__(self, contact_id: str, hashes: Collection[str], *own: OwnRequest) -> None:
        self.contact_id = contact_id
        self.hashes = set(hashes)
        self.own = own

    async def contacts_with(self, hashes: Collection[str], at_most: int) -> list[str]:
        return [self.contact_id] if self.hashes.intersection(hashes) else []

    async def requests_of(self, contacts: Collection[str]) -> Sequence[OwnRequest]:
        return self.own if self.contact_id in contacts else ()

    async def requests(self, numbers: Collection[str]) -> Sequence[OwnRequest]:
        return [one for one in self.own if one.request_id in numbers]


class FakeTopic:
    """
    Kafka: what was published, in order.
    """

    def __init__(self, fate: Fate | None = None) -> None:
        self._fate = fate or Fate()
        self.records: list[Record] = []

    async def publish(self, records: Sequence[Record]) -> None:
        self._fate.step()
        for record in records:
            self.records.append(record)
            self._fate.step()


class FakeSuggestions:
    """
    Routing: a place where "mahallesi" stands; what it answers besides is ``answer``; or it is away.
    """

    def __init__(self) -> None:
        self.away = False
        self.asked: list[str] = []
        self.answer: dict[str, Any] = {}

    async def classify(self, text: str, channel: Channel | None) -> Classified:
        self.asked.append(text)
        if self.away:
            raise Away
        found = {
            "service": "yol-cukur",
            "department": "fen-isleri",
            "priority": "normal",
            "emergency": False,
            "confidence": 0.9,
            "decided_by": "rule",
            "candidates": (),
            "neighbourhood": "Kale" if "mahallesi" in text else None,
        }
        return Classified.model_validate(found | self.answer)


class FakeFiles:
    """
    Files by their provider's ids; ``None`` is one that is not taken, one that is missing cannot be had now.
    """

    def __init__(self, files: Mapping[str, str | None] | None = None, fate: Fate | None = None) -> None:
        self._fate = fate or Fate()
        self.files = dict(files or {})
        self.tied: list[Tie] = []

    async def keep(self, file: File, owner: str) -> str | None:
        self._fate.step()
        if file.provider_id not in self.files:
            raise NotNow
        return self.files[file.provider_id]

    async def tie(self, tie: Tie) -> None:
        self._fate.step()
        self.tied.append(tie)


def _never() -> Conversation:
    return Conversation("", "", Channel.SMS, "")
