"""
A clerk's day at the inbox, in a real browser on a whole stack.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from deploy.stack.stack import Stack
from services.common.contracts.ids import grouped
from tests.browser.desks import PATIENCE, Town
from tests.browser.look import axe, no_sideways_scroll, shot
from tests.hostile_files.pictures import jpeg

SOON = PATIENCE * 1000


@pytest.fixture
def town(stack: Stack, browser: Browser) -> Iterator[Town]:
    """
    The stack; whoever sat down goes home afterwards.
    """
    expect.set_options(timeout=SOON)
    found = Town(stack, browser)
    yield found
    found.leave()


def row(page: Page, number: str) -> str:
    return f'tr[data-id="{number}"]'


def assigned(town: Town, *texts: str, service: str = "gurultu", **body: object) -> list[str]:
    numbers = [town.report(text, service_code=service, **body) for text in texts]
    for number in numbers:
        town.at(number, "assigned")
    return numbers


def photo(width: int, height: int) -> FilePayload:
    return {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": jpeg(width, height)}


def listed(town: Town, page: Page, number: str) -> None:
    """
    Until the list shows it. (It is sorted by due time and has pages: the number is looked for.)
    """
    page.goto(town.url(f"/department/zabita?view=all&q={number}"))
    expect(page.locator(row(page, number))).to_be_visible()


def test_a_request_is_accepted_and_resolved_with_a_photo_and_its_citizen_reads_the_answer(town: Town) -> None:
    citizen = "ayse.inbox@example.org"
    (number,) = assigned(
        town,
        "Üst kattaki komşu her gece yüksek sesle müzik dinliyor.",
        citizen={"email": citizen, "notify_via": "email"},
    )
    page = town.sit_down("zabita")
    listed(town, page, number)
    axe(page)
    shot(page, "inbox-1280", full=False)

    page.locator(row(page, number)).get_by_role("button", name="Üstlen").click()
    expect(page.locator(row(page, number))).to_contain_text("Üstlenildi")
    expect(page.locator(row(page, number))).to_contain_text("Hasan Yıldız")

    page.locator(row(page, number)).locator("a.row-link").click()
    axe(page)
    shot(page, "request-1280")
    page.keyboard.press("r")
    dialog = page.locator("dialog[open]")
    expect(dialog).to_be_visible()
    dialog.get_by_label(re.compile("^Hazır yanıt")).select_option("zabita-uyarildi")
    answer = dialog.get_by_label(re.compile("^Vatandaşa yanıt"))
    expect(answer).to_have_value(re.compile("yerinde denetlendi"))
    dialog.get_by_label(re.compile("^İç not")).fill("Anahtar kapıcıda, 3. kat")
    dialog.locator("input[type=file]").set_input_files(photo(640, 480))
    axe(page)
    shot(page, "resolve-1280", full=False)
    page.keyboard.press("Control+Enter")

    expect(page.locator("#history")).to_contain_text("Kapandı: Çözüldü")
    expect(page.locator(".public-said").first).to_contain_text("yerinde denetlendi")
    expect(page.locator(".inner-said").first).to_contain_text("Anahtar kapıcıda")
    picture = page.locator(".photos img").first
    picture.scroll_into_view_if_needed()
    town.wait(lambda: picture.evaluate("(node) => node.complete && node.naturalWidth > 0"), "the photo")
    shot(page, "resolved-1280")

    told = town.at(number, "resolved")
    assert told["outcome"] == "resolved"
    mails = town.wait(lambda: [text for text in town.mails_to(citizen) if "yerinde denetlendi" in text], "the mail")
    assert not any("Anahtar kapıcıda" in text for text in mails)


def test_the_second_of_two_clerks_is_told_who_was_faster_and_keeps_what_was_typed(town: Town) -> None:
    (number,) = assigned(town, "Kaldırıma masa atmışlar.")
    path = f"/department/zabita/{number}"
    first, second = town.sit_down("zabita", path), town.sit_down("zabita", f"{path}?form=resolve")
    second.locator("#act").get_by_label(re.compile("^Vatandaşa yanıt")).fill("Masalar kaldırıldı.")

    first.keyboard.press("p")
    first.locator("dialog[open]").get_by_label("Gün ve saat").fill("2027-03-01T10:00")
    first.keyboard.press("Control+Enter")
    expect(first.locator("#history")).to_contain_text("Planlandı")
    expect(second.locator("#news")).to_be_visible()

    second.locator("#act").get_by_role("button", name="Sonuçlandır").click()
    told = second.locator(".notice.warn").first
    expect(told).to_contain_text("siz bakarken değişti")
    expect(told).to_contain_text("Hasan Yıldız")
    expect(told).to_contain_text("Planlandı")
    kept = second.locator("#act").get_by_label(re.compile("^Vatandaşa yanıt"))
    expect(kept).to_have_value("Masalar kaldırıldı.")
    assert town.at(number, "scheduled")
    shot(second, "second-told-1280")

    second.locator("#act").get_by_role("button", name="Sonuçlandır").click()
    expect(second.locator("#history")).to_contain_text("Kapandı: Çözüldü")
    assert town.at(number, "resolved")["public_text"] == "Masalar kaldırıldı."


def test_what_another_passed_on_meanwhile_is_told_and_the_text_is_shown(town: Town) -> None:
    (number,) = assigned(town, "Yolda iş makinesi çalışıyor.")
    path = f"/department/zabita/{number}"
    first, second = town.sit_down("zabita", path), town.sit_down("zabita", f"{path}?form=ask")
    second.locator("#act").get_by_label(re.compile("^Vatandaşa soru")).fill("Hangi sokakta?")

    first.keyboard.press("d")
    first.locator("dialog[open]").get_by_label("Hangi birime?").select_option("fen-isleri")
    first.keyboard.press("Control+Enter")
    first.wait_for_url(town.url("/department/zabita"))

    second.locator("#act").get_by_role("button", name="Vatandaşa sor").click()
    expect(second.locator("#main")).to_contain_text("Fen İşleri Müdürlüğü")
    expect(second.locator("#main")).to_contain_text("Hasan Yıldız")
    expect(second.locator("#main")).to_contain_text("Hangi sokakta?")


def test_many_are_accepted_and_answered_at_once_and_each_has_its_result(town: Town) -> None:
    numbers = assigned(town, "Seyyar satıcı 1", "Seyyar satıcı 2", "Seyyar satıcı 3", service="seyyar-satici")
    page = town.sit_down("zabita", "/department/zabita?view=new&service=seyyar-satici&sort=newest")
    for number in numbers:
        page.locator(row(page, number)).locator("input[name=id]").check()
    expect(page.locator("#picked")).to_have_text("3 seçili")
    page.locator("#bulk").get_by_role("button", name="Üstlen").click()
    expect(page.locator("[data-result=done], [data-result=soon]")).to_have_count(3)
    shot(page, "bulk-1280", full=False)
    axe(page)

    page.goto(town.url("/department/zabita?view=mine&service=seyyar-satici&sort=newest"))
    for number in numbers:
        page.locator(row(page, number)).locator("input[name=id]").check()
    page.locator("#bulk").get_by_role("button", name="Sonuçlandır").click()
    page.get_by_label(re.compile("^Vatandaşa yanıt")).fill("Seyyar satıcılar uyarıldı.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-result=done], [data-result=soon]")).to_have_count(3)
    for number in numbers:
        assert town.at(number, "resolved")["public_text"] == "Seyyar satıcılar uyarıldı."


def test_what_comes_in_is_announced_and_shown_on_demand_and_rows_stay_true(town: Town) -> None:
    (known,) = assigned(town, "Dilenciler her gün kapıda.", service="dilenci")
    page = town.sit_down("zabita", "/department/zabita?service=dilenci&sort=newest")
    expect(page.locator(row(page, known))).to_contain_text("Yeni")

    (new,) = assigned(town, "Yine dilenciler.", service="dilenci")
    show = page.get_by_role("button", name="1 yeni başvuru: göster")
    expect(show).to_be_visible()
    expect(page.locator(row(page, new))).to_have_count(0)
    show.click()
    expect(page.locator(row(page, new))).to_be_visible()

    other = town.sit_down("zabita", f"/department/zabita/{known}")
    other.keyboard.press("a")
    expect(page.locator(row(page, known))).to_contain_text("Üstlenildi")


def test_without_a_connection_what_was_typed_is_kept_and_sent_once_it_is_back(town: Town) -> None:
    (number,) = assigned(town, "Apartmanda köpek havlıyor.", service="konutta-hayvan")
    page = town.sit_down("zabita", f"/department/zabita/{number}", width=390, height=844)
    page.get_by_role("link", name="Sonuçlandır").click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_label(re.compile("^Vatandaşa yanıt")).fill("Sahibi uyarıldı.")
    dialog.locator("input[type=file]").set_input_files(photo(320, 240))
    page.context.set_offline(True)
    dialog.get_by_role("button", name="Sonuçlandır").click()
    waiting = page.locator("[data-waiting]")
    expect(waiting).to_contain_text(grouped(number))
    expect(page.locator("#lost")).to_be_visible()
    shot(page, "offline-390")

    page.context.set_offline(False)
    page.reload()
    waiting.get_by_role("button", name="Yeniden gönder").click()
    expect(page.locator("#history")).to_contain_text("Kapandı: Çözüldü")
    expect(page.locator(".photos img").first).to_be_visible()
    expect(page.locator("[data-waiting]")).to_have_count(0)
    assert town.at(number, "resolved")["public_text"] == "Sahibi uyarıldı."


@pytest.mark.parametrize("width", [390, 320])
def test_the_crew_in_the_street_has_it_all_under_one_thumb(town: Town, width: int) -> None:
    (number,) = assigned(town, "Hurda araç kaldırımı kapatıyor.", service="hurda-arac")
    page = town.sit_down("zabita", f"/department/zabita?view=all&q={number}", width=width, height=844)
    expect(page.locator(row(page, number))).to_be_visible()
    no_sideways_scroll(page)
    axe(page)
    shot(page, f"inbox-{width}")
    page.locator("a.row-link").click()
    expect(page.locator(".act-bar")).to_be_in_viewport()
    no_sideways_scroll(page)
    axe(page)
    shot(page, f"request-{width}")
    for button in page.locator(".act-bar .button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44
    page.get_by_role("link", name="Sonuçlandır").click()
    no_sideways_scroll(page)
    shot(page, f"resolve-{width}", full=False)


def test_the_map_shows_where_the_work_is_and_fetches_nothing_from_elsewhere(town: Town) -> None:
    place = {"neighbourhood": "Kadıköy", "address": "Gül Sk. 2", "lat": 41.2867, "lon": 36.33}
    (number,) = assigned(town, "İzinsiz afiş asılmış.", service="izinsiz-afis", location=place)
    page = town.sit_down("zabita")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(town.url(f"/department/zabita?show=map&q={number}"))
    expect(page.locator(".map path.point")).to_have_count(1)
    page.locator(".map path.point").click()
    expect(page.locator(".leaflet-popup")).to_contain_text(grouped(number))
    expect(page.locator(".leaflet-popup")).to_have_css("opacity", "1")  # it fades in, and half faded is no contrast
    axe(page)
    shot(page, "map-1280", full=False)
    assert [url for url in asked if not url.startswith((town.env["REPORTING_URL"], "data:", "blob:"))] == []
