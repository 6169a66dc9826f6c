"""
What is told, to whom and how, and that nothing of it depends on luck.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.contracts.envelope import Record, decode
from services.common.contracts.events import Lifecycle, Notification
from services.common.contracts.vocabulary import Language, Level, NotifyVia, Status
from services.notify import choosing, domain, planning, sending
from services.notify.domain import Contact, Reason, Rules, State, Telling
from services.notify.sending import Away, Handed, Refused, Result, Unanswered
from tests.unit.notify.lives import (
    CONTACT,
    EVENTS,
    NOON,
    REQUEST,
    TOLD,
    asked,
    assigned,
    bounced,
    closed,
    contact,
    escalated,
    meta,
    registered,
    scheduled,
)

RULES = Rules()
AYSE = Contact.of(contact())
HEAD_OF = "staff:temizlik-isleri:head"
STAFF = {
    f"staff:temizlik-isleri:{level}": Contact(f"staff:temizlik-isleri:{level}", NOON, email=f"{level}@example.org")
    for level in Level
}
MOBILE, LANDLINE, SHORT = "+905321112233", "+903622222222", "+904445501"


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"email": "a@b.example"}, NotifyVia.EMAIL),
        ({"phone": MOBILE}, NotifyVia.SMS),
        ({"phone": "+4915112345678"}, NotifyVia.SMS),
        ({"whatsapp_id": "905321112233", "phone": MOBILE, "email": "a@b.example"}, NotifyVia.WHATSAPP),
        ({"phone": MOBILE, "email": "a@b.example"}, NotifyVia.SMS),
        ({"phone": MOBILE, "email": "a@b.example", "notify_via": "email"}, NotifyVia.EMAIL),
        ({"phone": MOBILE, "notify_via": "whatsapp"}, NotifyVia.SMS),
        ({"phone": LANDLINE, "notify_via": "sms"}, Reason.PHONE_ONLY),
        ({"phone": LANDLINE, "email": "a@b.example"}, NotifyVia.EMAIL),
        ({"phone": LANDLINE}, Reason.PHONE_ONLY),
        ({"phone": SHORT}, Reason.PHONE_ONLY),
        ({"phone": "not a number"}, Reason.PHONE_ONLY),
        ({"phone": MOBILE, "notify_via": "phone"}, Reason.PHONE_ONLY),
        ({"email": "a@b.example", "notify_via": "none"}, Reason.NOT_WANTED),
        ({}, Reason.NO_ADDRESS),
    ],
)
def test_the_channel_is_the_wish_or_the_first_reachable(fields: dict[str, Any], answer: NotifyVia | Reason) -> None:
    assert choosing.choose(Contact.of(contact(**({"email": None} | fields)))) == answer


def test_an_erased_contact_is_written_to_on_no_channel() -> None:
    assert choosing.choose(Contact(CONTACT, NOON, erased=True)) is Reason.ERASED


def after(*events: Lifecycle, who: Contact | None = AYSE, telling: Telling | None = None, late: float = 0) -> Telling:
    telling = telling or Telling(REQUEST)
    for event in events:
        telling = planning.absorb(telling, meta(event), event, who, NOON + timedelta(seconds=late), RULES)
    return telling


def row(telling: Telling, transition: str) -> domain.Row:
    found = telling.find(transition)
    assert found is not None
    return found


@pytest.mark.parametrize("events", [(registered(), assigned()), (assigned(), registered())])
def test_received_names_the_department_and_assigned_is_merged_in_either_order(events: tuple[Lifecycle, ...]) -> None:
    telling = after(*events)
    assert row(telling, "received").facts.department == "temizlik-isleri"
    assert row(telling, "received").due_at == NOON
    merged = row(telling, "assigned")
    assert (merged.state, merged.reason, merged.superseded_by) == (State.SUPPRESSED, "merged", "received")


def test_received_waits_half_a_minute_for_its_department() -> None:
    assert after(registered()).next_at == NOON + timedelta(seconds=30)


def test_triage_is_merged_too_and_the_later_department_is_told_by_itself() -> None:
    telling = after(registered(), assigned(1, status=Status.TRIAGE), assigned(2))
    assert row(telling, "received").facts.status is Status.TRIAGE
    assert row(telling, "assigned").reason == "merged"
    assert row(telling, "assigned.2").state is State.WAITING


def test_the_first_triage_is_told_and_a_later_one_is_internal() -> None:
    telling = after(registered(), bounced(1, previous_status=Status.RECEIVED), assigned(2), bounced(3))
    assert row(telling, "received").facts.status is Status.TRIAGE
    again = row(telling, "assigned.3")
    assert (again.state, again.reason) == (State.SUPPRESSED, "internal")


def test_a_closing_lets_received_go_first() -> None:
    telling = after(registered(), closed())
    telling = sending.take(telling, {CONTACT: AYSE}, "t", NOON, RULES)
    in_hand = telling.in_hand("t")
    assert in_hand is not None
    assert in_hand.transition == "received"


def test_assigned_is_told_by_itself_once_received_may_have_left() -> None:
    telling = after(registered())
    telling = sending.take(telling, {CONTACT: AYSE}, "t", NOON + timedelta(seconds=31), RULES)
    telling = after(assigned(), telling=telling, late=32)
    assert row(telling, "received").facts.department is None
    assert row(telling, "assigned").state is State.WAITING
    assert sending.take(telling, {CONTACT: AYSE}, "u", NOON + timedelta(seconds=33), RULES) is telling


def test_a_repeated_event_changes_nothing() -> None:
    telling = after(*EVENTS)
    assert after(*EVENTS, telling=telling, late=100) is telling


def test_who_has_no_contact_is_not_told_and_that_is_said() -> None:
    telling = after(registered(contact_id="contact:none"), assigned(contact_id="contact:none"))
    assert [r.reason for r in telling.rows] == ["no_contact", "no_contact"]
    assert telling.next_at is None
    assert len(telling.outbox) == 2


def test_what_is_a_week_old_is_not_told() -> None:
    telling = after(registered(), late=8 * 86_400)
    assert row(telling, "received").reason == "too_old"


def test_a_message_waits_for_its_contact_and_goes_when_it_comes() -> None:
    telling = after(registered(), assigned(), who=None)
    assert telling.parked_for == [CONTACT]
    telling = sending.take(telling, {}, "t", NOON + timedelta(seconds=5), RULES)
    assert telling.next_at == NOON + timedelta(seconds=10)
    telling = sending.take(telling, {CONTACT: AYSE}, "u", NOON + timedelta(seconds=6), RULES)
    assert row(telling, "received").state is State.SENDING
    assert telling.parked_for == []


def test_a_message_fails_when_its_contact_did_not_come_in_a_quarter_of_an_hour() -> None:
    telling = after(registered(), who=None)
    telling = sending.take(telling, {}, "t", NOON + timedelta(minutes=15), RULES)
    assert (row(telling, "received").state, row(telling, "received").reason) == (State.FAILED, "contact_missing")


def test_who_was_erased_meanwhile_is_not_written_to() -> None:
    telling = after(registered(), assigned())
    telling = sending.take(telling, {CONTACT: Contact(CONTACT, NOON, erased=True)}, "t", NOON, RULES)
    assert row(telling, "received").reason == "erased"


def test_a_provider_that_is_away_is_tried_for_an_hour_and_then_it_failed() -> None:
    telling, now, tries = after(registered(), assigned()), NOON, 0
    while row(telling, "received").state is not State.FAILED:
        telling = sending.take(telling, {CONTACT: AYSE}, "t", now, RULES)
        telling = sending.settle(telling, "t", Away("smtp_451"), now)
        now = telling.next_at or now
        tries += 1
    assert row(telling, "received").reason == "unreachable"
    assert timedelta(minutes=50) < now - NOON <= timedelta(hours=1)
    assert 10 < tries < 30


def test_a_message_whose_sender_died_is_taken_again_and_the_dead_one_has_no_say() -> None:
    telling = sending.take(after(registered(), assigned()), {CONTACT: AYSE}, "dead", NOON, RULES)
    assert sending.take(telling, {CONTACT: AYSE}, "next", NOON + timedelta(seconds=29), RULES) is telling
    telling = sending.take(telling, {CONTACT: AYSE}, "next", NOON + timedelta(seconds=30), RULES)
    assert sending.settle(telling, "dead", Handed("1"), NOON) is telling
    assert row(sending.settle(telling, "next", Handed("2"), NOON), "received").provider_id == "2"


WHATSAPP = Contact.of(contact(email=None, whatsapp_id="905321112233"))


def lost(*events: Lifecycle, who: Contact = WHATSAPP) -> Telling:
    """
    A telling whose first message was taken into hand by a process that died.
    """
    return sending.take(after(*events, who=who), {CONTACT: who}, "dead", NOON, RULES)


def test_after_an_unknown_outcome_a_message_that_is_no_mail_fails_and_the_next_one_goes() -> None:
    telling = after(assigned(2), who=WHATSAPP, telling=lost(registered(), assigned()))
    telling = sending.take(telling, {CONTACT: WHATSAPP}, "next", NOON + timedelta(seconds=30), RULES)
    assert (row(telling, "received").state, row(telling, "received").reason) == (State.FAILED, "unknown")
    assert row(telling, "received").channel is NotifyVia.WHATSAPP
    in_hand = telling.in_hand("next")
    assert in_hand is not None
    assert in_hand.transition == "assigned.2"


@pytest.mark.parametrize("contacts", [{}, {CONTACT: Contact(CONTACT, NOON, erased=True)}, {CONTACT: AYSE}])
def test_an_unknown_outcome_stays_unknown_whatever_became_of_the_contact(contacts: dict[str, Contact]) -> None:
    telling = lost(registered(), assigned())
    telling = sending.take(telling, contacts, "next", NOON + timedelta(seconds=30), RULES)
    assert row(telling, "received").reason == "unknown"


@pytest.mark.parametrize(
    ("events", "who"),
    [
        ((registered(), assigned()), AYSE),
        ((closed(),), WHATSAPP),
        ((closed(2),), WHATSAPP),
        ((registered(emergency=True), assigned(emergency=True)), WHATSAPP),
    ],
)
def test_mail_and_closing_and_emergency_messages_are_repeated_after_an_unknown_outcome(
    events: tuple[Lifecycle, ...], who: Contact
) -> None:
    telling = lost(*events, who=who)
    first = telling.in_hand("dead")
    telling = sending.take(telling, {CONTACT: who}, "next", NOON + timedelta(seconds=30), RULES)
    again = telling.in_hand("next")
    assert first is not None
    assert again is not None
    assert domain.key_of(REQUEST, again) == domain.key_of(REQUEST, first)


def test_a_mail_is_not_repeated_on_another_channel_after_an_unknown_outcome() -> None:
    telling = lost(registered(), assigned(), who=AYSE)
    telling = sending.take(telling, {CONTACT: WHATSAPP}, "next", NOON + timedelta(seconds=30), RULES)
    assert row(telling, "received").reason == "unknown"


@pytest.mark.parametrize(("who", "state"), [(AYSE, State.WAITING), (WHATSAPP, State.FAILED)])
def test_a_sender_that_did_not_answer_in_time_leaves_the_outcome_unknown(who: Contact, state: State) -> None:
    telling = sending.settle(lost(registered(), assigned(), who=who), "dead", Unanswered(), NOON)
    assert row(telling, "received").state is state
    assert row(telling, "received").reason == ("unknown" if state is State.FAILED else "timeout")


def test_a_contact_that_was_not_looked_up_is_not_taken_for_erased() -> None:
    telling = sending.take(after(registered(), assigned()), {}, "t", NOON, RULES)
    parked = row(telling, "received")
    assert (parked.state, parked.due_at) == (State.PARKED, NOON + RULES.recheck)
    assert parked.give_up_at == NOON + RULES.parking
    assert telling.parked_for == [CONTACT]
    telling = sending.take(telling, {CONTACT: AYSE}, "u", NOON + timedelta(seconds=5), RULES)
    assert row(telling, "received").state is State.SENDING
    assert len({r.headers for r in telling.outbox}) == len(telling.outbox), "queued is said once"


def test_one_message_without_its_contact_does_not_hold_up_another() -> None:
    other = "c_" + "1" * 32
    telling = after(closed(2), who=AYSE, telling=after(closed(contact_id=other)))
    telling = sending.take(telling, {CONTACT: AYSE}, "t", NOON, RULES)
    assert row(telling, "closed").state is State.PARKED
    assert row(telling, "closed.2").state is State.SENDING


def test_a_try_that_waits_for_its_contact_again_still_ends_within_its_hour() -> None:
    telling = sending.take(after(closed()), {CONTACT: AYSE}, "t", NOON, RULES)
    telling = sending.settle(telling, "t", Away("smtp_451"), NOON)
    telling = sending.take(telling, {}, "u", NOON + timedelta(seconds=2), RULES)
    assert row(telling, "closed").give_up_at == NOON + RULES.retry_for
    telling = sending.take(telling, {CONTACT: AYSE}, "v", NOON + timedelta(seconds=7), RULES)
    assert row(telling, "closed").give_up_at == NOON + RULES.retry_for


# --- staff ---


def test_staff_are_told_although_the_citizen_has_no_contact() -> None:
    telling = after(escalated(contact_id="contact:none"), who=None)
    told = row(telling, "escalated.15")
    assert (told.recipient, told.channel, told.state) == (HEAD_OF, NotifyVia.EMAIL, State.WAITING)
    assert telling.parked_for == []
    telling = sending.take(telling, STAFF, "t", NOON, RULES)
    assert row(sending.settle(telling, "t", Handed("1"), NOON), "escalated.15").state is State.SENT


def test_staff_who_are_in_no_file_are_a_failure_that_is_said() -> None:
    telling = sending.take(after(escalated(department="uzay-isleri")), STAFF, "t", NOON, RULES)
    failed = row(telling, "escalated.15")
    assert (failed.recipient, failed.state, failed.reason) == ("staff:uzay-isleri:head", State.FAILED, "no_address")
    assert telling.next_at is None


def test_an_escalation_neither_hurries_nor_releases_what_a_citizen_is_told() -> None:
    for events in ((registered(), escalated()), (escalated(), registered())):
        assert row(after(*events), "received").due_at == NOON + RULES.hold


def test_staff_read_nothing_that_was_written_to_a_citizen_and_hear_since_when_it_waits() -> None:
    facts = row(after(escalated(public_text="Size geliyoruz.", question="Nerede?")), "escalated.15").facts
    assert (facts.answer, facts.question) == (None, None)
    assert facts.since == NOON - timedelta(hours=3, minutes=15), "when it came in, not when anybody registered it"
    assert facts.day == NOON - timedelta(hours=2, minutes=15), "the deadline, not when this step was due"


# --- parts ---


def test_of_a_part_the_citizen_hears_the_question_alone_and_staff_hear_of_its_clock() -> None:
    part = {"request_id": f"{REQUEST}.1", "parent_id": REQUEST}
    events = [event.model_copy(update=part) for event in EVENTS]
    assert {r.transition for r in after(*events).rows} == {"asked.7", "reminded.8", "escalated.14", "escalated.15"}
    question = asked().model_copy(update=part)
    (said,) = planning.absorb(Telling(f"{REQUEST}.1"), meta(question), question, AYSE, NOON, RULES).outbox
    assert said.key == REQUEST.encode(), "a family is one order"


def test_a_second_date_is_told_like_the_first() -> None:
    telling = after(scheduled(6), scheduled(7))
    assert {r.transition for r in telling.rows} == {"scheduled.6", "scheduled.7"}


def test_the_newest_contact_counts_and_an_older_one_never_undoes_an_erasure() -> None:
    old, erased = Contact(CONTACT, NOON), Contact(CONTACT, NOON + timedelta(hours=1), erased=True)
    new = Contact(CONTACT, NOON + timedelta(hours=2), language=Language.EN)
    assert domain.newest([erased, old])[CONTACT] is erased
    assert domain.newest([new, erased, old])[CONTACT] is new
    assert domain.newest([Contact(CONTACT, erased.at), erased])[CONTACT] is erased


# --- any order, any repetition, any crash ---


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
            self.stored = sending.settle(self.stored, claim, result, self.now)

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


RESULTS = st.sampled_from([Handed("p"), Away("smtp_451"), Refused("refused"), Unanswered()])
STEPS = st.one_of(
    st.tuples(st.just("absorb"), st.sampled_from(EVENTS)),
    st.tuples(st.just("send"), RESULTS, st.sampled_from([None, None, "before sending", "after sending"])),
    st.tuples(st.just("publish"), st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from([1, 10, 40, 1000])),
    st.tuples(st.just("contact"), st.sampled_from([AYSE, WHATSAPP, replace(AYSE, notify_via=NotifyVia.NONE), None])),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_each_transition_ends_once_with_the_same_bytes_whatever_happens(steps: list[tuple[Any, ...]]) -> None:
    world = World()
    for step in steps:
        match step:
            case ("absorb", event):
                world.absorb(event)
            case ("send", result, crash):
                world.send(result, crash=crash)
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
    outcomes: dict[str, set[tuple[str, bytes]]] = {}
    for record, event in zip(world.published, told, strict=True):
        assert isinstance(event.data, Notification)
        if type(event.data).__name__ != "NotificationQueued":
            outcomes.setdefault(event.data.transition, set()).add((event.meta.id, record.value or b""))
    assert outcomes.keys() == TOLD
    assert all(len(found) == 1 for found in outcomes.values()), "one outcome, never in two versions"
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
