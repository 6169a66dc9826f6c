"""
How fast the figures of a million requests are over HTTP, on a stack of its own: every endpoint that the dashboard
reads, the list, and the exports, with the api's memory.

``python -m tests.bench.reports [--requests 1000000] [--seed 1] [--json FILE]``; exits 1 if an endpoint of the dashboard
has a p95 over 100 ms. Figures are of invented requests, and of the database named: a stand-in for MongoDB.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
from rich.console import Console

from deploy.stack.stack import Stack
from services.common.contracts.clocks import load_calendar
from services.common.kit.settings import MongoSettings
from services.reporting.history.generate_cli import generate
from services.reporting.history.inventing import Invention
from services.reporting.settings import ProjectorSettings
from tests.faults.stand import own_stack

GOAL_P95_MS: Final = 100
TIMES: Final = 30
WARM_UP: Final = 3
LAST: Final = date(2026, 10, 31)
REPORTS: Final[dict[str, dict[str, str]]] = {
    "summary": {"compare": "previous"},
    "volume": {"interval": "week"},
    "volume by channel": {"interval": "month", "by": "channel"},
    "channels": {},
    "departments": {},
    "services": {},
    "neighbourhoods": {},
    "sla": {},
    "backlog": {"interval": "month"},
    "satisfaction": {"by": "department"},
    "heatmap": {},
}
NARROWED: Final[tuple[dict[str, str], ...]] = (
    {},
    {"department": "zabita"},
    {"channel": "phone,whatsapp"},
    {"kind": "complaint"},
    {"service": "gurultu"},
)
MONTH: Final = {"from": "2026-10-01", "to": "2026-10-31"}
EXPORTS: Final = ("csv", "xlsx", "geojson")


@dataclass(frozen=True, slots=True)
class Timing:
    """
    One endpoint: milliseconds over HTTP.
    """

    name: str
    p50: float
    p95: float
    p99: float
    goal: float | None


@dataclass(frozen=True, slots=True)
class Export:
    """
    One export: rows a second, and the most memory that the api had more than before, in MB.
    """

    name: str
    rows: int
    rows_per_second: float
    more_memory: float


def spans() -> Iterator[dict[str, str]]:
    """
    Everything, and the last 7 days to two years: what a reader of a dashboard chooses.
    """
    yield {}
    for days in (7, 30, 90, 365, 730):
        yield {"from": str(LAST - timedelta(days=days - 1)), "to": str(LAST)}


def questions(report: str) -> list[dict[str, str]]:
    """
    ``TIMES`` different questions to a report; a comparison needs a span.
    """
    given = REPORTS[report]
    asked = [{**given, **span, **narrowed} for narrowed in NARROWED for span in spans()]
    return [{name: text for name, text in one.items() if name != "compare" or "from" in one} for one in asked]


async def timed(
    http: httpx.AsyncClient, name: str, path: str, asked: Sequence[dict[str, str]], goal: float | None
) -> Timing:
    """
    Ask one after another, some before it counts. Raises ``httpx.HTTPStatusError``.
    """
    took = []
    for n, question in enumerate([*asked[:WARM_UP], *islice(cycle(asked), TIMES)]):
        began = time.perf_counter()
        answer = await http.get(path, params=question)
        answer.raise_for_status()
        if n >= WARM_UP:
            took.append((time.perf_counter() - began) * 1000)
    edges = statistics.quantiles(took, n=100, method="inclusive")
    return Timing(name, round(edges[49], 1), round(edges[94], 1), round(edges[98], 1), goal)


async def exported(http: httpx.AsyncClient, api: psutil.Process, form: str) -> Export:
    """
    Read a month as a file, watching the api's memory.
    """
    before = most = api.memory_info().rss
    began, size, lines = time.perf_counter(), 0, 0
    async with http.stream("GET", f"/v1/exports/requests.{form}", params=MONTH) as answer:
        answer.raise_for_status()
        async for piece in answer.aiter_bytes(1 << 16):
            size, lines = size + len(piece), lines + piece.count(b"\n")
            most = max(most, api.memory_info().rss)
    took = time.perf_counter() - began
    wanted = (await http.get("/v1/reports/summary", params=MONTH)).json()["rows"][0]["received"]
    return Export(f"{form} ({size / 1e6:.1f} MB)", wanted, round(wanted / took), round((most - before) / 1e6, 1))


async def measured(
    stack: Stack, requests: int, seed: int, years: int, console: Console
) -> tuple[list[Timing], list[Export]]:
    """
    Invent, then ask.
    """
    settings = ProjectorSettings(mongo=MongoSettings(uri=stack.env["MONGODB_URI"]))
    first = LAST - timedelta(days=365 * years - 1)
    invention = Invention(seed, requests, first, LAST, load_calendar(settings.calendar_file))
    began = time.monotonic()
    rows = await generate(settings, invention, documents=7)
    console.print(f"\n{rows:,} rows of facts written in {time.monotonic() - began:.0f} s")
    headers = {"X-API-Key": stack.env["API_KEY"]}
    async with httpx.AsyncClient(base_url=stack.env["REPORTING_URL"], headers=headers, timeout=120) as http:
        began = time.monotonic()
        summary = (await http.get("/v1/reports/summary")).raise_for_status().json()["rows"][0]
        console.print(f"the first answer, while all sheets are read: {time.monotonic() - began:.1f} s")
        assert summary["received"] == requests, "the figures do not hold what was invented"
        timings = [
            await timed(http, name, f"/v1/reports/{name.partition(' ')[0]}", questions(name), GOAL_P95_MS)
            for name in REPORTS
        ]
        last_days = [{"from": str(LAST - timedelta(days=n)), "to": str(LAST), "limit": "50"} for n in range(6)]
        timings.append(await timed(http, "list of requests", "/v1/requests", last_days, None))
        api = psutil.Process(int((stack.config.run_dir / "pids" / "reporting-api").read_text()))
        return timings, [await exported(http, api, form) for form in EXPORTS]


def table(timings: Sequence[Timing], exports: Sequence[Export]) -> str:
    """
    Both as Markdown.
    """
    lines = ["| endpoint | p50 ms | p95 ms | p99 ms |", "|---|---:|---:|---:|"]
    lines += [f"| {one.name} | {one.p50} | {one.p95} | {one.p99} |" for one in timings]
    lines += ["", "| export of a month | rows | rows a second | more memory, MB |", "|---|---:|---:|---:|"]
    lines += [f"| {one.name} | {one.rows:,} | {one.rows_per_second:,.0f} | {one.more_memory} |" for one in exports]
    return "\n".join(lines)


def main(words: Sequence[str]) -> int:
    """
    Measure, print, and say whether the goal is met.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reports")
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--years", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args(words)
    console = Console()
    with own_stack("reports", console) as stack:
        run = measured(stack, arguments.requests, arguments.seed, arguments.years, console)
        timings, exports = asyncio.run(run)
        where = f"{stack.config.database}; {os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    console.print(f"\n{arguments.requests:,} invented requests, {arguments.years} years; {where}\n")
    console.print(table(timings, exports), markup=False)
    if arguments.json:
        found: dict[str, Any] = {"where": where, "requests": arguments.requests}
        found |= {"timings": [asdict(one) for one in timings], "exports": [asdict(one) for one in exports]}
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    slow = [one.name for one in timings if one.goal and one.p95 > one.goal]
    if slow:
        console.print(f"over {GOAL_P95_MS} ms at p95: {', '.join(slow)}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
