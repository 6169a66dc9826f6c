"""
An intake for tests: the HTTP side over ASGI, with Kafka and MongoDB in memory and a real spool.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from services.common.contracts.envelope import decode
from services.common.contracts.events import Event
from services.common.kit.auth import key_hash
from services.common.kit.clock import system_clock
from services.common.kit.guard import People
from services.common.kit.limits import Buckets, Limits
from services.common.kit.mongo import UNAVAILABLE
from services.common.kit.settings import Rate
from services.common.kit.testing import FakePublisher
from services.intake.api import Parts, create_app
from services.intake.application import Intake
from services.intake.calls.board import Board
from services.intake.calls.console import Telephony
from services.intake.calls.switchboard import Switchboard
from services.intake.citizen.tiles import Tiles
from services.intake.conversations.inbound import Inbox
from services.intake.conversations.whatsapp_webhook import Hook
from services.intake.crises import Declarations
from services.intake.guard import Breaker
from services.intake.keeper import Keeper
from services.intake.keys import Keys, OwnKeys, StoredKey
from services.intake.open311.definitions import definitions
from services.intake.sms.gateways import Gateways
from services.intake.spool import Spool
from tests.people import FakeTokens
from tests.unit.intake.call_fakes import FakeCallStore, FakeContacts
from tests.unit.intake.citizens import FakeInner, citizens_of
from tests.unit.intake.desks import FakeOthers, FakeSuggestions, desk_of
from tests.unit.intake.endpoints import FakeReporting, endpoint_of
from tests.unit.intake.fakes import FakeStore
from tests.unit.intake.file_fakes import FakeShelf, attachments_of

PROBLEM = "application/problem+json"
NEW = {"channel": "web", "text": "Sokakta çukur var"}
EXCHANGES = {"main": "token-of-the-main-exchange"}
TWILIO = "12345"
META = "the-secret-of-the-app-at-meta"
VERIFY = "the-token-that-meta-shows"
GATEWAYS = {"verimor": "token-of-the-gateway-verimor", "netgsm": "token-of-the-gateway-netgsm"}
OWN_NUMBER = "+908501112233"
KEYS = {
    "all": StoredKey(key_hash("all"), "desk", frozenset({"*"}), frozenset()),
    "writer": StoredKey(key_hash("writer"), "web-form", frozenset({"requests:write"}), frozenset()),
    "fen": StoredKey(key_hash("fen"), "fen-app", frozenset({"updates:write"}), frozenset({"fen-isleri"})),
}


class World:
    """
    An intake, what it stands on, and a client for it. The spool is a real one.
    """

    def __init__(self, folder: Path, spool: Path | None = None, spool_bytes: int = 1_000_000) -> None:
        self.folder = folder
        self.spool_folder = spool or folder / secrets.token_hex(4)
        self.spool_bytes = spool_bytes
        self.store = FakeStore()
        self.store.stored = {key.hash: key for key in KEYS.values()}
        self.publisher = FakePublisher()
        self.shelf = FakeShelf()
        self.calls = FakeCallStore()
        self.contacts = FakeContacts()
        self.telephony: Telephony
        self.suggestions = FakeSuggestions()
        self.others = FakeOthers()
        self.reporting = FakeReporting()
        self.inner = FakeInner()
        self.form_rate: Rate | None = None
        self.whatsapp = True
        self.numbered: set[str] = set()
        self.tiles: Tiles | None = None
        self.public_url = "https://ilkim.example"
        self.definitions = definitions()
        self.rate = Rate(per_second=0, at_once=1)
        self.gateways: Gateways
        self.http: httpx.AsyncClient
        self.spool: Spool
        self.keeper: Keeper

    async def has_number(self, contact_id: str) -> bool:
        return contact_id in self.numbered

    @asynccontextmanager
    async def parts(self) -> AsyncIterator[Parts]:
        mongo = Breaker("hints", UNAVAILABLE, pause=60)
        keys = Keys(self.store.keys, self.folder / "keys.json", Breaker("keys", UNAVAILABLE, pause=0))
        self.spool = Spool(self.spool_folder, self.spool_bytes)
        self.keeper = Keeper(self.publisher, self.spool, system_clock)  # type: ignore[arg-type]
        mongo_of_calls = Breaker("calls", UNAVAILABLE, pause=0)
        self.telephony = Telephony(
            switchboard=Switchboard(
                secret=b"0123456789abcdef",
                keeper=self.keeper,
                store=self.calls,
                mongo=mongo_of_calls,
                clock=system_clock,
            ),
            board=Board(self.calls, mongo_of_calls, system_clock),
            contacts=self.contacts,
            exchanges=EXCHANGES,
            public_url="https://ilkim.example",
            twilio_token=TWILIO,
        )
        attachments = attachments_of(self.shelf)
        intake = Intake(
            secret=b"0123456789abcdef",
            public_url="https://ilkim.example/",
            keeper=self.keeper,
            store=self.store,
            calls=self.telephony.switchboard,
            files=attachments,
            hints=mongo,
            patient=Breaker("patient", UNAVAILABLE, pause=60),
            clock=system_clock,
        )

        declarations = Declarations(
            self.store,
            self.publisher,  # type: ignore[arg-type]
            Breaker("patient", UNAVAILABLE, pause=0),
            system_clock,
        )

        async def ready() -> dict[str, object]:
            return {"ready": self.keeper.able, "spool": self.keeper.state()}

        await keys.start()
        draining = asyncio.create_task(self.keeper.drain())
        await asyncio.sleep(0)
        people = People(OwnKeys(keys), FakeTokens(), "https://ilkim.example", "https://ilkim.example")
        desk = desk_of(intake, attachments, self.store.cases, self.suggestions, self.others)
        limits = Limits(Buckets(self.rate), Buckets(self.rate))
        open311 = endpoint_of(intake, attachments, people.keys, limits, self.reporting, self.definitions)
        citizens = citizens_of(
            intake,
            attachments,
            self.suggestions,
            self.reporting,
            self.inner,
            self.definitions,
            self.form_rate,
            self.public_url,
            self.tiles,
        )
        inbox = Inbox(b"0123456789abcdef", self.keeper.keep, system_clock, self.has_number)
        self.gateways = Gateways(
            inbox=inbox,
            tokens=GATEWAYS,
            own_numbers=frozenset({OWN_NUMBER}),
            secret=b"0123456789abcdef",
            clock=system_clock,
        )
        yield Parts(
            intake=intake,
            declarations=declarations,
            attachments=attachments,
            keys=keys,
            people=people,
            telephony=self.telephony,
            desk=desk,
            open311=open311,
            citizens=citizens,
            inbox=inbox,
            whatsapp=Hook(inbox, META.encode(), VERIFY, None, system_clock) if self.whatsapp else None,
            sms=self.gateways,
            limits=limits,
            ready=ready,
        )
        draining.cancel()
        await intake.drain()
        self.spool.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["World"]:
        app = create_app(self.parts)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://intake", headers={"X-API-Key": "all"}) as self.http,
        ):
            yield self

    async def post(self, path: str = "/v1/requests", json: Any = NEW, **kwargs: Any) -> httpx.Response:
        return await self.http.post(path, json=json, **kwargs)


def assert_problem(answer: httpx.Response, status: int, field: str | None = None) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    document = answer.json()
    assert document["status"] == status
    assert document["detail"]
    if field is not None:
        assert field in {row["field"] for row in document["errors"]}


def published(world: World, at: int = -1) -> Event:
    record = world.publisher.records[at]
    return decode(record.topic, record.key, record.value, record.headers).data
