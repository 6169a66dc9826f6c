"""
Where a text says it is: the city's 61 neighbourhoods and its streets, found in what people write. Pure.

Spelling is loose: with or without Turkish letters, in any case, with Turkish endings, in one word or several. A name
that is a plain word too (``pazar``, ``çay``, ``kale``), a person's or another place's counts only with a sign beside
it: ``mahalle`` or ``muhtar`` behind it, or an in/at ending and an address near it. Streets are not looked up, for there
is no list of them that this project may use: a street is what is written as one (``Lale Sokak``, ``1456. sk``).
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from services.common.contracts.neighbourhoods import NEIGHBOURHOODS
from services.common.contracts.text import fold
from services.common.contracts.yaml_file import read_yaml

_FILE: Final = Path(__file__).with_name("places.yaml")
_WORD: Final = re.compile(r"(?:[^\W_][\u0300-\u036f]*)+")
_ENDING: Final = (  # after folding: ı is i, ü is u
    r"(?:l[iu])?[yns]?(?:[iu]n|[iu]|[ae]|[dt][ae](?:n|ki(?:ler|n[ie])?)?)?(?:y[iu][mz])?"
)
_AT: Final = re.compile(r"[yn]?[dt][ae](?:ki(?:ler)?)?")
_PLACE_ENDING: Final = re.compile(_ENDING)
_MAHALLE: Final = re.compile(r"mahal+e\w*|mahlesi\w*|mah|mhl|mh")
_MUHTAR: Final = re.compile(r"muhtar\w*")
_NUMBER: Final = re.compile(
    r"\s*[,.;:/-]?\s*(?:no|numara|nu|n)\s*[.:;°]*\s*(\d{1,4}(?:\s*[/-]\s*(?:\d{1,3}|[A-Za-z]))?[A-Za-z]?)\b", re.I
)
_NUMBER_FIRST: Final = re.compile(r"\s*[,.;:/-]?\s*(\d{1,4})\s*(?:nolu|numara|numaral[ıi]|no'?lu|no)\b", re.I)
_NUMERIC: Final = re.compile(r"\d{1,5}")
_SHORT: Final = {"sk", "skt", "cd", "cad", "cadd", "blv", "bulv"}
_PLAIN: Final = {"cadde", "caddede", "caddedeki", "bulvar"}
_ENDS: Final = '.!?…"“(\n'
_LONGEST: Final = 3  # words of a name at most
_NEAR: Final = 3  # words between a sign and the name at most


class Found(NamedTuple):
    """
    A place, and where in the text it stands: ``text[start:end]``. ``number`` is the house's, for a street.
    """

    name: str
    start: int
    end: int
    number: str | None = None


class _Word(NamedTuple):
    folded: str
    start: int
    end: int
    written: str

    @property
    def capital(self) -> bool:
        return self.written[0].isupper()


class _Lists(NamedTuple):
    """
    What ``places.yaml`` holds, folded.
    """

    ordinary: frozenset[str]
    elsewhere: tuple[str, ...]
    not_the_quarter: re.Pattern[str]
    street_words: dict[str, str]
    no_street_name: frozenset[str]
    not_a_street: re.Pattern[str]


@cache
def _lists() -> _Lists:
    raw = read_yaml(_FILE)

    def beginnings(words: Sequence[str]) -> re.Pattern[str]:
        return re.compile("|".join(f"{fold(word)[:-1]}.*" if word.endswith("*") else fold(word) for word in words))

    return _Lists(
        frozenset("".join(fold(name).split()) for name in raw["ordinary"]),
        tuple(fold(name) for name in raw["elsewhere"]),
        beginnings(raw["not_the_quarter"]),
        {fold(spelling): kind for kind, spellings in raw["street_words"].items() for spelling in spellings},
        frozenset(fold(word) for word in raw["no_street_name"]),
        beginnings(raw["not_a_street"]),
    )


@cache
def _names() -> dict[str, list[tuple[str, str]]]:
    """
    The neighbourhoods as ``(folded without blanks, name)``, by their first three letters; the longest first.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(NEIGHBOURHOODS, key=len, reverse=True):
        key = "".join(fold(name).split())
        found.setdefault(key[:3], []).append((key, name))
    return found


def _words(text: str) -> list[_Word]:
    return [_Word(fold(hit[0]), hit.start(), hit.end(), hit[0]) for hit in _WORD.finditer(text)]


def neighbourhoods_in(text: str) -> list[Found]:
    """
    The neighbourhoods that the text names, in its order, as they are called in ``NEIGHBOURHOODS``.
    """
    return list(_neighbourhoods(text, _words(text)))


def streets_in(text: str) -> list[Found]:
    """
    The streets that the text names, in its order: the name as written, its kind in full (``Lale Sokak``), the number.
    """
    words = _words(text)
    return list(_streets(text, words, list(_neighbourhoods(text, words))))


# --- Neighbourhoods ---


def _neighbourhoods(text: str, words: Sequence[_Word]) -> Iterator[Found]:
    place = 0
    while place < len(words):
        hit = _name_at(text, words, place)
        if hit is None:
            place += 1
            continue
        key, name, used, ending = hit
        behind = place + used
        if _split_ending(text, words, behind):
            ending, behind = words[behind].folded, behind + 1
        said_so = behind < len(words) and _follows(text, words, behind) and _MAHALLE.fullmatch(words[behind].folded)
        if said_so or _meant(text, words, place, behind, key, ending):
            last = behind if said_so else behind - 1
            yield Found(name, words[place].start, words[last].end)
            place = last + 1
        else:
            place += 1


