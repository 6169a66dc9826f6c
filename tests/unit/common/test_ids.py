"""
Request numbers: speakable, checkable, repeatable.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.contracts import ids
from services.common.contracts.ids import (
    ALPHABET,
    IllFormedId,
    derived_id,
    grouped,
    keyed_request_id,
    parse_request_id,
    random_request_id,
)

KEYS = st.text(min_size=1, max_size=30)


def test_the_check_character_is_crockfords_modulo_37() -> None:
    number = keyed_request_id(b"s", "a")
    value = int("".join(f"{ALPHABET.index(c):05b}" for c in number[:12]), 2)
    assert "0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U"[value % 37] == number[12]


@settings(max_examples=2_000)
@given(KEYS, KEYS)
def test_the_same_key_gives_the_same_number_and_another_adapter_another(adapter: str, key: str) -> None:
    one = keyed_request_id(b"secret", adapter, "web", key)
    assert one == keyed_request_id(b"secret", adapter, "web", key)
    assert one != keyed_request_id(b"secret", adapter + "x", "web", key)
    assert one != keyed_request_id(b"other", adapter, "web", key)
    assert len(one) == 13
    assert set(one) <= set(ALPHABET)


@settings(max_examples=1_000)
@given(KEYS)
def test_a_number_survives_being_typed_by_people(key: str) -> None:
    number = keyed_request_id(b"secret", key)
    assert parse_request_id(grouped(number).lower()) == number
    assert parse_request_id(number.replace("0", "O").replace("1", "l")) == number


@settings(max_examples=2_000)
@given(KEYS, st.integers(0, 12), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_always_found(key: str, place: int, wrong: str) -> None:
    number = keyed_request_id(b"secret", key)
    if number[place] != wrong:
        with pytest.raises(IllFormedId):
            parse_request_id(number[:place] + wrong + number[place + 1 :])


@settings(max_examples=1_000)
@given(KEYS, st.integers(0, 11))
def test_two_neighbours_in_the_wrong_order_are_always_found(key: str, place: int) -> None:
    number = keyed_request_id(b"secret", key)
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    if swapped != number:
        with pytest.raises(IllFormedId):
            parse_request_id(swapped)


@pytest.mark.parametrize("text", ["", "123", "U" * 13, "*" * 13, "0" * 14, "0" * 10_000, "ÇÇÇÇÇÇÇÇÇÇÇÇÇ"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(IllFormedId):
        parse_request_id(text)


def test_random_numbers_are_well_formed_and_differ() -> None:
    numbers = {random_request_id() for _ in range(1_000)}
    assert len(numbers) == 1_000
    assert all(parse_request_id(number) == number for number in numbers)


def test_derived_ids_do_not_mix_their_parts() -> None:
    assert derived_id("ab", "c") != derived_id("a", "bc")


@pytest.mark.parametrize("typed", ["7XK2-9MQ4-T3BD-M.2", " 7xk29mq4t3bdm.2 "])
def test_the_number_of_a_part_is_read_as_people_type_it(typed: str) -> None:
    assert ids.parse_any_id(typed) == "7XK29MQ4T3BDM.2"
    assert ids.family_of("7XK29MQ4T3BDM.2") == ids.family_of("7XK29MQ4T3BDM") == "7XK29MQ4T3BDM"
    assert ids.grouped("7XK29MQ4T3BDM.2") == "7XK2-9MQ4-T3BD-M.2"


@pytest.mark.parametrize("part", ["0", "01", "100", "", "x", "-1", "1.1", "²", "9" * 5_000])
def test_what_stands_behind_the_dot_is_one_to_ninety_nine(part: str) -> None:
    with pytest.raises(ids.IllFormedId):
        ids.parse_any_id(f"7XK29MQ4T3BDM.{part}")
