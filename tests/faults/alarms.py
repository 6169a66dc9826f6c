"""
Ten thousand requests whose time runs out in the same second, and routing killed with -9 while it says so.

``make faults-alarms`` (``python -m tests.faults.alarms --requests 10000 --kills 3``) starts a stack of its own, writes
requests that were received so long ago that one step of their resolution clock is due at one and the same second, kills
routing again and again while these alarms go off, and prints a table. Exits 1 if an alarm did not go off exactly once.
"""

import argparse
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from kafka import KafkaProducer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from deploy.observe import WATCHED, Observer, Seen
from deploy.stack.stack import Stack
from services.common.contracts.catalogue import catalogue
from services.common.contracts.envelope import Metadata, encode
from services.common.contracts.events import RequestAssigned, RequestEscalated, RequestReceived, TimerDue
from services.common.contracts.ids import derived_id, random_request_id
from services.common.contracts.topics import COMMANDS, LIFECYCLE, RECEIVED
from services.common.contracts.vocabulary import Channel, Clock
from tests.faults.stand import own_stack

SERVICE: Final = "gurultu"  # its times run on the calendar clock, so one receipt gives one due time
REMINDER: Final = 0.75  # the first step of policy.yaml's resolution
ASIDE: Final = ("notify", "projector")  # not needed to see alarms go off, and 10,000 mails take their time


@dataclass
class Found:
    """
    What the topics say: which alarms went off, and in how many versions each record stands there.
    """

    assigned: set[str] = field(default_factory=set)
    escalated: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    on_department: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    said: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    versions: dict[tuple[str, str], set[bytes | None]] = field(default_factory=lambda: defaultdict(set))
    repeated: int = 0
    unreadable: int = 0


def fold(seen: list[Seen], due_at: datetime) -> Found:
    """
    The alarms that were due then. Order does not matter.
    """
    found = Found()
    for one in seen:
        if one.event is None:
            found.unreadable += 1
            continue
        data, event_id = one.event.data, one.event.meta.id
        known = found.versions[one.topic, event_id]
        found.repeated += bool(known) and one.topic != COMMANDS.name
        known.add(one.value)
        if isinstance(data, TimerDue) and data.due_at == due_at:
            found.said[data.request_id] += 1
        elif isinstance(data, RequestAssigned) and one.topic == LIFECYCLE.name:
            found.assigned.add(data.request_id)
        elif isinstance(data, RequestEscalated) and data.clock is Clock.RESOLUTION and data.due_at == due_at:
            (found.escalated if one.topic == LIFECYCLE.name else found.on_department)[data.request_id].add(event_id)
    return found


def write(servers: str, count: int, received_at: datetime) -> set[str]:
    """
    Put requests onto requests.received as intake does, without contacts.
    """
    producer = KafkaProducer(bootstrap_servers=servers.split(","), acks="all", linger_ms=20)
    ids = {random_request_id() for _ in range(count)}
    for request_id in ids:
        data = RequestReceived(
            request_id=request_id,
            channel=Channel.PHONE,
            service_code=SERVICE,
            text="Gece yarısı yüksek sesle müzik çalınıyor.",
            contact_id="contact:none",
            adapter="faults",
            received_at=received_at,
        )
        meta = Metadata(derived_id(request_id), "/faults", datetime.now(UTC), request_id, request_id, request_id)
        record = encode(RECEIVED, meta, data)
        producer.send(record.topic, record.value, record.key, list(record.headers))
    producer.flush()
    producer.close()
    return ids


def kill(stack: Stack) -> None:
    """
    kill -9 of the routing process that serves now.
    """
    pid = stack.pid("routing")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def run(stack: Stack, requests: int, kills: int, console: Console) -> bool:
    """
    Write, wait for the second, kill while alarms go off, wait until all did, print. Whether each went off once.
    """
    servers = stack.env["KAFKA_BOOTSTRAP_SERVERS"]
    for process in ASIDE:
        stack.stop(process)
    lead = timedelta(seconds=60 + requests / 100)
    due_at = (datetime.now(UTC) + lead).replace(microsecond=0)
    hours = catalogue().services[SERVICE].sla_hours * REMINDER
    observer = Observer(servers, (*WATCHED, COMMANDS.name))
    ids = write(servers, requests, due_at - timedelta(hours=hours))
    killed: list[int] = []
    with Progress(console=console, transient=True) as progress:
        bars = {name: progress.add_task(name, total=requests) for name in ("assigned", "escalated")}

        def until(done: Callable[[Found], bool], seconds: float) -> Found:
            deadline = time.monotonic() + seconds
            while True:
                found = fold(observer.catch_up(), due_at)
                progress.update(bars["assigned"], completed=len(found.assigned & ids))
                progress.update(bars["escalated"], completed=len(found.escalated))
                if done(found) or time.monotonic() > deadline:
                    return found
                time.sleep(0.5)

        found = until(lambda f: f.assigned >= ids, 600)
        ready_by = datetime.now(UTC)
        for number in range(1, kills + 1):
            found = until(lambda f, n=number: len(f.escalated) >= requests * n // (kills + 1), 600)  # type: ignore[misc]
            killed.append(len(found.escalated))
            kill(stack)
        found = until(lambda f: set(f.escalated) >= ids, 600)
        over = datetime.now(UTC)
        last, since = -1, time.monotonic()
        while time.monotonic() - since < 15:  # doubles come late: the patience of a command, and a rebalance
            count = len(observer.catch_up())
            last, since = (count, time.monotonic()) if count != last else (last, since)
            time.sleep(0.5)
        found = fold(observer.catch_up(), due_at)
    observer.close()
    claims = {
        "assigned before the second": 0 if ready_by < due_at else requests,
        "went off": len(ids - set(found.escalated)),
        "went off once (one ce_id on requests.lifecycle)": sum(len(found.escalated[i]) != 1 for i in ids),
        "stands once on the department's topic": sum(len(found.on_department[i]) != 1 for i in ids),
        "was said by a command": len(ids - set(found.said)),
        "nothing went off that was not asked for": len(set(found.escalated) - ids),
        "no event in two versions": sum(len(versions) > 1 for versions in found.versions.values()),
        "nothing unreadable": found.unreadable,
    }
    table = Table(
        title=f"{requests} requests due at {due_at:%H:%M:%S}, routing killed {kills} times", title_justify="left"
    )
    table.add_column("every alarm …")
    table.add_column("wrong", justify="right")
    for name, wrong in claims.items():
        table.add_row(name, str(wrong), style="" if not wrong else "bold red")
    console.print(table)
    extra = sum(found.said.values()) - len(found.said)
    console.print(
        f"killed after {', '.join(map(str, killed))} of {requests}; all had gone off "
        f"{(over - due_at).total_seconds():.0f} s after they were due; "
        f"commands said again {extra}, events repeated (same ce_id, same bytes) {found.repeated}"
    )
    return not any(claims.values())


def main() -> int:
    """
    Start a stack, run, print, stop.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=3)
    options = parser.parse_args()
    console = Console()
    with own_stack("alarms", console, "jvm") as stack:
        ok = run(stack, options.requests, options.kills, console)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
