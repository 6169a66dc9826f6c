"""
Who calls; and API keys outside intake: intake owns them, the others ask it and remember the answer.
"""

import hashlib
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Final

import httpx

from services.common.kit.errors import Retryable

if TYPE_CHECKING:
    from services.common.kit.people import Person

FRESH_SECONDS: Final = 60.0
STALE_SECONDS: Final = 15 * 60.0


@dataclass(frozen=True, slots=True)
class Caller:
    """
    Who calls: the adapter's name, its scopes (``*`` is every scope) and the departments it may speak for.

    ``person`` is the member of staff behind the call, if it is not a machine. ``limited_to``: it sees only what these
    departments hold now; None is no such limit.
    """

    adapter: str
    scopes: frozenset[str]
    departments: frozenset[str]
    person: "Person | None" = None
    limited_to: frozenset[str] | None = None

    def may(self, scope: str) -> bool:
        """
        Whether the caller holds the scope.
        """
        return "*" in self.scopes or scope in self.scopes

    def serves(self, department: str) -> bool:
        """
        Whether the caller may speak for the department.
        """
        return "*" in self.scopes or department in self.departments

    def sees(self, department: str | None) -> bool:
        """
        Whether the caller may see a request that this department holds now (None: nobody holds it yet).
        """
        return self.limited_to is None or department in self.limited_to


class KeysUnavailable(Retryable):
    """
    Intake does not answer and the last answer is older than 15 minutes.
    """


def key_hash(key: str) -> str:
    """
    How a key is stored and asked for: SHA-256 in hex. Keys are long random strings, so no salt is needed.
    """
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


class KeyVerifier:
    """
    Ask intake's ``POST /v1/keys/verify``; an answer counts for 60 s, and up to 15 minutes while intake is away.
    """

    def __init__(self, http: httpx.AsyncClient, intake_url: str) -> None:
        self._http = http
        self._url = f"{intake_url.rstrip('/')}/v1/keys/verify"
        self._known: dict[str, tuple[float, Caller | None]] = {}

    async def caller(self, key: str) -> Caller | None:
        """
        The caller behind a key, or None if intake does not know the key. Raises ``KeysUnavailable``.
        """
        digest, now = key_hash(key), monotonic()
        asked_at, known = self._known.get(digest, (-STALE_SECONDS, None))
        if now - asked_at < FRESH_SECONDS:
            return known
        try:
            answer = await self._http.post(self._url, json={"key_hash": digest}, timeout=3.0)
            if answer.status_code == httpx.codes.NOT_FOUND:
                caller = None
            else:
                answer.raise_for_status()
                body = answer.json()
                caller = Caller(body["adapter"], frozenset(body["scopes"]), frozenset(body["departments"]))
        except (httpx.HTTPError, ValueError, KeyError) as error:
            if digest in self._known and now - asked_at < STALE_SECONDS:
                return known
            raise KeysUnavailable("keys cannot be checked now") from error
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[digest] = (now, caller)
        return caller
