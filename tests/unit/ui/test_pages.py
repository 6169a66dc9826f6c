"""
How pages are served: headers, languages, static files, messages that are said once, errors.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from jinja2 import UndefinedError

from services.common.kit.http import PROBLEM_JSON
from services.common.ui.assets import Assets
from services.common.ui.failures import TITLES
from services.common.ui.pages import Pages, install_pages
from services.common.ui.security import policy
from tests.unit.ui.guide import LINKS, OPERATOR, guide

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def client_of(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8001", headers=HTML)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(guide()) as found:
        yield found


async def test_a_page_has_its_headers_and_is_kept_nowhere(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.headers["content-security-policy"] == policy(LINKS.origins)
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-store"


async def test_turkish_is_the_default_whatever_the_browser_likes(client: httpx.AsyncClient) -> None:
    page = await client.get("/", headers={"accept-language": "en"})
    assert '<html lang="tr">' in page.text
    assert "Tasarım rehberi" in page.text


async def test_a_chosen_language_is_remembered(client: httpx.AsyncClient) -> None:
    assert '<html lang="en">' in (await client.get("/?lang=en")).text
    assert '<html lang="en">' in (await client.get("/")).text
    assert '<html lang="en">' in (await client.get("/?lang=xx")).text
    assert '<html lang="tr">' in (await client.get("/?lang=tr")).text


async def test_a_chosen_theme_is_remembered_until_the_system_decides_again(client: httpx.AsyncClient) -> None:
    assert 'data-theme="dark"' in (await client.get("/?theme=dark")).text
    assert 'data-theme="dark"' in (await client.get("/")).text
    assert "data-theme" not in (await client.get("/?theme=auto")).text
    assert "data-theme" not in (await client.get("/")).text


async def test_the_other_language_is_the_same_page_with_the_same_filters(client: httpx.AsyncClient) -> None:
    page = await client.get("/?status=triage&status=assigned&q=a%26b")
    assert 'href="/?status=triage&amp;status=assigned&amp;q=a%26b&amp;lang=en"' in page.text


async def test_a_message_is_said_once_and_escaped(client: httpx.AsyncClient) -> None:
    moved = await client.post("/?flash=<b>Kaydedildi</b>")
    assert (moved.status_code, moved.headers["location"]) == (303, "/")
    assert "&lt;b&gt;Kaydedildi&lt;/b&gt;" in (await client.get("/")).text
    assert "Kaydedildi" not in (await client.get("/")).text


@pytest.mark.parametrize("cookie", ["", "x", "bnVsbA==", "WyJldmlsIiwgInRleHQiXQ==", "WzFd", "W1tdLCAxXQ==", "%ff"])
async def test_a_message_that_is_none_is_not_said(client: httpx.AsyncClient, cookie: str) -> None:
    page = await client.get("/", headers={"cookie": f"ilkim_flash={cookie}"})
    assert page.status_code == 200
    assert 'aria-live="polite"></div>' in page.text


async def test_a_stranger_sees_no_navigation_and_no_token() -> None:
    async with client_of(guide(person=None)) as client:
        page = await client.get("/fails/403")
    assert page.status_code == 403
    assert "<nav" not in page.text
    assert 'data-csrf=""' in page.text


async def test_every_static_file_of_a_page_is_there_for_ever(client: httpx.AsyncClient) -> None:
    found = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', (await client.get("/")).text))
    assert {name.rsplit("/", 1)[1] for name in found} >= {"app.css", "app.js", "ilkim.svg"}
    for url in found:
        answer = await client.get(url)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_scripts_find_each_other_under_one_version(client: httpx.AsyncClient) -> None:
    page = (await client.get("/")).text
    folder = re.findall(r'src="(/static/[^"]+/)app\.js"', page)[0]
    waiting, seen = ["app.js"], set()
    while waiting:
        name = waiting.pop()
        answer = await client.get(folder + name)
        assert answer.headers["content-type"].startswith("text/javascript"), name
        seen.add(name)
        waiting += set(re.findall(r"(?:from |import\()'\./([^']+)'", answer.text)) - seen
    assert {"app.js", "api.js", "live.js", "keys.js", "overlay.js", "text.js", "dom.js", "forms.js"} <= seen


async def test_a_page_from_before_a_release_still_finds_its_files(client: httpx.AsyncClient) -> None:
    answer = await client.get("/static/000000000000/app.css")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["nope.css", "%2e%2e/pages.py", "..%2fpages.py", ""])
async def test_nothing_else_is_served(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.get(f"/static/000000000000/{name}")
    assert answer.status_code == 404


def test_the_address_changes_with_the_content(tmp_path: Path) -> None:
    sheet = tmp_path / "a.css"
    sheet.write_text("a{}")
    first = Assets([tmp_path])
    assert first.url("a.css") == Assets([tmp_path]).url("a.css")
    sheet.write_text("b{}")
    assert Assets([tmp_path]).url("a.css") != first.url("a.css")


def test_the_address_changes_with_a_name(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a{}")
    first = Assets([tmp_path]).version
    (tmp_path / "a.css").rename(tmp_path / "b.css")
    assert Assets([tmp_path]).version != first


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.css").write_text("a{}")
    with pytest.raises(ValueError, match=r"two/a\.css: another folder"):
        Assets([tmp_path / "one", tmp_path / "two"])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match=r"no static file 'b\.css'"):
        Assets([tmp_path]).url("b.css")


@pytest.mark.parametrize("status", sorted(TITLES))
async def test_a_failure_is_a_page_for_a_browser_in_its_language(client: httpx.AsyncClient, status: int) -> None:
    for language in ("tr", "en"):
        page = await client.get(f"/fails/{status}?lang={language}")
        assert page.status_code == status
        assert page.headers["content-type"].startswith("text/html")
        assert page.headers["content-security-policy"] == policy(LINKS.origins)
        assert f"<h1>{getattr(TITLES[status], language)}</h1>" in page.text


@pytest.mark.parametrize("accept", ["application/json", "*/*", "text/event-stream", ""])
async def test_a_failure_stays_a_problem_document_for_all_others(client: httpx.AsyncClient, accept: str) -> None:
    answer = await client.get("/fails/404", headers={"accept": accept})
    assert answer.headers["content-type"] == PROBLEM_JSON
    assert answer.json()["status"] == 404
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_an_api_never_answers_with_a_page(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/fails/403")
    assert answer.headers["content-type"] == PROBLEM_JSON


async def test_a_wait_is_said_and_kept_as_header(client: httpx.AsyncClient) -> None:
    page = await client.get("/fails/429")
    assert page.headers["retry-after"] == "7"
    assert "7 saniye sonra" in page.text


async def test_an_unknown_path_and_a_wrong_method_are_pages(client: httpx.AsyncClient) -> None:
    assert TITLES[404].tr in (await client.get("/nope")).text
    wrong = await client.delete("/")
    assert wrong.status_code == 405
    assert TITLES[405].tr in wrong.text


async def test_a_field_at_fault_is_named(client: httpx.AsyncClient) -> None:
    page = await client.get("/wants?number=<i>")
    assert page.status_code == 422
    assert "<code>number</code>" in page.text
    assert "<i>" not in page.text


async def test_what_is_too_large_is_a_page(client: httpx.AsyncClient) -> None:
    page = await client.post("/", content=b"x" * 2000)
    assert page.status_code == 413
    assert TITLES[413].tr in page.text


async def test_a_defect_is_a_page_and_a_problem_document(client: httpx.AsyncClient) -> None:
    page = await client.get("/breaks")
    assert page.status_code == 500
    assert TITLES[500].tr in page.text
    assert "broken on purpose" not in page.text
    assert page.headers["content-security-policy"] == policy(LINKS.origins)
    answer = await client.get("/breaks", headers={"accept": "application/json"})
    assert answer.headers["content-type"] == PROBLEM_JSON


def test_pages_come_after_the_kit() -> None:
    with pytest.raises(ValueError, match=r"after kit\.http\.install"):
        install_pages(FastAPI(), templates=Path(__file__).parent, links=LINKS)


def asked() -> Request:
    return Request({"type": "http", "method": "GET", "headers": [], "query_string": b"", "path": "/"})


def said(tmp_path: Path, template: str, language: str = "tr", **view: object) -> str:
    (tmp_path / "it.html").write_text(template)
    request = Request({**asked().scope, "query_string": f"lang={language}".encode()})
    return bytes(Pages(tmp_path, LINKS).render(request, "it.html", **view).body).decode()


def test_a_name_that_a_view_forgot_is_no_silent_gap(tmp_path: Path) -> None:
    with pytest.raises(UndefinedError, match="forgotten"):
        said(tmp_path, "{{ forgotten }}")


def test_what_a_citizen_wrote_is_never_markup(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>\"'"
    text = said(
        tmp_path, "{{ ui.field('a', x, x, hint=x, error=x) }}{{ ui.badge(x) }}{{ t('{x}', '{x}', x=x) }}", x=hostile
    )
    assert "<script>" not in text
    assert 'value="&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;"' in text


def test_values_stand_in_a_text_as_the_language_writes_them(tmp_path: Path) -> None:
    template = "{{ t('{n} kayıt', ('{n} request', '{n} requests'), n=n) }}"
    assert said(tmp_path, template, "tr", n=1234) == "1.234 kayıt"
    assert said(tmp_path, template, "en", n=1234) == "1,234 requests"
    assert said(tmp_path, template, "en", n=1) == "1 request"


def test_a_field_says_what_is_wrong_to_those_who_cannot_see(tmp_path: Path) -> None:
    text = said(tmp_path, "{{ ui.field('phone', 'Telefon', hint='h', error='e') }}")
    assert 'aria-describedby="f-phone-hint f-phone-error" aria-invalid="true"' in text
    assert 'id="f-phone-hint"' in text
    assert 'id="f-phone-error"' in text


async def test_who_is_signed_in_may_come_from_the_request(tmp_path: Path) -> None:
    (tmp_path / "who.html").write_text("{{ person.name }}")
    request = asked()
    request.state.person = OPERATOR
    answer: Response = Pages(tmp_path, LINKS).render(request, "who.html")
    assert bytes(answer.body) == b"Ay\xc5\x9fe Demir"
