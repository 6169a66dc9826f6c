"""
What providers say afterwards: by rank, once, in any order; a late failure goes on to the next channel.
"""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.envelope import decode
from services.common.contracts.events import Notification
from services.common.contracts.vocabulary import DeliveryStatus, NotifyVia
from services.notify import ledger, sending, statuses
from services.notify.channels.base import Report
from services.notify.domain import Carried, Reason, State, Telling
from services.notify.sending import Handed, Unanswered
from services.notify.statuses import Reported
from services.notify.transitions import Facts
from tests.unit.notify.lives import CONTACT, NOON, REQUEST, assigned, registered
from tests.unit.notify.tellings import RULES, WHATSAPP, after, row

BOTH = replace(WHATSAPP, phone="+905321112233")
SMS = replace(WHATSAPP, whatsapp_id=None, phone="+905321112233")
SENT, DELIVERED, READ, FAILED = DeliveryStatus


def in_hand() -> Telling:
    """
    A message on WhatsApp that is being sent.
    """
    return sending.take(after(registered(), assigned(), who=BOTH), {CONTACT: BOTH}, "t", NOON, RULES)


def sent() -> Telling:
    """
    A message that WhatsApp took.
    """
    return sending.settle(in_hand(), "t", Handed("wamid.1"), NOON, RULES, BOTH)


def report(status: DeliveryStatus, telling: Telling, key: str | None = "", provider_id: str = "wamid.1") -> Telling:
    """
    The telling after a report; by our key unless another or none is given.
    """
    mine = ledger.key_of(REQUEST, row(telling, "received")) if key == "" else key
    reported = Reported(mine, provider_id, status, "131026" if status is FAILED else None, NOON)
    return statuses.merge(telling, reported, BOTH, NOON, RULES)


def said(telling: Telling) -> list[tuple[str, int, bool]]:
    """
    What is said of ``received``: type, attempt, late.
    """
    events = (decode(r.topic, r.key, r.value, r.headers).data for r in telling.outbox)
    return [
        (type(event).__name__.removeprefix("Notification"), event.attempt, event.late)
        for event in events
        if isinstance(event, Notification) and event.transition == "received"
    ]


@pytest.mark.parametrize("order", list(permutations([SENT, DELIVERED, READ, DELIVERED], 3)))
def test_delivered_and_read_are_said_once_in_whatever_order_they_come(order: tuple[DeliveryStatus, ...]) -> None:
    telling = sent()
    for status in order:
        telling = report(status, telling)
    kinds = [kind for kind, _, _ in said(telling)]
    assert kinds.count("Sent") == 1
    assert kinds.count("Read") == (READ in order)
    assert kinds.count("Delivered") <= (DELIVERED in order)
    assert row(telling, "received").reached == max(order, key=[SENT, DELIVERED, READ].index)


def test_a_report_is_found_by_the_providers_name_if_it_does_not_echo_our_key() -> None:
    assert row(report(READ, sent(), key=None), "received").reached is READ
    other = report(READ, sent(), key=None, provider_id="wamid.other")
    assert row(other, "received").reached is None


def test_a_status_that_comes_before_our_own_answer_settles_the_message_and_the_answer_changes_nothing() -> None:
    telling = report(DELIVERED, in_hand())
    assert row(telling, "received").state is State.SENT
    assert row(telling, "received").provider_id == "wamid.1"
    assert sending.settle(telling, "t", Handed("wamid.1"), NOON, RULES, BOTH) is telling
    assert said(telling) == [("Queued", 1, False), ("Sent", 1, False), ("Delivered", 1, False)]


def test_a_status_ends_the_wait_after_an_unknown_outcome() -> None:
    telling = sending.settle(in_hand(), "t", Unanswered(), NOON, RULES, BOTH)
    assert row(report(SENT, telling), "received").state is State.SENT
    failed = report(FAILED, telling)
    assert row(failed, "received").state is State.FAILED
    assert said(failed) == [("Queued", 1, False), ("Failed", 1, False), ("Queued", 2, False)]


