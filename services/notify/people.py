"""
The persons behind contacts, by keyed hash: when they last wrote on WhatsApp, whether they want no more messages, and
what they were told lately. Collection ``people``; nothing in it can be read back into an address.

Everything is set, nothing counted: a repeated record changes nothing, and the order of records does not matter.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo import IndexModel, UpdateOne

from services.common.contracts.events import MessageReceived
from services.common.contracts.vocabulary import Channel, Wish
from services.common.kit.mongo import Client, ensure_indexes
from services.notify.domain import Contact, Person, Rules, Told

KEEP_PEOPLE: Final = timedelta(days=730)  # after the last that was heard or told; a wish to hear nothing lasts so long
_DAY: Final = timedelta(days=1)


class Crowd:
    """
    The persons behind some contacts, as they were found, and what they are being told since.
    """

    def __init__(self, found: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self._found = found or {}
        self._told: dict[str, dict[str, Told]] = {
            name: {key: _told_from(key, raw) for key, raw in one.get("told", {}).items()}
            for name, one in self._found.items()
        }

    def person(self, contact: Contact, now: datetime, rules: Rules) -> Person:
        """
        Who stands behind the contact, without what is too old to matter.
        """
        ones = [self._found[name] for name in contact.hashes if name in self._found]
        told = {key: one for name in contact.hashes for key, one in self._told.get(name, {}).items()}
        matters = (one for one in told.values() if now - one.at < (rules.survey_every if one.survey else _DAY))
        return Person(
            last_in_at=max((one["last_in_at"].astimezone(UTC) for one in ones if "last_in_at" in one), default=None),
            stopped=any(_stopped(one) for one in ones),
            told=tuple(sorted(matters, key=lambda one: (one.at, one.key))),
        )

    def tell(self, contact: Contact, told: Told | None) -> None:
        """
        Remember what the person is being told, if it matters.
        """
        if told is None:
            return
        for name in contact.hashes:
            self._told.setdefault(name, {})[told.key] = told

    def past(self, names: Iterable[str], now: datetime, rules: Rules) -> list[str]:
        """
        The keys of what was told so long ago that it need not be kept.
        """
        old = (one for name in names for one in self._told.get(name, {}).values())
        return sorted({one.key for one in old if now - one.at > max(_DAY, rules.survey_every)})


def _told_from(key: str, raw: Mapping[str, Any]) -> Told:
    return Told(key, raw["at"].astimezone(UTC), raw.get("survey", False), raw.get("counts", True))


def _stopped(one: Mapping[str, Any]) -> bool:
    stop, start = one.get("stop_at"), one.get("start_at")
    return stop is not None and (start is None or stop > start)


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
                    UpdateOne({"_id": name}, {"$max": {**latest, "seen_on": _day(message.sent_at)}}, upsert=True)
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
            change = {"$set": {f"told.{one.key}": body}, "$max": {"seen_on": _day(now)}}
            writes += [
                UpdateOne({"_id": name}, {**change, **({"$unset": past} if past else {})}, upsert=True)
                for name in contact.hashes
            ]
        if writes:
            await self._people.bulk_write(writes, ordered=False)


def _day(moment: datetime) -> datetime:
    """
    A day, so that its index rests.
    """
    return datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
