"""
What a request's document says, and that only the set of events decides it.
"""

import random
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.contracts import events
from services.common.contracts.envelope import Received
from services.common.contracts.topics import LIFECYCLE_TYPES
from services.common.contracts.vocabulary import Channel, Status
from services.reporting.projections import (
    Document,
    fold,
    inherit,
    inner_for,
    is_overdue,
    local_day,
    local_hour,
    safe_key,
    subject_of,
    tells_something,
)
from tests.builders import reply, update
from tests.unit.reporting.lives import CLERK, MASTER, PHOTO, START, Life, documents_of, random_life


def document_of(*received: Received) -> Document:
    """
    The document of the request itself, whatever parts it has.
    """
    return next(document for document in documents_of(received).values() if document["parent_id"] is None)


@given(seed=st.integers(0, 2**32), order=st.randoms(use_true_random=False))
@settings(max_examples=700)
def test_any_order_any_repetition_and_any_batches_give_the_same_documents(seed: int, order: random.Random) -> None:
    life = random_life(random.Random(seed), 1)

    shuffled = life.events + order.sample(life.events, order.randrange(len(life.events) + 1))
    order.shuffle(shuffled)
    found: dict[str, Document] = {}
    while shuffled:
        size = order.randrange(1, len(shuffled) + 1)
        batch, shuffled = shuffled[:size], shuffled[size:]
        for name in {subject_of(event) for event in batch}:
            document = fold(found.get(name), *(event for event in batch if subject_of(event) == name))
            if document is not None:
                found[name] = document
        for part in life.parts if order.random() < 0.5 or not shuffled else ():
            if part.request_id in found and life.request_id in found:
                found[part.request_id] = inherit(found[part.request_id], found[life.request_id])

    assert found == documents_of(life.events)


