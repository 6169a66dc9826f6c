"""
Words as operators write them in rules, found in what citizens write.

A word of four letters or more matches every word that begins with it (Turkish appends its endings: ``çukur`` finds
``çukurlar``), also with its last consonant softened (``salıncak`` finds ``salıncağı``); a shorter one matches only
itself; none matches inside a word. A phrase matches when its words follow one another. All of it without regard to
case and Turkish marks (text.py).
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final, NamedTuple

from services.common.contracts.text import words

WHOLE_WORD_BELOW: Final = 4

_SOFTENED: Final = {"k": "g", "p": "b", "t": "d"}  # after folding; ç and c are one letter already


def _says(wanted: str, said: str) -> bool:
    return said == wanted if len(wanted) < WHOLE_WORD_BELOW else said.startswith(_beginnings(wanted))


def _beginnings(wanted: str) -> tuple[str, str]:
    return wanted, wanted[:-1] + _SOFTENED.get(wanted[-1], wanted[-1])


def _follows(phrase: Sequence[str], said: Sequence[str], start: int) -> bool:
    """
    Whether the text says the phrase from that word on.
    """
    end = start + len(phrase)
    return end <= len(said) and all(map(_says, phrase, said[start:end]))


class Hit(NamedTuple):
    """
    A phrase, and the words of the text that say it: from ``start`` (from 0) up to ``end``, without it.
    """

    phrase: str
    start: int
    end: int


class Phrases:
    """
    The phrases of many rules: for each what it looks for, and what makes those words not count.
    """

    _LETTERS = WHOLE_WORD_BELOW - 1  # looked up by these, for no ending and no softening changes them

    def __init__(self, rules: Sequence[tuple[Sequence[str], Sequence[str]]]) -> None:
        self._by_start: dict[str, list[tuple[int, str, list[str]]]] = {}
        self._but_not = [[words(phrase) for phrase in but_not] for _, but_not in rules]
        for place, (phrases, _) in enumerate(rules):
            for phrase in phrases:
                parts = words(phrase)
                self._by_start.setdefault(parts[0][: self._LETTERS], []).append((place, phrase, parts))

    def said_in(self, said: Sequence[str]) -> dict[int, list[Hit]]:
        """
        The places (from 0) of the rules whose words the text (its folded words) says, with where it does.
        """
        hits: dict[int, list[Hit]] = {}
        for start, word in enumerate(said):
            for place, phrase, parts in self._by_start.get(word[: self._LETTERS], ()):
                if _follows(parts, said, start) and not self._excepted(place, said, start, start + len(parts)):
                    hits.setdefault(place, []).append(Hit(phrase, start, start + len(parts)))
        return hits

    def _excepted(self, place: int, said: Sequence[str], start: int, end: int) -> bool:
        return any(
            _follows(phrase, said, begin)
            for phrase in self._but_not[place]
            for begin in range(max(0, start - len(phrase) + 1), end)
        )


def spelled(text: str, said: list[str]) -> list[str]:
    """
    The words of a text as they were written, one for each folded word.
    """
    written = re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text))
    return written if [words(word) for word in written] == [[word] for word in said] else said


def covers(others: Sequence[str], phrase: str) -> bool:
    """
    Whether one of the other phrases is said wherever this one is.
    """
    parts = words(phrase)
    return any(
        all(map(_implies, parts[start:], other))
        for other in map(words, others)
        for start in range(len(parts) - len(other) + 1)
    )


def _implies(word: str, wanted: str) -> bool:
    """
    Whether whatever matches ``word`` matches ``wanted``.
    """
    if len(word) < WHOLE_WORD_BELOW or len(wanted) < WHOLE_WORD_BELOW:
        return word == wanted
    return word.startswith(_beginnings(wanted))  # then its softened form does too
