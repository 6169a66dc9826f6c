"""
What charts and lists call departments, services, channels and the rest. Pure.
"""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Final

from services.common.contracts.catalogue import catalogue
from services.common.contracts.neighbourhoods import NEIGHBOURHOODS
from services.common.ui.words import TABLES, Words

_WORDS: Final = ("channel", "kind", "status", "priority", "outcome")
_DIRECTORATE: Final = " Müdürlüğü"


@cache
def _both() -> Mapping[str, Mapping[str, Words]]:
    known = catalogue()
    return {
        "department": {slug: short(one.tr, one.en) for slug, one in known.departments.items()},
        "service": {code: Words(one.tr, one.en) for code, one in known.services.items()},
        **{table: TABLES[table] for table in _WORDS},
    }


def short(tr: str, en: str) -> Words:
    """
    A department without what the catalogue explains in brackets, and without the word that all of them have.
    """
    return Words(tr.partition(" (")[0].removesuffix(_DIRECTORATE), en.partition(" (")[0])


def names(language: str) -> dict[str, dict[str, str]]:
    """
    Every value that a report may name, in words: by field, then by value.
    """
    return {
        field: {value: words.tr if language == "tr" else words.en for value, words in table.items()}
        for field, table in _both().items()
    }


def name(field: str, value: str, language: str) -> str:
    """
    One of them. What nobody knows (of an imported city, or a neighbourhood) is called what it is called there.
    """
    words = _both().get(field, {}).get(value)
    return value if words is None else words.tr if language == "tr" else words.en


def choices(language: str, departments: Collection[str] | None) -> dict[str, list[tuple[str, str]]]:
    """
    What the filters offer, by name in the alphabet's order; of departments only those (None: all of them).
    """
    known = names(language)
    offered = {
        "department": [
            (slug, text) for slug, text in known["department"].items() if departments is None or slug in departments
        ],
        "channel": list(known["channel"].items()),
        "kind": list(known["kind"].items()),
        "service": list(known["service"].items()),
        "neighbourhood": [(one, one) for one in NEIGHBOURHOODS],
    }
    for field in ("department", "service"):
        offered[field].sort(key=lambda pair: _turkish(pair[1]))
    return offered


_ALPHABET: Final = {letter: chr(place) for place, letter in enumerate("aâbcçdefgğhıiîjklmnoöpqrsştuûüvwxyz", 0x100)}


def _turkish(text: str) -> str:
    lowered = text.replace("I", "ı").replace("İ", "i").lower()
    return "".join(_ALPHABET.get(letter, letter) for letter in lowered)
