"""
Which actions a page offers, and what a form becomes: what intake takes.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.actions import BY_THE_DESK, SHAPES
from services.common.contracts.roles import DESK
from services.common.contracts.vocabulary import CLOSED, Action, Status
from services.intake.schemas import NewUpdate
from services.reporting.inbox.acting import ORDER, FormRefused, body_of, offered
from services.reporting.projections import Document

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
NUMBER = "7XK29MQ4T3BDM"


def document(status: Status, department: str = "zabita", **more: object) -> Document:
    return {"status": status.value, "department": department, "parent_id": None, "parts": 0, "legal": None, **more}


def form(**fields: str | Sequence[str]) -> dict[str, Sequence[str]]:
    return {name: [value] if isinstance(value, str) else value for name, value in fields.items()}


@pytest.mark.parametrize("status", Status)
def test_only_the_holder_and_the_desk_are_offered_anything(status: Status) -> None:
    assert offered(document(status), {"fen-isleri"}, NOW) == ()
    assert offered(document(status), frozenset(), NOW) == ()
    assert set(offered(document(status), {DESK}, NOW)) <= BY_THE_DESK
    assert Action.NOTE in offered(document(status), {"zabita"}, NOW)


@pytest.mark.parametrize("status", sorted(CLOSED))
def test_what_is_closed_can_be_opened_again_and_noted_on(status: Status) -> None:
    assert offered(document(status), {"zabita"}, NOW) == (Action.REOPEN, Action.NOTE)


@pytest.mark.parametrize(
    ("status", "accept", "start"),
    [
        (Status.ASSIGNED, True, True),
        (Status.REOPENED, True, True),
        (Status.TRIAGE, True, True),
        (Status.ACCEPTED, False, True),
        (Status.IN_PROGRESS, False, False),
        (Status.SCHEDULED, False, True),
        (Status.WAITING_CITIZEN, False, True),
        (Status.WAITING_EXTERNAL, False, True),
    ],
)
def test_accepting_and_starting_are_for_what_is_not_taken_up_yet(status: Status, accept: bool, start: bool) -> None:
    found = offered(document(status), {"zabita"}, NOW)

    assert (Action.ACCEPT in found, Action.START in found) == (accept, start)
    assert {Action.RESOLVE, Action.TRANSFER, Action.ASK, Action.SCHEDULE, Action.REFER} <= set(found)
    assert Action.REOPEN not in found


def test_a_part_is_neither_split_nor_a_duplicate() -> None:
    found = offered(document(Status.ACCEPTED, parent_id=NUMBER), {"zabita"}, NOW)

    assert not {Action.SPLIT, Action.DUPLICATE} & set(found)
    assert Action.RESOLVE in found


def test_a_request_with_open_parts_follows_them() -> None:
    found = set(offered(document(Status.IN_PROGRESS, parts=2), {"zabita"}, NOW))

    assert found == {Action.CANCEL, Action.SPLIT, Action.TRANSFER, Action.NOTE}


def test_the_desk_does_not_reject_what_it_is_there_to_place() -> None:
    assert Action.REJECT not in offered(document(Status.TRIAGE, DESK), {DESK}, NOW)
    assert Action.REJECT in offered(document(Status.ASSIGNED), {"zabita"}, NOW)


@pytest.mark.parametrize(
    ("legal", "offers"),
    [
        (None, False),
        ({"basis": "3071", "extended": False, "due_at": NOW + timedelta(days=1)}, False),
        ({"basis": "4982", "extended": False, "due_at": NOW + timedelta(days=1)}, True),
        ({"basis": "4982", "extended": True, "due_at": NOW + timedelta(days=1)}, False),
        ({"basis": "4982", "extended": False, "due_at": NOW - timedelta(days=1)}, False),
    ],
)
def test_only_law_4982_has_a_longer_term_and_only_once_and_in_time(legal: object, offers: bool) -> None:
    assert (Action.EXTEND in offered(document(Status.ACCEPTED, legal=legal), {"zabita"}, NOW)) is offers


def test_every_action_has_its_place_on_the_page() -> None:
    assert sorted(ORDER) == sorted(Action)


GOOD = {
    Action.ACCEPT: form(service_code="gurultu"),
    Action.START: form(photos=["a_" + "0" * 32, ""]),
    Action.REJECT: form(note_internal="Fen İşlerinin işi", to="fen-isleri"),
    Action.TRANSFER: form(to="fen-isleri", service_code="yol-cukur"),
    Action.SCHEDULE: form(planned_for="2026-11-03T09:00"),
    Action.ASK: form(question="Kaç numara?"),
    Action.WAIT: form(body="SASKİ", body_on="2026-11-02", body_reference="12/3"),
    Action.EXTEND: form(note_public="Arşiv araştırması sürüyor"),
    Action.SPLIT: form(part_to=["zabita", ""], part_service=["", "yol-cukur"], part_note=["denetle", ""]),
    Action.RESOLVE: form(outcome="resolved", note_public="Yapıldı"),
    Action.REFER: form(body="SASKİ", note_public="SASKİ'ye iletildi"),
    Action.DUPLICATE: form(master="7xk2-9mq4-t3bd-m"),
    Action.CANCEL: form(note_internal="Telefonda vazgeçti"),
    Action.REOPEN: form(note_internal="Sürüyor"),
    Action.NOTE: form(note_internal="Yarın bakılacak"),
}
BODIES = {
    Action.SCHEDULE: {"planned_for": "2026-11-03T09:00:00+03:00"},
    Action.WAIT: {"referred_to": {"body": "SASKİ", "on": "2026-11-02", "reference": "12/3"}},
    Action.SPLIT: {"parts": [{"to": "zabita", "note": "denetle"}, {"service_code": "yol-cukur"}]},
    Action.DUPLICATE: {"master": NUMBER},
    Action.START: {"photos": ["a_" + "0" * 32]},
}


@pytest.mark.parametrize("action", Action)
def test_a_filled_form_becomes_a_body_with_what_the_action_takes(action: Action) -> None:
    try:
        body = body_of(action, GOOD[action], "zabita", NOW)
    except FormRefused as refused:
        pytest.fail(f"{action}: {refused}")

    assert body.pop("action") == action
    assert body.pop("department") == "zabita"
    assert set(body) <= SHAPES[action].takes
    assert all(set(need) & set(body) for need in SHAPES[action].needs)
    assert body == BODIES.get(action, body)


@pytest.mark.parametrize("action", Action)
def test_intake_takes_what_a_form_becomes(action: Action) -> None:
    body = body_of(action, {**GOOD[action], "expected_seq": ["3"]}, "zabita", NOW)

    taken = NewUpdate.model_validate(body).model_dump(exclude_unset=True, mode="json")

    assert set(taken) == set(body)


@pytest.mark.parametrize("action", [action for action in Action if SHAPES[action].needs])
def test_an_empty_form_names_every_field_that_is_missing(action: Action) -> None:
    with pytest.raises(FormRefused) as refused:
        body_of(action, {}, "zabita", NOW)

    assert len(refused.value.wrong) == len(SHAPES[action].needs)
    assert all(wrong.words.tr and wrong.words.en for wrong in refused.value.wrong)


@pytest.mark.parametrize(
    ("action", "fields", "field"),
    [
        (Action.TRANSFER, form(to="uzay-isleri"), "to"),
        (Action.ACCEPT, form(service_code="uzay"), "service_code"),
        (Action.RESOLVE, form(outcome="no_reply", note_public="x"), "outcome"),
        (Action.SCHEDULE, form(planned_for="yarın"), "planned_for"),
        (Action.SCHEDULE, form(planned_for="2026-11-02T11:59"), "planned_for"),
        (Action.DUPLICATE, form(master="7XK2-9MQ4-T3BD-N"), "master"),
        (Action.SPLIT, form(part_to=["zabita"]), "parts"),
        (Action.SPLIT, form(part_to=["zabita"] * 11), "parts"),
        (Action.SPLIT, form(part_to=["zabita", ""], part_note=["", "kim yapsın?"]), "parts"),
        (Action.ACCEPT, form(expected_seq="-1"), "expected_seq"),
        (Action.ACCEPT, form(expected_seq="²"), "expected_seq"),
    ],
)
def test_what_cannot_be_read_is_named_once(action: Action, fields: dict[str, Sequence[str]], field: str) -> None:
    with pytest.raises(FormRefused) as refused:
        body_of(action, fields, "zabita", NOW)

    assert [wrong.field for wrong in refused.value.wrong] == [field]


def test_a_plan_is_on_the_city_s_clock() -> None:
    assert body_of(Action.SCHEDULE, form(planned_for="2026-11-02T12:01"), "zabita", NOW)["planned_for"].endswith(
        "+03:00"
    )


def test_a_form_says_what_it_was_drawn_from_but_a_note_needs_no_such_thing() -> None:
    assert body_of(Action.ACCEPT, form(expected_seq="7"), "zabita", NOW)["expected_seq"] == 7
    assert "expected_seq" not in body_of(Action.NOTE, form(expected_seq="7", note_internal="x"), "zabita", NOW)


@given(
    action=st.sampled_from(list(Action)),
    fields=st.dictionaries(
        st.sampled_from([name for shape in GOOD.values() for name in shape] + ["_csrf", "by", "adapter"]),
        st.lists(st.text(max_size=30), max_size=12),
    ),
)
def test_whatever_a_form_holds_the_body_has_nothing_that_does_not_belong_to_the_action(
    action: Action, fields: dict[str, list[str]]
) -> None:
    with suppress(FormRefused):
        body = body_of(action, fields, "zabita", NOW)
        assert set(body) <= SHAPES[action].takes | {"action", "department", "expected_seq"}
