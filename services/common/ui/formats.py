"""
Times, spans and numbers as a reader in Samsun writes them; the English form stands beside the Turkish one.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit

ISTANBUL: Final = ZoneInfo("Europe/Istanbul")
Language = Literal["tr", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("tr", "en")
Urgency = Literal["calm", "soon", "overdue"]

_LOCALES: Final = {"tr": Locale("tr"), "en": Locale("en", "GB")}
_DAY: Final = {"tr": "dd.MM.yyyy", "en": "d MMM yyyy"}
_SOON: Final = timedelta(hours=4)


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def moment(at: datetime, language: Language) -> str:
    """
    ``28.11.2026 14:05``, ``28 Nov 2026 14:05``, on the city's wall clock. A time without zone counts as UTC.
    """
    return format_datetime(_aware(at), f"{_DAY[language]} HH:mm", tzinfo=ISTANBUL, locale=_LOCALES[language])


def clock(at: datetime) -> str:
    """
    ``14:05`` on the city's wall clock.
    """
    return f"{_aware(at).astimezone(ISTANBUL):%H:%M}"


def day(on: date | datetime, language: Language, *, long: bool = False) -> str:
    """
    ``28.11.2026``, ``28 Nov 2026``; long: ``28 Kasım 2026 Cumartesi``, ``Saturday, 28 November 2026``.
    """
    if isinstance(on, datetime):
        on = _aware(on).astimezone(ISTANBUL).date()
    form = {"tr": "d MMMM yyyy EEEE", "en": "EEEE, d MMMM yyyy"}[language] if long else _DAY[language]
    return format_date(on, form, locale=_LOCALES[language])


def number(value: float, language: Language, digits: int = 1) -> str:
    """
    ``1.234``, ``12,5``; at most so many digits after the comma.
    """
    form = "#,##0" + ("." + "#" * digits if digits else "")
    return format_decimal(value, form, locale=_LOCALES[language])


def percent(share: float, language: Language, digits: int = 1) -> str:
    """
    A share of 1: ``%93,5``, ``93.5%``.
    """
    return format_percent(round(share, digits + 2), locale=_LOCALES[language], decimal_quantization=False)


def plural(count: float, language: Language) -> str:
    """
    The plural form that a count asks for: ``one`` or ``other``.
    """
    return _LOCALES[language].plural_form(count)


def span(length: timedelta, language: Language) -> str:
    """
    A length of time in its largest sensible unit, rounded down: ``45 dakika``, ``47 saat``, ``2 gün``.
    """
    minutes = int(abs(length).total_seconds() // 60)
    if minutes < 60:
        count, unit = minutes, "minute"
    elif minutes < 48 * 60:
        count, unit = minutes // 60, "hour"
    else:
        count, unit = minutes // 1440, "day"
    return format_unit(count, f"duration-{unit}", locale=_LOCALES[language])


def ago(at: datetime, now: datetime, language: Language) -> str:
    """
    How long something is past: ``3 saat önce``. Within a minute (or by clocks that differ): ``az önce``.
    """
    past = now - _aware(at)
    if past < timedelta(minutes=1):
        return {"tr": "az önce", "en": "just now"}[language]
    return {"tr": f"{span(past, 'tr')} önce", "en": f"{span(past, 'en')} ago"}[language]


def due(at: datetime, now: datetime, language: Language) -> tuple[str, Urgency]:
    """
    What is left until a time, and how it stands: ``3 saat kaldı`` (soon: 4 hours or less), ``2 gün gecikti``.
    """
    left = _aware(at) - now
    if left <= timedelta(0):
        return {"tr": f"{span(left, 'tr')} gecikti", "en": f"{span(left, 'en')} overdue"}[language], "overdue"
    text = {"tr": f"{span(left, 'tr')} kaldı", "en": f"{span(left, 'en')} left"}[language]
    return text, "soon" if left <= _SOON else "calm"


def size(count: int, language: Language) -> str:
    """
    The size of a file: ``420 kB``, ``1,4 MB``.
    """
    if count < 1_000_000:
        return f"{number(max(1, count / 1000), language, 0)} kB"
    return f"{number(count / 1_000_000, language)} MB"
