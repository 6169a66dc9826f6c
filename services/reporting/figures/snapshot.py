"""
All sheets together in memory: what every figure is asked of.

A million rows take about 150 MB, and once as much for a moment while they are first read. They are kept in pieces of a
month, so that a changed day costs a month's copying and not everything's.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import blake2b
from math import inf
from time import monotonic
from typing import Final

import polars as pl

from services.common.kit.clock import Clock, system_clock
from services.common.kit.logs import logger
from services.common.kit.mongo import UNAVAILABLE
from services.reporting.figures.facts import SCHEMA, frame_of
from services.reporting.figures.flags import with_flags
from services.reporting.figures.points import Point, places_of, points_of
from services.reporting.figures.sheets import decode
from services.reporting.figures.sheets_repository import Sheets

log = logger(__name__)

LOOK_EVERY_SECONDS: Final = 0.5
COMPARE_EVERY: Final = timedelta(minutes=5)
"""How often all sheets are compared, not only those with a new stamp: a write may be seen long after its stamp."""
COLUMNS: Final = tuple(name for name in SCHEMA if name != "request_id")


@dataclass(frozen=True, slots=True)
class Figures:
    """
    The facts of all requests at one moment, by ``facts.SCHEMA`` without the number, and their ``flags`` and bins.
    ``version`` changes when they do. ``as_of``: all that was published until then is in; None while nobody knows.
    ``points``: where each neighbourhood lies, by all its requests.
    """

    frame: pl.DataFrame
    version: str
    as_of: datetime | None
    points: Mapping[str, Point] = field(default_factory=dict)


class Snapshot:
    """
    The sheets of the database, read again where they changed.
    """

    def __init__(
        self, sheets: Sheets, clock: Clock = system_clock, look_every_seconds: float = LOOK_EVERY_SECONDS
    ) -> None:
        self._sheets = sheets
        self._clock = clock
        self._look_every_seconds = look_every_seconds
        self._months: dict[str, pl.DataFrame] = {}
        self._places: dict[str, pl.DataFrame] = {}
        self._digests: dict[str, str] = {}
        self._newest: datetime | None = None
        self._compared_at: datetime | None = None
        self._figures = Figures(with_flags(frame_of([]).select(COLUMNS)), _version({}), None)
        self._looked_at: float | None = None
        self._look: asyncio.Task[None] | None = None

    async def current(self) -> Figures:
        """
        The facts as they are now, at most half a second (``look_every_seconds``) old. While somebody keeps asking, the
        next look begins after half of that and nobody waits for it; who asks later waits for its end. Raises
        ``kit.mongo.UNAVAILABLE`` as they come.
        """
        age = inf if self._looked_at is None else monotonic() - self._looked_at
        if self._look is None and age >= self._look_every_seconds / 2:
            self._look = asyncio.create_task(self._read())
            self._look.add_done_callback(_heard)
        if self._look is not None and age >= self._look_every_seconds:
            await asyncio.shield(self._look)
        return self._figures

    async def warm_up(self) -> None:
        """
        Read everything before somebody asks; a database that is away now is asked by the first of them.
        """
        try:
            await self.current()
        except UNAVAILABLE as error:
            log.warning("no sheets yet", error=type(error).__name__)

    def close(self) -> None:
        """
        End a look that is under way.
        """
        if self._look is not None:
            self._look.cancel()

    async def _read(self) -> None:
        try:
            # what was published is claimed by what the sheets say afterwards
            as_of = await self._sheets.as_of()
            now = self._clock()
            every = self._compared_at is None or now - self._compared_at >= COMPARE_EVERY
            written = await self._sheets.written(min(self._newest, now) if self._newest and not every else None)
            await self._take({sheet.day for sheet in written if self._digests.get(sheet.day) != sheet.digest})
            self._newest = max((sheet.written_at for sheet in written), default=self._newest)
            if every:
                self._compared_at = now
            self._figures = self._together(as_of)
            self._looked_at = monotonic()
        finally:
            self._look = None

    async def _take(self, days: set[str]) -> None:
        """
        Read these days' sheets, month by month: what was read stays if the rest cannot be read now.
        """
        for month in sorted({day[:7] for day in days}):
            found = self._sheets.contents(day for day in days if day.startswith(month))
            sheets = {day: (digest, parts) async for day, digest, parts in found}
            contents = {day: parts for day, (_, parts) in sheets.items()}
            self._months[month] = await asyncio.to_thread(_merged, self._months.get(month), contents)
            self._places[month] = await asyncio.to_thread(places_of, self._months[month])
            self._digests.update({day: digest for day, (digest, _) in sheets.items()})

    def _together(self, as_of: datetime | None) -> Figures:
        before = self._figures
        if as_of and before.as_of:
            as_of = max(as_of, before.as_of)
        version = _version(self._digests)
        if version == before.version:
            return Figures(before.frame, version, as_of or before.as_of, before.points)
        frame = pl.concat([self._months[month] for month in sorted(self._months)], rechunk=False)
        return Figures(frame, version, as_of or before.as_of, points_of(self._places.values()))


def _heard(look: asyncio.Task[None]) -> None:
    """
    What a look raised is told to whoever waits for it; if nobody does, the next who asks looks again.
    """
    if not look.cancelled():
        look.exception()


def _merged(month: pl.DataFrame | None, contents: Mapping[str, Sequence[bytes]]) -> pl.DataFrame:
    """
    A month's rows in the order of their days, with those of some days in the place of what there was of them.
    """
    days = [date.fromisoformat(day) for day in contents]
    frames = [month.filter(~pl.col("day").is_in(days))] if month is not None else []
    if contents:
        frames.append(with_flags(decode((part for day in sorted(contents) for part in contents[day]), COLUMNS)))
    return pl.concat(frames).sort("day", maintain_order=True).rechunk()


def _version(digests: Mapping[str, str]) -> str:
    return blake2b(repr(sorted(digests.items())).encode(), digest_size=12).hexdigest()
