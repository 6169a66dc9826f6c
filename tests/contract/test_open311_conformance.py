"""
GeoReport v2 as a client sees it: the conformance list of the domain facts, a test each, over HTTP with a reporting in
memory. (What reporting itself finds is tested with a database, the whole with real clients on the whole stack.)
"""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import httpx
import pytest
import pytest_asyncio
from jsonschema import Draft4Validator
from referencing import Registry, Resource

from deploy.stack.config import ROOT
from services.common.contracts.envelope import decode
from services.common.contracts.events import CitizenReplied, RequestReceived
from services.common.contracts.ids import keyed_request_id
from services.intake.open311.definitions import definitions, offered
from tests.hostile_files.pictures import jpeg
from tests.unit.intake.endpoints import BASE, JURISDICTION, NUMBER
from tests.unit.intake.intakes import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

V2: Final = "/open311/v2"
SCHEMAS: Final = ROOT.parent / "shared" / "data" / "real" / "open311_schema"
FORMATS: Final = ("xml", "json")
REPORT: Final = {"api_key": "writer", "service_code": "yol-cukur", "lat": "41.2867", "long": "36.33"}
TURKISH: Final = "Çukur & <su> ğüşıöçİ ĞÜŞIÖÇ \"'"
HEAD: Final = '<?xml version="1.0" encoding="utf-8"?>'
BATCH: Final = "parke-bordur"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    world = World(tmp_path_factory.mktemp("open311"))
    world.definitions = definitions().model_copy(update={"batch": frozenset({BATCH})})
    async with world.running():
        del world.http.headers["X-API-Key"]
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def world(running: World) -> World:
    running.reporting.forget()
    running.publisher.records.clear()
    return running


async def get(world: World, path: str, **query: str) -> httpx.Response:
    return await world.http.get(f"{V2}/{path}", params=query)


async def post(world: World, form: dict[str, Any] | None = None, path: str = "requests.json", **kwargs: Any) -> Any:
    return await world.http.post(f"{V2}/{path}", data=REPORT if form is None else form, **kwargs)


def xml(answer: httpx.Response) -> ElementTree.Element:
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert answer.text.startswith(HEAD)
    return ElementTree.fromstring(answer.content)  # noqa: S314 - our own


def of_json(answer: httpx.Response) -> Any:
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    return json.loads(answer.content)


def spark(element: ElementTree.Element) -> Any:
    """
    XML as JSON by the Spark convention: alike children are a list, different ones an object, an empty element is null.
    """
    if not len(element):
        return element.text
    if element.tag in {
        "services", "service_requests", "errors", "attributes", "values", "endpoints", "formats", "notes", "media_urls",
        "service_request_updates",
    }:  # fmt: skip
        return [spark(child) for child in element]
    return {child.tag: spark(child) for child in element}


def plain(value: Any) -> Any:
    """
    JSON with every leaf as XML writes it, and empty lists as the empty elements that they are there.
    """
    match value:
        case dict():
            return {name: plain(item) for name, item in value.items()}
        case list():
            return [plain(item) for item in value] or None
        case None | "":
            return None
        case bool():
            return str(value).lower()
    return str(value)


def assert_errors(answer: httpx.Response, status: int, *words: str) -> None:
    assert answer.status_code == status, answer.text
    in_xml = answer.headers["content-type"].startswith("text/xml")
    rows = spark(xml(answer)) if in_xml else of_json(answer)
    assert rows
    for row in rows:
        assert set(row) == {"code", "description"}
        assert int(row["code"]) == status
    assert all(any(word in row["description"] for row in rows) for word in words), rows


def received(world: World) -> RequestReceived:
    record = next(record for record in world.publisher.records if record.topic == "requests.received")
    data = decode(record.topic, record.key, record.value, record.headers).data
    assert isinstance(data, RequestReceived)
    return data


def held_by(name: str, value: Any) -> None:
    """
    The schema that the Open311 project published holds (draft 4, with date-times checked).
    """
    if not SCHEMAS.exists():
        pytest.skip("the published schemas lie beside the project, not in it")
    found = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in SCHEMAS.glob("*.json")}
    draft = "http://json-schema.org/draft-04/schema#"
    registry: Registry[Any] = Registry().with_resources(
        (path, Resource.from_contents({"$schema": draft} | schema)) for path, schema in found.items()
    )
    Draft4Validator(found[name], registry=registry, format_checker=Draft4Validator.FORMAT_CHECKER).validate(value)


