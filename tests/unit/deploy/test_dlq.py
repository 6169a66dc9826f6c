"""
Dead letters chosen and mended: everything but the sending.
"""

import argparse
import json
from typing import Any

import pytest

from deploy import dlq
from deploy.terminal import ToolError
from services.common.kit.letters import refused_by_contracts
from tests.letters import GOOD, R, letter


def without(*names: str) -> bytes:
    payload = json.loads(GOOD.value or b"")
    return json.dumps({name: value for name, value in payload.items() if name not in names}).encode()


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
    assert refused_by_contracts(record) == ""


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
