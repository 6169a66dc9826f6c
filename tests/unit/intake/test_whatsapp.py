"""
What is read from a body of WhatsApp's: every type of message, who wrote it, statuses, and what is broken beside it.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.vocabulary import Channel, DeliveryStatus, MessageKind
from services.intake.conversations.inbound import Inbound, Party, delivery_record, message_of, records_of
from services.intake.conversations.whatsapp import NotABody, Parsed, parse
from tests.unit.intake.whatsapp_bodies import AT, AYSE, AYSE_ID, NUMBER_ID, OURS, body, card, message, raw, value

SECRET = b"0123456789abcdef"
NOW = datetime(2026, 6, 3, 8, 0, 5, tzinfo=UTC)
FROM_AYSE = Party(whatsapp_id=AYSE, user_id=AYSE_ID, phone="+905320000001", name="Ayşe Yılmaz")
FILE = {"mime_type": "image/jpeg", "sha256": "4654+8g=", "id": "65463453"}


def read(*messages: Any, **of_value: Any) -> Parsed:
    return parse(raw(body(value(*messages, **of_value))), NOW)


def one(kind: str, content: Any = None, **fields: Any) -> Inbound:
    parsed = read(message(kind, **({} if content is None else {kind: content}), **fields))
    assert not parsed.ignored
    return parsed.messages[0]


def test_a_text_is_read_with_who_wrote_it_when_and_in_answer_to_what() -> None:
    found = one("text", {"body": "Hâlâ çukur"}, context={"from": OURS, "id": "wamid.OURS"})
    assert found == Inbound(
        channel=Channel.WHATSAPP,
        adapter="whatsapp",
        provider_id="wamid.A1",
        sender=FROM_AYSE,
        kind=MessageKind.TEXT,
        sent_at=datetime.fromtimestamp(AT, UTC),
        text="Hâlâ çukur",
        reply_to=("wamid.OURS",),
    )


@pytest.mark.parametrize("kind", ["image", "video", "audio", "document"])
def test_a_file_is_read_with_its_caption(kind: str) -> None:
    found = one(kind, FILE | {"caption": "işte", "voice": True, "filename": "a.pdf"})
    assert (found.kind, found.text) == (MessageKind.MEDIA, "işte")
    assert [(m.provider_id, m.mime_type, m.sha256) for m in found.media] == [("65463453", "image/jpeg", "4654+8g=")]


def test_a_file_without_its_id_is_what_its_caption_says_or_unreadable() -> None:
    assert one("image", {"caption": "çukur"}).kind is MessageKind.TEXT
    assert one("image", {"mime_type": "image/jpeg"}).kind is MessageKind.UNREADABLE


def test_a_place_is_read_with_its_name_and_address() -> None:
    found = one("location", {"latitude": 41.2867, "longitude": 36, "name": "Park", "address": "Lise Cd.\n1"})
    assert found.kind is MessageKind.LOCATION
    assert found.location is not None
    assert (found.location.lat, found.location.lon, found.location.address) == (41.2867, 36.0, "Park, Lise Cd. 1")


@pytest.mark.parametrize("lat", [None, "41.2", 91, float("nan"), float("inf"), True, 10**400])
def test_a_place_that_is_on_no_map_is_its_address_or_unreadable(lat: Any) -> None:
    content = {"latitude": lat, "longitude": 36.33}
    assert one("location", content).kind is MessageKind.UNREADABLE
    named = one("location", content | {"name": "Saathane Meydanı"})
    assert (named.kind, named.text) == (MessageKind.TEXT, "Saathane Meydanı")


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("interactive", {"type": "button_reply", "button_reply": {"id": "new", "title": "Yeni"}}),
        ("interactive", {"type": "list_reply", "list_reply": {"id": "new", "title": "Yeni", "description": "x"}}),
        ("button", {"payload": "new", "text": "Yeni"}),
    ],
)
def test_a_button_a_row_and_a_quick_reply_are_choices(kind: str, content: Any) -> None:
    found = one(kind, content)
    assert (found.kind, found.choice, found.text) == (MessageKind.CHOICE, "new", "Yeni")


def test_a_button_without_an_id_is_what_stands_on_it() -> None:
    found = one("button", {"text": "Evet"})
    assert (found.kind, found.text) == (MessageKind.TEXT, "Evet")


def test_a_form_is_a_choice_if_it_was_ours() -> None:
    answers = {"flow_token": "fb:7XK29MQ4T3BDM:9:4", "comment": "Sağ olun", "n": 3}
    reply = {"name": "flow", "body": "Sent", "response_json": json.dumps(answers)}
    found = one("interactive", {"type": "nfm_reply", "nfm_reply": reply})
    assert (found.kind, found.choice, found.text) == (MessageKind.CHOICE, "fb:7XK29MQ4T3BDM:9:4", "Sağ olun")
    for other in ('{"flow_token": "AQAA", "comment": "x"}', "{", "[]", "[" * 100_000, None):
        reply = {"name": "flow", "body": "Sent", "response_json": other}
        assert one("interactive", {"type": "nfm_reply", "nfm_reply": reply}).kind is MessageKind.UNREADABLE


def test_reactions_and_stickers_say_nothing_that_needs_an_answer() -> None:
    reaction = one("reaction", {"message_id": "wamid.OURS", "emoji": "👍"})
    assert (reaction.kind, reaction.reply_to, reaction.text) == (MessageKind.REACTION, ("wamid.OURS",), None)
    assert one("reaction", {"message_id": "wamid.OURS"}).kind is MessageKind.REACTION
    assert one("sticker", FILE).kind is MessageKind.REACTION


@pytest.mark.parametrize("kind", ["order", "unsupported", "pool", "text", "interactive"])
def test_what_we_cannot_read_is_known_to_have_come(kind: str) -> None:
    content = {"errors": [{"code": 131051}]} if kind == "unsupported" else {}
    found = read(message(kind, **{kind: content})).messages[0]
    assert message_of(found, SECRET, NOW).kind is MessageKind.UNREADABLE


@pytest.mark.parametrize("kind", ["request_welcome", "ephemeral"])
def test_what_says_nothing_is_counted_and_not_taken(kind: str) -> None:
    assert read(message(kind)) == Parsed((), (), {"nothing_said": 1})


def test_an_edit_is_about_the_message_that_it_changes() -> None:
    edit = {"original_message_id": "wamid.A0", "message": {"type": "text", "text": {"body": "kuyu"}, "context": {}}}
    found = one("edit", edit)
    assert (found.kind, found.about, found.text) == (MessageKind.EDITED, "wamid.A0", "kuyu")
    caption = {"type": "image", "image": FILE | {"caption": "kuyu"}}
    found = one("edit", {"original_message_id": "wamid.A0", "message": caption})
    assert (found.kind, found.text, len(found.media)) == (MessageKind.EDITED, "kuyu", 1)


def test_an_edit_that_cannot_be_read_leaves_what_was_written() -> None:
    poll = {"original_message_id": "wamid.A0", "message": {"type": "poll"}}
    assert read(message("edit", edit=poll)).ignored == {"edit_unreadable": 1}
    nothing = {"message": {"type": "text", "text": {"body": "kuyu"}}}
    assert read(message("edit", edit=nothing)).ignored == {"no_original": 1}


def test_a_message_that_was_taken_back_is_named() -> None:
    found = one("revoke", {"original_message_id": "wamid.A0"})
    assert (found.kind, found.about) == (MessageKind.DELETED, "wamid.A0")
    assert (
        message_of(found, SECRET, NOW).about
        == message_of(replace(found, provider_id="wamid.A0"), SECRET, NOW).message_id
    )


# --- who ---


def hidden(kind: str = "text", **fields: Any) -> Inbound:
    """
    A message of somebody who does not show a number.
    """
    unseen = message(kind, **{"sender": None, "from_user_id": AYSE_ID} | fields)
    return read(unseen, cards=[card(number=None)]).messages[0]


def test_a_user_without_a_visible_number_is_known_by_their_user_id() -> None:
    assert hidden().sender == Party(user_id=AYSE_ID, name="Ayşe Yılmaz")
    assert hidden(from_user_id=None, sender=AYSE_ID).sender.user_id == AYSE_ID
    assert hidden(from_user_id=None).sender.user_id == AYSE_ID, "the only card there is"


def test_each_sender_of_a_batch_has_the_card_that_is_theirs() -> None:
    veli = "905320000002"
    cards = [card(veli, "TR.2", "Veli Kaya"), card()]
    parsed = read(message(), message(name="wamid.V1", sender=veli), cards=cards)
    assert [m.sender.name for m in parsed.messages] == ["Ayşe Yılmaz", "Veli Kaya"]
    stranger = read(message(sender="905320000003")).messages[0].sender
    assert stranger == Party(whatsapp_id="905320000003", phone="+905320000003"), "another's card is not theirs"


def test_a_message_of_nobody_is_not_taken() -> None:
    assert read(message(sender=None), cards=[]).ignored == {"no_sender": 1}
    assert read(message(sender="ayşe"), cards=[]).ignored == {"no_sender": 1}


def test_what_our_own_number_writes_is_not_taken() -> None:
    assert read(message(sender=OURS), cards=[]).ignored == {"own_number": 1}


def test_groups_are_not_read() -> None:
    assert read(message(group_id="Y2FwaV9ncm91cD")).ignored == {"group": 1}


def test_with_a_number_of_ours_given_others_of_the_account_are_left_alone() -> None:
    document = raw(body(value(message(), statuses=[status()])))
    assert parse(document, NOW, NUMBER_ID).messages
    assert parse(document, NOW, "999") == Parsed((), (), {"other_number": 2})


CARD = {"name": {"formatted_name": "Ayşe"}, "phones": [{"phone": "+90 532 000 00 01", "wa_id": AYSE}]}


ANSWER = {"from": OURS, "id": "wamid.OURS"}


@pytest.mark.parametrize(
    "given",
    [
        {"contacts": [CARD | {"origin": "contact_request"}]},
        {"contacts": [CARD], "origin": "contact_request"},
        {"contacts": [CARD], "context": ANSWER},
        {"contacts": [{"name": {}, "phones": [{"phone": "0532 000 00 01"}]}], "context": ANSWER},
    ],
)
def test_the_number_that_a_user_without_one_gives_when_asked_is_theirs(given: Any) -> None:
    found = hidden("contacts", **given)
    assert (found.kind, found.sender.phone, found.sender.whatsapp_id) == (MessageKind.CONTACT, "+905320000001", None)
    assert message_of(found, SECRET, NOW).also == (), "a number that somebody says is theirs links nobody to anybody"


@pytest.mark.parametrize(
    "given",
    [
        {"contacts": [CARD]},
        {"contacts": [CARD], "context": {"forwarded": True}},
        {"contacts": [CARD], "context": {"from": AYSE_ID, "id": "wamid.THEIRS"}},
        {"contacts": [CARD | {"origin": "other"}], "context": ANSWER},
        {"contacts": [CARD, CARD], "context": ANSWER},
        {"contacts": [], "context": ANSWER},
        {"contacts": [{"phones": [{"phone": "yok"}]}], "context": ANSWER},
        {"contacts": [{"phones": {}}], "context": ANSWER},
    ],
)
def test_a_card_that_nobody_asked_for_is_not_the_senders_number(given: Any) -> None:
    found = hidden("contacts", **given)
    assert (found.kind, found.sender.phone) == (MessageKind.UNREADABLE, None)


def test_a_card_from_who_shows_a_number_does_not_take_that_number_away() -> None:
    other = {"name": {}, "phones": [{"phone": "0532 000 00 09"}]}
    found = one("contacts", [other | {"origin": "contact_request"}])
    assert (found.kind, found.sender.phone) == (MessageKind.UNREADABLE, "+905320000001")


@pytest.mark.parametrize("new", ["wa_id", "new_wa_id"])
def test_who_has_another_number_now_is_the_same_person(new: str) -> None:
    system = {"type": "user_changed_number", "body": "…", new: "905320000009", "user_id": "TR.9"}
    found = read(message("system", system=system), cards=[]).messages[0]
    assert found.kind is MessageKind.MOVED
    assert found.was == Party(whatsapp_id=AYSE)
    assert found.sender == Party(whatsapp_id="905320000009", user_id="TR.9", phone="+905320000009")


def test_who_has_another_user_id_now_is_the_same_person() -> None:
    system = {"type": "user_changed_user_id", "user_id": AYSE_ID, "new_user_id": "TR.9"}
    found = hidden("system", system=system)
    assert (found.was, found.sender.user_id) == (Party(user_id=AYSE_ID), "TR.9")
    shown = read(message("system", system=system)).messages[0]
    assert shown.was == Party(user_id=AYSE_ID)
    assert (shown.sender.whatsapp_id, shown.sender.user_id) == (AYSE, "TR.9"), "the number stays"


@pytest.mark.parametrize(
    ("system", "why"),
    [
        ({"type": "customer_identity_changed", "body": "…"}, "nothing_said"),
        ({"type": ["x"]}, "nothing_said"),
        ({"type": "user_changed_number"}, "moved_nowhere"),
        ({"type": "user_changed_number", "wa_id": AYSE}, "moved_nowhere"),
    ],
)
def test_other_news_of_the_system_are_not_taken(system: Any, why: str) -> None:
    assert read(message("system", system=system), cards=[]).ignored == {why: 1}


# --- statuses ---


def status(kind: str = "delivered", **fields: Any) -> dict[str, Any]:
    return {"id": "wamid.O1", "status": kind, "timestamp": str(AT), "recipient_id": AYSE} | fields


@pytest.mark.parametrize(
    ("kind", "found"),
    [("sent", "sent"), ("delivered", "delivered"), ("read", "read"), ("played", "read"), ("failed", "failed")],
)
def test_a_status_is_read(kind: str, found: str) -> None:
    report = read(statuses=[status(kind, biz_opaque_callback_data="k1")]).deliveries[0]
    assert (report.status, report.provider_id, report.key_sent) == (DeliveryStatus(found), "wamid.O1", "k1")
    assert (report.to, report.reported_at) == (Party(whatsapp_id=AYSE), datetime.fromtimestamp(AT, UTC))


def test_a_failure_is_told_with_metas_code() -> None:
    errors = [{"code": 131047, "title": "Re-engagement message"}]
    assert read(statuses=[status("failed", errors=errors)]).deliveries[0].code == "131047"
    assert read(statuses=[status("read", errors=errors)]).deliveries[0].code is None


def test_a_status_about_a_user_without_a_visible_number_is_read() -> None:
    report = status(recipient_user_id=AYSE_ID) | {"recipient_id": None}
    assert read(statuses=[report]).deliveries[0].to == Party(user_id=AYSE_ID)


def test_statuses_that_say_nothing_to_us_are_counted() -> None:
    odd = [status("deleted"), status() | {"id": None}, status() | {"recipient_id": "x"}, "x"]
    assert read(statuses=odd).ignored == {"other_status": 1, "no_id": 2, "no_recipient": 1}


# --- bodies ---


def test_what_is_broken_takes_nothing_with_it() -> None:
    broken: list[Any] = [None, "x", [], {}, message(name="wamid with blanks"), message(timestamp={}), message(text=7)]
    document = body(value(*broken, message(name="wamid.LAST")), value(message(name="wamid.NEXT")))
    document["entry"] = [
        "x",
        {"changes": {}},
        {"changes": [None, {"field": "messages", "value": "x"}]},
        *document["entry"],
    ]
    parsed = parse(raw(document), NOW)
    assert [m.provider_id for m in parsed.messages][-2:] == ["wamid.LAST", "wamid.NEXT"]
    assert parsed.ignored == {"no_id": 5}


def test_other_fields_are_counted_and_left_alone() -> None:
    assert parse(raw(body(value(message()), field="account_update")), NOW) == Parsed((), (), {"other_field": 1})


@pytest.mark.parametrize("content", [b"", b"x", b"[]", b"null", b'"x"', b"\xff", b"[" * 100_000, b"{}x", b"9" * 9_999])
def test_what_is_no_json_object_is_no_body(content: bytes) -> None:
    with pytest.raises(NotABody):
        parse(content, NOW)


def test_half_an_emoji_costs_neither_the_batch_nor_the_message() -> None:
    document = raw(body(value(message(text={"body": "çukur @"})))).replace(b"@", rb"\ud83d")
    assert message_of(parse(document, NOW).messages[0], SECRET, NOW).text == "çukur"


@pytest.mark.parametrize("timestamp", ["", "x", "-1", "9" * 30, None, [], "4102444800", 0])
def test_a_time_that_cannot_be_is_the_time_when_it_came(timestamp: Any) -> None:
    found = read(message(timestamp=timestamp)).messages[0]
    assert message_of(found, SECRET, NOW).sent_at == NOW


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
MEMBERS = [
    "from",
    "from_user_id",
    "id",
    "timestamp",
    "type",
    "text",
    "image",
    "location",
    "interactive",
    "button",
    "reaction",
    "contacts",
    "system",
    "edit",
    "revoke",
    "context",
    "body",
    "caption",
    "mime_type",
    "sha256",
    "latitude",
    "longitude",
    "name",
    "address",
    "button_reply",
    "list_reply",
    "nfm_reply",
    "payload",
    "response_json",
    "message_id",
    "original_message_id",
    "message",
    "phones",
    "phone",
    "wa_id",
    "user_id",
    "new_user_id",
]
KINDS = [
    "text",
    "image",
    "location",
    "interactive",
    "button",
    "reaction",
    "contacts",
    "system",
    "edit",
    "revoke",
    "sticker",
    "order",
]
WORDS = st.sampled_from(
    [*KINDS, AYSE, AYSE_ID, "wamid.X", "new", "{}", "user_changed_number", "41", "ş" * 600, "\ud83d"]
)
ODD = st.recursive(
    JUNK | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=6),
    max_leaves=20,
)


@given(
    st.dictionaries(st.sampled_from(MEMBERS), ODD, max_size=12),
    st.sampled_from(KINDS),
    st.lists(st.dictionaries(st.sampled_from(MEMBERS), ODD, max_size=3), max_size=2),
)
def test_whatever_stands_in_a_body_what_is_read_of_it_can_be_kept(odd: Any, kind: str, cards: list[Any]) -> None:
    shaped = {"id": "wamid.X", "from": AYSE, "type": kind} | odd
    reported = status() | {name: odd[name] for name in ("id", "timestamp") if name in odd}
    document = body(value(shaped, odd, message(name="wamid.LAST"), cards=cards, statuses=[reported, odd]))
    parsed = parse(json.dumps(document).encode(), NOW)
    assert "wamid.LAST" in {m.provider_id for m in parsed.messages}, "a neighbour is never lost"
    for found in parsed.messages:
        assert len(records_of(found, SECRET, NOW).records) >= 2
    for report in parsed.deliveries:
        assert delivery_record(report, SECRET, NOW).records


def test_the_same_body_later_gives_the_same_ids() -> None:
    first, again = read(message()).messages[0], parse(raw(body(value(message()))), NOW + timedelta(days=2)).messages[0]
    assert records_of(first, SECRET, NOW).id == records_of(again, SECRET, NOW + timedelta(days=2)).id
