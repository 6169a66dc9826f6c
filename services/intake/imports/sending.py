"""
Posting requests to intake's own ``POST /v1/requests``: as often as it takes, each counted once by its external_id.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx

from services.intake.imports.mapping import Fault

PATH: Final = "/v1/requests"
PATIENCE: Final = 600.0
"""Seconds that one row waits for an intake that is busy or away."""
_BUSY: Final = frozenset({429, 502, 503, 504})
_LONGEST_PAUSE: Final = 60.0
Pause = Callable[[float], Awaitable[None]]


class Stopped(Exception):
    """
    No further row can be posted; the message says why. Started again later, the import goes on.
    """


class Sender:
    """
    Posts requests with a client that has intake's address and an API key. ``pause`` waits so many seconds.
    """

    def __init__(self, http: httpx.AsyncClient, pause: Pause = asyncio.sleep, patience: float = PATIENCE) -> None:
        self._http = http
        self._pause = pause
        self._patience = patience

    async def send(self, body: dict[str, Any]) -> list[Fault]:
        """
        Post one request. No faults: it is kept. While intake is busy it is asked again when it says, while it is away
        less and less often. Raises ``Stopped`` if it stays so, or takes nothing from us at all.
        """
        waited, pause = 0.0, 1.0
        while True:
            try:
                answer = await self._http.post(PATH, json=body)
            except httpx.TransportError:
                wait = pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                if answer.status_code not in _BUSY:
                    return _faults(answer)
                wait = _wanted(answer)
            if waited >= self._patience:
                raise Stopped(f"intake has not taken anything for {waited:.0f} s")
            await self._pause(wait)
            waited += wait


def _wanted(answer: httpx.Response) -> float:
    """
    How many seconds to wait, as ``Retry-After`` has it.
    """
    given = answer.headers.get("Retry-After", "")
    return min(max(float(given), 1.0), _LONGEST_PAUSE) if given.isascii() and given.isdigit() else 5.0


def _told(answer: httpx.Response) -> list[Fault]:
    try:
        problem = answer.json()
        return [Fault(row["field"], row["message"]) for row in problem["errors"]] or [Fault("", problem["detail"])]
    except (ValueError, KeyError, TypeError):
        raise Stopped("intake answers 422 and not what is wrong: is this its address?") from None


def _faults(answer: httpx.Response) -> list[Fault]:
    match answer.status_code:
        case 202:
            return []
        case 409:
            return [Fault("external_id", "was taken before with another body: it stays as it was")]
        case 413:
            return [Fault("", "is too large")]
        case 422:
            return _told(answer)
        case 401 | 403:
            raise Stopped(f"intake answers {answer.status_code}: the key must be one with the scope requests:write")
        case status:
            raise Stopped(f"intake answers {status}: is this its address?")
