"""
Keys outside intake: asked once a minute, remembered for a quarter of an hour.
"""

from typing import Any

import httpx
import pytest

from services.common.kit import auth
from services.common.kit.auth import KeysUnavailable, KeyVerifier, key_hash

ANSWER = {"adapter": "pano", "scopes": ["reports:read"], "departments": ["zabita"]}


class Intake:
    """
    An intake that counts its questions.
    """

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer = httpx.Response(200, json=ANSWER)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        import json

        self.asked.append(json.loads(request.content))
        return self.answer


@pytest.fixture
def intake() -> Intake:
    return Intake()


@pytest.fixture
def verifier(intake: Intake) -> KeyVerifier:
    return KeyVerifier(httpx.AsyncClient(transport=httpx.MockTransport(intake)), "http://intake")


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    at = [1_000.0]
    monkeypatch.setattr(auth, "monotonic", lambda: at[0])
    return at


async def test_a_known_key_names_its_caller_and_only_its_hash_travels(intake: Intake, verifier: KeyVerifier) -> None:
    caller = await verifier.caller("geheim")
    assert caller is not None
    assert (caller.adapter, caller.may("reports:read"), caller.may("requests:write")) == ("pano", True, False)
    assert (caller.serves("zabita"), caller.serves("fen-isleri")) == (True, False)
    assert intake.asked == [{"key_hash": key_hash("geheim")}]


async def test_an_unknown_key_has_no_caller(intake: Intake, verifier: KeyVerifier) -> None:
    intake.answer = httpx.Response(404)
    assert await verifier.caller("geheim") is None


async def test_an_answer_counts_for_a_minute(intake: Intake, verifier: KeyVerifier, now: list[float]) -> None:
    for at in (1_000.0, 1_059.0, 1_061.0):
        now[0] = at
        await verifier.caller("geheim")
    assert len(intake.asked) == 2


async def test_while_intake_is_away_the_last_answer_counts_for_a_quarter_of_an_hour(
    intake: Intake, verifier: KeyVerifier, now: list[float]
) -> None:
    await verifier.caller("geheim")
    intake.answer = httpx.Response(503)
    now[0] += 14 * 60
    assert await verifier.caller("geheim") is not None
    now[0] += 2 * 60
    with pytest.raises(KeysUnavailable):
        await verifier.caller("geheim")


async def test_a_key_never_seen_cannot_be_judged_while_intake_is_away(intake: Intake, verifier: KeyVerifier) -> None:
    intake.answer = httpx.Response(500)
    with pytest.raises(KeysUnavailable):
        await verifier.caller("geheim")
