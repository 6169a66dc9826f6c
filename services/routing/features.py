"""
What the classifier sees of a text: the character n-grams of its words, and pairs of neighbouring words. Pure.

Words are folded to plain ASCII (a phone without Turkish letters writes the same), letters that are drawn out are cut to
two, numbers are all one word. A word counts once however often it is said: a long complaint is not louder than a short.
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Final

from services.common.contracts.text import words

SHORTEST, LONGEST = 2, 5
PAIR_LETTERS: Final = 6
_DRAWN_OUT: Final = re.compile(r"(.)\1{2,}")


def tokens(text: str) -> list[str]:
    """
    The words of a text as the classifier counts them.
    """
    return [_counted(word) for word in words(text)]


@lru_cache(maxsize=65_536)
def _counted(word: str) -> str:
    return "0" if word.isdigit() else _DRAWN_OUT.sub(r"\1\1", word)


@lru_cache(maxsize=65_536)
def grams(word: str) -> Counter[str]:
    """
    The n-grams of 2 to 5 characters of a word, its edges marked, and the word itself.
    """
    marked = f"<{word}>"
    found = Counter(
        marked[start : start + size] for size in range(SHORTEST, LONGEST + 1) for start in range(len(marked) - size + 1)
    )
    if len(marked) > LONGEST:
        found[marked] += 1
    return found


def pairs(said: list[str]) -> Iterator[str]:
    """
    Neighbouring words, each cut to its first letters: Turkish appends its endings.
    """
    short = [word[:PAIR_LETTERS] for word in said]
    return map(" ".join, pairwise(short))
