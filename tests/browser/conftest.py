"""
Debian's Chromium for page tests. Without it they are skipped; under CI they fail.
"""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.conftest import CHROMIUM


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """
    One Chromium per module. (Playwright keeps a loop running in this thread, which async tests elsewhere cannot bear.)
    """
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"CI must look at the pages: {CHROMIUM} is missing (apt: chromium-headless-shell)")
        pytest.skip(f"{CHROMIUM} is missing (apt: chromium-headless-shell, or CHROMIUM=<path>)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--font-render-hinting=none"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def browser_page(browser: Browser) -> Iterator[Page]:
    """
    A page of 1280×900 in a browser nobody used before. Afterwards the test fails if a script broke or the content
    security policy had to refuse something.
    """
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, locale="tr-TR", timezone_id="Europe/Istanbul"
    )
    context.set_default_timeout(10_000)
    page = context.new_page()
    trouble: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and "Content Security Policy" in message.text:
            trouble.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    yield page
    context.close()
    assert not trouble, trouble
