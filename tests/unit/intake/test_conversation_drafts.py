"""
Drafts: files that come later or never, messages that are changed or taken back, any order and any repetition.
"""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.contracts.events import MessageReceived
from services.intake.conversations import timing
from services.intake.conversations.model import Conversation, Known
from tests.unit.intake.talks import NOON, OPEN, RULES, Talk, message

PLACED = Known(place=True)
KEPT = "a_" + "7" * 32


def photo(name: str = "1", text: str | None = None, sent: float = 0, mime_type: str = "image/jpeg") -> MessageReceived:
    media = [{"provider_id": f"media-{name}", "mime_type": mime_type}]
    return message(name, text, sent=sent, kind="media", media=media)


def arrives(talk: Talk, name: str, attachment: str | None) -> None:
    message_id = message(name).message_id
    talk.change(lambda one: timing.fetched(one, message_id, f"media-{name}", attachment, talk.now, talk.rules))


# --- files ---


def test_a_photo_with_words_waits_for_its_file() -> None:
    talk = Talk()
    talk.hear(photo("1", "Çukur var"), PLACED)
    talk.until(300)
    assert talk.requests == []
    arrives(talk, "1", KEPT)
    (request,) = talk.requests
    assert (request.text, request.attachments) == ("Çukur var", (KEPT,))


def test_files_are_tied_to_the_request_before_it_is_published() -> None:
    talk = Talk()
    talk.hear(photo("1", "Çukur var"), PLACED)
    assert talk.conversation is not None
    fetched = timing.fetched(talk.conversation, message("1").message_id, "media-1", KEPT, talk.now, RULES)
    after = timing.tick(fetched, NOON + timedelta(minutes=2), RULES)
    (tie,) = after.ties
    assert (tie.owner, tie.attachments) == ("whatsapp", (KEPT,))
    assert timing.published(after, after).ties == ()


def test_a_file_that_never_comes_holds_nothing_up_for_more_than_ten_minutes() -> None:
    talk = Talk()
    talk.hear(photo("1", "Çukur var"), PLACED)
    talk.until(599)
    assert talk.requests == []
    talk.until(600)
    (request,) = talk.requests
    assert (request.text, request.attachments) == ("Çukur var\n(Gönderilen dosya alınamadı)", ())


def test_a_file_of_a_kind_that_is_not_taken_is_said_and_noted() -> None:
    talk = Talk()
    talk.hear(photo("1", "Dinleyin", mime_type="audio/ogg"), PLACED)
    arrives(talk, "1", None)
    assert talk.said == ["notice", "unreadable"]
    talk.end()
    assert [request.text for request in talk.requests] == ["Dinleyin\n(Gönderilen dosya alınamadı)"]


@pytest.mark.parametrize(
    ("mime_type", "text"),
    [
        ("image/jpeg", "(Fotoğraf gönderildi)"),
        ("video/mp4", "(Video gönderildi)"),
        ("audio/ogg; codecs=opus", "(Ses kaydı gönderildi)"),
        ("application/pdf", "(Dosya gönderildi)"),
    ],
)
def test_a_file_alone_is_asked_about_and_named_if_nothing_more_comes(mime_type: str, text: str) -> None:
    talk = Talk()
    talk.hear(photo("1", mime_type=mime_type))
    arrives(talk, "1", KEPT)
    talk.end()
    assert talk.said == ["notice", "describe"]
    assert [request.text for request in talk.requests] == [text]


def test_an_emergency_waits_for_its_photo_a_short_time_only() -> None:
    talk = Talk()
    talk.hear(photo("1", "Yangın var"), Known(danger=True, place=True))
    assert talk.said == ["notice", "danger"]
    talk.until(20)
    assert [request.text for request in talk.requests] == ["Yangın var\n(Gönderilen dosya alınamadı)"]


def test_pauses_between_tries_grow_to_a_minute() -> None:
    talk = Talk()
    talk.hear(photo("1", "Çukur"), PLACED)
    pauses = []
    for _ in range(8):
        talk.change(lambda one: timing.again(one, message("1").message_id, "media-1", NOON))
        assert talk.conversation is not None
        assert talk.conversation.fetch_at is not None
        pauses.append((talk.conversation.fetch_at - NOON).total_seconds())
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_file_that_comes_after_its_request_changes_nothing() -> None:
    talk = Talk()
    talk.hear(photo("1", "Çukur"), PLACED)
    talk.end()
    before = talk.conversation
    arrives(talk, "1", KEPT)
    assert talk.conversation == before


def test_more_than_ten_files_are_counted() -> None:
    talk = Talk()
    for number in range(12):
        talk.hear(photo(str(number), "Çukur" if not number else None, sent=number), PLACED)
        arrives(talk, str(number), f"a_{number:032x}")
    talk.end()
    (request,) = talk.requests
    assert len(request.attachments) == 10
    assert request.text.endswith("(2 dosya daha gönderildi; eklenemedi)")


def test_on_a_faster_clock_everything_but_the_notice_comes_sooner() -> None:
    talk = Talk(RULES.paced(60))
    talk.hear(message("1", "Çukur var"), PLACED)
    talk.until(2)
    assert len(talk.requests) == 1
    assert talk.rules.notice_again == RULES.notice_again


