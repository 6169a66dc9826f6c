"""
A made-up message for every template: what templates are tried with, and what their previews show.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

from services.common.contracts.vocabulary import (
    CLOSED,
    CLOSES_AS,
    Clock,
    Language,
    Level,
    NotifyVia,
    Outcome,
    Saying,
    Status,
)
from services.notify.domain import SAYING, STAFF, Carried, Offer, Row, State
from services.notify.expected import SUMMARY
from services.notify.messages import House
from services.notify.transitions import (
    ACCEPTED,
    ASKED,
    ASSIGNED,
    CLOSING,
    ESCALATED,
    EXTENDED,
    FOLLOWED,
    IN_PROGRESS,
    RECEIVED,
    REMINDED,
    REOPENED,
    SCHEDULED,
    WAITING,
    Facts,
)

REQUEST: Final = "7XK29MQ4T3BDM"
OTHERS: Final = ("3BDM7XK29MQ4T", "9MQ4T3BDM7XK2", "T3BDM7XK29MQ4", "K29MQ4T3BDM7X")
HOUSE: Final = House(
    {Language.TR: "İlkadım Belediyesi", Language.EN: "İlkadım Municipality"},
    "444 55 01",
    "https://talep.ilkadim.example",
    b"a secret of samples",
)
AT: Final = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
_SEQ: Final = 6
_RATED: Final = frozenset(Outcome) - {Outcome.INVALID, Outcome.CANCELLED, Outcome.DUPLICATE, Outcome.NO_REPLY}
_OF_STATUS: Final = {
    ACCEPTED: Status.ACCEPTED,
    IN_PROGRESS: Status.IN_PROGRESS,
    SCHEDULED: Status.SCHEDULED,
    ASKED: Status.WAITING_CITIZEN,
    REMINDED: Status.WAITING_CITIZEN,
    WAITING: Status.WAITING_EXTERNAL,
    EXTENDED: Status.ACCEPTED,
    REOPENED: Status.REOPENED,
}
USUAL: Final = Facts(
    Status.ASSIGNED,
    department="fen-isleri",
    service_code="yol-cukur",
    answer="Ekibimiz bugün yerinde inceledi; çukuru sıcak asfaltla kapattı.",
    question="Çukur, okulun ön kapısının mı yoksa arka kapısının mı önünde?",
    day=datetime(2026, 6, 3, 6, 30, tzinfo=UTC),
    body="SASKİ Genel Müdürlüğü",
    written_on=date(2026, 6, 1),
    reference="2026/4411",
    neighbourhood="Kadıköy",
    since=AT - timedelta(days=2),
    level=Level.HEAD,
)
LONGEST: Final = Facts(
    Status.ASSIGNED,
    department="iklim-sifir-atik",
    service_code="vefa-destek",
    answer="Ekibimiz sokağınıza geldi, konteyneri yıkadı ve yerine koydu. " * 12,
    question="Çöp konteyneri apartmanınızın hangi kapısının önünde duruyor? " * 12,
    emergency=True,
    day=datetime(2026, 9, 30, 10, 30, tzinfo=UTC),
    body="Samsun Büyükşehir Belediyesi Su ve Kanalizasyon İdaresi Genel Müdürlüğü (SASKİ)",
    written_on=date(2026, 9, 30),
    reference="E-73612948-622.03-2026/118842",
    neighbourhood="Kazım Karabekir",
    since=AT,
    level=Level.DEPUTY_MAYOR,
)
"""The longest values that are likely."""
LATEST: Final = timedelta(days=120, hours=23, minutes=59)
_USUALLY_LATE: Final = timedelta(hours=2, minutes=15)


def samples(
    facts: Facts, channel: NotifyVia | None = None, *, survey: bool = True, late: timedelta = _USUALLY_LATE
) -> dict[str, Row]:
    """
    One row for each template of a request or a conversation, all from these facts. ``survey``: those closings that may
    ask for a rating do. ``late``: how late it is when staff hear.
    """
    row = Row("", "c_" + "0" * 32, _SEQ, "", "", facts, State.SENDING, at=AT, channel=channel)
    triage = replace(facts, status=Status.TRIAGE, department=None)
    found = {
        RECEIVED: (RECEIVED, replace(facts, status=Status.RECEIVED, department=None)),
        f"{RECEIVED}_assigned": (RECEIVED, facts),
        f"{RECEIVED}_triage": (RECEIVED, triage),
        ASSIGNED: (ASSIGNED, facts),
        f"{ASSIGNED}_triage": (ASSIGNED, triage),
        **{kind: (f"{kind}.{_SEQ}", replace(facts, status=status)) for kind, status in _OF_STATUS.items()},
        CLOSING: (CLOSING, replace(facts, status=Status.RESOLVED, outcome=None)),
        **{
            f"{CLOSING}_{outcome}": (
                CLOSING,
                replace(facts, status=CLOSES_AS[outcome], outcome=outcome),
            )
            for outcome in Outcome
        },
        **{
            f"{FOLLOWED}_{status}": (f"{FOLLOWED}.{_SEQ}", replace(facts, status=status))
            for status in (Status.SCHEDULED, Status.REOPENED, *sorted(CLOSED))
        },
    }
    rated = {CLOSING, *(f"{CLOSING}_{outcome}" for outcome in _RATED)} if survey else frozenset()
    return {
        **{
            name: replace(row, transition=transition, facts=about, survey=name in rated)
            for name, (transition, about) in found.items()
        },
        **{
            f"{ESCALATED}_{clock}": replace(
                row,
                transition=f"{ESCALATED}.{_SEQ}",
                recipient=f"{STAFF}{facts.department}:{facts.level}",
                facts=replace(facts, clock=clock, day=AT),
                at=AT + late,
            )
            for clock in Clock
        },
        **{f"{SAYING}{saying}": _said(row, saying) for saying in Saying},
        SUMMARY: replace(row, transition=CLOSING, facts=found[CLOSING][1], carries=_carried(found)),
    }


def _carried(found: Mapping[str, tuple[str, Facts]]) -> tuple[Carried, ...]:
    news = (found[name] for name in (SCHEDULED, ASKED, WAITING, f"{FOLLOWED}_{Status.DUPLICATE}"))
    return tuple(Carried(number, *one, AT) for number, one in zip(OTHERS, news, strict=True))


def _said(row: Row, saying: Saying) -> Row:
    offers = {
        Saying.WHICH: (
            Offer(f"req:{REQUEST}", REQUEST, row.facts.service_code),
            Offer("req:3BDM7XK29MQ4T", "3BDM7XK29MQ4T", "konteyner-dolu"),
            Offer("new"),
        ),
        Saying.CLOSED: (Offer(f"reopen:{REQUEST}:{_SEQ}", REQUEST), Offer("new")),
    }.get(saying, ())
    about = REQUEST if saying in (Saying.ADDED, Saying.CLOSED, Saying.THANKS) else None
    return replace(row, transition=f"{SAYING}{saying}", seq=1, facts=Facts(status=None), offers=offers, about=about)
