"""
The words: templates from ``templates/``, checked when they are read, filled with nothing that a citizen wrote.
"""

import html
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from string import Template
from typing import Final
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import family_of, grouped
from services.common.contracts.tracking import LINK_LASTS, Purpose, token
from services.common.contracts.vocabulary import Clock, Language, Level, Outcome, Status
from services.notify.domain import Row
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

TEMPLATES: Final = Path(__file__).with_name("templates")
SHORT_LIMIT: Final = 300
ISTANBUL: Final = ZoneInfo("Europe/Istanbul")
_COMMON: Final = frozenset({"number", "url", "municipality", "phone"})
_MAIL_ONLY: Final = frozenset({"neighbourhood", "since", "role"})  # a short message has no room for them
_SUBJECT: Final = frozenset({"number", "urgent"})
_STAFF: Final = frozenset({"department", "service", "neighbourhood", "since", "day", "late", "urgent", "role"})
_ANSWER: Final = frozenset({"answer"})
_ADVICE: Final = frozenset({"advice"})
# Which placeholders each template may, and for those named here must, have.
EXPECTED: Final[dict[str, frozenset[str]]] = {
    RECEIVED: _ADVICE,
    f"{RECEIVED}_assigned": _ADVICE | {"department"},
    f"{RECEIVED}_triage": _ADVICE,
    ASSIGNED: _ADVICE | {"department"},
    f"{ASSIGNED}_triage": _ADVICE,
    ACCEPTED: frozenset({"department", "answer"}),
    IN_PROGRESS: frozenset({"department", "answer"}),
    SCHEDULED: frozenset({"day", "answer"}),
    ASKED: frozenset({"question", "answer"}),
    REMINDED: frozenset({"question"}),
    WAITING: frozenset({"body", "answer"}),
    EXTENDED: frozenset({"day", "answer"}),
    CLOSING: _ANSWER,
    **{f"{CLOSING}_{outcome}": _ANSWER for outcome in Outcome},
    f"{CLOSING}_{Outcome.REFERRED}": frozenset({"body", "answer"}),
    # What routing writes by itself here is Turkish alone and says what the template says in both languages.
    f"{CLOSING}_{Outcome.DUPLICATE}": frozenset(),
    f"{CLOSING}_{Outcome.NO_REPLY}": frozenset(),
    REOPENED: frozenset({"department"}),
    f"{FOLLOWED}_{Status.SCHEDULED}": frozenset({"day", "answer"}),
    f"{FOLLOWED}_{Status.RESOLVED}": _ANSWER,
    f"{FOLLOWED}_{Status.REJECTED}": _ANSWER,
    f"{FOLLOWED}_{Status.REFERRED}": _ANSWER,
    # What was written to the master's citizen here (you withdrew, you did not answer) is not for the duplicate's.
    f"{FOLLOWED}_{Status.CANCELLED}": frozenset(),
    f"{FOLLOWED}_{Status.DUPLICATE}": frozenset(),
    f"{FOLLOWED}_{Status.REOPENED}": frozenset(),
    **{f"{ESCALATED}_{clock}": _STAFF for clock in Clock},
}


class BrokenTemplates(Exception):
    """
    A template file is not as it must be; the message names the file, the template and what is wrong.
    """


@dataclass(frozen=True, slots=True)
class Choice:
    """
    What the reader can tap: a button or a row of a list. ``id`` comes back when they do.
    """

    id: str
    title: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class TemplateCall:
    """
    The same message as one of the templates that Meta has approved: its name, language, what stands in its body in the
    order of its placeholders, the payloads of its quick replies, and what is appended to the address of its link.
    """

    name: str
    language: Language
    parameters: tuple[str, ...] = ()
    payloads: tuple[str, ...] = ()
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """
    A message in all its forms: a channel takes what it can carry. ``choices``: what the reader is offered to tap, at
    most 10; ``button``: what opens them if they are more than three; ``asks_place``: a place is the answer.
    """

    subject: str
    text: str
    html: str
    short: str
    choices: tuple[Choice, ...] = ()
    button: str = ""
    asks_place: bool = False
    template: TemplateCall | None = None


