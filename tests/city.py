"""
A stack as its clients see it: requests with and without contacts, some of them closed, and the mails that came.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import Any

import httpx

from deploy.recovery.agreement import Span
from deploy.stack.stack import Stack
from deploy.verify import Found, verify
from services.common.contracts.catalogue import catalogue

SERVICE = "yol-cukur"


def silent(_name: str, _total: int) -> Callable[[], None]:
    """
    A step of a restore of which nothing is shown.
    """
    return lambda: None


@dataclass
class City:
    """
    A stack, and what its clients were told.
    """

    stack: Stack
    accepted: dict[str, str] = field(default_factory=dict)  # by Idempotency-Key
    resolved: list[str] = field(default_factory=list)

    @property
    def env(self) -> Mapping[str, str]:
        return self.stack.env

    def post(self, path: str, body: dict[str, Any], key: str) -> Any:
        headers = {"X-API-Key": self.env["API_KEY"], "Idempotency-Key": key}
        answer = httpx.post(f"{self.env['INTAKE_URL']}{path}", json=body, headers=headers, timeout=30)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def ask(self, number: int) -> str:
        """
        Post a request, by mail, by SMS or without a contact, and close every fourth.
        """
        citizens = ({"email": f"kisi{number}@example.org"}, {"phone": f"0555{number:07d}"}, None)
        citizen = citizens[number % 3]
        body: dict[str, Any] = {"channel": "web", "service_code": SERVICE, "text": f"Deneme başvurusu {number}"}
        body |= {"citizen": citizen} if citizen else {"contact": "none"}
        key = f"key-{number}"
        request_id: str = self.post("/v1/requests", body, key)["request_id"]
        self.accepted[key] = request_id
        if number % 4 == 0:
            update = {"action": "resolve", "outcome": "resolved", "note_public": "Giderildi."}
            update["department"] = catalogue().services[SERVICE].department
            self.post(f"/v1/requests/{request_id}/updates", update, f"{key}-done")
            self.resolved.append(request_id)
        return request_id

    def shown(self, request_id: str) -> dict[str, Any]:
        path = f"{self.env['REPORTING_URL']}/v1/requests/{request_id}"
        answer = httpx.get(path, headers={"X-API-Key": self.env["API_KEY"]}, timeout=30)
        return answer.json() if answer.is_success else {}

    def resolved_now(self, request_id: str) -> bool:
        return bool(self.shown(request_id).get("status") == "resolved")

    @property
    def mails(self) -> dict[str, str]:
        """
        The text of each mail by its Message-ID.
        """
        found = {}
        for path in sorted((self.stack.config.run_dir / "mail").glob("*.eml")):
            mail = message_from_bytes(path.read_bytes(), policy=policy.default)
            text = mail.get_body(("plain",))
            found[str(mail["Message-ID"])] = text.get_content() if text else ""
        return found

    def agrees(self) -> Found:
        return verify(self.env, Span(), 120, lambda _done, _of: None)
