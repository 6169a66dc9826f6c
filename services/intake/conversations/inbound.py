"""
What a citizen wrote on any conversation channel, as the records that intake keeps: who writes goes to ``contacts``,
what is written to ``messages.inbound``, what a provider reports of our messages to ``messages.outbound``.

``Inbound`` and ``Delivery`` are what a channel's parser gives. The functions are pure; ``Inbox`` keeps what they make.
"""

import re
import unicodedata
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from services.common.contracts import ids, text, topics
from services.common.contracts.envelope import Record, encode
from services.common.contracts.events import ContactChanged, DeliveryReported, Location, Media, MessageReceived
from services.common.contracts.vocabulary import Channel, DeliveryStatus, MessageKind, NotifyVia, Wish
from services.common.kit.clock import Clock
from services.intake.domain import AHEAD, OLDEST, Accepted, metadata

MOST_TEXT: Final = 20_000
MOST_SUBJECT: Final = 500
MOST_NAME: Final = 200
SAME_FOR: Final = timedelta(minutes=10)  # shorter than notify waits for a contact
_REMEMBERED: Final = 10_000
_WISHES: Final = {
    **dict.fromkeys(("dur", "durdur", "iptal", "stop", "ret", "cik"), Wish.STOP),
    **dict.fromkeys(("basla", "start", "devam"), Wish.START),
}
_NUMBER: Final = re.compile(
    r"(?<![0-9A-Za-z])"
    r"([0-9A-TV-Za-tv-z]{4}([- ])[0-9A-TV-Za-tv-z]{4}\2[0-9A-TV-Za-tv-z]{4}\2[0-9A-TV-Za-tv-z]|[0-9A-TV-Za-tv-z]{13})"
    r"(\.[1-9][0-9]?)?(?![0-9A-Za-z])"
)
_VIA: Final = {
    Channel.WHATSAPP: NotifyVia.WHATSAPP,
    Channel.SMS: NotifyVia.SMS,
    Channel.EMAIL: NotifyVia.EMAIL,
}

