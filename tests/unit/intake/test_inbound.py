"""
What comes in as records: who it is, what they wish, which request they name; and what is kept of it how often.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.common.contracts import ids
from services.common.contracts.envelope import Record, decode
from services.common.contracts.events import ContactChanged, DeliveryReported, MessageReceived
from services.common.contracts.ids import keyed_hash
from services.common.contracts.topics import CONTACTS, MESSAGES_IN, MESSAGES_OUT
from services.common.contracts.vocabulary import Channel, DeliveryStatus, MessageKind, NotifyVia, Wish
from services.intake.conversations.inbound import (
    SAME_FOR,
    Delivery,
    Inbound,
    Inbox,
    NoAddress,
    Party,
    delivery_record,
    message_of,
    number_in,
    records_of,
    sound,
    wish_of,
)
from services.intake.domain import Accepted
from services.intake.keeper import NowhereToKeep

SECRET = b"0123456789abcdef"
NOW = datetime(2026, 6, 3, 8, 0, tzinfo=UTC)
NUMBER, USER, PHONE, MAIL = "905320000001", "TR.1349", "+905320000001", "Ayse@Example.com"
SHOWN = Party(whatsapp_id=NUMBER, user_id=USER, phone=PHONE, name="Ayşe\n Yılmaz ")
HIDDEN = Party(user_id=USER, name="Ayşe Yılmaz")
TEXT = Inbound(Channel.WHATSAPP, "whatsapp", "wamid.A1", SHOWN, MessageKind.TEXT, NOW, text="Sokakta çukur var")


def hashed(kind: str, address: str) -> str:
    return keyed_hash(SECRET, kind, address)


def contact(accepted: Accepted) -> ContactChanged:
    event = event_of(accepted.records[0])
    assert isinstance(event, ContactChanged)
    return event


def event_of(record: Record) -> object:
    return decode(record.topic, record.key, record.value, record.headers).data


def test_the_contact_stands_before_the_message() -> None:
    accepted = records_of(TEXT, SECRET, NOW)
    assert [record.topic for record in accepted.records] == [CONTACTS.name, MESSAGES_IN.name]
    message = event_of(accepted.records[1])
    assert isinstance(message, MessageReceived)
    assert contact(accepted).contact_id == message.contact_id


def test_no_address_and_no_name_stands_in_the_message() -> None:
    record = records_of(replace(TEXT, sender=replace(SHOWN, email=MAIL)), SECRET, NOW).records[1]
    whole = (record.value or b"") + record.key + b"".join(content for _, content in record.headers)
    for told in (NUMBER, USER, PHONE, MAIL, "Ayşe"):
        assert told.encode() not in whole


def test_what_is_personal_does_not_stand_where_an_error_might_show_it() -> None:
    shown = repr(replace(TEXT, sender=replace(SHOWN, email=MAIL), subject="Gizli konu"))
    for told in (NUMBER, USER, PHONE, MAIL, "Ayşe", "çukur", "Gizli"):
        assert told not in shown


def test_a_whatsapp_user_who_shows_a_number_is_known_by_it_and_by_the_rest_too() -> None:
    message = message_of(TEXT, SECRET, NOW)
    assert message.person == hashed("whatsapp", NUMBER)
    assert message.also == (hashed("whatsapp", USER), hashed("phone", PHONE))
    kept = contact(records_of(TEXT, SECRET, NOW))
    assert (kept.whatsapp_id, kept.phone, kept.name, kept.notify_via) == (
        NUMBER,
        PHONE,
        "Ayşe Yılmaz",
        NotifyVia.WHATSAPP,
    )
    assert (kept.whatsapp_hash, kept.phone_hash) == (message.person, hashed("phone", PHONE))


def test_a_whatsapp_user_who_shows_none_is_known_by_the_user_id() -> None:
    hidden = replace(TEXT, sender=HIDDEN)
    message = message_of(hidden, SECRET, NOW)
    assert (message.person, message.also) == (hashed("whatsapp", USER), ())
    kept = contact(records_of(hidden, SECRET, NOW))
    assert (kept.whatsapp_id, kept.phone, kept.phone_hash) == (USER, None, None)


def test_sms_and_mail_are_known_by_number_and_address() -> None:
    sms = replace(TEXT, channel=Channel.SMS, sender=Party(phone=PHONE))
    assert message_of(sms, SECRET, NOW).person == hashed("phone", PHONE)
    assert contact(records_of(sms, SECRET, NOW)).notify_via is NotifyVia.SMS
    mail = replace(TEXT, channel=Channel.EMAIL, sender=Party(email=MAIL))
    assert message_of(mail, SECRET, NOW).person == hashed("email", MAIL.lower())
    kept = contact(records_of(mail, SECRET, NOW))
    assert (kept.email, kept.email_hash) == (MAIL, hashed("email", MAIL.lower()))


@pytest.mark.parametrize("channel", [Channel.WHATSAPP, Channel.SMS, Channel.EMAIL])
def test_nobody_cannot_write(channel: Channel) -> None:
    with pytest.raises(NoAddress):
        records_of(replace(TEXT, channel=channel, sender=Party(name="Ayşe")), SECRET, NOW)


def test_the_same_message_later_differs_in_when_it_came_alone() -> None:
    first, again = (message_of(TEXT, SECRET, NOW + timedelta(days=days)) for days in (0, 2))
    assert first.model_copy(update={"received_at": again.received_at}) == again


def test_two_people_whose_mails_have_the_same_name_wrote_two_mails() -> None:
    mails = [
        Inbound(Channel.EMAIL, "email", "<1@x>", Party(email=address), MessageKind.TEXT, NOW, text="Çukur")
        for address in (MAIL, MAIL.lower(), "veli@example.com")
    ]
    first, again, other = (message_of(mail, SECRET, NOW).message_id for mail in mails)
    assert first == again != other


def test_who_moved_is_known_and_reached_by_both_contacts() -> None:
    before = replace(TEXT, sender=Party(whatsapp_id="905320000009", phone="+905320000009"))
    moved = records_of(replace(TEXT, kind=MessageKind.MOVED, text=None, was=before.sender), SECRET, NOW)
    *contacts, message = (event_of(record) for record in moved.records)
    assert isinstance(message, MessageReceived)
    assert message.replaces == hashed("whatsapp", "905320000009")
    assert [one.contact_id for one in contacts if isinstance(one, ContactChanged)] == [
        message.contact_id,
        contact(records_of(before, SECRET, NOW)).contact_id,
    ]
    assert {one.phone for one in contacts if isinstance(one, ContactChanged)} == {PHONE}
    assert len({dict(record.headers)["ce_id"] for record in moved.records}) == 3


@pytest.mark.parametrize(
    "word", ["DUR", "dur", " Durdur! ", "İPTAL", "iptal", "ıptal", "STOP", "Ret.", "ÇIK", "çık", "cik"]
)
def test_one_word_ends_our_messages(word: str) -> None:
    assert wish_of(word) is Wish.STOP
    assert message_of(replace(TEXT, text=word), SECRET, NOW).wish is Wish.STOP


@pytest.mark.parametrize("word", ["BAŞLA", "başla", "Start", "DEVAM"])
def test_one_word_begins_them_again(word: str) -> None:
    assert wish_of(word) is Wish.START


@pytest.mark.parametrize(
    "words", ["su dur", "dur artık", "durdurun", "", "!", None, "çıkmaz sokak", "D U R", "dur " * 50]
)
def test_words_among_others_are_no_wish(words: str | None) -> None:
    assert wish_of(words) is None


AROUND = st.text(max_size=20).map(lambda words: "".join(c for c in words if not c.isalnum() and c not in "-."))


@given(st.text(), AROUND, AROUND, st.booleans(), st.booleans())
def test_a_number_is_found_wherever_it_stands(seed: str, before: str, after: str, grouped: bool, lower: bool) -> None:
    number = ids.keyed_request_id(SECRET, seed)
    assume(grouped or not (number.isalpha() or number.isdigit()))
    written = ids.grouped(number) if grouped else number
    assert number_in(f"{before} {written.lower() if lower else written} {after}") == number


def test_a_part_is_found_as_a_part() -> None:
    number = ids.keyed_request_id(SECRET, "x")
    assert number_in(f"Talep {ids.grouped(number)}.2 hakkında") == f"{number}.2"


def test_the_first_number_that_checks_counts() -> None:
    number = ids.keyed_request_id(SECRET, "x")
    wrong = number[:-1] + ("0" if number[-1] != "0" else "1")
    assert number_in(f"{wrong} değil, {number}") == number


@pytest.mark.parametrize(
    "words", [None, "", "Çukur var", "0090 532 000 00 01", "TR330006100519786457841326", "8690123456789", "a" * 13]
)
def test_other_things_are_no_number(words: str | None) -> None:
    assert number_in(words) is None


def test_a_number_in_the_subject_goes_before_one_in_the_text() -> None:
    first, second = (ids.keyed_request_id(SECRET, name) for name in "ab")
    assert message_of(replace(TEXT, subject=f"Re: {first}", text=second), SECRET, NOW).number == first


@given(st.text() | st.text(alphabet="\x00\ud800 \n\u200b\u0301ş"), st.integers(1, 40))
def test_words_are_kept_sound_whatever_came(words: str, limit: int) -> None:
    kept = sound(words, limit)
    assert kept is None or (kept.strip() == kept and 0 < len(kept) <= limit)
    assert sound(kept, limit) == kept
    (kept or "").encode()


def test_a_text_with_nothing_to_see_is_unreadable_and_a_file_needs_none() -> None:
    assert message_of(replace(TEXT, text=" \u200b\n"), SECRET, NOW).kind is MessageKind.UNREADABLE
    assert message_of(replace(TEXT, text=None, kind=MessageKind.MEDIA), SECRET, NOW).kind is MessageKind.MEDIA


def test_a_report_is_about_the_recipient_and_has_the_same_id_each_time() -> None:
    report = Delivery(Channel.EMAIL, Party(email=MAIL), "<k@ilkim>", DeliveryStatus.FAILED, NOW, code="5.1.1")
    first, again = (delivery_record(report, SECRET, NOW + timedelta(hours=hours)) for hours in (0, 1))
    assert first.id == again.id
    assert first.records[0].topic == MESSAGES_OUT.name
    event = event_of(first.records[0])
    assert isinstance(event, DeliveryReported)
    assert (event.person, event.code) == (hashed("email", MAIL.lower()), "5.1.1")


# --- keeping ---


class Kept:
    """
    An inbox with what it kept, by topic, and a clock.
    """

    def __init__(self, numbered: bool = False) -> None:
        self.now = NOW
        self.records: list[Record] = []
        self.full = False
        self.numbered = numbered
        self.holders: dict[str, str | None] = {}
        self.inbox = Inbox(SECRET, self.keep, lambda: self.now, self.has_number, self.holder)

    async def keep(self, accepted: Accepted) -> None:
        if self.full:
            raise NowhereToKeep
        self.records += accepted.records
        self.holders |= {one.contact_id: one.whatsapp_hash for one in self.contacts()}

    async def holder(self, contact_id: str) -> str | None:
        return self.holders.get(contact_id)

    async def has_number(self, contact_id: str) -> bool:
        assert contact_id == contact(records_of(replace(TEXT, sender=HIDDEN), SECRET, NOW)).contact_id
        return self.numbered

    def contacts(self) -> list[ContactChanged]:
        events = [event_of(record) for record in self.records]
        return [event for event in events if isinstance(event, ContactChanged)]


async def test_a_contact_is_not_kept_again_with_each_message_but_when_it_changed_or_after_a_while() -> None:
    kept = Kept()
    for name in ("wamid.1", "wamid.2", "wamid.3"):
        await kept.inbox.take(replace(TEXT, provider_id=name))
    assert [record.topic for record in kept.records] == [CONTACTS.name, *[MESSAGES_IN.name] * 3]
    await kept.inbox.take(replace(TEXT, sender=replace(SHOWN, name="Ayşe Kaya")))
    assert [one.name for one in kept.contacts()] == ["Ayşe Yılmaz", "Ayşe Kaya"]
    kept.now += SAME_FOR
    await kept.inbox.take(replace(TEXT, sender=replace(SHOWN, name="Ayşe Kaya")))
    assert len(kept.contacts()) == 3


async def test_a_contact_that_could_not_be_kept_comes_with_the_next_try() -> None:
    kept = Kept()
    kept.full = True
    with pytest.raises(NowhereToKeep):
        await kept.inbox.take(TEXT)
    kept.full = False
    await kept.inbox.take(TEXT)
    assert len(kept.contacts()) == 1


async def test_the_number_that_somebody_gave_is_not_forgotten_by_their_next_message() -> None:
    kept, hidden = Kept(), replace(TEXT, sender=HIDDEN)
    await kept.inbox.take(hidden)
    await kept.inbox.take(replace(hidden, kind=MessageKind.CONTACT, sender=replace(HIDDEN, phone=PHONE)))
    await kept.inbox.take(hidden)
    assert [one.phone for one in kept.contacts()] == [None, PHONE]


async def test_a_number_that_is_known_from_before_is_not_taken_away() -> None:
    kept = Kept(numbered=True)
    await kept.inbox.take(replace(TEXT, sender=HIDDEN))
    assert [record.topic for record in kept.records] == [MESSAGES_IN.name]


def of_number(number: str, name: str, was: Party | None = None) -> Inbound:
    """
    A message from a number; with ``was`` the news that its owner moved there.
    """
    kind = MessageKind.TEXT if was is None else MessageKind.MOVED
    sender = Party(whatsapp_id=number, phone=f"+{number}", name=name)
    return replace(TEXT, provider_id=f"wamid.{name}.{number}", sender=sender, kind=kind, was=was)


async def test_who_has_a_number_after_somebody_who_moved_has_a_contact_of_their_own() -> None:
    kept, old, new, last = Kept(), NUMBER, "905320000002", "905320000003"
    await kept.inbox.take(of_number(old, "Ana"))
    await kept.inbox.take(of_number(new, "Ana", was=Party(whatsapp_id=old)))
    anas = {one.contact_id for one in kept.contacts()}
    await kept.inbox.take(of_number(old, "Heir"))
    heirs = kept.contacts()[-1].contact_id
    await kept.inbox.take(of_number(last, "Heir", was=Party(whatsapp_id=old)))
    await kept.inbox.take(of_number(old, "Third"))
    latest = {one.contact_id: one for one in kept.contacts()}
    assert heirs not in anas
    assert {latest[one].phone for one in anas} == {f"+{new}"}, "what Ana asked before is told to Ana"
    assert latest[heirs].phone == f"+{last}"
    assert kept.contacts()[-1].contact_id not in {*anas, heirs}
    message = event_of(kept.records[-1])
    assert isinstance(message, MessageReceived)
    assert message.contact_id == kept.contacts()[-1].contact_id


async def test_news_of_a_move_that_comes_twice_moves_the_same_contacts() -> None:
    kept, news = Kept(), of_number("905320000002", "Ana", was=Party(whatsapp_id=NUMBER))
    await kept.inbox.take(news)
    kept.now += SAME_FOR
    await kept.inbox.take(news)
    assert len(kept.contacts()) == 4
    assert len({one.contact_id for one in kept.contacts()}) == 2


async def test_news_of_a_move_reach_the_old_contact_although_the_new_one_wrote_already() -> None:
    kept, new = Kept(), "905320000002"
    await kept.inbox.take(of_number(NUMBER, "Ana"))
    await kept.inbox.take(of_number(new, "Ana"))
    await kept.inbox.take(of_number(new, "Ana", was=Party(whatsapp_id=NUMBER)))
    latest = {one.contact_id: one.phone for one in kept.contacts()}
    assert list(latest.values()) == [f"+{new}"] * 2
