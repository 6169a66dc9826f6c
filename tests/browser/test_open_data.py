"""
The page of open data in a real browser.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest
from playwright.sync_api import Page, expect

from services.common.contracts.neighbourhoods import NEIGHBOURHOODS
from services.reporting.figures.facts import frame_of
from tests.browser.look import axe, no_sideways_scroll, serving, shot
from tests.unit.reporting.facts import RECEIVED_AT, fact
from tests.unit.reporting.files import FiguresOf, app_of


@contextmanager
def town() -> Iterator[str]:
    """
    The address of an app that has two thousand requests of three months.
    """
    dice, app = random.Random(3), app_of()
    rows = []
    for _ in range(2_000):
        at = RECEIVED_AT + timedelta(hours=dice.random() * 24 * 80)
        service, department = dice.choice([("yol-cukur", "fen-isleri"), ("cop-alinmadi", "temizlik-isleri")])
        place = dice.choice(NEIGHBOURHOODS[:12])
        closed_at = at + timedelta(days=3) if dice.random() < 0.8 else None
        rows.append(
            fact(received_at=at, closed_at=closed_at, service=service, department=department, neighbourhood=place)
        )
    with serving(app) as url:
        httpx.get(f"{url}/healthz").raise_for_status()  # it has started, so nothing is set over ours
        app.state.figures = FiguresOf(frame_of(rows))
        yield url


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize(("language", "theme"), [("tr", "light"), ("en", "dark")])
def test_the_page_says_what_it_is_and_everybody_can_read_it(
    browser_page: Page, width: int, language: str, theme: str
) -> None:
    with town() as url:
        browser_page.set_viewport_size({"width": width, "height": 900})
        browser_page.goto(f"{url}/acik-veri?lang={language}&theme={theme}")

        expect(browser_page.get_by_role("heading", level=1)).to_have_text(
            {"tr": "Açık veri", "en": "Open data"}[language]
        )
        shot(browser_page, f"open-data-{language}-{width}")
        no_sideways_scroll(browser_page)
        axe(browser_page)


def test_a_file_is_downloaded_by_its_button(browser_page: Page) -> None:
    with town() as url:
        browser_page.goto(f"{url}/acik-veri")
        with browser_page.expect_download() as found:
            browser_page.get_by_role("link", name="Başvurular, CSV indir").click()

        lines = found.value.path().read_text(encoding="utf-8").splitlines()

    shown = browser_page.locator(".stat").first.locator(".stat-value").inner_text().replace(".", "")
    assert lines[0].startswith("month,received_day,")
    assert len(lines) == int(shown) + 1