@given(seed=st.integers(0, 2**32), order=st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_folding_and_inheriting_change_nothing_that_they_were_given(seed: int, order: random.Random) -> None:
    life = random_life(random.Random(seed), 1)
    own = [event for event in life.events if subject_of(event) == life.request_id]
    cut = order.randrange(len(own))
    before = fold(None, *own[:cut])
    every = documents_of(life.events)
    kept = deepcopy((before, every))

    fold(before, *own[cut:])
    for part in life.parts:
        inherit(every[part.request_id], every[life.request_id])

    assert (before, every) == kept


def test_the_state_is_that_of_the_highest_seq() -> None:
    life = Life().receive().register().assign().move(events.StatusChanged, Status.ACCEPTED)

    assert document_of(*reversed(life.events))["status"] == "accepted"


def test_the_body_that_registration_names_counts_and_no_other() -> None:
    life = Life().receive("ilk", Channel.WEB).receive("ikinci", Channel.PHONE)
    life.register(cause=life.events[1].meta.id)

    document = document_of(*life.events)

    assert document["channel"] == "phone"
    assert document["bodies"][document["origin"]]["text"] == "ikinci"


def test_the_first_rating_of_the_last_ending_counts_and_a_reopening_is_no_rating() -> None:
    life = Life().receive().register().assign().close()
    first = life.seq
    assert document_of(*life.events)["rating"] is None
    life.rate(2).rate(5)
    assert document_of(*life.events)["rating"] == document_of(*reversed(life.events))["rating"] == 2
    life.rate(None).move(events.RequestReopened, Status.REOPENED).close()
    rated = document_of(*life.events)
    assert rated["rating"] == 2
    life.rate(4).rate(1, closing_seq=first)
    assert document_of(*life.events)["rating"] == 4
    assert set(rated["feedback"]) == {str(first)}


def test_what_departments_ask_and_citizens_write_is_not_kept() -> None:
    life = Life().receive().register().assign()
    meta = life.events[0].meta
    for said in (update(life.request_id, "accept"), reply(life.request_id)):
        assert not tells_something(Received("requests.updates", meta, said))


def test_a_retried_body_counts_with_its_earliest_time() -> None:
    life = Life().receive()
    first = life.events[0]
    assert isinstance(first.data, events.RequestReceived)
    later = first.data.model_copy(update={"received_at": first.data.received_at + timedelta(seconds=7)})
    retry = Received(first.topic, first.meta, later)
    life.register()

    assert document_of(retry, *life.events) == document_of(*life.events, retry) == document_of(*life.events)


def test_only_a_registered_request_counts() -> None:
    assert not document_of(*Life().receive().events)["registered"]
    assert document_of(*Life().receive().register().events)["registered"]


def test_until_its_body_is_here_the_registration_tells_when_a_request_came() -> None:
    life = Life().receive().register()

    assert document_of(life.events[1])["received_at"] == life.now
    assert document_of(*life.events)["received_at"] == life.now - timedelta(minutes=1)


def test_a_refusal_for_an_unknown_request_makes_no_document() -> None:
    refusal = events.UpdateRefused(
        request_id=Life().request_id, seq=0, occurred_at=Life().now, reason="unknown_request", detail="no case"
    )
    life = Life()
    life.receive()

    assert fold(None, Received("requests.lifecycle", life.events[0].meta, refusal)) is None


def test_a_refused_update_is_no_response_of_the_department() -> None:
    life = Life().receive().register().assign()
    life.move(events.UpdateRefused, Status.ASSIGNED, reason="forbidden_move", detail="hayır")

    document = document_of(*life.events)

    assert document["first_response_at"] is None
    assert len(document["history"]) == 3


@pytest.mark.parametrize(("hours", "on_time"), [(47, True), (49, False)])
def test_a_request_is_on_time_when_closed_by_its_due_time(hours: int, on_time: bool) -> None:
    life = Life().receive().register().assign().close(timedelta(hours=hours))

    document = document_of(*life.events)

    assert document["on_time"] is on_time
    assert document["closed_at"] == life.now
    assert document["outcome"] == "resolved"
    assert document["public_text"] == "yapıldı"
    assert document["hours_to_close"] == round(hours + 2 / 60, 4)


def test_what_follows_a_closing_does_not_move_its_time() -> None:
    life = Life().receive().register().assign().close()
    closed_at = life.now
    life.move(events.UpdateRefused, Status.RESOLVED, reason="forbidden_move", detail="hayır", public_text=None)

    document = document_of(*life.events)

    assert document["closed_at"] == closed_at
    assert document["public_text"] == "yapıldı"


def test_a_reopened_request_is_open_again_and_its_reopening_is_remembered() -> None:
    life = Life().receive().register().assign().close().reopen()

    document = document_of(*life.events)

    assert (document["closed"], document["closed_at"], document["outcome"]) == (False, None, None)
    assert document["reopened"] == 1
    assert document["public_text"] is None


def test_after_a_reopening_the_new_due_time_counts_and_the_first_closing_keeps_its_own() -> None:
    life = Life().receive().register().assign().close(timedelta(hours=50))
    first, first_due = life.now, life.due.resolve_by
    life.reopen().close(timedelta(hours=10))

    document = document_of(*life.events)

    assert document["resolve_by"] == life.due.resolve_by
    assert document["on_time"] is True
    assert [(one["at"], one["resolve_by"], one["on_time"]) for one in document["closings"]] == [
        (first, first_due, False),
        (life.now, life.due.resolve_by, True),
    ]


def test_the_counts_of_an_event_stand_and_are_not_counted_again() -> None:
    life = Life().receive().register().assign().keep(bounces=2, reopenings=3, followers=4, parts=5)
    life.remark(events.NoteAdded)

    document = document_of(*life.events)

    assert [document[name] for name in ("bounced", "reopened", "followers", "parts")] == [2, 3, 4, 5]


REMARKS: list[tuple[type[events.Lifecycle], dict[str, object]]] = [
    (events.DuplicateReceived, {"duplicate_event_id": "0" * 32}),
    (events.UpdateRefused, {"reason": "forbidden_move", "detail": "hayır"}),
    (events.NoteAdded, {}),
    (events.ReplyReceived, {}),
    (events.CitizenReminded, {"question": "?"}),
    (events.LegalExtended, {"legal": events.LegalClock(basis="4982", due_at=START, extended=True)}),
    (events.FollowerAdded, {"follower": MASTER}),
    (events.MasterProgressed, {"master_status": "resolved", "master_seq": 3}),
    (events.RequestEscalated, {"clock": "legal", "level": "head", "step": 2, "due_at": START, "overdue": True}),
]


@pytest.mark.parametrize(("kind", "more"), REMARKS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_remark_moves_none_of_the_times_of_a_life(kind: type[events.Lifecycle], more: dict[str, object]) -> None:
    plain, remarked = Life().receive().register(), Life().receive().register()
    remarked.remark(kind, after=timedelta(0), **more)
    for step in (Life.assign, Life.close, Life.reopen, Life.close):
        step(plain)
        step(remarked)
        remarked.remark(kind, after=timedelta(0), **more)
    one, other = document_of(*plain.events), document_of(*remarked.events)

    for name in ("assigned_at", "first_response_at", "closed_at", "on_time", "reopened", "bounced", "closings"):
        assert one[name] == other[name], name


def test_every_remark_is_in_the_contract_as_a_type_that_moves_nothing() -> None:
    moves = {events.RequestRegistered, events.RequestAssigned, events.StatusChanged, events.RequestReopened}

    assert {kind for kind, _ in REMARKS} == set(LIFECYCLE_TYPES) - moves


def test_a_request_is_not_overdue_while_it_waits_and_its_due_time_moves_with_the_pause() -> None:
    life = Life().receive().register().assign().pause(question="Hangi kapı?")
    due, since = life.due.resolve_by, life.now
    waiting = document_of(*life.events)
    life.resume(timedelta(hours=60))
    going_on = document_of(*life.events)

    assert (waiting["paused"], waiting["question"], is_overdue(waiting, due + timedelta(hours=1))) == (
        True,
        "Hangi kapı?",
        False,
    )
    assert (going_on["paused"], going_on["question"], going_on["resolve_by"]) == (
        False,
        None,
        due + timedelta(hours=60),
    )
    assert not is_overdue(going_on, going_on["resolve_by"])
    assert is_overdue(going_on, going_on["resolve_by"] + timedelta(milliseconds=1))
    assert going_on["pauses"] == [{"since": since, "until": life.now}]


def test_two_pauses_are_two_stretches_and_the_last_one_goes_on() -> None:
    life = Life().receive().register().assign().pause().resume().pause(Status.WAITING_EXTERNAL)
    life.remark(events.CitizenReminded)

    pauses = document_of(*life.events)["pauses"]

    assert [pause["until"] is None for pause in pauses] == [False, True]
    assert pauses[1]["since"] == life.due.paused_since


def test_closing_ends_a_pause_and_is_judged_as_of_when_the_clock_stopped() -> None:
    life = Life().receive().register().assign().pause().close(timedelta(hours=300))

    document = document_of(*life.events)

    assert (document["paused"], document["on_time"]) == (False, True)
    assert (document["pauses"][0]["until"], document["paused_since"]) == (life.now, None)


def test_an_escalation_is_told_with_its_clock_and_level() -> None:
    life = Life().receive().register().assign().escalate("head", 2, "acceptance")

    document = document_of(*life.events)

    assert document["escalations"] == [
        {"clock": "acceptance", "level": "head", "at": life.now, "due_at": life.due.resolve_by, "overdue": False}
    ]
    assert document["escalated"]
    assert not document_of(*Life().receive().register().assign().events)["escalated"]


def test_what_the_last_event_does_not_say_is_over() -> None:
    life = Life().receive().register().assign()
    life.move(events.StatusChanged, Status.SCHEDULED, planned_for=START + timedelta(days=2))
    planned = document_of(*life.events)
    life.move(events.StatusChanged, Status.WAITING_EXTERNAL, referred_to=events.Referral(body="SASKİ"))
    waiting = document_of(*life.events)

    assert planned["planned_for"] == START + timedelta(days=2)
    assert waiting["planned_for"] is None
    assert waiting["referred_to"] == {"body": "SASKİ", "on": None, "reference": None}


def test_the_last_day_of_the_law_is_the_day_in_istanbul() -> None:
    due = datetime(2026, 12, 2, 20, 59, 59, tzinfo=UTC)
    life = Life().receive().register().keep(legal=events.LegalClock(basis="3071", due_at=due)).assign()

    legal = document_of(*life.events)["legal"]

    assert legal == {"basis": "3071", "due_at": due, "extended": False, "on": "2026-12-02"}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Kadıköy", "Kadıköy"),
        ("KADIKOY MAH.", "Kadıköy"),
        ("Kadıköy Mahallesi", "Kadıköy"),
        ("Ali Kaya 05321234567", None),
    ],
)
def test_a_neighbourhood_is_one_of_the_citys_however_it_was_written_and_nothing_else(
    written: str, expected: str | None
) -> None:
    life = Life().receive("çukur", Channel.PHONE, mahalle=written).register().assign()

    assert document_of(*life.events)["neighbourhood"] == expected


