"""
One form for one meaning: telephone numbers, addresses, text.
"""

import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake import cleaning

PHONES = [
    ("05321112233", "+905321112233"),
    ("0532 111 22 33", "+905321112233"),
    ("0 532 111 22 33", "+905321112233"),
    ("(0532) 111-22-33", "+905321112233"),
    ("0532.111.22.33", "+905321112233"),
    ("5321112233", "+905321112233"),
    ("532 111 2233", "+905321112233"),
    ("905321112233", "+905321112233"),
    ("90 532 111 22 33", "+905321112233"),
    ("+905321112233", "+905321112233"),
    ("+90 (532) 111 22 33", "+905321112233"),
    ("+90 0532 111 22 33", "+905321112233"),
    ("00905321112233", "+905321112233"),
    ("00 90 532 111 22 33", "+905321112233"),
    ("０５３２１１１２２３３", "+905321112233"),
    ("0532\u00a0111\u00a022\u00a033", "+905321112233"),
    ("  0532 111 22 33\n", "+905321112233"),
    ("05001112233", "+905001112233"),
    ("0362 431 00 00", "+903624310000"),
    ("03624310000", "+903624310000"),
    ("362 431 00 00", "+903624310000"),
    ("90 362 431 00 00", "+903624310000"),
    ("0850 123 45 67", "+908501234567"),
    ("0800 123 45 67", "+908001234567"),
    ("444 55 01", "+904445501"),
    ("4445501", "+904445501"),
    ("0444 55 01", "+904445501"),
    ("+90 444 55 01", "+904445501"),
    ("+49 30 901820", "+4930901820"),
    ("0049 30 901820", "+4930901820"),
    ("+44 20 7946 0958", "+442079460958"),
    ("", None),
    ("   ", None),
]
NO_PHONES = [
    "112",
    "155",
    "12345",
    "431 00 00",
    "0532 111 22 3",
    "0532 111 22 334",
    "0132 111 22 33",
    "9321112233",
    "555 55",
    "+90",
    "+",
    "---",
    "0532 111 22 33 dahili 5",
    "0532 111 22 33; 0533 111 22 33",
    "0532111223x",
    "bilmiyorum",
    "+999 123 456",
    "+49 1",
    "1" * 41,
    "0533 111 22 33" + " " * 400,
    "0532\x00111",
]
EMAILS = [
    ("ali@example.com", "ali@example.com"),
    (" Ali.Veli+1@Example.COM ", "Ali.Veli+1@example.com"),
    ("a@belediye.bel.tr", "a@belediye.bel.tr"),
    ("a@örnek.com", "a@xn--rnek-4qa.com"),
    ("", None),
]
NO_EMAILS = [
    "ali",
    "@example.com",
    "ali@",
    "ali@example",
    "ali@@example.com",
    "a li@example.com",
    "ali@exam ple.com",
    ".ali@example.com",
    "ali.@example.com",
    "a..b@example.com",
    "ali@-example.com",
    "ali@example..com",
    "ali@127.0.0.1",
    "ali@example.com\nBcc: x@example.com",
    "ayşe@example.com",
    "a" * 65 + "@example.com",
    "a@" + "b" * 64 + ".com",
    "a@" + "b." * 150 + "com",
    "a\x00@example.com",
]


@pytest.mark.parametrize(("written", "e164"), PHONES)
def test_a_telephone_number_as_people_write_it_becomes_e164(written: str, e164: str | None) -> None:
    assert cleaning.phone(written) == e164


@pytest.mark.parametrize("written", NO_PHONES)
def test_what_is_no_telephone_number_is_refused_without_being_quoted(written: str) -> None:
    with pytest.raises(ValueError) as refused:
        cleaning.phone(written)
    assert len(written) < 4 or written.strip() not in str(refused.value)


@pytest.mark.parametrize("e164", [e164 for _, e164 in PHONES if e164])
def test_a_clean_number_stays_as_it_is(e164: str) -> None:
    assert cleaning.phone(e164) == e164


@pytest.mark.parametrize(("written", "clean"), EMAILS)
def test_an_address_keeps_its_mailbox_and_lowers_its_domain(written: str, clean: str | None) -> None:
    assert cleaning.email(written) == clean


