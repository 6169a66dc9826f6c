"""
Taking a foreign file over: piece by piece, while the next piece is read.
"""

import asyncio
import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Final, TextIO

from services.common.contracts.clocks import load_calendar
from services.common.contracts.ids import keyed_request_id
from services.common.kit.mongo import Client
from services.common.kit.retry import PATIENCE, within_budget
from services.reporting.figures.making import make_all
from services.reporting.figures.sheets import form_of
from services.reporting.figures.sheets_repository import Sheets
from services.reporting.history.mapping import CityMapping
from services.reporting.history.model import HistoricRequest
from services.reporting.history.reading import Reader, Refusal, Table
from services.reporting.history.repository import HistoryStore
from services.reporting.repository import Repository
from services.reporting.settings import ProjectorSettings

Say = Callable[[str], None]

_AT_ONCE: Final = 1_000


@dataclass(slots=True)
class Taken:
    """
    What became of the rows: ``new`` requests, ``known`` ones that were here before, ``refused`` by field.
    """

    new: int = 0
    known: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        """
        How many rows were read.
        """
        return self.new + self.known + self.refused.total()

    def __str__(self) -> str:
        refused = "".join(f", {name} {n:,}" for name, n in self.refused.most_common())
        return f"{self.rows:,} rows: {self.new:,} new, {self.known:,} known, {self.refused.total():,} refused{refused}"


class RefusalList:
    """
    The refused rows as a file (line, field, reason), which is there only if there are any.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None

    def add(self, refusals: Sequence[Refusal]) -> None:
        """
        Write some down.
        """
        if refusals and self._file is None:
            self._file = self.path.open("w", encoding="utf-8", newline="")
            csv.writer(self._file).writerow(("line", "field", "reason"))
        if self._file:
            csv.writer(self._file).writerows((row.line, row.field, row.reason) for row in refusals)

    def close(self) -> None:
        """
        Close the file.
        """
        if self._file:
            self._file.close()


async def take_over(
    path: Path, mapping: CityMapping, store: HistoryStore | None, refused: RefusalList, say: Say
) -> Taken:
    """
    Take a file's requests into a database; without one all are only read, and count as new. Raises ``BrokenMapping``
    and ``UnreadableFile``; what was read before stays.
    """
    secret = await within_budget(store.secret, PATIENCE) if store else b"dry run"
    reader = Reader(mapping, lambda name: keyed_request_id(secret, mapping.source, name))
    taken, began = Taken(), monotonic()
    with Table(path, mapping) as table:
        rows = table.read(reader)
        piece = await asyncio.to_thread(_piece, rows)
        while any(piece):
            requests, refusals = piece
            refused.add(refusals)
            taken.refused.update(refusal.field for refusal in refusals)
            new, piece = await asyncio.gather(_taken(store, requests), asyncio.to_thread(_piece, rows))
            taken.new += new
            taken.known += len(requests) - new
            speed = taken.rows / (monotonic() - began)
            say(f"{taken.rows:,} rows, {table.share:.0%} of the file, {speed:,.0f} a second")
    if store:
        await within_budget(lambda: store.name(mapping, reader.names), PATIENCE)
    return taken


async def _taken(store: HistoryStore | None, requests: Sequence[HistoricRequest]) -> int:
    return await store.take(requests) if store and requests else len(requests)


def _piece(rows: Iterator[HistoricRequest | Refusal]) -> tuple[list[HistoricRequest], list[Refusal]]:
    requests, refusals = [], []
    for row in islice(rows, _AT_ONCE):
        if isinstance(row, HistoricRequest):
            requests.append(row)
        else:
            refusals.append(row)
    return requests, refusals


async def import_file(
    client: Client, settings: ProjectorSettings, path: Path, mapping: CityMapping, refused: RefusalList, say: Say
) -> Taken:
    """
    Take a file over and make the sheets of its days, so that all figures have it when this returns. Raises as
    ``take_over`` does.
    """
    form = form_of(settings.calendar_file.read_bytes())
    repository, sheets = Repository(client, settings.database), Sheets(client, settings.database, form=form)
    await repository.prepare()
    await sheets.prepare()
    await sheets.mark_other_forms()
    taken = await take_over(path, mapping, HistoryStore(client, settings.database), refused, say)
    say("making the sheets of its days")
    await make_all(sheets, load_calendar(settings.calendar_file))
    return taken
