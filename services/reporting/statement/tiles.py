"""
The key figures at the head of a statement, each with its changes and its last months. Pure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from services.common.ui import formats
from services.common.ui.formats import Language
from services.common.ui.words import Words
from services.reporting.statement.models import Numbers, Statement
from services.reporting.statement.writing import Delta, delta, in_days, length, share

NONE: Final = "–"


@dataclass(frozen=True, slots=True)
class Tile:
    """
    A key figure. ``spark``: the last months from 0 (the least) to 1 (the most), null where a month has none.
    """

    id: str
    label: str
    value: str
    unit: str
    note: str
    deltas: Sequence[Delta]
    spark: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Fact:
    """
    A small figure with what it counts.
    """

    label: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class _Kind:
    field: str
    label: Words
    form: Literal["count", "share", "hours"]
    better: Literal[-1, 0, 1]
    note: Callable[[Numbers, Language], str]


def _text(tr: str, en: str) -> Callable[[Numbers, Language], str]:
    return lambda _, language: tr if language == "tr" else en


def _solved(of: Numbers, language: Language) -> str:
    solved = formats.number(of.solved, language, 0)
    return {"tr": f"{solved} başvuru çözüldü", "en": f"{solved} requests solved"}[language]


def _late(of: Numbers, language: Language) -> str:
    late = formats.number(of.late, language, 0)
    return {"tr": f"{late} tanesi gecikti", "en": f"{late} were late"}[language]


def _rated(of: Numbers, language: Language) -> str:
    if of.rating_average is None:
        return {"tr": "oy verilmedi", "en": "no ratings"}[language]
    average, count = formats.number(of.rating_average, language, 2), formats.number(of.ratings, language, 0)
    return {"tr": f"{count} oy, ortalama {average} / 5", "en": f"{count} ratings, average {average} / 5"}[language]


_MEDIAN: Final = _text("ortanca", "median")
_TILES: Final = (
    _Kind("received", Words("Gelen başvuru", "Received"), "count", 0, _text("bütün kanallardan", "by all channels")),
    _Kind("concluded", Words("Sonuçlanan", "Concluded"), "count", 1, _text("ay içinde kapanan", "closed in the month")),
    _Kind("solved_share", Words("Çözüm oranı", "Solved"), "share", 1, _solved),
    _Kind("on_time_share", Words("Zamanında", "On time"), "share", 1, _late),
    _Kind("median_hours_to_respond", Words("İlk yanıt", "First answer"), "hours", -1, _MEDIAN),
    _Kind("median_hours_to_close", Words("Sonuçlanma süresi", "Time to conclude"), "hours", -1, _MEDIAN),
    _Kind("satisfied_share", Words("Memnuniyet", "Satisfaction"), "share", 1, _rated),
    _Kind("open_at_end", Words("Ay sonunda açık", "Open at month's end"), "count", -1, _text("devreden", "carried on")),
)
_OPEN_NOW: Final = Words("Şu anda açık", "Open now")
_BEFORE: Final = Words("geçen aya göre", "on last month")
_YEAR_BEFORE: Final = Words("geçen yıla göre", "on last year")


def tiles_of(statement: Statement, language: Language) -> list[Tile]:
    """
    The eight key figures.
    """
    return [_tile(kind, statement, language) for kind in _TILES]


def facts_of(statement: Statement, language: Language) -> list[Fact]:
    """
    The smaller figures below them.
    """
    of = statement.numbers
    answered = in_days(of.emergency_median_hours_to_respond, language)
    at_first = share(of.at_first_contact / of.received if of.received else None, language)
    again = share(of.reopened / of.concluded if of.concluded else None, language)
    old = share(of.open_over_30_days / of.open_at_end if of.open_at_end else None, language)

    def count(value: int) -> str:
        return formats.number(value, language, 0)

    def fact(label: Words, value: str, note: Words) -> Fact:
        return Fact(_say(label, language), value, _say(note, language))

    return [
        fact(
            Words("Acil durum", "Emergencies"),
            count(of.emergencies),
            Words(f"ilk yanıt ortanca {answered}", f"median first answer {answered}"),
        ),
        fact(
            Words("İlk görüşmede yanıt", "At first contact"),
            count(of.at_first_contact),
            Words(f"gelenler içinde {at_first}", f"{at_first} of received"),
        ),
        fact(
            Words("Yeniden açılmış olan", "Once reopened"),
            count(of.reopened),
            Words(f"sonuçlananlar içinde {again}", f"{again} of concluded"),
        ),
        fact(
            Words("İlk yanıt zamanında", "First answer on time"),
            share(of.responded_on_time_share, language),
            Words("verilen ilk yanıtlar içinde", "of first answers given"),
        ),
        fact(
            Words("30 günden eski açık", "Open over 30 days"),
            count(of.open_over_30_days),
            Words(f"açıklar içinde {old}", f"{old} of open"),
        ),
    ]


def _tile(kind: _Kind, statement: Statement, language: Language) -> Tile:
    def of(numbers: Numbers) -> float | None:
        found: float | None = getattr(numbers, kind.field)
        return found

    value, unit = _written(of(statement.numbers), kind.form, language)
    now_open = kind.field == "open_at_end" and statement.provisional
    changes = [
        delta(
            of(statement.numbers), of(before), language,
            better=kind.better, points=kind.form == "share", against=_say(against, language),
        )
        for before, against in ((statement.previous, _BEFORE), (statement.year_before, _YEAR_BEFORE))
        if before is not None
    ]  # fmt: skip
    return Tile(
        id=kind.field,
        label=_say(_OPEN_NOW if now_open else kind.label, language),
        value=value,
        unit=unit,
        note=kind.note(statement.numbers, language),
        deltas=[change for change in changes if change is not None],
        spark=_spark([of(month) for month in statement.months]),
    )


def _say(words: Words, language: Language) -> str:
    return words.tr if language == "tr" else words.en


def _written(value: float | None, form: str, language: Language) -> tuple[str, str]:
    if value is None:
        return NONE, ""
    if form == "hours":
        return length(value, language)
    return (share(value, language) if form == "share" else formats.number(value, language, 0)), ""


def _spark(values: Sequence[float | None]) -> list[float | None]:
    known = [value for value in values if value is not None]
    least, most = min(known, default=0.0), max(known, default=0.0)
    return [None if value is None else (value - least) / (most - least) if most > least else 0.5 for value in values]
