"""
The sheets in MongoDB, and the marks of those that are to be made again: the only module of figures that speaks MongoDB.

A mark is set after a day's documents were written. Whoever makes the sheet takes it first: what changes from then on is
marked anew beside it, so that each making has only what changed since the one before. It is taken away
only by whoever wrote the sheet of what it found after taking it; what was taken by somebody who died is taken again. A
sheet is written only over the one that was there before its documents were read, and of its parts only those that are
new. So whatever dies, and however many projectors there are, a sheet without a mark says what the documents say.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import uuid4

from pymongo import ASCENDING, IndexModel, UpdateOne
from pymongo.errors import DuplicateKeyError

from services.common.kit.clock import Clock, system_clock
from services.common.kit.mongo import Client, aggregate, ensure_indexes, rows
from services.reporting.figures.facts import NEEDED
from services.reporting.figures.sheets import digest
from services.reporting.projections import Document, place_of
from services.reporting.queries import midnight
from services.reporting.repository import REBUILD, REMADE

OVERLAP: Final = timedelta(seconds=60)
"""
How far clocks may differ, and how long a write may take to be seen, before a changed sheet is overlooked until all are
compared.
"""
_BLOCK: Final = 11
"""Letters of a place that make a block: all but the last four digits of its milliseconds, so ten seconds."""
_BEHIND: Final = "~"
"""Comes after whatever a place is written with."""
_LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)
_FORM: Final = "sheets"
_AT_ONCE: Final = 32
_READ_AT_ONCE: Final = 1_000
_ZLIB: Final = b"\x78"
_LENGTH: Final = 4


@dataclass(frozen=True, slots=True)
class Mark:
    """
    A day whose sheet is to be made again. ``since``: what was published from then on may be missing in it; None: it
    misses nothing, but is of another form. ``blocks``: with what the places (``work``) begin at which something may
    have changed; "" is the whole day. ``token``: another one each time that the day is marked.
    """

    day: str
    token: str
    since: datetime | None
    blocks: frozenset[str] = frozenset({""})

    def touches(self, low: str, high: str | None) -> bool:
        """
        Whether something may have changed between two places, the second excepted; None is behind all.
        """
        return any(block + _BEHIND >= low and (high is None or block < high) for block in self.blocks)


@dataclass(frozen=True, slots=True)
class Part:
    """
    One of the parts that a sheet is made and kept in: the place (``work``) of its first document ("" if it has none),
    how many rows it has, and what tells their content from another. The content itself is here only of a part that was
    made now: those that are kept as they are need not be read.
    """

    first: str
    rows: int
    digest: str
    content: bytes | None = None

    @classmethod
    def of(cls, first: str, rows: int, content: bytes) -> "Part":
        """
        A part that was made now.
        """
        return cls(first, rows, digest(content), content)


@dataclass(frozen=True, slots=True)
class Made:
    """
    A sheet as it stands: how often it was written, what tells its content from another, and its parts. No parts: it is
    of another form, or there is none.
    """

    rev: int
    digest: str = ""
    parts: tuple[Part, ...] = ()

    def windows(self) -> list[tuple[Part | None, str, str | None]]:
        """
        The day from its first place to its last, as it is divided into parts: each with its places, the second of which
        it has not. A day without parts is one window.
        """
        edges = ["", *(part.first for part in self.parts[1:])]
        return list(zip(self.parts or (None,), edges, [*edges[1:], None], strict=True))


@dataclass(frozen=True, slots=True)
class Sheet:
    """
    Which content a day's sheet has, without the content.
    """

    day: str
    digest: str
    written_at: datetime


class Sheets:
    """
    One sheet of facts for each local day (``YYYY-MM-DD``). ``form``, needed by whoever makes them: what ``form_of``
    said of the code and the calendar that they are made by.
    """

    def __init__(self, client: Client, database: str, clock: Clock = system_clock, *, form: str = "") -> None:
        self._clock = clock
        self._form = form
        db = client[database]
        self.sheets = db["sheets"]
        self.marks = db["sheet_marks"]
        self._requests = db["requests"]
        self._meta = db["meta"]

    async def prepare(self) -> None:
        """
        Create the index that is missing. A mark of older code, which knew no blocks, is one of the whole day.
        """
        since_taken = {"$expr": {"$ne": ["$token", "$taken.token"]}}
        await self.marks.update_many({"blocks": None, **since_taken}, {"$set": {"blocks": [""]}})
        await ensure_indexes(self.sheets, [IndexModel([("written_at", ASCENDING)])])

    # --- marks ---

    async def mark(self, days: Mapping[str, Collection[str]], since: datetime | None) -> None:
        """
        Have the sheets of these days made again, each at these places (``work``; "" is everywhere). ``since`` as in
        ``Mark``: the earliest counts that was said since the mark was taken.
        """
        marks = []
        for day, places in days.items():
            blocks = sorted({place[:_BLOCK] for place in places})
            change = {"$set": {"token": uuid4().hex}, "$addToSet": {"blocks": {"$each": blocks}}}
            earliest = {"$min": {"since": since}} if since else {}
            marks.append(UpdateOne({"_id": day}, {**change, **earliest}, upsert=True))
        if marks:
            await self.marks.bulk_write(marks, ordered=False)

    async def take(self, day: str) -> Mark | None:
        """
        Take a day's mark, and all that was taken before and not taken away; None if there is none.
        """
        while (row := await self.marks.find_one({"_id": day})) is not None:
            mark = _mark(row)
            taken = {"blocks": sorted(mark.blocks), "since": mark.since, "token": mark.token}
            changes = {"$set": {"taken": taken}, "$unset": {"blocks": "", "since": ""}}
            if (await self.marks.update_one({"_id": day, "token": mark.token}, changes)).matched_count:
                return mark
        return None

    async def unmark(self, mark: Mark) -> None:
        """
        Take away what was taken. What was marked since stays, and so does all if somebody took that too.
        """
        deleted = await self.marks.delete_one({"_id": mark.day, "token": mark.token})
        if not deleted.deleted_count:
            await self.marks.update_one({"_id": mark.day, "taken.token": mark.token}, {"$unset": {"taken": ""}})

    async def marked(self) -> list[Mark]:
        """
        All marks, taken or not.
        """
        return [_mark(row) async for row in self.marks.find()]

    async def are_of_another_form(self) -> bool:
        """
        Whether the sheets that are there were made by another form.
        """
        known = await self._meta.find_one({"_id": _FORM})
        return known is not None and known["form"] != self._form

    async def mark_other_forms(self) -> int:
        """
        Mark every day that has a document, if the sheets are of another form. Returns how many days were marked.

        The first time there are no sheets: nothing is claimed of a day then. Documents are all read, once.
        """
        known = await self._meta.find_one({"_id": _FORM})
        if known and known["form"] == self._form:
            return 0
        days = await self._days()
        for day in days:
            await self.mark({day: [""]}, None if known else midnight(date.fromisoformat(day)))
        await self._meta.update_one({"_id": _FORM}, {"$set": {"form": self._form}}, upsert=True)
        return len(days)

    async def mark_all(self) -> int:
        """
        Mark every day that has a document or a sheet: the documents were all made again. Returns how many.
        """
        remade = await self._meta.find_one({"_id": REMADE})
        days = set(await self._days())
        days.update([row["_id"] async for row in self.sheets.find({}, {"_id": True})])
        await self.mark({day: [""] for day in sorted(days)}, None)
        if remade:
            await self._meta.delete_one(remade)  # not that of a rebuild which took over meanwhile
        return len(days)

    async def mark_remade(self) -> None:
        """
        Mark every day if a rebuild died between its documents' taking over and the marking of all. One that may still
        be about to take over is waited for.
        """
        if await self._meta.find_one({"_id": REMADE}):
            rebuild = await self._meta.find_one({"_id": REBUILD})
            if rebuild is None or rebuild["until"] <= self._clock():
                await self.mark_all()

    async def _days(self) -> list[str]:
        found = await aggregate(
            self._requests, [{"$match": {"registered": True}}, {"$group": {"_id": "$received_day"}}]
        )
        return sorted(row["_id"] for row in found if row["_id"])

    # --- the projector: making sheets ---

    async def documents(self, day: str, low: str = "", high: str | None = None) -> AsyncIterator[Document]:
        """
        The registered requests and parts of a day that stand between two places, the second excepted, with what their
        facts are made of, in the order of a sheet's rows.
        """
        begin = midnight(date.fromisoformat(day))
        span = {"$gte": max(low, place_of(begin)), "$lt": high or place_of(begin + timedelta(days=1))}
        wanted = {"registered": True, "work": span}
        shown = dict.fromkeys((*NEEDED, "work"), True)
        found = self._requests.find(wanted, shown, batch_size=_READ_AT_ONCE)  # else 16 MB at once
        async for row in rows(found.sort("work", ASCENDING)):
            yield row

    async def made(self, day: str) -> Made:
        """
        A day's sheet as it stands.
        """
        row = await self.sheets.find_one({"_id": day}, {"rev": True, "digest": True, "form": True, "parts": True})
        if row is None:
            return Made(0)
        if row.get("form") != self._form:
            return Made(int(row["rev"]), row["digest"])
        return Made(int(row["rev"]), row["digest"], tuple(Part(**part) for part in row["parts"]))

    async def write(self, day: str, made: Made, parts: Sequence[Part]) -> bool:
        """
        Put a sheet of these parts, at least one, in the place of ``made``; False if that is not there any more. A part
        without its content is one of ``made``.
        """
        before, now = ({part.digest for part in some} for some in (made.parts, parts))
        sheet: Document = {
            "rev": made.rev + 1,
            "digest": digest("".join(part.digest for part in parts).encode()),
            "written_at": self._clock(),
            "rows": sum(part.rows for part in parts),
            "form": self._form,
            "parts": [{"first": part.first, "rows": part.rows, "digest": part.digest} for part in parts],
        }
        contents = {part.digest: part.content for part in parts if part.digest not in before}
        if not made.rev:
            return await self._insert({"_id": day, **sheet, "facts": contents})
        if made.parts:
            new = {f"facts.{name}": content for name, content in contents.items()}
            gone = {"$unset": {f"facts.{name}": "" for name in before - now}} if before - now else {}
            change = {"$set": {**sheet, **new}, **gone}
        else:
            change = {"$set": {**sheet, "facts": contents}}
        same = {"_id": day, "rev": made.rev, "digest": made.digest}  # of another with that rev we know no parts
        return (await self.sheets.update_one(same, change)).matched_count == 1

    async def _insert(self, sheet: Document) -> bool:
        try:
            await self.sheets.insert_one(sheet)
        except DuplicateKeyError:
            return False
        return True

    # --- the api: reading them ---

    async def as_of(self) -> datetime | None:
        """
        The moment up to which everything published is in the sheets that are read *after* this. None: none is known.
        """
        known = await self._meta.find_one({"_id": _FORM})
        beat = await self._meta.find_one({"_id": "projector"})
        if known is None or beat is None or beat["as_of"] is None:
            return None
        waiting = [mark.since - timedelta(milliseconds=1) for mark in await self.marked() if mark.since]
        as_of: datetime = min(beat["as_of"], *waiting) if waiting else beat["as_of"]
        return as_of

    async def written(self, since: datetime | None) -> list[Sheet]:
        """
        The sheets that were written since then, and some that were written shortly before; None: all.
        """
        span = {"$gte": since - OVERLAP if since else datetime.fromtimestamp(0, UTC), "$lt": _LATEST}
        found = self.sheets.find({"written_at": span}, {"digest": True, "written_at": True})
        return [Sheet(row["_id"], row["digest"], row["written_at"]) async for row in found]

    async def contents(self, days: Iterable[str]) -> AsyncIterator[tuple[str, str, list[bytes]]]:
        """
        Day, digest and parts of these days' sheets, as they are by now.
        """
        wanted = sorted(days)
        for start in range(0, len(wanted), _AT_ONCE):
            async for row in self.sheets.find({"_id": {"$in": wanted[start : start + _AT_ONCE]}}):
                yield row["_id"], row["digest"], contents_of(row)


def contents_of(sheet: Document) -> list[bytes]:
    """
    The parts of a sheet as it stands in the database, in their order; also of one that older code wrote, in which they
    are one behind the other, several with their length before each (of which the first byte is never that of zlib).
    """
    facts = sheet["facts"]
    if isinstance(facts, Mapping):
        return [bytes(facts[part["digest"]]) for part in sheet["parts"]]
    if facts.startswith(_ZLIB):
        return [bytes(facts)]
    parts, at = [], 0
    while at < len(facts):
        begin = at + _LENGTH
        at = begin + int.from_bytes(facts[at:begin])
        parts.append(bytes(facts[begin:at]))
    return parts


def _mark(row: Document) -> Mark:
    """
    What was taken and what was marked since, as one. Older code knew no blocks: it marked whole days.
    """
    taken: Document | None = row.get("taken")
    said = [taken] if taken else []
    if not taken or taken.get("token") != row["token"]:
        said.append(row)
    since = min((one["since"] for one in said if one.get("since")), default=None)
    return Mark(row["_id"], row["token"], since, frozenset().union(*(one.get("blocks", [""]) for one in said)))
