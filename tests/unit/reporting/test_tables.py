"""
Frames as files: what any reader gets back of what was put in, and that no text is a formula.
"""

import csv
import io
import json
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape  # type: ignore[import-untyped]
from openpyxl.worksheet.worksheet import Worksheet  # type: ignore[import-untyped]

from services.reporting.figures.tables import Column, Csv, CsvForExcel, GeoJson, Writer
from services.reporting.figures.workbook import MOST_ROWS, TooManyRows, Xlsx

COLUMNS = (Column("said", "Söz", "Words", 30), Column("at", "Zaman", "Time"), Column("on", "Gün", "Day"),
           Column("number", "Sayı", "Number"), Column("right", "Doğru", "Right"), Column("lat", "Enlem", "Latitude"),
           Column("lon", "Boylam", "Longitude"))  # fmt: skip
SCHEMA: dict[str, Any] = {
    "said": pl.String, "at": pl.Datetime("ms", "UTC"), "on": pl.Date, "number": pl.Float64, "right": pl.Boolean,
    "lat": pl.Float64, "lon": pl.Float64,
}  # fmt: skip
AT = datetime(2026, 3, 29, 22, 5, 30, tzinfo=UTC)
FULL = ('çukur; "derin", <b>&', AT, date(2026, 3, 30), -1.5, True, 41.287, -71.06)
EMPTY = (None,) * 7
NASTY = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1+1", " =1+1", "=cmd|' /C calc'!A0", "＝1+1", "\x00=1"]
texts = st.text(st.characters(codec="utf-8"), max_size=20)
starts = st.sampled_from([*"=+-@\t\r\n ", "", "_x000D_", "＝", "＠", "'"])


def frame(*rows: Sequence[Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SCHEMA, orient="row")


def written(writer: Writer, *frames: pl.DataFrame) -> bytes:
    return writer.begin() + b"".join(writer.rows(one) for one in frames) + writer.end()


def sheet_of(content: bytes) -> Worksheet:
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert isinstance(sheet, Worksheet)
    return sheet


def test_csv_for_machines_names_its_columns_and_writes_times_as_rfc_3339_by_the_clocks_of_istanbul() -> None:
    lines = written(Csv(COLUMNS), frame(FULL), frame(EMPTY)).decode().split("\r\n")

    assert lines == [
        "said,at,on,number,right,lat,lon",
        '"çukur; ""derin"", <b>&",2026-03-30T01:05:30+03:00,2026-03-30,-1.5,true,41.287,-71.06',
        ",,,,,,",
        "",
    ]


@pytest.mark.parametrize(
    ("language", "headings", "yes"),
    [
        ("tr", "Söz;Zaman;Gün;Sayı;Doğru;Enlem;Boylam", "Evet"),
        ("en", "Words;Time;Day;Number;Right;Latitude;Longitude", "Yes"),
    ],
)
def test_csv_for_excel_is_what_a_turkish_excel_takes_apart(language: Any, headings: str, yes: str) -> None:
    content = written(CsvForExcel(COLUMNS, language), frame(FULL), frame(EMPTY))

    assert content.startswith(b"\xef\xbb\xbf")
    assert content.decode("utf-8-sig").split("\r\n") == [
        headings,
        f'"çukur; ""derin"", <b>&";30.03.2026 01:05;30.03.2026;-1,5;{yes};41,287;-71,06',
        ";;;;;;",
        "",
    ]


@given(st.lists(st.builds(str.__add__, starts, texts), max_size=5), st.booleans())
def test_no_text_in_a_csv_is_a_formula_and_but_for_the_apostrophe_it_comes_back(said: list[str], excel: bool) -> None:
    writer: Writer = CsvForExcel(COLUMNS, "tr") if excel else Csv(COLUMNS)
    rows = frame(*((text, *EMPTY[1:]) for text in said))

    content = written(writer, rows).decode("utf-8-sig")

    found = list(csv.reader(io.StringIO(content, newline=""), delimiter=";" if excel else ","))[1:]
    assert [row[0] in (text, f"'{text}") for row, text in zip(found, said, strict=True)] == [True] * len(said)
    for cell, *_ in found:
        assert not re.match(r"\s*[=+\-@＝＋－＠]", cell)


@pytest.mark.parametrize("text", NASTY)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe_in_csv_and_stays_a_text_in_xlsx(text: str) -> None:
    rows = frame((text, *EMPTY[1:]))

    (_, row) = csv.reader(io.StringIO(written(Csv(COLUMNS), rows).decode(), newline=""))
    cell = sheet_of(written(Xlsx(COLUMNS, "tr", "Liste"), rows))["A2"]

    assert row[0] == f"'{text}"
    assert cell.data_type in ("s", "inlineStr")
    assert cell.hyperlink is None


@given(st.lists(st.builds(str.__add__, starts, texts), max_size=5))
def test_every_text_of_a_workbook_comes_back_as_it_was_but_for_what_xml_cannot_hold(said: list[str]) -> None:
    rows = frame(*((text, *EMPTY[1:]) for text in said))

    sheet = sheet_of(written(Xlsx(COLUMNS, "tr", "Liste"), rows))

    found = [unescape(str(row[0] or "")) for row in sheet.iter_rows(min_row=2, values_only=True)]
    expected = [re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "\ufffd", text) for text in said]
    ends = [re.sub(r"\r\n?", "\n", text) for text in expected]  # what every reader of XML does
    assert found == ends


