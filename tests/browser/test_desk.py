"""
The operator's desk in a real browser on a whole stack: a call from ring to receipt with the keyboard alone.
"""

import re
import secrets
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from deploy.stack.stack import Stack
from tests.browser.desks import PATIENCE, Town
from tests.browser.look import axe, no_sideways_scroll, shot

STROKES = 25
POTHOLE = "Kadıköy mahallesi Lise caddesinde yolda büyük bir çukur var"


class Exchange:
    """
    The telephone exchange: what it reports of one call from ``number``.
    """

    def __init__(self, env: dict[str, str], number: str) -> None:
        self._url = f"{env['INTAKE_URL']}/webhooks/telephony/{env['TELEPHONY_TOKEN']}"
        self._call = {"direction": "in", "from": number, "to": "4445501", "callId": secrets.token_hex(6)}

    def says(self, event: str, **more: str) -> None:
        answer = httpx.post(self._url, json={"event": event, "queue": "ilkim", **self._call, **more}, timeout=PATIENCE)
        answer.raise_for_status()


class Hand:
    """
    Somebody without a mouse. ``strokes``: the keys pressed beyond the text itself.
    """

    def __init__(self, page: Page) -> None:
        self._keyboard = page.keyboard
        self.strokes = 0

    def press(self, keys: str) -> None:
        self._keyboard.press(keys)
        self.strokes += len(keys.split("+"))

    def write(self, text: str) -> None:
        self._keyboard.type(text)


@pytest.fixture
def town(stack: Stack, browser: Browser) -> Iterator[Town]:
    """
    The stack; whoever sat down goes home afterwards.
    """
    expect.set_options(timeout=PATIENCE * 1000)
    found = Town(stack, browser)
    yield found
    found.leave()


def console(town: Town, *, width: int = 1280, height: int = 900, keep: bool = False) -> Page:
    """
    The desk, without what others left on it.
    """
    page = town.sit_down("operator", "/sign-in", width=width, height=height)
    page.goto(f"{town.env['INTAKE_URL']}/console")
    expect(page.locator("#seat")).to_be_attached()
    if not keep:
        page.wait_for_load_state("networkidle")
        page.click("#clear")
        expect(page.locator("#f-text")).to_have_value("")
    return page


def number() -> str:
    return f"90532{secrets.randbelow(10**7):07}"


def registered(page: Page) -> str:
    """
    The number that the desk reads out.
    """
    expect(page.locator("#number")).to_be_visible()
    found = page.locator("#registered").get_attribute("data-number")
    assert found
    return found


def test_a_call_from_ring_to_receipt_with_the_keyboard_alone(town: Town) -> None:
    page = console(town)
    hand, caller = Hand(page), number()
    exchange = Exchange(town.env, caller)
    exchange.says("newCall")
    expect(page.locator(".ring button")).to_be_focused()
    expect(page.locator(".ring")).to_contain_text(f"0{caller[2:5]}")
    shot(page, "desk-ringing-1280", full=False)

    hand.press("Enter")
    expect(page.locator("#desk-call")).to_contain_text("Görüşme sürüyor")
    expect(page.locator("#f-phone")).to_have_value(f"+{caller}")
    expect(page.locator("#f-text")).to_be_focused()
    hand.write(POTHOLE)
    expect(page.locator(".pick").first).to_contain_text("Fen İşleri")
    expect(page.locator("#f-neighbourhood")).to_have_value("Kadıköy")
    expect(page.locator("#f-address")).to_have_value("Lise Caddesi")
    shot(page, "desk-typing-1280", full=False)
    hand.press("Alt+1")
    expect(page.locator("#f-service")).to_have_value("Yolda çukur, bozuk asfalt")
    hand.press("Control+Enter")

    request_id = registered(page)
    expect(page.locator("#sent-to")).to_contain_text("Fen İşleri Müdürlüğü")
    assert hand.strokes <= STROKES
    shot(page, "desk-registered-1280", full=False)
    axe(page)
    told = town.at(request_id, "assigned")
    assert (told["channel"], told["service_code"], told["neighbourhood"]) == ("phone", "yol-cukur", "Kadıköy")
    assert told["decided_by"] == "explicit"

    with page.context.expect_page() as opened:
        hand.press("Alt+r")
    receipt = opened.value
    expect(receipt.locator(".receipt-number")).to_contain_text(request_id[:4])
    expect(receipt.locator(".receipt-qr")).to_be_visible()
    expect(receipt.locator(".receipt")).to_contain_text("Fen İşleri Müdürlüğü")
    expect(receipt.locator(".receipt")).not_to_contain_text(caller[2:])
    axe(receipt)
    shot(receipt, "desk-receipt-1280")
    receipt.close()

    exchange.says("hangup", cause="normalClearing")
    expect(page.locator("#desk-call.over")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("#f-text")).to_be_focused()
    expect(page.locator("#f-phone")).to_have_value("")


