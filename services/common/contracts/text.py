"""
Turkish text made comparable: lower case as Turkish has it, without diacritics, as a list of words.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

_TURKISH: Final = str.maketrans("İIıŞşĞğÜüÖöÇçÂâÎîÛû", "iiissgguuooccaaiiuu")
_WORD: Final = re.compile(r"[a-z0-9]+")


def fold(text: str) -> str:
    """
    ``"ÇUKUR İçinde"`` and ``"cukur icinde"`` become the same: lower case, Turkish letters as plain ASCII.

    Both ``I`` and ``İ`` become ``i``: people type either for either.
    """
    plain = text.translate(_TURKISH).lower()
    if plain.isascii():
        return plain  # nearly every text: nothing is left to take apart
    plain = unicodedata.normalize("NFKC", text).translate(_TURKISH).lower()
    return "".join(char for char in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(char))


def words(text: str) -> list[str]:
    """
    The words of a text, folded. Kept for the latest texts: rules, classifier and places all ask for the same.
    """
    return list(_words(text))


@lru_cache(maxsize=512)
def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(fold(text)))
