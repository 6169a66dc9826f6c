"""
CloudEvents in binary mode: the same event gives the same bytes, and what is not ours is refused with a reason.
"""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.contracts.envelope import ContractError, Record, caused, decode, encode, pack, unpack
from services.common.contracts.topics import LIFECYCLE, RECEIVED
from tests.builders import meta_of, request

GOOD = encode(RECEIVED, meta_of(request("0000000000000")), request("0000000000000"))


def read(**changes: object) -> None:
    record = replace(GOOD, **changes)  # type: ignore[arg-type]
    decode(record.topic, record.key, record.value, record.headers)


def headers(**changes: bytes | None) -> tuple[tuple[str, bytes], ...]:
    kept = {name: value for name, value in GOOD.headers if name not in changes}
    return tuple((kept | {name: value for name, value in changes.items() if value is not None}).items())


def test_what_is_encoded_decodes_to_the_same() -> None:
    data = request(text="Çukur\n\u2028😀 ğüşıöçİ")
    record = encode(RECEIVED, meta_of(data), data)
    back = decode(record.topic, record.key, record.value, record.headers)
    assert (back.data, back.meta) == (data, meta_of(data))


def test_the_headers_are_those_of_the_kafka_binding() -> None:
    names = dict(GOOD.headers)
    assert names["ce_type"] == b"tr.bel.ilkadim.ilkim.RequestReceived"
    assert names["ce_specversion"] == b"1.0"
    assert names["content-type"] == b"application/json"
    assert set(names) == {
        "ce_id", "ce_type", "ce_source", "ce_specversion", "ce_time", "ce_subject",
        "content-type", "traceparent", "correlation-id", "causation-id",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"value": None}, "value is empty"),
        ({"value": b""}, "value is empty"),
        ({"value": b"\xff\xfe"}, "RequestReceived: payload: json_invalid"),
        ({"value": b"{}"}, "request_id: missing"),
        ({"value": b"x" * 1_000_000}, "json_invalid"),
        ({"key": b"other"}, "the key is not"),
        ({"key": None}, "the key is not"),
        ({"topic": "nobody.knows"}, "not one of our topics"),
        ({"topic": "requests.lifecycle"}, "does not carry RequestReceived"),
        ({"headers": ()}, "header ce_id is missing"),
        ({"headers": headers(ce_type=None)}, "ce_type is missing"),
        ({"headers": headers(ce_type=b"org.other.Thing")}, "ce_type must start"),
        ({"headers": headers(ce_type=b"tr.bel.ilkadim.ilkim.Nothing")}, "does not carry Nothing"),
        ({"headers": headers(ce_specversion=b"2.0")}, "ce_specversion must be 1.0"),
        ({"headers": headers(ce_time=b"yesterday")}, "ce_time must be"),
        ({"headers": headers(ce_time=b"2026-06-01T00:00:00")}, "must have a zone"),
        ({"headers": headers(ce_time=b"0001-01-01T00:00:00+23:59")}, "ce_time must be"),
        ({"headers": headers(ce_id=b"\xff")}, "not UTF-8"),
        ({"headers": headers(**{"correlation-id": b"x" * 201})}, "correlation-id is longer"),
        ({"headers": headers(**{"causation-id": b"x" * 1_000_000})}, "causation-id is longer"),
        ({"headers": headers(ce_time=b"9999-12-31T00:00:00Z")}, "between 2000 and 2100"),
        ({"value": (GOOD.value or b"").replace(b"2026-06-01", b"9999-12-31")}, "received_at: value_error"),
        ({"value": (GOOD.value or b"").replace(b"2026-06-01T09:00:00Z", b"0001-01-01T00:00:00+14:00")}, "received_at"),
        ({"headers": (("ce_id", None),)}, "empty or not UTF-8"),
    ],
)
def test_what_is_not_ours_is_refused_with_its_reason(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ContractError, match=reason):
        read(**changes)


@settings(max_examples=500)
@given(st.binary(max_size=200), st.lists(st.tuples(st.text(max_size=12), st.binary(max_size=20)), max_size=5))
def test_noise_is_refused_and_never_crashes(value: bytes, noise: list[tuple[str, bytes]]) -> None:
    with pytest.raises(ContractError):
        decode("requests.received", b"k", value, noise)


def test_a_refusal_never_quotes_what_a_citizen_wrote() -> None:
    secret = "Ayşe 0532 111 22 33"
    with pytest.raises(ContractError) as refused:
        read(value=(b'{"request_id": "0000000000000", "channel": "%s"}' % secret.encode()))
    assert secret not in str(refused.value)


def test_a_topic_takes_only_its_own_types() -> None:
    with pytest.raises(ContractError, match="lifecycle does not carry RequestReceived"):
        encode(LIFECYCLE, meta_of(request()), request())


def test_a_derived_event_has_the_same_id_each_time_and_names_its_cause() -> None:
    cause = meta_of(request("0000000000000"))
    one, two = (caused(cause, "/routing", cause.time, "RequestAssigned", "2") for _ in range(2))
    assert one == two
    assert one.causation_id == cause.id
    assert one.id != caused(cause, "/routing", cause.time, "RequestAssigned", "3").id


RECORDS = st.lists(
    st.builds(
        Record,
        st.text(max_size=10),
        st.binary(max_size=10),
        st.none() | st.binary(max_size=50),
        st.lists(st.tuples(st.text(max_size=8), st.binary(max_size=20)), max_size=4).map(tuple),
    ),
    max_size=4,
)


@settings(max_examples=1_000)
@given(RECORDS)
def test_packed_records_come_back_the_same(records: list[Record]) -> None:
    assert list(unpack(pack(records))) == records


def test_packed_records_that_were_cut_are_noticed() -> None:
    with pytest.raises(ValueError, match="cut"):
        unpack(pack([GOOD])[:-1])
