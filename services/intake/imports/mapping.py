"""
Mappings: how the columns of somebody's file become a request, as a YAML file that needs no programmer.

    title: CİMER dışa aktarımı
    zone: Europe/Istanbul             # of times that have none of their own
    constants: {channel: cimer}       # field: what it always is
    fields:                           # field: the column, columns that are joined by line breaks, or a rule
      external_id: Başvuru No
      text: [Konu, Başvuru Metni]
      kind: {column: Tür, values: {Şikâyet: complaint, Teşekkür: thanks}, otherwise: request}
      received_at: {column: Tarih, dates: ["%d.%m.%Y %H:%M", "%d.%m.%Y"]}
      location.point: {column: Konum, order: [lat, lon], separator: ","}

Fields are those of ``POST /v1/requests``; those of the citizen, the place and the law after a dot, as are attributes.
``external_id`` is compulsory: with it a file can be sent again without harm. Columns and values are found whatever
their case, with or without Turkish letters.
"""

import math
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Cells
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from services.common.contracts.text import fold
from services.intake.domain import Refused, accept_request
from services.intake.schemas import Citizen, LegalBasis, NewRequest, Place

READY: Final = Path(__file__).parent / "mappings"
POINT: Final = "location.point"
_PLAIN: Final = frozenset(
    {"channel", "kind", "service_code", "text", "contact", "external_id", "entered_by", "received_at", "notice_version"}
)
_INNER: Final[dict[str, type[BaseModel]]] = {"citizen": Citizen, "location": Place, "legal": LegalBasis}
TARGETS: Final = _PLAIN | {f"{part}.{name}" for part, model in _INNER.items() for name in model.model_fields} | {POINT}
_ATTRIBUTES: Final = "attributes."
_NUMBERS: Final = frozenset({"location.lat", "location.lon"})
_NO_SECRET: Final = b"of ids that nobody sees"


class BadMapping(Exception):
    """
    The mapping cannot be used; the message says what would be right.
    """


class Fault(NamedTuple):
    """
    What is wrong with a field of a row. ``message`` never quotes what stands there.
    """

    field: str
    message: str


class Draft(NamedTuple):
    """
    What became of a row: a body for ``POST /v1/requests``, good if there are no faults.
    """

    external_id: str
    body: dict[str, Any]
    faults: list[Fault]


