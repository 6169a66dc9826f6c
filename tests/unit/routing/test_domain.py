"""
The life of a request, purely.
"""

from dataclasses import replace
from datetime import timedelta
from functools import reduce

import pytest

from services.common.contracts.actions import SHAPES
from services.common.contracts.catalogue import catalogue
from services.common.contracts.envelope import Record
from services.common.contracts.events import Event, Lifecycle, RequestAssigned
from services.common.contracts.vocabulary import CLOSED, Action, Outcome, Status
from services.common.kit.errors import Rejected
from services.routing import domain
from services.routing.case import Case, Entry, Rules
from services.routing.domain import decide
from services.routing.moves import MOVES
from services.routing.rules import RuleBook
from services.routing.rules_form import ServiceRule
from tests.builders import CALENDAR, NOON, parking_over, read, received, reply, request, update

BOOK = RuleBook([ServiceRule(name="cukur", words=("çukur",), service="yol-cukur")], [], [], catalogue())
RULES = Rules(BOOK, CALENDAR)
R = "0000000000000"


def live(*inputs: Event, case: Case | None = None) -> Case:
    return reduce(lambda c, i: decide(c, received(i), at=NOON, rules=RULES), inputs, case or Case(R))


def records(case: Case) -> list[Record]:
    return [record for entry in case.events for record in entry.records]


def lifecycle(case: Case) -> list[Lifecycle]:
    events = [read(r).data for r in records(case) if r.topic == "requests.lifecycle"]
    assert all(isinstance(event, Lifecycle) for event in events)
    return events  # type: ignore[return-value]


def on(case: Case, department: str) -> list[Lifecycle]:
    return [read(r).data for r in records(case) if r.topic == f"requests.dept.{department}"]  # type: ignore[misc]


def test_a_request_is_registered_as_seq_1_and_assigned_as_seq_2() -> None:
    first, second = lifecycle(live(request(R)))
    assert (type(first).__name__, first.seq, first.status, first.previous_status) == (
        "RequestRegistered", 1, "received", None,
    )  # fmt: skip
    assert (type(second).__name__, second.seq, second.status, second.previous_status) == (
        "RequestAssigned", 2, "assigned", "received",
    )  # fmt: skip
    assert second.department == "fen-isleri"
    assert second.decided_by == "explicit"


def test_registered_names_the_input_that_counts_as_its_cause() -> None:
    first = request(R)
    case = live(first)
    assert read(records(case)[0]).meta.causation_id == received(first).meta.id == case.registered_by


def test_without_a_service_code_the_first_matching_rule_decides_and_is_named() -> None:
    assigned = lifecycle(live(request(R, service_code=None, text="ÇUKURLAR doldu")))[1]
    assert isinstance(assigned, RequestAssigned)
    assert (assigned.service_code, assigned.decided_by, assigned.rule) == ("yol-cukur", "rule", "cukur")


def test_a_request_nobody_can_place_goes_to_triage() -> None:
    assigned = lifecycle(live(request(R, service_code=None, text="merhaba")))[1]
    assert (assigned.status, assigned.department, assigned.service_code) == (
        "triage", "basin-halkla-iliskiler", "siniflandirilamadi",
    )  # fmt: skip


def test_the_holder_reads_what_the_crew_needs_and_never_the_contact() -> None:
    case = live(request(R, contact_id="c_" + "0" * 32, location={"address": "Lale Sk."}))
    (seen,) = on(case, "fen-isleri")
    assert isinstance(seen, RequestAssigned)
    assert seen.text == "Sokakta çukur var"
    assert seen.location is not None
    assert seen.contact_id is None
    public = lifecycle(case)[1]
    assert isinstance(public, RequestAssigned)
    assert public.text is public.location is None
    assert public.contact_id == "c_" + "0" * 32


def test_a_transfer_is_read_by_both_departments_but_the_text_only_by_the_new_holder() -> None:
    case = live(request(R), update(R, "transfer", to="zabita"))
    lost, won = on(case, "fen-isleri")[-1], on(case, "zabita")[-1]
    assert isinstance(lost, RequestAssigned)
    assert isinstance(won, RequestAssigned)
    assert lost.seq == won.seq == 3
    assert lost.department == "zabita"
    assert lost.text is None
    assert won.text == "Sokakta çukur var"
    assert won.previous_department == "fen-isleri"


