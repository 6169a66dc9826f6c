"""
The citizens' pages over ASGI, with everything behind them in memory: the form, a request's page, and each way on which
they can go wrong.
"""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.envelope import decode
from services.common.contracts.events import CitizenReplied, ContactChanged, Event, FeedbackSubmitted, RequestReceived
from services.common.contracts.ids import grouped, random_request_id
from services.common.contracts.tracking import LINK_LASTS, Purpose, token
from services.common.contracts.vocabulary import Channel, Status
from services.common.kit.clock import system_clock
from services.common.kit.mongo import UNAVAILABLE
from services.common.kit.settings import Rate
from services.intake.citizen import form as forms
from services.intake.citizen import notice, tracking
from services.intake.citizen.form import Form, FormError, TicketState, to_request
from services.intake.citizen.inner import Inner, TooOften
from services.intake.citizen.tiles import Tiles
from services.intake.desk.domain import SUSPECTED
from services.intake.guard import Away, Breaker
from services.intake.keys import Keys, OwnKeys, StoredKey, own_key, stored_own
from services.intake.open311.definitions import definitions
from tests.hostile_files.pictures import jpeg
from tests.unit.intake.citizens import SECRET, ticket
from tests.unit.intake.intakes import World
from tests.unit.intake.test_desk_pages import GAS, POTHOLE

PAGE = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
TEXT = "Lise Caddesi'nde yolda çukur var"
PUBLIC = "7XK29MQ4T3BDM"
NOW = datetime(2026, 6, 3, 9, 0, tzinfo=UTC)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path).running() as running:
        citizen(running)
        yield running


def citizen(world: World) -> None:
    del world.http.headers["X-API-Key"]
    world.http.headers.update(PAGE)
    world.http.base_url = httpx.URL("https://ilkim.example")


def kept(world: World, kind: type[Event]) -> list[Any]:
    events = [decode(r.topic, r.key, r.value, r.headers).data for r in world.publisher.records]
    return [event for event in events if isinstance(event, kind)]


async def send(world: World, **fields: Any) -> httpx.Response:
    return await world.http.post("/new", data={"text": TEXT, "ticket": ticket()} | fields)


async def prove(world: World, number: str) -> None:
    key = token(SECRET, number, Purpose.LINK, system_clock() + LINK_LASTS)
    assert (await world.http.get(f"/t/{number}", params={"k": key})).status_code == 303


def detail(number: str, **fields: Any) -> dict[str, Any]:
    """
    A request as reporting's api gives it to intake.
    """
    at = "2026-06-01T06:30:00Z"
    steps = [
        {"seq": 1, "type": "RequestRegistered", "status": "received", "at": at},
        {"seq": 2, "type": "RequestAssigned", "status": "assigned", "at": at, "department": "fen-isleri"},
    ]
    return {
        "request_id": number,
        "status": "assigned",
        "department": "fen-isleri",
        "service_code": "yol-cukur",
        "neighbourhood": "Kadıköy",
        "received_at": at,
        "due": {"resolve_by": "2026-06-08T06:30:00Z"},
        "paused": False,
        "planned_for": None,
        "closed_at": None,
        "public_text": None,
        "text": "Kapımın önü, Ayşe Yılmaz",
        "question": None,
        "emergency": False,
        "history": steps,
    } | fields


def ended(number: str, **fields: Any) -> dict[str, Any]:
    """
    The same, settled an hour ago, with a note after it.
    """
    at = (system_clock() - timedelta(hours=1)).isoformat()
    steps = [
        *detail(number)["history"],
        {"seq": 3, "type": "StatusChanged", "status": "resolved", "at": at, "public_text": "Çukur kapatıldı."},
        {"seq": 4, "type": "NoteAdded", "status": "resolved", "at": at},
    ]
    more = {"status": "resolved", "closed_at": at, "public_text": "Çukur kapatıldı.", "history": steps}
    return detail(number) | more | fields


# --- the form ---


