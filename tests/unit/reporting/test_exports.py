"""
Requests as files: which, in what words, for whom, and how much of them at once.
"""

import asyncio
import csv
import io
import json
import random
from contextlib import nullcontext
from datetime import date, timedelta
from typing import Any

import httpx
import openpyxl  # type: ignore[import-untyped]
import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from services.reporting.figures import exports_api, workbook
from services.reporting.figures.exports import columns
from services.reporting.figures.facts import Row
from tests.unit.reporting.facts import RECEIVED_AT, fact
from tests.unit.reporting.files import FiguresOf, SheetsInMemory, app_of, client_of

DAY = timedelta(days=1)
ONE = fact(
    request_id="7XK29MQ4T3BDM",
    received_at=RECEIVED_AT,
    closed_at=RECEIVED_AT + timedelta(hours=2.5),
    department="fen-isleri",
    service="yol-cukur",
    neighbourhood="=Kale",
    lat=41.287,
    lon=36.33,
    rating=4,
)
MIDDLE = {date(2026, 3, 10), date(2026, 3, 11), date(2026, 3, 12)}
URL = "/v1/exports/requests"


def rows_of(answer: httpx.Response, *, separator: str = ",") -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""), delimiter=separator))


def sheet_of(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    heads, *rows = book.worksheets[0].iter_rows(values_only=True)
    return [dict(zip(map(str, heads), row, strict=True)) for row in rows]


async def test_csv_has_codes_and_names_for_machines() -> None:
    async with client_of([ONE]) as (client, _):
        answer = await client.get(f"{URL}.csv?lang=en")

    (row,) = rows_of(answer)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="ilkim-requests.csv"'
    assert answer.headers["cache-control"] == "no-store"
    assert list(row) == [column.name for column in columns(people=False)]
    assert row.items() >= {
        "number": "7XK2-9MQ4-T3BD-M", "received_at": "2026-03-02T12:30:00+03:00", "status": "resolved",
        "status_label": "Resolved", "department": "fen-isleri", "department_name": "Public Works",
        "service": "yol-cukur", "service_name": "Pothole, broken asphalt", "neighbourhood": "'=Kale",
        "channel": "phone", "on_time": "true", "overdue": "false", "hours_to_close": "2.5", "rating": "4",
        "lat": "41.287", "lon": "36.33",
    }.items()  # fmt: skip


async def test_csv_for_excel_and_xlsx_have_words_for_people() -> None:
    async with client_of([ONE]) as (client, _):
        (line,) = rows_of(await client.get(f"{URL}.csv?excel=true"), separator=";")
        workbook_answer = await client.get(f"{URL}.xlsx?from=2026-03-02&to=2026-03-31")
        (english,) = sheet_of(await client.get(f"{URL}.xlsx?lang=en"))

    (row,) = sheet_of(workbook_answer)
    for found in (line, row):
        assert (found["Durum"], found["Müdürlük"], found["Kanal"]) == ("Çözüldü", "Fen İşleri Müdürlüğü", "Telefon")
        assert (found["Süresinde kapandı"], found["Gecikmiş"]) == ("Evet", "Hayır")
    assert (line["Geliş"], line["Kapanış (saat)"], line["Mahalle"]) == ("02.03.2026 12:30", "2,5", "'=Kale")
    assert (row["Kapanış (saat)"], row["Mahalle"], row["Puan (1–5)"]) == (2.5, "=Kale", 4)
    assert f"{row['Geliş']:%d.%m.%Y %H:%M}" == "02.03.2026 12:30"
    assert (english["Status"], english["Kind"]) == ("Resolved", "Complaint")
    assert 'filename="ilkim-basvurular_2026-03-02_2026-03-31.xlsx"' in workbook_answer.headers["content-disposition"]


async def test_geojson_has_a_point_for_each_request_that_has_a_place() -> None:
    async with client_of([ONE, fact()]) as (client, _):
        answer = await client.get(f"{URL}.geojson")

    found = json.loads(answer.content)
    assert answer.headers["content-type"] == "application/geo+json"
    geometries = {feature["properties"]["number"]: feature["geometry"] for feature in found["features"]}
    assert geometries.pop("7XK2-9MQ4-T3BD-M") == {"type": "Point", "coordinates": [36.33, 41.287]}
    assert list(geometries.values()) == [None]


def some(count: int) -> list[Row]:
    dice = random.Random(8)
    return [
        fact(
            received_at=RECEIVED_AT + dice.random() * 60 * DAY,
            department=dice.choice(["zabita", "fen-isleri", None]),
            channel=dice.choice(["phone", "web"]),
            part=dice.random() < 0.2,
            resolve_by=RECEIVED_AT + 300 * DAY * dice.random(),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("parts=true", lambda _: True),
        ("", lambda row: not row["part"]),
        ("from=2026-03-10&to=2026-03-12", lambda row: not row["part"] and row["day"] in MIDDLE),
        (
            "parts=true&to=2026-03-04&channel=web",
            lambda row: str(row["day"]) < "2026-03-05" and row["channel"] == "web",
        ),
        ("parts=true&department=zabita", lambda row: row["department"] == "zabita"),
        ("from=2027-01-01", lambda _: False),
    ],
)
async def test_the_file_has_exactly_what_the_filter_means_the_oldest_first(query: str, meant: Any) -> None:
    rows = some(400)
    async with client_of(rows) as (client, sheets):
        found = rows_of(await client.get(f"{URL}.csv?{query}"))
        days = {str(row["day"]) for row in rows}

    assert [row["number"] for row in found] == [
        row["request_id"] for row in sorted(rows, key=lambda row: (row["received_at"], row["request_id"])) if meant(row)
    ]
    if "from" in query:
        assert sheets.given < len(days)  # other days were not even read


async def test_who_may_see_one_department_gets_no_other() -> None:
    async with client_of(some(100)) as (client, _):
        client.headers["X-API-Key"] = "zabita"
        mine = rows_of(await client.get(f"{URL}.csv"))
        others = rows_of(await client.get(f"{URL}.csv?department=fen-isleri"))

    assert {row["department"] for row in mine} == {"zabita"}
    assert others == []


@pytest.mark.parametrize(
    ("path", "key", "status", "field"),
    [
        (f"{URL}.csv", "", 401, None),
        (f"{URL}.csv", "writer", 403, None),
        (f"{URL}.pdf", "reader", 422, "form"),
        (f"{URL}.csv?colour=red", "reader", 422, "colour"),
        (f"{URL}.csv?lang=de", "reader", 422, "lang"),
        (f"{URL}.csv?q=7XK2-9MQ4", "reader", 422, "q"),
        (f"{URL}.csv?from=2026-03-02&to=2026-03-01", "reader", 422, "to"),
        (f"{URL}.xlsx?department=nowhere", "reader", 422, "department"),
    ],
)
async def test_what_cannot_be_had_is_refused_by_name(path: str, key: str, status: int, field: str | None) -> None:
    async with client_of() as (client, _):
        answer = await client.get(path, headers={"X-API-Key": key})

    assert answer.status_code == status
    assert field is None or answer.json()["errors"][0]["field"] == field


async def test_more_rows_than_a_sheet_of_excel_holds_are_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workbook, "MOST_ROWS", 3)
    rows = [fact() for _ in range(4)]
    async with client_of([*rows, fact(department="fen-isleri")]) as (client, _):
        refused = await client.get(f"{URL}.xlsx?department=zabita")
        fits = await client.get(f"{URL}.xlsx?department=fen-isleri")

    (error,) = refused.json()["errors"]
    assert refused.status_code == 422
    assert error["field"] == "from"
    assert "holds 3 rows and these are 4: ask for fewer days" in error["message"]
    assert len(sheet_of(fits)) == 1


@pytest.mark.parametrize("spec_version", ["2.3", "2.4"])  # the first is told of it, the second fails to send
async def test_no_further_sheet_is_read_once_the_reader_has_gone(
    spec_version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports_api, "_ENOUGH_ROWS", 1)
    rows = [fact(received_at=RECEIVED_AT + day * DAY) for day in range(80)]
    sheets, app, gone = SheetsInMemory(rows), app_of(), asyncio.Event()
    sent: list[Message] = []

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) > 3:
            gone.set()
            if spec_version == "2.4":
                raise OSError
            await asyncio.Event().wait()

    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": spec_version}, "http_version": "1.1",
        "method": "GET", "path": f"{URL}.csv", "raw_path": f"{URL}.csv".encode(), "query_string": b"", "root_path": "",
        "scheme": "http", "headers": [(b"x-api-key", b"reader")], "client": ("127.0.0.1", 1), "server": ("test", 80),
    }  # fmt: skip
    async with app.router.lifespan_context(app):
        app.state.sheets, app.state.figures = sheets, FiguresOf(sheets.frame)
        with pytest.raises(ClientDisconnect) if spec_version == "2.4" else nullcontext():
            await app(scope, receive, send)

    assert sheets.given == 8  # of 80
