"""
Rows of a foreign file to historic requests, by a mapping. What cannot be read is refused with its line and reason.
"""

import csv
import gzip
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

from pydantic import ValidationError

from services.common.contracts.vocabulary import Outcome
from services.reporting.history.mapping import BadValue, CityMapping, Column, Scalar
from services.reporting.history.model import HistoricRequest

_TIMES: Final = frozenset({"received_at", "respond_by", "resolve_by", "responded_at", "closed_at"})
_NAMED: Final = ("department", "service")


class UnreadableFile(Exception):
    """
    The file is no table of this encoding and separator.
    """


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    A row that was not taken: its line in the file, the field of the mapping, and why.
    """

    line: int
    field: str
    reason: str


@dataclass(slots=True)
class Reader:
    """
    Reads rows. ``number`` makes a request's number of its id at the source. ``names``: what codes were made of, by
    field.
    """

    mapping: CityMapping
    number: Callable[[str], str]
    names: dict[str, dict[str, str]] = field(default_factory=lambda: {name: {} for name in _NAMED})
    _seen: set[str] = field(default_factory=set)
    _columns: dict[str, Column] = field(init=False)

    def __post_init__(self) -> None:
        self._columns = self.mapping.columns.given()

    def read(self, line: int, row: dict[str, str]) -> HistoricRequest | Refusal:
        """
        The request of a row.
        """
        found: dict[str, Any] = {"source": self.mapping.source}
        for name, column in self._columns.items():
            try:
                value = column.of(row)
                if isinstance(value, str) and name in _TIMES:
                    found[name] = self.mapping.time.read(value)
                elif value is not None:
                    found[name] = value
            except BadValue as bad:
                return Refusal(line, name, str(bad))
            if name in _NAMED and column.slug and column.column and value not in column.values.values():
                self.names[name].setdefault(str(value), row[column.column].strip())
        if "id" not in found:
            return Refusal(line, "id", "is empty; without it the same row cannot be known again")
        found["request_id"] = self.number(str(found.pop("id")))
        if found["request_id"] in self._seen:
            return Refusal(line, "id", "stands twice in the file")
        made = self._request(line, found)
        if isinstance(made, HistoricRequest):
            self._seen.add(made.request_id)
        return made

    def _request(self, line: int, found: dict[str, Scalar]) -> HistoricRequest | Refusal:
        if "service" in found:
            found["service_code"] = found.pop("service")
        found["judged"] = self.mapping.columns.on_time is not None
        if "closed_at" in found:
            found.setdefault("outcome", Outcome.RESOLVED)
        else:
            found.pop("outcome", None)
        try:
            return HistoricRequest.model_validate(found)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            return Refusal(line, ".".join(map(str, first["loc"][:1])) or "row", first["msg"])


class Table:
    """
    A file of rows (CSV, also gzipped), read as it goes: never the whole in memory.
    """

    def __init__(self, path: Path, mapping: CityMapping) -> None:
        self._size = path.stat().st_size
        self._raw: BinaryIO = path.open("rb")
        content = gzip.GzipFile(fileobj=self._raw) if path.suffix == ".gz" else self._raw
        self._lines = io.TextIOWrapper(content, encoding=mapping.encoding, newline="")
        self._cells = csv.reader(self._lines, delimiter=mapping.separator, strict=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._raw.close()

    @property
    def share(self) -> float:
        """
        How much of the file was read, 0 to 1.
        """
        return self._raw.tell() / self._size if self._size else 1.0

    def read(self, reader: Reader) -> Iterator[HistoricRequest | Refusal]:
        """
        What each row is. Raises ``BrokenMapping`` for a column that is missing, and ``UnreadableFile``.
        """
        try:
            header = next(self._cells, [])
            reader.mapping.check_header(header)
            for cells in filter(None, self._cells):
                line = self._cells.line_num
                if len(cells) == len(header):
                    yield reader.read(line, dict(zip(header, cells, strict=True)))
                else:
                    yield Refusal(line, "row", f"has {len(cells)} cells, and the header {len(header)}")
        except (csv.Error, UnicodeError, gzip.BadGzipFile, EOFError) as error:
            raise UnreadableFile(f"line {self._cells.line_num + 1}: {error}") from error
