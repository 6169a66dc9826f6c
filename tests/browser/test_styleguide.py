"""
The design system in a real browser: what every page inherits.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from playwright.sync_api import Browser, Page, expect

from services.common.kit.http import PROBLEM_JSON
from services.common.ui import formats
from tests.browser.look import axe, no_sideways_scroll, serving, shot, until
from tests.unit.ui.guide import NOW, OPERATOR, guide


@dataclass
class World:
    """
    The guide with a stream and an API behind it, and what came in there.
    """

    url: str = ""
    down: bool = False
    hold: bool = False
    posts: list[str] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    last_ids: list[str | None] = field(default_factory=list)

    def routes(self, app: FastAPI) -> None:
        """
        /stream, /asked, /signed-out.
        """

        @app.middleware("http")
        async def counted(request: Request, call_next):  # type: ignore[no-untyped-def]
            if request.method == "POST" and request.url.path == "/":
                self.posts.append(request.url.path)
            return await call_next(request)

        @app.get("/stream")
        async def stream(last: str | None = None) -> Response:
            self.last_ids.append(last)
            if self.down:
                return Response(status_code=503)

            async def events() -> AsyncIterator[str]:
                number = int(last or 0) + 1
                yield f"id: {number}\nevent: came\ndata: {json.dumps({'number': number})}\n\n"
                while self.hold and not self.down:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)

            return StreamingResponse(events(), media_type="text/event-stream")

        @app.post("/asked")
        async def asked(request: Request) -> dict[str, object]:
            self.tokens.append(request.headers.get("x-csrf-token"))
            return {"got": await request.json()}

        @app.post("/signed-out")
        async def signed_out() -> Response:
            return JSONResponse({"status": 401, "detail": "sign in"}, status_code=401, media_type=PROBLEM_JSON)


@pytest.fixture(scope="module")
def served() -> Iterator[World]:
    world = World()
    app = guide.__wrapped__(replace(OPERATOR, name="Ayşe Demir"))
    world.routes(app)
    with serving(app) as address:
        world.url = address
        yield world
        world.hold = False


@pytest.fixture
def world(served: World) -> World:
    served.down = served.hold = False
    for heard in (served.posts, served.tokens, served.last_ids):
        heard.clear()
    return served


def module(code: str) -> str:
    return f"async (value) => {{ const ui = await import(document.querySelector('script[type=module]').src); {code} }}"


@pytest.mark.parametrize(
    ("width", "theme", "language"),
    [(1280, "light", "tr"), (1280, "dark", "en"), (390, "light", "en"), (390, "dark", "tr")],
)
def test_the_guide_has_no_serious_violation(
    browser_page: Page, world: World, width: int, theme: str, language: str
) -> None:
    browser_page.set_viewport_size({"width": width, "height": 900})
    browser_page.goto(f"{world.url}/?lang={language}&theme={theme}")
    axe(browser_page)
    shot(browser_page, f"styleguide-{width}-{theme}-{language}")


@pytest.mark.parametrize("width", [320, 768, 1024, 1280])
def test_no_page_scrolls_sideways(browser_page: Page, world: World, width: int) -> None:
    browser_page.set_viewport_size({"width": width, "height": 800})
    for language in ("tr", "en"):
        browser_page.goto(f"{world.url}/?lang={language}")
        no_sideways_scroll(browser_page)


def test_what_fingers_press_is_large_enough(browser_page: Page, world: World) -> None:
    browser_page.set_viewport_size({"width": 390, "height": 800})
    browser_page.goto(world.url)
    small = browser_page.evaluate(
        """() => [...document.querySelectorAll(
          'button, .button, select, input:not([type=hidden]), summary, .nav > a, .tabs a')]
        .map((node) => node.closest('.choice') || node)
        .filter((node) => node.getClientRects().length && node.getBoundingClientRect().height < 43.9)
        .map((node) => node.outerHTML.slice(0, 120))"""
    )
    assert small == []


def test_an_error_page_and_a_dialog_have_no_serious_violation(browser_page: Page, world: World) -> None:
    browser_page.goto(f"{world.url}/nope")
    axe(browser_page)
    browser_page.goto(world.url)
    browser_page.locator("[data-open=reject]").click()
    axe(browser_page)
    shot(browser_page, "dialog-1280", full=False)


def test_the_theme_changes_at_once_and_stays(browser_page: Page, world: World) -> None:
    browser_page.emulate_media(color_scheme="dark")
    browser_page.goto(world.url)
    ground = "getComputedStyle(document.body).backgroundColor"
    by_system = browser_page.evaluate(ground)
    browser_page.locator("#theme").click()
    by_wish = browser_page.evaluate(ground)
    assert by_wish != by_system
    browser_page.reload()
    assert browser_page.evaluate(ground) == by_wish
    expect(browser_page.locator("html")).to_have_attribute("data-theme", "light")


def test_the_first_tab_leads_past_the_navigation(browser_page: Page, world: World) -> None:
    browser_page.goto(f"{world.url}/fails/404")
    browser_page.keyboard.press("Tab")
    expect(browser_page.locator(".skip")).to_be_focused()
    browser_page.keyboard.press("Enter")
    expect(browser_page.locator("main")).to_be_focused()


def test_a_question_mark_lists_the_keys_and_escape_returns(browser_page: Page, world: World) -> None:
    browser_page.goto(world.url)
    opener = browser_page.locator("[data-open=reject]")
    opener.focus()
    browser_page.keyboard.press("?")
    help_ = browser_page.locator("#help")
    expect(help_).to_be_visible()
    expect(help_.locator("dd")).to_contain_text(["Bu liste", "Masa", "Triyaj"])
    expect(help_).to_contain_text("Anlatılan")
    browser_page.keyboard.press("Escape")
    expect(help_).to_be_hidden()
    expect(opener).to_be_focused()


def test_keys_press_jump_and_leave_typing_alone(browser_page: Page, world: World) -> None:
    browser_page.goto(world.url)
    browser_page.locator("body").evaluate("() => document.activeElement.blur()")
    browser_page.keyboard.press("/")
    search = browser_page.locator("#f-q")
    expect(search).to_be_focused()
    browser_page.keyboard.type("r/?n")
    expect(search).to_have_value("r/?n")
    expect(browser_page.locator("dialog[open]")).to_have_count(0)
    browser_page.keyboard.press("Alt+m")
    expect(browser_page.locator("#f-text")).to_be_focused()
    browser_page.locator("body").evaluate("() => document.activeElement.blur()")
    browser_page.keyboard.press("r")
    expect(browser_page.locator("#f-reason")).to_be_focused()
    browser_page.keyboard.press("Escape")
    expect(browser_page.locator("dialog[open]")).to_have_count(0)


def test_a_sequence_of_keys_goes_to_another_page(browser_page: Page, world: World) -> None:
    browser_page.goto(world.url)
    browser_page.locator("body").evaluate("() => document.activeElement.blur()")
    browser_page.route("**/console", lambda route: route.fulfill(body="the desk"))
    browser_page.keyboard.press("g")
    browser_page.keyboard.press("m")
    browser_page.wait_for_url("**/console")


def test_alt_gr_is_for_letters(browser_page: Page, world: World) -> None:
    browser_page.goto(world.url)
    ran = browser_page.evaluate(
        module(
            """let ran = 0; ui.keys({'alt+q': () => { ran += 1; }});
            const press = (more) => document.body.dispatchEvent(
              new KeyboardEvent('keydown', {key: 'q', altKey: true, bubbles: true, cancelable: true, ...more}));
            press({modifierAltGraph: true}); const withAltGr = ran; press({}); return [withAltGr, ran];"""
        )
    )
    assert ran == [0, 1]


def test_a_form_is_sent_once(browser_page: Page, world: World) -> None:
    browser_page.goto(world.url)
    browser_page.locator("#f-phone").fill("0532 123 45 67")
    browser_page.evaluate(
        """() => { const form = document.querySelector('form[data-keep]');
        const button = form.querySelector('.primary'); button.click(); button.click(); form.requestSubmit(); }"""
    )
    expect(browser_page.locator("#flash")).to_contain_text("Kaydedildi")
    assert len(world.posts) == 1


def test_ctrl_enter_sends_while_typing_and_nothing_is_asked(browser_page: Page, world: World) -> None:
    browser_page.goto(world.url)
    browser_page.locator("#f-text").fill("Sokak lambası yanmıyor")
    browser_page.keyboard.press("Control+Enter")
    expect(browser_page.locator("#flash")).to_contain_text("Kaydedildi")


def test_typed_text_is_not_lost_without_a_question(browser_page: Page, world: World) -> None:
    browser_page.goto(world.url)
    asked: list[str] = []

    def stay(dialog) -> None:  # type: ignore[no-untyped-def]
        asked.append(dialog.type)
        dialog.dismiss()

    browser_page.on("dialog", stay)
    browser_page.locator("#f-text").press_sequentially("Çok ")
    browser_page.evaluate("location.reload()")
    until(browser_page, "true")
    assert asked == ["beforeunload"]
    expect(browser_page.locator("#f-text")).to_have_value("Çok Evin önündeki çukur büyüdü, araçlar zarar görüyor.")


def test_a_script_asks_with_the_token_and_tells_of_a_lost_session(browser_page: Page, world: World) -> None:
    browser_page.goto(world.url)
    got = browser_page.evaluate(module("return ui.api('/asked', {method: 'POST', body: value})"), {"a": 1})
    assert got == {"got": {"a": 1}}
    assert world.tokens == [OPERATOR.csrf]
    status = browser_page.evaluate(
        module("return ui.api('/signed-out', {method: 'POST', body: {}}).catch((error) => error.status)")
    )
    assert status == 401
    toast = browser_page.locator(".toast")
    expect(toast).to_contain_text("Oturumunuz bitti")
    expect(toast.locator("a")).to_have_attribute("href", "http://127.0.0.1:8001/sign-in")
    browser_page.context.set_offline(True)
    status = browser_page.evaluate(module("return ui.api('/asked').catch((error) => error.status)"))
    assert status == 0


def test_a_stream_comes_back_and_says_so_only_while_it_is_gone(browser_page: Page, world: World) -> None:
    browser_page.goto(world.url)
    browser_page.evaluate(
        module(
            """window.seen = []; window.back = 0;
            ui.live('/stream', {came: (data) => seen.push(data.number)}, {onBack: () => { back += 1; }});"""
        )
    )
    until(browser_page, "seen.length >= 2")  # the first stream ended by itself: a quick new one, no bar
    assert browser_page.evaluate("seen.slice(0, 2)") == [1, 2]
    world.hold = True
    until(browser_page, "seen.length >= 3 && document.getElementById('lost').hidden")
    world.down = True
    expect(browser_page.locator("#lost")).to_be_visible()
    shot(browser_page, "connection-lost", full=False)
    before = browser_page.evaluate("back")
    world.down = False
    expect(browser_page.locator("#lost")).to_be_hidden()
    until(browser_page, f"back > {before}")
    seen = browser_page.evaluate("seen")
    assert seen == list(range(1, len(seen) + 1))
    assert world.last_ids[:2] == [None, "1"]


def test_the_scripts_tell_times_like_the_server(browser_page: Page, world: World) -> None:
    minutes = [0, 1, 2, 59, 60, 119, 239, 240, 241, 47 * 60 + 59, 48 * 60, 72 * 60 - 1, 300 * 24 * 60]
    for language in formats.LANGUAGES:
        browser_page.goto(f"{world.url}/?lang={language}")
        told = browser_page.evaluate(
            module(
                """const now = new Date(value.now).getTime(); const at = (n) => new Date(now + n * 60000).toISOString();
                return value.minutes.map((n) => [ui.due(at(n), now), ui.due(at(-n), now), ui.ago(at(-n), now)]);"""
            ),
            {"now": NOW.isoformat(), "minutes": minutes},
        )
        spans = [timedelta(minutes=count) for count in minutes]
        assert told == [
            [
                list(formats.due(NOW + span, NOW, language)),
                list(formats.due(NOW - span, NOW, language)),
                formats.ago(NOW - span, NOW, language),
            ]
            for span in spans
        ]


def test_menus_close_with_escape_and_by_pressing_elsewhere(browser_page: Page, world: World) -> None:
    browser_page.goto(world.url)
    menu = browser_page.locator("details.person")
    menu.locator("summary").click()
    expect(menu.get_by_text("Çıkış")).to_be_visible()
    browser_page.keyboard.press("Escape")
    expect(menu.get_by_text("Çıkış")).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()
    menu.locator("summary").click()
    browser_page.locator("h1").click()
    expect(menu.get_by_text("Çıkış")).to_be_hidden()


def test_the_menu_of_inboxes_is_not_cut_off_on_a_phone(browser_page: Page, world: World) -> None:
    browser_page.set_viewport_size({"width": 390, "height": 800})
    browser_page.goto(world.url)
    browser_page.locator(".nav-menu summary").click()
    entry = browser_page.locator(".nav-menu a").last
    box = entry.bounding_box()
    assert box
    middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    on_top = browser_page.evaluate("([x, y]) => document.elementFromPoint(x, y).textContent", middle)
    assert on_top == "Zabıta Müdürlüğü"


def test_without_scripts_language_theme_and_forms_still_work(browser: Browser, world: World) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(world.url)
    page.locator("[hreflang=en]").click()
    expect(page.locator("h1")).to_have_text("Style guide")
    page.locator("#theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.locator("form[data-keep] .primary").click()
    expect(page.locator("#flash")).to_contain_text("Kaydedildi")
    context.close()


def test_on_paper_there_is_no_bar(browser_page: Page, world: World) -> None:
    browser_page.goto(world.url)
    browser_page.emulate_media(media="print")
    for gone in (".bar", ".foot", ".filters", ".tabs"):
        expect(browser_page.locator(gone).first).to_be_hidden()
    expect(browser_page.locator("table").first).to_be_visible()
