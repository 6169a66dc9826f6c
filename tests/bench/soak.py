"""
``python -m tests.bench.soak --minutes 30 --rate 100`` (``make soak``): a steady load on everything for a long time, on
a stack of its own; then what each process's memory did, and whether anything is behind.

What each minute showed stands in the folder of the run (``soak.json``), from the first minute on.

Exit code 1 if something was not accepted, is behind ``DRAIN_SECONDS`` after the load's end or does not show in
reporting, or if a process's memory still grows (``grows``).
"""

import argparse
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console
from rich.table import Table

from deploy.stack.stack import Stack, quiet_clients
from tests.bench.backlog import behind, drained
from tests.bench.costs import costs
from tests.bench.figures import percentile
from tests.bench.inputs import bodies
from tests.bench.journey import OURS
from tests.bench.load import Hit, fire
from tests.bench.machine import describe
from tests.faults.stand import own_stack

SLICE_SECONDS: Final = 60
DRAIN_SECONDS: Final = 300.0
SEED: Final = 30
SETTLED: Final = 1 / 3
"""Of a run: until then caches and pools fill."""
MAY_GROW: Final = 0.1
_BARS: Final = "▁▂▃▄▅▆▇█"


@dataclass
class Soak:
    """
    What one run saw. Once in each slice: MB of each process, how many records all workers were behind, how many
    requests were accepted, and the p99 of all answers in milliseconds.
    """

    memory: dict[str, list[float]] = field(default_factory=dict)
    behind: list[int] = field(default_factory=list)
    accepted_in: list[int] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)

    def note(self, hits: Sequence[Hit]) -> None:
        """
        Count the answers of a slice.
        """
        milliseconds = [hit.seconds * 1000 for hit in hits]
        self.statuses.update(hit.status for hit in hits)
        self.milliseconds += milliseconds
        self.accepted_in.append(sum(hit.status == httpx.codes.ACCEPTED for hit in hits))
        self.p99.append(percentile(milliseconds, 0.99))

    def keep(self, path: Path) -> None:
        """
        Write down what each slice showed.
        """
        seen = {"accepted": self.accepted_in, "p99_ms": self.p99, "behind": self.behind, "megabytes": self.memory}
        path.write_text(json.dumps(seen, indent=1))

    @property
    def accepted(self) -> int:
        """
        How many got 202.
        """
        return self.statuses[httpx.codes.ACCEPTED]


def grows(megabytes: Sequence[float]) -> bool:
    """
    Whether memory still grew when it should have been settled: the median of the last third is more than a tenth over
    that of the third before.
    """
    third = len(megabytes) // 3
    if not third:
        return False
    middle, last = megabytes[-2 * third : -third], megabytes[-third:]
    return percentile(last, 0.5) > (1 + MAY_GROW) * percentile(middle, 0.5)


def sparkline(values: Sequence[float], width: int = 15) -> str:
    """
    The values as a row of bars from nought to the highest, at most ``width`` of them, each the last of its share.
    """
    count = min(width, len(values))
    picked = [values[(number + 1) * len(values) // count - 1] for number in range(count)]
    top = max(picked, default=0) or 1
    return "".join(_BARS[min(len(_BARS) - 1, int(value / top * len(_BARS)))] for value in picked)


def run(stack: Stack, minutes: float, rate: int, console: Console) -> Soak:
    """
    The load, slice by slice, and a look at memory and backlog at the end of each.
    """
    target, headers = f"{stack.env['INTAKE_URL']}/v1/requests", {"X-API-Key": stack.env["API_KEY"]}
    soak, slices = Soak(), round(minutes * 60 / SLICE_SECONDS)
    supply = bodies(rate * SLICE_SECONDS, SEED)
    for number in range(1, slices + 1):
        following: list[list[dict[str, object]]] = []
        making = threading.Thread(target=lambda n=number, f=following: f.append(bodies(rate * SLICE_SECONDS, SEED + n)))
        making.start()  # while the load runs: no pause between two slices
        hits = fire(target, supply, headers, rate=rate, seconds=SLICE_SECONDS)
        making.join()
        supply = following.pop()
        soak.note(hits)
        for name, cost in costs(stack, OURS).items():
            soak.memory.setdefault(name, []).append(cost.megabytes)
        soak.behind.append(behind(stack))
        soak.keep(stack.config.run_dir / "soak.json")
        total = sum(values[-1] for values in soak.memory.values())
        console.print(
            f"  minute {number * SLICE_SECONDS / 60:.0f}: {soak.accepted:,} accepted, p99 {soak.p99[-1]:.0f} ms, "
            f"{soak.behind[-1]:,} records behind, {total:.0f} MB"
        )
    return soak


def shown(stack: Stack) -> int:
    """
    How many requests reporting counts.
    """
    headers = {"X-API-Key": stack.env["API_KEY"]}
    answer = httpx.get(f"{stack.env['REPORTING_URL']}/v1/reports/summary", headers=headers, timeout=30)
    return int(answer.raise_for_status().json()["rows"][0]["received"])


def main() -> int:
    """
    Run, print, judge.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=int, default=100, help="requests a second")
    args = parser.parse_args()
    quiet_clients()
    console = Console(width=None if sys.stdout.isatty() else 120)
    with own_stack("soak", console) as stack:
        machine = describe(stack.config)
        soak = run(stack, args.minutes, args.rate, console)
        seconds, left = drained(stack, DRAIN_SECONDS)
        counted = shown(stack)
        deadline = time.monotonic() + DRAIN_SECONDS
        while counted != soak.accepted and time.monotonic() < deadline:
            time.sleep(1)
            counted = shown(stack)
    table = Table(title=f"{args.rate} requests/s for {args.minutes:g} minutes", title_justify="left")
    for column in ("process", "after a third", "in the end", "highest", "from nought", "still grows"):
        table.add_column(column, justify="left" if column == "process" else "right")
    for name, values in soak.memory.items():
        settled = values[int(len(values) * SETTLED)]
        verdict, style = ("yes", "bold red") if grows(values) else ("no", "")  # in a file there are no colours
        figures = (f"{one:.0f} MB" for one in (settled, values[-1], max(values)))
        table.add_row(name, *figures, sparkline(values), verdict, style=style)
    console.print(table)
    times = ", ".join(
        f"{name} {percentile(soak.milliseconds, share):.0f} ms" for name, share in (("p50", 0.5), ("p99", 0.99))
    )
    others = {status: number for status, number in soak.statuses.items() if status != httpx.codes.ACCEPTED}
    told = ", ".join(f"{number} × {status or 'no answer'}" for status, number in others.items())
    console.print(f"accepted {soak.accepted:,}, not accepted {told or 0}; submit → 202 {times}")
    console.print(f"behind, minute by minute: {sparkline(soak.behind, 30)} at most {max(soak.behind):,} records")
    console.print(f"behind after the end: {left} records, {seconds:.0f} s later; reporting counts {counted:,}")
    console.print(" · ".join(f"{name}: {value}" for name, value in machine.items()), soft_wrap=True)
    console.print(f"minute by minute: {stack.config.run_dir / 'soak.json'}", soft_wrap=True)
    growing = [name for name, values in soak.memory.items() if grows(values)]
    return int(bool(growing or left or others or counted != soak.accepted))


if __name__ == "__main__":
    sys.exit(main())
