"""
How fast the projector is with one, two and four workers, from the first event of a database that is empty to the last;
beside a loop that only puts the same records into MongoDB in bulk.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from pymongo import MongoClient, ReplaceOne

from deploy.observe import DEPARTMENT_TOPICS
from deploy.stack.config import ROOT
from deploy.stack.stack import Stack
from services.common.kit.groups import clients, group_lag
from services.reporting.projector import GROUP, TOPICS
from tests.bench.broker import forget_group, watching, write
from tests.bench.figures import Figure
from tests.bench.inputs import received_records

WORKERS: Final = (1, 2, 4)
BARE: Final = "a bare loop of bulk_write"
GIVE_UP_SECONDS: Final = 180.0
_OPS: Final = 70  # ports of the workers' health, above PORT_BASE


def measure(stack: Stack, seed: int, requests: int, tick: Callable[[str], None]) -> list[Figure]:
    """
    Records a second. The stack has broker, database and routing, which makes the events of so many ``requests``.
    """
    servers = stack.env["KAFKA_BOOTSTRAP_SERVERS"]
    with watching(servers, *DEPARTMENT_TOPICS) as watch:
        write(servers, received_records(requests, seed))
        watch.wait(requests, GIVE_UP_SECONDS)
    stack.stop("routing")
    with watching(servers, *TOPICS) as watch:
        ends = watch.ends()
    places, total = [TopicPartition(at.topic, at.partition) for at in ends], sum(ends.values())
    tick(f"{total:,} records made")
    figures = [Figure(BARE, asyncio.run(_bare(stack, places)), "/s")]
    tick(BARE)
    for workers in WORKERS:
        rate = total / _projected(stack, workers)
        figures.append(Figure(f"projector, {workers} worker(s)", rate, "/s", beside=BARE))
        tick(f"projector, {workers} worker(s)")
        forget_group(servers, GROUP)
    return figures


def _projected(stack: Stack, workers: int) -> float:
    """
    Seconds from the first document to the last, on a database of its own.
    """
    database = f"bench_{workers}"
    mongo = MongoClient[dict[str, Any]](stack.env["MONGODB_URI"], tz_aware=True)
    with mongo as client, _projectors(stack, workers, database):
        archive = client[database]["archive"]
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while not archive.estimated_document_count():
            _in_time(deadline)
            time.sleep(0.02)
        began = time.time()
        asyncio.run(_until_acknowledged(stack.env["KAFKA_BOOTSTRAP_SERVERS"], deadline))
        newest = client[database]["requests"].find_one(sort=[("written_at", -1)]) or {}
        return float(newest["written_at"].timestamp() - began)


async def _until_acknowledged(servers: str, deadline: float) -> None:
    async with clients(servers) as (admin, probe):
        while sum((await group_lag(GROUP, TOPICS, admin, probe)).values()):
            _in_time(deadline)
            await asyncio.sleep(0.1)


def _in_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise TimeoutError(f"the projector is not done after {GIVE_UP_SECONDS:.0f} s")


@contextmanager
def _projectors(stack: Stack, workers: int, database: str) -> Iterator[None]:
    log = (stack.config.run_dir / "logs" / "bench-projector.log").open("ab")
    started = []
    for number in range(workers):
        port = stack.config.port_base + _OPS + number
        environment: Mapping[str, str] = {
            **os.environ, **stack.env, "REPORTING_DATABASE": database, "REPORTING_OPS_PORT": str(port),
        }  # fmt: skip
        command = [sys.executable, "-m", "services.reporting", "projector"]
        started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()
        log.close()


async def _bare(stack: Stack, places: Sequence[TopicPartition]) -> float:
    """
    Records a second of: a batch from all topics, one upsert each by key, one bulk_write; nothing decoded, no commit.
    """
    servers = stack.env["KAFKA_BOOTSTRAP_SERVERS"]
    count = 0
    with MongoClient[dict[str, Any]](stack.env["MONGODB_URI"]) as client:
        documents = client["bench_bare"]["documents"]
        async with AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest") as consumer:
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            ends = await consumer.end_offsets(places)
            began = time.perf_counter()
            while count < sum(ends.values()):
                found = await consumer.getmany(timeout_ms=500, max_records=500)
                rows = [record for records in found.values() for record in records]
                if rows:
                    documents.bulk_write(
                        [ReplaceOne({"_id": row.key}, {"value": row.value}, upsert=True) for row in rows], ordered=False
                    )
                count += len(rows)
            return count / (time.perf_counter() - began)
