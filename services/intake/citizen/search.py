"""
Finding a subject by everyday words: the public services by name (Turkish, English) and keywords. Pure.
"""

from functools import cache
from typing import Final, NamedTuple

from services.common.contracts.catalogue import catalogue
from services.common.contracts.text import words
from services.intake.open311.definitions import offered

MOST_FOUND: Final = 12
LONGEST: Final = 100
"""Characters of a question that are looked at."""
_SHORTEST: Final = 2
_STEM: Final = 3
_ENDING: Final = 5
"""Letters that a Turkish ending may add to a stem: ``cop`` is found by ``coplerin``."""
_SOFTENED: Final = {"k": "g", "p": "b", "t": "d"}
_EMPTY: Final = frozenset(
    ("ve", "ile", "bir", "bu", "var", "yok", "icin", "cok", "the", "and", "for", "of", "in", "on", "is", "there", "my")
)


class _Entry(NamedTuple):
    code: str
    keywords: frozenset[str]
    names: frozenset[str]


def search(question: str) -> tuple[str, ...]:
    """
    The codes of the services that fit, best first, at most ``MOST_FOUND``; none for a blank question.

    The words may be begun only (``çuk``), have endings (``köpeğin``), and lack Turkish letters. If services fit all the
    words, only those are found; else one that fits more of them comes first. Among equals a keyword counts more than a
    name, a whole word more than a beginning.
    """
    asked = [word for word in dict.fromkeys(words(question[:LONGEST])) if len(word) >= _SHORTEST]
    asked = [word for word in asked if word not in _EMPTY] or asked
    found = []
    for place, entry in enumerate(_entries()):
        points = [_points(word, entry) for word in asked]
        fitting = sum(1 for point in points if point)
        if fitting:
            found.append((-fitting, -sum(points), place, entry.code))
    whole = [row for row in found if row[0] == -len(asked)]
    return tuple(code for *_, code in sorted(whole or found)[:MOST_FOUND])


@cache
def _entries() -> tuple[_Entry, ...]:
    services = catalogue().services
    return tuple(
        _Entry(
            code,
            frozenset(words(" ".join(services[code].keywords))),
            frozenset(words(f"{services[code].tr} {services[code].en}")),
        )
        for code in offered()
    )


def _points(asked: str, entry: _Entry) -> int:
    return max(
        max((_alike(asked, word) + 1 for word in entry.keywords if _alike(asked, word)), default=0),
        max((_alike(asked, word) for word in entry.names), default=0),
    )


def _alike(asked: str, word: str) -> int:
    """
    6 for the word itself, 4 for its beginning, 2 for the word with an ending, 0 for another word.
    """
    if asked == word:
        return 6
    if word.startswith(asked):
        return 4
    ending = len(asked) - len(word)
    if len(word) < _STEM or ending > _ENDING:
        return 0
    if ending > 0 and asked.startswith((word, word[:-1] + _SOFTENED.get(word[-1], word[-1]))):
        return 2
    return 0
