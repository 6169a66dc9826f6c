"""
The demo's pure parts: the day, what departments answer, and whether it is noticed when the parts do not agree.
"""

import json
import math
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deploy.demo.__main__ import table
from deploy.demo.broker import Away, left_out, start_command, stop_command
from deploy.demo.day import Line, due, load_day
from deploy.demo.departments import OWN_SYSTEMS, answer, update_on_topic
from deploy.demo.journal import Journal, Posted, Reported, in_reporting, on_topics, percentile, told_in_words
from deploy.demo.make_day import CHANNELS, NEIGHBOURHOODS, make_day
from deploy.demo.run import Result
from deploy.department.talk import update_record
from deploy.observe import Seen
from deploy.stack.config import Config
from services.common.contracts import events
from services.common.contracts.catalogue import catalogue
from services.common.contracts.envelope import Metadata, Received, decode
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


def test_a_time_of_day_keeps_its_place_in_a_compressed_day() -> None:
    assert due(time(12), 40.0) == 20.0


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


def test_a_third_of_the_departments_has_a_system_of_its_own() -> None:
    departments = set(catalogue().departments)
    assert departments > OWN_SYSTEMS
    assert len(OWN_SYSTEMS) * 3 == len(departments)


def test_an_update_on_a_topic_is_an_event_of_ours_and_the_same_each_time() -> None:
    for line in DAY:
        department = catalogue().services[line.service].department
        for number, step in enumerate(answer(department, assigned(department=department), line)):
            update = update_on_topic(ID, "ce-1", number, step.body, AT)
            assert update == update_on_topic(ID, "ce-1", number, step.body, AT)
            record = update_record(department, update)
            assert decode(record.topic, record.key, record.value, record.headers).data == update


def test_each_step_and_each_event_has_an_update_id_of_its_own() -> None:
    body = {"action": "accept"}
    ids = {update_on_topic(ID, event, number, body, AT).update_id for event in ("a", "b") for number in (0, 1)}
    assert len(ids) == 4


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
    book.submit("u1", ID, 10.6)
    assert on_topics(book, 1) == {
        "closed, but not told so": [ID],
        "with an update neither applied nor refused": [ID],
    }


def refused(topic: str, update_id: str) -> Seen:
    fields = {"reason": "forbidden_move", "detail": "no", "update_id": update_id, "action": "accept"}
    return seen(topic, lifecycle(events.UpdateRefused, 3, Status.ASSIGNED, **fields))


def test_an_update_on_a_topic_must_be_answered_on_the_department_s_own() -> None:
    book = journal(*ALL, refused(LIFECYCLE.name, "u1"), refused(department_topic("zabita").name, "u1"))
    book.submit("u1", ID, 10.6, topic_of=HOLDER)
    assert on_topics(book, 1) == {"with an update on a department's topic that is not answered there": [ID]}
    book.add(refused(department_topic(HOLDER).name, "u1"), 10.7)
    assert on_topics(book, 1) == {}


def test_refusals_are_counted_by_way_and_those_of_others_not_at_all() -> None:
    book = journal(*ALL, refused(LIFECYCLE.name, "u1"), refused(LIFECYCLE.name, "u1"), refused(LIFECYCLE.name, "u2"))
    book.submit("u1", ID, 10.6, topic_of=HOLDER)
    assert book.refused(by_topic=True) == {"forbidden_move": 1}
    assert book.refused(by_topic=False) == {}


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


def rows(result: Result, **where: Any) -> str:
    console = Console(record=True, width=200)
    console.print(table(result, "a day", **where))
    return console.export_text()


def test_the_table_says_which_way_updates_came() -> None:
    book = journal(*ALL, refused(LIFECYCLE.name, "u1"), refused(department_topic(HOLDER).name, "u1"))
    book.submit("u1", ID, 10.6, topic_of=HOLDER)
    book.submit("u2", ID, 10.6)
    text = rows(Result(book, SHOWN))
    assert "1 taken, 0 refused by intake, 0 by routing" in text
    assert "1 written by 1 of 8 departments" in text
    assert "1 answered on their topics, 1 (forbidden_move 1) refused" in text


def test_the_table_says_where_the_bad_record_stands_and_that_the_line_went_on() -> None:
    result = Result(journal(*ALL), SHOWN, bad_record=9.0, dead_letters={"routing": "ContractError: header is missing"})
    text = rows(result)
    assert "in routing.dlq, ContractError: header is missing" in text
    assert "1 accepted after it, 1 registered" in text


def test_the_table_says_what_was_accepted_while_kafka_was_away() -> None:
    result = Result(journal(*ALL), SHOWN, away=Away(asked=10.05, gone=10.06, back=15.06))
    result.journal.submit("u1", ID, 10.6)
    result.journal.submit("u2", ID, 16.0)
    assert "away 5.0 s; accepted meanwhile: 1 requests, 1 registered; 1 updates, 0 answered" in rows(result)
    assert "kafka-1 of 3 brokers was away" in rows(result, brokers=3)


def test_the_table_says_why_the_restart_is_left_out() -> None:
    why = left_out("embedded")
    assert "keeps nothing over a restart" in why
    assert f"left out: {why}" in rows(Result(journal(*ALL), SHOWN, left_out=why))


def test_a_latency_before_the_restart_is_shown_apart() -> None:
    assert "(n=0) sent before Kafka's restart" in rows(Result(journal(*ALL), SHOWN, away=Away(9.0, 9.1, 9.2)))
    assert "p50 100 ms  p95 100 ms  p99 100 ms  (n=1) sent before" in rows(
        Result(journal(*ALL), SHOWN, away=Away(11.0, 11.1, 11.2))
    )


# --- the restart in a container ---


def test_the_broker_s_container_is_stopped_and_the_same_one_started_until_it_is_healthy(tmp_path: Path) -> None:
    config = Config(tmp_path, kind="docker")
    assert stop_command(config)[-4:] == ["stop", "--timeout", "30", "kafka-1"]
    assert {"up", "--no-recreate", "--no-deps", "--wait", "kafka-1"} <= set(start_command(config))
    assert stop_command(config)[:4] == start_command(config)[:4]