async def test_a_form_becomes_a_request_and_leads_to_its_own_page(world: World) -> None:
    answer = await send(world, neighbourhood="Kadıköy", address="Lise Cd. 12", position="41.2867, 36.33")
    (made,) = kept(world, RequestReceived)
    assert (made.text, made.channel, made.contact_id) == (TEXT, Channel.WEB, "contact:none")
    assert made.notice_version == notice.CURRENT
    assert (made.location.neighbourhood, made.location.lat) == ("Kadıköy", 41.2867)
    assert answer.headers["location"].startswith(f"/t/{made.request_id}?new=1&k=")
    shown = await world.http.get((await world.http.get(answer.headers["location"])).headers["location"])
    assert grouped(made.request_id) in shown.text
    assert "data:image/svg+xml" in shown.text


async def test_who_leaves_a_number_can_be_told(world: World) -> None:
    await send(world, name="Ayşe Yılmaz", phone="0532 111 22 33", notify_via="sms")
    (contact,), (made,) = kept(world, ContactChanged), kept(world, RequestReceived)
    assert (contact.phone, contact.contact_id) == ("+905321112233", made.contact_id)


async def test_a_double_submit_is_one_request(world: World) -> None:
    fields = {"ticket": ticket()}
    first, second = await send(world, **fields), await send(world, **fields)
    assert first.headers["location"][:16] == second.headers["location"][:16]
    assert len({made.request_id for made in kept(world, RequestReceived)}) == 1


async def test_the_same_page_with_another_text_gets_a_new_ticket_and_loses_nothing(world: World) -> None:
    fields = {"ticket": ticket()}
    await send(world, **fields)
    again = await send(world, **fields, text="Başka bir konu")
    assert again.status_code == 409
    assert "Başka bir konu" in again.text
    assert fields["ticket"] not in again.text


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"text": " "}, "text"),
        ({"phone": "12"}, "phone"),
        ({"email": "ayse"}, "email"),
        ({"notify_via": "sms"}, "phone"),
        ({"notify_via": "email"}, "email"),
        ({"position": "north"}, "position"),
        ({"address": "x" * 301}, "address"),
        ({"service": "kasis-levha"}, "q-ISTEK"),
    ],
)
async def test_a_fault_is_told_at_its_field_and_nothing_typed_is_lost(
    world: World, fields: dict[str, str], field: str
) -> None:
    answer = await send(world, name="Ayşe Yılmaz", **fields)
    assert answer.status_code == 422
    assert f'href="#f-{field}"' in answer.text
    assert "Ayşe Yılmaz" in answer.text
    assert not kept(world, RequestReceived)


async def test_danger_is_told_before_it_is_sent_and_it_can_still_be_sent(world: World) -> None:
    world.suggestions.answer = GAS
    warned = await send(world, text="Sokakta gaz kokusu var")
    assert warned.status_code == 409
    assert 'href="tel:187"' in warned.text
    assert 'href="tel:112"' in warned.text
    assert not kept(world, RequestReceived)
    assert (await send(world, text="Sokakta gaz kokusu var", warned="1")).status_code == 303


async def test_a_suggestion_brings_subjects_place_and_what_is_like_it(world: World) -> None:
    world.suggestions.answer = POTHOLE
    world.reporting.show(request_id=PUBLIC, status="assigned")
    answer = await send(world, do="suggest", name="Ayşe Yılmaz")
    assert answer.status_code == 200
    assert not kept(world, RequestReceived)
    for shown in ('value="yol-cukur"', 'value="Kadıköy"', "7XK2-9MQ4-T3BD-M", "Ayşe Yılmaz"):
        assert shown in answer.text
    assert world.reporting.queries[-1]["neighbourhood"] == "Kadıköy"
    assert "resolved" not in world.reporting.queries[-1]["status"]


async def test_a_subject_of_the_list_brings_its_questions(world: World) -> None:
    answer = await send(world, do="suggest", service_list="hacimli-atik")
    assert "Neler alınacak?" in unescape(answer.text)
    given = {"service": "hacimli-atik", "q.ESYA": ["koltuk", "yatak"], "q.ADET": "2,5", "q.GUN": "2026-06-09T10:00"}
    assert (await send(world, **given, address="Lise Cd. 12")).status_code == 303
    (made,) = kept(world, RequestReceived)
    assert made.attributes == {"ESYA": ["koltuk", "yatak"], "ADET": "2.5", "GUN": "2026-06-09T07:00:00Z"}


@pytest.mark.parametrize("question", ["çukur", "CUKUR"])
async def test_subjects_are_searched_by_everyday_words_without_scripts(world: World, question: str) -> None:
    page = await world.http.get("/", params={"q": question})
    assert re.findall(r'name="pick" value="([^"]+)"', page.text)[0] == "yol-cukur"
    assert f'value="{question}"' in page.text


