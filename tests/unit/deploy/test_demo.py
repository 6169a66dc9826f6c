"""
The demo's pure parts: the day, what departments answer, and whether it is noticed when the parts do not agree.
"""

import json
import math
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deploy.demo.agreement import TEAM, Figures, Reported, figures, in_reporting, of_the_day, on_topics
from deploy.demo.broker import Away, left_out, start_command, stop_command
from deploy.demo.citizens import reaction
from deploy.demo.day import Line, due, load_day
from deploy.demo.departments import OWN_SYSTEMS, answer, update_on_topic
from deploy.demo.journal import Journal, Posted
from deploy.demo.make_day import CHANNELS, NEIGHBOURHOODS, make_day
from deploy.demo.run import Result
from deploy.demo.story import Story, story_of
from deploy.demo.table import percentile, table, told_in_words
from deploy.department.talk import update_record
from deploy.observe import Seen
from deploy.stack.config import Config
from services.common.contracts import events
from services.common.contracts.catalogue import catalogue
from services.common.contracts.envelope import Metadata, Received, decode
from services.common.contracts.ids import derived_id, keyed_request_id
from services.common.contracts.topics import LIFECYCLE, NOTIFICATIONS, department_topic
from services.common.contracts.vocabulary import (
    TRIAGE_DEPARTMENT,
    TRIAGE_SERVICE,
    Action,
    Clock,
    Level,
    Outcome,
    Status,
)
from services.intake.domain import accept_update, check_plan, check_repeat
from services.intake.schemas import NewReply, NewRequest, NewUpdate
from services.notify.transitions import transition_of

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
CLOSED = seen(
    LIFECYCLE.name, lifecycle(events.StatusChanged, 3, Status.RESOLVED, outcome="resolved", assignments=1, closings=1)
)
MERGED = seen(
    NOTIFICATIONS.name,
    events.NotificationSuppressed(
        request_id=ID, transition="assigned", recipient="c_" + "0" * 32, reason="merged", occurred_at=AT
    ),
)
ALL = (REGISTERED, ASSIGNED, ON_TOPIC, TOLD, MERGED)
FIGURES = Figures("assigned", HOLDER, 0, False, 0, 0, None, None)
SHOWN = {ID: Reported(FIGURES, "phone")}
PART = f"{ID}.1"


def journal(*records: Seen) -> Journal:
    written = Journal()
    written.accept(ID, Posted(DAY[0], 10.0, 10.1))
    for record in records:
        written.add(record, 10.5)
    return written


# --- the day ---


def test_the_day_is_what_intake_takes() -> None:
    for line in DAY:
        body = NewRequest.model_validate(line.body_for("demo-0000", AT))
        check_repeat(body, AT)
        assert body.received_at is None or body.received_at == AT - timedelta(hours=line.hours_ago)


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
    assert [line.service for line in DAY if line.weeks] == ["vefa-alisveris"]
    assert {catalogue().services[line.service].emergency for line in DAY if line.hours_ago} == {True, False}
    assert {b["legal"]["basis"] for b in bodies if "legal" in b} == {"3071", "4982", "kvkk", "cimer"}
    assert sum(line.again is not None for line in DAY) >= 8
    assert {story_of(line) for line in DAY} == set(Story)


def test_a_line_that_tells_the_same_again_names_the_first_that_told_it() -> None:
    lines = {line.name: line for line in DAY}
    for line in DAY:
        if line.again is not None:
            first = lines[line.again]
            assert first.at <= line.at
            assert first.again is None
            assert (first.service, first.body["location"]["neighbourhood"]) == (
                line.service,
                line.body["location"]["neighbourhood"],
            )


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

TODAY = date(2026, 6, 1)
MASTER = keyed_request_id(b"demo", "2")
HOLDERS = ("right", "wrong", "triage")


def holder(line: Line, kind: str) -> str:
    right = catalogue().services[line.service].department
    wrong = "ozel-kalem" if right != "ozel-kalem" else "zabita"
    return {"right": right, "wrong": wrong, "triage": TRIAGE_DEPARTMENT}[kind]


