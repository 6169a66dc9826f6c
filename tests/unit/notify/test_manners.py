"""
When a citizen may be written to, and when not.
"""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.vocabulary import NotifyVia
from services.notify import manners
from services.notify.domain import Contact, Person, Reason, Row, Rules, State, Telling, Told
from services.notify.manners import Go, Never, Wait
from services.notify.times import ISTANBUL
from services.notify.transitions import Facts
from tests.unit.notify.lives import CONTACT, NOON, REQUEST, contact

RULES = Rules(own_addresses=frozenset({"+905051785501", "ilkim@ilkadim.example"}))
AYSE = Contact.of(contact())
NOBODY = Person()
EVENING = datetime(2026, 6, 1, 22, 30, tzinfo=ISTANBUL)
MORNING = datetime(2026, 6, 2, 8, 0, tzinfo=ISTANBUL)


def message(transition: str = "accepted.4", seq: int = 4, **fields: Any) -> Row:
    facts = Facts(status=None, emergency=fields.pop("emergency", False))
    given: dict[str, Any] = {"recipient": CONTACT, "cause": "c", "correlation_id": "k", "at": NOON} | fields
    return Row(transition, seq=seq, facts=facts, **({"state": State.WAITING} | given))


def told(count: int, at: datetime, **fields: Any) -> tuple[Told, ...]:
    return tuple(Told(str(number), at, **fields) for number in range(count))


def decided(row: Row, now: datetime = NOON, person: Person = NOBODY, who: Contact = AYSE) -> Go | Wait | Never:
    return manners.decide(row, who, person, now, RULES)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (datetime(2026, 6, 1, 20, 59, 59, tzinfo=ISTANBUL), None),
        (datetime(2026, 6, 1, 21, 0, tzinfo=ISTANBUL), MORNING),
        (datetime(2026, 6, 2, 0, 0, tzinfo=ISTANBUL), MORNING),
        (datetime(2026, 6, 2, 7, 59, 59, tzinfo=ISTANBUL), MORNING),
        (MORNING, None),
    ],
)
def test_from_nine_in_the_evening_to_eight_nobody_is_written_to(now: datetime, until: datetime | None) -> None:
    assert decided(message(), now) == (Go() if until is None else Wait(until, Reason.QUIET_HOURS))


@pytest.mark.parametrize(("hour", "quiet"), [(12, False), (13, True), (14, True), (15, False)])
def test_quiet_hours_may_lie_within_a_day(hour: int, quiet: bool) -> None:
    rules = replace(RULES, quiet_from=time(13), quiet_until=time(15))
    now = datetime(2026, 6, 1, hour, 0, tzinfo=ISTANBUL)
    answer = manners.decide(message(), AYSE, NOBODY, now, rules)
    assert answer == (Wait(now.replace(hour=15), Reason.QUIET_HOURS) if quiet else Go())


@pytest.mark.parametrize(
    "row",
    [
        message("received", 1),
        message(emergency=True),
        message("say_which", 1),
        message("reopened.11", answers_them=True, at=EVENING - timedelta(minutes=15)),
    ],
    ids=lambda row: f"{row.transition}{'!' if row.facts.emergency else ''}",
)
def test_what_cannot_wait_goes_at_night_and_over_the_number_and_is_not_counted(row: Row) -> None:
    assert decided(row, EVENING, Person(told=told(9, EVENING))) == Go(counts=False)


def test_an_answer_that_comes_after_a_quarter_of_an_hour_is_like_any_other_message() -> None:
    late = message("reopened.11", answers_them=True, at=EVENING - timedelta(minutes=15, seconds=1))
    assert isinstance(decided(late, EVENING), Wait)


@pytest.mark.parametrize(("minutes", "answer"), [(15, Go), (16, Wait)])
def test_a_question_to_who_wrote_on_whatsapp_just_now_does_not_wait(minutes: int, answer: type) -> None:
    person = Person(last_in_at=EVENING - timedelta(minutes=minutes))
    assert isinstance(decided(message("asked.5"), EVENING, person), answer)
    assert isinstance(decided(message("scheduled.5"), EVENING, person), Wait), "it answers nothing"


def test_the_fifth_message_of_a_day_waits_for_nine_the_next_morning() -> None:
    nine = datetime(2026, 6, 2, 9, 0, tzinfo=ISTANBUL)
    assert decided(message(), NOON, Person(told=told(3, NOON))) == Go()
    assert decided(message(), NOON, Person(told=told(4, NOON))) == Wait(nine, Reason.DAILY_LIMIT)
    assert decided(message(), nine, Person(told=told(4, NOON))) == Go()


