"""
What happened to a request after somebody looked at it. Pure.
"""

from collections.abc import Iterator
from typing import Final

from services.common.contracts.envelope import decode
from services.common.contracts.events import Lifecycle, RequestAssigned, RequestReopened, StatusChanged
from services.common.contracts.topics import LIFECYCLE
from services.routing.case import Case

_MOVED_ON: Final = (RequestAssigned, RequestReopened, StatusChanged)
"""What changes the state, the department, who does it or the plan. All else only adds something."""


def moved_since(case: Case, request_id: str, seq: int) -> Lifecycle | None:
    """
    The last event after ``seq`` by which a request or part moved on; None if it is where it was then.
    """
    for event in _backwards(case, request_id):
        if event.seq <= seq:
            return None
        if isinstance(event, _MOVED_ON):
            return event
    return None


def held_by_at(case: Case, request_id: str, seq: int) -> str | None:
    """
    Who held a request or part when ``seq`` was its last event.
    """
    return next((event.department for event in _backwards(case, request_id) if event.seq <= seq), None)


def in_words(event: Lifecycle) -> str:
    """
    What it was, when, and where the request is since then: for the staff, without anything a person said.
    """
    what = event.action or type(event).__name__
    when = event.occurred_at.isoformat().replace("+00:00", "Z")
    return f"{what} at {when} (seq {event.seq}): the request is {event.status} now, held by {event.department}"


def _backwards(case: Case, request_id: str) -> Iterator[Lifecycle]:
    for entry in reversed(case.events):
        record = entry.records[0]
        if record.topic != LIFECYCLE.name:
            continue
        event = decode(record.topic, record.key, record.value, record.headers).data
        if isinstance(event, Lifecycle) and event.request_id == request_id:
            yield event