@pytest.mark.parametrize("written", NO_EMAILS)
def test_what_no_mail_server_would_take_is_refused(written: str) -> None:
    with pytest.raises(ValueError):
        cleaning.email(written)


@pytest.mark.parametrize(
    "text",
    ["", " \n\t ", "\u200b\u200d\ufeff", "\u3164\u2800", "\u202e", "\u00a0\u2003", "\x01\x02"],
    ids=ascii,
)
def test_text_that_shows_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="visible"):
        cleaning.prose(text, 100)
    assert cleaning.one_line(text, 100) is None


@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b", "\udfff", "x" * 101, "x" * 1_000])
def test_text_that_cannot_be_kept_is_refused(text: str) -> None:
    for clean in (cleaning.prose, cleaning.one_line):
        with pytest.raises(ValueError):
            clean(text, 100)


def test_control_characters_go_and_line_ends_become_one() -> None:
    assert cleaning.prose(" bir\r\niki\rüç\x1b[31m\x07 ", 100) == "bir\niki\nüç[31m"
    assert cleaning.one_line(" Ali \n\t Veli ", 100) == "Ali Veli"


def test_text_is_measured_after_it_is_composed() -> None:
    assert cleaning.prose(unicodedata.normalize("NFD", "ü" * 100), 100) == "ü" * 100


@given(st.text(max_size=60))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    for clean in (cleaning.prose, cleaning.one_line, cleaning.email, cleaning.phone):
        try:
            once = clean(text, 100) if clean in (cleaning.prose, cleaning.one_line) else clean(text)  # type: ignore[operator]
        except ValueError:
            continue
        if once is not None:
            twice = clean(once, 100) if clean in (cleaning.prose, cleaning.one_line) else clean(once)  # type: ignore[operator]
            assert twice == once


@pytest.mark.parametrize(
    "given_attributes",
    [
        {f"k{n}": 1 for n in range(51)},
        {"a": "x" * 10_001},
        {"a": ["x" * 1_000] * 11},
        {"a": float("inf")},
        {"a": 2**63},
        {"a": -(2**63) - 1},
        {"a": "\x00"},
        {"a": ["\ud800"]},
        {"": 1},
        {"a.b": 1},
        {"$where": 1},
        {"a": {"b\x00": 1}},
        {"x" * 61: 1},
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_attributes_that_are_too_much_or_unsound_are_refused(given_attributes: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        cleaning.attributes(given_attributes)


def test_plain_attributes_pass() -> None:
    plain = {"kapı no": "14/A", "attribute[X]": [1, 2.5, True, None], "iç": {"içe": "ü"}}
    assert cleaning.attributes(plain) == plain


@pytest.mark.parametrize(
    "text",
    [
        "2026-06-03T09:00:00+03:00",
        "2026-06-03T06:00:00Z",
        "2026-06-03t06:00:00.000z",
        "2026-06-03 06:00Z",
        "2026-06-02T23:30:00-06:30",
    ],
)
def test_a_time_is_read_with_its_zone_and_kept_in_utc(text: str) -> None:
    found = cleaning.moment(text)
    assert (found, found.tzinfo) == (datetime(2026, 6, 3, 6, 0, tzinfo=UTC), UTC)


@given(
    st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(-23 * 60, 23 * 60),
)
def test_every_time_of_our_age_is_read_in_every_zone(moment: datetime, minutes: int) -> None:
    assert cleaning.moment(moment.astimezone(timezone(timedelta(minutes=minutes))).isoformat()) == moment


@given(st.from_regex(r"\A[-0-9TZ:+. ]{0,40}\Z") | st.text() | st.integers() | st.booleans() | st.none())
def test_a_time_or_a_day_is_read_or_refused_with_an_example(value: object) -> None:
    for read in (cleaning.moment, cleaning.day):
        try:
            found = read(value)
        except ValueError as error:
            assert "must be" in str(error)  # noqa: PT017 - what is read is as much the claim
        else:
            assert 2000 <= found.year < 2100


def test_a_name_has_something_visible() -> None:
    assert cleaning.named("  SASKİ\n Genel  Müdürlüğü ", 200) == "SASKİ Genel Müdürlüğü"
    for text in ("", " \n", "\u200b"):
        with pytest.raises(ValueError, match="visible"):
            cleaning.named(text, 200)
