"""
Who hears besides the citizen, what is said in a conversation, and what a message's manners depend on.
"""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.envelope import decode
from services.common.contracts.events import LegalClock, Lifecycle, MessageWanted, Notification, Option
from services.common.contracts.ids import derived_id
from services.common.contracts.vocabulary import ANSWERS, Action, Channel, NotifyVia, Outcome, Saying
from services.notify import planning
from services.notify.domain import CONVERSATION, Contact, Offer, Row, State, Telling
from tests.unit.notify.lives import (
    CONTACT,
    EVENTS,
    NOON,
    REQUEST,
    TOLD,
    assigned,
    bounced,
    closed,
    contact,
    escalated,
    extended,
    meta,
    registered,
    reminded,
    reopened,
    scheduled,
)
from tests.unit.notify.tellings import AYSE, RULES, WHATSAPP, after, row

PARTNERS = frozenset({"muhtar-app"})
SILENT = Contact.of(contact(notify_via="none"))
LEGAL = LegalClock(basis="3071", due_at=NOON + timedelta(days=30))


def told_to_partner(*events: Lifecycle, telling: Telling | None = None, late: timedelta = timedelta()) -> Telling:
    telling = telling or Telling(REQUEST)
    for event in events:
        telling = planning.absorb(telling, meta(event), event, AYSE, NOON + late, RULES, PARTNERS)
    return telling


def of_partner(telling: Telling) -> dict[str, Row]:
    return {one.transition: one for one in telling.rows if one.for_partner}


def test_a_partners_system_hears_of_each_step_by_itself_and_at_once() -> None:
    telling = told_to_partner(registered(adapter="muhtar-app"), assigned(), scheduled(), closed())
    rows = of_partner(telling)
    assert list(rows) == ["received", "assigned", "scheduled.6", "closed"]
    for one in rows.values():
        assert (one.recipient, one.channel, one.due_at) == ("partner:muhtar-app", NotifyVia.WEBHOOK, NOON)
        assert one.state is State.WAITING
    assert row(telling, "assigned").reason == "merged", "the citizen hears as ever"


@given(st.permutations([event for event in EVENTS if event.contact_id]))
def test_a_partner_hears_of_each_step_in_whichever_order_it_comes_to_us(events: list[Lifecycle]) -> None:
    mine = registered(adapter="muhtar-app")
    events = [mine if event == registered() else event for event in events]
    telling = told_to_partner(*events)
    assert of_partner(telling).keys() == {
        transition for transition in TOLD if not transition.startswith(("escalated", "reminded"))
    } - {"assigned.3"}
    assert told_to_partner(*events, telling=telling) is telling


@pytest.mark.parametrize("adapter", [None, "ilkim-web"])
def test_who_is_no_partner_hears_by_no_webhook(adapter: str | None) -> None:
    assert of_partner(told_to_partner(registered(adapter=adapter), assigned())) == {}


def test_neither_reminders_nor_escalations_nor_inner_moves_nor_questions_are_a_partners_business() -> None:
    moves = (registered(adapter="muhtar-app"), reminded(), escalated(), bounced(3))
    rows = of_partner(told_to_partner(*moves))
    assert list(rows) == ["received"]
    asked = of_partner(told_to_partner(registered(adapter="muhtar-app"), *[e for e in EVENTS if e.seq == 7]))
    assert asked["asked.7"].facts.question is None


def test_what_is_a_week_old_is_no_partners_news_either() -> None:
    rows = of_partner(told_to_partner(registered(adapter="muhtar-app"), late=timedelta(days=8)))
    assert rows["received"].reason == "too_old"


# --- what manners depend on ---


@pytest.mark.parametrize(
    ("event", "statutory"),
    [
        (closed(), False),
        (closed(legal=LEGAL), True),
        (extended(), True),
        (scheduled(legal=LEGAL), False),
    ],
)
def test_the_law_wants_its_answer_and_its_longer_term_told(event: Lifecycle, statutory: bool) -> None:
    (one,) = after(event).rows
    assert one.statutory is statutory
    (silent,) = after(event, who=SILENT).rows
    assert silent.reason == (None if statutory else "not_wanted")


