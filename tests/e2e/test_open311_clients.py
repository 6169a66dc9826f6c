"""
Clients of others, unchanged, against the whole stack: civicbot reports, georeport reads in JSON and in XML.
"""

import secrets
from typing import Any

import httpx
import pytest
from civicbot.http import HttpError, HttpTransport, RateLimiter  # type: ignore[import-untyped]
from civicbot.open311 import Open311Client, ValidationError  # type: ignore[import-untyped]
from civicbot.registry import Endpoint  # type: ignore[import-untyped]
from georeport import GeoReport  # type: ignore[import-untyped]

from deploy.stack.stack import Stack
from tests.waiting import eventually

pytestmark = pytest.mark.e2e
HERE = {"lat": 41.2867, "lng": 36.33}


@pytest.fixture(scope="module")
def base(stack: Stack) -> str:
    return f"{stack.env['INTAKE_URL']}/open311/v2"


@pytest.fixture(scope="module")
def civicbot(base: str) -> Any:
    endpoint = Endpoint(id="ilkim", name="İlkadım", base_url=base, write=True)
    transport = HttpTransport(rate_limiter=RateLimiter(min_interval=0.0))
    return Open311Client(endpoint, transport, jurisdiction_id="ilkadim.bel.tr")


def filed(client: Any, key: str, service: str, **fields: Any) -> str:
    sent = client.create_request(
        service, dry_run=False, confirm="SEND", api_key=key, validate_remote=True, **HERE, **fields
    )
    assert not sent.warnings
    [row] = sent.response
    number = str(row["service_request_id"])
    eventually(lambda: httpx.get(client._url(f"requests/{number}"), timeout=15).is_success)  # on a busy machine
    return number


def test_civicbot_finds_our_services_reports_and_reads_back_at_once(stack: Stack, civicbot: Any) -> None:
    text = f"Çukur & <su> ğüşıöçİ {secrets.token_hex(4)}"
    number = filed(civicbot, stack.env["API_KEY"], "yol-cukur", description=text, address_string="Gazi Cad. 5")
    found = civicbot.get_request(number)
    assert (found["service_request_id"], found["description"], found["status"]) == (number, text, "open")
    listed = civicbot.list_requests(service_request_ids=[number])
    assert [row["service_request_id"] for row in listed] == [number]
    assert number in {row["service_request_id"] for row in civicbot.list_requests(status="open", page_size=50)}


def test_civicbot_answers_our_questions_by_the_definition(stack: Stack, civicbot: Any) -> None:
    with pytest.raises(ValidationError, match="ESYA"):
        filed(civicbot, stack.env["API_KEY"], "hacimli-atik")
    answers = {"ESYA": ["koltuk", "yatak"], "ADET": "3"}
    number = filed(civicbot, stack.env["API_KEY"], "hacimli-atik", attributes=answers)
    assert civicbot.get_request(number)["description"] == "Eski eşya, hacimli atık alımı"


def test_civicbot_is_told_what_is_wrong(civicbot: Any) -> None:
    with pytest.raises(HttpError) as wrong_key:
        filed(civicbot, "nobody", "yol-cukur")
    assert wrong_key.value.status == 403
    with pytest.raises(HttpError) as unknown:
        civicbot.get_service_definition("nothing")
    assert unknown.value.status == 404


@pytest.mark.parametrize("form", ["json", "xml"])
def test_georeport_reads_everything_in_both_formats(stack: Stack, base: str, civicbot: Any, form: str) -> None:
    numbers = [filed(civicbot, stack.env["API_KEY"], "yol-cukur", description=f"Çukur & ğüşıöçİ {n}") for n in range(2)]
    client = GeoReport(base, jurisdiction="ilkadim.bel.tr", output_format=form)
    services = client.get_service_list()
    assert "Yolda çukur, bozuk asfalt" in {row["service_name"] for row in services}
    definition = client.get_service_definition("basibos-kopek")
    attributes = definition["attributes"] if form == "json" else definition["attributes"]["attribute"]
    assert [row["code"] for row in attributes] == ["SAYI", "KUPE", "SAAT", "DAVRANIS"]
    one = client.get_service_request(numbers[0])
    assert (one["service_request_id"], one["description"]) == (numbers[0], "Çukur & ğüşıöçİ 0")
    some = client.get_service_requests(service_request_id=",".join(numbers))
    assert {row["service_request_id"] for row in some} == set(numbers)
    of_service = client.get_service_requests(service_code="yol-cukur", status="open")
    assert set(numbers) <= {row["service_request_id"] for row in of_service}
