"""
What the demo says to intake and asks of reporting, over HTTP, with patience.
"""

import asyncio
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, Final

import httpx

from deploy.demo.agreement import Figures, Reported

RETRY_SECONDS: Final = 60.0
PAGE: Final = 200


class DemoError(Exception):
    """
    The run cannot go on; the message says why.
    """


class Client:
    """
    One adapter with every right. A context manager.
    """

    def __init__(self, env: Mapping[str, str], connections: int) -> None:
        self._intake, self._reporting = env["INTAKE_URL"], env["REPORTING_URL"]
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._http = httpx.AsyncClient(headers={"X-API-Key": env["API_KEY"]}, limits=limits, timeout=10)

    async def __aenter__(self) -> "Client":
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *why: Any) -> None:
        await self._http.__aexit__(*why)

    async def send(self, path: str, body: dict[str, Any], key: str | None = None) -> httpx.Response:
        """
        Post until intake says yes or no: a 503 or a broken connection is tried again, which the key makes harmless.
        """
        deadline = time.perf_counter() + RETRY_SECONDS
        while True:
            try:
                headers = {"Idempotency-Key": key} if key else {}
                response = await self._http.post(self._intake + path, json=body, headers=headers)
                if response.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                    return response
                why = f"status {response.status_code}"
            except httpx.TransportError as error:
                why = type(error).__name__
            if time.perf_counter() > deadline:
                raise DemoError(f"intake did not take {path} for {RETRY_SECONDS:.0f} s ({why})")
            await asyncio.sleep(0.5)

    async def report(self, path: str, query: Mapping[str, str | int] | None = None) -> httpx.Response:
        """
        Ask reporting; a connection that it closed just then, and a 503, are tried again.
        """
        for pause in (0.2, 0.5, 1.0, 2.0, 4.0):
            with suppress(httpx.TransportError):
                answered = await self._http.get(self._reporting + path, params=query)
                if answered.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    return answered
            await asyncio.sleep(pause)
        raise DemoError(f"reporting does not answer {path}")

    async def received(self) -> int:
        """
        ``summary.received``: how many requests reporting has ever seen.
        """
        return int((await self._json("/v1/reports/summary"))["rows"][0]["received"])

    async def reported(self, numbers: Collection[str]) -> dict[str, Reported]:
        """
        These requests and parts as reporting shows them: from the list, newest first, and what lies far back in it one
        by one.
        """
        found: dict[str, Reported] = {}
        query: dict[str, str | int] = {"limit": PAGE, "parts": "true"}
        for _ in range(3 + len(numbers) // PAGE):
            page = await self._json("/v1/requests", query)
            found |= {row["request_id"]: _shown(row) for row in page["items"] if row["request_id"] in numbers}
            if len(found) == len(numbers) or page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        for number in set(numbers) - set(found):
            answered = await self.report(f"/v1/requests/{number}")
            if answered.status_code == httpx.codes.OK:
                found[number] = _shown(answered.json())
        return found

    async def visits(self, department: str, team: str) -> list[str]:
        """
        The numbers on a team's visit list, in the order to go there.
        """
        listed = await self._json("/v1/visits", {"department": department, "team": team})
        return [visit["request_id"] for visit in listed["visits"]]

    async def crisis_is_on(self, name: str) -> bool:
        """
        Whether intake shows the crisis as being on now.
        """
        answered = await self._http.get(f"{self._intake}/v1/crises")
        answered.raise_for_status()
        return any(crisis["on"] for crisis in answered.json()["crises"] if crisis["name"] == name)

    async def _json(self, path: str, query: Mapping[str, str | int] | None = None) -> dict[str, Any]:
        answered = await self.report(path, query)
        answered.raise_for_status()
        found: dict[str, Any] = answered.json()
        return found


def _shown(row: dict[str, Any]) -> Reported:
    figures = Figures(
        status=row["status"],
        department=row["department"],
        reopened=row["reopened"],
        escalated=row["escalated"],
        parts=row["parts_count"],
        followers=row["followers"],
        master=row["master_id"],
        team=row["team"],
    )
    return Reported(figures, row["channel"])
