"""
Members of staff, as every service knows them: by a token of 15 minutes that the reporting api signs (Ed25519).

Sessions and passwords stay in reporting. Here is what travels, and how it is checked without asking each time.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Final, Protocol

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from joserfc.jwt import JWTClaimsRegistry
from joserfc.util import urlsafe_b64encode

from services.common.contracts.roles import Role, departments_of, limited_to, scopes_of
from services.common.kit.auth import Caller
from services.common.kit.clock import Clock, system_clock
from services.common.kit.errors import Retryable
from services.common.kit.logs import logger

log = logger(__name__)

TOKEN_COOKIE: Final = "ilkim_token"  # noqa: S105 (a name); HttpOnly, SameSite=Lax, Path=/: cookies know hosts, not ports
SESSION_COOKIE: Final = "ilkim_session"
LIFETIME: Final = timedelta(minutes=15)
ISSUER: Final = "ilkim-reporting"
AUDIENCE: Final = "ilkim"
ALGORITHM: Final = "Ed25519"
TYPE: Final = "ilkim-person+jwt"  # RFC 8725 3.11: no other token of ours or of a provider passes for one of these
LEEWAY_SECONDS: Final = 5  # clocks of several machines differ
JWKS_PATH: Final = "/.well-known/jwks.json"
EXCHANGE_PATH: Final = "/session/exchange"
_FRESH_SECONDS: Final = 10 * 60.0
_STALE_SECONDS: Final = 24 * 3_600.0
_SECONDS_BETWEEN_QUESTIONS: Final = 5.0
_REMEMBERED: Final = 10_000
_ROLES: Final = frozenset(Role)


@dataclass(frozen=True, slots=True)
class Person:
    """
    Who is signed in. ``token`` is the text that says so, to be handed on to another service as a Bearer token.
    """

    id: str
    name: str
    roles: frozenset[Role]
    departments: frozenset[str]
    csrf: str = field(repr=False)
    expires_at: datetime
    token: str = field(default="", repr=False)

    @property
    def caller(self) -> Caller:
        """
        What the person may do, as an API sees it.
        """
        return Caller(
            adapter=f"person:{self.id}",
            scopes=scopes_of(self.roles),
            departments=departments_of(self.roles, self.departments),
            person=self,
            limited_to=limited_to(self.roles, self.departments),
        )

    def has(self, *roles: Role) -> bool:
        """
        Whether the person has one of the roles; without roles: always.
        """
        return not roles or not self.roles.isdisjoint(roles)


class PeopleUnavailable(Retryable):
    """
    Reporting does not answer, and without it this token or session cannot be judged.
    """


class SigningKey:
    """
    The key that signs tokens, derived from a secret (HKDF-SHA-256), so that every process of the api has the same.
    """

    def __init__(self, secret: bytes) -> None:
        seed = HKDF(SHA256(), 32, salt=None, info=b"ilkim person token ed25519").derive(secret)
        private = Ed25519PrivateKey.from_private_bytes(seed)
        coordinate = urlsafe_b64encode(private.public_key().public_bytes_raw()).decode()
        self.public: dict[str, str] = {"kty": "OKP", "crv": "Ed25519", "x": coordinate, "alg": ALGORITHM, "use": "sig"}
        self.public["kid"] = hashlib.sha256(coordinate.encode()).hexdigest()[:16]
        self.key = OKPKey.import_key({**self.public, "d": urlsafe_b64encode(seed).decode()})

    @property
    def kid(self) -> str:
        """
        The key's name in tokens and in the JWKS.
        """
        return self.public["kid"]


def issue(
    key: SigningKey,
    *,
    person_id: str,
    name: str,
    roles: Iterable[Role],
    departments: Iterable[str],
    csrf: str,
    now: datetime,
    lifetime: timedelta = LIFETIME,
) -> str:
    """
    A signed token that says who this is from now on for ``lifetime``.
    """
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": person_id,
        "name": name,
        "roles": sorted(roles),
        "departments": sorted(departments),
        "csrf": csrf,
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
    }
    return jwt.encode({"alg": ALGORITHM, "kid": key.kid, "typ": TYPE}, claims, key.key, algorithms=[ALGORITHM])


def key_name(token: str) -> str | None:
    """
    The name of the key that a token says it is signed with; None if it is no token of ours. Nothing is checked yet.
    """
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError):
        return None
    kid = header.get("kid")
    return kid if isinstance(kid, str) and header.get("typ") == TYPE else None


def read(token: str, keys: Mapping[str, OKPKey], now: datetime) -> Person | None:
    """
    Whom a token names, if one of the keys signed it, it is a person's token, and it has not run out. Else None.
    """
    key = keys.get(key_name(token) or "")
    if key is None:
        return None
    try:
        claims = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
        JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
            iat={"essential": True},
        ).validate(claims)
        return Person(
            id=claims["sub"],
            name=claims["name"],
            roles=frozenset(Role(role) for role in claims["roles"] if role in _ROLES),
            departments=frozenset(claims["departments"]),
            csrf=claims["csrf"],
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
            token=token,
        )
    except (JoseError, ValueError, KeyError, TypeError):
        return None


class Tokens(Protocol):
    """
    Knows who is behind a token and behind a session.
    """

    async def person(self, token: str) -> Person | None:
        """
        Whom the token names; None if it is not valid or has run out. Raises ``PeopleUnavailable``.
        """

    async def of_session(self, session: str) -> Person | None:
        """
        Who holds the session, with a token that is still good; None without such a session. Raises
        ``PeopleUnavailable``.
        """


class TokenVerifier:
    """
    Check tokens with the keys that reporting publishes. Keys are asked for every 10 minutes and when a token names an
    unknown one (at most every 5 s); while reporting is away the old ones stay good for 24 hours.
    """

    def __init__(self, http: httpx.AsyncClient, reporting_url: str, clock: Clock = system_clock) -> None:
        self._http = http
        self._url = reporting_url.rstrip("/")
        self._clock = clock
        self._keys: dict[str, OKPKey] = {}
        self._fetched = self._asked = -_STALE_SECONDS
        self._asking = asyncio.Lock()
        self._sessions: dict[str, Person] = {}

    async def person(self, token: str) -> Person | None:
        """
        Whom the token names; None if it is not valid or has run out. Raises ``PeopleUnavailable`` without any key.
        """
        kid = key_name(token)
        if kid is None:
            return None
        if kid not in self._keys or monotonic() - self._fetched > _FRESH_SECONDS:
            await self._refresh()
        if monotonic() - self._fetched > _STALE_SECONDS:
            raise PeopleUnavailable("the keys of reporting were never fetched, or are older than a day")
        return read(token, self._keys, self._clock())

    async def of_session(self, session: str) -> Person | None:
        """
        Who holds the session; asked of reporting once in a token's life. Raises ``PeopleUnavailable``.

        So a page that was open for an hour can still be sent: nothing typed is lost because a token ran out.
        """
        name, now = hashlib.sha256(session.encode()).hexdigest(), self._clock()
        known = self._sessions.get(name)
        if known is not None and known.expires_at > now:
            return known
        try:
            answer = await self._http.post(f"{self._url}{EXCHANGE_PATH}", json={"session": session}, timeout=3.0)
            if answer.status_code == httpx.codes.NOT_FOUND:
                return None
            answer.raise_for_status()
            token: str = answer.json()["token"]
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise PeopleUnavailable("sessions cannot be checked now") from error
        person = await self.person(token)
        if person is not None:
            if len(self._sessions) >= _REMEMBERED:
                self._sessions.clear()
            self._sessions[name] = person
        return person

    async def _refresh(self) -> None:
        async with self._asking:
            if monotonic() - self._asked < _SECONDS_BETWEEN_QUESTIONS:
                return
            self._asked = monotonic()
            try:
                answer = await self._http.get(f"{self._url}{JWKS_PATH}", timeout=3.0)
                answer.raise_for_status()
                self._keys = _public_keys(answer.json())
                self._fetched = monotonic()
            except (httpx.HTTPError, JoseError, ValueError, KeyError, TypeError) as error:
                log.warning("the keys of reporting cannot be fetched", error=type(error).__name__)


def _public_keys(document: dict[str, Any]) -> dict[str, OKPKey]:
    rows = [row for row in document["keys"] if row.get("crv") == "Ed25519"]
    return {row["kid"]: OKPKey.import_key(row) for row in rows}
