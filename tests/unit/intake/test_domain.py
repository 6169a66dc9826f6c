"""
What a request and an update become: the same input, the same ids and bytes.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from services.common.contracts.envelope import Received, Record, decode
from services.common.contracts.events import ContactChanged, RequestReceived, UpdateSubmitted
from services.common.contracts.ids import parse_request_id
from services.common.contracts.vocabulary import CLOSED, Status
from services.common.kit.auth import Caller
from services.intake.domain import (
    Accepted,
    Conflict,
    Forbidden,
    Refused,
    accept_request,
    accept_update,
    check_move,
    current,
    speaks_for,
)
from services.intake.read_model import CaseState
from services.intake.schemas import NewRequest, NewUpdate

SECRET = b"a secret of the tests"
NOW = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
RID = "7XK29MQ4T3BDT"

texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=80).map(lambda text: text + "çukur")
citizens = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["Ayşe Yılmaz", "  Ali\tVeli ", "", None]),
        "phone": st.sampled_from(["0532 111 22 33", "+905321112233", "444 55 01", None]),
        "email": st.sampled_from(["a@example.com", "A@Example.com", None]),
        "whatsapp_id": st.sampled_from(["905321112233", "TR.1349", None]),
        "language": st.sampled_from(["tr", "en"]),
        "notify_via": st.sampled_from(["sms", "none", None]),
    },
)
bodies = st.fixed_dictionaries(
    {"channel": st.sampled_from(["web", "phone", "cimer"]), "text": texts},
    optional={
        "kind": st.sampled_from(["complaint", "thanks", None]),
        "service_code": st.sampled_from(["yol-cukur", None]),
        "citizen": citizens,
        "location": st.sampled_from([{}, {"address": "Çınar Sk. 14"}, {"lat": 41.28, "lon": 36}, None]),
        "attributes": st.sampled_from([{}, {"kapı": [1, None]}, None]),
        "external_id": st.sampled_from(["1", "<a@b>", None]),
        "entered_by": st.sampled_from(["op-7", None]),
        "legal": st.sampled_from([{"basis": "3071", "record_no": "2026/7"}, None]),
        "answered": st.sampled_from([{"text": "Söylendi."}, None]),
    },
)


def body(**fields: Any) -> NewRequest:
    return NewRequest.model_validate({"channel": "web", "text": "Sokakta çukur var", **fields})


def accepted(given_body: NewRequest, *, key: str | None = "k1", adapter: str = "test", now: datetime = NOW) -> Accepted:
    return accept_request(given_body, adapter=adapter, idempotency_key=key, secret=SECRET, now=now)


def read(record: Record) -> Received:
    return decode(record.topic, record.key, record.value, record.headers)


def request_of(given_accepted: Accepted) -> RequestReceived:
    data = read(given_accepted.records[-1]).data
    assert isinstance(data, RequestReceived)
    return data


@settings(deadline=None)
@given(bodies)
def test_the_same_input_gives_the_same_ids_and_bytes(raw: dict[str, Any]) -> None:
    one, two = (accepted(NewRequest.model_validate(raw)) for _ in range(2))
    assert one == two


@settings(deadline=None)
@given(bodies)
def test_every_record_decodes_by_the_contracts_and_the_contact_comes_first(raw: dict[str, Any]) -> None:
    result = accepted(NewRequest.model_validate(raw))
    events = [read(record).data for record in result.records]
    assert parse_request_id(result.id) == result.id
    request = events[-1]
    assert isinstance(request, RequestReceived)
    if len(events) == 1:
        assert request.contact_id == "contact:none"
    else:
        contact = events[0]
        assert isinstance(contact, ContactChanged)
        assert contact.contact_id == request.contact_id


@settings(deadline=None)
@given(bodies, st.timedeltas(timedelta(0), timedelta(days=20)))
def test_a_retry_differs_in_its_times_at_most(raw: dict[str, Any], later: timedelta) -> None:
    def without_times(result: Accepted) -> list[tuple[dict[str, bytes], dict[str, Any]]]:
        pairs = []
        for record in result.records:
            headers = dict(record.headers)
            headers.pop("ce_time")
            value = json.loads(record.value or b"")
            value.pop("received_at", None)
            value.pop("changed_at", None)
            pairs.append((headers, value))
        return pairs

    parsed = NewRequest.model_validate(raw)
    assert without_times(accepted(parsed)) == without_times(accepted(parsed, now=NOW + later))


@settings(deadline=None)
@given(bodies)
def test_a_field_that_is_null_is_a_field_left_out(raw: dict[str, Any]) -> None:
    def pruned(value: Any) -> Any:
        return {k: pruned(v) for k, v in value.items() if v is not None} if isinstance(value, dict) else value

    assert accepted(NewRequest.model_validate(raw)) == accepted(NewRequest.model_validate(pruned(raw)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"received_at": "2026-05-01T10:00:00+03:00"}, {"received_at": None}),
        ({"citizen": {}}, {"contact": "none"}),
        ({"citizen": {"language": "en"}}, {}),
        ({"location": {}}, {"location": {"address": "  "}}),
        ({"attributes": {}}, {"attachments": []}),
        ({"citizen": {"phone": "0532 111 22 33"}}, {"citizen": {"phone": "+905321112233", "language": "tr"}}),
        ({"text": "c\u0327ukur "}, {"text": "çukur"}),
        ({"location": {"lat": 41, "lon": 36}}, {"location": {"lat": 41.0, "lon": 36.0}}),
    ],
)
def test_another_spelling_of_the_same_has_the_same_fingerprint(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert accepted(body(**one)).fingerprint == accepted(body(**other)).fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"text": "başka"},
        {"kind": "complaint"},
        {"service_code": "yol-cukur"},
        {"citizen": {"phone": "05321112233"}},
        {"location": {"address": "x"}},
        {"attributes": {"a": 1}},
        {"entered_by": "op"},
        {"answered": {"text": "x"}},
        {"legal": {"basis": "kvkk"}},
    ],
)
def test_another_body_under_the_same_key_has_the_same_number_and_another_event(change: dict[str, Any]) -> None:
    first, second = accepted(body()), accepted(body(**change))
    assert first.id == second.id
    assert first.fingerprint != second.fingerprint
    assert read(first.records[-1]).meta.id != read(second.records[-1]).meta.id


def test_another_body_has_another_contact() -> None:
    one, two = (accepted(body(citizen={"phone": phone})) for phone in ("05321112233", "05321112244"))
    assert one.id == two.id
    assert request_of(one).contact_id != request_of(two).contact_id


def test_the_number_hangs_on_adapter_channel_and_key() -> None:
    ids = {
        accepted(body()).id,
        accepted(body(), adapter="other").id,
        accepted(body(channel="phone")).id,
        accepted(body(), key="k2").id,
        accept_request(body(), adapter="test", idempotency_key="k1", secret=b"another secret!!", now=NOW).id,
    }
    assert len(ids) == 5


def test_the_external_id_wins_over_the_idempotency_key() -> None:
    assert accepted(body(external_id="x"), key="k").id == accepted(body(external_id="x"), key=None).id


def test_without_a_key_every_request_is_a_new_one() -> None:
    one, two = accepted(body(), key=None), accepted(body(), key=None)
    assert one.id != two.id
    assert not one.keyed


def test_personal_data_stands_in_the_contact_alone() -> None:
    citizen = {
        "name": "Ayşe Yılmaz",
        "phone": "05321112233",
        "email": "Ayse@example.com",
        "whatsapp_id": "905321112233",
        "language": "en",
        "notify_via": "email",
    }
    contact_record, request_record = accepted(body(citizen=citizen)).records
    contact = read(contact_record).data
    assert isinstance(contact, ContactChanged)
    assert (contact.phone, contact.language) == ("+905321112233", "en")
    hashes = {contact.phone_hash, contact.email_hash, contact.whatsapp_hash}
    assert len(hashes) == 3
    assert None not in hashes
    everything = (request_record.value or b"") + b"".join(value for _, value in request_record.headers)
    everything += b"".join(value for _, value in contact_record.headers)
    for personal in ("Ayşe", "5321112233", "example.com"):
        assert personal.encode() not in everything


def test_a_person_has_the_same_hashes_in_every_request() -> None:
    def hashes(**citizen: str) -> tuple[str | None, str | None]:
        contact = read(accepted(body(citizen=citizen), key=None).records[0]).data
        assert isinstance(contact, ContactChanged)
        return contact.phone_hash, contact.email_hash

    spelt_so = hashes(phone="0532 111 22 33", email="Ali@example.com")
    assert spelt_so == hashes(phone="+905321112233", email="ali@EXAMPLE.com", name="Ali")


@pytest.mark.parametrize(
    "moment", ["2026-06-01T09:06:00Z", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "1999-12-31T00:00:00Z"]
)
def test_a_time_of_receipt_outside_this_age_is_refused(moment: str) -> None:
    with pytest.raises(Refused) as refused:
        accepted(body(received_at=moment))
    assert refused.value.field == "received_at"


def test_a_time_of_receipt_is_kept_in_utc() -> None:
    assert request_of(accepted(body(received_at="2026-06-01T12:04:00+03:00"))).received_at == NOW + timedelta(minutes=4)
    assert request_of(accepted(body())).received_at == NOW


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "x" * 4_001},
        {"text": "\u200b"},
        {"text": 5},
        {"channel": "fax"},
        {"kind": "wish"},
        {"service_code": "yok"},
        {"citizen": {"phone": "12"}},
        {"citizen": {"adres": "x"}},
        {"citizen": {"language": "de"}},
        {"citizen": {"phone": "05321112233"}, "contact": "none"},
        {"contact": "all"},
        {"location": {"lat": 41.0}},
        {"location": {"lat": "41.0", "lon": 36.0}},
        {"location": {"lat": True, "lon": 36.0}},
        {"location": {"lat": 91, "lon": 36}},
        {"location": {"lat": 41, "lon": float("nan")}},
        {"attachments": ["a"]},
        {"external_id": ""},
        {"external_id": " a"},
        {"external_id": "ş"},
        {"external_id": "x" * 201},
        {"received_at": "2026-06-01T09:00:00"},
        {"legal": {"basis": "none"}},
        {"answered": {"text": " "}},
        {"request_id": "7XK29MQ4T3BD5"},
    ],
    ids=ascii,
)
def test_a_body_that_is_not_as_agreed_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        body(**fields)


# --- updates ---


def update(action: str, **fields: Any) -> Accepted:
    return accept_update(
        NewUpdate.model_validate({"action": action, **fields}),
        request_id=RID,
        department="fen-isleri",
        adapter="test",
        idempotency_key=fields.pop("key", None),
        secret=SECRET,
        now=NOW,
    )


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("accept", {}),
        ("reject", {"note_internal": "bizim değil"}),
        ("reject", {"note_public": "Büyükşehrin işi"}),
        ("transfer", {"to": "zabita"}),
        ("transfer", {"to": "zabita", "service_code": "yol-cukur"}),
        ("resolve", {"outcome": "resolved", "note_public": "Onarıldı."}),
    ],
)
def test_a_complete_update_becomes_one_record(action: str, fields: dict[str, Any]) -> None:
    result = update(action, **fields)
    event = read(result.records[0])
    assert isinstance(event.data, UpdateSubmitted)
    assert (event.data.update_id, event.data.department, event.meta.subject) == (result.id, "fen-isleri", RID)


@pytest.mark.parametrize(
    ("action", "fields", "field"),
    [
        ("resolve", {"note_public": "x"}, "outcome"),
        ("resolve", {"outcome": "resolved"}, "note_public"),
        ("reject", {}, "note_internal"),
        ("transfer", {}, "to"),
        ("transfer", {"to": "fen-isleri"}, "to"),
        ("accept", {"to": "zabita"}, "to"),
        ("accept", {"outcome": "resolved"}, "outcome"),
    ],
)
def test_an_update_names_what_it_lacks(action: str, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        update(action, **fields)
    assert refused.value.field == field


def test_a_keyed_update_has_the_same_id_each_time_and_another_event_with_another_body() -> None:
    def keyed(action: str, at: datetime = NOW) -> Accepted:
        parsed = NewUpdate(action=action, note_internal="x")  # type: ignore[arg-type]
        return accept_update(
            parsed,
            request_id=RID,
            department="fen-isleri",
            adapter="a",
            idempotency_key="k",
            secret=SECRET,
            now=at,
        )

    one, later, other = keyed("accept"), keyed("accept", NOW + timedelta(hours=1)), keyed("reject")
    assert one.id == later.id == other.id
    assert one.fingerprint == later.fingerprint != other.fingerprint
    assert read(one.records[0]).meta.id == read(later.records[0]).meta.id != read(other.records[0]).meta.id


def caller(*departments: str, scopes: tuple[str, ...] = ("updates:write",)) -> Caller:
    return Caller("test", frozenset(scopes), frozenset(departments))


def test_a_department_is_derived_only_when_there_is_one() -> None:
    assert speaks_for(None, caller("fen-isleri")) == "fen-isleri"
    assert speaks_for("zabita", caller("fen-isleri", "zabita")) == "zabita"
    assert speaks_for("zabita", caller(scopes=("*",))) == "zabita"
    for many in (caller("fen-isleri", "zabita"), caller(scopes=("*",)), caller("zabita", scopes=("*",))):
        with pytest.raises(Refused):
            speaks_for(None, many)
    for foreign in (caller(), caller("fen-isleri")):
        with pytest.raises(Forbidden):
            speaks_for("zabita", foreign)
    with pytest.raises(Forbidden):
        speaks_for(None, caller())


@pytest.mark.parametrize("status", list(Status))
def test_only_the_holder_of_an_open_request_may_update_it(status: Status) -> None:
    case = CaseState(5, status, "fen-isleri", "yol-cukur")
    if status in CLOSED:
        with pytest.raises(Conflict):
            check_move(case, "fen-isleri")
    else:
        check_move(case, "fen-isleri")
        with pytest.raises(Conflict):
            check_move(case, "zabita")


@pytest.mark.parametrize(
    ("fresh_ago", "case_ago", "says"),
    [(1, 60, True), (None, 60, False), (5, 60, False), (1, 1, False), (1, None, True)],
)
def test_the_read_model_is_current_while_its_worker_says_so_and_the_case_is_at_rest(
    fresh_ago: int | None, case_ago: int | None, says: bool
) -> None:
    def ago(seconds: int | None) -> datetime | None:
        return None if seconds is None else NOW - timedelta(seconds=seconds)

    case = CaseState(2, Status.ASSIGNED, "fen-isleri", "yol-cukur", ago(case_ago))
    assert current(case, ago(fresh_ago), NOW) is says
