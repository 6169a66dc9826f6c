"""
What the reader of a message is offered to tap, and the same as numbered lines where nothing can be tapped.
"""

from collections import Counter
from dataclasses import replace
from typing import Final

from services.common.contracts.ids import grouped
from services.common.contracts.vocabulary import Language, NotifyVia
from services.notify.catalogue_names import service_name
from services.notify.domain import Offer, Row
from services.notify.messages import Choice

STARS: Final = 5
BUTTONS: Final = 3
"""Up to so many choices are buttons, which have a title alone; more are rows of a list."""
_BUTTON: Final = 20  # characters on a button
_LABELS: Final = 200  # characters of a short message that all numbered lines share
_NEW: Final = {
    Language.TR: ("Yeni bildirim", "Başka bir konu"),
    Language.EN: ("Something new", "Another matter"),
}
_AGAIN: Final = {Language.TR: "Yeniden açılsın", Language.EN: "Open it again"}
_UNSETTLED: Final = {
    Language.TR: ("Sorun sürüyor", "Başvurum yeniden açılsın"),
    Language.EN: ("Not settled", "Open my request again"),
}
_RATED: Final = {
    Language.TR: ("Çok kötü", "Kötü", "Orta", "İyi", "Çok iyi"),
    Language.EN: ("Very bad", "Bad", "Fair", "Good", "Very good"),
}
_STAR: Final = {Language.TR: ("yıldız", "yıldız"), Language.EN: ("star", "stars")}
_OPENS: Final = {Language.TR: "Seçin", Language.EN: "Choose"}
_RATES: Final = {Language.TR: "Puan verin", Language.EN: "Rate it"}
_TAP: Final = {Language.TR: "Aşağıdan seçin.", Language.EN: "Choose below."}
_WRITE: Final = {
    Language.TR: "Yalnızca rakamını yazıp gönderin:",
    Language.EN: "Write just its digit and send it:",
}


def choices_of(request_id: str, row: Row, language: Language) -> tuple[Choice, ...]:
    """
    What can be tapped: what intake offers in a conversation, or with a closing one to five stars and a way back.
    """
    if row.survey:
        return (
            *(_star(request_id, row.seq, number, language) for number in range(STARS, 0, -1)),
            Choice(f"reopen:{request_id}:{row.seq}", *_UNSETTLED[language]),
        )
    listed = tuple(_choice(offer, language) for offer in row.offers)
    buttons = tuple(replace(choice, title=_cut(_name(choice), _BUTTON)) for choice in listed)
    distinct = len({button.title for button in buttons}) == len(buttons)
    return buttons if distinct and len(buttons) <= BUTTONS else listed


def opener_of(row: Row, language: Language) -> str:
    """
    What stands on the button that opens the list.
    """
    return (_RATES if row.survey else _OPENS)[language]


def how_to_choose(row: Row, language: Language) -> str:
    """
    On WhatsApp that there is something to tap; elsewhere what intake offers, a numbered line each.
    """
    if not row.offers:
        return ""
    if row.channel is NotifyVia.WHATSAPP:
        return _TAP[language]
    lines = [f"{number}) {label}" for number, label in enumerate(_labels(row.offers, language), start=1)]
    return "\n".join([_WRITE[language], *lines])


def _star(request_id: str, seq: int, number: int, language: Language) -> Choice:
    one, many = _STAR[language]
    title = f"{number} {one if number == 1 else many}"
    return Choice(f"fb:{request_id}:{seq}:{number}", title, _RATED[language][number - 1])


def _choice(offer: Offer, language: Language) -> Choice:
    if offer.id.startswith("reopen:"):
        return Choice(offer.id, _AGAIN[language])
    if offer.request_id is None:
        return Choice(offer.id, *_NEW[language])
    return Choice(offer.id, grouped(offer.request_id), service_name(offer.service_code or "", language))


def _labels(offers: tuple[Offer, ...], language: Language) -> list[str]:
    """
    Offers in a few characters each: a request by what it is about, and where that is not enough by its number's end.
    """
    most = _LABELS // len(offers) - 4
    names = [_name(_choice(offer, language)) for offer in offers]
    times = Counter(names)
    return [
        _cut(name, most) if times[name] == 1 else f"{_cut(name, most - 8)} …{grouped(offer.request_id or '')[-6:]}"
        for offer, name in zip(offers, names, strict=True)
    ]


def _name(choice: Choice) -> str:
    """
    What it is about, or, if that is not known, its number.
    """
    return (choice.description if choice.id.startswith("req:") else "") or choice.title


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
