"""
Sheets in memory, a snapshot of them, and reporting's app over both.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache

import httpx
import polars as pl
from fastapi import FastAPI
from pydantic import SecretStr

from services.common.kit.auth import Caller
from services.common.kit.settings import MongoSettings, Rate
from services.reporting.api import create_app
from services.reporting.figures.facts import Row, frame_of
from services.reporting.figures.sheets import encode
from services.reporting.figures.sheets_repository import Sheet
from services.reporting.figures.snapshot import COLUMNS, Figures
from services.reporting.names import Names
from services.reporting.settings import ApiSettings

NOW = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
SECRET = SecretStr("0123456789abcdef")
UNLIMITED = Rate(per_second=0, at_once=1)
NOWHERE = MongoSettings(uri="mongodb://127.0.0.1:1/?directConnection=true&serverSelectionTimeoutMS=50")


class Keys:
    """
    Knows a reader, one of zabita alone, and one who may read nothing here.
    """

    async def caller(self, key: str) -> Caller | None:
        """
        Whose key it is.
        """
        scopes = {"reader": {"reports:read"}, "zabita": {"reports:read"}, "writer": {"requests:write"}}
        within = frozenset({"zabita"}) if key == "zabita" else None
        return Caller(key, frozenset(scopes[key]), frozenset(), limited_to=within) if key in scopes else None


class SheetsInMemory:
    """
    What ``Sheets`` gives the api. ``given`` counts the contents that were asked for.
    """

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.frame = frame_of(rows)
        self.days = {str(day): encode(part) for (day,), part in self.frame.partition_by("day", as_dict=True).items()}
        self.given = 0

    async def written(self, since: datetime | None) -> list[Sheet]:
        """
        All sheets.
        """
        assert since is None
        return [Sheet(day, "", NOW) for day in reversed(self.days)]

    async def contents(self, days: Iterable[str]) -> AsyncIterator[tuple[str, str, list[bytes]]]:
        """
        Those days, in no useful order.
        """
        for day in sorted(days, reverse=True):
            self.given += 1
            yield day, "", [self.days[day]]


class FiguresOf:
    """
    A snapshot that never changes.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    async def current(self) -> Figures:
        """
        The frame.
        """
        return Figures(self.frame.select(COLUMNS), "1", NOW)


class NamesInMemory:
    """
    Names as of a database.
    """

    def __init__(self, names: Names | None = None) -> None:
        self.names = names or Names()

    async def current(self) -> Names:
        """
        The names.
        """
        return self.names


@cache
def app_of(open_rate: Rate = UNLIMITED) -> FastAPI:
    """
    The app, without a database; the same one for all who ask (it takes a second to make).
    """
    settings = ApiSettings(cursor_secret=SECRET, token_secret=SECRET, mongo=NOWHERE, open_rate=open_rate)
    return create_app(settings, callers=Keys(), clock=lambda: NOW)


@asynccontextmanager
async def client_of(
    rows: Iterable[Row] = (), open_rate: Rate = UNLIMITED
) -> AsyncIterator[tuple[httpx.AsyncClient, SheetsInMemory]]:
    """
    Somebody who asks the app over these facts, with the reader's key.
    """
    app, sheets = app_of(open_rate), SheetsInMemory(rows)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test", headers={"X-API-Key": "reader"}) as client,
    ):
        app.state.sheets, app.state.figures = sheets, FiguresOf(sheets.frame)
        app.state.names = NamesInMemory()
        yield client, sheets
