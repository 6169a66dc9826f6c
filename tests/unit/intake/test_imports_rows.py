"""
Reading files: whatever encoding, delimiter or shape they have, the same rows come out, one at a time.
"""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.intake.imports.rows import Row, Unreadable, encoding_of, rows

TURKISH = "ğüşıöç ĞÜŞİÖÇ"
COLUMNS = ("Başvuru No", "Metin")


def written(folder: Path, content: str | bytes, name: str = "list.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def cells(path: Path, columns: tuple[str, ...] = COLUMNS) -> list[dict[str, Any]]:
    return [row.cells for row in rows(path, columns)]


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("windows-1254", "windows-1254"),
        ("iso-8859-9", "windows-1254"),  # the same letters where both have them
    ],
)
def test_an_encoding_is_found_out(tmp_path: Path, encoding: str, found: str) -> None:
    path = written(tmp_path, f"Başvuru No;Metin\r\n1;{TURKISH}\r\n".encode(encoding))
    assert encoding_of(path) == found
    assert cells(path) == [{"Başvuru No": "1", "Metin": TURKISH}]


def test_what_windows_does_not_have_is_read_as_iso(tmp_path: Path) -> None:
    path = written(tmp_path, f"Başvuru No;Metin\n1;ş\x9d{TURKISH}\n".encode("iso-8859-9"))
    assert encoding_of(path) == "iso-8859-9"
    assert cells(path)[0]["Metin"].endswith(TURKISH)


def test_the_letters_of_windows_survive(tmp_path: Path) -> None:
    path = written(tmp_path, "Başvuru No;Metin\n1;“tırnak” – 5 €\n".encode("windows-1254"))
    assert cells(path)[0]["Metin"] == "“tırnak” – 5 €"


def test_an_encoding_is_judged_by_the_whole_file(tmp_path: Path) -> None:
    plain = "Metin;Basvuru No\n" + "a;1\n" * 60_000
    path = written(tmp_path, (plain + "çöp;2\n").encode("windows-1254"))
    assert cells(path)[-1]["Metin"] == "çöp"


@pytest.mark.parametrize("delimiter", list(";,\t|"))
def test_a_delimiter_is_the_one_that_finds_the_columns(tmp_path: Path, delimiter: str) -> None:
    head = delimiter.join(["Başvuru No", "A;B,C|D".replace(delimiter, "-"), "Metin"])
    path = written(tmp_path, f"{head}\n{delimiter.join(['1', 'x', 'y'])}\n")
    assert cells(path) == [{"Başvuru No": "1", "Metin": "y"}]


def test_excels_own_line_names_the_delimiter(tmp_path: Path) -> None:
    path = written(tmp_path, "sep=|\r\nBaşvuru No|Metin\r\n1|a;b;c\r\n")
    assert list(rows(path, COLUMNS)) == [Row(2, {"Başvuru No": "1", "Metin": "a;b;c"})]


def test_columns_are_found_whatever_their_case_and_letters(tmp_path: Path) -> None:
    path = written(tmp_path, "METIN; BASVURU  NO ;Başka\na;1;\n")
    assert cells(path) == [{"Başvuru No": "1", "Metin": "a"}]


def test_numbers_are_those_of_the_spreadsheet(tmp_path: Path) -> None:
    path = written(tmp_path, 'Başvuru No;Metin\n1;"a\nb"\n\n;\n2;c\n')
    assert [(row.number, row.cells["Başvuru No"]) for row in rows(path, COLUMNS)] == [(2, "1"), (5, "2")]


