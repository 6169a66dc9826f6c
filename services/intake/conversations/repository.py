"""
Conversations in MongoDB, and which request each of our messages was about. No address and no name; words only until
they are a request or a reply.

``conversations``: a document a conversation, until it has been silent for ``KEEP_SILENT``. ``sent``: our messages by
hashes of their providers' ids, 30 days.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import TypeAdapter
from pymongo import IndexModel, ReplaceOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from services.common.contracts.envelope import pack, unpack
from services.common.contracts.ids import message_hash
from services.common.contracts.vocabulary import Channel
from services.common.kit.mongo import Client, ensure_indexes, only_duplicates
from services.intake.conversations.model import Conversation, Rules
from services.intake.conversations.timing import next_at

KEEP_SILENT: Final = timedelta(days=190)  # longer than the privacy notice counts
KEEP_SENT: Final = timedelta(days=30)
AT_MOST: Final = 200
_FORM: Final = TypeAdapter(Conversation)

SentKey = tuple[Channel, str]
"""The channel, and the message as its provider names it."""


class ConversationRepository:
    """
    The collections. A conversation is written only on top of what was read: who comes second reads and decides again.
    """

    def __init__(self, client: Client, rules: Rules, database: str = "intake") -> None:
        db = client[database]
        self._conversations = db["conversations"]
        self._sent = db["sent"]
        self._rules = rules

    async def prepare(self) -> None:
        """
        Make the indexes that are missing.
        """
        await ensure_indexes(
            self._conversations,
            [
                IndexModel("hashes"),
                IndexModel("contact_id"),
                IndexModel("next_at", sparse=True),
                IndexModel("fetch_at", sparse=True),
                IndexModel("outbox_at", sparse=True),
                IndexModel("changed_at", expireAfterSeconds=int(KEEP_SILENT.total_seconds())),
            ],
        )
        await ensure_indexes(self._sent, [IndexModel("at", expireAfterSeconds=int(KEEP_SENT.total_seconds()))])

    async def get(self, conversation_id: str) -> Conversation | None:
        """
        A conversation.
        """
        row = await self._conversations.find_one({"_id": conversation_id})
        return None if row is None else _conversation(row)

    async def find(self, channel: Channel, hashes: Sequence[str], at: datetime) -> Conversation | None:
        """
        The conversation of a person who was known by these hashes at that time; of several the one that the first of
        them finds.
        """
        rows = self._conversations.find({"channel": channel, "hashes": {"$in": list(hashes)}}).limit(AT_MOST)
        kept = [_conversation(row) async for row in rows]
        found = [one for one in kept if one.names(at).intersection(hashes)]
        ranks = {name: rank for rank, name in reversed(list(enumerate(hashes)))}

        def rank(one: Conversation) -> tuple[int, str]:
            return min(ranks[name] for name in one.names(at) if name in ranks), one.id

        return min(found, key=rank, default=None)

    async def left_at(self, channel: Channel, name: str) -> datetime | None:
        """
        When somebody who had this hash moved away from it, the last time.
        """
        rows = self._conversations.find({"channel": channel, "hashes": name}).limit(AT_MOST)
        moves = [left.at async for row in rows for left in _conversation(row).left if left.hash == name]
        return max(moves, default=None)

    async def write(self, before: Conversation | None, after: Conversation, now: datetime) -> Conversation | None:
        """
        Write ``after`` on top of ``before``; what stands there now, or None if somebody else was quicker.
        """
        written = replace(after, rev=(before.rev if before else 0) + 1)
        body = self._document(written, now)
        if before is None:
            try:
                await self._conversations.insert_one(body)
            except DuplicateKeyError:
                return None
            return written
        query = {"_id": before.id, "rev": before.rev}
        return written if (await self._conversations.replace_one(query, body)).matched_count else None

    async def forget(self, contacts: Collection[str]) -> None:
        """
        These contacts were erased: nothing is known of their conversations any more.
        """
        if contacts:
            await self._conversations.delete_many({"contact_id": {"$in": list(contacts)}})

    async def due(self, now: datetime, published_before: datetime) -> list[str]:
        """
        The conversations with something to do, and those whose outbox should be empty by now and is not.
        """
        query = {"$or": [{"next_at": {"$lte": now}}, {"outbox_at": {"$lte": published_before}}]}
        return [row["_id"] async for row in self._conversations.find(query, {"_id": 1}).limit(AT_MOST)]

    async def to_fetch(self, now: datetime) -> list[str]:
        """
        The conversations with files to be fetched now.
        """
        rows = self._conversations.find({"fetch_at": {"$lte": now}}, {"_id": 1}).limit(AT_MOST)
        return [row["_id"] async for row in rows]

    async def postpone(self, conversation_id: str, now: datetime, until: datetime) -> None:
        """
        Leave what is due in this conversation until then, or until something else changes it.
        """
        for due in ("next_at", "fetch_at", "outbox_at"):
            await self._conversations.update_one({"_id": conversation_id, due: {"$lte": now}}, {"$set": {due: until}})

    # --- our own messages ---

    async def keep_sent(self, sent: Mapping[str, str], at: datetime) -> None:
        """
        Keep which request each message, known by its hash, was about.
        """
        if not sent:
            return
        rows = [
            ReplaceOne({"_id": name}, {"request_id": number, "at": at}, upsert=True) for name, number in sent.items()
        ]
        try:
            await self._sent.bulk_write(rows, ordered=False)
        except BulkWriteError as error:
            only_duplicates(error)

    async def sent(self, keys: Collection[SentKey]) -> dict[SentKey, str]:
        """
        The request that each of these messages was about, as far as it is known.
        """
        if not keys:
            return {}
        names = {message_hash(*key): key for key in keys}
        rows = self._sent.find({"_id": {"$in": list(names)}})
        return {names[row["_id"]]: row["request_id"] async for row in rows}

    def _document(self, conversation: Conversation, now: datetime) -> dict[str, Any]:
        found: dict[str, Any] = {
            "_id": conversation.id,
            "rev": conversation.rev,
            "channel": conversation.channel,
            "contact_id": conversation.contact_id,
            "hashes": [conversation.person, *conversation.aliases, *(one.hash for one in conversation.left)],
            "state": _FORM.dump_python(replace(conversation, outbox=()), mode="json"),
            "changed_at": now,
        }
        moments = {"next_at": next_at(conversation, self._rules), "fetch_at": conversation.fetch_at}
        found |= {name: moment for name, moment in moments.items() if moment is not None}
        if conversation.outbox:
            found |= {"outbox": pack(conversation.outbox), "outbox_at": now}
        return found


def _conversation(row: Mapping[str, Any]) -> Conversation:
    outbox = unpack(bytes(row["outbox"])) if row.get("outbox") else ()
    return replace(_FORM.validate_python(row["state"]), outbox=outbox)
