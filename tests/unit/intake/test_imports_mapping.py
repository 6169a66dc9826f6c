"""
Mappings: a row becomes the request that is meant, or faults that name the field and quote nothing.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from services.intake.imports.mapping import READY, TARGETS, BadMapping, Draft, Mapping, draft, load
from services.intake.imports.rows import rows
from services.intake.schemas import NewRequest

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
SAMPLES = Path(__file__).parents[2] / "data" / "imports"
SECRET = "Gizli Kişi 05320001123 çok-gizli"


def mapping(constants: dict[str, str] | None = None, **fields: Any) -> Mapping:
    given = {"external_id": "no", "text": "metin"} | fields
    return Mapping.model_validate(
        {"title": "t", "constants": {"channel": "import"} | (constants or {}), "fields": given}
    )


def drafted(of: Mapping, **cells: Any) -> Draft:
    return draft(of, {"no": "1", "metin": "Çukur var"} | cells, NOW)


def value(body: dict[str, Any], field: str) -> Any:
    for name in field.split("."):
        body = body[name]
    return body


def sample(name: str, of: str) -> list[Draft]:
    ready = load(of)
    return [draft(ready, row.cells, NOW) for row in rows(SAMPLES / name, ready.columns)]


# --- the ready ones ---


def test_cimers_export_becomes_requests_under_its_law() -> None:
    first, second, third, fourth = sample("cimer.csv", "cimer")
    assert [faults for _, _, faults in (first, second, third, fourth)] == [[], [], [], []]
    assert first.body == {
        "channel": "cimer",
        "external_id": "2600412345",
        "text": "Sokak lambası\nUlugazi'de iki haftadır lamba yanmıyor;\nkaranlıkta yürüyoruz.",
        "kind": "complaint",
        "received_at": "2026-06-03T09:12:00+03:00",
        "legal": {"basis": "cimer", "record_no": "2600412345"},
        "citizen": {"name": "Ayşe Örnek", "phone": "0532 000 11 22", "email": "ayse.ornek@example.com"},
        "location": {"neighbourhood": "Ulugazi", "address": "Işık Sk. No: 4"},
    }
    assert second.body["legal"]["basis"] == "4982"
    assert (third.body["kind"], third.body["received_at"]) == ("thanks", "2026-06-04T17:45:09+03:00")
    assert fourth.body["kind"] == "request"


def test_who_hides_from_the_municipality_stays_hidden() -> None:
    hidden = sample("cimer.csv", "cimer")[1]
    assert hidden.body["contact"] == "none"
    assert "citizen" not in hidden.body


def test_posts_become_requests_without_the_account() -> None:
    first, second, third = sample("social.jsonl", "social")
    assert first.body["external_id"] == "x:1790000000000000001"
    assert (first.body["location"]["lat"], first.body["citizen"]) == (41.2901, {"name": "Deniz"})
    assert second.body["external_id"] == "instagram:17912345"
    assert "citizen" not in second.body
    assert first.body["attributes"] == {"platform": "x"}
    assert not [d.faults for d in (first, second, third) if d.faults]


@pytest.mark.parametrize("name", ["partner.csv", "partner.json"])
def test_a_partners_words_become_services_and_points(name: str) -> None:
    first, second, third = sample(name, "partner")
    assert not first.faults + second.faults + third.faults
    assert (first.body["service_code"], first.body["location"]["lat"], first.body["location"]["lon"]) == (
        "yol-cukur",
        41.2867,
        36.33,
    )
    assert first.body["received_at"] == second.body["received_at"].replace(":20:", ":15:")
    assert second.body["citizen"] == {"notify_via": "none"}
    assert "service_code" not in third.body


@pytest.mark.parametrize("path", sorted(READY.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_services_of_a_ready_mapping_exist(path: Path) -> None:
    rule = load(path.stem).fields.get("service_code")
    for code in (rule.values or {}).values() if rule else ():
        NewRequest.model_validate({"channel": "import", "text": "x", "service_code": code})


# --- rules ---


def test_blank_cells_are_left_out() -> None:
    found = drafted(mapping(**{"citizen.name": "ad", "location.address": "adres"}), ad="  ", adres=None)
    assert found.body == {"channel": "import", "external_id": "1", "text": "Çukur var"}


def test_columns_are_joined_without_the_blank_ones() -> None:
    found = drafted(mapping(text=["konu", "metin", "ek"]), konu="", ek="Ek bilgi")
    assert found.body["text"] == "Çukur var\nEk bilgi"


def test_an_id_of_several_columns_needs_them_all() -> None:
    found = drafted(mapping(external_id={"column": ["kurum", "no"], "join": "-"}), kurum="")
    assert ("external_id", "must not be blank in any of its columns") in found.faults


def test_values_are_translated_whatever_their_case() -> None:
    rule = {"column": "tür", "values": {"ŞİKÂYET": "complaint", "Diğer": None}}
    assert drafted(mapping(kind=rule), tür="sikayet").body["kind"] == "complaint"
    assert "kind" not in drafted(mapping(kind=rule), tür="DİĞER").body


def test_another_value_is_refused_unless_something_stands_for_it() -> None:
    rule: dict[str, Any] = {"column": "tür", "values": {"Şikâyet": "complaint"}}
    assert drafted(mapping(kind=rule), tür=SECRET).faults == [("kind", "must be one of Şikâyet")]
    assert drafted(mapping(kind=rule | {"otherwise": "request"}), tür=SECRET).body["kind"] == "request"
    assert "kind" not in drafted(mapping(kind=rule | {"otherwise": None}), tür=SECRET).body


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("03.06.2026", "2026-06-03T00:00:00+03:00"),
        ("2026-06-03 09:00", "2026-06-03T09:00:00+03:00"),
        ("2026-06-03T09:00:00Z", "2026-06-03T09:00:00+00:00"),
    ],
)
def test_a_time_without_zone_is_the_mappings(given: str, found: str) -> None:
    rule = {"column": "tarih", "dates": ["%d.%m.%Y"]}
    assert drafted(mapping(received_at=rule), tarih=given).body["received_at"] == found


@pytest.mark.parametrize("given", ["2027-01-01", "1999-12-31", "31.02.2026", "dün"])
def test_a_time_that_intake_would_refuse_is_refused(given: str) -> None:
    faults = drafted(mapping(received_at="tarih"), tarih=given).faults
    assert [fault.field for fault in faults] == ["received_at"]


@given(lat=st.floats(-90, 90), lon=st.floats(-180, 180), comma=st.booleans(), swapped=st.booleans())
def test_a_point_is_two_numbers(lat: float, lon: float, comma: bool, swapped: bool) -> None:
    rule = {"column": "yer", "separator": ";", "order": ["lon", "lat"] if swapped else ["lat", "lon"]}
    written = " ; ".join(map(repr, (lon, lat) if swapped else (lat, lon)))
    found = drafted(mapping(**{"location.point": rule}), yer=written.replace(".", ",") if comma else written)
    assert found.body["location"] == {"lat": lat, "lon": lon}
    assert not found.faults


@pytest.mark.parametrize("given", ["41.2", "a,b", "1,2,3", "nan,1", "inf,1"])
def test_what_is_no_point_is_refused(given: str) -> None:
    faults = drafted(mapping(**{"location.point": "yer"}), yer=given).faults
    assert [fault.field for fault in faults] == ["location.point"]


def test_a_degree_outside_of_the_world_is_refused() -> None:
    faults = drafted(mapping(**{"location.lat": "b", "location.lon": "e"}), b="95", e="36,3").faults
    assert [fault.field for fault in faults] == ["location.lat"]


def test_every_fault_of_a_row_is_told() -> None:
    of = mapping(kind="tür", **{"citizen.phone": "tel", "citizen.email": "posta", "received_at": "tarih"})
    found = drafted(of, no="", metin="", tür=SECRET, tel=SECRET, posta=SECRET, tarih=SECRET)
    assert {fault.field for fault in found.faults} == {
        "external_id", "text", "kind", "citizen.phone", "citizen.email", "received_at",
    }  # fmt: skip


@given(st.sampled_from(sorted(TARGETS - {"location.point", "text", "channel"})), st.sampled_from([SECRET, [SECRET]]))
def test_no_fault_quotes_what_stood_there(target: str, cell: Any) -> None:
    found = drafted(mapping(**{target: "x"}), x=cell)
    assert not [fault for fault in found.faults if SECRET in fault.message or "05320001123" in fault.message]


def test_an_id_that_is_none_is_not_shown() -> None:
    found = drafted(mapping(), no=SECRET)
    assert (found.external_id, [fault.field for fault in found.faults]) == ("", ["external_id"])


# --- bad mappings ---


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fields": {"text": "a"}}, "fields need external_id"),
        ({"fields": {"external_id": "a"}}, "text must be among"),
        ({"constants": {}}, "channel must be among"),
        ({"fields": {"external_id": "a", "text": "b", "citizen.tckn": "c"}}, "citizen.tckn is no field"),
        ({"fields": {"external_id": "a", "text": "b", "attachments": "c"}}, "attachments is no field"),
        ({"constants": {"channel": "import", "text": "x"}}, "text: is a constant or comes from the file"),
        ({"zone": "Europe/Samsun"}, "zone: must be a time zone"),
        ({"fields": {"external_id": "a", "text": {"column": []}}}, "fields.text.column"),
        ({"fields": {"external_id": "a", "text": {"columns": "b"}}}, "fields.text.columns"),
        (
            {"fields": {"external_id": "a", "text": "b", "location.point": {"column": "c", "order": ["lat", "lat"]}}},
            "order must be",
        ),
        ({"fields": {"external_id": "a", "text": "b", "location.point": "c", "location.lat": "d"}}, "instead of"),
    ],
)
def test_a_bad_mapping_says_what_would_be_right(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "m.yaml"
    good = {"title": "t", "constants": {"channel": "import"}, "fields": {"external_id": "a", "text": "b"}}
    path.write_text(yaml.safe_dump(good), encoding="utf-8")
    assert load(str(path)).columns == ("a", "b")
    path.write_text(yaml.safe_dump(good | change), encoding="utf-8")
    with pytest.raises(BadMapping, match=message):
        load(str(path))


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe", b"- 1", b""])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(content)
    with pytest.raises(BadMapping):
        load(str(path))


def test_a_name_that_is_unknown_brings_the_known_ones() -> None:
    with pytest.raises(BadMapping, match="cimer, partner, social"):
        load("cimmer")
