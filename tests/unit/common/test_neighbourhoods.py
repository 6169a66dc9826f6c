"""
Neighbourhoods, however people write them.
"""

import unicodedata

import pytest

from services.common.contracts.neighbourhoods import NEIGHBOURHOODS, neighbourhood

_TO_ASCII = str.maketrans("çğıöşüâÇĞİÖŞÜ", "cgiosuaCGIOSU")
WAYS = {
    "as it is": str,
    "capitals": lambda name: name.replace("i", "İ").replace("ı", "I").upper(),
    "capitals of an English keyboard": lambda name: name.translate(_TO_ASCII).upper(),
    "small letters": lambda name: name.replace("İ", "i").replace("I", "ı").lower(),
    "small letters by a foreign locale": str.lower,
    "without Turkish letters": lambda name: name.translate(_TO_ASCII),
    "letters and marks apart": lambda name: unicodedata.normalize("NFD", name),
    "blanks around": lambda name: f"  {name}\n",
    "mahallesi": lambda name: f"{name} Mahallesi",
    "MAH.": lambda name: f"{name} MAH.",
    "mh": lambda name: f"{name} mh",
}


def test_there_are_61_and_no_two_are_alike() -> None:
    assert len({neighbourhood(name) for name in NEIGHBOURHOODS}) == len(NEIGHBOURHOODS) == 61


@pytest.mark.parametrize("way", WAYS)
def test_each_is_found_however_it_is_written(way: str) -> None:
    assert [neighbourhood(WAYS[way](name)) for name in NEIGHBOURHOODS] == list(NEIGHBOURHOODS)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("19 MAYIS", "19 Mayıs"),
        ("Aşağı Avdan", "Aşağıavdan"),
        ("Fevzi  Çakmak", "Fevzi Çakmak"),
        ("KAZIM KARABEKIR MAHALLESI", "Kazım Karabekir"),
    ],
)
def test_names_of_several_words_are_found(text: str, name: str) -> None:
    assert neighbourhood(text) == name


@pytest.mark.parametrize("text", ["", "Mah.", "Atakum", "Kale 2", "Kadı", "Yeni Kadıköy", "卡勒"])
def test_what_is_no_neighbourhood_is_none(text: str) -> None:
    assert neighbourhood(text) is None