def test_a_part_has_a_life_of_its_own_and_the_body_of_its_parent() -> None:
    life = Life().receive("duvar yıkıldı, araç da var", Channel.PHONE, mahalle="Kadıköy").register().assign().split(2)
    first, second = life.parts
    second.close()

    found = documents_of(life.events)

    part = found[second.request_id]
    assert (part["parent_id"], part["part"], part["registered"]) == (life.request_id, 2, True)
    assert (part["channel"], part["received_at"]) == ("phone", START)
    assert (part["neighbourhood"], part["department"], part["status"]) == ("Kadıköy", "fen-isleri", "resolved")
    assert part["bodies"][part["origin"]]["text"] == "duvar yıkıldı, araç da var"
    assert (part["place"], part["closed_day"], part["work"] is None) == (None, None, False)
    assert (found[first.request_id]["status"], found[life.request_id]["status"]) == ("assigned", "in_progress")
    assert found[life.request_id]["parts"] == 2


def test_a_turn_of_a_repeating_need_began_when_it_was_registered() -> None:
    life = Life().receive(repeat=events.Repeat(every_days=7, until=date(2026, 12, 31))).register().assign()
    life.now += timedelta(days=7)
    life.split(1)

    found = documents_of(life.events)

    assert found[life.request_id]["received_at"] == START
    assert found[life.parts[0].request_id]["received_at"] > START + timedelta(days=7)


