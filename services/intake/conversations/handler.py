"""
Conversations at work: find the conversation, decide, write once, publish what is in its outbox, mark that.

A crash between any two of these steps is mended by the message coming again, or by the sweep: the stored bytes are
published once more.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar

from services.common.contracts import topics
from services.common.contracts.catalogue import catalogue
from services.common.contracts.envelope import Record
from services.common.contracts.events import Event, MessageReceived, NotificationSent
from services.common.contracts.vocabulary import Channel, MessageKind, NotifyVia
from services.common.kit import metrics
from services.common.kit.clock import Clock
from services.common.kit.errors import Retryable
from services.common.kit.logs import logger
from services.common.kit.retry import RETRY
from services.intake.calls.people import OwnRequest
from services.intake.conversations import danger, timing
from services.intake.conversations.domain import CHOICE, absorb, begun
from services.intake.conversations.media import NotNow
from services.intake.conversations.model import Conversation, File, Known, Rules, Said, Tie
from services.intake.conversations.repository import SentKey
from services.intake.desk.suggest import Classified, Suggestions
from services.intake.guard import Away
from services.intake.repository import AWAY
from services.intake.schemas import TEXT_LIMIT

log = logger(__name__)
T = TypeVar("T")
ATTEMPTS: Final = 5
AT_ONCE: Final = 8
FETCH_AT_ONCE: Final = 4
CONTACTS: Final = 100
SURE: Final = 0.5
PUBLISHED_WITHIN: Final = timedelta(seconds=5)
BROKEN_FOR: Final = timedelta(minutes=5)
_PAUSE: Final = 1.0
_WAIT: Final[tuple[type[Exception], ...]] = (*RETRY, *AWAY)
_ANSWERED: Final = (NotifyVia.WHATSAPP, NotifyVia.SMS, NotifyVia.EMAIL)
_OUTCOMES: Final = {
    topics.RECEIVED.name: "request",
    topics.UPDATES.name: "update",
    topics.MESSAGES_OUT.name: "saying",
}


class Store(Protocol):
    """
    Where conversations are kept.
    """

    async def get(self, conversation_id: str) -> Conversation | None: ...
    async def find(self, channel: Channel, hashes: Sequence[str], at: datetime) -> Conversation | None: ...
    async def left_at(self, channel: Channel, name: str) -> datetime | None: ...
    async def write(self, before: Conversation | None, after: Conversation, now: datetime) -> Conversation | None: ...
    async def due(self, now: datetime, published_before: datetime) -> Sequence[str]: ...
    async def to_fetch(self, now: datetime) -> Sequence[str]: ...
    async def postpone(self, conversation_id: str, now: datetime, until: datetime) -> None: ...
    async def sent(self, keys: Collection[SentKey]) -> dict[SentKey, str]: ...


class Persons(Protocol):
    """
    Knows whose requests there are.
    """

    async def contacts_with(self, hashes: Collection[str], at_most: int) -> list[str]: ...
    async def requests_of(self, contacts: Collection[str]) -> Sequence[OwnRequest]: ...
    async def requests(self, numbers: Collection[str]) -> Sequence[OwnRequest]: ...


class Publish(Protocol):
    """
    Returns after the broker acknowledged all records.
    """

    async def publish(self, records: Sequence[Record]) -> None: ...


class KeepsFiles(Protocol):
    """
    Keeps the files of messages.
    """

    async def keep(self, file: File, owner: str) -> str | None: ...
    async def tie(self, tie: Tie) -> None: ...


class Conversations:
    """
    Takes messages in and does what time brings. Idempotent: a repeated message publishes the same bytes.
    """

    def __init__(
        self,
        *,
        store: Store,
        persons: Persons,
        sender: Publish,
        suggestions: Suggestions,
        files: KeepsFiles,
        rules: Rules,
        clock: Clock,
    ) -> None:
        self._store = store
        self._persons = persons
        self._sender = sender
        self._suggestions = suggestions
        self._files = files
        self._rules = rules
        self._clock = clock

    async def take(self, messages: Iterable[MessageReceived]) -> None:
        """
        Return when what follows from the messages is kept and published. Those of one person keep their order.
        """
        of_one: dict[tuple[Channel, str], list[MessageReceived]] = {}
        for message in messages:
            of_one.setdefault((message.channel, message.person), []).append(message)
        await _each(self._taken, of_one.values(), AT_ONCE)

    async def sweep(self) -> None:
        """
        Do what is due now, and publish what should be published. A conversation over which we break waits alone.
        """
        now = self._clock()
        await _each(self._alone(self._ticked), await self._store.due(now, now - PUBLISHED_WITHIN), AT_ONCE)

    async def fetch(self) -> None:
        """
        Fetch the files that are due now. A conversation over which we break waits alone.
        """
        await _each(self._alone(self._fetched), await self._store.to_fetch(self._clock()), FETCH_AT_ONCE)

    # --- messages ---

    async def _taken(self, messages: Sequence[MessageReceived]) -> None:
        last = messages[-1]
        glances = {message.message_id: await self._glance(message) for message in messages}
        hashes = list(dict.fromkeys(filter(None, (last.person, *last.also, *(one.replaces for one in messages)))))
        for _ in range(ATTEMPTS):
            before = after = await self._store.find(last.channel, hashes, max(one.sent_at for one in messages))
            if after is None:
                after = begun(messages[0], await self._store.left_at(last.channel, messages[0].person))
            now = self._clock()
            for message in messages:
                if not after.has_seen(message.message_id):
                    known = await self._known(after, message, *glances[message.message_id])
                    after = absorb(after, message, known, now, self._rules)
            if (written := await self._written(before, after)) is not None:
                return await self._publish(written)
        raise Retryable("a conversation keeps changing under our hands")

    async def _known(self, conversation: Conversation, message: MessageReceived, urgent: bool, place: bool) -> Known:
        sent = await self._store.sent([(message.channel, provider_id) for provider_id in message.reply_to])
        about = {provider_id: number for (_, provider_id), number in sent.items()}
        hashes, contact = {conversation.person, *conversation.aliases}, conversation.contact_id
        if not conversation.had(message.person, message.sent_at):
            hashes |= {message.person, *message.also}
            contact = message.contact_id
        named = {*about.values(), *filter(None, [message.number])}
        named |= {made.request_id for made in conversation.made}
        earlier = {seen.request_id for seen in conversation.seen}
        named |= {number for number in earlier if number} if message.reply_to else set()
        contacts = await self._persons.contacts_with(hashes, CONTACTS)
        own = await self._persons.requests_of([*contacts, contact])
        others = await self._persons.requests(named)
        return Known(
            sent=about,
            requests={one.request_id: one for one in (*own, *others)},
            own=frozenset(one.request_id for one in own),
            danger=urgent,
            place=place,
        )

    async def _glance(self, message: MessageReceived) -> tuple[bool, bool]:
        """
        Whether the message's words tell of danger, and whether they name a place.
        """
        text = message.text
        said = message.kind in (MessageKind.TEXT, MessageKind.MEDIA, MessageKind.EDITED)
        chosen = message.kind is MessageKind.CHOICE and not CHOICE.fullmatch(message.choice or "")
        if text is None or message.wish is not None or not (said or chosen):
            return False, False
        try:
            found = await self._suggestions.classify(text[:TEXT_LIMIT], message.channel)
        except Away:
            return danger.tells_of_danger(text), danger.names_a_place(text)
        return _urgent(found, text), bool(found.neighbourhood or found.street)

    # --- time ---

    def _alone(self, work: Callable[[str], Awaitable[None]]) -> Callable[[str], Awaitable[None]]:
        async def spared(conversation_id: str) -> None:
            try:
                await work(conversation_id)
            except _WAIT:
                raise
            except Exception as error:  # a bug: whatever it is, the other conversations and the read model go on
                channel, person = conversation_id.split(":")[:2]
                log.error("a conversation is broken and waits", error=type(error).__name__, person=person)
                metrics.conversations_total.labels(channel, "broken").inc()
                now = self._clock()
                await self._store.postpone(conversation_id, now, now + BROKEN_FOR)

        return spared

    async def _ticked(self, conversation_id: str) -> None:
        await self._changed(conversation_id, lambda one: timing.tick(one, self._clock(), self._rules))

    async def _fetched(self, conversation_id: str) -> None:
        conversation = await self._store.get(conversation_id)
        now = self._clock()
        for said in conversation.draft if conversation else ():
            for file in said.files:
                if file.waits and file.provider_id and file.again_at and file.again_at <= now:
                    await self._fetched_one(conversation_id, said, file, file.provider_id)

    async def _fetched_one(self, conversation_id: str, said: Said, file: File, provider_id: str) -> None:
        try:
            attachment = await self._files.keep(file, said.adapter)
        except NotNow as error:
            log.info("a file of a message is tried again", why=str(error))
            await self._changed(conversation_id, lambda one: timing.again(one, said.id, provider_id, self._clock()))
            return

        def arrived(one: Conversation) -> Conversation:
            return timing.fetched(one, said.id, provider_id, attachment, self._clock(), self._rules)

        await self._changed(conversation_id, arrived)

    # --- writing and publishing ---

    async def _changed(self, conversation_id: str, change: Callable[[Conversation], Conversation]) -> None:
        for _ in range(ATTEMPTS):
            before = await self._store.get(conversation_id)
            if before is None:
                return None
            if (written := await self._written(before, change(before))) is not None:
                return await self._publish(written)
        raise Retryable("a conversation keeps changing under our hands")

    async def _written(self, before: Conversation | None, after: Conversation | None) -> Conversation | None:
        """
        What stands there now, or None if somebody else wrote in between.
        """
        if after is None or after is before:
            return after
        written = await self._store.write(before, after, self._clock())
        if written is not None:
            known = before.outbox if before else ()
            _count(written.channel, [record for record in written.outbox if record not in known])
        return written

    async def _publish(self, conversation: Conversation) -> None:
        if not conversation.outbox:
            return
        for tie in conversation.ties:
            await self._files.tie(tie)
        await self._sender.publish(conversation.outbox)
        for _ in range(ATTEMPTS):
            before = await self._store.get(conversation.id)
            if before is None or await self._store.write(before, timing.published(before, conversation), self._clock()):
                return
        raise Retryable("a conversation keeps changing under our hands")


async def for_ever(work: Callable[[], Awaitable[None]], what: str) -> None:
    """
    Do it again and again. MongoDB and Kafka may be away.
    """
    while True:
        try:
            await work()
        except _WAIT as error:
            log.warning("conversations must wait", what=what, error=type(error).__name__)
        await asyncio.sleep(_PAUSE)


def sent_in(events: Iterable[Event | None]) -> dict[str, str]:
    """
    Of our messages that providers took over: which request each, known by its hash, was about.
    """
    return {
        event.message_hash: event.request_id
        for event in events
        if isinstance(event, NotificationSent) and event.message_hash and event.channel in _ANSWERED
    }


def _urgent(found: Classified, text: str) -> bool:
    """
    Whether routing's word of danger counts in a conversation: if what the text is most likely about is an emergency
    too, or its words say so plainly. Routing itself would rather be wrong ten times; here somebody reads "call 112".
    """
    best = next((one.service for one in found.candidates[:1] if one.confidence >= SURE), None)
    services = [catalogue().services.get(code) for code in (found.service, best) if code]
    likely = any(service is not None and service.emergency for service in services)
    return found.emergency and (likely or danger.tells_of_danger(text))


def _count(channel: Channel, records: Iterable[Record]) -> None:
    for outcome, number in Counter(_OUTCOMES[record.topic] for record in records).items():
        metrics.conversations_total.labels(channel, outcome).inc(number)


async def _each(work: Callable[[T], Awaitable[None]], items: Iterable[T], at_once: int) -> None:
    """
    Do the work for all, a few at once. Raises what the first that failed raised, when all are done.
    """
    places = asyncio.Semaphore(at_once)

    async def one(item: T) -> None:
        async with places:
            await work(item)

    results = await asyncio.gather(*(one(item) for item in items), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
