"""
A citizen's way through all services: the form, the link in the mail, the last digits, stars, opened again.
"""

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from typing import Any

import httpx
import pytest
from pymongo import MongoClient

from deploy.stack.stack import Stack
from tests.waiting import eventually

pytestmark = pytest.mark.e2e
TEXT = "Lise Caddesi 12 önünde yolda çukur var"
PHONE = "0532 111 22 33"


class Browser:
    """
    A browser without scripts, and nobody else's cookies.
    """

    def __init__(self, stack: Stack) -> None:
        headers = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
        self.http = httpx.Client(base_url=stack.env["INTAKE_URL"], headers=headers, timeout=30)

    def see(self, path: str) -> str:
        return self.http.get(path, follow_redirects=True).text

    def send(self, path: str, **fields: Any) -> httpx.Response:
        return self.http.post(path, data=fields)


@pytest.fixture
def browser(stack: Stack) -> Iterator[Browser]:
    made = Browser(stack)
    yield made
    made.http.close()


@pytest.fixture
def number(browser: Browser) -> str:
    """
    A request that was just sent by the form. (At first the form is sent too soon for a person.)
    """
    (ticket,) = re.findall(r'name="ticket" value="([^"]+)"', browser.see("/"))
    fields = {"text": TEXT, "neighbourhood": "Kadıköy", "phone": PHONE, "email": "ayse@example.com"}

    def sent() -> str | None:
        answer = browser.send("/new", **fields, notify_via="email", ticket=ticket, warned="1")
        location: str | None = answer.headers.get("location")
        return location

    location: str = eventually(sent)
    assert "Başvurunuz alındı" in browser.see(location)
    return location[3:16]


def mailed_link(stack: Stack, number: str) -> str | None:
    for file in (stack.config.run_dir / "mail").glob("*.eml"):
        mail = message_from_bytes(file.read_bytes(), policy=policy.default)
        body = mail.get_body(("plain",))
        found = re.search(rf"/t/{number}\?k=[0-9a-f-]+", body.get_content() if body else "")
        if found:
            return found[0]
    return None


def test_the_link_in_the_mail_shows_the_citizens_own_words(stack: Stack, browser: Browser, number: str) -> None:
    stranger = Browser(stack)
    eventually(lambda: "Fen İşleri" in stranger.see(f"/t/{number}"))
    assert "Yazdığınız" not in stranger.see(f"/t/{number}")
    reader = Browser(stack)
    assert "Yazdığınız" in reader.see(eventually(lambda: mailed_link(stack, number)))


def test_who_knows_the_last_digits_rates_the_ending_and_has_it_opened_again(stack: Stack, number: str) -> None:
    reader, keys = Browser(stack), {"X-API-Key": stack.env["API_KEY"]}
    eventually(lambda: "Fen İşleri" in reader.see(f"/t/{number}"))
    eventually(lambda: mailed_link(stack, number))  # notify knows the contact, which it is asked for
    with MongoClient[dict[str, Any]](stack.env["MONGODB_URI"]) as client:  # and intake's read model whose it is
        eventually(lambda: client["intake"]["request_contacts"].find_one({"_id": number}))
    assert reader.send(f"/t/{number}/prove", last4="0000").status_code == 422
    assert reader.send(f"/t/{number}/prove", last4="2233").status_code == 303
    done = {"action": "resolve", "department": "fen-isleri", "outcome": "resolved", "note_public": "Kapatıldı."}
    answer = httpx.post(f"{stack.env['INTAKE_URL']}/v1/requests/{number}/updates", json=done, headers=keys, timeout=30)
    assert answer.status_code == 202

    def form() -> dict[str, str]:
        return dict(re.findall(r'name="(key|closing_seq)" value="([^"]+)"', reader.see(f"/t/{number}")))

    hidden = eventually(form)
    assert reader.send(f"/t/{number}/feedback", **hidden, do="rate", rating="2").status_code == 303
    assert reader.send(f"/t/{number}/feedback", **hidden, do="reopen", comment="Yine açıldı").status_code == 303

    def now() -> tuple[str, int | None]:
        found = httpx.get(f"{stack.env['REPORTING_URL']}/v1/requests/{number}", headers=keys, timeout=30).json()
        return found["status"], found["rating"]

    eventually(lambda: now() == ("reopened", 2))
    assert "Yeniden açıldı" in reader.see(f"/t/{number}")
