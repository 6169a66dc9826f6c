"""
The kill matrix: a steady stream of requests while intake, routing, notify and the projector are killed with -9.

``make faults-short`` (``python -m tests.faults.kill_matrix --requests 1500 --rate 25 --kills 2``) starts a stack of its
own, prints a table and exits 1 if anything was lost or doubled. ``make test`` runs a shorter form.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import httpx
from kafka.errors import KafkaError
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from deploy.observe import WATCHED, Facts, Observer, Seen, facts
from deploy.stack.stack import Stack
from services.common.contracts.catalogue import catalogue
from services.common.kit.clock import system_clock
from services.reporting.projector import TOPICS
from tests.faults.check import Finding, Told, check, outcome_counts, unknown_outcomes
from tests.faults.figures import REPORTS, differences, recomputed
from tests.faults.stand import own_stack, until

VICTIMS: Final = ("intake", "routing", "notify", "projector")
APART_SECONDS: Final = 25.0  # between two kills of one process
FIRST_KILL_SECONDS: Final = 4.0
GIVE_UP_SECONDS: Final = 90.0
FIGURES_SECONDS: Final = 30.0
PAGE: Final = 200
PLAIN: Final = [code for code, service in catalogue().services.items() if not service.emergency][:60]


@dataclass
class Kill:
    """
    One kill: when in the run, and how long until the next pid was ready and had handled a record.
    """

    process: str
    at: float
    back: float = 0.0
    working: float = 0.0


@dataclass
class Report:
    """
    What the run showed.
    """

    findings: list[Finding]
    kills: list[Kill]
    told: Told
    facts: Facts
    seconds: float
    mails: int = 0
    mails_doubled: int = 0
    trace: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """
        Nothing lost, nothing doubled.
        """
        return all(finding.ok for finding in self.findings)


class Run:
    """
    One run against a stack that is up. ``seen`` is, in the end, what stood on the topics that it ``watched``.
    """

    watched: tuple[str, ...] = WATCHED
    give_up_seconds = GIVE_UP_SECONDS
    most_under_way = 200  # a machine that is behind gets no heap of clients on top

    def __init__(self, stack: Stack, seed: int, tick: Callable[[str, int], None] = lambda _name, _n: None) -> None:
        self._stack = stack
        self._env = stack.env
        self._random = random.Random(seed)
        self._tick = tick
        self._run = f"{seed}-{time.time_ns()}"
        self._began = time.monotonic()
        self.told = Told()
        self.kills: list[Kill] = []
        self.seen: list[Seen] = []
        self._progress: tuple[int, ...] = ()
        self._moved_at = self._began

    async def go(self, requests: int, rate: float, kills: int) -> Report:
        """
        Post, kill, wait until everything agrees or time is up, and check.
        """
        observer = await asyncio.to_thread(Observer, self._env["KAFKA_BOOTSTRAP_SERVERS"], self.watched, from_now=True)
        received_before = await self._received()
        async with self.clients(10, self.most_under_way) as self._posts, asyncio.TaskGroup() as group:
            killing = asyncio.Event()
            group.create_task(self._post_all(requests, rate, killing))
            group.create_task(self._kill_all(kills, killing))
        found, reported, received = facts([]), set[str](), 0
        self._moved_at = time.monotonic()  # the load may have taken longer than anybody may stand still

        async def settled() -> bool:
            nonlocal found, reported, received
            found = facts(await self._caught_up(observer))
            self._note(len(found.registered), len(found.outcomes), received, len(reported))
            self._tick("settled", len(found.outcomes))
            if not all(f.ok for f in check(self.told, found, set(self.told.accepted), len(found.registered))):
                return False
            received = await self._received() - received_before
            if received != len(found.registered):
                return False
            reported |= await self._reported(set(self.told.accepted) - reported)
            return reported == set(self.told.accepted)

        while not self._stuck:  # what is behind is not lost: only a standstill ends the wait
            with suppress(httpx.HTTPError):
                if await settled():
                    break
            await asyncio.sleep(1.0)
        await self._stay_quiet(observer)
        found = facts(await self._caught_up(observer))
        reported |= await self._reported(set(self.told.accepted) - reported)
        findings = check(self.told, found, reported, await self._received() - received_before)
        findings.append(Finding("figures = those recomputed from the topics", await self._odd_figures()))
        observer.close()
        self.seen = observer.seen
        mails = self._mails()
        return Report(
            findings,
            self.kills,
            self.told,
            found,
            time.monotonic() - self._began,
            len(mails),
            len(mails) - len(set(mails)),
        )

    async def _caught_up(self, observer: Observer) -> list[Seen]:
        """
        All that the observer has seen. It is the first to ask after a leader has changed: what it is not told in time
        it asks again.
        """
        while True:
            try:
                return await asyncio.to_thread(observer.catch_up)
            except KafkaError:
                if self._stuck:
                    raise
                await asyncio.sleep(1.0)

    def _note(self, *progress: int) -> None:
        """
        How far everything is; ``_stuck`` once nothing of it has changed for ``give_up_seconds``.
        """
        if progress != self._progress:
            self._progress, self._moved_at = progress, time.monotonic()

    @property
    def _stuck(self) -> bool:
        return time.monotonic() - self._moved_at > self.give_up_seconds

    # -- load --------------------------------------------------------------------------------------------------------

    def clients(self, seconds: float, connections: int) -> aiohttp.ClientSession:
        """
        aiohttp: of 200 requests under way each costs 0.7 ms of processor; with httpx 31 ms, missing where it is tested.
        """
        return aiohttp.ClientSession(
            headers={"X-API-Key": self._env["API_KEY"]},
            timeout=aiohttp.ClientTimeout(seconds),
            connector=aiohttp.TCPConnector(limit=connections),  # nobody queues in the client
        )

    async def _post_all(self, requests: int, rate: float, killing: asyncio.Event) -> None:
        slots = asyncio.Semaphore(self.most_under_way)

        async def journey(n: int) -> None:
            try:
                await self._journey(n)
            finally:
                slots.release()

        async with asyncio.TaskGroup() as group:
            n = 0
            while n < requests or not killing.is_set():
                await slots.acquire()
                group.create_task(journey(n))
                n += 1
                await asyncio.sleep(max(0.0, self._began + n / rate - time.monotonic()))

    async def _journey(self, n: int) -> None:
        code = self._random.choice(PLAIN)
        person: dict[str, Any] = [
            {"contact": "none"},
            {"citizen": {"email": f"kisi{n}@example.org", "name": f"Kişi {n}"}},
            {"citizen": {"phone": f"0555{n:07d}", "name": f"Kişi {n}", "language": "en"}},
        ][n % 3]
        body = {
            "channel": "web",
            "service_code": code,
            "text": f"Deneme başvurusu {n}",
            "external_id": f"{self._run}-{n}",
        }
        answer = await self._insist("/v1/requests", body | person)
        if answer is None:
            return
        request_id = answer["request_id"]
        self.told.accepted[request_id] = "none" if n % 3 == 0 else "contact"
        self._tick("accepted", len(self.told.accepted))
        if n % 5 == 0:
            await asyncio.sleep(self._random.uniform(0.5, 4.0))  # a crew needs its time
            update = {
                "action": "resolve", "department": catalogue().services[code].department,
                "outcome": "resolved", "note_public": "Giderildi.",
            }  # fmt: skip
            key = {"Idempotency-Key": f"{self._run}-{n}-resolve"}
            if await self._insist(f"/v1/requests/{request_id}/updates", update, key) is not None:
                self.told.resolved.add(request_id)

    async def _insist(self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
        """
        Post as a good adapter does: the same key again until there is an answer. None after a minute.
        """
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            status, found = await self._post(path, body, headers)
            if found is not None and status < httpx.codes.BAD_REQUEST:
                return found
            if found is not None and status < httpx.codes.INTERNAL_SERVER_ERROR:
                raise RuntimeError(f"{path}: {status} {found}")
            self.told.retried += 1
            await asyncio.sleep(0.3)
        self.told.refused += 1
        return None

    async def _post(self, path: str, body: dict[str, Any], headers: dict[str, str] | None) -> tuple[int, Any]:
        """
        Status and answer of one try; 0 and None if there was none.
        """
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self._posts.post(self._env["INTAKE_URL"] + path, json=body, headers=headers) as answer:
                return answer.status, await answer.json(content_type=None)
        return 0, None

    # -- kills -------------------------------------------------------------------------------------------------------

    async def _kill_all(self, kills: int, done: asyncio.Event) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for place, process in enumerate(VICTIMS):
                    group.create_task(self._kill(process, kills, FIRST_KILL_SECONDS + 3 * place))
        finally:
            done.set()

    async def _kill(self, process: str, kills: int, first: float) -> None:
        due = self._began + first
        for _ in range(kills):
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if not await until(lambda: self._handled(process), 60):
                raise RuntimeError(f"{process} handles nothing, so killing it proves nothing")
            pid = self._stack.pid(process)
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            kill = Kill(process, time.monotonic() - self._began)
            self.kills.append(kill)
            self._tick("kills", len(self.kills))
            at = time.monotonic()
            if await until(lambda pid=pid: self._another(process, pid), 60):  # type: ignore[misc]
                kill.back = time.monotonic() - at
            if await until(lambda: self._handled(process), 60):
                kill.working = time.monotonic() - at
            due = max(at + APART_SECONDS, time.monotonic())

    async def _another(self, process: str, pid: int) -> bool:
        now = self._stack.pid(process)
        return now not in (None, pid) and await asyncio.to_thread(self._stack.ready, process)

    async def _handled(self, process: str) -> bool:
        """
        Whether the process that serves now has handled something, asked from its own metrics.
        """
        counter = 'http_requests_total{method="POST"' if process == "intake" else "events_handled_total{"
        try:
            async with httpx.AsyncClient(timeout=2) as http:
                text = (await http.get(f"http://127.0.0.1:{self._stack.config.port(process)}/metrics")).text
        except httpx.HTTPError:
            return False
        return any(line.startswith(counter) and float(line.rsplit(" ", 1)[1]) > 0 for line in text.splitlines())

    # -- what the world says -----------------------------------------------------------------------------------------

    async def _get(self, path: str, query: Mapping[str, str | int] | None = None) -> Any:
        async with httpx.AsyncClient(headers={"X-API-Key": self._env["API_KEY"]}, timeout=20) as http:
            return (await http.get(self._env["REPORTING_URL"] + path, params=query)).raise_for_status().json()

    async def _received(self) -> int:
        return int((await self._get("/v1/reports/summary"))["rows"][0]["received"])

    async def _odd_figures(self) -> tuple[str, ...]:
        """
        Which figures are not what all records of the topics give; whoever is behind has half a minute.
        """
        observer = await asyncio.to_thread(Observer, self._env["KAFKA_BOOTSTRAP_SERVERS"], TOPICS)
        odd: tuple[str, ...] = ()

        async def equal() -> bool:
            nonlocal odd
            seen = await self._caught_up(observer)
            shown = {report: (await self._get(f"/v1/reports/{report}"))["rows"] for report in REPORTS}
            events = [one.event for one in seen if one.event]
            odd = differences(await asyncio.to_thread(recomputed, events, system_clock()), shown)
            return not odd

        await until(equal, FIGURES_SECONDS, pause=2)
        observer.close()
        return odd

    async def _reported(self, wanted: set[str]) -> set[str]:
        """
        Those of the wanted requests that reporting lists with a department.
        """
        listed: set[str] = set()
        query: dict[str, str | int] = {"limit": PAGE}
        while not wanted <= listed:
            page = await self._get("/v1/requests", query)
            listed |= {row["request_id"] for row in page["items"] if row["department"]}
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        return wanted & listed

    async def _stay_quiet(self, observer: Observer) -> None:
        """
        Doubles come late: wait until nothing new has come in for five seconds.
        """
        last, since = -1, time.monotonic()
        while time.monotonic() - since < 5:
            seen = len(await self._caught_up(observer))
            if seen != last:
                last, since = seen, time.monotonic()
            await asyncio.sleep(0.5)

    def _mails(self) -> list[str]:
        found = []
        for path in (self._stack.config.run_dir / "mail").glob("*.eml"):
            lines = path.read_text(errors="replace").splitlines()
            found += [line for line in lines if line.lower().startswith("message-id:")][:1]
        return found


def show(report: Report, console: Console) -> None:
    """
    Print the tables.
    """
    kills = Table(title="kill -9", title_justify="left")
    for column in ("process", "at", "ready again", "next record handled"):
        kills.add_column(column, justify="left" if column == "process" else "right")
    for kill in sorted(report.kills, key=lambda one: (one.process, one.at)):
        kills.add_row(kill.process, f"{kill.at:.0f} s", f"{kill.back:.1f} s", f"{kill.working:.1f} s")
    console.print(kills)
    show_findings(report, console)


def show_findings(report: Report, console: Console) -> None:
    """
    Print what was checked and how often it is wrong.
    """
    told = report.told
    table = Table(title=f"{len(told.accepted)} requests got a 2xx, of them {len(told.resolved)} a resolve too")
    table.add_column("every request that got a 2xx …")
    table.add_column("wrong", justify="right")
    for finding in report.findings:
        sample = " ".join(dict.fromkeys(finding.wrong[:3])) if finding.wrong else ""
        table.add_row(finding.name, f"{len(finding.wrong)} {sample}".strip(), style="" if finding.ok else "bold red")
    console.print(table)
    ends = ", ".join(f"{count} {kind}" for kind, count in sorted(outcome_counts(report.facts).items()))
    console.print(
        f"tellings: {ends}, of them unknown {unknown_outcomes(report.facts)}; mails {report.mails}, "
        f"of them sent again with the same Message-ID {report.mails_doubled}; "
        f"records repeated on topics (same ce_id, same bytes) {report.facts.repeated}; "
        f"posts sent again {told.retried}, given up {told.refused}; {report.seconds:.0f} s"
    )


def run_on(stack: Stack, *, requests: int, rate: float, kills: int, seed: int, console: Console) -> Report:
    """
    Run against a stack that is up, with progress.
    """
    with Progress(console=console, transient=True) as progress:
        bars = {name: progress.add_task(name, total=total) for name, total in
                {"accepted": requests, "kills": kills * len(VICTIMS), "settled": None}.items()}  # fmt: skip

        def tick(name: str, count: int) -> None:
            progress.update(bars[name], completed=count)

        return asyncio.run(Run(stack, seed, tick).go(requests, rate, kills))


def main() -> int:
    """
    Start a stack, run, print, stop. 0 if nothing was lost or doubled.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_500)
    parser.add_argument("--rate", type=float, default=25.0, help="requests a second")
    parser.add_argument("--kills", type=int, default=2, help="of each of " + ", ".join(VICTIMS))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    console = Console()
    with own_stack("faults", console, "jvm") as stack:
        report = run_on(stack, console=console, **vars(options))
        show(report, console)
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
