"""
The guide to the lifecycle, for people: everything in it comes from the code, the operators' files and the stories.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from deploy.lifecycle import words
from deploy.lifecycle.diagram import GROUPS, mermaid
from deploy.lifecycle.stories import Chapter, Story, Words, load_stories, shipped_rules
from deploy.lifecycle.tables import Row, actions
from deploy.stack.config import ROOT
from services.common.contracts.clocks import CALENDAR_DAYS, WORKING_DAYS
from services.common.contracts.vocabulary import CLOSED, STATUS_LABELS, Action, Level, Status
from services.routing.case import Rules
from services.routing.policy import LegalStep, Step
from services.routing.timing import UNACCEPTED, WAITING

DOCUMENT: Final = ROOT / "deploy" / "lifecycle.md"
PICTURE: Final = ROOT / "deploy" / "lifecycle.svg"

_INTRODUCTION: Final = """\
<!-- Written by `python -m deploy.lifecycle`. Edit the code, policy.yaml or stories.yaml instead, and write it anew. -->
# Bir başvurunun yaşamı / The life of a request

Bu kılavuz belediyede başvurularla çalışan herkes içindir.

1. Her başvuru bir numara alır ve her an **tek bir durumda**, **tek bir birimdedir**. Numara dışında ezber gerekmez.
2. Başvurunun konusu seçilmişse ya da kurallar metinden anlarsa doğrudan birime gider; anlaşılmazsa **masaya** (Halkla
   İlişkiler) düşer ve masa yerini bulur.
3. Birim **üstlenir**, çalışır, gerekirse vatandaşa **sorar** ya da başka kurumu **bekler**; sonunda bir **sonuç** ve
   vatandaşa bir **yazı** ile kapatır.
4. İş kendisinin değilse gerekçesiyle **reddeder**; doğru birimi biliyorsa söyler. Çok dolaşan başvuruya masa karar
   verir.
5. Vatandaş her önemli adımı kendi kanalından öğrenir. Parçalara bölünen iş için **bir kez** haber alır.
6. Süre dolarken önce birim, sonra müdürü, sonra başkan yardımcısı uyarılır. Vatandaş ya da başka kurum beklenirken
   çözüm süresi **durur**; yasaların verdiği süre **hiç durmaz**.
7. Kapanan başvuru sınırlı bir süre yeniden açılabilir. Aynı konudaki başvurular birbirine bağlanır; hepsi sonucu
   birlikte duyar.
8. Aşağıdaki öykülerin her biri yazılıma karşı denenir: burada yazan olmazsa yazılım yayımlanmaz.
9. Öykülerde her adımda **yalnız yazılanlar** olur: ✉ yoksa vatandaşa bir şey gitmez, ⏰ yoksa kimse uyarılmaz.
10. “Alındı” mesajı birim hemen belliyse birimi de söyler; iki mesaj gitmez.