# --- both formats of every endpoint ---

READS = (
    ("discovery", "discovery"),
    ("services", "services"),
    ("services/basibos-kopek", "service_definition"),
    ("services/yol-cukur", "service_definition"),
    ("requests", "service_requests"),
    (f"requests/{NUMBER}", "service_requests"),
    ("servicerequestupdates", "service_request_updates"),
)


@pytest.mark.parametrize(("path", "root"), READS)
async def test_xml_and_json_say_the_same(world: World, path: str, root: str) -> None:
    world.reporting.show(text=TURKISH, planned_for="2026-06-03T06:00:00Z")
    world.reporting.show(request_id=keyed_request_id(b"s", "2"), text=None, lat=None, lon=None)
    step = {
        "request_id": NUMBER,
        "seq": 2,
        "at": "2026-06-01T06:30:01Z",
        "service_code": "yol-cukur",
        "status": "assigned",
        "public_text": TURKISH,
    }
    world.reporting.steps = [step]
    in_xml, in_json = await get(world, f"{path}.xml"), await get(world, f"{path}.json")
    assert in_xml.status_code == in_json.status_code == 200
    assert xml(in_xml).tag == root
    assert spark(xml(in_xml)) == plain(of_json(in_json))


@pytest.mark.parametrize("form", FORMATS)
async def test_a_report_is_answered_in_both_formats(world: World, form: str) -> None:
    answer = await post(world, path=f"requests.{form}")
    assert answer.status_code == 200
    rows = spark(xml(answer)) if form == "xml" else of_json(answer)
    assert len(rows) == 1
    assert re.fullmatch(r"[0-9A-Z]{13}", rows[0]["service_request_id"])
    assert rows[0]["account_id"] is None
    assert "token" not in rows[0]


@pytest.mark.parametrize("path", ["requests.yaml", "services.csv", "discovery.html", "requests", "services", "", "x/y"])
async def test_another_format_or_path_is_a_404_in_xml(world: World, path: str) -> None:
    answer = await get(world, path)
    assert_errors(answer, 404)
    assert answer.headers["content-type"].startswith("text/xml")


@pytest.mark.parametrize("form", FORMATS)
async def test_errors_have_the_format_of_the_path_even_for_a_browser(world: World, form: str) -> None:
    answer = await world.http.get(f"{V2}/requests/{NUMBER}.{form}", headers={"Accept": "text/html"})
    assert_errors(answer, 404, "service_request_id")
    assert ("xml" in answer.headers["content-type"]) == (form == "xml")


@pytest.mark.parametrize("form", FORMATS)
async def test_a_method_that_there_is_not_is_a_405_in_open311s_shape(world: World, form: str) -> None:
    answer = await world.http.delete(f"{V2}/requests.{form}")
    assert_errors(answer, 405)
    assert "GET" in answer.headers["allow"] or "POST" in answer.headers["allow"]


