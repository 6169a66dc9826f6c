"""
Who may see a contact, and that it is put down.
"""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from services.common.contracts.vocabulary import NotifyVia
from services.common.kit.auth import KeyVerifier, key_hash
from services.common.kit.guard import People
from services.common.kit.mongo import Client
from services.notify.api import Deps, create_app
from services.notify.domain import Contact
from services.notify.repository import NotifyRepository
from services.notify.settings import NotifySettings
from tests.people import FakeTokens, signed_in
from tests.unit.notify.lives import CONTACT, NOON

pytestmark = pytest.mark.integration
SCOPES = {"good": ["contacts:read"], "all": ["*"], "weak": ["reports:read"]}
ERASED = "c_" + "e" * 32


def intake(request: httpx.Request) -> httpx.Response:
    for key, scopes in SCOPES.items():
        if key_hash(key).encode() in request.content:
            return httpx.Response(200, json={"adapter": key, "scopes": scopes, "departments": []})
    if key_hash("down").encode() in request.content:
        return httpx.Response(502)
    return httpx.Response(404)


@pytest.fixture
async def http(client: Client, database: str) -> AsyncIterator[httpx.AsyncClient]:
    repository = NotifyRepository(client, database)
    ayse = Contact(CONTACT, NOON, name="Ayşe", email="ayse@example.com", notify_via=NotifyVia.EMAIL)
    await repository.keep_contacts([ayse, Contact(ERASED, NOON, erased=True)], NOON)
    async with httpx.AsyncClient(transport=httpx.MockTransport(intake)) as keys:
        people = People(KeyVerifier(keys, "http://intake"), FakeTokens(), "http://notify", "http://reporting")
        app = create_app(NotifySettings(), Deps(repository, people, lambda: NOON))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://notify") as http,
        ):
            yield http


async def test_a_contact_is_shown_and_the_reading_put_down(
    http: httpx.AsyncClient, client: Client, database: str
) -> None:
    answer = await http.get(f"/v1/contacts/{CONTACT}", params={"purpose": "geri arama"}, headers={"X-API-Key": "good"})
    assert answer.status_code == 200
    assert answer.json()["email"] == "ayse@example.com"
    (row,) = [row async for row in client[database]["audit"].find({}, {"_id": 0})]
    assert row == {"contact_id": CONTACT, "who": "good", "purpose": "geri arama", "at": NOON}


async def test_a_person_s_reading_is_put_down_under_the_person(
    http: httpx.AsyncClient, client: Client, database: str
) -> None:
    operator, clerk = signed_in("operator"), signed_in("department", departments=("zabita",))
    path, purpose = f"/v1/contacts/{CONTACT}", {"purpose": "geri arama"}
    assert (await http.get(path, params=purpose, headers=operator.bearer)).status_code == 200
    assert (await http.get(path, params=purpose, headers=operator.headers)).status_code == 200
    assert (await http.get(path, params=purpose, headers=clerk.bearer)).status_code == 403
    admin, who = signed_in("admin"), f"person:{operator.person.id}"
    rows = [row["who"] async for row in client[database]["audit"].find()]
    assert rows == [who] * 2
    for headers, status in ((admin.bearer, 200), (operator.bearer, 403), ({}, 401)):
        answer = await http.get("/v1/audit", params={"who": who, "from": NOON.isoformat()}, headers=headers)
        assert answer.status_code == status
        if status == 200:
            seen = {"at": "2026", "who": who, "contact_id": CONTACT, "purpose": "geri arama"}
            assert [row | {"at": row["at"][:4]} for row in answer.json()["items"]] == [seen] * 2
    later = {"from": (NOON + timedelta(seconds=1)).isoformat()}
    assert (await http.get("/v1/audit", params=later, headers=admin.bearer)).json() == {"items": []}


@pytest.mark.parametrize(
    ("contact", "purpose", "key", "status"),
    [
        (CONTACT, "geri arama", None, 401),
        (CONTACT, "geri arama", "wrong", 401),
        (CONTACT, "geri arama", "weak", 403),
        (CONTACT, "geri arama", "down", 503),
        (CONTACT, None, "all", 422),
        (CONTACT, "x", "all", 422),
        (CONTACT, "geri\narama", "all", 422),
        ("contact:none", "geri arama", "all", 422),
        (ERASED, "geri arama", "all", 404),
        ("c_" + "9" * 32, "geri arama", "all", 404),
    ],
)
async def test_everybody_else_gets_a_problem_document(
    http: httpx.AsyncClient, contact: str, purpose: str | None, key: str | None, status: int
) -> None:
    headers = {"X-API-Key": key} if key else {}
    params = {"purpose": purpose} if purpose else {}
    answer = await http.get(f"/v1/contacts/{contact}", params=params, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


async def test_health_and_documentation_answer(http: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"):
        assert (await http.get(path)).status_code == 200


BURAK = "c_" + "b" * 32
NUMBER = "7XK29MQ4T3BDM"


async def test_the_last_digits_are_checked_and_nothing_of_the_number_is_told(
    http: httpx.AsyncClient, client: Client, database: str
) -> None:
    await NotifyRepository(client, database).keep_contacts([Contact(BURAK, NOON, phone="+905321112233")], NOON)

    async def says(last4: str, number: str = NUMBER, contact: str = BURAK) -> httpx.Response:
        body = {"last4": last4, "request_id": number}
        return await http.post(f"/v1/contacts/{contact}/check", json=body, headers={"X-API-Key": "all"})

    for digits, same in (("2233", True), ("3322", False)):
        assert (await says(digits)).json() == {"same": same}
    assert (await says("2233", contact=CONTACT)).json() == {"same": False}  # a contact without a telephone
    assert (await says("2233", contact=ERASED)).json() == {"same": False}
    for digits in ("223", "22334", "２２３３", ""):
        assert (await says(digits)).status_code == 422
    for _ in range(3):
        assert (await says("0000")).status_code == 200
    refused = await says("2233")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3600")
    assert (await says("2233", number="VYFVCRVKNFYPS")).json() == {"same": True}  # another request of the same person
    purposes = [row["purpose"] async for row in client[database]["audit"].find({"contact_id": BURAK})]
    assert purposes.count(f"check:{NUMBER}") == 6


async def test_whoever_may_read_contacts_may_not_try_digits(http: httpx.AsyncClient) -> None:
    body = {"last4": "2233", "request_id": NUMBER}
    path = f"/v1/contacts/{CONTACT}/check"
    assert (await http.post(path, json=body, headers={"X-API-Key": "good"})).status_code == 403
    assert (await http.post(path, json=body)).status_code == 401
