"""
The life of a call: whatever an exchange repeats, swaps or loses.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.envelope import TYPE_PREFIX, Record, decode
from services.common.contracts.events import Call as CallEvent
from services.common.contracts.events import CallEnded, CallMissed, CallStarted, ContactChanged
from services.intake.calls import domain
from services.intake.calls.domain import (
    GRACE,
    RINGS_AT_MOST,
    SHOWN_AFTER,
    SPOKEN_AT_MOST,
    Answer,
    Call,
    NotTheirs,
    Outcome,
    Report,
    State,
    Step,
)
from tests.builders import NOON

SECRET = b"0123456789abcdef"
ID = domain.call_id_of(SECRET, "main", "x1")
PHONE = "+905321112233"
A, B = "u_" + "a" * 16, "u_" + "b" * 16


def report(step: Step, seconds: float = 0, **fields: object) -> Report:
    given_fields: dict[str, object] = {"phone": PHONE, "queue": "ilkim"} | fields
    return Report(step, ID, "main", NOON + timedelta(seconds=seconds), **given_fields)  # type: ignore[arg-type]


RANG = report(Step.RANG)
ANSWERED = report(Step.ANSWERED, 8, extension="42", by=A)
HUNG_UP = report(Step.HUNG_UP, 68, cause="normalClearing")


def told(*reports: Report) -> Call:
    call = None
    for one in reports:
        call = domain.absorb(call, one, SECRET)
    assert call is not None
    return call


def types(records: Sequence[Record]) -> list[str]:
    return [dict(r.headers)["ce_type"].decode().removeprefix(TYPE_PREFIX) for r in records]


def data(record: Record) -> CallEvent:
    event = decode(record.topic, record.key, record.value, record.headers).data
    assert isinstance(event, CallEvent)
    return event


def over(call: Call, after: timedelta = SPOKEN_AT_MOST * 2) -> Call:
    now = call.last_at + after
    return domain.speak(domain.settle(call, now), now)


reports = st.lists(
    st.builds(
        report,
        st.sampled_from(Step),
        st.integers(0, 100),
        phone=st.sampled_from([PHONE, None]),
        extension=st.sampled_from(["42", "43", None]),
        by=st.sampled_from([A, B, None]),
        cause=st.sampled_from(domain.CAUSES),
        queue=st.sampled_from(["ilkim", None]),
    ),
    min_size=1,
    max_size=8,
)


@given(reports.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations([*rows, *rows]))))
def test_any_order_and_any_repetition_of_the_same_reports_is_the_same_call(
    rows: tuple[list[Report], list[Report]],
) -> None:
    once, shuffled = rows
    assert told(*shuffled) == told(*once)
    assert over(told(*shuffled)) == over(told(*once))


@given(st.permutations([RANG, ANSWERED, HUNG_UP, RANG, ANSWERED, HUNG_UP]), st.lists(st.booleans(), min_size=6))
def test_whenever_it_settles_between_the_reports_exactly_one_of_ended_and_missed_is_said(
    rows: list[Report], settles: list[bool]
) -> None:
    call: Call | None = None
    for one, settled in zip(rows, settles, strict=False):
        call = domain.speak(domain.absorb(call, one, SECRET), NOON)
        if settled:
            call = over(call)
    assert call is not None
    said = types(over(call).outbox)
    assert said.count("CallEnded") + said.count("CallMissed") == 1
    assert said[0] == "CallStarted"
    assert len(said) == len(set(said))


@given(st.permutations([RANG, ANSWERED, HUNG_UP]))
def test_the_three_reports_within_the_grace_are_an_answered_call_in_whatever_order(rows: list[Report]) -> None:
    call: Call | None = None
    for one in rows:
        now = max(HUNG_UP.at, one.at) + GRACE / 2
        call = domain.speak(domain.settle(domain.absorb(call, one, SECRET), now), now)
    assert call is not None
    assert call.outcome is Outcome.ANSWERED
    ended = data(call.outbox[-1])
    assert isinstance(ended, CallEnded)
    assert (ended.seconds, ended.extension, ended.by) == (60, "42", A)


@pytest.mark.parametrize(
    ("cause", "outcome"),
    [
        ("cancel", Outcome.CANCELLED),
        ("noAnswer", Outcome.MISSED),
        ("busy", Outcome.MISSED),
        ("normalClearing", Outcome.MISSED),
    ],
)
def test_a_call_that_nobody_answered_is_missed_or_cancelled_by_its_cause(cause: str, outcome: Outcome) -> None:
    call = over(told(RANG, report(Step.HUNG_UP, 20, cause=cause)))
    assert call.outcome is outcome
    missed = data(call.outbox[-1])
    assert isinstance(missed, CallMissed)
    assert (missed.cause, missed.seconds) == (cause, 20)


def test_the_outcome_of_an_unanswered_call_waits_for_the_grace() -> None:
    call = told(RANG, report(Step.HUNG_UP, 20))
    at = NOON + timedelta(seconds=20)
    assert domain.settle(call, at + GRACE - timedelta(milliseconds=1)).outcome is None
    assert domain.settle(call, at + GRACE).outcome is Outcome.MISSED
    assert call.state is State.MISSED  # operators see at once that it does not ring any more


def test_a_hang_up_that_names_an_extension_tells_of_a_lost_answer() -> None:
    assert over(told(RANG, report(Step.HUNG_UP, 20, extension="42"))).outcome is Outcome.ANSWERED


def test_a_call_without_hang_up_is_given_up() -> None:
    ringing, spoken = told(RANG), told(RANG, ANSWERED)
    assert domain.settle(ringing, NOON + RINGS_AT_MOST).outcome is Outcome.MISSED
    assert domain.settle(spoken, NOON + RINGS_AT_MOST).outcome is None
    lost = over(spoken)
    assert lost.outcome is Outcome.ANSWERED
    ended = data(lost.outbox[-1])
    assert isinstance(ended, CallEnded)
    assert ended.seconds == 0  # how long it was is not known


def test_events_name_the_person_by_hash_and_never_the_number() -> None:
    call = over(told(RANG, ANSWERED, HUNG_UP))
    for record in call.outbox:
        assert "5321112233" not in str(record)
        assert data(record).person == domain.person_of(SECRET, PHONE)
        assert data(record).contact_id == domain.contact_id_of(SECRET, ID)


def test_a_withheld_number_has_no_person_and_no_contact() -> None:
    call = over(told(report(Step.RANG, phone=None), report(Step.HUNG_UP, 5, phone=None)))
    assert (call.person, call.contact_id) == (None, None)
    assert isinstance(data(call.outbox[0]), CallStarted)


def test_the_contact_of_a_call_is_of_its_first_moment_and_has_the_hash_that_requests_have() -> None:
    record = domain.contact_record(told(ANSWERED, RANG), PHONE, SECRET)
    contact = decode(record.topic, record.key, record.value, record.headers).data
    assert isinstance(contact, ContactChanged)
    assert (contact.phone, contact.phone_hash) == (PHONE, domain.person_of(SECRET, PHONE))
    assert contact.changed_at == NOON


def test_events_are_said_once_and_stay_as_they_were_said() -> None:
    first = domain.speak(told(RANG, ANSWERED), NOON)
    again = domain.speak(domain.absorb(first, report(Step.ANSWERED, 4, extension="41"), SECRET), NOON)
    assert again.outbox == first.outbox
    assert domain.speak(again, NOON) is again


def test_what_kafka_has_is_forgotten_and_what_came_since_is_not() -> None:
    call = domain.speak(told(RANG), NOON)
    later = domain.speak(domain.absorb(call, ANSWERED, SECRET), NOON)
    after = domain.acknowledged(later, call.outbox, contact=True)
    assert types(after.outbox) == ["CallAnswered"]
    assert after.contact_kept


# --- by hand ---


def test_an_operator_takes_a_ringing_call_by_hand() -> None:
    call = domain.claimed(told(RANG), A, "42", NOON)
    assert call.answered == Answer(NOON, "42", A)
    assert domain.claimed(call, A, "42", NOON) is call


def test_an_operator_puts_their_name_to_a_call_that_an_unknown_extension_answered() -> None:
    call = domain.claimed(told(RANG, replace(ANSWERED, by=None)), B, "99", NOON)
    assert call.answered == Answer(ANSWERED.at, "42", B)
    assert domain.absorb(call, replace(ANSWERED, by=None), SECRET) is call  # a repeat takes it from nobody


@pytest.mark.parametrize("rows", [(RANG, ANSWERED), (RANG, report(Step.HUNG_UP, 9)), (RANG, ANSWERED, HUNG_UP)])
def test_a_call_of_somebody_else_or_one_that_is_over_cannot_be_taken(rows: tuple[Report, ...]) -> None:
    with pytest.raises(NotTheirs):
        domain.claimed(told(*rows), B, "43", NOON)


# --- whom it concerns ---


@pytest.mark.parametrize(
    ("rings_at", "extension", "rings"),
    [(None, None, True), (None, "42", True), ("42", "42", True), ("42", "43", False)],
)
def test_a_call_rings_for_its_extension_or_for_everybody(
    rings_at: str | None, extension: str | None, rings: bool
) -> None:
    call = told(replace(RANG, extension=rings_at))
    assert domain.rings_for(call, extension) is rings
    assert domain.may_see(call, A, extension, NOON) is rings


def test_an_answered_call_is_seen_by_who_answered_it_alone_and_not_for_ever() -> None:
    call = told(RANG, ANSWERED, HUNG_UP)
    assert domain.may_see(call, A, None, NOON)
    assert not domain.may_see(call, B, "42", NOON)  # B sits there now
    assert not domain.may_see(call, A, "42", HUNG_UP.at + SHOWN_AFTER)


def test_a_missed_call_is_seen_by_nobody() -> None:
    call = told(RANG, report(Step.HUNG_UP, 9))
    assert not domain.may_see(call, A, "42", NOON)
