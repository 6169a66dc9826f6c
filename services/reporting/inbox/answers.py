"""
Answers that are ready to be sent: those of ``answers.yaml``, and those that a department keeps for itself. Pure.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Final

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import grouped
from services.common.contracts.vocabulary import ANSWERS, Action, Outcome
from services.common.contracts.yaml_file import read_yaml
from services.reporting.inbox.telling import department_words, service_words
from services.reporting.projections import Document

_FILE: Final = Path(__file__).with_name("answers.yaml")
PLACEHOLDERS: Final = frozenset({"number", "service", "neighbourhood", "department"})
LONGEST: Final = 2_000


def checked(text: str) -> str:
    """
    The text, if every placeholder in it is one of ``PLACEHOLDERS``. Raises ``ValueError`` naming the others.
    """
    try:
        pieces = [piece for piece in Formatter().parse(text) if piece[1] is not None]
    except ValueError:
        raise ValueError(f"a brace stands alone: a placeholder is one of {_shown()}, a brace itself is {{{{") from None
    odd = sorted(name or "{}" for _, name, form, conversion in pieces if name not in PLACEHOLDERS or form or conversion)
    if odd:
        raise ValueError(f"unknown placeholder {', '.join(odd)}: there are {_shown()}")
    return text


def _shown() -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(PLACEHOLDERS))


class Title(BaseModel):
    """
    What the clerk chooses by.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    tr: str
    en: str


class Answer(BaseModel):
    """
    A text in both languages, and for which form it is meant: ``outcome`` for resolve, else ``action``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    key: str
    title: Title
    tr: str
    en: str
    services: frozenset[str] = frozenset()
    departments: frozenset[str] = frozenset()
    outcome: Outcome | None = None
    action: Action = Action.RESOLVE

    @field_validator("tr", "en")
    @classmethod
    def _placeholders_are_known(cls, text: str) -> str:
        return checked(text)

    @model_validator(mode="after")
    def _is_for_something(self) -> "Answer":
        if unknown := sorted(self.services - set(catalogue().services)):
            raise ValueError(f"answer {self.key}: unknown services {unknown}")
        if unknown := sorted(self.departments - set(catalogue().departments)):
            raise ValueError(f"answer {self.key}: unknown departments {unknown}")
        if (self.outcome in ANSWERS) != (self.action is Action.RESOLVE):
            raise ValueError(f"answer {self.key}: needs an outcome of resolve, or another action")
        return self


class _Answers(BaseModel):
    model_config = ConfigDict(extra="forbid")
    answers: list[Answer]

    @field_validator("answers")
    @classmethod
    def _keys_differ(cls, answers: list[Answer]) -> list[Answer]:
        keys = [answer.key for answer in answers]
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise ValueError(f"the keys {twice} stand twice")
        return answers


@cache
def answers() -> tuple[Answer, ...]:
    """
    Read the answers once. Raises ``pydantic.ValidationError`` naming the entry if one is broken.
    """
    return tuple(_Answers.model_validate(read_yaml(_FILE)).answers)


def fitting(document: Document, own: Iterable[Answer] = ()) -> list[Answer]:
    """
    Those that fit a request: the department's own, then those for its service, for its department, for all.
    """
    service, department = document["service_code"], document["department"]
    known = answers()
    return [
        *own,
        *(answer for answer in known if service in answer.services),
        *(answer for answer in known if not answer.services and department in answer.departments),
        *(answer for answer in known if not answer.services and not answer.departments),
    ]


def filled(answer: Answer, document: Document) -> Mapping[str, str]:
    """
    The text for this request in each language (``tr``, ``en``).
    """
    service, department = service_words(document["service_code"]), department_words(document["department"])
    place = document["neighbourhood"]
    common = {"number": grouped(document["request_id"])}
    return {
        "tr": answer.tr.format_map(
            {
                **common,
                "service": service.tr,
                "department": department.tr,
                "neighbourhood": f"{place} Mahallesi" if place else "bildirdiğiniz yer",
            }
        ),
        "en": answer.en.format_map(
            {
                **common,
                "service": service.en,
                "department": department.en,
                "neighbourhood": place or "the place you named",
            }
        ),
    }