async def test_what_no_subject_has_is_said(world: World) -> None:
    page = (await world.http.get("/", params={"q": "<xyzzy>"})).text
    assert "Bulunamadı" in page
    assert "<xyzzy>" not in page


async def test_a_search_keeps_what_was_typed_and_registers_nothing(world: World) -> None:
    answer = await send(world, do="search", q="kasis", name="Ayşe Yılmaz")
    assert answer.status_code == 200
    for shown in ('name="pick" value="kasis-levha"', "Ayşe Yılmaz", TEXT):
        assert shown in unescape(answer.text)
    assert not kept(world, RequestReceived)


async def test_a_subject_that_is_picked_is_chosen_and_brings_its_questions(world: World) -> None:
    answer = await send(world, pick="kasis-levha", q="kasis", text="", service_list="yol-cukur")
    assert re.search(r'name="service" value="kasis-levha"[^>]* checked', answer.text)
    assert 'name="q.ISTEK"' in answer.text
    assert 'name="pick"' not in answer.text
    assert not kept(world, RequestReceived)


@pytest.mark.parametrize("path", ["/", "/t"])
async def test_the_foot_of_every_page_leads_to_open_data(world: World, path: str) -> None:
    page = await world.http.get(path)
    assert '<a href="http://127.0.0.1:8001/acik-veri">Açık veri</a>' in page.text


async def test_without_a_server_of_tiles_the_page_loads_nothing_from_elsewhere(world: World) -> None:
    page = await world.http.get("/")
    assert "img-src 'self' data: blob:;" in page.headers["content-security-policy"]
    assert 'data-tiles=""' in page.text
    assert "adres yazmanız yeter" in page.text


async def test_pictures_may_come_from_the_tiles_server_on_the_forms_page_alone(tmp_path: Path) -> None:
    unconfigured = World(tmp_path)
    unconfigured.tiles = Tiles("https://{s}.tiles.example:8443/{z}/{x}/{y}.png?key=1", "© Haritacılar")
    async with unconfigured.running() as world:
        citizen(world)
        form, other = await world.http.get("/"), await world.http.get("/t")
        again = await send(world, text=" ")
    before, after = other.headers["content-security-policy"], form.headers["content-security-policy"]
    assert "tiles.example" not in before
    assert after == before.replace("img-src 'self'", "img-src 'self' https://*.tiles.example:8443")
    assert again.headers["content-security-policy"] == after
    assert "© Haritacılar" in form.text
    assert "adres yazmanız yeter" not in form.text


@pytest.mark.parametrize(
    "url",
    [
        "ftp://tiles.example/{z}/{x}/{y}.png",
        "https://tiles.example/{z}/{x}.png",
        "https://tiles.example; script-src */{z}/{x}/{y}.png",
        "https:///{z}/{x}/{y}.png",
        "{z}/{x}/{y}",
    ],
)
def test_a_tiles_url_of_another_form_is_refused_with_the_right_form(url: str) -> None:
    with pytest.raises(ValueError, match=r"tile_url must be like https://"):
        Tiles(url)


async def test_who_has_the_same_problem_is_tied_to_the_request(world: World) -> None:
    world.reporting.show(request_id=PUBLIC)
    page = await world.http.get("/", params={"same_as": "7xk2-9mq4-t3bd-m"})
    assert 'name="same_as" value="7XK29MQ4T3BDM"' in page.text
    await send(world, same_as="7XK29MQ4T3BDM")
    assert kept(world, RequestReceived)[0].attributes == {SUSPECTED: "7XK29MQ4T3BDM"}


async def test_while_routing_and_reporting_are_silent_the_form_works(world: World) -> None:
    world.reporting.away = True
    assert (await send(world, do="suggest", neighbourhood="Kadıköy", service_list="yol-cukur")).status_code == 200
    assert (await send(world)).status_code == 303


async def test_a_photo_comes_with_the_form_and_survives_a_fault(world: World) -> None:
    files = {"upload": ("a.jpg", jpeg(), "image/jpeg")}
    data = {"text": TEXT, "ticket": ticket(), "phone": "12"}
    back = await world.http.post("/new", data=data, files=files)
    assert back.status_code == 422
    (photo,) = re.findall(r'name="photos" value="(a_[0-9a-f]{32})"', back.text)
    assert (await send(world, photos=photo)).status_code == 303
    assert kept(world, RequestReceived)[0].attachments == (photo,)


