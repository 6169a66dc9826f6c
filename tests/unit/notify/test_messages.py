"""
The words: complete, checked, and safe to put into a mail.
"""

import re
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from services.common.contracts.catalogue import catalogue
from services.common.contracts.tracking import Purpose, good
from services.common.contracts.vocabulary import CLOSED, Clock, Language, Level, Outcome, Status
from services.notify.catalogue_names import department_name, service_name
from services.notify.domain import SAYING, Row, State
from services.notify.expected import DIGEST, EXPECTED, SUMMARY, BrokenTemplates
from services.notify.messages import House, Message
from services.notify.samples import LATEST, LONGEST, samples
from services.notify.settings import NotifySettings
from services.notify.templates import SHORT_LIMIT, TEMPLATES, load_templates, template_for
from services.notify.transitions import Facts
from services.routing.policy import Policy
from tests.unit.notify.lives import CONTACT, NOON, REQUEST

HOUSE = House(
    {Language.TR: "İlkadım Belediyesi", Language.EN: "İlkadım Municipality"}, "444 55 01", "https://ilkim.example/"
)
ANSWER = "Konteyner boşaltıldı & yıkandı <b>."
ROW = Row(
    "closed", CONTACT, 3, "cause", "corr", Facts(Status.RESOLVED, outcome=Outcome.RESOLVED), State.SENDING, at=NOON
)
TEXTS = load_templates()
SAMPLES = samples(LONGEST, late=LATEST)
OF_REQUESTS = [name for name in SAMPLES if not name.startswith(SAYING) and name != SUMMARY]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_told_by_its_template(name: str) -> None:
    assert template_for(SAMPLES[name]) == name


def test_there_is_a_sample_for_every_template() -> None:
    assert SAMPLES.keys() | {DIGEST} == EXPECTED.keys()


def test_the_longest_sample_has_the_longest_names() -> None:
    departments, services = catalogue().departments, catalogue().services
    assert LONGEST.department == max(departments, key=lambda slug: len(department_name(slug, Language.TR)))
    assert LONGEST.service_code == max(services, key=lambda code: len(service_name(code, Language.TR)))


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", OF_REQUESTS)
def test_every_message_has_its_words_and_fits_a_short_message(name: str, language: Language) -> None:
    row = SAMPLES[name]
    message = TEXTS.render(HOUSE, f"{REQUEST}.10", row, language)
    assert "7XK2-9MQ4-T3BD-M.10" in message.subject
    for text in (message.text, message.html, message.short):
        assert "7XK2-9MQ4-T3BD-M.10" in text
        assert f"https://ilkim.example/t/{REQUEST}.10" in text
        assert "$" not in text
        assert "None" not in text
    assert "\n\n\n" not in message.text
    assert len(message.short) <= SHORT_LIMIT
    words = {"question": "apartmanınızın", "body": "SASKİ", "day": "2026", "answer": "Ekibimiz"}
    expected = [word for key, word in words.items() if key in EXPECTED[name]]
    assert all(word in message.text for word in expected)
    assert all(word in message.short for word in expected if word != "Ekibimiz" or len(expected) == 1)


@pytest.mark.parametrize("language", Language)
def test_no_two_messages_read_the_same(language: Language) -> None:
    read = [TEXTS.render(HOUSE, REQUEST, row, language) for row in SAMPLES.values()]
    assert len({message.text for message in read}) == len({message.short for message in read}) == len(SAMPLES)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", OF_REQUESTS)
def test_what_is_not_known_leaves_no_hole(name: str, language: Language) -> None:
    rows = samples(Facts(Status.ASSIGNED, "zabita", "hatali-park", question="Nerede?", body="SASKİ"))
    message = TEXTS.render(HOUSE, REQUEST, rows[name], language)
    assert "\n\n\n" not in message.text
    assert "()" not in message.text + message.short
    assert "  " not in message.subject + message.short
    for label in ("Öncelik", "Mahalle", "Geliş", "Priority", "Neighbourhood", "Came in"):
        assert f"{label}:" not in message.text


def test_the_department_is_named_without_the_catalogues_remarks() -> None:
    row = replace(ROW, transition="received", facts=Facts(Status.ASSIGNED, "sosyal-destek"))
    assert (
        "İlgilenen birim: Sosyal Destek Hizmetleri Müdürlüğü\n" in TEXTS.render(HOUSE, REQUEST, row, Language.TR).text
    )


@pytest.mark.parametrize("slug", catalogue().departments)
def test_the_longest_department_fits_a_short_message(slug: str) -> None:
    row = replace(ROW, transition="received", facts=Facts(Status.ASSIGNED, slug))
    for language in Language:
        message = TEXTS.render(HOUSE, REQUEST, row, language)
        assert len(message.short) <= SHORT_LIMIT
        assert "(" not in message.short


