"""
WhatsApp Cloud API's webhook as pure functions: is it Meta who calls, and what is in the body.

A body is read leniently, for Meta repeats for days what is not answered with a 200: whatever can be read is taken, what
cannot is counted, and nothing that is broken takes its neighbours with it. What is counted holds no word of the body.
"""

import hmac
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from services.common.contracts.vocabulary import Channel, DeliveryStatus, MessageKind
from services.intake import cleaning
from services.intake.conversations.inbound import Delivery, Inbound, Party
from services.intake.conversations.loose import (
    items,
    mapping,
    mappings,
    matching,
    moment,
    name_given,
    names_given,
    short,
    string,
)
from services.intake.conversations.whatsapp_words import Ignored, words_of

ADAPTER: Final = "whatsapp"
SCHEME: Final = "sha256="
_SIGNATURE: Final = re.compile(r"[0-9a-f]{64}")
_WA_ID: Final = re.compile(r"[0-9]{5,20}")
_USER_ID: Final = re.compile(r"[A-Z]{2}(\.[A-Z]{2,10})?\.[A-Za-z0-9]{1,128}")
_MOVES: Final = frozenset({"user_changed_number", "customer_changed_number", "user_changed_user_id"})
_ASKED: Final = "contact_request"  # Meta's word for a card that its owner gave because we asked
_STATUSES: Final = {
    "sent": DeliveryStatus.SENT,
    "delivered": DeliveryStatus.DELIVERED,
    "read": DeliveryStatus.READ,
    "played": DeliveryStatus.READ,  # a voice message that was heard
    "failed": DeliveryStatus.FAILED,
}


class NotABody(ValueError):
    """
    The body is no JSON object: no webhook of Meta's.
    """


@dataclass(frozen=True, slots=True)
class Parsed:
    """
    What is in a body, in its order. ``ignored`` counts what is not taken, by why.
    """

    messages: tuple[Inbound, ...]
    deliveries: tuple[Delivery, ...]
    ignored: Mapping[str, int]


@dataclass(slots=True)
class _Reading:
    """
    What a body was read into so far.
    """

    now: datetime
    own_number_id: str | None
    messages: list[Inbound] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)


# --- is it Meta ---


def signed(header: str | None, body: bytes, secret: bytes) -> bool:
    """
    Whether ``X-Hub-Signature-256`` is Meta's for these very bytes, found in a time that tells nothing of the right one.
    """
    if header is None or not header.startswith(SCHEME) or not _SIGNATURE.fullmatch(given := header[len(SCHEME) :]):
        return False
    return hmac.compare_digest(given, signature(body, secret))


def signature(body: bytes, secret: bytes) -> str:
    """
    HMAC-SHA-256 of a body in hex.
    """
    return hmac.new(secret, body, sha256).hexdigest()


def challenge(query: Mapping[str, str], token: str) -> str | None:
    """
    What Meta is answered when it asks whether this URL is ours; None if it is not Meta who asks.
    """
    shown = query.get("hub.verify_token", "").encode("utf-8", "replace")
    if query.get("hub.mode") != "subscribe" or not hmac.compare_digest(shown, token.encode()):
        return None
    return query.get("hub.challenge", "")


# --- a body ---


def parse(body: bytes, now: datetime, own_number_id: str | None = None) -> Parsed:
    """
    Read a body. With ``own_number_id`` only what concerns that telephone number of ours is taken.

    Raises ``NotABody``; anything else is read as far as it can be.
    """
    reading = _Reading(now, own_number_id)
    for change in _changes(_json(body)):
        if change.get("field") != "messages":
            reading.ignored["other_field"] += 1
            continue
        _read_change(mapping(change.get("value")), reading)
    return Parsed(tuple(reading.messages), tuple(reading.deliveries), dict(reading.ignored))


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)  # not strict: half an emoji or a repeated key must not cost a batch
    except (ValueError, RecursionError):
        raise NotABody("the body is not JSON") from None
    if not isinstance(value, dict):
        raise NotABody("the body must be a JSON object")
    return value


