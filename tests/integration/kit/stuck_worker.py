"""
A worker whose handler, in its first life, blocks the event loop for ever; if ``blocked`` is there it only takes
``PAUSE`` seconds for each record. Run by test_stuck.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from services.common.contracts.envelope import Metadata, Received
from services.common.kit import worker as kit
from services.common.kit.health import Health
from services.common.kit.settings import KafkaSettings, LogSettings, WorkerSettings
from tests.builders import NOON, request

servers, topic, handled, blocked, port = sys.argv[1:]
PAUSE = float(os.environ.get("PAUSE", "0"))
HANDLED, BLOCKED, DATA = Path(handled), Path(blocked), request()


def work(batch: Sequence[kit.Delivery]) -> None:
    if not BLOCKED.exists():
        BLOCKED.touch()
        blocks()
    with HANDLED.open("ab") as out:
        out.writelines((one.value or b"") + b"\n" for one in batch)


def blocks() -> None:
    time.sleep(3_600)


@asynccontextmanager
async def lifespan(_: kit.Sender, __: Health) -> AsyncIterator[kit.Handle]:
    async def take(batch: Sequence[kit.Delivery]) -> None:
        await asyncio.sleep(PAUSE * len(batch))
        work(batch)

    yield take


def decode(delivery: kit.Delivery) -> Received:
    return Received(delivery.topic, Metadata((delivery.value or b"").decode(), "x", NOON, "x", "x", "x"), DATA)


spec = kit.WorkerSpec(topic, (topic,), lifespan, int(port), decode)
sys.argv = sys.argv[:1]  # Faust reads the command line too
kit.run_worker(spec, KafkaSettings(bootstrap_servers=servers), LogSettings(level="WARNING"), WorkerSettings())