Keep = Callable[[Accepted], Awaitable[None]]
HasNumber = Callable[[str], Awaitable[bool]]
Holder = Callable[[str], Awaitable[str | None]]
NOBODY_MOVED: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Party:
    """
    Who writes, or who was written to, as the channel knows them.

    ``whatsapp_id`` is WhatsApp's wa_id (digits), absent if the number is not shown; ``user_id`` the business-scoped id
    (``TR.1349…``). ``phone`` is E.164: SMS's own address; on WhatsApp the number that is shown, or that was given.
    """

    whatsapp_id: str | None = field(default=None, repr=False)
    user_id: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Inbound:
    """
    One message that came in. Fields as in ``MessageReceived``; ``about`` is the provider's id of the message that was
    edited or deleted, ``was`` the sender before their address changed. Text and subject are taken as they came.

    ``provider_id``, ``about`` and ``reply_to`` are printable ASCII without blanks, of at most 400 characters.
    """

    channel: Channel
    adapter: str
    provider_id: str
    sender: Party
    kind: MessageKind
    sent_at: datetime
    text: str | None = field(default=None, repr=False)
    subject: str | None = field(default=None, repr=False)
    location: Location | None = field(default=None, repr=False)
    media: tuple[Media, ...] = ()
    reply_to: tuple[str, ...] = ()
    choice: str | None = None
    about: str | None = None
    was: Party | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    What a provider says of a message of ours. Fields as in ``DeliveryReported``.
    """

    channel: Channel
    to: Party
    provider_id: str
    status: DeliveryStatus
    reported_at: datetime
    code: str | None = None
    key_sent: str | None = None


class NoAddress(ValueError):
    """
    The channel tells nothing by which its user could be known again.
    """


# --- words ---


def sound(words: str | None, limit: int) -> str | None:
    """
    Words that can be kept, whatever came: NFC, no control characters, at most ``limit`` characters; None if nothing of
    them is visible.
    """
    if words is None:
        return None
    plain = words[: 2 * limit].replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(char for char in plain if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs"))
    cut = unicodedata.normalize("NFC", kept).strip()[:limit].rstrip()
    return cut if any(unicodedata.category(char)[0] not in "CZ" for char in cut) else None


def wish_of(words: str | None) -> Wish | None:
    """
    Whether this is one of the words that end or begin our messages: that word and nothing else.
    """
    if words is None or len(words) > 40:
        return None
    return _WISHES.get(" ".join(text.words(words)))


def number_in(words: str | None) -> str | None:
    """
    The first request number that stands in the words, grouped or not, with a check character that checks.

    Thirteen letters in a row are a word and thirteen digits belong to somebody else, unless they are grouped.
    """
    for found in _NUMBER.finditer(words or ""):
        bare, grouped = found.group(1), found.group(2)
        if not grouped and (bare.isalpha() or bare.isdigit()):
            continue
        try:
            return ids.parse_any_id(found.group(0))
        except ids.IllFormedId:
            continue
    return None


# --- who ---


def person_of(channel: Channel, party: Party, secret: bytes) -> str:
    """
    The hash by which a channel's user is known. Raises ``NoAddress``.
    """
    kind, address = {
        Channel.WHATSAPP: ("whatsapp", party.whatsapp_id or party.user_id),
        Channel.SMS: ("phone", party.phone),
        Channel.EMAIL: ("email", party.email.lower() if party.email else None),
    }[channel]
    if not address:
        raise NoAddress(f"nothing tells who it is on {channel}")
    return ids.keyed_hash(secret, kind, address)


def also_of(channel: Channel, party: Party, secret: bytes) -> tuple[str, ...]:
    """
    Other hashes of the same person, as far as the provider vouches for them: a number that a sender without one gave
    may be anybody's.
    """
    if channel is not Channel.WHATSAPP or not party.whatsapp_id:
        return ()
    known = (("whatsapp", party.user_id), ("phone", party.phone))
    return tuple(ids.keyed_hash(secret, kind, value) for kind, value in known if value)


def contact_id_of(channel: Channel, person: str, secret: bytes, gone: str | None = None) -> str:
    """
    The contact of a person on a channel. ``gone``: the contact of who had the address before and moved with it.
    """
    return "c_" + ids.keyed_hash(secret, "contact", channel, person, *filter(None, [gone]))


def message_id_of(channel: Channel, provider_id: str, person: str) -> str:
    """
    Our id of a provider's message. Mails are named by their senders: what two people call the same are two mails.
    """
    return ids.derived_id("message", channel, provider_id, *([person] if channel == Channel.EMAIL else []))


# --- records ---


def contact_of(
    inbound: Inbound, secret: bytes, now: datetime, contacts: Mapping[str, str] = NOBODY_MOVED
) -> ContactChanged:
    """
    How to reach the sender. ``contacts``: those of persons who have another one than their hash gives. Raises
    ``NoAddress``.
    """
    sender = inbound.sender
    person = person_of(inbound.channel, sender, secret)
    email = sender.email.lower() if sender.email else None
    name = sound(sender.name, MOST_NAME)
    return ContactChanged(
        contact_id=contacts.get(person) or contact_id_of(inbound.channel, person, secret),
        changed_at=now,
        name=" ".join(name.split()) if name else None,
        phone=sender.phone,
        email=sender.email,
        whatsapp_id=sender.whatsapp_id or sender.user_id,
        notify_via=_VIA[inbound.channel],
        phone_hash=ids.keyed_hash(secret, "phone", sender.phone) if sender.phone else None,
        email_hash=ids.keyed_hash(secret, "email", email) if email else None,
        whatsapp_hash=person if inbound.channel is Channel.WHATSAPP else None,
    )


def message_of(
    inbound: Inbound, secret: bytes, now: datetime, contacts: Mapping[str, str] = NOBODY_MOVED
) -> MessageReceived:
    """
    The message without any address. A text with nothing to see in it is unreadable. ``contacts`` as in ``contact_of``.
    Raises ``NoAddress``.
    """
    channel = inbound.channel
    person = person_of(channel, inbound.sender, secret)
    words, subject = sound(inbound.text, MOST_TEXT), sound(inbound.subject, MOST_SUBJECT)
    kind = MessageKind.UNREADABLE if inbound.kind is MessageKind.TEXT and not (words or subject) else inbound.kind
    return MessageReceived(
        message_id=message_id_of(channel, inbound.provider_id, person),
        provider_id=inbound.provider_id,
        channel=channel,
        person=person,
        also=also_of(channel, inbound.sender, secret),
        replaces=person_of(channel, inbound.was, secret) if inbound.was else None,
        contact_id=contacts.get(person) or contact_id_of(channel, person, secret),
        kind=kind,
        text=words,
        subject=subject,
        location=inbound.location,
        media=inbound.media[:10],
        reply_to=inbound.reply_to[:20],
        number=number_in(subject) or number_in(words),
        choice=inbound.choice,
        about=message_id_of(channel, inbound.about, person) if inbound.about else None,
        wish=wish_of(words) if kind is MessageKind.TEXT else None,
        sent_at=inbound.sent_at if OLDEST <= inbound.sent_at <= now + AHEAD else now,
        received_at=now,
        adapter=inbound.adapter,
    )


def records_of(inbound: Inbound, secret: bytes, now: datetime, contacts: Mapping[str, str] = NOBODY_MOVED) -> Accepted:
    """
    The contact, then the message. Who moved is reached at the new address by the contact of the old one too: their
    requests have that. The same message has the same ids whenever it comes, and differs in when it was received at
    most. ``contacts`` as in ``contact_of``. Raises ``NoAddress``.
    """
    message, contact = message_of(inbound, secret, now, contacts), contact_of(inbound, secret, now, contacts)
    event_id = message.message_id
    changed = [contact]
    if message.replaces is not None:
        before = contacts.get(message.replaces) or contact_id_of(inbound.channel, message.replaces, secret)
        changed.append(contact.model_copy(update={"contact_id": before}))
    records = [
        encode(topics.CONTACTS, metadata(ids.derived_id(event_id, one.contact_id), event_id, event_id, now), one)
        for one in changed
    ]
    records.append(encode(topics.MESSAGES_IN, metadata(event_id, event_id, event_id, now), message))
    return Accepted(event_id, event_id, keyed=False, records=tuple(records))


def delivery_record(delivery: Delivery, secret: bytes, now: datetime) -> Accepted:
    """
    What is kept of a provider's report. The same report has the same id. Raises ``NoAddress``.
    """
    event = DeliveryReported(
        person=person_of(delivery.channel, delivery.to, secret),
        channel=delivery.channel,
        provider_id=delivery.provider_id,
        key_sent=delivery.key_sent,
        status=delivery.status,
        code=delivery.code,
        reported_at=delivery.reported_at if OLDEST <= delivery.reported_at <= now + AHEAD else now,
    )
    event_id = ids.derived_id("delivery", delivery.channel, delivery.provider_id, delivery.status)
    record = encode(topics.MESSAGES_OUT, metadata(event_id, event_id, event_id, now), event)
    return Accepted(event_id, event_id, keyed=False, records=(record,))


# --- keeping ---


async def _never(_: str) -> bool:
    return False


async def _nobody(_: str) -> None:
    return None


class Inbox:
    """
    Keeps what comes in: ``keep`` returns when every record is kept, in order, and raises what its caller understands.

    A contact that has just been kept is not kept again with each message. The number that a WhatsApp user gave comes
    with one message only: ``has_number`` tells of a contact whether one is known, and what tells of none does not
    replace it. ``holder`` tells the WhatsApp hash that a contact is reached by: if that is not the sender's, the
    contact moved to another number, and who has the old one now gets a contact of their own. A return means: kept.
    """

    def __init__(
        self,
        secret: bytes,
        keep: Keep,
        clock: Clock,
        has_number: HasNumber = _never,
        holder: Holder = _nobody,
    ) -> None:
        self._secret = secret
        self._keep = keep
        self._clock = clock
        self._has_number = has_number
        self._holder = holder
        self._lately: dict[str, tuple[ContactChanged, datetime]] = {}

    async def take(self, inbound: Inbound) -> None:
        """
        Keep a message, and who wrote it if that is not what was kept lately. Raises ``NoAddress``.
        """
        now = self._clock()
        contacts = await self._contacts(inbound)
        accepted = records_of(inbound, self._secret, now, contacts)
        contact = contact_of(inbound, self._secret, OLDEST, contacts)  # as of no time: only what it says is compared
        known = inbound.was is None and self._known(contact, now)
        if known or (_numberless(contact) and await self._has_number(contact.contact_id)):
            accepted = replace(accepted, records=_without_contacts(accepted.records))
        await self._keep(accepted)
        if not known:
            self._remember(contact, now)

    async def report(self, delivery: Delivery) -> None:
        """
        Keep what a provider reports. Raises ``NoAddress``.
        """
        await self._keep(delivery_record(delivery, self._secret, self._clock()))

    async def _contacts(self, inbound: Inbound) -> dict[str, str]:
        """
        The contacts of who wrote and of who they were, by their hashes. Only WhatsApp tells who moved.
        """
        if inbound.channel is not Channel.WHATSAPP:
            return {}
        parties = [inbound.sender, *filter(None, [inbound.was])]
        persons = [person_of(inbound.channel, party, self._secret) for party in parties]
        found = {}
        for person in persons:
            contact = contact_id_of(inbound.channel, person, self._secret)
            while await self._holder(contact) not in (None, *persons):
                contact = contact_id_of(inbound.channel, person, self._secret, contact)
            found[person] = contact
        return found

    def _known(self, contact: ContactChanged, now: datetime) -> bool:
        """
        Whether all that this contact tells was kept lately.
        """
        known, at = self._lately.get(contact.contact_id, (None, OLDEST))
        if known is None or now - at >= SAME_FOR:
            return False
        if _numberless(contact):
            contact = contact.model_copy(update={"phone": known.phone, "phone_hash": known.phone_hash})
        return known == contact

    def _remember(self, contact: ContactChanged, now: datetime) -> None:
        self._lately.pop(contact.contact_id, None)
        if len(self._lately) >= _REMEMBERED:
            del self._lately[next(iter(self._lately))]
        self._lately[contact.contact_id] = (contact, now)


def _numberless(contact: ContactChanged) -> bool:
    return contact.notify_via is NotifyVia.WHATSAPP and contact.phone is None


def _without_contacts(records: tuple[Record, ...]) -> tuple[Record, ...]:
    return tuple(record for record in records if record.topic != topics.CONTACTS.name)
