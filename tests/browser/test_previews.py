"""
The previews of messages in a browser, and the mail itself as wide and as narrow as people read it.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from services.common.contracts.roles import Role
from services.common.kit.people import TOKEN_COOKIE
from tests.browser.look import axe, no_sideways_scroll, serving, shot
from tests.people import signed_in
from tests.unit.notify.previewing import previewing


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(previewing()) as url:
        yield url


@pytest.fixture
def reader(browser_page: Page, url: str) -> Page:
    token = signed_in(Role.MANAGER).person.token
    browser_page.context.add_cookies([{"name": TOKEN_COOKIE, "value": token, "url": url}])
    return browser_page


@pytest.mark.parametrize(
    ("width", "theme", "language"),
    [(1280, "light", "tr"), (390, "light", "tr"), (1280, "dark", "en"), (390, "dark", "en")],
)
def test_the_page_of_all_messages_has_no_serious_violation(
    reader: Page, url: str, width: int, theme: str, language: str
) -> None:
    reader.set_viewport_size({"width": width, "height": 900})
    reader.goto(f"{url}/previews?theme={theme}&lang={language}&language={language}&audience=citizen")
    axe(reader)
    no_sideways_scroll(reader)
    shot(reader, f"previews-{width}-{theme}", full=False)


def test_a_mail_is_shown_with_its_styles_and_does_nothing(reader: Page, url: str) -> None:
    reader.goto(f"{url}/previews?channel=email&audience=citizen")
    frame = reader.frame_locator("#received_assigned iframe")
    reader.locator("#received_assigned").scroll_into_view_if_needed()
    button = frame.get_by_role("link", name="Başvurunuzu açın")
    expect(button).to_have_css("background-color", "rgb(11, 90, 122)")
    expect(frame.get_by_text("Birimde")).to_be_visible()


def test_the_page_works_without_a_script(browser_page: Page, url: str) -> None:
    browser = browser_page.context.browser
    assert browser is not None
    context = browser.new_context(java_script_enabled=False, locale="tr-TR")
    context.add_cookies([{"name": TOKEN_COOKIE, "value": signed_in(Role.ADMIN).person.token, "url": url}])
    page = context.new_page()
    page.goto(f"{url}/previews")
    page.get_by_label("Kanal").select_option("sms")
    page.get_by_role("button", name="Süz").click()
    expect(page.locator("iframe")).to_have_count(0)
    expect(page.locator("#say_notice")).to_contain_text("T.C. kimlik")
    context.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (800, "dark")])
@pytest.mark.parametrize("name", ["closed_resolved", "asked", "escalated_acceptance", "digest", "say_notice"])
def test_a_mail_is_readable_wide_and_narrow_by_day_and_by_night(
    reader: Page, url: str, name: str, width: int, scheme: str
) -> None:
    reader.set_viewport_size({"width": width, "height": 900})
    reader.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    answer = reader.request.get(f"{url}/previews/mail/tr/{name}")
    reader.set_content(answer.text())
    no_sideways_scroll(reader)
    axe(reader, without=("region", "landmark-one-main", "page-has-heading-one"))
    shot(reader, f"mail-{name}-{width}-{scheme}")
