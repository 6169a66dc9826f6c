"""
The demo's pure parts: the day, what departments answer, and whether it is noticed when the parts do not agree.
"""

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from deploy.demo.__main__ import table
from deploy.demo.day import Line, load_day
from deploy.demo.departments import answer
from deploy.demo.journal import Journal, Posted, Reported, in_reporting, on_topics, percentile, told_in_words
from deploy.demo.make_day import CHANNELS, NEIGHBOURHOODS, make_day
from deploy.demo.run import Result
from deploy.observe import Seen
from services.common.contracts import events
from services.common.contracts.catalogue import catalogue
from services.common.contracts.envelope import Metadata, Received
from services.common.contracts.ids import derived_id, keyed_request_id
from services.common.contracts.topics import LIFECYCLE, NOTIFICATIONS, department_topic
from services.common.contracts.vocabulary import TRIAGE_DEPARTMENT, TRIAGE_SERVICE, Status
from services.intake.domain import accept_update
from services.intake.schemas import NewRequest, NewUpdate

AT = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
DAY = load_day()
ID = keyed_request_id(b"demo", "1")
HOLDER = "fen-isleri"


def seen(topic: str, data: events.Event) -> Seen:
    meta = Metadata(derived_id(data.model_dump_json()), "/test", AT, ID, ID, ID)
    return Seen(topic, b"{}", Received(topic, meta, data))


def lifecycle(kind: type[events.Lifecycle], seq: int, status: Status, **fields: Any) -> events.Lifecycle:
    department = {} if kind is events.RequestRegistered else {"department": HOLDER}
    return kind(**{"request_id": ID, "seq": seq, "status": status, "occurred_at": AT, **department, **fields})


def assigned(department: str = HOLDER, status: Status = Status.ASSIGNED) -> events.RequestAssigned:
    event = lifecycle(events.RequestAssigned, 2, status, department=department, assignments=1)
    assert isinstance(event, events.RequestAssigned)
    return event


REGISTERED = seen(LIFECYCLE.name, lifecycle(events.RequestRegistered, 1, Status.RECEIVED))
ASSIGNED = seen(LIFECYCLE.name, assigned())
ON_TOPIC = seen(department_topic(HOLDER).name, assigned())
TOLD = seen(
    NOTIFICATIONS.name,
    events.NotificationSent(
        request_id=ID, transition="received", recipient="c_" + "0" * 32, channel="sms", occurred_at=AT
    ),
)
CLOSED = seen(LIFECYCLE.name, lifecycle(events.StatusChanged, 3, Status.RESOLVED, outcome="resolved", assignments=1))
ALL = (REGISTERED, ASSIGNED, ON_TOPIC, TOLD)
SHOWN = {ID: Reported("assigned", HOLDER, "phone")}


def journal(*records: Seen) -> Journal:
    written = Journal()
    written.accept(ID, Posted(DAY[0], 10.0, 10.1))
    for record in records:
        written.add(record, 10.5)
    return written


# --- the day ---


def test_the_day_is_what_intake_takes() -> None:
    for line in DAY:
        NewRequest.model_validate(line.body_for("demo-0000"))


def test_the_day_has_all_it_should_have() -> None:
    bodies = [line.body for line in DAY]
    assert len(bodies) == 350
    assert {name: sum(b["channel"] == name for b in bodies) for name in CHANNELS} == {
        n: c for n, (c, _) in CHANNELS.items()
    }
    assert sum("service_code" in b for b in bodies) == 175
    assert sum(b.get("contact") == "none" for b in bodies) == 60
    assert sum("answered" in b for b in bodies) >= 10
    assert sum(b.get("citizen", {}).get("language") == "en" for b in bodies) >= 5
    assert len({line.at.hour for line in DAY}) >= 18
    assert len({line.name for line in DAY}) == 350


def test_the_day_names_nobody_real() -> None:
    for line in DAY:
        citizen = line.body.get("citizen", {})
        assert citizen.get("email", "@example.org").endswith("@example.org")
        assert citizen.get("phone", "0501 000").startswith(("0501 000", "0362 000"))
        assert citizen.get("whatsapp_id", "90501000").startswith("90501000")


def test_places_are_in_ilkadim() -> None:
    for place in [line.body["location"] for line in DAY if "location" in line.body]:
        assert place.get("neighbourhood", "Kale") in NEIGHBOURHOODS
        assert 41.2 < place.get("lat", 41.27) < 41.3
        assert 36.2 < place.get("lon", 36.3) < 36.4
    assert len(set(NEIGHBOURHOODS)) == 61


def test_the_same_messages_make_the_same_day() -> None:
    services = sorted(set(catalogue().services) - {TRIAGE_SERVICE})
    messages = [
        {"id": f"m{n}", "channel": channel, "text": f"Deneme {n}", "service": services[n % len(services)]}
        for channel in ("phone", "whatsapp", "walk_in", "web", "email", "sms")
        for n in range(200)
    ]
    for message in messages:
        message["department"] = catalogue().services[message["service"]].department
    assert json.dumps(make_day(messages)) == json.dumps(make_day(messages))