@pytest.mark.parametrize(
    ("event", "answers"),
    [
        (reopened(), True),
        (reopened(action=Action.REOPEN), False),
        (assigned(received_at=NOON - timedelta(minutes=15)), True),
        (closed(received_at=NOON - timedelta(minutes=16)), False),
        (closed(), False),
    ],
)
def test_what_the_citizen_did_a_moment_ago_is_answered(event: Lifecycle, answers: bool) -> None:
    (one,) = after(event).rows
    assert one.answers_them is answers


@pytest.mark.parametrize("outcome", Outcome)
def test_stars_are_asked_of_whom_a_department_answered(outcome: Outcome) -> None:
    assert row(after(closed(outcome=outcome)), "closed").survey is (
        outcome in (ANSWERS - {Outcome.INVALID}) | {Outcome.REFERRED}
    )


# --- conversations ---


def wanted(**fields: Any) -> MessageWanted:
    given = {
        "wanted_id": derived_id("w"),
        "person": derived_id("p"),
        "contact_id": CONTACT,
        "channel": Channel.WHATSAPP,
        "say": Saying.WHICH,
        "options": (Option(id=f"req:{REQUEST}", request_id=REQUEST, service_code="cop-alinmadi"), Option(id="new")),
        "answers": "wamid.1",
        "wanted_at": NOON,
        "until": NOON + timedelta(minutes=10),
    }
    return MessageWanted(**(given | fields))


def said(
    event: MessageWanted, who: Contact | None = WHATSAPP, late: float = 0, telling: Telling | None = None
) -> Telling:
    telling = telling or Telling(f"{CONVERSATION}{event.wanted_id}")
    return planning.absorb_wanted(telling, meta(event), event, who, NOON + timedelta(seconds=late), RULES)


def test_what_intake_wants_said_is_said_at_once_with_its_choices_and_published_nowhere() -> None:
    telling = said(wanted(request_id=REQUEST))
    (one,) = telling.rows
    assert (one.transition, one.recipient, one.channel, one.due_at) == ("say_which", CONTACT, NotifyVia.WHATSAPP, NOON)
    assert one.offers == (Offer(f"req:{REQUEST}", REQUEST, "cop-alinmadi"), Offer("new"))
    assert (one.answers, one.about, one.until) == ("wamid.1", REQUEST, NOON + timedelta(minutes=10))
    assert telling.outbox == ()
    assert said(wanted(), telling=telling) is telling


def test_advice_to_call_112_is_an_emergency() -> None:
    assert [one.facts.emergency for one in said(wanted(say=Saying.DANGER)).rows] == [True]
    assert [one.facts.emergency for one in said(wanted()).rows] == [False]


@pytest.mark.parametrize(
    ("fields", "who", "late", "reason"),
    [
        ({}, WHATSAPP, 601, "too_old"),
        ({"contact_id": "contact:none"}, None, 0, "no_contact"),
        ({}, Contact(CONTACT, NOON, erased=True), 0, "erased"),
    ],
)
def test_what_cannot_be_said_ends(fields: dict[str, Any], who: Contact | None, late: float, reason: str) -> None:
    (one,) = said(wanted(**fields), who, late).rows
    assert (one.state, one.reason) == (State.SUPPRESSED, reason)


def test_what_is_said_waits_for_its_contact() -> None:
    assert said(wanted(), who=None).parked_for == [CONTACT]


def test_what_is_published_names_the_partners_system() -> None:
    telling = told_to_partner(registered(adapter="muhtar-app"))
    told = [decode(record.topic, record.key, record.value, record.headers).data for record in telling.outbox]
    recipients = [data.recipient for data in told if isinstance(data, Notification)]
    assert recipients == ["partner:muhtar-app", CONTACT]
