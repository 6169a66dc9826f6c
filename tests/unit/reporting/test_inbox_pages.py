"""
The pages of the inbox and of triage: who sees what, what a form leads to, and that nothing typed is lost.
"""

import json
import re
from html import unescape

import pytest

from services.common.contracts import events
from services.common.contracts.roles import DESK, Role
from services.common.contracts.vocabulary import Action, DecidedBy, Status
from services.reporting.inbox.intake_client import Told
from services.reporting.projections import Document
from services.reporting.work import View
from tests.people import SignedIn, signed_in
from tests.unit.reporting.inbox_rooms import AYSE, MEHMET, NOW, House, files
from tests.unit.reporting.lives import Life, documents_of

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>'")
ZABITA = signed_in(Role.DEPARTMENT, departments=("zabita",), now=NOW)
OTHER = signed_in(Role.DEPARTMENT, departments=("fen-isleri",), now=NOW)
OPERATOR = signed_in(Role.OPERATOR, now=NOW)
MANAGER = signed_in(Role.MANAGER, now=NOW)
ADMIN = signed_in(Role.ADMIN, now=NOW)
KEY = "0" * 32


def life(number: int = 0, **body: object) -> Life:
    return Life(number, service="gurultu").receive(**body).register().assign()  # type: ignore[arg-type]


def document(one: Life) -> Document:
    return next(found for found in documents_of(one.events).values() if found["parent_id"] is None)


def house(*lives: Life) -> House:
    found = House()
    for one in lives:
        found.shelf.put(*documents_of(one.events).values())
    return found


def form(person: SignedIn, **fields: str) -> dict[str, str]:
    return {"_csrf": person.person.csrf, "_key": KEY, **fields}


