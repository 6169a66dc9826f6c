"""
Token buckets, whose address counts, and bodies that do not arrive.
"""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.kit.limits import Buckets, Patience, address_of
from services.common.kit.settings import Rate


class Time:
    """
    A clock that stands until it is moved.
    """

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_so_many_at_once_and_then_as_many_as_time_brings() -> None:
    time = Time()
    buckets = Buckets(Rate(per_second=2, at_once=3), time)
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 0]
    assert buckets.take("a") == 0.5
    assert buckets.take("b") == 0
    time.now = 0.5
    assert buckets.take("a") == 0
    assert buckets.take("a") > 0
    time.now = 1_000
    assert [buckets.take("a") == 0 for _ in range(4)] == [True, True, True, False]


def test_what_is_given_back_can_be_taken_again_and_no_more() -> None:
    buckets = Buckets(Rate(per_second=1, at_once=1), Time())
    buckets.give_back("a")
    assert buckets.take("a") == 0
    buckets.give_back("a")
    assert [buckets.take("a") == 0 for _ in range(2)] == [True, False]


def test_a_rate_of_0_is_no_limit() -> None:
    buckets = Buckets(Rate(per_second=0, at_once=1), Time())
    assert not any(buckets.take("a") for _ in range(100))


def test_the_name_used_longest_ago_is_forgotten_when_there_are_too_many() -> None:
    buckets = Buckets(Rate(per_second=1, at_once=1), Time(), kept=2)
    for name in "abc":
        buckets.take(name)
    assert buckets.take("c") > 0
    assert buckets.take("a") == 0


@given(st.lists(st.floats(0, 3), max_size=60), st.floats(0.1, 5), st.integers(1, 5))
def test_never_more_are_let_through_than_the_rate_allows(pauses: list[float], rate: float, at_once: int) -> None:
    time = Time()
    buckets = Buckets(Rate(per_second=rate, at_once=at_once), time)
    let = 0
    for pause in pauses:
        time.now += pause
        let += buckets.take("a") == 0
    assert let <= at_once + rate * time.now + 1e-6


OURS = frozenset(map(ip_network, ("10.0.0.1", "10.0.0.2", "172.18.0.0/16", "fd00::/8")))


def scope(client: str | None, forwarded: str = "") -> dict[str, Any]:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    return {"client": (client, 1) if client else None, "headers": headers}


@pytest.mark.parametrize(
    ("client", "forwarded", "found"),
    [
        ("1.2.3.4", "", "1.2.3.4"),
        ("1.2.3.4", "9.9.9.9", "1.2.3.4"),
        ("10.0.0.1", "9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", "8.8.8.8, 9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", "9.9.9.9, 10.0.0.2", "9.9.9.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::/64"),
        (None, "", "unknown"),
        ("10.0.0.1", "nonsense", "nonsense"),
        ("10.0.0.1", "9.9.9.9, nonsense", "nonsense"),
        ("172.18.0.1", "9.9.9.9, 172.18.200.7", "9.9.9.9"),
        ("172.19.0.1", "9.9.9.9", "172.19.0.1"),
        ("fd00::1", "9.9.9.9", "9.9.9.9"),
    ],
)
def test_a_proxy_of_ours_is_believed_and_nobody_else(client: str | None, forwarded: str, found: str) -> None:
    assert address_of(scope(client, forwarded), OURS) == found


async def answered(receive: Callable[[], Awaitable[dict[str, Any]]], method: str = "POST") -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def app(_: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    async def send(message: Any) -> None:
        sent.append(message)

    await Patience(app, seconds=0.05)({"type": "http", "method": method, "headers": []}, receive, send)
    return sent


async def test_a_body_that_does_not_arrive_is_a_408_however_busily_it_trickles() -> None:
    async def trickle() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def never() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    for receive in (trickle, never):
        sent = await answered(receive)
        assert sent[0]["status"] == 408
        assert (b"connection", b"close") in sent[0]["headers"]


async def test_a_body_that_arrives_passes_and_what_comes_after_it_has_time() -> None:
    bodies: list[dict[str, Any]] = [{"body": b"a", "more_body": True}, {"body": b"b"}]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", **bodies.pop(0)}

    assert (await answered(receive))[0]["status"] == 200