def test_the_day_is_istanbuls() -> None:
    after_midnight = datetime(2026, 6, 1, 0, 30, tzinfo=ISTANBUL)
    assert after_midnight.astimezone(UTC).day == 31
    assert isinstance(decided(message(), NOON, Person(told=told(4, after_midnight))), Wait)


@pytest.mark.parametrize("begun", [{"tries": 1}, {"attempt": 2, "channel": NotifyVia.EMAIL}])
def test_what_was_begun_is_not_held_back_by_the_number_but_by_the_night(begun: dict[str, Any]) -> None:
    full = Person(told=told(4, NOON))
    assert decided(message(**begun), NOON, full) == Go()
    assert isinstance(decided(message(**begun), EVENING, full), Wait)


@pytest.mark.parametrize("row", [message("closed", statutory=True), message("say_stopped", 1)])
def test_law_and_conversation_pass_the_word_stop(row: Row) -> None:
    assert isinstance(decided(row, NOON, Person(stopped=True)), Go)


@pytest.mark.parametrize("row", [message("received", 1), message("closed"), message(emergency=True)])
def test_who_wrote_stop_hears_nothing_else(row: Row) -> None:
    assert decided(row, NOON, Person(stopped=True)) == Never(Reason.STOPPED)


def test_what_the_law_wants_told_waits_for_the_morning() -> None:
    assert decided(message("closed", statutory=True), EVENING) == Wait(MORNING, Reason.QUIET_HOURS)


@pytest.mark.parametrize(
    "fields",
    [
        {"phone": "+905051785501", "email": None},
        {"whatsapp_id": "905051785501", "email": None},
        {"email": "ILKIM@ilkadim.example"},
    ],
)
def test_our_own_numbers_and_addresses_are_never_written_to(fields: dict[str, Any]) -> None:
    own = Contact.of(contact(**fields))
    assert decided(message(emergency=True), NOON, NOBODY, own) == Never(Reason.OWN_ADDRESS)


def test_the_second_attempt_goes_by_its_own_channel() -> None:
    both = Contact.of(contact(phone="+905051785501"))
    assert decided(message(), NOON, NOBODY, both) == Never(Reason.OWN_ADDRESS)
    assert decided(message(attempt=2, channel=NotifyVia.EMAIL), NOON, NOBODY, both) == Go()


def test_what_is_no_longer_worth_saying_is_not_said() -> None:
    row = message("say_which", 1, until=NOON)
    assert decided(row, NOON) == Go(counts=False)
    assert decided(row, NOON + timedelta(seconds=1)) == Never(Reason.TOO_OLD)


@pytest.mark.parametrize("recipient", ["staff:zabita:head", "partner:muhtar"])
def test_staff_and_partners_have_no_quiet_hours(recipient: str) -> None:
    assert decided(message(recipient=recipient), EVENING) == Go(counts=False)


@pytest.mark.parametrize(
    ("person", "asked"),
    [
        (NOBODY, True),
        (Person(told=told(1, NOON - timedelta(days=7), survey=True)), True),
        (Person(told=told(1, NOON - timedelta(days=6), survey=True)), False),
        (Person(told=told(1, NOON - timedelta(days=6))), True),
        (Person(stopped=True), False),
    ],
)
def test_stars_are_asked_for_once_a_week_at_most(person: Person, asked: bool) -> None:
    assert decided(message("closed", survey=True, statutory=True), NOON, person) == Go(survey=asked)
    assert decided(message("closed", statutory=True), NOON, person) == Go(survey=False)


def test_who_wishes_no_messages_is_not_asked_for_stars_with_what_the_law_wants_told() -> None:
    silent = Contact.of(contact(notify_via="none"))
    assert decided(message("closed", survey=True, statutory=True), NOON, NOBODY, silent) == Go(survey=False)


# --- the newest state wins ---


def held(transition: str, seq: int, **fields: Any) -> Row:
    return message(transition, seq, **({"held": Reason.QUIET_HOURS, "due_at": MORNING} | fields))


def superseded(*rows: Row) -> dict[str, str | None]:
    telling = manners.supersede(Telling(REQUEST, rows), MORNING)
    assert {row.transition for row in telling.rows} == {row.transition for row in rows}
    gone = [row for row in telling.rows if row.state is State.SUPPRESSED]
    assert all(row.reason == Reason.SUPERSEDED for row in gone)
    return {row.transition: row.superseded_by for row in gone}


