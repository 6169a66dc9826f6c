"""
WhatsApp's webhook over ASGI: who may call it, what is kept before it answers, what it answers when nothing can be kept.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.common.contracts.envelope import decode
from services.common.contracts.events import ContactChanged, DeliveryReported, Event, MessageReceived
from services.common.contracts.topics import CONTACTS, MESSAGES_IN
from services.common.kit import metrics
from services.intake.conversations.whatsapp_webhook import BODY_LIMITS, PATH
from tests.unit.intake.intakes import META, VERIFY, World, assert_problem
from tests.unit.intake.whatsapp_bodies import AT, AYSE, body, card, header, message, raw, value


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path).running() as running:
        running.http.headers.pop("X-API-Key")
        yield running


async def post(world: World, document: Any, secret: str = META) -> httpx.Response:
    content = document if isinstance(document, bytes) else raw(document)
    return await world.http.post(PATH, content=content, headers=header(content, secret))


def events(world: World) -> list[Event]:
    return [decode(r.topic, r.key, r.value, r.headers).data for r in world.publisher.records]


async def test_a_message_is_kept_behind_its_contact_before_it_is_answered(world: World) -> None:
    answer = await post(world, body(value(message())))
    assert (answer.status_code, answer.json()) == (200, {"messages": 1, "statuses": 0})
    assert [record.topic for record in world.publisher.records] == [CONTACTS.name, MESSAGES_IN.name]
    contact, received = events(world)
    assert isinstance(contact, ContactChanged)
    assert isinstance(received, MessageReceived)
    assert (contact.phone, received.text, received.contact_id) == ("+" + AYSE, "Sokakta çukur var", contact.contact_id)


async def test_a_batch_is_kept_in_its_order_and_what_is_broken_is_left_out(world: World) -> None:
    sent = {"id": "wamid.O1", "status": "sent", "timestamp": str(AT), "recipient_id": AYSE}
    document = body(value(message(name="wamid.1"), {"id": 7}), value(message(name="wamid.2"), statuses=[sent, None]))
    assert (await post(world, document)).json() == {"messages": 2, "statuses": 1}
    assert [one.provider_id for one in events(world) if isinstance(one, MessageReceived)] == ["wamid.1", "wamid.2"]
    assert isinstance(events(world)[-1], DeliveryReported)


async def test_a_repeated_body_gives_the_same_ids(world: World) -> None:
    for _ in range(2):
        await post(world, body(value(message())))
    inbound = [record for record in world.publisher.records if record.topic == MESSAGES_IN.name]
    assert len({dict(record.headers)["ce_id"] for record in inbound}) == 1
    assert len(inbound) == 2


async def test_while_kafka_is_away_messages_are_kept_on_our_disk(world: World) -> None:
    world.publisher.failing = True
    assert (await post(world, body(value(message())))).status_code == 200
    assert world.spool.entries == 1


async def test_what_can_be_kept_nowhere_is_not_taken_and_meta_sends_it_again(tmp_path: Path) -> None:
    async with World(tmp_path, spool_bytes=1).running() as world:
        world.publisher.failing = True
        answer = await post(world, body(value(message())))
        assert_problem(answer, 503)
        assert "Retry-After" in answer.headers


@pytest.mark.parametrize(
    "shown",
    [
        None,
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        "sha1=" + "0" * 40,
        "0" * 64,
        "sha256=" + "G" * 64,
        "SHA256=" + "0" * 64,
    ],
)
async def test_who_is_not_meta_is_refused_and_nothing_is_kept(world: World, shown: str | None) -> None:
    headers = {} if shown is None else {"X-Hub-Signature-256": shown}
    answer = await world.http.post(PATH, content=raw(body(value(message()))), headers=headers)
    assert_problem(answer, 401)
    assert not world.publisher.records


async def test_a_signature_of_other_bytes_or_another_secret_is_refused(world: World) -> None:
    content = raw(body(value(message())))
    other = await world.http.post(PATH, content=content + b" ", headers=header(content, META))
    assert other.status_code == 401
    assert (await post(world, content, "the-secret-of-somebody-else")).status_code == 401


@pytest.mark.parametrize("content", [b"[]", b"", b"x"])
async def test_what_is_signed_and_no_object_is_a_bad_request(world: World, content: bytes) -> None:
    assert_problem(await post(world, content), 400, "body")


async def test_what_is_too_large_is_refused_before_it_is_read(world: World) -> None:
    assert_problem(await post(world, b" " * (BODY_LIMITS[PATH] + 1)), 413)


async def test_meta_is_shown_its_challenge_if_it_knows_our_token(world: World) -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": VERIFY}
    answer = await world.http.get(PATH, params=query)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")
    for wrong in ({"hub.verify_token": "ş"}, {"hub.mode": "unsubscribe"}, {"hub.verify_token": ""}):
        assert_problem(await world.http.get(PATH, params=query | wrong), 403)


async def test_where_whatsapp_is_not_used_nothing_is_there(tmp_path: Path) -> None:
    stands = World(tmp_path)
    stands.whatsapp = False
    async with stands.running() as world:
        assert_problem(await post(world, body(value(message()))), 404)
        assert_problem(await world.http.get(PATH), 404)


async def test_what_came_is_counted_without_a_word_of_it(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    def count(outcome: str) -> float:
        return float(metrics.inbound_total.labels("whatsapp", outcome)._value.get())

    before = count("text"), count("no_sender")
    await post(world, body(value(message(), message(name="wamid.2", sender="gizli"), cards=[])))
    assert (count("text"), count("no_sender")) == (before[0] + 1, before[1] + 1)
    assert "gizli" not in capsys.readouterr().out


async def test_a_number_that_was_given_is_asked_for_before_a_contact_without_one_is_kept(world: World) -> None:
    hidden = body(value(message(sender=None, from_user_id="TR.7"), cards=[card(None, "TR.7")]))
    await post(world, hidden)
    contact = events(world)[0]
    assert isinstance(contact, ContactChanged)
    async with World(world.folder).running() as later:
        later.numbered.add(contact.contact_id)
        await post(later, hidden)
        assert [record.topic for record in later.publisher.records] == [MESSAGES_IN.name]
