"""
What the pages about people stand on, put together once per process; and the cookies that they set.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final

import httpx
from fastapi import Depends, Request, Response

from services.common.kit.clock import Clock
from services.common.kit.guard import Callers, People
from services.common.kit.mongo import UNAVAILABLE, Client
from services.common.kit.people import LIFETIME, SESSION_COOKIE, TOKEN_COOKIE, Person, SigningKey, Tokens
from services.common.ui.links import Links
from services.common.ui.navigation import navigation
from services.reporting.accounts import Accounts
from services.reporting.oidc import OidcClient
from services.reporting.people import SESSION_LIFETIME, safe_next
from services.reporting.people_repository import PeopleRepository
from services.reporting.sessions import Keyring, Sessions
from services.reporting.settings import ApiSettings

CALLBACK_PATH: Final = "/oidc/callback"
ACCOUNT_PATH: Final = "/account"


@dataclass(frozen=True, slots=True)
class Staff:
    """
    The parts, and where our pages are.
    """

    settings: ApiSettings
    repository: PeopleRepository
    accounts: Accounts
    sessions: Sessions
    links: Links
    http: httpx.AsyncClient
    clock: Clock
    oidc: OidcClient | None

    @property
    def secure(self) -> bool:
        """
        Whether browsers come by TLS: then cookies travel by nothing else.
        """
        return self.settings.public_url.startswith("https:")

    def next(self, wanted: str | None, otherwise: str = "/") -> str:
        """
        Where to go after signing in: nowhere but to our own pages.
        """
        return safe_next(wanted, self.links.origins, otherwise)

    def set_cookie(self, answer: Response, name: str, value: str, lasts: timedelta) -> None:
        """
        Give the browser a cookie that no script reads and that other sites do not send along with their forms.
        """
        answer.set_cookie(
            name, value, max_age=int(lasts.total_seconds()), httponly=True, samesite="lax", secure=self.secure, path="/"
        )

    def take_in(self, answer: Response, session: str, token: str | None) -> None:
        """
        The two cookies of a signed-in browser.
        """
        self.set_cookie(answer, SESSION_COOKIE, session, SESSION_LIFETIME)
        if token:
            self.set_cookie(answer, TOKEN_COOKIE, token, LIFETIME)
        answer.headers["Cache-Control"] = "no-store"

    def put_out(self, answer: Response) -> None:
        """
        Take both cookies away.
        """
        for name in (SESSION_COOKIE, TOKEN_COOKIE):
            answer.delete_cookie(name, path="/", httponly=True, samesite="lax", secure=self.secure)
        answer.headers["Cache-Control"] = "no-store"

    def home(self, person: Person) -> str:
        """
        Where the person's work begins.
        """
        items = navigation(person, self.links)
        if not items:
            return ACCOUNT_PATH
        return items[0].href or items[0].inner[0].href


def staff_of(settings: ApiSettings, client: Client, http: httpx.AsyncClient, clock: Clock) -> Staff:
    """
    Put it together.
    """
    repository = PeopleRepository(client, settings.database)
    secret = settings.token_secret.get_secret_value().encode()
    before = settings.token_secret_before
    keys = Keyring(SigningKey(secret), SigningKey(before.get_secret_value().encode()) if before else None)
    oidc = None
    if settings.oidc.issuer:
        oidc = OidcClient(
            http,
            issuer=settings.oidc.issuer,
            client_id=settings.oidc.client_id,
            client_secret=settings.oidc.client_secret.get_secret_value(),
            redirect_uri=f"{settings.public_url}{CALLBACK_PATH}",
            scopes=settings.oidc.scopes,
            clock=clock,
        )
    return Staff(
        settings=settings,
        repository=repository,
        accounts=Accounts(repository, clock, secret),
        sessions=Sessions(repository, keys, clock),
        links=settings.links,
        http=http,
        clock=clock,
        oidc=oidc,
    )


async def prepare(repository: PeopleRepository) -> None:
    """
    Create the indexes that are missing, as soon as the database is there.
    """
    while True:
        try:
            return await repository.prepare()
        except UNAVAILABLE:
            await asyncio.sleep(1)


async def _staff(request: Request) -> Staff:
    staff: Staff = request.app.state.staff
    return staff


StaffOf = Annotated[Staff, Depends(_staff)]


def guard_of(staff: Staff, keys: Callers, tokens: Tokens | None = None) -> People:
    """
    How reporting's own guard knows who calls.
    """
    return People(
        keys=keys,
        tokens=tokens or staff.sessions,
        public_url=staff.settings.public_url,
        reporting_public_url=staff.settings.public_url,
        origins=frozenset(staff.links.origins),
    )
