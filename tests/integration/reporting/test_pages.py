"""
Lists and single requests over HTTP, on a server that speaks MongoDB's protocol.
"""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr

from services.common.contracts import events
from services.common.contracts.ids import grouped, random_request_id
from services.common.contracts.vocabulary import Channel, Status
from services.common.kit.auth import Caller
from services.common.kit.clock import FrozenClock
from services.common.kit.mongo import Client
from services.common.kit.settings import MongoSettings
from services.reporting import visits
from services.reporting.api import create_app
from services.reporting.figures.snapshot import Snapshot
from services.reporting.repository import Repository
from services.reporting.settings import ApiSettings
from tests.integration.reporting.made import make_sheets
from tests.unit.reporting.lives import START, Life, random_lives

pytestmark = pytest.mark.integration

SECRET = SecretStr("0123456789abcdef")
NOW = START + timedelta(days=40)


class Keys:
    """
    A key is its scopes, and after a slash its departments.
    """

    async def caller(self, key: str) -> Caller | None:
        scopes, _, departments = key.partition("/")
        return Caller(key, frozenset(scopes.split(",")), frozenset(departments.split(",")))


@pytest.fixture
async def repository(client: Client, database: str) -> Repository:
    repository = Repository(client, database)
    await repository.prepare()
    return repository


@pytest.fixture
async def http(mongo_uri: str, database: str) -> AsyncIterator[httpx.AsyncClient]:
    settings = ApiSettings(
        cursor_secret=SECRET, token_secret=SECRET, mongo=MongoSettings(uri=mongo_uri), database=database
    )
    app = create_app(settings, callers=Keys(), clock=FrozenClock(NOW))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        app.state.figures = Snapshot(app.state.sheets, look_every_seconds=0)
        client.headers["X-API-Key"] = "reports:read"
        yield client


async def test_the_pages_show_every_request_once_newest_first(repository: Repository, http: httpx.AsyncClient) -> None:
    at_once = [Life(n, at=START).receive().register() for n in range(7)]
    others = [Life(n, at=START + timedelta(hours=n)).receive().register() for n in range(7, 20)]
    await repository.project([event for life in at_once + others for event in life.events])

    seen: list[dict[str, str]] = []
    query: dict[str, str] = {"limit": "3"}
    while True:
        page = (await http.get("/v1/requests", params=query)).raise_for_status().json()
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]

    assert sorted(row["request_id"] for row in seen) == sorted(life.request_id for life in at_once + others)
    keys = [(row["received_at"], row["request_id"]) for row in seen]
    assert keys == sorted(keys, reverse=True)


@pytest.mark.parametrize(
    "query",
    [
        {"status": "resolved"},
        {"status": "open"},
        {"channel": "web,phone"},
        {"department": "zabita"},
        {"from": "2026-11-05", "to": "2026-11-08"},
        {"q": "çukur", "kind": "complaint,request"},
        {"neighbourhood": "Çiftlik"},
        {"team": "vefa-1"},
        {"crisis": "salgin", "status": "open"},
        {"overdue": "true"},
        {"overdue": "false"},
        {"paused": "true"},
        {"overdue": "false", "paused": "false", "escalated": "true"},
        {"legal_due_before": "2026-12-03"},
    ],
    ids=str,
)
async def test_the_filter_of_a_report_lists_what_it_counted(
    repository: Repository, http: httpx.AsyncClient, query: dict[str, str]
) -> None:
    await repository.project([event for life in random_lives(5, 120) for event in life.events])
    await make_sheets(repository)

    report = (await http.get("/v1/reports/summary", params=query)).raise_for_status().json()
    listed = (await http.get("/v1/requests", params={**report["filter"], "limit": "200"})).raise_for_status().json()

    assert 0 < report["rows"][0]["received"] == len(listed["items"]) < 120


async def test_the_citizens_words_need_their_own_scope(repository: Repository, http: httpx.AsyncClient) -> None:
    life = Life().receive("kapımın önü çukur", Channel.PHONE).register().assign().close()
    life.tell("received", events.NotificationSuppressed, reason="no_contact")
    await repository.project(life.events)
    path = f"/v1/requests/{grouped(life.request_id).lower()}"

    plain = (await http.get(path)).raise_for_status()
    full = (await http.get(path, headers={"X-API-Key": "reports:read,texts:read"})).raise_for_status()

    assert "kapımın" not in plain.text
    assert full.json()["text"] == "kapımın önü çukur"
    shown = plain.json()
    assert shown["request_id"] == life.request_id
    assert shown["status_label"] == {"tr": "Çözüldü", "en": "Resolved"}
    assert [step["seq"] for step in shown["history"]] == [1, 2, 3]
    assert shown["told"][0]["outcome"] == "suppressed"
    assert "contact:none" not in full.text