async def test_a_fault_of_ours_is_a_500_in_open311s_shape(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(world.publisher, "publish", broken)
    assert_errors(await post(world), 500)


async def test_pages_of_others_may_read_and_report(world: World) -> None:
    assert (await get(world, "services.json")).headers["access-control-allow-origin"] == "*"
    assert (await get(world, "nothing.json")).headers["access-control-allow-origin"] == "*"
    asked = await world.http.request("OPTIONS", f"{V2}/requests.json")
    assert (asked.status_code, asked.headers["access-control-allow-methods"]) == (204, "GET, POST")


# --- jurisdiction ---


@pytest.mark.parametrize("path", ["discovery", "services", "services/yol-cukur", "requests"])
async def test_an_empty_jurisdiction_is_the_same_as_none_and_another_one_is_a_404(world: World, path: str) -> None:
    none = await get(world, f"{path}.json")
    empty = await get(world, f"{path}.json", jurisdiction_id="")
    ours = await get(world, f"{path}.json", jurisdiction_id=JURISDICTION)
    assert none.status_code == empty.status_code == ours.status_code == 200
    assert none.content == empty.content == ours.content
    assert_errors(await get(world, f"{path}.json", jurisdiction_id="city.example"), 404, "jurisdiction_id")


async def test_a_report_for_another_jurisdiction_is_a_404(world: World) -> None:
    assert_errors(await post(world, REPORT | {"jurisdiction_id": "city.example"}), 404, "jurisdiction_id")
    assert (await post(world, REPORT | {"jurisdiction_id": ""})).status_code == 200


# --- discovery, services, definitions ---


async def test_discovery_has_every_field_and_a_changeset_that_sorts(world: World) -> None:
    found = of_json(await get(world, "discovery.json"))
    assert set(found) == {"changeset", "contact", "key_service", "endpoints"}
    [endpoint] = found["endpoints"]
    assert set(endpoint) == {"specification", "url", "changeset", "type", "formats"}
    assert (endpoint["url"], endpoint["type"]) == (BASE, "production")
    assert endpoint["formats"] == ["text/xml", "application/json"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", found["changeset"])
    assert "yayımlanır" in found["key_service"], "who reports is told that the text is public"


async def test_services_are_the_offered_ones_as_the_published_schema_has_them(world: World) -> None:
    found = of_json(await get(world, "services.json"))
    assert [row["service_code"] for row in found] == list(offered())
    assert all(isinstance(row["metadata"], bool) for row in found)
    assert all(isinstance(row["keywords"], str) for row in found)
    assert {row["type"] for row in found} == {"realtime", "batch"}
    held_by("services.json", found)


async def test_every_definition_is_as_the_published_schema_has_it(world: World) -> None:
    with_questions = 0
    for row in of_json(await get(world, "services.json")):
        found = of_json(await get(world, f"services/{row['service_code']}.json"))
        assert bool(found["attributes"]) == row["metadata"]
        assert [one["order"] for one in found["attributes"]] == list(range(1, len(found["attributes"]) + 1))
        assert all(("values" in one) == ("list" in one["datatype"]) for one in found["attributes"])
        with_questions += row["metadata"]
        held_by("service-definition.json", found)
    assert with_questions >= 12


async def test_a_service_without_questions_has_none_and_an_unknown_one_is_a_404(world: World) -> None:
    assert of_json(await get(world, "services/yol-cukur.json")) == {"service_code": "yol-cukur", "attributes": []}
    for code in ("nothing", "gurultu", "siniflandirilamadi"):
        assert_errors(await get(world, f"services/{code}.json"), 404, "service_code")


async def test_names_are_turkish_and_english_if_asked_for(world: World) -> None:
    turkish, english = of_json(await get(world, "services.json")), of_json(await get(world, "services.json", lang="en"))
    assert (turkish[0]["service_name"], english[0]["service_name"]) == (
        "Yolda çukur, bozuk asfalt",
        "Pothole, broken asphalt",
    )
    definition = of_json(await get(world, "services/basibos-kopek.json", lang="en"))
    assert definition["attributes"][0]["description"] == "How many dogs are there?"


# --- reports ---


@pytest.mark.parametrize("key", [None, "", "nobody"])
@pytest.mark.parametrize("form", FORMATS)
async def test_a_missing_or_wrong_key_is_a_403(world: World, form: str, key: str | None) -> None:
    fields = {name: text for name, text in REPORT.items() if name != "api_key"} | (
        {} if key is None else {"api_key": key}
    )
    assert_errors(await post(world, fields, f"requests.{form}"), 403, "api_key")
    assert not world.publisher.records


async def test_a_key_that_may_not_report_is_a_403(world: World) -> None:
    assert_errors(await post(world, REPORT | {"api_key": "fen"}), 403, "requests:write")


async def test_the_key_may_stand_in_the_body_in_the_query_or_in_a_header(world: World) -> None:
    fields = {name: text for name, text in REPORT.items() if name != "api_key"}
    assert (await post(world, fields, params={"api_key": "writer"})).status_code == 200
    assert (await post(world, fields, headers={"X-API-Key": "writer"})).status_code == 200
    assert (await post(world, files=[("api_key", (None, "writer"))], form={**fields})).status_code == 200


async def test_fields_may_stand_in_the_query_too_and_the_body_counts_more(world: World) -> None:
    answer = await post(world, {"description": "body", "api_key": "writer"}, params=REPORT | {"description": "query"})
    assert answer.status_code == 200
    assert received(world).text == "body"


async def test_a_report_keeps_what_was_sent_on_the_channel_open311(world: World) -> None:
    answer = await post(
        world, REPORT | {"description": TURKISH, "email": "a@example.com", "address_string": "Gazi Cad."}
    )
    data = received(world)
    assert data.request_id == of_json(answer)[0]["service_request_id"]
    assert (data.channel, data.service_code, data.text, data.adapter) == ("open311", "yol-cukur", TURKISH, "web-form")
    assert data.location is not None
    assert (data.location.lat, data.location.lon, data.location.address) == (41.2867, 36.33, "Gazi Cad.")
    assert [record.topic for record in world.publisher.records] == ["contacts", "requests.received"]
    assert b"a@example.com" not in (world.publisher.records[1].value or b"")


async def test_a_service_that_is_missing_is_a_400_and_an_unknown_one_a_404(world: World) -> None:
    fields = {name: text for name, text in REPORT.items() if name != "service_code"}
    assert_errors(await post(world, fields), 400, "service_code")
    assert_errors(await post(world, REPORT | {"service_code": "nothing"}), 404, "service_code")
    assert_errors(await post(world, REPORT | {"service_code": "gurultu"}), 404, "service_code")


async def test_lat_without_long_is_a_400(world: World) -> None:
    assert_errors(await post(world, REPORT | {"long": ""}), 400, "long")


async def test_4001_characters_are_a_400_and_4000_are_taken(world: World) -> None:
    assert_errors(await post(world, REPORT | {"description": "ğ" * 4_001}), 400, "description")
    assert (await post(world, REPORT | {"description": "ğ" * 4_000})).status_code == 200


async def test_a_required_answer_that_is_missing_is_a_400_by_its_code(world: World) -> None:
    fields = REPORT | {"service_code": "basibos-kopek"}
    assert_errors(await post(world, fields), 400, "attribute[SAYI]")
    assert (await post(world, fields | {"attribute[SAYI]": "2"})).status_code == 200


@pytest.mark.parametrize("name", ["attribute[ESYA][]", "attribute[ESYA]"])
@pytest.mark.parametrize("multipart", [False, True])
async def test_several_values_of_one_answer_are_taken_in_both_spellings(
    world: World, name: str, multipart: bool
) -> None:
    fields = REPORT | {"service_code": "hacimli-atik", name: ["koltuk", "yatak"]}
    files = [("x", ("", b""))] if multipart else None
    assert (await post(world, fields, files=files)).status_code == 200
    assert received(world).attributes == {"ESYA": ["koltuk", "yatak"]}


async def test_a_value_that_is_no_key_of_its_list_is_a_400(world: World) -> None:
    fields = REPORT | {"service_code": "hacimli-atik", "attribute[ESYA][]": ["koltuk", "araba"]}
    assert_errors(await post(world, fields), 400, "attribute[ESYA]", "koltuk")


async def test_photos_come_as_files_or_as_base64_and_are_tied_to_the_request(world: World) -> None:
    files = [("media", ("a.jpg", jpeg(width=40, height=30))), ("photo1", ("b.jpg", jpeg(width=41, height=30)))]
    answer = await post(world, REPORT | {"media": base64.b64encode(jpeg(width=42, height=30)).decode()}, files=files)
    assert answer.status_code == 200, answer.text
    assert len(set(received(world).attachments)) == 3


async def test_what_is_no_picture_is_a_400_and_nothing_is_kept(world: World) -> None:
    for raw in (b"<html>", b"%PDF-1.4 nothing", b"\xff\xd8\xff broken"):
        assert_errors(await post(world, files=[("media", ("a.jpg", raw))]), 400, "media")
    assert_errors(await post(world, REPORT | {"media": "not base64!"}), 400, "media")
    assert not world.publisher.records


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{}", "application/json"),
        (b"<x/>", "text/xml"),
        (b"api_key=%ff", "application/x-www-form-urlencoded"),
        (b"a=1&" * 301, "application/x-www-form-urlencoded"),
        (b"nothing", "multipart/form-data"),
        (b"nothing", "multipart/form-data; boundary=x"),
    ],
)
async def test_a_body_that_is_no_form_is_a_400_or_a_403(world: World, body: bytes, kind: str) -> None:
    answer = await world.http.post(f"{V2}/requests.json", content=body, headers={"Content-Type": kind})
    assert_errors(answer, 403 if kind.endswith("boundary=x") and answer.status_code == 403 else 400)


