"""
What the audit says of why something was done.
"""

from datetime import UTC, datetime

import pytest

from services.common.ui.words import Words
from services.reporting.people_pages import purpose_in_words
from services.reporting.people_repository import Entry


@pytest.mark.parametrize(
    ("what", "purpose", "words"),
    [
        ("sign_in", "password", Words("parola ile", "by password")),
        ("user_added", "department zabita", Words("Birim, Zabıta Müdürlüğü", "Department, Municipal Police")),
        ("roles_changed", "operator → admin operator", Words(
            "Operatör → Sistem yöneticisi, Operatör", "Operator → Administrator, Operator"
        )),
        ("contact_view", "operator password geri arama", Words(*["operator password geri arama"] * 2)),
        ("sign_in_failed", None, Words("", "")),
    ],
)  # fmt: skip
def test_our_own_reasons_are_said_in_words_and_a_readers_stay_as_they_are(
    what: str, purpose: str | None, words: Words
) -> None:
    assert purpose_in_words(Entry(at=datetime(2026, 6, 1, tzinfo=UTC), what=what, purpose=purpose)) == words
