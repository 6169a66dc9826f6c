"""
``python -m services.reporting generate``: invented requests, to try figures on. Never in the database of a real city.

    --requests N      how many (1,000,000)
    --seed N          the same seed and the same days are the same figures (1)
    --years N         over how many years, up to yesterday (3)
    --until DAY       or up to this day
    --documents DAYS  for so many of the last days documents too, so that figures lead to requests (7)
    --database NAME   instead of REPORTING_DATABASE

What it writes: for each day the sheet of facts that figures are made of, and for the last days the requests themselves,
through which their sheets are made. Those days are simpler: no parts, pauses, messages or escalations. A projector or a
rebuild in the same database would find no documents behind the other days.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any, Final

import polars as pl

from services.common.contracts.clocks import load_calendar
from services.common.contracts.vocabulary import CLOSED
from services.common.kit.clock import system_clock
from services.common.kit.errors import Retryable
from services.common.kit.mongo import connect
from services.common.kit.retry import PATIENCE, within_budget
from services.reporting.figures.making import make_all
from services.reporting.figures.sheets import encode, form_of
from services.reporting.figures.sheets_repository import Part, Sheets
from services.reporting.history.import_cli import progress
from services.reporting.history.inventing import FIRST_DAY, Invention
from services.reporting.history.model import HistoricRequest
from services.reporting.history.repository import HistoryStore, NotEmpty
from services.reporting.projections import ISTANBUL
from services.reporting.repository import Repository
from services.reporting.settings import ProjectorSettings

_AS_THEY_ARE: Final = (
    "request_id", "received_at", "channel", "kind", "department", "neighbourhood", "lat", "lon", "priority",
    "emergency", "respond_by", "resolve_by", "closed_at", "outcome", "reopened", "rating",
)  # fmt: skip


def requests_of(frame: pl.DataFrame) -> list[HistoricRequest]:
    """
    The requests that facts are about, without their parts.
    """
    return [_request(row) for row in frame.filter(~pl.col("part")).iter_rows(named=True)]


def _request(row: dict[str, Any]) -> HistoricRequest:
    given = {name: row[name] for name in _AS_THEY_ARE}
    hours = row["hours_to_respond"]
    responded_at = row["received_at"] + timedelta(hours=hours) if hours is not None else None
    status = {} if row["status"] in CLOSED else {"status": row["status"]}
    found = {**given, **status, "service_code": row["service"], "responded_at": responded_at, "source": "invented"}
    return HistoricRequest.model_validate(found)


async def generate(settings: ProjectorSettings, invention: Invention, documents: int) -> int:
    """
    Write the sheets, and the last days' documents; returns the rows of facts. Raises ``NotEmpty``.
    """
    client = connect(settings.mongo)
    try:
        sheets = Sheets(client, settings.database, form=form_of(settings.calendar_file.read_bytes()))
        store = HistoryStore(client, settings.database)
        repository = Repository(client, settings.database)
        await store.for_inventions()
        await repository.prepare()
        await sheets.prepare()
        await sheets.mark_other_forms()
        rows = 0
        for day, frame in invention.days():
            rows += frame.height
            if day > invention.last - timedelta(days=documents):
                for requests in _pieces(requests_of(frame)):
                    await store.take(requests)
            else:
                await within_budget(partial(_write, sheets, str(day), frame), PATIENCE)
            progress(f"{day}: {rows:,} rows of facts")
        await make_all(sheets, invention.calendar)
        await repository.beat(system_clock(), min(system_clock(), invention.until), None)
        return rows
    finally:
        client.close()


async def _write(sheets: Sheets, day: str, frame: pl.DataFrame) -> None:
    """
    Put a day's sheet in the place of whatever is there. Raises ``Retryable`` if somebody else writes it meanwhile.
    """
    if not await sheets.write(day, await sheets.made(day), [Part.of("", frame.height, encode(frame))]):
        raise Retryable(f"somebody else writes the sheet of {day}")


def _pieces(requests: Sequence[HistoricRequest]) -> Iterable[Sequence[HistoricRequest]]:
    return (requests[start : start + 500] for start in range(0, len(requests), 500))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.reporting generate", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--years", type=float, default=3)
    parser.add_argument("--until", type=date.fromisoformat)
    parser.add_argument("--documents", type=int, default=7)
    parser.add_argument("--database")
    return parser


def main(words: Sequence[str]) -> int:
    """
    Run the command; 2 if it could not be done, with the reason on standard error.
    """
    arguments = _parser().parse_args(words)
    last = arguments.until or system_clock().astimezone(ISTANBUL).date() - timedelta(days=1)
    first = last - timedelta(days=round(arguments.years * 365.25) - 1)
    if not FIRST_DAY <= first <= last:
        print(f"error: the days must lie after {FIRST_DAY}, not begin on {first}", file=sys.stderr)
        return 2
    settings = ProjectorSettings.read()
    settings = settings.model_copy(update={"database": arguments.database or settings.database})
    calendar = load_calendar(settings.calendar_file)
    invention = Invention(arguments.seed, arguments.requests, first, last, calendar)
    try:
        rows = asyncio.run(generate(settings, invention, arguments.documents))
    except NotEmpty as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(file=sys.stderr)
    print(f"{arguments.requests:,} requests from {first} to {last}, {rows:,} rows of facts with their parts")
    return 0
