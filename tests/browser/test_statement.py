"""
The monthly statement in a real browser: to be looked at, on a phone, for readers aloud, and printed.
"""

from collections.abc import Iterator
from io import BytesIO

import pytest
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from services.common.contracts.roles import Role
from services.common.kit.guard import People
from tests.browser.look import axe, no_sideways_scroll, serving, shot
from tests.people import FakeTokens, session_cookie, signed_in
from tests.unit.reporting.statement_room import NOW, Keys, a_year_and_a_half, app_of

STICKS_OUT = """() => {
  const right = (node) => node.getBoundingClientRect().right;
  const cells = [...document.querySelectorAll('.ms-body td, .ms-body th, .ms-body p')];
  return cells.filter((node) => right(node) > right(document.querySelector('.ms'))).map((node) => node.textContent);
}"""


@pytest.fixture
def statement(browser_page: Page) -> Iterator[Page]:
    """
    A manager looks at October.
    """
    app, manager = app_of(a_year_and_a_half()), signed_in(Role.MANAGER)
    with serving(app) as url:
        app.state.people = People(Keys(), FakeTokens({"s": manager.person}, at=NOW), url, url)
        cookies = session_cookie("s").items()
        browser_page.context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies])
        browser_page.goto(f"{url}/monthly?month=2026-10")
        yield browser_page


@pytest.mark.parametrize("width", [1280, 390])
def test_the_statement_can_be_read_on_every_screen_and_aloud(statement: Page, width: int) -> None:
    statement.set_viewport_size({"width": width, "height": 900})
    assert statement.get_by_role("heading", name="Aylık Başvuru Raporu").is_visible()
    axe(statement)
    no_sideways_scroll(statement)
    assert statement.evaluate(STICKS_OUT) == []
    shot(statement, f"statement-{width}")


def test_the_page_prints_on_one_sheet_of_paper(statement: Page) -> None:
    for path in ("", "/v1/reports/monthly/2026-10?format=html"):
        if path:
            statement.goto(statement.url.partition("/monthly")[0] + path)
        printed = PdfReader(BytesIO(statement.pdf(prefer_css_page_size=True, print_background=True)))
        assert len(printed.pages) == 1
        assert "Ekim 2026" in printed.pages[0].extract_text()


def test_another_month_is_two_clicks_away_and_stands_in_the_address(statement: Page) -> None:
    statement.get_by_label("Ay", exact=True).select_option("2026-07")
    statement.get_by_role("button", name="Göster").click()
    statement.wait_for_url("**/monthly?month=2026-07")
    expect(statement.locator(".ms-month")).to_have_text("Temmuz 2026")
    statement.get_by_role("link", name="Sonraki ay").click()
    statement.wait_for_url("**/monthly?month=2026-08")