async def test_a_body_that_is_too_large_is_a_413_in_open311s_shape(world: World) -> None:
    answer = await world.http.post(f"{V2}/requests.json", content=b"", headers={"Content-Length": "99000000"})
    assert_errors(answer, 413)
    small = await world.http.post(f"{V2}/servicerequestupdates.xml", headers={"Content-Length": "9000000"})
    assert_errors(small, 413)


async def test_a_report_sent_again_with_its_key_is_one_request(world: World) -> None:
    headers = {"Idempotency-Key": "once"}
    first, again = await post(world, headers=headers), await post(world, headers=headers)
    assert first.content == again.content
    other = await post(world, REPORT | {"description": "other"}, headers=headers)
    assert_errors(other, 400, "already accepted")


async def test_a_report_is_taken_while_reporting_is_away_and_reading_is_a_503_that_says_when(world: World) -> None:
    world.reporting.away = True
    number = of_json(await post(world))[0]["service_request_id"]
    for path in ("requests.json", f"requests/{number}.json", "servicerequestupdates.json"):
        answer = await get(world, path)
        assert_errors(answer, 503)
        assert int(answer.headers["retry-after"]) > 0


# --- tokens ---


async def test_a_batch_service_gives_a_token_that_becomes_a_number_when_it_is_processed(world: World) -> None:
    [given] = of_json(await post(world, REPORT | {"service_code": BATCH}))
    assert "service_request_id" not in given
    token = given["token"]
    number = received(world).request_id
    assert of_json(await get(world, f"tokens/{token}.json")) == [{"service_request_id": None, "token": token}]
    assert spark(xml(await get(world, f"tokens/{token}.xml"))) == [{"service_request_id": None, "token": token}]
    world.reporting.show(request_id=number, service_code=BATCH)
    assert of_json(await get(world, f"tokens/{token}.json")) == [{"service_request_id": number, "token": token}]