class _Texts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    subject: str
    mail: str
    short: str


@dataclass(frozen=True, slots=True)
class House:
    """
    Who writes: the municipality's names, its telephone, and where a request can be followed. With the
    ``tracking_secret``, which intake has too, the link in a message shows its reader to be the citizen.
    """

    names: dict[Language, str]
    phone: str
    public_url: str
    tracking_secret: bytes | None = None

    def link(self, request_id: str, row: Row) -> str:
        """
        Where the reader of a message follows the request; staff get the page that everybody sees.
        """
        page = f"{self.public_url.rstrip('/')}/t/{request_id}"
        if self.tracking_secret is None or row.for_staff or row.at is None:
            return page
        number = family_of(request_id)
        key = token(self.tracking_secret, number, Purpose.LINK, row.at + LINK_LASTS)
        return f"{self.public_url.rstrip('/')}/t/{number}?k={key}"


def load_templates(folder: Path = TEMPLATES) -> "Templates":
    """
    Read and check all templates. Raises ``BrokenTemplates`` naming the first that is missing or odd.
    """
    found: dict[tuple[Language, str], _Texts] = {}
    for language in Language:
        file = folder / f"{language}.yaml"
        try:
            raw = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise BrokenTemplates(f"{file.name}: {type(error).__name__}") from error
        if not isinstance(raw, dict) or set(raw) != set(EXPECTED):
            odd = sorted(set(EXPECTED) ^ set(raw if isinstance(raw, dict) else ()))
            raise BrokenTemplates(f"{file.name}: missing or unknown: {', '.join(map(str, odd))}")
        for name, entry in raw.items():
            try:
                texts = _Texts.model_validate(entry)
            except ValidationError as error:
                raise BrokenTemplates(f"{file.name}: {name}: {error.errors()[0]['msg']}") from None
            _check(f"{file.name}: {name}", texts, EXPECTED[name])
            found[language, name] = texts
    layout = Template((folder / "mail.html").read_text(encoding="utf-8"))
    if not layout.is_valid() or set(layout.get_identifiers()) != {"lang", "title", "municipality", "phone", "body"}:
        raise BrokenTemplates("mail.html: wrong placeholders")
    return Templates(found, layout)


def _check(place: str, texts: _Texts, special: frozenset[str]) -> None:
    for part, text in (("subject", texts.subject), ("mail", texts.mail), ("short", texts.short)):
        template = Template(text)
        if not template.is_valid():
            raise BrokenTemplates(f"{place}: {part}: a lone $")
        names = set(template.get_identifiers())
        if unknown := names - _COMMON - special:
            raise BrokenTemplates(f"{place}: {part}: unknown ${min(unknown)}")
        needed = {
            "subject": _SUBJECT & ({"number"} | special),
            "mail": {"number", "url"} | special,
            "short": {"number", "url"} | special - _MAIL_ONLY,
        }[part]
        if missing := needed - names:
            raise BrokenTemplates(f"{place}: {part}: ${min(missing)} is missing")
    if "\n" in texts.subject or "\n" in texts.short:
        raise BrokenTemplates(f"{place}: subject and short are one line each")


def template_for(row: Row) -> str:
    """
    The name of the template that says what the row is about.
    """
    facts, kind = row.facts, row.kind
    if kind == CLOSING:
        return f"{CLOSING}_{facts.outcome}" if facts.outcome else CLOSING
    if kind == FOLLOWED:
        return f"{FOLLOWED}_{facts.status}"
    if kind == ESCALATED:
        return f"{ESCALATED}_{facts.clock}"
    if kind in (RECEIVED, ASSIGNED) and facts.status is Status.TRIAGE:
        return f"{kind}_triage"
    return f"{RECEIVED}_assigned" if kind == RECEIVED and facts.department else kind


