"""
The dashboard in a real browser: what it shows is what the API says, its address says what it shows, every bar leads to
its requests, and everybody can read it.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from services.common.ui import formats
from tests.browser.board import CLERK, MANAGER, City, board, grown, report, sit_down
from tests.browser.look import axe, no_sideways_scroll, shot, until
from tests.unit.reporting.lives import Life

ALL = "period=all"
SOON = 60_000  # ms: two cores carry this too


@pytest.fixture(scope="module")
def city() -> City:
    """
    Three hundred requests of forty days.
    """
    expect.set_options(timeout=SOON)
    return grown()


@pytest.fixture(scope="module")
def url(city: City) -> Iterator[str]:
    with board(city) as found:
        yield found


def card(page: Page, key: str) -> Locator:
    found = page.locator(f"#card-{key}")
    found.scroll_into_view_if_needed()
    expect(found).to_have_attribute("aria-busy", "false")
    return found


def all_drawn(page: Page) -> None:
    """
    Every card was looked at and has its figures.
    """
    for one in page.locator("[data-card]").all():
        one.scroll_into_view_if_needed()
        expect(one).to_have_attribute("aria-busy", "false")
    expect(page.locator("#tiles")).to_have_attribute("aria-busy", "false")
    assert page.locator(".figure-wrong").count() == 0
    page.evaluate("scrollTo(0, 0)")


def numbers(row: Locator) -> list[str]:
    return [text.strip() for text in row.locator("td").all_inner_texts()]


def as_table(page: Page, key: str) -> list[list[str]]:
    """
    A card as a table: the cells of its rows.
    """
    found = card(page, key)
    found.get_by_role("button", name=re.compile("^Tablo")).click()
    rows = found.locator(".figure-table tbody tr")
    expect(rows.first).to_be_visible()
    return [numbers(row) for row in rows.all()]


# --- for everybody ---


@pytest.mark.parametrize(
    ("width", "scheme", "language"), [(1280, "light", "tr"), (390, "dark", "en"), (390, "light", "tr")]
)
def test_the_dashboard_is_there_for_everybody(
    browser_page: Page, url: str, width: int, scheme: str, language: str
) -> None:
    browser_page.set_viewport_size({"width": width, "height": 900})
    browser_page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    sit_down(browser_page, url, MANAGER, f"/?lang={language}")
    all_drawn(browser_page)
    shot(browser_page, f"dashboard-{language}-{width}")
    no_sideways_scroll(browser_page)
    axe(browser_page)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_list_behind_a_bar_is_there_for_everybody(browser_page: Page, url: str, width: int) -> None:
    browser_page.set_viewport_size({"width": width, "height": 900})
    sit_down(browser_page, url, MANAGER, "/requests?status=open&department=fen-isleri,zabita")
    expect(browser_page.locator("tbody tr").first).to_be_visible()
    shot(browser_page, f"requests-{width}", full=False)
    no_sideways_scroll(browser_page)
    axe(browser_page)
    browser_page.emulate_media(color_scheme="dark")
    axe(browser_page)


def test_nothing_is_fetched_from_elsewhere(browser_page: Page, url: str) -> None:
    asked: list[str] = []
    browser_page.on("request", lambda request: asked.append(request.url))
    sit_down(browser_page, url, MANAGER, "/panel")
    all_drawn(browser_page)
    assert [one for one in asked if not one.startswith((url, "data:", "blob:"))] == []


def test_a_department_sees_its_own_and_is_told_so(browser_page: Page, url: str, city: City) -> None:
    sit_down(browser_page, url, CLERK, f"/panel?{ALL}")
    all_drawn(browser_page)
    own = city.frame.filter(city.frame["department"] == "zabita").height
    expect(browser_page.locator(".own")).to_contain_text("Zabıta")
    expect(browser_page.locator('[data-tile="received"] [data-value]')).to_have_text(str(own))
    assert browser_page.locator("[name=department]").count() == 0
    rows = card(browser_page, "departments").locator("tbody tr")
    expect(rows).to_have_count(1)


# --- figures ---


def test_the_tables_say_what_the_api_says(browser_page: Page, url: str) -> None:
    sit_down(browser_page, url, MANAGER, f"/panel?{ALL}&interval=week")

    volume = report(url, "volume", interval="week")["rows"]
    assert as_table(browser_page, "volume") == [[str(row["received"]), str(row["closed"])] for row in volume]

    channels = report(url, "channels")["rows"]
    shown = [numbers(row)[1] for row in card(browser_page, "channels").locator("tbody tr").all()]
    assert shown == [str(row["received"]) for row in channels]

    sla = report(url, "sla")["rows"]
    closed = [sum(row["hours_to_close"][n] for row in sla) for n in range(len(sla[0]["hours_to_close"]))]
    assert [cells[0] for cells in as_table(browser_page, "resolve")] == [str(count) for count in closed]

    backlog = report(url, "backlog")["rows"]
    assert [cells[1:3] for cells in as_table(browser_page, "backlog")] == [
        [str(row["open"]), str(row["overdue"])] for row in backlog
    ]

    heat = {(row["hour"], row["weekday"]): row["received"] for row in report(url, "heatmap")["rows"]}
    assert as_table(browser_page, "hours") == [[str(heat[hour, day]) for day in range(1, 8)] for hour in range(24)]


def test_the_tiles_say_what_the_api_says(browser_page: Page, url: str) -> None:
    today = datetime.now(formats.ISTANBUL).date()
    sit_down(browser_page, url, MANAGER, "/panel")
    (row,) = report(url, "summary", from_=(today - timedelta(days=29)).isoformat(), to=today.isoformat())["rows"]
    (now,) = report(url, "summary")["rows"]

    def tile(key: str) -> Locator:
        return browser_page.locator(f'[data-tile="{key}"] [data-value]')

    expect(tile("received")).to_have_text(formats.number(row["received"], "tr"))
    expect(tile("on_time")).to_have_text(formats.percent(row["on_time_share"], "tr"))
    expect(tile("rating")).to_have_text(f"{formats.number(row['rating_average'], 'tr')} / 5")
    expect(tile("open")).to_have_text(formats.number(now["open"], "tr"))
    expect(tile("overdue")).to_have_text(formats.number(now["overdue"], "tr"))
    expect(tile("emergency")).to_have_text(formats.number(now["emergencies_open"], "tr"))
    expect(browser_page.locator("#as-of")).to_contain_text("itibarıyla")


def test_a_request_that_comes_in_changes_the_tiles_by_itself(browser_page: Page) -> None:
    city = grown(count=30)
    with board(city) as url:
        sit_down(browser_page, url, MANAGER, f"/panel?{ALL}")
        tile = browser_page.locator('[data-tile="received"] [data-value]')
        expect(tile).to_have_text("30")
        city.add(Life(1_000, at=datetime.now(UTC) - timedelta(minutes=1)).receive().register().assign())
        expect(tile).to_have_text("31")


# --- the address ---


def test_filters_stand_in_the_address_and_back_brings_them_back(browser_page: Page, url: str) -> None:
    sit_down(browser_page, url, MANAGER, f"/panel?{ALL}")
    tile = browser_page.locator('[data-tile="received"] [data-value]')
    expect(tile).to_have_text("300")
    browser_page.locator("#more-filters").click()
    browser_page.locator("#f-channel").select_option("whatsapp")
    whatsapp = report(url, "summary", channel="whatsapp")["rows"][0]["received"]
    expect(tile).to_have_text(str(whatsapp))
    assert parse_qs(urlsplit(browser_page.url).query) == {"period": ["all"], "channel": ["whatsapp"]}
    browser_page.get_by_role("button", name="7 gün").click()
    assert parse_qs(urlsplit(browser_page.url).query) == {"period": ["7d"], "channel": ["whatsapp"]}

    browser_page.go_back()
    expect(tile).to_have_text(str(whatsapp))
    expect(browser_page.get_by_role("button", name="Tümü", exact=True)).to_have_attribute("aria-pressed", "true")
    browser_page.go_back()
    expect(tile).to_have_text("300")
    assert browser_page.locator("#f-channel").input_value() == ""
    browser_page.go_forward()
    expect(tile).to_have_text(str(whatsapp))
    browser_page.reload()
    expect(tile).to_have_text(str(whatsapp))
    assert browser_page.locator("#f-channel").input_value() == "whatsapp"


def test_a_wrong_address_is_told_by_the_card_and_not_guessed(browser_page: Page, url: str) -> None:
    sit_down(browser_page, url, MANAGER, "/panel?department=uzay-isleri")
    wrong = browser_page.locator("#card-volume .figure-wrong")
    expect(wrong).to_contain_text("department")
    expect(wrong.get_by_role("button", name="Yeniden dene")).to_be_visible()


def test_without_requests_the_cards_say_so(browser_page: Page) -> None:
    with board(City()) as url:
        sit_down(browser_page, url, MANAGER, "/panel")
        all_drawn(browser_page)
        expect(card(browser_page, "volume")).to_contain_text("başvuru yok")
        expect(card(browser_page, "backlog")).to_contain_text("Açık iş yok")
        all_drawn(browser_page)
        axe(browser_page)


# --- drill-down ---


def test_a_bar_leads_to_its_requests_and_they_are_as_many(browser_page: Page, url: str) -> None:
    sit_down(browser_page, url, MANAGER, f"/panel?{ALL}")
    bar = card(browser_page, "channels").locator("tbody tr").first
    count = int(numbers(bar)[1])
    bar.get_by_role("link").click()
    expect(browser_page.locator(".head-text")).to_contain_text(f"{count} başvuru")
    expect(browser_page.locator(".chip")).to_contain_text(["Kanal: Telefon"])

    seen: list[str] = []
    while True:
        expect(browser_page.locator("tbody tr").first).to_be_visible()
        seen += browser_page.locator("tbody .request-id").all_inner_texts()
        further = browser_page.get_by_role("link", name="Sonraki")
        if not further.count():
            break
        further.click()
    assert len(seen) == len(set(seen)) == count
    browser_page.get_by_role("link", name="Panele dön").click()
    expect(browser_page.locator("#f-channel")).to_have_value("phone")


def test_keys_walk_through_a_chart_and_enter_opens_the_day(browser_page: Page, url: str) -> None:
    sit_down(browser_page, url, MANAGER, "/panel?period=30d&interval=day")
    chart = card(browser_page, "volume").locator(".chart")
    chart.focus()
    browser_page.keyboard.press("End")
    browser_page.keyboard.press("ArrowLeft")
    yesterday = datetime.now(formats.ISTANBUL).date() - timedelta(days=1)
    received = report(url, "summary", from_=yesterday.isoformat(), to=yesterday.isoformat())["rows"][0]["received"]
    expect(browser_page.locator("#said")).to_contain_text(f"Gelen {received}")
    browser_page.keyboard.press("Enter")
    browser_page.wait_for_url(re.compile("/requests"))
    query = parse_qs(urlsplit(browser_page.url).query)
    assert query == {"from": [yesterday.isoformat()], "to": [yesterday.isoformat()]}


# --- the wall ---


def test_the_wall_screen_turns_by_itself_and_stops_when_asked(browser_page: Page, url: str) -> None:
    browser_page.set_viewport_size({"width": 1920, "height": 1080})
    browser_page.clock.install()
    sit_down(browser_page, url, MANAGER, "/panel?wall=1")
    expect(browser_page.locator(".figure.on").first).to_be_visible()
    expect(browser_page.locator("header.bar")).to_be_hidden()
    assert browser_page.locator("#card-volume").is_visible()
    axe(browser_page)

    browser_page.clock.fast_forward(21_000)
    expect(browser_page.locator("#card-departments")).to_be_visible()
    expect(browser_page.locator("#card-volume")).to_be_hidden()
    until(browser_page, "document.documentElement.scrollHeight <= innerHeight")

    browser_page.get_by_role("button", name="Durdur").dispatch_event("click")
    browser_page.clock.fast_forward(61_000)
    expect(browser_page.locator("#card-departments")).to_be_visible()


def test_who_wants_no_motion_turns_the_wall_screen_by_hand(browser_page: Page, url: str) -> None:
    browser_page.emulate_media(reduced_motion="reduce")
    browser_page.clock.install()
    sit_down(browser_page, url, MANAGER, "/panel?wall=1")
    expect(browser_page.locator("#card-volume")).to_be_visible()
    browser_page.clock.fast_forward(61_000)
    expect(browser_page.locator("#card-volume")).to_be_visible()
    browser_page.get_by_role("button", name="Sonraki").dispatch_event("click")
    expect(browser_page.locator("#card-departments")).to_be_visible()
