"""
Accepted means kept: Kafka stopped under load with intake killed meanwhile, a full spool, two instances at once.

``make faults-outage`` (``python -m tests.faults.outage``) starts a stack of its own on Apache Kafka, prints tables and
exits 1 if anything that got a 2xx was lost, doubled or put out of order. ``make test`` runs a shorter form.
"""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any, Final

import httpx
from rich.console import Console
from rich.table import Table

from deploy.observe import Facts, Observer, facts
from deploy.stack.config import ROOT
from deploy.stack.stack import Stack, taken_ports
from services.common.contracts import topics
from services.common.contracts.catalogue import catalogue
from services.common.contracts.events import DuplicateReceived, RequestReceived, UpdateSubmitted
from tests.faults.check import Finding
from tests.faults.kill_matrix import PLAIN, Kill, Report, Run, show
from tests.faults.stand import own_stack, until

INTAKE_TOPICS: Final = (topics.CONTACTS.name, topics.RECEIVED.name, topics.UPDATES.name)
QUIET_SECONDS: Final = 4.0  # of load before Kafka is stopped and after it is back


@dataclass
class Waits:
    """
    How long callers waited for their 2xx (sending again while intake is down), by what was going on when they first
    asked; and for each single answer, by what was going on when it came.
    """

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    answers: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    most_entries: int = 0
    killed_with: int = 0
    drained_after: float = 0.0
    repeated: int = 0