def test_a_row_of_another_width_is_refused_alone(tmp_path: Path) -> None:
    path = written(tmp_path, "Başvuru No;Metin\n1;a;b\n2;c\n")
    first, second = rows(path, COLUMNS)
    assert (first.number, first.fault) == (2, "has 3 cells, the header has 2")
    assert (second.fault, second.cells["Metin"]) == (None, "c")


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("Metin\na\n", "a.csv", "the header lacks: Başvuru No"),
        ("Başvuru No;Metin;METİN\n1;a;b\n", "a.csv", "the header has twice: Metin"),
        ("", "a.csv", "is empty"),
        (b"PK\x03\x04rest", "a.csv", "save it as CSV"),
        (b"a\x00b", "a.csv", "no text file"),
        ("x", "a.xlsx", "must be a .csv"),
        ('{"a": 1}', "a.json", "must be a JSON array"),
        (b'["\xff"]', "a.json", "encoding"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: str | bytes, name: str, message: str) -> None:
    with pytest.raises(Unreadable, match=message):
        cells(written(tmp_path, content, name))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"none\.csv: No such file"):
        cells(tmp_path / "none.csv")


def test_a_quote_that_is_never_closed_does_not_swallow_rows(tmp_path: Path) -> None:
    path = written(tmp_path, 'Başvuru No;Metin\n1;a\n2;"b\n3;c\n')
    found = rows(path, COLUMNS)
    assert next(found).cells["Başvuru No"] == "1"
    with pytest.raises(Unreadable, match="row 3 is no CSV"):
        next(found)


@given(
    table=st.lists(
        st.tuples(st.integers(1, 10**9).map(str), st.text(st.sampled_from("aşİ ;,|\t\"'\n€“"), max_size=20)), max_size=8
    ),
    delimiter=st.sampled_from(";,\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "windows-1254"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_what_a_spreadsheet_writes_is_read_back(
    tmp_path: Path, table: list[tuple[str, str]], delimiter: str, encoding: str
) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([COLUMNS, *table])
    path = written(tmp_path, out.getvalue().encode(encoding))
    assert [tuple(row.values()) for row in cells(path)] == table


@given(
    items=st.lists(
        st.fixed_dictionaries({"id": st.integers(), "text": st.text(max_size=30), "in": st.lists(st.text())}),
        max_size=8,
    ),
    indent=st.sampled_from([None, 1]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_json_array_is_read_item_by_item(tmp_path: Path, items: list[dict[str, Any]], indent: int | None) -> None:
    path = written(tmp_path, json.dumps(items, indent=indent), "a.json")
    assert cells(path, ("id", "text", "in")) == items


def test_an_array_longer_than_a_block_gives_its_items_before_it_is_read_to_its_end(tmp_path: Path) -> None:
    item = json.dumps({"id": "1", "text": "ö" * 5_000}, ensure_ascii=False)
    path = written(tmp_path, "[" + ",\n".join([item] * 200) + ", {broken", "a.json")
    found = rows(path, ("id", "text"))
    assert [next(found).number for _ in range(200)] == list(range(1, 201))
    with pytest.raises(Unreadable, match="item 201 is no JSON"):
        next(found)


def test_a_bad_line_of_json_is_refused_alone(tmp_path: Path) -> None:
    path = written(tmp_path, '{"id": "1"}\nnonsense\n\n[1]\n{"id": "2"}\n', "a.jsonl")
    found = [(row.number, row.fault, row.cells.get("id")) for row in rows(path, ("id",))]
    assert found == [(1, None, "1"), (2, "is no JSON", None), (4, "must be an object", None), (5, None, "2")]


def test_a_line_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    path = written(tmp_path, '{"id": "' + "a" * 1_100_000 + '"}', "a.jsonl")
    with pytest.raises(Unreadable, match="line 1 has more than"):
        cells(path, ("id",))


def test_a_column_may_be_inside_of_objects(tmp_path: Path) -> None:
    line = {"user": {"name": "Ada"}, "user.id": 7, "place": None}
    path = written(tmp_path, json.dumps(line), "a.jsonl")
    assert cells(path, ("user.name", "user.id", "place.lat", "none")) == [
        {"user.name": "Ada", "user.id": 7, "place.lat": None, "none": None}
    ]
