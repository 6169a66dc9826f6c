"""
Days and times as people read them.
"""

from datetime import UTC, datetime, timedelta

import pytest

from services.common.contracts.vocabulary import Language
from services.notify.times import span_in_words, time_in_words


@pytest.mark.parametrize(
    ("moment", "tr", "en"),
    [
        (
            datetime(2026, 6, 3, 6, 0, tzinfo=UTC),
            "3 Haziran 2026 Çarşamba, 09.00",
            "Wednesday, 3 June 2026, 09:00",
        ),
        (datetime(2026, 6, 2, 21, 0, tzinfo=UTC), "3 Haziran 2026 Çarşamba", "Wednesday, 3 June 2026"),
        (
            datetime(2026, 12, 31, 21, 5, tzinfo=UTC),
            "1 Ocak 2027 Cuma, 00.05",
            "Friday, 1 January 2027, 00:05",
        ),
    ],
)
def test_a_date_is_written_out_in_istanbuls_time_and_midnight_is_no_time(moment: datetime, tr: str, en: str) -> None:
    assert time_in_words(moment, Language.TR) == tr
    assert time_in_words(moment, Language.EN) == en


@pytest.mark.parametrize(
    ("minutes", "tr", "en"),
    [
        (0, "", ""),
        (1, "1 dakika", "1 minute"),
        (75, "1 saat 15 dakika", "1 hour 15 minutes"),
        (1_440, "1 gün", "1 day"),
        (1_445, "1 gün 5 dakika", "1 day 5 minutes"),
        (3_070, "2 gün 3 saat", "2 days 3 hours"),
    ],
)
def test_a_length_of_time_has_its_two_largest_units(minutes: int, tr: str, en: str) -> None:
    assert span_in_words(timedelta(minutes=minutes), Language.TR) == tr
    assert span_in_words(timedelta(minutes=minutes), Language.EN) == en