def what_departments_read(line: Line) -> list[tuple[str, events.Lifecycle]]:
    """
    One of each kind of event that can make a department act on a line, and who reads it.
    """
    found: list[tuple[str, events.Lifecycle]] = []
    for kind in HOLDERS:
        department = holder(line, kind)
        status = Status.TRIAGE if kind == "triage" else Status.ASSIGNED
        found.append((department, assigned(department=department, status=status)))
    right = holder(line, "right")
    found.append((right, on_part(events.RequestAssigned, 2, Status.ASSIGNED, department=right)))
    for event in (
        lifecycle(events.RequestReopened, 7, Status.REOPENED, department=right, reopenings=1),
        lifecycle(
            events.StatusChanged, 7, Status.IN_PROGRESS, department=right, previous_status=Status.WAITING_CITIZEN
        ),
        escalated(7, department=right),
    ):
        found.append((right, event))
    return found


def on_part(kind: type[events.Lifecycle], seq: int, status: Status, **fields: Any) -> events.Lifecycle:
    return lifecycle(
        kind,
        seq,
        status,
        **{"request_id": PART, "parent_id": ID, "service_code": "yol-cukur", "assignments": 1, **fields},
    )


def escalated(seq: int, level: Level = Level.DEPUTY_MAYOR, **fields: Any) -> events.Lifecycle:
    clock = {"clock": Clock.RESOLUTION, "level": level, "step": 3, "due_at": AT, "overdue": True}
    return lifecycle(events.RequestEscalated, seq, Status.ASSIGNED, **clock, **fields)


def test_intake_takes_whatever_a_department_answers() -> None:
    actions = set()
    for line in DAY:
        for department, event in what_departments_read(line):
            steps = answer(department, event, line, TODAY, MASTER)
            assert steps == answer(department, event, line, TODAY, MASTER)
            for step in steps:
                assert step.after > 0
                body = NewUpdate.model_validate({"department": department, **step.body})
                accept_update(
                    body,
                    request_id=event.request_id,
                    department=department,
                    adapter="t",
                    idempotency_key="k",
                    secret=b"s",
                    now=AT,
                )
                check_plan(body, AT)
                actions.add(body.action)
    assert actions == set(Action) - {Action.CANCEL, Action.REOPEN}  # these two the desk does when a citizen calls


def last_step(line: Line) -> str | None:
    department = holder(line, "right")
    steps = answer(department, assigned(department=department), line, TODAY, MASTER)
    return steps[-1].body["action"] if steps else None


def test_most_plain_requests_are_resolved_by_their_department_and_some_stay_open() -> None:
    ours = [line for line in DAY if "answered" not in line.body and holder(line, "right") != "dis-kurum"]
    last = Counter(last_step(line) for line in ours if story_of(line) is Story.PLAIN)
    assert 0.7 < last["resolve"] / last.total() < 0.95
    assert {"accept", None} <= set(last)


def test_what_is_not_the_municipality_s_is_mostly_referred_with_a_number() -> None:
    lines = [line for line in DAY if holder(line, "right") == "dis-kurum"]
    referred = []
    for line in lines:
        steps = answer("dis-kurum", assigned(department="dis-kurum"), line, TODAY, None)
        referred += [step.body["referred_to"] for step in steps if step.body["action"] == "refer"]
    assert len(referred) > len(lines) / 3
    assert all(set(body) == {"body", "on", "reference"} for body in referred)


@pytest.mark.parametrize("story", [Story.CANCELLED, Story.FORGOTTEN])
def test_a_department_leaves_lying_what_its_story_says(story: Story) -> None:
    lines = [line for line in DAY if story_of(line) is story]
    assert lines
    assert [last_step(line) for line in lines] == [None] * len(lines)


def test_what_lay_too_long_is_settled_once_the_deputy_mayor_knows() -> None:
    line = next(line for line in DAY if line.hours_ago)
    right = holder(line, "right")
    assert answer(right, escalated(5, Level.HEAD, department=right), line, TODAY, None) == ()
    steps = answer(right, escalated(6, department=right), line, TODAY, None)
    assert [step.body["action"] for step in steps] == ["start", "resolve"]


def test_a_need_that_comes_again_is_worked_on_in_its_turns_alone() -> None:
    line = next(line for line in DAY if line.weeks)
    department = holder(line, "right")
    assert answer(department, assigned(department=department), line, TODAY, None) == ()
    steps = answer(
        department, on_part(events.RequestAssigned, 2, Status.ASSIGNED, department=department), line, TODAY, None
    )
    assert [step.body["action"] for step in steps] == ["accept", "schedule"]
    assert steps[-1].body["planned_for"].startswith("2026-06-02T09:30")


def test_nobody_is_visited_at_the_weekend() -> None:
    line = next(line for line in DAY if story_of(line) is Story.PLANNED and last_step(line) is not None)
    right = holder(line, "right")
    friday = date(2026, 6, 5)
    steps = answer(right, assigned(department=right), line, friday, None)
    assert "2026-06-08T09:30:00+03:00" in [step.body.get("planned_for") for step in steps]


