"""
How months, lengths of time and changes are written, Turkish and English. Pure.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from babel.dates import format_date
from babel.numbers import format_decimal, format_percent

from services.common.ui import formats
from services.common.ui.formats import Language
from services.reporting.statement.month import Month

Tone = Literal["good", "bad", "neutral"]
UNITS: Final = {"tr": ("dk", "saat", "gün"), "en": ("min", "h", "days")}
POINTS: Final = {"tr": "puan", "en": "pts"}
SHARES: Final = {"tr": "%#,##0.0", "en": "#,##0.0%"}
MINUS: Final = "−"


@dataclass(frozen=True, slots=True)
class Delta:
    """
    A change: an arrow and a text with its sign; ``tone`` is whether it is to the good.
    """

    arrow: str
    text: str
    tone: Tone
    against: str = ""


def month_name(month: str, language: Language) -> str:
    """
    ``Ekim 2026``, ``October 2026``.
    """
    return _month(month, "LLLL y", language)


def month_alone(month: str, language: Language) -> str:
    """
    ``Ekim``, ``October``.
    """
    return _month(month, "LLLL", language)


def month_short(month: str, language: Language, *, with_year: bool = False) -> str:
    """
    ``Eki``, ``Oct``; with the year ``Eki 26``.
    """
    return _month(month, "LLL yy" if with_year else "LLL", language)


def day_name(day: date, language: Language) -> str:
    """
    ``5 Ekim``, ``5 October``.
    """
    return format_date(day, "d MMMM", locale=language)


def share(of: float | None, language: Language) -> str:
    """
    A share in a column: always one digit after the comma, ``%9,0``.
    """
    return "–" if of is None else format_percent(of, SHARES[language], locale=language)


def _month(month: str, form: str, language: Language) -> str:
    return format_date(_first(month), form, locale=language)


def _first(month: str) -> date:
    return Month.parse(month).first_day


def whole_share(of: float | None, language: Language) -> str:
    """
    A share without digits after the comma: ``%86``.
    """
    return "–" if of is None else formats.percent(of, language, 0)


def length(hours: float, language: Language) -> tuple[str, str]:
    """
    A length of time and its unit: ``(38, dk)``, ``(23,9, saat)``, ``(2,6, gün)``.
    """
    minutes, hour, days = UNITS[language]
    if hours < 1:
        return formats.number(round(hours * 60), language, 0), minutes
    if hours < 48:
        return _tenths(hours, language), hour
    return _tenths(hours / 24, language), days


def _tenths(value: float, language: Language) -> str:
    return format_decimal(value, "#,##0.0", locale=language)


def in_days(hours: float | None, language: Language) -> str:
    """
    The same as one text; ``–`` for none.
    """
    return " ".join(length(hours, language)) if hours is not None else "–"


def shortened(text: str, most: int) -> str:
    """
    A text on one line, of at most so many characters.
    """
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def delta(
    value: float | None,
    before: float | None,
    language: Language,
    *,
    better: Literal[-1, 0, 1] = 0,
    points: bool = False,
    against: str = "",
) -> Delta | None:
    """
    The change from ``before``: in per cent, or for shares in points. None where there is nothing to compare.

    ``better``: 1 if more is better, -1 if less is.
    """
    if value is None or before is None or (not points and before == 0):
        return None
    change = round((value - before) * 100, 1) if points else round((value - before) / before, 3)
    if not change:
        return Delta("=", {"tr": "aynı", "en": "same"}[language], "neutral", against)
    size = abs(change)
    text = f"{_tenths(size, language)} {POINTS[language]}" if points else share(size, language)
    up = change > 0
    tone: Tone = "neutral" if not better else "good" if up == (better > 0) else "bad"
    return Delta("▲" if up else "▼", f"{'+' if up else MINUS}{text}", tone, against)
