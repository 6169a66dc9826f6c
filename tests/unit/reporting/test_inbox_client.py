"""
What reporting hears from intake when a person acts, and that it says no more than it knows.
"""

import json
from collections.abc import Callable

import httpx
import pytest

from services.common.contracts.roles import Role
from services.reporting.inbox.intake_client import IntakeClient, Told
from tests.people import signed_in

CLERK = signed_in(Role.DEPARTMENT, departments=("zabita",)).person
NUMBER = "7XK29MQ4T3BDM"
RESULT = f"/v1/requests/{NUMBER}/updates/up1"
Answer = Callable[[httpx.Request], httpx.Response]


def taken(_: httpx.Request) -> httpx.Response:
    return httpx.Response(202, json={"update_id": "up1"})


def problem(status: int, **more: object) -> Answer:
    body = {"title": "x", "status": status, "detail": "why not", **more}
    return lambda _: httpx.Response(status, json=body)


class Intake:
    """
    Answers posts with ``post``, and questions for the result one after the other with ``results`` (the last for ever).
    """

    def __init__(self, post: Answer, *results: dict[str, object]) -> None:
        self.post = post
        self.results = list(results)
        self.seen: list[httpx.Request] = []

    async def update(self, body: dict[str, object] | None = None, patience: float = 2.0) -> Told:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self.answer)) as http:
            client = IntakeClient(http, "http://intake/", patience=patience)
            return await client.update(CLERK, NUMBER, body or {"action": "accept"}, "key-1")

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        if request.method == "POST":
            return self.post(request)
        assert request.url.path == RESULT
        said = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        return httpx.Response(int(str(said.pop("status", 200))), json=said)


async def test_an_update_is_asked_for_with_the_person_s_own_token_and_the_form_s_key() -> None:
    intake = Intake(taken, {"result": "applied", "seq": 4})

    assert await intake.update({"action": "accept", "expected_seq": 3}) == Told("applied", 4)

    post, question = intake.seen
    assert post.url.path == f"/v1/requests/{NUMBER}/updates"
    assert json.loads(post.content) == {"action": "accept", "expected_seq": 3}
    assert post.headers["Idempotency-Key"] == "key-1"
    assert post.headers["Authorization"] == question.headers["Authorization"] == f"Bearer {CLERK.token}"


async def test_the_result_is_asked_for_until_it_is_there() -> None:
    intake = Intake(
        taken,
        {"result": "pending"},
        {"status": 503},
        {"status": 404},
        {"result": "refused", "seq": 9, "reason": "changed_meanwhile", "detail": "accept at …"},
    )

    assert await intake.update() == Told("refused", 9, "changed_meanwhile", "accept at …")


async def test_what_is_not_known_in_time_is_pending() -> None:
    assert await Intake(taken, {"result": "pending"}).update(patience=0.1) == Told("pending")


@pytest.mark.parametrize(
    ("post", "result"),
    [(problem(409), "conflict"), (problem(403), "forbidden"), (problem(401), "forbidden"), (problem(503), "away")],
)
async def test_what_intake_does_not_take_is_told_as_it_is(post: Answer, result: str) -> None:
    assert await Intake(post).update() == Told(result, detail="why not")  # type: ignore[arg-type]


async def test_the_fields_at_fault_are_named() -> None:
    told = await Intake(problem(422, errors=[{"field": "note_public", "message": "is too long"}])).update()

    assert (told.result, [(error.field, error.message) for error in told.errors]) == (
        "invalid",
        [("note_public", "is too long")],
    )


async def test_intake_that_cannot_be_reached_or_speaks_otherwise_is_away() -> None:
    def broken(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    assert await Intake(broken).update() == Told("away")
    assert await Intake(lambda _: httpx.Response(502, text="<html>")).update() == Told("away")
    assert await Intake(lambda _: httpx.Response(202, json={})).update() == Told("away")


async def test_a_file_is_handed_on_both_ways_with_the_headers_that_guard_it() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == f"Bearer {CLERK.token}"
        if request.method == "POST":
            assert b"picture" in request.content
            return httpx.Response(201, json={"attachment_id": "a_1"})
        assert request.url.params["size"] == "thumb"
        return httpx.Response(
            200,
            content=b"jpeg",
            headers={"Content-Type": "image/jpeg", "X-Content-Type-Options": "nosniff", "Set-Cookie": "a=b"},
        )

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        client = IntakeClient(http, "http://intake")
        kept = await client.upload(CLERK, b"picture")
        shown = await client.photo(CLERK, "a_1", "thumb")

    assert (kept.status, json.loads(kept.body)) == (201, {"attachment_id": "a_1"})
    assert (shown.status, shown.body) == (200, b"jpeg")
    assert dict(shown.headers) == {"content-type": "image/jpeg", "x-content-type-options": "nosniff"}


async def test_files_that_cannot_be_reached_are_a_503_with_a_time_to_come_back() -> None:
    def broken(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("slow")

    async with httpx.AsyncClient(transport=httpx.MockTransport(broken)) as http:
        client = IntakeClient(http, "http://intake")
        for passed in (await client.upload(CLERK, b"x"), await client.photo(CLERK, "a_1", "thumb")):
            assert (passed.status, passed.headers["retry-after"]) == (503, "5")
