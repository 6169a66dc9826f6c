"""
From the desk's form to a request, and back to what the form has to say about it. Pure.

A caller who reports what somebody else reported already is registered like anybody, with a number of their own, and
the attribute ``duplicate_of_suspected`` names the other request. Its holder sees that beside the text and ties the two
together (``duplicate``): only the holder may, duplicates are never closed by themselves, and from then on the caller
hears what the other request comes to.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, Final

from pydantic import ValidationError

from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import IllFormedId, parse_any_id, parse_request_id
from services.common.contracts.text import fold
from services.common.contracts.vocabulary import Channel
from services.common.ui.words import Words
from services.intake.desk.scripts import answers, to_fill_in
from services.intake.schemas import NewRequest

CHANNELS: Final = (
    Channel.PHONE, Channel.WALK_IN, Channel.PETITION, Channel.CIMER, Channel.SOCIAL, Channel.EMAIL, Channel.WHATSAPP,
    Channel.SMS,
)  # fmt: skip
"""What an operator may type for somebody; the others are machines."""
LEGAL_BASES: Final = {
    "3071": Words("Dilekçe (3071)", "Petition (3071)"),
    "4982": Words("Bilgi edinme (4982)", "Freedom of information (4982)"),
    "kvkk": Words("KVKK (6698)", "Data protection (6698)"),
    "cimer": Words("CİMER", "CİMER"),
}
ON_PAPER: Final = frozenset({Channel.PETITION, Channel.CIMER})
SUSPECTED: Final = "duplicate_of_suspected"
MOST_PHOTOS: Final = 10
_CALLBACK: Final = re.compile(r"b_[0-9a-f]{32}")
_USUAL_BASIS: Final = {Channel.PETITION: "3071", Channel.CIMER: "cimer"}
_FIELD_LIMIT: Final = 8_000
_PLACES: Final[dict[str, str]] = {
    "text": "text", "channel": "channel", "kind": "kind",
    "service_code": "service", "name": "name", "phone": "phone", "email": "email", "whatsapp_id": "whatsapp_id",
    "language": "language", "notify_via": "notify_via", "address": "address", "neighbourhood": "neighbourhood",
    "lat": "position", "lon": "position", "record_no": "record_no", "basis": "legal_basis", "answered": "answer",
    "attachments": "photos", "attributes": "duplicate_of", "call_id": "call_id",
}  # fmt: skip
MESSAGES: Final = {
    "text": Words("Vatandaşın anlattığını yazın (en çok 4.000 harf).", "Write what the citizen says (at most 4,000)."),
    "channel": Words("Listeden bir kanal seçin.", "Choose a channel of the list."),
    "kind": Words("Listeden bir tür seçin.", "Choose a kind of the list."),
    "service": Words("Katalogdan bir hizmet seçin.", "Choose a service of the catalogue."),
    "name": Words("Ad en çok 200 harf olabilir.", "A name has at most 200 characters."),
    "phone": Words(
        "0532 111 22 33, 0362 431 00 00 ya da +49 30 901820 gibi bir numara yazın.",
        "Write a number such as 0532 111 22 33, 0362 431 00 00 or +49 30 901820.",
    ),
    "email": Words("ad.soyad@example.com gibi bir adres yazın.", "Write an address such as ad.soyad@example.com."),
    "whatsapp_id": Words("905321112233 gibi bir WhatsApp numarası yazın.", "Write an id such as 905321112233."),
    "language": Words("Türkçe ya da İngilizce seçin.", "Choose Turkish or English."),
    "notify_via": Words("Listeden bir yol seçin.", "Choose a way of the list."),
    "address": Words("Adres en çok 300 harf olabilir.", "An address has at most 300 characters."),
    "neighbourhood": Words("Mahalle adı en çok 100 harf olabilir.", "A quarter's name has at most 100 characters."),
    "position": Words(
        "41.2867, 36.3300 gibi enlem ve boylam yazın.", "Write latitude and longitude such as 41.2867, 36.3300."
    ),
    "record_no": Words("Kayıt numarası en çok 100 harf olabilir.", "A record number has at most 100 characters."),
    "legal_basis": Words("Listeden bir dayanak seçin.", "Choose a basis of the list."),
    "answer": Words(
        "Yanıtta köşeli ayraç içinde doldurulmamış yer kalmasın (en çok 4.000 harf).",
        "Fill in what stands in square brackets in the answer (at most 4,000 characters).",
    ),
    "photos": Words(
        "Fotoğraf alınamadı: yeniden ekleyin (en çok 10).", "A photo was not taken: add it again (at most 10)."
    ),
    "duplicate_of": Words("Var olan başvurunun numarasını denetleyin.", "Check the number of the existing request."),
    "call_id": Words("Bu çağrı artık bilinmiyor.", "This call is no longer known."),
}
"""What would be right in each field of the form."""


@dataclass(frozen=True, slots=True)
class Form:
    """
    What the operator typed, as typed. ``service``: a code, or a name in either language; blank lets routing decide.
    ``key`` makes a second post of the same page the same request.
    """

    text: str = ""
    channel: str = Channel.PHONE.value
    kind: str = ""
    service: str = ""
    neighbourhood: str = ""
    address: str = ""
    position: str = ""
    name: str = ""
    phone: str = ""
    email: str = ""
    whatsapp_id: str = ""
    language: str = "tr"
    notify_via: str = ""
    unnamed: str = ""
    legal_basis: str = ""
    record_no: str = ""
    answer_template: str = ""
    answer: str = ""
    duplicate_of: str = ""
    call_id: str = ""
    callback_id: str = ""
    photos: tuple[str, ...] = ()
    key: str = ""

    @classmethod
    def read(cls, given: Mapping[str, object]) -> "Form":
        """
        The fields that are the form's own, cut where no honest input is that long; others are left out.
        """
        found: dict[str, Any] = {}
        for field in fields(cls):
            value = given.get(field.name)
            if field.name == "photos":
                rows = value if isinstance(value, list | tuple) else [value]
                found["photos"] = tuple(str(row) for row in rows if isinstance(row, str) and row)[: MOST_PHOTOS + 1]
            elif isinstance(value, str):
                found[field.name] = value[:_FIELD_LIMIT]
        return cls(**found)

    @property
    def callback(self) -> str | None:
        """
        The call-back that this request came of, if what was posted is the id of one.
        """
        return callback_asked_for(self.callback_id)

    @property
    def stays_unnamed(self) -> bool:
        """
        Whether the citizen does not want to be known; the wish wins over what was typed before it was told.
        """
        return bool(self.unnamed)

    def with_suggestion(self, neighbourhood: str | None, street: str | None) -> "Form":
        """
        The form with the place that the text names, where the operator has typed none.
        """
        return replace(
            self,
            neighbourhood=self.neighbourhood.strip() or neighbourhood or "",
            address=self.address.strip() or street or "",
        )


class FormError(ValueError):
    """
    The form cannot become a request; ``errors`` says for each field what would be right.
    """

    def __init__(self, errors: Mapping[str, Words]) -> None:
        super().__init__(", ".join(errors))
        self.errors = dict(errors)


def to_request(form: Form) -> NewRequest:
    """
    The request that the form describes; who typed it is known from who is signed in. Raises ``FormError``.
    """
    errors: dict[str, Words] = {}
    try:
        point = position(form.position)
    except ValueError:
        point = None
        errors["position"] = MESSAGES["position"]
    answer = answer_of(form)
    if answer and to_fill_in(answer):
        errors["answer"] = MESSAGES["answer"]
    if form.duplicate_of.strip() and suspected(form.duplicate_of) is None:
        errors["duplicate_of"] = MESSAGES["duplicate_of"]
    if form.channel not in {channel.value for channel in CHANNELS}:
        errors["channel"] = MESSAGES["channel"]
    try:
        service = service_code(form.service)
    except ValueError:
        service = None
        errors["service"] = MESSAGES["service"]
    body = _body(form, service, point, answer)
    try:
        request = NewRequest.model_validate(body)
    except ValidationError as error:
        raise FormError({**messages(error), **errors}) from None
    if errors:
        raise FormError(errors)
    return request


def messages(error: ValidationError) -> dict[str, Words]:
    """
    What would be right in each field at fault, under the form's own names of fields.
    """
    names = {field_of(".".join(map(str, row["loc"]))) for row in error.errors(include_input=False, include_url=False)}
    return {name: MESSAGES[name] for name in sorted(names)}


def field_of(place: str) -> str:
    """
    The form's field for a place in a request's body: ``citizen.phone`` is typed into ``phone``.
    """
    names = [_PLACES[part] for part in place.split(".") if part in _PLACES]
    return names[-1] if names else "text"


def service_code(text: str) -> str | None:
    """
    The code of the service that a text names, by its code or by its whole name; None for a blank text. Raises
    ``ValueError`` if there is no such service, or only in a crisis.
    """
    if not text.strip():
        return None
    found = _by_name().get(fold(text.strip()))
    if found is None:
        raise ValueError("no service has this name")
    return found


@cache
def _by_name() -> dict[str, str]:
    services = {code: service for code, service in catalogue().services.items() if service.crisis is None}
    names = {fold(name): code for code, service in services.items() for name in (service.tr, service.en)}
    return {**names, **{code: code for code in services}}


def position(text: str) -> tuple[float, float] | None:
    """
    ``41.2867, 36.3300`` as degrees; None for a blank text. Raises ``ValueError``.
    """
    if not text.strip():
        return None
    lat, comma, lon = text.partition(",")
    if not comma:
        raise ValueError("latitude and longitude are parted by a comma")
    point = float(lat), float(lon)
    if not all(map(math.isfinite, point)) or not (-90 <= point[0] <= 90 and -180 <= point[1] <= 180):
        raise ValueError("degrees lie within 90 and 180")
    return point


def suspected(text: str) -> str | None:
    """
    The number of the request that this one seems to repeat, in canonical form; None if it is no number.
    """
    try:
        return parse_request_id(text)
    except IllFormedId:
        return None


def number_asked_for(text: str) -> str | None:
    """
    The number of a request or a part that somebody typed to look it up; None if it is none.
    """
    try:
        return parse_any_id(text)
    except ValueError:
        return None


def callback_asked_for(text: str) -> str | None:
    """
    The id of a call-back; None for whatever else was sent in its place.
    """
    return text if _CALLBACK.fullmatch(text) else None


def answer_of(form: Form) -> str:
    """
    The answer given at once: what was typed, else the ready answer that was chosen (by its name or title), in the
    citizen's language.
    """
    if form.answer.strip():
        return form.answer.strip()
    wanted = fold(form.answer_template.strip())
    for answer in answers() if wanted else ():
        if wanted in (answer.name, fold(answer.title.tr), fold(answer.title.en)):
            return answer.text.en if form.language == "en" else answer.text.tr
    return ""


def _body(form: Form, service: str | None, point: tuple[float, float] | None, answer: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "channel": form.channel,
        "kind": form.kind or None,
        "service_code": service,
        "text": form.text,
        "location": {
            "address": form.address or None,
            "neighbourhood": form.neighbourhood or None,
            "lat": point[0] if point else None,
            "lon": point[1] if point else None,
        },
    }
    if form.stays_unnamed:
        body["contact"] = "none"
    else:
        body["citizen"] = {
            "name": form.name or None,
            "phone": form.phone or None,
            "email": form.email or None,
            "whatsapp_id": form.whatsapp_id.strip() or None,
            "language": form.language or "tr",
            "notify_via": form.notify_via or None,
        }
    if form.channel in ON_PAPER:
        basis = form.legal_basis or _USUAL_BASIS[Channel(form.channel)]
        body["legal"] = {"basis": basis, "record_no": form.record_no or None}
    if answer:
        body["answered"] = {"text": answer}
    if (other := suspected(form.duplicate_of)) is not None:
        body["attributes"] = {SUSPECTED: other}
    if form.photos:
        body["attachments"] = list(form.photos)
    if form.call_id:
        body["call_id"] = form.call_id
    return body
