"""
A department's morning digest: when it is due, and its words. Pure. It names requests and services, never what a citizen
wrote.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final

from holidays import PUBLIC, country_holidays

from services.common.contracts.ids import grouped
from services.common.contracts.vocabulary import Language
from services.notify.catalogue_names import department_name, service_name
from services.notify.expected import DIGEST
from services.notify.layout import RULE, Sheet
from services.notify.messages import House, Message
from services.notify.templates import Templates
from services.notify.times import ISTANBUL, day_in_words, late_in_words

FROM: Final = time(8, 30)
UNTIL: Final = time(10)
"""Later than this nobody needs it any more."""
LISTED: Final = 15
_OVERDUE: Final = {Language.TR: "Süresi geçenler", Language.EN: "Overdue"}
_SOON: Final = {Language.TR: "Bugün dolanlar", Language.EN: "Due today"}
_MORE: Final = {Language.TR: "… ve {n} başvuru daha", Language.EN: "… and {n} more"}
_URGENT: Final = {Language.TR: "ACİL ", Language.EN: "URGENT "}
_INBOX: Final = "Gelen kutusu · Inbox"


@dataclass(frozen=True, slots=True)
class Work:
    """
    An open request or sub-request of a department. ``due_at`` is None while its clock stands still.
    """

    request_id: str
    service_code: str | None
    emergency: bool
    due_at: datetime | None
    overdue: bool

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Work":
        """
        A row of reporting's list. Raises ``KeyError``, ``TypeError`` or ``ValueError`` if it is none.
        """
        due = row["due"]["resolve_by"]
        return cls(
            row["request_id"],
            row["service_code"],
            row["emergency"],
            None if due is None or row["paused"] else datetime.fromisoformat(due),
            row["overdue"],
        )


@lru_cache(maxsize=4)
def _holidays(year: int) -> frozenset[date]:
    return frozenset(country_holidays("TR", years=year, categories=PUBLIC))


def works_on(day: date) -> bool:
    """
    Whether it is a working day: no weekend and no whole holiday (a half one is worked in the morning).
    """
    return day.isoweekday() <= 5 and day not in _holidays(day.year)


def due(now: datetime, departments: Iterable[str], done: Collection[str]) -> Sequence[str]:
    """
    Which departments are to be written to now: on a working day from 08.30 till 10.00 in Istanbul, once each.
    """
    local = now.astimezone(ISTANBUL)
    if not works_on(local.date()) or not FROM <= local.time() < UNTIL:
        return ()
    return [slug for slug in departments if slug not in done]


def digest(
    templates: Templates, house: House, department: str, work: Sequence[Work], inbox: str, now: datetime
) -> Message:
    """
    The mail, Turkish and below it English. ``inbox``: where the department works on it.
    """
    filled = {
        language: templates.fill(DIGEST, _words(house, department, work, inbox, now, language), language)
        for language in Language
    }
    subject, turkish, short = filled[Language.TR]
    _, english, _ = filled[Language.EN]
    text = f"{turkish}\n{RULE}\n\n{english}"
    sheet = Sheet(
        Language.TR, subject, text, house.names[Language.TR], house.phone, buttons={inbox: _INBOX}, for_citizen=False
    )
    return Message(subject, text, templates.layout.page(sheet), short)


def _words(
    house: House, department: str, work: Sequence[Work], inbox: str, now: datetime, language: Language
) -> dict[str, str]:
    local = now.astimezone(ISTANBUL)
    tomorrow = datetime.combine(local.date() + timedelta(days=1), time(), ISTANBUL)
    timed = sorted((one for one in work if one.due_at), key=lambda one: (not one.emergency, one.due_at))
    overdue = [one for one in timed if one.overdue]
    soon = [one for one in timed if not one.overdue and one.due_at and one.due_at < tomorrow]
    lists = (_listed(overdue, _OVERDUE, now, language), _listed(soon, _SOON, now, language))
    return {
        "municipality": house.names[language],
        "phone": house.phone,
        "department": department_name(department, language),
        "today": day_in_words(local.date(), language),
        "open": str(len(work)),
        "overdue": str(len(overdue)),
        "soon": str(len(soon)),
        "list": "\n\n".join(filter(None, lists)),
        "url": inbox,
    }


def _listed(work: Sequence[Work], title: Mapping[Language, str], now: datetime, language: Language) -> str:
    if not work:
        return ""
    lines = [
        f"• {_URGENT[language] if one.emergency else ''}{grouped(one.request_id)} "
        f"{service_name(one.service_code or '', language)} – {late_in_words(one.due_at, now, language)}"
        for one in work[:LISTED]
    ]
    more = [_MORE[language].format(n=len(work) - LISTED)] if len(work) > LISTED else []
    return "\n\n".join([title[language], "\n".join(lines), *more])
