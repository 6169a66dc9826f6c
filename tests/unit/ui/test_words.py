"""
Every word of the contracts that pages show has a text in both languages.
"""

from enum import StrEnum

import pytest

from services.common.contracts import vocabulary
from services.common.contracts.roles import Role
from services.common.ui.failures import ADVICE, TITLES, nearest
from services.common.ui.words import TABLES, options

SHOWN: dict[str, type[StrEnum]] = {
    "status": vocabulary.Status,
    "priority": vocabulary.Priority,
    "channel": vocabulary.Channel,
    "kind": vocabulary.Kind,
    "decided_by": vocabulary.DecidedBy,
    "outcome": vocabulary.Outcome,
    "action": vocabulary.Action,
    "clock": vocabulary.Clock,
    "level": vocabulary.Level,
    "refusal": vocabulary.RefusalReason,
    "role": Role,
}


@pytest.mark.parametrize("table", TABLES)
def test_a_table_has_every_word_in_both_languages(table: str) -> None:
    assert set(TABLES[table]) == {str(value) for value in SHOWN[table]}
    assert all(words.tr.strip() and words.en.strip() for words in TABLES[table].values())


@pytest.mark.parametrize("table", TABLES)
def test_no_two_words_of_a_table_look_alike(table: str) -> None:
    for language in ("tr", "en"):
        texts = [text for _, text in options(table, language)]
        assert len(texts) == len(set(texts))


def test_options_can_be_some_of_them() -> None:
    assert options("outcome", "en", [vocabulary.Outcome.RESOLVED]) == [("resolved", "Resolved")]


def test_every_failure_that_has_a_title_has_advice() -> None:
    assert set(TITLES) == set(ADVICE)


@pytest.mark.parametrize(("status", "as_if"), [(404, 404), (418, 400), (502, 500), (500, 500)])
def test_other_failures_are_told_like_their_class(status: int, as_if: int) -> None:
    assert nearest(status) == as_if
