"""
Tokens are good for what they were made for, and for nothing else.
"""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.tracking import LINK_LASTS, Purpose, good, token

SECRET = b"0123456789abcdef"
NOW = datetime(2026, 6, 3, 9, 0, tzinfo=UTC)
NUMBER = "7XK29MQ4T3BDM"


@given(
    st.integers(0, 36_500).map(lambda days: NOW + timedelta(days=days, seconds=days)),
    st.sampled_from(Purpose),
    st.integers(0, 10_000),
)
def test_a_token_is_good_until_it_ends(now: datetime, purpose: Purpose, seq: int) -> None:
    shown = token(SECRET, NUMBER, purpose, now + timedelta(hours=1), seq)
    assert good(SECRET, shown, NUMBER, purpose, now, seq)
    assert not good(SECRET, shown, NUMBER, purpose, now + timedelta(hours=1), seq)


def test_it_is_good_for_one_request_one_purpose_one_ending_and_one_secret() -> None:
    shown = token(SECRET, NUMBER, Purpose.FEEDBACK, NOW + LINK_LASTS, 5)
    assert good(SECRET, shown, NUMBER, Purpose.FEEDBACK, NOW, 5)
    assert not good(SECRET, shown, "VYFVCRVKNFYPS", Purpose.FEEDBACK, NOW, 5)
    assert not good(SECRET, shown, NUMBER, Purpose.LINK, NOW, 5)
    assert not good(SECRET, shown, NUMBER, Purpose.FEEDBACK, NOW, 6)
    assert not good(b"another secret 1", shown, NUMBER, Purpose.FEEDBACK, NOW, 5)


@given(st.text(max_size=60))
def test_what_somebody_makes_up_is_never_good_and_never_breaks(shown: str) -> None:
    assert not good(SECRET, shown, NUMBER, Purpose.LINK, NOW)


@pytest.mark.parametrize("place", range(28))
def test_a_changed_token_is_not_good(place: int) -> None:
    shown = token(SECRET, NUMBER, Purpose.LINK, NOW + LINK_LASTS)
    other = "0" if shown[place] != "0" else "1"
    assert not good(SECRET, shown[:place] + other + shown[place + 1 :], NUMBER, Purpose.LINK, NOW)
