"""
Who may in, at the HTTP edge of every service: an API key, a person's Bearer token, or a signed-in browser's cookies.

``app.state.people`` holds the service's ``People``; API routes take ``caller`` or ``scoped(…)``, pages
``page_person(…)``. A cookie is sent by the browser without being asked, so with it every unsafe method must bring the
person's CSRF token, and must not come from a foreign page. Keys and Bearer tokens are given on purpose: they need
neither.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any, Final, Protocol
from urllib.parse import quote

from fastapi import FastAPI, Request, Response, Security
from fastapi.responses import RedirectResponse
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPBearer

from services.common.contracts.roles import Role
from services.common.kit.auth import Caller, KeysUnavailable
from services.common.kit.http import Problem
from services.common.kit.origin import origin_of
from services.common.kit.people import SESSION_COOKIE, TOKEN_COOKIE, PeopleUnavailable, Person, Tokens

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER: Final = "X-CSRF-Token"
CSRF_FIELD: Final = "_csrf"
RENEW_PATH: Final = "/session/renew"
_RETRY: Final = {"Retry-After": "5"}
# What OpenAPI says about it; ``dependencies=`` of a router of APIs. They check nothing.
DOCUMENTED: Final[list[Any]] = [
    Security(APIKeyHeader(name="X-API-Key", auto_error=False, description="given out by `keys add`")),
    Security(HTTPBearer(auto_error=False, bearerFormat="JWT", description="a person's token of 15 minutes")),
    Security(APIKeyCookie(name=TOKEN_COOKIE, auto_error=False, description="with X-CSRF-Token when something changes")),
]
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


class Callers(Protocol):
    """
    Knows who stands behind an API key.
    """

    async def caller(self, key: str) -> Caller | None:
        """
        The caller, or None. Raises ``KeysUnavailable``.
        """


@dataclass(frozen=True, slots=True)
class People:
    """
    How a service knows who calls, where it is seen from, and where people sign in.

    ``public_url`` is this service's own, ``reporting_public_url`` where the sign-in page is, ``origins`` further pages
    of ours that may send forms here. URLs without a slash at the end.
    """

    keys: Callers
    tokens: Tokens
    public_url: str
    reporting_public_url: str
    origins: frozenset[str] = frozenset()

    @property
    def own_origins(self) -> frozenset[str]:
        """
        Where our own pages stand: ``scheme://host[:port]``.
        """
        return frozenset(map(origin_of, (self.public_url, self.reporting_public_url, *self.origins)))

    def renewal(self, request: Request) -> str:
        """
        Where a browser without a valid token goes, to come back to the page it asked for.
        """
        query = f"?{request.url.query}" if request.url.query else ""
        return (
            f"{self.reporting_public_url}{RENEW_PATH}?next={quote(self.public_url + request.url.path + query, safe='')}"
        )


class SignInNeeded(Exception):
    """
    A browser asked for a page and nobody is signed in: it is sent on to ``location`` (303).
    """

    def __init__(self, location: str) -> None:
        super().__init__("nobody is signed in")
        self.location = location


def install_guard(app: FastAPI) -> None:
    """
    Answer ``SignInNeeded`` with its redirect.
    """

    @app.exception_handler(SignInNeeded)
    async def _sign_in(_: Request, error: SignInNeeded) -> Response:
        return RedirectResponse(error.location, 303, headers={"Cache-Control": "no-store"})


def foreign(request: Request, own: frozenset[str]) -> bool:
    """
    Whether a page that is not ours made the browser send this. What says neither way comes from no browser of today.
    """
    if request.headers.get("Sec-Fetch-Site") in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    if origin is None:
        return "Sec-Fetch-Site" in request.headers
    return origin.lower() not in own


def same_secret(shown: object, expected: str) -> bool:
    """
    Whether the text shown is the one expected, in a time that tells nothing.
    """
    return isinstance(shown, str) and compare_digest(shown.encode("utf-8", "replace"), expected.encode())


def people_of(request: Request) -> People:
    """
    The service's ``People``.
    """
    people: People = request.app.state.people
    return people


async def caller(request: Request) -> Caller:
    """
    Who calls an API. Answers 401 without a valid key, token or session, 403 for a cookie without its CSRF token or from
    a foreign page, 503 while nobody can tell. Never reads the body.
    """
    people = people_of(request)
    key = request.headers.get("X-API-Key")
    if key:
        return await _key_caller(people, key)
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        person = await _ask(people.tokens.person(token.strip()))
        if person is None:
            raise Problem(401, "The token is not valid, or has run out.", headers={"WWW-Authenticate": "Bearer"})
        return person.caller
    person = await signed_in(request)
    if person is None:
        raise Problem(
            401,
            "An API key is needed in X-API-Key, or somebody must be signed in.",
            headers={"WWW-Authenticate": "ApiKey, Bearer"},
        )
    if request.method not in SAFE_METHODS:
        _check_csrf(request, people, person, request.headers.get(CSRF_HEADER))
    return person.caller


def scoped(scope: str) -> Callable[[Request], Awaitable[Caller]]:
    """
    The dependency of an API route: whoever may do this. Answers 403 without the scope, else as ``caller``.
    """

    async def allowed(request: Request) -> Caller:
        found = await caller(request)
        need(found, scope)
        return found

    return allowed


def need(found: Caller, scope: str) -> None:
    """
    Answer 403 if the caller does not have the scope.
    """
    if not found.may(scope):
        who = "This key does" if found.person is None else "Your roles do"
        raise Problem(403, f"{who} not have the scope {scope}.")


def page_person(*roles: Role) -> Callable[[Request], Awaitable[Person]]:
    """
    The dependency of a page route: whoever is signed in, with one of the roles if some are named.

    Nobody signed in: 303 to the sign-in for a page that is opened, 401 for what scripts and forms send. Another role,
    a missing CSRF token (header, or form field ``_csrf``) or a foreign page: 403.
    """

    async def person(request: Request) -> Person:
        people = people_of(request)
        found = await signed_in(request)
        if found is None:
            if request.method in ("GET", "HEAD") and _navigation(request):
                raise SignInNeeded(people.renewal(request))
            raise Problem(401, "Nobody is signed in any more: sign in again and repeat it.")
        if request.method not in SAFE_METHODS:
            shown: object = request.headers.get(CSRF_HEADER)
            if shown is None and request.headers.get("content-type", "").partition(";")[0].strip().lower() in _FORMS:
                shown = (await request.form()).get(CSRF_FIELD)
            _check_csrf(request, people, found, shown)
        if not found.has(*roles):
            raise Problem(403, "This page is for others: your roles do not open it.")
        return found

    return person


async def signed_in(request: Request) -> Person | None:
    """
    The person behind the browser's cookies: by the token, or, when that has run out, by the session. Answers 503 while
    nobody can tell.
    """
    tokens = people_of(request).tokens
    token = request.cookies.get(TOKEN_COOKIE)
    person = await _ask(tokens.person(token)) if token else None
    if person is not None:
        return person
    session = request.cookies.get(SESSION_COOKIE)
    return await _ask(tokens.of_session(session)) if session else None


async def _key_caller(people: People, key: str) -> Caller:
    try:
        found = await people.keys.caller(key)
    except KeysUnavailable:
        raise Problem(503, "API keys cannot be checked now.", headers=_RETRY) from None
    if found is None:
        raise Problem(401, "The key is not valid.", headers={"WWW-Authenticate": "ApiKey"})
    return found


async def _ask(question: Awaitable[Person | None]) -> Person | None:
    try:
        return await question
    except PeopleUnavailable:
        raise Problem(503, "Who is signed in cannot be checked now.", headers=_RETRY) from None


def _check_csrf(request: Request, people: People, person: Person, shown: object) -> None:
    if foreign(request, people.own_origins):
        raise Problem(403, "This was sent by a page of another site.")
    if not same_secret(shown, person.csrf):
        raise Problem(403, f"The CSRF token is missing or old (header {CSRF_HEADER}, or field {CSRF_FIELD}): reload.")


def _navigation(request: Request) -> bool:
    mode = request.headers.get("Sec-Fetch-Mode")
    return mode == "navigate" or (mode is None and "text/html" in request.headers.get("Accept", ""))
