"""
What the simulated departments do with what comes in on their topics. Pure: the same event, the same answer.
"""

import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from deploy.demo.day import ISTANBUL, Line
from deploy.demo.story import Story, story_of
from services.common.contracts.catalogue import catalogue
from services.common.contracts.events import (
    Lifecycle,
    RequestAssigned,
    RequestEscalated,
    RequestReopened,
    StatusChanged,
    UpdateSubmitted,
)
from services.common.contracts.ids import derived_id
from services.common.contracts.vocabulary import (
    TRIAGE_DEPARTMENT,
    TRIAGE_SERVICE,
    Action,
    Clock,
    Level,
    Outcome,
    Status,
)

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
SPLIT_BY_THE_DESK: Final = 0.2  # of what it finds a second department for
PASSED_ON_DIRECTLY: Final = 0.35  # of the requests that came to the wrong department; the others are rejected
NOT_YET_ACCEPTED: Final = 0.04
STILL_IN_WORK: Final = 0.14
BEGUN: Final = 0.5  # of the accepted; the others are settled without a word between
NOTED: Final = 0.06
DONE_BEFORE_ITS_DAY: Final = 0.3  # of the planned
OUTSIDE_ANSWERED: Final = 0.6  # of those that wait for another body
ANSWERED_IN_THE_LONGER_TERM: Final = 0.5
REFERRED: Final = 0.85  # of what is not the municipality's; the others are only told so
NOT_POSSIBLE: Final = 0.06

BODIES: Final = {  # by the catalogue's refer_to
    "saski": "SASKİ Genel Müdürlüğü",
    "edas": "Elektrik dağıtım şirketi",
    "dogalgaz": "Doğal gaz dağıtım şirketi",
    "sbb": "Samsun Büyükşehir Belediyesi",
    "112": "112 Acil Çağrı Merkezi",
}
WAITED_FOR: Final = {"fen-isleri": "saski", "park-bahceler": "edas", "temizlik-isleri": "saski", "yapi-kontrol": "sbb"}
BESIDE: Final = {  # what another department has to do as well, by the department whose matter it seems to be
    "fen-isleri": ("temizlik-isleri", "sokak-supurme", "Kazıdan kalan moloz ve çamurun temizlenmesi."),
    "temizlik-isleri": ("zabita", "kacak-dokum", "Çevreye kimin döktüğünün araştırılması."),
    "zabita": ("temizlik-isleri", "sokak-yikama", "Yerin temizlenmesi ve yıkanması."),
    "park-bahceler": ("fen-isleri", "kaldirim-bozuk", "Park çevresindeki kaldırımın onarılması."),
    "iklim-sifir-atik": ("zabita", "komsu-sikayeti", "İşletmenin denetlenmesi."),
    "yapi-kontrol": ("zabita", "kaldirim-isgali", "Yerin şeritle çevrilmesi, yayaların uzak tutulması."),
}

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
FOR_TWO: Final = "Konu iki birimimizi ilgilendiriyor; ikisi de kendi işini yapacak, sonucu size birlikte bildireceğiz."
SAME_THING: Final = "Aynı yer için daha önce bildirim var."
QUESTIONS: Final = (
    "Sorun tam olarak nerede? Kapı numarası ya da yakındaki bir yer yeterli.",
    "Sorun hâlâ sürüyor mu, günün hangi saatlerinde oluyor?",
    "Ekibimiz size hangi saatlerde ulaşabilir?",
)
WAITING_TEXT: Final = "Onların çalışması bitince biz devam edeceğiz."
LONGER: Final = "İstenen bilgi birden fazla birimden toplanıyor."
SEEN: Final = "Yerinde görüldü, malzeme istendi."


@dataclass(frozen=True, slots=True)
class Step:
    """
    One update: so many seconds after the step before, this body (without the department, which is who acts).
    """

    after: float
    body: dict[str, Any]


