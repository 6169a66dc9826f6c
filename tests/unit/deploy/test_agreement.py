"""
verify finds what differs: a check that cannot fail would prove nothing.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from deploy.observe import Facts, Seen, facts
from deploy.recovery.agreement import Day, Difference, Reported, Span, days, differences, requests_of
from deploy.verify import Found, lines
from services.common.contracts.topics import RECEIVED
from tests.builders import meta_of, received, request

R, OTHER = "0000000000000", "1111111111111"
DAY, NEXT = "2026-03-14", "2026-03-15"
AT = datetime(2026, 3, 14, 20, 59, tzinfo=UTC)  # a minute before midnight in Samsun
ALWAYS = Span()
TOLD = (R, "received", "contact:none", 1)


def on_topics() -> Facts:
    found = Facts()
    found.received[R]["a"] = AT
    found.registered[R] = {"b"}
    found.registered_for[R]["a"] = AT + timedelta(seconds=90)
    found.holder[R] = "zabita"
    found.stands_on[R] = {"zabita"}
    found.seqs[R] = {1, 2, 3}
    found.outcomes[TOLD] = {"c": "Suppressed"}
    return found


def in_reporting() -> Reported:
    return Reported({R: DAY}, {R: [DAY]})


def wrong(found: Facts, reported: Reported) -> dict[str, tuple[str, ...]]:
    requests = requests_of(found, ALWAYS)
    return {one.what: one.requests for one in differences(requests, found, reported, ALWAYS)}


def test_a_sound_world_has_no_difference() -> None:
    assert wrong(on_topics(), in_reporting()) == {}
    assert days(requests_of(on_topics(), ALWAYS), in_reporting()) == [Day(DAY, 1, 1, 1, 1, 1, 0)]


Break = Callable[[Facts], object]
ON_TOPICS: dict[str, Break] = {
    "received, but not registered": lambda f: f.registered.clear(),
    "registered, but not on requests.received": lambda f: f.received.clear(),
    "with a gap in seq": lambda f: f.seqs[R].remove(2),
    "with an event in two versions": lambda f: f.two_versions_of.add(R),
    "not on the topic of its department": lambda f: f.stands_on.clear(),
    "without an outcome of `received`, and none waits": lambda f: f.outcomes.clear(),
}
IN_REPORTING: dict[str, Reported] = {
    "not shown by reporting": Reported({}, {R: [DAY]}),
    "shown under another day": Reported({R: NEXT}, {R: [DAY]}),
    "not counted by reporting's figures": Reported({R: DAY}, {}),
    "counted under another day as well": Reported({R: DAY}, {R: [DAY, NEXT]}),
    "in reporting, but on no topic": Reported({R: DAY, OTHER: DAY}, {R: [DAY]}),
}


@pytest.mark.parametrize("name", ON_TOPICS)
def test_what_topics_lack_is_found_by_its_name(name: str) -> None:
    found = on_topics()
    ON_TOPICS[name](found)
    assert wrong(found, in_reporting())[name] == (R,)


@pytest.mark.parametrize("name", IN_REPORTING)
def test_what_reporting_has_otherwise_is_found_by_its_name(name: str) -> None:
    assert wrong(on_topics(), IN_REPORTING[name]) == {name: (OTHER if "no topic" in name else R,)}


def test_a_message_that_waits_is_no_difference_and_counts_as_waiting() -> None:
    found = on_topics()
    found.outcomes.clear()
    found.queued = {TOLD}
    assert wrong(found, in_reporting()) == {}
    (day,) = days(requests_of(found, ALWAYS), in_reporting())
    assert (day.told, day.waits, day.agrees) == (0, 1, True)


def test_a_day_is_that_of_the_body_that_was_registered() -> None:
    found = on_topics()
    found.received[R]["another"] = AT - timedelta(days=3)
    assert requests_of(found, ALWAYS).day == {R: DAY}


def test_a_part_is_no_request_and_its_gap_is_found() -> None:
    found = on_topics()
    found.registered[f"{R}.1"] = {"p"}
    found.seqs[f"{R}.1"] = {1, 3}
    assert list(requests_of(found, ALWAYS).day) == [R]
    assert wrong(found, in_reporting()) == {"with a gap in seq": (f"{R}.1",)}


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (Span(DAY, DAY), [DAY]),
        (Span(last="2026-03-13"), []),
        (Span(first=NEXT), []),
        (Span(kept_from=NEXT), []),
        (Span(first=DAY, kept_from=DAY), [DAY]),
    ],
)
def test_only_the_days_of_the_span_that_the_topics_still_keep_are_compared(span: Span, expected: list[str]) -> None:
    assert [day.day for day in days(requests_of(on_topics(), span), in_reporting())] == expected


def test_what_came_after_the_command_was_started_is_not_asked_about() -> None:
    asked = requests_of(on_topics(), ALWAYS).day.keys()
    later = on_topics()
    later.received[OTHER]["d"] = AT
    requests = requests_of(later, ALWAYS, asked)
    assert set(requests.day) == {R}
    assert differences(requests, later, Reported({R: DAY, OTHER: DAY}, {R: [DAY]}), ALWAYS) == []


def test_a_retry_of_a_request_is_no_second_version_and_keeps_the_earlier_moment() -> None:
    first = request(R, received_at=AT)
    retry = request(R, received_at=AT + timedelta(minutes=2))
    seen = [
        Seen(RECEIVED.name, data.model_dump_json().encode(), replace(received(data), meta=meta_of(first)))
        for data in (retry, first)
    ]
    found = facts(seen)
    assert list(found.received[R].values()) == [AT]
    assert found.two_versions_of == set()
    assert found.in_two_versions == 0


def test_a_difference_is_said_with_numbers_and_what_to_do() -> None:
    many = tuple(f"{number:013}" for number in range(7))
    said = lines(Found([], [Difference("not shown by reporting", many, "do this")], 12, 2, "2026-03-01"))
    assert said == [
        "days before 2026-03-01 are no longer whole on the topics and were not compared",
        f"7 not shown by reporting: {', '.join(many[:5])}, …",
        "    do this",
        "still moving: 12 records behind, figures of 2 days are being made",
        "not everything agrees",
    ]
