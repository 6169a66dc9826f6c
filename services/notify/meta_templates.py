"""
The templates that Meta approves for WhatsApp: their definitions, and the same message called by one of them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.common.contracts.vocabulary import Language
from services.common.contracts.yaml_file import read_yaml
from services.notify.domain import SAYING, Row
from services.notify.expected import COMMON, DIGEST, EXPECTED, BrokenTemplates
from services.notify.messages import House, TemplateCall
from services.notify.samples import REQUEST, USUAL, samples
from services.notify.transitions import ESCALATED
from services.notify.words import one_line, words_of

FILE: Final = "whatsapp.yaml"
BODY_LIMIT: Final = 1_024
_BUTTON: Final = 25
_FOOTER: Final = 60
_WORDS_FOR_EACH: Final = 3
_RESULT: Final = "result"
_SET_AT_ONCE: Final = COMMON  # the same in every message, so it stands in what Meta approves
_LONG: Final = ("answer", "result", "body", "list", "question")  # cut in this order where all is too long
_OPEN: Final = {Language.TR: "Başvuruyu aç", Language.EN: "Open the request"}
_CONTACT: Final = "Share Contact Info"  # Meta's own words; each telephone shows them in its language
When = Literal["emergency", "survey"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Both(_Model):
    tr: str = Field(min_length=1)
    en: str = Field(min_length=1)

    def __getitem__(self, language: Language) -> str:
        return self.tr if language is Language.TR else self.en


class _Reply(_Both):
    means: str = Field(pattern=r"^(fb:[1-5]|reopen)$")


class Definition(_Both):
    """
    One template in both languages.
    """

    tells: tuple[str, ...] = Field(min_length=1)
    when: When | None = None
    replies: tuple[_Reply, ...] = Field(default=(), max_length=3)
    link: bool = False
    contact: bool = False

    def placeholders(self, language: Language) -> tuple[str, ...]:
        """
        What is filled when a message is sent, in the order in which it first stands in the text.
        """
        found = dict.fromkeys(Template(self[language]).get_identifiers())
        return tuple(name for name in found if name not in _SET_AT_ONCE)


class _File(_Model):
    empty: dict[str, _Both]
    results: dict[str, _Both]
    templates: dict[str, Definition]


@dataclass(frozen=True, slots=True)
class MetaTemplates:
    """
    The checked file.
    """

    file: _File
    told_by: Mapping[tuple[str, When | None], str]

    def call(
        self, name: str, request_id: str, row: Row, words: Mapping[str, str], house: House, language: Language
    ) -> TemplateCall | None:
        """
        The message of our template ``name`` as one of Meta's, or None if there is none for it.
        """
        wanted: When | None = "survey" if row.survey else "emergency" if row.facts.emergency else None
        found = self.told_by.get((name, wanted)) or self.told_by.get((name, None))
        if found is None:
            return None
        definition = self.file.templates[found]
        return TemplateCall(
            found,
            language,
            self._parameters(name, definition, words, language),
            tuple(_payload(reply.means, request_id, row) for reply in definition.replies),
            words["url"].removeprefix(house.page) if definition.link else None,
        )

    def filled(self, call: TemplateCall) -> dict[str, str]:
        """
        What fills which placeholder of a called template.
        """
        return dict(zip(self.file.templates[call.name].placeholders(call.language), call.parameters, strict=True))

    def text(self, call: TemplateCall) -> str:
        """
        What the reader of a called template sees.
        """
        text = Template(self.file.templates[call.name][call.language])
        return text.safe_substitute(self.filled(call)).strip()

    def buttons(self, call: TemplateCall) -> tuple[str, ...]:
        """
        What stands on its buttons.
        """
        definition = self.file.templates[call.name]
        replies = tuple(reply[call.language] for reply in definition.replies)
        link = (_OPEN[call.language],) if definition.link else ()
        return (*replies, *link, *((_CONTACT,) if definition.contact else ()))

    def bodies(self, house: House) -> list[dict[str, Any]]:
        """
        All definitions as Meta's ``POST /<WABA>/message_templates`` takes them, with examples.
        """
        return [
            self._body(house, name, definition, language)
            for name, definition in self.file.templates.items()
            for language in Language
        ]

    def _parameters(
        self, name: str, definition: Definition, words: Mapping[str, str], language: Language
    ) -> tuple[str, ...]:
        """
        What fills the placeholders: one line each, never empty, and only what the template may say to this reader.
        """
        names = definition.placeholders(language)
        said = {key: instead[language] for key, instead in self.file.empty.items()}
        said |= {key: line for key in EXPECTED[name] if (line := one_line(words[key]))}
        if _RESULT in names:
            said[_RESULT] = Template(self.file.results[name][language]).substitute(said)
        text = Template(definition[language])
        for key in _LONG:
            over = len(text.safe_substitute({part: said[part] for part in names})) - BODY_LIMIT
            if over > 0 and key in names:
                said[key] = f"{said[key][: max(1, len(said[key]) - over - 1)].rstrip()}…"
        return tuple(said[key] for key in names)

    def _body(self, house: House, name: str, definition: Definition, language: Language) -> dict[str, Any]:
        names = definition.placeholders(language)
        numbered = {key: f"{{{{{number}}}}}" for number, key in enumerate(names, start=1)}
        always = {"municipality": house.names[language], "phone": house.phone}
        body: dict[str, Any] = {
            "type": "BODY",
            "text": Template(definition[language].strip()).substitute({**numbered, **always}),
        }
        row = samples(USUAL)[definition.tells[0]]
        words = words_of(house, REQUEST, row, language)
        if names:
            body["example"] = {"body_text": [list(self._parameters(definition.tells[0], definition, words, language))]}
        footer = {"type": "FOOTER", "text": f"{house.names[language]} İLKİM {house.phone}"[:_FOOTER]}
        buttons: list[dict[str, Any]] = [
            {"type": "QUICK_REPLY", "text": reply[language]} for reply in definition.replies
        ]
        if definition.link:
            example = f"{house.page}{REQUEST}"
            buttons.append(
                {"type": "URL", "text": _OPEN[language], "url": f"{house.page}{{{{1}}}}", "example": [example]}
            )
        if definition.contact:
            buttons.append({"type": "REQUEST_CONTACT_INFO", "text": _CONTACT})
        return {
            "name": name,
            "language": language.value,
            "category": "UTILITY",
            "components": [body, footer, {"type": "BUTTONS", "buttons": buttons}],
        }


def load_meta(folder: Path) -> MetaTemplates:
    """
    Read and check the file. Raises ``BrokenTemplates`` naming what is wrong.
    """
    try:
        file = _File.model_validate(read_yaml(folder / FILE))
    except ValidationError as error:
        first = error.errors()[0]
        raise BrokenTemplates(f"{FILE}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BrokenTemplates(f"{FILE}: {type(error).__name__}") from error
    told_by: dict[tuple[str, When | None], str] = {}
    for name, definition in file.templates.items():
        for told in definition.tells:
            if told not in EXPECTED:
                raise BrokenTemplates(f"{FILE}: {name}: tells: there is no template {told}")
            if (told, definition.when) in told_by:
                raise BrokenTemplates(
                    f"{FILE}: {name}: tells: {told} is told by {told_by[told, definition.when]} already"
                )
            told_by[told, definition.when] = name
        _check(name, definition, file)
    untold = [name for name in EXPECTED if not _inside_the_window(name) and (name, None) not in told_by]
    if untold:
        raise BrokenTemplates(f"{FILE}: no template tells {', '.join(untold)}")
    return MetaTemplates(file, told_by)


def _inside_the_window(name: str) -> bool:
    """
    Whether it is said to nobody on WhatsApp, or only to somebody who has just written.
    """
    return name == DIGEST or name.startswith((SAYING, ESCALATED))


def _check(name: str, definition: Definition, file: _File) -> None:
    """
    Meta's rules, and that everything a template asks for is there.
    """
    if not re.fullmatch(r"[a-z0-9_]{1,512}", name):
        raise BrokenTemplates(f"{FILE}: {name}: a name has small letters, digits and _ alone")
    may = frozenset[str]().union(*(EXPECTED[told] for told in definition.tells)) | COMMON | {_RESULT}
    for language in Language:
        place, text = f"{FILE}: {name}: {language}", definition[language].strip()
        template = Template(text)
        if not template.is_valid():
            raise BrokenTemplates(f"{place}: a lone $")
        names = definition.placeholders(language)
        if unknown := set(names) - may:
            raise BrokenTemplates(f"{place}: unknown ${min(unknown)}")
        for told in definition.tells:
            if _RESULT in names and told not in file.results:
                raise BrokenTemplates(f"{FILE}: results: {told} is missing")
        unfilled = [key for key in names if key not in file.empty and key not in ("number", _RESULT)]
        if unfilled:
            raise BrokenTemplates(f"{FILE}: empty: {unfilled[0]} is missing")
        marked = template.safe_substitute(dict.fromkeys(names, "\0"))
        if marked.startswith("\0") or marked.endswith("\0"):
            raise BrokenTemplates(f"{place}: a placeholder at the beginning or the end")
        if re.search(r"\0\W*\0", marked):
            raise BrokenTemplates(f"{place}: two placeholders beside each other")
        if len(re.findall(r"\w+", marked)) < _WORDS_FOR_EACH * marked.count("\0"):
            raise BrokenTemplates(f"{place}: fewer than {_WORDS_FOR_EACH} words for each placeholder")
        if len(text) > BODY_LIMIT:
            raise BrokenTemplates(f"{place}: {len(text)} of {BODY_LIMIT} characters")
        for reply in definition.replies:
            if len(reply[language]) > _BUTTON:
                raise BrokenTemplates(f"{place}: {reply[language]}: {len(reply[language])} of {_BUTTON} characters")


def _payload(means: str, request_id: str, row: Row) -> str:
    kind, _, stars = means.partition(":")
    return ":".join(filter(None, (kind, request_id, str(row.seq), stars)))
