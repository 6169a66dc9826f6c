"""
The templates of ``templates/``: checked when they are read, filled with nothing that a citizen wrote.
"""

import html
import re
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from services.common.contracts.vocabulary import Clock, Language, Outcome, Status
from services.notify.domain import Row
from services.notify.messages import House, Message
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
)
from services.notify.words import words_of

TEMPLATES: Final = Path(__file__).with_name("templates")
SHORT_LIMIT: Final = 300
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


class _Texts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    subject: str
    mail: str
    short: str


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
        words = words_of(house, request_id, row, language)
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
