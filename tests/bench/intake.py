"""
How fast a request is durably accepted over HTTP: one connection, eight, 64 (closed loop), and at rates that do not wait
for answers (open loop); intake alone with broker and database, and with everything running that follows.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import httpx

from deploy.stack.config import HOST, ROOT
from deploy.stack.stack import Stack
from tests.bench.backlog import drained
from tests.bench.figures import Figure, percentile, spread
from tests.bench.inputs import bodies, received_records
from tests.bench.load import Hit, fire
from tests.bench.peers.kafka_producer import one_by_one, pipelined

CLOSED: Final = (1, 8, 64)
OPEN: Final = (100, 200, 500, 1000)
MOST_A_SECOND: Final = 3_000  # no more bodies are made for a second of closed loop
WARM_UP_SECONDS: Final = 3.0
DRAIN_SECONDS: Final = 20.0
ALONE_GOAL: Final = 1_500.0
P99_GOAL: Final = {"p99": 50.0}  # ms, at 200/s with everything running
BARE: Final = "bare FastAPI route, same body model, no Kafka"
PRODUCER: Final = "kafka-python's producer, acks=all, idempotent"


def accept(stack: Stack, seed: int, seconds: float, *, alone: bool, tick: Callable[[str], None]) -> list[Figure]:
    """
    The figures of intake on a stack that is up, ``alone`` or with all its services. ``tick`` is told what is done.
    """
    where = "alone" if alone else "everything running"
    target, headers = f"{stack.env['INTAKE_URL']}/v1/requests", {"X-API-Key": stack.env["API_KEY"]}
    figures: list[Figure] = []
    fire(target, bodies(1_000, seed), headers, rate=50, seconds=WARM_UP_SECONDS)
    for rate in OPEN:
        hits = fire(target, bodies(int(rate * seconds), seed + rate), headers, rate=rate, seconds=seconds)
        goals = P99_GOAL if rate == 200 and not alone else None
        figures += spread(f"{where}, {rate}/s", took(hits), goals)
        figures += unanswered(f"{where}, {rate}/s", hits)
        if not alone:
            drained(stack, DRAIN_SECONDS)  # a backlog of one step is no load of the next
        tick(f"intake {where}, {rate}/s")
    for connections in CLOSED:
        supply = bodies(int(MOST_A_SECOND * seconds), seed + connections)
        hits = fire(target, supply, headers, connections=connections, seconds=seconds)
        figures += closed(
            f"{where}, {connections} connection(s)", hits, ALONE_GOAL if connections == 64 and alone else None
        )
        figures += unanswered(f"{where}, {connections} connection(s)", hits)
        if not alone:
            drained(stack, DRAIN_SECONDS)  # a backlog of one step is no load of the next
        tick(f"intake {where}, {connections} connection(s)")
    return figures


def peers(stack: Stack, seed: int, seconds: float, tick: Callable[[str], None]) -> list[Figure]:
    """
    What the parts pass by themselves: HTTP without Kafka, Kafka without HTTP.
    """
    figures: list[Figure] = []
    with _bare_route(stack.config.port_base + 60) as target:
        for connections in CLOSED:
            supply = bodies(int(MOST_A_SECOND * seconds), seed + connections)
            hits = fire(target, supply, {}, connections=connections, seconds=seconds / 2)
            figures += closed(f"{BARE}, {connections} connection(s)", hits, None)
    tick(BARE)
    servers, records = stack.env["KAFKA_BOOTSTRAP_SERVERS"], list(received_records(5_000, seed))
    figures.append(Figure(f"{PRODUCER}, pipelined", pipelined(servers, records), "/s"))
    figures += spread(f"{PRODUCER}, one by one", one_by_one(servers, records[:500]))
    tick(PRODUCER)
    return figures


def closed(name: str, hits: Sequence[Hit], goal: float | None) -> list[Figure]:
    """
    Throughput and times of a closed loop; beside the bare route with as many connections.
    """
    good = [hit for hit in hits if hit.status == 202]
    end = max(hit.at + hit.seconds for hit in hits)
    suffix = name.rpartition(", ")[2]
    beside = None if name.startswith(BARE) else f"{BARE}, {suffix}"
    times = took(hits)
    return [
        Figure(name, len(good) / (end - hits[0].at), "/s", goal, beside),
        *(Figure(f"{name}, {mark}", percentile(times, share), "ms") for mark, share in (("p50", 0.5), ("p99", 0.99))),
    ]


def took(hits: Iterable[Hit]) -> list[float]:
    """
    Milliseconds of each request, also of those that were refused or not answered: nobody is left out.
    """
    return [hit.seconds * 1000 for hit in hits]


def unanswered(name: str, hits: Sequence[Hit]) -> list[Figure]:
    """
    How many of a thousand were not accepted; nothing if all were.
    """
    bad = sum(hit.status != 202 for hit in hits)
    return [Figure(f"{name}, not accepted of 1,000", bad / len(hits) * 1000, "of 1,000")] if bad else []


@contextmanager
def _bare_route(port: int) -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.peers.bare_fastapi", str(port)], cwd=ROOT)
    try:
        url = f"http://{HOST}:{port}"
        deadline = time.monotonic() + 30
        while True:
            try:
                httpx.get(f"{url}/docs", timeout=2).raise_for_status()
                break
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        yield f"{url}/v1/requests"
    finally:
        process.terminate()
        process.wait()