def _changes(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for entry in mappings(body.get("entry")):
        yield from mappings(entry.get("changes"))


def _read_change(value: Mapping[str, Any], reading: _Reading) -> None:
    metadata = mapping(value.get("metadata"))
    messages, statuses = items(value.get("messages")), items(value.get("statuses"))
    number_id = string(metadata.get("phone_number_id"))
    if reading.own_number_id is not None and number_id not in (None, reading.own_number_id):
        reading.ignored["other_number"] += len(messages) + len(statuses)
        return
    own = "".join(filter(str.isdigit, string(metadata.get("display_phone_number")) or ""))
    contacts = mappings(value.get("contacts"))
    for message in messages:
        try:
            reading.messages.append(_message(mapping(message), contacts, own, reading.now))
        except Ignored as why:
            reading.ignored[str(why)] += 1
    for status in statuses:
        try:
            reading.deliveries.append(_delivery(mapping(status), reading.now))
        except Ignored as why:
            reading.ignored[str(why)] += 1


# --- a message ---


def _message(message: Mapping[str, Any], contacts: list[Mapping[str, Any]], own: str, now: datetime) -> Inbound:
    provider_id = name_given(message.get("id"))
    if provider_id is None:
        raise Ignored("no_id")
    if message.get("group_id"):
        raise Ignored("group")
    sender = _sender(message, contacts)
    if sender.whatsapp_id is not None and sender.whatsapp_id == own:
        raise Ignored("own_number")
    if sender.whatsapp_id is None and sender.user_id is None:
        raise Ignored("no_sender")
    inbound = Inbound(
        channel=Channel.WHATSAPP,
        adapter=ADAPTER,
        provider_id=provider_id,
        sender=sender,
        kind=MessageKind.UNREADABLE,
        sent_at=moment(message.get("timestamp")) or now,
        reply_to=names_given(mapping(message.get("context")).get("id")),
    )
    kind = string(message.get("type")) or ""
    if kind == "system":
        return _moved(inbound, mapping(message.get("system")))
    if kind == "contacts":
        return _carded(inbound, message, own)
    words = words_of(kind, message)
    return replace(
        inbound,
        kind=words.kind,
        text=words.text,
        location=words.location,
        media=words.media,
        reply_to=words.reply_to or inbound.reply_to,
        choice=words.choice,
        about=words.about,
    )


def _moved(inbound: Inbound, system: Mapping[str, Any]) -> Inbound:
    """
    The sender has another number, or another user id; the message is from the old address.
    """
    if string(system.get("type")) not in _MOVES and "new_user_id" not in system:
        raise Ignored("nothing_said")
    sender, number = inbound.sender, matching(_WA_ID, system.get("wa_id") or system.get("new_wa_id"))
    if "new_user_id" in system:
        old_user, new_user = system.get("user_id"), system["new_user_id"]
    else:
        old_user, new_user = sender.user_id, system.get("user_id")
    before = Party(whatsapp_id=sender.whatsapp_id, user_id=matching(_USER_ID, old_user))
    after = Party(whatsapp_id=number, user_id=matching(_USER_ID, new_user), phone=_phone(number), name=sender.name)
    if number is None and sender.whatsapp_id is not None:  # the number stays, another user id stands behind it
        before, after = replace(before, whatsapp_id=None), replace(sender, user_id=after.user_id)
    if _known(before) is None or _known(after) is None or _known(before) == _known(after):
        raise Ignored("moved_nowhere")
    return replace(inbound, kind=MessageKind.MOVED, sender=after, was=before, reply_to=())


def _known(party: Party) -> str | None:
    return party.whatsapp_id or party.user_id


def _carded(inbound: Inbound, message: Mapping[str, Any], own: str) -> Inbound:
    """
    The sender's own number, if we do not see it and one card with a number comes because we asked. Any other card may
    be anybody's and is unreadable: its sender is told to write.
    """
    cards = mappings(message.get("contacts"))
    asked = inbound.sender.whatsapp_id is None and len(cards) == 1 and _asked_for(message, cards[0], own)
    for row in mappings(cards[0].get("phones")) if asked else ():
        number = _phone(string(row.get("wa_id"))) or _written_phone(string(row.get("phone")))
        if number is not None:
            return replace(inbound, kind=MessageKind.CONTACT, sender=replace(inbound.sender, phone=number))
    return inbound


def _asked_for(message: Mapping[str, Any], card: Mapping[str, Any], own: str) -> bool:
    """
    Whether Meta says so, or, where it says nothing, the card answers a message of ours.
    """
    origin = string(message.get("origin")) or string(card.get("origin"))
    context = mapping(message.get("context"))
    answers = name_given(context.get("id")) is not None and string(context.get("from")) in (None, own)
    return origin == _ASKED if origin else answers


# --- who ---


def _sender(message: Mapping[str, Any], contacts: list[Mapping[str, Any]]) -> Party:
    number, user_id = matching(_WA_ID, message.get("from")), matching(_USER_ID, message.get("from_user_id"))
    user_id = user_id or matching(_USER_ID, message.get("from"))
    contact = _contact_of(number, user_id, contacts)
    number = number or matching(_WA_ID, contact.get("wa_id"))
    return Party(
        whatsapp_id=number,
        user_id=user_id or matching(_USER_ID, contact.get("user_id")),
        phone=_phone(number),
        name=string(mapping(contact.get("profile")).get("name")),
    )


def _contact_of(number: str | None, user_id: str | None, contacts: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """
    The card of who wrote: by user id or number, or the only one, if nothing says that it is somebody else's.
    """
    for card in contacts:
        if (user_id and card.get("user_id") == user_id) or (number and card.get("wa_id") == number):
            return card
    if len(contacts) == 1 and number is None and user_id is None:
        return contacts[0]
    return {}


def _phone(wa_id: str | None) -> str | None:
    return _written_phone("+" + wa_id) if wa_id else None


def _written_phone(number: str | None) -> str | None:
    try:
        return cleaning.phone(number) if number else None
    except ValueError:
        return None


# --- a status ---


def _delivery(status: Mapping[str, Any], now: datetime) -> Delivery:
    provider_id, found = name_given(status.get("id")), _STATUSES.get(string(status.get("status")) or "")
    if provider_id is None:
        raise Ignored("no_id")
    if found is None:
        raise Ignored("other_status")
    to = Party(
        whatsapp_id=matching(_WA_ID, status.get("recipient_id")),
        user_id=matching(_USER_ID, status.get("recipient_user_id")) or matching(_USER_ID, status.get("recipient_id")),
    )
    if _known(to) is None:
        raise Ignored("no_recipient")
    errors = mappings(status.get("errors"))
    code = errors[0].get("code") if errors and found is DeliveryStatus.FAILED else None
    return Delivery(
        channel=Channel.WHATSAPP,
        to=to,
        provider_id=provider_id,
        status=found,
        reported_at=moment(status.get("timestamp")) or now,
        code=short(str(code) if isinstance(code, int) else code, 100),
        key_sent=short(status.get("biz_opaque_callback_data"), 200),
    )
