"""
One request's journey through all services, on the real broker, database and mail server.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.observe import Observer
from deploy.stack.stack import Stack
from services.common.contracts.events import Lifecycle, RequestAssigned, RequestEscalated
from services.common.contracts.ids import grouped, parse_request_id, random_request_id
from tests.waiting import eventually

pytestmark = pytest.mark.e2e


class City:
    """
    What an adapter, a department and a dashboard see.
    """

    def __init__(self, stack: Stack) -> None:
        self.env = stack.env
        self.run_dir = stack.config.run_dir
        self.http = httpx.Client(headers={"X-API-Key": self.env["API_KEY"]}, timeout=15)
        self.topics = Observer(self.env["KAFKA_BOOTSTRAP_SERVERS"])

    def post(self, **body: Any) -> str:
        answer = self.http.post(f"{self.env['INTAKE_URL']}/v1/requests", json={"channel": "web"} | body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["request_id"])

    def update(self, request_id: str, **body: Any) -> str:
        answer = self.http.post(f"{self.env['INTAKE_URL']}/v1/requests/{request_id}/updates", json=body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["update_id"])

    def result(self, request_id: str, update_id: str) -> dict[str, Any]:
        path = f"{self.env['INTAKE_URL']}/v1/requests/{request_id}/updates/{update_id}"

        def look() -> dict[str, Any] | None:
            answer = self.http.get(path)
            return answer.json() if answer.is_success and answer.json()["result"] != "pending" else None

        return eventually(look)

    def on_department(self, slug: str, request_id: str) -> RequestAssigned:
        def look() -> RequestAssigned | None:
            self.topics.poll()
            events = (one.event.data for one in self.topics.seen if one.topic == f"requests.dept.{slug}" and one.event)
            ours = (one for one in events if isinstance(one, RequestAssigned) and one.request_id == request_id)
            return next((one for one in ours if one.department == slug), None)

        return eventually(look)

    def reported(self, request_id: str, status: str, department: str | None = None) -> dict[str, Any]:
        """
        The request as reporting shows it, once it shows ``status``, and ``department``: a transfer leaves the status.
        """

        def look() -> dict[str, Any] | None:
            answer = self.http.get(f"{self.env['REPORTING_URL']}/v1/requests/{request_id}")
            shown = answer.json() if answer.is_success else {}
            there = shown.get("status") == status and department in (None, shown["department"])
            return shown if there else None

        return eventually(look)

    def mails(self, address: str, count: int) -> list[Any]:
        def look() -> list[Any] | None:
            found = [
                message_from_bytes(path.read_bytes(), policy=policy.default)
                for path in sorted((self.run_dir / "mail").glob("*.eml"))
            ]
            ours = [mail for mail in found if mail["To"] and address in mail["To"]]
            return ours if len(ours) >= count else None

        return eventually(look)


@pytest.fixture(scope="module")
def city(stack: Stack) -> Iterator[City]:
    there = City(stack)
    yield there
    there.topics.close()
    there.http.close()


def body_of(mail: Any) -> str:
    return str(mail.get_body(("plain",)).get_content())


def test_a_request_reaches_its_department_and_the_citizen_hears_of_receipt_and_closing(city: City) -> None:
    address = f"{random_request_id().lower()}@example.org"
    request_id = city.post(
        text="Lale Sokak'ta büyük bir çukur var",
        service_code="yol-cukur",
        citizen={"email": address, "name": "Örnek Kişi"},
    )
    assert parse_request_id(request_id) == request_id
    seen = city.on_department("fen-isleri", request_id)
    assert seen.text == "Lale Sokak'ta büyük bir çukur var"
    assert seen.contact_id is None
    (first,) = city.mails(address, 1)
    assert grouped(request_id) in body_of(first)
    assert "Fen İşleri Müdürlüğü" in body_of(first)

    accepted = city.update(request_id, action="accept", department="fen-isleri")
    assert city.result(request_id, accepted)["result"] == "applied"
    city.update(
        request_id, action="resolve", department="fen-isleri", outcome="resolved", note_public="Çukur kapatıldı."
    )
    report = city.reported(request_id, "resolved")
    assert report["outcome"] == "resolved"
    _first, second = city.mails(address, 2)
    assert "Çukur kapatıldı." in body_of(second)
    assert len({mail["Message-ID"] for mail in (_first, second)}) == 2


def test_a_request_without_a_service_is_placed_by_a_rule_by_the_model_or_goes_to_triage(city: City) -> None:
    by_rule = city.post(text="Parkta salıncağın zinciri koptu", contact="none")
    assert str(city.on_department("park-bahceler", by_rule).rule).startswith("oyun-grubu-tehlike")
    by_model = city.post(text="Parkın salıncağı kırılmış", contact="none")
    decided = city.on_department("park-bahceler", by_model)
    assert (decided.decided_by, decided.service_code) == ("model", "oyun-grubu-ariza")
    assert decided.rule == f"model {decided.model}"
    nobody_knows = city.post(text="merhaba", contact="none")
    seen = city.on_department("basin-halkla-iliskiler", nobody_knows)
    assert (seen.status, seen.service_code) == ("triage", "siniflandirilamadi")


def test_a_department_that_rejects_sends_it_to_triage_and_the_desk_passes_it_on(city: City) -> None:
    request_id = city.post(text="su patladı", service_code="yol-cukur", contact="none")
    city.on_department("fen-isleri", request_id)
    rejected = city.update(request_id, action="reject", department="fen-isleri", note_internal="SASKİ'nin işi")
    assert city.result(request_id, rejected)["result"] == "applied"
    assert city.on_department("basin-halkla-iliskiler", request_id).reason == "SASKİ'nin işi"
    moved = city.update(
        request_id,
        action="transfer",
        department="basin-halkla-iliskiler",
        to="dis-kurum",
        service_code="ext-su-kanal",
    )
    assert city.result(request_id, moved)["result"] == "applied"
    assert city.on_department("dis-kurum", request_id).service_code == "ext-su-kanal"
    assert city.reported(request_id, "assigned", "dis-kurum")["service_code"] == "ext-su-kanal"


def test_the_same_key_gives_the_same_number_and_another_body_is_a_conflict(city: City) -> None:
    key = f"key-{random_request_id()}"
    body = {"text": "çöp alınmadı", "service_code": "cop-alinmadi", "contact": "none", "external_id": key}
    assert city.post(**body) == city.post(**body)
    other = city.http.post(f"{city.env['INTAKE_URL']}/v1/requests", json=body | {"channel": "web", "text": "başka"})
    assert other.status_code == 409
    assert other.headers["content-type"].startswith("application/problem+json")


def test_an_update_by_a_department_that_does_not_hold_the_request_is_refused(city: City) -> None:
    request_id = city.post(text="gürültü", service_code="gurultu", contact="none")
    city.on_department("zabita", request_id)
    city.reported(request_id, "assigned")

    path = f"{city.env['INTAKE_URL']}/v1/requests/{request_id}/updates"
    answer = city.http.post(path, json={"action": "accept", "department": "fen-isleri"})
    if answer.status_code == 409:  # intake knew it already
        assert "does not hold the request" in answer.json()["detail"]
    else:  # intake was not sure, so routing decided
        result = city.result(request_id, answer.raise_for_status().json()["update_id"])
        assert (result["result"], result["reason"]) == ("refused", "not_the_holder")


def test_a_telephone_only_citizen_gets_a_message_file_and_english_when_asked(city: City) -> None:
    request_id = city.post(
        text="broken pavement", service_code="kaldirim-bozuk", citizen={"phone": "0532 555 44 33", "language": "en"}
    )

    def written() -> str | None:
        for path in Path(city.run_dir / "outbox").rglob("*.json"):
            content = path.read_text(encoding="utf-8")
            if grouped(request_id) in content:
                return content
        return None

    message = json.loads(eventually(written))
    assert "Public Works" in json.dumps(message, ensure_ascii=False)


def test_figures_count_each_request_once(city: City) -> None:
    def summary() -> dict[str, Any]:
        answer = city.http.get(f"{city.env['REPORTING_URL']}/v1/reports/summary")
        return dict(answer.raise_for_status().json())

    def received() -> int:
        return int(summary()["rows"][0]["received"])

    now = datetime.now(UTC)
    eventually(lambda: datetime.fromisoformat(summary()["as_of"]) >= now)  # what came before is counted
    before = received()
    for _ in range(3):
        city.post(text="ilaçlama", service_code="hasere-ilaclama", contact="none")
    eventually(lambda: received() == before + 3)
    volume = city.http.get(f"{city.env['REPORTING_URL']}/v1/reports/volume").raise_for_status().json()
    assert sum(row["received"] for row in volume["rows"]) == received()
    assert volume["lag_seconds"] >= 0


def test_no_log_holds_what_citizens_wrote_or_how_to_reach_them(city: City) -> None:
    secret = "Zümrüdüanka"
    address = f"gizli-{random_request_id().lower()}@example.org"
    request_id = city.post(
        text=f"{secret} sokağında çukur",
        service_code="yol-cukur",
        citizen={"email": address, "name": secret, "phone": "0533 444 55 66", "notify_via": "email"},
    )
    city.mails(address, 1)
    city.reported(request_id, "assigned")
    logs = "".join(path.read_text(errors="replace") for path in (city.run_dir / "logs").glob("*.log"))
    assert logs
    for private in (secret, address, "5334445566"):
        assert private not in logs
    metrics = [
        httpx.get(f"http://127.0.0.1:{int(city.env['PORT_BASE']) + p}/metrics").text for p in (0, 1, 2, 11, 12, 13, 14)
    ]
    assert secret not in "".join(metrics)


def answer(city: City, request_id: str, department: str, **body: Any) -> None:
    applied = city.result(request_id, city.update(request_id, department=department, **body))
    assert applied["result"] == "applied", applied


def test_a_request_split_between_two_departments_ends_with_the_last_and_its_citizen_hears_once(city: City) -> None:
    address = f"{random_request_id().lower()}@example.org"
    request_id = city.post(
        text="Kaldırım kırık, üstünde de araba duruyor", service_code="kaldirim-bozuk", citizen={"email": address}
    )
    city.on_department("fen-isleri", request_id)
    parts = [{"service_code": "kaldirim-bozuk"}, {"to": "zabita", "service_code": "hatali-park"}]
    answer(city, request_id, "fen-isleri", action="split", parts=parts)
    city.on_department("zabita", f"{request_id}.2")
    done = {"action": "resolve", "outcome": "resolved"}
    answer(city, f"{request_id}.1", "fen-isleri", note_public="Taşlar yenilendi.", **done)
    assert city.reported(request_id, "in_progress")["outcome"] is None
    answer(city, f"{request_id}.2", "zabita", note_public="Araç kaldırıldı.", **done)
    assert city.reported(request_id, "resolved")["outcome"] == "resolved"
    ends = [mail for mail in city.mails(address, 2) if "Araç kaldırıldı." in body_of(mail)]
    assert len(ends) == 1
    assert "Taşlar yenilendi." in body_of(ends[0])
    assert all(f"{grouped(request_id)}." not in body_of(mail) for mail in city.mails(address, 2))


def test_a_question_stops_the_clock_and_its_answer_reaches_the_department_alone(city: City) -> None:
    address = f"{random_request_id().lower()}@example.org"
    request_id = city.post(text="Lamba yanmıyor", service_code="park-aydinlatma", citizen={"email": address})
    city.on_department("park-bahceler", request_id)
    answer(city, request_id, "park-bahceler", action="ask", question="Hangi parkın lambası?")
    assert "Hangi parkın lambası?" in body_of(city.mails(address, 2)[-1])
    city.reported(request_id, "waiting_citizen")
    told = city.http.post(
        f"{city.env['INTAKE_URL']}/v1/requests/{request_id}/replies",
        json={"text": "Batıpark'ın girişindeki", "channel": "email", "external_id": f"r-{request_id}"},
    )
    assert told.status_code == 202, told.text
    city.reported(request_id, "in_progress")

    def heard() -> list[str | None]:
        city.topics.poll()
        events = [
            one.event.data for one in city.topics.seen if one.event and one.value and b"Bat\xc4\xb1park" in one.value
        ]
        return [event.reply for event in events if isinstance(event, Lifecycle)]

    assert eventually(heard) == ["Batıpark'ın girişindeki"]
    assert {one.topic for one in city.topics.seen if one.value and b"Bat\xc4\xb1park" in one.value} == {
        "requests.dept.park-bahceler"
    }


def test_what_nobody_resolved_in_time_reaches_the_department_its_head_and_the_deputy_mayor(city: City) -> None:
    long_ago = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    request_id = city.post(text="Ölü köpek", service_code="olu-hayvan", contact="none", received_at=long_ago)

    def levels() -> set[str] | None:
        city.topics.poll()
        events = (one.event.data for one in city.topics.seen if one.event and one.topic == "requests.lifecycle")
        found = {e.level for e in events if isinstance(e, RequestEscalated) and e.request_id == request_id}
        return found if len(found) == 3 else None

    assert eventually(levels) == {"department", "head", "deputy_mayor"}

    def mails() -> list[str] | None:
        texts = [path.read_bytes() for path in (city.run_dir / "mail").glob("*.eml")]
        ours = [body_of(message_from_bytes(text, policy=policy.default)) for text in texts]
        found = [text for text in ours if grouped(request_id) in text]
        return found if len(found) == 3 else None

    assert all("Ölü köpek" not in text for text in eventually(mails)), "staff mails never quote a citizen"


def test_in_a_crisis_a_weekly_need_becomes_visits_on_the_list_of_its_neighbourhoods_team(city: City) -> None:
    crises = f"{city.env['INTAKE_URL']}/v1/crises/salgin"
    why = {"reason": "deneme", "declared_by": "test"}
    assert city.http.post(crises, json=why).status_code == 202
    try:
        eventually(lambda: {c["name"] for c in city.http.get(crises.rpartition("/")[0]).json()["crises"] if c["on"]})

        def placed() -> str | None:
            until = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
            number = city.post(
                text="Her hafta market alışverişi gerekiyor", service_code="vefa-alisveris", contact="none",
                location={"neighbourhood": "Kale", "address": "Sakarya Cd. 1"},
                repeat={"every_days": 7, "until": until},
            )  # fmt: skip
            return number if city.on_department("sosyal-destek", number).crisis == "salgin" else None

        request_id = eventually(placed)
        visit = city.on_department("sosyal-destek", f"{request_id}.1")
        assert (visit.team, visit.priority) == ("vefa-1", "high")

        def listed() -> dict[str, Any] | None:
            answered = city.http.get(f"{city.env['REPORTING_URL']}/v1/visits", params={"team": "vefa-1"})
            rows = answered.json()["visits"] if answered.is_success else []
            return next((row for row in rows if row["request_id"] == f"{request_id}.1" and row["address"]), None)

        assert eventually(listed)["address"] == "Sakarya Cd. 1"
    finally:
        assert city.http.post(f"{crises}/end", json=why).status_code == 202
