"""
Do topics and reporting agree on every request of every day? ``python -m deploy.verify [--from DAY] [--to DAY]``.

Received by intake = registered by routing = shown by reporting = counted by its figures = told or waiting to be told.
Read from outside: the topics as any subscriber could, reporting's database as it stands. What came before the command
was started is asked about; what is still under way is waited for.
"""

import argparse
import asyncio
import logging
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from kafka.errors import KafkaError
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from deploy.observe import WATCHED, Observer, everything_of, facts
from deploy.recovery import databases
from deploy.recovery.agreement import Day, Difference, Reported, Span, days, differences, requests_of
from deploy.terminal import ToolError, no_broker, settings
from services.common.contracts.topics import GROUPS, LIFECYCLE, RECEIVED
from services.common.kit.groups import BrokerAway, standings
from services.common.kit.settings import MongoSettings
from services.reporting.figures.sheets import decode
from services.reporting.figures.sheets_repository import contents_of
from services.reporting.projections import local_day

SHOWN_AT_MOST: Final = 5
PAUSE_SECONDS: Final = 1.0
BOOTSTRAP_MS: Final = 5_000


class Found(NamedTuple):
    """
    What verify found. ``behind``: how many records consumers have not acknowledged; ``unmade``: days whose figures are
    being made again.
    """

    days: list[Day]
    differences: list[Difference]
    behind: int
    unmade: int
    kept_from: str | None

    @property
    def moving(self) -> bool:
        """
        Whether something is under way that may mend what differs.
        """
        return bool(self.behind or self.unmade)


def verify(variables: Mapping[str, str], span: Span, patience: float, progress: Callable[[int, int], None]) -> Found:
    """
    Compare, again and again while something differs that is still moving, at most ``patience`` seconds. ``progress``
    hears how many records were read and how many there are. Raises what Kafka's and MongoDB's clients raise.
    """
    servers = variables["KAFKA_BOOTSTRAP_SERVERS"]
    span = Span(span.first, span.last, kept_from(servers))
    observer = Observer(servers, (*WATCHED, RECEIVED.name))
    try:
        _read(observer, progress)
        asked = requests_of(facts(observer.seen), span).day.keys()
        deadline = time.monotonic() + patience
        while True:
            behind, reported = _behind(servers), of_reporting(databases.of(variables), span)
            _read(observer, progress)
            now = facts(observer.seen)
            requests = requests_of(now, span, asked)
            found = Found(
                days(requests, reported.reported),
                differences(requests, now, reported.reported, span),
                behind,
                reported.unmade,
                span.kept_from,
            )
            if not found.differences or not found.moving or time.monotonic() > deadline:
                return found
            time.sleep(PAUSE_SECONDS)
    finally:
        observer.close()


def _read(observer: Observer, progress: Callable[[int, int], None]) -> None:
    while left := observer.behind():
        observer.poll()
        progress(len(observer.seen), len(observer.seen) + left)


def _behind(servers: str) -> int:
    return sum(sum(one.behind.values()) for one in asyncio.run(standings(servers, GROUPS)))


def kept_from(servers: str) -> str | None:
    """
    The first local day that is whole on the topics: the one after the oldest record of whatever partition has lost its
    beginning to age. None if none has.
    """
    consumer = everything_of(servers, (RECEIVED.name, LIFECYCLE.name), bootstrap_timeout_ms=BOOTSTRAP_MS)
    oldest: list[datetime] = []
    try:
        places = list(consumer.assignment())
        begins, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
        for place in places:
            if not begins[place]:
                continue
            consumer.assign([place])
            consumer.seek(place, begins[place])
            while consumer.position(place) < ends[place]:
                if records := consumer.poll(timeout_ms=500, max_records=1).get(place):
                    oldest.append(datetime.fromtimestamp(records[0].timestamp / 1000, UTC))
                    break
            else:
                oldest.append(datetime.now(UTC))
    finally:
        consumer.close()
    return local_day(max(oldest) + timedelta(days=1)) if oldest else None


