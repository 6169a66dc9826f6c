"""
Finding a subject by everyday words.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.catalogue import catalogue
from services.intake.citizen.search import MOST_FOUND, search
from services.intake.open311.definitions import offered


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ("çukur", "yol-cukur"),
        ("CUKUR", "yol-cukur"),
        ("çuk", "yol-cukur"),
        ("pothole", "yol-cukur"),
        ("Yağmur ızgarası tıkalı", "mazgal-tikali"),
        ("IZGARA", "mazgal-tikali"),
        ("çöpler alınmadı", "cop-alinmadi"),
        ("eski koltuğu alın", "hacimli-atik"),
        ("leş var", "olu-hayvan"),
        ("there is an oil spill", "yag-dokulmesi"),
    ],
)
def test_everyday_words_bring_the_service_first(question: str, code: str) -> None:
    assert search(question)[0] == code


def test_a_softened_stem_is_the_same_word() -> None:
    assert set(search("köpek")) & set(search("köpeğin"))


def test_each_further_word_narrows_what_is_found() -> None:
    assert {"konteyner-hasar", "konteyner-dolu"} <= set(search("konteyner"))
    found = search("konteyner kırık")
    assert found[0] == "konteyner-hasar"
    assert "konteyner-dolu" not in found


def test_what_fits_some_words_is_found_where_nothing_fits_all() -> None:
    assert set(search("konteyner xyzzyq")) == set(search("konteyner"))


@pytest.mark.parametrize("question", ["", "  ", "?!", "x", "xyzzyq"])
def test_nothing_fits_nothing(question: str) -> None:
    assert search(question) == ()


def test_every_keyword_finds_its_service() -> None:
    services = catalogue().services
    lost = [(word, code) for code in offered() for word in services[code].keywords if code not in search(word)]
    assert not lost


@given(st.text(max_size=300))
def test_whatever_is_asked_few_public_services_are_found_once(question: str) -> None:
    found = search(question)
    assert len(found) == len(set(found)) <= MOST_FOUND
    assert set(found) <= set(offered())