def test_a_workbook_has_numbers_and_times_that_excel_counts_with_and_headings_that_stay() -> None:
    sheet = sheet_of(written(Xlsx(COLUMNS, "en", "List"), frame(FULL), frame(EMPTY)))

    heads, full, empty = sheet.iter_rows(values_only=True)
    assert heads == tuple(column.en for column in COLUMNS)
    at, on = (datetime.fromisoformat(text) for text in ("2026-03-30T01:05:30", "2026-03-30"))
    assert full == (FULL[0], at, on, -1.5, "Yes", 41.287, -71.06)
    assert set(empty) == {None}
    assert (sheet.title, sheet.freeze_panes, sheet.auto_filter.ref) == ("List", "B2", f"A1:G{MOST_ROWS + 1}")
    assert (sheet["B2"].number_format, sheet["C2"].number_format) == ("dd.mm.yyyy hh:mm", "dd.mm.yyyy")
    assert sheet.column_dimensions["A"].width == pytest.approx(30, abs=1)


def test_a_reader_that_believes_what_a_workbook_says_of_its_size_sees_every_row() -> None:
    content = written(Xlsx(COLUMNS, "tr", "Liste"), frame(*[FULL] * 7))

    sheet = openpyxl.load_workbook(io.BytesIO(content), read_only=True).worksheets[0]

    assert [row[0] for row in sheet.iter_rows(min_row=2, values_only=True)] == [FULL[0]] * 7


def test_a_workbook_refuses_more_rows_than_a_sheet_holds() -> None:
    writer, many = Xlsx(COLUMNS[:1], "tr", "Liste"), pl.DataFrame({"said": ["x"]})
    writer.begin()
    writer.rows(pl.concat([many] * 1_000).select(pl.col("said").repeat_by(1_000).explode()))

    with pytest.raises(TooManyRows, match="1,048,575"):
        writer.rows(pl.concat([many] * 48_576))


@given(st.lists(st.tuples(texts, st.none() | st.floats(-90, 90), st.none() | st.floats(-180, 180)), max_size=4))
def test_geojson_is_json_with_a_feature_for_each_row_whatever_stands_in_it(rows: list[tuple[str, Any, Any]]) -> None:
    frames = [frame((text, AT, None, None, False, lat, lon)) for text, lat, lon in rows]

    found = json.loads(written(GeoJson(), *frames[:1], frame(), *frames[1:]))

    assert found["type"] == "FeatureCollection"
    assert [feature["properties"]["said"] for feature in found["features"]] == [text for text, *_ in rows]
    for feature, (_, lat, lon) in zip(found["features"], rows, strict=True):
        there = lat is not None and lon is not None
        assert feature["type"] == "Feature"
        assert feature["geometry"] == ({"type": "Point", "coordinates": [lon, lat]} if there else None)
        assert feature["properties"].keys() == {"said", "at", "on", "number", "right"}
        assert feature["properties"]["at"] == "2026-03-30T01:05:30+03:00"