async def test_an_unknown_token_is_a_404(world: World) -> None:
    [given] = of_json(await post(world, REPORT | {"service_code": BATCH}))
    for token in ("12345", given["token"][:-1] + "0", NUMBER, f"T{NUMBER}", "ğ"):
        if token != given["token"]:
            assert_errors(await get(world, f"tokens/{token}.json"), 404, "token")
    assert_errors(await get(world, "tokens/.json"), 404)


# --- reading ---

FIELDS: Final = [
    "service_request_id", "status", "status_notes", "service_name", "service_code", "description", "agency_responsible",
    "service_notice", "requested_datetime", "updated_datetime", "expected_datetime", "address", "address_id", "zipcode",
    "lat", "long", "media_url",
]  # fmt: skip


async def test_a_request_has_every_field_in_the_specifications_order(world: World) -> None:
    world.reporting.show()
    [found] = of_json(await get(world, f"requests/{NUMBER}.json"))
    assert list(found) == FIELDS
    assert [child.tag for child in xml(await get(world, f"requests/{NUMBER}.xml"))[0]] == FIELDS
    assert (found["status"], found["agency_responsible"]) == ("open", "Fen İşleri Müdürlüğü")
    assert (found["requested_datetime"], found["expected_datetime"]) == (
        "2026-06-01T09:30:00+03:00",
        "2026-06-08T09:30:00+03:00",
    )
    assert (found["lat"], found["long"]) == (41.2867, 36.33)
    held_by("requests.json", [found])


async def test_fields_without_a_value_are_null_and_an_empty_element(world: World) -> None:
    world.reporting.show(text=None, address=None, neighbourhood=None, lat=None, lon=None, department=None, due_at=None)
    [found] = of_json(await get(world, f"requests/{NUMBER}.json"))
    for name in ("agency_responsible", "expected_datetime", "address", "lat", "long", "media_url", "zipcode"):
        assert found[name] is None
    assert "<lat/>" in (await get(world, f"requests/{NUMBER}.xml")).text
    held_by("requests.json", [found])


