"""
What a request's document says, and that only the set of events decides it.
"""

import random
from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.contracts import events
from services.common.contracts.envelope import Received
from services.common.contracts.vocabulary import Channel, Status
from services.reporting.projections import Document, fold, local_day, local_hour, safe_key
from tests.unit.reporting.lives import Life, random_life


def document_of(*received: Received) -> Document:
    document = fold(None, *received)
    assert document is not None
    return document


@given(seed=st.integers(0, 2**32), order=st.randoms(use_true_random=False))
@settings(max_examples=2_000, deadline=None)
def test_any_order_any_repetition_and_any_batches_give_the_same_document(seed: int, order: random.Random) -> None:
    life = random_life(random.Random(seed), 1)
    expected = document_of(*life.events)

    shuffled = life.events + order.sample(life.events, order.randrange(len(life.events) + 1))
    order.shuffle(shuffled)
    document: Document | None = None
    while shuffled:
        size = order.randrange(1, len(shuffled) + 1)
        document, shuffled = fold(document, *shuffled[:size]), shuffled[size:]

    assert document == expected


@given(seed=st.integers(0, 2**32), order=st.randoms(use_true_random=False))
@settings(max_examples=500, deadline=None)
def test_folding_changes_nothing_that_it_was_given(seed: int, order: random.Random) -> None:
    life = random_life(random.Random(seed), 1)
    cut = order.randrange(len(life.events))
    before = fold(None, *life.events[:cut])
    kept = deepcopy(before)

    fold(before, *life.events[cut:])

    assert before == kept


def test_the_state_is_that_of_the_highest_seq() -> None:
    life = Life().receive().register().assign().move(events.StatusChanged, Status.ACCEPTED)

    assert document_of(*reversed(life.events))["status"] == "accepted"


def test_the_body_that_registration_names_counts_and_no_other() -> None:
    life = Life().receive("ilk", Channel.WEB).receive("ikinci", Channel.PHONE)
    life.register(cause=life.events[1].meta.id)

    document = document_of(*life.events)

    assert document["channel"] == "phone"
    assert document["bodies"][document["origin"]]["text"] == "ikinci"


def test_a_retried_body_counts_with_its_earliest_time() -> None:
    life = Life().receive()
    first = life.events[0]
    assert isinstance(first.data, events.RequestReceived)
    later = first.data.model_copy(update={"received_at": first.data.received_at + timedelta(seconds=7)})
    retry = Received(first.topic, first.meta, later)
    life.register()

    assert document_of(retry, *life.events) == document_of(*life.events, retry) == document_of(*life.events)


def test_only_a_registered_request_counts() -> None:
    assert not document_of(*Life().receive().events)["registered"]
    assert document_of(*Life().receive().register().events)["registered"]


def test_until_its_body_is_here_the_registration_tells_when_a_request_came() -> None:
    life = Life().receive().register()

    assert document_of(life.events[1])["received_at"] == life.now
    assert document_of(*life.events)["received_at"] == life.now - timedelta(minutes=1)


def test_a_refusal_for_an_unknown_request_makes_no_document() -> None:
    refusal = events.UpdateRefused(
        request_id=Life().request_id, seq=0, occurred_at=Life().now, reason="unknown_request", detail="no case"
    )
    life = Life()
    life.receive()

    assert fold(None, Received("requests.lifecycle", life.events[0].meta, refusal)) is None


def test_a_refused_update_is_no_response_of_the_department() -> None:
    life = Life().receive().register().assign()
    life.move(events.UpdateRefused, Status.ASSIGNED, reason="forbidden_move", detail="hayır")

    document = document_of(*life.events)

    assert document["first_response_at"] is None
    assert len(document["history"]) == 3


@pytest.mark.parametrize(("hours", "on_time"), [(47, True), (49, False)])
def test_a_request_is_on_time_when_closed_by_its_due_time(hours: int, on_time: bool) -> None:
    life = Life().receive().register().assign().close(timedelta(hours=hours))

    document = document_of(*life.events)

    assert document["on_time"] is on_time
    assert document["closed_at"] == life.now
    assert document["outcome"] == "resolved"
    assert document["public_text"] == "yapıldı"
    assert document["hours_to_close"] == round(hours + 2 / 60, 4)


def test_what_follows_a_closing_does_not_move_its_time() -> None:
    life = Life().receive().register().assign().close()
    closed_at = life.now
    life.move(events.UpdateRefused, Status.RESOLVED, reason="forbidden_move", detail="hayır", public_text=None)

    document = document_of(*life.events)

    assert document["closed_at"] == closed_at
    assert document["public_text"] == "yapıldı"


def test_a_reopened_request_is_open_again_and_its_reopening_is_remembered() -> None:
    life = Life().receive().register().assign().close().move(events.StatusChanged, Status.REOPENED)

    document = document_of(*life.events)

    assert (document["closed"], document["closed_at"], document["outcome"]) == (False, None, None)
    assert document["reopened"] == 1
    assert document["public_text"] is None


def test_a_transfer_counts_as_bounced_and_leaving_triage_does_not() -> None:
    assert document_of(*Life().receive().register().assign().assign("zabita").events)["bounced"] == 1
    triage = Life(service="siniflandirilamadi").receive().register().assign().assign("zabita")
    assert document_of(*triage.events)["bounced"] == 0


def test_a_late_failure_adds_to_an_attempt_and_does_not_reopen_it() -> None:
    life = Life().receive().register().tell("received", events.NotificationSent, channel="email")
    life.tell("received", events.NotificationFailed, late=True, reason="bounced")

    document = document_of(*life.events)

    assert document["told_received"] == "sent"
    assert sorted(entry["late"] for entry in document["told"].values()) == [False, True]


def test_the_last_attempt_says_what_became_of_a_message() -> None:
    life = Life().receive().register().tell("received", events.NotificationFailed)
    life.tell("received", events.NotificationSent, attempt=2)

    assert document_of(*life.events)["told_received"] == "sent"


@pytest.mark.parametrize(
    ("moment", "day", "hour"),
    [
        (datetime(2026, 11, 24, 20, 59, 59, tzinfo=UTC), "2026-11-24", "2026-11-24T23"),
        (datetime(2026, 11, 24, 21, 0, tzinfo=UTC), "2026-11-25", "2026-11-25T00"),
        (datetime(2015, 12, 31, 21, 59, tzinfo=UTC), "2015-12-31", "2015-12-31T23"),
        (datetime(2026, 7, 1, 21, 0, tzinfo=UTC), "2026-07-02", "2026-07-02T00"),
    ],
)
def test_a_day_begins_at_midnight_in_istanbul(moment: datetime, day: str, hour: str) -> None:
    assert local_day(moment) == day
    assert local_hour(moment) == hour


@pytest.mark.parametrize("text", ["a.b", "$where", "a\0b", "", "ş", "x" * 65])
def test_a_key_that_mongodb_would_not_take_is_replaced(text: str) -> None:
    assert safe_key(text) != text
    assert safe_key(safe_key(text)) == safe_key(text)
