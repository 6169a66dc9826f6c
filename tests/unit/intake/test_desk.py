"""
The desk's pure parts: from the form to a request, what is read out, what the receipt says.
"""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import CHECK_SYMBOLS, grouped, random_request_id
from services.common.contracts.vocabulary import CLOSED, TRIAGE_SERVICE, Channel, Status
from services.common.ui.words import Words
from services.intake.desk import domain, receipt, speech, timeline
from services.intake.desk.domain import MESSAGES, Form, FormError, to_request
from services.intake.desk.receipt import Standing
from services.intake.desk.scripts import answers, scripts, to_fill_in
from services.intake.read_model import CaseState
from services.intake.schemas import NewRequest

TEXT = "Lise Caddesi'nde yolda çukur var"


# --- the form ---


def test_a_form_with_a_text_alone_is_a_request_by_telephone() -> None:
    request = to_request(Form(text=TEXT))
    assert (request.channel, request.text, request.service_code) == (Channel.PHONE, TEXT, None)
    assert request.contact is None
    assert request.legal is None
    assert request.answered is None


def test_every_field_of_the_form_goes_where_it_belongs() -> None:
    request = to_request(
        Form(
            text=TEXT, channel="petition", kind="complaint", service="yol-cukur", neighbourhood="Kadıköy",
            address="Lise Caddesi 12", position="41.2867, 36.3300", name="Ayşe Yılmaz", phone="0532 111 22 33",
            email="ayse@example.com", whatsapp_id="905321112233", language="en", notify_via="sms", legal_basis="4982",
            record_no="2026/17", answer="Verildi", duplicate_of="7xk2 9mq4 t3bd m",
        )
    )  # fmt: skip
    assert request.citizen is not None
    assert request.location is not None
    assert request.legal is not None
    assert request.citizen.phone == "+905321112233"
    assert request.citizen.language == "en"
    assert (request.location.lat, request.location.lon) == (41.2867, 36.33)
    assert (request.legal.basis, request.legal.record_no) == ("4982", "2026/17")
    assert request.answered is not None
    assert request.answered.text == "Verildi"
    assert request.attributes == {"duplicate_of_suspected": "7XK29MQ4T3BDM"}


def test_who_stays_unnamed_leaves_nothing_of_what_was_typed_before() -> None:
    request = to_request(Form(text=TEXT, name="Ayşe Yılmaz", phone="0532 111 22 33", unnamed="1"))
    assert request.contact == "none"
    assert request.citizen is None
    assert "Ayşe" not in request.model_dump_json()


@pytest.mark.parametrize(("channel", "basis"), [("petition", "3071"), ("cimer", "cimer")])
def test_paper_has_its_usual_basis(channel: str, basis: str) -> None:
    request = to_request(Form(text=TEXT, channel=channel))
    assert request.legal is not None
    assert request.legal.basis == basis


def test_a_basis_left_over_from_another_channel_does_not_count() -> None:
    assert to_request(Form(text=TEXT, channel="phone", legal_basis="4982", record_no="1")).legal is None


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"text": " \n "}, "text"),
        ({"text": "x" * 4_001}, "text"),
        ({"phone": "123"}, "phone"),
        ({"email": "nobody"}, "email"),
        ({"whatsapp_id": "ğ"}, "whatsapp_id"),
        ({"name": "x" * 201}, "name"),
        ({"address": "x" * 301}, "address"),
        ({"neighbourhood": "x" * 101}, "neighbourhood"),
        ({"language": "de"}, "language"),
        ({"notify_via": "pigeon"}, "notify_via"),
        ({"kind": "riddle"}, "kind"),
        ({"channel": "open311"}, "channel"),
        ({"channel": "smoke"}, "channel"),
        ({"service": "no such service"}, "service"),
        ({"service": "vefa-ilac"}, "service"),
        ({"position": "41.2867"}, "position"),
        ({"position": "41.2867, nan"}, "position"),
        ({"position": "91, 36"}, "position"),
        ({"position": "kuzey, güney"}, "position"),
        ({"channel": "petition", "record_no": "x" * 101}, "record_no"),
        ({"channel": "petition", "legal_basis": "1"}, "legal_basis"),
        ({"answer": "Saat [saat] geliriz"}, "answer"),
        ({"answer_template": "hacimli-atik"}, "answer"),
        ({"duplicate_of": "7XK29MQ4T3BDN"}, "duplicate_of"),
        ({"photos": ("../../etc/passwd",)}, "photos"),
    ],
)
def test_a_fault_is_told_at_its_field(fields: dict[str, str], wrong: str) -> None:
    with pytest.raises(FormError) as caught:
        to_request(Form.read({"text": TEXT, **fields}))
    assert caught.value.errors == {wrong: MESSAGES[wrong]}


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(FormError) as caught:
        to_request(Form(text="", phone="1", position="x", service="?"))
    assert set(caught.value.errors) == {"text", "phone", "position", "service"}


