"""
A ledger that was lost, or brought back as it once was, and what its topic says.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from services.common.contracts.envelope import Received, decode
from services.common.contracts.vocabulary import NotifyVia
from services.notify import planning, sending
from services.notify.domain import OPEN, Reason, State, Telling
from services.notify.recovered import in_doubt, with_outcomes
from services.notify.sending import Handed
from services.notify.transitions import transition_of
from tests.unit.notify.lives import NOON, REQUEST, assigned, closed, meta, registered
from tests.unit.notify.tellings import AYSE, RULES, after, row

LATER = NOON + timedelta(minutes=5)
LIFE = (registered(), assigned(), closed())


def told(telling: Telling) -> Telling:
    """
    Everything that waits is sent, one message after another.
    """
    now = LATER
    while telling.due(now):
        taken = sending.take(telling, {AYSE.id: AYSE}, "claim", now, RULES)
        telling = sending.settle(taken, "claim", Handed("provider-1"), now, RULES) if taken.in_hand("claim") else taken
        now += timedelta(minutes=1)
    return telling


def said(telling: Telling) -> list[Received]:
    """
    What stands on the topic of it.
    """
    return [decode(one.topic, one.key, one.value, one.headers) for one in telling.outbox]


def ends(telling: Telling) -> Iterable[tuple[str, int, State, str | None, NotifyVia | None]]:
    return [(one.transition, one.attempt, one.state, one.reason, one.channel) for one in telling.rows]


def test_a_lost_ledger_ends_as_it_was() -> None:
    before = told(after(*LIFE))
    assert all(one.state not in OPEN for one in before.rows)
    again = with_outcomes(Telling(REQUEST), said(before))
    assert sorted(ends(again)) == sorted(ends(before))
    assert again.outbox == ()


def test_who_was_told_is_not_told_again_when_all_events_come_again() -> None:
    again = with_outcomes(Telling(REQUEST), said(told(after(*LIFE))))
    assert after(*LIFE, telling=again) is again


def test_what_waited_when_the_ledger_was_lost_is_told() -> None:
    before = after(*LIFE)
    again = after(*LIFE, telling=with_outcomes(Telling(REQUEST), said(before)))
    assert {one.transition for one in again.rows if one.state in OPEN} == {
        one.transition for one in before.rows if one.state in OPEN
    }


def test_a_message_that_had_ended_meanwhile_ends_without_saying_so_again() -> None:
    before = after(*LIFE)
    again = with_outcomes(before, said(told(before)))
    assert [one for one in again.rows if one.state in OPEN] == []
    assert again.outbox == before.outbox


def test_what_the_ledger_knows_already_leaves_it_as_it_is() -> None:
    telling = told(after(*LIFE))
    assert with_outcomes(telling, said(telling)) is telling


@pytest.mark.parametrize(
    ("transition", "channel", "expected"),
    [
        ("received", NotifyVia.SMS, State.FAILED),
        ("received", NotifyVia.EMAIL, State.SENDING),
        ("closed", NotifyVia.SMS, State.SENDING),
    ],
)
def test_what_may_have_gone_out_since_follows_the_rules_of_an_unknown_outcome(
    transition: str, channel: NotifyVia, expected: State
) -> None:
    contact = replace(AYSE, notify_via=channel, email=AYSE.email or "ayse@example.org", phone="+905321112233")
    event = next(one for one in LIFE if transition_of(one) == transition)
    telling = planning.absorb(Telling(REQUEST), meta(event), event, contact, NOON, RULES)
    doubtful = in_doubt(telling, LATER)
    taken = sending.take(doubtful, {AYSE.id: contact}, "claim", LATER, RULES)
    found = row(taken, transition)
    assert found.state is expected
    assert found.reason == (Reason.UNKNOWN if expected is State.FAILED else None)


def test_nothing_that_has_ended_or_is_parked_is_in_doubt() -> None:
    parked = after(*LIFE, who=None)
    assert {one.state for one in parked.rows if one.state in OPEN} == {State.PARKED}
    assert in_doubt(parked, LATER) is parked
    ended = told(after(*LIFE))
    assert in_doubt(ended, LATER) is ended
