"""
The design system in a real browser: what every page inherits.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.browser.look import axe, no_sideways_scroll, serving, shot
from tests.unit.ui.guide import guide


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(guide()) as address:
        yield address


@pytest.mark.parametrize("language", ["tr", "en"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_guide_has_no_serious_violation(
    browser_page: Page, url: str, width: int, theme: str, language: str
) -> None:
    browser_page.set_viewport_size({"width": width, "height": 900})
    browser_page.goto(f"{url}/?lang={language}&theme={theme}")
    axe(browser_page)
    shot(browser_page, f"styleguide-{width}-{theme}-{language}")


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1280, 1920])
def test_no_page_scrolls_sideways(browser_page: Page, url: str, width: int) -> None:
    browser_page.set_viewport_size({"width": width, "height": 800})
    for language in ("tr", "en"):
        browser_page.goto(f"{url}/?lang={language}")
        no_sideways_scroll(browser_page)