def test_a_department_does_nothing_with_what_another_holds() -> None:
    for line in DAY[:20]:
        assert answer("zabita", assigned(department="fen-isleri"), line, TODAY, None) == ()


def test_what_was_settled_at_once_is_left_alone() -> None:
    line = next(line for line in DAY if "answered" in line.body)
    assert answer(HOLDER, assigned(), line, TODAY, None) == ()


def test_about_a_third_of_the_departments_has_a_system_of_its_own() -> None:
    departments = set(catalogue().departments)
    assert departments > OWN_SYSTEMS
    assert len(OWN_SYSTEMS) / len(departments) == pytest.approx(1 / 3, abs=0.1)


def test_an_update_on_a_topic_is_an_event_of_ours_and_the_same_each_time() -> None:
    for line in DAY:
        for department, event in what_departments_read(line):
            for number, step in enumerate(answer(department, event, line, TODAY, MASTER)):
                update = update_on_topic(event.request_id, "ce-1", number, step.body, AT)
                assert update == update_on_topic(event.request_id, "ce-1", number, step.body, AT)
                record = update_record(department, update)
                assert decode(record.topic, record.key, record.value, record.headers).data == update


def test_each_step_and_each_event_has_an_update_id_of_its_own() -> None:
    body = {"action": "accept"}
    ids = {update_on_topic(ID, event, number, body, AT).update_id for event in ("a", "b") for number in (0, 1)}
    assert len(ids) == 4


# --- citizens ---


def test_intake_takes_whatever_citizens_say() -> None:
    said = Counter[str]()
    for line in DAY:
        for transition in ("received", "assigned", "asked.5", "closed"):
            call = reaction(line, transition)
            assert call == reaction(line, transition)
            if call is None:
                continue
            said[str(call.body.get("action", transition))] += 1
            if call.to == "replies":
                NewReply.model_validate(call.body)
            else:
                update = NewUpdate.model_validate(call.body)
                accept_update(
                    update,
                    request_id=ID,
                    department=TRIAGE_DEPARTMENT,
                    adapter="t",
                    idempotency_key="k",
                    secret=b"s",
                    now=AT,
                )
    assert {"cancel", "reopen", "asked.5", "received"} <= set(said)
    assert 0.5 < said["asked.5"] / len(DAY) < 0.9  # some never answer


def test_whoever_gave_no_contact_is_neither_asked_nor_calls() -> None:
    for line in DAY:
        if "citizen" not in line.body:
            assert story_of(line) not in (Story.ASKED, Story.CANCELLED, Story.REOPENED)


def test_a_request_is_reopened_once_and_cancelled_under_one_name() -> None:
    again = next(line for line in DAY if story_of(line) is Story.REOPENED)
    assert reaction(again, "closed")
    assert reaction(again, "closed.2") is None
    given_up = next(line for line in DAY if story_of(line) is Story.CANCELLED)
    names = {call.name for t in ("received", "assigned") if (call := reaction(given_up, t))}
    assert names == {"cancel"}
    assert reaction(given_up, "assigned.2") is None


# --- agreement ---


def test_all_agree_when_everything_is_there_even_twice() -> None:
    book = journal(*ALL, *ALL)
    assert on_topics(book, 1) == {}
    assert in_reporting(book, SHOWN, 1, []) == {}


def test_the_order_in_which_records_are_read_does_not_matter() -> None:
    book = journal(*reversed((*ALL, CLOSED)))
    assert figures(book.trace(ID)).status == "resolved"
    assert set(on_topics(book, 1)) == {"closed, but not told so", "with something that nobody was told"}


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
        "with something that nobody was told": [ID],
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
    assert in_reporting(book, {}, 1, []) == {"not in reporting": [ID]}
    for field, value in {"status": "triage", "reopened": 1, "escalated": True, "parts": 2, "master": MASTER}.items():
        other = {ID: Reported(FIGURES._replace(**{field: value}), "phone")}
        assert in_reporting(book, other, 1, []) == {"in another state in reporting": [ID]}
    assert in_reporting(book, SHOWN, 3, []) == {"summary.received grew by 3 instead of 1": [""]}


def part(kind: type[events.Lifecycle], seq: int, status: Status, **fields: Any) -> Seen:
    return seen(LIFECYCLE.name, on_part(kind, seq, status, **fields))


