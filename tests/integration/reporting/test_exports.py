"""
Exports and open data from the database's own sheets.
"""

import csv
import io
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr

from services.common.kit.mongo import connect
from services.common.kit.settings import MongoSettings
from services.reporting.api import create_app
from services.reporting.figures.facts import Row, frame_of
from services.reporting.figures.sheets import encode
from services.reporting.figures.sheets_repository import Made, Part, Sheets
from services.reporting.settings import ApiSettings
from tests.unit.reporting.facts import RECEIVED_AT, fact
from tests.unit.reporting.files import NOW, Keys

pytestmark = pytest.mark.integration
DAYS = 20
CLOSED_AT = NOW - timedelta(days=9)
ROWS = [
    fact(received_at=RECEIVED_AT + timedelta(days=day, minutes=n), closed_at=CLOSED_AT, service="yol-cukur")
    for day in range(DAYS)
    for n in range(3)
]


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


async def write(sheets: Sheets, rows: list[Row]) -> None:
    for (day,), part in frame_of(rows).partition_by("day", as_dict=True).items():
        assert await sheets.write(str(day), Made(0), [Part.of("", part.height, encode(part))])


@pytest.fixture
async def http(mongo_uri: str, database: str) -> AsyncIterator[httpx.AsyncClient]:
    mongo, secret = MongoSettings(uri=mongo_uri), SecretStr("0123456789abcdef")
    client = connect(mongo)
    sheets = Sheets(client, database)
    await sheets.prepare()
    await write(sheets, ROWS)
    client.close()
    settings = ApiSettings(cursor_secret=secret, token_secret=secret, mongo=mongo, database=database)
    app = create_app(settings, callers=Keys(), clock=lambda: NOW)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http,
    ):
        http.headers["X-API-Key"] = "reader"
        yield http


async def test_all_sheets_of_the_days_asked_for_are_in_the_file_in_order(http: httpx.AsyncClient) -> None:
    everything = rows_of(await http.get("/v1/exports/requests.csv"))
    some = rows_of(await http.get("/v1/exports/requests.csv?from=2026-03-05&to=2026-03-13"))

    assert [row["number"] for row in everything] == [row["request_id"] for row in ROWS]
    assert [row["number"] for row in some] == [row["request_id"] for row in ROWS[3 * 3 : 12 * 3]]


async def test_open_data_is_made_of_the_same_sheets(http: httpx.AsyncClient) -> None:
    found = rows_of(await http.get("/v1/open/requests.csv"))

    assert len(found) == len(ROWS)
    assert {row["closed_day"] for row in found} == {"2026-05-23"}
