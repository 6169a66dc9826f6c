"""
Who gets in at the HTTP edge, by key, token, cookie; and what a page of another site cannot do.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI, Request

from services.common.contracts.roles import Role
from services.common.kit import guard, http
from services.common.kit.auth import Caller, KeysUnavailable
from services.common.kit.guard import People, page_person, scoped
from services.common.kit.people import PeopleUnavailable, Person
from tests.people import FakeTokens, SignedIn, session_cookie, signed_in

OPERATOR, CLERK, ADMIN = signed_in("operator"), signed_in("department", departments=("zabita",)), signed_in("admin")
OWN, REPORTING = "http://own:8000", "http://own:8001"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Keys:
    """
    Knows one key; ``away`` is what intake's absence looks like.
    """

    async def caller(self, key: str) -> Caller | None:
        if key == "away":
            raise KeysUnavailable
        return Caller("pano", frozenset({"updates:write"}), frozenset({"zabita"})) if key == "good" else None


class Away:
    """
    No key was ever fetched.
    """

    async def person(self, token: str) -> Person | None:
        raise PeopleUnavailable

    of_session = person


def app_with(people: People) -> FastAPI:
    app = FastAPI()
    app.state.people = people

    async def ready() -> dict[str, object]:
        return {}

    http.install(app, ready=ready)
    guard.install_guard(app)

    @app.api_route("/v1/thing", methods=["GET", "POST", "DELETE"])
    async def thing(caller: Annotated[Caller, Depends(scoped("updates:write"))]) -> dict[str, str]:
        return {"by": caller.adapter}

    @app.get("/page")
    async def page(person: Annotated[Person, Depends(page_person(Role.OPERATOR))]) -> dict[str, str]:
        return {"name": person.name}

    @app.post("/page")
    async def form(request: Request, person: Annotated[Person, Depends(page_person())]) -> dict[str, str]:
        return {"text": str((await request.form())["text"]), "by": person.id}

    return app


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    tokens = FakeTokens({"s": CLERK.person})
    app = app_with(People(Keys(), tokens, OWN, REPORTING))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=OWN) as client:
        yield client


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"X-API-Key": "good"}, 200),
        ({"X-API-Key": "bad"}, 401),
        ({"X-API-Key": "away"}, 503),
        (CLERK.bearer, 200),
        ({"Authorization": f"bearer {CLERK.person.token}"}, 200),
        (ADMIN.bearer, 403),
        ({"Authorization": "Bearer x"}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": "Basic eDp5"}, 401),
        (CLERK.headers, 200),
        ({"Cookie": CLERK.headers["Cookie"]}, 403),
        (CLERK.headers | {"X-CSRF-Token": OPERATOR.person.csrf}, 403),
        (CLERK.headers | {"Origin": "https://evil.example"}, 403),
        (CLERK.headers | {"Origin": "null"}, 403),
        (CLERK.headers | {"Sec-Fetch-Site": "cross-site"}, 403),
        (CLERK.headers | {"Sec-Fetch-Site": "same-site", "Origin": REPORTING}, 200),
        (CLERK.headers | {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:8000"}, 200),
        (CLERK.headers | {"Origin": OWN}, 200),
        (CLERK.bearer | {"Origin": "https://evil.example"}, 200),
        ({"X-API-Key": "bad"} | CLERK.headers, 401),
    ],
)
async def test_what_an_api_answers_to_a_change(client: httpx.AsyncClient, headers: dict[str, str], status: int) -> None:
    for method in ("POST", "DELETE"):
        answer = await client.request(method, "/v1/thing", headers=headers)
        assert answer.status_code == status, answer.text
        if status != 200:
            assert answer.headers["content-type"] == "application/problem+json"


def test_a_shown_secret_may_be_anything() -> None:
    shown = ("c", "C", "", "é", "\ud800", None, 5)
    assert [guard.same_secret(value, "c") for value in shown] == [True] + [False] * 6


async def test_reading_with_a_cookie_needs_no_csrf_token(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/thing", headers={"Cookie": CLERK.headers["Cookie"]})
    assert answer.json() == {"by": f"person:{CLERK.person.id}"}


async def test_a_session_alone_is_enough_when_the_token_has_run_out(client: httpx.AsyncClient) -> None:
    old = signed_in("department", departments=("zabita",), now=datetime.now(UTC) - timedelta(hours=1))
    cookie = "; ".join(f"{name}={value}" for name, value in (old.cookies | session_cookie("s")).items())
    headers = {"Cookie": cookie, "X-CSRF-Token": CLERK.person.csrf}
    assert (await client.post("/v1/thing", headers=headers)).status_code == 200
    headers["Cookie"] = cookie.replace("session=s", "session=x")
    assert (await client.post("/v1/thing", headers=headers)).status_code == 401


@pytest.mark.parametrize("headers", [CLERK.bearer, CLERK.headers, session_cookie("s")])
async def test_while_nobody_can_tell_it_is_a_503(headers: dict[str, str]) -> None:
    app = app_with(People(Keys(), Away(), OWN, REPORTING))
    cookies = headers if "ilkim_session" in headers else {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=OWN, cookies=cookies) as client:
        answer = await client.get("/v1/thing", headers={} if cookies else headers)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Mode": "navigate"}, {"Accept": "text/html,*/*"}], ids=["today", "older"]
)
async def test_a_browser_without_a_sign_in_is_sent_there_and_will_come_back(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await client.get("/page?a=1&b=ç", headers=headers)
    assert answer.status_code == 303
    assert answer.headers["cache-control"] == "no-store"
    location = httpx.URL(answer.headers["location"])
    assert str(location).startswith(f"{REPORTING}/session/renew?")
    assert location.params["next"] == f"{OWN}/page?a=1&b=%C3%A7"


@pytest.mark.parametrize("headers", [{}, {"Accept": "text/event-stream"}, {"Sec-Fetch-Mode": "cors"}])
async def test_a_script_without_a_sign_in_is_told(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert (await client.get("/page", headers=headers)).status_code == 401
    assert (await client.post("/page", headers=headers)).status_code == 401


@pytest.mark.parametrize(("who", "status"), [(OPERATOR, 200), (CLERK, 403), (ADMIN, 403)])
async def test_a_page_opens_to_its_role(client: httpx.AsyncClient, who: SignedIn, status: int) -> None:
    assert (await client.get("/page", headers=who.headers)).status_code == status


@pytest.mark.parametrize("kind", ["form", "multipart", "header"])
async def test_a_form_of_ours_is_taken_and_can_be_read_again(client: httpx.AsyncClient, kind: str) -> None:
    data = {"text": "çukur", "_csrf": CLERK.person.csrf if kind != "header" else "wrong"}
    headers = {"Cookie": CLERK.headers["Cookie"], "Sec-Fetch-Site": "same-origin"}
    if kind == "header":
        headers["X-CSRF-Token"] = CLERK.person.csrf
    files = {"photo": ("a.jpg", b"x", "image/jpeg")} if kind == "multipart" else None
    answer = await client.post("/page", data=data, files=files, headers=headers)
    assert answer.json() == {"text": "çukur", "by": CLERK.person.id}


@pytest.mark.parametrize(
    ("data", "headers"),
    [
        ({"text": "x"}, {}),
        ({"text": "x", "_csrf": ""}, {}),
        ({"text": "x", "_csrf": OPERATOR.person.csrf}, {}),
        ({"text": "x", "_csrf": CLERK.person.csrf}, {"Origin": "https://evil.example"}),
        ({"text": "x", "_csrf": CLERK.person.csrf}, {"Sec-Fetch-Site": "cross-site", "Origin": "null"}),
        ({"text": "x", "_csrf": CLERK.person.csrf}, {"Content-Type": "text/plain"}),
    ],
)
async def test_a_form_of_another_site_or_without_the_token_changes_nothing(
    client: httpx.AsyncClient, data: dict[str, str], headers: dict[str, str]
) -> None:
    answer = await client.post("/page", data=data, headers={"Cookie": CLERK.headers["Cookie"]} | headers)
    assert answer.status_code == 403