def test_a_late_failure_is_said_as_late_and_the_next_channel_is_tried_once() -> None:
    telling = report(FAILED, report(FAILED, sent()))
    assert said(telling) == [
        ("Queued", 1, False), ("Sent", 1, False), ("Failed", 1, True), ("Queued", 2, False),
    ]  # fmt: skip
    (second,) = [one for one in telling.rows if one.attempt == 2]
    assert (second.state, second.channel, second.tries) == (State.WAITING, NotifyVia.SMS, 0)
    telling = sending.take(telling, {CONTACT: BOTH}, "u", NOON, RULES)
    hand = telling.in_hand("u")
    assert hand is not None
    assert ledger.key_of(REQUEST, hand) != ledger.key_of(REQUEST, row(telling, "received"))


def test_on_the_next_channel_it_carries_only_what_is_not_free_since_it_failed() -> None:
    carried = (Carried("9XK29MQ4T3BDM", "closed", Facts(None)),)
    told = ledger.put(sent(), replace(row(sent(), "received"), carries=carried))
    unknown = ledger.put(told, replace(row(told, "received"), state=State.FAILED, reason=Reason.UNKNOWN))
    for telling, carries in ((told, carried), (unknown, ())):
        (second,) = [one for one in report(FAILED, telling).rows if one.attempt == 2]
        assert second.carries == carries


def test_what_was_delivered_did_not_fail() -> None:
    telling = report(DELIVERED, sent())
    assert report(FAILED, telling) is telling


def test_a_late_failure_of_what_is_a_week_old_is_said_but_nobody_is_written_to() -> None:
    key = ledger.key_of(REQUEST, row(sent(), "received"))
    late = NOON + RULES.max_age + timedelta(seconds=1)
    telling = statuses.merge(sent(), Reported(key, "wamid.1", FAILED, None, late), BOTH, late, RULES)
    assert said(telling)[-1] == ("Failed", 1, True)


def test_a_message_that_nobody_took_into_hand_has_no_marks() -> None:
    assert statuses.marks_of(after(registered(), assigned(), who=BOTH)) == []
    assert statuses.marks_of(sent()) == sorted([ledger.key_of(REQUEST, row(sent(), "received")), "wamid.1"])


def polled() -> Telling:
    """
    An SMS whose provider has to be asked.
    """
    telling = sending.take(after(registered(), assigned(), who=SMS), {CONTACT: SMS}, "t", NOON, RULES)
    return sending.settle(telling, "t", Handed("77", ask=True), NOON, RULES, SMS)


def test_a_provider_is_asked_less_and_less_often_and_no_more_after_three_days() -> None:
    telling, times = polled(), []
    while telling.ask_at is not None:
        times.append(telling.ask_at - NOON)
        telling = statuses.asked(telling, {}, {}, telling.ask_at, RULES)
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses == sorted(pauses)
    assert max(pauses) == timedelta(hours=1)
    assert timedelta(days=2, hours=22) < times[-1] <= timedelta(days=3)
    assert said(telling) == said(polled())


def test_a_final_answer_ends_the_asking() -> None:
    telling = statuses.asked(polled(), {"77": Report(DELIVERED)}, {CONTACT: SMS}, NOON + timedelta(minutes=1), RULES)
    assert telling.ask_at is None
    assert said(telling)[-1] == ("Delivered", 1, False)


@given(st.lists(st.tuples(st.sampled_from(DeliveryStatus), st.booleans()), max_size=12))
def test_each_attempt_has_one_outcome_and_each_addition_once_whatever_is_reported(
    reports: list[tuple[DeliveryStatus, bool]],
) -> None:
    telling = in_hand()
    for status, settled in reports:
        telling = report(status, telling)
        if settled:
            telling = sending.settle(telling, "t", Handed("wamid.1"), NOON, RULES, BOTH)
    kinds = [one for one in said(telling) if one[1] == 1]
    assert len(kinds) == len(set(kinds))
    assert sum(kind in ("Sent", "Failed") and not late for kind, _, late in kinds) <= 1
