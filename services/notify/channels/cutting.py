"""
Cutting a text to what a channel takes, between words, never through a letter or a link. Pure.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Final

_LINK: Final = re.compile(r"https?://\S+")
_JOINER: Final = "\u200d"
_TRAILING: Final = " \t\n,;:-–("


def letters(text: str) -> list[str]:
    """
    The text in what a reader takes for letters: an accent, a skin tone or the parts of a joined emoji stay together.
    """
    found: list[str] = []
    for char in text:
        if found and (_extends(char) or found[-1].endswith(_JOINER) or _second_of_flag(found[-1], char)):
            found[-1] += char
        else:
            found.append(char)
    return found


def _extends(char: str) -> bool:
    tone = "\U0001f3fb" <= char <= "\U0001f3ff"
    return char == _JOINER or tone or unicodedata.category(char) in ("Mn", "Me", "Mc")


def _second_of_flag(before: str, char: str) -> bool:
    return len(before) == 1 and all("\U0001f1e6" <= one <= "\U0001f1ff" for one in (before, char))


def units(text: str) -> int:
    """
    The length in UTF-16, the stricter of the two ways in which providers count.
    """
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, fits: Callable[[str], bool], mark: str = "…") -> str:
    """
    As much of the text as ``fits``, with ``mark`` where something is missing. The last link stays, with what follows
    it, if there is room for it at all; half a link is never left. ``fits`` must say yes to whatever is shorter.
    """
    if fits(text):
        return text
    links = list(_LINK.finditer(text))
    if links:
        start = links[-1].start()
        kept = _longest(text[:start], lambda head: fits(f"{head}{mark} {text[start:]}"))
        if kept is not None:
            return f"{kept}{mark} {text[start:]}"
    kept = _longest(text, lambda head: fits(head + mark))
    return "" if kept is None else kept + mark


def _longest(text: str, fits: Callable[[str], bool]) -> str | None:
    """
    The longest beginning that fits, cut between words if that leaves anything, else between letters.
    """
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    at_words = _last([text[:end].rstrip(_TRAILING) for end in [0, *ends]], fits)
    if at_words or at_words is None or not ends or _LINK.search(text[: ends[0]]):
        return at_words
    parts = letters(text[: ends[0]])
    return _last(["".join(parts[:count]) for count in range(len(parts) + 1)], fits)


def _last(candidates: Sequence[str], fits: Callable[[str], bool]) -> str | None:
    """
    The last that fits; they become longer.
    """
    place = bisect_right(candidates, False, key=lambda candidate: not fits(candidate))
    return candidates[place - 1] if place else None
