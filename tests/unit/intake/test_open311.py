"""
Open311's rules without HTTP: what may be asked and sent, questions and answers, XML, times, words of others.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import grouped, keyed_request_id
from services.common.contracts.vocabulary import STATUS_LABELS, Channel, Status
from services.intake.open311 import parameters
from services.intake.open311.coverage import ours
from services.intake.open311.definitions import (
    Datatype,
    Definitions,
    Question,
    check,
    definitions,
    digest_of,
    mended,
    offered,
)
from services.intake.open311.parameters import NotTaken, report, update, wanted
from services.intake.open311.words import ABROAD, DETAILED, statuses, written
from services.intake.open311.xml import document

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NUMBER = keyed_request_id(b"a secret", "open311")


def params(**fields: str) -> dict[str, list[str]]:
    return {name: [text] for name, text in fields.items()}


def asked(**fields: str) -> dict[str, str]:
    query = wanted(params(**fields), NOW).query
    assert query is not None
    return query


def refused(fields: dict[str, list[str]], status: int = 400) -> tuple[str, ...]:
    with pytest.raises(NotTaken) as error:
        wanted(fields, NOW)
    assert error.value.status == status
    return error.value.messages


# --- what may be asked ---


def test_without_times_the_last_90_days_and_the_first_1000_are_meant() -> None:
    query = asked()
    assert query["received_from"] == (NOW - 90 * DAY).isoformat()
    assert query["received_to"] == NOW.isoformat()
    assert (query["page"], query["page_size"]) == ("1", "1000")


def test_only_a_start_means_90_days_from_it_at_most_until_now() -> None:
    early = asked(start_date="2026-01-01T00:00:00Z")
    assert early["received_to"] == "2026-04-01T00:00:00+00:00"
    assert asked(start_date="2026-06-01T00:00:00+03:00")["received_to"] == NOW.isoformat()


def test_only_an_end_means_the_90_days_before_it() -> None:
    assert asked(end_date="2026-04-01T00:00:00Z")["received_from"] == "2026-01-01T00:00:00+00:00"


def test_nothing_is_asked_from_before_our_age() -> None:
    query = asked(end_date="2000-01-01T00:00:00Z")
    assert query["received_from"] == query["received_to"] == "2000-01-01T00:00:00+00:00"


def test_90_days_may_be_asked_for_and_a_second_more_may_not() -> None:
    assert asked(start_date="2026-01-01T00:00:00Z", end_date="2026-04-01T00:00:00Z")
    messages = refused(params(start_date="2026-01-01T00:00:00Z", end_date="2026-04-01T00:00:01Z"))
    assert "90 days" in messages[0]


@pytest.mark.parametrize(
    "fields",
    [
        params(start_date="2026-06-02T00:00:00Z", end_date="2026-06-01T00:00:00Z"),
        params(start_date="2026-06-02T00:00:00"),
        params(start_date="2026-06-02"),
        params(end_date="yesterday"),
        params(start_date="2026-02-30T00:00:00Z"),
        params(updated_after="2026-06-02T00:00:00"),
        params(status="opened"),
        params(detailed_status="DONE"),
        params(keyword="praise"),
        params(page="one"),
        params(page="-1"),
        params(page_size="0"),
        params(extensions="perhaps"),
        params(lat="41"),
        params(lat="41", long="36"),
        params(radius="5"),
        params(lat="91", long="36", radius="5"),
        params(lat="41", long="36", radius="0"),
        params(lat="nan", long="36", radius="5"),
        params(lat="4_1", long="36", radius="5"),
    ],
)
def test_what_cannot_be_asked_is_a_400_that_names_the_parameter(fields: dict[str, list[str]]) -> None:
    messages = refused(fields)
    assert any(name in message for name in fields for message in messages)


def test_everything_wrong_is_said_at_once() -> None:
    assert len(refused(params(status="x", page="y", start_date="z"))) == 3


def test_a_plus_that_became_a_blank_in_the_url_is_mended() -> None:
    assert asked(start_date="2026-06-01T09:30:00 03:00")["received_from"] == "2026-06-01T06:30:00+00:00"
    assert mended("2026-06-01T09:30:00.5 03:00") == "2026-06-01T09:30:00.5+03:00"
    assert mended("2026-06-01T09:30:00Z") == "2026-06-01T09:30:00Z"


def test_numbers_override_every_other_argument_and_what_is_no_number_is_absent() -> None:
    query = asked(service_request_id=f"{grouped(NUMBER)}, {NUMBER.lower()},nonsense", status="closed", start_date="x")
    assert query == {"ids": NUMBER, "page": "1", "page_size": "1000"}


def test_numbers_that_are_none_find_nothing() -> None:
    assert wanted(params(service_request_id="1,2"), NOW).query is None


def test_empty_parameters_are_absent() -> None:
    assert asked(status="", service_code=" ", page="", lat="", long="", start_date="") == asked()


def test_what_changed_is_looked_for_among_all_requests() -> None:
    query = asked(updated_after="2026-06-01T00:00:00Z")
    assert query["changed_from"] == "2026-06-01T00:00:00+00:00"
    assert "received_from" not in query
    both = asked(updated_before="2026-06-01T00:00:00Z", start_date="2026-05-01T00:00:00Z")
    assert {"changed_to", "received_from", "received_to"} <= set(both)


def test_states_are_asked_for_in_two_vocabularies_at_once() -> None:
    assert asked(status="closed")["status"] == "resolved,referred,rejected,duplicate,cancelled"
    assert asked(detailed_status="in_process")["status"] == "in_progress,scheduled,waiting_citizen,waiting_external"
    assert "status" in asked(status="open,closed")
    assert wanted(params(status="open", detailed_status="PROCESSED"), NOW).query is None


def test_a_service_or_a_place_that_is_not_ours_finds_nothing() -> None:
    assert asked(service_code="yol-cukur,nothing")["service"] == "yol-cukur"
    assert wanted(params(service_code="nothing"), NOW).query is None
    assert wanted(params(service_code="gurultu"), NOW).query is None
    assert asked(area_code="kadikoy mah.")["neighbourhood"] == "Kadıköy"
    assert wanted(params(area_code="Moda"), NOW).query is None


def test_pages_begin_with_1_and_0_is_the_same() -> None:
    assert asked(page="0")["page"] == asked(page="1")["page"] == "1"
    assert asked(page="3", page_size="50")["page"] == "3"
    assert asked(page_size="5000")["page_size"] == "1000"
    assert asked(max_requests="5")["page_size"] == "5"
    assert asked(just_count="true")["page_size"] == "0"


# --- what may be sent ---


def sent(**fields: str) -> dict[str, list[str]]:
    return params(**{"service_code": "yol-cukur", "lat": "41.2867", "long": "36.33"} | fields)


def not_sent(fields: dict[str, list[str]], status: int = 400) -> str:
    with pytest.raises(NotTaken) as error:
        report(fields, definitions())
    assert error.value.status == status
    return " ".join(error.value.messages)


def test_a_report_becomes_a_request_with_everything_in_its_place() -> None:
    body = report(
        sent(
            description="  Çukur & <su>\r\nvar ",
            first_name="Ayşe",
            last_name="Yılmaz",
            email="a@example.com",
            phone="0532 111 22 33",
            address_string="Gazi Cad. 5",
            address_id="42",
            media_url="https://example.com/a.jpg",
            account_id="x",
            device_id="y",
        ),
        definitions(),
    )
    assert (body.channel, body.service_code, body.text) == (Channel.OPEN311, "yol-cukur", "Çukur & <su>\nvar")
    assert body.citizen is not None
    assert (body.citizen.name, body.citizen.phone) == ("Ayşe Yılmaz", "+905321112233")
    assert body.location is not None
    assert (body.location.lat, body.location.lon, body.location.address) == (41.2867, 36.33, "Gazi Cad. 5")
    assert body.attributes == {"address_id": "42", "media_url": "https://example.com/a.jpg"}


@pytest.mark.parametrize("blank", ["", "   "])
def test_a_report_without_words_has_its_services_name(blank: str) -> None:
    assert report(sent(description=blank), definitions()).text == catalogue().services["yol-cukur"].tr


@pytest.mark.parametrize("place", [{"address_string": "Gazi Cad."}, {"address_id": "7"}])
def test_an_address_or_its_id_is_a_location(place: dict[str, str]) -> None:
    assert report(params(service_code="yol-cukur", **place), definitions()).service_code == "yol-cukur"


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        (params(service_code="yol-cukur"), "location"),
        (params(service_code="yol-cukur", lat="41"), "long"),
        (params(service_code="yol-cukur", long="36", address_string="x"), "lat"),
        (sent(lat="91"), "lat"),
        (sent(lat="x"), "lat"),
        (sent(long="181"), "long"),
        (sent(description="a" * 4_001), "description"),
        (sent(description="a\x00b"), "description"),
        (sent(email="nobody"), "email"),
        (sent(phone="12"), "phone"),
        (sent(address_string="a" * 301), "address_string"),
        (sent(media_url="javascript:alert(1)"), "media_url"),
        (sent(media_url="ftp://x"), "media_url"),
        ({**sent(), "attribute[a/b]": ["1"]}, "attribute"),
    ],
)
def test_what_cannot_be_sent_is_a_400_that_names_the_field(fields: dict[str, list[str]], word: str) -> None:
    assert word in not_sent(fields)


def test_4000_characters_are_taken() -> None:
    assert len(report(sent(description="ğ" * 4_000), definitions()).text) == 4_000


def test_no_refusal_quotes_what_was_sent() -> None:
    assert "secret" not in not_sent(sent(email="secret", phone="secret", lat="secret", media_url="secret"))


@pytest.mark.parametrize("code", ["nothing", "gurultu", "siniflandirilamadi", "vefa-ilac"])
def test_a_service_that_is_not_offered_is_a_404(code: str) -> None:
    assert "service_code" in not_sent(sent(service_code=code), 404)


def test_no_service_is_a_400() -> None:
    assert "service_code" in not_sent(params(lat="41", long="36"))


# --- questions and answers ---


def test_answers_of_every_datatype_come_in_one_form() -> None:
    fields = {
        **sent(service_code="basibos-kopek"),
        "attribute[SAYI]": ["3"],
        "attribute[KUPE]": ["bazisi"],
        "attribute[SAAT]": ["2026-06-01T09:30:00+03:00"],
        "attribute[DAVRANIS]": ["havlıyor\nkovalıyor"],
        "attribute[BASKA]": ["kept as it is"],
    }
    assert report(fields, definitions()).attributes == {
        "SAYI": "3",
        "KUPE": "bazisi",
        "SAAT": "2026-06-01T06:30:00Z",
        "DAVRANIS": "havlıyor\nkovalıyor",
        "BASKA": "kept as it is",
    }


@pytest.mark.parametrize("name", ["attribute[TUR]", "attribute[TUR][]", "attribute[TUR][0]"])
def test_several_choices_come_in_three_spellings(name: str) -> None:
    fields = {**sent(service_code="kaldirim-bozuk"), name: ["tas", "kot", "tas"]}
    assert report(fields, definitions()).attributes == {"TUR": ["tas", "kot"]}


def test_one_choice_of_a_list_of_several_is_a_list_too() -> None:
    fields = {**sent(service_code="kaldirim-bozuk"), "attribute[TUR]": ["tas"]}
    assert report(fields, definitions()).attributes == {"TUR": ["tas"]}


@pytest.mark.parametrize(
    ("service", "code", "texts"),
    [
        ("basibos-kopek", "SAYI", ["many"]),
        ("basibos-kopek", "SAYI", ["1", "2"]),
        ("basibos-kopek", "SAAT", ["yesterday"]),
        ("basibos-kopek", "SAAT", ["2026-06-01T09:30:00"]),
        ("basibos-kopek", "KUPE", ["belki"]),
        ("kaldirim-bozuk", "TUR", ["tas", "belki"]),
        ("konteyner-dolu", "KONTEYNER", ["x" * 201]),
        ("basibos-kopek", "DAVRANIS", ["x" * 2_001]),
    ],
)
def test_an_answer_that_does_not_fit_its_question_is_refused_by_its_code(
    service: str, code: str, texts: Sequence[str]
) -> None:
    fields = {**sent(service_code=service), "attribute[SAYI]": ["3"], f"attribute[{code}]": list(texts)}
    assert f"attribute[{code}]" in not_sent(fields)


@pytest.mark.parametrize("texts", [None, "", " "])
def test_a_required_answer_must_be_there_with_something_in_it(texts: str | None) -> None:
    fields = sent(service_code="basibos-kopek") | ({} if texts is None else {"attribute[SAYI]": [texts]})
    assert not_sent(fields) == "attribute[SAYI] is required."


def test_a_wrong_required_answer_is_complained_of_once() -> None:
    asked_for = Question(code="N", datatype=Datatype.NUMBER, required=True, tr="?", en="?")
    assert [row.code for row in check([asked_for], {"N": ["x"]})[1]] == ["N"]


def test_at_least_twelve_services_ask_something_and_every_datatype_is_asked_for() -> None:
    known = definitions()
    assert len(known.services) >= 12
    kinds = {one.datatype for questions in known.services.values() for one in questions if not one.info}
    assert kinds == set(Datatype)


def test_the_changeset_was_raised_when_services_or_questions_changed() -> None:
    known = definitions()
    assert known.digest == digest_of(known), (
        f"services or questions changed: raise `changeset` in definitions.yaml and set `digest` to {digest_of(known)}"
    )


def test_nothing_hidden_is_offered() -> None:
    assert set(offered()) <= {code for code, one in catalogue().services.items() if one.public}
    assert not {"siniflandirilamadi", "vefa-ilac", "gurultu"} & set(offered())


def test_a_list_without_values_is_no_definition() -> None:
    with pytest.raises(ValueError, match="values"):
        Question(code="A", datatype=Datatype.ONE, tr="?", en="?")
    with pytest.raises(ValueError, match="not offered"):
        Definitions(changeset="2026-01-01 00:00", digest="", services={"gurultu": ()})


# --- updates of others ---

ADDED = {
    "service_request_id": grouped(NUMBER),
    "update_id": "77",
    "status": "FIXED",
    "updated_datetime": "2026-06-01T09:30:00+03:00",
    "description": "Onarıldı gibi",
}


def test_an_update_becomes_a_reply_that_tells_its_state() -> None:
    added = update(params(**ADDED))
    assert (added.request_id, added.update_id) == (NUMBER, "77")
    assert added.reply.text == "Onarıldı gibi\n\n(FixMyStreet: FIXED)"
    assert update(params(**ADDED | {"status": "OPEN"})).reply.text == "Onarıldı gibi"


@pytest.mark.parametrize("name", list(ADDED))
def test_an_update_needs_its_fields(name: str) -> None:
    with pytest.raises(NotTaken) as error:
        update(params(**ADDED | {name: ""}))
    assert (error.value.status, error.value.messages) == (400, (f"{name} is required.",))


@pytest.mark.parametrize(
    ("name", "text", "status"),
    [("status", "DONE", 400), ("updated_datetime", "now", 400), ("service_request_id", "17", 404)],
)
def test_an_update_with_nonsense_is_refused(name: str, text: str, status: int) -> None:
    with pytest.raises(NotTaken) as error:
        update(params(**ADDED | {name: text}))
    assert error.value.status == status


# --- words and times ---


def test_every_state_has_words_abroad_that_agree_on_open_and_closed() -> None:
    closed_abroad = {"PROCESSED", "REJECTED"}
    for status in Status:
        assert (STATUS_LABELS[status].open311 == "closed") == (ABROAD[status].citysdk in closed_abroad)
    assert set(DETAILED) == {"PENDING", "RECEIVED", "IN_PROCESS", "PROCESSED", "REJECTED"}


def test_no_words_mean_all_states() -> None:
    assert statuses(frozenset(), frozenset()) == tuple(Status)


def test_times_are_written_in_istanbul_to_the_second() -> None:
    assert written(datetime(2026, 6, 1, 6, 30, 0, 999_000, tzinfo=UTC)) == "2026-06-01T09:30:00+03:00"


# --- where ---


@pytest.mark.parametrize(
    ("lat", "lon", "inside"),
    [
        (41.2867, 36.33, True),
        (41.20, 36.25, True),
        (41.33, 36.26, False),  # Atakum
        (41.27, 36.37, False),  # Canik
        (41.40, 36.33, False),  # the sea
        (39.93, 32.86, False),
        (-41.2867, 36.33, False),
    ],
)
def test_a_point_is_ours_or_not(lat: float, lon: float, inside: bool) -> None:
    assert ours(lat, lon) is inside


def test_coverage_needs_a_point() -> None:
    for fields in ({}, params(lat="41"), params(lat="x", long="36"), params(lat="99", long="36")):
        with pytest.raises(NotTaken):
            parameters.point(fields)


# --- XML ---


def test_xml_has_the_specifications_shapes() -> None:
    shown = {"service_code": "a", "metadata": True, "attributes": [{"code": "K", "values": [{"key": "1"}]}], "x": None}
    assert document("service_definition", shown) == (
        '<?xml version="1.0" encoding="utf-8"?>\n<service_definition><service_code>a</service_code>'
        "<metadata>true</metadata><attributes><attribute><code>K</code><values><value><key>1</key></value></values>"
        "</attribute></attributes><x/></service_definition>"
    )
    assert document("service_requests", []).endswith("<service_requests/>")


@settings(max_examples=300)
@given(st.text())
def test_whatever_the_text_is_xml_can_be_read_back(text: str) -> None:
    root = ElementTree.fromstring(document("errors", [{"description": text}]).encode())  # noqa: S314 - our own
    found = root.findtext("error/description")
    allowed = "".join(
        c if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c >= "\U00010000" else "\ufffd"
        for c in text
    )
    assert found == allowed


def test_no_name_that_is_not_ours_becomes_an_element() -> None:
    for name in ("a b", "<", "é", ""):
        with pytest.raises(ValueError, match="name"):
            document("errors", {name: "x"})


def test_an_unknown_kind_of_list_is_a_fault_of_ours() -> None:
    unknown: dict[str, Any] = {"others": [1]}
    with pytest.raises(KeyError):
        document("errors", unknown)
