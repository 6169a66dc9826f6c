"""
The monthly statement's app on facts in memory, and facts of some months to count.
"""

import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import polars as pl
from fastapi import FastAPI
from pydantic import SecretStr

from services import reporting
from services.common.contracts.catalogue import catalogue
from services.common.contracts.neighbourhoods import NEIGHBOURHOODS
from services.common.contracts.vocabulary import Channel, Kind
from services.common.kit import http
from services.common.kit.auth import Caller
from services.common.kit.guard import People, install_guard
from services.common.ui.pages import install_pages
from services.reporting.figures.facts import Row
from services.reporting.figures.flags import with_flags
from services.reporting.figures.snapshot import Figures
from services.reporting.settings import ApiSettings
from services.reporting.statement import api
from tests.people import FakeTokens
from tests.unit.reporting.facts import fact, frame
from tests.unit.reporting.files import NamesInMemory

NOW = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)
PAGES = Path(str(reporting.__file__)).with_name("pages")
SECRET = SecretStr("0123456789abcdef")


class Keys:
    """
    Knows one key that reads, one that does not, and one that reads what zabita holds.
    """

    async def caller(self, key: str) -> Caller | None:
        scopes = {"reader": {"reports:read"}, "zabita": {"reports:read"}, "writer": {"requests:write"}}
        limit = frozenset({"zabita"}) if key == "zabita" else None
        return Caller(key, frozenset(scopes[key]), frozenset(), limited_to=limit) if key in scopes else None


class Shelf:
    """
    Gives the same figures until others are put there.
    """

    def __init__(self, facts: pl.DataFrame, version: str = "1") -> None:
        self.figures = Figures(with_flags(facts), version, NOW - timedelta(seconds=2))

    async def current(self) -> Figures:
        return self.figures


def app_of(facts: pl.DataFrame, now: datetime = NOW) -> FastAPI:
    """
    The one app of these tests, over these facts now.
    """
    app = _app()
    app.state.figures, app.state.names = Shelf(facts), NamesInMemory()
    app.state.clock = lambda: now
    app.state.people = People(Keys(), FakeTokens(at=now), "http://test", "http://test")
    return app


@cache
def _app() -> FastAPI:
    app = FastAPI()
    app.state.settings = settings = ApiSettings(cursor_secret=SECRET, token_secret=SECRET)
    app.include_router(api.router)
    app.include_router(api.pages_router)

    async def ready() -> dict[str, object]:
        return {"ready": True}

    http.install(app, ready=ready)
    install_guard(app)
    install_pages(app, templates=PAGES, static=PAGES / "static", links=settings.links, now=lambda: NOW)
    return app


@cache
def a_year_and_a_half(a_month: int = 400) -> pl.DataFrame:
    """
    Requests of eighteen months until ``NOW``, as they may come in İlkadım: the same ones each time.
    """
    chance = random.Random(444)
    return frame(*(row for row in _requests(chance, 18 * a_month) if row["received_at"] < NOW))


def _requests(chance: random.Random, count: int) -> Iterable[Row]:
    services = catalogue().services
    weights = {code: chance.uniform(1, 4) for code in services}
    for code, weight in {"gurultu": 30, "yol-cukur": 22, "cop-alinmadi": 26, "konteyner-dolu": 18}.items():
        weights[code] = weight
    channels = {"phone": 1152, "whatsapp": 600, "email": 212, "web": 211, "walk_in": 106, "petition": 42}
    kinds = {"complaint": 62, "request": 25, "information": 7, "suggestion": 4, "thanks": 2}
    ends = {"resolved": 88, "referred": 4, "rejected": 5, "duplicate": 2, "cancelled": 1}
    places = {name: 1 / (n + 3) for n, name in enumerate(sorted(NEIGHBOURHOODS, key=lambda _: chance.random()))}
    for _ in range(count):
        day = NOW - timedelta(days=chance.randrange(18 * 30))
        if day.weekday() > 4 and chance.random() < 0.55:
            continue
        received_at = day.replace(hour=min(20, max(3, int(chance.gauss(10, 3)))), minute=chance.randrange(60))
        code = _one(chance, weights)
        service, closed_at = services[code], received_at + timedelta(hours=chance.lognormvariate(3.1, 1.1))
        hours = chance.lognormvariate(0.3, 0.8) / (8 if service.emergency else 1)
        over = closed_at < NOW and chance.random() > 0.004
        end = _one(chance, ends)
        yield fact(
            received_at=received_at,
            closed_at=closed_at if over else None,
            status=end if over else "in_progress",
            channel=Channel(_one(chance, channels)).value,
            kind=Kind(_one(chance, kinds)).value,
            service=code,
            department=service.department,
            neighbourhood=_one(chance, places) if chance.random() > 0.05 else None,
            emergency=service.emergency,
            responded=(responded := received_at + timedelta(hours=hours) < NOW),
            hours_to_respond=hours if responded else None,
            responded_on_time=hours < 3 if responded else None,
            resolve_by=received_at + timedelta(hours=3 * service.sla_hours + 20),
            closings=(2 if chance.random() < 0.02 else 1) if over else 0,
            rating=int(_one(chance, {"5": 60, "4": 28, "3": 6, "2": 3, "1": 3}))
            if over and chance.random() < 0.2
            else None,
            at_first_contact=chance.random() < 0.06,
        )


def _one(chance: random.Random, weights: Mapping[str, float]) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]