async def test_what_is_similar_is_shown_with_words_and_place_to_who_may_read_them(
    repository: Repository, http: httpx.AsyncClient
) -> None:
    life = Life(at=NOW - timedelta(days=1)).receive("kapımın önü", mahalle="Kale", address="Gül Sk. 2").register()
    await repository.project(life.assign().remark(events.NoteAdded).whisper(note="gizli").events)
    query = {"service": "yol-cukur", "neighbourhood": "Kale", "street": "Gül Sk."}

    answer = await http.get("/v1/similar", params=query, headers={"X-API-Key": "texts:read"})

    (row,) = answer.raise_for_status().json()["items"]
    assert (row["request_id"], row["text"], row["address"]) == (life.request_id, "kapımın önü", "Gül Sk. 2")
    assert row["due"]["resolve_by"] is not None
    assert "gizli" not in answer.text


async def test_a_request_that_is_not_registered_is_not_there(repository: Repository, http: httpx.AsyncClient) -> None:
    life = Life().receive()
    await repository.project(life.events)

    assert (await http.get(f"/v1/requests/{life.request_id}")).status_code == 404
    assert (await http.get(f"/v1/requests/{random_request_id()}")).status_code == 404
    assert (await http.get("/v1/requests")).json()["items"] == []


@pytest.mark.parametrize(("beats", "lag"), [(False, None), (True, 3)])
async def test_every_report_says_of_which_moment_it_is(
    repository: Repository, http: httpx.AsyncClient, beats: bool, lag: int | None
) -> None:
    await make_sheets(repository)
    if beats:
        await repository.beat(NOW, NOW - timedelta(seconds=3), 0)

    for name in ("summary", "volume", "departments", "channels"):
        report = (await http.get(f"/v1/reports/{name}?interval=week")).raise_for_status().json()
        assert report["lag_seconds"] == lag


async def test_the_filter_of_the_departments_lists_the_work_it_counted(
    repository: Repository, http: httpx.AsyncClient
) -> None:
    await repository.project([event for life in random_lives(8, 60) for event in life.events])
    await make_sheets(repository)

    report = (await http.get("/v1/reports/departments?department=zabita")).raise_for_status().json()
    listed = (await http.get("/v1/requests", params={**report["filter"], "limit": "200"})).raise_for_status().json()

    assert report["rows"][0]["received"] == len(listed["items"])
    assert any(row["parent_id"] for row in listed["items"])


async def test_a_request_shows_its_parts_and_a_part_its_parent(repository: Repository, http: httpx.AsyncClient) -> None:
    life = Life().receive("duvar", Channel.PHONE).register().assign().split(3)
    for one in (life.parts[2], life.parts[0]):
        one.close()
    await repository.project(life.events)

    whole = (await http.get(f"/v1/requests/{life.request_id}")).raise_for_status().json()
    part = (await http.get(f"/v1/requests/{grouped(life.parts[1].request_id).lower()}")).raise_for_status().json()
    listed = (await http.get("/v1/requests", params={"parent": grouped(life.request_id)})).json()["items"]
    plain = (await http.get("/v1/requests")).json()["items"]

    assert [(one["number"][-2:], one["status"], one["department"]) for one in whole["parts"]] == [
        (".1", "resolved", "zabita"),
        (".2", "assigned", "fen-isleri"),
        (".3", "resolved", "park-bahceler"),
    ]
    assert (whole["parts_count"], part["parent_id"], part["channel"], part["parts"]) == (
        3,
        life.request_id,
        "phone",
        [],
    )
    assert sorted(one["request_id"] for one in listed) == [one.request_id for one in life.parts]
    assert [one["request_id"] for one in plain] == [life.request_id]
    assert (await http.get(f"/v1/requests/{life.request_id}.4")).status_code == 404


async def test_a_request_shows_its_plan_its_terms_and_who_was_told_that_time_runs_out(
    repository: Repository, http: httpx.AsyncClient
) -> None:
    legal = events.LegalClock(basis="3071", due_at=START + timedelta(days=30))
    life = Life().receive().register().keep(legal=legal, followers=2).assign().escalate("head", 2)
    life.pause(Status.WAITING_EXTERNAL, referred_to=events.Referral(body="SASKİ", reference="2026/4411"))
    waits_since = life.now
    life.resume().close(timedelta(hours=100)).reopen()
    life.move(events.StatusChanged, Status.SCHEDULED, planned_for=START + timedelta(days=9))
    life.tell("escalated.3", events.NotificationSent, recipient="staff:fen-isleri:head")
    waiting = [event for event in life.events if event.meta.time <= waits_since]
    path = f"/v1/requests/{life.request_id}"

    await repository.project(waiting)
    then = (await http.get(path)).raise_for_status().json()
    await repository.project(life.events)
    now = (await http.get(path)).raise_for_status().json()

    assert then["referred_to"] == {"body": "SASKİ", "on": None, "reference": "2026/4411"}
    assert (then["paused"], then["overdue"], then["due"]["paused_since"] is None) == (True, False, False)
    assert now["legal"]["on"] == "2026-12-02"
    assert (now["planned_for"], now["referred_to"], now["followers"]) == ("2026-11-11T06:00:00Z", None, 2)
    assert (now["overdue"], now["reopened"], [one["on_time"] for one in now["closings"]]) == (True, 1, [False])
    assert [(one["clock"], one["level"]) for one in now["escalations"]] == [("resolution", "head")]
    told = [step for step in now["history"] if step["type"] == "RequestEscalated"]
    assert [(step["clock"], step["level"], step["seq"]) for step in told] == [("resolution", "head", 3)]
    assert now["told"] == []


