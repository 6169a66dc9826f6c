"""
What departments, services and the words of the contracts are called: by the catalogue, by an imported city. Pure.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from services.common.contracts.catalogue import catalogue
from services.common.ui.formats import Language
from services.common.ui.words import TABLES, Words

Table = Mapping[str, Words]
_DIRECTORATE: Final = " Müdürlüğü"


class Names:
    """
    The names of one database: the catalogue's, and those of an imported city, by field and code, for what is not in the
    catalogue. ``city`` is what that city is called.
    """

    def __init__(self, city: Words | None = None, imported: Mapping[str, Table] | None = None) -> None:
        self._city = city
        self._tables: dict[str, Table] = {**_ours()}
        for field, table in (imported or {}).items():
            self._tables[field] = {**table, **self._tables[field]}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Names":
        """
        As the history import keeps them.
        """
        departments = {slug: _plain(Words(**words)) for slug, words in kept.get("departments", {}).items()}
        services = {code: Words(**words) for code, words in kept.get("services", {}).items()}
        return cls(Words(**kept["city"]), {"department": departments, "service": services})

    def words(self, field: str, value: str) -> Words:
        """
        What a value is called; what nobody knows (a neighbourhood, a team) is called what it is. A department without
        what is explained in brackets.
        """
        return self._tables.get(field, {}).get(value, Words(value, value))

    def name(self, field: str, value: str, language: Language) -> str:
        """
        The same in one language, for a column of its kind.
        """
        return _column(field, _said(self.words(field, value), language))

    def tables(self, language: Language) -> dict[str, dict[str, str]]:
        """
        Every value that has a name: by field, then by value.
        """
        return {
            field: {value: _said(words, language) for value, words in table.items()}
            for field, table in self._tables.items()
        }

    def columns(self, language: Language) -> dict[str, dict[str, str]]:
        """
        The same for columns of their kind.
        """
        return {
            field: {value: _column(field, text) for value, text in table.items()}
            for field, table in self.tables(language).items()
        }

    def city(self, language: Language) -> str:
        """
        What the imported city is called; nothing for our own.
        """
        return _said(self._city, language) if self._city else ""


def short(department: str) -> str:
    """
    A department's name without the word that all of them have.
    """
    return department.removesuffix(_DIRECTORATE)


@cache
def _ours() -> Mapping[str, Table]:
    known = catalogue()
    return {
        **TABLES,
        "department": {slug: _plain(Words(one.tr, one.en)) for slug, one in known.departments.items()},
        "service": {code: Words(one.tr, one.en) for code, one in known.services.items()},
    }


def _plain(words: Words) -> Words:
    return Words(*(text.partition(" (")[0] for text in words))


def _column(field: str, text: str) -> str:
    return short(text) if field == "department" else text


def _said(words: Words, language: Language) -> str:
    return words.tr if language == "tr" else words.en
