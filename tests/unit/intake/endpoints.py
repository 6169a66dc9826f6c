"""
Open311 over a reporting in memory.
"""

from typing import Any

import httpx

from services.common.contracts.ids import keyed_request_id
from services.common.kit.clock import system_clock
from services.common.kit.guard import Callers
from services.common.kit.limits import Limits
from services.intake.application import Intake
from services.intake.attachments.service import Attachments
from services.intake.open311.definitions import Definitions
from services.intake.open311.endpoint import Open311
from services.intake.open311.reading import Lately, PublicReader

BASE = "https://ilkim.example/open311/v2"
JURISDICTION = "ilkadim.bel.tr"
SECRET = b"0123456789abcdef"
NUMBER = keyed_request_id(SECRET, "open311")
VIEW: dict[str, Any] = {
    "request_id": NUMBER,
    "status": "assigned",
    "service_code": "yol-cukur",
    "kind": None,
    "channel": "open311",
    "department": "fen-isleri",
    "text": "Çukur & <su> ğüşıöçİ",
    "address": "Gazi Cad. 5",
    "address_id": None,
    "neighbourhood": "Kadıköy",
    "lat": 41.2867,
    "lon": 36.33,
    "attributes": {},
    "public_text": None,
    "received_at": "2026-06-01T06:30:00Z",
    "changed_at": "2026-06-01T06:30:01Z",
    "closed_at": None,
    "due_at": "2026-06-08T06:30:00Z",
    "planned_for": None,
    "followers": 0,
    "photos": [],
    "steps": [],
}


class FakeReporting:
    """
    Reporting's public reads: ``views`` and ``hidden`` by number, ``steps``; ``queries`` is what it was asked. ``away``:
    it does not answer. ``late``: so many questions about one request find nothing yet.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """
        Be as new.
        """
        self.views: dict[str, dict[str, Any]] = {}
        self.hidden: set[str] = set()
        self.steps: list[dict[str, Any]] = []
        self.total: int | None = None
        self.queries: list[dict[str, str]] = []
        self.away = False
        self.late = 0

    def show(self, **fields: Any) -> dict[str, Any]:
        """
        There is such a request.
        """
        view = VIEW | fields
        self.views[view["request_id"]] = view
        return view

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """
        Answer a question.
        """
        if self.away:
            raise httpx.ConnectError("away")
        path = request.url.path.removeprefix("/v1/public/")
        query = dict(request.url.params)
        self.queries.append(query)
        if path == "steps":
            return httpx.Response(200, json={"items": self.steps})
        if path == "requests":
            wanted = query["ids"].split(",") if "ids" in query else list(self.views)
            found = [self.views[number] for number in wanted if number in self.views]
            first = (int(query["page"]) - 1) * int(query["page_size"])
            items = found[first : first + int(query["page_size"])]
            return httpx.Response(200, json={"total": len(found) if self.total is None else self.total, "items": items})
        number = path.removeprefix("requests/")
        if number in self.hidden:
            return httpx.Response(403, json={})
        if self.late:
            self.late -= 1
            return httpx.Response(404, json={})
        return httpx.Response(200, json=self.views[number]) if number in self.views else httpx.Response(404, json={})


def endpoint_of(
    intake: Intake,
    attachments: Attachments,
    keys: Callers,
    limits: Limits,
    reporting: FakeReporting,
    known: Definitions,
) -> Open311:
    """
    An endpoint that waits a quarter of a second at most for a request that was given lately.
    """
    http, lately = httpx.AsyncClient(transport=httpx.MockTransport(reporting)), Lately()
    return Open311(
        base_url=BASE,
        jurisdiction=JURISDICTION,
        contact="İLKİM",
        key_service="444 55 01",
        secret=SECRET,
        known=known,
        reader=PublicReader(http, "http://reporting", lately, patience=0.25),
        lately=lately,
        keys=keys,
        limits=limits,
        intake=intake,
        attachments=attachments,
        clock=system_clock,
    )
