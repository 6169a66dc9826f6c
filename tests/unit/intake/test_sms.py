"""
SMS over ASGI: what a gateway brings is kept before it is answered, and what an inbox lists is fetched once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from services.common.contracts.envelope import decode
from services.common.contracts.events import ContactChanged, MessageReceived
from services.common.contracts.topics import CONTACTS, MESSAGES_IN
from services.common.kit import metrics
from services.common.kit.clock import FrozenClock
from services.intake.keeper import NowhereToKeep
from services.intake.settings import IntakeSettings
from services.intake.sms.netgsm import FARTHEST, LONGEST_PAUSE, OVERLAP, NetgsmInbox, NotFetched
from services.intake.sms.wiring import inboxes_of
from tests.standins.sms import PASSWORD, USER, StandInSms, stand_in_sms
from tests.unit.intake.intakes import GATEWAYS, OWN_NUMBER, World, assert_problem

HOOK = f"/webhooks/sms/{GATEWAYS['verimor']}"
NUMBER = "905320001122"
PUSH = {"message_id": 7, "type": "inbound", "source_addr": NUMBER, "content": "Çukur var"}
NOW = datetime(2026, 11, 28, 18, 30, tzinfo=UTC)
CAME = "28112026212600"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path).running() as running:
        running.http.headers.pop("X-API-Key")
        yield running


def messages(world: World) -> list[MessageReceived]:
    found = []
    for record in world.publisher.on(MESSAGES_IN.name):
        event = decode(record.topic, record.key, record.value, record.headers).data
        assert isinstance(event, MessageReceived)
        found.append(event)
    return found


def counted(outcome: str) -> float:
    return metrics.inbound_total.labels("sms", outcome)._value.get()


# --- webhook ---


async def test_a_text_is_kept_behind_the_contact_of_its_sender(world: World) -> None:
    answer = await world.http.post(HOOK, json=[PUSH])
    assert (answer.status_code, answer.json()) == (200, {"texts": 1, "ignored": 0})
    assert [record.topic for record in world.publisher.records] == [CONTACTS.name, MESSAGES_IN.name]
    record = world.publisher.records[0]
    contact = decode(record.topic, record.key, record.value, record.headers).data
    [message] = messages(world)
    assert isinstance(contact, ContactChanged)
    assert (contact.phone, contact.notify_via, contact.phone_hash) == ("+905320001122", "sms", message.person)
    assert (message.text, message.adapter, message.provider_id) == ("Çukur var", "sms:verimor", "verimor:7")
    assert message.contact_id == contact.contact_id
    assert NUMBER[2:].encode() not in world.publisher.records[1].value


async def test_what_is_told_twice_is_one_message(world: World) -> None:
    before = counted("text")
    for _ in range(3):
        assert (await world.http.post(HOOK, json=PUSH)).status_code == 200
    assert len(messages(world)) == 1
    assert counted("text") == before + 1


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1254"])
async def test_a_form_in_turkish_is_read(world: World, encoding: str) -> None:
    form = urlencode({"ceptel": NUMBER, "mesaj": "Çığ düştü, şimdi", "tarih": "28.11.2026 21:26"}, encoding=encoding)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await world.http.post(HOOK, content=form, headers=headers)).json()["texts"] == 1
    assert messages(world)[0].text == "Çığ düştü, şimdi"


async def test_what_no_citizen_wrote_is_counted_and_left(world: World) -> None:
    before = counted("no_number"), counted("own_number"), counted("status")
    rows = [PUSH | {"source_addr": "BANKA"}, PUSH | {"source_addr": OWN_NUMBER, "message_id": 8}, {"type": "outbound"}]
    answer = await world.http.post(HOOK, json=[*rows, PUSH | {"message_id": 9}])
    assert answer.json() == {"texts": 3, "ignored": 1}
    assert [message.provider_id for message in messages(world)] == ["verimor:9"]
    assert (counted("no_number"), counted("own_number"), counted("status")) == tuple(n + 1 for n in before)


async def test_what_can_be_kept_nowhere_is_not_taken_and_may_come_again(tmp_path: Path) -> None:
    world = World(tmp_path, spool_bytes=64)
    world.publisher.failing = True
    async with world.running():
        answer = await world.http.post(HOOK, json=[PUSH, PUSH | {"message_id": 8}])
        assert_problem(answer, 503)
        assert answer.headers["Retry-After"]
        world.publisher.failing = False

        async def taken() -> None:
            while (await world.http.post(HOOK, json=[PUSH, PUSH | {"message_id": 8}])).status_code != 200:  # noqa: ASYNC110 - the keeper tells nobody when it goes on
                await asyncio.sleep(0.05)

        await asyncio.wait_for(taken(), 30)
        assert {message.provider_id for message in messages(world)} == {"verimor:7", "verimor:8"}


@pytest.mark.parametrize("token", ["x", "0" * 40, GATEWAYS["netgsm"][:-1], "%C5%9F"])
async def test_nobody_without_a_token_is_heard(world: World, token: str) -> None:
    assert_problem(await world.http.post(f"/webhooks/sms/{token}", json=PUSH), 401)
    assert world.publisher.records == []


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"json": {"from": NUMBER}}, 422),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 422),
        ({"content": b"a=%81", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}, 422),
        ({"content": b"x", "headers": {"Content-Type": "text/plain"}}, 415),
    ],
)
async def test_a_bad_body_is_refused_without_a_word_of_it(world: World, sent: dict[str, Any], status: int) -> None:
    answer = await world.http.post(HOOK, **sent)
    assert_problem(answer, status, "body" if status == 422 else None)
    assert NUMBER not in answer.text


# --- NetGSM's inbox ---


@pytest.fixture
async def netgsm() -> AsyncIterator[StandInSms]:
    async with stand_in_sms() as running:
        yield running


class Enough(Exception):
    """
    A test has seen what it wanted.
    """


class Pauses:
    """
    Waits that take no time; after the last of them it is enough.
    """

    def __init__(self, most: int) -> None:
        self.waited: list[float] = []
        self._most = most

    async def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)
        if len(self.waited) == self._most:
            raise Enough


@asynccontextmanager
async def fetching(world: World, url: str, clock: FrozenClock, **given: Any) -> AsyncIterator[NetgsmInbox]:
    async with httpx.AsyncClient(transport=given.pop("transport", None)) as http:
        yield NetgsmInbox(http, url, given.pop("user", USER), PASSWORD, world.gateways, clock, every=60, **given)


async def test_an_inbox_is_fetched_once_however_often_it_lists(world: World, netgsm: StandInSms) -> None:
    clock = FrozenClock(NOW)
    netgsm.text_in("5320001122", "Çukur var", CAME)
    async with fetching(world, netgsm.url, clock) as inbox:
        for _ in range(3):
            await inbox.fetch()
            clock.advance(timedelta(minutes=1))
        netgsm.text_in("5320001122", "Hâlâ var", "28112026213200")
        await inbox.fetch()
    assert [message.text for message in messages(world)] == ["Çukur var", "Hâlâ var"]
    assert messages(world)[0].sent_at == datetime(2026, 11, 28, 18, 26, tzinfo=UTC)


async def test_the_same_text_pushed_and_fetched_is_one_message(world: World, netgsm: StandInSms) -> None:
    pushed = {"ceptel": NUMBER, "mesaj": "Çukur var", "tarih": "28.11.2026 21:26:00"}
    await world.http.post(f"/webhooks/sms/{GATEWAYS['netgsm']}", json=pushed)
    netgsm.text_in("5320001122", "Çukur var", CAME)
    async with fetching(world, netgsm.url, FrozenClock(NOW)) as inbox:
        await inbox.fetch()
    assert len(messages(world)) == 1


async def test_an_empty_inbox_is_no_failure(world: World, netgsm: StandInSms) -> None:
    async with fetching(world, netgsm.url, FrozenClock(NOW)) as inbox:
        await inbox.fetch()
    assert messages(world) == []


async def test_what_came_during_an_outage_is_fetched_after_it(world: World, netgsm: StandInSms) -> None:
    clock = FrozenClock(NOW)
    async with fetching(world, netgsm.url, clock) as inbox:
        await inbox.fetch()
        clock.advance(timedelta(days=3))
        netgsm.text_in("5320001122", "Çukur var", "28112026213100")
        await inbox.fetch()
    assert len(messages(world)) == 1


def answering(*answers: httpx.Response | Exception) -> tuple[httpx.MockTransport, list[httpx.URL]]:
    left, asked = list(answers), list[httpx.URL]()

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        now = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(now, Exception):
            raise now
        return now

    return httpx.MockTransport(answer), asked


EMPTY = httpx.Response(406, json={"code": "40", "description": "Gösterilecek mesaj yok"})
BROKEN = [
    httpx.ConnectError("away"),
    httpx.ReadTimeout("slow"),
    httpx.Response(502, text="<html>"),
    httpx.Response(200, json=[]),
    httpx.Response(406, json={"code": "30", "description": "Geçersiz kullanıcı"}),
    httpx.Response(200, json={"code": "00", "messages": None}),
    httpx.Response(200, json={"code": "00", "messages": [{"unknown": 1}]}),
]


@pytest.mark.parametrize("answer", BROKEN, ids=str)
async def test_an_answer_that_cannot_be_used_is_told_as_such(world: World, answer: httpx.Response | Exception) -> None:
    transport, _ = answering(answer)
    async with fetching(world, "http://netgsm", FrozenClock(NOW), transport=transport) as inbox:
        with pytest.raises(NotFetched):
            await inbox.fetch()


async def test_a_wrong_password_is_told_as_such(world: World, netgsm: StandInSms) -> None:
    async with fetching(world, netgsm.url, FrozenClock(NOW), user="somebody") as inbox:
        with pytest.raises(NotFetched, match="code 30"):
            await inbox.fetch()


async def test_windows_overlap_and_reach_back_to_the_last_success(world: World) -> None:
    clock = FrozenClock(NOW)
    transport, asked = answering(EMPTY, httpx.ConnectError("away"), EMPTY, EMPTY, EMPTY)
    async with fetching(world, "http://netgsm", clock, transport=transport) as inbox:
        await inbox.fetch()
        clock.advance(timedelta(hours=1))
        with pytest.raises(NotFetched):
            await inbox.fetch()
        await inbox.fetch()
        clock.advance(timedelta(days=30))
        await inbox.fetch()
    spans = [
        tuple(datetime.strptime(url.params[name], "%d%m%Y%H%M%S") for name in ("startdate", "stopdate"))  # noqa: DTZ007
        for url in asked
    ]
    istanbul = NOW.replace(tzinfo=None) + timedelta(hours=3)
    assert spans[0] == (istanbul - timedelta(days=1), istanbul + OVERLAP)
    assert spans[1] == spans[2] == (istanbul - OVERLAP, istanbul + timedelta(hours=1) + OVERLAP)
    assert spans[3][0] == istanbul + timedelta(days=30, hours=1) - FARTHEST


async def test_while_it_fails_it_is_tried_less_and_less_often_and_then_as_before(world: World) -> None:
    transport, _ = answering(EMPTY, *BROKEN, EMPTY)
    pauses = Pauses(9)
    async with fetching(world, "http://netgsm", FrozenClock(NOW), transport=transport, pause=pauses) as inbox:
        with pytest.raises(Enough):
            await inbox.follow()
    assert pauses.waited == [60, 120, 240, 480, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE, 60]


async def test_what_can_be_kept_nowhere_is_fetched_again(tmp_path: Path, netgsm: StandInSms) -> None:
    world = World(tmp_path, spool_bytes=64)
    world.publisher.failing = True
    netgsm.text_in("5320001122", "Çukur var", CAME)
    async with world.running(), fetching(world, netgsm.url, FrozenClock(NOW)) as inbox:
        with pytest.raises(NowhereToKeep):
            await inbox.fetch()
        world.publisher.failing = False

        async def fetched() -> None:
            while not messages(world):
                try:
                    await inbox.fetch()
                except NowhereToKeep:
                    await asyncio.sleep(0.05)

        await asyncio.wait_for(fetched(), 30)
        assert len(messages(world)) == 1


def test_no_inbox_is_looked_into_without_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTAKE_ID_SECRET", "0123456789abcdef")
    gateways: Any = None
    http: Any = None
    assert inboxes_of(IntakeSettings(), http, gateways) == ()
    monkeypatch.setenv("INTAKE_SMS_NETGSM_USER", USER)
    monkeypatch.setenv("INTAKE_SMS_NETGSM_PASSWORD", PASSWORD)
    assert len(inboxes_of(IntakeSettings(), http, gateways)) == 1