ALL = {"X-API-Key": "*"}
CREW = {"X-API-Key": "visits:read/sosyal-destek"}


async def a_crew_at_work(repository: Repository) -> list[Life]:
    """
    Four visits of the team vefa-2 (two of them parts), one of another team, one of another department, one done.
    """
    found = []
    for number, (team, department) in enumerate(
        [("vefa-2", "sosyal-destek"), ("vefa-2", "sosyal-destek"), ("vefa-1", "sosyal-destek"), ("vefa-2", "zabita")]
    ):
        life = Life(number, service="vefa-alisveris").receive(f"metin {number}", address=f"Gizlibahçe Sk. {number}")
        found.append(life.register().keep(team=team).assign(department))
    split = Life(8, service="vefa-alisveris").receive("metin 8", address="Gizlibahçe Sk. 8").register().assign()
    split.split(2)
    for part in split.parts:
        part.keep(team="vefa-2").assign("sosyal-destek")
    found[1].close()
    await repository.project([event for life in (*found, split) for event in life.events])
    return [found[0], *split.parts, found[2], found[3], split]


async def test_a_team_visits_what_is_open_with_it_in_its_department(
    repository: Repository, http: httpx.AsyncClient
) -> None:
    one, *parts, other_team, other_department, split = await a_crew_at_work(repository)

    async def ids(query: str, key: str = CREW["X-API-Key"]) -> set[str]:
        answer = await http.get(f"/v1/visits?{query}", headers={"X-API-Key": key})
        return {visit["request_id"] for visit in answer.raise_for_status().json()["visits"]}

    vefa_2 = {life.request_id for life in (one, *parts)}
    assert await ids("team=vefa-2") == await ids("team=vefa-2&department=sosyal-destek") == vefa_2
    assert await ids("department=sosyal-destek") == vefa_2 | {other_team.request_id}
    assert await ids("team=vefa-2", "*") == vefa_2 | {other_department.request_id}
    assert await ids("team=vefa-2", "visits:read") == set()
    assert split.request_id not in await ids("department=zabita", "*")
    assert await ids("team=vefa-2&day=2026-11-03") == set()


async def test_a_visit_list_comes_as_data_for_excel_and_to_print(
    repository: Repository, http: httpx.AsyncClient
) -> None:
    await a_crew_at_work(repository)
    await repository.beat(NOW, NOW, 0)

    shown = [await http.get(f"/v1/visits?team=vefa-2&format={name}", headers=CREW) for name in visits.Format]

    types = [answer.raise_for_status().headers["content-type"] for answer in shown]
    assert types == ["application/json", "text/csv; charset=utf-8", "text/html; charset=utf-8"]
    assert {answer.headers["cache-control"] for answer in shown} == {"no-store"}
    assert shown[0].json()["filter"] == {"team": "vefa-2"}
    assert shown[0].json()["as_of"] == "2026-12-12T06:00:00Z"
    assert shown[1].content.startswith(b"\xef\xbb\xbf")
    for answer in shown:
        assert all(f"Gizlibahçe Sk. {number}" in answer.text for number in (0, 8))
        assert "Gizlibahçe Sk. 3" not in answer.text


async def test_no_other_answer_shows_an_address(repository: Repository, http: httpx.AsyncClient) -> None:
    lives = await a_crew_at_work(repository)
    described = (await http.get("/openapi.json")).json()["paths"]
    shows_it = {"/v1/visits", "/v1/similar"}  # for whoever goes there, and for whoever asks whether it is the same
    reads = [path for path, methods in described.items() if "get" in methods and path.startswith("/v1/")]
    endless = {"/v1/stream"}  # its figures are those of the reports
    paths = [path for path in reads if path not in shows_it | endless]
    assert len(paths) >= 9

    with_them = {
        "/v1/requests": {"parts": "true"},
        "/v1/public/steps": {"since": "2000-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z"},
    }
    for path in paths:
        for life in lives if "{" in path else lives[:1]:
            asked = path.replace("{request_id}", life.request_id).replace("{month}", "2026-10").replace("{form}", "csv")
            answer = await http.get(asked, params=with_them.get(path, {}), headers=ALL)
            hidden = path.startswith("/v1/public/") and "{" in path  # nobody was told that it would be public
            assert answer.status_code == (200 if not hidden else 422 if "." in life.request_id else 403), asked
            assert "Gizlibahçe" not in answer.text, asked
    assert "Gizlibahçe" in (await http.get("/v1/visits?team=vefa-2", headers=ALL)).text
