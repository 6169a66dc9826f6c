"""
Steps and expectations in words, Turkish and English.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from deploy.lifecycle.stories import ISTANBUL, Expected, Step, Story, Words
from services.common.contracts.catalogue import catalogue
from services.common.contracts.vocabulary import (
    STATUS_LABELS,
    Action,
    Clock,
    Level,
    Outcome,
    Priority,
    RefusalReason,
    Status,
)

_DAYS: Final = ("Pazartesi", "Salı", "Çarşamba", "Perşembe", "Cuma", "Cumartesi", "Pazar")
_MONTHS: Final = (
    "Ocak", "Şubat", "Mart", "Nisan", "Mayıs", "Haziran",
    "Temmuz", "Ağustos", "Eylül", "Ekim", "Kasım", "Aralık",
)  # fmt: skip
_DAYS_EN: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS_EN: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

ACTIONS: Final[dict[Action, Words]] = {
    Action.ACCEPT: Words(tr="üstlenir", en="accepts"),
    Action.REJECT: Words(tr="reddeder", en="rejects"),
    Action.TRANSFER: Words(tr="devreder", en="hands over"),
    Action.START: Words(tr="işe başlar / sürdürür", en="starts, goes on"),
    Action.SCHEDULE: Words(tr="gün verir", en="sets a day"),
    Action.ASK: Words(tr="vatandaşa sorar", en="asks the citizen"),
    Action.WAIT: Words(tr="başka kurumu bekler", en="waits for another body"),
    Action.EXTEND: Words(tr="yasal süreyi uzatır", en="extends the legal term"),
    Action.SPLIT: Words(tr="parçalara böler", en="splits"),
    Action.RESOLVE: Words(tr="sonuçlandırır", en="gives the outcome"),
    Action.REFER: Words(tr="başka kuruma havale eder", en="refers to another body"),
    Action.DUPLICATE: Words(tr="mükerrer olarak bağlar", en="ties to another request"),
    Action.CANCEL: Words(tr="vazgeçme üzerine kapatır", en="closes as withdrawn"),
    Action.REOPEN: Words(tr="yeniden açar", en="reopens"),
    Action.NOTE: Words(tr="iç not yazar", en="writes an internal note"),
}
OUTCOMES: Final[dict[Outcome, Words]] = {
    Outcome.RESOLVED: Words(tr="çözüldü", en="resolved"),
    Outcome.PARTLY_RESOLVED: Words(tr="kısmen çözüldü", en="partly resolved"),
    Outcome.NOT_POSSIBLE: Words(tr="yapılamıyor", en="not possible"),
    Outcome.NOT_OUR_RESPONSIBILITY: Words(tr="yetkimiz dışında", en="not our responsibility"),
    Outcome.NO_ACTION_NEEDED: Words(tr="işlem gerekmiyor", en="no action needed"),
    Outcome.INVALID: Words(tr="geçersiz", en="invalid"),
    Outcome.REFERRED: Words(tr="başka kuruma havale", en="referred to another body"),
    Outcome.DUPLICATE: Words(tr="mükerrer", en="duplicate"),
    Outcome.CANCELLED: Words(tr="vatandaş vazgeçti", en="withdrawn by the citizen"),
    Outcome.NO_REPLY: Words(tr="yanıt gelmedi", en="no reply"),
}
CLOCKS: Final[dict[Clock, Words]] = {
    Clock.ACCEPTANCE: Words(tr="üstlenme süresi", en="time to accept"),
    Clock.PLAN: Words(tr="söz verilen gün", en="promised day"),
    Clock.RESOLUTION: Words(tr="çözüm süresi", en="time to resolve"),
    Clock.LEGAL: Words(tr="yasal süre", en="legal term"),
}
LEVELS: Final[dict[Level, Words]] = {
    Level.DEPARTMENT: Words(tr="birim", en="the department"),
    Level.HEAD: Words(tr="birim müdürü", en="its head"),
    Level.DEPUTY_MAYOR: Words(tr="başkan yardımcısı", en="the deputy mayor"),
}
PRIORITIES: Final[dict[Priority, Words]] = {
    Priority.URGENT: Words(tr="çok acil", en="urgent"),
    Priority.HIGH: Words(tr="yüksek", en="high"),
    Priority.NORMAL: Words(tr="normal", en="normal"),
    Priority.LOW: Words(tr="düşük", en="low"),
}
REFUSALS: Final[dict[RefusalReason, Words]] = {
    RefusalReason.UNKNOWN_REQUEST: Words(tr="böyle bir başvuru yok", en="no such request"),
    RefusalReason.NOT_THE_HOLDER: Words(tr="başvuru bu birimde değil", en="another department holds it"),
    RefusalReason.FORBIDDEN_MOVE: Words(tr="bu durumda yapılamaz", en="not possible in this state"),
    RefusalReason.CHANGED_MEANWHILE: Words(tr="bu arada başkası işlem yaptı", en="somebody else was quicker"),
    RefusalReason.UNKNOWN_DEPARTMENT: Words(tr="böyle bir birim yok", en="no such department"),
    RefusalReason.UNKNOWN_SERVICE: Words(tr="böyle bir hizmet yok", en="no such service"),
    RefusalReason.UNKNOWN_MASTER: Words(tr="o başvuruya bağlanamaz", en="it cannot be tied to that request"),
    RefusalReason.TOO_LATE: Words(tr="süresi geçti", en="too late"),
    RefusalReason.TOO_MANY: Words(tr="sınır doldu", en="too many"),
    RefusalReason.INCOMPLETE: Words(tr="eksik bilgi", en="something is missing"),
}
TOLD: Final[dict[str, Words]] = {
    "received": Words(tr="başvurunuz alındı", en="received"),
    "assigned": Words(tr="şu birim ilgileniyor", en="with this department"),
    "accepted": Words(tr="birim üstlendi", en="accepted"),
    "in_progress": Words(tr="çalışma başladı", en="work has begun"),
    "scheduled": Words(tr="verilen gün", en="the day that was set"),
    "asked": Words(tr="bir sorumuz var", en="a question"),
    "reminded": Words(tr="yanıtınızı bekliyoruz", en="a reminder of the question"),
    "waiting": Words(tr="başka bir kurumu bekliyoruz", en="another body is waited for"),
    "extended": Words(tr="süre uzatıldı", en="the term is longer"),
    "closed": Words(tr="sonuç", en="the outcome"),
    "reopened": Words(tr="yeniden açıldı", en="reopened"),
    "followed": Words(tr="asıl başvurudan haber", en="news of the master"),
}
NOTED: Final[dict[str, Words]] = {
    "DuplicateReceived": Words(tr="ikinci içerik", en="another body"),
    "NoteAdded": Words(tr="iç not", en="internal note"),
    "ReplyReceived": Words(tr="vatandaşın yazdığı", en="what the citizen wrote"),
    "FollowerAdded": Words(tr="bağlanan başvuru", en="a request that follows"),
}


def moment(at: datetime) -> Words:
    """
    A time on the city's wall clock: ``1 Haziran 2026 Pazartesi 09.00``, ``Mon 1 Jun 2026 09:00``. Seconds only if any.
    """
    at = at.astimezone(ISTANBUL)
    seconds = ":%S" if at.second else ""
    clock = f"{at:%H:%M}" + (f"{at:{seconds}}" if seconds else "")
    return Words(
        tr=f"{at.day} {_MONTHS[at.month - 1]} {at.year} {_DAYS[at.weekday()]} {clock.replace(':', '.')}",
        en=f"{_DAYS_EN[at.weekday()]} {at.day} {_MONTHS_EN[at.month - 1]} {at.year} {clock}",
    )


def state(status: Status) -> Words:
    """
    A state as people see it.
    """
    return Words(tr=STATUS_LABELS[status].tr, en=STATUS_LABELS[status].en)


def department(slug: str) -> Words:
    """
    A department's name without remarks.
    """
    known = catalogue().departments[slug]
    return Words(tr=known.tr.partition(" (")[0], en=known.en.partition(" (")[0])


def service(code: str) -> Words:
    """
    A service's name.
    """
    known = catalogue().services[code]
    return Words(tr=known.tr, en=known.en)


def actor(step: Step) -> Words:
    """
    Who does what in a step.
    """
    if step.update is not None:
        who, what = department(step.update["department"]), ACTIONS[Action(step.update["action"])]
        return Words(tr=f"{who.tr} · {what.tr}", en=f"{who.en} · {what.en}")
    if step.request is not None:
        return Words(tr="Vatandaş · başvurur", en="Citizen · asks")
    if step.reply is not None:
        return Words(tr="Vatandaş · yazar", en="Citizen · writes")
    if step.crisis is not None:
        return Words(tr="Yönetim · kriz ilan eder", en="Management · declares a crisis")
    if step.rules is not None:
        return Words(tr="Görevli · kural dosyasını düzenler", en="Operator · edits the rules file")
    if step.reroute is not None:
        return Words(tr="Görevli · kuralları yeniden uygular", en="Operator · applies the rules again")
    if step.again:
        return Words(tr="Aynısı bir kez daha", en="The same once more")
    return Words(tr="Zaman geçer", en="Time passes")


def expectations(story: Story, step: Step) -> Iterator[Words]:
    """
    What must be true after a step, request by request.
    """
    if not any(set(expected.model_fields_set) for expected in step.then.values()):
        yield Words(tr="Hiçbir şey değişmez, kimseye bir şey yazılmaz.", en="Nothing changes and nobody is written to.")
    several = len({name for each in story.steps for name in each.then}) > 1
    for name, expected in step.then.items():
        lines = list(_lines(story, expected))
        if not lines:
            continue
        head = story.name_of(name)
        yield Words(
            tr=(f"*{head.tr}*<br>" if several else "") + "<br>".join(line.tr for line in lines),
            en=(f"*{head.en}*: " if several else "") + "; ".join(line.en for line in lines) + ".",
        )


def _lines(story: Story, e: Expected) -> Iterator[Words]:
    if e.refused is not None:
        why = REFUSALS[e.refused]
        yield Words(tr=f"**kabul edilmez**: {why.tr}", en=f"**refused**: {why.en}")
    if e.status is not None:
        yield Words(tr=f"durum **{state(e.status).tr}**", en=f"state **{state(e.status).en}**")
    if e.outcome is not None:
        yield Words(tr=f"sonuç: {OUTCOMES[e.outcome].tr}", en=f"outcome: {OUTCOMES[e.outcome].en}")
    if e.department is not None:
        yield Words(tr=f"birim: {department(e.department).tr}", en=f"department: {department(e.department).en}")
    if e.service is not None:
        yield Words(tr=f"hizmet: {service(e.service).tr}", en=f"service: {service(e.service).en}")
    if e.priority is not None:
        acil = Words(tr=" (acil durum)", en=" (emergency)") if e.emergency else Words(tr="", en="")
        yield Words(
            tr=f"öncelik: {PRIORITIES[e.priority].tr}{acil.tr}", en=f"priority: {PRIORITIES[e.priority].en}{acil.en}"
        )
    if e.team is not None:
        yield Words(tr=f"ekip: {e.team}", en=f"team: {e.team}")
    if e.master is not None:
        master = story.name_of(e.master)
        yield Words(tr=f"asıl başvuru: {master.tr}", en=f"master: {master.en}")
    yield from _times(e)
    yield from _counts(e)
    for label, text in (
        (Words(tr="vatandaşa yazı", en="text for the citizen"), e.text),
        (Words(tr="soru", en="question"), e.question),
        (Words(tr="beklenen ya da havale edilen kurum", en="the other body"), e.referred),
        (Words(tr="yalnız birim okur", en="for the holder's eyes alone"), e.reads),
    ):
        if text is not None:
            yield Words(tr=f"{label.tr}: “{text}”", en=f"{label.en}: “{text}”")
    for noted in e.noted:
        yield Words(tr=f"kayda geçer: {NOTED[noted].tr}", en=f"recorded: {NOTED[noted].en}")
    for told in e.told:
        yield Words(tr=f"✉ vatandaşa: {TOLD[told].tr}", en=f"✉ citizen: {TOLD[told].en}")
    for to in e.staff:
        who, what = LEVELS[to.level], CLOCKS[to.clock]
        yield Words(tr=f"⏰ uyarılan: **{who.tr}** ({what.tr})", en=f"⏰ told: **{who.en}** ({what.en})")


def _times(e: Expected) -> Iterator[Words]:
    for label, at in (
        (Words(tr="üstlenmek için son", en="accept by"), e.accept_by),
        (Words(tr="çözmek için son", en="resolve by"), e.due),
        (Words(tr="yasal son gün", en="legal term ends"), e.legal),
        (Words(tr="verilen gün", en="the day"), e.planned),
    ):
        if at is not None:
            yield Words(tr=f"{label.tr} {moment(at).tr}", en=f"{label.en} {moment(at).en}")
    if e.paused:
        yield Words(tr="çözüm süresi durdu", en="the time to resolve stands still")
    elif e.paused is False and e.status not in (Status.ASSIGNED, None):
        yield Words(tr="çözüm süresi yeniden işliyor", en="the time to resolve runs again")


def _counts(e: Expected) -> Iterator[Words]:
    for label, count in (
        (Words(tr="geri çevrilme", en="bounces"), e.bounces),
        (Words(tr="parça", en="parts"), e.parts),
        (Words(tr="bağlı başvuru", en="requests that follow"), e.followers),
        (Words(tr="yeniden açılma", en="reopenings"), e.reopenings),
    ):
        if count:
            yield Words(tr=f"{label.tr}: {count}", en=f"{label.en}: {count}")
