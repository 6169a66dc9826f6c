"""
Sign-in at an OpenID Connect provider: authorization code flow with PKCE, state and nonce, and every check of the id
token that OpenID Connect Core 3.1.3.7 asks for.
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from services.common.kit.clock import Clock
from services.common.kit.logs import logger
from services.reporting.people_repository import Flow
from services.reporting.sessions import hashed

log = logger(__name__)
ALGORITHMS: Final = ("RS256", "PS256", "ES256", "Ed25519", "EdDSA")  # asymmetric only: never `none`, never HMAC
SCOPES: Final = "openid profile"
_TIMEOUT: Final = 5.0
_FRESH_SECONDS: Final = 3_600.0
_SECONDS_BETWEEN_KEYS: Final = 5.0
_LEEWAY: Final = 30
_OLDEST_TOKEN: Final = 600


class ProviderFailed(Exception):
    """
    The provider does not answer, or its answer does not hold; the message says what, and holds nothing personal.
    """


@dataclass(frozen=True, slots=True)
class Provider:
    """
    What the provider publishes of itself.
    """

    issuer: str
    authorization: str
    token: str
    jwks: str
    names_issuer: bool


class OidcClient:
    """
    Our side of the flow. ``redirect_uri`` must be registered at the provider.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        issuer: str,
        client_id: str,
        client_secret: str,
        redirect_uri: str,
        scopes: str,
        clock: Clock,
    ) -> None:
        self._http = http
        self._issuer = issuer.rstrip("/")
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_uri = redirect_uri
        self._scopes = scopes
        self._clock = clock
        self._provider: tuple[float, Provider] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def begin(self, browser: str, next_url: str) -> tuple[Flow, str]:
        """
        A new flow for the browser with this cookie, and where to send it. Raises ``ProviderFailed``.
        """
        provider = await self._known()
        flow = Flow(
            state=secrets.token_urlsafe(32),
            browser=hashed(browser),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            next=next_url,
        )
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._redirect_uri,
            "scope": self._scopes,
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": challenge(flow.verifier),
            "code_challenge_method": "S256",
        }
        joint = "&" if urlsplit(provider.authorization).query else "?"
        return flow, f"{provider.authorization}{joint}{urlencode(query)}"

    async def claims(self, flow: Flow, code: str, issuer: str | None) -> dict[str, Any]:
        """
        Who signed in: the claims of the id token that the code is worth. ``issuer`` is what came back beside the code
        (RFC 9207). Raises ``ProviderFailed``.
        """
        provider = await self._known()
        if (issuer or provider.names_issuer) and issuer != provider.issuer:
            raise ProviderFailed("the answer came from another issuer")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": flow.verifier,
        }
        try:
            answer = await self._http.post(
                provider.token, data=form, auth=(self._client_id, self._client_secret), timeout=_TIMEOUT
            )
        except httpx.HTTPError as error:
            raise ProviderFailed(f"the token endpoint does not answer ({type(error).__name__})") from error
        if answer.status_code != httpx.codes.OK:
            raise ProviderFailed(f"the token endpoint answered {answer.status_code}")
        try:
            token = answer.json()["id_token"]
        except (ValueError, KeyError, TypeError):
            raise ProviderFailed("the token endpoint gave no id token") from None
        return await self._checked(str(token), provider, flow.nonce)

    async def _checked(self, token: str, provider: Provider, nonce: str) -> dict[str, Any]:
        try:
            header = jws.extract_compact(token.encode()).headers()
            keys = await self._jwks(provider, header.get("kid"))
            found = jwt.decode(token, keys, algorithms=list(ALGORITHMS))
            now = int(self._clock().timestamp())
            JWTClaimsRegistry(
                now=now,
                leeway=_LEEWAY,
                iss={"essential": True, "value": provider.issuer},
                aud={"essential": True, "value": self._client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(found.claims)
        except (JoseError, ValueError, TypeError) as error:
            raise ProviderFailed(f"the id token does not hold ({type(error).__name__})") from None
        claims = found.claims
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self._client_id) != self._client_id:
            raise ProviderFailed("the id token is for somebody else")
        if now - claims["iat"] > _OLDEST_TOKEN:
            raise ProviderFailed("the id token is old")
        return dict(claims)

    async def _known(self) -> Provider:
        if self._provider is not None and monotonic() - self._provider[0] < _FRESH_SECONDS:
            return self._provider[1]
        document = await self._fetch(f"{self._issuer}/.well-known/openid-configuration")
        try:
            provider = Provider(
                issuer=document["issuer"],
                authorization=document["authorization_endpoint"],
                token=document["token_endpoint"],
                jwks=document["jwks_uri"],
                names_issuer=document.get("authorization_response_iss_parameter_supported") is True,
            )
        except KeyError as error:
            raise ProviderFailed(f"the provider's description lacks {error}") from None
        if provider.issuer.rstrip("/") != self._issuer:
            raise ProviderFailed("the provider's description is of another issuer")
        self._provider = (monotonic(), provider)
        return provider

    async def _jwks(self, provider: Provider, kid: object) -> KeySet:
        """
        The provider's keys; asked for again when a token names one that we do not have, at most every 5 s.
        """
        if self._keys is not None:
            age = monotonic() - self._keys[0]
            known = kid is None or any(key.kid == kid for key in self._keys[1].keys)
            if age < (_FRESH_SECONDS if known else _SECONDS_BETWEEN_KEYS):
                return self._keys[1]
        document = await self._fetch(provider.jwks)
        rows = [row for row in document.get("keys", ()) if row.get("kty") in ("RSA", "EC", "OKP")]
        keys = KeySet.import_key_set({"keys": rows})
        self._keys = (monotonic(), keys)
        return keys

    async def _fetch(self, url: str) -> dict[str, Any]:
        try:
            answer = await self._http.get(url, timeout=_TIMEOUT)
            answer.raise_for_status()
            document = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderFailed(f"the provider does not answer ({type(error).__name__})") from error
        if not isinstance(document, Mapping):
            raise ProviderFailed("the provider's answer is no JSON object")
        return dict(document)


def challenge(verifier: str) -> str:
    """
    The PKCE challenge of a verifier (RFC 7636, S256).
    """
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
