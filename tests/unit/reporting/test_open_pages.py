"""
Open data for everybody: the page, the files, and how much of it one may ask.
"""

import csv
import io
import json
from datetime import timedelta

import httpx
import pytest

from services.common.kit.settings import Rate
from services.reporting.figures.facts import frame_of
from services.reporting.public.open_data import COUNTS, REQUESTS
from tests.unit.reporting.facts import RECEIVED_AT, fact
from tests.unit.reporting.files import NOW, UNLIMITED, FiguresOf, app_of, client_of

SIX = [
    fact(
        request_id=f"7XK29MQ4T3BD{n}",
        closed_at=RECEIVED_AT + timedelta(days=1),
        department="fen-isleri",
        service="yol-cukur",
        lat=41.28711,
        lon=36.33011,
    )
    for n in range(6)
]
FILES = ("/v1/open/requests.csv", "/v1/open/requests.geojson", "/v1/open/figures.csv")


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


async def test_the_files_are_for_everybody_and_have_the_columns_that_the_page_documents() -> None:
    async with client_of(SIX) as (client, _):
        del client.headers["X-API-Key"]
        requests, geojson, counts = [await client.get(path) for path in FILES]
        english = await client.get(f"{FILES[0]}?lang=en")
        page = await client.get("/acik-veri", headers={"Accept": "text/html"})

    assert requests.headers["cache-control"] == "public, max-age=3600"
    assert requests.headers["content-disposition"] == 'attachment; filename="ilkim-2026-06-01.csv"'
    first, *_ = found = rows_of(requests)
    assert (len(found), list(first)) == (6, [one.column.name for one in REQUESTS])
    assert first == {
        "month": "2026-03", "received_day": "2026-03-02", "closed_day": "2026-03-03", "department": "fen-isleri",
        "department_name": "Fen İşleri Müdürlüğü", "service": "yol-cukur", "service_name": "Yolda çukur, bozuk asfalt",
        "neighbourhood": "Kale", "channel": "phone", "outcome": "resolved", "on_time": "true", "lat": "41.287",
        "lon": "36.33",
    }  # fmt: skip
    assert rows_of(english)[0]["service_name"] == "Pothole, broken asphalt"
    (feature, *_) = json.loads(geojson.content)["features"]
    assert feature["geometry"] == {"type": "Point", "coordinates": [36.33, 41.287]}
    (count,) = rows_of(counts)
    assert (list(count), count["received"]) == ([one.column.name for one in COUNTS], "6")
    for one in (*REQUESTS, *COUNTS):
        assert f"<code>{one.column.name}</code>" in page.text
    for path in FILES:
        assert f'href="{path}?lang=tr"' in page.text
    for answer in (requests, geojson, counts, page):
        assert "7XK29MQ4" not in answer.text


async def test_what_is_rare_is_called_other_in_the_readers_language() -> None:
    rows = [fact(service="gurultu", closed_at=RECEIVED_AT + timedelta(days=1)) for _ in range(5)]
    async with client_of(rows) as (client, _):
        names = [
            {row["service_name"] for row in rows_of(await client.get(f"{path}?lang={language}"))}
            for path in (FILES[0], FILES[2])
            for language in ("tr", "en")
        ]

    assert names == [{"Diğer"}, {"Other"}] * 2


async def test_while_there_is_nothing_the_page_says_when_there_will_be_and_the_files_have_their_headings() -> None:
    async with client_of() as (client, _):
        page = await client.get("/acik-veri?lang=en", headers={"Accept": "text/html"})
        found = await client.get(FILES[0])
        geojson = await client.get(FILES[1])

    assert "There is nothing to publish yet" in page.text
    assert found.text == ",".join(one.column.name for one in REQUESTS) + "\r\n"
    assert json.loads(geojson.content)["features"] == []


async def test_a_publication_stays_for_its_hour_and_is_made_anew_in_the_next() -> None:
    app = app_of(UNLIMITED)
    async with client_of(SIX) as (client, _):
        assert len(rows_of(await client.get(FILES[0]))) == 6
        app.state.figures = FiguresOf(frame_of([*SIX, *SIX]))
        same = rows_of(await client.get(FILES[0]))
        app.state.clock = lambda: NOW + timedelta(hours=1)
        anew = rows_of(await client.get(FILES[0]))

    assert (len(same), len(anew)) == (6, 12)


@pytest.mark.parametrize("path", [*FILES, "/acik-veri"])
async def test_one_address_gets_only_so_much_and_the_rest_of_the_service_does_not_feel_it(path: str) -> None:
    async with client_of(SIX, Rate(per_second=0.001, at_once=2)) as (client, _):
        del client.headers["X-API-Key"]
        statuses = [(await client.get(path)).status_code for _ in range(3)]
        limited = await client.get(path)
        other = await client.get("/healthz")

    assert statuses == [200, 200, 429]
    assert int(limited.headers["Retry-After"]) > 0
    assert other.status_code == 200
