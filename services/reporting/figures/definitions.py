"""
What each figure means, in Turkish and English: read from ``definitions.yaml``, where it stands once.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from services.common.contracts.yaml_file import read_yaml

FILE: Final = Path(__file__).with_name("definitions.yaml")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(_Part):
    """
    A figure's name, and its meaning in a sentence or two.
    """

    name: str
    text: str


class Definition(_Part):
    """
    A figure. ``id`` is the field's name in answers, and the anchor on the page.
    """

    id: str
    tr: Words
    en: Words


class Title(_Part):
    """
    What figures have in common.
    """

    tr: str
    en: str


class Chapter(_Part):
    """
    Figures that are read together.
    """

    title: Title
    figures: tuple[Definition, ...]


@cache
def chapters() -> tuple[Chapter, ...]:
    """
    All definitions, in the order of reading.
    """
    return tuple(Chapter.model_validate(row) for row in read_yaml(FILE))


@cache
def definitions() -> Mapping[str, Definition]:
    """
    All definitions by id.
    """
    return {figure.id: figure for chapter in chapters() for figure in chapter.figures}
