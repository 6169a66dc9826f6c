"""
The page of health on fakes: no Kafka, no MongoDB, no processes.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import FastAPI

from services.common.kit import http
from services.common.kit.guard import People, install_guard
from services.common.kit.letters import Letter, LettersError
from services.common.ui.links import Links
from services.common.ui.pages import install_pages
from services.reporting.health import pages
from services.reporting.health.broker import Group, Sent
from services.reporting.health.documents import Untouched
from services.reporting.health.look import Look, Projector
from services.reporting.health.processes import Process
from services.reporting.people_repository import Entry
from tests.people import FakeTokens
from tests.unit.reporting.inbox_rooms import PAGES

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
UP = {"up": True, "down_since": None, "last_error": None, "last_error_at": None}
DOWN = {
    "up": False,
    "down_since": (NOW - timedelta(minutes=12)).isoformat(),
    "last_error": "http_503",
    "last_error_at": NOW.isoformat(),
}


def notify(**senders: dict[str, Any]) -> Process:
    """
    Notify's worker, which tells of its senders.
    """
    said = {"ready": True, "lag": 0, "senders": senders, "messages": {"due": 3, "later": 12, "unpublished": 0}}
    return Process("notify", ready=True, said=said, counts={"parked": 0.0})


def look(**changes: Any) -> Look:
    """
    How it is when all is well.
    """
    given: dict[str, Any] = {
        "at": NOW,
        "processes": [
            Process("intake", ready=True, said={"ready": True}, counts={"spool_entries": 0.0}),
            Process("routing", ready=True, said={"ready": True, "lag": 0}, counts={"parked": 0.0}),
            notify(sms=UP, whatsapp=UP),
        ],
        "groups": [Group(name, 1, {}, {}) for name in ("intake", "routing", "notify", "reporting")],
        "projector": Projector(NOW, NOW, NOW, 0),
        "untouched": Untouched(0, []),
        "untouched_days": 14,
    }
    return Look(**given | changes)


def troubled() -> Look:
    """
    How it is on a bad day.
    """
    behind = {"requests.lifecycle/3": 1_800, "requests.received/0": 2}
    row = {"department": "fen-isleri", "status": "in_progress", "service_code": "kaldirim"}
    return look(
        processes=[
            Process("intake", ready=True, said={"ready": True}, counts={"spool_entries": 31.0}),
            Process("routing", ready=False, said={"stopped_because": "500 dead letters in a row", "lag": 1_802}),
            Process("projector", ready=False, error="ConnectError"),
            notify(sms=DOWN, whatsapp=UP),
        ],
        groups=[
            Group("routing", 1, behind, {"ContractError": 4, "Rejected": 1}),
            Group("reporting", 0, {}, {}),
        ],
        projector=Projector(NOW - timedelta(minutes=3), NOW - timedelta(minutes=3), NOW - timedelta(minutes=4), 2),
        untouched=Untouched(
            27,
            [
                {"_id": "7K2M9XQ4TB3FA", "changed_at": NOW - timedelta(days=44), **row},
                {"_id": "7K2M9XQ4TB3FA.1", "changed_at": NOW - timedelta(days=21), **row},
            ],
        ),
    )


@dataclass
class FakeBroker:
    """
    Dead letters in memory.
    """

    kept: list[Letter] = field(default_factory=list)
    away: bool = False
    sent: list[int] = field(default_factory=list)

    async def letters(self, group: str) -> list[Letter]:
        if self.away:
            raise LettersError("no broker answers")
        return [one for one in self.kept if one.topic == f"{group}.dlq"]

    async def send_back(self, group: str, offsets: Collection[int]) -> Sent:
        found = [one for one in await self.letters(group) if one.offset in offsets]
        done = tuple(one for one in found if not one.sent_back)
        self.sent += [one.offset for one in done]
        return Sent(done, tuple(one for one in found if one.sent_back))


@dataclass
class FakeWatch:
    """
    Sees what it is told to see.
    """

    seen: Look = field(default_factory=look)
    broker: FakeBroker = field(default_factory=FakeBroker)

    async def look(self) -> Look:
        return self.seen


@dataclass
class FakeStaff:
    """
    The audit in memory.
    """

    lines: list[Entry] = field(default_factory=list)

    @property
    def repository(self) -> "FakeStaff":
        return self

    def clock(self) -> datetime:
        return NOW

    async def put_down(self, entry: Entry) -> None:
        self.lines.append(entry)


def room(watch: FakeWatch, staff: FakeStaff | None = None, url: str = "http://testserver") -> FastAPI:
    """
    The pages of health alone.
    """
    app = FastAPI()
    app.include_router(pages.router)
    app.state.watch, app.state.staff = watch, staff or FakeStaff()
    app.state.people = People(None, FakeTokens(), public_url=url, reporting_public_url=url)  # type: ignore[arg-type]

    async def ready() -> dict[str, object]:
        return {"ready": True}

    http.install(app, ready=ready)
    install_guard(app)
    links = Links(intake=url, reporting=url)
    install_pages(app, templates=PAGES, static=PAGES / "static", links=links, now=lambda: NOW)
    return app