SPLIT = seen(LIFECYCLE.name, lifecycle(events.StatusChanged, 3, Status.IN_PROGRESS, parts=1, assignments=1))
PART_REGISTERED = part(events.RequestRegistered, 1, Status.RECEIVED)
PART_ASSIGNED = part(events.RequestAssigned, 2, Status.ASSIGNED)
PART_ON_TOPIC = seen(department_topic(HOLDER).name, on_part(events.RequestAssigned, 2, Status.ASSIGNED))
WITH_PART = (*ALL, SPLIT, PART_REGISTERED, PART_ASSIGNED, PART_ON_TOPIC)


def test_a_part_is_no_request_but_must_be_with_its_department_and_in_reporting() -> None:
    book = journal(*WITH_PART)
    assert on_topics(book, 1) == {}
    assert set(book.ours) == {ID}
    assert set(book.parts) == {PART}
    shown = {ID: Reported(figures(book.trace(ID)), "phone")}
    assert in_reporting(book, shown, 1, []) == {"not in reporting": [PART]}
    assert in_reporting(book, shown | {PART: Reported(figures(book.trace(PART)), "phone")}, 1, []) == {}


@pytest.mark.parametrize(
    ("missing", "complaint", "number"),
    [
        (PART_REGISTERED, "not registered exactly once", PART),
        (PART_ON_TOPIC, "not on the topic of the department that holds it", PART),
        (SPLIT, "with another number of parts than it says", ID),
    ],
)
def test_what_is_missing_of_a_part_is_named_with_its_number(missing: Seen, complaint: str, number: str) -> None:
    assert on_topics(journal(*(one for one in WITH_PART if one is not missing)), 1) == {complaint: [number]}


def told_of(transition: str, request_id: str = ID, recipient: str = "c_" + "0" * 32) -> Seen:
    sent = events.NotificationSent(
        request_id=request_id, transition=transition, recipient=recipient, channel="email", occurred_at=AT
    )
    return seen(NOTIFICATIONS.name, sent)


def test_a_citizen_who_hears_of_a_part_is_noticed() -> None:
    book = journal(*WITH_PART, told_of("assigned", PART))
    assert on_topics(book, 1) == {"a part that was told as if it were a request": [PART]}


def test_parts_that_ended_without_their_request_are_noticed() -> None:
    ended = part(events.StatusChanged, 3, Status.RESOLVED, outcome=Outcome.RESOLVED, closings=1)
    complaint = "ended, but its parts have not, or the other way round"
    assert complaint not in of_the_day(journal(*WITH_PART))
    assert of_the_day(journal(*WITH_PART, ended))[complaint] == [ID]


def test_an_escalation_must_reach_the_one_it_is_for() -> None:
    book = journal(*ALL, seen(LIFECYCLE.name, escalated(3)))
    assert on_topics(book, 1) == {"with something that nobody was told": [ID]}
    right, wrong = (f"staff:{HOLDER}:{level}" for level in (Level.DEPUTY_MAYOR, Level.HEAD))
    book.add(told_of("escalated.3", recipient=wrong), 10.7)
    assert on_topics(book, 1) == {"escalated, but the wrong person was told": [ID]}
    book = journal(*ALL, seen(LIFECYCLE.name, escalated(3)), told_of("escalated.3", recipient=right))
    assert on_topics(book, 1) == {}


def test_a_reply_must_reach_the_department() -> None:
    book = journal(*ALL)
    book.reply("r1", ID)
    assert on_topics(book, 1) == {"with a reply that its department did not get": [ID]}
    heard = lifecycle(events.ReplyReceived, 3, Status.ASSIGNED, reply="evet", assignments=1)
    book.add(seen(department_topic(HOLDER).name, heard), 10.7)
    assert on_topics(book, 1) == {}


def duplicate(*more: Seen) -> Journal:
    """
    A request that is a duplicate of one that was resolved.
    """
    closed = {"outcome": "duplicate", "closings": 1, "assignments": 1, "master_id": MASTER}
    ended = lifecycle(events.StatusChanged, 3, Status.DUPLICATE, **closed)
    master = lifecycle(events.StatusChanged, 5, Status.RESOLVED, request_id=MASTER, outcome="resolved", closings=1)
    return journal(*ALL, seen(LIFECYCLE.name, ended), told_of("closed"), seen(LIFECYCLE.name, master), *more)


