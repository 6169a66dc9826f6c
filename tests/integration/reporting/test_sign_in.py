"""
Signing in at reporting, as a browser does it, on a server that speaks MongoDB's protocol.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from services.common.contracts.ids import grouped
from services.common.contracts.roles import Role
from services.common.kit.auth import Caller
from services.common.kit.clock import FrozenClock
from services.common.kit.mongo import Client, connect
from services.common.kit.people import LIFETIME, SESSION_COOKIE, TOKEN_COOKIE, TokenVerifier
from services.common.kit.settings import MongoSettings
from services.reporting.accounts import Accounts
from services.reporting.api import create_app
from services.reporting.figures.snapshot import Snapshot
from services.reporting.people import SESSION_IDLE, SESSION_LIFETIME
from services.reporting.people_repository import PeopleRepository
from services.reporting.repository import Repository
from services.reporting.settings import ApiSettings
from services.reporting.users_cli import UsersCli, parser
from tests.integration.reporting.made import make_sheets
from tests.unit.reporting.lives import START, Life, random_lives

pytestmark = pytest.mark.integration

NOW = START + timedelta(days=40)
SECRET = SecretStr("0123456789abcdef")
OWN, DESK = "http://127.0.0.1:8001", "http://127.0.0.1:8000"
PASSWORD = "sarı kedi çatıda uyuyor"
NEW_PASSWORD = "mavi vapur akşam kalkıyor"
HTML = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}
COOKIES = frozenset({SESSION_COOKIE, TOKEN_COOKIE})


class NoKeys:
    """
    No API key is known.
    """

    async def caller(self, key: str) -> Caller | None:
        return None


class World:
    """
    A reporting api with accounts, and browsers.
    """

    def __init__(self, client: Client, settings: ApiSettings, clock: FrozenClock) -> None:
        self.client, self.settings, self.clock = client, settings, clock
        self.app = create_app(settings, callers=NoKeys(), clock=clock)
        self.repository = PeopleRepository(client, settings.database)
        self.accounts = Accounts(self.repository, clock, settings.token_secret.get_secret_value().encode())
        self.store = Repository(client, settings.database)

    def browser(self, **cookies: str) -> httpx.AsyncClient:
        """
        A browser with nothing but these cookies.
        """
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url=OWN, headers=HTML, cookies=cookies)

    async def add(self, user: str, *roles: str, departments: tuple[str, ...] = (), must_change: bool = False) -> str:
        """
        An account with ``PASSWORD``; its id.
        """
        account, _ = await self.accounts.add(
            user=user,
            name=f"Adı {user}",
            roles=frozenset(map(Role, roles)),
            departments=frozenset(departments),
            password=PASSWORD,
            must_change=must_change,
        )
        return account.id

    async def sign_in(
        self, browser: httpx.AsyncClient, user: str, password: str = PASSWORD, **fields: str
    ) -> httpx.Response:
        """
        Open the page, fill the form, send it.
        """
        page = await browser.get("/sign-in")
        found = re.search(r'name="_form" value="([^"]+)"', page.text)
        mark = found[1] if found else ""
        return await browser.post("/sign-in", data={"user": user, "password": password, "_form": mark} | fields)

    async def signed_in(self, user: str) -> httpx.AsyncClient:
        """
        A browser in which the user is signed in, with the CSRF token for every form.
        """
        browser = self.browser()
        answer = await self.sign_in(browser, user)
        assert answer.status_code == 303, answer.text
        browser.headers["X-CSRF-Token"] = (await browser.get("/session/token")).json()["csrf"]
        return browser

    async def audit(self) -> list[str]:
        """
        What was put down, oldest first.
        """
        return [row["what"] async for row in self.client[self.settings.database]["audit"].find().sort("_id", 1)]


@pytest.fixture
async def world(mongo_uri: str, database: str) -> AsyncIterator[World]:
    mongo = MongoSettings(uri=mongo_uri)
    client = connect(mongo)
    settings = ApiSettings(cursor_secret=SECRET, token_secret=SECRET, mongo=mongo, database=database)
    world = World(client, settings, FrozenClock(NOW))
    await world.repository.prepare()
    async with world.app.router.lifespan_context(world.app):
        world.app.state.figures = Snapshot(world.app.state.sheets, look_every_seconds=0)
        yield world
    await client.drop_database(database)
    client.close()


# --- in and out ---


async def test_a_right_password_opens_the_work_of_the_role(world: World) -> None:
    await world.add("elif", "operator")
    await world.add("hasan", "department", departments=("zabita",))
    await world.add("deniz", "admin")
    for user, home in (("Elif ", f"{DESK}/console"), ("HASAN", f"{OWN}/department/zabita"), ("deniz", f"{OWN}/users")):
        browser = world.browser()
        answer = await world.sign_in(browser, user)
        assert (answer.status_code, answer.headers["location"]) == (303, home)
        assert (await browser.get("/")).headers["location"] == home
        cookies = [line for line in answer.headers.get_list("set-cookie") if line.partition("=")[0] in COOKIES]
        assert len(cookies) == 2
        assert all("HttpOnly" in line and "SameSite=lax" in line and "Secure" not in line for line in cookies)
        assert answer.headers["cache-control"] == "no-store"


async def test_behind_tls_the_cookies_travel_by_tls_alone(world: World) -> None:
    await world.add("elif", "operator")
    world.app.state.staff = replace(
        world.app.state.staff, settings=world.settings.model_copy(update={"public_url": "https://ilkim.example"})
    )
    answer = await world.sign_in(world.browser(ilkim_form="m"), "elif", _form="m")
    assert answer.status_code == 303
    cookies = [line for line in answer.headers.get_list("set-cookie") if line.partition("=")[0] in COOKIES]
    assert len(cookies) == 2
    assert all("; Secure" in line for line in cookies)


async def test_other_services_believe_the_token_and_find_it_by_the_session(world: World) -> None:
    person_id = await world.add("hasan", "department", departments=("zabita",))
    browser = await world.signed_in("hasan")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world.app)) as http:
        verifier = TokenVerifier(http, OWN, world.clock)
        by_token = await verifier.person(browser.cookies[TOKEN_COOKIE])
        by_session = await verifier.of_session(browser.cookies[SESSION_COOKIE])
        assert by_token is not None
        assert by_session is not None
        assert by_token.id == by_session.id == person_id
        assert by_token.csrf == by_session.csrf == browser.headers["X-CSRF-Token"]
        assert by_token.departments == {"zabita"}
        assert await verifier.of_session("x" * 43) is None


async def test_signing_out_ends_the_session_and_needs_the_token_of_the_form(world: World) -> None:
    await world.add("elif", "operator")
    browser = await world.signed_in("elif")
    session = browser.cookies[SESSION_COOKIE]
    assert (await browser.post("/sign-out")).status_code == 403
    assert (await browser.post("/sign-out", data={"_csrf": "x"})).status_code == 403
    page = await browser.get("/sign-out")
    csrf = browser.headers["X-CSRF-Token"]
    assert csrf in page.text
    # as sent by a form on intake's pages: another origin of ours, whose name the browser keeps to itself
    answer = await browser.post(
        "/sign-out", data={"_csrf": csrf}, headers={"Origin": "null", "Sec-Fetch-Site": "same-site"}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert not {SESSION_COOKIE, TOKEN_COOKIE} & set(browser.cookies)
    again = world.browser(**{SESSION_COOKIE: session})
    assert (await again.get("/session/token", headers={"Accept": "*/*"})).status_code == 401
    assert (await again.get("/session/renew?next=/users")).headers["location"] == "/sign-in?next=%2Fusers"
    assert await world.audit() == ["user_added", "sign_in", "sign_out"]


async def test_a_session_that_was_given_to_the_browser_is_never_signed_in(world: World) -> None:
    await world.add("elif", "operator")
    planted = "a" * 43
    browser = world.browser(**{SESSION_COOKIE: planted, TOKEN_COOKIE: "b"})
    page = await browser.get("/sign-in")
    mark = re.search(r'name="_form" value="([^"]+)"', page.text)
    assert mark is not None
    answer = await browser.post("/sign-in", data={"user": "elif", "password": PASSWORD, "_form": mark[1]})
    given = re.search(rf"{SESSION_COOKIE}=([^;]+)", answer.headers["set-cookie"])
    assert given is not None
    assert given[1] != planted
    assert (await world.browser(**{SESSION_COOKIE: planted}).get("/session/token")).status_code == 401


async def test_signing_in_again_ends_the_session_before(world: World) -> None:
    await world.add("elif", "operator")
    await world.add("deniz", "admin")
    first = await world.signed_in("elif")
    old = first.cookies[SESSION_COOKIE]
    mark = {"ilkim_form": "m"}
    first.cookies.update(mark)
    answer = await first.post("/sign-in", data={"user": "deniz", "password": PASSWORD, "_form": "m"})
    assert answer.status_code == 303
    assert first.cookies[SESSION_COOKIE] != old
    assert (await world.browser(**{SESSION_COOKIE: old}).get("/session/token")).status_code == 401


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"_form": ""}, {}),
        ({"_form": "x"}, {}),
        ({}, {"Origin": "https://evil.example"}),
        ({}, {"Sec-Fetch-Site": "cross-site", "Origin": "null"}),
    ],
)
async def test_another_site_cannot_sign_somebody_in_as_somebody_else(
    world: World, fields: dict[str, str], headers: dict[str, str]
) -> None:
    await world.add("elif", "operator")
    browser = world.browser(ilkim_form="m")
    data = {"user": "elif", "password": PASSWORD, "_form": "m"} | fields
    answer = await browser.post("/sign-in", data=data, headers=headers)
    assert answer.status_code == 403
    assert SESSION_COOKIE not in browser.cookies
    assert await world.audit() == ["user_added"]


@pytest.mark.parametrize(
    ("wanted", "location"),
    [
        ("/department/zabita?status=new", "/department/zabita?status=new"),
        (f"{DESK}/console?call=1", f"{DESK}/console?call=1"),
        ("https://evil.example/", f"{DESK}/console"),
        ("//evil.example", f"{DESK}/console"),
        ("/\\evil.example", f"{DESK}/console"),
        ("http://127.0.0.1:8000@evil.example", f"{DESK}/console"),
        ("javascript:alert(1)", f"{DESK}/console"),
    ],
)
async def test_after_signing_in_it_goes_on_to_our_own_pages_alone(world: World, wanted: str, location: str) -> None:
    await world.add("elif", "operator")
    browser = world.browser()
    assert (await world.sign_in(browser, "elif", next=wanted)).headers["location"] == location
    for path in ("/sign-in", "/session/renew"):
        answer = await browser.get(path, params={"next": wanted})
        assert (answer.status_code, answer.headers["location"]) == (303, location)


# --- guessing ---


async def test_nothing_tells_who_has_an_account(world: World) -> None:
    await world.add("elif", "operator")
    closed = await world.add("murat", "operator")
    await world.accounts.disable(closed)
    tried = [("elif", "yanlış bir parola"), ("nobody", PASSWORD), ("murat", PASSWORD), ("", ""), ("\x00", "\x00")]
    answers = []
    for user, password in tried:
        browser = world.browser(ilkim_form="m")
        answer = await browser.post("/sign-in", data={"user": user, "password": password, "_form": "m"})
        assert not set(browser.cookies) & COOKIES
        body = re.sub(r'name="user" type="text" value="[^"]*"', "", answer.text)
        answers.append((answer.status_code, body, {k: v for k, v in answer.headers.items() if k != "content-length"}))
    assert answers[0][0] == 401
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize("user", ["elif", "nobody"])
async def test_after_five_failures_no_password_is_looked_at_for_a_while(world: World, user: str) -> None:
    await world.add("elif", "operator")
    browser = world.browser()
    answers = [await world.sign_in(browser, user, "yanlış bir parola") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401] * 4 + [429]
    locked = await world.sign_in(browser, user)
    assert locked.status_code == 429
    assert 0 < int(locked.headers["retry-after"]) <= 61
    world.clock.advance(timedelta(seconds=61))
    if user == "elif":
        assert (await world.sign_in(browser, user)).status_code == 303
        assert (await world.sign_in(world.browser(), user, "yanlış bir parola")).status_code == 401
    else:
        assert (await world.sign_in(browser, user)).status_code == 429
        assert (await world.sign_in(browser, user)).headers["retry-after"] == "121"


async def test_many_guesses_at_the_same_moment_are_no_more_than_five(world: World) -> None:
    await world.add("elif", "operator")

    async def guess(number: int) -> int:
        browser = world.browser(ilkim_form="m")
        data = {"user": "elif", "password": f"bir parola denemesi {number}", "_form": "m"}
        return (await browser.post("/sign-in", data=data)).status_code

    statuses = await asyncio.gather(*map(guess, range(30)))
    assert set(statuses) <= {401, 429}
    assert (await world.audit()).count("sign_in_failed") <= 5


async def test_one_address_cannot_go_through_all_names(world: World) -> None:
    await world.add("elif", "operator")
    limit = world.app.state.staff.accounts._addresses
    for _ in range(50):
        limit.failed("127.0.0.1", NOW)
    assert (await world.sign_in(world.browser(), "elif")).status_code == 429
    world.clock.advance(timedelta(minutes=15))
    assert (await world.sign_in(world.browser(), "elif")).status_code == 303


# --- passwords ---


async def test_a_first_password_opens_nothing_until_it_is_changed(world: World) -> None:
    await world.add("elif", "operator", must_change=True)
    browser = world.browser()
    answer = await world.sign_in(browser, "elif", next=f"{DESK}/console")
    assert answer.headers["location"].startswith("/account?")
    assert TOKEN_COOKIE not in browser.cookies
    assert (await browser.get("/v1/requests")).status_code == 401
    assert (await browser.get("/session/token")).status_code == 401
    assert (await browser.get("/session/renew")).headers["location"].startswith("/account?")
    shown = {"session": browser.cookies[SESSION_COOKIE]}
    assert (await browser.post("/session/exchange", json=shown)).status_code == 404

    page = await browser.get(answer.headers["location"])
    csrf = re.search(r'name="_csrf" value="([^"]+)"', page.text)
    assert csrf is not None
    form = {"old": PASSWORD, "new": NEW_PASSWORD, "again": NEW_PASSWORD, "_csrf": csrf[1], "next": f"{DESK}/console"}
    for wrong, field in (
        ({"old": "yanlış"}, "old"),
        ({"again": "başka bir parola"}, "again"),
        ({"new": "kısa", "again": "kısa"}, "password"),
        ({"new": PASSWORD, "again": PASSWORD}, "password"),
    ):
        refused = await browser.post("/account", data=form | wrong)
        assert refused.status_code == 422
        assert f'href="#f-{field}"' in refused.text
    assert (await browser.post("/account", data=form | {"_csrf": "x"})).status_code == 403
    changed = await browser.post("/account", data=form)
    assert (changed.status_code, changed.headers["location"]) == (303, f"{DESK}/console")
    assert (await browser.get("/v1/requests")).status_code == 200
    assert (await world.sign_in(world.browser(), "elif")).status_code == 401
    assert (await world.sign_in(world.browser(), "elif", NEW_PASSWORD)).status_code == 303


async def test_a_changed_password_ends_the_sessions_elsewhere(world: World) -> None:
    await world.add("elif", "operator")
    here, elsewhere = await world.signed_in("elif"), await world.signed_in("elif")
    csrf = here.headers["X-CSRF-Token"]
    form = {"old": PASSWORD, "new": NEW_PASSWORD, "again": NEW_PASSWORD, "_csrf": csrf}
    assert (await here.post("/account", data=form)).status_code == 303
    assert (await here.get("/session/token")).status_code == 200
    assert (await elsewhere.get("/session/token")).status_code == 401


async def test_the_database_holds_neither_password_nor_session_nor_what_was_typed_wrong(world: World) -> None:
    await world.add("elif", "operator")
    wrong = "benim gerçek parolam bu"
    await world.sign_in(world.browser(), "elif", wrong)
    await world.sign_in(world.browser(), wrong, wrong)
    browser = await world.signed_in("elif")
    database = world.client[world.settings.database]
    names = await database.list_collection_names()
    rows = [row for name in names async for row in database[name].find()]
    kept = json.dumps(rows, default=str, ensure_ascii=False)
    assert "argon2id" in kept
    for secret in (PASSWORD, wrong, browser.cookies[SESSION_COOKIE], browser.cookies[TOKEN_COOKIE]):
        assert secret not in kept


# --- how long it lasts ---


async def test_a_session_ends_after_an_hour_of_nothing(world: World) -> None:
    await world.add("elif", "operator")
    browser = await world.signed_in("elif")
    for _ in range(3):
        world.clock.advance(SESSION_IDLE - timedelta(minutes=1))
        assert (await browser.get("/session/token")).status_code == 200
    world.clock.advance(SESSION_IDLE)
    assert (await browser.get("/session/token")).status_code == 401


async def test_a_session_ends_after_twelve_hours_whatever_happens(world: World) -> None:
    await world.add("elif", "operator")
    browser = await world.signed_in("elif")
    for _ in range(24):
        assert (await browser.get("/session/token")).status_code == 200
        world.clock.advance(SESSION_LIFETIME / 24)
    assert (await browser.get("/session/token")).status_code == 401


@pytest.mark.parametrize("change", ["disable", "roles", "reset", "sessions"])
async def test_what_an_administrator_takes_away_is_gone_within_a_quarter_of_an_hour(world: World, change: str) -> None:
    person_id = await world.add("elif", "operator")
    await world.add("deniz", "admin")
    elif_browser, admin = await world.signed_in("elif"), await world.signed_in("deniz")
    token = {"Authorization": f"Bearer {elif_browser.cookies[TOKEN_COOKIE]}"}
    path, form = {
        "disable": (f"/users/{person_id}/disable", {}),
        "roles": (f"/users/{person_id}", {"name": "Elif", "roles": "manager"}),
        "reset": (f"/users/{person_id}/password", {}),
        "sessions": (f"/users/{person_id}/sessions/end", {}),
    }[change]
    assert (await admin.post(path, data=form)).status_code in (200, 303)
    # the session is gone at once, for us and for the services that ask us
    assert (await elif_browser.get("/session/token")).status_code == 401
    shown = {"session": elif_browser.cookies[SESSION_COOKIE]}
    assert (await admin.post("/session/exchange", json=shown)).status_code == 404
    # the token that is about lives on, but not longer than it is written on it
    assert (await world.browser().get("/v1/requests", headers=token)).status_code == 200
    world.clock.advance(LIFETIME + timedelta(seconds=5))
    assert (await world.browser().get("/v1/requests", headers=token)).status_code == 401
    expected = {"disable": 401, "roles": 303, "reset": 401, "sessions": 303}[change]
    assert (await world.sign_in(world.browser(), "elif")).status_code == expected


async def test_after_a_change_of_the_secret_the_tokens_that_are_about_still_count(world: World) -> None:
    await world.add("elif", "operator")
    browser = await world.signed_in("elif")
    changed = world.settings.model_copy(
        update={"token_secret": SecretStr("another secret of ours"), "token_secret_before": SECRET}
    )
    later = World(world.client, changed, world.clock)
    async with later.app.router.lifespan_context(later.app):
        token = {"Authorization": f"Bearer {browser.cookies[TOKEN_COOKIE]}"}
        assert (await later.browser().get("/v1/requests", headers=token)).status_code == 200
        assert len((await later.browser().get("/.well-known/jwks.json")).json()["keys"]) == 2
        renewed = later.browser(**{SESSION_COOKIE: browser.cookies[SESSION_COOKIE]})
        assert (await renewed.get("/session/token")).status_code == 200
        assert renewed.cookies[TOKEN_COOKIE] != browser.cookies[TOKEN_COOKIE]


# --- the administrator ---


async def test_an_administrator_adds_somebody_who_then_signs_in(world: World) -> None:
    await world.add("deniz", "admin")
    admin = await world.signed_in("deniz")
    form = {"user": "Hasan.Yıldız", "name": "Hasan Yıldız", "roles": "department", "departments": "zabita"}
    page = await admin.post("/users", data=form)
    first = re.search(r'id="first-password">([^<]+)<', page.text)
    assert first is not None
    assert page.headers["cache-control"] == "no-store"
    answer = await world.sign_in(world.browser(), "hasan.yildiz", first[1])
    assert answer.headers["location"].startswith("/account")
    listed = await admin.get("/users")
    assert "hasan.yildiz" in listed.text
    assert first[1] not in listed.text
    again = await admin.post("/users", data=form)
    assert again.status_code == 422
    assert 'href="#f-user"' in again.text
    assert await world.audit() == ["user_added", "sign_in", "user_added", "sign_in"]


async def test_the_last_administrator_stays(world: World) -> None:
    person_id = await world.add("deniz", "admin")
    admin = await world.signed_in("deniz")
    assert (await admin.post(f"/users/{person_id}/disable")).status_code == 422
    demoted = await admin.post(f"/users/{person_id}", data={"name": "Deniz", "roles": "operator"})
    assert demoted.status_code == 422
    await world.add("zeynep", "admin")
    assert (await admin.post(f"/users/{person_id}/disable")).status_code == 303


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
async def test_nobody_else_manages_users_or_reads_the_audit(world: World, role: Role) -> None:
    person_id = await world.add("x", role, departments=("zabita",) if role is Role.DEPARTMENT else ())
    browser = await world.signed_in("x")
    reads = ("/users", "/users/new", f"/users/{person_id}", "/audit")
    writes = (
        "/users",
        *(f"/users/{person_id}{end}" for end in ("", "/password", "/disable", "/enable", "/sessions/end")),
    )
    assert [(await browser.get(path)).status_code for path in reads] == [403] * len(reads)
    form = {"name": "x", "user": "y", "roles": "admin"}
    assert [(await browser.post(path, data=form)).status_code for path in writes] == [403] * len(writes)
    stranger = world.browser()
    assert [(await stranger.get(path)).status_code for path in reads] == [303] * len(reads)
    assert [(await stranger.post(path, data=form)).status_code for path in writes] == [401] * len(writes)


async def test_the_administrator_s_forms_need_their_token(world: World) -> None:
    person_id = await world.add("deniz", "admin")
    admin = await world.signed_in("deniz")
    del admin.headers["X-CSRF-Token"]
    for path in ("/users", f"/users/{person_id}", f"/users/{person_id}/password", f"/users/{person_id}/sessions/end"):
        assert (await admin.post(path, data={"name": "x"})).status_code == 403
        foreign = {"_csrf": admin.cookies[SESSION_COOKIE]}
        assert (await admin.post(path, data=foreign)).status_code == 403


async def test_the_audit_shows_who_did_what_and_who_looked_at_a_contact(world: World) -> None:
    person_id = await world.add("elif", "operator")
    await world.add("deniz", "admin")
    asked: list[httpx.Request] = []

    def notify(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        view = {
            "at": NOW.isoformat(),
            "who": f"person:{person_id}",
            "contact_id": "c_" + "1" * 32,
            "purpose": "geri arama",
        }
        return httpx.Response(200, json={"items": [view]})

    await world.sign_in(world.browser(), "elif", "yanlış bir parola")
    admin = await world.signed_in("deniz")
    staff = world.app.state.staff
    async with httpx.AsyncClient(transport=httpx.MockTransport(notify)) as http:
        world.app.state.staff = replace(staff, http=http)
        page = await admin.get("/audit", params={"who": person_id, "from": "2026-12-01", "to": "2026-12-31"})
        assert page.status_code == 200
        assert "geri arama" in page.text
        assert "Başarısız giriş" in page.text
        assert "Adı elif" in page.text
        (request,) = asked
        assert request.url.params["who"] == f"person:{person_id}"
        assert request.headers["authorization"].startswith("Bearer ")
        only = await admin.get("/audit", params={"what": "sign_in"})
        assert "geri arama" not in only.text
        assert len(asked) == 1
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(503))) as http:
        world.app.state.staff = replace(staff, http=http)
        page = await admin.get("/audit")
        assert page.status_code == 200
        assert "yanıt vermiyor" in page.text
    assert (await admin.get("/audit", params={"from": "dün"})).status_code == 422


# --- a department sees its own ---


async def test_a_clerk_sees_of_all_requests_those_that_the_department_holds_now(world: World) -> None:
    lives = list(random_lives(3, 60))
    await world.store.project([event for life in lives for event in life.events])
    await make_sheets(world.store)
    await world.add("hasan", "department", departments=("zabita",))
    await world.add("elif", "operator")
    clerk, operator = await world.signed_in("hasan"), await world.signed_in("elif")

    async def rows(browser: httpx.AsyncClient, **query: str) -> list[dict[str, Any]]:
        answer = await browser.get("/v1/requests", params={"limit": "200", **query})
        items: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
        return items

    everything = await rows(operator, parts="true")
    own = [row for row in everything if row["department"] == "zabita"]
    assert 0 < len(own) < len(everything)
    assert await rows(clerk, parts="true") == own
    assert await rows(clerk, parts="true", department="zabita,fen-isleri") == own
    assert await rows(clerk, department="fen-isleri") == []
    for row in everything:
        number = row["request_id"]
        answer = await clerk.get(f"/v1/requests/{grouped(number)}")
        assert answer.status_code == (200 if row["department"] == "zabita" else 404)
        found = await rows(clerk, q=number, parts="true")
        assert [found["request_id"] for found in found] == ([number] if row["department"] == "zabita" else [])
    summary = (await clerk.get("/v1/reports/departments")).json()["rows"]
    assert [row["department"] for row in summary] == ["zabita"]
    counted = (await clerk.get("/v1/reports/volume")).json()["rows"]
    assert sum(row["received"] for row in counted) == len(await rows(clerk))


async def test_an_administrator_sees_no_request(world: World) -> None:
    await world.store.project(Life().receive().register().assign().events)
    await world.add("deniz", "admin")
    admin = await world.signed_in("deniz")
    for path in (
        "/v1/requests",
        f"/v1/requests/{Life().request_id}",
        "/v1/reports/summary",
        "/v1/visits?department=zabita",
    ):
        assert (await admin.get(path)).status_code == 403


# --- the command line ---


async def test_users_from_the_command_line(world: World) -> None:
    out = StringIO()
    cli = UsersCli(world.accounts, world.repository, out)

    async def do(line: str, given: str = "") -> str:
        out.seek(0)
        out.truncate()
        await cli.run(parser().parse_args(line.split()), given)
        return out.getvalue()

    added = await do("add Deniz --name Deniz --role admin")
    first = added.rpartition(" ")[2].strip()
    assert (await world.sign_in(world.browser(), "deniz", first)).headers["location"].startswith("/account")
    people = json.dumps(
        [{"user": "zabita", "name": "Z", "roles": ["department"], "departments": ["zabita"], "password": PASSWORD}]
    )
    assert "added" in await do("import", people)
    assert await do("import", people) == ""
    browser = await world.signed_in("zabita")
    await do("roles zabita --role department --department fen-isleri")
    assert (await browser.get("/session/token")).status_code == 401
    assert "department fen-isleri" in await do("list")
    await do("disable zabita")
    assert (await world.sign_in(world.browser(), "zabita")).status_code == 401
    await do("enable zabita")
    assert (await world.sign_in(world.browser(), "zabita")).status_code == 303
    reset = (await do("reset zabita")).rpartition(" ")[2].strip()
    assert (await world.sign_in(world.browser(), "zabita", reset)).headers["location"].startswith("/account")