def test_danger_is_shown_with_its_script_while_the_text_is_typed(town: Town) -> None:
    page = console(town)
    Hand(page).write("apartmanda gaz kokusu var")
    banner = page.locator("#emergency .emergency")
    expect(banner).to_contain_text("187 · 112")
    expect(banner).to_contain_text("Elektrik düğmelerine")
    axe(page)
    shot(page, "desk-emergency-1280", full=False)


def test_what_the_operator_typed_is_not_overwritten_by_a_suggestion(town: Town) -> None:
    page = console(town)
    page.fill("#f-address", "Cami yanı")
    page.locator("#f-text").focus()
    Hand(page).write(POTHOLE)
    expect(page.locator("#f-neighbourhood")).to_have_value("Kadıköy")
    expect(page.locator("#f-address")).to_have_value("Cami yanı")


def test_a_draft_comes_back_after_a_reload(town: Town) -> None:
    page = console(town)
    Hand(page).write("Parkta salıncak kırık")
    page.fill("#f-name", "Ayşe Yılmaz")
    expect(page.locator("#kept")).to_have_text("Taslak saklandı")
    page.reload()
    expect(page.locator("#f-text")).to_have_value("Parkta salıncak kırık")
    expect(page.locator("#f-name")).to_have_value("Ayşe Yılmaz")
    page.keyboard.press("Control+Enter")
    registered(page)
    page.reload()
    expect(page.locator("#seat")).to_be_attached()
    page.wait_for_load_state("networkidle")
    expect(page.locator("#f-text")).to_have_value("")


def test_a_second_call_is_shown_and_takes_nothing_away(town: Town) -> None:
    page = console(town)
    first, second = Exchange(town.env, number()), Exchange(town.env, "anonymous")
    first.says("newCall")
    expect(page.locator(".ring")).to_have_count(1)
    page.keyboard.press("Alt+a")
    expect(page.locator("#desk-call")).to_contain_text("Görüşme sürüyor")
    Hand(page).write("Çöp ")
    second.says("newCall")
    expect(page.locator(".ring")).to_contain_text("Gizli numara")
    Hand(page).write("alınmadı")
    page.keyboard.press("Alt+a")
    expect(page.locator("#toasts")).to_contain_text("Önce süren görüşmeyi")
    expect(page.locator("#f-text")).to_have_value("Çöp alınmadı")
    first.says("hangup", cause="normalClearing")
    expect(page.locator("#desk-call")).to_contain_text("form duruyor")
    expect(page.locator("#f-text")).to_have_value("Çöp alınmadı")
    second.says("hangup", cause="originatorCancel")
    expect(page.locator(".ring")).to_have_count(0)
    page.keyboard.press("Control+Enter")
    registered(page)


def test_another_report_of_the_same_is_tied_with_one_key(town: Town) -> None:
    before = town.report(
        "Zafer mahallesi Fuar caddesinde kaldırım taşları kırık",
        service_code="kaldirim-bozuk",
        location={"neighbourhood": "Zafer", "address": "Fuar Caddesi 3"},
    )
    town.at(before, "assigned")
    page = console(town)
    Hand(page).write("Zafer mahallesi Fuar caddesinde kaldırım taşları kırık")
    likely = page.locator(f"#alike [data-number='{before}']")
    expect(likely).to_be_visible()
    shot(page, "desk-alike-1280", full=False)
    page.keyboard.press("Alt+5")
    expect(page.locator("#same")).to_contain_text("aynı konu")
    page.keyboard.press("Control+Enter")
    assert registered(page) != before


def test_without_suggestions_everything_else_works_and_they_come_back(town: Town) -> None:
    page = console(town)
    page.route("**/console/suggest", lambda route: route.fulfill(status=503, json={"title": "away"}))
    Hand(page).write("Kadıköy mahallesinde yolda çukur açıldı")
    expect(page.locator("#choices")).to_contain_text("Öneri şu an alınamıyor")
    page.keyboard.press("Control+Enter")
    town.at(registered(page), "assigned")
    page.keyboard.press("Enter")
    Hand(page).write("Kadıköy mahallesinde yolda çukur açıldı")
    expect(page.locator("#choices")).to_contain_text("Öneri şu an alınamıyor")
    page.unroute("**/console/suggest")
    expect(page.locator(".pick").first).to_contain_text("Fen İşleri")


