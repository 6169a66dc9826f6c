"""
What gateways send, whatever they call it: the same text is the same message, and what is no citizen's is none.
"""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.vocabulary import Channel, MessageKind, Wish
from services.intake.conversations.inbound import Inbound, message_of
from services.intake.sms.shapes import NO_NUMBER, OWN_NUMBER, NoText, Seen, Text, seen, texts_of

SECRET = b"0123456789abcdef"
NOW = datetime(2026, 6, 3, 9, 0, 30, tzinfo=UTC)
NUMBER = "05320001122"
OWN = frozenset({"+908501112233"})
AT = "2026-06-03T12:00:00+03:00"
TEXT = Text(NUMBER, "Çukur var", AT)


def of(text: Text, gateway: str = "netgsm", now: datetime = NOW) -> Seen:
    return seen(text, gateway, OWN, SECRET, now)


def inbound(text: Text) -> Inbound:
    found = of(text).inbound
    assert found is not None
    return found


# --- shapes ---


@pytest.mark.parametrize(
    "body",
    [
        {"from": NUMBER, "text": "Çukur var", "at": AT, "to": "908501112233"},
        {"source_addr": NUMBER, "content": "Çukur var", "received_at": AT, "network": "TURKCELL", "keyword": ""},
        {"sender": NUMBER, "message": "Çukur var", "datetime": AT, "receiver": "8501112233"},
        {"ceptel": NUMBER, "mesaj": "Çukur var", "tarih": AT},
        {"Gonderen": NUMBER, "MESAJ": "Çukur var", "Tarih": AT},
        {"telno": 5320001122, "mesaj": "Çukur var", "tarih": AT},
        [{"from": NUMBER, "text": "Çukur var", "at": AT}],
        {"code": "00", "messages": [{"sender": NUMBER, "message": "Çukur var", "datetime": AT}]},
    ],
)
def test_every_shape_tells_the_same(body: Any) -> None:
    [text], ignored = texts_of(body)
    assert not ignored
    assert of(text) == of(TEXT)


def test_verimors_example_is_read() -> None:
    push = [
        {"message_id": 1234, "type": "inbound", "received_at": "2026-01-01 09:00:00", "network": "TURKCELL",
         "source_addr": "905319876543", "destination_addr": "908501234567", "keyword": "", "content": "verimor deneme"}
    ]  # fmt: skip
    [text], _ = texts_of(push)
    found = of(text, "verimor")
    assert found.known_by == "verimor:1234"
    assert found.inbound is not None
    assert found.inbound.sent_at == datetime(2026, 1, 1, 6, tzinfo=UTC)
    assert found.inbound.sender.phone == "+905319876543"


def test_several_come_in_their_order_and_a_broken_one_stays_alone() -> None:
    rows = [{"from": NUMBER, "text": str(n)} for n in range(3)]
    texts, ignored = texts_of([rows[0], {"from": NUMBER}, None, rows[1], rows[2]])
    assert [text.text for text in texts] == ["0", "1", "2"]
    assert ignored == Counter(unknown_shape=2)


@pytest.mark.parametrize(
    "body",
    [
        {"report": {"id": 1, "packet_id": 2, "status": "delivered", "to": "+905320001122", "body": "…"}},
        [{"type": "outbound", "message_id": "1", "status": "DELIVERED", "dest": "905320001122"}],
    ],
)
def test_reports_of_our_own_messages_are_no_texts(body: Any) -> None:
    assert texts_of(body) == ([], Counter(status=1))


@pytest.mark.parametrize(
    "body", [None, 1, "x", {}, [None], {"from": NUMBER}, {"from": None, "text": "x"}, {"text": []}]
)
def test_what_has_no_known_shape_is_refused_with_the_known_ones(body: Any) -> None:
    with pytest.raises(NoText, match="from, text, at, id; source_addr, content"):
        texts_of(body)


def test_nothing_is_nothing() -> None:
    assert texts_of([]) == ([], Counter())


# --- whose, when, which ---


def test_a_text_is_a_message_of_its_number() -> None:
    found = inbound(TEXT)
    assert (found.channel, found.adapter, found.kind) == (Channel.SMS, "sms:netgsm", MessageKind.TEXT)
    assert found.sender.phone == "+905320001122"
    assert message_of(replace(found, text=" DUR "), SECRET, NOW).wish is Wish.STOP


