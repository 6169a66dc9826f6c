"""
What becomes of what citizens write, message by message.
"""

from dataclasses import asdict

import pytest

from services.common.contracts.vocabulary import Status
from services.intake.conversations.domain import absorb
from services.intake.conversations.model import Known
from tests.unit.intake.talks import ANA, DONE, HER_NUMBER, NOON, OPEN, OTHER, RULES, Talk, knowing, message, own

PLACE = {"lat": 41.2867, "lon": 36.33}
PHOTO = [{"provider_id": "77", "mime_type": "image/jpeg"}]
PLACED = Known(place=True)


def test_several_messages_and_a_place_within_the_quiet_time_are_one_request() -> None:
    talk = Talk()
    talk.hear(message("1", "Sokakta çukur var"))
    talk.hear(message("2", None, sent=60, kind="location", location=PLACE))
    talk.hear(message("3", "Çok derin", sent=120))
    talk.until(239)
    assert talk.requests == []
    talk.until(240)
    (request,) = talk.requests
    assert request.text == "Sokakta çukur var\nÇok derin"
    assert (request.location.lat, request.location.lon) == (41.2867, 36.33) if request.location else False
    assert (request.channel, request.adapter, request.contact_id) == ("whatsapp", "whatsapp", "c_" + ANA)
    assert request.received_at == NOON
    assert request.notice_version == "v1"


def test_a_draft_that_never_rests_becomes_a_request_after_ten_minutes() -> None:
    talk = Talk()
    for minute in range(11):
        talk.hear(message(str(minute), f"satır {minute}", sent=60 * minute), PLACED)
    (request,) = talk.requests
    assert request.text.splitlines() == [f"satır {minute}" for minute in range(10)]
    assert [reply.text for reply in talk.replies] == ["satır 10"]


def test_the_draft_is_in_the_order_of_the_providers_times() -> None:
    talk = Talk()
    talk.hear(message("2", "iki", sent=2), PLACED)
    talk.hear(message("1", "bir", sent=1), PLACED, at=5)
    talk.end()
    assert talk.requests[0].text == "bir\niki"


def test_the_privacy_notice_comes_first_and_again_after_half_a_year() -> None:
    talk = Talk()
    talk.hear(message("1", "Yangın var"), Known(danger=True, place=True))
    talk.hear(message("2", "Çukur", sent=179 * 86_400), PLACED)
    talk.hear(message("3", "Çukur", sent=181 * 86_400), PLACED)
    assert [say for say in talk.said if say != "which"] == ["notice", "danger", "notice"]


def test_a_message_that_comes_again_changes_nothing() -> None:
    talk = Talk()
    talk.hear(message("1", "Çukur"))
    before = talk.conversation
    assert absorb(before, message("1", "Çukur"), Known(), NOON, RULES) is before


def test_with_open_requests_it_is_asked_which_once_and_the_choice_makes_it_a_reply() -> None:
    talk = Talk()
    known = knowing(own(OPEN), own(OTHER, at=NOON), own(DONE, Status.RESOLVED))
    talk.hear(message("1", "Ne zaman gelecekler?"), known)
    talk.hear(message("2", "Hâlâ bekliyorum", sent=5), known)
    assert talk.said == ["notice", "which"]
    which = talk.last("which")
    assert [option.id for option in which.options] == [f"req:{OTHER}", f"req:{OPEN}", "new"]
    assert which.options[0].service_code == "yol-cukur"
    assert which.answers == "1"
    talk.hear(message("3", "Çukur", sent=300, kind="choice", choice=f"req:{OPEN}"), known)
    (reply,) = talk.replies
    assert (reply.request_id, reply.text) == (OPEN, "Ne zaman gelecekler?\nHâlâ bekliyorum")
    talk.end()
    assert talk.requests == []
    assert talk.said == ["notice", "which", "added"]


def test_new_keeps_the_draft_a_draft() -> None:
    talk = Talk()
    known = knowing(own())
    talk.hear(message("1", "Lamba yanmıyor"), known)
    talk.hear(message("2", None, sent=30, kind="choice", choice="new"), known)
    talk.hear(message("3", "Kale mahallesi", sent=60), Known(place=True))
    talk.end()
    assert [request.text for request in talk.requests] == ["Lamba yanmıyor\nKale mahallesi"]
    assert talk.said == ["notice", "which", "where"]


