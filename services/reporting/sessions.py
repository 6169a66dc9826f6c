"""
Sessions of signed-in browsers, and the tokens made of them.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from services.common.kit.clock import Clock
from services.common.kit.mongo import UNAVAILABLE
from services.common.kit.people import PeopleUnavailable, Person, SigningKey, issue, read
from services.reporting.people import Account, Session
from services.reporting.people_repository import PeopleRepository

_SECONDS_BETWEEN_SIGHTS: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Keyring:
    """
    The key that signs, and the one before it, whose last tokens are still about for 15 minutes after a change.
    """

    current: SigningKey
    before: SigningKey | None = None

    @property
    def all(self) -> tuple[SigningKey, ...]:
        """
        Both, the current one first.
        """
        return (self.current,) if self.before is None else (self.current, self.before)

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """
        The public halves as a JSON Web Key Set (RFC 7517).
        """
        return {"keys": [dict(key.public) for key in self.all]}


def hashed(secret_text: str) -> str:
    """
    How what a cookie holds is stored. It is long and random, so no salt is needed.
    """
    return hashlib.sha256(secret_text.encode("utf-8", "replace")).hexdigest()


class Sessions:
    """
    Open, look up and end sessions; also reporting's own ``kit.people.Tokens``.
    """

    def __init__(self, repository: PeopleRepository, keys: Keyring, clock: Clock) -> None:
        self.keys = keys
        self._repository = repository
        self._clock = clock
        self._public = {key.kid: key.key for key in keys.all}

    async def open(self, account: Account, *, instead_of: str | None = None) -> tuple[Session, str]:
        """
        A new session for whoever has just proved who they are; it and what its cookie holds (256 random bits). The
        session that the browser had before (``instead_of``, its cookie) ends: nobody is signed in under an id that
        they were given.
        """
        if instead_of:
            await self.close(instead_of)
        cookie, now = secrets.token_urlsafe(32), self._clock()
        session = Session(
            id=hashed(cookie),
            person_id=account.id,
            csrf=secrets.token_urlsafe(24),
            created_at=now,
            seen_at=now,
            must_change=account.must_change,
        )
        await self._repository.open(session)
        return session, cookie

    async def close(self, cookie: str) -> None:
        """
        End the session of a cookie.
        """
        await self._repository.close(hashed(cookie))

    async def holder(self, cookie: str | None) -> tuple[Session, Account] | None:
        """
        The living session of a cookie and whose it is; None without one, or if they were disabled. It was seen now.
        """
        session = await self._repository.session(hashed(cookie)) if cookie else None
        now = self._clock()
        if session is None or not session.alive(now):
            return None
        account = await self._repository.account(session.person_id)
        if account is None or account.disabled:
            return None
        if now - session.seen_at >= _SECONDS_BETWEEN_SIGHTS:
            await self._repository.seen(session.id, now)
        return session, account

    async def person(self, token: str) -> Person | None:
        """
        Whom a token names; None if it is not valid or has run out.
        """
        return read(token, self._public, self._clock())

    async def of_session(self, session: str) -> Person | None:
        """
        Who holds the session, with a new token; None without one, or while the password must be changed first. Raises
        ``PeopleUnavailable``.
        """
        try:
            found = await self.holder(session)
        except UNAVAILABLE as error:
            raise PeopleUnavailable("the sessions cannot be read now") from error
        return None if found is None else self.person_of(*found)

    def person_of(self, session: Session, account: Account) -> Person | None:
        """
        The holder of a session, with a new token; None while the password must be changed first.
        """
        if session.must_change:
            return None
        return read(self.token(session, account), self._public, self._clock())

    def token(self, session: Session, account: Account) -> str:
        """
        A new token for the holder of a session.
        """
        return issue(
            self.keys.current,
            person_id=account.id,
            name=account.name,
            roles=account.roles,
            departments=account.departments,
            csrf=session.csrf,
            now=self._clock(),
        )
