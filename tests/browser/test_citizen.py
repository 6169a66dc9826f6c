"""
The citizen's form and a request's page in a browser: with scripts and without, on a telephone, by keyboard alone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from services.common.contracts.ids import grouped, random_request_id
from services.common.contracts.tracking import LINK_LASTS, Purpose, token
from services.common.kit.clock import system_clock
from services.intake.api import create_app
from services.intake.citizen import form as forms
from services.intake.citizen.tiles import Tiles
from services.intake.open311.coverage import CENTRE, ours
from tests.browser.look import axe, no_sideways_scroll, serving, shot
from tests.hostile_files.pictures import jpeg
from tests.unit.intake.citizens import SECRET
from tests.unit.intake.intakes import World
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


def chosen(page: Page) -> tuple[float, float]:
    lat, lon = page.locator("#f-position").input_value().split(",")
    return float(lat), float(lon)


def to_the_map(page: Page, site: Served) -> None:
    page.goto(site.url)
    part = page.locator("#map-part")
    if part.get_attribute("open") is None:
        part.locator("summary").click()
    expect(page.locator("#citizen-map .graticule").first).to_be_attached()
    page.locator("#citizen-map").scroll_into_view_if_needed()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_tap_on_the_map_sets_the_position_and_the_pin_is_dragged_on(
    browser_page: Page, site: Served, width: int, scheme: Literal["light", "dark"]
) -> None:
    browser_page.set_viewport_size({"width": width, "height": 844})
    browser_page.emulate_media(color_scheme=scheme)
    to_the_map(browser_page, site)
    browser_page.locator("#citizen-map").click(position={"x": 150, "y": 120})
    expect(browser_page.locator("#f-position")).to_have_value(re.compile(r"^\d+\.\d{5}, \d+\.\d{5}$"))
    lat, lon = chosen(browser_page)
    assert ours(lat, lon)
    box = browser_page.locator("#citizen-map .pin").bounding_box()
    assert box is not None
    browser_page.mouse.move(box["x"] + 22, box["y"] + 22)
    browser_page.mouse.down()
    browser_page.mouse.move(box["x"] + 72, box["y"] + 62, steps=5)
    browser_page.mouse.up()
    expect(browser_page.locator("#f-position")).not_to_have_value(f"{lat:.5f}, {lon:.5f}")
    moved = chosen(browser_page)
    assert moved[0] < lat
    assert moved[1] > lon
    no_sideways_scroll(browser_page)
    axe(browser_page)
    shot(browser_page, f"citizen-map-{width}")


def test_the_map_shows_the_position_that_is_typed(browser_page: Page, site: Served) -> None:
    to_the_map(browser_page, site)
    expect(browser_page.locator("#citizen-map .pin")).to_have_count(0)
    browser_page.locator("#f-position").fill("41.2867, 36.33")
    browser_page.locator("#f-position").press("Tab")
    expect(browser_page.locator("#citizen-map .pin")).to_have_count(1)
    browser_page.locator("#f-position").fill("")
    browser_page.locator("#f-position").press("Tab")
    expect(browser_page.locator("#citizen-map .pin")).to_have_count(0)


def test_where_i_am_moves_the_pin(browser_page: Page, site: Served) -> None:
    browser_page.context.grant_permissions(["geolocation"])
    browser_page.context.set_geolocation({"latitude": 41.2, "longitude": 36.25})
    browser_page.goto(site.url)
    browser_page.get_by_role("button", name="Bulunduğum yer").click()
    expect(browser_page.locator("#citizen-map .pin")).to_be_visible()
    assert chosen(browser_page) == (41.2, 36.25)


def test_by_keyboard_the_map_is_used_skipped_and_left(browser_page: Page, site: Served) -> None:
    to_the_map(browser_page, site)
    browser_page.locator("#map-part summary").focus()
    browser_page.keyboard.press("Tab")
    expect(browser_page.get_by_role("link", name="Haritayı atla")).to_be_focused()
    browser_page.keyboard.press("Enter")
    expect(browser_page.locator("#f-position")).to_be_focused()
    browser_page.locator("#map-part summary").focus()
    for _ in range(2):
        browser_page.keyboard.press("Tab")
    expect(browser_page.locator("#citizen-map")).to_be_focused()
    shot(browser_page, "citizen-map-focus")
    browser_page.keyboard.press("Enter")
    expect(browser_page.locator("#citizen-map .pin")).to_be_visible()
    assert chosen(browser_page) == pytest.approx(CENTRE, abs=0.001)
    for _ in range(5):
        browser_page.keyboard.press("Tab")
        if browser_page.evaluate("document.activeElement.id") == "f-position":
            break
    expect(browser_page.locator("#f-position")).to_be_focused()
    assert browser_page.url.rstrip("/").partition("#")[0].rstrip("/") == site.url


def test_on_a_telephone_one_finger_and_the_wheel_scroll_the_page(browser: Browser, site: Served) -> None:
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True, locale="tr-TR")
    page = context.new_page()
    to_the_map(page, site)
    assert page.locator("#citizen-map").evaluate("node => getComputedStyle(node).touchAction") == "pan-x pan-y"
    page.locator("#citizen-map").tap(position={"x": 150, "y": 120})
    expect(page.locator("#citizen-map .pin")).to_be_visible()
    shot(page, "citizen-map-touch")
    context.close()


def test_with_a_server_of_tiles_they_are_shown_and_its_makers_named(
    browser_page: Page, site: Served, tmp_path: Path
) -> None:
    world = World(tmp_path)
    world.public_url = "http://127.0.0.1"
    world.tiles = Tiles("https://tiles.example/{z}/{x}/{y}.png", "© Haritacılar")
    browser_page.route("https://tiles.example/**", lambda route: route.fulfill(body=jpeg(), content_type="image/jpeg"))
    with serving(create_app(world.parts)) as url:
        browser_page.goto(url)
        expect(browser_page.locator("#citizen-map .leaflet-tile-loaded").first).to_be_visible()
        expect(browser_page.locator("#citizen-map")).to_contain_text("© Haritacılar")
        axe(browser_page)
        shot(browser_page, "citizen-map-tiles")


@pytest.mark.parametrize("width", [1280, 390])
def test_subjects_are_searched_by_keyboard(browser_page: Page, site: Served, width: int) -> None:
    site.world.suggestions.answer = None
    browser_page.set_viewport_size({"width": width, "height": 844})
    browser_page.goto(site.url)
    browser_page.get_by_label("Ya da konuyu arayın").focus()
    browser_page.keyboard.type("konteyner kır")
    expect(browser_page.locator("#found button").first).to_have_text("Konteyner kırık, tamir")
    expect(browser_page.get_by_text("konu bulundu")).to_be_visible()
    no_sideways_scroll(browser_page)
    axe(browser_page)
    shot(browser_page, f"citizen-search-{width}")
    browser_page.keyboard.press("Control+a")
    browser_page.keyboard.type("kasis")
    expect(browser_page.locator("#found button")).to_have_text(["Hız kesici, trafik levhası talebi"])
    browser_page.keyboard.press("Tab")
    browser_page.keyboard.press("Enter")
    expect(browser_page.get_by_role("radio", name="Hız kesici, trafik levhası talebi")).to_be_checked()
    expect(browser_page.get_by_text("Ne istiyorsunuz?")).to_be_visible()
    expect(browser_page.get_by_text("Seçildi: Hız kesici, trafik levhası talebi")).to_be_visible()
    expect(browser_page.get_by_label("Ya da konuyu arayın")).to_be_focused()
    axe(browser_page)


def test_without_scripts_subjects_are_searched_and_picked(plain: Page, site: Served) -> None:
    site.world.suggestions.answer = None
    plain.goto(site.url)
    plain.get_by_label("Kendi sözlerinizle yazın").fill(TEXT)
    plain.get_by_label("Ya da konuyu arayın").fill("kasis")
    plain.get_by_label("Ya da konuyu arayın").press("Enter")
    plain.get_by_role("button", name="Hız kesici, trafik levhası talebi").click()
    expect(plain.get_by_label("Hız kesici, trafik levhası talebi")).to_be_checked()
    expect(plain.locator("[name=text]")).to_have_value(TEXT)
    expect(plain.locator("#citizen-map")).to_be_hidden()


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
