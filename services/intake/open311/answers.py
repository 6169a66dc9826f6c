"""
What clients get: discovery, services, definitions, requests, updates, errors, as GeoReport has them in JSON. Pure.

Every optional field is there, null where nothing is known: some clients fail on one that is missing. The order of the
fields is the specification's.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from services.common.contracts.catalogue import catalogue
from services.common.contracts.neighbourhoods import neighbourhood
from services.common.contracts.public import PublicStep
from services.common.contracts.vocabulary import STATUS_LABELS, Language
from services.intake.open311.definitions import Datatype, Definitions, Question, offered
from services.intake.open311.reading import PublicView
from services.intake.open311.words import ABROAD, open_or_closed, written

Json = dict[str, Any]
SPECIFICATION: Final = "http://wiki.open311.org/GeoReport_v2"
NOTICE: Final = (
    "Açıklama, adres, konum ve yanıtlar herkese açık yayımlanır; içlerindeki telefon, e-posta, T.C. kimlik ve IBAN"
    " numaraları gizlenir. Ad, telefon ve e-posta alanları yayımlanmaz. / Description, address, position and answers"
    " are published; telephone numbers, e-mail addresses, identity numbers and IBANs in them are masked. The fields for"
    " name, telephone and e-mail are never published."
)


def discovery(base_url: str, contact: str, key_service: str, known: Definitions) -> Json:
    """
    What there is, where, in which formats, and how to get a key.
    """
    return {
        "changeset": known.changeset,
        "contact": contact,
        "key_service": f"{key_service} {NOTICE}",
        "endpoints": [
            {
                "specification": SPECIFICATION,
                "url": base_url,
                "changeset": known.changeset,
                "type": "production",
                "formats": ["text/xml", "application/json"],
            }
        ],
    }


def services(known: Definitions, language: Language) -> list[Json]:
    """
    Every service that can be reported.
    """
    return [_service(code, known, language) for code in offered()]


def _service(code: str, known: Definitions, language: Language) -> Json:
    one = catalogue().services[code]
    department = catalogue().departments[one.department]
    turkish = language is Language.TR
    hours = f"{one.sla_hours:g}"
    working = one.clock == "biz"
    return {
        "service_code": code,
        "service_name": one.tr if turkish else one.en,
        "description": (
            f"{department.tr}. Hedef: {hours} {'iş saati' if working else 'saat'} içinde."
            if turkish
            else f"{department.en}. Target: within {hours} {'working ' if working else ''}hours."
        ),
        "metadata": bool(known.of(code)),
        "type": "batch" if code in known.batch else "realtime",
        "keywords": ", ".join(one.keywords),
        "group": one.department,
    }


def definition(code: str, known: Definitions, language: Language) -> Json:
    """
    The questions of a service; none is an empty list.
    """
    questions = enumerate(known.of(code), 1)
    return {"service_code": code, "attributes": [_attribute(one, order, language) for order, one in questions]}


def _attribute(one: Question, order: int, language: Language) -> Json:
    turkish = language is Language.TR
    shown = {
        "variable": not one.info,
        "code": one.code,
        "datatype": one.datatype.value,
        "required": one.required,
        "datatype_description": one.hint_tr if turkish else one.hint_en,
        "order": order,
        "description": one.tr if turkish else one.en,
    }
    if one.datatype in (Datatype.ONE, Datatype.MANY):
        shown["values"] = [{"key": key, "name": words.tr if turkish else words.en} for key, words in one.values.items()]
    return shown


def taken(request_id: str) -> list[Json]:
    """
    The answer to a report that has its number at once.
    """
    return [{"service_request_id": request_id, "service_notice": NOTICE, "account_id": None}]


def taken_in_batch(token: str) -> list[Json]:
    """
    The answer to a report whose number is given for a token later.
    """
    return [{"token": token, "service_notice": NOTICE, "account_id": None}]


def token_of(token: str, request_id: str | None) -> list[Json]:
    """
    What a token stands for by now; not processed yet: no number.
    """
    return [{"service_request_id": request_id, "token": token}]


def request(view: PublicView, language: Language, *, extensions: bool = False) -> Json:
    """
    A request.
    """
    turkish = language is Language.TR
    service, label = catalogue().services[view.service_code], STATUS_LABELS[view.status]
    name = service.tr if turkish else service.en
    department = catalogue().departments.get(view.department or "")
    plan = view.planned_for and written(view.planned_for)
    shown: Json = {
        "service_request_id": view.request_id,
        "status": open_or_closed(view.status),
        "status_notes": view.public_text or (label.tr if turkish else label.en),
        "service_name": name,
        "service_code": view.service_code,
        "description": view.text or name,
        "agency_responsible": (department.tr if turkish else department.en) if department else None,
        "service_notice": f"{'Planlanan' if turkish else 'Planned'}: {plan}" if plan else None,
        "requested_datetime": written(view.received_at),
        "updated_datetime": written(view.closed_at or view.changed_at),
        "expected_datetime": written(view.due_at) if view.due_at else None,
        "address": view.address or _area(view.neighbourhood),
        "address_id": view.address_id,
        "zipcode": None,
        "lat": view.lat,
        "long": view.lon,
        "media_url": view.media_urls[0] if view.media_urls else None,
    }
    return shown | _extended(view, language) if extensions else shown


def _area(name: str | None) -> str | None:
    known = neighbourhood(name) if name else None
    return f"{known} Mahallesi, İlkadım, Samsun" if known else name


def _extended(view: PublicView, language: Language) -> Json:
    answers = [
        {"code": code, "value": str(one)}
        for code, value in (view.attributes or {}).items()
        for one in (value if isinstance(value, list) else [value])
    ]
    notes = [
        {
            "datetime": written(step.at),
            "description": step.public_text or _label(step, language),
            "type": open_or_closed(step.status),
        }
        for step in view.steps
    ]
    return {
        "extended_attributes": {
            "channel": view.channel,
            "detailed_status": ABROAD[view.status].citysdk,
            "media_urls": list(view.media_urls),
            "votes": view.followers,
        },
        "attributes": answers,
        "notes": notes,
    }


def _label(step: PublicStep, language: Language) -> str:
    label = STATUS_LABELS[step.status]
    return label.tr if language is Language.TR else label.en


def update(step: PublicStep, language: Language) -> Json:
    """
    One step of a request's life, as FixMyStreet fetches it.
    """
    return {
        "update_id": f"{step.request_id}-{step.seq}",
        "service_request_id": step.request_id,
        "status": ABROAD[step.status].fixmystreet,
        "updated_datetime": written(step.at),
        "description": step.public_text or _label(step, language),
        "media_url": None,
        "external_status_code": step.status.value,
    }


def update_taken(update_id: str) -> list[Json]:
    """
    The answer to an update.
    """
    return [{"update_id": update_id, "account_id": None}]


def errors(status: int, messages: Iterable[str]) -> list[Json]:
    """
    What was wrong.
    """
    return [{"code": status, "description": message} for message in messages]


COLUMNS: Final = (
    "service_request_id", "requested_datetime", "updated_datetime", "closed_date", "status_description", "status_notes",
    "source", "service_name", "service_subtype", "description", "agency_responsible", "address", "lat", "long",
)  # fmt: skip
_OF_A_REQUEST: Final = frozenset(COLUMNS) - {"closed_date", "status_description", "source", "service_subtype"}


def csv_rows(views: Sequence[PublicView], language: Language, *, head: bool) -> str:
    """
    Lines of the bulk file (RFC 4180, UTF-8). A cell that a spreadsheet would take for a formula begins with an
    apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    if head:
        writer.writerow(COLUMNS)
    for view in views:
        writer.writerow(_cells(view, language))
    return out.getvalue()


def _cells(view: PublicView, language: Language) -> list[str]:
    shown: Mapping[str, Any] = {
        **{name: value for name, value in request(view, language).items() if name in _OF_A_REQUEST},
        "closed_date": written(view.closed_at) if view.closed_at else None,
        "status_description": open_or_closed(view.status),
        "source": view.channel,
        "service_subtype": view.service_code,
    }
    cells = ["" if shown[name] is None else str(shown[name]) for name in COLUMNS]
    return [f"'{cell}" if cell.lstrip()[:1] in tuple("=+-@") and not _number(cell) else cell for cell in cells]


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
