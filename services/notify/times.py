"""
Days, times and lengths of time, written out as people read them.
"""

from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.common.contracts.vocabulary import Language

ISTANBUL: Final = ZoneInfo("Europe/Istanbul")
_MONTHS: Final = {
    Language.TR: (
        "Ocak", "Şubat", "Mart", "Nisan", "Mayıs", "Haziran",
        "Temmuz", "Ağustos", "Eylül", "Ekim", "Kasım", "Aralık",
    ),
    Language.EN: (
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
}  # fmt: skip
_WEEKDAYS: Final = {
    Language.TR: ("Pazartesi", "Salı", "Çarşamba", "Perşembe", "Cuma", "Cumartesi", "Pazar"),
    Language.EN: ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_UNITS: Final = {
    Language.TR: (("gün", "gün"), ("saat", "saat"), ("dakika", "dakika")),
    Language.EN: (("day", "days"), ("hour", "hours"), ("minute", "minutes")),
}


def day_in_words(day: date, language: Language) -> str:
    """
    ``3 Haziran 2026 Çarşamba``; ``Wednesday, 3 June 2026``.
    """
    written = f"{day.day} {_MONTHS[language][day.month - 1]} {day.year}"
    weekday = _WEEKDAYS[language][day.weekday()]
    return f"{written} {weekday}" if language is Language.TR else f"{weekday}, {written}"


def time_in_words(moment: datetime, language: Language) -> str:
    """
    The day and the time in Istanbul; midnight means that no time was given.
    """
    local = moment.astimezone(ISTANBUL)
    day = day_in_words(local.date(), language)
    if (local.hour, local.minute) == (0, 0):
        return day
    return f"{day}, {local:%H.%M}" if language is Language.TR else f"{day}, {local:%H:%M}"


def span_in_words(span: timedelta, language: Language) -> str:
    """
    The two largest units of a length of time, down to minutes: ``2 gün 3 saat``, ``15 minutes``. Empty below a minute.
    """
    minutes = int(span.total_seconds()) // 60
    counts = (minutes // 1_440, minutes // 60 % 24, minutes % 60)
    words = [
        f"{count} {one if count == 1 else many}"
        for count, (one, many) in zip(counts, _UNITS[language], strict=True)
        if count
    ]
    return " ".join(words[:2])


def late_in_words(due: datetime | None, at: datetime | None, language: Language) -> str:
    """
    How the time that it should have been done by lies to the moment of telling.
    """
    if due is None or at is None:
        return ""
    span = span_in_words(abs(at - due), language)
    if not span:
        return "süresi şimdi doldu" if language is Language.TR else "due now"
    if at > due:
        return f"süresi {span} önce doldu" if language is Language.TR else f"{span} overdue"
    return f"süresinin dolmasına {span} var" if language is Language.TR else f"due in {span}"
