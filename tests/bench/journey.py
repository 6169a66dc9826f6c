"""
From a citizen's request to everybody who waits for it: on the department's topic, handed over to notify's provider,
visible in reporting; at steady rates, with everything running, and what that costs in processor and memory.

Times count from when the load tool sent the request. Where a record stands they end at the time that its writer gave
it (Kafka's CreateTime), and, for departments, also when a consumer of our own outside had it in hand; for reporting
they end when ``GET /v1/requests/{id}`` first shows it, asked again and again for some of the requests: a figure that
may be ten milliseconds and a tenth too long.
"""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

import aiohttp
import httpx
from kafka import KafkaConsumer, TopicPartition

from deploy.observe import DEPARTMENT_TOPICS
from deploy.stack.config import SERVICES
from deploy.stack.stack import Stack
from services.common.contracts.envelope import TYPE_PREFIX
from services.common.contracts.topics import NOTIFICATIONS
from tests.bench.broker import watching
from tests.bench.costs import Cost, costs, spent
from tests.bench.figures import Figure, spread
from tests.bench.inputs import bodies
from tests.bench.load import Hit, attack, fire

RATES: Final = (50, 200, 500)
WARM_UP_SECONDS: Final = 10.0
ARRIVAL_SECONDS: Final = 60.0
SAMPLED_A_SECOND: Final = 5
ASKED_AGAIN_SECONDS: Final = 0.01  # and a tenth of the wait so far: asking must not become the load
JUDGED_AT: Final = 200  # requests a second: goals and costs are of this rate
IDLE_MB: Final = 600.0
OURS: Final = tuple(process.name for process in SERVICES)
GOALS: Final[Mapping[str, Mapping[str, float]]] = {  # ms, of design.md 9
    "on the department's topic": {"p50": 20, "p99": 100},
    "visible in reporting": {"p99": 500},
}


def idle(stack: Stack) -> list[Figure]:
    """
    Memory of each of our processes that just came up, and of all.
    """
    found = costs(stack, OURS)
    return [
        Figure("idle, memory of all our processes (PSS)", sum(c.megabytes for c in found.values()), "MB", IDLE_MB),
        *(Figure(f"idle, memory of {name}", cost.megabytes, "MB") for name, cost in found.items()),
    ]


def journeys(stack: Stack, seed: int, seconds: float, tick: Callable[[str], None]) -> list[Figure]:
    """
    The figures at each rate on a stack that is up. ``tick`` is told what is done.
    """
    target, headers = f"{stack.env['INTAKE_URL']}/v1/requests", {"X-API-Key": stack.env["API_KEY"]}
    fire(target, bodies(2_000, seed), headers, rate=100, seconds=WARM_UP_SECONDS)
    figures: list[Figure] = []
    for rate in RATES:
        figures += _at(stack, rate, seed + rate, seconds)
        tick(f"journey at {rate}/s")
    return figures


def _at(stack: Stack, rate: int, seed: int, seconds: float) -> list[Figure]:
    servers = stack.env["KAFKA_BOOTSTRAP_SERVERS"]
    target, headers = f"{stack.env['INTAKE_URL']}/v1/requests", {"X-API-Key": stack.env["API_KEY"]}
    processes = [process.name for process in stack.config.processes]
    count = int((rate - SAMPLED_A_SECOND) * seconds)
    before = costs(stack, processes)
    with (
        watching(servers, *DEPARTMENT_TOPICS) as departments,
        watching(servers, NOTIFICATIONS.name) as notifications,
        Outside(servers) as outside,
    ):
        with attack(target, bodies(count, seed), headers, rate=rate - SAMPLED_A_SECOND, seconds=seconds) as load:
            shown = asyncio.run(_sampled(stack, seed + 1, seconds))
            hits = load.hits()
        sent = {_number(hit): hit.at for hit in hits if hit.status == 202}
        everything = len(sent) + len(shown)
        departments.wait(everything, ARRIVAL_SECONDS)
        notifications.settle(everything, ARRIVAL_SECONDS)
        after = costs(stack, processes)
        assigned = first_times((record.key, record.timestamp) for record in departments.records())
        handed = first_times(
            (record.key, record.timestamp) for record in notifications.records() if _kind(record) == "NotificationSent"
        )
    figures = [
        *between("on the department's topic", rate, sent, assigned),
        *between("in a department's hands", rate, sent, outside.seen),
        *between("handed over to the provider", rate, sent, handed),
        *spread(f"{rate}/s, visible in reporting", shown, _goals("visible in reporting", rate)),
    ]
    return figures + (_costs(rate, everything, before, after) if rate == JUDGED_AT else [])


