"""
The calls' database and notify in memory.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from services.common.kit.mongo import UNAVAILABLE
from services.common.kit.people import Person
from services.intake.calls.domain import Call, Outcome
from services.intake.calls.people import OwnRequest


class FakeCallStore:
    """
    A call repository; ``away`` makes every call fail as MongoDB does when it cannot be reached. ``crash_after`` writes
    of calls it fails too, as if the process had died.
    """

    def __init__(self) -> None:
        self.away = False
        self.crash_after: int | None = None
        self.calls: dict[str, Call] = {}
        self.seats: dict[str, str] = {}
        self.drafts: dict[tuple[str, str], dict[str, Any]] = {}
        self.contacts: dict[str, list[str]] = {}
        self.requests: dict[str, list[OwnRequest]] = {}

    def _there(self) -> None:
        if self.away:
            raise UNAVAILABLE[0]("away")

    async def call(self, call_id: str) -> Call | None:
        self._there()
        return self.calls.get(call_id)

    async def change(self, call_id: str, decide: Callable[[Call | None], Call | None], now: datetime) -> Call | None:
        self._there()
        before = self.calls.get(call_id)
        after = decide(before)
        if after is None or after is before:
            return after
        if self.crash_after is not None:
            if self.crash_after == 0:
                raise UNAVAILABLE[0]("died")
            self.crash_after -= 1
        self.calls[call_id] = replace(after, rev=after.rev + 1, changed_at=now)
        return self.calls[call_id]

    async def due(self, now: datetime, published_before: datetime) -> Sequence[str]:
        self._there()
        return [
            call.id
            for call in self.calls.values()
            if (call.settle_at is not None and call.settle_at <= now)
            or (call.outbox and call.changed_at is not None and call.changed_at <= published_before)
        ]

    async def changed_since(self, moment: datetime) -> Sequence[Call]:
        self._there()
        return [call for call in self.calls.values() if call.changed_at is not None and call.changed_at > moment]

    async def on_now(self) -> Sequence[Call]:
        self._there()
        return [call for call in self.calls.values() if call.settle_at is not None]

    async def missed_before(self, person: str, since: datetime, but: str) -> int:
        self._there()
        return sum(
            call.person == person and call.outcome in (Outcome.MISSED, Outcome.CANCELLED) and call.id != but
            for call in self.calls.values()
            if call.first_at >= since
        )

    async def extensions(self) -> Mapping[str, str]:
        self._there()
        return dict(self.seats)

    async def person_at(self, extension: str) -> str | None:
        self._there()
        return next((person for person, seat in self.seats.items() if seat == extension), None)

    async def extension_of(self, person: str) -> str | None:
        self._there()
        return self.seats.get(person)

    async def sit(self, person: str, extension: str | None, now: datetime) -> None:
        self._there()
        self.seats = {who: seat for who, seat in self.seats.items() if seat != extension and who != person}
        if extension is not None:
            self.seats[person] = extension

    async def draft(self, name: str, owner: str) -> dict[str, Any] | None:
        self._there()
        return self.drafts.get((name, owner))

    async def keep_draft(self, name: str, owner: str, body: Mapping[str, Any], now: datetime) -> None:
        self._there()
        self.drafts[name, owner] = dict(body)

    async def drop_draft(self, name: str, owner: str) -> None:
        self._there()
        self.drafts.pop((name, owner), None)

    async def contacts_of(self, person: str, at_most: int) -> Sequence[str]:
        self._there()
        return self.contacts.get(person, [])[:at_most]

    async def requests_of(self, contacts: Sequence[str]) -> Sequence[OwnRequest]:
        self._there()
        return [request for contact in contacts for request in self.requests.get(contact, [])]


class FakeContacts:
    """
    Notify; ``away`` makes it answer nothing. Keeps who asked for what.
    """

    def __init__(self) -> None:
        self.away = False
        self.known: dict[str, dict[str, Any]] = {}
        self.audit: list[tuple[str, str, str]] = []

    async def contacts(self, ids: Sequence[str], person: Person, purpose: str) -> list[dict[str, Any]] | None:
        if self.away:
            return None
        self.audit += [(contact_id, person.id, purpose) for contact_id in ids]
        return [self.known[contact_id] for contact_id in ids if contact_id in self.known]
