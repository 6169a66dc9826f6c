"""
Dead letters read from their topic and marked: everything but the sending.
"""

import pytest

from services.common.contracts.topics import RECEIVED
from services.common.kit import letters
from tests.letters import GOOD, dead, letter, on_topic


def test_a_letter_knows_its_origin_and_reason_and_gives_the_original_back() -> None:
    one = letter()
    assert (one.origin, one.origin_topic, one.reason) == (f"{RECEIVED.name}/3/70", RECEIVED.name, "ValueError")
    back = one.original(letters.REPLAYED)
    assert (back.topic, back.key, back.value) == (GOOD.topic, GOOD.key, GOOD.value)
    assert back.headers == (*GOOD.headers, ("dlq-replayed-from", b"routing.dlq/0"))


@pytest.mark.parametrize("topic", ["nobody.knows", "routing.dlq", "__consumer_offsets", "", "a/b"])
def test_a_letter_from_elsewhere_is_sent_nowhere(topic: str) -> None:
    with pytest.raises(letters.LettersError, match="none of our topics"):
        letter(topic=topic).original(letters.REPLAYED)


def test_a_noted_letter_says_that_it_was_sent_back_and_the_note_is_no_letter() -> None:
    first, second = letters.letters_of([dead(0), dead(1)])
    noted = letters.letters_of([dead(0), dead(1), on_topic(2, letters.note(first, "replayed"))])
    assert [one.offset for one in noted] == [0, 1]
    assert noted[0].sent_back.startswith("replayed 20")
    assert (noted[1].sent_back, second.sent_back) == ("", "")


def test_a_stranger_cannot_pass_for_a_note() -> None:
    junk = dead(0, key=b"dlq-note", headers=(("dlq-offset", b"5"),))
    assert [one.offset for one in letters.letters_of([junk])] == [0]


def test_letters_are_chosen_by_reason_and_range() -> None:
    one = letter(offset=5, why="header ce_id is missing")
    assert one.matches("CE_ID", 0, None)
    assert one.matches("valueerror", 5, 5)
    assert not one.matches("tombstone", 0, None)
    assert not one.matches(None, 6, None)
    assert not one.matches(None, 0, 4)
