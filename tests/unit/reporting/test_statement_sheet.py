"""
The monthly statement as it is read: texts, and the sheet of paper read back.
"""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from services.common.contracts.catalogue import catalogue
from services.common.ui import formats
from services.common.ui.formats import Language
from services.reporting.figures.reports import OUTCOMES
from services.reporting.names import Names
from services.reporting.statement.month import Month
from services.reporting.statement.pdf import pdf_of
from services.reporting.statement.shown import Shown, shown
from services.reporting.statement.statement import statement_of
from services.reporting.statement.writing import MINUS, Delta, delta, in_days, month_name, share, shortened
from tests.unit.reporting.facts import fact, frame
from tests.unit.reporting.statement_room import NOW, a_year_and_a_half

OCTOBER = Month(2026, 10)
HOUSE = "İlkadım Belediyesi"


def sheet_of(*rows: dict[str, Any], language: Language = "tr", now: datetime = NOW, **options: Any) -> Shown:
    facts = frame(*rows) if rows else a_year_and_a_half()
    return shown(
        statement_of(facts, Names(), options.pop("month", OCTOBER), now, **options), language, Names(), HOUSE, now
    )


def read(pdf: bytes) -> str:
    (page,) = PdfReader(BytesIO(pdf)).pages  # one sheet
    return " ".join(page.extract_text().split())


# --- words and numbers ---


@pytest.mark.parametrize(
    ("hours", "tr", "en"),
    [
        (None, "–", "–"), (0.0, "0 dk", "0 min"), (0.64, "38 dk", "38 min"), (1.0, "1,0 saat", "1.0 h"),
        (23.94, "23,9 saat", "23.9 h"), (48.0, "2,0 gün", "2.0 days"), (62.4, "2,6 gün", "2.6 days"),
    ],
)  # fmt: skip
def test_a_length_of_time_is_written_in_the_unit_that_suits_it(hours: float | None, tr: str, en: str) -> None:
    assert (in_days(hours, "tr"), in_days(hours, "en")) == (tr, en)


@pytest.mark.parametrize(
    ("value", "before", "better", "points", "told"),
    [
        (110, 100, 1, False, Delta("▲", "+%10,0", "good")),
        (110, 100, -1, False, Delta("▲", "+%10,0", "bad")),
        (90, 100, 0, False, Delta("▼", f"{MINUS}%10,0", "neutral")),
        (0.812, 0.8, 1, True, Delta("▲", "+1,2 puan", "good")),
        (0.5, 0.75, 1, True, Delta("▼", f"{MINUS}25,0 puan", "bad")),
        (5, 5, 1, False, Delta("=", "aynı", "neutral")),
        (5, 0, 1, False, None),
        (5, None, 1, False, None),
        (None, 5, 1, False, None),
    ],
)  # fmt: skip
def test_a_change_has_an_arrow_a_sign_and_whether_it_is_to_the_good(
    value: float | None, before: float | None, better: Any, points: bool, told: Delta | None
) -> None:
    assert delta(value, before, "tr", better=better, points=points) == told


def test_months_and_shares_are_written_as_each_language_does() -> None:
    assert (month_name("2026-10", "tr"), month_name("2026-02", "en")) == ("Ekim 2026", "February 2026")
    assert (share(0.9, "tr"), share(0.9, "en"), share(None, "tr")) == ("%90,0", "90.0%", "–")
    assert shortened("a  very\nlong name", 8) == "a very…"


def test_the_best_known_figures_stand_in_the_tiles_with_both_comparisons() -> None:
    sheet = sheet_of()
    assert [tile.id for tile in sheet.tiles] == [
        "received", "concluded", "solved_share", "on_time_share", "median_hours_to_respond", "median_hours_to_close",
        "satisfied_share", "open_at_end",
    ]  # fmt: skip
    for tile in sheet.tiles:
        assert [change.against for change in tile.deltas] == ["geçen aya göre", "geçen yıla göre"]
        assert len(tile.spark) == 13
        assert all(0 <= height <= 1 for height in tile.spark if height is not None)


def test_a_running_month_says_that_it_is_provisional_and_keeps_a_place_for_each_day_to_come() -> None:
    sheet = sheet_of(month=Month(2026, 11))
    assert sheet.provisional == "GEÇİCİ · 02.11.2026 09:00 itibarıyla"
    assert len(sheet.days) == 30
    assert sheet.query == "from=2026-11-01&to=2026-11-02"
    assert sheet_of().provisional == ""


def test_what_has_no_neighbourhood_is_told_apart_from_the_neighbourhoods() -> None:
    at = datetime(2026, 10, 5, tzinfo=UTC)
    sheet = sheet_of(fact(received_at=at, neighbourhood=None), fact(received_at=at, neighbourhood="Kale"))
    assert [bar.label for bar in sheet.neighbourhoods] == ["Kale"]
    assert sheet.neighbourhoods_rest == "Mahalle belirtilmemiş: 1"