def test_every_field_of_a_request_that_the_form_fills_has_its_place_in_the_form() -> None:
    names = {field for field in NewRequest.model_fields if field in domain._PLACES}
    own = {
        "citizen",
        "location",
        "legal",
        "contact",
        "entered_by",
        "external_id",
        "received_at",
        "notice_version",
        "repeat",
    }
    assert names | own == set(NewRequest.model_fields)
    assert {domain.field_of(place) for place in domain._PLACES} <= set(MESSAGES)


@given(
    st.dictionaries(
        st.sampled_from([*Form.__dataclass_fields__, "other"]), st.one_of(st.text(), st.integers(), st.none())
    )
)
def test_whatever_is_posted_becomes_a_request_or_says_what_is_wrong(given: dict[str, object]) -> None:
    form, wrong = Form.read(given), {"?"}
    try:
        assert to_request(form).text
    except FormError as error:
        wrong = set(error.errors)
    assert wrong
    assert wrong <= {*MESSAGES, "?"}


@given(st.text(), st.text(), st.one_of(st.none(), st.text(min_size=1)), st.one_of(st.none(), st.text(min_size=1)))
def test_what_the_operator_typed_is_never_overwritten(
    own: str, address: str, quarter: str | None, street: str | None
) -> None:
    form = Form(neighbourhood=own, address=address).with_suggestion(quarter, street)
    assert form.neighbourhood == (own.strip() or quarter or "")
    assert form.address == (address.strip() or street or "")


def test_a_service_is_known_by_code_and_by_both_its_names() -> None:
    for code, service in catalogue().services.items():
        if service.crisis is None:
            assert {domain.service_code(name) for name in (code, service.tr, service.en.upper())} == {code}


# --- what is read out ---


def characters() -> Iterator[str]:
    yield from (sign for sign in CHECK_SYMBOLS if sign.isalnum() and sign != "U")


def test_every_sign_of_a_number_can_be_said() -> None:
    for language in ("tr", "en"):
        names = [speech.spelled(sign * 13, language)[0].split(" – ")[0] for sign in characters()]
        assert len(set(names)) == len(names)


def test_a_number_is_said_as_it_is_grouped() -> None:
    assert speech.spelled("7XK29MQ4T3BDM", "tr")[0] == "Yedi – X (iks) – Kars – İki"
    assert speech.spelled("7XK29MQ4T3BDM.2", "tr")[-1] == "nokta – İki"
    assert speech.spelled("7XK29MQ4T3BDM", "en")[3] == "Mike"


def test_every_emergency_of_the_catalogue_has_a_script_with_a_number_to_call() -> None:
    quiet = {"yarali-hayvan"}  # nobody's life
    for code, service in catalogue().services.items():
        if service.emergency:
            script = scripts().script(code, emergency=True)
            assert script is not None
            assert script is not scripts().danger, code
            assert script.ask
            assert script.say
            assert bool({"112", "187"} & set(script.call)) is (code not in quiet), code


def test_an_emergency_without_a_script_of_its_own_gets_the_one_for_every_danger() -> None:
    assert scripts().script("yol-cukur", emergency=True) is scripts().danger
    assert scripts().script("yol-cukur", emergency=False) is None


def test_every_other_body_of_the_catalogue_has_a_number() -> None:
    named = {service.refer_to for service in catalogue().services.values() if service.refer_to}
    assert named <= set(scripts().bodies)


def test_an_answer_with_a_gap_is_not_complete() -> None:
    assert len({answer.name for answer in answers()}) == len(answers())
    gaps = {answer.name for answer in answers() if to_fill_in(answer.text.tr)}
    assert gaps
    assert gaps == {answer.name for answer in answers() if to_fill_in(answer.text.en)}


