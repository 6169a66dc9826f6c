"""
Keyword rules and Turkish folding.
"""

from pathlib import Path

import pytest

from services.common.contracts.catalogue import catalogue
from services.routing.rules import BrokenRules, Rule, RuleBook, load_rules
from services.routing.settings import RoutingSettings
from services.routing.text import fold, words


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ÇUKUR", "cukur"),
        ("Işık", "isik"),
        ("İLKADIM", "ilkadim"),
        ("ILKADIM", "ilkadim"),
        ("şöğüç", "soguc"),
        ("kâğıt", "kagit"),
        ("i\u0307lk", "ilk"),
    ],
)
def test_folding_is_turkish_aware(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_words_are_split_at_everything_that_is_no_letter_or_digit() -> None:
    assert words("Çöp-alınmadı!No:14") == ["cop", "alinmadi", "no", "14"]


def book(*rules: tuple[str, tuple[str, ...], str]) -> RuleBook:
    return RuleBook([Rule(name=n, words=w, service=s) for n, w, s in rules], catalogue())


def test_the_first_rule_that_matches_wins() -> None:
    both = book(("a", ("köpek",), "basibos-kopek"), ("b", ("köpek ısırdı",), "saldirgan-kopek"))
    hit = both.first_match("Köpek ısırdı")
    assert hit is not None
    assert hit.name == "a"


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("çukurlar", True),
        ("CUKUR", True),
        ("kuyu", False),
        ("ot bitti", True),
        ("otobüs", False),
        ("salıncağın zinciri", True),
        ("kitabı", True),
        ("kitaplar", True),
    ],
)
def test_long_words_match_their_endings_and_short_ones_only_themselves(text: str, matches: bool) -> None:
    assert (book(("a", ("çukur", "ot", "salıncak", "kitap"), "yol-cukur")).first_match(text) is not None) == matches


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("rules: [{name: a, words: [x1], service: yok}]", "rule a: unknown service 'yok'"),
        (
            "rules: [{name: a, words: [xx], service: gurultu}, {name: a, words: [yy], service: gurultu}]",
            "stands twice",
        ),
        ("rules: [{name: a, words: [], service: gurultu}]", "rules.0.words"),
        ("rules: [{name: a, word: [x], service: gurultu}]", "rules.0.words: Field required"),
        ("rules: [{name: a, words: ['!!'], service: gurultu}]", "no letters"),
        ("rules: [", "cannot be read"),
    ],
)
def test_a_broken_file_is_refused_by_name(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(BrokenRules, match=message):
        load_rules(file, catalogue())


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenRules, match="cannot be read"):
        load_rules(tmp_path / "none.yaml", catalogue())


def test_the_rules_that_are_shipped_load() -> None:
    assert len(load_rules(RoutingSettings().rules_file, catalogue())) > 100
