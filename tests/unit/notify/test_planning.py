"""
What is told of which event, and when.
"""

from datetime import timedelta

import pytest

from services.common.contracts.events import Lifecycle
from services.common.contracts.vocabulary import Status
from services.notify import planning
from services.notify.domain import State, Telling
from tests.unit.notify.lives import (
    EVENTS,
    NOON,
    REQUEST,
    asked,
    assigned,
    bounced,
    escalated,
    meta,
    registered,
    scheduled,
)
from tests.unit.notify.tellings import AYSE, RULES, after, row


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


def test_an_escalation_neither_hurries_nor_releases_what_a_citizen_is_told() -> None:
    for events in ((registered(), escalated()), (escalated(), registered())):
        assert row(after(*events), "received").due_at == NOON + RULES.hold


def test_staff_read_nothing_that_was_written_to_a_citizen_and_hear_since_when_it_waits() -> None:
    facts = row(after(escalated(public_text="Size geliyoruz.", question="Nerede?")), "escalated.15").facts
    assert (facts.answer, facts.question) == (None, None)
    assert facts.since == NOON - timedelta(hours=3, minutes=15), "when it came in, not when anybody registered it"
    assert facts.day == NOON - timedelta(hours=2, minutes=15), "the deadline, not when this step was due"


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
