"""
What the other services know and the desk shows: requests (reporting) and the call-back list (notify), always asked
with the operator's own token, so that they decide, and audit, what this person may see.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

import httpx

from services.common.kit.people import Person
from services.intake.guard import Away

PATIENCE: Final = 3.0
Settled = Literal["done", "failed"]
Json = dict[str, Any]


def timed(found: Json) -> Json:
    """
    A call-back, or the list of them, with its times as times.
    """
    rows: Json = {name: [timed(row) for row in found[name]] for name in ("callbacks", "told", "notes") if name in found}
    times: Json = {name: datetime.fromisoformat(found[name]) for name in ("since", "at") if found.get(name)}
    return {**found, **rows, **times}


class Turned(Exception):
    """
    The other service answered, but with a refusal: ``status`` is 403, 404 or 409, or what else it was.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"answered {status}")
        self.status = status


class Others:
    """
    A client for reporting and notify. Every method raises ``Away`` if the service does not answer, and ``Turned`` if it
    refuses.
    """

    def __init__(self, http: httpx.AsyncClient, reporting_url: str, notify_url: str) -> None:
        self._http = http
        self._reporting = reporting_url.rstrip("/")
        self._notify = notify_url.rstrip("/")

    async def request(self, person: Person, request_id: str) -> Json:
        """
        A request with its life, as reporting has it.
        """
        return await self._get(f"{self._reporting}/v1/requests/{request_id}", person)

    async def similar(self, person: Person, service: str, neighbourhood: str, street: str) -> list[Json]:
        """
        Open or lately closed requests that may be about the same thing, the likeliest first.
        """
        asked = {"service": service, "neighbourhood": neighbourhood, "street": street}
        given = {name: value for name, value in asked.items() if value}
        found = await self._get(f"{self._reporting}/v1/similar", person, given)
        items: list[Json] = found["items"]
        return items

    async def callbacks(self, person: Person, state: str) -> Json:
        """
        Who is to be called back, oldest first, without a number.
        """
        return await self._get(f"{self._notify}/v1/callbacks", person, {"state": state})

    async def callback(self, person: Person, callback_id: str, purpose: str) -> Json:
        """
        One of them with name and number; notify notes who looked and why.
        """
        return await self._get(f"{self._notify}/v1/callbacks/{callback_id}", person, {"purpose": purpose})

    async def settle(self, person: Person, callback_id: str, result: Settled, note: str | None) -> Json:
        """
        Say that it is done, or that nobody answered.
        """
        url = f"{self._notify}/v1/callbacks/{callback_id}/{result}"
        return await self._ask("POST", url, person, json={"note": note})

    async def _get(self, url: str, person: Person, params: Mapping[str, str] | None = None) -> Json:
        return await self._ask("GET", url, person, params=params)

    async def _ask(self, method: str, url: str, person: Person, **given: Any) -> Json:
        try:
            answer = await self._http.request(
                method, url, headers={"Authorization": f"Bearer {person.token}"}, timeout=PATIENCE, **given
            )
            if answer.is_client_error:
                raise Turned(answer.status_code)
            answer.raise_for_status()
            found: Json = answer.json()
        except (httpx.HTTPError, ValueError):
            raise Away from None
        return found
