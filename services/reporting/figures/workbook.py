"""
Frames as an Excel workbook, piece by piece: nothing waits in memory or on disk. Pure.

XlsxWriter makes the workbook with its headings; the rows are written into its sheet by polars (XlsxWriter's own 1,500
rows a second, measured, would hold the process for eleven minutes for a million). Every cell says what it is: an inline
text, a number, or a number shown as a time; so no text becomes a formula or a link.
"""

import io
import re
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile

import polars as pl

from services.reporting.figures.tables import Column, Language, spoken

MOST_ROWS: Final = 1_048_575
"""What a sheet of Excel holds below its headings."""

_SHEET: Final = "xl/worksheets/sheet1.xml"
_SAMPLE: Final = re.compile(rb'<row r="2".*?s="(\d+)".*?s="(\d+)".*?</row>')  # of a time and of a day
_SIZE: Final = re.compile(rb'<dimension ref="[^"]*"/>')  # it would be wrong, and Power Query believes it
_INLINE: Final = '<c t="inlineStr"><is><t xml:space="preserve">'
_EPOCH_DAYS: Final = 25_569  # from Excel's day 0 to 1970-01-01
_DAY_MS: Final = 86_400_000
_NO_XML: Final = r"[\x00-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF]"
_ESCAPE: Final = r"_(x[0-9A-Fa-f]{4}_)"  # Excel would read it as the character of that number


class TooManyRows(ValueError):
    """
    More rows than a sheet of Excel holds.
    """


class Xlsx:
    """
    One sheet: headings that stay and filter, columns as wide as they are used.
    """

    media_type: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def __init__(self, columns: tuple[Column, ...], language: Language, title: str) -> None:
        self._language: Language = language
        self._sink = _Sink()
        self._zip = ZipFile(self._sink, "w", ZIP_DEFLATED, compresslevel=1)
        parts = _template(columns, language, title)
        self._before, time, day, self._after = _SAMPLE.split(_SIZE.sub(b"", parts.pop(_SHEET)))
        self._styles = (f' s="{time.decode()}"', f' s="{day.decode()}"')
        for name, content in parts.items():
            self._zip.writestr(name, content)
        self._sheet = self._zip.open(_SHEET, "w")
        self._count = 0

    def begin(self) -> bytes:
        """
        All parts of the workbook but the rows.
        """
        self._sheet.write(self._before)
        return self._sink.taken()

    def rows(self, frame: pl.DataFrame) -> bytes:
        """
        The next rows. Raises ``TooManyRows``.
        """
        self._count += frame.height
        if self._count > MOST_ROWS:
            raise TooManyRows(f"a sheet of Excel holds {MOST_ROWS:,} rows")
        if not frame.is_empty():
            told = spoken(frame, self._language)
            cells = pl.concat_str(
                pl.lit("<row>"), *(self._cell(name, kind) for name, kind in told.schema.items()), pl.lit("</row>")
            )
            self._sheet.write("".join(told.select(cells).to_series()).encode())
        return self._sink.taken()

    def end(self) -> bytes:
        """
        The end of the sheet and of the file.
        """
        self._sheet.write(self._after)
        self._sheet.close()
        self._zip.close()
        return self._sink.taken()

    def _cell(self, name: str, kind: pl.DataType) -> pl.Expr:
        value, (time, day) = pl.col(name), self._styles
        if kind == pl.String:
            return pl.concat_str(pl.lit(_INLINE), _text(value), pl.lit("</t></is></c>")).fill_null("<c/>")
        if kind == pl.Date:
            return _number(value.cast(pl.Int32) + _EPOCH_DAYS, day)
        if isinstance(kind, pl.Datetime):
            return _number((value.dt.epoch("ms") / _DAY_MS + _EPOCH_DAYS).round(8), time)
        return _number(value)


class _Sink(io.RawIOBase):
    """
    Where the file goes: it cannot be read, nor gone back in.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        """
        It can be written.
        """
        return True

    def write(self, content: object) -> int:
        """
        Take the content.
        """
        part = bytes(content)  # type: ignore[call-overload]
        self._parts.append(part)
        return len(part)

    def taken(self) -> bytes:
        """
        What was written since.
        """
        found = b"".join(self._parts)
        self._parts.clear()
        return found


def _template(columns: tuple[Column, ...], language: Language, title: str) -> dict[str, bytes]:
    import xlsxwriter  # type: ignore[import-untyped]  # loaded with the first workbook, not at every start

    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    sheet = book.add_worksheet(title)
    heading = book.add_format({"bold": True, "bg_color": "#DCE6F1", "bottom": 1, "valign": "top", "text_wrap": True})
    for place, column in enumerate(columns):
        sheet.set_column(place, place, column.width)
        sheet.write_string(0, place, column.heading(language), heading)
    for place, form in enumerate(("dd.mm.yyyy hh:mm", "dd.mm.yyyy")):
        sheet.write_number(1, place, 0, book.add_format({"num_format": form}))
    sheet.freeze_panes(1, 1)
    sheet.autofilter(0, 0, MOST_ROWS, len(columns) - 1)
    book.close()
    with ZipFile(file) as made:
        return {name: made.read(name) for name in made.namelist()}


def _number(value: pl.Expr, style: str = "") -> pl.Expr:
    return pl.concat_str(pl.lit(f"<c{style}><v>"), value.cast(pl.String), pl.lit("</v></c>")).fill_null("<c/>")


def _text(value: pl.Expr) -> pl.Expr:
    return (
        value.str.replace_all(_NO_XML, "\N{REPLACEMENT CHARACTER}")
        .str.replace_all(_ESCAPE, "_x005F_$1")
        .str.replace_all("&", "&amp;", literal=True)
        .str.replace_all("<", "&lt;", literal=True)
        .str.replace_all(">", "&gt;", literal=True)
    )
