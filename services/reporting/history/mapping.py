"""
Which column of a foreign file is what: a mapping file (YAML), checked before the first row is read.

    source: boston311                 # a word of its own: with a request's id it makes its number
    city: {tr: Boston, en: Boston}
    time: {format: "%Y-%m-%d %H:%M:%S", zone: America/New_York, keep_wall_clock: true}
    columns:
      id: case_enquiry_id
      received_at: open_dt
      channel: {column: source, values: {Constituent Call: phone}, default: import}
      outcome: {column: closure_reason, starts: {Case Closed Duplicate: duplicate}, default: resolved}
      service: {column: type, slug: true}
    departments: {works: {tr: Fen İşleri, en: Public Works}}
    services: {}

A column is its name, or what to make of it. Blanks around a value do not count, and an empty value is none. ``values``:
what each value means; ``starts``: the same by how the value begins, the first that fits; ``default`` where neither
fits, and for none; without a ``default`` a value that fits nothing is refused. ``slug``: the value becomes a code and
stays the code's name. ``value``: the same for every row.

``keep_wall_clock``: nine o'clock there is nine o'clock here. Days and hours of figures are Istanbul's, so a city of
another zone is only seen by its own clocks if they are kept; what took hours across a change to or from summer time is
then off by that hour.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from services.common.contracts.events import Slug
from services.common.contracts.text import fold
from services.common.contracts.vocabulary import CLOSED, Channel, Kind, Outcome, Priority, Status
from services.reporting.projections import ISTANBUL

Scalar = str | bool | int | None

MAX_SLUG: Final = 60


class BrokenMapping(Exception):
    """
    The mapping cannot be used; the message names the entry and what would be right.
    """


class BadValue(ValueError):
    """
    A value of a row that means nothing; the message says why.
    """


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Label(_Strict):
    """
    A name in both languages.
    """

    tr: str = Field(min_length=1)
    en: str = Field(min_length=1)


class Column(_Strict):
    """
    Where a field comes from.
    """

    column: str | None = None
    value: Scalar = None
    values: dict[str, Scalar] = Field(default_factory=dict)
    starts: dict[str, Scalar] = Field(default_factory=dict)
    default: Scalar = None
    slug: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.column is None) == (self.value is None):
            raise ValueError("needs either `column` (a name of the file) or `value` (the same for every row)")
        return self

    def of(self, row: Mapping[str, str]) -> Scalar:
        """
        What this row has. Raises ``BadValue``.
        """
        if self.column is None:
            return self.value
        text = row[self.column].strip()
        if text in self.values:
            return self.values[text]
        for beginning, meaning in self.starts.items():
            if text.startswith(beginning):
                return meaning
        if "default" in self.model_fields_set and (self.values or self.starts or not text):
            return self.default
        if not text:
            return None
        if self.values or self.starts:
            known = ", ".join([*self.values, *self.starts])
            raise BadValue(f"{text[:60]!r} is none of {known}, and there is no default")
        return slug_of(text) if self.slug else text


class Times(_Strict):
    """
    How the file writes times, and by which clocks. ``format`` as of ``strptime``; ``iso`` reads ISO 8601.
    """

    format: str = "iso"
    zone: str
    keep_wall_clock: bool = False

    @field_validator("zone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{name!r} is no time zone; one like Europe/Istanbul is") from None
        return name

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def read(self, text: str) -> datetime:
        """
        The moment. Raises ``BadValue``.
        """
        try:
            read = datetime.fromisoformat(text) if self.format == "iso" else datetime.strptime(text, self.format)  # noqa: DTZ007
        except ValueError:
            raise BadValue(f"{text[:40]!r} is no time written as {self.format}") from None
        moment = read if read.tzinfo else read.replace(tzinfo=self._zone)
        return moment.astimezone(self._zone).replace(tzinfo=ISTANBUL) if self.keep_wall_clock else moment


_WORDS: Final[Mapping[str, Sequence[Scalar]]] = {
    "channel": tuple(Channel),
    "kind": tuple(Kind),
    "priority": tuple(Priority),
    "status": tuple(status for status in Status if status not in CLOSED),
    "outcome": tuple(Outcome),
    "emergency": (True, False),
    "on_time": (True, False),
}


class Columns(_Strict):
    """
    The fields of a historic request. Without ``on_time`` the due time decides; with it, the source.
    """

    id: Column
    received_at: Column
    channel: Column
    kind: Column | None = None
    department: Column | None = None
    service: Column | None = None
    neighbourhood: Column | None = None
    lat: Column | None = None
    lon: Column | None = None
    priority: Column | None = None
    emergency: Column | None = None
    respond_by: Column | None = None
    resolve_by: Column | None = None
    responded_at: Column | None = None
    status: Column | None = None
    closed_at: Column | None = None
    outcome: Column | None = None
    on_time: Column | None = None
    rating: Column | None = None

    @model_validator(mode="before")
    @classmethod
    def _names_are_columns(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        return {name: {"column": given} if isinstance(given, str) else given for name, given in raw.items()}

    @model_validator(mode="after")
    def _meanings_are_ours(self) -> Self:
        for name, words in _WORDS.items():
            column: Column | None = getattr(self, name)
            if column is None:
                continue
            meanings = [*column.values.values(), *column.starts.values(), column.default, column.value]
            for meaning in meanings:
                if meaning is not None and meaning not in words:
                    raise ValueError(f"{name}: {meaning!r} is none of {', '.join(map(str, words))}")
        return self

    def given(self) -> dict[str, Column]:
        """
        The fields that the mapping has.
        """
        return {name: column for name in Columns.model_fields if (column := getattr(self, name)) is not None}


class CityMapping(_Strict):
    """
    A mapping file.
    """

    source: Slug
    city: Label
    separator: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"
    time: Times
    columns: Columns
    departments: dict[Slug, Label] = Field(default_factory=dict)
    services: dict[Slug, Label] = Field(default_factory=dict)

    def check_header(self, header: list[str]) -> None:
        """
        Raises ``BrokenMapping`` for a column that the file does not have.
        """
        for name, column in self.columns.given().items():
            if column.column is not None and column.column not in header:
                raise BrokenMapping(
                    f"columns.{name}: the file has no column {column.column!r}; it has {', '.join(header)}"
                )


_SEPARATORS: Final = re.compile(r"[^a-z0-9]+")


def slug_of(text: str) -> str:
    """
    A code made of a name: small letters and digits, hyphens between. Raises ``BadValue`` if nothing is left of it.
    """
    slug = _SEPARATORS.sub("-", fold(text)).strip("-")[:MAX_SLUG].strip("-")
    if not slug:
        raise BadValue(f"{text[:60]!r} has no letter to make a code of")
    return slug


def load_mapping(path: Path) -> CityMapping:
    """
    Read and check a mapping file. Raises ``BrokenMapping``.
    """
    try:
        return CityMapping.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BrokenMapping(f"{path.name} cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BrokenMapping(f"{path.name}: {'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}") from error
