"""
pywa, a kept library for WhatsApp's Cloud API, as the oracle of our webhook: it accepts the same signatures, and reads
the same things out of the bodies of the recorded day. What Meta sends by pywa's own tests is read without an error.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pywa import WhatsApp, types
from pywa.utils import webhook_updates_validator

from services.common.contracts.vocabulary import Channel, MessageKind
from services.intake.conversations.inbound import Inbound
from services.intake.conversations.whatsapp import SCHEME, parse, signature, signed
from tests.unit.intake.whatsapp_day import Day, recorded_day

NOW = datetime(2026, 6, 3, 8, 0, tzinfo=UTC)
SAMPLES = Path(__file__).parents[3] / "shared/data/real/events/whatsapp_pywa"
NAMES_WHO = ("from", "from_user_id", "recipient_id", "recipient_user_id")
SHA = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(st.binary(max_size=200), st.text(min_size=1, max_size=40), st.none() | SHA | st.binary(max_size=200))
@example(b"", "x", None)
def test_our_judgement_of_a_signature_is_pywas(body: bytes, secret: str, other: str | bytes | None) -> None:
    given_for = body if other is None else other
    hexed = given_for if isinstance(given_for, str) else signature(given_for, secret.encode())
    header = SCHEME + hexed
    assert signed(header, body, secret.encode()) == webhook_updates_validator(secret, body, header)


@cache
def day() -> Day:
    return recorded_day()


def single(body: Any) -> Iterator[dict[str, Any]]:
    """
    A body as pywa reads it: with one message, from the one person whose card is there.
    """
    for entry in body.get("entry", []):
        for change in entry["changes"]:
            value = change["value"]
            for part in ("messages", "statuses"):
                for row in filter(None, value.get(part, [])):
                    known = {row.get(name) for name in NAMES_WHO} - {None}
                    cards = [c for c in value.get("contacts", []) if known & {c.get("wa_id"), c.get("user_id")}]
                    alone = {k: v for k, v in value.items() if k not in ("messages", "statuses", "contacts")}
                    alone |= {part: [row]} | ({"contacts": cards} if cards else {})
                    yield body | {"entry": [entry | {"changes": [change | {"value": alone}]}]}


class Theirs:
    """
    A pywa client that keeps what it reads.
    """

    def __init__(self) -> None:
        self.read: list[Any] = []
        self.client = WhatsApp(
            token="none", server=None, validate_updates=False, filter_updates=False, skip_duplicate_updates=False
        )
        for name in [
            "on_message",
            "on_edited_message",
            "on_deleted_message",
            "on_callback_button",
            "on_callback_selection",
            "on_flow_completion",
            "on_message_status",
            "on_phone_number_change",
        ]:
            getattr(self.client, name)(lambda _, update: self.read.append(update))

    def of(self, body: Any) -> Any | None:
        self.read.clear()
        assert self.client.webhook_update_handler(json.dumps(body).encode()) == ("ok", 200)
        return self.read[0] if self.read else None


def ours(body: Any) -> Inbound:
    return parse(json.dumps(body).encode(), NOW).messages[0]


def test_pywa_reads_the_same_out_of_the_recorded_day() -> None:
    theirs, seen = Theirs(), set[str]()
    for body in (alone for whole in day().bodies for alone in single(whole) if readable(alone)):
        update = theirs.of(body)
        assert update is not None, body
        if isinstance(update, types.MessageStatus):
            status = parse(json.dumps(body).encode(), NOW).deliveries[0]
            assert (status.provider_id, status.key_sent) == (update.id, update.tracker)
            assert status.reported_at == update.timestamp
            seen.add("status")
            continue
        found = ours(body)
        assert found.channel is Channel.WHATSAPP
        assert found.sent_at == update.timestamp
        seen.add(type(update).__name__)
        check(found, update)
        if found.kind is not MessageKind.MOVED:
            who = update.from_user
            assert (found.sender.whatsapp_id, found.sender.user_id) == (who.wa_id, who.bsuid)
            assert found.sender.name == who.name
    assert seen >= {
        "Message", "EditedMessage", "DeletedMessage", "CallbackButton", "CallbackSelection", "FlowCompletion",
        "PhoneNumberChange", "status",
    }  # fmt: skip


def readable(body: dict[str, Any]) -> bool:
    """
    Whether pywa reads it: it needs a card with a user id (of moves, the old number), and nothing broken.
    """
    value = body["entry"][0]["changes"][0]["value"]
    parsed = parse(json.dumps(body).encode(), NOW)
    has_card = all("user_id" in card for card in value.get("contacts", [{}]))
    system = any(row.get("type") == "system" for row in value.get("messages", []))
    shown = all("from" in row for row in value.get("messages", [])) if system else has_card
    return bool(parsed.messages or parsed.deliveries) and shown


def check(found: Inbound, update: Any) -> None:
    """
    That both understood the message alike.
    """
    match update:
        case types.EditedMessage():
            edited = (MessageKind.EDITED, update.original_message_id, update.message.text or update.message.caption)
            assert (found.kind, found.about, found.text) == edited
        case types.DeletedMessage():
            assert (found.kind, found.about) == (MessageKind.DELETED, update.original_message_id)
        case types.CallbackButton() | types.CallbackSelection():
            assert (found.kind, found.choice, found.text) == (MessageKind.CHOICE, update.data, update.title)
        case types.PhoneNumberChange():
            assert found.was is not None
            assert (found.was.whatsapp_id, found.sender.whatsapp_id) == (update.old_wa_id, update.new_wa_id)
        case types.Message():
            assert found.provider_id == update.id
            answered = update.reply_to_message.id if update.reply_to_message else None
            answered = update.reaction.message_id if update.reaction else answered
            assert found.reply_to == ((answered,) if answered else ())
            if found.kind in (MessageKind.TEXT, MessageKind.MEDIA):
                assert found.text == (update.text or update.caption)
            if found.kind is MessageKind.MEDIA:
                assert [(m.provider_id, m.mime_type, m.sha256) for m in found.media] == [
                    (update.media.id, update.media.mime_type, update.media.sha256)
                ]
            if update.location:
                assert found.location is not None
                assert (found.location.lat, found.location.lon) == (update.location.latitude, update.location.longitude)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples of pywa's own tests are not beside this checkout")
def test_every_body_of_pywas_own_tests_is_read() -> None:
    kinds: set[str] = set()
    for path in sorted(SAMPLES.glob("*.json")):
        for name, body in json.loads(path.read_text()).items():
            parsed = parse(json.dumps(body).encode(), NOW)
            kinds |= {message.kind for message in parsed.messages}
            expected = {"message", "callback_button", "callback_selection", "edited_message", "deleted_message"}
            if path.stem in expected:
                assert parsed.messages, (path.stem, name)
    assert kinds >= set(MessageKind) - {MessageKind.CONTACT}