# --- departments ---


@pytest.mark.parametrize("holder", ["right", "wrong", "triage"])
def test_intake_takes_whatever_a_department_answers(holder: str) -> None:
    for line in DAY:
        right = catalogue().services[line.service].department
        wrong = "ozel-kalem" if right != "ozel-kalem" else "zabita"
        department = {"right": right, "wrong": wrong, "triage": TRIAGE_DEPARTMENT}[holder]
        status = Status.TRIAGE if holder == "triage" else Status.ASSIGNED
        event = assigned(department=department, status=status)
        steps = answer(department, event, line)
        assert steps == answer(department, event, line)
        for step in steps:
            assert step.after > 0
            body = NewUpdate.model_validate({"department": department, **step.body})
            accept_update(
                body, request_id=ID, department=department, adapter="t", idempotency_key="k", secret=b"s", now=AT
            )


def test_most_requests_are_resolved_by_their_department_and_some_stay_open() -> None:
    lines = [line for line in DAY if "answered" not in line.body and line.service != TRIAGE_SERVICE]
    last = []
    for line in lines:
        department = catalogue().services[line.service].department
        steps = answer(department, assigned(department=department), line)
        last.append(steps[-1].body["action"] if steps else None)
    assert 0.7 < last.count("resolve") / len(last) < 0.95
    assert {"accept", None} <= set(last)


def test_what_was_settled_at_once_is_left_alone() -> None:
    line = next(line for line in DAY if "answered" in line.body)
    assert answer(HOLDER, assigned(), line) == ()


# --- agreement ---


def test_all_agree_when_everything_is_there_even_twice() -> None:
    book = journal(*ALL, *ALL)
    assert on_topics(book, 1) == {}
    assert in_reporting(book, SHOWN, 1) == {}


@pytest.mark.parametrize(
    ("missing", "complaint"),
    [
        (REGISTERED, "not registered exactly once"),
        (ASSIGNED, "not assigned exactly once at first"),
        (ON_TOPIC, "not on the topic of the department that holds it"),
        (TOLD, "not told of being received"),
    ],
)
def test_what_is_missing_is_named_with_its_number(missing: Seen, complaint: str) -> None:
    assert on_topics(journal(*(record for record in ALL if record is not missing)), 1)[complaint] == [ID]


def test_a_second_registration_with_another_id_is_noticed() -> None:
    again = lifecycle(events.RequestRegistered, 1, Status.RECEIVED, neighbourhood="Kale")
    assert on_topics(journal(*ALL, seen(LIFECYCLE.name, again)), 1) == {"not registered exactly once": [ID]}


def test_a_second_telling_is_noticed() -> None:
    again = events.NotificationSent(
        request_id=ID, transition="received", recipient="c_" + "0" * 32, channel="email", occurred_at=AT
    )
    assert on_topics(journal(*ALL, seen(NOTIFICATIONS.name, again)), 1) == {"told twice": [ID]}


def test_a_closing_must_be_told_and_an_update_answered() -> None:
    book = journal(*ALL, CLOSED)
    book.submit("u1", ID)
    assert on_topics(book, 1) == {
        "closed, but not told so": [ID],
        "with an update neither applied nor refused": [ID],
    }


def test_a_request_that_intake_did_not_take_is_noticed() -> None:
    assert on_topics(journal(*ALL), 2) == {"1 of 2 not accepted by intake": [""]}


def test_reporting_must_show_each_request_as_the_topics_do() -> None:
    book = journal(*ALL)
    assert in_reporting(book, {}, 1) == {"not in reporting": [ID]}
    other = {ID: Reported("triage", HOLDER, "phone")}
    assert in_reporting(book, other, 1) == {"in another state in reporting": [ID]}
    assert in_reporting(book, SHOWN, 3) == {"summary.received grew by 3 instead of 1": [""]}


def test_requests_of_others_are_not_counted() -> None:
    book = Journal()
    for record in ALL:
        book.add(record, 1.0)
    assert book.ours == {}
    assert on_topics(book, 0) == {}


# --- the table ---


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([3, 1, 2, 4], 0.5) == 2
    assert percentile([3, 1, 2, 4], 0.99) == 4
    assert math.isnan(percentile([], 0.5))


def test_the_table_shows_counts_and_no_person() -> None:
    line = next(line for line in DAY if line.body.get("citizen", {}).get("name"))
    book = journal(*ALL)
    book.accept(ID, Posted(Line(line.at, line.service, line.body), 10.0, 10.1))
    console = Console(record=True, width=120)
    console.print(table(Result(book, SHOWN, received_more=1, seconds=2.0), "a day"))
    text = console.export_text()
    assert told_in_words(book.ours) == {"sent by sms": 1}
    for expected in ("= registered", "sent by sms 1", "fen-isleri 1", "p50 100 ms", "p50 500 ms", "phone 1"):
        assert expected in text
    assert line.body["citizen"]["name"] not in text
    assert line.body["text"][:20] not in text
