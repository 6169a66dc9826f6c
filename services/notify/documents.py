"""
Notify's types as documents of MongoDB, and back.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from services.common.contracts.envelope import Record
from services.common.contracts.vocabulary import (
    Clock,
    DeliveryStatus,
    Language,
    Level,
    NotifyVia,
    Outcome,
    Status,
)
from services.notify.domain import Carried, Contact, Offer, Row, State, Telling
from services.notify.statuses import Reported, marks_of
from services.notify.transitions import Facts

KEEP_TELLINGS: Final = timedelta(days=90)  # longer than topics and dead letters are kept: a replay finds what was told
KEEP_CONVERSATIONS: Final = timedelta(days=7)
PARKED: Final = "parked"  # the mark of a telling with a message that waits for whatever contact


def utc(moment: datetime | None) -> datetime | None:
    """
    What the driver gives, in the one zone that events are written in.
    """
    return None if moment is None else moment.astimezone(UTC)


def day_of(moment: datetime) -> datetime:
    """
    The day alone: an index on it rests while a document is written again and again.
    """
    return datetime(moment.year, moment.month, moment.day, tzinfo=UTC)


_FACTS: Final = tuple(field.name for field in fields(Facts))
_ROW: Final = tuple(
    (field.name, field.default) for field in fields(Row) if field.name not in ("facts", "offers", "carries")
)
_CARRIED: Final = ("request_id", "transition", "at")
_OFFER: Final = tuple(field.name for field in fields(Offer))
_FACTS_FROM: Final[Mapping[str, Callable[[Any], Any]]] = {
    "status": Status,
    "outcome": Outcome,
    "clock": Clock,
    "level": Level,
    "day": utc,
    "since": utc,
    "written_on": date.fromisoformat,
}
_ROW_FROM: Final[Mapping[str, Callable[[Any], Any]]] = {
    "state": State,
    "channel": NotifyVia,
    "reached": DeliveryStatus,
    **dict.fromkeys(("at", "due_at", "give_up_at", "until", "sent_at", "ask_at"), utc),
    "facts": lambda raw: _facts_from(raw),
    "carries": lambda raw: tuple(_carried_from(one) for one in raw),
    "offers": lambda raw: tuple(Offer(**one) for one in raw),
}


def _known(source: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(source, name)) is not None}


def _read(raw: Mapping[str, Any], how: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    return {name: how[name](value) if name in how and value is not None else value for name, value in raw.items()}


def _facts_to(facts: Facts) -> dict[str, Any]:
    raw = _known(facts, _FACTS)
    if facts.written_on is not None:
        raw["written_on"] = facts.written_on.isoformat()  # BSON has no day without a time
    return raw


def _facts_from(raw: Mapping[str, Any]) -> Facts:
    return Facts(**_read({"status": None, **raw}, _FACTS_FROM))


def _row_to(row: Row) -> dict[str, Any]:
    raw = {name: value for name, default in _ROW if (value := getattr(row, name)) != default}
    if row.offers:
        raw["offers"] = [_known(offer, _OFFER) for offer in row.offers]
    if row.carries:
        raw["carries"] = [{**_known(one, _CARRIED), "facts": _facts_to(one.facts)} for one in row.carries]
    return {**raw, "facts": _facts_to(row.facts)}


def _carried_from(raw: Mapping[str, Any]) -> Carried:
    return Carried(raw["request_id"], raw["transition"], _facts_from(raw["facts"]), utc(raw.get("at")))


def held_mark(person: str) -> str:
    """
    The mark of a telling with a message that waits for a better time to tell the person.
    """
    return f"held:{person}"


def parked_mark(contact_id: str) -> str:
    """
    The mark of a telling with a message that waits for the contact.
    """
    return f"{PARKED}:{contact_id}"


def telling_to(telling: Telling, rev: int, now: datetime) -> dict[str, Any]:
    """
    The document of a telling. What the indexes look for is absent when there is nothing to do. All by which it is found
    stands in one field: each index more makes every write slower.
    """
    found: dict[str, Any] = {
        "_id": telling.request_id,
        "rev": rev,
        "rows": [_row_to(row) for row in telling.rows],
        "outbox": [{"topic": r.topic, "key": r.key, "value": r.value, "headers": r.headers} for r in telling.outbox],
        "gone_on": day_of(now) + (KEEP_CONVERSATIONS if telling.conversation else KEEP_TELLINGS),
        "partner": telling.partner,
        "next_at": telling.next_at,
        "publish_at": telling.publish_at,
        "ask_at": telling.ask_at,
        "marks": [
            *marks_of(telling),
            *map(held_mark, telling.held_for),
            *([PARKED] if telling.parked_for else []),
            *map(parked_mark, telling.parked_for),
        ]
        or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def telling_from(raw: Mapping[str, Any]) -> Telling:
    """
    The telling in a document.
    """
    return Telling(
        raw["_id"],
        tuple(Row(**_read(row, _ROW_FROM)) for row in raw["rows"]),
        tuple(
            Record(r["topic"], bytes(r["key"]), bytes(r["value"]), tuple((k, bytes(v)) for k, v in r["headers"]))
            for r in raw["outbox"]
        ),
        utc(raw.get("publish_at")),
        raw["rev"],
        raw.get("partner"),
    )


_CONTACT: Final = tuple(field.name for field in fields(Contact) if field.name not in ("id", "erased"))


def contact_to(contact: Contact) -> dict[str, Any]:
    """
    The document of a contact; of an erased one nothing is left but that.
    """
    if contact.erased:
        return {"_id": contact.id, "at": contact.at, "erased": True}
    return {"_id": contact.id, **_known(contact, _CONTACT)}


def contact_from(raw: Mapping[str, Any]) -> Contact:
    """
    The contact in a document.
    """
    known: Mapping[str, Callable[[Any], Any]] = {"language": Language, "notify_via": NotifyVia, "at": utc}
    return Contact(id=raw["_id"], **_read({key: value for key, value in raw.items() if key != "_id"}, known))


def report_to(reported: Reported) -> dict[str, Any]:
    """
    The document of a report whose message is not known yet.
    """
    return {"_id": reported.id, **_known(reported, ("key", "provider_id", "status", "code", "at"))}


def report_from(raw: Mapping[str, Any]) -> Reported:
    """
    The report in a document.
    """
    at = raw["at"].astimezone(UTC)
    return Reported(raw.get("key"), raw["provider_id"], DeliveryStatus(raw["status"]), raw.get("code"), at)
