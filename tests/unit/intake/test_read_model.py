"""
The fold of lifecycle events.
"""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.contracts.events import Lifecycle, RequestAssigned, StatusChanged, UpdateRefused
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


@settings(deadline=None)
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
