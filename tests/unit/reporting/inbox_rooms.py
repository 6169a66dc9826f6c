"""
The inbox's pages on fakes: no Kafka, no MongoDB, no intake.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from services import reporting
from services.common.contracts.vocabulary import CLOSED, Status
from services.common.kit import http
from services.common.kit.guard import People, install_guard
from services.common.kit.people import Person
from services.common.ui.links import Links
from services.common.ui.pages import install_pages
from services.reporting.inbox import pages
from services.reporting.inbox.answers import Answer, Title
from services.reporting.inbox.intake_client import Passed, Told
from services.reporting.inbox.live import Hub
from services.reporting.inbox.room import Room
from services.reporting.inbox.saved import SavedSearch
from services.reporting.projections import Document
from services.reporting.work import Sort, View, Work
from tests.people import FakeTokens

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
NAMES = {"u_" + "1" * 16: "Ayşe Kaya", "u_" + "2" * 16: "Mehmet Demir"}
AYSE, MEHMET = NAMES
PAGES = Path(str(reporting.__file__)).with_name("pages")


@dataclass
class Shelf:
    """
    Documents in memory; the views are only as fine as these tests need them.
    """

    documents: dict[str, Document] = field(default_factory=dict)

    def put(self, *documents: Document) -> None:
        self.documents |= {document["request_id"]: document for document in documents}

    async def request(self, request_id: str) -> Document | None:
        return self.documents.get(request_id)

    async def parts_of(self, request_id: str) -> list[Document]:
        return [one for one in self.documents.values() if one["parent_id"] == request_id]

    async def inbox(
        self, work: Work, now: datetime, *, sort: Sort, limit: int = 50, since: str | None = None
    ) -> list[Document]:
        found = [one for one in self.documents.values() if one["department"] == work.department]
        return [one for one in found if _in(work.view, one, work.person_id)][:limit]

    async def inbox_counts(self, work: Work, now: datetime) -> dict[View, int]:
        return {view: len(await self.inbox(Work(work.department, view), now, sort=Sort.DUE)) for view in View}

    async def similar(
        self, service: str, neighbourhood: str, street: str | None, now: datetime, *, departments: Collection[str]
    ) -> list[Document]:
        return [one for one in self.documents.values() if one["department"] in departments]

    async def changed_since(self, moment: datetime, departments: Collection[str]) -> list[Any]:
        return []


def _in(view: View, document: Document, person_id: str | None) -> bool:
    status = Status(document["status"])
    match view:
        case View.TRIAGE:
            return status is Status.TRIAGE
        case View.OPEN:
            return status not in CLOSED
        case View.CLOSED:
            return status in CLOSED
        case View.MINE:
            return bool(document["assignee"] == person_id)
        case _:
            return True


@dataclass
class FakeIntake:
    """
    Answers every update with ``told`` (or the next of ``answers``) and keeps what was asked; ``before`` happens first.
    """

    told: Told = field(default_factory=lambda: Told("applied", 9))
    answers: list[Told] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, Any], str]] = field(default_factory=list)
    uploads: list[bytes] = field(default_factory=list)
    upload_status: int = 201
    before: Any = None

    async def update(self, person: Person, request_id: str, body: Mapping[str, Any], key: str) -> Told:
        if self.before:
            self.before()
        self.asked.append((person.id, request_id, dict(body), key))
        return self.answers.pop(0) if self.answers else self.told

    async def upload(self, person: Person, raw: bytes) -> Passed:
        self.uploads.append(raw)
        if self.upload_status != 201:
            body = b'{"detail": "x", "errors": [{"field": "file", "message": "is no picture"}]}'
            return Passed(self.upload_status, body, {})
        return Passed(201, f'{{"attachment_id": "a_{len(self.uploads):032x}"}}'.encode(), {})

    async def photo(self, person: Person, attachment_id: str, size: str) -> Passed:
        return Passed(200, f"{attachment_id} {size}".encode(), {"content-type": "image/jpeg"})


class FakeSaved:
    """
    What people keep, in memory.
    """

    def __init__(self) -> None:
        self.kept: list[SavedSearch] = []
        self.own: list[Answer] = []

    async def searches(self, person_id: str, department: str) -> list[SavedSearch]:
        return self.kept

    async def keep_search(self, person_id: str, department: str, name: str, query: str, now: datetime) -> None:
        self.kept.append(SavedSearch(str(len(self.kept)), name, query))

    async def drop_search(self, person_id: str, search_id: str) -> None:
        self.kept = [one for one in self.kept if one.id != search_id]

    async def answers(self, department: str) -> list[Answer]:
        return self.own

    async def keep_answer(
        self, department: str, title: str, text: str, outcome: Any, person_id: str, now: datetime
    ) -> None:
        self.own.append(Answer(key=title, title=Title(tr=title, en=title), tr=text, en=text, outcome=outcome))

    async def drop_answer(self, department: str, key: str) -> None:
        self.own = [one for one in self.own if one.key != key]


class FakeNames:
    """
    Knows ``NAMES``.
    """

    async def names(self, person_ids: Collection[str]) -> dict[str, str]:
        return {one: NAMES[one] for one in person_ids if one in NAMES}


@dataclass
class House:
    """
    The app and what it stands on.
    """

    shelf: Shelf = field(default_factory=Shelf)
    intake: FakeIntake = field(default_factory=FakeIntake)
    saved: FakeSaved = field(default_factory=FakeSaved)
    tile_url: str | None = None
    now: datetime = NOW

    def app(self) -> FastAPI:
        """
        The one app of these tests, standing on this house now.
        """
        app = _app()
        app.state.people = People(None, FakeTokens(at=self.now), "http://test", "http://test")  # type: ignore[arg-type]
        app.state.inbox = Room(
            self.shelf,  # type: ignore[arg-type]
            FakeNames(),
            self.intake,  # type: ignore[arg-type]
            Hub(self.shelf, self.clock),
            self.saved,  # type: ignore[arg-type]
            app.state.pages,
            self.clock,
            self.tile_url,
        )
        return app

    def clock(self) -> datetime:
        return self.now

    def browser(self, headers: Mapping[str, str] | None = None) -> httpx.AsyncClient:
        """
        What a browser sends: it asks for pages, and forms come from our own.
        """
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app()),
            base_url="http://test",
            headers={
                "Accept": "text/html",
                "Sec-Fetch-Site": "same-origin",
                "Sec-Fetch-Mode": "navigate",
                **(headers or {}),
            },
        )


@cache
def _app() -> FastAPI:
    """
    Made once, because compiling its templates takes a second.
    """
    app = FastAPI()
    app.include_router(pages.router)

    async def ready() -> dict[str, object]:
        return {"ready": True}

    http.install(app, ready=ready)
    install_guard(app)
    links = Links(intake="http://intake", reporting="http://test")
    install_pages(app, templates=PAGES, static=PAGES / "static", links=links, now=lambda: NOW)
    return app


def files(*raw: bytes) -> Sequence[tuple[str, tuple[str, bytes, str]]]:
    return [("files", (f"{number}.jpg", one, "image/jpeg")) for number, one in enumerate(raw)]
