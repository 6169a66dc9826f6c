"""
The previews: everything is there, and nothing of it comes from anybody's life.
"""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from services.common.contracts.roles import Role
from services.common.contracts.vocabulary import Language
from services.notify.expected import EXPECTED
from services.notify.previews import Audience, audience_of, preview, previews
from services.notify.samples import HOUSE
from services.notify.templates import load_templates
from tests.people import signed_in
from tests.unit.notify.previewing import previewing

TEXTS = load_templates()
PAGE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return previewing()


@pytest.fixture
async def visitor(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8002") as client,
    ):
        yield client


@pytest.fixture
def manager(visitor: httpx.AsyncClient) -> httpx.AsyncClient:
    visitor.cookies.update(signed_in(Role.MANAGER).cookies)
    return visitor


@pytest.mark.parametrize("language", Language)
def test_every_template_has_a_preview(language: Language) -> None:
    shown = previews(TEXTS, HOUSE, language)
    assert {one.name for one in shown} == EXPECTED.keys()
    assert {one.name for one in shown if one.meta is None and one.audience is Audience.CITIZEN} == set()


@pytest.mark.parametrize("audience", Audience)
def test_an_audience_is_shown_its_messages_alone(audience: Audience) -> None:
    names = {one.name for one in previews(TEXTS, HOUSE, Language.TR, audience)}
    assert names == {name for name in EXPECTED if audience_of(name) is audience}
    assert names


def test_staff_are_shown_as_written_to_by_mail_alone() -> None:
    for one in previews(TEXTS, HOUSE, Language.TR, Audience.STAFF):
        assert (one.sms, one.whatsapp, one.meta) == (None, None, None)
        assert one.mail.html


def test_an_emergency_shows_what_it_changes() -> None:
    calm, urgent = (preview(TEXTS, HOUSE, "received", Language.TR, emergency=emergency) for emergency in (False, True))
    assert calm.sms is not None
    assert urgent.sms is not None
    assert urgent.meta is not None
    assert "112" in urgent.sms.short
    assert "112" not in calm.sms.short
    assert urgent.meta.name == "acil_bildirim"


async def test_the_page_shows_every_message_and_frames_its_mails_alone(manager: httpx.AsyncClient) -> None:
    answer = await manager.get("/previews", headers=PAGE)
    assert answer.status_code == 200
    assert all(f'id="{name}"' in answer.text for name in EXPECTED)
    assert answer.headers["content-security-policy"].endswith("; frame-src 'self'")
    assert answer.text.count("<iframe") == len(EXPECTED) == answer.text.count("sandbox")


async def test_filters_leave_what_is_asked_for(manager: httpx.AsyncClient) -> None:
    answer = await manager.get("/previews?channel=sms&audience=conversation&language=en", headers=PAGE)
    assert "<iframe" not in answer.text
    assert 'id="say_where"' in answer.text
    assert 'id="received"' not in answer.text
    assert "WhatsApp <span" not in answer.text
    assert "Could you tell us where it is?" in answer.text


async def test_a_filter_that_nobody_knows_is_none(manager: httpx.AsyncClient) -> None:
    answer = await manager.get("/previews?channel=fax&audience=nobody&language=xx", headers=PAGE)
    assert answer.text.count("<iframe") == len(EXPECTED)


async def test_a_mail_may_bring_its_styles_and_nothing_else(manager: httpx.AsyncClient) -> None:
    answer = await manager.get("/previews/mail/tr/closed_resolved", headers=PAGE)
    policy = answer.headers.get_list("content-security-policy")
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'"]
    assert "<script" not in answer.text
    assert "src=" not in answer.text


@pytest.mark.parametrize("path", ["/previews/mail/tr/nothing", "/previews/mail/xx/received"])
async def test_what_is_not_there_is_not_found(manager: httpx.AsyncClient, path: str) -> None:
    assert (await manager.get(path, headers=PAGE)).status_code in (404, 422)


@pytest.mark.parametrize(
    ("role", "status"), [(Role.OPERATOR, 200), (Role.MANAGER, 200), (Role.ADMIN, 200), (Role.DEPARTMENT, 403)]
)
async def test_who_is_not_concerned_does_not_see_it(visitor: httpx.AsyncClient, role: Role, status: int) -> None:
    stranger = await visitor.get("/previews", headers=PAGE)
    assert stranger.status_code == 303
    assert stranger.headers["location"].startswith("http://127.0.0.1:8001/session/renew?next=")
    visitor.cookies.update(signed_in(role, departments=("zabita",)).cookies)
    for path in ("/previews", "/previews/mail/tr/received"):
        assert (await visitor.get(path, headers=PAGE)).status_code == status
