"""
The citizen's form and a request's page in a browser: with scripts and without, on a telephone, by keyboard alone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from services.common.contracts.ids import grouped, random_request_id
from services.common.contracts.tracking import LINK_LASTS, Purpose, token
from services.common.kit.clock import system_clock
from services.intake.api import create_app
from services.intake.citizen import form as forms
from tests.browser.look import axe, no_sideways_scroll, serving, shot
from tests.unit.intake.citizens import SECRET
from tests.unit.intake.test_api import World
from tests.unit.intake.test_citizen import detail, ended
from tests.unit.intake.test_desk_pages import GAS, POTHOLE

TEXT = "Lise Caddesi 12 önünde yolda büyük bir çukur var"
PHONE: ViewportSize = {"width": 390, "height": 844}
SEEN = re.compile(r"/t/[0-9A-Z]{13}\?new=1$")


@dataclass
class Served:
    url: str
    world: World


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    world = World(Path(tmp_path_factory.mktemp("intake")))
    world.public_url = "http://127.0.0.1"
    patch = pytest.MonkeyPatch()
    patch.setattr(forms, "QUICKEST", timedelta(0))  # a machine types faster than anybody
    with serving(create_app(world.parts)) as url:
        yield Served(url, world)
    patch.undo()


@pytest.fixture
def site(served: Served) -> Served:
    served.world.suggestions.answer = POTHOLE
    served.world.reporting.views.clear()
    return served


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    """
    A telephone whose browser runs no scripts.
    """
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="tr-TR", java_script_enabled=False)
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


def at_its_page(page: Page) -> str:
    page.wait_for_url(SEEN)
    number = page.locator(".number").inner_text().replace("-", "")
    expect(page.locator(".qr")).to_be_visible()
    return number


def own_link(site: Served, number: str) -> str:
    return f"{site.url}/t/{number}?k={token(SECRET, number, Purpose.LINK, system_clock() + LINK_LASTS)}"


@pytest.mark.parametrize(("width", "theme", "language"), [(1280, "light", "tr"), (390, "dark", "en")])
def test_the_form_has_no_serious_violation_and_fits(
    browser_page: Page, site: Served, width: int, theme: str, language: str
) -> None:
    browser_page.set_viewport_size({"width": width, "height": 844})
    browser_page.goto(f"{site.url}/?lang={language}&theme={theme}")
    no_sideways_scroll(browser_page)
    axe(browser_page)
    shot(browser_page, f"citizen-form-{width}-{theme}-{language}")


def test_what_is_typed_is_suggested_and_sent_on_a_telephone(browser_page: Page, site: Served) -> None:
    site.world.reporting.show(neighbourhood="Kadıköy")
    browser_page.set_viewport_size(PHONE)
    browser_page.goto(site.url)
    browser_page.get_by_label("Kendi sözlerinizle yazın").press_sequentially(TEXT)
    expect(browser_page.get_by_role("radio", name="Yolda çukur, bozuk asfalt", exact=True)).to_be_visible(
        timeout=30_000
    )
    expect(browser_page.get_by_label("Mahalle")).to_have_value("Kadıköy")
    expect(browser_page.get_by_text("Aynısı bildirilmiş olabilir")).to_be_visible()
    browser_page.get_by_role("radio", name="Yolda çukur, bozuk asfalt", exact=True).check()
    no_sideways_scroll(browser_page)
    axe(browser_page)
    shot(browser_page, "citizen-suggested-390")
    browser_page.get_by_role("button", name="Gönder", exact=True).click()
    number = at_its_page(browser_page)
    no_sideways_scroll(browser_page)
    axe(browser_page)
    shot(browser_page, "citizen-taken-390")
    assert number


def test_danger_is_told_with_numbers_to_call(browser_page: Page, site: Served) -> None:
    site.world.suggestions.answer = GAS
    browser_page.set_viewport_size(PHONE)
    browser_page.goto(site.url)
    browser_page.get_by_label("Kendi sözlerinizle yazın").fill("Sokakta gaz kokusu var")
    expect(browser_page.get_by_role("link", name="187 ara")).to_have_attribute("href", "tel:187", timeout=30_000)
    axe(browser_page)
    shot(browser_page, "citizen-danger-390")


def test_by_keyboard_alone(browser_page: Page, site: Served) -> None:
    site.world.suggestions.answer = None
    browser_page.goto(site.url)
    for _ in range(30):
        browser_page.keyboard.press("Tab")
        if browser_page.evaluate("document.activeElement.name") == "text":
            break
    browser_page.keyboard.type(TEXT)
    seen = []
    for _ in range(40):
        browser_page.keyboard.press("Tab")
        seen.append(browser_page.evaluate("document.activeElement.name || document.activeElement.id"))
        if seen[-1] == "send-button":
            break
    assert {"neighbourhood", "address", "upload", "phone", "send-button"} <= set(seen)
    assert "website" not in seen
    browser_page.keyboard.press("Enter")
    at_its_page(browser_page)


def test_without_scripts_it_is_suggested_corrected_and_sent(plain: Page, site: Served) -> None:
    plain.goto(site.url)
    plain.get_by_label("Kendi sözlerinizle yazın").fill(TEXT)
    plain.get_by_role("button", name="Konuyu öner").click()
    plain.get_by_label("Yolda çukur, bozuk asfalt").check()
    plain.locator("[name=phone]").fill("12")
    plain.get_by_role("button", name="Gönder", exact=True).click()
    expect(plain.locator("#f-phone-error")).to_be_visible()
    expect(plain.locator("[name=text]")).to_have_value(TEXT)
    expect(plain.get_by_label("Yolda çukur, bozuk asfalt")).to_be_checked()
    shot(plain, "citizen-plain-fault-390")
    plain.locator("[name=phone]").fill("0532 111 22 33")
    plain.get_by_role("button", name="Gönder", exact=True).click()
    at_its_page(plain)


def test_without_scripts_an_ending_is_rated(plain: Page, site: Served) -> None:
    number = random_request_id()
    site.world.inner.requests[number] = ended(number)
    plain.goto(own_link(site, number))
    plain.get_by_label("4", exact=True).check()
    plain.get_by_role("button", name="Değerlendir").click()
    expect(plain.get_by_text("Görüşünüz için teşekkürler.")).to_be_visible()


@pytest.mark.parametrize("width", [390, 1280])
def test_a_requests_page_tells_its_life_and_shows_the_citizens_own_after_the_digits(
    browser_page: Page, site: Served, width: int
) -> None:
    number = random_request_id()
    site.world.inner.requests[number] = detail(number, status="waiting_citizen", question="Hangi kapı?")
    site.world.inner.digits[number] = "2233"
    site.world.reporting.show(request_id=number, status="waiting_citizen")
    browser_page.set_viewport_size({"width": width, "height": 844})
    browser_page.goto(f"{site.url}/t")
    browser_page.get_by_label("Başvuru numarası").fill(grouped(number).lower())
    browser_page.get_by_role("button", name="Bul").click()
    expect(browser_page.get_by_text("Bu başvuru benim")).to_be_visible()
    expect(browser_page.get_by_text("Kapımın önü")).to_have_count(0)
    no_sideways_scroll(browser_page)
    axe(browser_page)
    shot(browser_page, f"citizen-track-public-{width}")
    browser_page.get_by_label("son 4 rakamı").fill("2233")
    browser_page.get_by_role("button", name="Göster").click()
    expect(browser_page.get_by_text("Kapımın önü")).to_be_visible()
    expect(browser_page.get_by_text("Hangi kapı?")).to_be_visible()
    axe(browser_page)
    shot(browser_page, f"citizen-track-own-{width}")
    browser_page.get_by_label("Birime iletilecek").fill("Mavi kapı")
    browser_page.get_by_role("button", name="Gönder").click()
    expect(browser_page.get_by_text("ilgili birime iletildi")).to_be_visible()
    site.world.inner.requests[number] = ended(number)
    browser_page.reload()
    axe(browser_page)
    shot(browser_page, f"citizen-track-ended-{width}")
