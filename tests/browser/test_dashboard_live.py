"""
The dashboard on a whole stack: what citizens report moves its tiles, and is in the list behind them.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from deploy.stack.stack import Stack
from services.common.contracts.ids import grouped
from tests.browser.desks import PATIENCE, Town
from tests.browser.look import axe, shot


@pytest.fixture
def town(stack: Stack, browser: Browser) -> Iterator[Town]:
    """
    The stack; whoever sat down goes home afterwards.
    """
    expect.set_options(timeout=PATIENCE * 1000)
    found = Town(stack, browser)
    yield found
    found.leave()


def test_what_a_citizen_reports_moves_the_tiles_of_who_leads_and_stands_in_the_list_behind_them(town: Town) -> None:
    page = town.sit_down("mudur", "/")
    expect(page.locator("#tiles")).to_have_attribute("aria-busy", "false")
    tile = page.locator('[data-tile="today"] [data-value]')
    before = int(tile.inner_text().replace(".", ""))
    number = town.report("Dilenciler her gün kapıda.", service_code="dilenci")
    expect(tile).to_have_text(f"{before + 1:,}".replace(",", "."))
    shot(page, "dashboard-live-1280")

    town.at(number, "assigned")
    tile.click()
    row = page.locator("tbody tr", has_text=grouped(number))
    expect(row).to_contain_text("Zabıta")
    axe(page)
    row.get_by_role("link").click()
    expect(page.locator("#main")).to_contain_text(grouped(number))
    expect(page.locator("#main")).to_contain_text("Dilenciler her gün kapıda.")


def test_a_clerks_day_begins_in_the_inbox_and_the_dashboard_is_a_link_away(town: Town) -> None:
    page = town.sit_down("zabita", "/")
    page.wait_for_url("**/department/zabita")
    page.locator(".nav").get_by_role("link", name="Panel").click()
    expect(page.locator(".own")).to_contain_text("Zabıta")
    expect(page.locator("#tiles")).to_have_attribute("aria-busy", "false")