async def test_without_a_public_text_the_services_name_stands_for_it_and_the_neighbourhood_for_the_address(
    world: World,
) -> None:
    world.reporting.show(text=None, address=None)
    [found] = of_json(await get(world, f"requests/{NUMBER}.json"))
    assert found["description"] == found["service_name"] == "Yolda çukur, bozuk asfalt"
    assert found["address"] == "Kadıköy Mahallesi, İlkadım, Samsun"


async def test_a_closed_request_was_updated_when_it_was_closed_and_says_what_was_done(world: World) -> None:
    world.reporting.show(status="resolved", closed_at="2026-06-03T12:00:00Z", public_text="Onarıldı.")
    [found] = of_json(await get(world, f"requests/{NUMBER}.json"))
    assert (found["status"], found["status_notes"], found["updated_datetime"]) == (
        "closed",
        "Onarıldı.",
        "2026-06-03T15:00:00+03:00",
    )


@pytest.mark.parametrize("form", FORMATS)
async def test_one_request_comes_in_a_list_of_one(world: World, form: str) -> None:
    world.reporting.show()
    answer = await get(world, f"requests/{NUMBER}.{form}")
    assert len(spark(xml(answer)) if form == "xml" else of_json(answer)) == 1


@pytest.mark.parametrize("path", [f"requests/{NUMBER}", "requests/123", "requests/ğ"])
async def test_an_unknown_request_is_a_404(world: World, path: str) -> None:
    for form in FORMATS:
        assert_errors(await get(world, f"{path}.{form}"), 404, "service_request_id")


async def test_a_request_that_is_not_public_is_a_404_at_once(world: World) -> None:
    number = of_json(await post(world))[0]["service_request_id"]
    world.reporting.hidden.add(number)
    assert_errors(await get(world, f"requests/{number}.json"), 404)
    assert len(world.reporting.queries) == 1


async def test_a_number_given_just_now_is_waited_for(world: World) -> None:
    number = of_json(await post(world))[0]["service_request_id"]
    world.reporting.show(request_id=number)
    world.reporting.late = 2
    assert of_json(await get(world, f"requests/{number}.json"))[0]["service_request_id"] == number
    assert len(world.reporting.queries) == 3


async def test_a_number_given_just_now_that_does_not_come_is_a_503_and_an_unknown_one_is_not_waited_for(
    world: World,
) -> None:
    number = of_json(await post(world))[0]["service_request_id"]
    answer = await get(world, f"requests/{number}.json")
    assert_errors(answer, 503)
    assert "retry-after" in answer.headers
    asked = len(world.reporting.queries)
    assert asked > 1
    await get(world, f"requests/{NUMBER}.json")
    assert len(world.reporting.queries) == asked + 1


async def test_a_list_waits_for_a_number_given_just_now_but_answers_without_it(world: World) -> None:
    number = of_json(await post(world))[0]["service_request_id"]
    asking = asyncio.create_task(get(world, "requests.json", service_request_id=number))
    while not world.reporting.queries:  # noqa: ASYNC110 - the other task's doing
        await asyncio.sleep(0)
    world.reporting.show(request_id=number)
    assert [row["service_request_id"] for row in of_json(await asking)] == [number]
    missing = of_json(await post(world))[0]["service_request_id"]
    assert of_json(await get(world, "requests.json", service_request_id=missing)) == []


async def test_three_numbers_are_asked_for_at_once_and_unknown_ones_are_absent(world: World) -> None:
    numbers = [keyed_request_id(b"s", str(n)) for n in range(3)]
    for number in numbers[:2]:
        world.reporting.show(request_id=number)
    found = of_json(await get(world, "requests.json", service_request_id=",".join(numbers), status="closed"))
    assert [row["service_request_id"] for row in found] == numbers[:2]
    assert "status" not in world.reporting.queries[-1]


@pytest.mark.parametrize("form", FORMATS)
async def test_nothing_found_is_an_empty_list(world: World, form: str) -> None:
    answer = await get(world, f"requests.{form}")
    assert answer.status_code == 200
    assert answer.headers["x-total-count"] == "0"
    assert answer.text == ("[]" if form == "json" else f"{HEAD}\n<service_requests/>")
    assert (await get(world, f"requests.{form}", service_code="nothing")).text == answer.text


