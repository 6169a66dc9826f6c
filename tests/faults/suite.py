"""
The fault suite: every fault of schedule.py, on three brokers under load, and then the account in Jepsen's manner.

``make faults`` (``python -m tests.faults.suite --requests 20000 --minutes 10 --seed 1``) starts a stack of its own on
Apache Kafka, prints tables and exits 1 if anything that a client was told is lost, doubled, out of order or went back
in time; then the folder with logs and history stays. ``make test-long`` runs a short form.
"""

import argparse
import asyncio
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import aiohttp
import httpx
from rich.console import Console
from rich.table import Table

from deploy.observe import WATCHED
from deploy.stack.config import ROOT, SERVICES
from deploy.stack.stack import quiet_clients
from services.common.contracts.catalogue import catalogue
from services.common.contracts.events import Lifecycle, Notification
from services.common.contracts.ids import message_hash
from services.common.contracts.topics import LIFECYCLE, UPDATES
from services.notify.transitions import transition_of
from tests.faults.check import Finding
from tests.faults.history import History
from tests.faults.inject import Injected, Injector
from tests.faults.kill_matrix import PLAIN, Report, Run, show_findings
from tests.faults.network import Network
from tests.faults.order import one_effect_each, reordered, stale, updates_in_order
from tests.faults.rig import Rig, standing
from tests.faults.schedule import PROCESSES, Fault, Kind, schedule
from tests.faults.told_once import Count, Providers, Published, count
from tests.standins import sms as gateway
from tests.standins.running import in_thread

PATIENCE_SECONDS: Final = 300.0  # how long a client sends one thing again
LONGEST_PAUSE: Final = 5.0
READS_APART: Final = 0.1
LOOKED_AT: Final = 200  # of the requests that were accepted last
LAST_WORD: Final = "Giderildi."
SPOOL_SECONDS: Final = 10  # of load fill the spool: SPOOL lasts longer
ENTRY_BYTES: Final = 1_200