def test_a_fault_is_told_at_its_field_and_nothing_is_lost(town: Town) -> None:
    page = console(town)
    Hand(page).write("Sokak lambası yanmıyor")
    page.fill("#f-phone", "123")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#f-phone")).to_be_focused()
    expect(page.locator(".field.wrong")).to_contain_text("0532 111 22 33")
    expect(page.locator("#f-text")).to_have_value("Sokak lambası yanmıyor")
    axe(page)
    page.fill("#f-phone", "0532 111 22 33")
    page.keyboard.press("Control+Enter")
    registered(page)


def test_the_desk_works_without_scripts(town: Town, browser: Browser) -> None:
    signed = console(town)
    context = browser.new_context(java_script_enabled=False, storage_state=signed.context.storage_state())
    context.set_default_timeout(PATIENCE * 1000)
    town.contexts.append(context)
    page = context.new_page()
    page.goto(f"{town.env['INTAKE_URL']}/console")
    page.fill("#f-text", POTHOLE)
    page.click("#ask")
    expect(page.locator("#choices")).to_contain_text("Fen İşleri")
    expect(page.locator("#f-neighbourhood")).to_have_value("Kadıköy")
    page.click("#register")
    expect(page.locator(".receipt")).to_contain_text("Fen İşleri Müdürlüğü")


def test_a_ready_answer_settles_it_once_its_gap_is_filled_in(town: Town) -> None:
    page = console(town)
    Hand(page).write("Eski koltuğumu nasıl verebilirim")
    page.keyboard.press("Alt+y")
    expect(page.locator("#f-answer_template")).to_be_focused()
    Hand(page).write("Bilgi verildi")
    expect(page.locator("#f-answer")).to_be_focused()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".field.wrong")).to_contain_text("köşeli ayraç")
    page.fill("#f-answer", "Perşembe sabahı kapı önüne bırakın.")
    page.keyboard.press("Control+Enter")
    told = town.at(registered(page), "resolved")
    assert told["public_text"] == "Perşembe sabahı kapı önüne bırakın."


def test_what_became_of_it_and_the_citizen_withdraws(town: Town) -> None:
    request_id = town.report(POTHOLE, service_code="yol-cukur")
    town.at(request_id, "assigned")
    page = console(town)
    page.keyboard.press("Alt+b")
    Hand(page).write(request_id)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text(request_id[:4])
    expect(page.locator("main")).to_contain_text("Fen İşleri Müdürlüğü")
    axe(page)
    shot(page, "desk-request-1280")
    page.fill("#f-text", "Kapı numarası 7")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#flash")).to_contain_text("iletildi")
    page.fill("#f-cancel", "Kendisi halletmiş")
    page.get_by_role("button", name="Vazgeçme ile kapat").click()
    expect(page.locator("#flash")).to_contain_text(re.compile("Yapıldı|Alındı"))
    town.at(request_id, "cancelled")


def test_a_missed_call_is_called_back(town: Town) -> None:
    page = console(town)
    page.goto(f"{town.env['INTAKE_URL']}/console/callbacks")
    rows = page.locator("tbody tr")
    before = rows.count()
    caller = number()
    exchange = Exchange(town.env, caller)
    exchange.says("newCall")
    exchange.says("hangup", cause="originatorCancel")
    town.wait(lambda: page.reload() and rows.count() > before, "the call-back is on the list")
    expect(page.locator("main")).not_to_contain_text(caller[2:])
    axe(page)
    shot(page, "desk-callbacks-1280", full=False)
    rows.last.get_by_role("link", name="Aç ve ara").click()
    expect(page.locator("main")).to_contain_text(f"+{caller}")
    axe(page)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#flash")).to_contain_text("Kaydedildi")


def test_it_fits_a_phone(town: Town) -> None:
    page = console(town, width=390, height=844)
    page.fill("#f-text", "apartmanda gaz kokusu var")
    expect(page.locator("#emergency .emergency")).to_be_visible()
    no_sideways_scroll(page)
    axe(page)
    shot(page, "desk-390")
    request_id = town.report(POTHOLE)
    for path in (f"/console/receipt/{request_id}", f"/console/requests/{request_id}", "/console/callbacks"):
        page.goto(town.env["INTAKE_URL"] + path)
        no_sideways_scroll(page)
        axe(page)
    shot(page, "desk-callbacks-390")
