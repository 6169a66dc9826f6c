"""
The desk's pages over ASGI, with everything behind them in memory: each page, and each way on which it can go wrong.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.common.contracts.envelope import decode
from services.common.contracts.events import CitizenReplied, RequestReceived, UpdateSubmitted
from services.common.contracts.ids import grouped, random_request_id
from services.common.contracts.roles import DESK
from services.common.contracts.vocabulary import Action, Channel, Status
from services.intake.read_model import CaseState
from tests.hostile_files.pictures import jpeg
from tests.people import FakeTokens, SignedIn, signed_in
from tests.unit.intake.desks import GAS, POTHOLE
from tests.unit.intake.intakes import World

OPERATOR = signed_in("operator")
FORM: dict[str, Any] = {
    "text": "Lise Caddesi'nde yolda çukur var",
    "channel": "phone",
    "key": "desk-1",
    "_csrf": OPERATOR.person.csrf,
}
PAGE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}
ALIKE = {
    "request_id": "7XK29MQ4T3BDM",
    "number": "7XK2-9MQ4-T3BD-M",
    "status_label": {"tr": "İşlemde", "en": "In progress"},
    "service_code": "yol-cukur",
    "neighbourhood": "Kadıköy",
    "address": "Lise Caddesi 14",
    "received_at": "2026-11-27T10:00:00Z",
    "text": "Çukur büyüdü",
}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path).running() as running:
        del running.http.headers["X-API-Key"]
        running.http.cookies.update(OPERATOR.cookies)
        yield running


def received(world: World) -> list[RequestReceived]:
    events = [decode(r.topic, r.key, r.value, r.headers).data for r in world.publisher.records]
    return [event for event in events if isinstance(event, RequestReceived)]


def updates(world: World) -> list[Any]:
    events = [decode(r.topic, r.key, r.value, r.headers).data for r in world.publisher.records]
    return [event for event in events if isinstance(event, UpdateSubmitted | CitizenReplied)]


async def test_the_desk_opens_for_an_operator(world: World) -> None:
    page = await world.http.get("/console", headers=PAGE)
    assert page.status_code == 200
    assert "Vatandaş ne diyor?" in page.text
    assert 'value="Kadıköy"' in page.text
    assert "Yolda çukur, bozuk asfalt" in page.text


async def test_it_speaks_english_too(world: World) -> None:
    page = await world.http.get("/console?lang=en", headers=PAGE)
    assert "What does the citizen say?" in page.text
    assert "Vatandaş ne diyor?" not in page.text


@pytest.mark.parametrize("path", ["/console", "/console/callbacks", "/console/requests/7XK29MQ4T3BDM"])
@pytest.mark.parametrize(
    "who", [signed_in("manager"), signed_in("department", departments=("zabita",)), signed_in("admin")]
)
async def test_others_are_told_that_it_is_not_for_them(world: World, path: str, who: SignedIn) -> None:
    world.http.cookies.update(who.cookies)
    page = await world.http.get(path, headers=PAGE)
    assert page.status_code == 403
    assert "Bu sayfa size açık değil" in page.text


async def test_a_browser_without_sign_in_is_sent_to_it(world: World) -> None:
    world.http.cookies.clear()
    answer = await world.http.get("/console", headers=PAGE)
    assert answer.status_code == 303
    assert "/session/renew" in answer.headers["location"]


async def test_a_form_becomes_a_request_of_the_operator(world: World) -> None:
    answer = await world.http.post(
        "/console", data=FORM | {"name": "Ayşe Yılmaz", "phone": "0532 111 22 33"}, headers=PAGE
    )
    assert answer.status_code == 303
    (request,) = received(world)
    assert answer.headers["location"] == f"/console/receipt/{request.request_id}"
    assert request.channel is Channel.PHONE
    assert request.entered_by == OPERATOR.person.id
    assert request.contact_id.startswith("c_")
    assert request.service_code is None


async def test_a_double_submit_is_one_request(world: World) -> None:
    first = await world.http.post("/console", data=FORM, headers=PAGE)
    second = await world.http.post("/console", data=FORM, headers=PAGE)
    assert first.headers["location"] == second.headers["location"]
    assert len({request.request_id for request in received(world)}) == 1


async def test_the_same_page_with_another_text_is_told_so_and_nothing_is_lost(world: World) -> None:
    await world.http.post("/console", data=FORM, headers=PAGE)
    page = await world.http.post("/console", data=FORM | {"text": "Başka bir şey"}, headers=PAGE)
    assert page.status_code == 409
    assert "Başka bir şey" in page.text


async def test_scripts_get_the_number_and_how_it_is_said(world: World) -> None:
    answer = await world.http.post("/console", data=FORM, headers={"Accept": "application/json"})
    assert answer.status_code == 202
    body = answer.json()
    assert body["number"] == grouped(body["request_id"])
    assert len(body["spelled"]) == 4
    assert body["key"] != FORM["key"]


async def test_a_form_with_faults_comes_back_with_what_would_be_right(world: World) -> None:
    page = await world.http.post("/console", data=FORM | {"text": " ", "phone": "123", "email": "x"}, headers=PAGE)
    assert page.status_code == 422
    assert "Düzeltilecek 3 alan var" in page.text
    assert 'value="123"' in page.text
    assert received(world) == []


async def test_scripts_get_the_faults_by_field(world: World) -> None:
    answer = await world.http.post("/console", data=FORM | {"phone": "123"}, headers={"Accept": "application/json"})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["phone"]
    assert "123" not in answer.text.replace("0532 111 22 33", "")


async def test_without_its_csrf_token_nothing_is_taken(world: World) -> None:
    answer = await world.http.post("/console", data=FORM | {"_csrf": "guess"}, headers=PAGE)
    assert answer.status_code == 403
    assert received(world) == []


async def test_while_nothing_can_be_kept_the_typed_text_stays(tmp_path: Path) -> None:
    async with World(tmp_path, spool_bytes=65_536).running() as world:
        world.publisher.failing = True
        world.http.headers.pop("X-API-Key")
        world.http.cookies.update(OPERATOR.cookies)
        text = "ç" * 3_900
        for number in range(40):
            page = await world.http.post("/console", data=FORM | {"text": text, "key": f"k{number}"}, headers=PAGE)
            if page.status_code != 303:
                break
        assert page.status_code == 503
        assert text in page.text


async def test_a_suggestion_without_scripts_fills_in_the_place_and_keeps_what_was_typed(world: World) -> None:
    world.suggestions.answer, world.others.alike = POTHOLE, [ALIKE]
    page = await world.http.post("/console", data=FORM | {"do": "suggest", "address": "Kapı 7"}, headers=PAGE)
    assert page.status_code == 200
    assert 'value="Kadıköy"' in page.text
    assert 'value="Kapı 7"' in page.text
    assert "Lise Caddesi No: 12" not in page.text
    assert "Fen İşleri Müdürlüğü" in page.text
    assert "7XK2-9MQ4-T3BD-M" in page.text
    assert received(world) == []


async def test_danger_brings_its_script_with_the_suggestion(world: World) -> None:
    world.suggestions.answer = GAS
    answer = await world.http.post(
        "/console/suggest", json={"text": "gaz kokuyor", "channel": "phone"}, headers=OPERATOR.headers
    )
    body = answer.json()
    assert body["emergency"]
    assert body["script"]["call"] == ["187", "112"]
    assert body["refer_to"]["call"] == "187"
    page = await world.http.post("/console", data=FORM | {"do": "suggest"}, headers=PAGE)
    assert "Elektrik düğmelerine" in page.text


async def test_without_routing_the_desk_goes_on(world: World) -> None:
    answer = await world.http.post("/console/suggest", json={"text": "çukur"}, headers=OPERATOR.headers)
    assert answer.status_code == 503
    page = await world.http.post("/console", data=FORM | {"do": "suggest"}, headers=PAGE)
    assert page.status_code == 200
    assert FORM["text"].replace("'", "&#39;") in page.text
    assert (await world.http.post("/console", data=FORM, headers=PAGE)).status_code == 303


async def test_blank_text_asks_nobody(world: World) -> None:
    answer = await world.http.post("/console/suggest", json={"text": "  "}, headers=OPERATOR.headers)
    assert answer.status_code == 204
    assert world.suggestions.asked == []


async def test_similar_requests_are_asked_with_the_operators_own_token(world: World) -> None:
    world.others.alike = [ALIKE]
    answer = await world.http.post(
        "/console/similar",
        json={"service": "Yolda çukur, bozuk asfalt", "neighbourhood": "Kadıköy"},
        headers=OPERATOR.headers,
    )
    (row,) = answer.json()["items"]
    assert row["number"] == "7XK2-9MQ4-T3BD-M"
    assert row["status"] == "İşlemde"
    (token,) = world.others.tokens
    person = await FakeTokens().person(token)
    assert person is not None
    assert person.id == OPERATOR.id


async def test_the_caller_of_a_known_matter_gets_a_number_and_the_holder_the_hint(world: World) -> None:
    await world.http.post("/console", data=FORM | {"duplicate_of": "7XK2-9MQ4-T3BD-M"}, headers=PAGE)
    (request,) = received(world)
    assert request.attributes == {"duplicate_of_suspected": "7XK29MQ4T3BDM"}


async def test_an_answer_given_at_once_settles_it(world: World) -> None:
    await world.http.post("/console", data=FORM | {"answer_template": "calisma-saatleri"}, headers=PAGE)
    (request,) = received(world)
    assert request.answered is not None
    assert "08.00" in request.answered.text


async def test_the_receipt_names_the_department_and_no_citizen(world: World) -> None:
    number = random_request_id()
    world.store.cases[number] = CaseState(2, Status.ASSIGNED, "fen-isleri", "yol-cukur")
    page = await world.http.get(f"/console/receipt/{number}?record_no=2026/1234", headers=PAGE)
    assert page.status_code == 200
    assert grouped(number) in page.text
    assert "2026/1234" in page.text
    assert "Fen İşleri Müdürlüğü" in page.text
    assert "data:image/svg+xml" in page.text
    assert f"https://ilkim.example/t/{number}" in page.text


async def test_how_it_stands_comes_as_soon_as_routing_has_answered(world: World) -> None:
    number = random_request_id()
    world.store.cases[number] = CaseState(2, Status.TRIAGE, DESK, "siniflandirilamadi")
    body = (await world.http.get(f"/console/requests/{number}/standing")).json()
    assert body["status"] == "triage"
    assert "2 saat" in body["next"]


@pytest.mark.parametrize("typed", ["7XK2-9MQ4-T3BD-M", " 7xk29mq4t3bdm ", "7XK29MQ4T3BDM"])
async def test_a_number_leads_to_its_request_however_it_is_typed(world: World, typed: str) -> None:
    answer = await world.http.get("/console/find", params={"q": typed})
    assert answer.headers["location"] == "/console/requests/7XK29MQ4T3BDM"


async def test_what_is_no_number_leads_back(world: World) -> None:
    answer = await world.http.get("/console/find", params={"q": "çukur"})
    assert answer.headers["location"] == "/console"


def detail(number: str, **more: Any) -> dict[str, Any]:
    return {
        "request_id": number,
        "status": "in_progress",
        "department": "fen-isleri",
        "service_code": "yol-cukur",
        "emergency": False,
        "received_at": "2026-11-27T10:00:00Z",
        "due": {"resolve_by": "2026-11-30T10:00:00Z"},
        "planned_for": None,
        "legal": None,
        "neighbourhood": "Kadıköy",
        "text": "Yolda çukur var",
        "question": None,
        "public_text": "Ekip yola çıktı",
        "history": [
            {
                "seq": 1,
                "type": "RequestRegistered",
                "status": "received",
                "department": None,
                "at": "2026-11-27T10:00:00Z",
            },
            {
                "seq": 2,
                "type": "RequestAssigned",
                "status": "assigned",
                "department": "fen-isleri",
                "at": "2026-11-27T10:00:01Z",
            },
            {
                "seq": 3,
                "type": "NoteAdded",
                "status": "assigned",
                "department": "fen-isleri",
                "at": "2026-11-27T10:05:00Z",
                "public_text": "gizli not",
            },
            {
                "seq": 4,
                "type": "StatusChanged",
                "status": "in_progress",
                "department": "fen-isleri",
                "at": "2026-11-27T11:00:00Z",
                "public_text": "Ekip yola çıktı",
            },
        ],
        "told": [{"outcome": "sent", "channel": "sms", "reason": None, "at": "2026-11-27T10:00:05Z"}],
        **more,
    }


async def test_what_became_of_it_is_told_in_public_words(world: World) -> None:
    number = random_request_id()
    world.others.requests[number] = detail(number)
    page = await world.http.get(f"/console/requests/{number}", headers=PAGE)
    assert page.status_code == 200
    assert "Ekip yola çıktı" in page.text
    assert "gizli not" not in page.text
    assert "SMS" in page.text
    assert "gönderildi" in page.text


async def test_while_reporting_is_away_intake_knows_the_state(world: World) -> None:
    number = random_request_id()
    world.others.away = True
    world.store.cases[number] = CaseState(3, Status.RESOLVED, "fen-isleri", "yol-cukur")
    page = await world.http.get(f"/console/requests/{number}", headers=PAGE)
    assert page.status_code == 200
    assert "Çözüldü" in page.text
    assert "Yeniden aç" in page.text


async def test_an_unknown_number_is_no_page(world: World) -> None:
    assert (await world.http.get(f"/console/requests/{random_request_id()}", headers=PAGE)).status_code == 404
    assert (await world.http.get("/console/requests/NOTANUMBER", headers=PAGE)).status_code == 404


async def test_a_reply_on_the_telephone_reaches_the_department(world: World) -> None:
    number = random_request_id()
    await world.http.post(
        f"/console/requests/{number}/reply",
        data={"text": "Kapı numarası 7", "channel": "phone", "key": "r1", "_csrf": OPERATOR.person.csrf},
        headers=PAGE,
    )
    (reply,) = updates(world)
    assert isinstance(reply, CitizenReplied)
    assert reply.text == "Kapı numarası 7"
    assert reply.entered_by == OPERATOR.person.id


async def test_the_desk_opens_a_closed_request_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.intake.desk.request_pages.RESULT_WITHIN", 0.0)
    number = random_request_id()
    world.store.cases[number] = CaseState(5, Status.RESOLVED, "fen-isleri", "yol-cukur")
    data = {"text": "Yine bozulmuş", "key": "o1", "_csrf": OPERATOR.person.csrf}
    answer = await world.http.post(f"/console/requests/{number}/reopen", data=data, headers=PAGE)
    assert answer.status_code == 303
    (update,) = updates(world)
    assert isinstance(update, UpdateSubmitted)
    assert (update.action, update.department, update.by) == (Action.REOPEN, DESK, OPERATOR.person.id)


async def test_a_reason_is_needed(world: World) -> None:
    data = {"text": " ", "key": "c1", "_csrf": OPERATOR.person.csrf}
    await world.http.post(f"/console/requests/{random_request_id()}/cancel", data=data, headers=PAGE)
    assert updates(world) == []


@pytest.mark.parametrize("action", ["resolve", "accept", "transfer", "anything"])
async def test_the_desk_does_no_more_than_it_may(world: World, action: str) -> None:
    data = {"text": "x", "key": "c1", "_csrf": OPERATOR.person.csrf}
    answer = await world.http.post(f"/console/requests/{random_request_id()}/{action}", data=data)
    assert answer.status_code == 422
    assert updates(world) == []


ITEM: dict[str, Any] = {
    "id": "b_" + "1" * 32,
    "state": "open",
    "missed": 2,
    "since": "2026-11-27T10:00:00Z",
    "told": [{"request_id": "7XK29MQ4T3BDM", "transition": "closed", "at": "2026-11-27T10:00:00Z"}],
    "tries": 1,
}


async def test_the_list_of_call_backs_has_no_number(world: World) -> None:
    world.others.waiting = {ITEM["id"]: ITEM}
    page = await world.http.get("/console/callbacks", headers=PAGE)
    assert "2 kaçan çağrı" in page.text
    assert "+90532" not in page.text
    assert world.others.purposes == []


async def test_opening_one_shows_the_number_and_says_why(world: World) -> None:
    world.others.waiting = {ITEM["id"]: ITEM}
    page = await world.http.get(f"/console/callbacks/{ITEM['id']}", headers=PAGE)
    assert "+905321112233" in page.text
    assert world.others.purposes == [f"callback:{ITEM['id']}"]


@pytest.mark.parametrize("result", ["done", "failed"])
async def test_a_call_back_is_settled_once(world: World, result: str) -> None:
    world.others.waiting = {ITEM["id"]: ITEM}
    data = {"note": "konuşuldu", "_csrf": OPERATOR.person.csrf}
    for _ in range(2):
        answer = await world.http.post(f"/console/callbacks/{ITEM['id']}/{result}", data=data, headers=PAGE)
        assert answer.headers["location"] == "/console/callbacks"
    assert world.others.settled == [(ITEM["id"], result, "konuşuldu")]


async def test_a_request_from_a_call_back_knows_who_calls_and_closes_it(world: World) -> None:
    world.others.waiting = {ITEM["id"]: ITEM}
    page = await world.http.get("/console", params={"callback": ITEM["id"]}, headers=PAGE)
    assert 'value="+905321112233"' in page.text
    await world.http.post("/console", data=FORM | {"callback_id": ITEM["id"], "phone": "+905321112233"}, headers=PAGE)
    (request,) = received(world)
    assert world.others.settled == [(ITEM["id"], "done", grouped(request.request_id))]


async def test_while_notify_is_away_the_pages_say_so(world: World) -> None:
    world.others.away = True
    page = await world.http.get("/console/callbacks", headers=PAGE)
    assert page.status_code == 503
    assert "şu an alınamıyor" in page.text
    page = await world.http.get("/console", params={"callback": ITEM["id"]}, headers=PAGE)
    assert page.status_code == 200
    assert "alınamadı" in page.text


async def test_a_path_is_no_way_into_another_service(world: World) -> None:
    answer = await world.http.get("/console/callbacks/..%2F..%2Fcontacts", headers=PAGE)
    assert answer.status_code in (404, 422)
    assert world.others.purposes == []


@pytest.mark.parametrize("sent", ["../contacts/c_1", "b_", "b_" + "1" * 31, "b_" + "G" * 32, "b_" + "1" * 32 + "/x"])
async def test_what_is_no_call_back_is_asked_of_nobody(world: World, sent: str) -> None:
    world.others.waiting = {sent: ITEM}
    page = await world.http.get("/console", params={"callback": sent}, headers=PAGE)
    assert page.status_code == 200
    answer = await world.http.post("/console", data=FORM | {"callback_id": sent}, headers=PAGE)
    assert answer.status_code == 303
    assert world.others.settled == []
    assert world.others.purposes == []


async def test_without_scripts_a_photo_comes_with_the_form(world: World) -> None:
    files = {"upload": ("photo.jpg", jpeg(width=64, height=48), "image/jpeg")}
    answer = await world.http.post("/console", data=FORM | {"channel": "walk_in"}, files=files, headers=PAGE)
    assert answer.status_code == 303
    (request,) = received(world)
    assert [photo[:2] for photo in request.attachments] == ["a_"]


async def test_a_file_that_is_no_photo_is_told_at_its_field(world: World) -> None:
    files = {"upload": ("photo.jpg", b"<html>", "image/jpeg")}
    page = await world.http.post("/console", data=FORM, files=files, headers=PAGE)
    assert page.status_code == 422
    assert "Fotoğraf alınamadı" in page.text
    assert received(world) == []
