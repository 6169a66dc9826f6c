"""
A worker that consumes in one of the ways of style.md 2.2 and 2.4 and raises once. Run by test_ack_matrix.
"""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import faust
from mode.supervisors import CrashingSupervisor, OneForOneSupervisor

from services.common.contracts.envelope import Metadata, Received
from services.common.kit import worker as kit
from services.common.kit.ops import Health
from services.common.kit.settings import KafkaSettings, LogSettings, WorkerSettings
from tests.builders import NOON, request

mode, servers, topic, group, handled, crashed, raises_at = sys.argv[1:8]
HANDLED, CRASHED = Path(handled), Path(crashed)
BATCH = 5 if int(raises_at) < 10 else 500


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
            for delivery in batch:
                handle(delivery.value or b"")

        yield take

    def decode(delivery: kit.Delivery) -> Received:
        return Received(delivery.topic, Metadata("x", "x", NOON, "x", "x", "x"), request())

    return kit.WorkerSpec(group, (topic,), lifespan, 0, decode)


KAFKA, LOGS = KafkaSettings(bootstrap_servers=servers), LogSettings(level="WARNING")

if mode == "ours":
    app = kit.build_worker(spec(), KAFKA, LOGS, WorkerSettings())
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
        elif way == "noack_take":
            async for batch in stream.noack_take(BATCH, within=0.5):
                for event in batch:
                    handle(event.value)
                for event in batch:
                    await stream.ack(event)


faust.Worker(app, loglevel="WARNING", redirect_stdouts=False).execute_from_commandline()