def test_a_part_keeps_the_body_that_counts_when_it_inherits_from_a_parent_as_it_was_before() -> None:
    life = Life().receive().register().assign().split(2)
    first = life.events[0]
    assert isinstance(first.data, events.RequestReceived)
    later = first.data.model_copy(update={"received_at": first.data.received_at + timedelta(seconds=7)})
    before, after = fold(None, Received(first.topic, first.meta, later)), documents_of(life.events)
    part, parent = after[life.parts[0].request_id], after[life.request_id]
    assert before is not None

    assert inherit(inherit(part, parent), before) == inherit(inherit(part, before), parent) == part


def test_until_its_parents_body_is_here_a_part_came_when_it_was_registered() -> None:
    life = Life().receive().register().assign().split(2)
    registered = life.parts[0].now - timedelta(minutes=1)
    without = [event for event in life.events if event.topic != "requests.received"]

    document = documents_of(without)[life.parts[0].request_id]

    assert (document["received_at"], document["channel"]) == (registered, None)


def test_a_message_to_staff_is_no_message_to_the_citizen() -> None:
    life = Life().receive().register().tell("received", events.NotificationSent).assign().escalate()
    life.tell("escalated.3", events.NotificationSent, recipient="staff:fen-isleri:head")

    document = document_of(*life.events)

    assert document["messages"]["sent"] == 1
    assert sorted(step["staff"] for step in document["told"].values()) == [False, True]


