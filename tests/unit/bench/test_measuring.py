"""
The pure parts of measuring: who is counted, and from when.
"""

from itertools import islice

from tests.bench.inputs import bodies, received_records
from tests.bench.intake import closed, took, unanswered
from tests.bench.journey import between, first_times
from tests.bench.load import Hit


def test_the_slow_and_the_refused_are_counted_too() -> None:
    hits = [Hit(0.0, 0.1, 202, b""), Hit(0.0, 20.0, 0, b""), Hit(1.0, 1.0, 503, b"")]
    assert took(hits) == [100, 20_000, 1_000]
    assert [one.value for one in unanswered("x", hits)] == [2 / 3 * 1000]
    assert unanswered("x", hits[:1]) == []


def test_a_closed_loop_passes_what_was_accepted_until_the_last_answer() -> None:
    hits = [Hit(10.0, 0.5, 202, b""), Hit(10.5, 1.5, 202, b""), Hit(10.5, 0.5, 503, b"")]
    assert closed("alone, 8 connection(s)", hits, None)[0].value == 1.0  # two in two seconds


def test_what_never_arrives_is_said_and_not_left_out() -> None:
    figures = between("there", 50, {"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}, {"a": 1.5, "b": 1.5, "c": 2.0})
    assert [(one.name, one.value) for one in figures] == [
        ("50/s, there, p50", 500),
        ("50/s, there, p95", 1000),
        ("50/s, there, p99", 1000),
        ("50/s, there: not within a minute", 250),
    ]


def test_the_first_record_of_a_key_counts() -> None:
    assert first_times([(b"a", 2_000), (b"b", 1_500), (b"a", 1_000)]) == {"a": 1.0, "b": 1.5}


def test_the_same_seed_gives_the_same_texts_under_new_ids() -> None:
    one, other = bodies(50, 3), bodies(50, 3)
    assert [body["text"] for body in one] == [body["text"] for body in other]
    assert not {body["external_id"] for body in one} & {body["external_id"] for body in other}
    assert len({body["citizen"]["phone"] for body in one}) == 50


def test_records_for_routing_are_those_of_intake() -> None:
    records = list(islice(received_records(20, 3), 20))
    assert {record.topic for record in records} == {"requests.received"}
    assert len({record.key for record in records}) == 20