@pytest.mark.parametrize("raw", [b"MZ\x00", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-nothing"])
async def test_a_file_of_another_kind_is_told_at_its_field(world: World, raw: bytes) -> None:
    data = {"text": TEXT, "ticket": ticket()}
    answer = await world.http.post("/new", data=data, files={"upload": ("a.jpg", raw, "image/jpeg")})
    assert answer.status_code == 422
    assert 'href="#f-upload"' in answer.text


async def test_somebody_elses_file_is_not_taken(world: World) -> None:
    assert (await send(world, photos="a_" + "0" * 32)).status_code == 422


@pytest.mark.parametrize(
    "fields", [{"website": "http://spam"}, {"ticket": "made-up"}, {"ticket": ""}, {"ticket": "é-1-2"}]
)
async def test_what_machines_send_is_not_taken_but_comes_back(world: World, fields: dict[str, str]) -> None:
    answer = await send(world, **fields)
    assert answer.status_code == 409
    assert TEXT in unescape(answer.text)
    assert not kept(world, RequestReceived)


async def test_nobody_types_in_a_second_or_for_a_day(world: World) -> None:
    assert (await send(world, ticket=ticket(-60))).status_code == 409
    old = ticket(90_000)
    again = await send(world, ticket=old)
    assert again.status_code == 409
    assert old not in again.text


async def test_one_address_sends_so_many_forms(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.form_rate = Rate(per_second=0.001, at_once=2)
    async with world.running() as running:
        citizen(running)
        assert [(await send(running)).status_code for _ in range(3)] == [303, 303, 429]
        assert (await send(running, do="suggest")).status_code == 200


async def test_a_foreign_page_sends_nothing(world: World) -> None:
    world.http.headers["Sec-Fetch-Site"] = "cross-site"
    for path in ("/new", *(f"/t/7XK29MQ4T3BDM/{end}" for end in ("prove", "forget", "reply", "feedback"))):
        data = {"text": TEXT, "ticket": ticket(), "last4": "2233", "do": "rate"}
        assert (await world.http.post(path, data=data)).status_code == 403
    assert not world.publisher.records


async def test_every_version_of_the_notice_can_be_read_in_both_languages(world: World) -> None:
    for version in notice.versions():
        for language, word in (("tr", "6698"), ("en", "data protection")):
            page = await world.http.get(f"/notice/{version}", params={"lang": language})
            assert (page.status_code, word in page.text) == (200, True)
    for name in ("v0", "..%2f..%2fsettings", "v1.tr"):
        assert (await world.http.get(f"/notice/{name}")).status_code == 404


# --- a request's page ---


async def test_everybody_sees_what_is_public_and_nothing_of_the_citizen(world: World) -> None:
    world.reporting.show(request_id=PUBLIC)
    page = await world.http.get("/t/7XK29MQ4T3BDM")
    assert page.status_code == 200
    for shown in ("7XK2-9MQ4-T3BD-M", "Fen İşleri", "8 Haziran 2026"):
        assert shown in page.text
    assert "Çukur &amp;" not in page.text  # the text as typed is for its citizen alone
    assert not world.inner.asked


@pytest.mark.parametrize("typed", ["7xk2-9mq4-t3bd-m", "7XK2 9MQ4 T3BD M", " 7xk29mq4t3bdm ", "7XK29MQ4T3BDM.2"])
async def test_a_number_is_found_however_it_is_typed(world: World, typed: str) -> None:
    assert (await world.http.get("/t", params={"no": typed})).headers["location"] == "/t/7XK29MQ4T3BDM"
    assert (await world.http.get(f"/t/{typed}")).headers["location"] == "/t/7XK29MQ4T3BDM"


async def test_what_is_no_number_is_told_what_one_looks_like(world: World) -> None:
    for path, status in (("/t?no=7XK29MQ4T3BDX", 422), ("/t/hello", 404), ("/t/7XK29MQ4T3BDM.99999", 404)):
        page = await world.http.get(path)
        assert (page.status_code, "7XK2-9MQ4-T3BD-M" in page.text) == (status, True)


async def test_an_unknown_number_and_one_that_is_not_public_give_the_same_page(world: World) -> None:
    hidden, unknown = random_request_id(), random_request_id()
    world.reporting.hidden.add(hidden)
    pages = []
    for number in (hidden, unknown):
        page = await world.http.get(f"/t/{number}")
        text = page.text.replace(grouped(number), "#").replace(number, "#")
        pages.append((page.status_code, re.sub(r'value="[^"]+"', "", text)))
    assert pages[0] == pages[1]


async def test_wrong_digits_of_both_are_told_the_same(world: World) -> None:
    known, unknown = random_request_id(), random_request_id()
    world.inner.digits[known] = "2233"
    answers = []
    for number in (known, unknown):
        tries = [await world.http.post(f"/t/{number}/prove", data={"last4": "0000"}) for _ in range(6)]
        answers.append([(one.status_code, len(one.text)) for one in tries])
    assert answers[0] == answers[1]
    assert [status for status, _ in answers[0]] == [422] * 5 + [429]
    assert (await world.http.post(f"/t/{known}/prove", data={"last4": "2233"})).status_code == 429


async def test_the_last_digits_show_the_citizens_own_in_this_browser_alone(world: World) -> None:
    number, other = random_request_id(), random_request_id()
    for one in (number, other):
        world.inner.requests[one] = detail(one)
    world.inner.digits[number] = "2233"
    for wrong in ("223", "abcd", "２２３３", ""):
        assert (await world.http.post(f"/t/{number}/prove", data={"last4": wrong})).status_code == 422
    assert (await world.http.post(f"/t/{number}/prove", data={"last4": "2233"})).status_code == 303
    page = await world.http.get(f"/t/{number}")
    assert "Kapımın önü, Ayşe Yılmaz" in page.text
    assert page.headers["cache-control"] == "no-store"
    value = world.http.cookies[tracking_cookie()]
    stolen = await world.http.get(f"/t/{other}", headers={"Cookie": f"{tracking_cookie()}={value}"})
    assert "Kapımın önü" not in stolen.text
    await world.http.post(f"/t/{number}/forget")
    assert "Kapımın önü" not in (await world.http.get(f"/t/{number}")).text


def tracking_cookie() -> str:
    return "ilkim_track"


async def test_the_link_of_a_message_shows_it_and_leaves_the_address_clean(world: World) -> None:
    number = random_request_id()
    world.inner.requests[number] = detail(number)
    await prove(world, number)
    assert "Kapımın önü" in (await world.http.get(f"/t/{number}")).text


@pytest.mark.parametrize(
    ("purpose", "lasts"), [(Purpose.SEEN, LINK_LASTS), (Purpose.FEEDBACK, LINK_LASTS), (Purpose.LINK, -LINK_LASTS)]
)
async def test_another_token_shows_nothing(world: World, purpose: Purpose, lasts: timedelta) -> None:
    number = random_request_id()
    world.inner.requests[number] = detail(number)
    key = token(SECRET, number, purpose, system_clock() + lasts)
    await world.http.get(f"/t/{number}", params={"k": key})
    assert "Kapımın önü" not in (await world.http.get(f"/t/{number}")).text


async def test_a_question_is_read_and_answered_by_the_citizen_alone(world: World) -> None:
    number = random_request_id()
    world.inner.requests[number] = detail(number, status="waiting_citizen", question="Hangi kapı?")
    assert (await world.http.post(f"/t/{number}/reply", data={"text": "Mavi kapı"})).status_code == 403
    await prove(world, number)
    page = await world.http.get(f"/t/{number}")
    assert "Hangi kapı?" in page.text
    (shown,) = re.findall(r'name="ticket" value="([^"]+)"', page.text)
    for _ in range(2):
        data = {"text": "Mavi kapı", "ticket": shown}
        assert (await world.http.post(f"/t/{number}/reply", data=data)).status_code == 303
    replies = kept(world, CitizenReplied)
    assert {(reply.text, reply.channel) for reply in replies} == {("Mavi kapı", Channel.WEB)}
    assert len({reply.reply_id for reply in replies}) == 1
    assert (await world.http.post(f"/t/{number}/reply", data={"text": " "})).status_code == 422


async def opinion(world: World, number: str, **fields: Any) -> httpx.Response:
    page = (await world.http.get(f"/t/{number}")).text
    hidden = dict(re.findall(r'name="(key|closing_seq)" value="([^"]+)"', page))
    return await world.http.post(f"/t/{number}/feedback", data=hidden | fields)


async def test_an_ending_is_rated_once(world: World) -> None:
    number = random_request_id()
    world.inner.requests[number] = ended(number)
    await prove(world, number)
    assert (await opinion(world, number, do="rate", rating="4", comment="Hızlı")).status_code == 303
    assert (await opinion(world, number, do="rate", rating="1")).status_code == 409
    (given_,) = kept(world, FeedbackSubmitted)
    assert (given_.rating, given_.comment, given_.closing_seq, given_.reopen) == (4, "Hızlı", 3, False)


async def test_what_has_not_ended_for_its_citizen_is_asked_to_be_reopened_with_a_reason(world: World) -> None:
    number = random_request_id()
    world.inner.requests[number] = ended(number)
    await prove(world, number)
    for missing in ({"do": "reopen"}, {"do": "rate"}, {"do": "rate", "rating": "6"}):
        assert (await opinion(world, number, **missing)).status_code == 422
    assert (await opinion(world, number, do="reopen", comment="Çukur yine açıldı")).status_code == 303
    (asked,) = kept(world, FeedbackSubmitted)
    assert (asked.reopen, asked.rating, asked.comment) == (True, None, "Çukur yine açıldı")


async def test_two_weeks_after_the_ending_nothing_is_asked_any_more(world: World) -> None:
    number = random_request_id()
    at = (system_clock() - timedelta(days=14, minutes=1)).isoformat()
    world.inner.requests[number] = ended(number, closed_at=at)
    await prove(world, number)
    assert 'name="closing_seq"' not in (await world.http.get(f"/t/{number}")).text
    assert (await opinion(world, number, do="rate", rating="4", closing_seq="3", key="x")).status_code == 403


async def test_feedback_over_http_needs_the_token_of_that_ending(world: World) -> None:
    number = random_request_id()
    key = token(SECRET, number, Purpose.FEEDBACK, system_clock() + timedelta(days=1), 3)
    url = f"/v1/requests/{number}/feedback"
    assert (await world.http.post(url, json={"token": key, "closing_seq": 4, "rating": 5})).status_code == 403
    taken = await world.http.post(url, json={"token": key, "closing_seq": 3, "rating": 5})
    assert taken.status_code == 202
    assert taken.json()["feedback_id"] == kept(world, FeedbackSubmitted)[0].feedback_id
    assert (await world.http.post(url, json={"token": key, "closing_seq": 3})).status_code == 422


async def test_while_reporting_is_silent_the_page_says_so(world: World) -> None:
    number = random_request_id()
    world.reporting.away = world.inner.away = True
    assert (await world.http.get(f"/t/{number}")).status_code == 503
    assert (await world.http.post(f"/t/{number}/prove", data={"last4": "2233"})).status_code == 503
    await prove(world, number)
    assert (await world.http.get(f"/t/{number}")).status_code == 503


# --- what intake asks of others ---


class Others:
    """
    Reporting and notify behind one client: ``answer`` to whatever is asked, ``asked`` what was.
    """

    def __init__(self, contact: str | None = "c_" + "a" * 32) -> None:
        self.contact = contact
        self.answer = httpx.Response(200, json={"same": True})
        self.asked: list[httpx.Request] = []
        http = httpx.AsyncClient(transport=httpx.MockTransport(self))
        self.inner = Inner(http, own_key(SECRET), "http://reporting/", "http://notify", self.contact_of)

    async def contact_of(self, _: str) -> str | None:
        return self.contact

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answer


async def test_the_digits_are_asked_of_notify_with_intakes_own_key() -> None:
    others = Others()
    assert await others.inner.knows("7XK29MQ4T3BDM", "2233")
    (asked,) = others.asked
    assert (asked.url.path, asked.headers["x-api-key"]) == (f"/v1/contacts/c_{'a' * 32}/check", own_key(SECRET))
    others.answer = httpx.Response(429, headers={"Retry-After": "60"})
    with pytest.raises(TooOften) as often:
        await others.inner.knows("7XK29MQ4T3BDM", "2233")
    assert often.value.wait == 60


async def test_an_unknown_number_asks_as_much_as_a_known_one() -> None:
    others = Others(contact=None)
    others.answer = httpx.Response(200, json={"same": False})
    assert not await others.inner.knows("7XK29MQ4T3BDM", "2233")
    assert len(others.asked) == 1


@pytest.mark.parametrize("status", [401, 403, 500, 503])
async def test_an_answer_that_is_none_counts_as_no_answer(status: int) -> None:
    others = Others()
    others.answer = httpx.Response(status, text="<html>")
    with pytest.raises(Away):
        await others.inner.request("7XK29MQ4T3BDM")
    with pytest.raises(Away):
        await others.inner.knows("7XK29MQ4T3BDM", "2233")


async def test_what_reporting_does_not_have_yet_is_none() -> None:
    others = Others()
    others.answer = httpx.Response(404, json={})
    assert await others.inner.request("7XK29MQ4T3BDM") is None


async def test_intakes_own_key_is_known_to_who_asks_and_stored_nowhere(tmp_path: Path) -> None:
    async def none() -> list[StoredKey]:
        return []

    keys = Keys(none, tmp_path / "keys.json", Breaker("keys", UNAVAILABLE, pause=0), stored_own(SECRET))
    await keys.start()
    found = await OwnKeys(keys).caller(own_key(SECRET))
    assert found is not None
    assert found.scopes == {"reports:read", "texts:read", "contacts:check"}
    assert await OwnKeys(keys).caller(own_key(b"another secret")) is None
    assert keys.count == 0


# --- pure ---


@contextmanager
def refused(*fields: str) -> Iterator[None]:
    with pytest.raises(FormError) as caught:
        yield
    assert set(caught.value.errors) == set(fields)


def test_a_service_that_needs_a_place_gets_one() -> None:
    with refused("neighbourhood"):
        to_request(Form(text=TEXT, service="yol-cukur"), definitions(), "tr", "v1")
    placed = to_request(Form(text=TEXT, service="yol-cukur", address="Lise Cd."), definitions(), "tr", "v1")
    assert placed.service_code == "yol-cukur"


@pytest.mark.parametrize("code", ["siniflandirilamadi", "kadin-danisma-yok", "vefa-ilac"])
def test_only_public_subjects_can_be_chosen(code: str) -> None:
    with refused("service"):
        to_request(Form(text=TEXT, service=code), definitions(), "tr", "v1")


@given(st.lists(st.tuples(st.sampled_from(["text", "service", "phone", "q.ESYA", "photos", "x"]), st.text())))
def test_whatever_is_posted_is_read_and_judged_without_breaking(rows: list[tuple[str, str]]) -> None:
    form = Form.read(rows)
    try:
        assert to_request(form, definitions(), "en", "v1").channel is Channel.WEB
    except FormError as error:
        wrong = error.errors
    else:
        wrong = {}
    assert all(words.tr and words.en for words in wrong.values())


def test_the_subject_last_changed_counts() -> None:
    rows = [("service", "yol-cukur"), ("service_list", "agac-budama"), ("service_was", "yol-cukur")]
    assert Form.read(rows).service == "agac-budama"
    assert (
        Form.read([*rows[:1], ("service_list", "agac-budama"), ("service_was", "agac-budama")]).service == "yol-cukur"
    )


@given(st.text(max_size=80))
def test_a_made_up_ticket_is_never_good(text: str) -> None:
    assert forms.ticket_state(SECRET, text, NOW) is TicketState.OVER


def test_an_ending_is_the_last_run_of_closed_states() -> None:
    S = Status
    assert tracking.closing_seq([(1, S.RECEIVED), (2, S.ASSIGNED)]) is None
    assert tracking.closing_seq([(1, S.RECEIVED), (3, S.RESOLVED), (4, S.RESOLVED)]) == 3
    life = [(3, S.RESOLVED), (4, S.REOPENED), (5, S.IN_PROGRESS), (7, S.REJECTED), (8, S.REJECTED)]
    assert tracking.closing_seq(life) == 7


@pytest.mark.parametrize("status", Status)
def test_every_state_has_words_for_what_happens_next(status: Status) -> None:
    seen = tracking.of_own(detail("7XK29MQ4T3BDM", status=status.value, closed_at="2026-06-02T06:30:00Z"))
    assert seen.next.tr
    assert seen.next.en
