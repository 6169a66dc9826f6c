"""
A request's number as an operator says it on the telephone: digits as words, letters by the towns and names that
Turkish speakers spell with; in English by the international alphabet. Pure.
"""

from typing import Final

from services.common.contracts.ids import grouped

_TR: Final = {
    "0": "Sıfır", "1": "Bir", "2": "İki", "3": "Üç", "4": "Dört", "5": "Beş", "6": "Altı", "7": "Yedi", "8": "Sekiz",
    "9": "Dokuz", "A": "Adana", "B": "Bolu", "C": "Ceyhan", "D": "Denizli", "E": "Edirne", "F": "Fatsa",
    "G": "Giresun", "H": "Hatay", "J": "Jale", "K": "Kars", "M": "Manisa", "N": "Niğde", "P": "Polatlı",
    "Q": "Q (kü)", "R": "Rize", "S": "Sinop", "T": "Tokat", "V": "Van", "W": "W (çift ve)", "X": "X (iks)",
    "Y": "Yozgat", "Z": "Zonguldak",
}  # fmt: skip
_EN: Final = {
    "0": "Zero", "1": "One", "2": "Two", "3": "Three", "4": "Four", "5": "Five", "6": "Six", "7": "Seven", "8": "Eight",
    "9": "Nine", "A": "Alfa", "B": "Bravo", "C": "Charlie", "D": "Delta", "E": "Echo", "F": "Foxtrot", "G": "Golf",
    "H": "Hotel", "J": "Juliett", "K": "Kilo", "M": "Mike", "N": "November", "P": "Papa", "Q": "Quebec", "R": "Romeo",
    "S": "Sierra", "T": "Tango", "V": "Victor", "W": "Whiskey", "X": "X-ray", "Y": "Yankee", "Z": "Zulu",
}  # fmt: skip
_POINT: Final = {"tr": "nokta", "en": "point"}


def spelled(request_id: str, language: str) -> tuple[str, ...]:
    """
    One line for each group of the number: ``Yedi – X (iks) – Kars – İki``. A part's number ends in ``nokta – Bir``.
    """
    names = _TR if language == "tr" else _EN
    number, _, part = grouped(request_id).partition(".")
    groups = [" – ".join(names[sign] for sign in group) for group in number.split("-")]
    if part:
        groups.append(" – ".join((_POINT[language], *(names[digit] for digit in part))))
    return tuple(groups)
