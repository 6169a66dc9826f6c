"""
Members of staff for tests: signed in without a reporting api, with a key that tests alone have.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from services.common.contracts.roles import Role
from services.common.kit.guard import CSRF_HEADER
from services.common.kit.people import SESSION_COOKIE, TOKEN_COOKIE, Person, SigningKey, issue, read

KEY: Final = SigningKey(b"a secret that tests alone know")
_IDS: Final = {Role.OPERATOR: "0", Role.DEPARTMENT: "d", Role.MANAGER: "e", Role.ADMIN: "a"}


@dataclass(frozen=True, slots=True)
class SignedIn:
    """
    One person, and what their browser or their script sends: a token made when it is asked for, since tests may run
    long after they were collected. ``at``: the moment it is made at instead.
    """

    id: str
    name: str
    roles: tuple[Role, ...]
    departments: tuple[str, ...]
    at: datetime | None

    @property
    def person(self) -> Person:
        """
        The person with a token of 15 minutes.
        """
        at = self.at or datetime.now(UTC)
        csrf = f"csrf-of-{self.id}"
        token = issue(
            KEY, person_id=self.id, name=self.name, roles=self.roles, departments=self.departments, csrf=csrf, now=at
        )
        person = read(token, {KEY.kid: KEY.key}, at)
        assert person is not None
        return person

    @property
    def cookies(self) -> dict[str, str]:
        """
        What a browser sends after sign-in.
        """
        return {TOKEN_COOKIE: self.person.token}

    @property
    def headers(self) -> dict[str, str]:
        """
        The cookie and the CSRF token as headers: enough for every method.
        """
        return {"Cookie": f"{TOKEN_COOKIE}={self.person.token}", CSRF_HEADER: self.person.csrf}

    @property
    def bearer(self) -> dict[str, str]:
        """
        The token as a service hands it on.
        """
        return {"Authorization": f"Bearer {self.person.token}"}


def signed_in(
    *roles: Role | str,
    departments: tuple[str, ...] = (),
    name: str = "Ayşe Kaya",
    person_id: str | None = None,
    now: datetime | None = None,
) -> SignedIn:
    """
    A person with these roles; ``now``: when their tokens are made, instead of when they are asked for. The id follows
    from the roles.
    """
    held = tuple(Role(role) for role in roles)
    number = person_id or "u_" + "".join(_IDS[role] for role in held).ljust(16, "7")
    return SignedIn(number, name, held, departments, now)


class FakeTokens:
    """
    Knows the tokens of ``signed_in``, and the sessions it was told of, at the time ``at`` (default: the present).
    """

    def __init__(self, sessions: dict[str, Person] | None = None, at: datetime | None = None) -> None:
        self.sessions = sessions or {}
        self.at = at

    async def person(self, token: str) -> Person | None:
        return read(token, {KEY.kid: KEY.key}, self.at or datetime.now(UTC))

    async def of_session(self, session: str) -> Person | None:
        return self.sessions.get(session)


def session_cookie(session: str) -> dict[str, str]:
    """
    The cookie of a session that ``FakeTokens`` was told of.
    """
    return {SESSION_COOKIE: session}
