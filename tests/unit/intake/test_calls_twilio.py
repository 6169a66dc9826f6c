"""
Twilio's signature as Twilio's own library computes it, its webhooks in our words, and what callers hear.
"""

from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from services.intake.calls import twilio
from services.intake.calls.domain import Report, Step

NOW = datetime(2026, 6, 1, 9, tzinfo=UTC)
URL = "https://ilkim.example"
CALL = "l_" + "0" * 32
VECTOR = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+12349013030",
    "Digits": "1234",
    "From": "+12349013030",
    "To": "+18005551212",
}
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
forms = st.dictionaries(words, words, max_size=8)
urls = st.builds(
    "{}://{}{}/{}{}".format,
    st.sampled_from(["http", "https"]),
    st.sampled_from(["ilkim.example", "ilkim.example.org"]),
    st.sampled_from(["", ":80", ":443", ":8443"]),
    st.sampled_from(["", "webhooks/twilio/voice"]),
    st.sampled_from(["", "?foo=1&bar=2", "?q=%C3%A7"]),
)


def parsed(document: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(document)  # noqa: S314 - it is our own


def test_the_published_vector() -> None:
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert twilio.signature(url, list(VECTOR.items()), "12345") == "0/KCTR6DLpKmkAf8muzZqo1nDgQ="
    assert twilio.signed("0/KCTR6DLpKmkAf8muzZqo1nDgQ=", url, list(VECTOR.items()), "12345")


@given(urls, forms, words.filter(bool), st.sampled_from(["HMAC_SHA1", "HMAC_SHA256"]))
def test_we_sign_as_twilio_does(url: str, form: dict[str, str], token: str, algorithm: str) -> None:
    theirs = RequestValidator(token).compute_signature(url, form, algorithm)
    assert twilio.signature(url, list(form.items()), token, algorithm) == theirs
    settings = f"key=k1,algorithm={algorithm}"
    assert twilio.signed(theirs, url, list(form.items()), token, settings)
    assert not twilio.signed(theirs, url, [*form.items(), ("Extra", "1")], token, settings)
    assert not twilio.signed(theirs, url, list(form.items()), token + "x", settings)


@pytest.mark.parametrize("spelling", ["https://ilkim.example/v", "https://ilkim.example:443/v"])
def test_the_port_may_be_written_or_not(spelling: str) -> None:
    theirs = RequestValidator("t").compute_signature(spelling, VECTOR)
    for ours in ("https://ilkim.example/v", "https://ilkim.example:443/v"):
        assert twilio.signed(theirs, ours, list(VECTOR.items()), "t")


@pytest.mark.parametrize(("shown", "settings"), [(None, None), ("", None), ("ğ", None), ("x", "algorithm=MD5")])
def test_nothing_and_odd_things_are_no_signature(shown: str | None, settings: str | None) -> None:
    assert not twilio.signed(shown, URL, [], "t", settings)


@pytest.mark.parametrize(
    ("fields", "step", "cause"),
    [
        ({"CallStatus": "ringing"}, Step.RANG, "unknown"),
        ({"CallStatus": "completed"}, Step.HUNG_UP, "normalClearing"),
        ({"CallStatus": "no-answer"}, Step.HUNG_UP, "noAnswer"),
        ({"CallStatus": "canceled"}, Step.HUNG_UP, "cancel"),
        ({"CallStatus": "in-progress", "ParentCallSid": "CA1"}, Step.ANSWERED, "unknown"),
    ],
)
def test_a_status_that_counts(fields: dict[str, str], step: Step, cause: str) -> None:
    report = twilio.report_of({"CallSid": "CA2", "From": "+905321112233", **fields}, CALL, NOW)
    assert isinstance(report, Report)
    assert (report.step, report.cause) == (step, cause)
    assert report.phone == (None if step is Step.ANSWERED else "+905321112233")  # that leg's From is our own number


@pytest.mark.parametrize(
    "fields",
    [
        {"CallStatus": "in-progress"},
        {"CallStatus": "initiated"},
        {"CallStatus": "completed", "ParentCallSid": "CA1"},
        {"CallStatus": "no-answer", "ParentCallSid": "CA1"},
        {},
    ],
)
def test_a_status_that_does_not(fields: dict[str, str]) -> None:
    assert twilio.report_of({"CallSid": "CA2", **fields}, CALL, NOW) is None


def test_the_leg_to_the_desk_is_of_the_incoming_call() -> None:
    assert twilio.number_of({"CallSid": "CA2", "ParentCallSid": "CA1"}) == "CA1"
    assert twilio.number_of({"CallSid": "CA2"}) == "CA2"
    assert twilio.number_of({}) is None


def test_the_menu_tells_of_privacy_and_emergencies_and_lets_who_presses_nothing_go_on() -> None:
    response = parsed(twilio.menu(URL))
    gather, redirect = response
    assert gather.attrib["action"] == redirect.text == f"{URL}/webhooks/twilio/voice/menu"
    assert gather.attrib["numDigits"] == "1"
    spoken = gather[0]
    assert spoken.attrib["language"] == "tr-TR"
    assert "6698" in (spoken.text or "")
    assert "biri tuşlayınız" in (spoken.text or "")


@pytest.mark.parametrize(("digits", "says_112"), [("1", True), ("", False), ("7", False)])
def test_who_has_an_emergency_hears_of_112_and_all_are_connected(digits: str, says_112: bool) -> None:
    say, dial = parsed(twilio.connect(URL, digits, "+903624445501"))
    assert ("112" in (say.text or "")) is says_112
    assert dial.attrib["answerOnBridge"] == "true"
    assert dial[0].text == "+903624445501"
    assert dial[0].attrib["statusCallback"] == f"{URL}/webhooks/twilio/voice/status"


def test_without_a_number_of_the_desk_callers_wait_in_the_queue() -> None:
    assert parsed(twilio.connect(URL, "", None))[1].tag == "Enqueue"
