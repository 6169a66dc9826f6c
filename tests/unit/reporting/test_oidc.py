"""
What is believed of a provider's answer, and what is not: every check of the id token by a token that fails it alone.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from services.common.kit.clock import FrozenClock
from services.reporting import oidc
from services.reporting.oidc import OidcClient, ProviderFailed, challenge
from services.reporting.people_repository import Flow
from services.reporting.sessions import hashed

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
AT = int(NOW.timestamp())
ISSUER = "https://giris.example"
KEY, OTHER = (RSAKey.generate_key(2048, {"kid": kid}) for kid in ("one", "two"))
FLOW = Flow("state", "browser", "nonce", "v" * 64, "/")
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": "ilkim",
    "sub": "1001",
    "iat": AT,
    "exp": AT + 300,
    "nonce": "nonce",
    "name": "Elif Demir",
}


class Provider:
    """
    A provider whose token endpoint gives what the test says.
    """

    def __init__(self) -> None:
        self.keys = [KEY]
        self.token: Callable[[], str] = lambda: signed(CLAIMS)
        self.description: dict[str, Any] = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize?tenant=1",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/jwks",
        }
        self.asked: list[httpx.Request] = []
        self.status = 200

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        match request.url.path:
            case "/.well-known/openid-configuration":
                return httpx.Response(200, json=self.description)
            case "/jwks":
                return httpx.Response(200, json={"keys": [key.as_dict(private=False) for key in self.keys]})
            case _:
                return httpx.Response(self.status, json={"id_token": self.token()})


def signed(claims: dict[str, Any], key: Any = KEY, alg: str = "RS256", kid: str | None = "one") -> str:
    header = {"alg": alg} | ({"kid": kid} if kid else {})
    return jwt.encode(header, claims, key, algorithms=[alg])


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def client(provider: Provider) -> OidcClient:
    return OidcClient(
        httpx.AsyncClient(transport=httpx.MockTransport(provider)),
        issuer=f"{ISSUER}/",
        client_id="ilkim",
        client_secret="s",
        redirect_uri="https://ilkim.example/oidc/callback",
        scopes="openid profile",
        clock=FrozenClock(NOW),
    )


async def test_the_browser_is_sent_with_state_nonce_and_a_challenge_that_only_we_can_answer(
    client: OidcClient, provider: Provider
) -> None:
    flow, url = await client.begin("cookie", "/console")
    sent = httpx.URL(url).params
    assert sent["tenant"] == "1"
    assert (sent["response_type"], sent["client_id"]) == ("code", "ilkim")
    assert (sent["state"], sent["nonce"], flow.next) == (flow.state, flow.nonce, "/console")
    assert (sent["code_challenge"], sent["code_challenge_method"]) == (challenge(flow.verifier), "S256")
    assert flow.browser == hashed("cookie")
    assert flow.verifier not in url
    again, _ = await client.begin("cookie", "/console")
    assert not {flow.state, flow.nonce, flow.verifier} & {again.state, again.nonce, again.verifier}

    provider.token = lambda: signed(CLAIMS | {"nonce": flow.nonce})
    claims = await client.claims(flow, "code", None)
    assert claims["sub"] == "1001"
    form = parse_qs(next(r for r in provider.asked if r.url.path == "/token").content.decode())
    assert form["code_verifier"] == [flow.verifier]
    assert form["redirect_uri"] == ["https://ilkim.example/oidc/callback"]


def test_the_challenge_is_the_one_of_rfc_7636() -> None:
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize(
    "claims",
    [
        CLAIMS | {"iss": "https://evil.example"},
        CLAIMS | {"aud": "another"},
        CLAIMS | {"aud": []},
        CLAIMS | {"nonce": "another"},
        CLAIMS | {"exp": AT - 31},
        CLAIMS | {"iat": AT + 31},
        CLAIMS | {"iat": AT - 601, "exp": AT + 10_000},
        CLAIMS | {"aud": ["ilkim", "another"]},
        CLAIMS | {"aud": ["ilkim", "another"], "azp": "another"},
        CLAIMS | {"azp": "another"},
        *({name: CLAIMS[name] for name in CLAIMS if name != missing} for missing in CLAIMS if missing != "name"),
    ],
    ids=str,
)
async def test_a_token_that_says_something_wrong_is_not_believed(
    client: OidcClient, provider: Provider, claims: dict[str, Any]
) -> None:
    provider.token = lambda: signed(claims)
    with pytest.raises(ProviderFailed):
        await client.claims(FLOW, "code", None)


@pytest.mark.parametrize(
    "claims", [CLAIMS, CLAIMS | {"aud": ["ilkim"]}, CLAIMS | {"aud": ["ilkim", "x"], "azp": "ilkim"}], ids=str
)
async def test_a_right_one_is(client: OidcClient, provider: Provider, claims: dict[str, Any]) -> None:
    provider.token = lambda: signed(claims)
    assert await client.claims(FLOW, "code", ISSUER) == claims


def part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def unsigned() -> str:
    return f"{part(json.dumps({'alg': 'none'}).encode())}.{part(json.dumps(CLAIMS).encode())}."


def signed_with_the_public_key_as_a_password() -> str:
    text = f"{part(json.dumps({'alg': 'HS256', 'kid': 'one'}).encode())}.{part(json.dumps(CLAIMS).encode())}"
    return f"{text}.{part(hmac.new(KEY.as_pem(private=False), text.encode(), hashlib.sha256).digest())}"


@pytest.mark.parametrize(
    "token",
    [
        unsigned,
        signed_with_the_public_key_as_a_password,
        lambda: signed(CLAIMS, OctKey.import_key("s" * 32), "HS256", None),
        lambda: signed(CLAIMS, OTHER),
        lambda: signed(CLAIMS, OTHER, kid="three"),
        lambda: signed(CLAIMS)[:-4],
        lambda: "a.b.c",
        lambda: "",
    ],
)
async def test_a_token_that_the_provider_did_not_sign_is_not_believed(
    client: OidcClient, provider: Provider, token: Callable[[], str]
) -> None:
    provider.token = token
    with pytest.raises(ProviderFailed):
        await client.claims(FLOW, "code", None)


async def test_a_new_key_of_the_provider_is_found(
    client: OidcClient, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = [1_000.0]
    monkeypatch.setattr(oidc, "monotonic", lambda: passed[0])
    await client.claims(FLOW, "code", None)
    provider.keys, provider.token = [OTHER], lambda: signed(CLAIMS, OTHER, kid="two")
    passed[0] += 6
    assert await client.claims(FLOW, "code", None) == CLAIMS
    assert [request.url.path for request in provider.asked].count("/jwks") == 2


async def test_an_answer_that_another_issuer_gave_is_not_taken_to_this_one(
    client: OidcClient, provider: Provider
) -> None:
    with pytest.raises(ProviderFailed, match="another issuer"):
        await client.claims(FLOW, "code", "https://evil.example")
    provider.description["authorization_response_iss_parameter_supported"] = True
    other = OidcClient(
        httpx.AsyncClient(transport=httpx.MockTransport(provider)),
        issuer=ISSUER,
        client_id="ilkim",
        client_secret="s",
        redirect_uri="x",
        scopes="openid",
        clock=FrozenClock(NOW),
    )
    with pytest.raises(ProviderFailed, match="another issuer"):
        await other.claims(FLOW, "code", None)
    assert "/token" not in [request.url.path for request in provider.asked]


@pytest.mark.parametrize("broken", [{"issuer": "https://evil.example"}, {"jwks_uri": None, "token_endpoint": None}])
async def test_a_provider_that_is_not_what_it_should_be_is_refused(
    client: OidcClient, provider: Provider, broken: dict[str, Any]
) -> None:
    changed = provider.description | broken
    provider.description = {name: value for name, value in changed.items() if value is not None}
    with pytest.raises(ProviderFailed):
        await client.begin("cookie", "/")


@pytest.mark.parametrize("status", [400, 500])
async def test_a_refused_code_is_a_failure_without_anything_personal_in_it(
    client: OidcClient, provider: Provider, status: int
) -> None:
    provider.status = status
    with pytest.raises(ProviderFailed) as caught:
        await client.claims(FLOW, "code", None)
    assert str(caught.value) == f"the token endpoint answered {status}"