def test_who_does_not_choose_has_a_new_request() -> None:
    talk = Talk()
    talk.hear(message("1", "Lamba yanmıyor"), knowing(own(), place=True))
    talk.until(599)
    assert talk.requests == []
    talk.until(600)
    assert len(talk.requests) == 1


def test_by_sms_the_digit_is_the_choice() -> None:
    talk = Talk()
    known = knowing(own(OPEN), own(OTHER, at=NOON))
    talk.hear(message("1", "Ne oldu?", channel="sms"), known)
    talk.hear(message("2", "2", sent=30, channel="sms"), known)
    assert [(reply.request_id, reply.text, reply.channel) for reply in talk.replies] == [(OPEN, "Ne oldu?", "sms")]
    talk.hear(message("3", "2", sent=5_000, channel="sms"), PLACED)
    talk.end()
    assert [request.text for request in talk.requests] == ["2"]


def test_the_choices_are_at_most_nine_and_new_and_by_sms_each_has_one_digit() -> None:
    numbers = [OPEN[:-1] + letter for letter in "0123456789AB"]
    known = knowing(*(own(number) for number in numbers))
    for channel, offered in (("whatsapp", 10), ("sms", 9)):
        talk = Talk()
        talk.hear(message("1", "Ne oldu?", channel=channel), known)
        assert len(talk.last("which").options) == offered


def test_a_letter_is_a_request_at_once_and_nobody_asks_back() -> None:
    talk = Talk()
    talk.hear(message("1", "Sokağımız karanlık.", channel="email", subject="Aydınlatma"), knowing(own()))
    (request,) = talk.requests
    assert request.text == "Aydınlatma\nSokağımız karanlık."
    talk.hear(message("2", "Parkta bank kırık.", sent=30, channel="email"), knowing(own()))
    assert len(talk.requests) == 2
    assert talk.said == ["notice"]


def test_an_answer_to_our_message_joins_its_request() -> None:
    talk = Talk()
    known = knowing(own(), sent={"wamid.ours": OPEN})
    talk.hear(message("1", "Bakkalın önünde", reply_to=("wamid.other", "wamid.ours")), known)
    assert [(reply.request_id, reply.text) for reply in talk.replies] == [(OPEN, "Bakkalın önünde")]
    talk.end()
    assert talk.requests == []


def test_an_answer_to_ones_own_message_joins_what_became_of_it() -> None:
    talk = Talk()
    talk.hear(message("1", "Çukur var", channel="email"))
    talk.hear(message("2", "Unuttum: Kale mahallesi", sent=86_400, channel="email", reply_to=("1",)))
    assert [reply.request_id for reply in talk.replies] == [talk.requests[0].request_id]


@pytest.mark.parametrize(("known", "becomes"), [(Known(requests={OPEN: own()}), "reply"), (Known(), "request")])
def test_a_number_counts_if_there_is_such_a_request(known: Known, becomes: str) -> None:
    talk = Talk()
    talk.hear(message("1", f"{OPEN} ne oldu", number=OPEN), known)
    talk.end()
    assert (len(talk.replies), len(talk.requests)) == ((1, 0) if becomes == "reply" else (0, 1))


@pytest.mark.parametrize("channel", ["whatsapp", "email"])
def test_who_names_somebody_elses_closed_request_has_a_new_one(channel: str) -> None:
    talk = Talk()
    known = Known(requests={DONE: own(DONE, Status.RESOLVED, closed_seq=7)}, place=True)
    talk.hear(message("1", f"{DONE} hâlâ bozuk", number=DONE, channel=channel), known)
    talk.end()
    assert [request.text for request in talk.requests] == [f"{DONE} hâlâ bozuk"]
    assert (talk.said, talk.replies) == (["notice"], [])


