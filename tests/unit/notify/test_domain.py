"""
What is told, to whom and how, and that nothing of it depends on luck: any order, any repetition, any crash.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.contracts.envelope import Record, decode
from services.common.contracts.events import Lifecycle, Notification
from services.common.contracts.vocabulary import DeliveryStatus, Language, NotifyVia
from services.notify import domain, ledger, planning, sending, statuses
from services.notify.domain import Contact, Telling
from services.notify.sending import Away, Handed, Refused, Result, Unanswered
from services.notify.statuses import Reported
from tests.unit.notify.lives import CONTACT, EVENTS, NOON, REQUEST, TOLD, meta
from tests.unit.notify.tellings import AYSE, RULES, STAFF, WHATSAPP, row


def test_the_newest_contact_counts_and_an_older_one_never_undoes_an_erasure() -> None:
    old, erased = Contact(CONTACT, NOON), Contact(CONTACT, NOON + timedelta(hours=1), erased=True)
    new = Contact(CONTACT, NOON + timedelta(hours=2), language=Language.EN)
    assert domain.newest([erased, old])[CONTACT] is erased
    assert domain.newest([new, erased, old])[CONTACT] is new
    assert domain.newest([Contact(CONTACT, erased.at), erased])[CONTACT] is erased


@dataclass
class World:
    """
    Notify as three loops over one stored telling; whatever they hold in hand is lost in a crash.
    """

    now: datetime = NOON
    stored: Telling = field(default_factory=lambda: Telling(REQUEST))
    contacts: dict[str, Contact] = field(default_factory=dict)
    published: list[Record] = field(default_factory=list)
    sent: list[tuple[str, str]] = field(default_factory=list)
    claims: int = 0

    def absorb(self, event: Lifecycle) -> None:
        who = self.contacts.get(event.contact_id or "")
        self.stored = planning.absorb(self.stored, meta(event), event, who, self.now, RULES)

    def send(self, result: Result, *, crash: str | None = None) -> None:
        self.claims += 1
        claim = str(self.claims)
        self.stored = sending.take(self.stored, STAFF | self.contacts, claim, self.now, RULES)
        in_hand = self.stored.in_hand(claim)
        if in_hand is None or crash == "before sending":
            return
        if isinstance(result, Handed):
            self.sent.append((in_hand.transition, claim))
        if crash != "after sending":
            who = self.contacts.get(in_hand.recipient)
            self.stored = sending.settle(self.stored, claim, result, self.now, RULES, who)

    def report(self, number: int, status: DeliveryStatus) -> None:
        begun = [one for one in self.stored.rows if one.tries]
        if not begun:
            return
        one = begun[number % len(begun)]
        reported = Reported(ledger.key_of(REQUEST, one), f"wamid.{one.transition}", status, None, self.now)
        who = self.contacts.get(one.recipient)
        self.stored = statuses.merge(self.stored, reported, who, self.now, RULES)

    def publish(self, *, crash: bool) -> None:
        records = self.stored.outbox
        self.published += records
        if not crash:
            self.stored = sending.acknowledged(self.stored, records)

    def finish(self) -> None:
        self.contacts.setdefault(CONTACT, AYSE)
        for _ in range(200):
            if self.stored.next_at is None:
                break
            self.now = max(self.now, self.stored.next_at)
            self.send(Handed(None))
        self.publish(crash=False)


RESULTS = st.sampled_from(
    [Handed("p"), Away("smtp_451"), Refused("refused"), Refused("elsewhere", elsewhere=True), Unanswered()]
)
BOTH = replace(WHATSAPP, email="ayse@example.com", phone="+905321112233")


STEPS = st.one_of(
    st.tuples(st.just("absorb"), st.sampled_from(EVENTS)),
    st.tuples(st.just("send"), RESULTS, st.sampled_from([None, None, "before sending", "after sending"])),
    st.tuples(st.just("report"), st.integers(0, 20), st.sampled_from(DeliveryStatus)),
    st.tuples(st.just("publish"), st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from([1, 10, 40, 1000])),
    st.tuples(
        st.just("contact"), st.sampled_from([AYSE, WHATSAPP, BOTH, replace(AYSE, notify_via=NotifyVia.NONE), None])
    ),
)


@settings(max_examples=500)
@given(st.lists(STEPS, max_size=40))
def test_each_transition_ends_once_with_the_same_bytes_whatever_happens(steps: list[tuple[Any, ...]]) -> None:
    world = World()
    for step in steps:
        match step:
            case ("absorb", event):
                world.absorb(event)
            case ("send", result, crash):
                world.send(result, crash=crash)
            case ("report", number, status):
                world.report(number, status)
            case ("publish", crash):
                world.publish(crash=crash)
            case ("wait", seconds):
                world.now += timedelta(seconds=seconds)
            case ("contact", who):
                world.contacts = {CONTACT: who} if who else {}
    for event in EVENTS:
        world.absorb(event)
    world.finish()

    told = [decode(r.topic, r.key, r.value, r.headers) for r in world.published]
    outcomes: dict[tuple[str, str, int], set[tuple[str, bytes]]] = {}
    added: dict[tuple[str, str, int, str], set[bytes]] = {}
    for record, event in zip(world.published, told, strict=True):
        data, kind = event.data, type(event.data).__name__
        assert isinstance(data, Notification)
        identity = (data.transition, data.recipient, data.attempt)
        if kind in ("NotificationDelivered", "NotificationRead") or data.late:
            added.setdefault((*identity, kind), set()).add(record.value or b"")
        elif kind != "NotificationQueued":
            outcomes.setdefault(identity, set()).add((event.meta.id, record.value or b""))
    assert {transition for transition, _, _ in outcomes} == TOLD
    assert all(len(found) == 1 for found in outcomes.values()), "one outcome, never in two versions"
    assert outcomes.keys() == {one.identity for one in world.stored.rows}, "none lost"
    assert all(len(found) == 1 for found in added.values()), "each status is said once an attempt"
    assert len({r.headers for r in world.published}) == len({e.meta.id for e in told})
    received, merged = row(world.stored, "received"), row(world.stored, "assigned")
    if merged.reason == "merged":
        assert received.facts.department == "temizlik-isleri"
    assert row(world.stored, "assigned.3").reason == "internal"
    assert {r.recipient for r in world.stored.rows if r.kind == "escalated"} == {
        "staff:temizlik-isleri:department",
        "staff:temizlik-isleri:head",
    }
    assert world.stored.outbox == ()
    assert not any(r.state in domain.OPEN for r in world.stored.rows)
