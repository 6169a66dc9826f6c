"""
What people do in reporting's pages is asked of intake, with their own token; then its result is waited for.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import httpx

from services.common.kit.http import FieldError, Problem
from services.common.kit.people import Person

PATIENCE: Final = 4.0  # s until a result is called pending
_PAUSES: Final = (0.05, 0.1, 0.15, 0.2, 0.3)  # s between questions; the last one again and again
_UPLOAD_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Told:
    """
    What became of an update: carried out (with the step it led to), refused by routing, or not known yet; or intake did
    not take it: ``invalid`` (fields), ``conflict`` and ``forbidden`` (``detail``), ``away`` (send it again, same key).
    """

    result: Literal["applied", "refused", "pending", "invalid", "conflict", "forbidden", "away"]
    seq: int | None = None
    reason: str | None = None
    detail: str | None = None
    errors: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True)
class Passed:
    """
    An answer of intake that goes on to the browser.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]


_PASSED: Final = (
    "content-type", "content-disposition", "content-security-policy", "x-content-type-options", "cache-control", "etag",
    "retry-after",
)  # fmt: skip


class IntakeClient:
    """
    Intake, as a signed-in person may use it.
    """

    def __init__(self, http: httpx.AsyncClient, intake_url: str, *, patience: float = PATIENCE) -> None:
        self._http = http
        self._url = intake_url.rstrip("/")
        self._patience = patience

    async def update(self, person: Person, request_id: str, body: Mapping[str, Any], key: str) -> Told:
        """
        Ask for an update and wait up to 4 s for its result. The same ``key`` asks for it once, however often sent.
        """
        url = f"{self._url}/v1/requests/{request_id}/updates"
        headers = {**_bearer(person), "Idempotency-Key": key}
        try:
            answer = await self._http.post(url, json=body, headers=headers, timeout=8.0)
            if answer.status_code != httpx.codes.ACCEPTED:
                return _not_taken(answer)
            return await self._result(person, f"{url}/{answer.json()['update_id']}")
        except (httpx.HTTPError, ValueError, KeyError):
            return Told("away")

    async def _result(self, person: Person, url: str) -> Told:
        loop = asyncio.get_running_loop()
        until, pauses = loop.time() + self._patience, iter(_PAUSES)
        while loop.time() < until:
            try:
                answer = await self._http.get(url, headers=_bearer(person), timeout=2.0)
                said = answer.json() if answer.status_code == httpx.codes.OK else {}
            except (httpx.HTTPError, ValueError):
                said = {}  # it is kept; what came of it is asked again
            if said.get("result") in ("applied", "refused"):
                return Told(said["result"], said.get("seq"), said.get("reason"), said.get("detail"))
            await asyncio.sleep(next(pauses, _PAUSES[-1]))
        return Told("pending")

    async def upload(self, person: Person, raw: bytes) -> Passed:
        """
        Keep a file; the answer of ``POST /v1/attachments``, or a 503 if intake does not answer.
        """
        try:
            answer = await self._http.post(
                f"{self._url}/v1/attachments",
                headers=_bearer(person),
                files={"file": ("photo", raw)},
                timeout=_UPLOAD_SECONDS,
            )
        except httpx.HTTPError:
            return _away()
        return _passed(answer)

    async def photo(self, person: Person, attachment_id: str, size: str) -> Passed:
        """
        A file as intake shows it to this person.
        """
        try:
            answer = await self._http.get(
                f"{self._url}/v1/attachments/{attachment_id}",
                params={"size": size},
                headers=_bearer(person),
                timeout=10.0,
            )
        except httpx.HTTPError:
            return _away()
        return _passed(answer)


def _bearer(person: Person) -> dict[str, str]:
    return {"Authorization": f"Bearer {person.token}"}


def _not_taken(answer: httpx.Response) -> Told:
    try:
        said = answer.json()
        detail = str(said["detail"])
        errors = tuple(FieldError.model_validate(row) for row in said.get("errors", ()))
    except (ValueError, KeyError, TypeError):
        return Told("away")
    match answer.status_code:
        case 409:
            return Told("conflict", detail=detail)
        case 401 | 403:
            return Told("forbidden", detail=detail)
        case 422 | 413:
            return Told("invalid", detail=detail, errors=errors)
        case _:
            return Told("away", detail=detail)


def _passed(answer: httpx.Response) -> Passed:
    kept = {name: answer.headers[name] for name in _PASSED if name in answer.headers}
    return Passed(answer.status_code, answer.content, kept)


def _away() -> Passed:
    away = Problem(503, "Files cannot be reached now.", headers={"Retry-After": "5"}).response()
    return Passed(503, bytes(away.body), dict(away.headers))
