"""
How messages leave the house: once, whatever happens on the way.
"""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.events import Lifecycle
from services.common.contracts.vocabulary import NotifyVia
from services.notify import ledger, sending
from services.notify.domain import Contact, Person, State, Telling, Told
from services.notify.sending import Away, Handed, Refused, Unanswered
from tests.unit.notify.lives import CONTACT, NOON, REQUEST, assigned, closed, contact, escalated, registered
from tests.unit.notify.tellings import AYSE, HEAD_OF, RULES, STAFF, WHATSAPP, after, row

PHONE = Contact.of(contact(email=None, phone="+905321112233"))


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


@pytest.mark.parametrize(
    ("emergency", "deadline", "most"), [(False, RULES.retry_for, 120), (True, RULES.retry_urgent, 20)]
)
def test_a_provider_that_is_away_is_tried_until_the_deadline_and_then_it_failed(
    emergency: bool, deadline: timedelta, most: int
) -> None:
    telling, now, tries = after(registered(emergency=emergency), assigned(emergency=emergency)), NOON, 0
    while row(telling, "received").state is not State.FAILED:
        telling = sending.take(telling, {CONTACT: AYSE}, "t", now, RULES)
        telling = sending.settle(telling, "t", Away("smtp_451"), now, RULES, AYSE)
        now = telling.next_at or now
        tries += 1
    assert row(telling, "received").reason == "unreachable"
    assert deadline - timedelta(minutes=6) < now - NOON <= deadline
    assert 8 < tries < most
    assert len(telling.rows) == 2, "there is no other channel"


def test_a_message_whose_sender_died_is_taken_again_and_the_dead_one_has_no_say() -> None:
    telling = sending.take(after(registered(), assigned()), {CONTACT: AYSE}, "dead", NOON, RULES)
    assert sending.take(telling, {CONTACT: AYSE}, "next", NOON + timedelta(seconds=29), RULES) is telling
    telling = later(telling, {CONTACT: AYSE})
    assert sending.settle(telling, "dead", Handed("1"), NOON, RULES) is telling
    assert row(sending.settle(telling, "next", Handed("2"), NOON, RULES), "received").provider_id == "2"


def lost(*events: Lifecycle, who: Contact = WHATSAPP) -> Telling:
    """
    A telling whose first message was taken into hand by a process that died.
    """
    return sending.take(after(*events, who=who), {CONTACT: who}, "dead", NOON, RULES)


def later(telling: Telling, contacts: dict[str, Contact], claim: str = "next") -> Telling:
    """
    The telling as another process goes on with it: when the lease is over, and after that the wait for a status.
    """
    for _ in range(2):
        telling = sending.take(telling, contacts, claim, telling.next_at or NOON, RULES)
        if telling.in_hand(claim):
            break
    return telling


def test_after_an_unknown_outcome_a_message_that_is_no_mail_fails_and_the_next_one_goes() -> None:
    telling = after(assigned(2), who=WHATSAPP, telling=lost(registered(), assigned()))
    telling = later(telling, {CONTACT: WHATSAPP})
    assert (row(telling, "received").state, row(telling, "received").reason) == (State.FAILED, "unknown")
    assert row(telling, "received").channel is NotifyVia.WHATSAPP
    in_hand = telling.in_hand("next")
    assert in_hand is not None
    assert in_hand.transition == "assigned.2"


@pytest.mark.parametrize("contacts", [{}, {CONTACT: Contact(CONTACT, NOON, erased=True)}, {CONTACT: AYSE}])
def test_an_unknown_outcome_stays_unknown_whatever_became_of_the_contact(contacts: dict[str, Contact]) -> None:
    telling = lost(registered(), assigned())
    telling = later(telling, contacts)
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
    telling = later(telling, {CONTACT: who})
    again = telling.in_hand("next")
    assert first is not None
    assert again is not None
    assert ledger.key_of(REQUEST, again) == ledger.key_of(REQUEST, first)


def test_a_mail_is_not_repeated_on_another_channel_after_an_unknown_outcome() -> None:
    telling = lost(registered(), assigned(), who=AYSE)
    telling = later(telling, {CONTACT: WHATSAPP})
    assert row(telling, "received").reason == "unknown"


@pytest.mark.parametrize(
    ("who", "state", "reason"),
    [(AYSE, State.WAITING, "timeout"), (WHATSAPP, State.SENDING, None), (PHONE, State.FAILED, "unknown")],
)
def test_a_sender_that_did_not_answer_in_time_leaves_the_outcome_unknown(
    who: Contact, state: State, reason: str | None
) -> None:
    telling = sending.settle(lost(registered(), assigned(), who=who), "dead", Unanswered(), NOON, RULES, who)
    assert (row(telling, "received").state, row(telling, "received").reason) == (state, reason)
    assert len(telling.rows) == 2, "what may have arrived is not sent on another channel"


def test_whatsapp_has_two_minutes_to_say_what_became_of_a_message_without_an_answer() -> None:
    telling = sending.settle(lost(registered(), assigned()), "dead", Unanswered(), NOON, RULES, WHATSAPP)
    assert telling.next_at == NOON + RULES.status_wait
    nearly = NOON + RULES.status_wait - timedelta(seconds=1)
    assert sending.take(telling, {CONTACT: WHATSAPP}, "next", nearly, RULES) is telling
    telling = sending.take(telling, {CONTACT: WHATSAPP}, "next", NOON + RULES.status_wait, RULES)
    assert (row(telling, "received").state, row(telling, "received").reason) == (State.FAILED, "unknown")