def test_a_duplicate_must_hear_with_its_master() -> None:
    complaint = "a duplicate that has not heard what its master came to"
    assert on_topics(duplicate(), 1) == {complaint: [ID]}
    news = {"master_id": MASTER, "master_seq": 5, "assignments": 1}
    begun = lifecycle(events.MasterProgressed, 4, Status.DUPLICATE, master_status=Status.REOPENED, **news)
    book = duplicate(seen(LIFECYCLE.name, begun), told_of("followed.4"))
    assert on_topics(book, 1) == {complaint: [ID]}
    ended = lifecycle(events.MasterProgressed, 5, Status.DUPLICATE, master_status=Status.RESOLVED, **news)
    book.add(seen(LIFECYCLE.name, ended), 10.7)
    assert on_topics(book, 1) == {"with something that nobody was told": [ID]}
    book.add(told_of("followed.5"), 10.8)
    assert on_topics(book, 1) == {}


def test_the_team_s_visits_must_be_those_on_the_topics() -> None:
    held = lifecycle(events.RequestAssigned, 2, Status.ASSIGNED, assignments=1, team=TEAM)
    book = journal(REGISTERED, seen(LIFECYCLE.name, held), ON_TOPIC, TOLD, MERGED)
    shown = {ID: Reported(figures(book.trace(ID)), "phone")}
    complaint = f"on the visit list of {TEAM} or not, unlike on the topics"
    assert in_reporting(book, shown, 1, []) == {complaint: [ID]}
    assert in_reporting(book, shown, 1, [ID]) == {}
    assert in_reporting(journal(*ALL), SHOWN, 1, [ID]) == {complaint: [ID]}
    assert in_reporting(journal(*ALL), SHOWN, 1, [MASTER]) == {}  # another run's


def test_a_day_is_not_complete_before_every_state_occurred_and_the_forgotten_reached_the_deputy_mayor() -> None:
    book = journal(*ALL)
    assert f"no request was ever {Status.REOPENED}" in of_the_day(book)
    assert f"no request was ever {Status.ASSIGNED}" not in of_the_day(book)
    forgotten = next(line for line in DAY if line.hours_ago)
    book.accept(ID, Posted(forgotten, 10.0, 10.1))
    complaint = "forgotten, but the deputy mayor was not told"
    assert of_the_day(book)[complaint] == [ID]
    book.add(seen(LIFECYCLE.name, escalated(3)), 10.7)
    assert complaint not in of_the_day(book)


def test_a_need_that_comes_again_must_have_its_first_visit() -> None:
    book = journal(*ALL)
    book.accept(ID, Posted(next(line for line in DAY if line.weeks), 10.0, 10.1))
    complaint = "a need that comes again without a visit by its team"
    assert of_the_day(book)[complaint] == [ID]
    for record in (PART_REGISTERED, part(events.RequestAssigned, 2, Status.ASSIGNED, team=TEAM)):
        book.add(record, 10.7)
    assert complaint not in of_the_day(book)


def test_what_must_be_told_is_what_notify_tells() -> None:
    news = {"master_status": Status.RESOLVED, "master_seq": 1}
    clock = {"clock": Clock.PLAN, "level": Level.HEAD, "step": 1, "due_at": AT, "overdue": True}
    kinds: list[tuple[type[events.Lifecycle], Status, dict[str, Any]]] = [
        *((events.StatusChanged, status, {"closings": 2}) for status in Status),
        (events.RequestRegistered, Status.RECEIVED, {}),
        (events.RequestAssigned, Status.ASSIGNED, {"assignments": 2}),
        (events.RequestReopened, Status.REOPENED, {}),
        (events.LegalExtended, Status.ASSIGNED, {}),
        (events.CitizenReminded, Status.WAITING_CITIZEN, {}),
        (events.MasterProgressed, Status.DUPLICATE, news),
        (events.RequestEscalated, Status.ASSIGNED, clock),
        (events.NoteAdded, Status.ASSIGNED, {}),
        (events.ReplyReceived, Status.ASSIGNED, {}),
        (events.FollowerAdded, Status.ASSIGNED, {"follower": MASTER}),
    ]
    for kind, status, fields in kinds:
        for family in ({}, {"request_id": PART, "parent_id": ID}):
            event = lifecycle(kind, 9, status, **fields, **family)
            book = Journal()
            book.add(seen(LIFECYCLE.name, event), 1.0)
            assert book.trace(event.request_id).to_tell == {transition_of(event)} - {None}, (kind, status, family)


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
    assert told_in_words(book.ours.values()) == {"sent by sms": 1}
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
