"""
Dead letters read from their topic, mended and marked: everything but the sending.
"""

import argparse
import json
from dataclasses import dataclass
from typing import Any

import pytest

from deploy import dlq
from deploy.terminal import ToolError
from services.common.contracts.envelope import Record, encode
from services.common.contracts.ids import random_request_id
from services.common.contracts.topics import RECEIVED
from services.common.kit.dead_letters import dead_letter
from services.common.kit.worker import Delivery
from tests.builders import meta_of, request

R = random_request_id()
GOOD = encode(RECEIVED, meta_of(request(R)), request(R))


@dataclass
class OnTopic:
    """
    A record as a consumer gets it.
    """

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Any
    topic: str = "routing.dlq"


def on_topic(offset: int, record: Record) -> OnTopic:
    return OnTopic(offset, record.key, record.value, list(record.headers))


def dead(offset: int = 0, topic: str = RECEIVED.name, why: str = "text: missing", **changes: Any) -> OnTopic:
    given: dict[str, Any] = {"key": GOOD.key, "value": GOOD.value, "headers": GOOD.headers} | changes
    delivery = Delivery(topic, 3, 70 + offset, given["key"], given["value"], given["headers"])
    return on_topic(offset, dead_letter("routing.dlq", delivery, ValueError(why)))


def letter(**changes: Any) -> dlq.Letter:
    (one,) = dlq.letters_of([dead(**changes)])
    return one


def without(*names: str) -> bytes:
    payload = json.loads(GOOD.value or b"")
    return json.dumps({name: value for name, value in payload.items() if name not in names}).encode()


def test_a_letter_knows_its_origin_and_reason_and_gives_the_original_back() -> None:
    one = letter()
    assert (one.origin, one.origin_topic, one.reason) == (f"{RECEIVED.name}/3/70", RECEIVED.name, "ValueError")
    back = one.original(dlq.REPLAYED)
    assert (back.topic, back.key, back.value) == (GOOD.topic, GOOD.key, GOOD.value)
    assert back.headers == (*GOOD.headers, ("dlq-replayed-from", b"routing.dlq/0"))


@pytest.mark.parametrize("topic", ["nobody.knows", "routing.dlq", "__consumer_offsets", "", "a/b"])
def test_a_letter_from_elsewhere_is_sent_nowhere(topic: str) -> None:
    with pytest.raises(ToolError, match="none of our topics"):
        letter(topic=topic).original(dlq.REPLAYED)


def test_a_noted_letter_says_that_it_was_sent_back_and_the_note_is_no_letter() -> None:
    first, second = dlq.letters_of([dead(0), dead(1)])
    noted = dlq.letters_of([dead(0), dead(1), on_topic(2, dlq.note(first, "replayed"))])
    assert [one.offset for one in noted] == [0, 1]
    assert noted[0].sent_back.startswith("replayed 20")
    assert (noted[1].sent_back, second.sent_back) == ("", "")


def test_a_stranger_cannot_pass_for_a_note() -> None:
    junk = dead(0, key=b"dlq-note", headers=(("dlq-offset", b"5"),))
    assert [one.offset for one in dlq.letters_of([junk])] == [0]


def test_letters_are_chosen_by_reason_and_range() -> None:
    one = letter(offset=5, why="header ce_id is missing")
    assert one.matches("CE_ID", 0, None)
    assert one.matches("valueerror", 5, 5)
    assert not one.matches("tombstone", 0, None)
    assert not one.matches(None, 6, None)
    assert not one.matches(None, 0, 4)


@pytest.mark.parametrize(("text", "meant"), [("5", (5, 5)), ("5-9", (5, 9)), ("5-", (5, None)), ("0-0", (0, 0))])
def test_offsets_are_one_a_range_or_open(text: str, meant: tuple[int, int | None]) -> None:
    assert dlq.offsets(text) == meant


@pytest.mark.parametrize("text", ["", "-5", "9-5", "a", "1-2-3", "1.5"])
def test_other_offsets_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        dlq.offsets(text)


def test_a_mended_copy_has_the_field_the_payloads_key_and_says_of_which_letter_it_is() -> None:
    record = dlq.mended(letter(value=without("text"), key=b"wrong"), fields=[("text", "düzeltildi")])
    assert json.loads(record.value or b"")["text"] == "düzeltildi"
    assert record.key == R.encode()
    assert record.headers[-1] == ("dlq-mended-from", b"routing.dlq/0")


def test_fields_deep_inside_are_set_and_dropped() -> None:
    one = letter(value=without()[:-1] + b', "location": {"lat": 99, "lon": 36.3}}')
    record = dlq.mended(one, fields=[("location.lat", 41.2)], drop=["location.lon"])
    assert json.loads(record.value or b"")["location"] == {"lat": 41.2}


def test_headers_can_be_mended_and_a_whole_value_given() -> None:
    bare = letter(headers=(), value=b"\xff noise")
    headers = [(name, raw.decode()) for name, raw in GOOD.headers]
    record = dlq.mended(bare, value=GOOD.value, headers=headers)
    assert dlq.refused_by_contracts(record) == ""


@pytest.mark.parametrize(
    ("changes", "mending"),
    [
        ({"value": b"no json"}, {"fields": [("text", "x")]}),
        ({"value": b"[1]"}, {}),
        ({"value": None}, {}),
        ({"value": without("text")}, {}),
        ({}, {"drop": ["text"]}),
        ({}, {"fields": [("text.deeper", 1)]}),
        ({}, {"headers": [("ce_specversion", "2.0")]}),
    ],
)
def test_what_the_contracts_would_refuse_again_is_not_sent(changes: dict[str, Any], mending: dict[str, Any]) -> None:
    with pytest.raises(ToolError):
        dlq.mended(letter(**changes), **mending)


def test_the_refusal_of_a_mend_never_quotes_the_payload() -> None:
    with pytest.raises(ToolError) as error:
        dlq.mended(letter(), fields=[("channel", "Ayşe 0532")])
    assert "Ayşe" not in str(error.value)
