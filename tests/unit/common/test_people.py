"""
Tokens of people: what is believed, what is not, and what happens while reporting is away.
"""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt

from services.common.contracts.catalogue import catalogue
from services.common.contracts.roles import DESK, SCOPES_OF, Role, departments_of, limited_to, scopes_of
from services.common.kit import people
from services.common.kit.clock import FrozenClock
from services.common.kit.people import (
    ALGORITHM,
    AUDIENCE,
    ISSUER,
    LEEWAY_SECONDS,
    LIFETIME,
    TYPE,
    PeopleUnavailable,
    SigningKey,
    TokenVerifier,
    issue,
    read,
)

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
KEY = SigningKey(b"a secret that tests alone know")
OTHER = SigningKey(b"another secret, nobody's either")
KEYS = {KEY.kid: KEY.key}
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "u_0123456789abcdef",
    "name": "Ayşe Kaya",
    "roles": ["department"],
    "departments": ["zabita"],
    "csrf": "c",
    "iat": int(NOW.timestamp()),
    "exp": int((NOW + LIFETIME).timestamp()),
}
roles = st.frozensets(st.sampled_from(Role))
departments = st.frozensets(st.sampled_from(sorted(catalogue().departments)))


def token_of(key: SigningKey = KEY, *, at: datetime = NOW, **changes: Any) -> str:
    given: dict[str, Any] = {
        "person_id": "u_0123456789abcdef",
        "name": "Ayşe Kaya",
        "roles": [Role.DEPARTMENT],
        "departments": ["zabita"],
        "csrf": "c",
        "now": at,
    }
    return issue(key, **given | changes)


def signed(claims: dict[str, Any], header: dict[str, Any] | None = None, key: SigningKey = KEY) -> str:
    head = {"alg": ALGORITHM, "kid": key.kid, "typ": TYPE} | (header or {})
    return jwt.encode(head, claims, key.key, algorithms=[ALGORITHM])


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@given(roles, departments, st.text(max_size=80).filter(lambda text: text.isprintable()))
def test_who_goes_in_comes_out(held: frozenset[Role], slugs: frozenset[str], name: str) -> None:
    person = read(token_of(roles=held, departments=slugs, name=name), KEYS, NOW)
    assert person is not None
    assert (person.id, person.name, person.roles, person.departments) == ("u_0123456789abcdef", name, held, slugs)
    assert person.csrf == "c"
    assert person.expires_at == NOW + LIFETIME


@given(st.integers(min_value=-3_600, max_value=7_200))
def test_a_token_is_good_for_a_quarter_of_an_hour(seconds: int) -> None:
    person = read(token_of(), KEYS, NOW + timedelta(seconds=seconds))
    lifetime = int(LIFETIME.total_seconds())
    assert (person is not None) == (-LEEWAY_SECONDS <= seconds < lifetime + LEEWAY_SECONDS)


@pytest.mark.parametrize(
    "claims",
    [
        CLAIMS | {"iss": "somebody"},
        CLAIMS | {"aud": "something"},
        CLAIMS | {"exp": None},
        CLAIMS | {"exp": "for ever"},
        CLAIMS | {"roles": None},
        CLAIMS | {"sub": None},
        *({name: value for name, value in CLAIMS.items() if name != missing} for missing in CLAIMS),
    ],
)
def test_a_token_of_ours_that_lacks_something_names_nobody(claims: dict[str, Any]) -> None:
    assert read(signed(CLAIMS), KEYS, NOW) is not None
    assert read(signed(claims), KEYS, NOW) is None


def test_a_role_that_this_service_does_not_know_yet_gives_nothing() -> None:
    person = read(signed(CLAIMS | {"roles": ["department", "mayor"]}), KEYS, NOW)
    assert person is not None
    assert person.roles == {Role.DEPARTMENT}


def unsigned() -> str:
    return f"{part({'alg': 'none', 'kid': KEY.kid, 'typ': TYPE})}.{part(CLAIMS)}."


