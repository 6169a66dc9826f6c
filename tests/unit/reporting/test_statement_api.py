"""
The monthly statement over HTTP: who may have it, as what, and what is wrong with a question.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import httpx
import pytest
from pypdf import PdfReader

from services.common.contracts.roles import Role
from services.reporting.statement.api import Form, accepted
from tests.people import signed_in
from tests.unit.reporting.facts import fact, frame
from tests.unit.reporting.statement_room import NOW, Shelf, a_year_and_a_half, app_of

PATH = "/v1/reports/monthly/2026-10"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app_of(a_year_and_a_half()))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        client.headers["X-API-Key"] = "reader"
        yield client


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("", Form.JSON), ("*/*", Form.JSON), ("application/json", Form.JSON), ("application/pdf", Form.PDF),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Form.HTML),
        ("application/json;q=0.5, application/pdf", Form.PDF), ("application/*;q=0.9, text/html;q=0.8", Form.JSON),
        ("text/*", Form.HTML), ("image/png", Form.JSON), ("application/pdf;q=no", Form.JSON),
        ("*/*, application/json;q=0, text/html;q=0.1", Form.PDF),
    ],
)  # fmt: skip
def test_the_form_is_the_one_that_is_liked_most(header: str, form: Form) -> None:
    assert accepted(header) is form


async def test_json_has_the_figures_and_how_fresh_they_are(client: httpx.AsyncClient) -> None:
    answer = await client.get(PATH)
    found: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert found["month"] == "2026-10"
    assert found["provisional"] is False
    assert found["lag_seconds"] == 2
    assert found["numbers"]["received"] == sum(day["received"] for day in found["days"])
    assert found["numbers"]["received"] == sum(group["received"] for group in found["by_channel"])


async def test_pdf_and_page_say_the_same_in_the_language_that_is_asked_for(client: httpx.AsyncClient) -> None:
    received = f"{(await client.get(PATH)).json()['numbers']['received']}"
    pdf = await client.get(PATH, params={"format": "pdf", "lang": "en"})
    assert pdf.headers["content-disposition"] == 'inline; filename="ilkim-monthly-statement-2026-10.pdf"'
    page = await client.get(PATH, params={"format": "html", "lang": "en"})
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    for text in (PdfReader(BytesIO(pdf.content)).pages[0].extract_text(), page.text):
        assert "Monthly Statement of Requests" in text
        assert f"{received} requests came in during October" in " ".join(text.split())


async def test_a_page_is_turkish_unless_the_reader_wants_english(client: httpx.AsyncClient) -> None:
    assert "Aylık Başvuru Raporu" in (await client.get(PATH, headers={"Accept": "text/html"})).text
    client.cookies["ilkim_lang"] = "en"
    assert "Monthly Statement" in (await client.get(PATH, headers={"Accept": "text/html"})).text


@pytest.mark.parametrize(
    ("path", "field", "message"),
    [
        ("/v1/reports/monthly/2026-13", "month", "a month is written YYYY-MM"),
        ("/v1/reports/monthly/ekim", "month", "a month is written YYYY-MM"),
        ("/v1/reports/monthly/2026-12", "month", "has not begun"),
        (f"{PATH}?format=docx", "format", "Input should be 'json', 'html' or 'pdf'"),
        (f"{PATH}?lang=de", "lang", "Input should be 'tr' or 'en'"),
        (f"{PATH}?form=pdf", "form", "Extra inputs are not permitted"),
    ],
)
async def test_what_is_wrong_is_named_with_what_would_be_right(
    client: httpx.AsyncClient, path: str, field: str, message: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": field, "message": message}]


@pytest.mark.parametrize(("key", "status"), [("", 401), ("unknown", 401), ("writer", 403)])
async def test_whoever_may_not_read_reports_gets_nothing(client: httpx.AsyncClient, key: str, status: int) -> None:
    assert (await client.get(PATH, headers={"X-API-Key": key})).status_code == status


async def test_the_same_is_not_sent_twice_and_other_facts_are(client: httpx.AsyncClient) -> None:
    first = await client.get(PATH)
    again = await client.get(PATH, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for other in ({"params": {"format": "pdf"}}, {"headers": {"X-API-Key": "zabita"}}):
        assert (await client.get(PATH, **other)).headers["etag"] != first.headers["etag"]  # type: ignore[arg-type]
    app = client._transport.app  # type: ignore[attr-defined]
    app.state.figures = Shelf(frame(fact(received_at=datetime(2026, 10, 3, tzinfo=UTC))), version="2")
    changed = await client.get(PATH, headers={"If-None-Match": first.headers["etag"]})
    assert changed.json()["numbers"]["received"] == 1


async def test_who_is_limited_to_departments_gets_a_statement_of_these(client: httpx.AsyncClient) -> None:
    found = (await client.get(PATH, headers={"X-API-Key": "zabita"})).json()
    assert found["departments"] == ["zabita"]
    assert {group["value"] for group in found["by_department"]} == {"zabita"}
    page = await client.get(PATH, params={"format": "html"}, headers={"X-API-Key": "zabita"})
    assert "Yalnızca: Zabıta Müdürlüğü" in page.text


async def test_hostile_names_are_text_on_the_page() -> None:
    rows = [fact(received_at=datetime(2026, 10, 3, tzinfo=UTC), neighbourhood='<script>"x"</script>')]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app_of(frame(*rows))), base_url="http://test") as client:
        page = await client.get(PATH, params={"format": "html"}, headers={"X-API-Key": "reader"})
    assert "&lt;script&gt;" in page.text
    assert "<script" not in page.text


# --- the page for those who work here ---


async def test_managers_open_the_last_month_that_is_over_and_every_bar_leads_to_its_requests(
    client: httpx.AsyncClient,
) -> None:
    page = await client.get("/monthly", headers=signed_in(Role.MANAGER, now=NOW).headers)
    assert page.status_code == 200
    assert '<option value="2026-10" selected>Ekim 2026</option>' in page.text
    assert 'href="/requests?channel=phone&amp;from=2026-10-01&amp;to=2026-10-31"' in page.text
    assert 'href="/v1/reports/monthly/2026-10?format=pdf&amp;lang=tr"' in page.text


async def test_a_clerk_sees_the_month_of_their_department(client: httpx.AsyncClient) -> None:
    clerk = signed_in(Role.DEPARTMENT, departments=("zabita",), now=NOW)
    page = await client.get("/monthly?month=2026-09", headers=clerk.headers)
    assert "Yalnızca: Zabıta Müdürlüğü" in page.text


@pytest.mark.parametrize(
    ("roles", "query", "status"),
    [((Role.ADMIN,), "", 403), ((Role.MANAGER,), "?month=2026-13", 422), ((Role.MANAGER,), "?month=2027-01", 422)],
)
async def test_the_page_refuses_whom_and_what_it_must(
    client: httpx.AsyncClient, roles: tuple[Role, ...], query: str, status: int
) -> None:
    answer = await client.get(f"/monthly{query}", headers=signed_in(*roles, now=NOW).headers)
    assert answer.status_code == status
