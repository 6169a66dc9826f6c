"""
Reporting's database: the only module here that speaks MongoDB.

``archive`` keeps every event of our topics as it came (append-only), ``requests`` holds one document per request and
per sub-request and can be made again from it, ``meta`` says how far the projector is.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, IndexModel, InsertOne, ReplaceOne
from pymongo.errors import BulkWriteError

from services.common.contracts.envelope import Received, decode
from services.common.contracts.events import Lifecycle, RequestReceived, RequestRegistered
from services.common.contracts.ids import derived_id
from services.common.contracts.public import PublicStep
from services.common.kit.clock import Clock, system_clock
from services.common.kit.errors import Retryable
from services.common.kit.mongo import Client, aggregate, ensure_indexes, only_duplicates
from services.common.kit.worker import Delivery
from services.reporting.history.model import HISTORY, restored
from services.reporting.lists import staged, windows
from services.reporting.projections import Document, fold, inherit, of_a_department, subject_of, tells_something
from services.reporting.public.shown import PublicFilter, public_match, step_of_row, steps_pipeline
from services.reporting.queries import (
    Filter,
    Interval,
    Match,
    Row,
    after,
    grouped_pipeline,
    grouped_rows,
    hours_pipeline,
    match,
    order_of,
    summary_pipeline,
    summary_row,
    visit_match,
    volume_pipelines,
    volume_rows,
)
from services.reporting.work import (
    ALIKE_LOOKED_AT,
    OVERLAP,
    Change,
    Sort,
    View,
    Work,
    alike_match,
    counts_of,
    counts_pipeline,
    order_in,
    ranked,
    work_match,
)

ATTEMPTS: Final = 10
PROJECTOR: Final = "projector"
_REBUILD_BATCH: Final = 500
FILTERED: Final = ("department", "status", "channel", "service_code", "neighbourhood", "kind")
REQUEST_INDEXES: Final = tuple(
    IndexModel(list(fields))
    for fields in (
        ("registered", "place"),
        ("registered", "closed_day"),
        *(("registered", field, "place") for field in FILTERED),
        ("registered", "work"),
        ("registered", "department", "work"),
        ("parent_id", "registered", "work"),
        ("visited_by",),
        ("department", "closed", "due_place"),
        ("written_at",),
        ("newest_first",),
        ("registered", "changed_at"),
    )
)
Write = InsertOne[Document] | ReplaceOne[Document]
ARCHIVE_INDEXES: Final = (IndexModel([("request_id", ASCENDING)]),)


class Repository:
    """
    All reads and writes of reporting.
    """

    def __init__(self, client: Client, database: str, clock: Clock = system_clock) -> None:
        self._client = client
        self._clock = clock
        db = client[database]
        self.archive = db["archive"]
        self.requests = db["requests"]
        self.meta = db["meta"]

    async def prepare(self) -> None:
        """
        Create the indexes that are missing.
        """
        await ensure_indexes(self.requests, REQUEST_INDEXES)
        await ensure_indexes(self.archive, ARCHIVE_INDEXES)

    async def ping(self) -> None:
        """
        Raise one of ``kit.mongo.UNAVAILABLE`` if the server does not answer.
        """
        await self._client.admin.command("ping")

    # --- the projector ---

    async def keep(self, deliveries: Sequence[Delivery]) -> None:
        """
        Put the events into the archive; what is there already stays as it is. Of a department's topic only what has
        words for its eyes alone, and of that only the words: all else came on another topic.

        A retried RequestReceived has its ce_id twice with another time: both are kept, as both were folded.
        """
        told = (delivery for delivery in deliveries if tells_something(delivery.event))
        rows = {row["_id"]: row for row in map(_archived, told)}
        if not rows:
            return
        try:
            await self.archive.insert_many(list(rows.values()), ordered=False)
        except BulkWriteError as error:
            only_duplicates(error)

    async def project(self, events: Sequence[Received]) -> set[str]:
        """
        Fold the events into their documents, then hand what came of a parent to its parts. Each is one read and one
        write, again for those that another process changed meanwhile. Raises ``Retryable`` if that goes on.

        Returns the local days in which these documents stand or ever stood, whether or not anything changed: who died
        before it told of a change sees the same events again.

        Whoever writes a parent looks for its parts afterwards, whoever writes a part looks for its parent afterwards:
        whichever of two processes is the later one sees both, and after a crash the same events come again.
        """
        waiting: dict[str, list[Received]] = defaultdict(list)
        for event in filter(tells_something, events):
            waiting[subject_of(event)].append(event)
        if not waiting:
            return set()
        days: set[str] = set()
        families = sorted({event.data.key for event in events if _concerns_parts(event)})

        async def own() -> list[Write]:
            known = {row["_id"]: row async for row in self.requests.find({"_id": {"$in": list(waiting)}})}
            return _folded(known, waiting, self._clock(), days)

        async def inherited() -> list[Write]:
            parts = [row async for row in self.requests.find({"parent_id": {"$in": families}})]
            if not parts:
                return []
            parents = sorted({row["parent_id"] for row in parts})
            known = {row["_id"]: row async for row in self.requests.find({"_id": {"$in": parents}})}
            return _inherited(known, parts, self._clock(), days)

        await self._settle(own)
        if families:
            await self._settle(inherited)
        return days

    async def _settle(self, due: Callable[[], Awaitable[list[Write]]]) -> None:
        for _ in range(ATTEMPTS):
            writes = await due()
            if not writes or await self._write(writes):
                return
        raise Retryable("another process keeps changing these requests")

    async def _write(self, writes: Sequence[Write]) -> bool:
        """
        Whether every write met the document it was made for.
        """
        try:
            result = await self.requests.bulk_write(list(writes), ordered=False)
        except BulkWriteError as error:
            only_duplicates(error)
            return False
        return result.inserted_count + result.matched_count == len(writes)

    async def beat(self, now: datetime, as_of: datetime | None, backlog: object) -> None:
        """
        Note that the projector lives and how far it is.
        """
        beat = {"at": now, "as_of": as_of, "backlog": backlog}
        await self.meta.update_one({"_id": PROJECTOR}, {"$set": beat}, upsert=True)

    async def as_of(self) -> datetime | None:
        """
        The moment up to which everything published is in the figures; None before the projector ran.
        """
        row = await self.meta.find_one({"_id": PROJECTOR})
        return row["as_of"] if row else None

    # --- the rebuild ---

    async def archived_count(self) -> int:
        """
        How many events the archive holds.
        """
        return await self.archive.estimated_document_count()

    async def rebuild(self) -> AsyncIterator[int]:
        """
        Drop the requests and fold the archive again, yielding how many events are done.

        Safe beside a running projector: it archives before it folds, and folding is commutative.
        """
        await self.requests.drop()
        await self.prepare()
        batch: list[Received] = []
        done = 0
        async for row in self.archive.find().sort("request_id", ASCENDING):
            batch.append(_restored(row))
            if len(batch) >= _REBUILD_BATCH:
                await self.project(batch)
                done += len(batch)
                batch = []
                yield done
        await self.project(batch)
        yield done + len(batch)

    # --- the api ---

    async def request(self, request_id: str) -> Document | None:
        """
        The document of a registered request or sub-request.
        """
        return await self.requests.find_one({"_id": request_id, "registered": True})

    async def parts_of(self, request_id: str) -> list[Document]:
        """
        The registered sub-requests of a request, in their order; without texts and histories.
        """
        found = self.requests.find({"parent_id": request_id, "registered": True}, _HIDDEN)
        return [row async for row in found.sort("part", ASCENDING)]

    async def page(self, filters: Filter, now: datetime, limit: int, since: str | None) -> list[Document]:
        """
        At most ``limit`` requests, newest first, after the place ``since``; without texts and histories.
        """
        query, order = after(filters, now, since) if since else match(filters, now), order_of(filters)
        return await self._newest(query, order, now, limit, _HIDDEN)

    async def _newest(
        self, query: Match, order: str, now: datetime, limit: int, hidden: Mapping[str, bool]
    ) -> list[Document]:
        found: list[Document] = []
        for span in windows(query[order], now):
            stages = staged({**query, order: span}, order, DESCENDING, limit - len(found), hidden)
            found += await aggregate(self.requests, stages)
            if len(found) == limit:
                break
        return found

    async def public_count(self, wanted: PublicFilter) -> int:
        """
        How many public requests fit.
        """
        return await self.requests.count_documents(public_match(wanted))

    async def public_page(self, wanted: PublicFilter, skipped: int, limit: int) -> list[Document]:
        """
        The documents of public requests that fit, the newest second first and by number within it.
        """
        found = self.requests.find(public_match(wanted), {"told": False}).sort("newest_first", ASCENDING)
        return [row async for row in found.skip(skipped).limit(limit)]

    async def public_steps(self, since: datetime, until: datetime, at_most: int) -> list[PublicStep]:
        """
        What happened to public requests, oldest first.
        """
        return [step_of_row(row) for row in await aggregate(self.requests, steps_pipeline(since, until, at_most))]

    async def inbox(
        self, work: Work, now: datetime, *, sort: Sort = Sort.DUE, limit: int = 50, since: str | None = None
    ) -> list[Document]:
        """
        At most ``limit`` rows of a department's work, behind the place ``since``; with texts, without histories.
        """
        name, way = order_in(sort)
        query = work_match(work, now, sort, since)
        if sort is Sort.NEWEST:
            return await self._newest(query, name, now, limit, _WITHOUT_LIFE)
        return await aggregate(self.requests, staged(query, name, way, limit, _WITHOUT_LIFE))

    async def inbox_counts(self, work: Work, now: datetime) -> dict[View, int]:
        """
        How much there is in each view but ``all``, by the filters of ``work``.
        """
        return counts_of(await aggregate(self.requests, counts_pipeline(work, now)))

    async def changed_since(self, moment: datetime, departments: Collection[str]) -> list[Change]:
        """
        What was written since then of all that these departments hold or ever held, and some of what was written
        shortly before: a write may be seen later than it was stamped. Who asks knows it by its ``rev``.
        """
        query = {"held_by": {"$in": sorted(departments)}, "written_at": {"$gte": moment - OVERLAP}}
        rows = self.requests.find(query, {"rev": True, "department": True, "written_at": True, "held_by": True})
        return [
            Change(row["_id"], row["rev"], row["department"], row["written_at"], tuple(row["held_by"]))
            async for row in rows
        ]

    async def similar(
        self,
        service: str,
        neighbourhood: str,
        street: str | None,
        now: datetime,
        *,
        departments: Collection[str] | None = None,
        limit: int = 5,
    ) -> list[Document]:
        """
        Requests of the same neighbourhood that may be about the same, the most alike first; with texts. ``departments``
        that the asker is limited to; None: all.
        """
        query = alike_match(service, neighbourhood, now, departments)
        rows = self.requests.find(query, _WITHOUT_LIFE).sort("place", DESCENDING).limit(ALIKE_LOOKED_AT)
        return ranked([row async for row in rows], service, street, limit)

    async def to_visit(self, departments: Collection[str] | None) -> list[Document]:
        """
        What these departments (None: all) have open; in no order, without histories.
        """
        return [row async for row in self.requests.find(visit_match(departments), _WITHOUT_LIFE)]

    async def summary(self, filters: Filter, now: datetime) -> Row:
        """
        The row of ``summary``; ``now`` decides what is overdue.
        """
        groups = await aggregate(self.requests, summary_pipeline(filters, now))
        return summary_row(groups, await aggregate(self.requests, hours_pipeline(filters, now)))

    async def grouped(self, filters: Filter, now: datetime, field: str) -> list[Row]:
        """
        The rows of ``departments`` and ``channels``.
        """
        return grouped_rows(await aggregate(self.requests, grouped_pipeline(filters, now, field)), field)

    async def volume(self, filters: Filter, now: datetime, interval: Interval) -> list[Row]:
        """
        The rows of ``volume``. Raises ``TooManyBuckets``.
        """
        received, closed = volume_pipelines(filters, now, interval)
        return volume_rows(
            filters, interval, await aggregate(self.requests, received), await aggregate(self.requests, closed)
        )


_WITHOUT_LIFE: Final = dict.fromkeys(("history", "told", "inner", "search"), False)
_HIDDEN: Final = {**_WITHOUT_LIFE, "bodies": False}


def _archived(delivery: Delivery) -> Document:
    event, text = delivery.event, _public(delivery)
    return {
        "_id": derived_id(event.topic, event.meta.id, text),
        "request_id": event.data.key,
        "topic": event.topic,
        "ce_id": event.meta.id,
        "type": type(event.data).__name__,
        "at": event.meta.time,
        "headers": [[name, raw.decode()] for name, raw in delivery.headers],
        "value": text,
    }


def _public(delivery: Delivery) -> str:
    """
    The value as it came, but never an internal note or a citizen's reply where it does not belong: they are the
    holder's alone. From the holder's own topic without what came otherwise: the citizen's text and place.
    """
    data, value = delivery.event.data, delivery.value or b""
    if of_a_department(delivery.event):
        return data.model_copy(update=_OF_THE_BODY).model_dump_json(exclude_none=True)
    if isinstance(data, Lifecycle) and (data.note is not None or data.reply is not None):
        return data.model_copy(update={"note": None, "reply": None}).model_dump_json(exclude_none=True)
    return value.decode()


_OF_THE_BODY: Final = dict.fromkeys(("text", "kind", "channel", "location", "attributes", "attachments"))


def _restored(row: Mapping[str, Any]) -> Received:
    if row["topic"] == HISTORY:
        return restored(row["value"])
    headers = [(name, text.encode()) for name, text in row["headers"]]
    return decode(row["topic"], row["request_id"].encode(), row["value"].encode(), headers)


def _concerns_parts(event: Received) -> bool:
    if of_a_department(event):
        return False
    return isinstance(event.data, RequestReceived | RequestRegistered) or subject_of(event) != event.data.key


def _folded(
    known: Mapping[str, Document], waiting: Mapping[str, Sequence[Received]], at: datetime, days: set[str]
) -> list[Write]:
    writes: list[Write] = []
    for request_id, events in waiting.items():
        before = known.get(request_id)
        now = fold(before, *events)
        if now is None:
            continue
        stood_in = _stood_in(before, now)
        days.update(stood_in)
        if now != before:
            first = {"_id": request_id, "rev": 1, **now, "days": stood_in, "written_at": at}
            writes.append(InsertOne(first) if before is None else _replaced(now, stood_in, at))
    return writes


def _inherited(parents: Mapping[str, Document], parts: Sequence[Document], at: datetime, days: set[str]) -> list[Write]:
    writes: list[Write] = []
    for part in parts:
        if part["parent_id"] not in parents:
            continue
        now = inherit(part, parents[part["parent_id"]])
        stood_in = _stood_in(part, now)
        days.update(stood_in)
        if now != part:
            writes.append(_replaced(now, stood_in, at))
    return writes


def _stood_in(before: Document | None, now: Document) -> list[str]:
    """
    The local days under which a registered document was ever kept: a body that comes late moves it to another.
    """
    found = set(before.get("days", ())) if before else set()
    found.update(document["received_day"] for document in (before, now) if document and document["registered"])
    return sorted(day for day in found if day)


def _replaced(now: Document, days: Sequence[str], at: datetime) -> Write:
    """
    Put a document in the place of the one it was made from, if that is still there. When it is written and under which
    days it stood are no facts of the request: whoever shows it live, or makes figures of a day, asks by them.
    """
    changes = {"rev": now["rev"] + 1, "days": list(days), "written_at": at}
    return ReplaceOne({"_id": now["_id"], "rev": now["rev"]}, {**now, **changes})
