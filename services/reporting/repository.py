"""
Reporting's database: the only module here that speaks MongoDB.

``archive`` keeps every event of our topics as it came (append-only), ``requests`` holds one document per request and
per sub-request and can be made again from it, ``meta`` says how far the projector is.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import BulkWriteError

from services.common.contracts.envelope import Received
from services.common.contracts.events import Lifecycle
from services.common.contracts.ids import derived_id
from services.common.contracts.public import PublicStep
from services.common.kit.clock import Clock, system_clock
from services.common.kit.delivery import Delivery
from services.common.kit.mongo import Client, aggregate, count, ensure_indexes, only_duplicates, rows
from services.reporting.documents_repository import Days, project
from services.reporting.lists import staged, windows
from services.reporting.projections import Document, of_a_department, tells_something
from services.reporting.public.shown import PublicFilter, public_match, step_of_row, steps_pipeline
from services.reporting.queries import Filter, Match, Pipeline, after, match, order_of, visit_match
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

REQUESTS: Final = "requests"
BUILDING: Final = "requests_next"
REBUILD: Final = "rebuild"
REMADE: Final = "remade"
"""In ``meta`` from before documents that were all made again take over until every sheet is marked for it."""
PROJECTOR: Final = "projector"
FILTERED: Final = ("department", "status", "channel", "service_code", "neighbourhood")
REQUEST_INDEXES: Final = tuple(
    IndexModel(list(fields))
    for fields in (
        ("registered", "place"),
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
_NEEDED_NO_MORE: Final = ("registered_1_closed_day_1", "registered_1_kind_1_place_1")
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
        self.requests = db[REQUESTS]
        self.building = db[BUILDING]
        self.meta = db["meta"]

    async def prepare(self) -> None:
        """
        Create the indexes that are missing, and drop those that only cost.
        """
        await ensure_indexes(self.requests, REQUEST_INDEXES)
        for name in (await self.requests.index_information()).keys() & set(_NEEDED_NO_MORE):
            await self.requests.drop_index(name)
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
        kept = {row["_id"]: row for row in map(_archived, told)}
        if not kept:
            return
        try:
            await self.archive.insert_many(list(kept.values()), ordered=False)
        except BulkWriteError as error:
            only_duplicates(error)

    async def project(self, events: Sequence[Received]) -> Days:
        """
        Fold the events into the documents, as ``documents_repository.project`` does; while a rebuild is running, first
        into those that it makes. Whether one is running is read after these events were archived: a rebuild that began
        later finds them there.
        """
        building = await self.meta.find_one({"_id": REBUILD})
        if building and building["until"] > self._clock():
            await project(self.building, events, self._clock, building["first_rev"])
        return await project(self.requests, events, self._clock)

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

    async def archived_count(self) -> int:
        """
        How many events the archive holds.
        """
        return await self.archive.estimated_document_count()

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
        return [row async for row in rows(found.sort("part", ASCENDING))]

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
        return await count(self.requests, public_match(wanted))

    async def public_page(self, wanted: PublicFilter, skipped: int, limit: int) -> list[Document]:
        """
        The documents of public requests that fit, the newest second first and by number within it.
        """
        found = self.requests.find(public_match(wanted), {"told": False}).sort("newest_first", ASCENDING)
        return [row async for row in rows(found.skip(skipped).limit(limit))]

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
        lately, theirs = {"written_at": {"$gte": moment - OVERLAP}}, {"held_by": {"$in": sorted(departments)}}
        shown = {"rev": True, "department": True, "written_at": True, "held_by": True}
        stages: Pipeline = [{"$match": lately}, {"$match": theirs}, {"$project": shown}]
        return [
            Change(row["_id"], row["rev"], row["department"], row["written_at"], tuple(row["held_by"]))
            for row in await aggregate(self.requests, stages)
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
        found = self.requests.find(query, _WITHOUT_LIFE).sort("place", DESCENDING).limit(ALIKE_LOOKED_AT)
        return ranked([row async for row in rows(found)], service, street, limit)

    async def to_visit(self, departments: Collection[str] | None) -> list[Document]:
        """
        What these departments (None: all) have open; in no order, without histories.
        """
        return [row async for row in rows(self.requests.find(visit_match(departments), _WITHOUT_LIFE))]


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
