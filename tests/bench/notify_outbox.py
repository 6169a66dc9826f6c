"""
How fast notify is, on a stack of its own: messages a second through plan, ledger, a provider that takes 5 ms and
notifications.lifecycle, in this process; and how long a lifecycle event on Kafka takes to the provider's door, at 50 a
second, through notify's own worker.

``python -m tests.bench.notify_outbox [--messages 5000] [--events 1500]``; exits 1 if a goal is missed. The database is
a stand-in for MongoDB: so are the figures.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from datetime import time as time_of_day
from typing import Any, Final

from aiohttp import web
from aiokafka import AIOKafkaProducer
from rich.console import Console

from deploy.stack.stack import Stack
from services.common.contracts.envelope import Record, encode
from services.common.contracts.ids import derived_id, random_request_id
from services.common.contracts.topics import CONTACTS, LIFECYCLE
from services.common.contracts.vocabulary import NotifyVia
from services.common.kit.mongo import connect
from services.common.kit.publisher import KafkaPublisher
from services.common.kit.settings import KafkaSettings, MongoSettings
from services.common.kit.worker import background
from services.notify.channels.base import Letter
from services.notify.handler import Notifier
from services.notify.repository import NotifyRepository
from services.notify.settings import NotifySettings
from services.notify.staff import load_staff
from services.notify.templates import load_templates
from services.notify.transitions import CLOSING
from tests.faults.stand import own_stack, until
from tests.faults.told_once import key_of
from tests.standins.running import in_thread, serving
from tests.unit.notify import lives

GOAL_A_SECOND: Final = 500
GOAL_P99_MS: Final = 200
RATE: Final = 50
WARM_UP: Final = 200
BATCH: Final = 200
MIDNIGHT: Final = time_of_day()  # from and until the same: no quiet hours


class FiveMilliseconds:
    """
    A provider that takes everything, each after five milliseconds.
    """

    def __init__(self) -> None:
        self.taken = 0

    async def send(self, letter: Letter, /) -> str | None:
        """
        Take it.
        """
        await asyncio.sleep(0.005)
        self.taken += 1
        return letter.key

    async def close(self) -> None:
        """
        Nothing to close.
        """


class AsTheWorker:
    """
    Kafka as the worker has it: many records under way, back when all are acknowledged.
    """

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def publish(self, records: Sequence[Record], /) -> None:
        """
        Publish them.
        """
        under_way = [await self._producer.send(r.topic, r.value, r.key, headers=list(r.headers)) for r in records]
        await asyncio.gather(*under_way)


def life(number: int) -> tuple[Any, Any]:
    """
    Somebody on WhatsApp, and the closing of their request.
    """
    request_id, now = random_request_id(), datetime.now(UTC)
    contact_id = f"c_{derived_id(request_id)}"
    who = {"contact_id": contact_id, "changed_at": now, "email": None, "whatsapp_id": f"90532{number:07d}"}
    return lives.contact(**who), lives.closed(request_id=request_id, contact_id=contact_id, occurred_at=now)


async def through_the_ledger(stack: Stack, messages: int) -> tuple[float, float]:
    """
    Messages a second, from the first record handled until the last outcome is on Kafka and forgotten here; and how
    many milliseconds of this process's own work each of them was.
    """
    settings = NotifySettings(quiet_from=MIDNIGHT, quiet_until=MIDNIGHT)
    client = connect(MongoSettings(uri=stack.env["MONGODB_URI"]))
    kafka = AIOKafkaProducer(bootstrap_servers=stack.env["KAFKA_BOOTSTRAP_SERVERS"], acks="all")
    await kafka.start()
    out, provider, repository = AsTheWorker(kafka), FiveMilliseconds(), NotifyRepository(client, "bench")
    await repository.prepare()
    notifier = Notifier(
        repository,
        out,
        {NotifyVia.WHATSAPP: provider},
        load_templates(),
        load_staff(),
        settings.house,
        settings.rules,
        batch=settings.batch,
        flights=settings.flights,
    )
    records = [lives.delivery(event) for number in range(messages) for event in life(number)]
    try:
        async with background(notifier.deliver, notifier.outbox.run):
            await asyncio.sleep(0)  # they have begun
            began, worked = time.perf_counter(), time.process_time()
            for start in range(0, len(records), BATCH):
                await notifier.handle(records[start : start + BATCH])
            ever = datetime.max.replace(tzinfo=UTC)
            while provider.taken < messages or await repository.unpublished(ever, 1):  # noqa: ASYNC110 - it lies there
                await asyncio.sleep(0.05)
            worked = time.process_time() - worked
            return messages / (time.perf_counter() - began), worked / messages * 1000
    finally:
        await kafka.stop()
        client.close()


@dataclass
class Door:
    """
    Meta's door: answers at once and notes when who knocked.
    """

    url: str = ""
    knocked: dict[str, float] = field(default_factory=dict)

    async def take(self, request: web.Request) -> web.Response:
        """
        Take a message.
        """
        body = await request.json()
        key = body["biz_opaque_callback_data"]
        self.knocked.setdefault(key, time.perf_counter())
        return web.json_response({"messaging_product": "whatsapp", "messages": [{"id": f"wamid.{key}"}]})


@asynccontextmanager
async def door() -> AsyncIterator[Door]:
    """
    The door on a port of its own.
    """
    found, app = Door(), web.Application()
    app.router.add_post("/{number}/messages", found.take)
    async with serving(app) as found.url:
        yield found


async def to_the_door(stack: Stack, meta: Door, events: int) -> list[float]:
    """
    Milliseconds from publishing a lifecycle event until the provider is called, sorted, without the first ones.
    """
    kafka = KafkaPublisher(KafkaSettings(bootstrap_servers=stack.env["KAFKA_BOOTSTRAP_SERVERS"]))
    await kafka.start((LIFECYCLE.name, CONTACTS.name))
    pairs = [life(number) for number in range(events + WARM_UP)]
    for contact, _ in pairs:
        await kafka.publish(encode(CONTACTS, lives.meta(contact), contact))
    asked: dict[str, float] = {}
    began = time.perf_counter()
    for number, (_, event) in enumerate(pairs):
        await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
        if number >= WARM_UP:
            asked[key_of((event.request_id, CLOSING, event.contact_id, 1))] = time.perf_counter()
        await kafka.publish(encode(LIFECYCLE, lives.meta(event), event))

    async def all_came() -> bool:
        return asked.keys() <= meta.knocked.keys()

    await until(all_came, 60)
    await kafka.close()
    return sorted((meta.knocked.get(key, float("inf")) - at) * 1000 for key, at in asked.items())


def main() -> int:
    """
    Measure both, print. 0: both goals are reached.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--events", type=int, default=1500)
    args = parser.parse_args()
    console = Console()
    with in_thread(door) as meta:
        os.environ |= {
            "NOTIFY_WHATSAPP_URL": meta.url,
            "NOTIFY_WHATSAPP_PHONE_NUMBER_ID": "1",
            "NOTIFY_WHATSAPP_TOKEN": "bench",
            "NOTIFY_WHATSAPP_RATE": "1000",
        }
        with own_stack("notify-outbox", console, services=("notify",)) as stack:
            took = asyncio.run(to_the_door(stack, meta, args.events))
            stack.stop("notify")
            speed, work = asyncio.run(through_the_ledger(stack, args.messages))
    p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
    load = os.getloadavg()[0]
    console.print(f"event to provider at {RATE}/s: p50 {p50:.0f} ms, p99 {p99:.0f} ms, worst {took[-1]:.0f} ms")
    console.print(f"through plan, ledger, a provider of 5 ms and Kafka: {speed:.0f} messages/s of {args.messages}")
    console.print(f"own work: {work:.2f} ms of processor a message")
    database = f"{stack.config.database}, a stand-in for MongoDB"
    console.print(f"database: {database}; Kafka: {stack.config.kind}; load of the machine {load:.1f}")
    return int(speed < GOAL_A_SECOND or p99 > GOAL_P99_MS)


if __name__ == "__main__":
    sys.exit(main())