async def test_90_days_may_be_asked_for_and_91_may_not(world: World) -> None:
    start, end = "2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=90)
    assert (await get(world, "requests.json", start_date=start, end_date=end.isoformat())).status_code == 200
    late = (end + timedelta(days=1)).isoformat()
    assert_errors(await get(world, "requests.json", start_date=start, end_date=late), 400, "90 days")


async def test_of_1001_requests_a_page_shows_1000_and_says_how_many_there_are(world: World) -> None:
    for n in range(1_001):
        world.reporting.show(request_id=keyed_request_id(b"s", str(n)))
    first, second = await get(world, "requests.json"), await get(world, "requests.json", page="2")
    assert (len(of_json(first)), len(of_json(second))) == (1_000, 1)
    assert first.headers["x-total-count"] == "1001"
    assert of_json(await get(world, "requests.json", just_count="true")) == {"count": 1_001}


async def test_extensions_tell_more(world: World) -> None:
    step = {
        "request_id": NUMBER,
        "seq": 1,
        "at": "2026-06-01T06:30:00Z",
        "service_code": "yol-cukur",
        "status": "assigned",
        "public_text": None,
    }
    photo = "a_" + "0" * 32
    world.reporting.show(
        attributes={"TUR": ["tas", "kot"], "N": "3"}, steps=[step], followers=4, photos=[photo], status="duplicate"
    )
    [found] = of_json(await get(world, f"requests/{NUMBER}.json", extensions="true"))
    url = f"{BASE}/media/{NUMBER}/{photo}.jpg"
    assert found["extended_attributes"] == {
        "channel": "open311",
        "detailed_status": "REJECTED",
        "media_urls": [url],
        "votes": 4,
    }
    assert found["attributes"] == [
        {"code": "TUR", "value": "tas"},
        {"code": "TUR", "value": "kot"},
        {"code": "N", "value": "3"},
    ]
    assert found["notes"] == [
        {"datetime": "2026-06-01T09:30:00+03:00", "description": "Birime iletildi", "type": "open"}
    ]
    assert found["media_url"] == url
    assert spark(xml(await get(world, f"requests/{NUMBER}.xml", extensions="true"))) == [plain(found)]
    held_by("requests.json", [found])


@pytest.mark.parametrize(("lat", "long", "ours"), [("41.2867", "36.33", True), ("39.9", "32.8", False)])
async def test_coverage_says_whether_a_point_is_ours(world: World, lat: str, long: str, ours: bool) -> None:
    for path in ("coverage", "coverage.json"):
        assert of_json(await get(world, path, lat=lat, long=long)) == {"result": ours}
    assert xml(await get(world, "coverage.xml", lat=lat, long=long)).findtext("result") == str(ours).lower()
    assert_errors(await get(world, "coverage.json", lat=lat), 400, "long")


# --- updates of others, bulk, pictures ---

ADDED: Final = {
    "api_key": "writer",
    "service_request_id": NUMBER,
    "update_id": "77",
    "status": "OPEN",
    "updated_datetime": "2026-06-01T09:30:00+03:00",
    "description": TURKISH,
}


async def test_the_feed_of_updates_has_fixmystreets_shape(world: World) -> None:
    row = {
        "request_id": NUMBER,
        "seq": 7,
        "at": "2026-06-01T06:30:00Z",
        "service_code": "yol-cukur",
        "status": "resolved",
        "public_text": None,
    }
    world.reporting.steps = [row]
    answer = await get(world, "servicerequestupdates.json", start_date="2026-06-01T00:00:00Z", api_key="x")
    assert of_json(answer) == [
        {
            "update_id": f"{NUMBER}-7",
            "service_request_id": NUMBER,
            "status": "fixed",
            "updated_datetime": "2026-06-01T09:30:00+03:00",
            "description": "Çözüldü",
            "media_url": None,
            "external_status_code": "resolved",
        }
    ]
    assert xml(await get(world, "servicerequestupdates.xml")).find("request_update/update_id") is not None
    assert_errors(await get(world, "servicerequestupdates.json", start_date="x"), 400, "start_date")


