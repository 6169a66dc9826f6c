"""
An imported city is shown by its own names: on pages, in statements, in files.
"""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from services.common.contracts.roles import Role
from services.common.kit.clock import FrozenClock
from services.common.kit.mongo import Client
from services.common.kit.settings import MongoSettings
from services.reporting.api import create_app
from services.reporting.history.importing import RefusalList, import_file
from services.reporting.history.mapping import load_mapping
from services.reporting.settings import ApiSettings, ProjectorSettings
from tests.people import FakeTokens, signed_in
from tests.unit.reporting.files import Keys
from tests.unit.reporting.test_history import columns, mapping_file

pytestmark = pytest.mark.integration

SECRET = SecretStr("0123456789abcdef")
NOW = datetime(2011, 7, 20, 9, 0, tzinfo=UTC)
OLD = """no,geldi,hedef,bitti,kanal,birim,hizmet
1,2011-07-01 10:00:00,2011-07-02 10:00:00,2011-07-01 12:00:00,Telefon,Parks Dept,Fener onarımı
2,2011-07-02 10:00:00,2011-07-03 10:00:00,,Telefon,Water,Fener onarımı
"""
PARKS = {"tr": "Park ve Bahçeler", "en": "Parks and Recreation"}


@pytest.fixture
async def http(client: Client, mongo_uri: str, database: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    mongo = MongoSettings(uri=mongo_uri)
    changes = columns(service={"column": "hizmet", "slug": True})
    mapping = load_mapping(mapping_file(tmp_path, departments={"parks-dept": PARKS}, **changes))
    old = tmp_path / "old.csv"
    old.write_text(OLD, encoding="utf-8")
    settings = ProjectorSettings(database=database, mongo=mongo)
    taken = await import_file(client, settings, old, mapping, RefusalList(tmp_path / "refused.csv"), lambda _: None)
    assert (taken.new, taken.refused.total()) == (2, 0)
    app = create_app(
        ApiSettings(cursor_secret=SECRET, token_secret=SECRET, mongo=mongo, database=database),
        callers=Keys(),
        tokens=FakeTokens(),
        clock=FrozenClock(NOW),
    )
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http,
    ):
        http.cookies.update(signed_in(Role.MANAGER).cookies)
        yield http


async def page(http: httpx.AsyncClient, path: str) -> str:
    answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    return unescape(answer.text)


async def test_the_dashboard_is_the_citys_and_leads_to_what_else_there_is(http: httpx.AsyncClient) -> None:
    shown = await page(http, "/panel?lang=en")
    config = json.loads(shown.partition('data-config="')[2].partition('">')[0])
    assert "Dashboard · Town" in shown
    assert config["names"]["department"]["parks-dept"] == "Parks and Recreation"
    assert config["names"]["service"]["fener-onarimi"] == "Fener onarımı"
    assert '<option value="parks-dept">Parks and Recreation</option>' in shown
    for path in ("/monthly", "/tanimlar", "/acik-veri"):
        assert f'href="{path}"' in shown


async def test_a_list_names_departments_and_services_and_leads_to_no_inbox_of_theirs(http: httpx.AsyncClient) -> None:
    shown = await page(http, "/requests?department=parks-dept,water&lang=en")
    assert "Parks and Recreation, Water" in shown
    assert "Fener onarımı" in shown
    assert "/department/" not in shown


async def test_a_statement_has_the_citys_names_and_its_head(http: httpx.AsyncClient) -> None:
    found = (await http.get("/v1/reports/monthly/2011-07?format=json")).raise_for_status().json()
    assert {group["value"]: group["name"]["tr"] for group in found["by_department"]} == {
        "parks-dept": "Park ve Bahçeler",
        "water": "Water",
    }
    printed = await page(http, "/v1/reports/monthly/2011-07?format=html&lang=tr")
    assert "Kent" in printed
    assert "İlkadım Belediyesi" not in printed.partition("<article")[2].partition("</header>")[0]


async def test_a_file_of_the_list_has_words_instead_of_codes(http: httpx.AsyncClient) -> None:
    shown = await page(http, "/requests?lang=tr")
    address = shown.partition('href="/v1/exports/requests.csv')[2].partition('"')[0]
    lines = (await http.get(f"/v1/exports/requests.csv{address}")).raise_for_status().text.splitlines()
    assert lines[0].startswith("\ufeffBaşvuru no;")
    assert "Park ve Bahçeler;Fener onarımı" in lines[1]


async def test_of_one_number_no_file_is_offered(http: httpx.AsyncClient) -> None:
    shown = await page(http, "/requests?q=7XK29MQ4T3BDM")
    assert "/v1/exports/" not in shown
