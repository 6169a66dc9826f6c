"""
The rows of a file, one at a time however long it is: CSV as spreadsheets write it, a JSON array, JSON lines.

A CSV's encoding (UTF-8, UTF-16 with its mark, else windows-1254 or iso-8859-9) and its delimiter are found out: the
delimiter is the one with which the header has the most of the wanted columns.
"""

import codecs
import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from services.common.contracts.text import fold

MOST: Final = 1_048_576  # characters of one row
_BLOCK: Final = 65_536
_DELIMITERS: Final = ";,\t|"
_MARKS: Final = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_SPREADSHEETS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


class Unreadable(Exception):
    """
    The file cannot be read, or not any further. The message says where, never what stands there.
    """


@dataclass(frozen=True, slots=True)
class Row:
    """
    A row by its columns, or why it is none. ``number`` is what a spreadsheet shows beside it (the header is 1), the
    line of JSON lines, or the place in an array from 1 on.
    """

    number: int
    cells: dict[str, Any]
    fault: str | None = None


def rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """
    The rows of a file that ends with .csv, .tsv or .txt, .json, .jsonl or .ndjson; blank ones are left out. A column
    of JSON may be inside of objects: ``user.name``. Raises ``Unreadable``.
    """
    kind = path.suffix.lower()
    try:
        if kind in (".csv", ".tsv", ".txt"):
            yield from _table(path, columns)
        elif kind in (".jsonl", ".ndjson"):
            yield from _lines(path, columns)
        elif kind == ".json":
            yield from _array(path, columns)
        else:
            raise Unreadable("must be a .csv, .tsv, .txt, .json, .jsonl or .ndjson file")
    except OSError as error:
        raise Unreadable(f"{path.name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Unreadable("is not in the encoding that it begins with") from None


def encoding_of(path: Path) -> str:
    """
    How a text file is encoded. Raises ``Unreadable`` for a spreadsheet's own format and other files that are no text.
    """
    with path.open("rb") as file:
        start = file.read(_BLOCK)
    if start.startswith(_SPREADSHEETS):
        raise Unreadable("is a spreadsheet: save it as CSV (UTF-8)")
    for mark, encoding in _MARKS.items():
        if start.startswith(mark):
            return encoding
    if b"\x00" in start:
        raise Unreadable("is no text file")
    return next((encoding for encoding in ("utf-8", "windows-1254") if _decodes(path, encoding)), "iso-8859-9")


def _decodes(path: Path, encoding: str) -> bool:
    try:
        with path.open(encoding=encoding, newline="") as file:
            while file.read(_BLOCK):
                pass
    except UnicodeDecodeError:
        return False
    return True


def _table(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    with path.open(encoding=encoding_of(path), newline="") as file:
        delimiter = _delimiter(file, columns)
        number, width, places = 0, 0, dict[str, int]()
        try:
            for number, cells in enumerate(csv.reader(file, delimiter=delimiter, strict=True), 1):
                if not any(cell.strip() for cell in cells):
                    continue
                if not width:
                    places, width = _places(cells, columns), len(cells)
                elif len(cells) != width:
                    yield Row(number, {}, f"has {len(cells)} cells, the header has {width}")
                else:
                    yield Row(number, {name: cells[place] for name, place in places.items()})
        except csv.Error as error:
            raise Unreadable(f"row {number + 1} is no CSV ({error}): are its quotes right?") from None
    if not width:
        raise Unreadable("is empty: the first row must be the header")


def _delimiter(file: TextIO, columns: Sequence[str]) -> str:
    """
    What stands between the cells. The file is left at its header, behind Excel's own ``sep=;`` if that is there.
    """
    first = file.readline(_BLOCK).strip()
    if first.startswith("sep=") and len(first) == 5:
        return first[4]
    file.seek(0)
    head = file.read(_BLOCK)
    file.seek(0)
    wanted = {_key(name) for name in columns}

    def fit(delimiter: str) -> tuple[int, int]:
        cells = next((row for row in csv.reader(io.StringIO(head, newline=""), delimiter=delimiter) if any(row)), [])
        return len(wanted & set(map(_key, cells))), len(cells)

    return max(_DELIMITERS, key=fit)


def _places(header: Sequence[str], columns: Sequence[str]) -> dict[str, int]:
    keys = [_key(name) for name in header]
    if missing := [name for name in columns if _key(name) not in keys]:
        raise Unreadable(f"the header lacks: {', '.join(missing)}")
    if twice := [name for name in columns if keys.count(_key(name)) > 1]:
        raise Unreadable(f"the header has twice: {', '.join(twice)}")
    return {name: keys.index(_key(name)) for name in columns}


def _key(name: str) -> str:
    return " ".join(fold(name).split())


def _lines(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        number = 0
        while line := file.readline(MOST + 1):
            number += 1
            if len(line) > MOST:
                raise Unreadable(f"line {number} has more than {MOST} characters")
            if not line.strip():
                continue
            try:
                yield _object(number, json.loads(line), columns)
            except (ValueError, RecursionError):
                yield Row(number, {}, "is no JSON")


def _array(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        for number, item in enumerate(_items(file), 1):
            yield _object(number, item, columns)


def _items(file: TextIO) -> Iterator[Any]:
    """
    The members of a JSON array, read block by block.
    """
    decoder, text, number = json.JSONDecoder(), file.read(_BLOCK).lstrip(), 0
    if not text.startswith("["):
        raise Unreadable("must be a JSON array of objects; one object a line belongs into a .jsonl file")
    text, before = text[1:], ""
    while True:
        text = text.lstrip()
        rest = text.removeprefix(before).lstrip() if text.startswith(before) else ""
        if text.startswith("]"):
            return
        try:
            item, end = decoder.raw_decode(rest)
        except (ValueError, RecursionError):
            block = file.read(_BLOCK)
            if not block or len(text) > MOST:
                raise Unreadable(f"item {number + 1} is no JSON, or the array is not closed") from None
            text += block
        else:
            number += 1
            yield item
            text, before = rest[end:], ","


def _object(number: int, item: Any, columns: Sequence[str]) -> Row:
    if not isinstance(item, dict):
        return Row(number, {}, "must be an object")
    return Row(number, {name: _inside(item, name) for name in columns})


def _inside(item: dict[str, Any], name: str) -> Any:
    if name in item:
        return item[name]
    found: Any = item
    for step in name.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found
