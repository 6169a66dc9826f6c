"""
``make demo``: bring the stack up, let one day pass, print what became of it. Exit code 0 only if the counts agree.

Reads STACK, PORT_BASE, RUN_DIR as ``make up`` does. ONCE=1 stops the stack at the end, if the demo started it.
"""

import asyncio
import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.demo.broker import BROKER
from deploy.demo.day import load_day
from deploy.demo.departments import OWN_SYSTEMS
from deploy.demo.journal import messages_in_words, percentile, told_in_words
from deploy.demo.run import DemoError, Result, Run, Show
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


def table(result: Result, title: str, brokers: int = 1) -> Table:
    """
    The figures of a run. Numbers and names of departments and channels, nothing of any person.
    """
    journal, traces = result.journal, result.journal.ours
    told = told_in_words(traces)
    states = Counter(trace.status for trace in traces.values())
    first = Table(title=title, show_header=False, title_justify="left", min_width=60)
    first.add_column(no_wrap=True)
    first.add_column(overflow="fold")
    rows: dict[str, str] = {
        "accepted": f"{len(journal.accepted)}",
        "= registered": f"{sum(len(trace.registered) == 1 for trace in traces.values())}",
        "= assigned": f"{sum(len(trace.first_assigned) == 1 for trace in traces.values())}",
        "= told": f"{sum(told.values())}: {_counts(told)}",
        "= reported": f"{result.received_more} by summary.received, {len(result.reported)} by number",
        "closed": f"{sum(trace.closed for trace in traces.values())}",
        "open": f"{sum(not trace.closed for trace in traces.values())}, of them in triage {states['triage']}",
        "states": _counts(states),
        "departments": _counts(Counter(trace.department for trace in traces.values()), 8),
        "channels": _counts(Counter(row.channel for row in result.reported.values())),
        "updates by HTTP": _by_http(result),
        "updates by topic": _by_topic(result),
        "messages": _counts(messages_in_words(traces)),
        "written": f"{result.mails} mails, {result.files} files",
    }
    for name, text in rows.items():
        first.add_row(name, text)
    first.add_section()
    first.add_row("bad record", _bad_record(result))
    first.add_row("Kafka restarted", _restarted(result, brokers))
    first.add_section()
    sent = [(posted.sent, posted.answered - posted.sent) for posted in journal.accepted.values()]
    reached = [
        (journal.accepted[number].sent, trace.reached_department - journal.accepted[number].sent)
        for number, trace in traces.items()
        if trace.reached_department is not None
    ]
    first.add_row("submit → 202", _latency(sent, result))
    first.add_row("submit → department's topic", _latency(reached, result))
    first.add_row("submit → in reporting", _latency(result.visible, result))
    first.add_row("wall time", f"{result.seconds:.1f} s, the stack's start not counted")
    return first


def _counts(counter: Mapping[str | None, int] | Mapping[str, int], most: int | None = None) -> str:
    ranked = Counter[str | None](dict(counter)).most_common()
    text = ", ".join(f"{name} {count}" for name, count in ranked[:most])
    left = ranked[most:] if most else []
    return text + (f", {len(left)} others {sum(count for _, count in left)}" if left else "")


def _by_http(result: Result) -> str:
    taken = sum(one.topic_of is None for one in result.journal.updates.values())
    return (
        f"{taken} taken, {len(result.refused_at_once)} refused by intake, "
        f"{_refused(result.journal.refused(by_topic=False))} by routing, "
        f"{result.asked_again} sent again after a 409"
    )


def _by_topic(result: Result) -> str:
    updates = {u: one.topic_of for u, one in result.journal.updates.items() if one.topic_of is not None}
    answered = sum((topic_of, update_id) in result.journal.answered for update_id, topic_of in updates.items())
    return (
        f"{len(updates)} written by {len(set(updates.values()))} of {len(OWN_SYSTEMS)} departments with a system of "
        f"their own, {answered} answered on their topics, {_refused(result.journal.refused(by_topic=True))} refused"
    )


def _refused(reasons: Counter[str]) -> str:
    return f"{sum(reasons.values())}" + (f" ({_counts(reasons)})" if reasons else "")


def _bad_record(result: Result) -> str:
    if result.bad_record is None:
        return "not put"
    after = [number for number, posted in result.journal.accepted.items() if posted.sent > result.bad_record]
    registered = sum(len(result.journal.trace(number).registered) == 1 for number in after)
    places = "; ".join(f"in {group}.dlq, {reason}" for group, reason in result.dead_letters.items()) or "nowhere"
    return f"{places}; the line went on: {len(after)} accepted after it, {registered} registered"


def _restarted(result: Result, brokers: int) -> str:
    away, journal = result.away, result.journal
    if away is None:
        return f"left out: {result.left_out}"
    requests = [number for number, posted in journal.accepted.items() if away.accepted(posted.answered)]
    registered = sum(len(journal.trace(number).registered) == 1 for number in requests)
    updates = {u: one for u, one in journal.updates.items() if one.topic_of is None and away.accepted(one.at)}
    settled = sum(update_id in journal.trace(one.request_id).updates for update_id, one in updates.items())
    who = f"{BROKER} of {brokers} brokers" if brokers > 1 else "it"
    return (
        f"{who} was away {away.back - away.gone:.1f} s; accepted meanwhile: {len(requests)} requests, "
        f"{registered} registered; {len(updates)} updates, {settled} answered"
    )


def _latency(measured: Sequence[tuple[float, float]], result: Result) -> str:
    """
    Percentiles of (when sent, how long) pairs: of all, and, if Kafka was restarted, of those sent before.
    """
    text = _percentiles([seconds for _, seconds in measured])
    if result.away is None:
        return text
    before = [seconds for sent, seconds in measured if sent < result.away.asked]
    return f"{text}\n{_percentiles(before)} sent before Kafka's restart"


def _percentiles(seconds: Sequence[float]) -> str:
    figures = "  ".join(f"p{share * 100:.0f} {percentile(seconds, share) * 1000:.0f} ms" for share in (0.5, 0.95, 0.99))
    return f"{figures}  (n={len(seconds)})"


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
