"""
Triage by keys alone, in a real browser on a whole stack.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from deploy.stack.stack import Stack
from services.common.contracts.ids import grouped
from tests.browser.desks import PATIENCE, Town
from tests.browser.look import axe, no_sideways_scroll, shot


@pytest.fixture
def town(stack: Stack, browser: Browser) -> Iterator[Town]:
    """
    The stack; whoever sat down goes home afterwards.
    """
    expect.set_options(timeout=PATIENCE * 1000)
    found = Town(stack, browser)
    yield found
    found.leave()


def undecided(town: Town, *texts: str) -> list[str]:
    numbers = [town.report(text, channel="whatsapp") for text in texts]
    for number in numbers:
        town.at(number, "triage")
    return numbers


def opened(page: Page, number: str) -> None:
    """
    This one is in front.
    """
    page.goto(re.sub(r"/triage.*", f"/triage?id={number}", page.url))
    expect(page.locator(f"#item-{number}")).to_be_visible()


def test_a_key_sends_each_and_the_next_one_is_there_at_once(town: Town) -> None:
    first, second = undecided(town, "Burada bir sorun var, gelip bakar mısınız lütfen", "Yine aynısı oldu, ilgilenin")
    page = town.sit_down("operator", "/triage")
    opened(page, first)
    best = page.locator(f"#item-{first} .choice-button").first
    service, department = best.get_attribute("value"), best.get_attribute("data-to")
    axe(page)
    shot(page, "triage-1280", full=False)

    page.keyboard.press("1")
    expect(page.locator(f"#item-{first}")).to_have_count(0)
    expect(page.locator("article.item:visible")).to_have_count(1)
    expect(page.locator("#toasts")).to_contain_text(re.compile(f"{grouped(first)}.*(gönderildi|masada kaldı)"))
    told = town.wait(lambda: (found := town.told(first)) and found["status"] != "triage" and found, "placed")
    assert (told["service_code"], told["department"]) == (service, department)

    opened(page, second)
    page.keyboard.press("s")
    page.keyboard.type("cukur")
    shot(page, "triage-search-1280", full=False)
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Fen İşleri")
    assert town.at(second, "assigned")["department"] == "fen-isleri"


def test_arrows_and_letters_move_through_the_queue(town: Town) -> None:
    undecided(town, "Bu durum artık çekilmez hale geldi", "Sizden bir ricam olacaktı acaba")
    page = town.sit_down("operator", "/triage")
    shown = page.locator("article.item:visible")
    expect(shown).to_have_count(1)
    first = shown.get_attribute("data-id")
    page.keyboard.press("j")
    expect(shown).not_to_have_attribute("data-id", str(first))
    page.keyboard.press("k")
    expect(shown).to_have_attribute("data-id", str(first))
    page.keyboard.press("ArrowDown")
    expect(shown).not_to_have_attribute("data-id", str(first))


def test_the_second_operator_sees_it_go_and_hears_who_sent_it(town: Town) -> None:
    (number,) = undecided(town, "Konu hakkında bilgi verir misiniz, mağdurum")
    first, second = town.sit_down("operator", "/triage"), town.sit_down("operator", "/triage")
    for page in (first, second):
        opened(page, number)

    first.keyboard.press("s")
    first.keyboard.type("gurultu")
    first.keyboard.press("Enter")

    expect(second.locator(f"#item-{number}")).to_have_count(0)
    expect(second.locator("#toasts")).to_contain_text(f"{grouped(number)}: Elif Demir işlem yaptı")


def test_what_a_department_rejects_comes_back_with_its_reason(town: Town) -> None:
    number = town.report("Gürültü var ama kimin işi bilmiyoruz.", service_code="gurultu")
    town.at(number, "assigned")
    clerk = town.sit_down("zabita", f"/department/zabita/{number}")
    clerk.keyboard.press("x")
    clerk.locator("dialog[open]").get_by_label(re.compile("^İç not")).fill("Sanayi sitesi: ruhsat denetimi gerek")
    clerk.keyboard.press("Control+Enter")
    clerk.wait_for_url(town.url("/department/zabita"))
    town.at(number, "triage")

    page = town.sit_down("operator", "/triage")
    opened(page, number)
    item = page.locator(f"#item-{number}")
    expect(item).to_contain_text("ruhsat denetimi gerek")
    expect(item).to_contain_text("Reddetti: Hasan Yıldız")
    axe(page)
    shot(page, "triage-bounced-1280", full=False)


def test_triage_fits_a_phone(town: Town) -> None:
    (number,) = undecided(town, "Mahallemizde yaşananlar için yardım istiyoruz")
    page = town.sit_down("operator", f"/triage?id={number}", width=390, height=844)
    expect(page.locator(f"#item-{number}")).to_be_visible()
    no_sideways_scroll(page)
    axe(page)
    shot(page, "triage-390")
