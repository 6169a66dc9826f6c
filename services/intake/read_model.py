"""
What the HTTP side must know of a request and of an update, folded from lifecycle events. Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.common.contracts.events import Lifecycle, UpdateRefused
from services.common.contracts.vocabulary import CLOSED, Status


@dataclass(frozen=True, slots=True)
class CaseState:
    """
    A request as of its ``seq``. ``at``: when that event occurred; ``closed_seq``: the event that closed it last. Either
    may not have been kept.
    """

    seq: int
    status: Status
    department: str | None
    service_code: str | None
    at: datetime | None = None
    closed_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What became of an update. ``by``: who of the staff asked for it, if anybody did.
    """

    request_id: str
    result: Literal["applied", "refused"]
    seq: int
    reason: str | None = None
    detail: str | None = None
    by: str | None = None


UpdateKey = tuple[str, str]
"""request_id, update_id: a department's own system counts its updates as it likes."""


def fold(events: Iterable[Lifecycle]) -> tuple[dict[str, CaseState], dict[UpdateKey, Outcome]]:
    """
    The newest state of each request and the outcome of each update, whatever the order and however often repeated.
    """
    cases: dict[str, CaseState] = {}
    outcomes: dict[UpdateKey, Outcome] = {}
    for event in events:
        known = cases.get(event.request_id)
        if event.status is not None and (known is None or event.seq > known.seq):
            closed_seq = known.closed_seq if known else None
            if event.status in CLOSED and event.previous_status not in CLOSED:
                closed_seq = event.seq
            cases[event.request_id] = CaseState(
                event.seq, event.status, event.department, event.service_code, event.occurred_at, closed_seq
            )
        if event.update_id is None:
            continue
        if isinstance(event, UpdateRefused):
            refused = Outcome(event.request_id, "refused", event.seq, event.reason, event.detail, event.by)
            outcomes.setdefault((event.request_id, event.update_id), refused)
        else:
            applied = Outcome(event.request_id, "applied", event.seq, by=event.by)
            outcomes[event.request_id, event.update_id] = applied
    return cases, outcomes
