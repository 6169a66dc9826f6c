"""
People at their pages, on a whole stack: signing in, new requests, and what became of them.
"""

from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, Page

from deploy.stack.stack import Stack
from tests.waiting import eventually

PATIENCE = 90.0  # s: two cores carry Kafka, nine processes and a browser


class Town:
    """
    A stack as its people and its citizens see it.
    """

    def __init__(self, stack: Stack, browser: Browser) -> None:
        self.env = stack.env
        self.mail = Path(stack.config.run_dir) / "mail"
        self._browser = browser
        self._states: dict[str, Any] = {}
        self.contexts: list[BrowserContext] = []

    def url(self, path: str) -> str:
        """
        A page of reporting.
        """
        return f"{self.env['REPORTING_URL']}{path}"

    def sit_down(self, user: str, path: str = "/", *, width: int = 1280, height: int = 900) -> Page:
        """
        A browser of their own, signed in, at a page.
        """
        page = self._context(user, width, height).new_page()
        page.goto(self.url(path))
        return page

    def _context(self, user: str, width: int, height: int) -> BrowserContext:
        known = self._states.get(user)
        context = self._browser.new_context(
            viewport={"width": width, "height": height},
            locale="tr-TR",
            timezone_id="Europe/Istanbul",
            storage_state=known,
        )
        context.set_default_timeout(PATIENCE * 1000)
        self.contexts.append(context)
        if known is None:
            page = context.new_page()
            page.goto(self.url("/sign-in"))
            page.fill("[name=user]", user)
            page.fill("[name=password]", self.env["PEOPLE_PASSWORD"])
            page.keyboard.press("Enter")
            page.wait_for_url(lambda url: "/sign-in" not in url)
            self._states[user] = context.storage_state()
            page.close()
        return context

    def leave(self) -> None:
        """
        Close every browser.
        """
        for context in self.contexts:
            context.close()
        self.contexts.clear()

    def report(self, text: str, **body: Any) -> str:
        """
        A citizen reports something; gives its number.
        """
        sent = {
            "channel": "web",
            "text": text,
            "location": {"neighbourhood": "Kadıköy", "address": "Lale Sk. 14"},
            **body,
        }
        if "citizen" not in sent:
            sent["contact"] = "none"
        answer = httpx.post(f"{self.env['INTAKE_URL']}/v1/requests", json=sent, headers=self._key, timeout=30)
        answer.raise_for_status()
        number: str = answer.json()["request_id"]
        return number

    def at(self, number: str, status: str) -> dict[str, Any]:
        """
        The request as reporting tells it, once it is in this state.
        """
        found: dict[str, Any] = self.wait(
            lambda: (now := self.told(number)) and now["status"] == status and now, f"{number} {status}"
        )
        return found

    def told(self, number: str) -> dict[str, Any] | None:
        """
        The request as reporting tells it now; None if it does not know it yet.
        """
        answer = httpx.get(f"{self.env['REPORTING_URL']}/v1/requests/{number}", headers=self._key, timeout=30)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def mails_to(self, address: str) -> list[str]:
        """
        The texts of the mails that a citizen got.
        """
        found = []
        for path in sorted(self.mail.rglob("*.eml")):
            message = message_from_bytes(path.read_bytes(), policy=policy.default)
            body = message.get_body(("plain",))
            if address in str(message["To"]) and body is not None:
                found.append(body.get_content())
        return found

    def wait(self, question: Callable[[], Any], what: str) -> Any:
        """
        Ask until the answer is something. Fails after 90 s.
        """
        return eventually(question, PATIENCE, what)

    @property
    def _key(self) -> dict[str, str]:
        return {"X-API-Key": self.env["API_KEY"]}