# --- changed and taken back ---


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
def test_the_newest_change_counts_whatever_comes_first(order: tuple[int, ...]) -> None:
    about = message("1").message_id
    given = [
        message("1", "ilk"),
        message("2", "ikinci", sent=10, kind="edited", about=about),
        message("3", "üçüncü", sent=20, kind="edited", about=about),
    ]
    talk = Talk()
    for place in order:
        talk.hear(given[place], PLACED, at=30)
    talk.end()
    assert [request.text for request in talk.requests] == ["üçüncü"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_was_taken_back_in_time_was_not_said(order: tuple[int, ...]) -> None:
    given = [message("1", "yanlışlıkla"), message("2", None, sent=5, kind="deleted", about=message("1").message_id)]
    talk = Talk()
    for place in order:
        talk.hear(given[place], PLACED, at=10)
    talk.end()
    assert talk.requests == []


def test_a_change_after_the_request_goes_there_as_a_reply_and_taking_back_does_not() -> None:
    talk = Talk()
    about = message("1").message_id
    talk.hear(message("1", "Atatürk Caddesi 5"), PLACED)
    talk.hear(message("2", "Atatürk Caddesi 15", sent=800, kind="edited", about=about))
    talk.hear(message("3", None, sent=810, kind="deleted", about=about))
    assert [reply.text for reply in talk.replies] == ["Atatürk Caddesi 15"]
    assert talk.replies[0].request_id == talk.requests[0].request_id


def test_a_change_of_a_message_that_never_came_counts_as_one() -> None:
    talk = Talk()
    talk.hear(message("2", "düzeltilmiş", kind="edited", about=message("1").message_id), PLACED)
    talk.end()
    assert [request.text for request in talk.requests] == ["düzeltilmiş"]


# --- whatever is written ---

ANYTHING = st.text(st.sampled_from("aİ 1\n\t\u3164\u200d\u0301\U0001f6a7<"), max_size=60) | st.text(max_size=60)


@settings(max_examples=150)
@given(
    text=ANYTHING,
    times=st.integers(1, 300),
    subject=ANYTHING,
    address=ANYTHING,
    channel=st.sampled_from(["whatsapp", "sms", "email"]),
    answers=st.booleans(),
)
def test_whatever_is_written_becomes_something(
    text: str, times: int, subject: str, address: str, channel: str, answers: bool
) -> None:
    talk = Talk()
    place = {"address": address, "neighbourhood": address, "lat": 41.0}
    given_message = message(
        "1", text * times, channel=channel, subject=subject, location=place, reply_to=("ours",) if answers else ()
    )
    talk.hear(given_message, Known(sent={"ours": OPEN}))
    talk.end()
    assert talk.replies if answers else talk.requests


# --- any order, any repetition ---

WORDS = st.sampled_from(["Çukur var", "Kale mahallesi", "Çok derin", "Lütfen bakın", "3. sokak"])


@st.composite
def messages(draw: st.DrawFn) -> list[MessageReceived]:
    """
    What one person may send within a minute, in the order in which they sent it. "answer" answers a message of ours.
    """
    found: list[MessageReceived] = []
    for number in range(draw(st.integers(1, 6))):
        name, sent = str(number), number * 8
        match draw(st.sampled_from(["text", "place", "photo", "edited", "deleted", "reaction", "answer"])):
            case "place":
                place = {"lat": 41 + number / 100, "lon": 36.33}
                found.append(message(name, None, sent=sent, kind="location", location=place))
            case "photo":
                found.append(photo(name, draw(st.none() | WORDS), sent))
            case "answer":
                found.append(message(name, draw(WORDS), sent=sent, reply_to=("ours",)))
            case "edited" | "deleted" as kind if drafted := [one for one in found if not one.reply_to]:
                about = draw(st.sampled_from(drafted))  # an answer has left already: a change to it is another one
                text = draw(WORDS) if kind == "edited" else None
                found.append(message(name, text, sent=sent, kind=kind, about=about.message_id))
            case "reaction":
                found.append(message(name, None, sent=sent, kind="reaction"))
            case _:
                found.append(message(name, draw(WORDS), sent=sent))
    return found


def lived(given: list[MessageReceived], files_first: bool) -> tuple[object, ...]:
    """
    What became of the messages when they came in this order, one a second.
    """
    talk = Talk()
    for second, one in enumerate(given):
        talk.hear(one, Known(sent={"ours": OPEN}), at=60 + second)
        if files_first:
            all_arrive(talk)
    all_arrive(talk)
    talk.end()
    return talk.requests, sorted((reply.reply_id, reply.text) for reply in talk.replies)


def all_arrive(talk: Talk) -> None:
    def arrive(conversation: Conversation) -> Conversation:
        for said in conversation.draft:
            for file in said.files:
                number = f"a_{said.id}"
                conversation = timing.fetched(conversation, said.id, file.provider_id or "", number, talk.now, RULES)
        return conversation

    talk.change(arrive)


@settings(max_examples=200)
@given(data=st.data(), given_messages=messages(), files_first=st.booleans())
def test_the_same_messages_in_any_order_and_repeated_are_the_same_requests(
    data: st.DataObject, given_messages: list[MessageReceived], files_first: bool
) -> None:
    expected = lived(given_messages, files_first=True)
    repeated = data.draw(st.lists(st.sampled_from(given_messages), max_size=4))
    shuffled = data.draw(st.permutations([*given_messages, *repeated]))
    assert lived(shuffled, files_first) == expected