class Outage(Run):
    """
    The kill matrix's run with another fault: Kafka is stopped; intake is killed while it is away, and while it drains.
    """

    def __init__(self, stack: Stack, seed: int, away: float) -> None:
        super().__init__(stack, seed)
        self._away = away
        self._phase = "before"
        self.waits = Waits()
        self.updates: dict[str, list[str]] = {}  # request_id -> update_ids in the order in which they were accepted

    async def examine(self, rate: float, kills: int) -> Report:
        """
        The run, and what is to be checked here besides.
        """
        observer = await asyncio.to_thread(Observer, self._env["KAFKA_BOOTSTRAP_SERVERS"], INTAKE_TOPICS, from_now=True)
        report = await self.go(int(rate * QUIET_SECONDS), rate, kills)
        seen = [one for one in await asyncio.to_thread(observer.catch_up) if one.event is not None]
        observer.close()
        self.waits.repeated = facts(seen).repeated
        received: set[str] = set()
        submitted: dict[str, dict[str, None]] = defaultdict(dict)
        for one in seen:
            assert one.event is not None
            data = one.event.data
            if isinstance(data, RequestReceived):
                received.add(data.request_id)
            elif isinstance(data, UpdateSubmitted):
                submitted[data.request_id].setdefault(data.update_id)
        results = await self._results()
        report.findings += [
            Finding("stands on requests.received", tuple(i for i in self.told.accepted if i not in received)),
            Finding(
                "updates stand in the order in which they were accepted",
                tuple(i for i, ids in self.updates.items() if [u for u in submitted[i] if u in ids] != ids),
            ),
            Finding(
                "both updates applied", tuple(i for i, ids in self.updates.items() if not set(ids) <= results)
            ),
        ]  # fmt: skip
        return report

    async def _results(self) -> set[str]:
        """
        The updates that intake tells to be applied, as soon as it tells so of all.
        """
        applied: set[str] = set()
        async with httpx.AsyncClient(headers={"X-API-Key": self._env["API_KEY"]}, timeout=10) as http:

            async def told() -> bool:
                for request_id, update_ids in self.updates.items():
                    for update_id in [one for one in update_ids if one not in applied]:
                        url = f"{self._env['INTAKE_URL']}/v1/requests/{request_id}/updates/{update_id}"
                        answer = await http.get(url)
                        if answer.is_success and answer.json()["result"] == "applied":
                            applied.add(update_id)
                return len(applied) == sum(map(len, self.updates.values()))

            await until(told, 20)
        return applied

    # -- load --------------------------------------------------------------------------------------------------------

    async def _post(self, path: str, body: dict[str, Any], headers: dict[str, str] | None) -> tuple[int, Any]:
        sent = time.monotonic()
        status, found = await super()._post(path, body, headers)
        if status:
            self.waits.statuses[self._phase][status] += 1
            self.waits.answers[self._phase].append(time.monotonic() - sent)
        return status, found

    async def _insist(self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
        phase, began = self._phase, time.monotonic()
        answer = await super()._insist(path, body, headers)
        self.waits.seconds[phase].append(time.monotonic() - began)
        return answer

    async def _journey(self, n: int) -> None:
        code = PLAIN[n % len(PLAIN)]
        person: dict[str, Any] = {"contact": "none"} if n % 2 else {"citizen": {"email": f"kisi{n}@example.org"}}
        body = {"channel": "web", "service_code": code, "text": f"Kesinti {n}", "external_id": f"{self._run}-{n}"}
        answer = await self._insist("/v1/requests", body | person)
        if answer is None:
            return
        request_id = answer["request_id"]
        self.told.accepted[request_id] = "none" if n % 2 else "contact"
        if n % 5:
            return
        department = {"department": catalogue().services[code].department}
        closing = {"action": "resolve", "outcome": "resolved", "note_public": "Giderildi."}
        for update in ({"action": "accept"}, closing):
            key = {"Idempotency-Key": f"{self._run}-{n}-{update['action']}"}
            taken = await self._insist(f"/v1/requests/{request_id}/updates", department | update, key)
            if taken is None:
                return
            self.updates.setdefault(request_id, []).append(taken["update_id"])
        self.told.resolved.add(request_id)

    # -- the fault ---------------------------------------------------------------------------------------------------

    async def _kill_all(self, kills: int, done: asyncio.Event) -> None:
        try:
            await asyncio.sleep(QUIET_SECONDS)
            self._phase = "Kafka away"
            await asyncio.to_thread(self._stack.stop, "kafka-1")
            away_since = time.monotonic()
            for number in range(kills):
                await asyncio.sleep(max(0.0, away_since + self._away * (number + 1) / (kills + 1) - time.monotonic()))
                await self._kill_intake()
            await asyncio.sleep(max(0.0, away_since + self._away - time.monotonic()))
            self.waits.most_entries = (await self._spool())["entries"]
            await asyncio.to_thread(self._stack.start, "kafka-1")
            back_since = time.monotonic()
            self._phase = "Kafka back"

            async def draining() -> bool:
                return bool((await self._spool())["breaker"] == "closed")

            async def drained() -> bool:
                return bool((await self._spool())["state"] == "empty")

            if kills:
                await until(draining, 60, pause=0.02)
                self.waits.killed_with = (await self._spool())["entries"]
                await self._kill_intake()

            await until(drained, 60)
            self.waits.drained_after = time.monotonic() - back_since
            await asyncio.sleep(QUIET_SECONDS)
        finally:
            done.set()

    async def _kill_intake(self) -> None:
        pid = self._stack.pid("intake")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        kill = Kill("intake", time.monotonic() - self._began)
        self.kills.append(kill)
        at = time.monotonic()
        if await until(lambda: self._another("intake", pid), 60):
            kill.back = time.monotonic() - at
        if await until(lambda: self._handled("intake"), 60):
            kill.working = time.monotonic() - at

    async def _spool(self) -> dict[str, Any]:
        async with httpx.AsyncClient(timeout=5) as http:
            found: dict[str, Any] = (await http.get(self._env["INTAKE_URL"] + "/readyz")).json()["spool"]
        return found


# -- instances beside the stack's -------------------------------------------------------------------------------------


@contextmanager
def another_intake(stack: Stack, name: str, **more: str) -> Iterator[str]:
    """
    A second intake with a data folder and a port of its own; gives its URL when it serves.
    """
    base = stack.config.port_base
    port = next(port for port in range(base + 50, base + 90) if not taken_ports({"": port}))
    folder = stack.config.run_dir / name
    mine = {"INTAKE_PORT": str(port), "INTAKE_DATA_DIR": str(folder), **more}
    with (stack.config.run_dir / "logs" / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.intake"],
            cwd=ROOT,
            env={**os.environ, **stack.env, **mine},
            stdout=log,
            stderr=log,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            asyncio.run(_serves(url))
            yield url
        finally:
            process.terminate()
            process.wait(30)


async def _serves(url: str) -> None:
    async with httpx.AsyncClient() as http:

        async def direct() -> bool:
            try:
                return bool((await http.get(url + "/readyz")).json()["spool"]["breaker"] == "closed")
            except httpx.HTTPError:
                return False

        if not await until(direct, 30):
            raise RuntimeError(f"{url} does not serve")


async def _registered(observer: Observer, wanted: set[str], doubled: Set[str] = frozenset()) -> Facts:
    """
    What the topics say as soon as all wanted requests are registered, and those that came in two versions said so; or
    after three minutes.
    """
    found = Facts()

    async def there() -> bool:
        nonlocal found
        found = facts(await asyncio.to_thread(observer.catch_up))
        return wanted <= {i for i, events in found.registered.items() if events} and doubled <= _duplicates(observer)

    await until(there, 180, pause=0.5)
    await asyncio.sleep(3)  # what comes twice comes late
    return facts(await asyncio.to_thread(observer.catch_up))


def _duplicates(observer: Observer) -> set[str]:
    events = (one.event.data for one in observer.seen if one.event is not None)
    return {event.request_id for event in events if isinstance(event, DuplicateReceived)}


@dataclass
class Part:
    """
    What one part of the suite showed.
    """

    title: str
    findings: list[Finding]

    @property
    def ok(self) -> bool:
        """
        Nothing is wrong.
        """
        return all(finding.ok for finding in self.findings)


async def full_spool(stack: Stack, url: str) -> Part:
    """
    Kafka away and a spool of 64 KiB: what is accepted is registered, and nothing but that.
    """
    observer = await asyncio.to_thread(Observer, stack.env["KAFKA_BOOTSTRAP_SERVERS"], from_now=True)
    run = str(time.time_ns())

    def body(number: int) -> dict[str, Any]:
        return {"channel": "web", "text": "Taşan " + "ş" * 400, "external_id": f"{run}-{number}"}

    accepted: dict[int, str] = {}
    refused: list[int] = []
    without_retry_after: list[str] = []
    async with httpx.AsyncClient(headers={"X-API-Key": stack.env["API_KEY"]}, timeout=15, base_url=url) as http:
        await asyncio.to_thread(stack.stop, "kafka-1")
        for number in range(300):
            answer = await http.post("/v1/requests", json=body(number))
            if answer.status_code == 202:
                accepted[number] = answer.json()["request_id"]
            else:
                refused.append(number)
                if answer.status_code != 503 or int(answer.headers.get("Retry-After", 0)) < 1:
                    without_retry_after.append(str(number))
            if len(refused) == 30:
                break
        ready = await http.get("/readyz")
        await asyncio.to_thread(stack.start, "kafka-1")

        async def empty() -> bool:
            return bool((await http.get("/readyz")).json()["spool"]["state"] == "empty")

        drained = await until(empty, 60)
        found = await _registered(observer, set(accepted.values()))
        first = {i for i, events in found.registered.items() if events}
        again = [await http.post("/v1/requests", json=body(number)) for number in refused]
    observer.close()
    wanted = set(accepted.values())
    full = ready.status_code == 503 and ready.json()["spool"]["state"] == "full"
    return Part(
        f"spool of 64 KiB, Kafka away: {len(accepted)} accepted, then {len(refused)} refused",
        [
            Finding("something was accepted and something refused", () if accepted and refused else ("?",)),
            Finding("a refusal is a 503 with Retry-After", tuple(without_retry_after)),
            Finding("/readyz said so: 503, full", () if full else ("?",)),
            Finding("all of the spool reached Kafka", () if drained else ("?",)),
            Finding("every accepted one registered once", tuple(i for i in wanted if len(found.registered[i]) != 1)),
            Finding("nothing else registered", tuple(first - wanted)),
            Finding("the refused are taken afterwards", tuple("?" for one in again if one.status_code != 202)),
        ],
    )


async def two_instances(stack: Stack, other: str, pairs: int) -> Part:
    """
    The same external_id to both at the same time: with the same body, and with another.
    """
    observer = await asyncio.to_thread(Observer, stack.env["KAFKA_BOOTSTRAP_SERVERS"], from_now=True)
    run = str(time.time_ns())
    same: dict[str, bool] = {}  # request_id -> whether both answers were the same 202
    answers: Counter[str] = Counter()
    both_taken: set[str] = set()
    taken: set[str] = set()
    odd: list[str] = []
    async with httpx.AsyncClient(headers={"X-API-Key": stack.env["API_KEY"]}, timeout=15) as http:

        async def both(first: dict[str, Any], second: dict[str, Any]) -> list[httpx.Response]:
            urls = (stack.env["INTAKE_URL"], other)
            posts = (http.post(f"{u}/v1/requests", json=b) for u, b in zip(urls, (first, second), strict=True))
            return list(await asyncio.gather(*posts))

        for number in range(pairs):
            body = {"channel": "web", "text": f"Aynı anda {number}", "external_id": f"{run}-{number}"}
            one, two = await both(body, body)
            same[one.json().get("request_id", f"?{number}")] = one.status_code == 202 and one.text == two.text
        for number in range(pairs):
            body = {"channel": "web", "text": "Biri", "external_id": f"{run}-other-{number}"}
            pair = await both(body, body | {"text": "Öteki"})
            codes = sorted(answer.status_code for answer in pair)
            answers[" and ".join(map(str, codes))] += 1
            ids = {answer.json()["request_id"] for answer in pair if answer.status_code == 202}
            taken |= ids
            if codes == [202, 202]:
                both_taken |= ids
            if codes not in ([202, 202], [202, 409]) or len(ids) != 1:
                odd.append(f"{number}")
    found = await _registered(observer, {*same, *taken}, both_taken)
    duplicates = _duplicates(observer)
    observer.close()
    several = ", ".join(f"{count} times {codes}" for codes, count in sorted(answers.items()))
    return Part(
        f"two instances, one external_id to both at once: {pairs} times one body, then two bodies: {several}",
        [
            Finding("same body: the same answer twice", tuple(i for i, agreed in same.items() if not agreed)),
            Finding("same body: one request", tuple(i for i in same if len(found.registered[i]) != 1)),
            Finding("same body: no DuplicateReceived", tuple(set(same) & duplicates)),
            Finding("other body: 202 and 409, or 202 twice", tuple(odd)),
            Finding("other body: one request", tuple(i for i in taken if len(found.registered[i]) != 1)),
            Finding("other body, 202 twice: DuplicateReceived", tuple(both_taken - duplicates)),
        ],
    )


# -- tables ----------------------------------------------------------------------------------------------------------


def _times(seconds: list[float]) -> Iterator[str]:
    cuts = quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else [*seconds, 0.0] * 99
    yield from (f"{value * 1000:.0f}" for value in (cuts[49], cuts[98], max(seconds, default=0.0)))


def show_waits(waits: Waits, console: Console) -> None:
    """
    Print how long callers waited.
    """
    table = Table(title="how long callers waited, in ms", title_justify="left")
    for column in (
        "",
        "accepted",
        "until a 2xx: p50",
        "p99",
        "longest",
        "one answer: p50",
        "p99",
        "longest",
        "answers",
    ):
        table.add_column(column, justify="left" if column in ("", "answers") else "right")
    for phase, seconds in waits.seconds.items():
        codes = ", ".join(f"{count} × {code}" for code, count in sorted(waits.statuses[phase].items()))
        table.add_row(phase, str(len(seconds)), *_times(seconds), *_times(waits.answers[phase]), codes)
    console.print(table)
    console.print(
        f"most entries in the spool {waits.most_entries}; when intake was killed draining {waits.killed_with}; "
        f"all in Kafka {waits.drained_after:.1f} s after it was back; records twice on intake's topics {waits.repeated}"
    )


def show_part(part: Part, console: Console) -> None:
    """
    Print one part's findings.
    """
    table = Table(title=part.title, title_justify="left", min_width=min(118, len(part.title) + 1))
    table.add_column("what must hold")
    table.add_column("wrong", justify="right")
    for finding in part.findings:
        sample = " ".join(finding.wrong[:3])
        table.add_row(finding.name, f"{len(finding.wrong)} {sample}".strip(), style="" if finding.ok else "bold red")
    console.print(table)


def run_outage(stack: Stack, *, rate: float, away: float, kills: int, console: Console) -> bool:
    """
    The first part, with its tables; whether nothing was lost, doubled or out of order.
    """

    async def run() -> tuple[Outage, Report]:
        outage = Outage(stack, 1, away)
        return outage, await outage.examine(rate, kills)

    outage, report = asyncio.run(run())
    show_waits(outage.waits, console)
    show(report, console)
    return report.ok and len(report.kills) == (kills + 1 if kills else 0) and outage.waits.most_entries > 0


def run_part(stack: Stack, part: Callable[[str], Any], console: Console, **settings: str) -> bool:
    """
    A part that needs a second instance, with its table; whether nothing is wrong.
    """
    with another_intake(stack, f"intake-{time.time_ns()}", **settings) as url:
        result: Part = asyncio.run(part(url))
    show_part(result, console)
    return result.ok


def main() -> int:
    """
    Start a stack, run all parts, stop. 0 if nothing that was accepted was lost, doubled or out of order.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second")
    parser.add_argument("--away", type=float, default=30.0, help="seconds without Kafka")
    parser.add_argument("--kills", type=int, default=2, help="of intake, meanwhile; one more while it drains")
    parser.add_argument("--pairs", type=int, default=200, help="posts to two instances at once")
    options = parser.parse_args()
    console = Console(width=120)
    with own_stack("outage", console, "jvm") as stack:
        good = [
            run_outage(stack, rate=options.rate, away=options.away, kills=options.kills, console=console),
            run_part(stack, lambda url: full_spool(stack, url), console, INTAKE_SPOOL_MAX_BYTES="65536"),
            run_part(stack, lambda url: two_instances(stack, url, options.pairs), console),
        ]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
