"""
What fits into an SMS: the alphabets of 3GPP TS 23.038, how many segments a text needs, cutting it to a number. Pure.

A text is sent in the first alphabet that has all its characters. Turkish letters are in the national language tables
(6.2.1.2.5): with the single shift table, which gateways in Türkiye use, each of ``şŞğĞıİç`` counts as two; with the
locking shift table it counts as one, but the header takes its place all the same.
"""

import unicodedata
from dataclasses import dataclass
from typing import Final

from services.notify.channels.cutting import cut, letters, units

_LOWER: Final = "abcdefghijklmnopqrstuvwxyz"
_SIGNS: Final = "!\"#¤%&'()*+,-./0123456789:;<=>?"
_DEFAULT: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ " + _SIGNS + "¡" + _LOWER.upper() + "ÄÖÑÜ§¿" + _LOWER + "äöñüà"
)
_LOCKING: Final = frozenset(
    "@£$¥€éùıòÇ\nĞğ\rÅåΔ_ΦΓΛΩΠΨΣΘΞŞşßÉ " + _SIGNS + "İ" + _LOWER.upper() + "ÄÖÑÜ§ç" + _LOWER + "äöñüà"
)
_EXTENSION: Final = frozenset("\f^{}\\[~]|€")
_TURKISH: Final = _EXTENSION | frozenset("ĞİŞçğış")
OPERATOR_CODE: Final = (
    " B000"  # what every operator has to put behind a text (BTK, 2016/DK-YED/211): room is kept for it
)

# What people write with a keyboard that is better than an SMS; the answer would cost half the room.
_PLAIN: Final = str.maketrans(
    {
        "…": "...", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "‚": "'", "`": "'", "´": "'",
        "–": "-", "—": "-", "‑": "-", "−": "-", "•": "-", "·": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ",
        "\t": " ", "\u200b": "", "\ufeff": "", "\u00ad": "", "â": "a", "Â": "A", "î": "i", "Î": "İ", "û": "u",
        "Û": "U", "ô": "o", "ê": "e", "á": "a", "í": "i", "ó": "o", "ú": "u", "º": "o", "²": "2", "³": "3", "₺": "TL",
        "×": "x",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Alphabet:
    """
    One way to write an SMS: characters that count as one and as two, and how much one segment holds, ``alone`` and as
    one of several, for a header takes room. UCS-2 has every character; it counts in UTF-16.
    """

    name: str
    single: frozenset[str]
    double: frozenset[str]
    alone: int
    joined: int

    def cost(self, letter: str) -> int | None:
        """
        What a letter takes, or None if it cannot be written.
        """
        if self is UCS2:
            return units(letter)
        costs = [1 if char in self.single else 2 if char in self.double else None for char in letter]
        known = [cost for cost in costs if cost is not None]
        return sum(known) if len(known) == len(costs) else None


GSM: Final = Alphabet("GSM-7", _DEFAULT, _EXTENSION, 160, 153)
TURKISH: Final = Alphabet("GSM-7 Turkish", _DEFAULT, _TURKISH, 155, 149)
TURKISH_LOCKING: Final = Alphabet("GSM-7 Turkish locking", _LOCKING, _EXTENSION, 155, 149)
UCS2: Final = Alphabet("UCS-2", frozenset(), frozenset(), 70, 67)
USUAL: Final = (GSM, TURKISH, UCS2)


@dataclass(frozen=True, slots=True)
class Measure:
    """
    What a text takes: septets, or UTF-16 units in UCS-2.
    """

    alphabet: Alphabet
    units: int
    segments: int


def plain(text: str) -> str:
    """
    The same words without typography that an SMS has no character for.
    """
    return unicodedata.normalize("NFC", text).translate(_PLAIN)


def measure(text: str, alphabets: tuple[Alphabet, ...] = USUAL) -> Measure:
    """
    What the text takes in the first of the alphabets that can write it. Raises ``ValueError`` if none can.

    No letter is split: a pair of septets stands in one segment.
    """
    parts = letters(text)
    for alphabet in alphabets:
        costs = [alphabet.cost(part) for part in parts]
        known = [cost for cost in costs if cost is not None]
        if len(known) == len(costs):
            return Measure(alphabet, sum(known), _segments(known, alphabet))
    raise ValueError("no alphabet has all characters")


def _segments(costs: list[int], alphabet: Alphabet) -> int:
    if sum(costs) <= alphabet.alone:
        return 1
    count, room = 1, alphabet.joined
    for cost in costs:
        if cost > room:
            count, room = count + 1, alphabet.joined
        room -= cost
    return count


def fit(text: str, most_segments: int) -> str:
    """
    The text in characters that an SMS has, cut between words so that with the operator's code behind it it takes at
    most so many segments. The last link in it stays whole.
    """
    return cut(plain(text), lambda it: measure(it + OPERATOR_CODE).segments <= most_segments, mark="...")
