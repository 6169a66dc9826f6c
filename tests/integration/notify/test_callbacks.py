"""
The call-back list on the MongoDB protocol: from Kafka's records to what operators get.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from services.common.contracts.envelope import Metadata, Record, encode
from services.common.contracts.events import CallAnswered, CallMissed, ContactChanged, Event, StatusChanged
from services.common.contracts.topics import CALLS, CONTACTS, LIFECYCLE, Topic
from services.common.contracts.vocabulary import Outcome, Status
from services.common.kit.auth import KeyVerifier
from services.common.kit.guard import People
from services.common.kit.mongo import Client
from services.common.kit.worker import Delivery, decode_delivery
from services.notify.api import Deps, create_app
from services.notify.callbacks import Callback, CallbackState, Missed, callback_id, with_missed
from services.notify.settings import NotifySettings
from tests.builders import NOON
from tests.integration.notify.scene import Scene
from tests.people import FakeTokens, signed_in

pytestmark = pytest.mark.integration
PERSON = "7" * 32
ITEM = callback_id(PERSON)
CONTACT = "c_" + "1" * 32
AYSE = signed_in("operator")


@pytest.fixture
async def scene(client: Client, database: str) -> Scene:
    scene = Scene(client, database)
    await scene.repository.prepare()
    return scene


@pytest.fixture
async def http(scene: Scene) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as keys:
        people = People(KeyVerifier(keys, "http://intake"), FakeTokens(), "http://notify", "http://reporting")
        app = create_app(NotifySettings(), Deps(scene.repository, people, scene.clock))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://notify", headers=AYSE.bearer
            ) as http,
        ):
            yield http


def delivery(topic: Topic, event: Event) -> Delivery:
    meta = Metadata(event.key + type(event).__name__, "/test", NOON, event.key, event.key, "cause")
    record: Record = encode(topic, meta, event)
    raw = Delivery(record.topic, 0, 0, record.key, record.value, record.headers)
    return Delivery(record.topic, 0, 0, record.key, record.value, record.headers, decode_delivery(raw))


def missed(number: int) -> Delivery:
    at = NOON - timedelta(minutes=10 - number)
    call = CallMissed(
        call_id="l_" + f"{number:032x}",
        occurred_at=at,
        exchange="main",
        person=PERSON,
        contact_id=CONTACT,
        cause="cancel",
        seconds=20,
    )
    return delivery(CALLS, call)


def contact(**fields: str) -> Delivery:
    given = {"phone": "+903624310000", "phone_hash": PERSON} | fields
    return delivery(CONTACTS, ContactChanged(contact_id=CONTACT, changed_at=NOON, **given))


async def test_missed_calls_of_one_person_are_one_item_shown_without_the_number(
    scene: Scene, http: httpx.AsyncClient
) -> None:
    batch = [contact(name="Ayşe Yılmaz"), missed(1), missed(2)]
    for _ in range(2):
        await scene.notifier.handle(batch)
    answer = await http.get("/v1/callbacks")
    assert answer.json()["open"] == 1
    (item,) = answer.json()["callbacks"]
    assert (item["id"], item["missed"], item["sources"], item["tries"]) == (ITEM, 2, ["missed_call"], 0)
    assert "4310000" not in answer.text
    assert "Ayşe" not in answer.text


async def test_who_is_to_be_called_is_shown_and_the_reading_put_down(
    scene: Scene, http: httpx.AsyncClient, client: Client, database: str
) -> None:
    await scene.notifier.handle([contact(name="Ayşe Yılmaz"), missed(1)])
    answer = await http.get(f"/v1/callbacks/{ITEM}", params={"purpose": "geri arama"})
    assert (answer.json()["name"], answer.json()["phone"]) == ("Ayşe Yılmaz", "+903624310000")
    (row,) = [row async for row in client[database]["audit"].find({}, {"_id": 0})]
    assert (row["contact_id"], row["who"], row["purpose"]) == (CONTACT, f"person:{AYSE.person.id}", "geri arama")
    assert (await http.get(f"/v1/callbacks/{ITEM}")).status_code == 422  # no purpose, no number


async def test_an_erased_contact_leaves_an_item_without_a_number(scene: Scene, http: httpx.AsyncClient) -> None:
    await scene.notifier.handle([contact(name="Ayşe"), missed(1)])
    await scene.notifier.handle([Delivery(CONTACTS.name, 0, 1, CONTACT.encode(), None, ())])
    answer = await http.get(f"/v1/callbacks/{ITEM}", params={"purpose": "geri arama"})
    assert (answer.json()["name"], answer.json()["phone"]) == (None, None)


async def test_who_calls_again_and_is_answered_is_off_the_list(scene: Scene, http: httpx.AsyncClient) -> None:
    await scene.notifier.handle([missed(1)])
    later = CallAnswered(call_id="l_" + "f" * 32, occurred_at=NOON, exchange="main", person=PERSON)
    await scene.notifier.handle([delivery(CALLS, later)])
    assert (await http.get("/v1/callbacks")).json() == {"callbacks": [], "open": 0}
    assert [item["id"] for item in (await http.get("/v1/callbacks?state=done")).json()["callbacks"]] == [ITEM]


async def test_a_call_back_is_done_or_tried_three_times(scene: Scene, http: httpx.AsyncClient) -> None:
    await scene.notifier.handle([missed(1)])
    for number in (1, 2):
        item = (await http.post(f"/v1/callbacks/{ITEM}/failed", json={"note": "açmadı"})).json()
        assert (item["state"], item["tries"]) == ("open", number)
    assert (await http.post(f"/v1/callbacks/{ITEM}/failed", json={})).json()["state"] == "failed"
    assert (await http.post(f"/v1/callbacks/{ITEM}/done", json={})).status_code == 409
    whole = (await http.get(f"/v1/callbacks/{ITEM}", params={"purpose": "geri arama"})).json()
    assert [note["note"] for note in whole["notes"]] == ["açmadı", "açmadı", None]
    assert {note["by"] for note in whole["notes"]} == {AYSE.person.id}
    await scene.notifier.handle([missed(2)])
    assert (await http.post(f"/v1/callbacks/{ITEM}/done", json={"note": None})).json()["state"] == "done"
    assert (await http.post(f"/v1/callbacks/b_{'0' * 32}/done", json={})).status_code == 404


async def test_operators_alone_see_the_list(scene: Scene, http: httpx.AsyncClient) -> None:
    clerk = signed_in("department", departments=("zabita",))
    for path in ("/v1/callbacks", f"/v1/callbacks/{ITEM}?purpose=geri+arama"):
        assert (await http.get(path, headers=clerk.bearer)).status_code == 403
    assert (await http.post(f"/v1/callbacks/{ITEM}/done", json={}, headers=clerk.bearer)).status_code == 403


def closed(request_id: str = "1" * 13) -> Delivery:
    event = StatusChanged(
        request_id=request_id,
        seq=5,
        status=Status.RESOLVED,
        previous_status=Status.IN_PROGRESS,
        department="fen-isleri",
        service_code="yol-cukur",
        occurred_at=NOON,
        outcome=Outcome.RESOLVED,
        public_text="Onarıldı.",
        closings=1,
        contact_id=CONTACT,
    )
    return delivery(LIFECYCLE, event)


@pytest.mark.parametrize("contact_first", [True, False])
async def test_what_can_only_be_told_by_telephone_is_on_the_list_with_its_request(
    scene: Scene, http: httpx.AsyncClient, contact_first: bool
) -> None:
    for one in (contact(), closed()) if contact_first else (closed(), contact()):
        await scene.notifier.handle([one])
    await scene.run_dry("1" * 13)
    (item,) = (await http.get("/v1/callbacks")).json()["callbacks"]
    assert item["sources"] == ["phone_only"]
    assert [(told["request_id"], told["transition"]) for told in item["told"]] == [("1" * 13, "closed")]
    await scene.notifier.handle([missed(1)])  # the same person: the same item
    (item,) = (await http.get("/v1/callbacks")).json()["callbacks"]
    assert item["sources"] == ["missed_call", "phone_only"]


async def test_it_is_on_the_list_although_we_died_before_kafka_heard(scene: Scene, http: httpx.AsyncClient) -> None:
    await scene.notifier.handle([contact(), closed()])
    scene.kafka.failing = True
    scene.clock.advance(timedelta(seconds=2))
    with pytest.raises(Exception, match="told to fail"):
        await scene.notifier.outbox.publish_once()
    scene.kafka.failing = False
    await scene.run_dry("1" * 13)
    (item,) = (await http.get("/v1/callbacks")).json()["callbacks"]
    assert len(item["told"]) == 1


async def test_records_at_the_same_time_are_all_in_the_item(scene: Scene) -> None:
    async def note(number: int) -> None:
        call = Missed("l_" + f"{number:032x}", NOON + timedelta(seconds=number))

        def decide(item: Callback) -> Callback:
            return with_missed(item, call)

        await scene.repository.callbacks.change(ITEM, decide, NOON)

    await asyncio.gather(*map(note, range(8)))
    item = await scene.repository.callbacks.item(ITEM)
    assert item is not None
    assert (item.state, len(item.missed), item.rev) == (CallbackState.OPEN, 8, 8)
