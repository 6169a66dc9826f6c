"""
What the address of one of these pages asks for: the parameters of ``GET /v1/requests``, and a few of the page's own.
Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final
from urllib.parse import urlencode

from pydantic import ValidationError

from services.common.contracts.ids import grouped
from services.common.ui import formats
from services.common.ui.formats import Language
from services.common.ui.words import Words
from services.reporting.asked import wrong
from services.reporting.figures.exports_api import ExportParameters
from services.reporting.names import Names
from services.reporting.queries import Filter
from services.reporting.views import ListParameters

OF_THE_PAGE: Final = frozenset({"lang", "theme", "period", "compare", "interval", "wall"})
_MANY: Final = frozenset(
    {"department", "status", "channel", "service", "neighbourhood", "kind", "team", "crisis"},
)
LABELS: Final[Mapping[str, Words]] = {
    "q": Words("Aranan", "Search"),
    "from": Words("Geldiği gün, en erken", "Received from"),
    "to": Words("Geldiği gün, en geç", "Received until"),
    "status": Words("Durum", "Status"),
    "department": Words("Birim", "Department"),
    "service": Words("Hizmet", "Service"),
    "neighbourhood": Words("Mahalle", "Neighbourhood"),
    "channel": Words("Kanal", "Channel"),
    "kind": Words("Tür", "Kind"),
    "emergency": Words("Acil durum", "Emergency"),
    "overdue": Words("Geciken", "Overdue"),
    "paused": Words("Süresi duran", "Clock stands still"),
    "on_time": Words("Zamanında kapanan", "Closed on time"),
    "escalated": Words("Üste bildirilen", "Escalated"),
    "team": Words("Ekip", "Team"),
    "crisis": Words("Kriz", "Crisis"),
    "legal_due_before": Words("Yasal süresi bundan önce", "Legal term before"),
    "parent": Words("Parçaları", "Parts of"),
    "parts": Words("Parçalar da", "Parts too"),
}
_STATES: Final[Mapping[str, Words]] = {"open": Words("Açık", "Open"), "closed": Words("Kapanmış", "Closed")}
_ANSWERS: Final[Mapping[str, Words]] = {"true": Words("Evet", "Yes"), "false": Words("Hayır", "No")}


def parameters(query: Iterable[tuple[str, str]]) -> ListParameters:
    """
    The list that an address asks for. Raises ``Problem`` 422 that names the field.
    """
    try:
        return ListParameters.model_validate(_given(query))
    except ValidationError as error:
        raise wrong(*((str(row["loc"][0]), row["msg"]) for row in error.errors())) from None


def _given(query: Iterable[tuple[str, str]]) -> dict[str, Any]:
    given: dict[str, list[str]] = {}
    for key, value in query:
        if key not in OF_THE_PAGE and value:
            given.setdefault(key, []).append(value)
    return {key: values if key in _MANY else values[-1] for key, values in given.items()}


def chips(query: Sequence[tuple[str, str]], path: str, names: Names, language: Language) -> list[tuple[str, str, str]]:
    """
    What narrows the list, in words: (label, value, the address of the list without it).
    """
    kept = [(key, value) for key, value in query if key not in OF_THE_PAGE | {"cursor", "limit"} and value]
    return [
        (
            _in(LABELS[key], language) if key in LABELS else key,
            ", ".join(_value(key, one, names, language) for one in (value.split(",") if key in _MANY else [value])),
            address(path, [pair for pair in kept if pair != (key, value)]),
        )
        for key, value in kept
    ]


def address(path: str, query: Sequence[tuple[str, str]]) -> str:
    """
    A page with its parameters.
    """
    return f"{path}?{urlencode(query)}" if query else path


def files(filters: Filter, language: Language) -> list[tuple[str, str]]:
    """
    The same requests as files for people, by name; none of what no file is made of: a number, the parts of a request.
    """
    try:
        ExportParameters.model_validate(_given(filters.as_query().items()))
    except ValidationError:
        return []
    query = [*filters.as_query().items(), ("lang", language)]
    return [
        ("CSV", address("/v1/exports/requests.csv", [*query, ("excel", "true")])),
        ("Excel", address("/v1/exports/requests.xlsx", query)),
    ]


def _value(key: str, value: str, names: Names, language: Language) -> str:
    if value in _ANSWERS:
        return _in(_ANSWERS[value], language)
    if key == "status" and value in _STATES:
        return _in(_STATES[value], language)
    if key in ("from", "to", "legal_due_before"):
        return formats.day(date.fromisoformat(value), language)
    return grouped(value) if key == "parent" else names.name(key, value, language)


def _in(words: Words, language: Language) -> str:
    return words.tr if language == "tr" else words.en
