"""
What other services tell intake of one citizen's request, once the citizen has shown that it is theirs: asked with
intake's own key.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx

from services.intake.guard import Away

PATIENCE: Final = 3.0
NOBODY: Final = "c_" + "0" * 32
"""A contact that does not exist."""
Json = dict[str, Any]
ContactOf = Callable[[str], Awaitable[str | None]]
"""The contact that a request carries, by the request's number. Raises ``Away``."""


class TooOften(Exception):
    """
    Somebody tried too often; ``wait`` is seconds.
    """

    def __init__(self, wait: int) -> None:
        super().__init__("tried too often")
        self.wait = wait


class Inner:
    """
    A client for reporting and notify. Every method raises ``Away`` if the service does not answer or refuses us.
    """

    def __init__(
        self, http: httpx.AsyncClient, key: str, reporting_url: str, notify_url: str, contact_of: ContactOf
    ) -> None:
        self._http = http
        self._headers = {"X-API-Key": key}
        self._reporting = reporting_url.rstrip("/")
        self._notify = notify_url.rstrip("/")
        self._contact_of = contact_of

    async def request(self, request_id: str) -> Json | None:
        """
        The request with its life and the citizen's own words; None if reporting does not have it (yet).
        """
        answer = await self._ask("GET", f"{self._reporting}/v1/requests/{request_id}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        found: Json = self._json(answer)
        return found

    async def knows(self, request_id: str, last4: str) -> bool:
        """
        Whether the telephone that the citizen left with the request ends with these digits. Notify is asked of a number
        that nobody knows too: it must not be told apart by the time that it takes. Raises ``TooOften``.
        """
        contact_id = await self._contact_of(request_id) or NOBODY
        url = f"{self._notify}/v1/contacts/{contact_id}/check"
        answer = await self._ask("POST", url, json={"last4": last4, "request_id": request_id})
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise TooOften(int(answer.headers.get("Retry-After", "3600")))
        return bool(self._json(answer)["same"])

    async def _ask(self, method: str, url: str, **given: Any) -> httpx.Response:
        try:
            return await self._http.request(method, url, headers=self._headers, timeout=PATIENCE, **given)
        except httpx.HTTPError as error:
            raise Away from error

    def _json(self, answer: httpx.Response) -> Json:
        try:
            answer.raise_for_status()
            found: Json = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Away from error
        return found