def test_a_template_comes_in_the_citizens_language() -> None:
    assert domain.answer_of(Form(answer_template="tesekkur", language="en")).startswith("Thank")
    assert domain.answer_of(Form(answer_template="tesekkur", answer="Kendi sözüm")) == "Kendi sözüm"
    assert domain.answer_of(Form(answer_template="no such")) == ""
    for answer in answers():
        for name in (answer.name, answer.title.tr, answer.title.en):
            assert domain.answer_of(Form(answer_template=name)) == answer.text.tr


# --- the receipt ---


@pytest.mark.parametrize("status", [None, *Status])
@pytest.mark.parametrize("service", [None, TRIAGE_SERVICE, "yol-cukur"])
@pytest.mark.parametrize("department", [None, "fen-isleri"])
def test_every_standing_has_a_next_step_in_both_languages(
    status: Status | None, service: str | None, department: str | None
) -> None:
    words = receipt.next_step(Standing("7XK29MQ4T3BDM", status, department, service))
    assert words.tr
    assert words.en
    assert words.tr != words.en
    if status in CLOSED:
        assert "sonuçlandı" in words.tr
    elif department and status is not Status.TRIAGE and status and service != TRIAGE_SERVICE:
        assert "Fen İşleri Müdürlüğü" in words.tr


def test_an_emergency_is_said_to_be_one() -> None:
    words = receipt.next_step(Standing("7XK29MQ4T3BDM", Status.ASSIGNED, "fen-isleri", "yol-cokme", emergency=True))
    assert "Acil" in words.tr


def test_the_newer_of_two_sources_gives_the_state() -> None:
    number = random_request_id()
    detail = {
        "status": "assigned", "department": "fen-isleri", "service_code": "yol-cukur", "emergency": True,
        "received_at": "2026-11-27T10:00:00Z", "due": {"resolve_by": "2026-11-28T10:00:00Z"}, "planned_for": None,
        "legal": {"basis": "3071", "on": "2026-12-27"},
    }  # fmt: skip
    known = receipt.standing_of(number, CaseState(4, Status.ACCEPTED, "fen-isleri", "yol-cukur"), detail)
    assert (known.status, known.emergency, known.legal_basis) == (Status.ACCEPTED, True, "3071")
    assert receipt.standing_of(number, None, detail).status is Status.ASSIGNED
    assert receipt.standing_of(number, None, None) == Standing(number)


def test_the_code_is_a_picture_without_anything_active_in_it() -> None:
    uri = receipt.qr_svg("https://ilkim.example/t/7XK29MQ4T3BDM")
    assert uri.startswith("data:image/svg+xml")
    assert not re.search(r"script|on\w+=|href", uri)


def test_every_basis_that_the_desk_offers_has_its_note() -> None:
    assert set(receipt.LEGAL_NOTES) == set(domain.LEGAL_BASES)


# --- what became of it ---


def test_internal_notes_and_refusals_are_not_for_the_citizen() -> None:
    rows = [
        {
            "seq": n,
            "type": kind,
            "status": "assigned",
            "department": "zabita",
            "at": "2026-11-27T10:00:00Z",
            "public_text": kind,
        }
        for n, kind in enumerate(("RequestRegistered", "NoteAdded", "RequestAssigned", "UpdateRefused"), 1)
    ]
    found = timeline.steps({"history": rows})
    assert [step.text for step in found] == ["RequestAssigned", "RequestRegistered"]
    assert found[0].title == Words("Yeni", "New")
    assert [step.department is not None for step in found] == [False, True]


def test_what_the_citizen_was_told_comes_newest_first_and_says_why_not() -> None:
    rows = [
        {"at": "2026-11-27T10:00:00Z", "channel": "sms", "outcome": "sent", "reason": None},
        {"at": "2026-11-27T11:00:00Z", "channel": None, "outcome": "pigeon", "reason": "phone_only"},
    ]
    new, old = timeline.told({"told": rows})
    assert (old.by, old.outcome.tr, old.why) == (Words("SMS", "SMS"), "gönderildi", None)
    assert (new.by, new.outcome.tr) == (None, "pigeon")
    assert new.why is not None


def test_a_number_on_paper_is_grouped() -> None:
    number = random_request_id()
    assert receipt.number_of(Standing(number)) == grouped(number)
