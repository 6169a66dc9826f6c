"""
The templates of ``templates/``: checked when they are read, filled with nothing that a citizen wrote.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from string import Template
from typing import Final

import yaml
from jinja2 import TemplateError
from pydantic import BaseModel, ConfigDict, ValidationError

from services.common.contracts.vocabulary import Language, NotifyVia, Saying, Status
from services.common.contracts.yaml_file import read_yaml
from services.notify.channels.gsm7 import measure, plain
from services.notify.domain import SAYING, Carried, Row
from services.notify.expected import COMMON, DIGEST, EXPECTED, IN_SUBJECT, MAIL_ONLY, SUMMARY, BrokenTemplates
from services.notify.layout import RULE, Layout, Sheet, load_layout, step_of
from services.notify.messages import House, Message
from services.notify.meta_templates import MetaTemplates, load_meta
from services.notify.offers import choices_of, opener_of
from services.notify.public_facts import data_of
from services.notify.samples import HOUSE, LATEST, LONGEST, REQUEST, samples
from services.notify.transitions import ASSIGNED, CLOSING, ESCALATED, FOLLOWED, RECEIVED
from services.notify.words import one_line, words_of

TEMPLATES: Final = Path(__file__).with_name("templates")
SHORT_LIMIT: Final = 300
SEGMENTS: Final = 3
_SAID: Final = frozenset(name for name in EXPECTED if name.startswith(SAYING))
_STAFF: Final = frozenset(name for name in EXPECTED if name == DIGEST or name.startswith(ESCALATED))
_PARTS: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset(EXPECTED) - _SAID - _STAFF,
    "_staff": _STAFF,
    "_conversations": _SAID,
}
"""How the files of a language end, and what stands in them."""


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
        for part, names in _PARTS.items():
            texts = _read(folder / f"{language}{part}.yaml", names)
            found |= {(language, name): one for name, one in texts.items()}
    try:
        layout = load_layout(folder)
    except TemplateError as error:
        raise BrokenTemplates(f"mail.html: {type(error).__name__}: {error.message}") from None
    templates = Templates(found, layout, load_meta(folder))
    _try(templates)
    return templates


def _read(file: Path, names: frozenset[str]) -> dict[str, _Texts]:
    """
    The templates of one file, which must be these.
    """
    try:
        raw = read_yaml(file)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BrokenTemplates(f"{file.name}: {type(error).__name__}") from error
    if not isinstance(raw, dict) or set(raw) != names:
        odd = sorted(names ^ set(raw if isinstance(raw, dict) else ()))
        raise BrokenTemplates(f"{file.name}: missing or unknown: {', '.join(map(str, odd))}")
    found = {}
    for name, entry in raw.items():
        try:
            found[name] = _Texts.model_validate(entry)
        except ValidationError as error:
            raise BrokenTemplates(f"{file.name}: {name}: {error.errors()[0]['msg']}") from None
        _check(f"{file.name}: {name}", found[name], EXPECTED[name])
    return found


def _check(place: str, texts: _Texts, expected: frozenset[str]) -> None:
    for part, text in (("subject", texts.subject), ("mail", texts.mail), ("short", texts.short)):
        template = Template(text)
        if not template.is_valid():
            raise BrokenTemplates(f"{place}: {part}: a lone $")
        names = set(template.get_identifiers())
        if unknown := names - COMMON - expected:
            raise BrokenTemplates(f"{place}: {part}: unknown ${min(unknown)}")
        needed = {
            "subject": IN_SUBJECT & expected,
            "mail": expected,
            "short": expected - MAIL_ONLY,
        }[part]
        if missing := needed - names:
            raise BrokenTemplates(f"{place}: {part}: ${min(missing)} is missing")
    if "\n" in texts.subject or "\n" in texts.short:
        raise BrokenTemplates(f"{place}: subject and short are one line each")


def _try(templates: "Templates") -> None:
    """
    Write every message with the longest values that are likely: each must fit a short message.
    """
    for channel in (NotifyVia.WHATSAPP, NotifyVia.SMS):
        for name, row in samples(LONGEST, channel, late=LATEST).items():
            for language in Language:
                short = templates.render(HOUSE, REQUEST, row, language).short
                if len(short) > SHORT_LIMIT and name != SUMMARY:
                    raise BrokenTemplates(f"{language}: {name}: short: {len(short)} of {SHORT_LIMIT} characters")
                segments = measure(plain(short)).segments
                if channel is NotifyVia.SMS and segments > SEGMENTS:
                    raise BrokenTemplates(f"{language}: {name}: short: {segments} of {SEGMENTS} segments of an SMS")


def template_for(row: Row) -> str:
    """
    The name of the template that says what the row is about.
    """
    facts, kind = row.facts, row.kind
    if row.carries:
        return SUMMARY
    if kind == CLOSING:
        return f"{CLOSING}_{facts.outcome}" if facts.outcome else CLOSING
    if kind == FOLLOWED:
        return f"{FOLLOWED}_{facts.status}"
    if kind == ESCALATED:
        return f"{ESCALATED}_{facts.clock}"
    if kind in (RECEIVED, ASSIGNED) and facts.status is Status.TRIAGE:
        return f"{kind}_triage"
    return f"{RECEIVED}_assigned" if kind == RECEIVED and facts.department else kind


@lru_cache(maxsize=256)  # all templates
def _lines_of(text: str) -> tuple[tuple[Template, tuple[str, ...]], ...]:
    """
    The lines of a template, each with its placeholders.
    """
    lines = [Template(line) for line in text.splitlines()]
    return tuple((line, tuple(line.get_identifiers())) for line in lines)


def _fill(text: str, words: Mapping[str, str]) -> str:
    """
    The template filled. A line of it whose placeholders are all empty is left out, and no blank line stands twice.
    """
    lines = [
        line.substitute(words) for line, names in _lines_of(text) if not names or any(words[name] for name in names)
    ]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _subject(texts: _Texts, words: Mapping[str, str]) -> str:
    return one_line(Template(texts.subject).substitute(words))


def _shorten(text: str, words: Mapping[str, str]) -> str:
    """
    The template filled, in one line of at most ``SHORT_LIMIT`` characters: what a department wrote is cut, its question
    last.
    """
    template, lined = Template(text), {name: one_line(word) for name, word in words.items()}
    for name in ("answer", "body", "list", "question"):
        short = one_line(template.substitute(lined))
        over = len(short) - SHORT_LIMIT
        if over <= 0:
            return short
        if lined.get(name):
            kept = lined[name][: max(0, len(lined[name]) - over - 1)].rstrip()
            lined[name] = f"{kept}…" if kept else ""
    return one_line(template.substitute(lined))


_OPEN: Final = {Language.TR: "Başvurunuzu açın", Language.EN: "Open your request"}
_OPEN_STAFF: Final = {Language.TR: "Başvuruyu açın", Language.EN: "Open the request"}
_AS_MAIL: Final = (NotifyVia.EMAIL, None)  # the others have no use for HTML
_READ: Final = {Language.TR: "Aydınlatma metnini okuyun", Language.EN: "Read the privacy notice"}


def buttons_in(text: str, house: House, language: Language, *, for_citizen: bool = True) -> dict[str, str]:
    """
    The lines of a mail that lead to a page of ours, and what stands on their buttons.
    """
    opens = (_OPEN if for_citizen else _OPEN_STAFF)[language]
    pages = {line: opens for line in text.splitlines() if line.startswith(house.page)}
    return pages | ({house.notice: _READ[language]} if house.notice in text.splitlines() else {})


_GREETING: Final = re.compile(r"\A[^\n]*,\n\n")


def _as_row(row: Row, carried: Carried) -> Row:
    about = replace(row, transition=carried.transition, facts=carried.facts, at=carried.at)
    return replace(about, survey=False, carries=())


def _signed(text: str, house: House, language: Language) -> str:
    return f"{text}\n-- \n{house.names[language]} · İLKİM {house.phone}\n"


@dataclass(frozen=True, slots=True)
class Templates:
    """
    The checked templates of all languages.
    """

    texts: dict[tuple[Language, str], _Texts]
    layout: Layout
    meta: MetaTemplates

    def render(self, house: House, request_id: str, row: Row, language: Language) -> Message:
        """
        Write the message; what only a mail has, its text and HTML, if it may become one. The same row always gives the
        same words.
        """
        if row.carries:
            return self._summary(house, request_id, row, language)
        name = template_for(row)
        words = words_of(house, request_id, row, language)
        texts, mail = self.texts[language, name], row.channel in _AS_MAIL
        subject = _subject(texts, words)
        text = _fill(texts.mail, words) if mail else ""
        return Message(
            subject,
            _signed(text, house, language) if mail else "",
            self._page(house, row, words, subject, text, language) if mail else "",
            _shorten(texts.short, words),
            choices=choices_of(request_id, row, language),
            button=opener_of(row, language),
            asks_place=row.kind == f"{SAYING}{Saying.WHERE}",
            template=self.meta.call(name, request_id, row, words, house, language),
            data=data_of(house, request_id, row) if row.for_partner else None,
        )

    def _summary(self, house: House, request_id: str, row: Row, language: Language) -> Message:
        """
        One message about several requests: a mail has what each would have said; a short message a line for each, with
        its link where there is room.
        """
        own = (request_id, replace(row, carries=(), survey=False))
        rows = [own, *((one.request_id, _as_row(row, one)) for one in row.carries)]
        filled = [(template_for(one), words_of(house, key, one, language)) for key, one in rows]
        news = [self.fill(name, words, language) for name, words in filled]
        written = {part: "\n\n".join(words[part] for _, words in filled) for part in ("answer", "question")}
        words = words_of(house, request_id, row, language) | written
        told = "\n\n".join(f"{RULE}\n\n{_GREETING.sub('', text.strip())}" for _, text, _ in news)
        subject, text, _ = self.fill(SUMMARY, words | {"list": told}, language)
        bare = [line for line, _, _ in news]
        linked = [f"{line}: {house.link(key, one)}" for line, (key, one) in zip(bare, rows, strict=True)]
        short = self._lines(linked, words, language)
        if row.channel is NotifyVia.SMS and measure(plain(short)).segments > SEGMENTS:
            short = self._lines(bare, words, language)
        named = words | {"list": "; ".join(bare)}
        return Message(
            subject,
            _signed(text, house, language),
            self._page(house, row, words, subject, text, language) if row.channel in _AS_MAIL else "",
            short,
            template=self.meta.call(SUMMARY, request_id, row, named, house, language),
        )

    def _lines(self, lines: Sequence[str], words: Mapping[str, str], language: Language) -> str:
        """
        The short form of what is told of several requests, a line for each.
        """
        listed = "\n".join(["", *lines, ""])
        text = Template(self.texts[language, SUMMARY].short).substitute({**words, "list": listed})
        return re.sub(r" *\n *", "\n", text).strip()

    def _page(
        self, house: House, row: Row, words: Mapping[str, str], subject: str, text: str, language: Language
    ) -> str:
        sheet = Sheet(
            language=language,
            subject=subject,
            text=text,
            municipality=house.names[language],
            phone=house.phone,
            buttons=buttons_in(text, house, language, for_citizen=row.for_citizen),
            quotes=frozenset(words["answer"].split("\n\n")) | frozenset(words["question"].split("\n\n")),
            step=None if row.carries else step_of(row),
            rating=words["url"] if row.survey else None,
            for_citizen=row.for_citizen,
        )
        return self.layout.page(sheet)

    def fill(self, name: str, words: Mapping[str, str], language: Language) -> tuple[str, str, str]:
        """
        A template's subject, mail and short form with these words.
        """
        texts = self.texts[language, name]
        return _subject(texts, words), _fill(texts.mail, words), _shorten(texts.short, words)
