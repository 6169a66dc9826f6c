"""
What the operator asks and says: scripts for danger, bodies to name instead of us, and answers that settle a request at
once. Read from ``scripts.yaml`` and ``answers.yaml`` beside this file; pure but for reading them once.
"""

import re
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, model_validator

from services.common.contracts.catalogue import catalogue
from services.common.contracts.yaml_file import read_yaml

_HERE: Final = Path(__file__).parent
_TO_FILL_IN: Final = re.compile(r"\[[^\]\n]{1,40}\]")


class Both(BaseModel):
    """
    A text in Turkish and in English.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    tr: str
    en: str


class Script(BaseModel):
    """
    What to ask, in this order, and what to tell; ``call``: numbers that the citizen is given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    title: Both
    call: tuple[str, ...]
    ask: tuple[Both, ...]
    say: tuple[Both, ...]
    services: tuple[str, ...] = ()


class OtherBody(BaseModel):
    """
    Who does it instead of the municipality, and its number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Both
    call: str


class Scripts(BaseModel):
    """
    All scripts; each service has at most one. Raises ``ValidationError`` for a service that is not in the catalogue.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    danger: Script
    scripts: tuple[Script, ...]
    bodies: dict[str, OtherBody]

    @model_validator(mode="after")
    def _fit_the_catalogue(self) -> "Scripts":
        named = [code for script in self.scripts for code in script.services]
        for code in named:
            if code not in catalogue().services:
                raise ValueError(f"scripts.yaml: {code} is not a service of the catalogue")
            if named.count(code) > 1:
                raise ValueError(f"scripts.yaml: {code} has two scripts")
        return self

    def script(self, service_code: str | None, *, emergency: bool) -> Script | None:
        """
        What to read for a service: its own script, else for an emergency the one for every danger, else none.
        """
        own = next((script for script in self.scripts if service_code in script.services), None)
        return own or (self.danger if emergency else None)


class Answer(BaseModel):
    """
    An answer that settles a request at first contact.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    title: Both
    text: Both


def to_fill_in(text: str) -> str | None:
    """
    The first ``[…]`` of a template that the operator has not filled in; None if the text is complete.
    """
    found = _TO_FILL_IN.search(text)
    return found.group() if found else None


@cache
def scripts() -> Scripts:
    """
    The scripts. Raises ``pydantic.ValidationError`` naming the entry that is broken.
    """
    return Scripts.model_validate(read_yaml(_HERE / "scripts.yaml"))


@cache
def answers() -> tuple[Answer, ...]:
    """
    The answers, in the order of their file. Raises ``pydantic.ValidationError``.
    """
    rows = read_yaml(_HERE / "answers.yaml")
    return tuple(Answer.model_validate(row) for row in rows)