@pytest.mark.parametrize("form", FORMATS)
async def test_an_update_sent_twice_is_one_reply_and_twice_a_200(world: World, form: str) -> None:
    world.reporting.show()
    fields = ADDED | {"update_id": f"77-{form}"}
    answers = [await post(world, fields, f"servicerequestupdates.{form}") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content
    rows = spark(xml(answers[0])) if form == "xml" else of_json(answers[0])
    assert rows == [{"update_id": f"77-{form}", "account_id": None}]
    [record] = world.publisher.records
    data = decode(record.topic, record.key, record.value, record.headers).data
    assert isinstance(data, CitizenReplied)
    assert (data.request_id, data.text, data.channel) == (NUMBER, TURKISH, "open311")
    changed = await post(world, fields | {"description": "other"}, f"servicerequestupdates.{form}")
    assert_errors(changed, 400, "already accepted")


async def test_an_update_needs_a_key_and_a_request_that_is_public(world: World) -> None:
    assert_errors(await post(world, ADDED | {"api_key": ""}, "servicerequestupdates.json"), 403, "api_key")
    assert_errors(await post(world, ADDED, "servicerequestupdates.json"), 404, "service_request_id")
    world.reporting.hidden.add(NUMBER)
    assert_errors(await post(world, ADDED, "servicerequestupdates.json"), 404, "service_request_id")
    assert_errors(await post(world, ADDED | {"status": "?"}, "servicerequestupdates.json"), 400, "status")


async def test_the_bulk_file_has_every_request_on_every_page_and_no_formula(world: World) -> None:
    for n in range(1_001):
        world.reporting.show(request_id=keyed_request_id(b"s", str(n)), text="=1+1" if n == 0 else 'a "b", ğ')
    answer = await get(world, "bulk/requests.csv", start_date="2026-01-01T00:00:00Z", end_date="2026-12-31T00:00:00Z")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    lines = answer.text.split("\r\n")
    assert lines[0] == (
        "service_request_id,requested_datetime,updated_datetime,closed_date,status_description,status_notes,source,"
        "service_name,service_subtype,description,agency_responsible,address,lat,long"
    )
    assert len(lines) == 1_003
    assert ",'=1+1," in lines[1]
    assert ',"a ""b"", ğ",' in lines[2]
    assert lines[2].endswith(",41.2867,36.33")


async def test_a_picture_of_what_was_done_is_shown_and_no_other(world: World) -> None:
    answer = await post(world, files=[("media", ("a.jpg", jpeg(width=40, height=30)))])
    number, [photo] = of_json(answer)[0]["service_request_id"], received(world).attachments
    world.reporting.show(request_id=number)
    assert_errors(await get(world, f"media/{number}/{photo}.jpg"), 404, "picture")
    world.reporting.show(request_id=number, photos=[photo])
    shown = await get(world, f"media/{number}/{photo}.jpg")
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
    assert shown.content.startswith(b"\xff\xd8")


# --- limits ---


async def test_too_many_calls_are_a_429_in_each_shape_with_retry_after_and_the_development_key_has_no_limit(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    world.rate = world.rate.model_copy(update={"per_second": 0.001, "at_once": 2})
    async with world.running():
        del world.http.headers["X-API-Key"]
        for form in FORMATS:
            answers = [await get(world, f"services.{form}") for _ in range(3)]
            assert_errors(answers[-1], 429)
            assert int(answers[-1].headers["retry-after"]) > 0
        problem = await world.http.get("/v1/requests")
        assert (problem.status_code, problem.headers["content-type"]) == (429, "application/problem+json")
        assert (await world.http.get("/healthz")).status_code == 200
        everything = {"X-API-Key": "all"}
        for _ in range(5):
            assert (await world.post(headers=everything)).status_code == 202
        writer = {"X-API-Key": "writer"}
        assert [(await world.post(headers=writer)).status_code for _ in range(3)] == [202, 202, 429]


async def test_a_key_in_the_form_counts_for_itself_and_not_for_its_address(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.rate = world.rate.model_copy(update={"per_second": 0.001, "at_once": 3})
    async with world.running():
        del world.http.headers["X-API-Key"]
        for _ in range(6):
            assert (await post(world, REPORT | {"api_key": "all"})).status_code == 200
        answers = [(await post(world)).status_code for _ in range(4)]
        assert answers == [200, 200, 200, 429]
        for _ in range(3):
            assert_errors(await post(world, REPORT | {"api_key": "guess"}), 403)
        assert_errors(await post(world, REPORT | {"api_key": "guess"}), 429)