class FromReporting(NamedTuple):
    """
    What reporting's database says, and how many days' sheets are to be made again.
    """

    reported: Reported
    unmade: int


def of_reporting(mongo: MongoSettings, span: Span) -> FromReporting:
    """
    Read reporting's documents and sheets of a span's days.
    """
    first = max(span.first or "", span.kept_from or "")
    limits = {"$gte": first, **({"$lte": span.last} if span.last else {})}
    with MongoClient[dict[str, Any]](mongo.uri, serverSelectionTimeoutMS=5_000) as client:
        db = client["reporting"]
        counted: dict[str, list[str]] = defaultdict(list)
        for sheet in db["sheets"].find({"_id": limits}, {"facts": True, "parts": True}):
            frame = decode(contents_of(sheet), ("request_id", "part"))
            for number in frame.filter(~frame["part"])["request_id"]:
                counted[number].append(sheet["_id"])
        shown = {
            row["_id"]: row["received_day"]
            for row in db["requests"].find({"registered": True, "parent_id": None}, {"received_day": True})
        }
        return FromReporting(Reported(shown, counted), db["sheet_marks"].count_documents({"_id": limits}))


def table(found: Found) -> Table:
    """
    The days as a table.
    """
    shown = Table(
        "day", "received", "registered", "shown", "counted", "told", "waits", "", title="requests by local day"
    )
    for column in shown.columns[1:7]:
        column.justify = "right"
    for day in found.days:
        shown.add_row(day.day, *map(str, day[1:]), "" if day.agrees else "differs")
    if len(found.days) > 1:
        totals = [str(sum(int(day[at]) for day in found.days)) for at in range(1, 7)]
        shown.add_section()
        shown.add_row(f"{len(found.days)} days", *totals, "" if all(day.agrees for day in found.days) else "differs")
    return shown


def lines(found: Found) -> list[str]:
    """
    What there is to say below the table.
    """
    said = []
    if found.kept_from:
        said.append(f"days before {found.kept_from} are no longer whole on the topics and were not compared")
    for what, numbers, to_do in found.differences:
        some = ", ".join(numbers[:SHOWN_AT_MOST]) + (", …" if numbers[SHOWN_AT_MOST:] else "")
        said += [f"{len(numbers)} {what}: {some}", f"    {to_do}"]
    if found.moving:
        said.append(f"still moving: {found.behind} records behind, figures of {found.unmade} days are being made")
    said.append("everything agrees" if not found.differences else "not everything agrees")
    return said


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError("it is a day: 2026-03-31") from None


def main() -> int:
    """
    Entry of ``python -m deploy.verify``: 0 everything agrees, 1 something differs, 2 it could not be asked.
    """
    parser = argparse.ArgumentParser(prog="python -m deploy.verify", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--from", dest="first", type=_day, metavar="DAY", help="the first local day (YYYY-MM-DD)")
    parser.add_argument("--to", dest="last", type=_day, metavar="DAY", help="the last one")
    parser.add_argument("--patience", type=float, default=30, metavar="SECONDS", help="how long to wait (30)")
    arguments = parser.parse_args()
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    out = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    try:
        variables = settings()
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("records read", total=None)
            found = verify(
                variables,
                Span(arguments.first, arguments.last),
                arguments.patience,
                lambda done, of: bar.update(task, completed=done, total=of),
            )
    except ToolError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (KafkaError, BrokerAway):
        print(f"error: {no_broker(variables['KAFKA_BOOTSTRAP_SERVERS'])}", file=sys.stderr)
        return 2
    except PyMongoError as error:
        print(f"error: MongoDB does not answer ({type(error).__name__}): `make status`", file=sys.stderr)
        return 2
    out.print(table(found))
    for line in lines(found):
        out.print(line, markup=False, soft_wrap=True)
    return 1 if found.differences else 0


if __name__ == "__main__":
    sys.exit(main())
