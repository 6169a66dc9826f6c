"""
What is written into the database comes back as it was.
"""

from dataclasses import fields, replace
from datetime import UTC, date, timedelta

from services.common.contracts.vocabulary import Clock, DeliveryStatus, Language, Level, NotifyVia, Outcome, Status
from services.notify.documents import (
    contact_from,
    contact_to,
    report_from,
    report_to,
    telling_from,
    telling_to,
)
from services.notify.domain import Carried, Contact, Offer, Row, State, Telling
from services.notify.statuses import Reported
from services.notify.transitions import Facts
from tests.unit.notify.lives import CONTACT, NOON, REQUEST, assigned, contact, registered
from tests.unit.notify.tellings import after, row

FACTS = Facts(
    status=Status.REFERRED,
    department="fen-isleri",
    service_code="yol-cukur",
    outcome=Outcome.REFERRED,
    answer="Çukuru kapattık.",
    emergency=True,
    question="Nerede?",
    day=NOON,
    body="SASKİ",
    written_on=date(2026, 6, 1),
    reference="2026/4411",
    neighbourhood="Kadıköy",
    since=NOON,
    clock=Clock.LEGAL,
    level=Level.HEAD,
)
FULL = Row(
    transition="closed",
    recipient=CONTACT,
    seq=9,
    cause="cause",
    correlation_id="correlation",
    facts=FACTS,
    state=State.SENT,
    at=NOON,
    due_at=NOON,
    give_up_at=NOON,
    attempt=2,
    tries=3,
    claim="claim",
    channel=NotifyVia.WHATSAPP,
    reason="131026",
    superseded_by="assigned",
    provider_id="wamid.1",
    until=NOON,
    statutory=True,
    answers_them=True,
    survey=True,
    offers=(Offer("new"), Offer(f"req:{REQUEST}", REQUEST, "yol-cukur")),
    answers="wamid.2",
    about=REQUEST,
    held="quiet_hours",
    held_for="7" * 32,
    carries=(Carried("9" * 13, "closed", FACTS, NOON), Carried("8" * 13, "accepted.4", Facts(None))),
    carried_by="9999999999999/closed",
    counted=True,
    doubtful=True,
    reached=DeliveryStatus.READ,
    sent_at=NOON,
    ask_at=NOON,
    asked=4,
)


def test_the_full_row_is_full() -> None:
    plain = Row("t", CONTACT, 1, "c", "k", Facts(None), State.PARKED)
    assert [field.name for field in fields(Row) if getattr(FULL, field.name) == getattr(plain, field.name)] == [
        "recipient"
    ]


def test_a_telling_comes_back_as_it_was_with_everything_and_with_next_to_nothing() -> None:
    told = after(registered(), assigned())
    for telling in (told, replace(told, rows=(FULL, row(told, "received")), partner="samsun"), Telling(f"m_{9:032x}")):
        assert telling_from(telling_to(telling, telling.rev, NOON)) == telling


def test_what_the_driver_gives_in_another_zone_is_the_same_moment_in_ours() -> None:
    raw = telling_to(Telling(REQUEST, (FULL,)), 1, NOON)
    raw["rows"][0]["at"] = NOON.astimezone(tz=None)
    assert telling_from(raw).rows[0].at == NOON
    assert telling_from(raw).rows[0].at.tzinfo is UTC  # type: ignore[union-attr]


def test_contacts_and_reports_come_back_as_they_were() -> None:
    known = Contact.of(contact(phone="+905321112233", name="Ayşe", notify_via=NotifyVia.SMS, language=Language.EN))
    assert contact_from(contact_to(known)) == known
    erased = Contact(CONTACT, NOON + timedelta(hours=1), erased=True)
    assert contact_from(contact_to(erased)) == erased
    for reported in (
        Reported(None, "wamid.1", DeliveryStatus.FAILED, "131026", NOON),
        Reported("key", "wamid.1", DeliveryStatus.READ, None, NOON),
    ):
        assert report_from(report_to(reported)) == reported
