"""
The call-back list: one item a person, whatever is told twice or late.
"""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.events import CallAnswered, CallMissed
from services.notify import callbacks
from services.notify.callbacks import FORGET_AFTER, MOST_TRIES, Callback, CallbackState, Missed, NotOpen, Told
from services.notify.domain import Contact, Reason, Row, State, Telling
from services.notify.transitions import Facts
from tests.builders import NOON

PERSON = "7" * 32
ITEM = Callback(callbacks.callback_id(PERSON))
BY = "u_" + "a" * 16


def missed(number: int, minutes: float = 0) -> CallMissed:
    return CallMissed(
        call_id="l_" + f"{number:032x}",
        occurred_at=NOON + timedelta(minutes=minutes),
        exchange="main",
        person=PERSON,
        contact_id="c_" + f"{number:032x}",
        cause="cancel",
        seconds=20,
    )


def answered(minutes: float) -> CallAnswered:
    at = NOON + timedelta(minutes=minutes)
    return CallAnswered(call_id="l_" + "f" * 32, occurred_at=at, exchange="main", person=PERSON)


def told(request_id: str = "1" * 13, transition: str = "closed") -> Told:
    return Told(request_id, transition, NOON, "c_" + "9" * 32)


def after(*calls: CallMissed | CallAnswered, item: Callback = ITEM) -> Callback:
    for call in calls:
        item = callbacks.with_call(item, call)
    return item


def test_several_missed_calls_of_one_person_are_one_item_with_a_count() -> None:
    item = after(missed(1), missed(2, 5), missed(1))
    assert item.state is CallbackState.OPEN
    assert len(item.open_missed) == 2
    assert item.since == NOON
    assert item.contacts == (missed(2).contact_id, missed(1).contact_id)


@given(
    st.lists(
        st.one_of(st.builds(missed, st.integers(1, 4)), st.builds(answered, st.integers(-5, 5))), min_size=1
    ).flatmap(lambda rows: st.tuples(st.just(rows), st.permutations([*rows, *rows])))
)
def test_the_order_and_repetition_of_calls_do_not_matter(
    rows: tuple[list[CallMissed | CallAnswered], list[CallMissed | CallAnswered]],
) -> None:
    assert after(*rows[1]) == after(*rows[0])


def test_who_was_spoken_with_after_the_missed_call_is_not_called_back() -> None:
    assert after(missed(1), answered(5)).state is CallbackState.DONE
    assert after(answered(5), missed(1)).state is CallbackState.DONE
    assert after(answered(-5), missed(1)).state is CallbackState.OPEN


def test_what_is_to_be_told_stays_although_the_person_called() -> None:
    item = callbacks.with_told(after(missed(1), answered(5)), told())
    assert item.state is CallbackState.OPEN
    assert (item.open_missed, item.open_told) == ((), (told(),))


def test_a_person_whom_nobody_missed_is_on_no_list() -> None:
    assert after(answered(0)).state is None


def test_done_closes_all_of_it_and_a_replay_does_not_open_it_again() -> None:
    item = callbacks.tried(callbacks.with_told(after(missed(1)), told()), BY, "done", "görüşüldü", NOON)
    assert item.state is CallbackState.DONE
    assert callbacks.with_told(after(missed(1), item=item), told()) is item
    assert after(missed(2, -1), item=item).state is CallbackState.OPEN  # it was not on the list when that was done


def test_three_times_in_vain_closes_it_until_there_is_something_new() -> None:
    item = after(missed(1))
    for number in range(1, MOST_TRIES):
        item = callbacks.tried(item, BY, "failed", None, NOON)
        assert (item.state, item.open_tries) == (CallbackState.OPEN, number)
    item = callbacks.tried(item, BY, "failed", None, NOON)
    assert (item.state, item.open_tries) == (CallbackState.FAILED, 0)
    with pytest.raises(NotOpen):
        callbacks.tried(item, BY, "done", None, NOON)
    again = after(missed(2, 60), item=item)
    assert (again.state, again.open_tries, len(again.tries)) == (CallbackState.OPEN, 0, 3)


def test_what_is_settled_is_forgotten_when_no_topic_can_bring_it_again() -> None:
    item = callbacks.tried(after(missed(1)), BY, "done", None, NOON)
    assert callbacks.trimmed(item, NOON + FORGET_AFTER - timedelta(seconds=1)) == item
    assert callbacks.trimmed(item, NOON + FORGET_AFTER).missed == ()
    still_open = after(missed(1))
    assert callbacks.trimmed(still_open, NOON + 2 * FORGET_AFTER) == still_open


# --- from what could not be written ---

ROW = Row(
    transition="closed",
    recipient="c_" + "9" * 32,
    seq=5,
    cause="0" * 32,
    correlation_id="1" * 13,
    facts=Facts(status=None),
    state=State.SUPPRESSED,
    at=NOON,
    reason=Reason.PHONE_ONLY,
)
CONTACT = Contact(ROW.recipient, NOON, phone="+903624310000", phone_hash=PERSON)


def test_what_is_for_the_telephone_alone_is_listed_under_the_person_who_calls() -> None:
    assert callbacks.by_phone(Telling("1" * 13, (ROW,)), [CONTACT], NOON) == {PERSON: [told()]}


@pytest.mark.parametrize(
    "row",
    [
        replace(ROW, transition="received"),
        replace(ROW, transition="assigned"),
        replace(ROW, reason=Reason.NOT_WANTED),
        replace(ROW, state=State.SENT, reason=None),
    ],
)
def test_what_was_said_in_the_call_or_is_not_wanted_is_worth_no_call(row: Row) -> None:
    assert callbacks.by_phone(Telling("1" * 13, (row,)), [CONTACT], NOON) == {}


def test_without_a_hash_the_contact_is_the_person() -> None:
    found = callbacks.by_phone(Telling("1" * 13, (ROW,)), [replace(CONTACT, phone_hash=None)], NOON)
    assert list(found) == [CONTACT.id]


def test_an_item_with_only_a_missed_call_has_its_contact() -> None:
    item = callbacks.with_missed(ITEM, Missed("l_" + "0" * 32, NOON))
    assert item.contacts == ()
