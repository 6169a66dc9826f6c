"""
Events into the documents of a collection, whoever else is at it.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from pymongo import InsertOne, ReplaceOne
from pymongo.errors import BulkWriteError

from services.common.contracts.envelope import Received
from services.common.contracts.events import RequestReceived, RequestRegistered
from services.common.kit.clock import Clock
from services.common.kit.errors import Retryable
from services.common.kit.mongo import Collection, only_duplicates, rows
from services.reporting.projections import Document, fold, inherit, of_a_department, subject_of, tells_something

ATTEMPTS: Final = 10
Write = InsertOne[Document] | ReplaceOne[Document]
Days = dict[str, set[str]]
"""Local days, each with the places (``work``) of documents there; "" is anywhere."""


async def project(documents: Collection, events: Sequence[Received], clock: Clock, first_rev: int = 1) -> Days:
    """
    Fold the events into their documents, then hand what came of a parent to its parts. Each is one read and one
    write, again for those that another process changed meanwhile. Raises ``Retryable`` if that goes on. ``rev`` counts
    the writes of a document, from ``first_rev``.

    Returns where these documents stand or ever stood, whether or not anything changed: who died before it told of a
    change sees the same events again.

    Whoever writes a parent looks for its parts afterwards, whoever writes a part looks for its parent afterwards:
    whichever of two processes is the later one sees both, and after a crash the same events come again.
    """
    waiting: dict[str, list[Received]] = defaultdict(list)
    for event in filter(tells_something, events):
        waiting[subject_of(event)].append(event)
    if not waiting:
        return {}
    days: Days = {}
    families = sorted({event.data.key for event in events if _concerns_parts(event)})

    async def own() -> list[Write]:
        known = {row["_id"]: row async for row in rows(documents.find({"_id": {"$in": list(waiting)}}))}
        return _folded(known, waiting, clock(), days, first_rev)

    async def inherited() -> list[Write]:
        parts = [row async for row in rows(documents.find({"parent_id": {"$in": families}}))]
        if not parts:
            return []
        parents = sorted({row["parent_id"] for row in parts})
        known = {row["_id"]: row async for row in rows(documents.find({"_id": {"$in": parents}}))}
        return _inherited(known, parts, clock(), days)

    await _settle(documents, own)
    if families:
        await _settle(documents, inherited)
    return days


async def _settle(documents: Collection, due: Callable[[], Awaitable[list[Write]]]) -> None:
    for _ in range(ATTEMPTS):
        writes = await due()
        if not writes or await _write(documents, writes):
            return
    raise Retryable("another process keeps changing these requests")


async def _write(documents: Collection, writes: Sequence[Write]) -> bool:
    """
    Whether every write met the document it was made for.
    """
    try:
        result = await documents.bulk_write(list(writes), ordered=False)
    except BulkWriteError as error:
        only_duplicates(error)
        return False
    return result.inserted_count + result.matched_count == len(writes)


def _concerns_parts(event: Received) -> bool:
    if of_a_department(event):
        return False
    return isinstance(event.data, RequestReceived | RequestRegistered) or subject_of(event) != event.data.key


def _folded(
    known: Mapping[str, Document],
    waiting: Mapping[str, Sequence[Received]],
    at: datetime,
    days: Days,
    first_rev: int,
) -> list[Write]:
    writes: list[Write] = []
    for request_id, events in waiting.items():
        before = known.get(request_id)
        now = fold(before, *events)
        if now is None:
            continue
        stood_in = days_of(before, now)
        _add(days, stood_in)
        if now != before:
            first = {"_id": request_id, "rev": first_rev, **now, "days": kept(stood_in), "written_at": at}
            writes.append(InsertOne(first) if before is None else _replaced(now, stood_in, at))
    return writes


def _inherited(parents: Mapping[str, Document], parts: Sequence[Document], at: datetime, days: Days) -> list[Write]:
    writes: list[Write] = []
    for part in parts:
        if part["parent_id"] not in parents:
            continue
        now = inherit(part, parents[part["parent_id"]])
        stood_in = days_of(part, now)
        _add(days, stood_in)
        if now != part:
            writes.append(_replaced(now, stood_in, at))
    return writes


def days_of(*documents: Document | None) -> Days:
    """
    Where a registered document was ever kept, by what it was: a body that comes late moves it. Of what older code kept
    only the day is known.
    """
    found: Days = {}
    for document in filter(None, documents):
        known = document.get("days", {})
        places = known.items() if isinstance(known, Mapping) else dict.fromkeys(known).items()
        _add(found, {day: set(there) if isinstance(there, list) else {""} for day, there in places})
        if document["registered"] and document["received_day"]:
            _add(found, {document["received_day"]: {document["work"]}})
    return found


def _add(days: Days, more: Days) -> None:
    for day, places in more.items():
        days.setdefault(day, set()).update(places)


def kept(days: Days) -> dict[str, list[str]]:
    """
    The same as a document keeps it.
    """
    return {day: sorted(places) for day, places in days.items()}


def _replaced(now: Document, days: Days, at: datetime) -> Write:
    """
    Put a document in the place of the one it was made from, if that is still there. When it is written and under which
    days it stood are no facts of the request: whoever shows it live, or makes figures of a day, asks by them.
    """
    changes = {"rev": now["rev"] + 1, "days": kept(days), "written_at": at}
    return ReplaceOne({"_id": now["_id"], "rev": now["rev"]}, {**now, **changes})
