"""
Intake with its real parts: Kafka, the MongoDB protocol, the key file.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from kafka import KafkaConsumer, TopicPartition

from deploy.stack.config import ROOT
from deploy.stack.stack import Stack
from services.common.contracts import topics
from services.common.contracts.envelope import Received, decode
from services.common.contracts.events import (
    CitizenReplied,
    ContactChanged,
    CrisisDeclared,
    RequestReceived,
    UpdateSubmitted,
)
from services.common.contracts.vocabulary import Status
from services.common.kit.auth import KeyVerifier, key_hash
from services.common.kit.mongo import connect
from services.common.kit.settings import KafkaSettings, MongoSettings
from services.intake.api import create_app
from services.intake.keys import StoredKey
from services.intake.read_model import CaseState
from services.intake.repository import Repository
from services.intake.settings import IntakeSettings
from services.intake.wiring import parts_of

pytestmark = pytest.mark.integration
KEY = "a key of this test run"


@pytest.fixture
def settings(infra: Stack, database: str, tmp_path: Path) -> IntakeSettings:
    return IntakeSettings(
        id_secret="a secret of this test run",
        data_dir=tmp_path,
        database=database,
        kafka=KafkaSettings(bootstrap_servers=infra.env["KAFKA_BOOTSTRAP_SERVERS"]),
        mongo=MongoSettings(uri=infra.env["MONGODB_URI"]),
    )


@pytest.fixture
async def repository(settings: IntakeSettings) -> AsyncIterator[Repository]:
    client = connect(settings.mongo)
    repository = Repository(client, settings.database)
    key = StoredKey(key_hash(KEY), "test", frozenset({"*"}), frozenset())
    await repository.add_key(key, datetime(2026, 6, 1, tzinfo=UTC))
    yield repository
    await client.drop_database(settings.database)
    client.close()


@pytest.fixture
async def http(settings: IntakeSettings, repository: Repository) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(parts_of(settings))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://intake", headers={"X-API-Key": KEY}
        ) as client,
    ):
        async with asyncio.timeout(20):
            while (await client.get("/readyz")).json()["spool"]["breaker"] != "closed":  # noqa: ASYNC110 - over HTTP
                await asyncio.sleep(0.05)
        yield client


def about(subject: str, topic: str, servers: str) -> list[Received]:
    """
    Every record of the topic about the request, part or crisis.
    """
    with KafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest") as consumer:
        places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        found: list[Received] = []
        while any(consumer.position(place) < ends[place] for place in places):
            for records in consumer.poll(timeout_ms=200).values():
                ours = [record for record in records if ("ce_subject", subject.encode()) in record.headers]
                found += [decode(topic, record.key, record.value, record.headers) for record in ours]
    return found


async def test_an_answer_means_that_contact_and_request_stand_in_kafka(
    http: httpx.AsyncClient, settings: IntakeSettings
) -> None:
    body = {"channel": "web", "text": "çukur", "external_id": "e1", "citizen": {"phone": "0532 111 22 33"}}
    first, again = [await http.post("/v1/requests", json=body) for _ in range(2)]
    assert first.status_code == 202
    assert first.json() == again.json()
    request_id, servers = first.json()["request_id"], settings.kafka.bootstrap_servers
    received = await asyncio.to_thread(about, request_id, topics.RECEIVED.name, servers)
    contacts = await asyncio.to_thread(about, request_id, topics.CONTACTS.name, servers)
    assert len(received) == len(contacts) == 1
    request, contact = received[0].data, contacts[0].data
    assert isinstance(request, RequestReceived)
    assert isinstance(contact, ContactChanged)
    assert (request.contact_id, contact.phone) == (contact.contact_id, "+905321112233")


async def test_two_instances_agree_on_what_was_accepted(
    http: httpx.AsyncClient, settings: IntakeSettings, repository: Repository
) -> None:
    body = {"channel": "web", "text": "çukur", "external_id": "e2"}
    request_id = (await http.post("/v1/requests", json=body)).json()["request_id"]
    async with asyncio.timeout(5):
        while not await repository.fingerprints([request_id]):  # noqa: ASYNC110 - it is asked of the database
            await asyncio.sleep(0.01)
    app = create_app(parts_of(settings.model_copy(update={"data_dir": settings.data_dir / "other"})))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://other", headers={"X-API-Key": KEY}) as other,
    ):
        assert (await other.post("/v1/requests", json=body)).json()["request_id"] == request_id
        assert (await other.post("/v1/requests", json=body | {"text": "başka"})).status_code == 409


async def test_what_the_worker_keeps_is_what_updates_are_judged_by(
    http: httpx.AsyncClient, repository: Repository
) -> None:
    request_id = (await http.post("/v1/requests", json={"channel": "web", "text": "çukur"})).json()["request_id"]
    case = CaseState(2, Status.ASSIGNED, "fen-isleri", "yol-cukur")
    await repository.apply({request_id: case}, {}, datetime.now(UTC))
    path = f"/v1/requests/{request_id}/updates"
    async with asyncio.timeout(30):  # a database that is slow now is not waited for: the update is taken unjudged
        status = 202
        while status == 202:
            await repository.beat(datetime.now(UTC))
            status = (await http.post(path, json={"action": "accept", "department": "zabita"})).status_code
    assert status == 409
    taken = await http.post(path, json={"action": "accept", "department": "fen-isleri"})
    assert taken.status_code == 202
    assert (await http.get(f"{path}/{taken.json()['update_id']}")).json()["result"] == "pending"


async def test_what_is_done_with_a_part_and_what_its_citizen_replies_stand_in_kafka_in_order(
    http: httpx.AsyncClient, settings: IntakeSettings
) -> None:
    request_id = (await http.post("/v1/requests", json={"channel": "web", "text": "çukur"})).json()["request_id"]
    path = f"/v1/requests/{request_id}.1"
    ask = {"action": "ask", "department": "zabita", "question": "Hangi sokak?"}
    asked = await http.post(f"{path}/updates", json=ask)
    reply = {"text": "Çınar Sokak", "channel": "whatsapp", "external_id": "wamid.1"}
    replied = [await http.post(f"{path}/replies", json=reply) for _ in range(2)]
    assert {answer.status_code for answer in (asked, *replied)} == {202}
    assert replied[0].json() == replied[1].json()
    servers = settings.kafka.bootstrap_servers
    first, second = await asyncio.to_thread(about, f"{request_id}.1", topics.UPDATES.name, servers)
    assert isinstance(first.data, UpdateSubmitted)
    assert isinstance(second.data, CitizenReplied)
    assert (first.data.question, second.data.text) == ("Hangi sokak?", "Çınar Sokak")
    assert first.meta.correlation_id == second.meta.correlation_id == request_id


async def test_a_crisis_is_declared_over_http_and_ended_by_the_command_line_with_one_audit(
    http: httpx.AsyncClient, settings: IntakeSettings
) -> None:
    who = {"reason": "Vaka sayısı", "declared_by": "Kaymakam"}
    assert (await http.post("/v1/crises/salgin", json=who)).status_code == 202
    assert "salgin  ON" in await asyncio.to_thread(command, settings, "list")
    ended = await asyncio.to_thread(command, settings, "end", "salgin", "--reason", "Bitti", "--by", "Vali")
    assert ended.startswith("declared: salgin")
    shown = next(one for one in (await http.get("/v1/crises")).json()["crises"] if one["name"] == "salgin")
    assert shown["on"] is False
    assert [(row["state"], row["reason"], row["declared_by"], row["adapter"]) for row in shown["audit"]] == [
        ("declared", "Bitti", "Vali", "command-line"),
        ("declared", "Vaka sayısı", "Kaymakam", "test"),
    ]
    servers = settings.kafka.bootstrap_servers
    events = [one.data for one in await asyncio.to_thread(about, "salgin", topics.CRISES.name, servers)]
    assert [event.reason for event in events if isinstance(event, CrisisDeclared)][-2:] == ["Vaka sayısı", "Bitti"]


def command(settings: IntakeSettings, *words: str) -> str:
    """
    What ``python -m services.intake crises …`` prints.
    """
    environment = {
        **os.environ,
        "INTAKE_DATABASE": settings.database,
        "MONGODB_URI": settings.mongo.uri,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
    }
    run = subprocess.run(
        [sys.executable, "-m", "services.intake", "crises", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


async def test_other_services_recognise_a_key_through_intake(http: httpx.AsyncClient) -> None:
    verifier = KeyVerifier(http, "http://intake")
    caller = await verifier.caller(KEY)
    assert caller is not None
    assert caller.adapter == "test"
    assert await verifier.caller("wrong") is None