def test_what_is_refused_for_its_channel_goes_on_the_next_one_as_another_attempt() -> None:
    both = replace(WHATSAPP, phone="+905321112233", email="ayse@example.com")
    telling, channels = after(registered(), assigned(), who=both), []
    for claim in "abcd":
        telling = sending.take(telling, {CONTACT: both}, claim, NOON, RULES)
        if (hand := telling.in_hand(claim)) is not None:
            channels.append((hand.attempt, hand.channel))
            telling = sending.settle(telling, claim, Refused("131026", elsewhere=True), NOON, RULES, both)
    assert channels == [(1, NotifyVia.WHATSAPP), (2, NotifyVia.SMS), (3, NotifyVia.EMAIL)]
    assert {one.state for one in telling.rows if one.transition == "received"} == {State.FAILED}
    assert telling.next_at is None


def test_a_conversation_stays_on_its_channel() -> None:
    both = replace(WHATSAPP, phone="+905321112233")
    asked = replace(row(after(registered(), who=both), "received"), transition="say_which")
    telling = sending.take(Telling(f"m_{1:032x}", (asked,)), {CONTACT: both}, "t", NOON + RULES.hold, RULES)
    telling = sending.settle(telling, "t", Refused("131026", elsewhere=True), NOON, RULES, both)
    assert [(one.attempt, one.state) for one in telling.rows] == [(1, State.FAILED)]
    assert telling.outbox == ()


def test_a_message_at_fault_itself_is_not_tried_elsewhere() -> None:
    both = replace(WHATSAPP, phone="+905321112233")
    telling = sending.take(after(registered(), assigned(), who=both), {CONTACT: both}, "t", NOON, RULES)
    telling = sending.settle(telling, "t", Refused("100"), NOON, RULES, both)
    assert [one.attempt for one in telling.rows if one.transition == "received"] == [1]


def test_a_provider_that_names_a_time_is_not_asked_before() -> None:
    telling = sending.take(after(closed()), {CONTACT: AYSE}, "t", NOON, RULES)
    telling = sending.settle(telling, "t", Away("busy", timedelta(minutes=7)), NOON, RULES, AYSE)
    assert telling.next_at == NOON + timedelta(minutes=7)


@given(st.integers(1, 60), st.text())
def test_pauses_grow_and_are_spread_and_the_same_message_pauses_the_same(tries: int, key: str) -> None:
    pause = sending.pause_after(tries, key)
    full = min(2.0**tries, 300.0)
    assert full / 2 <= pause.total_seconds() <= full
    assert pause == sending.pause_after(tries, key)


def test_two_messages_that_failed_together_are_not_tried_together() -> None:
    assert len({sending.pause_after(5, str(key)) for key in range(20)}) > 10


NIGHT = NOON.replace(hour=20)  # 23:00 in Istanbul


def test_what_waits_for_the_morning_has_its_whole_time_then_and_is_queued_once() -> None:
    telling = sending.take(after(closed()), {CONTACT: AYSE}, "t", NIGHT, RULES)
    held = row(telling, "closed")
    assert (held.state, held.held, held.give_up_at) == (State.WAITING, "quiet_hours", None)
    morning = NOON.replace(day=2, hour=5)
    assert telling.next_at == morning
    telling = sending.take(telling, {CONTACT: AYSE}, "u", morning, RULES)
    taken = row(telling, "closed")
    assert (taken.state, taken.held, taken.counted) == (State.SENDING, None, True)
    assert taken.give_up_at == morning + RULES.retry_for
    assert len(telling.outbox) == 1


def test_beyond_the_days_number_a_message_waits_for_the_next_day() -> None:
    told = Person(told=tuple(Told(str(n), NOON - timedelta(minutes=n)) for n in range(RULES.daily_limit)))
    telling = sending.take(after(closed()), {CONTACT: AYSE}, "t", NOON, RULES, {CONTACT: told})
    assert (row(telling, "closed").held, telling.next_at) == ("daily_limit", NOON.replace(day=2, hour=6))


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


def test_a_try_that_waits_for_its_contact_again_still_ends_within_its_time() -> None:
    telling = sending.take(after(closed()), {CONTACT: AYSE}, "t", NOON, RULES)
    telling = sending.settle(telling, "t", Away("smtp_451"), NOON, RULES)
    telling = sending.take(telling, {}, "u", NOON + timedelta(seconds=2), RULES)
    assert row(telling, "closed").give_up_at == NOON + RULES.retry_for
    telling = sending.take(telling, {CONTACT: AYSE}, "v", NOON + timedelta(seconds=7), RULES)
    assert row(telling, "closed").give_up_at == NOON + RULES.retry_for


def test_staff_are_told_although_the_citizen_has_no_contact() -> None:
    telling = after(escalated(contact_id="contact:none"), who=None)
    told = row(telling, "escalated.15")
    assert (told.recipient, told.channel, told.state) == (HEAD_OF, NotifyVia.EMAIL, State.WAITING)
    assert telling.parked_for == []
    telling = sending.take(telling, STAFF, "t", NOON, RULES)
    assert row(sending.settle(telling, "t", Handed("1"), NOON, RULES), "escalated.15").state is State.SENT


def test_staff_who_are_in_no_file_are_a_failure_that_is_said() -> None:
    telling = sending.take(after(escalated(department="uzay-isleri")), STAFF, "t", NOON, RULES)
    failed = row(telling, "escalated.15")
    assert (failed.recipient, failed.state, failed.reason) == ("staff:uzay-isleri:head", State.FAILED, "no_address")
    assert telling.next_at is None
