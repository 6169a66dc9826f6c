"""
The questions of each service, read from ``definitions.yaml`` beside this file, and answers checked against them. Pure.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.common.contracts.catalogue import catalogue
from services.common.contracts.vocabulary import TRIAGE_SERVICE
from services.common.contracts.yaml_file import read_yaml
from services.intake import cleaning

_FILE: Final = Path(__file__).with_name("definitions.yaml")
_NUMBER: Final = re.compile(r"[+-]?\d{1,15}([.,]\d{1,9})?", re.ASCII)
_LINE: Final = 200
_LINES: Final = 2_000


class Datatype(StrEnum):
    """
    How an answer is given: GeoReport's six.
    """

    STRING = "string"
    NUMBER = "number"
    DATETIME = "datetime"
    TEXT = "text"
    ONE = "singlevaluelist"
    MANY = "multivaluelist"


class Words(BaseModel):
    """
    The same in Turkish and in English.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    tr: str
    en: str


class Question(BaseModel):
    """
    One question of a service, or (``info``) a text that is only shown. ``values``: what can be chosen, by key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    code: str = Field(pattern=r"^[A-Z][A-Z0-9_]{0,39}$")
    datatype: Datatype = Datatype.STRING
    required: bool = False
    info: bool = False
    tr: str
    en: str
    hint_tr: str | None = None
    hint_en: str | None = None
    values: dict[str, Words] = {}

    @model_validator(mode="after")
    def _lists_have_values(self) -> "Question":
        if (self.datatype in (Datatype.ONE, Datatype.MANY)) != bool(self.values):
            raise ValueError(f"{self.code}: values belong to lists, and a list needs them")
        if self.info and (self.required or self.values):
            raise ValueError(f"{self.code}: what is only shown cannot be required or chosen from")
        return self


class Definitions(BaseModel):
    """
    Questions by service. ``changeset`` is when a service or a question was last changed; ``batch`` names services
    whose requests get a token first (none of ours: a number is always given at once).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    changeset: str = Field(pattern=r"^\d{4}-\d\d-\d\d \d\d:\d\d$")
    digest: str
    batch: frozenset[str] = frozenset()
    services: dict[str, tuple[Question, ...]]

    @model_validator(mode="after")
    def _fit_the_catalogue(self) -> "Definitions":
        for code, questions in self.services.items():
            if code not in offered():
                raise ValueError(f"{code} is not offered to the public")
            if len({question.code for question in questions}) != len(questions):
                raise ValueError(f"{code}: two questions have the same code")
        return self

    def of(self, service_code: str) -> tuple[Question, ...]:
        """
        The questions of a service in their order; most have none.
        """
        return self.services.get(service_code, ())


class Wrong(NamedTuple):
    """
    An answer that cannot be taken: to which question, and what would be right.
    """

    code: str
    message: str


@cache
def offered() -> tuple[str, ...]:
    """
    The services that everybody may ask for, in the catalogue's order: public ones, those of a crisis not among them.
    """
    found = catalogue().services.items()
    return tuple(code for code, one in found if one.public and one.crisis is None and code != TRIAGE_SERVICE)


@cache
def definitions() -> Definitions:
    """
    Read the file once. Raises ``pydantic.ValidationError`` naming the entry if it is broken.
    """
    return Definitions.model_validate(read_yaml(_FILE))


def digest_of(known: Definitions) -> str:
    """
    A hash of everything that ``GET /services`` and the definitions show.
    """
    shown: dict[str, Any] = {
        "services": {code: catalogue().services[code].model_dump(mode="json") for code in offered()},
        "questions": {
            code: [one.model_dump(mode="json") for one in questions] for code, questions in known.services.items()
        },
        "batch": sorted(known.batch),
    }
    return hashlib.sha256(orjson.dumps(shown, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def check(
    questions: Sequence[Question], given: Mapping[str, Sequence[str]]
) -> tuple[dict[str, str | list[str]], list[Wrong]]:
    """
    The answers in one form (numbers with a point, moments in UTC, several choices as a list), and what is wrong with
    them. Blank ones are left out. An answer to no known question is kept as it is.
    """
    known = {question.code: question for question in questions if not question.info}
    answers: dict[str, str | list[str]] = {}
    wrong: list[Wrong] = []
    for code, texts in given.items():
        filled = [text.strip() for text in texts if text.strip()]
        if not filled:
            continue
        question = known.get(code)
        try:
            answers[code] = _one_or_all(filled) if question is None else _answer(question, filled)
        except ValueError as error:
            wrong.append(Wrong(code, str(error)))
    missing = [code for code, one in known.items() if one.required and code not in given.keys() & answers.keys()]
    said = {row.code for row in wrong}
    return answers, wrong + [Wrong(code, "is required") for code in missing if code not in said]


def _one_or_all(texts: list[str]) -> str | list[str]:
    return texts[0] if len(texts) == 1 else texts


def _answer(question: Question, texts: list[str]) -> str | list[str]:
    if question.datatype is Datatype.MANY:
        chosen = list(dict.fromkeys(texts))
        for text in chosen:
            _known_key(question, text)
        return chosen
    if len(texts) > 1:
        raise ValueError("takes one value")
    text = texts[0]
    match question.datatype:
        case Datatype.ONE:
            _known_key(question, text)
            return text
        case Datatype.NUMBER:
            if not _NUMBER.fullmatch(text):
                raise ValueError("must be a number such as 3 or 2.5")
            return text.replace(",", ".")
        case Datatype.DATETIME:
            return _moment(text)
        case Datatype.TEXT:
            return cleaning.prose(text, _LINES)
        case _:
            return cleaning.named(text, _LINE)


def _moment(text: str) -> str:
    found: datetime = cleaning.moment(mended(text))
    return found.isoformat().replace("+00:00", "Z")


def mended(text: str) -> str:
    """
    A time whose ``+`` became a blank in a URL, with its ``+``.
    """
    return re.sub(r"(:\d\d(?:\.\d+)?) (\d\d:\d\d)$", r"\1+\2", text.strip())


def _known_key(question: Question, text: str) -> None:
    if text not in question.values:
        raise ValueError(f"must be one of {', '.join(question.values)}")
