"""
What is new in a mail: without what it quotes, its sender's program says of itself, and its lawyers add. Pure.

Line by line, in time that grows with the text's length. Nothing is ever cut to nothing: where only quotations and
signatures are left, they are what was said.
"""

import re
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Final

from services.common.contracts.text import fold

_LONGEST: Final = 300  # characters: a longer line is prose
_ATTRIBUTION_LINES: Final = 3
_HEADER_LINES: Final = 6
_SIGNATURE_LINES: Final = 12
_DISCLAIMER_LINES: Final = 30

# The patterns are for folded lines: lower case without Turkish letters.
_SAYS_WHEN_OR_WHO: Final = re.compile(r"(?!<).*(?:\d{1,2}[:.]\d{2}|\d{4}|\S@\S).*")
_ATTRIBUTION: Final = re.compile(
    r"(?:.*\b(?:tarihinde|tarihli|saat|saatinde|gunu)\b.*\b(?:yazdi|yazmis|yazdilar)"
    r"|.*\bsun(?:u|lari) (?:yazdi|yazmis)"
    r"|\S.*<\S+@\S+>.*\byazdi"
    r"|on\b.*\bwrote"
    r"|am\b.*\bschrieb)\b.{0,80}:"
)
_FIRST_HEADER: Final = re.compile(r"[* ]*(?:kimden|gonderen|from|von)[* ]*:[* ]*\S.*")
_HEADER: Final = re.compile(
    r"[* ]*(?:kimden|gonderen|gonderilme|gonderme tarihi|gonderildi|tarih|kime|alici|bilgi|konu"
    r"|from|sent|date|to|cc|subject|von|gesendet|an|betreff)[* ]*:.*"
)
_SEPARATOR: Final = re.compile(
    r"-{3,} ?(?:ozgun|orijinal|orjinal|asil|iletilen|yonlendirilen|original|forwarded|ursprungliche)"
    r" (?:ileti|mesaj|e-?posta|message|nachricht)\w* ?-{3,}"
)
_RULE: Final = re.compile(r"_{10,}|-{10,}")
_DELIMITER: Final = re.compile(r"-- ?")
_PROGRAM: Final = re.compile(
    r"(?:.*\b(?:iphone|ipad|android|samsung|galaxy|huawei|xiaomi|redmi|outlook|yahoo|gmail|windows|posta"
    r"|mail|cihaz|mobil|telefon)\S*\b.*\bgonderil(?:di|mistir)"
    r"|sent (?:from|via) (?:my |outlook|yahoo|mail|samsung|android|iphone).*"
    r"|get outlook for .*|outlook for (?:ios|android).*|(?:ios|android) icin outlook\S* edinin"
    r"|von meinem .* gesendet)\W*(?:<\S*>|\(\S*\))?\W*"
)
_DISCLAIMER: Final = re.compile(
    r"\W*(?:yasal uyari|gizlilik (?:notu|uyarisi|bildirimi)"
    r"|bu (?:e-?posta|ileti|mesaj)\w*(?: mesaji)?,? ve (?:\w+ )?ekleri|disclaimer|confidentiality notice)\b"
)


def own_words(text: str, *, answer: bool) -> str:
    """
    What the sender wrote. Quotations are cut from an ``answer`` alone: what somebody passes on is what they mean.
    """
    lines: Sequence[str] = text.split("\n")
    if answer:
        lines = _if_any_left(lines, _without_history)
    for cut in (_without_disclaimer, _without_signature, _without_program, _without_signature):
        lines = _if_any_left(lines, cut)
    return "\n".join(lines).strip()


def _if_any_left(lines: Sequence[str], cut: Callable[[Sequence[str]], Sequence[str]]) -> Sequence[str]:
    left = cut(lines)
    return left if _any(left) else lines


def _any(lines: Sequence[str]) -> bool:
    return any(char.isalnum() for line in lines for char in line)


def _matches(pattern: re.Pattern[str], line: str) -> bool:
    return len(line) <= _LONGEST and pattern.fullmatch(" ".join(fold(line).split())) is not None


# --- history ---


def _without_history(lines: Sequence[str]) -> Sequence[str]:
    start, end = _history(lines)
    above = _unquoted(lines[:start])
    if start == len(lines) or _any(above):
        return above
    return _unquoted(lines[end:])  # the answer stands below what it quotes


def _unquoted(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if not line.lstrip().startswith(">")]


def _history(lines: Sequence[str]) -> tuple[int, int]:
    """
    Where what is quoted begins, and where the lines end that introduce it; the length of all, twice, if nowhere.
    """
    for at, line in enumerate(lines):
        if not line.strip() or line.lstrip().startswith(">"):
            continue
        if _matches(_SEPARATOR, line):
            return at, at + 1 + _headers(lines[at + 1 :])
        if count := _attribution(lines[at : at + _ATTRIBUTION_LINES]):
            return at, at + count
        if _matches(_FIRST_HEADER, line) and (count := _headers(lines[at:])) > 1:
            return _before_rule(lines, at), at + count
    return len(lines), len(lines)


def _attribution(lines: Sequence[str]) -> int:
    """
    How many of the lines say, together, who wrote when what follows, the first of them a time or an address; 0 if they
    do not, or only the later ones do.
    """
    if not _matches(_SAYS_WHEN_OR_WHO, lines[0].strip()):
        return 0
    count = next((at for at, line in enumerate(lines, 1) if line.rstrip().endswith(":")), 0)
    own = lines[:count]
    if not all(line.strip() for line in own) or not _matches(_ATTRIBUTION, " ".join(own)):
        return 0
    return 0 if any(_attribution(own[later:]) for later in range(1, count)) else count


def _headers(lines: Sequence[str]) -> int:
    """
    How many lines of a quoted mail's head the lines begin with.
    """
    known = 0
    for at, line in enumerate(lines[:_HEADER_LINES]):
        if _matches(_HEADER, line):
            known = at + 1
        elif line.strip() and at:
            break
    return known


def _before_rule(lines: Sequence[str], at: int) -> int:
    above = len(list(takewhile(lambda line: not line.strip(), reversed(lines[:at]))))
    place = at - above - 1
    return place if place >= 0 and _RULE.fullmatch(lines[place].strip()) else at


# --- signatures ---


def _without_signature(lines: Sequence[str]) -> Sequence[str]:
    for at in range(len(lines) - 1, max(-1, len(lines) - _SIGNATURE_LINES - 2), -1):
        if _DELIMITER.fullmatch(lines[at]):
            return lines[:at]
    return lines


def _without_program(lines: Sequence[str]) -> Sequence[str]:
    """
    Without a last line in which a telephone or a mail program names itself.
    """
    last = max((at for at, line in enumerate(lines) if line.strip()), default=0)
    return lines[:last] if lines and _matches(_PROGRAM, lines[last]) else lines


def _without_disclaimer(lines: Sequence[str]) -> Sequence[str]:
    for at in range(max(0, len(lines) - _DISCLAIMER_LINES), len(lines)):
        if _DISCLAIMER.match(fold(lines[at][:_LONGEST])):
            return lines[:at]
    return lines
