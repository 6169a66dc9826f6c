"""
Who calls, as far as those may know who have to: the person's requests and earlier contacts, found by keyed hash. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from services.common.contracts.events import ContactChanged, Event, RequestRegistered
from services.common.contracts.ids import CONTACT_NONE
from services.common.contracts.vocabulary import CLOSED, Status

MOST_REQUESTS: Final = 20
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Hashes:
    """
    By what a contact can be recognised, as of a time.
    """

    at: datetime
    phone: str | None = None
    email: str | None = None
    whatsapp: str | None = None

    @property
    def given(self) -> Mapping[str, str]:
        """
        Those that are there.
        """
        found = {"phone": self.phone, "email": self.email, "whatsapp": self.whatsapp}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class OwnRequest:
    """
    A request of the person who calls, as the read model has it. ``closed_seq``: the event that closed it last, if that
    was kept.
    """

    request_id: str
    status: Status
    department: str | None
    service_code: str | None
    at: datetime | None
    closed_seq: int | None = None

    @property
    def open(self) -> bool:
        """
        Whether somebody still works on it.
        """
        return self.status not in CLOSED


def fold_people(
    events: Iterable[tuple[str, Event | None]],
) -> tuple[dict[str, Hashes | None], dict[str, str]]:
    """
    Of records as (key, event; None is a tombstone): the newest hashes of each contact, None for an erased one, and the
    contact of each request.
    """
    hashes: dict[str, Hashes | None] = {}
    holders: dict[str, str] = {}
    for key, event in events:
        if event is None:
            hashes[key] = None
        elif isinstance(event, ContactChanged):
            known = hashes.get(event.contact_id)
            if known is None or known.at <= event.changed_at:
                hashes[event.contact_id] = Hashes(
                    event.changed_at, event.phone_hash, event.email_hash, event.whatsapp_hash
                )
        elif isinstance(event, RequestRegistered) and event.contact_id not in (None, CONTACT_NONE):
            holders[event.request_id] = str(event.contact_id)
    return hashes, holders


def shown(requests: Iterable[OwnRequest]) -> list[OwnRequest]:
    """
    What an operator sees at a glance: open ones first, the newest first, at most 20.
    """
    ordered = sorted(requests, key=lambda request: request.request_id)
    ordered.sort(key=lambda request: request.at or _LONG_AGO, reverse=True)
    ordered.sort(key=lambda request: not request.open)
    return ordered[:MOST_REQUESTS]