class Suite(Run):
    """
    The kill matrix's run with the schedule's faults, clients that do not give up, and a reader beside.
    """

    watched = (*WATCHED, UPDATES.name)
    give_up_seconds = 150.0

    def __init__(
        self,
        rig: Rig,
        ways: Network,
        faults: Sequence[Fault],
        seed: int,
        history: History,
        say: Callable[[str], None],
    ) -> None:
        super().__init__(rig, seed)
        self._say = say
        self._env = {**rig.env, "KAFKA_BOOTSTRAP_SERVERS": rig.config.bootstrap_servers}  # our own way is a fair one
        self._faults = faults
        self._history = history
        self._chance = random.Random(seed)
        self.injector = Injector(rig, ways, self._injected)
        self.updates: dict[str, list[str]] = defaultdict(list)
        self.in_doubt: set[str] = set()  # requests of which an update was given up
        self.answers: Counter[str] = Counter()
        self.refusals: list[str] = []
        self.reads: list[tuple[str, int]] = []

    async def examine(self, requests: int, rate: float, sms: gateway.StandInSms) -> tuple[Report, Count]:
        """
        The run, and all that is to be checked.
        """
        report = await self.go(requests, rate, 0)
        told = self._told(sms)
        known = {finding.name for finding in report.findings}
        report.findings += [
            reordered(self.seen),
            updates_in_order(self.seen, self.updates),
            one_effect_each(self.seen, self.updates, self.in_doubt),
            stale(self.reads),
            Finding("nothing registered that nobody was told of", tuple(self._untold(report))),
            Finding("nobody was refused or gave up", (*self.refusals, *("?",) * self.told.refused)),
            *(finding for finding in told.findings if finding.name not in known),
            Finding("well again after every fault", tuple(self._not_well())),
            Finding("every process serves in the end", tuple(await asyncio.to_thread(self._not_serving))),
        ]
        return report, told

    # -- load --------------------------------------------------------------------------------------------------------

    async def _journey(self, n: int) -> None:
        code = PLAIN[n % len(PLAIN)]
        people: tuple[dict[str, Any], ...] = (
            {"contact": "none"},
            {"citizen": {"email": f"kisi{n}@example.org"}},
            {"citizen": {"phone": f"0555{n:07d}"}},
        )
        body = {"channel": "web", "service_code": code, "text": f"Deneme başvurusu {n}"} | people[n % 3]
        answer = await self._insist("/v1/requests", body, {"Idempotency-Key": f"{self._run}-{n}"})
        if answer is None:
            return
        request_id = answer["request_id"]
        self.told.accepted[request_id] = "none" if n % 3 == 0 else "contact"
        if n % 4:
            return
        department = {"department": catalogue().services[code].department}
        closing = {"action": "resolve", "outcome": "resolved", "note_public": LAST_WORD}
        for update in ({"action": "accept"}, closing):
            await asyncio.sleep(self._chance.uniform(0.0, 4.0))  # a crew needs its time
            key = {"Idempotency-Key": f"{self._run}-{n}-{update['action']}"}
            taken = await self._insist(f"/v1/requests/{request_id}/updates", department | update, key)
            if taken is None:
                self.in_doubt.add(request_id)
                return
            self.updates[request_id].append(taken["update_id"])
        self.told.resolved.add(request_id)

    async def _insist(self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
        began, pause, tries = time.monotonic(), 0.3, 0
        while time.monotonic() - began < PATIENCE_SECONDS:
            tries += 1
            status, found = await self._post(path, body, headers)
            self.answers[str(status or "none")] += 1
            if found is not None and status < httpx.codes.BAD_REQUEST:
                took = round(time.monotonic() - began, 3)
                number = found.get("update_id") or found["request_id"]
                self._history.note("taken", path=path, id=number, tries=tries, took=took)
                return found
            if httpx.codes.BAD_REQUEST <= status < 500 and status != httpx.codes.TOO_MANY_REQUESTS:
                self.refusals.append(f"{status} {path}")
                self._history.note("refused", path=path, status=status, tries=tries)
                return None
            self.told.retried += 1
            await asyncio.sleep(pause * self._chance.uniform(0.5, 1.5))
            pause = min(2 * pause, LONGEST_PAUSE)
        self.told.refused += 1
        self._history.note("given up", path=path, tries=tries)
        return None

    async def _read_on(self) -> None:
        """
        Read one request after the other, and now and then the figure, without end.
        """
        async with self.clients(5, 1) as http:
            turn = 0
            while True:
                await asyncio.sleep(READS_APART)
                turn += 1
                recent = list(self.told.accepted)[-LOOKED_AT:]
                with suppress(aiohttp.ClientError, TimeoutError):
                    if turn % 20 == 0:
                        async with http.get(f"{self._env['REPORTING_URL']}/v1/reports/summary") as summary:
                            if summary.ok:
                                self._has_read("summary.received", int((await summary.json())["rows"][0]["received"]))
                    elif recent:
                        request_id = self._chance.choice(recent)
                        async with http.get(f"{self._env['REPORTING_URL']}/v1/requests/{request_id}") as found:
                            if found.status in (httpx.codes.OK, httpx.codes.NOT_FOUND):
                                steps = (await found.json(content_type=None)).get("history", ())
                                self._has_read(request_id, max((step["seq"] for step in steps), default=0))

    def _has_read(self, name: str, value: int) -> None:
        self.reads.append((name, value))
        self._history.note("read", of=name, value=value)

    # -- faults ------------------------------------------------------------------------------------------------------

    async def _kill_all(self, kills: int, done: asyncio.Event) -> None:
        reading = asyncio.create_task(self._read_on())
        try:
            await self.injector.run(self._faults)
        finally:
            reading.cancel()
            done.set()

    def _injected(self, one: Injected) -> None:
        fault = one.fault
        self._history.note(
            "fault", kind=fault.kind, target=one.target, amount=fault.amount, lasted=fault.seconds, back=one.back
        )
        back = "not well again" if one.back is None else f"well again after {one.back:.1f} s"
        self._say(f"{one.at:4.0f} s  {fault.kind} {one.target}, for {fault.seconds:.0f} s: {back}")

    # -- what must hold ----------------------------------------------------------------------------------------------

    def _told(self, sms: gateway.StandInSms) -> Count:
        expected: set[tuple[str, str]] = set()
        published = []
        for one in self.seen:
            data = one.event.data if one.event is not None else None
            if isinstance(data, Notification):
                assert one.event is not None
                published.append(Published(one.event.meta.id, one.value or b"", data))
            elif isinstance(data, Lifecycle) and one.topic == LIFECYCLE.name and (transition := transition_of(data)):
                expected.add((data.request_id, transition))
        texts = Counter((one.number, one.text) for one in sms.texted)
        hashes = frozenset(message_hash("sms", one.id) for one in sms.texted)
        last_words = frozenset(text for text in texts if LAST_WORD in text[1])
        return count(expected, published, Providers(sms=texts, hashes=hashes, last_words=last_words))

    def _untold(self, report: Report) -> Iterator[str]:
        """
        Requests whose clients do not know their number. Who gave up does not; that is a finding of its own.
        """
        untold = sorted(report.facts.registered.keys() - self.told.accepted.keys())
        yield from untold[self.told.refused :]

    def _not_well(self) -> Iterator[str]:
        for one in self.injector.done:
            if one.back is None:
                yield f"{one.fault.kind} {one.target} at {one.at:.0f} s"
        if len(self.injector.done) < len(self._faults):
            yield f"{len(self._faults) - len(self.injector.done)} faults could not be done any more"

    def _not_serving(self) -> list[str]:
        return [process.name for process in SERVICES if not self._stack.ready(process.name)]


@contextmanager
def _gateway() -> Iterator[tuple[gateway.StandInSms, dict[str, str]]]:
    """
    A gateway for SMS that does what it should, and what notify must know to use it.
    """
    with in_thread(gateway.stand_in_sms) as sms:
        yield (
            sms,
            {
                "NOTIFY_SMS_GATEWAY": "netgsm",
                "NOTIFY_SMS_URL": sms.url,
                "NOTIFY_SMS_USER": gateway.USER,
                "NOTIFY_SMS_PASSWORD": gateway.PASSWORD,
                "NOTIFY_SMS_SENDER": gateway.SENDER,
                "NOTIFY_SMS_RATE": "500",
            },
        )


def show(suite: Suite, report: Report, told: Count, console: Console) -> None:
    """
    Print the tables.
    """
    table = Table(title="faults injected", title_justify="left")
    for column in ("lane", "fault", "times", "well again after, median", "longest"):
        table.add_column(column, justify="left" if column in ("lane", "fault") else "right")
    backs: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one in suite.injector.done:
        backs[one.fault.lane, one.fault.kind].append(float("inf") if one.back is None else one.back)
    for (lane, kind), seconds in sorted(backs.items()):
        ordered = sorted(seconds)
        table.add_row(lane, kind, str(len(ordered)), f"{ordered[len(ordered) // 2]:.1f} s", f"{ordered[-1]:.1f} s")
    console.print(table)
    if missing := [str(kind) for kind in Kind if kind not in {one.fault.kind for one in suite.injector.done}]:
        console.print(f"not injected: {', '.join(missing)}")
    show_findings(report, console)
    answers = ", ".join(f"{number} × {status}" for status, number in sorted(suite.answers.items()))
    console.print(f"answers: {answers}; reads {len(suite.reads)}")
    console.print(
        f"unknown class: {told.unknown} messages ended as unknown; {told.repeated} last words were taken more than once"
    )


def run(
    *,
    requests: int,
    seconds: float,
    seed: int,
    console: Console,
    kinds: Collection[Kind] = tuple(Kind),
    longest: float = 40.0,
    processes: Collection[str] = PROCESSES,
    again: bool = True,
    before: str = "",
    say: Callable[[str], None] = lambda _line: None,
) -> tuple[Suite, Report]:
    """
    A stack, a run, its tables. Without a commit ``before`` there is no rolling upgrade.
    """
    quiet_clients()
    rate = requests / seconds
    possible = [kind for kind in kinds if before or kind is not Kind.UPGRADE]
    faults = schedule(seed, seconds, possible, longest, processes, again=again)
    with _gateway() as (sms, settings):
        more = settings | {
            "INTAKE_SPOOL_MAX_BYTES": str(max(65_536, int(rate * SPOOL_SECONDS * ENTRY_BYTES))),
            "INTAKE_KEY_RATE": '{"per_second": 0, "at_once": 1000}',
        }
        with standing(seed, before, console, more) as (rig, ways):
            history = History(rig.config.run_dir / "history.jsonl")
            suite = Suite(rig, ways, faults, seed, history, say)
            report, told = asyncio.run(suite.examine(requests, rate, sms))
            history.close()
            show(suite, report, told, console)
            rig.found = not report.ok
    return suite, report


def _commit_before() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "-q", "--verify", "HEAD~1"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return found.stdout.strip()


def main() -> int:
    """
    0 if nothing that a client was told is wrong.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--before", default=_commit_before(), help="the commit to upgrade from; '': no upgrade")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is stopped then too
    console = Console()
    _, report = run(
        requests=options.requests,
        seconds=60 * options.minutes,
        seed=options.seed,
        console=console,
        before=options.before,
        say=console.print,
    )
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