*In English:* a request has one number, one state and one department at a time. The department accepts, works, asks or
waits, and closes with an outcome and a text; what is not its own it rejects with a reason. People are told of each
step, once. Clocks warn the department, its head, the deputy mayor; waiting stops the time to resolve, never a legal
term. Every story below is run against the software. In a step only what stands there happens: without ✉ no citizen is
written to, without ⏰ nobody is warned.
"""
_NEEDS: Final = {
    "note_internal": Words(tr="gerekçe ya da not", en="a reason or note"),
    "note_public": Words(tr="vatandaşa yazı", en="a text for the citizen"),
    "to": Words(tr="devralan birim", en="the department that takes over"),
    "planned_for": Words(tr="gün", en="the day"),
    "question": Words(tr="soru", en="the question"),
    "referred_to": Words(tr="kurumun adı (varsa tarih ve sayı)", en="the body (with date and number, if any)"),
    "parts": Words(tr="en az iki parça", en="two parts or more"),
    "outcome": Words(tr="sonuç", en="the outcome"),
    "master": Words(tr="asıl başvurunun numarası", en="the master's number"),
}
_ALSO: Final = {
    Action.EXTEND: Words(tr="yalnız 4982, bir kez", en="only law 4982, once"),
    Action.DUPLICATE: Words(tr="asıl başvuru kabul edince", en="once the master agrees"),
    Action.REJECT: Words(tr="doğru birim yazılırsa ona", en="to the department that it names, if any"),
}
_LAWS: Final = {"3071": "3071 (dilekçe)", "4982": "4982 (bilgi edinme)", "kvkk": "KVKK (6698)", "cimer": "CİMER"}


def document() -> str:
    """
    The whole guide. The same code and files always give the same text.
    """
    rules = shipped_rules()
    return "\n".join(
        [_INTRODUCTION, *_states(), *_actions(actions(rules)), *_clocks(rules), *_stories(load_stories())]
    ).replace("\n\n\n", "\n\n")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for cells in (head, ["---"] * len(head), *rows):
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ⏎ ") for cell in cells) + " |"
    yield ""


def _states() -> Iterator[str]:
    yield "## Durumlar / States\n"
    yield "![Durumlar / States](lifecycle.svg)\n"
    rows = []
    for status in Status:
        closed = STATUS_LABELS[status].open311 == "closed"
        if closed:
            clock = Words(tr="durmuş", en="stopped")
        elif status in WAITING:
            clock = Words(tr="**durur**", en="**stands still**")
        elif status in UNACCEPTED:
            clock = Words(tr="işler; üstlenme süresi de", en="runs; the time to accept too")
        else:
            clock = Words(tr="işler", en="runs")
        shown = Words(tr="kapalı", en="closed") if closed else Words(tr="açık", en="open")
        state = words.state(status)
        rows.append((state.tr, shown.tr, clock.tr, f"{state.en} (`{status}`)", shown.en, clock.en))
    yield from _table(("Durum", "", "Çözüm süresi", "State", "", "Time to resolve"), rows)
    yield "<details><summary>Aynı resim, Mermaid olarak / The same picture as Mermaid</summary>\n"
    yield f"```mermaid\n{mermaid()}```\n\n</details>\n"


def _actions(rows: Iterable[Row]) -> Iterator[str]:
    yield "## Kim ne yapabilir / Who may do what\n"
    yield (
        "Her işi başvurunun **bulunduğu birim** yapar; “masa da” yazanları masa (Halkla İlişkiler) da yapabilir. / "
        "The department that **holds** the request does everything; where it says so, the desk too.\n"
    )
    cells = []
    for row in rows:
        name, needs = words.ACTIONS[row.action], [_NEEDS[field] for field in row.needs]
        who = Words(tr="birim, masa da", en="holder, desk too") if row.desk else Words(tr="birim", en="holder")
        sources, targets = _sources(row.sources), [words.state(target) for target in row.targets]
        also = _ALSO.get(row.action)
        leads = Words(
            tr=", ".join(target.tr for target in targets) or "durum değişmez",
            en=", ".join(target.en for target in targets) or "the state stays",
        )
        cells.append(
            (
                f"**{name.tr}**",
                who.tr,
                ", ".join(need.tr for need in needs) or "–",
                sources.tr,
                leads.tr + (f" ({also.tr})" if also else ""),
                f"**{name.en}** (`{row.action}`): {who.en}; needs {', '.join(n.en for n in needs) or 'nothing'}; "
                f"from {sources.en}; leads to {leads.en}" + (f" ({also.en})" if also else ""),
            )
        )
    yield from _table(("Birim ne yapar", "Kim", "Ne gerekir", "Hangi durumda", "Nereye varır", "In English"), cells)


def _sources(states: Sequence[Status]) -> Words:
    """
    From which states, in as few words as say it exactly.
    """
    lasting, found = set(Status) - {Status.RECEIVED}, set(states)
    if found == lasting:
        return Words(tr="her durumda", en="any state")
    if found == lasting - CLOSED:
        return Words(tr="açıkken", en="any open state")
    for group in GROUPS:
        if found == set(group.states):
            return Words(tr=f"“{group.tr}”", en=f"“{group.en}”")
    if missing := lasting - CLOSED - found:
        left_out = [words.state(state) for state in Status if state in missing]
        if found < lasting - CLOSED and len(left_out) == 1:
            return Words(tr=f"açıkken, “{left_out[0].tr}” dışında", en=f"any open state but “{left_out[0].en}”")
    names = [words.state(state) for state in states]
    return Words(tr=", ".join(name.tr for name in names), en=", ".join(name.en for name in names))


def _hours(hours: float) -> Words:
    if hours < 1:
        return Words(tr=f"{hours * 60:g} dakika", en=f"{hours * 60:g} minutes")
    return Words(tr=f"{hours:g} saat", en=f"{hours:g} hours")


def _clock(kind: str) -> Words:
    return (
        Words(tr="gece gündüz", en="day and night") if kind == "cal" else Words(tr="çalışma saati", en="working hours")
    )


def _told(level: Level | None) -> Words:
    return Words(tr="masaya döner", en="back to the desk") if level is None else words.LEVELS[level]


def _clocks(rules: Rules) -> Iterator[str]:
    policy, catalogue = rules.policy, rules.book.catalogue
    yield "## Süreler ve uyarılar / Clocks and warnings\n"
    yield (
        "Çalışma saatleri ve tatiller `calendar.yaml`, süreler `policy.yaml` ve `catalogue.yaml` dosyalarındadır. / "
        "Working hours and holidays stand in `calendar.yaml`, times in `policy.yaml` and `catalogue.yaml`.\n"
    )
    accept = [
        (words.PRIORITIES[name], _hours(hours), _clock(kind))
        for name, (hours, kind) in catalogue.first_response_hours.items()
    ]
    accept.append(
        (Words(tr="acil durum", en="emergency"), _hours(policy.emergency_acceptance_minutes / 60), _clock("cal"))
    )
    accept.append((Words(tr="masada", en="with the desk"), _hours(policy.triage_hours), _clock("cal")))
    yield from _table(
        ("Üstlenmek için", "süre", "saat", "To accept", "time", "clock"),
        [(who.tr, time.tr, clock.tr, who.en, time.en, clock.en) for who, time, clock in accept],
    )
    yield from _table(
        ("Süre", "Dolan", "Kim uyarılır", "Clock", "Reached", "Who is told"),
        [
            *_steps(Words(tr="üstlenme", en="accept"), policy.acceptance),
            *_steps(Words(tr="çözüm (hizmete göre)", en="resolve (by service)"), policy.resolution),
            *_steps(Words(tr="yasal", en="legal"), policy.legal),
            (
                "söz verilen gün",
                "gün bitti",
                _told(Level.DEPARTMENT).tr,
                "promised day",
                "day over",
                _told(Level.DEPARTMENT).en,
            ),
        ],
    )
    days = {basis: Words(tr=f"{n} gün", en=f"{n} days") for basis, n in CALENDAR_DAYS.items()}
    days |= {
        basis: Words(tr=f"{short} iş günü; uzatılırsa {long}", en=f"{short} working days; extended {long}")
        for basis, (short, long) in WORKING_DAYS.items()
    }
    yield from _table(
        ("Yasa", "Süre (hiç durmaz)", "Term (never stands still)"),
        [(_LAWS[basis], term.tr, term.en) for basis, term in days.items()],
    )
    yield from _table(
        ("Sınır", "", "Limit"),
        [
            ("art arda kaç geri çevirmeden sonra masa karar verir", str(policy.bounces_to_triage), "bounces in a row"),
            ("soru kaç gün sonra hatırlatılır", str(policy.waiting_reminder_days), "days until a question's reminder"),
            (
                "yanıtsız kalan başvuru kaç gün sonra kapanır",
                str(policy.waiting_ends_days),
                "days until no reply closes",
            ),
            (
                "kapanan başvuru kaç gün içinde açılabilir",
                str(policy.reopening_days),
                "days in which it can be reopened",
            ),
            ("en çok kaç kez yeniden açılır", str(policy.max_reopenings), "reopenings at most"),
            ("en çok kaç parçaya bölünür", str(policy.max_parts), "parts at most"),
        ],
    )


def _steps(clock: Words, steps: Sequence[Step | LegalStep]) -> Iterator[tuple[str, ...]]:
    for step in steps:
        told = _told(step.tell)
        if isinstance(step, Step):
            reached = Words(tr=f"süre × {step.at:g}".replace(".", ","), en=f"time × {step.at:g}")
        elif step.days_before:
            reached = Words(tr=f"{step.days_before} gün kala", en=f"{step.days_before} days before the end")
        else:
            reached = Words(tr="süre doldu", en="the end")
        yield clock.tr, reached.tr, told.tr, clock.en, reached.en, told.en


def _stories(chapters: Sequence[Chapter]) -> Iterator[str]:
    number = 0
    yield f"## Öyküler / Stories ({sum(len(chapter.stories) for chapter in chapters)})\n"
    for chapter in chapters:
        yield f"### {chapter.tr} / {chapter.en}\n"
        for story in chapter.stories:
            number += 1
            yield f"#### {number}. {story.tr}\n\n*{story.en}*\n"
            yield from _table(("Ne zaman", "Ne olur", "Sonra ne doğrudur", "In English"), _story(story))


def _story(story: Story) -> Iterator[tuple[str, ...]]:
    for step in story.steps:
        when, who = words.moment(step.at), words.actor(step)
        must = list(words.expectations(story, step))
        yield (
            when.tr,
            f"**{who.tr}**<br>{step.tr}",
            "<br>".join(line.tr for line in must),
            f"{when.en}, **{who.en}**: {step.en}<br>→ " + "<br>".join(line.en for line in must),
        )
