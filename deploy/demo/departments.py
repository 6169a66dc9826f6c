"""
What the simulated departments do with a request that comes in on their topic. Pure: the same request, the same answer.
"""

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from deploy.demo.day import Line
from services.common.contracts.catalogue import catalogue
from services.common.contracts.events import RequestAssigned, UpdateSubmitted
from services.common.contracts.ids import derived_id
from services.common.contracts.vocabulary import TRIAGE_DEPARTMENT, TRIAGE_SERVICE, Action, Outcome, Status

OWN_SYSTEMS: Final = frozenset(
    {
        "fen-isleri",
        "imar-sehircilik",
        "kultur-isleri",
        "mali-hizmetler",
        "park-bahceler",
        "sosyal-destek",
        "veteriner-isleri",
        "yazi-isleri",
    }
)
"""The departments that answer on updates.dept.<slug>, as with a system of their own; the others answer by HTTP."""

EXTERNAL_DESK: Final = "dis-kurum"
LEFT_IN_TRIAGE: Final = 0.15
PASSED_ON_DIRECTLY: Final = 0.35  # of the requests that came to the wrong department; the others are rejected
NOT_YET_ACCEPTED: Final = 0.04
STILL_IN_WORK: Final = 0.14
NOT_POSSIBLE: Final = 0.06

DONE: Final = (
    "{service} başvurunuz üzerine ekibimiz yerinde inceleme yaptı ve gereken çalışmayı tamamladı.",
    "Bildiriminiz için teşekkür ederiz. {service} konusundaki çalışmamız bugün tamamlandı.",
    "{service} ile ilgili talebiniz yerine getirildi.",
)
CANNOT: Final = "{service} başvurunuz incelendi; mevzuat ve program gereği bu talep şu anda karşılanamıyor."
OTHER_BODY: Final = "{service} konusu belediyemizin yetkisinde değildir. Bildiriminiz yetkili kuruma iletildi."
UNCLEAR: Final = (
    "Mesajınızdan ne istediğinizi anlayamadık. Yardıma ihtiyacınız olursa 444 55 01'den bize ulaşabilirsiniz."
)
NOT_OURS: Final = "Müdürlüğümüzün görev alanında değil."
BY_TRIAGE: Final = "Değerlendirme masası ilgili birime yönlendirdi."


@dataclass(frozen=True, slots=True)
class Step:
    """
    One update: so many seconds after the step before, this body (without the department, which is who acts).
    """

    after: float
    body: dict[str, Any]


def answer(department: str, event: RequestAssigned, line: Line) -> tuple[Step, ...]:
    """
    What the department that now holds the request does with it; nothing, if it leaves it lying.

    The triage desk passes on what it understands. Others accept and mostly resolve what is theirs, and reject or pass
    on what is not. A request that was settled at first contact is left alone.
    """
    if event.outcome is not None or line.body.get("answered"):
        return ()
    dice = random.Random(f"{line.name} {department} {event.seq}")
    hurry = 0.5 if event.emergency else 1.0
    first = dice.uniform(0.4, 1.6) * hurry
    responsible = catalogue().services[line.service].department
    if event.status is Status.TRIAGE:
        return _triage(first, responsible, line, dice)
    if department != responsible:
        return (_hand_on(first, responsible, line, dice),)
    if dice.random() < NOT_YET_ACCEPTED:
        return ()
    accept = Step(first, {"action": Action.ACCEPT})
    if dice.random() < STILL_IN_WORK:
        return (accept,)
    return accept, Step(dice.uniform(0.8, 4.0) * hurry, _resolve(department, line, dice))


def update_on_topic(request_id: str, event_id: str, number: int, body: dict[str, Any], at: datetime) -> UpdateSubmitted:
    """
    A step as an update for the department's topic. Its id derives from the event that is answered (its ce_id) and the
    step's number: a department that reads its topic again says the same again, and that has no second effect.
    """
    return UpdateSubmitted(request_id=request_id, update_id=derived_id(event_id, str(number)), submitted_at=at, **body)


def _triage(first: float, responsible: str, line: Line, dice: random.Random) -> tuple[Step, ...]:
    if dice.random() < LEFT_IN_TRIAGE:
        return ()
    if line.service == TRIAGE_SERVICE:
        closing = {"action": Action.RESOLVE, "outcome": Outcome.NO_ACTION_NEEDED, "note_public": UNCLEAR}
        return (Step(first, closing),)
    if responsible == TRIAGE_DEPARTMENT:  # the desk's own matters: it cannot pass them to itself
        return (Step(first, _resolve(responsible, line, dice)),)
    return (Step(first, _transfer(responsible, line, BY_TRIAGE)),)


def _hand_on(first: float, responsible: str, line: Line, dice: random.Random) -> Step:
    if dice.random() < PASSED_ON_DIRECTLY:
        return Step(first, _transfer(responsible, line, NOT_OURS))
    return Step(first, {"action": Action.REJECT, "note_internal": NOT_OURS})


def _transfer(to: str, line: Line, note: str) -> dict[str, Any]:
    return {"action": Action.TRANSFER, "to": to, "service_code": line.service, "note_internal": note}


def _resolve(department: str, line: Line, dice: random.Random) -> dict[str, Any]:
    if department == EXTERNAL_DESK:
        outcome, text = Outcome.NOT_OUR_RESPONSIBILITY, OTHER_BODY
    elif dice.random() < NOT_POSSIBLE:
        outcome, text = Outcome.NOT_POSSIBLE, CANNOT
    else:
        outcome, text = Outcome.RESOLVED, dice.choice(DONE)
    service = catalogue().services[line.service].tr
    return {"action": Action.RESOLVE, "outcome": outcome, "note_public": text.format(service=service)}
