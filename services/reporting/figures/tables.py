"""
Frames as a file, piece by piece: CSV and GeoJSON. Pure. (XLSX: ``workbook``.)

A cell is what its column is: a text is never a formula, whoever wrote it and whatever it begins with.
"""

from dataclasses import dataclass
from typing import Final, Literal, Protocol

import polars as pl

Language = Literal["tr", "en"]
ZONE: Final = "Europe/Istanbul"
_FORMULA: Final = r"^[\s\x00-\x1f]*[=+\-@＝＋－＠]|^[\t\r\n]"  # Excel takes the full-width signs too
_POINT: Final = ("lon", "lat")


@dataclass(frozen=True, slots=True)
class Column:
    """
    A column: its name for machines, its heading for people, and how many characters wide people see it.
    """

    name: str
    tr: str
    en: str
    width: int = 14

    def heading(self, language: Language) -> str:
        """
        What stands above it.
        """
        return self.tr if language == "tr" else self.en


class Writer(Protocol):
    """
    Makes one file of frames that have the same columns, in order. What it gave stays given: it keeps no rows.
    """

    @property
    def media_type(self) -> str:
        """
        What the file is.
        """

    def begin(self) -> bytes:
        """
        What stands before the first row.
        """

    def rows(self, frame: pl.DataFrame) -> bytes:
        """
        The next rows.
        """

    def end(self) -> bytes:
        """
        What stands behind the last row.
        """


class Csv:
    """
    RFC 4180 for machines: UTF-8, commas, names as headings, times as RFC 3339, ``true`` and ``false``.
    """

    media_type: Final = "text/csv; charset=utf-8"

    def __init__(self, columns: tuple[Column, ...]) -> None:
        self._columns = columns

    def begin(self) -> bytes:
        """
        The headings.
        """
        return (",".join(column.name for column in self._columns) + "\r\n").encode()

    def rows(self, frame: pl.DataFrame) -> bytes:
        """
        A line for each row.
        """
        told = plain(frame).with_columns(pl.col(pl.String).pipe(harmless))
        return told.write_csv(include_header=False, line_terminator="\r\n").encode()

    def end(self) -> bytes:
        """
        Nothing.
        """
        return b""


class CsvForExcel:
    """
    As Turkish Excel opens it with a double click: a byte order mark, semicolons, comma decimals, words for people.
    """

    media_type: Final = "text/csv; charset=utf-8"

    def __init__(self, columns: tuple[Column, ...], language: Language) -> None:
        self._columns = columns
        self._language: Language = language

    def begin(self) -> bytes:
        """
        The byte order mark and the headings.
        """
        headings = pl.DataFrame({column.name: [column.heading(self._language)] for column in self._columns})
        return b"\xef\xbb\xbf" + self._lines(headings)

    def rows(self, frame: pl.DataFrame) -> bytes:
        """
        A line for each row.
        """
        told = spoken(frame, self._language).with_columns(
            pl.col(pl.Datetime).dt.to_string("%d.%m.%Y %H:%M"), pl.col(pl.Date).dt.to_string("%d.%m.%Y")
        )
        return self._lines(told.with_columns(pl.col(pl.String).pipe(harmless)))

    def end(self) -> bytes:
        """
        Nothing.
        """
        return b""

    @staticmethod
    def _lines(frame: pl.DataFrame) -> bytes:
        lines = frame.write_csv(include_header=False, separator=";", line_terminator="\r\n", decimal_comma=True)
        return lines.encode()


class GeoJson:
    """
    RFC 7946: a feature for each row, with the point (``lon``, ``lat``) as its geometry, or none, and all else as its
    properties.
    """

    media_type: Final = "application/geo+json"

    def __init__(self) -> None:
        self._first = True

    def begin(self) -> bytes:
        """
        The head of the collection.
        """
        return b'{"type":"FeatureCollection","features":['

    def rows(self, frame: pl.DataFrame) -> bytes:
        """
        A feature for each row.
        """
        if frame.is_empty():
            return b""
        lon, lat = (pl.col(name).cast(pl.Float64).cast(pl.String) for name in _POINT)
        point = _joined('{"type":"Point","coordinates":[', lon, ",", lat, "]}").fill_null("null")
        properties = pl.struct(pl.exclude(*_POINT)).struct.json_encode()
        feature = _joined('{"type":"Feature","geometry":', point, ',"properties":', properties, "}")
        before, self._first = "" if self._first else ",", False
        return (before + "\n" + ",\n".join(plain(frame).select(feature).to_series())).encode()

    def end(self) -> bytes:
        """
        The end of the collection.
        """
        return b"\n]}\n"


def _joined(*parts: pl.Expr | str) -> pl.Expr:
    return pl.concat_str(pl.lit(part) if isinstance(part, str) else part for part in parts)


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """
    The frame with words as texts, and times and days as RFC 3339 writes them, on the city's clocks.
    """
    local = pl.col(pl.Datetime("ms", "UTC")).dt.convert_time_zone(ZONE)
    return frame.with_columns(
        pl.col(pl.Categorical).cast(pl.String),
        local.dt.to_string("%Y-%m-%dT%H:%M:%S%:z"),
        pl.col(pl.Date).dt.to_string("%Y-%m-%d"),
    )


def spoken(frame: pl.DataFrame, language: Language) -> pl.DataFrame:
    """
    The frame with words as texts, *yes* and *no* in the reader's language, and times without a zone, as the city's
    clocks showed them.
    """
    yes, no = ("Evet", "Hayır") if language == "tr" else ("Yes", "No")
    return frame.with_columns(
        pl.col(pl.Categorical).cast(pl.String),
        pl.col(pl.Boolean).replace_strict({True: yes, False: no}, return_dtype=pl.String),
        pl.col(pl.Datetime("ms", "UTC")).dt.convert_time_zone(ZONE).dt.replace_time_zone(None),
    )


def harmless(text: pl.Expr) -> pl.Expr:
    """
    The text, with an apostrophe before it if a spreadsheet could take it for a formula.
    """
    return text.str.replace(_FORMULA, "'${0}")