def signed_with_the_public_key_as_a_password() -> str:
    text = f"{part({'alg': 'HS256', 'kid': KEY.kid, 'typ': TYPE})}.{part(CLAIMS)}"
    mac = hmac.new(KEY.public["x"].encode(), text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def with_other_claims() -> str:
    head, _, mark = token_of().split(".")
    return f"{head}.{part(CLAIMS | {'roles': ['admin']})}.{mark}"


@pytest.mark.parametrize(
    "token",
    [
        unsigned(),
        signed_with_the_public_key_as_a_password(),
        with_other_claims(),
        signed(CLAIMS, {"kid": KEY.kid}, OTHER),
        signed(CLAIMS, {"typ": "JWT"}),
        signed(CLAIMS, {"kid": "unknown"}),
        token_of()[:-2],
        "",
        "a.b.c",
        "é.é.é",
        "." * 5_000,
        "A" * 100_000,
    ],
    ids=lambda token: token[:20],
)
def test_a_forged_token_names_nobody(token: str) -> None:
    assert read(token, KEYS, NOW) is None


# --- roles ---


@given(roles, departments)
def test_nobody_gets_a_scope_that_none_of_their_roles_has(held: frozenset[Role], slugs: frozenset[str]) -> None:
    person = read(token_of(roles=held, departments=slugs), KEYS, NOW)
    assert person is not None
    caller = person.caller
    assert caller.scopes == {scope for role in held for scope in SCOPES_OF[role]} == scopes_of(held)
    assert "*" not in caller.scopes
    assert caller.adapter == f"person:{person.id}"
    assert caller.departments == departments_of(held, slugs)
    assert (DESK in caller.departments) == (Role.OPERATOR in held or (Role.DEPARTMENT in held and DESK in slugs))


@given(roles, departments, st.sampled_from([*catalogue().departments, None]))
def test_who_neither_leads_nor_answers_calls_sees_what_their_departments_hold(
    held: frozenset[Role], slugs: frozenset[str], holder: str | None
) -> None:
    person = read(token_of(roles=held, departments=slugs), KEYS, NOW)
    assert person is not None
    sees_all = Role.OPERATOR in held or Role.MANAGER in held
    own = Role.DEPARTMENT in held and holder in slugs
    assert person.caller.sees(holder) == (sees_all or own)
    assert (limited_to(held, slugs) is None) == sees_all


# --- the verifier ---


class Reporting:
    """
    A reporting api that counts its questions.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.keys = [KEY]
        self.away = False
        self.session: str | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.away:
            return httpx.Response(503)
        if request.url.path == people.JWKS_PATH:
            return httpx.Response(200, json={"keys": [key.public for key in self.keys]})
        if json.loads(request.content) == {"session": "s"} and self.session:
            return httpx.Response(200, json={"token": self.session})
        return httpx.Response(404)


@pytest.fixture
def reporting() -> Reporting:
    return Reporting()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def verifier(reporting: Reporting, clock: FrozenClock) -> TokenVerifier:
    return TokenVerifier(httpx.AsyncClient(transport=httpx.MockTransport(reporting)), "http://reporting/", clock)


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    at = [1_000_000.0]
    monkeypatch.setattr(people, "monotonic", lambda: at[0])
    return at


async def test_the_keys_are_asked_for_once(reporting: Reporting, verifier: TokenVerifier) -> None:
    found = [await verifier.person(token_of()) for _ in range(5)]
    assert all(person and person.name == "Ayşe Kaya" for person in found)
    assert reporting.asked == [people.JWKS_PATH]


async def test_while_reporting_is_away_the_keys_stay_good_for_a_day(
    reporting: Reporting, verifier: TokenVerifier, passed: list[float]
) -> None:
    assert await verifier.person(token_of())
    reporting.away = True
    passed[0] += 23.9 * 3_600
    assert await verifier.person(token_of())
    passed[0] += 0.2 * 3_600
    with pytest.raises(PeopleUnavailable):
        await verifier.person(token_of())


async def test_without_any_key_nobody_can_tell(reporting: Reporting, verifier: TokenVerifier) -> None:
    reporting.away = True
    with pytest.raises(PeopleUnavailable):
        await verifier.person(token_of())


async def test_what_is_no_token_of_ours_costs_no_question(reporting: Reporting, verifier: TokenVerifier) -> None:
    assert await verifier.person("a.b.c") is None
    assert reporting.asked == []


async def test_after_a_change_of_the_key_both_count_and_then_the_new_one_alone(
    reporting: Reporting, verifier: TokenVerifier, passed: list[float]
) -> None:
    assert await verifier.person(token_of())
    reporting.keys, passed[0] = [OTHER, KEY], passed[0] + 6
    assert await verifier.person(token_of(OTHER))
    assert await verifier.person(token_of())
    reporting.keys, passed[0] = [OTHER], passed[0] + 601
    assert await verifier.person(token_of()) is None


async def test_a_flood_of_unknown_keys_is_one_question_in_five_seconds(
    reporting: Reporting, verifier: TokenVerifier, passed: list[float]
) -> None:
    for second in range(20):
        passed[0] = 1_000_000.0 + second / 2
        assert await verifier.person(signed(CLAIMS, {"kid": f"k{second}"})) is None
    assert len(reporting.asked) == 2


async def test_a_session_is_asked_about_once_in_the_life_of_its_token(
    reporting: Reporting, verifier: TokenVerifier, clock: FrozenClock
) -> None:
    reporting.session = token_of()
    assert await verifier.of_session("s")
    reporting.session = None
    clock.advance(LIFETIME - timedelta(seconds=1))
    assert await verifier.of_session("s")
    clock.advance(timedelta(seconds=2))
    assert await verifier.of_session("s") is None
    assert reporting.asked.count(people.EXCHANGE_PATH) == 2


async def test_an_unknown_session_is_nobodys_and_one_that_cannot_be_asked_about_unknown(
    reporting: Reporting, verifier: TokenVerifier
) -> None:
    assert await verifier.of_session("x") is None
    reporting.away = True
    with pytest.raises(PeopleUnavailable):
        await verifier.of_session("x")


def test_neither_token_nor_csrf_stands_in_what_is_logged() -> None:
    person = read(token_of(csrf="secret-csrf"), KEYS, NOW)
    assert person is not None
    assert person.token not in repr(person)
    assert "secret-csrf" not in repr(person.caller)
