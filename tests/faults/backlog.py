"""
Emergencies first: routing stands still, thousands of ordinary requests gather, routing comes back, and emergencies are
submitted while it works off what has gathered.

``python -m tests.faults.backlog --backlog 10000 --emergencies 50`` starts a stack of its own on Apache Kafka, prints a
table and exits 1 if an emergency was late, or anything lost or doubled. Times are from before the POST to the record's
time on the department's topic; of the backlog, from routing's being ready.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Final

import httpx
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from rich.console import Console
from rich.table import Table

from deploy.observe import DEPARTMENT_TOPICS, Observer, facts
from deploy.stack.stack import Stack
from services.common.contracts.catalogue import catalogue
from services.common.contracts.envelope import encode
from services.common.contracts.topics import LIFECYCLE, RECEIVED
from tests.builders import meta_of, request
from tests.faults.check import Finding
from tests.faults.kill_matrix import PLAIN
from tests.faults.stand import own_stack, until

LIMIT_SECONDS: Final = 10.0
"""Issue 4: emergency submitted -> department, 99 of 100."""
GIVE_UP_SECONDS: Final = 900.0
EMERGENCIES: Final = [code for code, service in catalogue().services.items() if service.emergency and service.public]
WATCHED: Final = (LIFECYCLE.name, *DEPARTMENT_TOPICS)
TEXT: Final = (
    "Merhaba, mahallemizde aylardır süren bir sorunu bildirmek istiyorum. Daha önce de aramıştık, bir ekip gelip baktı "
    "ama bir şey değişmedi. Akşamları çocuklar oynarken gürültü oluyor, sokak lambaları da yanmıyor, çöpler birikiyor. "
    "Gereğini rica ederim. Numara {n}."
)


@dataclass
class Report:
    """
    What the run showed; times in seconds, those of requests that never arrived are missing.
    """

    findings: list[Finding]
    emergencies: list[float]
    ordinary: list[float]

    @property
    def ok(self) -> bool:
        """
        All claims hold.
        """
        return all(finding.ok for finding in self.findings)


def gather(servers: str, count: int) -> list[str]:
    """
    Write so many ordinary requests as intake would, a third of them without a service_code; their numbers.
    """
    chance = random.Random(4)
    ids = []
    with KafkaProducer(bootstrap_servers=servers.split(","), acks="all", linger_ms=20) as producer:
        for n in range(count):
            event = request(service_code=None if n % 3 == 0 else chance.choice(PLAIN), text=TEXT.format(n=n))
            record = encode(RECEIVED, meta_of(event), event)
            producer.send(record.topic, key=record.key, value=record.value, headers=list(record.headers))
            ids.append(event.request_id)
        producer.flush()
    return ids


async def submit(url: str, api_key: str, count: int, apart: float) -> dict[str, float]:
    """
    Post an emergency every ``apart`` seconds; their numbers, and when (Unix) each was about to be sent.
    """
    sent: dict[str, float] = {}

    async def post(http: httpx.AsyncClient, n: int) -> None:
        at = time.time()
        body = {"channel": "web", "contact": "none", "text": f"Acil {n}", "external_id": f"acil-{at}-{n}"}
        place = {"location": {"address": "Serdivan, örnek adres"}}
        code = EMERGENCIES[n % len(EMERGENCIES)]
        answer = await http.post("/v1/requests", json=body | place | {"service_code": code})
        sent[answer.raise_for_status().json()["request_id"]] = at

    client = httpx.AsyncClient(base_url=url, headers={"X-API-Key": api_key}, timeout=30)
    async with client as http, asyncio.TaskGroup() as group:
        began = time.monotonic()
        for n in range(count):
            group.create_task(post(http, n))
            await asyncio.sleep(max(0.0, began + (n + 1) * apart - time.monotonic()))
    return sent


def department_times(servers: str) -> dict[str, float]:
    """
    When (Unix) each request first stood on a department's topic.
    """
    found: dict[str, float] = {}
    with KafkaConsumer(bootstrap_servers=servers.split(","), enable_auto_commit=False) as consumer:
        places = [
            TopicPartition(topic, number)
            for topic in DEPARTMENT_TOPICS
            for number in consumer.partitions_for_topic(topic) or ()
        ]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        while any(consumer.position(place) < ends[place] for place in places):
            for records in consumer.poll(timeout_ms=500, max_records=5_000).values():
                for record in records:
                    key, at = (record.key or b"").decode(), record.timestamp / 1000
                    found[key] = min(at, found.get(key, at))
    return found


async def run(stack: Stack, backlog: int, emergencies: int, apart: float, console: Console) -> Report:
    """
    The run against a stack that is up.
    """
    servers = stack.env["KAFKA_BOOTSTRAP_SERVERS"]
    observer = await asyncio.to_thread(Observer, servers, WATCHED, from_now=True)
    await asyncio.to_thread(stack.stop, "routing")
    ordinary = await asyncio.to_thread(gather, servers, backlog)
    console.print(f"{len(ordinary)} ordinary requests have gathered; routing starts")
    await asyncio.to_thread(stack.start, "routing")
    ready = time.time()
    sent = await submit(stack.env["INTAKE_URL"], stack.env["API_KEY"], emergencies, apart)
    submitted = time.time()
    wanted = {*ordinary, *sent}
    missing = set(wanted)

    async def assigned() -> bool:
        new = await asyncio.to_thread(observer.poll)
        missing.difference_update(one.event.data.key for one in new if one.event and one.topic in DEPARTMENT_TOPICS)
        return not missing

    await until(assigned, GIVE_UP_SECONDS, pause=0.5)
    await asyncio.sleep(3)  # what comes twice comes late
    found = facts(await asyncio.to_thread(observer.catch_up))
    observer.close()
    at = await asyncio.to_thread(department_times, servers)
    waits = sorted(at[i] - sent[i] for i in sent if i in at)
    drained = sorted(at[i] - ready for i in ordinary if i in at)
    late = percentile(waits, 99) > LIMIT_SECONDS
    early = [i for i in ordinary if i in at and at[i] < submitted]
    return Report(
        [
            Finding("registered once", tuple(i for i in wanted if len(found.registered[i]) != 1)),
            Finding("assigned once", tuple(i for i in wanted if len(found.assigned[i]) != 1)),
            Finding("emergencies assigned once", tuple(i for i in sent if len(found.assigned[i]) != 1)),
            Finding("stands on its holder's topic", tuple(i for i in wanted if i not in at)),
            Finding("no event in two versions", ("?",) * found.in_two_versions),
            Finding("nothing unreadable on our topics", ("?",) * found.unreadable),
            Finding("there was a backlog as long as emergencies came", ("?",) * (len(early) == len(ordinary))),
            Finding(f"p99 of emergencies at most {LIMIT_SECONDS:.0f} s", ("?",) * late),
        ],
        waits,
        drained,
    )


def percentile(seconds: Sequence[float], percent: int) -> float:
    """
    Of sorted times; without end if there are none.
    """
    if len(seconds) < 2:
        return seconds[0] if seconds else float("inf")
    return quantiles(seconds, n=100, method="inclusive")[percent - 1]


def show(report: Report, console: Console) -> None:
    """
    Print the tables.
    """
    table = Table(title="until it stands on the department's topic, in seconds", title_justify="left")
    for column in ("", "requests", "p50", "p95", "p99", "longest"):
        table.add_column(column, justify="right" if column else "left")
    for name, seconds in (("emergencies, from their POST", report.emergencies),
                          ("the backlog, from routing's being ready", report.ordinary)):  # fmt: skip
        numbers = [*(percentile(seconds, one) for one in (50, 95, 99)), max(seconds, default=float("inf"))]
        table.add_row(name, str(len(seconds)), *(f"{number:.2f}" for number in numbers))
    console.print(table)
    claims = Table()
    claims.add_column("what must hold")
    claims.add_column("wrong", justify="right")
    for finding in report.findings:
        sample = " ".join(finding.wrong[:3])
        claims.add_row(finding.name, f"{len(finding.wrong)} {sample}".strip(), style="" if finding.ok else "bold red")
    console.print(claims)


def main() -> int:
    """
    Start a stack, run, print, stop. 0 if all claims hold.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backlog", type=int, default=10_000)
    parser.add_argument("--emergencies", type=int, default=50)
    parser.add_argument("--apart", type=float, default=0.2, help="seconds between two emergencies")
    options = parser.parse_args()
    console = Console(width=120)
    with own_stack("backlog", console, "jvm") as stack:
        report = asyncio.run(run(stack, **vars(options), console=console))
    show(report, console)
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
