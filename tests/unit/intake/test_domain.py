"""
What a request and an update become: the same input, the same ids and bytes.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from services.common.contracts.actions import ANY_ACTION_MAY, SHAPES
from services.common.contracts.envelope import Received, Record, decode
from services.common.contracts.events import CitizenReplied, ContactChanged, RequestReceived, UpdateSubmitted
from services.common.contracts.ids import parse_request_id
from services.common.contracts.roles import Role
from services.common.contracts.vocabulary import ANSWERS, CLOSED, TRIAGE_DEPARTMENT, Action, Outcome, Status
from services.common.kit.auth import Caller
from services.intake.domain import (
    Accepted,
    Conflict,
    Forbidden,
    Refused,
    accept_reply,
    accept_request,
    accept_update,
    check_move,
    check_plan,
    check_repeat,
    current,
    speaks_for,
    typed_by,
)
from services.intake.read_model import CaseState
from services.intake.schemas import NewReply, NewRequest, NewUpdate
from tests.people import signed_in

SECRET = b"a secret of the tests"
NOW = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
RID = "7XK29MQ4T3BDT"
OTHER = "6KJGKZA7CFKH7"
CLERK = signed_in(Role.DEPARTMENT, departments=("fen-isleri",))

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
        "repeat": st.sampled_from([{"every_days": 7, "until": "2026-09-01"}, None]),
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


@given(bodies)
def test_the_same_input_gives_the_same_ids_and_bytes(raw: dict[str, Any]) -> None:
    one, two = (accepted(NewRequest.model_validate(raw)) for _ in range(2))
    assert one == two


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
        {"repeat": {"every_days": 7, "until": "2026-09-01"}},
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
    "moment",
    ["2026-06-01T09:06:00Z", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "2000-01-01T00:00:00+14:00"],
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
        {"request_id": "7XK29MQ4T3BDM"},
        {"repeat": {"every_days": 0, "until": "2026-09-01"}},
        {"repeat": {"every_days": 32, "until": "2026-09-01"}},
        {"repeat": {"every_days": True, "until": "2026-09-01"}},
        {"repeat": {"every_days": 7}},
        {"repeat": {"every_days": 7, "until": "2026-09-31"}},
        {"repeat": {"every_days": 7, "until": "2026-09-01T00:00:00Z"}},
        {"repeat": {"every_days": 7, "until": 1_780_000_000}},
    ],
    ids=ascii,
)
def test_a_body_that_is_not_as_agreed_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        body(**fields)


def test_a_repeating_need_reaches_the_event_and_is_a_day_not_a_time() -> None:
    repeat = request_of(accepted(body(repeat={"every_days": 7, "until": "2026-09-01"}))).repeat
    assert repeat is not None
    assert (repeat.every_days, repeat.until.isoformat()) == (7, "2026-09-01")


@pytest.mark.parametrize(
    ("now", "until", "taken"),
    [
        ("2026-06-01T20:59:59+00:00", "2026-06-01", True),
        ("2026-06-01T21:00:00+00:00", "2026-06-01", False),  # past midnight in Istanbul
        ("2026-06-01T09:00:00+00:00", "2026-05-31", False),
        ("2026-06-01T09:00:00+00:00", "2027-06-01", True),
        ("2026-06-01T09:00:00+00:00", "2027-06-02", False),
        ("2028-02-29T09:00:00+00:00", "2029-02-28", True),
        ("2028-02-29T09:00:00+00:00", "2029-03-01", False),
    ],
)
def test_a_repeating_need_ends_between_today_in_istanbul_and_a_year_ahead(now: str, until: str, taken: bool) -> None:
    given_body = body(repeat={"every_days": 1, "until": until})
    if taken:
        check_repeat(given_body, datetime.fromisoformat(now))
    else:
        with pytest.raises(Refused) as refused:
            check_repeat(given_body, datetime.fromisoformat(now))
        assert refused.value.field == "repeat.until"


# What an intake before the lifecycle's other actions gave to the same bodies: a caller's repeat must not become new.
OLD_REQUESTS: list[tuple[dict[str, Any], str, str]] = [
    (
        {"channel": "web", "text": "Sokakta çukur var"},
        "68847bfead8d8391fbe3e22dda5c27c3fbc954cd8dda58b461a542ec95d727c6",
        "f6e285f8eca7a50a06b1074e6e85ac94",
    ),
    (
        {
            "channel": "phone",
            "text": "x",
            "kind": "complaint",
            "service_code": "yol-cukur",
            "citizen": {"phone": "05321112233"},
            "location": {"lat": 41, "lon": 36},
            "attributes": {"a": [1]},
            "legal": {"basis": "kvkk"},
            "answered": {"text": "y"},
            "received_at": "2026-05-01T10:00:00+03:00",
        },
        "583e2b3e36a930f639578b03350f0c1e0af2948171531e8a3597798899610a23",
        "e20158d6b1988624729adfbf23ba18b4",
    ),
]
OLD_UPDATES: list[tuple[dict[str, Any], str, str]] = [
    (
        {"action": "accept"},
        "d2f672f0f7bea5629dec7b9f3a104ea084c8506b48cd8e680f87c35d9245f630",
        "87f53ee3f064d291ea6f93a4244b6e83",
    ),
    (
        {"action": "accept", "service_code": "yol-cukur", "note_public": "p"},
        "80752354307cee693ede7ab91e59dd34d30ecd8dd9e9db74325aa8965019b2ca",
        "6d04783b66673cc6f0c2e5572bd17016",
    ),
    (
        {"action": "reject", "note_internal": "bizim değil"},
        "afd5610ace59ce89ace026146c63a3b991290c9779d33c7ddf91afe2af5be337",
        "3b4f765437aed3507663e97a2ee1307e",
    ),
    (
        {"action": "transfer", "to": "zabita"},
        "3e734d115bad21f4bac787d22af7e0b41e15af4d3801d62fa8cf00d291eaff69",
        "3c299f76f22799ab192aaa1daab31685",
    ),
    (
        {"action": "resolve", "outcome": "resolved", "note_public": "Onarıldı."},
        "6969267485f2edbe7efed475c1123c4ed81901dbbbd636bf200ab3a855833d71",
        "7109f7fa762597fd145704c4938a6e44",
    ),
]


@pytest.mark.parametrize(("raw", "print_of_body", "event_id"), OLD_REQUESTS)
def test_an_old_body_of_a_request_keeps_its_fingerprint_and_event_id(
    raw: dict[str, Any], print_of_body: str, event_id: str
) -> None:
    result = accepted(NewRequest.model_validate(raw))
    assert (result.fingerprint, read(result.records[-1]).meta.id) == (print_of_body, event_id)


@pytest.mark.parametrize(("raw", "print_of_body", "event_id"), OLD_UPDATES)
def test_an_old_body_of_an_update_keeps_its_id_fingerprint_and_event_id(
    raw: dict[str, Any], print_of_body: str, event_id: str
) -> None:
    result = update(**raw, key="k1")
    assert result.id == "72f6f9fb21507c0e4c4c9d3e38624c86"
    assert (result.fingerprint, read(result.records[0]).meta.id) == (print_of_body, event_id)


# --- updates ---


def update(action: str, *, key: str | None = None, of: str = RID, **fields: Any) -> Accepted:
    return accept_update(
        NewUpdate.model_validate({"action": action, **fields}),
        request_id=of,
        department="fen-isleri",
        adapter="test",
        idempotency_key=key,
        secret=SECRET,
        now=NOW,
    )


def submitted(given_accepted: Accepted) -> UpdateSubmitted:
    data = read(given_accepted.records[0]).data
    assert isinstance(data, UpdateSubmitted)
    return data


GOOD: dict[str, Any] = {
    "note_public": "Salı günü geliyoruz.",
    "note_internal": "Ekip 3",
    "outcome": "resolved",
    "to": "zabita",
    "service_code": "yol-cukur",
    "planned_for": "2026-06-03T09:00:00+03:00",
    "question": "Hangi sokak?",
    "referred_to": {"body": "SASKİ", "on": "2026-06-01", "reference": "2026/7"},
    "parts": [{"to": "zabita"}, {"service_code": "yol-cukur", "note": "asfalt"}],
    "master": OTHER,
    "photos": ["a_" + "1" * 32, "a_" + "2" * 32],
}
"""A sound value for every field."""
TABLE: dict[str, tuple[str, str]] = {  # action: what it needs (a/b: one of them), what it may have besides
    "accept": ("", "note_public note_internal service_code"),
    "start": ("", "note_public note_internal photos"),
    "reject": ("note_internal/note_public", "note_public note_internal to service_code"),
    "transfer": ("to", "note_public note_internal service_code"),
    "schedule": ("planned_for", "note_public note_internal"),
    "ask": ("question", "note_public note_internal"),
    "wait": ("referred_to", "note_public note_internal"),
    "extend": ("note_public", "note_internal"),
    "split": ("parts", "note_public note_internal"),
    "resolve": ("outcome note_public", "note_internal service_code photos"),
    "refer": ("referred_to note_public", "note_internal"),
    "duplicate": ("master", "note_public note_internal"),
    "cancel": ("note_internal/note_public", "note_public note_internal"),
    "reopen": ("note_internal/note_public", "note_public note_internal"),
    "note": ("note_internal", "photos"),
}


def needed(action: str) -> dict[str, Any]:
    return {name: GOOD[name] for name in (group.split("/")[0] for group in TABLE[action][0].split())}


def test_the_table_has_every_action_and_every_field_belongs_to_some() -> None:
    assert set(TABLE) == set(Action) == set(SHAPES)
    assert set(GOOD) == set(NewUpdate.model_fields) - {"action", "department"} - ANY_ACTION_MAY
    assert {name for needs, may in TABLE.values() for name in f"{needs} {may}".replace("/", " ").split()} == set(GOOD)


@pytest.mark.parametrize("action", list(Action))
def test_an_update_with_what_it_needs_and_with_all_it_may_have_becomes_one_record(action: str) -> None:
    may = {name: GOOD[name] for name in TABLE[action][1].split()}
    for fields in (needed(action), needed(action) | may):
        result = update(action, **fields)
        event = read(result.records[0])
        data = submitted(result)
        assert (data.update_id, data.department, data.action, event.meta.subject) == (
            result.id,
            "fen-isleri",
            action,
            RID,
        )
        told = {name for name in GOOD if getattr(data, name)}
        assert told == set(fields)


@pytest.mark.parametrize("action", list(Action))
def test_every_update_may_say_what_was_seen_and_who_asks_is_never_of_the_body(action: str) -> None:
    seen = submitted(update(action, **needed(action), expected_seq=7))
    assert (seen.expected_seq, seen.by) == (7, None)
    for odd in (0, -1, 1.5, "7", True, 1_000_001):
        with pytest.raises(ValidationError, match="expected_seq"):
            NewUpdate.model_validate({"action": action, "expected_seq": odd})
    with pytest.raises(ValidationError, match="by"):
        NewUpdate.model_validate({"action": action, "by": CLERK.person.id})


def test_a_photo_named_twice_is_one() -> None:
    one, other = GOOD["photos"]
    assert submitted(update("start", photos=[one, other, one])).photos == (one, other)


def test_who_is_signed_in_typed_it_whatever_is_left_out_and_nobody_else_did() -> None:
    mine, other = CLERK.person.id, "u_0000000000000000"
    assert typed_by(None, CLERK.person.caller) == typed_by(mine, CLERK.person.caller) == mine
    with pytest.raises(Refused) as refused:
        typed_by(other, CLERK.person.caller)
    assert refused.value.field == "entered_by"
    machine = Caller("asterisk", frozenset(), frozenset())
    assert (typed_by(None, machine), typed_by(other, machine)) == (None, other)


@pytest.mark.parametrize("action", list(Action))
def test_an_update_names_what_it_lacks(action: str) -> None:
    for group in TABLE[action][0].split():
        names = group.split("/")
        with pytest.raises(Refused) as refused:
            update(action, **{name: value for name, value in needed(action).items() if name not in names})
        assert refused.value.field == names[0]
        for name in names:  # any of them will do
            update(action, **(needed(action) | {name: GOOD[name]}))


@pytest.mark.parametrize("action", list(Action))
def test_an_update_names_what_does_not_belong_to_it(action: str) -> None:
    belongs = " ".join(TABLE[action]).replace("/", " ").split()
    for name in set(GOOD) - set(belongs):
        with pytest.raises(Refused) as refused:
            update(action, **(needed(action) | {name: GOOD[name]}))
        assert refused.value.field == name


def test_the_contract_and_the_published_text_ask_for_the_same() -> None:
    def rows(text: str | None) -> dict[str, list[set[str]]]:
        found: dict[str, list[set[str]]] = {}
        for line in (text or "").splitlines():
            cells = [re.sub(r"\(.*?\)|:.*", "", cell).strip() for cell in line.strip().strip("|").split("|")]
            names = [{name for name in GOOD if name in re.findall("[a-z_]+", cell)} for cell in cells[1:]]
            found |= {action: names for action in cells[0].split(", ") if action in set(Action)}
        return found

    contract, published = rows(UpdateSubmitted.__doc__), rows(NewUpdate.__doc__)
    assert set(contract) == set(published) == set(Action)
    for action, (needs, may) in TABLE.items():
        asked = set(needs.replace("/", " ").split())
        assert contract[action][0] - {"to"} == asked - {"to"}
        assert published[action][0] == asked
        assert published[action][1] == set(may.split()) - asked - {"note_public", "note_internal"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"action": "transfer", "to": "fen-isleri"}, "to"),
        ({"action": "reject", "to": "fen-isleri", "note_internal": "x"}, "to"),
        ({"action": "duplicate", "master": OTHER, "of": OTHER}, "master"),
        ({"action": "duplicate", "master": OTHER, "of": f"{OTHER}.1"}, "master"),
        ({"action": "duplicate", "master": OTHER, "of": f"{RID}.1"}, "action"),
        ({"action": "split", "parts": GOOD["parts"], "of": f"{RID}.1"}, "action"),
    ],
)
def test_an_update_names_what_cannot_be(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        update(**fields)
    assert refused.value.field == field


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_department_resolves_with_an_answer_and_with_nothing_that_follows_from_another_action(
    outcome: Outcome,
) -> None:
    fields = {"outcome": outcome, "note_public": "x"}
    if outcome in ANSWERS:
        assert submitted(update("resolve", **fields)).outcome is outcome
    else:
        with pytest.raises(Refused) as refused:
            update("resolve", **fields)
        assert refused.value.field == "outcome"


def tried(action: Action, request_id: str, fields: dict[str, Any]) -> UpdateSubmitted | set[Any]:
    """
    The event, or the fields at fault.
    """
    try:
        return submitted(update(action, of=request_id, **fields))
    except ValidationError as error:
        return {row["loc"][0] for row in error.errors()}
    except Refused as refused:
        return {refused.field}


ODD: dict[str, list[Any]] = {
    "note_public": ["", "\u200b", "x" * 4_001, "a\x00b", 5],
    "note_internal": ["", "\ud800", []],
    "outcome": ["fine", "duplicate", "no_reply", 1],
    "to": ["yok", "fen-isleri", ""],
    "service_code": ["yok", ""],
    "planned_for": [
        "2026-06-03T09:00:00",
        "2026-06-31T09:00:00Z",
        "1999-12-31T23:59:59Z",
        "2000-01-01T00:00:00+14:00",
        "2099-12-31T23:59:59-12:00",
        "9999-12-31T23:59:59-12:00",
        "0001-01-01T00:00:00+12:00",
        "2026-06-03T09:00:60Z",
        "2026-06-03T09:00:00+25:00",
        "٢٠٢٦-06-03T09:00:00Z",
        1_780_000_000,
        True,
    ],
    "question": [" ", "x" * 4_001],
    "referred_to": [
        {},
        {"body": " "},
        {"body": "x" * 201},
        {"body": "SASKİ", "on": "2026-02-30"},
        {"body": "SASKİ", "on": "0001-01-01"},
        {"body": "SASKİ", "reference": "x" * 101},
        {"body": "SASKİ", "who": "x"},
    ],
    "parts": [[], [{"to": "zabita"}], [{"to": "zabita"}, {}], [{"to": "zabita"}] * 11, [{"to": "yok"}] * 2, "zabita"],
    "master": ["", RID, f"{OTHER}.1", "x" * 13],
    "photos": ["a_" + "1" * 32, ["x"], ["a_" + "G" * 32], [f"a_{n:032}" for n in range(11)], [7]],
}
ALL_ODD = [(name, value) for name, values in ODD.items() for value in values]


@settings(max_examples=400)
@given(
    st.sampled_from(list(Action)),
    st.fixed_dictionaries(
        {}, optional={name: st.one_of(st.just(GOOD[name]), st.sampled_from([*ODD[name], None])) for name in GOOD}
    ),
    st.sampled_from([RID, f"{RID}.1"]),
    st.booleans(),
)
def test_every_body_is_refused_naming_a_field_or_becomes_an_update_that_decodes(
    action: Action, fields: dict[str, Any], request_id: str, complete: bool
) -> None:
    if complete:
        belongs = SHAPES[action].takes
        fields = needed(action) | {name: value for name, value in fields.items() if name in belongs}
    outcome = tried(action, request_id, fields)
    if isinstance(outcome, UpdateSubmitted):
        given = {name for name, value in fields.items() if value is not None}
        assert {name for name in GOOD if getattr(outcome, name)} == given
        assert (outcome.request_id, outcome.action) == (request_id, action)
    else:
        assert outcome <= {*GOOD, "action"}
        assert outcome


@pytest.mark.parametrize(("name", "value"), ALL_ODD, ids=lambda value: ascii(value)[:40])
def test_an_odd_value_is_refused_by_name_in_an_action_that_takes_the_field(name: str, value: Any) -> None:
    action = next(action for action in Action if name in SHAPES[action].takes)
    if name == "outcome":
        action = Action.RESOLVE
    assert tried(action, RID, needed(action) | {name: value}) == {name}


@pytest.mark.parametrize(
    ("planned_for", "taken"),
    [
        ("2026-06-01T12:00:00+03:00", False),
        ("2026-06-01T12:00:01+03:00", True),
        ("2028-06-01T23:59:59+03:00", True),
        ("2028-06-02T00:00:00+03:00", False),
    ],
)
def test_a_plan_is_for_the_future_and_for_two_years_ahead_at_most(planned_for: str, taken: bool) -> None:
    plan = NewUpdate.model_validate({"action": "schedule", "planned_for": planned_for})
    if taken:
        check_plan(plan, NOW)
    else:
        with pytest.raises(Refused) as refused:
            check_plan(plan, NOW)
        assert refused.value.field == "planned_for"


def test_another_spelling_of_a_plan_is_the_same_update() -> None:
    spellings = ("2026-06-03T09:00:00+03:00", "2026-06-03T06:00Z", "2026-06-03 06:00:00.000z")
    assert len({update("schedule", planned_for=one, key="k").fingerprint for one in spellings}) == 1


def test_a_master_may_be_spelt_as_people_do() -> None:
    assert submitted(update("duplicate", master="6kjg-kza7-cfkh-7")).master == OTHER


def test_an_update_of_a_part_has_the_key_of_its_request_and_an_id_of_its_own() -> None:
    whole, part, other = (update("accept", key="k", of=of) for of in (RID, f"{RID}.1", f"{RID}.2"))
    assert len({whole.id, part.id, other.id}) == 3
    assert part.records[0].key == RID.encode()
    event = read(part.records[0])
    assert (event.meta.subject, event.meta.correlation_id) == (f"{RID}.1", RID)
    assert submitted(part).request_id == f"{RID}.1"


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


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("status", list(Status))
def test_the_holder_may_do_all_to_an_open_request_but_reopen_it_and_only_reopen_and_note_to_a_closed_one(
    status: Status, action: Action
) -> None:
    case = CaseState(5, status, "fen-isleri", "yol-cukur")
    fits = action in (Action.REOPEN, Action.NOTE) if status in CLOSED else action is not Action.REOPEN
    assert moves(case, action, "fen-isleri") is fits
    assert not moves(case, action, "zabita")
    desks = action in (Action.CANCEL, Action.REOPEN, Action.NOTE)
    assert moves(case, action, TRIAGE_DEPARTMENT) is (fits and desks)


def test_what_nobody_holds_yet_is_left_to_routing() -> None:
    assert moves(CaseState(1, Status.RECEIVED, None, None), Action.ACCEPT, "zabita")


def moves(case: CaseState, action: Action, department: str) -> bool:
    try:
        check_move(case, action, department)
    except Conflict:
        return False
    return True


# --- replies ---


def reply(*, key: str | None = None, of: str = RID, now: datetime = NOW, **fields: Any) -> Accepted:
    return accept_reply(
        NewReply.model_validate({"text": "Çınar Sokak", "channel": "whatsapp", **fields}),
        request_id=of,
        adapter="wa",
        idempotency_key=key,
        secret=SECRET,
        now=now,
    )


def test_a_reply_becomes_one_record_with_the_key_of_the_request() -> None:
    result = reply(of=f"{RID}.2", external_id="wamid.1", entered_by="op-7")
    record = result.records[0]
    event = read(record)
    assert (record.topic, record.key, event.meta.subject) == ("requests.updates", RID.encode(), f"{RID}.2")
    assert event.data == CitizenReplied(
        request_id=f"{RID}.2",
        reply_id=result.id,
        text="Çınar Sokak",
        channel="whatsapp",
        received_at=NOW,
        adapter="wa",
        entered_by="op-7",
    )


def test_a_keyed_reply_has_the_same_id_each_time_and_another_event_with_another_body() -> None:
    one, later, other = (
        reply(external_id="1"),
        reply(external_id="1", now=NOW + timedelta(hours=1)),
        reply(external_id="1", text="başka"),
    )
    assert one.id == later.id == other.id
    assert one.fingerprint == later.fingerprint != other.fingerprint
    assert read(one.records[0]).meta.id == read(later.records[0]).meta.id != read(other.records[0]).meta.id
    assert len({one.id, reply(external_id="1", of=OTHER).id, reply(key="2").id, reply().id, reply().id}) == 5
    assert reply(external_id="1", key="2").id == one.id
    assert reply(key="k").id != update("accept", key="k").id


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
