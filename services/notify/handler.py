"""
The edge: Kafka's records into tellings, due messages to their senders, events about them to Kafka.

Side by side on one database: ``handle`` only writes down what is to be told, and what providers say of what was told.
``deliver`` takes what is due and sends it. ``publish`` is the only one that publishes. ``follow`` asks providers that
have to be asked. Each may die at any point: what it had in hand is found again by the next process, through
``next_at``, ``publish_at`` and ``ask_at``.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final, Protocol, TypeVar
from uuid import uuid4

import orjson

from services.common.contracts.envelope import TYPE_PREFIX, Metadata, Record
from services.common.contracts.events import (
    CallAnswered,
    CallMissed,
    ContactChanged,
    DeliveryReported,
    Event,
    Lifecycle,
    MessageReceived,
    MessageWanted,
)
from services.common.contracts.topics import CONTACTS
from services.common.contracts.vocabulary import NotifyVia
from services.common.kit import metrics
from services.common.kit.clock import Clock, system_clock
from services.common.kit.logs import logger
from services.common.kit.worker import Delivery, within_budget
from services.notify import callbacks, choosing, domain, gathering, ledger, mornings, planning, sending
from services.notify.channels.base import Letter, PermanentError, Sender, TemporaryError
from services.notify.domain import CONVERSATION, PARTNER, Contact, Person, Reason, Row, Rules, Telling
from services.notify.messages import House
from services.notify.reports import Afterwards
from services.notify.repository import NotifyRepository
from services.notify.sending import Away, Handed, Refused, Result, Unanswered
from services.notify.staff import Staff
from services.notify.statuses import Reported
from services.notify.templates import Templates
from services.notify.transitions import transition_of

log = logger(__name__)
T = TypeVar("T")
GROUP: Final = "notify"
IDLE_SECONDS: Final = 1.0  # how late a message that waits for its time may be
BUDGET_SECONDS: Final = 8.0
FOLLOW_SECONDS: Final = 2.0
PUBLISH_LIMIT: Final = 200


class Kafkaesque(Protocol):
    """
    Publishes in order and returns after Kafka acknowledged.
    """

    async def publish(self, records: Sequence[Record], /) -> None: ...


class Bell:
    """
    Wakes one waiting loop; a ring while nobody waits is not lost.
    """

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """
        Wake the loop.
        """
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        """
        Return at the next ring, or after some time.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        self._rung.clear()


@dataclass(frozen=True, slots=True)
class Hand:
    """
    A message in hand: what to send and where. ``free``: WhatsApp lets us say it in our own words.
    """

    telling: Telling
    row: Row
    contact: Contact
    free: bool = False


def contact_from(delivery: Delivery, now: datetime) -> Contact:
    """
    The contact a record of ``contacts`` gives; a tombstone erases as of its ce_time, or of now if it has none.
    """
    if not delivery.is_tombstone:
        event = delivery.event.data
        assert isinstance(event, ContactChanged)  # noqa: S101 - the topic carries nothing else
        return Contact.of(event)
    at = now
    with suppress(KeyError, ValueError, UnicodeDecodeError):
        stated = datetime.fromisoformat(dict(delivery.headers)["ce_time"].decode())
        at = stated.astimezone(UTC) if stated.tzinfo else now
    return Contact((delivery.key or b"").decode("utf-8", "replace"), at, erased=True)


