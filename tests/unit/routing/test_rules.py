"""
Operators' rules: which one decides, and why.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.catalogue import catalogue
from services.common.contracts.text import fold, words
from services.common.contracts.vocabulary import Channel, Kind
from services.routing.rules import RuleBook
from services.routing.rules_form import AssignmentRule, BrokenRules, Question, RuleTest, ServiceRule

MONDAY = datetime(2026, 5, 18, tzinfo=ZoneInfo("Europe/Istanbul"))


def services(*rules: dict[str, Any]) -> RuleBook:
    defaults = ({"name": f"r{n}", "service": "gurultu"} | rule for n, rule in enumerate(rules))
    return RuleBook([ServiceRule.model_validate(rule) for rule in defaults], [], [], catalogue())


def assignments(*rules: dict[str, Any]) -> RuleBook:
    defaults = ({"name": f"r{n}", "priority": "low"} | rule for n, rule in enumerate(rules))
    return RuleBook([], [AssignmentRule.model_validate(rule) for rule in defaults], [], catalogue())


def trying(*cases: dict[str, Any], **rule: Any) -> RuleBook:
    rules = [ServiceRule.model_validate({"name": "r0", "service": "gurultu"} | rule)]
    return RuleBook(rules, [], [RuleTest.model_validate(case) for case in cases], catalogue())


def first(book: RuleBook, text: str, **facts: Any) -> str | None:
    question = Question(text, **facts)
    hit = book.first_service(question) if book.services else book.first_assignment(question)
    return hit.name if hit else None


# --- Folding and words ---


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


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("çukurlar", True),
        ("CUKUR", True),
        ("kuyu", False),
        ("ot bitti", True),
        ("otobüs", False),
        ("salıncağın zinciri", True),
        ("SALINCAĞI", True),
        ("kitabı", True),
        ("kitaplar", True),
        ("kita", False),
    ],
)
def test_long_words_match_their_endings_and_short_ones_only_themselves(text: str, matches: bool) -> None:
    assert (first(services({"words": ["çukur", "ot", "salıncak", "kitap"]}), text) is not None) == matches


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("Köpek ısırdı", True),
        ("köpekler ısırdılar", True),
        ("bir köpek, ısırdı!", True),
        ("köpek onu ısırdı", False),
        ("ısırdı köpek", False),
        ("köpek", False),
    ],
)
def test_a_phrase_matches_when_its_words_follow_one_another(text: str, matches: bool) -> None:
    assert (first(services({"words": "köpek ısırdı"}), text) is not None) == matches


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("dere kokuyor", True),
        ("40 derece ateş", False),
        ("40 derece, dere kenarı", True),
        ("yangın merdiveni kilitli", False),
        ("merdiven yangın çıkardı", True),
        ("merdiven kırık, yangın merdiveni kilitli", True),
    ],
)
def test_words_do_not_count_where_the_text_says_what_they_are_not(text: str, matches: bool) -> None:
    book = services({"words": ["dere", "merdiven"], "but_not": ["derece", "yangın merdiveni"]})
    assert (first(book, text) is not None) == matches


LETTERS = st.sampled_from("abcçdefgğhıijklmnoöprsştuüvyz")
WORD = st.text(LETTERS, min_size=1, max_size=9)


@given(before=st.text(LETTERS, min_size=1, max_size=5), word=WORD, after=st.text(LETTERS, max_size=5))
def test_no_rule_matches_in_the_middle_of_a_word(before: str, word: str, after: str) -> None:
    said = before + word + after
    begins = fold(said).startswith((fold(word)[:-1], fold(word)))
    assert begins or first(services({"words": word}), f"bir {said} var") is None


@given(word=WORD, style=st.sampled_from([str.lower, fold, lambda w: w.replace("i", "İ").replace("ı", "I").upper()]))
def test_a_rule_finds_its_own_word_in_any_case_and_without_turkish_letters(word: str, style: Any) -> None:
    assert first(services({"words": word}), f"bir {style(word)}, var") == "r0"


@given(st.lists(st.lists(WORD, min_size=1, max_size=3), min_size=1, max_size=8), st.lists(WORD, max_size=12))
def test_the_lookup_finds_what_trying_every_rule_would_find(phrases: list[list[str]], said: list[str]) -> None:
    every = [services({"words": " ".join(phrase)}) for phrase in phrases]
    tried = next((f"r{n}" for n, book in enumerate(every) if first(book, " ".join(said))), None)
    assert first(services(*({"words": " ".join(phrase)} for phrase in phrases)), " ".join(said)) == tried


# --- Order ---


def test_the_first_rule_that_matches_wins_even_over_a_better_one() -> None:
    dog, bite = {"name": "dog", "words": "köpek"}, {"name": "bite", "words": "köpek ısırdı"}
    assert first(services(dog, bite), "Köpek ısırdı") == "dog"
    assert first(services(bite, dog), "Köpek ısırdı") == "bite"


RULES = st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=3), min_size=1, max_size=8)
SAID = st.lists(st.sampled_from("abcdefgh"), max_size=6).map(" ".join)


@given(rules=RULES, behind=RULES, text=SAID)
def test_what_is_appended_behind_changes_no_decision_that_was_made(
    rules: list[list[str]], behind: list[list[str]], text: str
) -> None:
    short = first(services(*({"words": rule} for rule in rules)), text)
    long = first(services(*({"words": rule} for rule in [*rules, *behind])), text)
    assert long == short or short is None


@given(rules=RULES, text=SAID)
def test_the_explanation_begins_with_the_rule_that_decides_and_lists_all_that_match(
    rules: list[list[str]], text: str
) -> None:
    book = services(*({"words": rule} for rule in rules))
    matches = book.explain(Question(text)).services
    assert [m.rule.name for m in matches] == [f"r{n}" for n, r in enumerate(rules) if set(r) & set(text.split())]
    assert [m.rule.name for m in matches[:1]] == [name for name in [first(book, text)] if name]


# --- Conditions ---


def test_all_conditions_of_a_rule_must_hold_and_of_one_conditions_values_any() -> None:
    rule = {"words": ["su", "gaz"], "channel": ["phone", "sms"], "kind": "complaint", "neighbourhood": ["Kale", "Çay"]}
    facts: dict[str, Any] = {"channel": Channel.SMS, "kind": Kind.COMPLAINT, "neighbourhood": "ÇAY MAH."}
    assert first(services(rule), "gaz", **facts) == "r0"
    assert first(services(rule), "toz", **facts) is None
    for change in ({"channel": Channel.WEB}, {"kind": Kind.THANKS}, {"neighbourhood": "Fatih"}):
        assert first(services(rule), "gaz", **{**facts, **change}) is None
    for missing in facts:
        assert first(services(rule), "gaz", **{**facts, missing: None}) is None


def test_a_neighbourhood_that_nobody_knows_meets_no_condition() -> None:
    assert first(services({"words": "su", "neighbourhood": "Kale"}), "su", neighbourhood="Atlantis") is None


@pytest.mark.parametrize(
    ("time", "at", "holds"),
    [
        ({"from": "07:00", "to": "18:00"}, MONDAY.replace(hour=7), True),
        ({"from": "07:00", "to": "18:00"}, MONDAY.replace(hour=18), False),
        ({"from": "22:00", "to": "06:00"}, MONDAY.replace(hour=22), True),
        ({"from": "22:00", "to": "06:00"}, MONDAY.replace(hour=5, minute=59), True),
        ({"from": "22:00", "to": "06:00"}, MONDAY.replace(hour=6), False),
        ({"from": "22:00", "to": "00:00"}, MONDAY.replace(hour=23, minute=59), True),
        ({"from": "22:00", "to": "00:00"}, MONDAY.replace(hour=0), False),
        ({"days": ["mon"]}, MONDAY, True),
        ({"days": "mon"}, MONDAY - timedelta(seconds=1), False),
        ({"days": ["mon"]}, datetime(2026, 5, 17, 21, tzinfo=UTC), True),  # midnight in Istanbul
        ({"days": ["sun"], "from": "22:00", "to": "06:00"}, MONDAY.replace(hour=1), True),  # Sunday's night
        ({"days": ["mon"], "from": "22:00", "to": "06:00"}, MONDAY.replace(hour=1), False),
    ],
)
def test_a_time_is_istanbuls_and_a_night_belongs_to_the_day_it_begins_on(time: Any, at: datetime, holds: bool) -> None:
    assert (first(services({"words": "su", "time": time}), "su", at=at) is not None) == holds


def test_a_rule_with_a_time_does_not_match_without_one() -> None:
    assert first(services({"words": "su", "time": {"days": ["mon"]}}), "su") is None


def test_a_question_with_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        Question("su", at=datetime(2026, 5, 18))  # noqa: DTZ001 - the point


def test_an_assignment_looks_at_the_service_and_needs_no_words() -> None:
    book = assignments({"service": ["gurultu", "dilenci"], "channel": "phone"}, {"words": "su"})
    assert first(book, "ne olursa", service="dilenci", channel=Channel.PHONE) == "r0"
    assert first(book, "su", service="kar-buz", channel=Channel.PHONE) == "r1"
    assert first(book, "su", channel=Channel.PHONE) == "r1"
    assert first(book, "ne olursa", service="kar-buz", channel=Channel.PHONE) is None


# --- Explanations ---


def both() -> RuleBook:
    service = ServiceRule(name="ses", words=("müzik",), service="komsu-sikayeti")
    night = AssignmentRule.model_validate(
        {"name": "gece", "service": "komsu-sikayeti", "time": {"from": "22:00", "to": "06:00"}, "priority": "high"}
    )
    team = AssignmentRule.model_validate({"name": "kale", "neighbourhood": "Kale", "department": "fen-isleri"})
    return RuleBook([service], [night, team], [], catalogue())


def test_the_explanation_says_which_word_met_which_as_both_were_written() -> None:
    (match,) = both().explain(Question("Yine MÜZİĞİN sesi, müzikler!")).services
    assert [(m.condition, m.wanted, m.said) for m in match.met] == [
        ("words", "müzik", "MÜZİĞİN"),
        ("words", "müzik", "müzikler"),
    ]


def test_the_assignment_is_asked_with_the_service_that_the_words_gave() -> None:
    why = both().explain(Question("müzik", at=MONDAY.replace(hour=23)))
    assert (why.service, why.rule, why.assignment) == ("komsu-sikayeti", "ses", "gece")
    assert (why.department, why.priority, why.emergency) == ("zabita", "high", False)


def test_a_rule_that_only_its_time_keeps_from_matching_is_shown_with_that_time() -> None:
    (missed,) = both().explain(Question("müzik", at=MONDAY.replace(hour=12))).assignments_missed
    assert (missed.rule.name, missed.unmet) == ("gece", (("time", "every day 22:00-06:00", "mon 12:00"),))


def test_a_rule_for_another_service_is_not_shown_as_nearly_matching() -> None:
    book = assignments({"service": "dilenci", "words": "su", "channel": "phone"}, {"service": "gurultu", "words": "su"})
    why = book.explain(Question("su", service="kar-buz", channel=Channel.PHONE))
    assert (why.assignments, why.assignments_missed) == ((), ())


def test_a_given_service_stands_and_no_rule_is_named_for_it() -> None:
    why = both().explain(Question("müzik", service="dilenci", neighbourhood="Kale"))
    assert (why.service, why.explicit, why.rule) == ("dilenci", True, None)
    assert (why.assignment, why.department, why.priority) == ("kale", "fen-isleri", "normal")
    assert [match.rule.name for match in why.services] == ["ses"]


def test_a_given_service_that_does_not_exist_counts_as_none() -> None:
    assert both().explain(Question("müzik", service="yok")).rule == "ses"


def test_what_no_rule_matches_is_triages() -> None:
    why = both().explain(Question("merhaba"))
    assert (why.service, why.rule, why.assignment, why.department) == (None, None, None, "basin-halkla-iliskiler")


def test_a_crisis_service_is_explained_as_what_stands_for_it_without_the_crisis() -> None:
    why = services({"words": "ilaç", "service": "vefa-ilac"}).explain(Question("ilaç"))
    assert (why.rule, why.service) == ("r0", "vefa-destek")


# --- The tests inside the file ---


def test_a_case_that_comes_out_otherwise_is_named_with_what_was_expected_and_what_came() -> None:
    book = trying(
        {"text": "müzik", "expect": {"service": "gurultu", "department": "zabita", "priority": "high", "rule": "r0"}},
        {"text": "çay", "expect": {"service": "dilenci", "priority": "low"}},
        {"text": "müzik", "expect": {"service": None}},
        words="müzik",
    )
    assert [str(failure) for failure in book.failures()] == [
        "test 2 ('çay'): service: expected dilenci, came none, priority: expected low, came normal",
        "test 3 ('müzik'): service: expected none, came gurultu",
    ]


def test_what_a_case_does_not_name_is_not_compared() -> None:
    assert not trying({"text": "çay", "expect": {"rule": None}}, words="müzik").failures()


def test_a_time_without_a_zone_in_a_case_is_istanbuls() -> None:
    cases = [
        {"text": "su", "at": at, "expect": {"rule": rule}}
        for at, rule in (("2026-05-18T22:00", "r0"), ("2026-05-18T22:00Z", None), ("2026-05-18T19:30Z", "r0"))
    ]
    assert not trying(*cases, words="su", time={"from": "22:00", "to": "23:00"}).failures()


# --- Rules that never decide ---


@pytest.mark.parametrize(
    ("earlier", "later", "warnings"),
    [
        ({"words": "çukur"}, {"words": "çukurlar"}, ["rule r1 never decides: r0 comes first"]),
        ({"words": "çukur"}, {"words": "derin çukur"}, ["rule r1 never decides: r0 comes first"]),
        ({"words": "köpek"}, {"words": "köpeğ"}, ["rule r1 never decides: r0 comes first"]),
        ({"words": "köpeğ"}, {"words": "köpek"}, []),  # köpekler
        ({"words": "KOPEK"}, {"words": "köpek"}, ["rule r1 never decides: r0 comes first"]),
        ({"words": "ot"}, {"words": "otobüs"}, []),
        ({"words": "derin çukur"}, {"words": "çukur"}, []),
        ({"words": "çukur"}, {"words": ["çukur", "delik"]}, ["rule r1: 'çukur' never decides: r0 comes first"]),
        ({"words": "çukur", "kind": "request"}, {"words": "çukur"}, []),
        ({"words": "su", "channel": ["sms", "web"]}, {"words": "su", "channel": "web"}, ["rule r1 never"]),
        ({"words": "su", "channel": "web"}, {"words": "su", "channel": ["sms", "web"]}, []),
        (
            {"words": "su", "time": {"days": ["sat", "sun"]}},
            {"words": "su", "time": {"days": "sat"}},
            ["rule r1 never"],
        ),
        ({"words": "su", "time": {"days": ["sat"]}}, {"words": "su"}, []),
        ({"words": "su", "time": {"days": "sat"}}, {"words": "su", "time": {"days": ["sat", "sun"]}}, []),
        ({"words": "dere", "but_not": "derece"}, {"words": "dere"}, []),
        ({"words": "dere"}, {"words": "dere", "but_not": "derece"}, ["rule r1 never"]),
    ],
)
def test_a_rule_or_word_behind_one_that_always_matches_first_is_reported(
    earlier: Any, later: Any, warnings: list[str]
) -> None:
    found = services(earlier, later).warnings()
    assert len(found) == len(warnings)
    assert all(map(str.startswith, found, warnings))


def test_an_assignment_behind_one_without_words_is_reported() -> None:
    book = assignments({"service": ["gurultu", "dilenci"]}, {"service": "dilenci", "words": "su"}, {"words": "su"})
    assert book.warnings() == ["rule r1 never decides: r0 comes first"]


PHRASE = st.sampled_from(["su", "suya", "suyab", "suyap x", "x suya", "x"])
TEXT = st.lists(st.sampled_from(["su", "suya", "suyabi", "suyap", "suyapi", "x", "xy"]), max_size=4).map(" ".join)


@given(rules=st.lists(st.lists(PHRASE, min_size=1), max_size=4), text=TEXT)
def test_a_rule_reported_as_never_deciding_never_decides(rules: list[list[str]], text: str) -> None:
    book = services(*({"words": rule} for rule in rules))
    dead = {warning.split()[1] for warning in book.warnings() if " never decides" in warning and "'" not in warning}
    assert not rules or first(book, text) not in dead


# --- What is refused ---


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: services({"words": "su", "service": "yok"}), "rule r0: unknown service 'yok'"),
        (
            lambda: services({"name": "a", "words": "su"}, {"name": "a", "words": "gaz"}),
            "rule a: the name stands twice",
        ),
        (lambda: assignments({"service": ["gurultu", "yok"]}), "rule r0: unknown service 'yok'"),
        (lambda: assignments({"words": "su", "department": "yok"}), "rule r0: unknown department 'yok'"),
        (
            lambda: trying({"text": "çay", "expect": {"rule": "yok"}}, words="su"),
            r"test 1 \('çay'\): unknown rule 'yok'",
        ),
        (lambda: trying({"text": "çay", "service_code": "yok", "expect": {"rule": None}}, words="su"), "service 'yok'"),
    ],
)
def test_rules_that_name_what_does_not_exist_are_refused_by_name(build: Any, message: str) -> None:
    with pytest.raises(BrokenRules, match=message):
        build()
