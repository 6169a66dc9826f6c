"""
API keys: hashed, scoped, revocable, and known even while MongoDB is away.
"""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

import orjson

from services.common.contracts.ids import keyed_hash
from services.common.kit.auth import Caller, KeysUnavailable, key_hash
from services.common.kit.logs import logger
from services.intake.guard import Away, Breaker

log = logger(__name__)
SCOPES: Final = (
    "requests:write", "updates:write", "crises:write", "reports:read", "texts:read", "visits:read", "contacts:read",
)  # fmt: skip
OWN: Final = "ilkim:web"
"""The adapter of citizens who come by our own pages; an API key cannot be called so."""
OWN_SCOPES: Final = frozenset({"reports:read", "texts:read", "contacts:check"})
_REFRESH_SECONDS: Final = 10.0
_SECONDS_BETWEEN_MISSES: Final = 0.2  # a flood of wrong keys costs five small queries a second


@dataclass(frozen=True, slots=True)
class StoredKey:
    """
    A key as stored: never the key itself.
    """

    hash: str
    name: str
    scopes: frozenset[str]
    departments: frozenset[str]
    revoked: bool = False


class KeysNotLoaded(Exception):
    """
    Neither MongoDB nor the copy on disk has told us any key yet.
    """


def new_key() -> str:
    """
    A key that nobody can guess (256 bits).
    """
    return "ilk_" + secrets.token_urlsafe(32)


def own_key(secret: bytes) -> str:
    """
    The key with which intake itself asks other services what citizens may see of their own requests.
    """
    return "ilk_" + keyed_hash(secret, "own key")


def stored_own(secret: bytes) -> StoredKey:
    """
    As the others see it when they ask whose key it is.
    """
    return StoredKey(key_hash(own_key(secret)), OWN, OWN_SCOPES, frozenset())


class Keys:
    """
    All keys in memory, refreshed every 10 s and when an unknown one is shown; the last state is kept on disk. ``own``
    is the one with which intake itself asks other services; it is stored nowhere.
    """

    def __init__(
        self,
        load: Callable[[], Awaitable[Sequence[StoredKey]]],
        file: Path,
        mongo: Breaker,
        own: StoredKey | None = None,
    ) -> None:
        self._own = own
        self._load = load
        self._file = file
        self._mongo = mongo
        self._callers: dict[str, Caller] | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._last = -_REFRESH_SECONDS

    @property
    def count(self) -> int | None:
        """
        How many keys are known; None before any state was loaded.
        """
        return None if self._callers is None else len(self._callers)

    async def caller(self, key_hash: str) -> Caller | None:
        """
        Whose key it is, or None. Raises ``KeysNotLoaded`` if that cannot be known.
        """
        if self._own is not None and key_hash == self._own.hash:
            return _caller(self._own)
        found = (self._callers or {}).get(key_hash)
        if found is not None:
            return found
        await self._look_again()
        if self._callers is None:
            raise KeysNotLoaded
        return self._callers.get(key_hash)

    async def start(self) -> None:
        """
        Take the copy on disk, or, if there is none, what MongoDB has. (With a copy nobody waits for MongoDB here.)
        """
        try:
            self._callers = _read(self._file)
        except FileNotFoundError:
            log.info("no copy of the keys on disk yet")
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("the copy of the keys cannot be read", error=type(error).__name__)
        if self._callers is None:
            await self.refresh()

    async def keep_fresh(self) -> None:
        """
        Refresh now and every 10 s, for ever.
        """
        while True:
            await self.refresh()
            await asyncio.sleep(_REFRESH_SECONDS)

    async def refresh(self) -> None:
        """
        Take over what MongoDB has; if it is away, all stays as it is.
        """
        self._last = monotonic()
        try:
            stored = await self._mongo.call(self._load)
        except Away:
            return
        callers = {key.hash: _caller(key) for key in stored if not key.revoked}
        if callers != self._callers:
            self._callers = callers
            try:
                await asyncio.to_thread(_write, self._file, callers)
            except OSError as error:
                log.warning("the copy of the keys cannot be written", error=type(error).__name__)

    async def _look_again(self) -> None:
        if self._refreshing is None or self._refreshing.done():
            if monotonic() - self._last < _SECONDS_BETWEEN_MISSES:
                return
            self._refreshing = asyncio.create_task(self.refresh())
        await asyncio.shield(self._refreshing)


class OwnKeys:
    """
    The keys as the guard of all services asks for them: by the key itself.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    async def caller(self, key: str) -> Caller | None:
        """
        Whose key it is, or None. Raises ``KeysUnavailable``.
        """
        try:
            return await self._keys.caller(key_hash(key))
        except KeysNotLoaded:
            raise KeysUnavailable("no key was loaded yet") from None


def _caller(key: StoredKey) -> Caller:
    return Caller(key.name, key.scopes, key.departments)


def _read(file: Path) -> dict[str, Caller]:
    rows = orjson.loads(file.read_bytes())
    return {
        row["hash"]: Caller(row["adapter"], frozenset(row["scopes"]), frozenset(row["departments"])) for row in rows
    }


def _write(file: Path, callers: dict[str, Caller]) -> None:
    rows = [
        {
            "hash": key_hash,
            "adapter": caller.adapter,
            "scopes": sorted(caller.scopes),
            "departments": sorted(caller.departments),
        }
        for key_hash, caller in callers.items()
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(orjson.dumps(rows))
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)
