"""
Chaos: providers that are slow, away, refuse, lose answers and tell statuses twice and out of order, while notify is
killed with -9 again and again.

``make faults-chaos`` (``python -m tests.faults.chaos --transitions 2000 --kills 10``) starts a stack of its own, prints
a table and exits 1 if anything was lost, or doubled outside the class of which nobody can know. A shorter form is a
test.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final
from unittest.mock import patch

from rich.console import Console
from rich.table import Table

from deploy.observe import Observer
from deploy.stack.stack import Stack
from services.common.contracts.envelope import Record, encode
from services.common.contracts.events import Event, Notification
from services.common.contracts.ids import derived_id, message_hash, random_request_id
from services.common.contracts.topics import CONTACTS, LIFECYCLE, NOTIFICATIONS
from services.common.contracts.vocabulary import Status
from services.common.kit.publisher import KafkaPublisher
from services.common.kit.settings import KafkaSettings
from services.notify.transitions import transition_of
from tests.faults.stand import own_stack, until
from tests.faults.told_once import Count, Providers, Published, count
from tests.standins import sms as gateway
from tests.standins import whatsapp as meta
from tests.standins.faults import Faults
from tests.standins.running import in_thread
from tests.unit.notify import lives

EVENTS_EACH: Final = 5
APART_SECONDS: Final = 12.0  # a killed worker is back in its group after some ten; the feed lasts so long a kill
AT_WORK: Final = 20  # events since it is back: it sends again
GIVE_UP_SECONDS: Final = 120.0
LAST_WORD: Final = "Son söz"
# Short times, so that every deadline comes within the run; the order among them is that of production.
TIMES: Final = {"HOLD": 2, "SEND_TIMEOUT": 3, "LEASE": 24, "STATUS_WAIT": 25, "RETRY_FOR": 120}


@dataclass(frozen=True, slots=True)
class Stands:
    """
    The stand-in providers of a run.
    """

    whatsapp: meta.StandInWhatsApp
    sms: gateway.StandInSms


@contextmanager
def providers(seed: int) -> Iterator[Stands]:
    """
    Providers that misbehave, and notify's environment so that it uses them.
    """
    with in_thread(meta.stand_in_whatsapp) as whatsapp, in_thread(gateway.stand_in_sms) as sms:
        late = 10.0 * TIMES["SEND_TIMEOUT"]
        chances: dict[str, Any] = {"slow": 0.1, "away": 0.05, "broken": 0.03, "lost": 0.05, "late": 0.02}
        whatsapp.faults = Faults(**chances, codes={131026: 0.02, 131056: 0.02}, seconds_late=late, seed=seed)
        sms.faults = Faults(**chances, seconds_late=late, seed=seed)
        whatsapp.statuses = meta.Statuses(doubled=0.3, disordered=0.3, dropped=0.05, failed=0.04, seconds=0.02)
        given = {f"NOTIFY_{name}": f"PT{seconds}S" for name, seconds in TIMES.items()} | {
            "NOTIFY_WHATSAPP_RATE": "500",
            "NOTIFY_SMS_RATE": "500",
            "NOTIFY_WHATSAPP_URL": whatsapp.url,
            "NOTIFY_WHATSAPP_PHONE_NUMBER_ID": meta.PHONE_NUMBER_ID,
            "NOTIFY_WHATSAPP_TOKEN": meta.TOKEN,
            "NOTIFY_SMS_GATEWAY": "netgsm",
            "NOTIFY_SMS_URL": sms.url,
            "NOTIFY_SMS_USER": gateway.USER,
            "NOTIFY_SMS_PASSWORD": gateway.PASSWORD,
            "NOTIFY_SMS_SENDER": gateway.SENDER,
        }
        with patch.dict(os.environ, given):
            yield Stands(whatsapp, sms)


@contextmanager
def standing(seed: int, console: Console) -> Iterator[tuple[Stack, Stands]]:
    """
    A stack of its own whose notify uses misbehaving providers, with no more than the run needs.
    """
    with providers(seed) as stands, own_stack("chaos", console, "jvm", services=("intake", "notify")) as stack:
        yield stack, stands


@dataclass(frozen=True, slots=True)
class Report:
    """
    What a run showed.
    """

    count: Count
    kills: int
    transitions: int
    statuses: int
    seconds: float

    @property
    def ok(self) -> bool:
        """
        Nothing lost, nothing doubled.
        """
        return self.count.ok


class Run:
    """
    One run against a stack whose notify uses the stand-ins.
    """

    def __init__(
        self, stack: Stack, stands: Stands, seed: int, say: Callable[[str], None] = lambda _line: None
    ) -> None:
        self._stack = stack
        self._stands = stands
        self._random = random.Random(seed)
        self._say = say
        self._expected: set[tuple[str, str]] = set()
        self._published: list[Published] = []
        self._read = 0
        self._kills = 0
        stands.whatsapp.webhook_url = f"{stack.env['INTAKE_URL']}/webhooks/whatsapp"
        stands.whatsapp.secret = stack.env["WHATSAPP_APP_SECRET"]
        self._observer = Observer(stack.env["KAFKA_BOOTSTRAP_SERVERS"], (NOTIFICATIONS.name,), from_now=True)

    async def go(self, transitions: int, kills: int) -> Report:
        """
        Feed and kill, wait until nothing moves any more, and count.
        """
        began = time.monotonic()
        seconds = max(kills, 1) * APART_SECONDS
        kafka = KafkaPublisher(KafkaSettings(bootstrap_servers=self._stack.env["KAFKA_BOOTSTRAP_SERVERS"]))
        await kafka.start((LIFECYCLE.name, CONTACTS.name))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._feed(kafka, transitions // EVENTS_EACH, seconds))
                group.create_task(self._kill(kills))
        finally:
            await kafka.close()
        await self._settle()
        self._observer.close()
        result = count(self._expected, self._published, self._taken())
        told = self._stands.whatsapp.told
        return Report(result, self._kills, len(self._expected), told, time.monotonic() - began)

    async def _feed(self, kafka: KafkaPublisher, requests: int, seconds: float) -> None:
        """
        Publish the lives of requests, spread over the time and mixed with each other.
        """
        plan: list[tuple[float, Event]] = []
        for number in range(requests):
            at = seconds * number / requests
            plan += [(at + after, event) for after, event in self._life(number)]
        began = time.monotonic()
        for at, event in sorted(plan, key=lambda one: one[0]):
            await asyncio.sleep(max(0.0, began + at - time.monotonic()))
            await kafka.publish(_record(event))
        self._say(f"fed {len(self._expected)} transitions of {requests} requests")

    def _life(self, number: int) -> list[tuple[float, Event]]:
        request_id = random_request_id()
        names: dict[str, Any] = {
            "request_id": request_id,
            "contact_id": f"c_{derived_id(request_id)}",
            "occurred_at": datetime.now(UTC) + timedelta(seconds=1),
        }
        ways: list[Mapping[str, str]] = [
            {"whatsapp_id": f"90532{number:07d}"},
            {"whatsapp_id": f"90532{number:07d}", "phone": f"+90532{number:07d}"},
            {"phone": f"+90532{number:07d}"},
            {"whatsapp_id": f"90532{number:07d}", "email": f"kisi{number}@example.org"},
        ]
        who = lives.contact(
            contact_id=names["contact_id"],
            changed_at=datetime.now(UTC),
            **({"email": None} | dict(ways[number % len(ways)])),
        )
        events = [
            lives.registered(**names),
            lives.assigned(**names),
            lives.changed(Status.ACCEPTED, 3, public_text="Ekibimiz bugün bakacak.", **names),
            lives.scheduled(4, **names),
            lives.closed(seq=5, public_text=LAST_WORD, **names),
        ]
        for event in events:
            transition = transition_of(event)
            assert transition is not None
            self._expected.add((request_id, transition))
        steps = [0.0, *sorted(self._random.uniform(0.0, 10.0) for _ in events[1:])]
        return [(0.0, who), *zip(steps, events, strict=True)]

    async def _kill(self, kills: int) -> None:
        """
        Kill notify while it works: not before it has told something since it is back.
        """
        for number in range(kills):
            seen = await self._look()
            if not await until(partial(self._more_than, seen + AT_WORK), 90):
                raise RuntimeError("notify tells nothing, so killing it proves nothing")
            await asyncio.sleep(self._random.uniform(0.5, 3.0))
            pid = self._stack.pid("notify")
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            self._kills += 1
            self._say(f"kill {number + 1} of {kills}: {len(self._published)} events so far")
            await until(self._other_than(pid), 30)
            await asyncio.to_thread(self._stack.wait_ready, "notify", 60.0)

    def _other_than(self, pid: int) -> Callable[[], Any]:
        async def other() -> bool:
            return self._stack.pid("notify") not in (pid, None)

        return other

    async def _more_than(self, seen: int) -> bool:
        return await self._look() > seen

    async def _look(self) -> int:
        """
        Read what was published since; how many events there are by now.
        """
        seen = await asyncio.to_thread(self._observer.catch_up)
        for one in seen[self._read :]:
            if one.event is not None and isinstance(one.event.data, Notification):
                self._published.append(Published(one.event.meta.id, one.value or b"", one.event.data))
        self._read = len(seen)
        return self._read

    async def _settle(self) -> None:
        """
        Wait until every message has its outcome and nothing new comes; only a standstill ends the wait before that.
        """
        moved, seen, waits = time.monotonic(), -1, TIMES["STATUS_WAIT"] + TIMES["LEASE"]
        while time.monotonic() - moved < GIVE_UP_SECONDS:
            found = await self._look()
            if found != seen:
                moved, seen = time.monotonic(), found
            lost = [
                finding
                for finding in count(self._expected, self._published, Providers()).findings[:3]
                if not finding.ok
            ]
            if not lost and time.monotonic() - moved > waits:
                return
            await asyncio.sleep(1.0)

    def _taken(self) -> Providers:
        whatsapp, sms = self._stands.whatsapp.taken, self._stands.sms.texted
        texts = Counter((one.number, one.text) for one in sms)
        return Providers(
            Counter(one.key for one in whatsapp if one.key is not None),
            texts,
            frozenset(
                [*(message_hash("whatsapp", one.id) for one in whatsapp), *(message_hash("sms", one.id) for one in sms)]
            ),
            frozenset(text for text in texts if LAST_WORD in text[1]),
            str(self._stands.whatsapp.statuses.code),
        )


def _record(event: Event) -> Record:
    topic = LIFECYCLE if "seq" in type(event).model_fields else CONTACTS
    return encode(topic, lives.meta(event), event)


def show(report: Report, console: Console) -> None:
    """
    Print the table.
    """
    table = Table(title=f"chaos: {report.transitions} transitions, notify killed {report.kills} times")
    table.add_column("checked")
    table.add_column("wrong", justify="right")
    for finding in report.count.findings:
        table.add_row(finding.name, str(len(finding.wrong)) if finding.wrong else "none")
    console.print(table)
    for end, number in report.count.ends.most_common():
        console.print(f"  {number:6d}  {end}")
    found = report.count
    console.print(
        f"unknown class: {found.unknown} ended as unknown, {found.unknown_but_taken} of them WhatsApp had taken;"
    )
    console.print(f"  {found.repeated} last words were taken more than once")
    console.print(f"{report.statuses} statuses told, {report.seconds:.0f} s")
    for finding in report.count.findings:
        for wrong in finding.wrong[:5]:
            console.print(f"  {finding.name}: {wrong}")


def main() -> int:
    """
    Run with a stack of its own. 0: nothing lost, nothing doubled.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transitions", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    console = Console()
    with standing(args.seed, console) as (stack, stands):
        run = Run(stack, stands, args.seed, console.print)
        report = asyncio.run(run.go(args.transitions, args.kills))
    show(report, console)
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