@pytest.mark.parametrize("sender", ["ILKADIM", "B001", "1007", "7889", "", "0532", "+90 532", "\ud800"])
def test_names_and_short_numbers_are_no_citizens(sender: str) -> None:
    assert of(replace(TEXT, sender=sender))[1:] == (NO_NUMBER, None)


@pytest.mark.parametrize("sender", ["8501112233", "+908501112233", "0 850 111 22 33"])
def test_nobody_talks_with_themselves(sender: str) -> None:
    assert of(replace(TEXT, sender=sender))[1:] == (OWN_NUMBER, None)


@pytest.mark.parametrize(
    "at",
    [
        "2026-06-03 12:00:00", "2026-06-03 12:00", "03.06.2026 12:00:00", "03.06.2026 12:00", "03/06/2026 12:00:00",
        "030620261200", "03062026120000", " 2026-06-03T09:00:00Z ",
    ],
)  # fmt: skip
def test_times_without_zone_are_istanbuls(at: str) -> None:
    [text], _ = texts_of({"from": NUMBER, "text": "Çukur var", "at": at})
    assert inbound(text).sent_at == datetime(2026, 6, 3, 9, tzinfo=UTC)


def test_the_same_text_in_the_same_minute_is_the_same_message_whoever_tells_of_it() -> None:
    told = replace(TEXT, sender="+90 532 000 11 22", at="2026-06-03 12:00:59")
    assert of(told, "other").known_by == of(TEXT).known_by


@pytest.mark.parametrize(
    "other",
    [
        replace(TEXT, text="Çukur Var"),
        replace(TEXT, sender="05320001123"),
        replace(TEXT, at="2026-06-03T12:01:00+03:00"),
        replace(TEXT, id="1"),
    ],
)
def test_another_text_is_another_message(other: Text) -> None:
    assert of(other).known_by != of(TEXT).known_by


def test_ids_of_two_gateways_do_not_meet() -> None:
    text = replace(TEXT, id="1")
    assert of(text, "verimor").known_by != of(text, "netgsm").known_by


def test_a_text_without_time_is_of_the_minute_in_which_it_came() -> None:
    text = replace(TEXT, at="")
    assert of(text).known_by == of(text, now=NOW + timedelta(seconds=20)).known_by
    assert of(text).known_by != of(text, now=NOW + timedelta(minutes=1)).known_by
    assert inbound(text).sent_at == NOW


def test_a_time_that_nobody_understands_still_tells_two_texts_apart() -> None:
    first, second = replace(TEXT, at="dün"), replace(TEXT, at="bugün")
    assert of(first).known_by == of(first, now=NOW + timedelta(days=1)).known_by
    assert of(first).known_by != of(second).known_by


@pytest.mark.parametrize("at", ["0001-01-01 00:00:00", "01.01.0001 00:00"])
def test_a_time_before_all_times_is_none(at: str) -> None:
    assert inbound(replace(TEXT, at=at)).sent_at == NOW


def test_an_id_that_cannot_be_one_counts_as_none() -> None:
    [text], _ = texts_of({"from": NUMBER, "text": "x", "at": AT, "id": "iç boşluk"})
    assert text.id is None


@given(st.text(), st.text(), st.text(max_size=50))
def test_whatever_a_text_holds_it_can_be_kept(sender: str, words: str, at: str) -> None:
    texts, _ = texts_of({"from": sender, "text": words, "at": at})
    found = of(texts[0])
    assert found.known_by.isascii()
    kept = of(replace(texts[0], sender=NUMBER)).inbound
    assert kept is not None
    assert message_of(kept, SECRET, NOW).person == message_of(inbound(TEXT), SECRET, NOW).person


def test_a_text_of_many_parts_has_at_most_4000_characters() -> None:
    assert inbound(replace(TEXT, text="ş" * 5_000)).text == "ş" * 4_000
    assert inbound(replace(TEXT, text="ab" * 1_900)).text == "ab" * 1_900


def test_nothing_of_the_sender_shows_in_what_is_printed() -> None:
    assert "0532" not in repr(TEXT)
    assert "Çukur" not in repr(TEXT)
