"""
The pages about people in a browser: signing in, the first password, users, the audit.
"""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect
from pydantic import SecretStr

from deploy.stack.config import PEOPLE, ROOT
from services.common.kit.settings import MongoSettings
from services.reporting.api import create_app
from services.reporting.settings import ApiSettings
from tests.browser.look import axe, serving, shot
from tests.waiting import eventually

pytestmark = pytest.mark.integration

SECRET = SecretStr("0123456789abcdef")
PASSWORD = "sarı kedi çatıda uyuyor"
SIZES = ((1280, 900), (390, 844))


def users(mongo_uri: str, database: str, *words: str, given: str = "") -> str:
    environment = {
        **os.environ,
        "MONGODB_URI": mongo_uri,
        "REPORTING_DATABASE": database,
        "REPORTING_TOKEN_SECRET": SECRET.get_secret_value(),
    }
    command = [sys.executable, "-m", "services.reporting", "users", *words]
    ran = subprocess.run(command, env=environment, input=given, cwd=ROOT, capture_output=True, text=True, check=True)
    return ran.stdout


@pytest.fixture
def url(mongo_uri: str, database: str) -> Iterator[str]:
    people = json.dumps([{**person, "password": PASSWORD} for person in PEOPLE])
    users(mongo_uri, database, "import", given=people)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = ApiSettings(
        cursor_secret=SECRET,
        token_secret=SECRET,
        mongo=MongoSettings(uri=mongo_uri),
        database=database,
        public_url=f"http://127.0.0.1:{port}",
        notify_url="http://127.0.0.1:9",
    )
    with serving(create_app(settings), port) as url:
        eventually(lambda: httpx.get(f"{url}/healthz").is_success, what="the app serves")
        yield url


def sign_in(page: Page, user: str, password: str = PASSWORD) -> None:
    page.get_by_label(re.compile("Kullanıcı adı")).fill(user)
    page.get_by_label(re.compile("^Parola")).fill(password)
    page.keyboard.press("Enter")


def looked_at(page: Page, name: str) -> None:
    axe(page)
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than {width}"
        shot(page, f"{name}-{width}")


def test_an_administrator_adds_a_clerk_who_chooses_a_password_and_is_in(url: str, browser_page: Page) -> None:
    page = browser_page
    page.goto(f"{url}/users")
    expect(page).to_have_url(re.compile(r"/sign-in\?next="))
    looked_at(page, "sign-in")
    sign_in(page, "admin", "yanlış bir parola")
    expect(page.get_by_text("Kullanıcı adı ya da parola yanlış.")).to_be_visible()
    sign_in(page, "admin")
    expect(page).to_have_url(f"{url}/users")
    expect(page.get_by_role("row")).to_have_count(len(PEOPLE) + 1)
    looked_at(page, "users")

    page.get_by_role("link", name=re.compile("Kullanıcı ekle")).click()
    page.get_by_label(re.compile("Kullanıcı adı")).fill("Selin.Öz")
    page.get_by_label(re.compile("Adı soyadı")).fill("Selin Öz")
    page.get_by_label("Birim", exact=True).check()
    page.get_by_label("Zabıta Müdürlüğü").check()
    page.keyboard.press("Control+Enter")
    first = page.locator("#first-password").inner_text()
    looked_at(page, "user")
    page.goto(f"{url}/audit")
    expect(page.get_by_text("Başarısız giriş").last).to_be_visible()
    looked_at(page, "audit")

    page.goto(f"{url}/sign-out")
    page.get_by_role("button", name="Çıkış yap").click()
    sign_in(page, "selin.oz", first)
    expect(page.get_by_role("heading", name="Parolanızı değiştirin")).to_be_visible()
    looked_at(page, "first-password")
    page.get_by_label(re.compile("Şimdiki parola")).fill(first)
    page.get_by_label(re.compile("^Yeni parola(?!,)")).fill("mavi vapur akşam kalkıyor")
    page.get_by_label(re.compile("Yeni parola, bir daha")).fill("mavi vapur akşam kalkıyor")
    page.get_by_role("button", name="Parolayı değiştir").click()
    expect(page).to_have_url(re.compile("/department/zabita"))
    page.goto(f"{url}/users")
    expect(page.get_by_role("heading", name="Bu sayfa size açık değil")).to_be_visible()
    looked_at(page, "forbidden")


def test_what_was_typed_for_an_hour_is_not_lost_because_the_token_ran_out(url: str, browser_page: Page) -> None:
    page = browser_page
    page.goto(f"{url}/users/new")
    sign_in(page, "admin")
    expect(page).to_have_url(f"{url}/users/new")
    page.get_by_label(re.compile("Kullanıcı adı")).fill("selin")
    page.get_by_label(re.compile("Adı soyadı")).fill("Selin Öz")
    page.get_by_label("Operatör").check()
    page.context.clear_cookies(name="ilkim_token")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#first-password")).to_be_visible()


def test_in_english_and_in_the_dark(url: str, browser_page: Page) -> None:
    browser_page.goto(f"{url}/sign-in?lang=en&theme=dark")
    expect(browser_page.get_by_role("button", name="Sign in")).to_be_visible()
    looked_at(browser_page, "sign-in-en-dark")


def test_no_page_of_people_may_stand_in_a_frame_or_a_cache(url: str) -> None:
    answer = httpx.get(f"{url}/sign-in")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
