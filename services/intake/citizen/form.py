"""
From what a citizen typed to a request. Pure.
"""

import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from pydantic import ValidationError

from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import keyed_hash
from services.common.contracts.vocabulary import Channel, NotifyVia
from services.common.ui.words import Words
from services.intake.desk.domain import SUSPECTED, position, suspected
from services.intake.open311.definitions import Datatype, Definitions, Question, check, offered
from services.intake.schemas import NewRequest

MOST_PHOTOS: Final = 10
ANSWER: Final = "q."
"""Fields of a service's own questions: ``q.`` and the question's code."""
WAYS: Final = (NotifyVia.SMS, NotifyVia.EMAIL, NotifyVia.PHONE, NotifyVia.NONE)
QUICKEST: Final = timedelta(seconds=2)
"""Nobody reads, types and sends within it."""
LASTS: Final = timedelta(hours=24)
_LIMIT: Final = 8_000
_LOCAL: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?")
_PLACES: Final = {
    "text": "text", "service_code": "service", "name": "name", "phone": "phone", "email": "email",
    "notify_via": "notify_via", "address": "address", "neighbourhood": "neighbourhood", "lat": "position",
    "lon": "position", "attachments": "upload",
}  # fmt: skip
MESSAGES: Final = {
    "text": Words("Ne olduğunu birkaç sözcükle yazın (en çok 4.000 harf).", "Write what it is about (at most 4,000)."),
    "service": Words("Listeden bir konu seçin ya da boş bırakın.", "Choose a subject of the list, or none."),
    "name": Words("Ad en çok 200 harf olabilir.", "A name has at most 200 characters."),
    "phone": Words(
        "0532 111 22 33 ya da +49 30 901820 gibi bir numara yazın.",
        "Write a number such as 0532 111 22 33 or +49 30 901820.",
    ),
    "email": Words("ad.soyad@example.com gibi bir adres yazın.", "Write an address such as ad.soyad@example.com."),
    "notify_via": Words("Listeden bir yol seçin.", "Choose a way of the list."),
    "address": Words("Adres en çok 300 harf olabilir.", "An address has at most 300 characters."),
    "neighbourhood": Words("Mahalle adı en çok 100 harf olabilir.", "A quarter's name has at most 100 characters."),
    "position": Words("41.2867, 36.3300 gibi enlem ve boylam yazın.", "Write a position such as 41.2867, 36.3300."),
    "upload": Words(
        "Dosya alınamadı: JPEG, PNG, WebP ya da PDF ekleyin (en çok 10 dosya, toplam 12 MB).",
        "A file was not taken: add JPEG, PNG, WebP or PDF (at most 10 files, 12 MB in all).",
    ),
}
"""What would be right in each field of the form."""
WHERE: Final = Words(
    "Ekibin bulabilmesi için mahalle, adres ya da konum verin.",
    "Give the quarter, an address or the position, so that the crew finds it.",
)
NEEDS_PHONE: Final = Words("Bu yol için telefon numaranız gerekli.", "For this way we need your telephone number.")
NEEDS_EMAIL: Final = Words("Bu yol için e-posta adresiniz gerekli.", "For this way we need your e-mail address.")
_ANSWERS: Final = {
    Datatype.NUMBER: Words("3 ya da 2,5 gibi bir sayı yazın.", "Write a number such as 3 or 2.5."),
    Datatype.DATETIME: Words("Gün ve saat verin.", "Give a day and a time."),
    Datatype.ONE: Words("Listeden birini seçin.", "Choose one of the list."),
    Datatype.MANY: Words("Listeden seçin.", "Choose of the list."),
    Datatype.STRING: Words("En çok 200 harf yazın.", "Write at most 200 characters."),
    Datatype.TEXT: Words("En çok 2.000 harf yazın.", "Write at most 2,000 characters."),
}
_NEEDED: Final = Words("Bu sorunun yanıtı gerekli.", "This question needs an answer.")


class FormError(ValueError):
    """
    The form cannot become a request; ``errors`` says for each field what would be right.
    """

    def __init__(self, errors: Mapping[str, Words]) -> None:
        super().__init__(", ".join(errors))
        self.errors = dict(errors)


@dataclass(frozen=True, slots=True)
class Form:
    """
    What was typed, as typed. ``service``: a code; blank lets routing decide. ``same_as``: the number of a request that
    this one repeats. ``ticket`` makes a second post of the same page the same request. ``website`` is a field that no
    person sees; ``warned``: the citizen was shown whom to call in danger. ``q``: what the subjects are searched for.
    """

    text: str = ""
    service: str = ""
    neighbourhood: str = ""
    address: str = ""
    position: str = ""
    name: str = ""
    phone: str = ""
    email: str = ""
    notify_via: str = ""
    same_as: str = ""
    ticket: str = ""
    website: str = ""
    warned: str = ""
    q: str = ""
    photos: tuple[str, ...] = ()
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, given: Sequence[tuple[str, object]]) -> "Form":
        """
        The fields that are the form's own, cut where no honest input is that long; others are left out.

        A subject is chosen among the suggested ones (``service``) or of the list (``service_list``), whichever is not
        what the page had (``service_was``), or is picked from what a search found (``pick``).
        """
        found: dict[str, Any] = {}
        photos: list[str] = []
        listed = was = picked = ""
        answers: dict[str, list[str]] = {}
        for name, value in given:
            if not isinstance(value, str):
                continue
            if name == "photos":
                photos.append(value[:60])
            elif name.startswith(ANSWER):
                answers.setdefault(name.removeprefix(ANSWER)[:60], []).append(value[:_LIMIT])
            elif name == "service_list":
                listed = value[:100]
            elif name == "pick":
                picked = value[:100]
            elif name == "service_was":
                was = value[:100]
            elif name in _SIMPLE:
                found[name] = value[:_LIMIT]
        if listed and (listed != was or "service" not in found):
            found["service"] = listed
        if picked:
            found |= {"service": picked, "q": ""}
        kept = {code: tuple(texts[:50]) for code, texts in list(answers.items())[:50]}
        return cls(**found, photos=tuple(photos[: MOST_PHOTOS + 1]), answers=kept)

    def with_suggestion(self, neighbourhood: str | None, street: str | None) -> "Form":
        """
        The form with the place that the text names, where none was typed.
        """
        return replace(
            self,
            neighbourhood=self.neighbourhood.strip() or neighbourhood or "",
            address=self.address.strip() or street or "",
        )