class Notifier:
    """
    Notify's work, on whatever database, senders and clock it is given.
    """

    def __init__(
        self,
        repository: NotifyRepository,
        kafka: Kafkaesque,
        senders: Mapping[NotifyVia, Sender],
        templates: Templates,
        staff: Staff,
        house: House,
        rules: Rules,
        *,
        partners: frozenset[str] = frozenset(),
        batch: int = 25,
        flights: int = 4,
        send_timeout: float = 15.0,
        clock: Clock = system_clock,
    ) -> None:
        self._repository = repository
        self._kafka = kafka
        self._senders = senders
        self._templates = templates
        self._staff = staff
        self._house = house
        self._rules = rules
        self._partners = partners
        self.afterwards = Afterwards(repository, senders, rules, clock)
        self._batch = batch
        self._flights = flights
        self._send_timeout = send_timeout
        self._clock = clock
        self._due, self._unpublished = Bell(), Bell()

    # --- from Kafka ---

    async def handle(self, batch: Sequence[Delivery]) -> None:
        """
        Write down contacts and persons first, then what is to be told and what was reported. A repeated batch changes
        nothing.
        """
        now = self._clock()
        contacts = [contact_from(delivery, now) for delivery in batch if delivery.topic == CONTACTS.name]
        await self._repository.keep_contacts(domain.newest(contacts).values(), now)
        events = [delivery.event for delivery in batch if delivery.received is not None]
        received = [event.data for event in events if isinstance(event.data, MessageReceived)]
        await self._repository.people.note_messages(received)
        await self._note_calls([event.data for event in events], now)
        wanted: dict[str, list[tuple[Metadata, Lifecycle | MessageWanted]]] = {}
        for event in events:
            if isinstance(event.data, Lifecycle) and transition_of(event.data) is not None:
                wanted.setdefault(event.data.request_id, []).append((event.meta, event.data))
            elif isinstance(event.data, MessageWanted):
                wanted.setdefault(f"{CONVERSATION}{event.data.wanted_id}", []).append((event.meta, event.data))
        if wanted:
            await self._plan(wanted, now)
        reported = [Reported.of(event.data) for event in events if isinstance(event.data, DeliveryReported)]
        if reported:
            await self.afterwards.put_down(reported)
        if wanted or reported:
            self._unpublished.ring()
        self._due.ring()

    async def _plan(
        self, wanted: Mapping[str, Sequence[tuple[Metadata, Lifecycle | MessageWanted]]], now: datetime
    ) -> None:
        """
        Write down what is to be told, by the id of the telling.
        """
        known = await self._repository.contacts(
            event.contact_id for rows in wanted.values() for _, event in rows if event.contact_id
        )

        def decide(telling: Telling) -> Telling:
            for meta, event in wanted[telling.request_id]:
                contact = known.get(event.contact_id or "")
                if isinstance(event, MessageWanted):
                    telling = planning.absorb_wanted(telling, meta, event, contact, now, self._rules)
                else:
                    telling = planning.absorb(telling, meta, event, contact, now, self._rules, self._partners)
            return telling

        await self._repository.change(wanted, decide)

    async def _note_calls(self, calls: Sequence[Event], now: datetime) -> None:
        """
        Put whoever was missed on the call-back list, and take off with whom somebody spoke since.
        """
        for call in calls:
            if not isinstance(call, CallMissed | CallAnswered) or call.person is None:
                continue
            await self._repository.callbacks.change(
                callbacks.callback_id(call.person), partial(callbacks.with_call, call=call), now
            )

    # --- to citizens and staff ---

    async def deliver(self) -> None:
        """
        For ever: take what is due, send it, put down what became of it. At most ``flights`` × ``batch`` are in hand.
        """
        seats = asyncio.Semaphore(self._flights)
        async with asyncio.TaskGroup() as flights:
            while True:
                await seats.acquire()
                progress, hands = await _persistently(self.take)
                if hands:
                    flight = flights.create_task(self.fly(hands))
                    flight.add_done_callback(lambda _: seats.release())
                    continue
                seats.release()
                if not progress:
                    await self._due.wait(IDLE_SECONDS)

    async def take(self) -> tuple[bool, list[Hand]]:
        """
        Take a batch of due messages into hand. Gives whether anything changed, and what is in hand now.

        That a person is told is remembered before it is sent: a repeat sets it again, and the next batch counts it.
        """
        now, claim = self._clock(), uuid4().hex
        due = await self._repository.due(now, self._batch)
        if not due:
            return False, []
        if await mornings.gather(self._repository, due, now):
            return True, []
        carried = await mornings.carried_by(self._repository, due)
        rows = [row for telling in due.values() for row in telling.rows if row.state in domain.OPEN]
        contacts = await self._reached(rows)
        citizens = {row.recipient for row in rows if row.for_citizen}
        crowd = await self._repository.people.behind(contacts[name] for name in citizens if name in contacts)

        def person_of(name: str) -> Person:
            return crowd.person(contacts[name], now, self._rules)

        def decide(telling: Telling) -> Telling:
            people = {name: person_of(name) for name in telling.recipients & citizens & contacts.keys()}
            taken = sending.take(telling, contacts, claim, now, self._rules, people)
            taken = gathering.keep(taken, claim, carried)
            if (row := taken.in_hand(claim)) is not None:
                crowd.tell(contacts[row.recipient], sending.told_of(taken, row, now))
            return taken

        written = await self._repository.change(due, decide, known=due)
        self._unpublished.ring()
        hands = [
            Hand(telling, row, contacts[row.recipient], person_of(row.recipient).window_open(now, self._rules))
            for telling in written.values()
            if (row := telling.in_hand(claim)) is not None
        ]
        told = [(hand.contact, sending.told_of(hand.telling, hand.row, now)) for hand in hands]
        await self._repository.people.note_told(told, crowd, now, self._rules)
        return any(written[key] is not telling for key, telling in due.items()), hands

    async def _reached(self, rows: Iterable[Row]) -> dict[str, Contact]:
        """
        How the recipients are reached, as far as they are known: citizens by what has arrived, staff by the file,
        partners' systems by the senders' own.
        """
        wanted = {row.recipient: row for row in rows}
        found = await self._repository.contacts(name for name, row in wanted.items() if row.for_citizen)
        for name, row in wanted.items():
            if row.for_staff and (person := self._staff.contact(name)) is not None:
                found[name] = person
            if row.for_partner and name.removeprefix(PARTNER) in self._partners:
                found[name] = Contact(name, row.at or self._clock())
        return found

    async def fly(self, hands: Sequence[Hand]) -> None:
        """
        Send what is in hand, all at once, and put down the results in one write.
        """
        results = await asyncio.gather(*(self._send(hand) for hand in hands))
        got = {hand.telling.request_id: (hand, result) for hand, result in zip(hands, results, strict=True)}
        now = self._clock()

        def settle(telling: Telling) -> Telling:
            hand, result = got[telling.request_id]
            return sending.settle(telling, hand.row.claim or "", result, now, self._rules, hand.contact)

        async def put_down() -> dict[str, Telling]:
            known = {hand.telling.request_id: hand.telling for hand in hands}
            settled = await self._repository.change(got, settle, known=known)
            await mornings.told(self._repository, (settled[h.telling.request_id] for h in hands if h.row.carries), now)
            return settled

        written = await _persistently(put_down)
        self._unpublished.ring()
        if any(telling.next_at is not None and telling.next_at <= now for telling in written.values()):
            self._due.ring()

    async def _send(self, hand: Hand) -> Result:
        """
        Send one message. An error without a name counts as temporary: one odd message must not stop all others.
        """
        row, contact = hand.row, hand.contact
        channel = row.channel
        sender = self._senders.get(channel) if channel else None
        address = choosing.address_of(contact, channel) if channel else None
        if sender is None or address is None:
            return Refused(Reason.NO_ADDRESS, elsewhere=True)
        key = ledger.key_of(hand.telling.request_id, row)
        try:
            message = self._templates.render(self._house, hand.telling.request_id, row, contact.language)
            thread = ledger.thread_of(hand.telling, row)
            letter = Letter(address, message, key, hand.free, row.answers, thread)
            async with asyncio.timeout(self._send_timeout):
                return Handed(await sender.send(letter), ask=self.afterwards.asks(channel))
        except PermanentError as error:
            return Refused(str(error), error.elsewhere)
        except TemporaryError as error:
            log.warning("not handed over yet", channel=channel, key=key, reason=str(error))
            return Away(str(error), error.after)
        except TimeoutError:
            metrics.notifications_unknown_total.labels(channel).inc()
            log.warning("no answer in time", channel=channel, key=key)
            return Unanswered()
        except Exception as error:  # the type alone is logged: the text may hold an address
            log.error("a sender is broken", channel=channel, key=key, error=type(error).__name__)
            return Away("internal_error")

    # --- to Kafka ---

    async def publish(self) -> None:
        """
        For ever: publish the stored events, in their order, and forget them when Kafka has them.
        """
        while True:
            if not await _persistently(self.publish_once):
                await self._unpublished.wait(IDLE_SECONDS)

    async def publish_once(self) -> int:
        """
        Publish what is there now; gives how many events that was.
        """
        waiting = await self._repository.unpublished(self._clock(), PUBLISH_LIMIT)
        if not waiting:
            return 0
        await self._note_phone_only(waiting.values())
        records = {key: telling.outbox for key, telling in waiting.items()}
        await self._kafka.publish([record for rows in records.values() for record in rows])
        await self._repository.change(
            waiting, lambda telling: sending.acknowledged(telling, records[telling.request_id]), known=waiting
        )
        for rows in records.values():
            for record in rows:
                _count(record)
        return sum(map(len, records.values()))

    async def _note_phone_only(self, tellings: Iterable[Telling]) -> None:
        """
        Put whoever can only be called on the call-back list, before Kafka hears that they were not written to.
        """
        found = [telling for telling in tellings if callbacks.phone_rows(telling)]
        if not found:
            return
        now = self._clock()
        recipients = {row.recipient for telling in found for row in callbacks.phone_rows(telling)}
        contacts = (await self._repository.contacts(recipients)).values()
        for telling in found:
            for person, told in callbacks.by_phone(telling, contacts, now).items():
                await self._repository.callbacks.change(
                    callbacks.callback_id(person), partial(callbacks.with_all_told, told=told), now
                )

    async def follow(self) -> None:
        """
        For ever: ask providers what became of messages, and find the messages of reports that were too early.
        """
        while True:
            changed = await _persistently(self.afterwards.again)
            if await _persistently(self.afterwards.ask_once) or changed:
                self._unpublished.ring()
                self._due.ring()
                continue
            await asyncio.sleep(FOLLOW_SECONDS)

    async def watch(self) -> None:
        """
        For ever: show how many messages wait for their contact.
        """
        while True:
            metrics.parked.set(await _persistently(self._repository.parked))
            await asyncio.sleep(5)


async def _persistently(call: Callable[[], Awaitable[T]]) -> T:
    found: list[T] = []

    async def once() -> None:
        found.append(await call())

    await within_budget(once, BUDGET_SECONDS)
    return found[-1]


def _count(record: Record) -> None:
    """
    Count an event that Kafka has taken, and speak up about those that a person should look at.
    """
    kind = dict(record.headers)["ce_type"].decode().removeprefix(TYPE_PREFIX).removeprefix("Notification").lower()
    data = orjson.loads(record.value or b"{}")
    transition = str(data["transition"]).partition(".")[0]
    metrics.notifications_total.labels(transition, data.get("channel", "none"), kind).inc()
    if kind == "failed":
        who = "staff" if str(data["recipient"]).startswith(domain.STAFF) else "a citizen"
        log.error(f"{who} was not told", request_id=data["request_id"], transition=transition, reason=data["reason"])
