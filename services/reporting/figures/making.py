"""
The making of sheets: what is marked is made from the documents of its day, beside the projector.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Final

import polars as pl

from services.common.contracts.clocks import Calendar
from services.common.kit.logs import logger
from services.common.kit.mongo import UNAVAILABLE
from services.common.kit.retry import PATIENCE, within_budget
from services.reporting.figures.facts import fact_of, frame_of
from services.reporting.figures.sheets import encode
from services.reporting.figures.sheets_repository import Mark, Part, Sheets
from services.reporting.projections import Document

log = logger(__name__)

SHORTEST_REST: Final = 0.25
LONGEST_REST: Final = 120.0
RESTS_AWAY: Final = 5
"""Times as long as it was waited in vain for the database, which may still be at work on what nobody waits for."""
RESTS: Final = 19
"""Times as long as it made: a twentieth of the time goes into sheets."""
RESTS_BEHIND: Final = 2
"""The same while more days wait than a round takes, as after an import."""
IN_A_ROUND: Final = 8
IN_A_PART: Final = 1_000
"""Documents: a sheet of more is made, and kept, in several parts."""
_AT_LEAST: Final = datetime.max.replace(tzinfo=UTC)  # misses nothing: made after all others


class CannotMake(Exception):
    """
    A document of a day gives no facts: our mistake, that a new version may mend.
    """


async def make(sheets: Sheets, calendar: Calendar, day: str) -> bool:
    """
    Write a day's sheet, if it is marked, and take the mark away. Parts in which nothing changed are kept as they are:
    so a busy day costs what came since, not what there is. False if somebody else wrote that sheet meanwhile: what
    they did not know of is still marked, and the day comes again. Raises ``CannotMake``.
    """
    mark = await sheets.take(day)
    if mark is None:
        return True
    made = await sheets.made(day)
    parts: list[Part] = []  # of what was made 40 bytes a row, in place of some KB as a document
    for part, low, high in made.windows():
        if part is not None and not mark.touches(low, high):
            parts.append(part)
            continue
        async for documents in _pieces(sheets.documents(day, low, high)):
            parts.append(await asyncio.to_thread(_part, documents, calendar))
    parts = [part for part in parts if part.rows] or parts[:1]
    if not await sheets.write(day, made, parts):
        return False
    await sheets.unmark(mark)
    return True


async def make_all(sheets: Sheets, calendar: Calendar) -> None:
    """
    Make whatever is marked, without rest, until nothing is. A database that is away is waited for, within ``PATIENCE``
    for each sheet; then one of ``kit.retry.RETRY`` is raised.
    """
    while marks := await within_budget(sheets.marked, PATIENCE):
        for mark in marks:
            await within_budget(partial(make, sheets, calendar, mark.day), PATIENCE)


async def keep_made(sheets: Sheets, calendar: Calendar) -> None:
    """
    Make what is marked, for ever, with rests, so that a day of many thousand requests is made less often. A database
    that is away is waited for; a day that cannot be made keeps its mark, and ``as_of`` stands still; it is tried again
    when it is marked again.
    """
    broken: set[str] = set()
    while True:
        began = monotonic()
        try:
            await sheets.mark_remade()
            marked = await sheets.marked()
            broken &= {mark.token for mark in marked}
            marks = [mark for mark in marked if mark.token not in broken]
            began = monotonic()
            for mark in a_round(marks):
                try:
                    await make(sheets, calendar, mark.day)
                except CannotMake as error:
                    broken.add(mark.token)
                    log.error("a sheet cannot be made", day=mark.day, error=type(error.__cause__).__name__)
            rests = RESTS if len(marks) <= IN_A_ROUND else RESTS_BEHIND
        except UNAVAILABLE as error:
            log.warning("no sheets", error=type(error).__name__)
            rests = RESTS_AWAY
        await asyncio.sleep(min(LONGEST_REST, max(SHORTEST_REST, rests * (monotonic() - began))))


def a_round(marks: Sequence[Mark]) -> list[Mark]:
    """
    What is made next of all that is marked: the latest day, which people look at, and those that waited longest, so
    that no day waits for ever behind those that are marked again and again.
    """
    latest = sorted(marks, key=lambda mark: mark.day)[-1:]
    waiting = sorted((mark for mark in marks if mark not in latest), key=lambda mark: mark.since or _AT_LEAST)
    return [*latest, *waiting[: IN_A_ROUND - 1]]


async def _pieces(documents: AsyncIterator[Document]) -> AsyncIterator[list[Document]]:
    piece: list[Document] = []
    async for document in documents:
        piece.append(document)
        if len(piece) == IN_A_PART:
            yield piece
            piece = []
    yield piece


def _part(documents: Sequence[Document], calendar: Calendar) -> Part:
    try:
        found = [fact_of(document, calendar) for document in documents]
        frame = frame_of(row for row in found if row is not None)
        return Part.of(documents[0]["work"] if documents else "", frame.height, encode(frame))
    except (LookupError, TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        raise CannotMake from error
