"""
What a file of requests shows: its columns, and facts made into them. Pure.

Machines get codes, and names beside the codes of states, departments and services; people get words alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from services.reporting.figures.selection import overdue
from services.reporting.figures.tables import Column

Called = Mapping[str, Mapping[str, str]]
"""What codes are called in the reader's language, by what they are codes of: ``called["service"]["yol-cukur"]``."""

_GROUPED: Final = r"^(\w{4})(\w{4})(\w{4})(\w)((?:\.\d+)?)$"


@dataclass(frozen=True, slots=True)
class _Field:
    """
    ``value`` is made of facts; ``words``: the table in which its code is found.
    """

    column: Column
    value: pl.Expr
    words: str | None = None
    people: bool = True
    machines: bool = True


def _field(
    name: str, tr: str, en: str, width: int = 14, value: pl.Expr | None = None, words: str | None = None
) -> _Field:
    return _Field(Column(name, tr, en, width), pl.col(name) if value is None else value, words)


def _coded(name: str, tr: str, en: str, width: int, label: str) -> tuple[_Field, _Field, _Field]:
    """
    A code and its name for machines, the name under the heading of the code for people.
    """
    code = Column(name, tr, en, width)
    return (
        _Field(code, pl.col(name), people=False),
        _Field(Column(label, tr, en, width), pl.col(name), words=name, people=False),
        _Field(code, pl.col(name), words=name, machines=False),
    )


def _hours(name: str, tr: str, en: str) -> _Field:
    return _field(name, tr, en, 11, pl.col(name).cast(pl.Float64).round(2))


_NUMBER: Final = pl.col("request_id").cast(pl.String).str.replace(_GROUPED, "${1}-${2}-${3}-${4}${5}")
_FIELDS: Final = (
    _field("number", "Başvuru no", "Number", 20, _NUMBER),
    _field("received_at", "Geliş", "Received", 17),
    _field("closed_at", "Kapanış", "Closed", 17),
    *_coded("status", "Durum", "Status", 20, "status_label"),
    *_coded("department", "Müdürlük", "Department", 34, "department_name"),
    *_coded("service", "Hizmet", "Service", 34, "service_name"),
    _field("neighbourhood", "Mahalle", "Neighbourhood", 18),
    _field("channel", "Kanal", "Channel", 13, words="channel"),
    _field("kind", "Tür", "Kind", 11, words="kind"),
    _field("priority", "Öncelik", "Priority", 11, words="priority"),
    _field("emergency", "Acil durum", "Emergency", 9),
    _field("outcome", "Sonuç", "Outcome", 22, words="outcome"),
    _field("on_time", "Süresinde kapandı", "Closed on time", 11),
    _field("overdue", "Gecikmiş", "Overdue", 10),
    _field("paused", "Süre durdu", "Clock stands still", 9),
    _field("escalated", "Süre uyarısı verildi", "Escalated", 10),
    _field("respond_by", "İlk yanıt için son", "Respond by", 17),
    _field("resolve_by", "Çözüm için son", "Resolve by", 17),
    _field("legal_on", "Yasal son gün", "Legal last day", 12),
    _hours("hours_to_respond", "İlk yanıt (saat)", "Hours to respond"),
    _hours("work_hours_to_respond", "İlk yanıt (iş saati)", "Work hours to respond"),
    _hours("hours_to_close", "Kapanış (saat)", "Hours to close"),
    _hours("work_hours_to_close", "Kapanış (iş saati)", "Work hours to close"),
    _field("at_first_contact", "İlk temasta çözüldü", "At first contact", 10),
    _field("reopened", "Yeniden açılma", "Reopened", 10),
    _field("bounced", "El değiştirme", "Bounced", 10),
    _field("followers", "Bağlanan mükerrer", "Duplicates of it", 10),
    _field("rating", "Puan (1–5)", "Rating (1–5)", 8),
    _field("team", "Ekip", "Team", 12),
    _field("crisis", "Kriz", "Crisis", 12),
    _field("lat", "Enlem", "Latitude", 10),
    _field("lon", "Boylam", "Longitude", 10),
)  # fmt: skip


def columns(*, people: bool) -> tuple[Column, ...]:
    """
    The columns of a file for people or for machines, in order.
    """
    return tuple(field.column for field in _for(people))


def shown(facts: pl.DataFrame, called: Called, now: datetime, *, people: bool) -> pl.DataFrame:
    """
    Facts in these columns. ``now`` decides what is overdue; ``called``: ``Names.tables``.
    """
    return facts.with_columns(overdue(now).alias("overdue")).select(
        _worded(field, called, people=people).alias(field.column.name) for field in _for(people)
    )


def _for(people: bool) -> list[_Field]:
    return [field for field in _FIELDS if (field.people if people else field.machines)]


def _worded(field: _Field, called: Called, *, people: bool) -> pl.Expr:
    if field.words is None or not (people or field.column.name != field.words):
        return field.value
    return field.value.cast(pl.String).replace(dict(called[field.words]))
