"""
Sign-in at an OpenID Connect provider: a real one (oidc-provider-mock) in a process of its own, over HTTP, and a browser
that walks through its form.
"""

import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from pydantic import SecretStr

from services.common.contracts.roles import Role
from services.common.kit.clock import system_clock
from services.common.kit.mongo import Client, connect
from services.common.kit.people import SESSION_COOKIE, TOKEN_COOKIE, TokenVerifier
from services.common.kit.settings import MongoSettings
from services.reporting.api import create_app
from services.reporting.people_repository import PeopleRepository
from services.reporting.settings import ApiSettings, OidcSettings
from tests.waiting import eventually

pytestmark = pytest.mark.integration

SECRET = SecretStr("0123456789abcdef")
OWN, DESK = "http://127.0.0.1:8001", "http://127.0.0.1:8000"
STAFF = (
    {"sub": "1001", "name": "Elif Demir", "preferred_username": "elif.demir", "groups": ["ilkim-masa", "herkes"]},
    {"sub": "1002", "name": "Hasan Yıldız", "preferred_username": "hasan", "groups": ["zabita-ekip"]},
    {"sub": "1003", "name": "Bir Kişi", "preferred_username": "biri", "groups": ["herkes"]},
)
ROLES = {"ilkim-masa": ["operator"], "zabita-ekip": ["department:zabita"]}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """
    The provider; it serves when it answers with its description.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    people = [word for person in STAFF for word in ("--user-claims", json.dumps(person))]
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "oidc_provider_mock",
        "--port",
        str(port),
        "--require-nonce",
        "true",
    ]
    process = subprocess.Popen([*command, *people], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    issuer = f"http://127.0.0.1:{port}"
    try:

        def answers() -> bool:
            assert process.poll() is None, "the provider ended"
            return httpx.get(f"{issuer}/.well-known/openid-configuration").is_success

        eventually(answers, what="the provider answers")
        yield issuer
    finally:
        process.terminate()
        process.wait(10)


class World:
    """
    A reporting api that trusts the provider, and browsers.
    """

    def __init__(self, client: Client, settings: ApiSettings) -> None:
        self.settings = settings
        self.app = create_app(settings)
        self.repository = PeopleRepository(client, settings.database)
        self.client = client

    def browser(self) -> httpx.AsyncClient:
        """
        A browser that reaches our pages in this process and the provider over the network.
        """
        return httpx.AsyncClient(
            mounts={OWN: httpx.ASGITransport(self.app)}, base_url=OWN, headers={"Accept": "text/html"}, timeout=20
        )

    async def to_callback(self, browser: httpx.AsyncClient, sub: str, next_url: str = "/") -> str:
        """
        From our link to the provider, through its form, to where it sends the browser.
        """
        start = await browser.get("/oidc/start", params={"next": next_url})
        assert start.status_code == 303, start.text
        form = await browser.get(start.headers["location"])
        assert form.status_code == 200, form.text
        sent = await browser.post(start.headers["location"], data={"sub": sub})
        location: str = sent.headers["location"]
        assert location.startswith(f"{OWN}/oidc/callback?")
        return location

    async def sign_in(self, browser: httpx.AsyncClient, sub: str, next_url: str = "/") -> httpx.Response:
        """
        The whole way.
        """
        return await browser.get(await self.to_callback(browser, sub, next_url))


@pytest.fixture
async def world(mongo_uri: str, database: str, issuer: str) -> AsyncIterator[World]:
    mongo = MongoSettings(uri=mongo_uri)
    client = connect(mongo)
    oidc = OidcSettings(issuer=issuer, client_id="ilkim", client_secret=SecretStr("s"), roles=ROLES)
    settings = ApiSettings(cursor_secret=SECRET, token_secret=SECRET, mongo=mongo, database=database, oidc=oidc)
    world = World(client, settings)
    await world.repository.prepare()
    async with world.app.router.lifespan_context(world.app):
        yield world
    await client.drop_database(database)
    client.close()


async def test_whom_the_provider_knows_is_signed_in_with_the_roles_of_their_groups(world: World) -> None:
    browser = world.browser()
    page = await browser.get("/sign-in", params={"next": "/department/zabita"})
    assert "/oidc/start?next=%2Fdepartment%2Fzabita" in page.text
    answer = await world.sign_in(browser, "1002", "/department/zabita?status=new")
    assert (answer.status_code, answer.headers["location"]) == (303, "/department/zabita?status=new")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world.app)) as http:
        person = await TokenVerifier(http, OWN, system_clock).person(browser.cookies[TOKEN_COOKIE])
    assert person is not None
    assert (person.name, person.roles, person.departments) == (
        "Hasan Yıldız",
        frozenset({Role.DEPARTMENT}),
        frozenset({"zabita"}),
    )
    (account,) = await world.repository.accounts()
    assert (account.id, account.user, account.password) == (person.id, "hasan", None)
    assert [entry.what for entry in await world.repository.entries()] == ["sign_in", "user_added"]


async def test_it_is_the_same_person_every_time(world: World) -> None:
    for _ in range(2):
        answer = await world.sign_in(world.browser(), "1001")
        assert answer.headers["location"] == f"{DESK}/console"
    assert len(await world.repository.accounts()) == 1


async def test_who_has_no_group_of_ours_has_nothing_to_do_here(world: World) -> None:
    browser = world.browser()
    answer = await world.sign_in(browser, "1003")
    assert answer.status_code == 403
    assert SESSION_COOKIE not in browser.cookies
    assert await world.repository.accounts() == []


async def test_who_was_disabled_here_is_not_let_in_by_the_provider(world: World) -> None:
    await world.sign_in(world.browser(), "1001")
    (account,) = await world.repository.accounts()
    await world.app.state.staff.accounts.disable(account.id)
    browser = world.browser()
    assert (await world.sign_in(browser, "1001")).status_code == 401
    assert SESSION_COOKIE not in browser.cookies


async def test_who_has_no_password_here_cannot_sign_in_with_one(world: World) -> None:
    await world.sign_in(world.browser(), "1001")
    browser = world.browser()
    browser.cookies.set("ilkim_form", "m", domain="127.0.0.1")
    for password in ("", "None", "x" * 12):
        data = {"user": "elif.demir", "password": password, "_form": "m"}
        assert (await browser.post("/sign-in", data=data)).status_code == 401


async def test_a_local_account_is_not_taken_over_by_a_name_at_the_provider(world: World) -> None:
    staff = world.app.state.staff
    local, _ = await staff.accounts.add(
        user="elif.demir", name="Başka Elif", roles=frozenset({Role.ADMIN}), departments=frozenset()
    )
    await world.sign_in(world.browser(), "1001")
    kept = await world.repository.account(local.id)
    others = [account for account in await world.repository.accounts() if account.id != local.id]
    assert kept == local
    assert [account.roles for account in others] == [frozenset({Role.OPERATOR})]


async def test_an_answer_of_the_provider_counts_once(world: World) -> None:
    browser = world.browser()
    callback = await world.to_callback(browser, "1001")
    marks = dict(browser.cookies)
    assert (await browser.get(callback)).status_code == 303
    again = world.browser()
    again.cookies.update(marks)
    answer = await again.get(callback)
    assert answer.status_code == 400
    assert SESSION_COOKIE not in again.cookies


async def test_an_answer_of_the_provider_counts_for_the_browser_that_asked(world: World) -> None:
    attacker, victim = world.browser(), world.browser()
    callback = await world.to_callback(attacker, "1002")
    assert (await victim.get(callback)).status_code == 400
    await world.to_callback(victim, "1001")  # under way in a flow of its own
    assert (await victim.get(callback)).status_code == 400
    assert SESSION_COOKIE not in victim.cookies


@pytest.mark.parametrize(
    "change", [{"state": "x" * 43}, {"code": "x"}, {"code": ""}, {"code": "", "error": "access_denied"}], ids=str
)
async def test_a_changed_answer_opens_nothing(world: World, change: dict[str, str]) -> None:
    browser = world.browser()
    callback = httpx.URL(await world.to_callback(browser, "1001"))
    answer = await browser.get(callback.copy_with(params=dict(callback.params) | change))
    assert answer.status_code in (400, 502)
    assert SESSION_COOKIE not in browser.cookies


async def test_who_says_no_at_the_provider_is_back_at_our_page(world: World) -> None:
    browser = world.browser()
    start = await browser.get("/oidc/start")
    denied = await browser.post(start.headers["location"], data={"action": "deny"})
    callback = httpx.URL(denied.headers["location"]).copy_merge_params(
        {"state": httpx.URL(start.headers["location"]).params["state"]}
    )
    answer = await browser.get(callback)
    assert answer.status_code == 400
    assert 'action="/sign-in"' in answer.text


async def test_it_leads_to_our_own_pages_alone(world: World) -> None:
    answer = await world.sign_in(world.browser(), "1001", "https://evil.example/")
    assert answer.headers["location"] == f"{DESK}/console"
