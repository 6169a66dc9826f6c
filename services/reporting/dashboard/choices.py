"""
What the filters of the dashboard offer. Pure.
"""

from collections.abc import Collection
from typing import Final

from services.common.contracts.neighbourhoods import NEIGHBOURHOODS
from services.common.ui.formats import Language
from services.reporting.names import Names


def choices(names: Names, language: Language, departments: Collection[str] | None) -> dict[str, list[tuple[str, str]]]:
    """
    By name in the alphabet's order; of departments only those (None: all of them).
    """
    known = names.columns(language)
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