def test_an_answer_stands_in_the_mail_whole_and_escaped_and_is_cut_in_a_short_message() -> None:
    row = replace(ROW, facts=replace(ROW.facts, answer=ANSWER * 20))
    message = TEXTS.render(HOUSE, REQUEST, row, Language.TR)
    assert ANSWER * 20 in message.text
    assert "&amp; yıkandı &lt;b&gt;" in message.html
    assert "<b>" not in message.html
    assert "… " in message.short
    assert message.short.endswith(f"/t/{REQUEST}")


def test_a_dollar_in_an_answer_is_only_a_dollar() -> None:
    row = replace(ROW, facts=replace(ROW.facts, answer="$url $$ ${x}"))
    assert "$url $$ ${x}" in TEXTS.render(HOUSE, REQUEST, row, Language.TR).text


def test_every_way_to_close_has_words() -> None:
    for status in CLOSED:
        for outcome in [*Outcome, None]:
            row = replace(ROW, facts=Facts(status, outcome=outcome))
            assert TEXTS.render(HOUSE, REQUEST, row, Language.EN).text


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("received:\n", "recieved:\n", "missing or unknown: received, recieved"),
        ("$department", "$departman", r"unknown \$departman"),
        ("$url", "", r"\$url is missing"),
        ("subject: ", "subjekt: ", "received"),
        ("Merhaba,", "Merhaba $,", "lone"),
        ("Merhaba,", "{", "YAMLError|received|Error"),
    ],
)
def test_broken_templates_are_refused_by_name(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    folder = shutil.copytree(TEMPLATES, tmp_path / "templates")
    file = folder / "tr.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(old, new) if new != "{" else "{", encoding="utf-8")
    with pytest.raises(BrokenTemplates, match=complaint):
        load_templates(folder)


@pytest.mark.parametrize(("more", "complaint"), [("ğ" * 250, "300 characters"), ("ж" * 60, "3 segments of an SMS")])
def test_a_message_that_has_grown_too_long_is_refused(tmp_path: Path, more: str, complaint: str) -> None:
    folder = shutil.copytree(TEMPLATES, tmp_path / "templates")
    file = folder / "tr_conversations.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('short: "Hangi', f'short: "{more} Hangi'), encoding="utf-8")
    with pytest.raises(BrokenTemplates, match=rf"tr: say_which: short: \d+ of {complaint}"):
        load_templates(folder)


def test_a_missing_language_is_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(TEMPLATES, tmp_path / "templates")
    (folder / "en.yaml").unlink()
    with pytest.raises(BrokenTemplates, match=r"en\.yaml"):
        load_templates(folder)


def test_the_expected_templates_cover_every_outcome() -> None:
    assert {f"closed_{outcome}" for outcome in Outcome} <= set(EXPECTED)


# --- what stands in which message ---


def told(kind: str, facts: Facts, language: Language = Language.TR) -> Message:
    return TEXTS.render(HOUSE, REQUEST, replace(ROW, transition=f"{kind}.5", facts=facts), language)


def test_a_plan_names_its_day_and_a_longer_term_its_last_day_without_a_time() -> None:
    day = datetime(2026, 7, 10, 20, 59, 59, tzinfo=UTC)
    assert "10 Temmuz 2026 Cuma, 23.59\n" in told("scheduled", Facts(Status.SCHEDULED, day=day)).text
    assert "10 Temmuz 2026 Cuma\n" in told("extended", Facts(Status.TRIAGE, day=day)).text


def test_a_question_says_how_to_answer() -> None:
    message = told("asked", Facts(Status.WAITING_CITIZEN, question="Hangi kapı?"))
    for text in (message.text, message.short):
        assert "Hangi kapı?" in text
        assert "444 55 01" in text
        assert "yanıtla" in text


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.DUPLICATE])
def test_what_was_written_to_the_masters_citizen_alone_is_not_told_to_the_duplicates(status: Status) -> None:
    message = told("followed", Facts(status, answer="Yanıt vermediniz."))
    assert "Yanıt vermediniz." not in message.text + message.html + message.short


def test_another_body_is_named_with_its_day_and_number() -> None:
    facts = Facts(
        Status.REFERRED, outcome=Outcome.REFERRED, body="SASKİ", written_on=date(2026, 6, 1), reference="4411"
    )
    assert "Kurum: SASKİ (1 Haziran 2026 Pazartesi, sayı 4411)\n" in told("closed", facts).text
    alone = replace(facts, written_on=None, reference=None)
    assert "Kurum: SASKİ\n" in told("closed", alone).text


@pytest.mark.parametrize("outcome", [Outcome.NO_REPLY, Outcome.CANCELLED])
@pytest.mark.parametrize("language", Language)
def test_who_may_have_a_request_opened_again_reads_for_how_long(outcome: Outcome, language: Language) -> None:
    message = told("closed", Facts(Status.CANCELLED, outcome=outcome), language)
    days = {Language.TR: f"{Policy().reopening_days} gün", Language.EN: f"{Policy().reopening_days} days"}[language]
    assert days in message.text
    assert days in message.short


LATE = Facts(
    Status.ASSIGNED,
    "fen-isleri",
    "yol-cokme",
    day=NOON - timedelta(hours=2, minutes=15),
    neighbourhood="Kadıköy",
    since=NOON - timedelta(days=1),
    clock=Clock.ACCEPTANCE,
    level=Level.HEAD,
)


def test_staff_read_which_request_it_is_since_when_and_how_late() -> None:
    message = told("escalated", LATE)
    for line in (
        "Konu: Yol çökmesi, göçük",
        "Mahalle: Kadıköy",
        "Geliş: 31 Mayıs 2026 Pazar, 12.00",
        "Üstlenmek için son vakit: 1 Haziran 2026 Pazartesi, 09.45",
        "Bu iletiyi birim müdürü olarak alıyorsunuz.",
    ):
        assert f"{line}\n" in message.text
    assert (
        "Fen İşleri Müdürlüğü aşağıdaki başvuruyu henüz üstlenmedi; süresi 2 saat 15 dakika önce doldu." in message.text
    )
    assert "ACİL" not in message.subject + message.text + message.short


@pytest.mark.parametrize(
    ("due", "late"),
    [
        (NOON + timedelta(days=2, hours=1, minutes=5), "süresinin dolmasına 2 gün 1 saat var"),
        (NOON - timedelta(seconds=20), "süresi şimdi doldu"),
        (NOON - timedelta(days=1), "süresi 1 gün önce doldu"),
    ],
)
def test_how_late_it_is_stands_in_the_subject(due: datetime, late: str) -> None:
    assert told("escalated", replace(LATE, day=due)).subject.endswith(f", {late}")


@pytest.mark.parametrize(("language", "word"), [(Language.TR, "ACİL"), (Language.EN, "URGENT")])
@pytest.mark.parametrize("clock", Clock)
def test_an_emergency_says_so_at_once(clock: Clock, language: Language, word: str) -> None:
    message = told("escalated", replace(LATE, clock=clock, emergency=True), language)
    assert message.subject.startswith(f"{word} 7XK2-9MQ4-T3BD-M")
    assert message.short.startswith(f"{word} 7XK2-9MQ4-T3BD-M")
    assert f": {word}\n" in message.text


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("transition", ["received", "assigned"])
@pytest.mark.parametrize("status", [Status.RECEIVED, Status.TRIAGE, Status.ASSIGNED])
def test_in_an_emergency_the_first_message_names_112_and_187_and_otherwise_does_not(
    status: Status, transition: str, language: Language
) -> None:
    for emergency in (True, False):
        message = told(transition, replace(LONGEST, status=status, emergency=emergency), language)
        for text in (message.text, message.short):
            assert ("112" in text and "187" in text) is emergency


SIGNED = replace(HOUSE, tracking_secret=b"0123456789abcdef")


@pytest.mark.parametrize("language", Language)
def test_the_link_in_a_message_shows_its_reader_to_be_the_citizen(language: Language) -> None:
    message = TEXTS.render(SIGNED, REQUEST, ROW, language)
    for text in (message.text, message.short, message.html):
        (key,) = {*re.findall(rf"https://ilkim.example/t/{REQUEST}\?k=([0-9a-f-]+)", text)}
        assert good(b"0123456789abcdef", key, REQUEST, Purpose.LINK, NOON)
    assert len(message.short) <= 300
    assert TEXTS.render(SIGNED, REQUEST, ROW, language) == message


def test_the_link_for_staff_shows_what_everybody_sees() -> None:
    row = replace(ROW, recipient="staff:zabita:head")
    assert SIGNED.link(REQUEST, row) == HOUSE.link(REQUEST, ROW) == f"https://ilkim.example/t/{REQUEST}"


def test_a_part_is_followed_on_the_page_of_its_request() -> None:
    assert SIGNED.link(f"{REQUEST}.1", ROW) == SIGNED.link(REQUEST, ROW)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", OF_REQUESTS)
def test_a_signed_link_leaves_every_message_short(name: str, language: Language) -> None:
    assert len(TEXTS.render(SIGNED, REQUEST, SAMPLES[name], language).short) <= SHORT_LIMIT


def test_a_lease_that_sending_could_outlast_is_refused() -> None:
    with pytest.raises(ValidationError, match="NOTIFY_LEASE"):
        NotifySettings(lease=timedelta(seconds=35), send_timeout=timedelta(seconds=15))


def test_a_lease_for_sending_and_two_writes_is_taken() -> None:
    least = timedelta(seconds=36)
    assert NotifySettings(lease=least, send_timeout=timedelta(seconds=15)).rules.lease == least
