"""
``python -m tests.bench [intake] [routing] [journey] [projector]`` (``make bench``): measures all, or what is named, on
stacks of its own, and prints a table; the long benches of figures and messages are ``make bench-reports`` and ``make
bench-notify``.

What was measured is kept in ``.run/bench/results.json``, so the subjects can be run one after another; ``--keep`` makes
it the table that later runs are compared with (``tests/bench/results.json``). What became worse is only warned of.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from deploy.stack.config import ROOT, StackError
from deploy.stack.stack import Stack, quiet_clients
from tests.bench import intake, journey, projector, routing
from tests.bench.figures import Figure, worse
from tests.bench.load import NoTool
from tests.bench.machine import describe
from tests.bench.results import KEPT, Results, markdown, read, to_json
from tests.faults.stand import own_stack

SEED: Final = 9
FOUND: Final = ROOT / ".run" / "bench" / "results.json"
Say = Callable[[str], None]
Measured = tuple[list[Figure], list[str]]


class Bench:
    """
    One run: which sizes, where what is measured is told.
    """

    def __init__(self, seed: int, seconds: float, records: int, console: Console, say: Say) -> None:
        self.machine: dict[str, str] = {}
        self._seed = seed
        self._seconds = seconds
        self._records = records
        self._console = console
        self._say = say

    def intake(self) -> Measured:
        """
        Alone, and the peers; then with everything running.
        """
        with self._stack("intake", ("intake",)) as stack:
            figures = intake.accept(stack, self._seed, self._seconds, alone=True, tick=self._say)
            stack.stop("intake")
            figures += intake.peers(stack, self._seed, self._seconds, self._say)
        with self._stack("intake-all", None) as stack:
            figures += intake.accept(stack, self._seed, self._seconds, alone=False, tick=self._say)
        return figures, []

    def routing(self) -> Measured:
        """
        Topic to topic, beside its peers.
        """
        with self._stack("routing", ("routing",)) as stack:
            return routing.measure(stack, self._seed, self._records, self._say)

    def journey(self) -> Measured:
        """
        The start of everything, its memory when idle, and journeys at steady rates.
        """
        began = time.monotonic()
        with self._stack("journey", None) as stack:
            up = Figure("start of everything (`make up`)", time.monotonic() - began, "s", 30.0)
            figures = [up, *journey.idle(stack)]
            return figures + journey.journeys(stack, self._seed, 2 * self._seconds, self._say), []

    def projector(self) -> Measured:
        """
        One, two and four workers.
        """
        with self._stack("projector", ("routing",)) as stack:
            return projector.measure(stack, self._seed, self._records // 5, self._say), []

    @contextmanager
    def _stack(self, name: str, services: tuple[str, ...] | None) -> Iterator[Stack]:
        with own_stack(f"bench-{name}", self._console, services=services) as stack:
            self.machine = describe(stack.config)
            yield stack
        shutil.rmtree(stack.config.data, ignore_errors=True)  # the logs stay


SUBJECTS: Final = {
    "intake": Bench.intake,
    "routing": Bench.routing,
    "journey": Bench.journey,
    "projector": Bench.projector,
}


def main() -> int:
    """
    Measure, print, compare. 1 if a subject could not be measured; a figure that is worse is no failure.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("subjects", nargs="*", metavar="subject", help=", ".join(SUBJECTS))
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each step of intake; a journey takes twice that")
    parser.add_argument("--records", type=int, default=20_000, help="for routing; the projector gets a fifth")
    parser.add_argument("--keep", action="store_true", help="later runs are compared with this one")
    args = parser.parse_args()
    if unknown := set(args.subjects) - SUBJECTS.keys():
        parser.error(f"{', '.join(sorted(unknown))}: a subject is one of {', '.join(SUBJECTS)}")
    quiet_clients()
    console = Console()
    results = read(FOUND)
    failed = False
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("")
        bench = Bench(args.seed, args.seconds, args.records, console, lambda line: progress.print(f"  {line}"))
        for subject in args.subjects or SUBJECTS:
            progress.update(task, description=subject)
            try:
                figures, left_out = SUBJECTS[subject](bench)
            except (NoTool, StackError, routing.TooSlow, TimeoutError) as error:
                progress.print(f"{subject} was not measured: {error}")
                failed = True
                continue
            results.machine = bench.machine
            results.figures[subject], results.left_out[subject] = figures, left_out
            _write(FOUND, results)
    console.print(markdown(results), markup=False, soft_wrap=True)
    for line in worse(results.figures, read(KEPT).figures):
        console.print(f"[yellow]worse than what is kept:[/] {line}")
    if args.keep:
        _write(KEPT, results)
    return int(failed)


def _write(path: Path, results: Results) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_json(results), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