_SIMPLE: Final = frozenset(Form.__dataclass_fields__) - {"photos", "answers"}


def to_request(form: Form, known: Definitions, language: str, notice_version: str) -> NewRequest:
    """
    The request that the form describes. Raises ``FormError``.
    """
    errors: dict[str, Words] = {}
    point = None
    try:
        point = position(form.position)
    except ValueError:
        errors["position"] = MESSAGES["position"]
    code = form.service.strip()
    if code and code not in offered():
        errors["service"] = MESSAGES["service"]
        code = ""
    answers, wrong = _answers(form, known.of(code))
    errors |= wrong
    service = catalogue().services.get(code)
    placed = point or form.address.strip() or form.neighbourhood.strip() or "position" in errors
    if service is not None and service.location_required and not placed:
        errors["neighbourhood"] = WHERE
    if form.notify_via in (NotifyVia.SMS, NotifyVia.PHONE) and not form.phone.strip():
        errors["phone"] = NEEDS_PHONE
    if form.notify_via == NotifyVia.EMAIL and not form.email.strip():
        errors["email"] = NEEDS_EMAIL
    try:
        request = NewRequest.model_validate(_body(form, code, point, answers, language, notice_version))
    except ValidationError as error:
        raise FormError({**_messages(error), **errors}) from None
    if errors:
        raise FormError(errors)
    return request


def field_of(place: str) -> str:
    """
    The form's field for a place in a request's body: ``citizen.phone`` is typed into ``phone``.
    """
    names = [_PLACES[part] for part in place.split(".") if part in _PLACES]
    return names[-1] if names else "text"


def _messages(error: ValidationError) -> dict[str, Words]:
    names = {field_of(".".join(map(str, row["loc"]))) for row in error.errors(include_input=False, include_url=False)}
    return {name: MESSAGES[name] for name in sorted(names)}


def _answers(form: Form, questions: Sequence[Question]) -> tuple[dict[str, Any], dict[str, Words]]:
    """
    The answers to the service's own questions (others are left out: the service was changed), and what is wrong.
    """
    known = {question.code: question for question in questions if not question.info}
    given = {
        code: [zoned(text) if known[code].datatype is Datatype.DATETIME else text for text in texts]
        for code, texts in form.answers.items()
        if code in known
    }
    answers, wrong = check(questions, given)
    said = {
        f"{ANSWER}{row.code}": _ANSWERS[known[row.code].datatype] if any(given.get(row.code, ())) else _NEEDED
        for row in wrong
    }
    return dict(answers), said


def zoned(text: str) -> str:
    """
    A day and a time as browsers give them, in Istanbul.
    """
    return f"{text}+03:00" if _LOCAL.fullmatch(text.strip()) else text


def _body(
    form: Form,
    code: str,
    point: tuple[float, float] | None,
    answers: dict[str, Any],
    language: str,
    notice_version: str,
) -> dict[str, Any]:
    if (other := suspected(form.same_as)) is not None:
        answers = {**answers, SUSPECTED: other}
    return {
        "channel": Channel.WEB,
        "service_code": code or None,
        "text": form.text,
        "citizen": {
            "name": form.name or None,
            "phone": form.phone or None,
            "email": form.email or None,
            "language": language,
            "notify_via": form.notify_via or None,
        },
        "location": {
            "address": form.address or None,
            "neighbourhood": form.neighbourhood or None,
            "lat": point[0] if point else None,
            "lon": point[1] if point else None,
        },
        "attributes": answers or None,
        "attachments": list(form.photos) or None,
        "notice_version": notice_version,
    }


# --- the ticket of a page ---


class TicketState(StrEnum):
    """
    What a ticket is worth: whether the form may be sent with it, and if not, why.
    """

    GOOD = "good"
    TOO_SOON = "too_soon"
    OVER = "over"


def new_ticket(secret: bytes, now: datetime) -> str:
    """
    A ticket for one showing of the form: ``<random>-<second, hex>-<MAC>``.
    """
    body = f"{secrets.token_hex(16)}-{int(now.timestamp()):x}"
    return f"{body}-{_mac(secret, body)}"


def ticket_state(secret: bytes, ticket: str, now: datetime) -> TicketState:
    """
    Whether the form may be sent with this ticket now. One that is not ours counts as over.
    """
    body, _, mac = ticket.rpartition("-")
    if not ticket.isascii() or not hmac.compare_digest(mac, _mac(secret, body)):
        return TicketState.OVER
    age = timedelta(seconds=now.timestamp() - int(body.rpartition("-")[2], 16))
    if age >= LASTS:
        return TicketState.OVER
    return TicketState.TOO_SOON if age < QUICKEST else TicketState.GOOD


def key_of(ticket: str) -> str:
    """
    The idempotency key of whatever is sent with a ticket.
    """
    return ticket.partition("-")[0]


def _mac(secret: bytes, body: str) -> str:
    return keyed_hash(secret, "web-form", body)[:20]