def texts(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


# --- who sees what ---


@pytest.mark.parametrize(
    ("person", "slug", "status"),
    [
        (ZABITA, "zabita", 200),
        (ZABITA, "fen-isleri", 404),
        (ZABITA, DESK, 404),
        (ZABITA, "uzay-isleri", 404),
        (OPERATOR, DESK, 200),
        (OPERATOR, "zabita", 404),
        (MANAGER, "zabita", 200),
        (MANAGER, DESK, 200),
        (MANAGER, "uzay-isleri", 404),
        (ADMIN, "zabita", 403),
    ],
)
async def test_an_inbox_is_open_to_its_department_and_to_managers(person: SignedIn, slug: str, status: int) -> None:
    async with house(life()).browser(person.headers) as browser:
        assert (await browser.get(f"/department/{slug}")).status_code == status


PATHS = (
    ("GET", "/department/zabita"),
    ("GET", "/department/zabita/events"),
    ("GET", "/department/zabita/answers"),
    ("GET", "/department/zabita/photos/a_1"),
    ("GET", "/department/zabita/{id}"),
    ("POST", "/department/zabita/{id}/accept"),
    ("POST", "/department/zabita/bulk"),
    ("POST", "/department/zabita/searches"),
    ("POST", "/department/zabita/searches/x/drop"),
    ("POST", "/department/zabita/answers"),
    ("POST", "/department/zabita/answers/x/drop"),
    ("GET", "/department/fen-isleri/{id}"),
    ("POST", "/department/fen-isleri/{id}/note"),
)


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_nothing_of_another_department_is_read_or_moved_by_any_path(method: str, path: str) -> None:
    one = life(text="yalnız zabıta okusun")
    found = house(one)
    async with found.browser(OTHER.headers) as browser:
        data = form(OTHER, note_internal="x") if method == "POST" else None
        answer = await browser.request(method, path.format(id=one.request_id), data=data)

    assert answer.status_code == 404
    assert "yalnız zabıta" not in answer.text
    assert found.intake.asked == []


@pytest.mark.parametrize("path", ["/triage", "/triage/events", "/triage/{id}"])
@pytest.mark.parametrize(("person", "status"), [(ZABITA, 403), (MANAGER, 403), (ADMIN, 403)])
async def test_triage_is_the_operators_alone(person: SignedIn, status: int, path: str) -> None:
    one = life()
    async with house(one).browser(person.headers) as browser:
        assert (await browser.get(path.format(id=one.request_id))).status_code == status


async def test_a_manager_reads_and_does_nothing() -> None:
    one = life(text="gece gürültü")
    found = house(one)
    async with found.browser(MANAGER.headers) as browser:
        page = (await browser.get(f"/department/zabita/{one.request_id}")).text
        listed = (await browser.get("/department/zabita")).text
        refused = await browser.post(f"/department/zabita/{one.request_id}/accept", data=form(MANAGER))

    assert "gece gürültü" in page
    assert 'method="post" action="/department' not in page + listed
    assert (refused.status_code, found.intake.asked) == (403, [])


async def test_nobody_signed_in_is_sent_to_sign_in_and_comes_back_to_the_same_filters() -> None:
    async with house().browser() as browser:
        answer = await browser.get("/department/zabita?view=new&q=x")

    assert answer.status_code == 303
    assert answer.headers["location"].endswith("next=http%3A%2F%2Ftest%2Fdepartment%2Fzabita%3Fview%3Dnew%26q%3Dx")


async def test_a_form_without_its_token_does_nothing() -> None:
    one = life()
    found = house(one)
    async with found.browser({"Cookie": ZABITA.headers["Cookie"]}) as browser:
        answer = await browser.post(f"/department/zabita/{one.request_id}/accept", data={"_key": KEY})

    assert (answer.status_code, found.intake.asked) == (403, [])


# --- the list ---


async def test_a_row_says_what_it_is_and_who_has_it() -> None:
    one = life(text="Üst kattan gece yarısı gürültü geliyor", mahalle="Kadıköy", address="Lale Sk. 14")
    one.move(events.StatusChanged, Status.ACCEPTED, action=Action.ACCEPT, by=AYSE)
    async with house(one).browser(ZABITA.headers) as browser:
        page = texts((await browser.get("/department/zabita")).text)

    for wanted in ("Gürültü", "Üst kattan gece yarısı", "Kadıköy", "Lale Sk. 14", "Üstlenildi", "Ayşe Kaya"):
        assert wanted in page


async def test_both_languages_have_the_page() -> None:
    async with house(life()).browser(ZABITA.headers) as browser:
        turkish = texts((await browser.get("/department/zabita")).text)
        english = texts((await browser.get("/department/zabita?lang=en")).text)

    assert "Süresi yaklaşan" in turkish
    assert "Due soon" in english


async def test_what_an_address_asks_for_wrongly_is_said_and_the_rest_is_shown() -> None:
    async with house(life()).browser(ZABITA.headers) as browser:
        page = texts((await browser.get("/department/zabita?service=uzay")).text)

    assert "service: hizmet kodu" in page


async def test_the_map_shows_what_has_a_place_and_its_pictures_come_from_nowhere_else() -> None:
    one = life(mahalle="Kadıköy")
    found = house(one)
    found.shelf.documents[one.request_id]["bodies"] = {
        key: {**body, "lat": 41.28, "lon": 36.33}
        for key, body in found.shelf.documents[one.request_id]["bodies"].items()
    }
    async with found.browser(ZABITA.headers) as browser:
        plain = await browser.get("/department/zabita?show=map")
    found.tile_url = "https://tiles.example.org/{z}/{x}/{y}.png"
    async with found.browser(ZABITA.headers) as browser:
        tiled = await browser.get("/department/zabita?show=map")

    points = json.loads(unescape(re.search(r'data-points="([^"]*)"', plain.text)[1]))  # type: ignore[index]
    assert [(point["id"], point["lat"], point["lon"]) for point in points] == [(one.request_id, 41.28, 36.33)]
    assert "img-src 'self' data: blob:" in plain.headers["content-security-policy"]
    assert "img-src 'self' https://tiles.example.org data: blob:" in tiled.headers["content-security-policy"]
    assert "unsafe" not in tiled.headers["content-security-policy"]


async def test_a_search_is_kept_with_its_filters_and_without_its_page() -> None:
    found = house()
    async with found.browser(ZABITA.headers) as browser:
        data = form(ZABITA, name="Acil Kadıköy", query="?view=new&neighbourhood=Kadıköy&since=abc&x=y")
        answer = await browser.post("/department/zabita/searches", data=data)
        page = (await browser.get("/department/zabita")).text

    assert answer.headers["location"] == "/department/zabita?view=new&neighbourhood=Kad%C4%B1k%C3%B6y"
    assert 'href="/department/zabita?view=new&amp;neighbourhood=Kad%C4%B1k%C3%B6y"' in page


# --- one request ---


async def test_public_and_internal_words_are_told_apart_and_those_of_others_are_not_told() -> None:
    one = life(text="gürültü")
    one.move(events.StatusChanged, Status.SCHEDULED, action=Action.SCHEDULE, by=AYSE, public_text="Yarın geliyoruz")
    found = house(one)
    seq = document(one)["last_seq"]
    kept = found.shelf.documents[one.request_id]
    kept["inner"] = {
        str(seq): {"id": "a", "at": NOW, "department": "zabita", "note": "anahtar kapıcıda"},
        "2": {"id": "b", "at": NOW, "department": "fen-isleri", "note": "bizim değil"},
    }
    async with found.browser(ZABITA.headers) as browser:
        page = (await browser.get(f"/department/zabita/{one.request_id}")).text

    assert re.search(r'inner-said">.*?anahtar kapıcıda', page, re.S)
    assert re.search(r'public-said">.*?Yarın geliyoruz', page, re.S)
    assert "bizim değil" not in page
    assert "Ayşe Kaya" in texts(page)


async def test_what_may_be_the_same_matter_is_shown_but_never_the_request_itself() -> None:
    one, other = life(1, mahalle="Kadıköy"), life(2, mahalle="Kadıköy", text="aynı gürültü")
    found = house(one, other)
    async with found.browser(ZABITA.headers) as browser:
        page = (await browser.get(f"/department/zabita/{one.request_id}")).text

    alike = page.split("Aynı konu olabilir")[-1].split("</section>")[0]
    assert re.findall(r'href="/department/zabita/(\w+)"', alike) == [other.request_id]


async def test_what_the_citizen_sent_along_is_shown_by_its_department_s_own_address() -> None:
    one, picture = life(), "a_" + "e" * 32
    found = house(one)
    kept = found.shelf.documents[one.request_id]
    kept["bodies"] = {
        key: {**body, "attachments": [picture, "https://elsewhere.example/x.jpg"]}
        for key, body in kept["bodies"].items()
    }
    async with found.browser(ZABITA.headers) as browser:
        page = (await browser.get(f"/department/zabita/{one.request_id}")).text
        shown = await browser.get(f"/department/zabita/photos/{picture}?size=thumb")

    assert f'src="/department/zabita/photos/{picture}?size=thumb"' in page
    assert "elsewhere.example" not in page
    assert (shown.status_code, shown.text) == (200, f"{picture} thumb")


@pytest.mark.parametrize("odd", ["a_1", "%2e%2e%2fkeys", "a_" + "e" * 32 + "%3fsize=original", "A_" + "e" * 32])
async def test_only_the_name_of_a_file_is_asked_of_intake(odd: str) -> None:
    async with house().browser(ZABITA.headers) as browser:
        answer = await browser.get(f"/department/zabita/photos/{odd}")

    assert answer.status_code == 404


async def test_every_action_has_a_form_that_says_what_it_was_drawn_from() -> None:
    one = life()
    async with house(one).browser(ZABITA.headers) as browser:
        page = (await browser.get(f"/department/zabita/{one.request_id}")).text

    drawn = set(re.findall(rf'action="/department/zabita/{one.request_id}/(\w+)"', page))
    assert drawn == {
        "accept", "start", "resolve", "schedule", "ask", "reject", "transfer", "wait", "refer", "split", "duplicate",
        "cancel", "note",
    }  # fmt: skip
    assert set(re.findall(r'name="expected_seq" value="(\d+)"', page)) == {str(document(one)["last_seq"])}


@pytest.mark.parametrize("action", ["resolve", "reject", "split", "ask", "refer", "schedule", "transfer"])
async def test_a_form_is_there_without_scripts(action: str) -> None:
    one = life()
    async with house(one).browser(ZABITA.headers) as browser:
        page = (await browser.get(f"/department/zabita/{one.request_id}?form={action}")).text

    inline = page.split('id="act"')[1].split("</section>")[0]
    assert f"/{action}" in inline


async def test_accepting_goes_to_intake_in_the_department_s_name_and_comes_back() -> None:
    one = life()
    found = house(one)
    async with found.browser(ZABITA.headers) as browser:
        answer = await browser.post(f"/department/zabita/{one.request_id}/accept", data=form(ZABITA, expected_seq="2"))

    assert found.intake.asked == [
        (ZABITA.person.id, one.request_id, {"action": "accept", "department": "zabita", "expected_seq": 2}, KEY)
    ]
    assert (answer.status_code, answer.headers["location"]) == (303, f"/department/zabita/{one.request_id}?after=9")


async def test_a_script_is_told_where_to_go() -> None:
    one = life()
    async with house(one).browser({**ZABITA.headers, "Accept": "application/json, text/html"}) as browser:
        answer = await browser.post(f"/department/zabita/{one.request_id}/accept", data=form(ZABITA))

    assert answer.json()["go"] == f"/department/zabita/{one.request_id}?after=9"
    assert "ilkim_flash" in answer.headers["set-cookie"]


async def test_photos_are_kept_first_and_go_along() -> None:
    one = life()
    found = house(one)
    async with found.browser(ZABITA.headers) as browser:
        await browser.post(
            f"/department/zabita/{one.request_id}/resolve",
            data=form(ZABITA, outcome="resolved", note_public="Uyarıldı", photos="a_" + "f" * 32),
            files=files(b"one", b"two"),
        )

    assert found.intake.uploads == [b"one", b"two"]
    assert found.intake.asked[0][2]["photos"] == ["a_" + "f" * 32, f"a_{1:032x}", f"a_{2:032x}"]


async def test_a_photo_that_is_none_is_named_and_the_text_stays() -> None:
    one = life()
    found = house(one)
    found.intake.upload_status = 422
    async with found.browser(ZABITA.headers) as browser:
        answer = await browser.post(
            f"/department/zabita/{one.request_id}/resolve",
            data=form(ZABITA, outcome="resolved", note_public="Komşu uyarıldı"),
            files=files(b"<html>"),
        )

    assert answer.status_code == 422
    assert "is no picture" in answer.text
    assert "Komşu uyarıldı</textarea>" in answer.text
    assert found.intake.asked == []


async def test_what_is_missing_is_named_and_what_was_typed_stays() -> None:
    one = life()
    found = house(one)
    async with found.browser(ZABITA.headers) as browser:
        answer = await browser.post(
            f"/department/zabita/{one.request_id}/resolve", data=form(ZABITA, outcome="", note_public="Uyarıldı")
        )

    assert answer.status_code == 422
    assert "Sonucu seçin." in answer.text
    assert "Uyarıldı</textarea>" in answer.text
    assert f'value="{KEY}"' in answer.text
    assert found.intake.asked == []


async def test_the_second_of_two_is_told_who_was_faster_and_keeps_the_text() -> None:
    one = life()
    found = house(one)

    def somebody_else() -> None:
        one.move(events.StatusChanged, Status.SCHEDULED, action=Action.SCHEDULE, by=MEHMET, planned_for=NOW)
        found.shelf.put(document(one))

    found.intake.before = somebody_else
    found.intake.told = Told("refused", 4, "changed_meanwhile", "schedule at …")
    async with found.browser(ZABITA.headers) as browser:
        answer = await browser.post(
            f"/department/zabita/{one.request_id}/resolve",
            data=form(ZABITA, outcome="resolved", note_public="Uyarıldı", expected_seq="2"),
        )

    assert answer.status_code == 409
    said = texts(answer.text)
    assert "siz bakarken değişti" in said
    assert re.search(r"Mehmet Demir , \S+ \S+ : Planlandı", said)
    assert "Uyarıldı</textarea>" in answer.text
    assert 'name="expected_seq" value="3"' in answer.text
    assert f'value="{KEY}"' not in answer.text


async def test_what_went_to_another_department_meanwhile_is_told_and_no_more_of_it() -> None:
    one = life(text="gizli kalsın")
    found = house(one)

    def passed_on() -> None:
        one.department = "fen-isleri"
        one.move(
            events.RequestAssigned, Status.ASSIGNED, action=Action.TRANSFER, by=MEHMET, decided_by=DecidedBy.PERSON
        )
        found.shelf.put(document(one))

    found.intake.before = passed_on
    found.intake.told = Told("conflict", detail="held by fen-isleri")
    async with found.browser(ZABITA.headers) as browser:
        answer = await browser.post(
            f"/department/zabita/{one.request_id}/resolve",
            data=form(ZABITA, outcome="resolved", note_public="Uyardık, bitti"),
        )
        page = await browser.get(f"/department/zabita/{one.request_id}")

    assert answer.status_code == 409
    said = texts(answer.text)
    assert "Fen İşleri Müdürlüğü" in said
    assert "Devretti: Mehmet Demir" in said
    assert "Uyardık, bitti" in said
    assert "gizli kalsın" not in answer.text + page.text
    assert page.status_code == 404


async def test_while_intake_is_away_the_form_can_be_sent_again_with_its_key() -> None:
    one = life()
    found = house(one)
    found.intake.told = Told("away")
    async with found.browser(ZABITA.headers) as browser:
        answer = await browser.post(
            f"/department/zabita/{one.request_id}/ask", data=form(ZABITA, question="Hangi kat?", expected_seq="2")
        )

    assert answer.status_code == 503
    assert "Hangi kat?</textarea>" in answer.text
    assert f'value="{KEY}"' in answer.text


async def test_what_is_not_decided_yet_is_not_called_done() -> None:
    one = life()
    found = house(one)
    found.intake.told = Told("pending")
    async with found.browser({**ZABITA.headers, "Accept": "application/json, text/html"}) as browser:
        answer = (await browser.post(f"/department/zabita/{one.request_id}/accept", data=form(ZABITA))).json()

    assert "birazdan uygulanacak" in answer["text"]
    assert answer["tone"] == "info"


async def test_a_form_without_a_key_is_refused() -> None:
    one = life()
    found = house(one)
    async with found.browser(ZABITA.headers) as browser:
        answer = await browser.post(
            f"/department/zabita/{one.request_id}/accept", data={"_csrf": ZABITA.person.csrf, "_key": "short"}
        )

    assert (answer.status_code, found.intake.asked) == (422, [])


# --- many at once ---


async def test_many_are_accepted_at_once_each_with_its_own_result() -> None:
    lives = [life(number) for number in range(3)]
    found = house(*lives)
    found.intake.answers = [Told("applied", 3), Told("refused", 4, "changed_meanwhile"), Told("pending")]
    async with found.browser(ZABITA.headers) as browser:
        data = {**form(ZABITA, action="accept"), "id": [f"{one.request_id}:2" for one in lives]}
        page = (await browser.post("/department/zabita/bulk", data=data)).text

    assert sorted(number for _, number, _, _ in found.intake.asked) == sorted(one.request_id for one in lives)
    assert all(body["expected_seq"] == 2 for _, _, body, _ in found.intake.asked)
    assert sorted(re.findall(r'data-result="(\w+)"', page)) == ["done", "not", "soon"]
    assert "1 başvuruda yapıldı. 1 tanesi kaydedildi" in texts(page)


async def test_many_get_the_same_answer_after_a_second_page() -> None:
    lives = [life(number) for number in range(2)]
    found = house(*lives)
    chosen = {"id": [f"{one.request_id}:2" for one in lives]}
    async with found.browser(ZABITA.headers) as browser:
        asked = (await browser.post("/department/zabita/bulk", data={**form(ZABITA, action="resolve"), **chosen})).text
        assert found.intake.asked == []
        missing = await browser.post(
            "/department/zabita/bulk", data={**form(ZABITA, action="resolve", sent="1", outcome="resolved"), **chosen}
        )
        assert (missing.status_code, found.intake.asked) == (422, [])
        await browser.post(
            "/department/zabita/bulk",
            data={**form(ZABITA, action="resolve", sent="1", outcome="resolved", note_public="Denetlendi"), **chosen},
        )

    assert 'name="note_public"' in asked
    assert "Vatandaşın okuyacağı metni yazın." in missing.text
    assert [body["note_public"] for _, _, body, _ in found.intake.asked] == ["Denetlendi"] * 2


async def test_what_others_hold_is_not_among_the_many() -> None:
    ours, theirs = life(1), life(2)
    theirs.assign("fen-isleri")
    found = house(ours, theirs)
    async with found.browser(ZABITA.headers) as browser:
        data = {**form(ZABITA, action="accept"), "id": [f"{ours.request_id}:2", f"{theirs.request_id}:3", "x:1"]}
        await browser.post("/department/zabita/bulk", data=data)

    assert [number for _, number, _, _ in found.intake.asked] == [ours.request_id]


# --- triage ---

CANDIDATES = tuple(
    events.Candidate(service_code=code, department=department, confidence=confidence)
    for code, department, confidence in (
        ("yol-cukur", "fen-isleri", 0.41),
        ("gurultu", "zabita", 0.3),
        ("genel-bilgi", DESK, 0.1),
    )
)


def undecided(number: int = 0) -> Life:
    one = Life(number, service="siniflandirilamadi").receive("bir şeyler oldu").register()
    one.department = DESK
    return one.move(events.RequestAssigned, Status.TRIAGE, candidates=CANDIDATES, decided_by=DecidedBy.MODEL)


async def test_the_queue_shows_the_text_and_the_best_three_with_how_sure_they_are() -> None:
    async with house(undecided()).browser(OPERATOR.headers) as browser:
        page = (await browser.get("/triage")).text

    assert "bir şeyler oldu" in page
    assert re.findall(r'data-keys="([123])"', page) == ["1", "2", "3"]
    assert "%41" in texts(page)
    assert "Fen İşleri Müdürlüğü" in texts(page)


@pytest.mark.parametrize(
    ("code", "to", "body"),
    [
        ("yol-cukur", "fen-isleri", {"action": "transfer", "to": "fen-isleri"}),
        ("yol-cukur", "", {"action": "transfer", "to": "fen-isleri"}),
        ("gurultu", "zabita", {"action": "transfer", "to": "zabita"}),
        ("genel-bilgi", DESK, {"action": "accept"}),
    ],
)
async def test_one_key_sends_it_with_its_service(code: str, to: str, body: dict[str, str]) -> None:
    one = undecided()
    found = house(one)
    async with found.browser({**OPERATOR.headers, "Accept": "application/json"}) as browser:
        answer = await browser.post(
            f"/triage/{one.request_id}", data=form(OPERATOR, service_code=code, to=to, expected_seq="2")
        )

    assert answer.json()["done"] is True
    assert found.intake.asked[0][2] == {"department": DESK, "service_code": code, "expected_seq": 2, **body}


async def test_the_second_operator_is_told_who_was_faster() -> None:
    one = undecided()
    found = house(one)
    one.department = "zabita"
    one.move(events.RequestAssigned, Status.ASSIGNED, action=Action.TRANSFER, by=AYSE, service_code="gurultu")
    found.shelf.put(document(one))
    found.intake.told = Told("conflict", detail="held by zabita")
    async with found.browser({**OPERATOR.headers, "Accept": "application/json"}) as browser:
        answer = await browser.post(
            f"/triage/{one.request_id}",
            data=form(OPERATOR, service_code="yol-cukur", to="fen-isleri", expected_seq="2"),
        )
        fate = await browser.get(f"/triage/{one.request_id}")

    assert answer.json()["done"] is False
    assert "sizden önce Ayşe Kaya" in answer.json()["text"]
    assert "Zabıta" in answer.json()["text"]
    assert "Ayşe Kaya işlem yaptı" in fate.json()["text"]


async def test_what_came_back_shows_who_rejected_it_and_why() -> None:
    one = life()
    one.department = DESK
    one.move(events.RequestAssigned, Status.TRIAGE, action=Action.REJECT, by=MEHMET, service_code="siniflandirilamadi")
    found = house(one)
    kept = found.shelf.documents[one.request_id]
    kept["inner"] = {str(one.seq): {"id": "a", "at": NOW, "department": DESK, "reason": "Ruhsat işi", "by": MEHMET}}
    async with found.browser(OPERATOR.headers) as browser:
        page = texts((await browser.get("/triage")).text)

    assert "Reddetti: Mehmet Demir" in page
    assert "Ruhsat işi" in page
    assert "Zabıta Müdürlüğü" in page


async def test_an_empty_queue_says_so() -> None:
    async with house().browser(OPERATOR.headers) as browser:
        assert "Sıra boş" in (await browser.get("/triage")).text


def test_every_view_of_the_work_but_triage_has_a_tab() -> None:
    from services.reporting.inbox.filters import TABS

    assert set(TABS) == set(View) - {View.TRIAGE}