def test_a_rejected_request_bounces_to_triage_and_only_the_desk_reads_why() -> None:
    secret = "Ali Veli 0532 111 22 33 aradı, su idaresinin işi"
    case = live(request(R), update(R, "reject", note_internal=secret))
    desk = on(case, "basin-halkla-iliskiler")[-1]
    assert isinstance(desk, RequestAssigned)
    assert (desk.status, desk.previous_department, desk.reason) == ("triage", "fen-isleri", secret)
    assert case.parent.state.bounces == 1
    elsewhere = [r for r in records(case) if r.topic != "requests.dept.basin-halkla-iliskiler"]
    assert all(b"Ali Veli" not in (r.value or b"") for r in elsewhere)


def test_what_was_dangerous_stays_urgent_when_its_department_rejects_it() -> None:
    before, after = lifecycle(live(request(R, service_code="yol-cokme"), update(R, "reject")))[1:]
    assert after.status == "triage"
    assert (after.emergency, after.priority, after.due) == (True, "urgent", before.due)


def test_a_timer_that_comes_again_does_not_refuse_an_update_that_came_later() -> None:
    early = live(update(R, "accept", update_id="u1"))
    later = decide(early, received(update(R, "accept", update_id="u2")), at=NOON + timedelta(minutes=14), rules=RULES)
    once = live(parking_over(R), case=later)
    assert [e.update_id for e in lifecycle(once)] == ["u1"]
    assert [p.item.data.update_id for p in once.parked] == ["u2"]  # type: ignore[attr-defined]
    assert live(parking_over(R), case=once) == once


def test_a_second_body_whose_ce_id_is_somebody_elses_kind_is_recorded_all_the_same() -> None:
    second = received(request(R, text="başka"))
    odd = replace(second, meta=replace(second.meta, id="0189d3c4-0000-7000-8000-000000000000"))
    assert type(lifecycle(decide(live(request(R)), odd, at=NOON, rules=RULES))[-1]).__name__ == "DuplicateReceived"


def test_only_the_holder_may_update_and_the_asker_is_told_why() -> None:
    case = live(request(R), update(R, "accept", department="zabita"))
    refused = lifecycle(case)[-1]
    assert (refused.seq, refused.status, refused.reason) == (3, "assigned", "not_the_holder")  # type: ignore[attr-defined]
    assert on(case, "zabita") == [refused.model_copy(update={"contact_id": None})]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [("resolved", "resolved"), ("no_action_needed", "resolved"), ("not_possible", "rejected"), ("invalid", "rejected")],
)
def test_an_outcome_closes_as_its_state(outcome: Outcome, status: Status) -> None:
    last = lifecycle(live(request(R), update(R, "resolve", outcome=outcome)))[-1]
    assert (last.status, last.outcome, last.public_text, last.closings) == (status, outcome, "Onarıldı.", 1)


@pytest.mark.parametrize("fields", [{"outcome": None}, {"note_public": None}, {"note_public": "  "}])
def test_a_closing_needs_an_outcome_and_a_text(fields: dict[str, str | None]) -> None:
    last = lifecycle(live(request(R), update(R, "resolve", **fields)))[-1]
    assert (last.status, last.reason) == ("assigned", "incomplete")  # type: ignore[attr-defined]


def test_what_a_department_tells_of_its_plans_is_public_until_another_takes_over() -> None:
    plan = update(R, "accept", note_public="Salı günü programa alındı.")
    events = lifecycle(live(request(R), plan, update(R, "transfer")))
    assert [event.public_text for event in events] == [None, None, "Salı günü programa alındı.", None]


def test_a_closed_request_accepts_nothing_more() -> None:
    closed = live(request(R), update(R, "resolve"))
    for action in ("accept", "reject", "transfer", "resolve"):
        last = lifecycle(live(update(R, action), case=closed))[-1]
        assert (last.status, last.reason) == ("resolved", "forbidden_move")  # type: ignore[attr-defined]


def test_another_body_under_the_same_number_is_recorded_and_changes_nothing() -> None:
    case = live(request(R), request(R, text="başka bir şey", service_code="gurultu"))
    last = lifecycle(case)[-1]
    assert type(last).__name__ == "DuplicateReceived"
    assert (last.seq, last.department) == (3, "fen-isleri")


def test_an_update_before_its_request_waits_and_then_counts() -> None:
    early = live(update(R, "accept"))
    assert records(early) == []
    assert [alarm.due_at for _, alarm in early.alarms] == [NOON + timedelta(minutes=15)]
    assert [e.status for e in lifecycle(live(request(R), case=early))] == ["received", "assigned", "accepted"]


