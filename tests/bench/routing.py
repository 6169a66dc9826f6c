"""
How fast routing is, topic to topic, with all that it promises; beside it what others write for the same decision.

Every worker, ours too, is held still (SIGSTOP) while the records are written, and let go: from that moment until the
last record that it wrote is on its topic. Nobody has an advantage from starting early or late. The broker's clock tells
when a peer's record was written (some hand on the time of what they read), for our worker its own, on the same machine.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Final

from deploy.observe import DEPARTMENT_TOPICS
from deploy.stack.config import ROOT
from deploy.stack.stack import Stack
from services.common.contracts.envelope import Record
from tests.bench.broker import Watch, make_topic, watching, write
from tests.bench.costs import Cost, costs, spent
from tests.bench.figures import Figure
from tests.bench.inputs import received_records
from tests.bench.peers.decisions import DECISIONS, OUT

PACKAGES: Final = ROOT / ".cache" / "bench-peers"
PEERS: Final = {
    "bare Faust agent": "bare_faust",
    "aiokafka in batches": "aiokafka_batches",
    "FastStream in batches": "fast_stream",
    "Quix Streams": "quix",
    "confluent-kafka in batches": "confluent",
}
OURS: Final = "our worker, all guarantees"
FAUST: Final = "bare Faust agent, same decision"
AT_LEAST_OF_FAUST: Final = 0.6
START_SECONDS: Final = 60.0
GIVE_UP_SECONDS: Final = 120.0
HELD_SECONDS: Final = 8.0  # the broker forgets a member after 10
_PROBE_EVERY: Final = 0.5


class TooSlow(Exception):
    """
    A worker did not come up, or did not come to the end.
    """


@dataclass(frozen=True, slots=True)
class Work:
    """
    ``records`` to write, and a supply of others to see with whether a worker has begun.
    """

    records: Sequence[Record]
    probes: Iterator[Record]


def measure(stack: Stack, seed: int, count: int, tick: Callable[[str], None]) -> tuple[list[Figure], list[str]]:
    """
    Records a second of our worker, of the decision alone, and of the peers; and who of them is left out, and why.
    ``tick`` is told what is done. The stack needs broker, database and routing.
    """
    servers = stack.env["KAFKA_BOOTSTRAP_SERVERS"]
    supply = received_records(2 * count, seed)
    work = Work(list(islice(supply, count)), supply)
    tick(f"{count:,} records made")
    pid = stack.pid("routing")
    if pid is None:
        raise TooSlow("routing does not run")
    processes = [process.name for process in stack.config.processes if process.name != "mail"]
    with watching(servers, *DEPARTMENT_TOPICS) as watch:
        looks: list[dict[str, Cost]] = []
        ours = _rate(servers, watch, pid, work, count, lambda: looks.append(costs(stack, processes)))
    stack.stop("routing")
    tick(OURS)
    alone, written = _alone(work.records)
    tick("the decision alone")
    make_topic(servers, OUT, 12)
    left_out: list[str] = []
    figures = [
        Figure(OURS, ours, "/s", beside=FAUST),
        *(
            Figure(f"our worker, processor of {name} per 1,000 records", seconds / count * 1_000, "s")
            for name, seconds in spent(*looks).items()
        ),
        Figure("the same decision without Kafka: decode, decide, encode", alone, "/s", beside=OURS),
    ]
    if not PACKAGES.exists():
        return figures, ["the peers: `make bench-tools` installs them"]
    for decision, named, outputs in (("core", "same decision", written), ("constant", "constant decision", count)):
        for name, module in PEERS.items():
            try:
                with _peer(module, servers, decision) as process, watching(servers, OUT) as watch:
                    rate = _rate(servers, watch, process.pid, work, outputs)
                figures.append(Figure(f"{name}, {named}", rate, "/s"))
            except TooSlow as error:
                left_out.append(f"{name}, {named}: {error}")
            tick(f"{name}, {named}")
    return _with_goal(figures), left_out


def _with_goal(figures: Sequence[Figure]) -> list[Figure]:
    """
    Our worker's goal follows from what Faust passed in the same run.
    """
    faust = next((one.value for one in figures if one.name == FAUST), None)
    if faust is None:
        return list(figures)
    return [
        Figure(one.name, one.value, one.unit, AT_LEAST_OF_FAUST * faust, one.beside) if one.name == OURS else one
        for one in figures
    ]


def _alone(records: Sequence[Record]) -> tuple[float, int]:
    """
    Records a second in this process, and how many records came of all.
    """
    decide = DECISIONS["core"]()
    began = time.perf_counter()
    written = sum(len(list(decide(one.key, one.value or b"", one.headers))) for one in records)
    return len(records) / (time.perf_counter() - began), written


def _rate(
    servers: str, watch: Watch, pid: int, work: Work, expected: int, look: Callable[[], None] = lambda: None
) -> float:
    """
    Records a second of the process with this pid, which is coming up and will write as many as ``expected``. ``look``
    is called before it is let go and when it is through. Raises ``TooSlow``.
    """
    _until_it_works(servers, watch, work.probes)
    watch.begin()
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        write(servers, work.records)
        if (held := time.monotonic() - began) > HELD_SECONDS:
            raise TooSlow(f"writing took {held:.1f} s, the worker lost its place meanwhile")
        look()
    finally:
        let_go = time.time()
        os.kill(pid, signal.SIGCONT)
    if not watch.wait(expected, GIVE_UP_SECONDS):
        raise TooSlow(f"{watch.added:,} of {expected:,} records after {GIVE_UP_SECONDS:.0f} s")
    look()
    return len(work.records) / (watch.times()[-1] - let_go)


def _until_it_works(servers: str, watch: Watch, probes: Iterator[Record]) -> None:
    """
    Write a record now and then until the first comes out, and wait until no more do.
    """
    deadline = time.monotonic() + START_SECONDS
    while not watch.added:
        if time.monotonic() > deadline:
            raise TooSlow(f"nothing came out of it for {START_SECONDS:.0f} s")
        write(servers, islice(probes, 12))
        time.sleep(_PROBE_EVERY)
    watch.settle(0, START_SECONDS)


@contextmanager
def _peer(module: str, servers: str, decision: str) -> Iterator["subprocess.Popen[bytes]"]:
    log = ROOT / ".cache" / f"bench-{module}.log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", f"tests.bench.peers.{module}", servers, decision]
        environment = {**os.environ, "PYTHONPATH": str(PACKAGES)}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