def between(what: str, rate: int, sent: Mapping[str, float], arrived: Mapping[str, float]) -> list[Figure]:
    """
    Milliseconds from being sent until having arrived; what never arrived is a figure of its own.
    """
    times = [(arrived[number] - at) * 1000 for number, at in sent.items() if number in arrived]
    missing = len(sent) - len(times)
    figures = spread(f"{rate}/s, {what}", times, _goals(what, rate)) if times else []
    if missing:
        figures.append(Figure(f"{rate}/s, {what}: not within a minute", missing / len(sent) * 1000, "of 1,000"))
    return figures


def first_times(pairs: Iterable[tuple[bytes | None, int]]) -> dict[str, float]:
    """
    When (Unix) each key was first written; times given in milliseconds.
    """
    found: dict[str, float] = {}
    for key, milliseconds in pairs:
        number, at = (key or b"").decode(), milliseconds / 1000
        found[number] = min(at, found.get(number, at))
    return found


class Outside:
    """
    A consumer of all departments' topics as a department would write it, in a thread: when it had what in hand.
    """

    def __init__(self, servers: str) -> None:
        self.seen: dict[str, float] = {}
        self._servers = servers
        self._ended = threading.Event()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Outside":
        self._thread.start()
        self._begun.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with KafkaConsumer(bootstrap_servers=self._servers.split(","), enable_auto_commit=False) as consumer:
            places = [TopicPartition(topic, 0) for topic in DEPARTMENT_TOPICS]
            consumer.assign(places)
            consumer.seek_to_end(*places)
            for place in places:
                consumer.position(place)
            self._begun.set()
            while not self._ended.is_set():
                found = consumer.poll(timeout_ms=100)
                now = time.time()
                for records in found.values():
                    for record in records:
                        self.seen.setdefault((record.key or b"").decode(), now)


async def _sampled(stack: Stack, seed: int, seconds: float) -> list[float]:
    """
    Post some requests of the same kind; milliseconds from before the post until reporting shows each.
    """
    headers, found = {"X-API-Key": stack.env["API_KEY"]}, list[float]()

    async def follow(http: aiohttp.ClientSession, body: Mapping[str, Any]) -> None:
        at = time.monotonic()
        with suppress(aiohttp.ClientError, TimeoutError):  # no answer in time: its wait is counted
            async with http.post(f"{stack.env['INTAKE_URL']}/v1/requests", json=body) as answer:
                if answer.status != httpx.codes.ACCEPTED:
                    return
                number = (await answer.json())["request_id"]
            while not await _is_shown(http, f"{stack.env['REPORTING_URL']}/v1/requests/{number}"):
                if (waited := time.monotonic() - at) > ARRIVAL_SECONDS:
                    break
                await asyncio.sleep(ASKED_AGAIN_SECONDS + waited / 10)
        found.append((time.monotonic() - at) * 1000)

    supply = bodies(int(SAMPLED_A_SECOND * seconds), seed)
    timeout = aiohttp.ClientTimeout(30)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as http, asyncio.TaskGroup() as group:
        began = time.monotonic()
        for number, body in enumerate(supply):
            await asyncio.sleep(max(0.0, began + number / SAMPLED_A_SECOND - time.monotonic()))
            group.create_task(follow(http, body))
    return found


async def _is_shown(http: aiohttp.ClientSession, place: str) -> bool:
    async with http.get(place) as answer:
        return answer.ok


def _costs(rate: int, requests: int, before: Mapping[str, Cost], after: Mapping[str, Cost]) -> list[Figure]:
    thousands, seconds = requests / 1000, spent(before, after)
    return [
        *(
            Figure(f"{rate}/s, processor of {name} per 1,000 requests", s / thousands, "s")
            for name, s in seconds.items()
        ),
        *(Figure(f"{rate}/s, memory of {name}", after[name].megabytes, "MB") for name in OURS if name in after),
    ]


def _goals(what: str, rate: int) -> Mapping[str, float] | None:
    return GOALS.get(what) if rate == JUDGED_AT else None


def _number(hit: Hit) -> str:
    return str(json.loads(hit.answer)["request_id"])


def _kind(record: Any) -> str:
    headers = dict(record.headers)
    return headers["ce_type"].decode().removeprefix(TYPE_PREFIX)