def test_an_update_whose_request_never_comes_is_refused_with_seq_0_and_no_state() -> None:
    case = live(update(R, "accept"), parking_over(R))
    (refused,) = lifecycle(case)
    assert (refused.seq, refused.status, refused.reason) == (0, None, "unknown_request")  # type: ignore[attr-defined]
    assert case.parked == ()
    assert [e.seq for e in lifecycle(live(request(R), case=case))] == [0, 1, 2]


def test_settled_at_first_contact_is_assigned_to_and_closed_by_the_desk() -> None:
    events = lifecycle(live(request(R, answered={"text": "Nikâh salonu 09.00'da açılır."})))
    assert [(e.status, e.department) for e in events] == [
        ("received", None),
        ("assigned", "basin-halkla-iliskiler"),
        ("resolved", "basin-halkla-iliskiler"),
    ]


def test_an_update_of_a_department_that_does_not_exist_is_refused_and_goes_nowhere_else() -> None:
    case = live(request(R), update(R, "accept", department="yok-boyle"))
    assert lifecycle(case)[-1].reason == "unknown_department"  # type: ignore[attr-defined]
    assert {r.topic for r in case.events[-1].records} == {"requests.lifecycle"}


def test_a_case_that_grows_past_all_bounds_takes_nothing_more() -> None:
    case = live(request(R))
    full = replace(case, events=case.events + (Entry("x", b""),) * domain.MAX_EVENTS)
    heavy = replace(case, events=(*case.events, Entry("x", b"x" * 8_000_001)))
    for grown in (full, heavy):
        with pytest.raises(Rejected, match="2000 events and 8000000 bytes"):
            live(update(R, "accept"), case=grown)


def test_only_so_many_updates_wait_for_a_request_that_nobody_knows() -> None:
    waiting = live(*(update(R, "accept") for _ in range(domain.MAX_PARKED)))
    one_more = live(update(R, "accept"), case=waiting)
    assert len(one_more.parked) == domain.MAX_PARKED
    assert lifecycle(one_more)[-1].reason == "unknown_request"  # type: ignore[attr-defined]


@pytest.mark.parametrize("taken_up", ["accept", "start", "schedule", "ask", "wait"])
def test_what_somebody_took_up_has_not_bounced_three_times_in_a_row(taken_up: str) -> None:
    to_zabita, back = update(R, "reject", to="zabita"), update(R, "reject", department="zabita", to="fen-isleri")
    again = live(request(R), to_zabita, back, update(R, "reject", to="zabita"))
    assert lifecycle(again)[-1].department == "basin-halkla-iliskiler"
    between = live(request(R), to_zabita, back, update(R, taken_up), update(R, "reject", to="zabita"))
    assert (lifecycle(between)[-1].department, lifecycle(between)[-1].bounces) == ("zabita", 3)


@pytest.mark.parametrize("action", ["note", "cancel", "reopen"])
def test_the_desk_reads_on_its_own_topic_what_became_of_its_wish_but_no_note(action: str) -> None:
    before = live(request(R)) if action != "reopen" else live(request(R), update(R, "resolve"))
    wish = update(R, action, department="basin-halkla-iliskiler", update_id="wish", note_internal="Vatandaş aradı.")
    heard = [event for event in on(live(wish, case=before), "basin-halkla-iliskiler") if event.update_id == "wish"]
    assert [(type(event).__name__ == "UpdateRefused", event.note) for event in heard] == [(False, None)]


def test_every_state_has_its_row_in_the_table_of_moves_and_closed_ones_only_reopen() -> None:
    assert set(MOVES) == set(Status)
    assert all(MOVES[status] == {Status.REOPENED} for status in CLOSED)
    assert all(Status.RECEIVED not in moves for moves in MOVES.values())


def test_due_times_count_from_when_it_came_in_on_the_services_clock() -> None:
    due = lifecycle(live(request(R, service_code="su-baskini")))[1].due
    assert due is not None
    assert due.first_response_at == NOON + timedelta(minutes=15)
    assert due.resolve_by == NOON + timedelta(hours=1)


# --- who asked, what they saw, and how the holder classifies it ---

CLERK = "u_00000000000000c1"
PHOTO = "a_" + "1" * 32


@pytest.mark.parametrize("action", ["accept", "resolve"])
def test_the_holder_says_which_service_it_is_and_priority_and_clocks_follow(action: str) -> None:
    case = live(request(R), update(R, action, service_code="yol-cokme", by=CLERK))
    other = live(request(R, service_code="yol-cokme"), update(R, action))
    before, after, same = lifecycle(case)[-2], lifecycle(case)[-1], lifecycle(other)[-1]
    assert (before.service_code, after.service_code, after.decided_by) == ("yol-cukur", "yol-cokme", "person")
    assert (after.priority, after.emergency, after.due) == (same.priority, same.emergency, same.due)
    assert after.due != before.due
    assert (after.department, after.assignments) == ("fen-isleri", 1)


