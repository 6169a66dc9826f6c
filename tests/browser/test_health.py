"""
The page of health in a browser: good and bad days, wide and narrow; it keeps itself true; letters are sent back.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from services.common.contracts.roles import Role
from services.common.kit.people import TOKEN_COOKIE
from tests.browser.look import axe, no_sideways_scroll, serving, shot
from tests.letters import letter
from tests.people import signed_in
from tests.unit.reporting.health_room import FakeStaff, FakeWatch, look, room, troubled


@pytest.fixture
def watch() -> FakeWatch:
    watch = FakeWatch()
    letters = [
        letter(offset=0, why="header ce_id is missing", headers=()),
        letter(offset=1, why="channel: enum, one of phone, whatsapp, walk_in, web, email, sms"),
        replace(letter(offset=2, why="text: missing"), sent_back="replayed 2026-11-02T08:59:11"),
    ]
    watch.broker.kept = letters
    return watch


@pytest.fixture
def admin(browser_page: Page, watch: FakeWatch) -> Iterator[Page]:
    with serving(room(watch, FakeStaff())) as url:
        token = signed_in(Role.ADMIN).person.token
        browser_page.context.add_cookies([{"name": TOKEN_COOKIE, "value": token, "url": url}])
        browser_page.goto(f"{url}/health")
        yield browser_page


@pytest.mark.parametrize(
    ("width", "theme", "language"),
    [(1280, "light", "tr"), (390, "light", "tr"), (1280, "dark", "en"), (390, "dark", "en")],
)
def test_the_pages_have_no_serious_violation(
    admin: Page, watch: FakeWatch, width: int, theme: str, language: str
) -> None:
    admin.set_viewport_size({"width": width, "height": 900})
    letters = "/health/letters/routing"
    pages = [("well", "/health", look()), ("bad", "/health", troubled())]
    pages += [("letters", letters, look()), ("letter", f"{letters}/1", look())]
    for name, path, seen in pages:
        watch.seen = seen
        admin.goto(admin.url.partition("/health")[0] + f"{path}?theme={theme}&lang={language}&sent=true")
        axe(admin)
        no_sideways_scroll(admin)
        shot(admin, f"health-{name}-{width}-{theme}")


def test_what_changes_appears_by_itself(admin: Page, watch: FakeWatch) -> None:
    expect(admin.locator("#now")).to_contain_text("Her şey yolunda")
    watch.seen = troubled()
    expect(admin.locator("#now")).to_contain_text("projector yanıt vermiyor", timeout=15_000)


def test_a_letter_is_chosen_and_sent_back(admin: Page, watch: FakeWatch) -> None:
    admin.goto(admin.url + "/letters/routing")
    first = admin.get_by_label("0 numaralı kaydı seç")
    expect(first).not_to_be_checked()
    expect(admin.get_by_label("1 numaralı kaydı seç")).to_be_checked()
    admin.get_by_role("button", name="Seçilenleri geri gönder").click()
    expect(admin.locator("#flash")).to_contain_text("1 kayıt geri gönderildi")
    assert watch.broker.sent == [1]