def test_an_internal_note_and_a_reply_are_not_kept_from_where_they_do_not_belong() -> None:
    life = Life().receive().register().assign()
    life.remark(events.NoteAdded, note="gizli not").remark(events.ReplyReceived, reply="gizli yanıt")

    assert "gizli" not in str(document_of(*life.events))


def test_a_departments_words_are_for_its_own_eyes() -> None:
    life = Life().receive().register().assign("zabita").remark(events.NoteAdded, by=CLERK).whisper(note="ekip yarın")
    life.assign("fen-isleri").whisper(reason="kazı var").remark(events.ReplyReceived).whisper(reply="bakkalın önünde")

    document = document_of(*life.events)
    first, second = inner_for(document, {"zabita"}), inner_for(document, ["fen-isleri"])

    assert [(one["seq"], one["note"], one["by"], one["at"]) for one in first] == [
        (3, "ekip yarın", CLERK, life.now - timedelta(minutes=2))
    ]
    assert [(one["seq"], one.get("reason"), one.get("reply")) for one in second] == [
        (4, "kazı var", None),
        (5, None, "bakkalın önünde"),
    ]
    assert inner_for(document, set()) == []
    everything_else = {name: value for name, value in document.items() if name != "inner"}
    assert all(words not in str(everything_else) for words in ("ekip", "kazı", "bakkal"))


def test_a_departments_event_without_words_says_nothing_that_is_not_known() -> None:
    life = Life().receive().register().assign("zabita").whisper()
    spoken = Life().receive().register().assign("zabita").whisper(reason="")

    assert not tells_something(life.events[-1])
    assert fold(None, life.events[-1]) is None
    assert tells_something(spoken.events[-1])


def test_whoever_took_it_up_last_has_it_until_it_goes_to_another_department() -> None:
    other = "u_00000000000000c2"
    life = Life().receive().register().assign("zabita")
    assert document_of(*life.events)["assignee"] is None
    life.move(events.StatusChanged, Status.ACCEPTED, action="accept", by=CLERK)
    life.move(events.StatusChanged, Status.SCHEDULED, action="schedule", by=other)
    life.remark(events.NoteAdded, action="note", by=CLERK)
    life.remark(events.UpdateRefused, action="start", by=CLERK, reason="changed_meanwhile", detail="x")
    life.move(events.StatusChanged, Status.IN_PROGRESS)  # the citizen answered
    assert document_of(*life.events)["assignee"] == other
    assert document_of(*life.assign("fen-isleri").events)["assignee"] is None


def test_the_trail_says_where_it_was_since_when_and_who_decided() -> None:
    life = Life().receive().register().assign("zabita")
    life.assign("fen-isleri", action="reject", by=CLERK, decided_by="person").assign("zabita")

    document = document_of(*life.events)

    assert [(step["department"], step["action"], step["by"]) for step in document["trail"]] == [
        ("zabita", None, None),
        ("fen-isleri", "reject", CLERK),
        ("zabita", None, None),
    ]
    assert [step["at"] for step in document["trail"]] == [life.now - timedelta(minutes=n) for n in (2, 1, 0)]
    assert document["held_by"] == ["zabita", "fen-isleri"]
    assert document["last_seq"] == 4