def test_of_several_that_wait_the_newest_is_told() -> None:
    rows = held("accepted.4", 4), held("scheduled.5", 5), held("closed", 6)
    assert superseded(*rows) == {"accepted.4": "closed", "scheduled.5": "closed"}


def test_what_was_told_at_night_ends_what_waits_for_the_morning() -> None:
    assert superseded(held("closed", 6), message("reopened.7", 7, state=State.SENT)) == {"closed": "reopened.7"}


def test_what_another_message_told_ends_what_is_older() -> None:
    rows = held("accepted.4", 4), message("closed", 6, state=State.SUPPRESSED, reason=Reason.DIGEST)
    telling = manners.supersede(Telling(REQUEST, rows), MORNING)
    assert (telling.rows[0].reason, telling.rows[0].superseded_by) == (Reason.SUPERSEDED, "closed")


def test_what_the_law_wants_told_is_told_but_not_rated_once_it_is_open_again() -> None:
    rows = held("closed", 6, statutory=True, survey=True), message("reopened.7", 7, state=State.SENT)
    telling = manners.supersede(Telling(REQUEST, rows), MORNING)
    assert [(row.state, row.survey) for row in telling.rows] == [(State.WAITING, False), (State.SENT, False)]


@pytest.mark.parametrize(
    "rows",
    [
        (held("closed", 6, statutory=True), held("reopened.7", 7)),
        (held("accepted.4", 4), held("extended.5", 5, statutory=True)),
        (held("accepted.4", 4, doubtful=True), held("scheduled.5", 5)),
        (held("accepted.4", 4), held("scheduled.5", 5, recipient="partner:muhtar")),
        (held("accepted.4", 4), message("scheduled.5", 5, state=State.FAILED)),
        (message("accepted.4", 4), message("scheduled.5", 5)),
    ],
)
def test_nothing_else_is_taken_from_anybody(rows: tuple[Row, ...]) -> None:
    telling = Telling(REQUEST, rows)
    assert manners.supersede(telling, MORNING) is telling


# --- whatever comes, at any time ---

ROWS = st.builds(
    lambda kind, minutes, **fields: message(f"{kind}.4", at=NOON + timedelta(minutes=minutes), **fields),
    st.sampled_from(["received", "assigned", "scheduled", "asked", "extended", "closed", "reopened", "say_which"]),
    st.integers(0, 4_000),
    emergency=st.booleans(),
    statutory=st.booleans(),
    answers_them=st.booleans(),
    survey=st.booleans(),
)
PEOPLE = st.builds(
    Person,
    last_in_at=st.none() | st.integers(-4_000, 4_000).map(lambda minutes: NOON + timedelta(minutes=minutes)),
    stopped=st.booleans(),
    told=st.lists(
        st.builds(Told, st.just("k"), st.integers(-3_000, 4_000).map(lambda m: NOON + timedelta(minutes=m)))
    ).map(tuple),
)


@given(ROWS, PEOPLE, st.integers(0, 4_000))
def test_every_message_ends_and_what_is_no_exception_neither_at_night_nor_beyond_the_number(
    row: Row, person: Person, minutes: int
) -> None:
    now = NOON + timedelta(minutes=minutes)
    for _ in range(5):
        answer = decided(row, now, person)
        if not isinstance(answer, Wait):
            break
        assert answer.until > now
        now = answer.until
    assert isinstance(answer, Go | Never)
    if answer == Never(Reason.STOPPED):
        assert person.stopped
        assert not row.statutory
    if isinstance(answer, Go) and not manners.exempt(row, person, now, RULES):
        local = now.astimezone(ISTANBUL)
        assert time(8) <= local.time() < time(21)
        today = [one for one in person.told if one.at.astimezone(ISTANBUL).date() == local.date()]
        assert len(today) < RULES.daily_limit
        assert answer.counts


@given(st.lists(st.tuples(ROWS, st.integers(0, 600)), max_size=30))
def test_however_many_come_a_person_hears_four_a_day_besides_the_exceptions(arrivals: list[tuple[Row, int]]) -> None:
    now, person, went = NOON, NOBODY, list[datetime]()
    for row, pause in arrivals:
        now += timedelta(minutes=pause)
        at = now
        while isinstance(answer := decided(row, at, person), Wait):
            at = answer.until
        if isinstance(answer, Go) and answer.counts:
            person = replace(person, told=(*person.told, Told(str(len(went)), at)))
            went.append(at)
    days = [at.astimezone(ISTANBUL).date() for at in went]
    assert all(days.count(day) <= RULES.daily_limit for day in days)
