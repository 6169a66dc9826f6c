"""
What a message tells at a glance while routing, which knows more, does not answer: danger, and a place. Pure.
"""

from typing import Final

from services.common.contracts.neighbourhoods import neighbourhood
from services.common.contracts.text import words

_BEGINS: Final = (  # folded; words of life and limb alone: on a false alarm somebody reads "call 112" for nothing
    "yangin var", "yangin cikti", "yaniyor", "duman cikiyor", "alev aldi", "gaz kokusu", "gaz kaciriyor",
    "dogalgaz kac", "patlama", "patladi", "ambulans", "yaralandi", "yarali var", "bayildi", "trafik kazasi",
    "kaza oldu", "kaza var", "boguluyor", "enkaz", "gocuk", "bina coktu", "yol coktu", "duvar yikildi", "yikilacak",
    "yikilmak uzere",
    "sel basti", "su basti", "heyelan", "toprak kaydi", "elektrik carpt", "tel koptu", "kablo koptu",
    "bicakl", "silahli", "ates ediyor", "dovuyor", "saldiriyor", "isirdi", "intihar", "kurtarin", "imdat",
)  # fmt: skip
_LONGEST_NAME: Final = 3  # words: "Fevzi Çakmak Mahallesi"


def tells_of_danger(text: str | None) -> bool:
    """
    Whether the text has one of a short list of phrases that mean danger, however its last word goes on.
    """
    spoken = " " + " ".join(words(text or ""))
    return any(f" {phrase}" in spoken for phrase in _BEGINS)


def names_a_place(text: str | None) -> bool:
    """
    Whether one of our neighbourhoods stands in the text.
    """
    spoken = words(text or "")
    return any(
        neighbourhood(" ".join(spoken[start : start + length])) is not None
        for length in range(1, _LONGEST_NAME + 1)
        for start in range(len(spoken) - length + 1)
    )
