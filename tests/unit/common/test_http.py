"""
The strict reading of JSON bodies.
"""

import pytest

from services.common.kit.http import MAX_DEPTH, BodyError, strict_json


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "UTF-8"),
        (b'{"a":1,"a":2}', "twice"),
        (b'{"x":{"a":1,"a":2}}', "twice"),
        (b"NaN", "NaN"),
        (b"[-Infinity]", "Infinity"),
        (b"9" * 5_000, "number"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "levels"),
        (b"[" * MAX_DEPTH + b"{}" + b"]" * MAX_DEPTH, "levels"),
        (b"[" * 100_000, "deep"),
    ],
    ids=lambda value: str(value[:20]),
)
def test_a_body_that_is_not_plain_json_is_refused_with_its_reason(raw: bytes, says: str) -> None:
    with pytest.raises(BodyError, match=says):
        strict_json(raw)


@pytest.mark.parametrize(
    "raw",
    [b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, b'"' + b"[{" * 500 + b'"', '{"ş":[1,2.5,null,true]}'.encode()],
    ids=["deepest", "brackets in text", "plain"],
)
def test_plain_json_is_read(raw: bytes) -> None:
    strict_json(raw)
