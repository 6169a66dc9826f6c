"""
The fault suite's checks of order find what is out of order, and nothing else.
"""

from datetime import UTC, datetime
from typing import Any

from deploy.observe import Seen
from services.common.contracts.envelope import Received
from services.common.contracts.events import Lifecycle, UpdateSubmitted
from services.common.contracts.topics import LIFECYCLE, UPDATES
from services.common.contracts.vocabulary import Action, Status
from tests.faults.order import one_effect_each, reordered, stale, updates_in_order
from tests.unit.notify import lives

R = lives.REQUEST
TWO = [lives.registered(), lives.assigned()]
CHANGES = [lives.changed(Status.ACCEPTED, 3), lives.closed(seq=4)]


def on(topic: str, *events: Lifecycle | UpdateSubmitted) -> list[Seen]:
    return [Seen(topic, b"", Received(topic, lives.meta(event), event)) for event in events]


def update(update_id: str) -> UpdateSubmitted:
    data: dict[str, Any] = {"request_id": R, "update_id": update_id, "department": "zabita", "action": Action.ACCEPT}
    return UpdateSubmitted(**data, submitted_at=datetime(2026, 11, 28, tzinfo=UTC))


def test_rising_seq_is_in_order_also_where_events_stand_twice() -> None:
    assert reordered(on(LIFECYCLE.name, *TWO, *TWO, *CHANGES)).ok


def test_each_topic_has_an_order_of_its_own() -> None:
    assert reordered([*on(LIFECYCLE.name, *TWO, *CHANGES), *on("requests.dept.zabita", *TWO)]).ok


def test_falling_seq_is_found() -> None:
    assert reordered(on(LIFECYCLE.name, *TWO, *reversed(CHANGES))).wrong == (R,)


def test_updates_stand_as_they_were_accepted_or_are_found() -> None:
    first, second = update("u1"), update("u2")
    assert updates_in_order(on(UPDATES.name, first, second, first), {R: ["u1", "u2"]}).ok
    assert updates_in_order(on(UPDATES.name, second, first), {R: ["u1", "u2"]}).wrong == (R,)
    assert updates_in_order(on(UPDATES.name, first), {R: ["u1", "u2"]}).wrong == (R,)


def test_an_update_without_or_with_two_effects_is_found() -> None:
    accepted = {R: ["u1", "u2"]}
    assert one_effect_each(on(LIFECYCLE.name, *TWO, *CHANGES, *CHANGES), accepted).ok
    assert one_effect_each(on(LIFECYCLE.name, *TWO, CHANGES[0]), accepted).wrong == (R,)
    assert one_effect_each(on(LIFECYCLE.name, *TWO, *CHANGES, lives.changed(Status.ACCEPTED, 5)), accepted).wrong == (
        R,
    )


def test_an_update_that_was_given_up_may_have_its_effect_and_no_other() -> None:
    accepted = {R: ["u1"]}
    assert one_effect_each(on(LIFECYCLE.name, *TWO, *CHANGES), accepted).wrong == (R,)
    assert one_effect_each(on(LIFECYCLE.name, *TWO, CHANGES[0]), accepted, {R}).ok
    assert one_effect_each(on(LIFECYCLE.name, *TWO, *CHANGES), accepted, {R}).ok
    assert one_effect_each(on(LIFECYCLE.name, *TWO), accepted, {R}).wrong == (R,)


def test_a_read_that_goes_back_is_found_once() -> None:
    assert stale([("a", 1), ("b", 2), ("a", 1), ("a", 3), ("b", 2)]).ok
    assert stale([("a", 3), ("b", 2), ("a", 1), ("a", 2), ("a", 4)]).wrong == ("a",)
