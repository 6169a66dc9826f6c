"""
A message in all its forms, and who writes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.common.contracts.ids import family_of
from services.common.contracts.tracking import LINK_LASTS, Purpose, token
from services.common.contracts.vocabulary import Language
from services.notify.domain import Row


@dataclass(frozen=True, slots=True)
class Choice:
    """
    What the reader can tap: a button or a row of a list. ``id`` comes back when they do.
    """

    id: str
    title: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class TemplateCall:
    """
    The same message as one of the templates that Meta has approved: its name, language, what stands in its body in the
    order of its placeholders, the payloads of its quick replies, and what is appended to the address of its link.
    """

    name: str
    language: Language
    parameters: tuple[str, ...] = ()
    payloads: tuple[str, ...] = ()
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """
    A message in all its forms: a channel takes what it can carry. ``choices``: what the reader is offered to tap, at
    most 10; ``button``: what opens them if they are more than three; ``asks_place``: a place is the answer. ``data``:
    what a partner's system gets.
    """

    subject: str
    text: str
    html: str
    short: str
    choices: tuple[Choice, ...] = ()
    button: str = ""
    asks_place: bool = False
    template: TemplateCall | None = None
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class House:
    """
    Who writes: the municipality's names, its telephone, and where a request can be followed. With the
    ``tracking_secret``, which intake has too, the link in a message shows its reader to be the citizen.
    """

    names: dict[Language, str]
    phone: str
    public_url: str
    tracking_secret: bytes | None = None

    def link(self, request_id: str, row: Row) -> str:
        """
        Where the reader of a message follows the request. Staff and partners get the page that everybody sees, and so
        does whoever is answered in a conversation: they may have named the number of somebody else's request.
        """
        if self.tracking_secret is None or not row.for_citizen or row.saying or row.at is None:
            return self.page + request_id
        number = family_of(request_id)
        key = token(self.tracking_secret, number, Purpose.LINK, row.at + LINK_LASTS)
        return f"{self.page}{number}?k={key}"

    @property
    def page(self) -> str:
        """
        The address of a request's page, without its number.
        """
        return f"{self.public_url.rstrip('/')}/t/"

    @property
    def notice(self) -> str:
        """
        The page of the privacy notice.
        """
        return f"{self.public_url.rstrip('/')}/notice"
