"""
``make demo``: bring the stack up, let one day pass, print what became of it. Exit code 0 only if the counts agree.

Reads STACK, PORT_BASE, RUN_DIR as ``make up`` does. ONCE=1 stops the stack at the end, if the demo started it.
"""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.demo.client import DemoError
from deploy.demo.day import load_day
from deploy.demo.run import Result, Run, Show
from deploy.demo.table import table
from deploy.stack import __main__ as stack_command
from deploy.stack.config import ROOT, StackError
from deploy.stack.stack import Stack, quiet_clients
from deploy.terminal import ToolError

DAY_SECONDS: Final = 40.0  # 9 requests a second on the whole, 20 in the busiest hour, and twice as many updates
LINE_SECONDS: Final = 3.0
SHOWN_NUMBERS: Final = 20
OUT: Final = Console(highlight=False)


@contextmanager
def progress(total: int) -> Iterator[Show]:
    """
    Bars on a terminal, a plain line every few seconds elsewhere.
    """
    if not OUT.is_terminal:
        last = [time.monotonic()]

        def line(done: Mapping[str, int]) -> None:
            if time.monotonic() - last[0] >= LINE_SECONDS:
                last[0] = time.monotonic()
                OUT.print("  ".join(f"{name} {count}" for name, count in done.items()), soft_wrap=True)

        yield line
        return
    columns = [TextColumn("{task.description:<11}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    with Progress(*columns, console=OUT) as bars:
        tasks = {name: bars.add_task(name, total=total) for name in ("posted", "registered", "assigned", "told")}
        tasks |= {name: bars.add_task(name, total=total) for name in ("closed", "reported")}

        def draw(done: Mapping[str, int]) -> None:
            for name, count in done.items():
                bars.update(tasks[name], completed=count)

        yield draw


def say(line: str) -> None:
    """
    One line, above the bars where there are any.
    """
    OUT.print(line, markup=False, soft_wrap=True)


def explain(result: Result) -> None:
    """
    Say what does not agree, by the numbers of the requests alone.
    """
    OUT.print("[bold red]the counts do not agree[/]")
    for what, numbers in result.differences.items():
        more = f" … {len(numbers)} in all" if len(numbers) > SHOWN_NUMBERS else ""
        shown = "" if numbers == [""] else ": " + " ".join(numbers[:SHOWN_NUMBERS]) + more
        OUT.print(f"  {what}{shown}", markup=False, soft_wrap=True)


def where_to_look(env: Mapping[str, str], run_dir: Path) -> None:
    """
    Where the demo's requests can be seen while the stack runs.
    """
    OUT.print("where to look (the key is API_KEY in the settings file):", markup=False)
    places = {
        "API": "  ".join(env[name] + "/docs" for name in ("INTAKE_URL", "REPORTING_URL", "NOTIFY_URL")),
        "reports": f"{env['REPORTING_URL']}/v1/reports/summary  …/volume?interval=hour  …/departments  …/channels",
        "mails": str(run_dir / "mail"),
        "messages": str(run_dir / "outbox"),
        "settings": str(run_dir / "env"),
        "processes": "make status",
        "stop": "make down",
    }
    for name, place in places.items():
        OUT.print(f"  {name:<10} {place}", markup=False, soft_wrap=True)


def demo() -> int:
    """
    The whole of it.
    """
    run_dir = Path(os.environ.get("RUN_DIR") or ROOT / ".run").absolute()
    once = os.environ.get("ONCE") == "1"
    before = Stack.find(run_dir)
    was_running = before is not None and before.running
    stack_command.up()
    stack = Stack.find(run_dir)
    assert stack is not None  # noqa: S101 - it was just brought up
    try:
        day = load_day()
        run = f"demo-{secrets.token_hex(4)}"
        OUT.print(f"one day, {len(day)} requests in {DAY_SECONDS:.0f} s; run {run}", markup=False)
        with progress(len(day)) as show:
            result = asyncio.run(Run(stack, run, day, DAY_SECONDS, say).go(show))
        kind = stack.config.kind
        durable = "" if kind != "embedded" else " (not durable: development only)"
        OUT.print(table(result, f"one day, {len(day)} requests · STACK={kind}{durable}", stack.config.brokers))
        if result.differences:
            explain(result)
        else:
            OUT.print("all counts agree")
        for refusal in result.refused_at_once[:SHOWN_NUMBERS]:
            OUT.print(f"  refused by intake: {refusal}", markup=False)
        if not once:
            where_to_look(stack.env, run_dir)
        return 1 if result.differences else 0
    finally:
        if once and not was_running:
            stack_command.down()


def main() -> int:
    """
    Entry of ``python -m deploy.demo``.
    """
    quiet_clients()
    try:
        return demo()
    except (StackError, DemoError, ToolError, httpx.HTTPError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
