"""
Mails with Kafka, the MongoDB protocol and real looks at their files: the topics hold what is expected and nothing else;
the command as it runs, killed and started again.
"""

import asyncio
import json
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from pydantic import SecretStr

from deploy.stack.config import ROOT
from deploy.stack.stack import Stack
from services.common.contracts import topics
from services.common.contracts.envelope import Received, decode
from services.common.contracts.events import ContactChanged, MessageReceived
from services.common.kit.health import Health
from services.common.kit.mongo import Client
from services.common.kit.settings import KafkaSettings, MongoSettings
from services.intake.attachments.repository import GridFSStore
from services.intake.mail.wiring import mailroom
from services.intake.settings import IntakeSettings, MailSettings
from tests.unit.intake.mails import cases, handed_over, outcome, raw_of, wanted
from tests.waiting import until

pytestmark = pytest.mark.integration
SECRET = "a secret of this test run"
OURS = (topics.CONTACTS.name, topics.MESSAGES_IN.name, topics.MESSAGES_OUT.name)


class Topics:
    """
    What was published since it was last asked, the contacts first.
    """

    def __init__(self, servers: str) -> None:
        self._consumer = KafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)
        self._parts = [TopicPartition(t, n) for t in OURS for n in range(topics.TOPICS_BY_NAME[t].partitions)]
        self._consumer.assign(self._parts)
        self._at = self._consumer.end_offsets(self._parts)

    def taken(self) -> list[Received]:
        ends = self._consumer.end_offsets(self._parts)
        waited = sum(ends.values()) - sum(self._at.values())
        records: list[Any] = []
        for part, at in self._at.items():
            self._consumer.seek(part, at)
        while len(records) < waited:
            for batch in self._consumer.poll(timeout_ms=1_000).values():
                records += batch
        self._at = ends
        records.sort(key=lambda record: OURS.index(record.topic))
        return [decode(r.topic, r.key, r.value, r.headers) for r in records]

    def close(self) -> None:
        self._consumer.close()


@pytest.fixture
async def published(infra: Stack) -> AsyncIterator[Topics]:
    found = await asyncio.to_thread(Topics, infra.env["KAFKA_BOOTSTRAP_SERVERS"])
    yield found
    found.close()


def ids_of(events: list[Received]) -> list[str]:
    return [event.meta.id for event in events if isinstance(event.data, MessageReceived)]


async def test_the_topics_hold_what_is_expected_of_all_mails_and_nothing_else(
    infra: Stack, mongo_uri: str, database: str, client: Client, published: Topics
) -> None:
    settings = IntakeSettings(
        id_secret=SecretStr(SECRET),
        database=database,
        kafka=KafkaSettings(bootstrap_servers=infra.env["KAFKA_BOOTSTRAP_SERVERS"]),
        mongo=MongoSettings(uri=mongo_uri),
    )
    health, files = Health(), GridFSStore(client, database)
    contacts: dict[str, Received] = {}  # published once, though several mails are of one sender
    async with mailroom(settings, MailSettings(port=0), health) as port:
        await until(lambda: health.ready)
        for case in cases():
            code, words = await handed_over(port, raw_of(case), envelope=case["envelope"])
            assert code == case["answer"], (case["file"], words)
            events = await asyncio.to_thread(published.taken)
            contacts |= {e.data.contact_id: e for e in events if isinstance(e.data, ContactChanged)}
            others = [event for event in events if not isinstance(event.data, ContactChanged)]
            messages = [event.data for event in others if isinstance(event.data, MessageReceived)]
            told = outcome([*(contacts[message.contact_id] for message in messages), *others])
            assert told == wanted(case, SECRET.encode()), case["file"]
            numbers = {str(media.attachment) for message in messages for media in message.media}
            assert set(await files.find(sorted(numbers))) == numbers
    assert len(contacts) == 2


@asynccontextmanager
async def command(infra: Stack, database: str) -> AsyncIterator[tuple[Process, int]]:
    """
    ``python -m services.intake mail`` as it runs, and the port of its door.
    """
    own = {
        "INTAKE_ID_SECRET": SECRET,
        "INTAKE_DATABASE": database,
        "INTAKE_MAIL_PORT": "0",
        "INTAKE_MAIL_OPS_PORT": "0",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.intake", "mail"),
        cwd=ROOT,
        env={**infra.env, **own},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            async for line in process.stdout:
                said = json.loads(line)
                if said["event"] == "mails are taken":
                    break
        yield process, int(said["port"])
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_what_was_answered_with_250_outlives_the_process_and_comes_once(
    infra: Stack, database: str, client: Client, published: Topics
) -> None:
    raw = raw_of(cases()[0])
    async with command(infra, database) as (process, port):
        async with asyncio.timeout(60):
            while (await handed_over(port, raw))[0] != 250:  # noqa: ASYNC110 - it may not have found Kafka yet
                await asyncio.sleep(0.2)
        process.kill()
    first = ids_of(await asyncio.to_thread(published.taken))
    async with command(infra, database) as (process, port):
        async with asyncio.timeout(60):
            while (await handed_over(port, raw))[0] != 250:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.2)
        process.terminate()
        assert await process.wait() == 0
    second = ids_of(await asyncio.to_thread(published.taken))
    assert set(first) == set(second)
    assert len(set(first)) == 1
