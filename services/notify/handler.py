"""
The edge: Kafka's records into tellings, due messages to their senders, events about them to Kafka.

Side by side on one database: ``handle`` writes down what is to be told, and what providers say of what was told; what
is due already is taken into hand by the same write, if there is a seat (seats.py). ``deliver`` takes what is due later
or found no seat, and sends it. Only the outbox (outbox.py) publishes. ``follow`` asks providers that have to be asked.
Each may die at any point: what it had in hand is found again by the next process, through ``next_at``, ``publish_at``
and ``ask_at``.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from uuid import uuid4

from services.common.contracts.envelope import Metadata
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
from services.common.kit.delivery import Delivery
from services.common.kit.health import Duty
from services.common.kit.logs import logger
from services.notify import callbacks, choosing, domain, gathering, ledger, mornings, planning, sending
from services.notify.channels.base import Letter, PermanentError, Sender, TemporaryError
from services.notify.domain import CONVERSATION, PARTNER, Contact, Person, Reason, Row, Rules, Telling
from services.notify.loops import IDLE_SECONDS, Bell, persistently
from services.notify.messages import House
from services.notify.outbox import Kafkaesque, Outbox
from services.notify.reports import Afterwards
from services.notify.repository import NotifyRepository
from services.notify.seats import Seats, Taken
from services.notify.sending import Away, Handed, Late, Refused, Result, Unanswered
from services.notify.settings import BUDGET_SECONDS
from services.notify.staff import Staff
from services.notify.statuses import Reported
from services.notify.templates import Templates
from services.notify.transitions import transition_of

log = logger(__name__)
GROUP: Final = "notify"
SEAT_SECONDS: Final = 1.0  # how long a batch of what is due waits for a seat before it is left to ``deliver``
FOLLOW_SECONDS: Final = 2.0
Wanted = Mapping[str, Sequence[tuple[Metadata, Lifecycle | MessageWanted]]]
"""What is to be told, by the id of the telling."""


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
        for channel in senders:  # from zero: of a counter that begins with 1 Prometheus sees no increase
            metrics.notifications_unknown_total.labels(channel)
        self._templates = templates
        self._staff = staff
        self._house = house
        self._rules = rules
        self._partners = partners
        self._batch = batch
        self._send_timeout = send_timeout
        flight_seconds = send_timeout + BUDGET_SECONDS  # to send it, and to put down the result
        self._flight_time = timedelta(seconds=flight_seconds)
        self._seats = Seats(flights * batch, flight_seconds)
        self._clock = clock
        self.outbox = Outbox(repository, kafka, clock)
        self.afterwards = Afterwards(repository, senders, rules, clock, self.outbox)
        self.duty = Duty("messages")
        self._due = Bell()
        self._taking = asyncio.Lock()

    # --- from Kafka ---

    async def handle(self, batch: Sequence[Delivery]) -> None:
        """
        Write down contacts and persons first, then what is to be told and what was reported. A repeated batch changes
        nothing. What is due leaves the house if ``deliver`` runs and has seats.
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
            await self._plan(wanted)
        reported = [Reported.of(event.data) for event in events if isinstance(event.data, DeliveryReported)]
        if reported:
            await self.afterwards.put_down(reported)
        if contacts or reported:
            self._due.ring()

    async def _plan(self, wanted: Wanted) -> None:
        """
        Write down what is to be told, by the id of the telling.
        """
        before = await self._repository.tellings(wanted)
        open_rows = [row for telling in before.values() for row in telling.rows if row.state in domain.OPEN]
        told = {event.contact_id for rows in wanted.values() for _, event in rows if event.contact_id}
        contacts = await self._repository.contacts(told | {row.recipient for row in open_rows if row.for_citizen})
        keys = list(before)
        for start in range(0, len(keys), self._batch):  # while one batch is on its way the next is written
            some = {key: before[key] for key in keys[start : start + self._batch]}
            await self._plan_some(some, wanted, contacts)

    async def _plan_some(self, before: Mapping[str, Telling], wanted: Wanted, contacts: Mapping[str, Contact]) -> None:
        """
        Write down what is to be told on top of these. What is due and finds a seat is in hand by the same write.
        """
        now = self._clock()

        def absorb(telling: Telling) -> Telling:
            for meta, event in wanted[telling.request_id]:
                contact = contacts.get(event.contact_id or "")
                if isinstance(event, MessageWanted):
                    telling = planning.absorb_wanted(telling, meta, event, contact, now, self._rules)
                else:
                    telling = planning.absorb(telling, meta, event, contact, now, self._rules, self._partners)
            return telling

        planned = {key: absorb(telling) for key, telling in before.items()}

        def plan(telling: Telling) -> Telling:
            as_read = telling is before[telling.request_id]
            return planned[telling.request_id] if as_read else absorb(telling)

        new = {key: telling for key, telling in before.items() if planned[key] is not telling}
        if not new:
            return
        due = [key for key in new if planned[key].due(now) and gathering.apart(planned[key])]
        async with self._seats.soon(len(due), SEAT_SECONDS) as seats:
            at_once = {key: planned[key] for key in due[: seats.taken]}
            written, hands = await self._write(new, plan, at_once, contacts)
            self._depart(hands, seats)
        if any(telling.due(now) for telling in written.values()):
            self._due.ring()

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
        async with self._seats.open():
            while True:
                self.duty.attempted()
                async with self._seats.some(self._batch) as seats:
                    progress, hands = await persistently(partial(self.take, seats.taken))
                    self._depart(hands, seats)
                if not progress:
                    await self._due.wait(IDLE_SECONDS)

    def _depart(self, hands: Sequence[Hand], seats: Taken) -> None:
        """
        Let what is in hand fly, on these seats.
        """
        if hands:
            self._seats.fly(partial(self.fly, hands), seats, len(hands))

    async def take(self, most: int | None = None) -> tuple[bool, list[Hand]]:
        """
        Take due messages into hand, a batch or ``most``. Gives whether anything changed, and what is in hand now.
        """
        now = self._clock()
        due = await self._repository.due(now, self._batch if most is None else most)
        if not due:
            return False, []
        if await mornings.gather(self._repository, due, now):
            return True, []
        rows = [row for telling in due.values() for row in telling.rows if row.state in domain.OPEN and row.for_citizen]
        contacts = await self._repository.contacts(row.recipient for row in rows)
        written, hands = await self._write(due, lambda telling: telling, due, contacts)
        return any(written[key] is not telling for key, telling in due.items()), hands

    async def _write(
        self,
        before: Mapping[str, Telling],
        plan: Callable[[Telling], Telling],
        at_once: Mapping[str, Telling],
        contacts: Mapping[str, Contact],
    ) -> tuple[dict[str, Telling], list[Hand]]:
        """
        Write down what is planned on top of ``before``, and take what is due of ``at_once``, as it is planned, into
        hand by the same write. ``contacts``: the citizens as far as they are known.

        That a person is told is remembered before it is sent: a repeat sets it again, and the next batch counts it.
        In one process taking waits for taking. Two processes do not wait for each other: both may take a person's last
        message of the day, or ask for the week's stars, and that person gets one too many.

        The claim outlives the retry: what a write took whose answer was lost is in hand when it is read again.
        """
        if not at_once:
            written = await self._repository.change(before, plan, known=before)
            self.outbox.hand_over(written.values())
            return written, []
        claim = uuid4().hex
        carried = await mornings.carried_by(self._repository, at_once)
        reached = dict(contacts)
        names = {name for telling in at_once.values() for name in telling.recipients} & contacts.keys()
        async with self._taking:
            crowd = await self._repository.people.behind(contacts[name] for name in names)
            now = self._clock()  # the lease begins with the write

            def person_of(name: str) -> Person:
                return crowd.person(reached[name], now, self._rules)

            def decide(telling: Telling) -> Telling:
                if telling.in_hand(claim) is not None:
                    return telling
                planned = plan(telling)
                if telling.request_id not in at_once:
                    return planned
                reached.update(self._of_the_house(planned.rows))
                people = {name: person_of(name) for name in planned.recipients & names}
                taken = sending.take(planned, reached, claim, now, self._rules, people)
                taken = gathering.keep(taken, claim, carried)
                if (row := taken.in_hand(claim)) is not None:
                    crowd.tell(reached[row.recipient], sending.told_of(taken, row, now))
                return taken

            written = await persistently(lambda: self._repository.change(before, decide, known=before))
            self.outbox.hand_over(written.values())
            hands = [
                Hand(telling, row, reached[row.recipient], person_of(row.recipient).window_open(now, self._rules))
                for telling in written.values()
                if (row := telling.in_hand(claim)) is not None
            ]
            told = [(hand.contact, sending.told_of(hand.telling, hand.row, now)) for hand in hands]
            await persistently(lambda: self._repository.people.note_told(told, crowd, now, self._rules))
        return written, hands

    def _of_the_house(self, rows: Iterable[Row]) -> dict[str, Contact]:
        """
        How those recipients are reached whom the house knows: staff by the file, partners' systems by the senders' own.
        """
        found = {}
        for row in rows:
            if row.for_staff and (person := self._staff.contact(row.recipient)) is not None:
                found[row.recipient] = person
            if row.for_partner and row.recipient.removeprefix(PARTNER) in self._partners:
                found[row.recipient] = Contact(row.recipient, row.at or self._clock())
        return found

    async def fly(self, hands: Sequence[Hand]) -> None:
        """
        Send what is in hand, all at once, and put down the results in one write. What has too little of its lease left
        for both is given back unsent.
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

        written = await persistently(put_down)
        self.outbox.hand_over(written.values())
        if any(telling.due(now) for telling in written.values()):
            self._due.ring()

    async def _send(self, hand: Hand) -> Result:
        """
        Send one message. An error without a name counts as temporary: one odd message must not stop all others.
        """
        row, contact = hand.row, hand.contact
        if row.due_at is None or row.due_at - self._clock() < self._flight_time:
            log.warning("no time left to send", channel=row.channel)
            return Late()
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

    # --- afterwards ---

    async def follow(self) -> None:
        """
        For ever: ask providers what became of messages, and find the messages of reports that were too early.
        """
        while True:
            changed = await persistently(self.afterwards.again)
            if await persistently(self.afterwards.ask_once) or changed:
                self._due.ring()
                continue
            await asyncio.sleep(FOLLOW_SECONDS)

    async def watch(self) -> None:
        """
        For ever: show how many messages wait for their contact.
        """
        while True:
            metrics.parked.set(await persistently(self._repository.parked))
            await asyncio.sleep(5)