class Column(BaseModel):
    """
    How a field is filled. Several columns are joined by ``join``, blank ones left out.

    ``values`` translates what stands there (to nothing, if null); ``otherwise`` stands for every value that is not
    among them, and without it such a value is refused. ``dates`` are strptime's; RFC 3339 is always understood.
    ``order`` and ``separator`` are of a point.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    column: tuple[str, ...] = Field(min_length=1)
    join: str = "\n"
    values: dict[str, str | None] | None = None
    otherwise: str | None = None
    dates: tuple[str, ...] = ()
    order: tuple[Literal["lat", "lon"], Literal["lat", "lon"]] = ("lat", "lon")
    separator: str = Field(default=",", min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        rule = given if isinstance(given, dict) else {"column": given}
        column = rule.get("column")
        return {**rule, "column": [column]} if isinstance(column, str) else rule

    @model_validator(mode="after")
    def _both_degrees(self) -> "Column":
        if set(self.order) != {"lat", "lon"}:
            raise ValueError("order must be [lat, lon] or [lon, lat]")
        return self

    @cached_property
    def known(self) -> dict[str, str | None]:
        """
        ``values`` by their folded form.
        """
        return {fold(value).strip(): meaning for value, meaning in (self.values or {}).items()}


class Mapping(BaseModel):
    """
    A mapping. See the module.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    title: str
    zone: str = "Europe/Istanbul"
    constants: dict[str, str] = {}
    fields: dict[str, Column]

    @field_validator("zone")
    @classmethod
    def _there(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("must be a time zone such as Europe/Istanbul") from None
        return name

    @model_validator(mode="after")
    def _complete(self) -> "Mapping":
        for target in (*self.constants, *self.fields):
            if target not in TARGETS and not (target.startswith(_ATTRIBUTES) and target != _ATTRIBUTES):
                raise ValueError(f"{target} is no field: must be one of {', '.join(sorted(TARGETS))} or attributes.…")
        if twice := set(self.constants) & set(self.fields):
            raise ValueError(f"{', '.join(sorted(twice))}: is a constant or comes from the file, not both")
        if "external_id" not in self.fields:
            raise ValueError("fields need external_id: without it a file that is sent again doubles every request")
        if missing := {"channel", "text"} - {*self.constants, *self.fields}:
            raise ValueError(f"{' and '.join(sorted(missing))} must be among the fields or the constants")
        if POINT in self.constants or (POINT in self.fields and _NUMBERS & set(self.fields)):
            raise ValueError(f"{POINT} is a column, and stands instead of location.lat and location.lon")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """
        The columns that the file must have.
        """
        return tuple(dict.fromkeys(name for column in self.fields.values() for name in column.column))

    def columns_of(self, field: str) -> tuple[str, ...]:
        """
        Where a field, or the part that it is in, comes from; none if from nowhere in the file.
        """
        target = POINT if field in _NUMBERS and POINT in self.fields else field
        found = self.fields.get(target)
        return found.column if found else ()


def load(name: str) -> Mapping:
    """
    One of the ready mappings by its name, or a file's. Raises ``BadMapping``.
    """
    ready = READY / f"{name}.yaml"
    path = ready if ready.is_file() else Path(name)
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Mapping.model_validate(given)
    except OSError:
        names = ", ".join(sorted(file.stem for file in READY.glob("*.yaml")))
        raise BadMapping(f"--mapping must be a YAML file or one of {names}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise BadMapping(f"{path.name} is not YAML in UTF-8") from None
    except ValidationError as error:
        raise BadMapping("; ".join(": ".join(filter(None, fault)) for fault in _faults(error))) from None


def draft(mapping: Mapping, cells: Cells[str, Any], now: datetime) -> Draft:
    """
    The request that a row holds, and whatever intake would find wrong with it. ``cells`` by the mapping's columns;
    blank is left out. Who wants to stay unknown (``contact: none``) has no citizen.
    """
    found: dict[str, Any] = {}
    faults: list[Fault] = []
    for target, column in mapping.fields.items():
        try:
            found |= _filled(target, column, cells, mapping.zone)
        except ValueError as error:
            faults.append(Fault(target, str(error)))
    body: dict[str, Any] = {}
    for target, value in {**mapping.constants, **found}.items():
        part, dot, name = target.partition(".")
        if not dot:
            body[part] = value
        else:
            body.setdefault(part, {})[name] = value
    if body.get("contact") == "none":
        body.pop("citizen", None)
    said = {fault.field for fault in faults}
    faults += [fault for fault in _wrong(body, now) if fault.field not in said]
    external_id = body.get("external_id", "")
    sound = not any(fault.field == "external_id" for fault in faults)
    return Draft(external_id if sound else "", body, faults)


def _wrong(body: dict[str, Any], now: datetime) -> list[Fault]:
    faults = [] if "external_id" in body else [Fault("external_id", "must not be blank")]
    try:
        given = NewRequest.model_validate(body)
        accept_request(given, adapter="", idempotency_key=None, secret=_NO_SECRET, now=now)
    except ValidationError as error:
        faults += _faults(error)
    except Refused as error:
        faults.append(Fault(error.field, error.message))
    return faults


def _faults(error: ValidationError) -> list[Fault]:
    return [
        Fault(".".join(map(str, row["loc"])), row["msg"].removeprefix("Value error, "))
        for row in error.errors(include_input=False, include_context=False, include_url=False)
    ]


def _filled(target: str, column: Column, cells: Cells[str, Any], zone: str) -> dict[str, Any]:
    """
    The fields that a rule fills. Raises ``ValueError`` saying what would be right.
    """
    given = [text for text in (_text(cells.get(name)) for name in column.column) if text]
    if not given:
        return {}
    if target == "external_id" and len(given) < len(column.column):
        raise ValueError("must not be blank in any of its columns")
    joined = column.join.join(given)
    text = joined if column.values is None else _meaning(joined, column)
    if text is None:
        return {}
    if target == POINT:
        return dict(zip((f"location.{name}" for name in column.order), _point(text, column.separator), strict=True))
    if target in _NUMBERS:
        return {target: _number(text)}
    if target == "received_at":
        return {target: _moment(text, column.dates, zone)}
    return {target: text}


def _text(cell: Any) -> str:
    match cell:
        case None:
            return ""
        case str():
            return cell.strip()
        case bool():
            return "true" if cell else "false"
        case int() | float():
            return str(cell)
        case _:
            raise ValueError("must be a text or a number, not a list or an object")


def _meaning(text: str, column: Column) -> str | None:
    key = fold(text)
    if key not in column.known and "otherwise" not in column.model_fields_set:
        raise ValueError(f"must be one of {', '.join(column.values or ())}")
    return column.known.get(key, column.otherwise)


def _number(text: str) -> float:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("must be a number such as 41.2867")
    return number


def _point(text: str, separator: str) -> list[float]:
    parts = text.split(separator)
    if len(parts) != 2:
        raise ValueError(f"must be two numbers with {separator!r} between them")
    return [_number(part.strip()) for part in parts]


def _moment(text: str, dates: Sequence[str], zone: str) -> str:
    for read in (*map(_reader, dates), datetime.fromisoformat):
        try:
            moment = read(text)
        except ValueError:
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).isoformat()
    raise ValueError(f"must be a time as {' or '.join(dates) or 'RFC 3339'} has it")


def _reader(form: str) -> Callable[[str], datetime]:
    return lambda text: datetime.strptime(text, form)  # noqa: DTZ007 - the zone is put to it where it has none
