"""
A worker that consumes in one of the ways of style.md 2.2 and 2.4, or out of turn, and raises once. Run by
test_ack_matrix and test_urgent.

``ours-urgent`` takes odd numbers first, and BATCH_SECONDS for each batch; ``ours-urgent-held`` handles its first batch
only after HELD_FOR records were read.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import faust
from mode.supervisors import CrashingSupervisor, OneForOneSupervisor
from prometheus_client import REGISTRY

from services.common.contracts.envelope import Metadata, Received
from services.common.kit import worker as kit
from services.common.kit.health import Health
from services.common.kit.settings import KafkaSettings, LogSettings, WorkerSettings
from tests.builders import NOON, request

mode, servers, topic, group, handled, crashed, raises_at = sys.argv[1:8]
DATA = request()
HANDLED, CRASHED = Path(handled), Path(crashed)
BATCH = 5 if int(raises_at) < 10 else 500
SLOWLY = mode == "ours-urgent" and 0 < int(raises_at) < 10  # one at a time: several commits while there are gaps
BATCH_SECONDS = float(os.environ.get("BATCH_SECONDS", "0.5" if SLOWLY else "0"))


def handle(value: bytes) -> None:
    if value == raises_at.encode() and not CRASHED.exists():
        CRASHED.touch()
        raise ValueError("this event raises once")
    with HANDLED.open("ab") as out:
        out.write(value + b"\n")


def spec(handler: Any = None) -> kit.WorkerSpec:
    @asynccontextmanager
    async def lifespan(sender: kit.Sender, health: Health) -> AsyncIterator[kit.Handle]:
        async def take(batch: Sequence[kit.Delivery]) -> None:
            if mode == "ours-urgent-held" and not_begun():
                while read_ahead() < int(os.environ["HELD_FOR"]):  # noqa: ASYNC110 - a gauge has no event to wait for
                    await asyncio.sleep(0.02)
            await asyncio.sleep(BATCH_SECONDS)  # the work of this handler
            for delivery in batch:
                handle(delivery.value or b"")

        yield take

    def decode(delivery: kit.Delivery) -> Received:
        return Received(delivery.topic, Metadata((delivery.value or b"").decode(), "x", NOON, "x", "x", "x"), DATA)

    urgent = is_odd if mode.startswith("ours-urgent") else None
    return kit.WorkerSpec(group, (topic,), lifespan, 0, decode, urgent)


def is_odd(received: Received) -> bool:
    return int(received.meta.id) % 2 == 1


def not_begun() -> bool:
    return not HANDLED.exists()


def all_there(count: int) -> bool:
    return CRASHED.exists() or count == int(raises_at) * 5 // 2


def read_ahead() -> float:
    return REGISTRY.get_sample_value("read_ahead") or 0


KAFKA, LOGS = KafkaSettings(bootstrap_servers=servers), LogSettings(level="WARNING")

if mode.startswith("ours"):
    app = kit.build_worker(spec(), KAFKA, LOGS, WorkerSettings(batch_size=1 if SLOWLY else 200))
else:
    app = kit.build_app(spec(), KAFKA, LOGS)
    way, _, supervisor = mode.partition("+")
    if supervisor != "crashing":
        app.conf.agent_supervisor = OneForOneSupervisor
    else:
        app.conf.agent_supervisor = CrashingSupervisor
    source = app.topic(topic, key_type=bytes, value_type=bytes)

    @app.agent(source, concurrency=1)  # type: ignore[untyped-decorator]
    async def consume(stream: Any) -> None:
        if way == "events":
            async for event in stream.events():
                handle(event.value)
        elif way == "noack-events":
            async for event in stream.noack().events():
                handle(event.value)
                await stream.ack(event)
        elif way == "take_events":
            async for batch in stream.take_events(BATCH, within=0.5):
                for event in batch:
                    handle(event.value)
        elif way == "noack-take_events":
            async for batch in stream.noack().take_events(BATCH, within=0.5):
                for event in batch:
                    handle(event.value)
                for event in batch:
                    await stream.ack(event)
        elif way == "out-of-turn":
            events = []
            async for event in stream.noack().events():
                events.append(event)
                if all_there(len(events)):
                    for one in sorted(events, key=lambda event: int(event.value) % 2 == 0):
                        handle(one.value)
                        await stream.ack(one)
                    events.clear()
        elif way == "noack_take":
            async for batch in stream.noack_take(BATCH, within=0.5):
                for event in batch:
                    handle(event.value)
                for event in batch:
                    await stream.ack(event)


faust.Worker(app, loglevel="WARNING", redirect_stdouts=False).execute_from_commandline()
