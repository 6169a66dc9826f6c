"""
The address of a list is what it shows: view, filters, order and page stand in the URL, and nowhere else. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlencode

from services.common.contracts.catalogue import catalogue
from services.common.contracts.crises import crises
from services.common.contracts.neighbourhoods import neighbourhood
from services.common.contracts.vocabulary import Channel, Kind, Priority, Status
from services.common.ui.words import Words
from services.reporting.inbox.acting import Wrong
from services.reporting.work import Sort, View, WorkFilter

LONGEST: Final = 200
TABS: Final[Mapping[View, Words]] = {
    View.NEW: Words("Yeni", "New"),
    View.DUE_SOON: Words("Süresi yaklaşan", "Due soon"),
    View.OVERDUE: Words("Geciken", "Overdue"),
    View.MINE: Words("Benim", "Mine"),
    View.WAITING: Words("Bekleyen", "Waiting"),
    View.PLANNED: Words("Planlı", "Planned"),
    View.OPEN: Words("Tüm açık", "All open"),
    View.CLOSED: Words("Kapanan (30 gün)", "Closed (30 days)"),
    View.ALL: Words("Hepsi", "Everything"),
}
SORTS: Final[Mapping[Sort, Words]] = {
    Sort.DUE: Words("Süresi en yakın", "Due first"),
    Sort.URGENT: Words("En acil", "Most urgent"),
    Sort.NEWEST: Words("En yeni", "Newest"),
    Sort.OLDEST: Words("En eski", "Oldest"),
    Sort.CLOSED: Words("Son kapanan", "Last closed"),
}


class Show(StrEnum):
    """
    How the list is shown.
    """

    LIST = "list"
    MAP = "map"


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What a URL asks for. ``sort`` None is the order that suits the view; ``since`` is where the page before ended.
    """

    view: View = View.OPEN
    filters: WorkFilter = field(default_factory=WorkFilter)
    sort: Sort | None = None
    show: Show = Show.LIST
    since: str | None = None

    @property
    def order(self) -> Sort:
        """
        The order of the list.
        """
        return self.sort or (Sort.CLOSED if self.view is View.CLOSED else Sort.DUE)

    @property
    def narrowed(self) -> bool:
        """
        Whether any filter is set.
        """
        return self.filters != WorkFilter()

    def as_query(self) -> dict[str, str]:
        """
        The parameters that ``asked`` reads as the same again.
        """
        filters = self.filters
        many = {name: ",".join(getattr(filters, name)) for name in _KNOWN}
        flags = {name: "1" if getattr(filters, name) else None for name in _FLAGS}
        days = {"from": filters.first_day, "to": filters.last_day}
        found: dict[str, Any] = {
            "view": self.view if self.view is not View.OPEN else None,
            "q": filters.q,
            **many,
            **flags,
            **{name: day.isoformat() if day else None for name, day in days.items()},
            "sort": self.sort,
            "show": self.show if self.show is not Show.LIST else None,
            "since": self.since,
        }
        return {name: str(value) for name, value in found.items() if value}

    def url(self, path: str, **changes: Any) -> str:
        """
        The address of the list below ``path`` with something else asked for; another list begins at its first page.
        """
        query = replace(self, **{"since": None, **changes}).as_query()
        return f"{path}?{urlencode(query)}" if query else path


def _neighbourhoods(texts: Sequence[str]) -> tuple[str, ...] | None:
    found = [neighbourhood(text) for text in texts]
    return None if None in found else tuple(name for name in found if name)


def _words_of(name: str, texts: Sequence[str]) -> tuple[str, ...] | None:
    return tuple(texts) if set(texts) <= _allowed(name) else None


def _teams() -> set[str]:
    return {name for crisis in crises().crises.values() for name in crisis.teams}


_KNOWN: Final[Mapping[str, Words]] = {
    "service": Words("hizmet kodu", "a service code of the catalogue"),
    "neighbourhood": Words("İlkadım'ın bir mahallesi", "a neighbourhood of İlkadım"),
    "priority": Words("urgent, high, normal, low", "urgent, high, normal, low"),
    "channel": Words("başvuru kanalı", "a channel"),
    "kind": Words("başvuru türü", "a kind of request"),
    "status": Words("başvuru durumu", "a state"),
    "team": Words("bir ekip", "a team of crises.yaml"),
    "crisis": Words("bir kriz", "a crisis of crises.yaml"),
}
_FLAGS: Final = ("emergency", "escalated", "reopened")


def _allowed(name: str) -> set[str]:
    match name:
        case "service":
            return set(catalogue().services)
        case "priority":
            return {str(one) for one in Priority}
        case "channel":
            return {str(one) for one in Channel}
        case "kind":
            return {str(one) for one in Kind}
        case "status":
            return {str(one) for one in Status}
        case "team":
            return _teams()
        case _:
            return set(crises().crises)


def asked(query: Mapping[str, Sequence[str]]) -> tuple[Asked, tuple[Wrong, ...]]:
    """
    What the parameters of a URL ask for, and which of them cannot be read; those are left out.
    """
    wrong: list[Wrong] = []

    def one(name: str) -> str:
        return next((text.strip() for text in query.get(name, ()) if text.strip()), "")

    def chosen(name: str, known: Iterable[str]) -> str | None:
        text = one(name)
        if text and text not in set(known):
            wrong.append(Wrong(name, Words(", ".join(known), ", ".join(known))))
            return None
        return text or None

    def flag(name: str) -> bool | None:
        return True if one(name) == "1" else None

    def day(name: str) -> date | None:
        text = one(name)
        try:
            return date.fromisoformat(text) if text else None
        except ValueError:
            wrong.append(Wrong(name, Words("gün: 2026-06-03", "a day: 2026-06-03")))
            return None

    narrowing: dict[str, Any] = {}
    for name, words in _KNOWN.items():
        texts = [text for given in query.get(name, ()) for text in given.split(",") if text]
        read = _neighbourhoods(texts) if name == "neighbourhood" else _words_of(name, texts)
        if read is None:
            wrong.append(Wrong(name, words))
        narrowing[name] = read or ()
    first, last = day("from"), day("to")
    if first and last and first > last:
        wrong.append(Wrong("to", Words("başlangıçtan önce olamaz", "lies before from")))
        last = None
    filters = WorkFilter(
        **narrowing,
        emergency=flag("emergency"),
        escalated=flag("escalated"),
        reopened=flag("reopened"),
        first_day=first,
        last_day=last,
        q=one("q")[:LONGEST] or None,
    )
    found = Asked(
        view=View(chosen("view", TABS) or View.OPEN),
        filters=filters,
        sort=Sort(sort) if (sort := chosen("sort", SORTS)) else None,
        show=Show(chosen("show", Show) or Show.LIST),
        since=one("since") or None,
    )
    return found, tuple(wrong)