def test_who_answers_about_a_closed_request_chooses_to_reopen_it_with_these_words() -> None:
    talk = Talk()
    closed = knowing(own(DONE, Status.RESOLVED, closed_seq=7), sent={"ours": DONE})
    talk.hear(message("1", "Hâlâ duruyor", reply_to=("ours",)), closed)
    assert [option.id for option in talk.last("closed").options] == ["new", f"reopen:{DONE}:7"]
    talk.hear(message("2", None, sent=20, kind="choice", choice=f"reopen:{DONE}:7"), closed)
    (feedback,) = talk.feedback
    assert (feedback.request_id, feedback.closing_seq, feedback.reopen) == (DONE, 7, True)
    assert feedback.comment == "Hâlâ duruyor"
    talk.end()
    assert (talk.requests, talk.replies) == ([], [])


def test_who_answers_about_a_closed_request_and_does_not_choose_has_a_new_one() -> None:
    talk = Talk()
    closed = knowing(own(DONE, Status.RESOLVED, closed_seq=7), sent={"ours": DONE})
    talk.hear(message("1", "Hâlâ duruyor", reply_to=("ours",)), closed)
    talk.end()
    assert [request.text for request in talk.requests] == ["Hâlâ duruyor"]


@pytest.mark.parametrize(
    ("text", "said"), [("Teşekkürler", ["notice", "closed"]), ("Yangın var", ["notice", "danger"])]
)
def test_about_a_closed_request_only_plain_words_of_danger_count(text: str, said: list[str]) -> None:
    talk = Talk()
    closed = knowing(own(DONE, Status.RESOLVED, closed_seq=7), sent={"ours": DONE}, danger=True, place=True)
    talk.hear(message("1", text, reply_to=("ours",)), closed)
    assert talk.said == said
    assert len(talk.requests) == (1 if "danger" in said else 0)


def test_a_letter_about_a_closed_request_goes_there_and_hears_that_it_is_closed() -> None:
    talk = Talk()
    closed = knowing(own(DONE, Status.RESOLVED, closed_seq=7), sent={"ours": DONE})
    talk.hear(message("1", "Teşekkürler", channel="email", reply_to=("ours",)), closed)
    assert [reply.request_id for reply in talk.replies] == [DONE]
    assert talk.said == ["notice", "closed"]


@pytest.mark.parametrize("choice", [f"reopen:{DONE}:7", f"reopen:{DONE}"])
def test_reopening_takes_the_next_words_as_its_reason(choice: str) -> None:
    talk = Talk()
    known = knowing(own(DONE, Status.RESOLVED, closed_seq=7))
    talk.hear(message("1", None, kind="choice", choice=choice), known)
    assert talk.said[-1] == "describe"
    talk.hear(message("2", "Yine bozuldu", sent=50), known)
    assert [(one.closing_seq, one.comment) for one in talk.feedback] == [(7, "Yine bozuldu")]
    talk.end()
    assert talk.requests == []


def test_who_taps_reopen_twice_still_gives_the_reason() -> None:
    talk = Talk()
    known = knowing(own(DONE, Status.RESOLVED, closed_seq=7))
    for name in "12":
        talk.hear(message(name, None, kind="choice", choice=f"reopen:{DONE}:7"), known)
    talk.hear(message("3", "Yine bozuldu", sent=50), known)
    talk.end()
    assert [one.comment for one in talk.feedback] == ["Yine bozuldu"]


def test_words_for_a_request_that_is_open_again_already_are_a_reply() -> None:
    talk = Talk()
    talk.hear(message("1", None, kind="choice", choice=f"reopen:{DONE}:7"), knowing(own(DONE, Status.RESOLVED)))
    talk.hear(message("2", "Yine bozuldu", sent=50), knowing(own(DONE, Status.REOPENED)))
    talk.hear(message("3", None, sent=700, kind="choice", choice=f"reopen:{DONE}"), knowing(own(DONE)))
    talk.hear(message("4", "Bekliyorum", sent=750), knowing(own(DONE)))
    assert [(reply.request_id, reply.text) for reply in talk.replies] == [(DONE, "Yine bozuldu"), (DONE, "Bekliyorum")]


