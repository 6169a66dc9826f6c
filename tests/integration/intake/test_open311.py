"""
Open311 on the whole stack: what is posted is read, what happens to it is told, what is not public stays hidden.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from deploy.stack.stack import Stack
from services.common.contracts.ids import random_request_id
from tests.contract.test_open311_conformance import held_by
from tests.hostile_files.pictures import jpeg
from tests.waiting import eventually

pytestmark = pytest.mark.integration
PLACE = {"lat": "41.2867", "long": "36.33"}
SECRET = "0532 111 22 33, 10000000146, kisi@example.com, TR330006100519786457841326"


class Town:
    """
    A client of Open311, and the municipality behind it.
    """

    def __init__(self, stack: Stack) -> None:
        self.key = stack.env["API_KEY"]
        self.intake = stack.env["INTAKE_URL"]
        self.http = httpx.Client(base_url=f"{self.intake}/open311/v2/", timeout=15)

    def report(self, service: str = "yol-cukur", files: Any = None, **fields: str) -> str:
        form = {"api_key": self.key, "service_code": service, **PLACE, **fields}
        answer = self.http.post("requests.json", data=form, files=files)
        assert answer.status_code == 200, answer.text
        return str(answer.json()[0]["service_request_id"])

    def take(self, **body: Any) -> str:
        answer = httpx.post(f"{self.intake}/v1/requests", json=body, headers={"X-API-Key": self.key}, timeout=15)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["request_id"])

    def update(self, number: str, **body: Any) -> None:
        url = f"{self.intake}/v1/requests/{number}/updates"
        answer = httpx.post(url, json=body, headers={"X-API-Key": self.key}, timeout=15)
        assert answer.status_code == 202, answer.text

    def read(self, number: str, **query: str) -> dict[str, Any]:
        """
        The request, asked for again as long as the answer says so (a number given just now, on a busy machine).
        """
        answer = eventually(
            lambda: (found := self.http.get(f"requests/{number}.json", params=query)).status_code != 503 and found
        )
        assert answer.status_code == 200, answer.text
        [found] = answer.json()
        held_by("requests.json", [found])
        return dict(found)

    def numbers(self, **query: str) -> list[str]:
        answer = self.http.get("requests.json", params=query)
        assert answer.status_code == 200, answer.text
        return [row["service_request_id"] for row in answer.json()]


@pytest.fixture(scope="module")
def town(stack: Stack) -> Iterator[Town]:
    there = Town(stack)
    yield there
    there.http.close()


def test_what_was_posted_is_read_at_once_or_within_seconds_but_never_unknown_and_masked(town: Town) -> None:
    number = town.report(description=f"Çukur & <su> ğüşıöçİ: {SECRET}", email="kisi@example.com", first_name="Ayşe")
    at_once = town.http.get(f"requests/{number}.json")
    assert at_once.status_code == 200 or (at_once.status_code == 503 and at_once.headers["retry-after"])
    found = town.read(number, extensions="true")
    assert found["description"] == "Çukur & <su> ğüşıöçİ: telefon, kimlik, eposta, iban"
    assert (found["status"], found["service_code"], found["lat"], found["long"]) == (
        "open",
        "yol-cukur",
        41.2867,
        36.33,
    )
    assert not [word for word in ("0532", "example.com", "Ayşe", "10000000146") if word in json.dumps(found)]


def test_a_request_is_followed_to_its_end_in_states_notes_and_updates(town: Town) -> None:
    began = datetime.now(UTC)
    number = town.report(description="Çukur", files=[("media", ("a.jpg", jpeg(width=40, height=30)))])
    eventually(lambda: town.read(number)["agency_responsible"] == "Fen İşleri Müdürlüğü")
    assert town.read(number)["media_url"] is None, "what citizens send is not public"
    town.update(number, action="accept", department="fen-isleri")
    eventually(lambda: number in town.numbers(detailed_status="RECEIVED", service_request_id=""))
    town.update(number, action="resolve", department="fen-isleri", outcome="resolved", note_public="Onarıldı.")
    closed = eventually(lambda: (row := town.read(number, extensions="true"))["status"] == "closed" and row)
    assert closed["status_notes"] == "Onarıldı."
    assert closed["updated_datetime"] >= closed["requested_datetime"]
    assert closed["extended_attributes"]["detailed_status"] == "PROCESSED"
    assert [note["type"] for note in closed["notes"]][-1] == "closed"
    assert number in town.numbers(status="closed", service_code="yol-cukur")
    assert number not in town.numbers(status="open")
    feed = town.http.get("servicerequestupdates.json", params={"start_date": began.isoformat()}).json()
    ours = [row for row in feed if row["service_request_id"] == number]
    assert [row["status"] for row in ours] == ["open", "internal_referral", "investigating", "fixed"]
    assert len({row["update_id"] for row in ours}) == 4


def test_lists_are_filtered_counted_and_paged(town: Town) -> None:
    lat = "41.2112345"
    began = datetime.now(UTC) - timedelta(seconds=1)
    numbers = [town.report("park-bakim", lat=lat, description=f"{n}") for n in range(3)]
    for number in numbers:
        town.read(number)
    around = {"lat": lat, "long": PLACE["long"], "radius": "50", "start_date": began.isoformat()}
    assert set(town.numbers(**around)) == set(numbers)
    first = town.http.get("requests.json", params={**around, "page": "1", "page_size": "2"})
    assert (len(first.json()), first.headers["x-total-count"]) == (2, "3")
    pages = [town.numbers(**around, page=str(page), page_size="2") for page in (1, 2, 3)]
    assert sorted(chain.from_iterable(pages)) == sorted(numbers)
    assert set(town.numbers(updated_after=began.isoformat(), service_code="park-bakim")) >= set(numbers)
    rows = town.http.get("requests.json", params=around).json()
    held_by("requests.json", rows)
    newest_first = sorted(rows, key=lambda row: row["service_request_id"])
    newest_first.sort(key=lambda row: row["requested_datetime"], reverse=True)
    assert rows == newest_first
    raw = town.http.get(f"requests.json?start_date={began.isoformat()}")
    assert raw.status_code == 200, "a plus that was not escaped"
    assert town.http.get(f"requests.json?start_date={quote(began.isoformat())}").json() == raw.json()
    lines = town.http.get("bulk/requests.csv", params=around).text.splitlines()
    assert len(lines) == 4


def test_what_is_not_public_is_nowhere_and_a_caller_s_words_are_not_shown(town: Town) -> None:
    hidden = town.take(channel="open311", text="Gizli gürültü", service_code="gurultu")
    phoned = town.take(
        channel="phone",
        text="Gizli: Ayşe Hanım aradı",
        service_code="yol-cukur",
        location={"address": "Gizli Sokak 5", "neighbourhood": "Kadıköy", "lat": 41.212345, "lon": 36.312345},
    )
    eventually(lambda: town.http.get(f"requests/{phoned}.json").status_code == 200)
    found = town.read(phoned, extensions="true")
    assert found["description"] == "Yolda çukur, bozuk asfalt"
    assert found["address"] == "Kadıköy Mahallesi, İlkadım, Samsun"
    assert (found["lat"], found["long"]) == (41.212, 36.312)
    assert "Gizli" not in json.dumps(found)
    for form in ("json", "xml"):
        assert town.http.get(f"requests/{hidden}.{form}").status_code == 404
    assert town.numbers(service_request_id=f"{hidden},{phoned}") == [phoned]
    assert town.numbers(service_code="gurultu") == []


def test_an_unknown_number_is_a_404_without_waiting_for_it(town: Town) -> None:
    assert town.http.get(f"requests/{random_request_id()}.json").status_code == 404


def test_what_somebody_adds_reaches_the_holder(town: Town) -> None:
    number = town.report(description="Çukur")
    form = {
        "api_key": town.key,
        "service_request_id": number,
        "update_id": "1",
        "status": "OPEN",
        "updated_datetime": "2026-06-01T09:30:00+03:00",
        "description": "Hâlâ duruyor",
    }
    for _ in range(2):
        answer = town.http.post("servicerequestupdates.json", data=form)
        assert (answer.status_code, answer.json()) == (200, [{"update_id": "1", "account_id": None}])
    assert "Hâlâ duruyor" not in json.dumps(town.read(number, extensions="true")), "a reply is the holder's alone"