def answer(department: str, event: Lifecycle, line: Line, today: date, master: str | None) -> tuple[Step, ...]:
    """
    What the department that holds a request, or a part of one, does when it reads this event; mostly nothing.

    The triage desk passes on what it understands, or splits it. Others accept and mostly resolve what is theirs, and
    reject or pass on what is not. ``master``: the number of the request of ``line.again``. A request that was settled
    at first contact is left alone.
    """
    if event.department != department or event.outcome is not None or line.body.get("answered"):
        return ()
    part = event.request_id.partition(".")[2]
    work = _Work(department, event, line, today, random.Random(f"{line.name} {part} {department} {event.seq}"))
    match event:
        case RequestAssigned() if event.parent_id is not None:
            return work.visit() if line.weeks else work.part()
        case RequestAssigned():
            return work.taken_up(master)
        case RequestReopened() if event.parent_id is None:
            return work.done_at_last()
        case StatusChanged(status=Status.IN_PROGRESS, previous_status=Status.WAITING_CITIZEN):
            return (work.resolve(),)
        case RequestEscalated(clock=Clock.RESOLUTION, level=Level.DEPUTY_MAYOR):
            return work.done_at_last()
    return ()


@dataclass(frozen=True, slots=True)
class _Work:
    """
    A department with an event before it, and the dice that decide what it does.
    """

    department: str
    event: Lifecycle
    line: Line
    today: date
    dice: random.Random

    def taken_up(self, master: str | None) -> tuple[Step, ...]:
        """
        What it does with a request that has just come to it.
        """
        story, responsible = story_of(self.line), catalogue().services[self.line.service].department
        if story in (Story.CANCELLED, Story.FORGOTTEN) or self.line.weeks:
            return ()  # nobody gets to it; or its turns are the work
        if self.event.status is Status.TRIAGE:
            return self._triage(responsible)
        if self.department != responsible:
            return (self._hand_on(responsible),)
        if story is Story.TOLD_BEFORE and master is not None:
            return (self._first(Action.DUPLICATE, master=master, note_internal=SAME_THING),)
        if self.department == EXTERNAL_DESK:
            return self._elsewhere()
        match story:
            case Story.VISITED:
                return self.visit()
            case Story.PLANNED:
                return (*self.visit(), *self._perhaps(DONE_BEFORE_ITS_DAY, self.resolve()))
            case Story.ASKED:
                return self._accept(), self._next(Action.ASK, question=self.dice.choice(QUESTIONS))
            case Story.WAITED if self.department in WAITED_FOR:
                body = self._body(WAITED_FOR[self.department])
                wait = self._next(Action.WAIT, referred_to=body, note_public=WAITING_TEXT)
                return self._accept(), wait, *self._perhaps(OUTSIDE_ANSWERED, self._next(Action.START), self.resolve())
            case Story.EXTENDED:
                extend = self._next(Action.EXTEND, note_public=LONGER)
                return self._accept(), extend, *self._perhaps(ANSWERED_IN_THE_LONGER_TERM, self.resolve())
        return self._plain(goes_on=story is Story.REOPENED)

    def part(self) -> tuple[Step, ...]:
        """
        What it does with a part of a request: settle it, mostly.
        """
        return self._accept(), *self._perhaps(1 - STILL_IN_WORK, self.resolve())

    def visit(self) -> tuple[Step, ...]:
        """
        Accept, and say that somebody comes on the next working day.
        """
        day = self.today + timedelta(days=1)
        while day.weekday() > 4:
            day += timedelta(days=1)
        at = datetime.combine(day, time(9, 30), ISTANBUL)
        return self._accept(), self._next(Action.SCHEDULE, planned_for=at.isoformat())

    def done_at_last(self) -> tuple[Step, ...]:
        """
        Work on it at once and settle it.
        """
        return self._first(Action.START), self.resolve()

    def resolve(self) -> Step:
        """
        Settle it, with an outcome and a text.
        """
        service = self.line.service if self.event.parent_id is None else self.event.service_code
        if self.department == EXTERNAL_DESK:
            outcome, text = Outcome.NOT_OUR_RESPONSIBILITY, OTHER_BODY
        elif self.dice.random() < NOT_POSSIBLE:
            outcome, text = Outcome.NOT_POSSIBLE, CANNOT
        else:
            outcome, text = Outcome.RESOLVED, self.dice.choice(DONE)
        return self._next(Action.RESOLVE, outcome=outcome, note_public=_about(text, service))

    def _plain(self, *, goes_on: bool) -> tuple[Step, ...]:
        """
        Accept, begin, note, settle: some get only so far, unless it ``goes_on`` after the settling.
        """
        if not goes_on and self.dice.random() < NOT_YET_ACCEPTED:
            return ()
        begun = self._perhaps(BEGUN, self._next(Action.START))
        noted = self._perhaps(NOTED, self._next(Action.NOTE, note_internal=SEEN))
        if not goes_on and self.dice.random() < STILL_IN_WORK:
            return self._accept(), *begun, *noted
        return self._accept(), *begun, *noted, self.resolve()

    def _elsewhere(self) -> tuple[Step, ...]:
        service = catalogue().services[self.line.service]
        if service.refer_to not in BODIES or self.dice.random() >= REFERRED:
            return self._accept(), self.resolve()
        text = _about(OTHER_BODY, self.line.service)
        return self._accept(), self._next(Action.REFER, referred_to=self._body(service.refer_to), note_public=text)

    def _triage(self, responsible: str) -> tuple[Step, ...]:
        if self.dice.random() < LEFT_IN_TRIAGE:
            return ()
        if self.line.service == TRIAGE_SERVICE:
            return (self._first(Action.RESOLVE, outcome=Outcome.NO_ACTION_NEEDED, note_public=UNCLEAR),)
        if responsible == TRIAGE_DEPARTMENT:  # the desk's own matters: it cannot pass them to itself
            return (self.resolve(),)
        if responsible in BESIDE and self.dice.random() < SPLIT_BY_THE_DESK:
            other, service, what = BESIDE[responsible]
            parts = [
                {"to": responsible, "service_code": self.line.service, "note": BY_TRIAGE},
                {"to": other, "service_code": service, "note": what},
            ]
            return (self._first(Action.SPLIT, parts=parts, note_public=FOR_TWO),)
        return (self._transfer(responsible, BY_TRIAGE),)

    def _hand_on(self, responsible: str) -> Step:
        if self.dice.random() < PASSED_ON_DIRECTLY:
            return self._transfer(responsible, NOT_OURS)
        return self._first(Action.REJECT, note_internal=NOT_OURS)

    def _transfer(self, to: str, note: str) -> Step:
        return self._first(Action.TRANSFER, to=to, service_code=self.line.service, note_internal=note)

    def _accept(self) -> Step:
        return self._first(Action.ACCEPT)

    def _body(self, name: str) -> dict[str, Any]:
        return {"body": BODIES[name], "on": self.today.isoformat(), "reference": f"2026-{self.dice.randint(1, 99999)}"}

    def _perhaps(self, share: float, *steps: Step) -> tuple[Step, ...]:
        return steps if self.dice.random() < share else ()

    def _first(self, action: Action, **fields: Any) -> Step:
        return self._step(0.4, 1.6, action, fields)

    def _next(self, action: Action, **fields: Any) -> Step:
        return self._step(0.6, 2.5, action, fields)

    def _step(self, least: float, most: float, action: Action, fields: dict[str, Any]) -> Step:
        hurry = 0.5 if self.event.emergency else 1.0
        return Step(self.dice.uniform(least, most) * hurry, {"action": action, **fields})


def _about(text: str, service: str | None) -> str:
    """
    The text with the name of the service, without the catalogue's remarks in brackets.
    """
    return text.format(service=catalogue().services[service or TRIAGE_SERVICE].tr.partition(" (")[0])


def update_on_topic(request_id: str, event_id: str, number: int, body: dict[str, Any], at: datetime) -> UpdateSubmitted:
    """
    A step as an update for the department's topic. Its id derives from the event that is answered (its ce_id) and the
    step's number: a department that reads its topic again says the same again, and that has no second effect.
    """
    return UpdateSubmitted(request_id=request_id, update_id=derived_id(event_id, str(number)), submitted_at=at, **body)