def test_who_wants_it_open_again_and_writes_no_reason_gets_it() -> None:
    talk = Talk()
    talk.hear(message("1", None, kind="choice", choice=f"reopen:{DONE}:7"), knowing(own(DONE, Status.RESOLVED)))
    talk.end()
    assert [(one.reopen, one.comment) for one in talk.feedback] == [(True, "(Gerekçe yazılmadı)")]


def test_a_photo_is_a_reason_to_reopen_too() -> None:
    talk = Talk()
    closed = knowing(own(DONE, Status.RESOLVED, closed_seq=7), sent={"ours": DONE})
    talk.hear(message("1", None, kind="media", media=PHOTO, reply_to=("ours",)), closed)
    talk.hear(message("2", None, sent=20, kind="choice", choice=f"reopen:{DONE}:7"), closed)
    talk.end()
    assert [one.comment for one in talk.feedback] == ["(Fotoğraf gönderildi; talebe eklenemedi)"]
    assert talk.requests == []


def test_stars_are_feedback_and_thanked_for() -> None:
    talk = Talk()
    known = knowing(own(DONE, Status.RESOLVED, closed_seq=7))
    talk.hear(message("1", "5 yıldız", kind="choice", choice=f"fb:{DONE}:7:5"), known)
    assert [(one.request_id, one.closing_seq, one.rating) for one in talk.feedback] == [(DONE, 7, 5)]
    assert talk.said == ["notice", "thanks"]


@pytest.mark.parametrize("choice", [f"fb:{OTHER}:7:5", f"reopen:{OTHER}:7", f"req:{OTHER}"])
def test_nobody_chooses_for_a_request_that_is_not_theirs(choice: str) -> None:
    talk = Talk()
    talk.hear(message("1", "Seçim", kind="choice", choice=choice), knowing(own(OPEN)))
    talk.end()
    assert (talk.feedback, talk.replies, talk.requests) == ([], [], [])


def test_a_choice_that_we_do_not_know_counts_as_its_words() -> None:
    talk = Talk()
    talk.hear(message("1", "Evet", kind="choice", choice="eski-buton"), PLACED)
    talk.end()
    assert [request.text for request in talk.requests] == ["Evet"]


def test_an_emergency_is_a_request_at_once_and_hears_of_112_at_once() -> None:
    talk = Talk()
    talk.hear(message("1", "Merhaba"), PLACED)
    talk.hear(message("2", "Yangın var!", sent=3), Known(danger=True))
    assert [request.text for request in talk.requests] == ["Merhaba\nYangın var!"]
    assert talk.said == ["notice", "danger"]
    talk.hear(message("3", "Kale mahallesi, çabuk! Yanıyor!", sent=20), Known(danger=True, place=True))
    assert [reply.text for reply in talk.replies] == ["Kale mahallesi, çabuk! Yanıyor!"]
    assert talk.said.count("danger") == 1


def test_an_emergency_without_a_place_is_asked_where_at_once() -> None:
    talk = Talk()
    talk.hear(message("1", "Yangın var!"), Known(danger=True))
    assert talk.said == ["notice", "danger", "where"]


def test_danger_in_a_change_to_a_message_counts_too() -> None:
    talk = Talk()
    talk.hear(message("1", "Kale mahallesi"), PLACED)
    changed = message("2", "Kale mahallesi yanıyor", sent=9, kind="edited", about=message("1").message_id)
    talk.hear(changed, Known(danger=True, place=True))
    assert talk.said == ["notice", "danger"]
    assert [request.text for request in talk.requests] == ["Kale mahallesi yanıyor"]


def test_an_emergency_is_not_asked_which_nor_added_to_what_was_just_made() -> None:
    talk = Talk()
    talk.hear(message("1", "Çukur var"), PLACED)
    talk.until(120)
    talk.hear(message("2", "Yangın çıktı", sent=200), knowing(own(), danger=True, place=True))
    assert [request.text for request in talk.requests] == ["Çukur var", "Yangın çıktı"]


def test_a_place_alone_is_asked_what_it_is_about_and_waits_longer() -> None:
    talk = Talk()
    talk.hear(message("1", None, kind="location", location=PLACE))
    talk.until(9)
    assert talk.said == ["notice"]
    talk.until(300)
    assert (talk.said, talk.requests) == (["notice", "describe"], [])
    talk.end()
    assert [request.text for request in talk.requests] == ["(Konum gönderildi)"]


