"""
The fold of lifecycle events.
"""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.events import (
    Lifecycle,
    MasterProgressed,
    NoteAdded,
    RequestAssigned,
    RequestEscalated,
    RequestReopened,
    StatusChanged,
    UpdateRefused,
)
from services.common.contracts.vocabulary import RefusalReason, Status
from services.intake.read_model import fold

NOON = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
RIDS = ("7XK29MQ4T3BDA", "7XK29MQ4T3BDB")


def event(model: type[Lifecycle], request_id: str, seq: int, **fields: Any) -> Lifecycle:
    return model(request_id=request_id, seq=seq, occurred_at=NOON, **fields)


def life(request_id: str) -> list[Lifecycle]:
    held = {"department": "fen-isleri", "service_code": "yol-cukur"}
    refusal = {"reason": RefusalReason.FORBIDDEN_MOVE, "detail": "no"}
    return [
        event(RequestAssigned, request_id, 2, status=Status.ASSIGNED, **held),
        event(StatusChanged, request_id, 3, status=Status.ACCEPTED, update_id="u1", **held),
        event(UpdateRefused, request_id, 4, status=Status.ACCEPTED, update_id="u2", **refusal, **held),
        event(StatusChanged, request_id, 5, status=Status.RESOLVED, update_id="u3", **held),
    ]


LIVES = [one for request_id in RIDS for one in life(request_id)]


@given(st.permutations(LIVES), st.lists(st.sampled_from(LIVES), max_size=5))
def test_order_and_repeats_make_no_difference(order: list[Lifecycle], repeats: list[Lifecycle]) -> None:
    cases, outcomes = fold(order + repeats)
    assert (cases, outcomes) == fold(LIVES)
    assert {case.status for case in cases.values()} == {Status.RESOLVED}
    assert [outcomes[RIDS[0], f"u{n}"].result for n in (1, 2, 3)] == ["applied", "refused", "applied"]


def test_a_refusal_without_a_case_tells_of_the_update_alone() -> None:
    refused = event(UpdateRefused, RIDS[0], 0, update_id="u", reason=RefusalReason.UNKNOWN_REQUEST, detail="never came")
    cases, outcomes = fold([refused])
    assert cases == {}
    assert (outcomes[RIDS[0], "u"].result, outcomes[RIDS[0], "u"].reason) == ("refused", "unknown_request")


def test_a_part_is_a_case_of_its_own() -> None:
    part = f"{RIDS[0]}.1"
    cases, outcomes = fold([*life(RIDS[0])[:2], *life(part)])
    assert {request_id: case.seq for request_id, case in cases.items()} == {RIDS[0]: 3, part: 5}
    assert (outcomes[RIDS[0], "u1"].request_id, outcomes[part, "u3"].request_id) == (RIDS[0], part)


def test_every_kind_of_event_with_a_state_moves_the_case_on() -> None:
    held = {"department": "fen-isleri", "service_code": "yol-cukur"}
    escalated = {"clock": "resolution", "level": "head", "step": 2, "due_at": NOON, "overdue": True}
    events = [
        *life(RIDS[0]),
        event(RequestReopened, RIDS[0], 6, status=Status.REOPENED, update_id="u4", **held),
        event(RequestEscalated, RIDS[0], 7, status=Status.REOPENED, **escalated, **held),
        event(NoteAdded, RIDS[0], 8, status=Status.REOPENED, update_id="u5", **held),
        event(StatusChanged, RIDS[0], 9, status=Status.DUPLICATE, update_id="u6", **held),
        event(MasterProgressed, RIDS[0], 10, status=Status.DUPLICATE, master_status="resolved", master_seq=7, **held),
    ]
    for upto in range(5, 11):
        cases, _ = fold(one for one in reversed(events) if one.seq <= upto)
        assert (cases[RIDS[0]].seq, cases[RIDS[0]].department) == (upto, "fen-isleri")
    cases, outcomes = fold(events)
    assert cases[RIDS[0]].status is Status.DUPLICATE
    assert [outcomes[RIDS[0], f"u{n}"].seq for n in (4, 5, 6)] == [6, 8, 9]
