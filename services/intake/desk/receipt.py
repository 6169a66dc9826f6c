"""
What a citizen takes home: the number, where it can be followed, who has it now and what happens next. Pure.

Nothing on it says who the citizen is: whoever finds the paper learns what its number shows anybody.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

import segno

from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import grouped
from services.common.contracts.vocabulary import CLOSED, STATUS_LABELS, TRIAGE_SERVICE, Status
from services.common.ui.words import Words
from services.intake.read_model import CaseState

DANGER: Final = Words(
    "Can güvenliğiniz tehlikedeyse hemen 112'yi arayın; gaz kokusunda 187.",
    "If anybody's life is in danger call 112 at once; if you smell gas, 187.",
)
"""As notify tells it in messages about an emergency."""

LEGAL_NOTES: Final = {
    "3071": Words(
        "3071 sayılı Kanun'a göre dilekçenize en geç 30 gün içinde gerekçeli yanıt verilir.",
        "Under law 3071 your petition gets a reasoned answer within 30 days.",
    ),
    "4982": Words(
        "4982 sayılı Kanun'a göre bilgi edinme başvurunuz 15 iş günü içinde, başka birimin görüşü gerekirse 30 iş "
        "günü içinde yanıtlanır.",
        "Under law 4982 your request for information is answered within 15 working days, or 30 if another body must "
        "be heard.",
    ),
    "kvkk": Words(
        "6698 sayılı Kanun'a (KVKK) göre başvurunuz en geç 30 gün içinde ücretsiz yanıtlanır.",
        "Under law 6698 (KVKK) your application is answered within 30 days, free of charge.",
    ),
    "cimer": Words(
        "CİMER başvurunuz, dayandığı kanunun süresi içinde yanıtlanır.",
        "Your CİMER application is answered within the term of the law it rests on.",
    ),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """
    What is known of a request when its receipt is made; only the number is certain to be there.
    """

    request_id: str
    status: Status | None = None
    department: str | None = None
    service_code: str | None = None
    emergency: bool = False
    received_at: datetime | None = None
    resolve_by: datetime | None = None
    planned_for: datetime | None = None
    legal_basis: str | None = None
    legal_on: date | None = None


def standing_of(request_id: str, case: CaseState | None, detail: Mapping[str, Any] | None) -> Standing:
    """
    What intake's read model and reporting's document (as its api gives it) say together; either may be missing.
    """
    known = Standing(request_id)
    if case is not None:
        known = replace(known, status=case.status, department=case.department, service_code=case.service_code)
    if detail is None:
        return known
    legal = detail.get("legal") or {}
    return replace(
        known,
        status=Status(detail["status"]) if known.status in (None, Status.RECEIVED) else known.status,
        department=known.department or detail["department"],
        service_code=known.service_code or detail["service_code"],
        emergency=detail["emergency"],
        received_at=_moment(detail["received_at"]),
        resolve_by=_moment(detail["due"]["resolve_by"]),
        planned_for=_moment(detail["planned_for"]),
        legal_basis=legal.get("basis"),
        legal_on=date.fromisoformat(legal["on"]) if legal.get("on") else None,
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def department_words(slug: str) -> Words:
    """
    The department as a citizen knows it, without the catalogue's remarks in brackets; an unknown slug for itself.
    """
    known = catalogue().departments.get(slug)
    if known is None:
        return Words(slug, slug)
    return Words(*(re.sub(r"\s*\(.*?\)", "", name).strip() for name in (known.tr, known.en)))


def service_words(code: str) -> Words:
    """
    The service as the catalogue calls it; an unknown code for itself.
    """
    known = catalogue().services.get(code)
    return Words(known.tr, known.en) if known is not None else Words(code, code)


def next_step(standing: Standing) -> Words:
    """
    What happens now, in one sentence for the citizen.
    """
    if standing.status is None:
        return Words(
            "Başvurunuz kayda alındı; ilgili birime iletiliyor.",
            "Your request is registered and on its way to the department in charge.",
        )
    if standing.status in CLOSED:
        label = STATUS_LABELS[standing.status]
        return Words(f"Başvurunuz sonuçlandı: {label.tr}.", f"Your request is closed: {label.en}.")
    if standing.status is Status.TRIAGE or standing.service_code == TRIAGE_SERVICE:
        return Words(
            "Hangi birimin ilgileneceğini 2 saat içinde belirleyeceğiz; belli olunca haber veririz.",
            "We find out within 2 hours which department is in charge, and tell you then.",
        )
    if standing.department is None:
        return Words("Başvurunuz kayda alındı.", "Your request is registered.")
    name = department_words(standing.department)
    if standing.emergency:
        return Words(f"Acil olarak iletildi: {name.tr}.", f"Passed on as an emergency: {name.en}.")
    return Words(
        f"İlgilenen birim: {name.tr}. Her önemli adımı size bildiririz.",
        f"In charge: {name.en}. We tell you of every step that matters.",
    )


def qr_svg(url: str) -> str:
    """
    The URL as a QR code: an SVG document as a ``data:`` URI, which the pages' CSP lets an ``img`` show.
    """
    return segno.make(url, error="m", micro=False).svg_data_uri(scale=4, border=2, dark="#000", light="#fff")


def number_of(standing: Standing) -> str:
    """
    The number as it is printed: ``7XK2-9MQ4-T3BD-M``.
    """
    return grouped(standing.request_id)