def test_what_comes_within_ten_minutes_after_a_request_belongs_to_it() -> None:
    talk = Talk()
    talk.hear(message("1", "Çukur var"), PLACED)
    talk.until(120)
    talk.hear(message("2", None, sent=300, kind="location", location=PLACE))
    talk.hear(message("3", None, sent=310, kind="media", media=PHOTO))
    texts = ["(Konum: 41.28670, 36.33000)", "(Fotoğraf gönderildi; talebe eklenemedi)"]
    assert [reply.text for reply in talk.replies] == texts
    assert {reply.request_id for reply in talk.replies} == {talk.requests[0].request_id}
    assert talk.said == ["notice", "added"]
    talk.hear(message("4", "Başka bir konu", sent=721), PLACED)
    assert talk.said[-1] == "which"  # the request that was made here, though the read model does not have it yet


def test_stop_and_start_are_answered_and_are_no_request() -> None:
    talk = Talk()
    talk.hear(message("1", "DUR", wish="stop"))
    talk.hear(message("2", "BAŞLA", sent=9, wish="start"))
    talk.hear(message("3", "DUR", sent=5, wish="stop"), at=20)  # it was overtaken
    talk.end()
    assert (talk.said, talk.requests) == (["notice", "stopped", "started"], [])


@pytest.mark.parametrize("kind", ["reaction", "moved"])
def test_what_says_nothing_is_not_answered(kind: str) -> None:
    talk = Talk()
    talk.hear(message("1", None, kind=kind))
    talk.end()
    assert talk.out == []


def test_what_cannot_be_read_is_said_once() -> None:
    talk = Talk()
    for name in "12":
        talk.hear(message(name, None, sent=int(name), kind="unreadable"))
    talk.end()
    assert (talk.said, talk.requests) == (["notice", "unreadable"], [])


def test_who_shows_no_number_is_asked_for_it_once_with_the_first_request() -> None:
    talk = Talk()
    talk.hear(message("1", "Çukur", also=()), PLACED)
    talk.hear(message("2", "Lamba", sent=5_000, also=()), PLACED)
    talk.end()
    assert talk.said.count("number") == 1
    assert talk.last("number").request_id == talk.requests[0].request_id


def test_who_gave_the_number_already_is_not_asked() -> None:
    talk = Talk()
    talk.hear(message("1", None, kind="contact", also=()))
    talk.hear(message("2", "Çukur", sent=5, also=()), PLACED)
    talk.end()
    assert "number" not in talk.said


def test_whoever_has_another_address_now_is_the_same_person() -> None:
    talk, new = Talk(), HER_NUMBER[::-1]
    talk.hear(message("1", "Çukur"), PLACED)
    talk.hear(message("2", None, sent=5, kind="moved", person=new, replaces=ANA, also=(), contact_id="c_" + new))
    talk.end()
    assert talk.conversation is not None
    assert (talk.conversation.person, talk.conversation.contact_id) == (new, "c_" + new)
    assert {left.hash for left in talk.conversation.left} == {ANA, HER_NUMBER}
    assert talk.requests[0].contact_id == "c_" + new


def test_a_long_letter_is_kept_whole() -> None:
    talk = Talk()
    words = " ".join(f"kelime{number}" for number in range(1_500))
    talk.hear(message("1", words, channel="email"))
    pieces = [talk.requests[0].text, *(reply.text for reply in talk.replies)]
    assert " ".join(pieces) == words
    assert max(map(len, pieces)) <= 4_000
    assert {reply.request_id for reply in talk.replies} == {talk.requests[0].request_id}


def test_nothing_of_a_draft_stays_when_it_is_a_request() -> None:
    talk = Talk()
    talk.hear(message("1", "gizli söz", subject="gizli konu"), PLACED)
    talk.hear(message("2", "gizli söz iki", sent=3, kind="edited", about=message("9").message_id))
    talk.end()
    assert "gizli" in talk.requests[0].text
    assert talk.conversation is not None
    talk.end()
    assert "gizli" not in str(asdict(talk.conversation))