def test_what_the_classifier_took_it_for_stays_when_its_guess_came_back() -> None:
    guesses = [
        events.Candidate(service_code=code, department="zabita", confidence=0.4) for code in ("gurultu", "isgal")
    ]
    life = Life().receive().register().assign("zabita", candidates=guesses, model="m1").assign("fen-isleri")

    document = document_of(*life.events)

    assert [one["service_code"] for one in document["candidates"]] == ["gurultu", "isgal"]
    assert (document["model"], document["confidence"]) == ("m1", None)


def test_photos_are_all_that_were_shown_in_order_and_once() -> None:
    one, two = PHOTO, "a_" + "2" * 32
    life = Life().receive().register().assign()
    life.remark(events.NoteAdded, photos=[two]).move(events.StatusChanged, Status.RESOLVED, photos=[one, two])

    assert document_of(*reversed(life.events))["photos"] == [two, one]


def test_the_next_clock_is_the_soonest_that_runs() -> None:
    life = Life().receive().register()
    life.due = life.due.model_copy(update={"accept_by": START + timedelta(hours=1)})
    life.keep(legal=events.LegalClock(basis="3071", due_at=START + timedelta(days=30))).assign()

    def clock() -> tuple[str | None, datetime | None]:
        document = document_of(*life.events)
        return document["next_clock"], document["next_due"]

    assert clock() == ("acceptance", START + timedelta(hours=1))
    life.due = life.due.model_copy(update={"accept_by": None})
    life.move(events.StatusChanged, Status.ACCEPTED)
    assert clock() == ("resolution", START + timedelta(hours=48))
    life.pause()
    assert clock() == ("legal", START + timedelta(days=30))
    life.close()
    assert clock() == (None, None)
    life.reopen()
    assert clock() == ("resolution", life.due.resolve_by)


def test_what_is_looked_for_is_folded_and_has_number_service_place_and_words() -> None:
    life = Life().receive("Çukur ÇOK derin", mahalle="Kadıköy", address="Lale Sk. 14").register().assign()

    found = document_of(*life.events)["search"]

    number = life.request_id.lower()
    for words in (number, f"{number[:4]}-{number[4:8]}", "cukur cok derin", "kadikoy", "lale sk. 14", "pothole"):
        assert words in found


def test_a_late_failure_adds_to_an_attempt_and_does_not_reopen_it() -> None:
    life = Life().receive().register().tell("received", events.NotificationSent, channel="email")
    life.tell("received", events.NotificationFailed, late=True, reason="bounced")

    document = document_of(*life.events)

    assert document["told_received"] == "sent"
    assert sorted(entry["late"] for entry in document["told"].values()) == [False, True]


def test_the_last_attempt_says_what_became_of_a_message() -> None:
    life = Life().receive().register().tell("received", events.NotificationFailed)
    life.tell("received", events.NotificationSent, attempt=2)

    assert document_of(*life.events)["told_received"] == "sent"


@pytest.mark.parametrize(
    ("moment", "day", "hour"),
    [
        (datetime(2026, 11, 24, 20, 59, 59, tzinfo=UTC), "2026-11-24", "2026-11-24T23"),
        (datetime(2026, 11, 24, 21, 0, tzinfo=UTC), "2026-11-25", "2026-11-25T00"),
        (datetime(2015, 12, 31, 21, 59, tzinfo=UTC), "2015-12-31", "2015-12-31T23"),
        (datetime(2026, 7, 1, 21, 0, tzinfo=UTC), "2026-07-02", "2026-07-02T00"),
    ],
)
def test_a_day_begins_at_midnight_in_istanbul(moment: datetime, day: str, hour: str) -> None:
    assert local_day(moment) == day
    assert local_hour(moment) == hour


@pytest.mark.parametrize("text", ["a.b", "$where", "a\0b", "", "ş", "x" * 65])
def test_a_key_that_mongodb_would_not_take_is_replaced(text: str) -> None:
    assert safe_key(text) != text
    assert safe_key(safe_key(text)) == safe_key(text)