def test_a_closing_as_another_service_is_the_one_it_is_reopened_as() -> None:
    again = lifecycle(live(request(R), update(R, "resolve", service_code="gurultu"), update(R, "reopen")))[-1]
    noise = lifecycle(live(request(R, service_code="gurultu")))[-1]
    assert again.due is not None
    assert noise.due is not None
    assert (again.service_code, again.due.resolve_by) == ("gurultu", noise.due.resolve_by)


def test_an_emergency_that_its_holder_calls_something_ordinary_stays_urgent() -> None:
    last = lifecycle(live(request(R, service_code="yol-cokme"), update(R, "accept", service_code="yol-cukur")))[-1]
    assert (last.service_code, last.emergency, last.priority) == ("yol-cukur", True, "urgent")


def test_a_service_that_it_already_is_was_not_decided_anew() -> None:
    last = lifecycle(live(request(R), update(R, "accept", service_code="yol-cukur")))[-1]
    assert (last.status, last.decided_by) == ("accepted", "explicit")


@pytest.mark.parametrize(
    "action", ["accept", "start", "reject", "schedule", "split", "resolve", "cancel", "note", "duplicate"]
)
def test_who_of_the_staff_asked_is_said_with_what_came_of_it(action: str) -> None:
    done = lifecycle(live(request(R), update(R, action, by=CLERK)))[2:]
    assert {event.by for event in done} == ({CLERK} if action != "duplicate" else set())
    refused = lifecycle(live(request(R), update(R, action, by=CLERK, department="zabita")))[-1]
    assert (type(refused).__name__, refused.by) == ("UpdateRefused", CLERK)


@pytest.mark.parametrize("action", ["start", "resolve", "note"])
def test_photos_are_shown_with_the_event_they_came_with_and_with_no_other(action: str) -> None:
    events = lifecycle(live(request(R), update(R, action, photos=[PHOTO]), update(R, "note")))
    assert [event.photos for event in events] == [(), (), (PHOTO,), ()]


SEEN = 2  # the assignment


@pytest.mark.parametrize("other", ["accept", "start", "schedule", "ask", "wait", "resolve", "transfer"])
def test_who_acts_on_what_was_changed_meanwhile_is_told_what_happened_and_when(other: str) -> None:
    case = live(request(R), update(R, other), update(R, "cancel", department="fen-isleri", expected_seq=SEEN))
    before, last = lifecycle(case)[-2:]
    assert last.reason == "changed_meanwhile"  # type: ignore[attr-defined]
    assert last.detail == (  # type: ignore[attr-defined]
        f"{other} at 2026-06-01T09:00:00Z (seq 3): the request is {before.status} now, held by {before.department}"
    )
    assert before.status == last.status


def test_what_only_adds_to_a_request_refuses_nobody() -> None:
    case = live(request(R), update(R, "note"), reply(R), update(R, "accept", department="zabita"), request(R, text="x"))
    last = lifecycle(live(update(R, "accept", expected_seq=SEEN), case=case))[-1]
    assert (last.seq, last.status, last.action) == (7, "accepted", "accept")
    assert lifecycle(live(update(R, "start", expected_seq=7), case=live(update(R, "accept"), case=case)))


def test_who_never_held_it_is_not_told_what_happened_to_it() -> None:
    case = live(request(R), update(R, "accept"), update(R, "cancel", department="zabita", expected_seq=SEEN))
    last = lifecycle(case)[-1]
    assert (last.reason, last.detail) == ("not_the_holder", "the request is held by fen-isleri")  # type: ignore[attr-defined]


def test_a_part_and_its_request_move_on_by_themselves() -> None:
    case = live(request(R), update(R, "split"), update(f"{R}.2", "accept"))
    done = lifecycle(live(update(f"{R}.1", "accept", department="zabita", expected_seq=SEEN), case=case))[-1]
    assert (done.request_id, done.status) == (f"{R}.1", "accepted")


@pytest.mark.parametrize("action", [action for action in Action if SHAPES[action].needs])
def test_what_an_action_needs_is_named_with_what_would_be_right(action: Action) -> None:
    for names in SHAPES[action].needs:
        blank = {name: () if name == "parts" else None for name in names}
        last = lifecycle(live(request(R), update(R, action, **blank)))[-1]
        assert last.reason == "incomplete"  # type: ignore[attr-defined]
        assert last.detail.startswith(f"{' or '.join(names)}: {action} needs ")  # type: ignore[attr-defined]