def test_a_bar_leads_to_its_requests() -> None:
    at = datetime(2026, 10, 5, tzinfo=UTC)
    sheet = sheet_of(fact(received_at=at, neighbourhood="19 Mayıs", department="zabita"))
    assert sheet.neighbourhoods[0].query == "neighbourhood=19+May%C4%B1s"
    assert sheet.departments[0].query == "department=zabita&parts=true"


# --- the sheet ---


@pytest.mark.parametrize("language", ["tr", "en"])
def test_the_sheet_reads_back_as_the_figures(language: Language) -> None:
    facts = a_year_and_a_half()
    statement = statement_of(facts, Names(), OCTOBER, NOW)
    text = read(pdf_of(shown(statement, language, Names(), HOUSE, NOW)))
    numbers = statement.numbers
    for count in (numbers.received, numbers.concluded, numbers.solved, numbers.open_at_end, numbers.emergencies):
        assert formats.number(count, language, 0) in text
    for one in (numbers.solved_share, numbers.on_time_share, numbers.satisfied_share, numbers.responded_on_time_share):
        assert share(one, language) in text
    assert in_days(numbers.median_hours_to_close, language) in text
    for department in statement.by_department[:10]:
        assert formats.number(department.received, language, 0) in text
    for channel in statement.by_channel:
        assert getattr(channel.name, language) in text


def test_turkish_letters_survive_the_sheet() -> None:
    text = read(pdf_of(sheet_of()))
    for words in (HOUSE, "Aylık Başvuru Raporu", "Ekim 2026", "Çözüm oranı", "İlk yanıt", "Şikâyet", "Temizlik İşleri"):
        assert words in text
    assert "Zabıta" in text
    assert "�" not in text


def test_the_document_has_title_language_and_tags_for_those_who_hear_it() -> None:
    reader = PdfReader(BytesIO(pdf_of(sheet_of())))
    assert reader.metadata is not None
    assert reader.metadata.title == "Aylık Başvuru Raporu · Ekim 2026"
    assert str(reader.root_object["/Lang"]) == "tr"
    assert "/StructTreeRoot" in reader.root_object
    assert reader.xmp_metadata is not None


def test_equal_statements_give_equal_bytes() -> None:
    assert pdf_of(sheet_of()) == pdf_of(sheet_of())


def test_a_month_without_anything_is_a_sheet_too() -> None:
    empty = fact(received_at=NOW - timedelta(days=900), closed_at=NOW - timedelta(days=899))
    text = read(pdf_of(sheet_of(empty)))
    assert "Ekim ayında başvuru gelmedi." in text
    assert "Bu ayda kayıt yok." in text


HOSTILE = (
    "#panic()",
    '#read("/etc/passwd")',
    "*bold* _it_ `raw` $x$",
    "<script>alert(1)</script>",
    '"; #sys.inputs',
    "\\ \\u{41} @ref",
    "= Title",
    "Kale\u202egnirts\u2066",
    "",
    " ",
    "مرحبا",
)


@pytest.mark.parametrize("letter", ["\U0001f6a7", "漢", "\x00", "\ufffe"])
def test_a_letter_that_no_font_has_costs_the_standards_and_not_the_sheet(letter: str) -> None:
    at = datetime(2026, 10, 5, tzinfo=UTC)
    assert "Kale " in read(pdf_of(sheet_of(fact(received_at=at, neighbourhood=f"Kale {letter} x"))))


def test_no_text_is_read_as_markup_and_none_breaks_the_sheet() -> None:
    at = datetime(2026, 10, 5, tzinfo=UTC)
    rows = [fact(received_at=at, neighbourhood=text, service=text, department=text) for text in HOSTILE]
    text = read(pdf_of(sheet_of(*rows)))
    for shown_as in (
        "#panic()",
        '#read("/etc/passwd")',
        "*bold* _it_ `raw` $x$",
        "<script>alert(1)</script>",
        "= Title",
    ):
        assert shown_as in text
    assert "root:" not in text


def test_the_longest_names_and_the_most_rows_stay_on_one_sheet() -> None:
    at, departments, services = datetime(2026, 11, 1, 12, tzinfo=UTC), catalogue().departments, catalogue().services
    rows = [
        fact(
            received_at=at, service=f"{code}-{'w' * 200}", neighbourhood=f"{n} {'Ş' * 100}", department=slug,
            closed_at=at + timedelta(hours=n % 11), rating=n % 5 + 1, channel=f"way-{n % 30}", kind=f"kind-{n % 30}",
            status=OUTCOMES[n % len(OUTCOMES)].value,
        )
        for n, (code, slug) in enumerate(zip(services, list(departments) * 9, strict=False))
    ]  # fmt: skip
    limited = frozenset(departments)
    sheet = sheet_of(*rows, month=Month(2026, 11), departments=limited)
    assert sheet.scope
    assert sheet.provisional
    read(pdf_of(sheet))


def test_every_fixed_text_has_both_languages() -> None:
    turkish, english = asdict(sheet_of()), asdict(sheet_of(language="en"))
    same = {name for name, text in turkish["words"].items() if text == english["words"][name]}
    assert same == set()
    assert turkish["notes"] != english["notes"]
