"""
The morning digest: when, to whom, in which words.
"""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.catalogue import catalogue
from services.common.contracts.vocabulary import Language
from services.notify.digest import LISTED, Work, digest, due, works_on
from services.notify.samples import HOUSE
from services.notify.templates import SHORT_LIMIT, load_templates
from services.notify.times import ISTANBUL

TEXTS = load_templates()
INBOX = "https://rapor.ilkadim.example/department/fen-isleri"
MORNING = datetime(2026, 6, 3, 8, 30, tzinfo=ISTANBUL)  # a Wednesday
WORK = [
    Work("7XK29MQ4T3BDM", "yol-cokme", True, MORNING - timedelta(hours=2), True),
    Work("3BDM7XK29MQ4T", "yol-cukur", False, MORNING - timedelta(days=2, hours=3), True),
    Work("9MQ4T3BDM7XK2", "yol-cukur", False, MORNING + timedelta(hours=7), False),
    Work("T3BDM7XK29MQ4", "yol-cukur", False, MORNING + timedelta(days=3), False),
    Work("BDM7XK29MQ4T3", None, False, None, False),
]


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("2026-06-03T08:29:59+03:00", False),
        ("2026-06-03T08:30:00+03:00", True),
        ("2026-06-03T09:59:59+03:00", True),
        ("2026-06-03T10:00:00+03:00", False),
        ("2026-06-06T09:00:00+03:00", False),  # Saturday
        ("2026-06-07T09:00:00+03:00", False),  # Sunday
        ("2026-05-28T09:00:00+03:00", False),  # the feast of sacrifice
        ("2026-05-26T09:00:00+03:00", True),  # its eve: worked in the morning
        ("2026-10-28T09:00:00+03:00", True),
        ("2026-10-29T09:00:00+03:00", False),
    ],
)
def test_it_is_due_on_the_morning_of_a_working_day_in_istanbul(local: str, expected: bool) -> None:
    now = datetime.fromisoformat(local).astimezone(UTC)
    assert list(due(now, ["zabita", "fen-isleri"], {"zabita"})) == (["fen-isleri"] if expected else [])


@given(st.integers(0, 2 * 365 * 24 * 60), st.sets(st.sampled_from(["a", "b", "c"])))
def test_nobody_is_due_twice_or_on_a_free_day(minutes: int, done: set[str]) -> None:
    now = MORNING + timedelta(minutes=minutes)
    found = due(now, ["a", "b", "c"], done)
    assert not done & set(found)
    if found:
        assert works_on(now.astimezone(ISTANBUL).date())


def test_a_whole_holiday_is_no_working_day() -> None:
    assert not works_on(date(2026, 4, 23))
    assert works_on(date(2026, 4, 24))


def test_it_counts_and_lists_what_is_late_and_what_is_due_today_with_the_urgent_first() -> None:
    message = digest(TEXTS, HOUSE, "fen-isleri", WORK, INBOX, MORNING)
    assert message.subject == "Fen İşleri Müdürlüğü: 5 açık başvuru, 2 gecikmiş (3 Haziran 2026 Çarşamba)"
    turkish, english = message.text.split("\n—\n")
    assert turkish == (
        "Fen İşleri Müdürlüğü, 3 Haziran 2026 Çarşamba sabahı\n\n"
        "Açık: 5\nSüresi geçen: 2\nBugün dolan: 1\n\n"
        "Süresi geçenler\n\n"
        "• ACİL 7XK2-9MQ4-T3BD-M Yol çökmesi, göçük – süresi 2 saat önce doldu\n"
        "• 3BDM-7XK2-9MQ4-T Yolda çukur, bozuk asfalt – süresi 2 gün 3 saat önce doldu\n\n"
        "Bugün dolanlar\n\n"
        "• 9MQ4-T3BD-M7XK-2 Yolda çukur, bozuk asfalt – süresinin dolmasına 7 saat var\n\n"
        f"Gelen kutusu:\n{INBOX}\n"
    )
    assert "URGENT 7XK2-9MQ4-T3BD-M" in english
    assert "2 hours overdue" in english
    assert f'href="{INBOX}"' in message.html
    assert "T3BD-M7XK-29MQ-4" not in message.text  # not due today


def test_where_nothing_is_late_nothing_is_listed() -> None:
    message = digest(TEXTS, HOUSE, "zabita", WORK[3:], INBOX, MORNING)
    assert "Açık: 2\nSüresi geçen: 0\nBugün dolan: 0\n\nGelen kutusu:" in message.text


def test_a_long_list_is_cut_and_says_how_many_more() -> None:
    message = digest(TEXTS, HOUSE, "zabita", WORK[1:2] * (LISTED + 4), INBOX, MORNING)
    assert message.text.count("3BDM-7XK2-9MQ4-T") == 2 * LISTED
    assert "… ve 4 başvuru daha" in message.text
    assert "… and 4 more" in message.text
    assert len(message.short) <= SHORT_LIMIT


@pytest.mark.parametrize("department", catalogue().departments)
def test_every_department_has_one(department: str) -> None:
    message = digest(TEXTS, HOUSE, department, WORK, INBOX, MORNING)
    assert "$" not in message.text
    assert "(" not in message.text.split(",")[0]


def test_what_stands_still_is_never_due() -> None:
    row = {
        "request_id": "7XK29MQ4T3BDM",
        "service_code": "yol-cukur",
        "emergency": False,
        "paused": True,
        "overdue": False,
        "due": {"resolve_by": "2026-06-03T09:00:00Z"},
    }
    assert Work.of(row).due_at is None
    assert Work.of({**row, "paused": False}).due_at == datetime(2026, 6, 3, 9, 0, tzinfo=UTC)
    assert Work.of({**row, "due": {"resolve_by": None}, "paused": False}).due_at is None


def test_both_languages_are_there() -> None:
    message = digest(TEXTS, HOUSE, "zabita", WORK, INBOX, MORNING)
    for language in Language:
        assert TEXTS.texts[language, "digest"].mail.rsplit("\n", 3)[1] in message.text
