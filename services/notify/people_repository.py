"""
The collection ``people``: what is known of persons, by keyed hash. Nothing in it can be read back into an address.

Everything is set, nothing counted: a repeated record changes nothing, and the order of records does not matter.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import IndexModel, UpdateOne

from services.common.contracts.events import MessageReceived
from services.common.contracts.vocabulary import Channel, Wish
from services.common.kit.mongo import Client, ensure_indexes
from services.notify.documents import day_of
from services.notify.domain import Contact, Rules, Told
from services.notify.people import Crowd

KEEP_PEOPLE: Final = timedelta(days=730)  # after the last that was heard or told; a wish to hear nothing lasts so long


class PeopleRepository:
    """
    The collection ``people``.
    """

    def __init__(self, client: Client, database: str) -> None:
        self._people = client[database]["people"]

    async def prepare(self) -> None:
        """
        Make the indexes.
        """
        await ensure_indexes(self._people, [IndexModel("seen_on", expireAfterSeconds=int(KEEP_PEOPLE.total_seconds()))])

    async def behind(self, contacts: Iterable[Contact]) -> Crowd:
        """
        The persons behind the contacts, in one query.
        """
        names = sorted({name for contact in contacts for name in contact.hashes})
        if not names:
            return Crowd()
        return Crowd({raw["_id"]: raw async for raw in self._people.find({"_id": {"$in": names}})})

    async def note_messages(self, messages: Sequence[MessageReceived]) -> None:
        """
        Remember when who wrote, and what they wish.
        """
        writes = []
        for message in messages:
            latest: dict[str, datetime] = {}
            if message.channel is Channel.WHATSAPP:
                latest["last_in_at"] = message.sent_at
            if message.wish is not None:
                latest["stop_at" if message.wish is Wish.STOP else "start_at"] = message.sent_at
            if latest:
                names = {message.person, *message.also, *([message.replaces] if message.replaces else [])}
                writes += [
                    UpdateOne({"_id": name}, {"$max": {**latest, "seen_on": day_of(message.sent_at)}}, upsert=True)
                    for name in sorted(names)
                ]
        if writes:
            await self._people.bulk_write(writes, ordered=True)

    async def note_told(
        self, told: Iterable[tuple[Contact, Told | None]], crowd: Crowd, now: datetime, rules: Rules
    ) -> None:
        """
        Remember what persons are told, and forget what is too old to matter.
        """
        writes = []
        for contact, one in told:
            if one is None:
                continue
            body: dict[str, Any] = {"at": one.at, "survey": one.survey, "counts": one.counts}
            past = {f"told.{key}": "" for key in crowd.past(contact.hashes, now, rules) if key != one.key}
            change = {"$set": {f"told.{one.key}": body}, "$max": {"seen_on": day_of(now)}}
            writes += [
                UpdateOne({"_id": name}, {**change, **({"$unset": past} if past else {})}, upsert=True)
                for name in contact.hashes
            ]
        if writes:
            await self._people.bulk_write(writes, ordered=False)
