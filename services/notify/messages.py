"""
The words: templates from ``templates/``, checked when they are read, filled with nothing that a citizen wrote.
"""

import html
import re
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import grouped
from services.common.contracts.vocabulary import Language, Outcome, Status
from services.notify.domain import ASSIGNED, CLOSING, RECEIVED, Row

TEMPLATES: Final = Path(__file__).with_name("templates")
SHORT_LIMIT: Final = 300
_COMMON: Final = frozenset({"number", "url", "municipality", "phone"})
_ENDINGS: Final = (CLOSING, *(f"{CLOSING}_{outcome}" for outcome in Outcome))
# Which placeholders each template may, and for those named here must, have.
EXPECTED: Final[dict[str, frozenset[str]]] = {
    RECEIVED: frozenset(),
    f"{RECEIVED}_assigned": frozenset({"department"}),
    f"{RECEIVED}_triage": frozenset(),
    ASSIGNED: frozenset({"department"}),
    f"{ASSIGNED}_triage": frozenset(),
    **dict.fromkeys(_ENDINGS, frozenset({"answer"})),
}


class BrokenTemplates(Exception):
    """
    A template file is not as it must be; the message names the file, the template and what is wrong.
    """


@dataclass(frozen=True, slots=True)
class Message:
    """
    A message in all its forms: a channel takes what it can carry.
    """

    subject: str
    text: str
    html: str
    short: str


class _Texts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    subject: str
    mail: str
    short: str


@dataclass(frozen=True, slots=True)
class House:
    """
    Who writes: the municipality's names, its telephone, and where a request can be followed.
    """

    names: dict[Language, str]
    phone: str
    public_url: str


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
        needed = {"number"} if part == "subject" else {"number", "url"} | special
        if missing := needed - names:
            raise BrokenTemplates(f"{place}: {part}: ${min(missing)} is missing")
    if "\n" in texts.subject or "\n" in texts.short:
        raise BrokenTemplates(f"{place}: subject and short are one line each")


def template_for(row: Row) -> str:
    """
    The name of the template that says what the row is about.
    """
    facts, base = row.facts, row.transition.partition(".")[0]
    if base == CLOSING:
        return f"{CLOSING}_{facts.outcome}" if facts.outcome else CLOSING
    if facts.status is Status.TRIAGE:
        return f"{base}_triage"
    return f"{RECEIVED}_assigned" if base == RECEIVED and facts.department else base


def department_name(slug: str, language: Language) -> str:
    """
    The department as a citizen knows it, without the catalogue's remarks in brackets.
    """
    department = catalogue().departments.get(slug)
    if department is None:
        return slug
    return re.sub(r"\s*\(.*?\)", "", department.tr if language is Language.TR else department.en).strip()


def _tidy(text: str) -> str:
    """
    No blank line twice, none at the ends: an empty answer leaves no hole.
    """
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _line(text: str) -> str:
    return " ".join(text.split())


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
        url = f"{house.public_url.rstrip('/')}/t/{request_id}"
        answer = (row.facts.answer or "").strip()
        words = {
            "number": grouped(request_id),
            "url": url,
            "municipality": house.names[language],
            "phone": house.phone,
            "department": department_name(row.facts.department or "", language),
            "answer": answer[:4_000],
        }
        subject = _line(Template(texts.subject).substitute(words))
        text = _tidy(Template(texts.mail).substitute(words))
        brief = Template(texts.short)
        room = SHORT_LIMIT - len(_line(brief.substitute({**words, "answer": ""}))) - 1
        cut = _line(answer)
        cut = cut if len(cut) <= room else cut[: max(0, room - 1)].rstrip() + "…"
        short = _line(brief.substitute({**words, "answer": cut}))
        page = self.layout.substitute(
            lang=language,
            title=html.escape(subject),
            municipality=html.escape(house.names[language]),
            phone=html.escape(house.phone),
            body=_html(text, url),
        )
        return Message(subject, f"{text}\n-- \n{house.names[language]} · İLKİM {house.phone}\n", page, short)