def department_name(slug: str, language: Language) -> str:
    """
    The department as a citizen knows it, without the catalogue's remarks in brackets.
    """
    department = catalogue().departments.get(slug)
    if department is None:
        return slug
    return re.sub(r"\s*\(.*?\)", "", department.tr if language is Language.TR else department.en).strip()


def service_name(code: str, language: Language) -> str:
    """
    The service as the catalogue calls it; a code that is no longer there stands for itself.
    """
    service = catalogue().services.get(code)
    if service is None:
        return code
    return service.tr if language is Language.TR else service.en


# --- times ---

_MONTHS: Final = {
    Language.TR: (
        "Ocak", "Şubat", "Mart", "Nisan", "Mayıs", "Haziran",
        "Temmuz", "Ağustos", "Eylül", "Ekim", "Kasım", "Aralık",
    ),
    Language.EN: (
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
}  # fmt: skip
_WEEKDAYS: Final = {
    Language.TR: ("Pazartesi", "Salı", "Çarşamba", "Perşembe", "Cuma", "Cumartesi", "Pazar"),
    Language.EN: ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_UNITS: Final = {
    Language.TR: (("gün", "gün"), ("saat", "saat"), ("dakika", "dakika")),
    Language.EN: (("day", "days"), ("hour", "hours"), ("minute", "minutes")),
}


def day_in_words(day: date, language: Language) -> str:
    """
    ``3 Haziran 2026 Çarşamba``; ``Wednesday, 3 June 2026``.
    """
    written = f"{day.day} {_MONTHS[language][day.month - 1]} {day.year}"
    weekday = _WEEKDAYS[language][day.weekday()]
    return f"{written} {weekday}" if language is Language.TR else f"{weekday}, {written}"


def time_in_words(moment: datetime, language: Language) -> str:
    """
    The day and the time in Istanbul; midnight means that no time was given.
    """
    local = moment.astimezone(ISTANBUL)
    day = day_in_words(local.date(), language)
    if (local.hour, local.minute) == (0, 0):
        return day
    return f"{day}, {local:%H.%M}" if language is Language.TR else f"{day}, {local:%H:%M}"


def span_in_words(span: timedelta, language: Language) -> str:
    """
    The two largest units of a length of time, down to minutes: ``2 gün 3 saat``, ``15 minutes``. Empty below a minute.
    """
    minutes = int(span.total_seconds()) // 60
    counts = (minutes // 1_440, minutes // 60 % 24, minutes % 60)
    words = [
        f"{count} {one if count == 1 else many}"
        for count, (one, many) in zip(counts, _UNITS[language], strict=True)
        if count
    ]
    return " ".join(words[:2])


def _late(due: datetime | None, at: datetime | None, language: Language) -> str:
    """
    How the time that it should have been done by lies to the moment of telling.
    """
    if due is None or at is None:
        return ""
    span = span_in_words(abs(at - due), language)
    if not span:
        return "süresi şimdi doldu" if language is Language.TR else "due now"
    if at > due:
        return f"süresi {span} önce doldu" if language is Language.TR else f"{span} overdue"
    return f"süresinin dolmasına {span} var" if language is Language.TR else f"due in {span}"


# --- what fills the templates ---

_URGENT: Final = {Language.TR: "ACİL", Language.EN: "URGENT"}
_DANGER: Final = {
    Language.TR: "Can güvenliğiniz tehlikedeyse hemen 112'yi arayın; gaz kokusunda 187.",
    Language.EN: "If anybody's life is in danger call 112 at once; if you smell gas, 187.",
}
_ROLES: Final = {
    Language.TR: {
        Level.DEPARTMENT: "ilgilenen birim",
        Level.HEAD: "birim müdürü",
        Level.DEPUTY_MAYOR: "birimin bağlı olduğu başkan yardımcısı",
    },
    Language.EN: {
        Level.DEPARTMENT: "the department in charge",
        Level.HEAD: "the head of the department",
        Level.DEPUTY_MAYOR: "the deputy mayor above the department",
    },
}
_REFERENCE: Final = {Language.TR: "sayı", Language.EN: "ref."}


def _other_body(facts: Facts, language: Language) -> str:
    """
    ``SASKİ (1 Haziran 2026 Pazartesi, sayı 2026/4411)``, as far as it is known.
    """
    known = [
        day_in_words(facts.written_on, language) if facts.written_on else "",
        f"{_REFERENCE[language]} {facts.reference}" if facts.reference else "",
    ]
    more = ", ".join(filter(None, known))
    return f"{facts.body or ''} ({more})" if more else facts.body or ""


def _words(house: House, request_id: str, row: Row, language: Language) -> dict[str, str]:
    facts = row.facts
    whole_days = row.kind == EXTENDED or facts.clock is Clock.LEGAL  # the law counts days
    day = facts.day.astimezone(ISTANBUL) if facts.day else None
    return {
        "number": grouped(request_id),
        "url": house.link(request_id, row),
        "municipality": house.names[language],
        "phone": house.phone,
        "department": department_name(facts.department or "", language),
        "service": service_name(facts.service_code or "", language),
        "neighbourhood": facts.neighbourhood or "",
        "since": time_in_words(facts.since, language) if facts.since else "",
        "day": "" if day is None else (day_in_words(day, language) if whole_days else time_in_words(day, language)),
        "late": _late(facts.day, row.at, language),
        "urgent": _URGENT[language] if facts.emergency else "",
        "advice": _DANGER[language] if facts.emergency else "",
        "role": _ROLES[language][facts.level] if facts.level else "",
        "body": _other_body(facts, language),
        "question": (facts.question or "").strip()[:4_000],
        "answer": (facts.answer or "").strip()[:4_000],
    }


def _fill(text: str, words: dict[str, str]) -> str:
    """
    The template filled. A line of it whose placeholders are all empty is left out, and no blank line stands twice.
    """
    lines = []
    for line in text.splitlines():
        names = Template(line).get_identifiers()
        if not names or any(words[name] for name in names):
            lines.append(Template(line).substitute(words))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _line(text: str) -> str:
    return " ".join(text.split())


def _shorten(text: str, words: dict[str, str]) -> str:
    """
    The template filled, in one line of at most ``SHORT_LIMIT`` characters: what a department wrote is cut, its question
    last.
    """
    template, words = Template(text), {name: _line(word) for name, word in words.items()}
    for name in ("answer", "body", "question"):
        over = len(_line(template.substitute(words))) - SHORT_LIMIT
        if over > 0 and words[name]:
            kept = words[name][: max(0, len(words[name]) - over - 1)].rstrip()
            words[name] = f"{kept}…" if kept else ""
    return _line(template.substitute(words))


def _html(text: str, url: str) -> str:
    link = f'<a href="{html.escape(url)}" style="color:#0b5a7a">{html.escape(url)}</a>'
    paragraphs = html.escape(text.strip()).replace(html.escape(url), link).split("\n\n")
    return "\n".join(f"<p>{paragraph.replace(chr(10), '<br>')}</p>" for paragraph in paragraphs)


@dataclass(frozen=True, slots=True)
class Templates:
    """
    The checked templates of all languages.
    """

    texts: dict[tuple[Language, str], _Texts]
    layout: Template

    def render(self, house: House, request_id: str, row: Row, language: Language) -> Message:
        """
        Write the message. The same row always gives the same words.
        """
        texts = self.texts[language, template_for(row)]
        words = _words(house, request_id, row, language)
        subject = _line(Template(texts.subject).substitute(words))
        text = _fill(texts.mail, words)
        short = _shorten(texts.short, words)
        page = self.layout.substitute(
            lang=language,
            title=html.escape(subject),
            municipality=html.escape(house.names[language]),
            phone=html.escape(house.phone),
            body=_html(text, words["url"]),
        )
        return Message(subject, f"{text}\n-- \n{house.names[language]} · İLKİM {house.phone}\n", page, short)
