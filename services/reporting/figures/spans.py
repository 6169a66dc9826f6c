"""
Spans of days that are compared. Pure.
"""

from dataclasses import replace
from datetime import date, datetime, timedelta

from services.reporting.projections import ISTANBUL
from services.reporting.queries import Filter


def previous(filters: Filter, now: datetime) -> Filter | None:
    """
    The same of the span right before; None for what has no beginning. A span without an end ends today.
    """
    if filters.first_day is None:
        return None
    first, last = before(filters.first_day, filters.last_day or now.astimezone(ISTANBUL).date())
    return replace(filters, first_day=first, last_day=last)


def before(first: date, last: date) -> tuple[date, date]:
    """
    The span right before, of as many days; of whole months, of as many whole months.
    """
    day_before = first - timedelta(days=1)
    if first.day == 1 and (last + timedelta(days=1)).day == 1:
        months = (last.year - first.year) * 12 + last.month - first.month + 1
        place = first.year * 12 + first.month - 1 - months
        return date(place // 12, place % 12 + 1, 1), day_before
    return first - timedelta(days=(last - first).days + 1), day_before