def _name_at(text: str, words: Sequence[_Word], place: int) -> tuple[str, str, int, str] | None:
    """
    A name that begins at that word: its key, itself, how many words it takes, and the ending on it.
    """
    if len(words[place].folded) < 3:
        wanted = [pair for pairs in _names().values() for pair in pairs if pair[0].startswith(words[place].folded)]
    else:
        wanted = _names().get(words[place].folded[:3], [])
    for key, name in wanted:
        joined = ""
        for used in range(1, min(_LONGEST, len(words) - place) + 1):
            if used > 1 and not _follows(text, words, place + used - 1):
                break
            joined += words[place + used - 1].folded
            if len(joined) < len(key):
                if not key.startswith(joined):
                    break
                continue
            if joined.startswith(key) and _PLACE_ENDING.fullmatch(joined[len(key) :]):
                return key, name, used, joined[len(key) :]
            break
    return None


def _split_ending(text: str, words: Sequence[_Word], place: int) -> bool:
    """
    Whether a word is the ending of the one before it, behind an apostrophe.
    """
    return (
        place < len(words)
        and text[words[place - 1].end : words[place].start] in {"'", "’", "`", "´"}
        and _PLACE_ENDING.fullmatch(words[place].folded) is not None
    )


def _follows(text: str, words: Sequence[_Word], place: int) -> bool:
    """
    Whether nothing but blanks, a full stop or an apostrophe stands between a word and the one before it.
    """
    return not text[words[place - 1].end : words[place].start].strip(" .\t'’")


def _meant(text: str, words: Sequence[_Word], place: int, behind: int, key: str, ending: str) -> bool:
    """
    Whether a name without ``mahalle`` behind it means the neighbourhood.
    """
    lists = _lists()
    beside = words[behind] if behind < len(words) else None
    if beside is not None and _follows(text, words, behind):
        if _MUHTAR.fullmatch(beside.folded):
            return True
        if beside.folded in lists.street_words or lists.not_the_quarter.fullmatch(beside.folded):
            return False
    around = [*words[max(0, place - 2) : place], *words[behind : behind + 2]]
    if any(word.folded.startswith(lists.elsewhere) for word in around):
        return False
    if key not in lists.ordinary:
        return True
    near = [*words[max(0, place - _NEAR) : place], *words[behind : behind + _NEAR]]
    return bool(_AT.fullmatch(ending)) and any(
        word.folded in lists.street_words or word.folded.startswith("ilkadim") or _MUHTAR.fullmatch(word.folded)
        for word in near
    )


# --- Streets ---


def _streets(text: str, words: Sequence[_Word], quarters: Sequence[Found]) -> Iterator[Found]:
    lists = _lists()
    shouted = text.isupper()
    free = 0  # the first word that no earlier street has taken
    for place, word in enumerate(words):
        kind = lists.street_words.get(word.folded)
        if kind is None or place == free:
            continue
        first = _first_of_name(text, words, place, free, quarters, shouted)
        if first is None:
            continue
        number = _NUMBER.match(text, word.end) or _NUMBER_FIRST.match(text, word.end)
        names = words[first:place]
        if not (number or _is_named(text, words, first, place, quarters, shouted)):
            continue
        free = place + 1
        name = unicodedata.normalize("NFC", text[names[0].start : names[-1].end])
        dot = "." if names[-1].folded.isdigit() else ""
        end = number.end() if number else word.end
        yield Found(f"{' '.join(name.split())}{dot} {kind}", names[0].start, end, number[1] if number else None)


def _is_named(
    text: str, words: Sequence[_Word], first: int, place: int, quarters: Sequence[Found], shouted: bool
) -> bool:
    """
    Whether the words from ``first`` on are the name of the street whose word stands at ``place``. Numbers are, and what
    stands behind a neighbourhood's name. Of ``sokak`` only capitals are, for most words before it are none; and a
    capital that only begins a sentence is no sign.
    """
    lists = _lists()
    street, last = words[place], words[place - 1]
    if last.folded.isdigit() or any(0 <= words[first].start - quarter.end <= 2 for quarter in quarters):
        return True
    if street.folded in _SHORT or not street.folded.startswith("so"):
        return street.folded not in _PLAIN or (last.capital and not shouted)
    beside = words[place + 1].folded if place + 1 < len(words) else ""
    if shouted or not last.capital or (not street.capital and lists.not_a_street.fullmatch(beside)):
        return False
    begins = not text[: words[first].start].rstrip() or text[: words[first].start].rstrip()[-1] in _ENDS
    return not begins or (street.capital and not street.folded.startswith("sokakt"))


def _first_of_name(
    text: str, words: Sequence[_Word], place: int, free: int, quarters: Sequence[Found], shouted: bool
) -> int | None:
    """
    Where the name before a street's word begins: a number, the capitalised words before it, or else one plain word.
    """
    lists = _lists()

    def is_name(at: int) -> bool:
        word = words[at].folded
        if (
            at < free
            or not _follows(text, words, at + 1)
            or word in lists.no_street_name
            or word in lists.street_words
            or _MAHALLE.fullmatch(word)
        ):
            return False
        inside = any(quarter.start <= words[at].start < quarter.end for quarter in quarters)
        return not (inside and at < place - 1)

    last = place - 1
    if not is_name(last):
        return None
    word = words[last].folded
    if word.isdigit():
        return last if _NUMERIC.fullmatch(word) else None
    if shouted or not words[last].capital:
        if is_name(last - 1) and f"{words[last - 1].folded}{word}" in lists.ordinary:
            return last - 1
        plain = len(word) >= 3 and not re.search(r"(?:[dt][ae](?:ki|n)?|n[iu]n|lar|ler|m[iu]z(?:[iu]n)?)$", word)
        return last if plain else None
    first = last
    while first > max(free, place - 4) and is_name(first - 1):
        before = words[first - 1]
        if not (before.capital or before.folded.isdigit()):
            break
        first -= 1
    return first
