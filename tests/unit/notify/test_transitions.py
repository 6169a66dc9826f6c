"""
What is told: the table in the docstring of ``transition_of`` is what the code does.
"""

import re
from typing import Any

import pytest

from services.common.contracts.events import (
    DuplicateReceived,
    FollowerAdded,
    Lifecycle,
    ReplyReceived,
    UpdateRefused,
)
from services.common.contracts.topics import LIFECYCLE_TYPES
from services.common.contracts.vocabulary import CLOSED, Clock, Outcome, RefusalReason, Status
from services.notify.transitions import facts_of, transition_of
from tests.unit.notify.lives import (
    EVENTS,
    NOON,
    REQUEST,
    asked,
    assigned,
    bounced,
    changed,
    closed,
    escalated,
    extended,
    followed,
    noted,
    registered,
    reminded,
    reopened,
    scheduled,
    waiting,
)

PART: dict[str, Any] = {"request_id": f"{REQUEST}.2", "parent_id": REQUEST}
QUIET: dict[str, Any] = {"request_id": REQUEST, "seq": 3, "status": Status.ACCEPTED, "occurred_at": NOON}
SAID = {"public_text": "Ekibimiz bugün bakacak."}
TABLE: dict[str, list[tuple[Lifecycle, str | None]]] = {
    "RequestRegistered": [(registered(), "received")],
    "RequestAssigned": [
        (assigned(), "assigned"),
        (assigned(3), "assigned.3"),
        (bounced(1, previous_status=Status.RECEIVED), "assigned"),
    ],
    "RequestAssigned back to triage": [(bounced(2), "assigned.2")],
    "StatusChanged to accepted or in_progress, with a text": [
        (changed(Status.ACCEPTED, 4, **SAID), "accepted.4"),
        (changed(Status.IN_PROGRESS, 5, **SAID), "in_progress.5"),
    ],
    "StatusChanged to accepted or in_progress, without": [
        (changed(Status.ACCEPTED, 4), None),
        (changed(Status.IN_PROGRESS, 5, public_text="  "), None),
    ],
    "StatusChanged to scheduled": [(scheduled(), "scheduled.6")],
    "StatusChanged to waiting_citizen": [(asked(), "asked.7")],
    "CitizenReminded": [(reminded(), "reminded.8")],
    "StatusChanged to waiting_external": [(waiting(), "waiting.9")],
    "LegalExtended": [(extended(), "extended.16")],
    "StatusChanged to a closed state": [
        *((closed(status=status, outcome=None), "closed") for status in CLOSED),
        (closed(2), "closed.2"),
    ],
    "RequestReopened": [(reopened(), "reopened.11")],
    "MasterProgressed: scheduled, closed or reopened": [
        (followed(status), "followed.21") for status in (*CLOSED, Status.SCHEDULED, Status.REOPENED)
    ],
    "MasterProgressed: anything else": [
        (followed(status), None) for status in Status if status not in {*CLOSED, Status.SCHEDULED, Status.REOPENED}
    ],
    "RequestEscalated": [(escalated(), "escalated.15")],
    "of a sub-request: asked, reminded, escalated": [
        (asked(**PART), "asked.7"),
        (reminded(**PART), "reminded.8"),
        (escalated(**PART), "escalated.15"),
    ],
    "of a sub-request: anything else": [
        (event.model_copy(update=PART), None)
        for event in EVENTS
        if (transition_of(event) or "").partition(".")[0] not in ("asked", "reminded", "escalated")
    ],
    "NoteAdded, ReplyReceived, FollowerAdded, DuplicateReceived, UpdateRefused": [
        (noted(), None),
        (ReplyReceived(**QUIET), None),
        (FollowerAdded(**QUIET, follower="VYFVCRVKNFYPS"), None),
        (DuplicateReceived(**QUIET, duplicate_event_id="x"), None),
        (UpdateRefused(**QUIET, reason=RefusalReason.UNKNOWN_REQUEST, detail="unknown"), None),
    ],
}


@pytest.mark.parametrize(
    ("event", "transition"), [pair for row in TABLE.values() for pair in row], ids=lambda value: type(value).__name__
)
def test_these_events_are_told_and_no_others(event: Lifecycle, transition: str | None) -> None:
    assert transition_of(event) == transition


def test_the_table_in_the_docstring_says_what_the_code_does() -> None:
    rows = re.findall(r"^    \| (.+?) \| (.+?) \| .+ \|$", transition_of.__doc__ or "", re.MULTILINE)
    written = {event: kinds for event, kinds in rows if event != "event"}
    assert written.keys() == TABLE.keys()
    for event, kinds in written.items():
        told = {str(transition).partition(".")[0] for _, transition in TABLE[event] if transition is not None}
        assert kinds == "as above" or told == set(kinds.split(", ")) - {"–"}, event


def test_the_table_knows_every_event_of_a_requests_life() -> None:
    assert {type(event) for row in TABLE.values() for event, _ in row} == set(LIFECYCLE_TYPES)


def test_a_closed_request_that_changes_to_another_closed_state_is_not_told_twice() -> None:
    assert transition_of(closed(previous_status=Status.RESOLVED)) is None


def test_a_duplicates_citizen_hears_the_masters_state() -> None:
    assert facts_of(followed(Status.REJECTED)).status is Status.REJECTED


@pytest.mark.parametrize("clock", Clock)
def test_staff_are_told_the_deadline_of_the_clock_and_else_when_the_step_was_due(clock: Clock) -> None:
    whole = extended()
    full = escalated(clock=clock, planned_for=NOON, legal=whole.legal)
    assert full.due is not None
    assert whole.legal is not None
    deadlines = {
        Clock.ACCEPTANCE: full.due.accept_by,
        Clock.PLAN: NOON,
        Clock.RESOLUTION: full.due.resolve_by,
        Clock.LEGAL: whole.legal.due_at,
    }
    assert facts_of(full).day == deadlines[clock]
    bare = escalated(clock=clock, due=None)
    assert facts_of(bare).day == bare.due_at


def test_another_body_comes_with_its_day_and_number() -> None:
    referral = {"body": "SASKİ", "on": "2026-06-01", "reference": "2026/4411"}
    facts = facts_of(closed(status=Status.REFERRED, outcome=Outcome.REFERRED, referred_to=referral))
    assert (facts.body, str(facts.written_on), facts.reference) == ("SASKİ", "2026-06-01", "2026/4411")
