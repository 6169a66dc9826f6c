"""
A department's inbox on a server that speaks MongoDB's protocol: views, counts, order, search, and what looks alike.
"""

from datetime import date, timedelta
from typing import Any

import pytest

from services.common.contracts import events
from services.common.contracts.ids import grouped
from services.common.contracts.vocabulary import CLOSED, Channel, Status
from services.common.kit.mongo import Client
from services.reporting.projections import Document, body_of
from services.reporting.repository import Repository
from services.reporting.work import Sort, View, Work, WorkFilter, order_in, place_in
from tests.unit.reporting.lives import CLERK, START, Life, documents_of, random_lives

pytestmark = pytest.mark.integration

NOW = START + timedelta(days=20)
DEPARTMENTS = ("fen-isleri", "zabita", "park-bahceler", "basin-halkla-iliskiler")


@pytest.fixture
async def repository(client: Client, database: str) -> Repository:
    repository = Repository(client, database)
    await repository.prepare()
    return repository


def in_view(view: View, row: Document, person: str) -> bool:
    """
    What a person would say by looking at the request.
    """
    is_open = row["status"] not in CLOSED
    due = row["next_due"] if is_open else None
    return {
        View.ALL: True,
        View.OPEN: is_open,
        View.CLOSED: not is_open and row["closed_at"] >= NOW - timedelta(days=30),
        View.NEW: row["status"] in ("triage", "assigned", "reopened"),
        View.TRIAGE: row["status"] == "triage",
        View.WAITING: row["status"] in ("waiting_citizen", "waiting_external"),
        View.PLANNED: row["status"] == "scheduled",
        View.MINE: is_open and row["assignee"] == person,
        View.OVERDUE: due is not None and due < NOW,
        View.DUE_SOON: due is not None and NOW <= due < NOW + timedelta(hours=24),
    }[view]


async def listed(repository: Repository, work: Work, sort: Sort = Sort.DUE, limit: int = 7) -> list[Document]:
    """
    All pages of a list, one after the other.
    """
    found: list[Document] = []
    while page := await repository.inbox(
        work, NOW, sort=sort, limit=limit, since=place_in(found[-1], sort) if found else None
    ):
        found += page
    return found


async def test_every_view_lists_and_counts_what_a_person_would(repository: Repository) -> None:
    received = [event for life in random_lives(11, 150) for event in life.events]
    await repository.project(received)
    rows = [row for row in documents_of(received).values() if row["registered"]]
    seen = set[View]()

    for department in DEPARTMENTS:
        mine = [row for row in rows if row["department"] == department]
        counts = await repository.inbox_counts(Work(department, person_id=CLERK), NOW)
        for view in View:
            expected = {row["request_id"] for row in mine if in_view(view, row, CLERK)}
            found = await listed(repository, Work(department, view, person_id=CLERK))
            assert [row["request_id"] for row in found if row["request_id"] not in expected] == []
            assert len(found) == len(expected), (department, view)
            assert counts.get(view, len(expected)) == len(expected), (department, view)
            seen |= {view} if found else set()
    assert seen >= set(View) - {View.TRIAGE, View.DUE_SOON}, "the lives show too little"


async def test_nobody_has_what_is_mine(repository: Repository) -> None:
    await repository.project([event for life in random_lives(11, 40) for event in life.events])

    assert await listed(repository, Work("fen-isleri", View.MINE)) == []


@pytest.mark.parametrize("sort", [sort for sort in Sort if sort is not Sort.CLOSED])
async def test_pages_of_every_order_show_each_row_once_and_in_order(repository: Repository, sort: Sort) -> None:
    await repository.project([event for life in random_lives(12, 60) for event in life.events])
    name, way = order_in(sort)

    found = await listed(repository, Work("fen-isleri", View.OPEN), sort)

    places = [row[name] for row in found]
    assert len(places) == len(set(places)) > 7
    assert places == sorted(places, reverse=way < 0)
    assert {row["request_id"] for row in found} == {
        row["request_id"] for row in await listed(repository, Work("fen-isleri", View.OPEN))
    }


async def test_what_is_urgent_comes_first_then_what_is_due(repository: Repository) -> None:
    def life(number: int, hours: int, **state: Any) -> Life:
        one = Life(number).receive().register().keep(**state)
        one.due = one.due.model_copy(update={"resolve_by": START + timedelta(hours=hours)})
        return one.assign("zabita")

    lives = [
        life(1, 5, priority="low"),
        life(2, 90, priority="high"),
        life(3, 9, priority="high"),
        life(4, 99, priority="urgent", emergency=True),
        life(5, 2),
    ]
    await repository.project([event for one in lives for event in one.events])

    async def numbers(sort: Sort) -> list[int]:
        order = {one.request_id: one.number for one in lives}
        return [order[row["request_id"]] for row in await listed(repository, Work("zabita"), sort)]

    assert await numbers(Sort.URGENT) == [4, 3, 2, 5, 1]
    assert await numbers(Sort.DUE) == [5, 1, 3, 2, 4]


async def test_a_list_has_texts_but_neither_histories_nor_words_for_others(repository: Repository) -> None:
    life = Life().receive("çukur").register().assign("zabita").remark(events.NoteAdded).whisper(note="gizli")
    await repository.project(life.events)

    (row,) = await listed(repository, Work("zabita"))

    assert body_of(row)["text"] == "çukur"
    assert not {"history", "inner", "told", "search"} & row.keys()
    assert "gizli" not in str([*await repository.parts_of(life.request_id), *await repository.to_visit(None)])


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (WorkFilter(q="ÇUKUR derin"), {1}),
        (WorkFilter(q="cuk"), {1, 2}),
        (WorkFilter(q="lale kadıköy"), {2}),
        (WorkFilter(q="pothole"), {1, 2}),
        (WorkFilter(q="çukur yok"), set()),
        (WorkFilter(q="derin (."), set()),
        (WorkFilter(q="  "), {1, 2, 3}),
        (WorkFilter(service=("gurultu",)), {3}),
        (WorkFilter(neighbourhood=("Kadıköy", "Kale")), {2, 3}),
        (WorkFilter(channel=("phone",)), {3}),
        (WorkFilter(priority=("urgent",), emergency=True), {1}),
        (WorkFilter(emergency=False, escalated=False, reopened=False), {2, 3}),
        (WorkFilter(status=("accepted",)), {2}),
        (WorkFilter(first_day=date(2026, 11, 3)), {2, 3}),
        (WorkFilter(last_day=date(2026, 11, 3)), {1, 2}),
        (WorkFilter(first_day=date(2026, 11, 3), last_day=date(2026, 11, 3), q="çukur"), {2}),
    ],
    ids=str,
)
async def test_the_filter_narrows_list_and_counts(repository: Repository, filters: WorkFilter, found: set[int]) -> None:
    day = timedelta(days=1)
    lives = [
        Life(1).receive("Çukur çok DERİN").register().keep(priority="urgent", emergency=True).assign("zabita"),
        Life(2, at=START + day).receive("delik", address="Lale Sk. 14", mahalle="Kadıköy").register().assign("zabita"),
        Life(3, at=START + 2 * day, service="gurultu").receive("ses", Channel.PHONE, mahalle="Kale").register(),
    ]
    lives[1].move(events.StatusChanged, Status.ACCEPTED)
    lives[2].assign("zabita")
    await repository.project([event for one in lives for event in one.events])
    work = Work("zabita", filters=filters)

    rows = await listed(repository, work)

    numbers = {one.request_id: one.number for one in lives}
    assert {numbers[row["request_id"]] for row in rows} == found
    assert (await repository.inbox_counts(work, NOW))[View.OPEN] == len(found)


async def test_a_number_is_found_as_people_write_it(repository: Repository) -> None:
    life = Life().receive().register().assign("zabita").split()
    await repository.project(life.events)

    for number in (life.request_id.lower(), grouped(life.request_id), f"{grouped(life.request_id)}.1"):
        for row in await listed(repository, Work("zabita", filters=WorkFilter(q=number))):
            assert row["request_id"].startswith(life.request_id)
    (part,) = await listed(repository, Work("zabita", filters=WorkFilter(q=f"{grouped(life.request_id)}.1")))
    assert part["request_id"] == f"{life.request_id}.1"


async def test_what_looks_alike_is_of_the_same_place_and_kind_and_not_long_over(repository: Repository) -> None:
    def life(number: int, mahalle: str = "Kadıköy", address: str = "Gül Sk. 2", **more: Any) -> Life:
        at = NOW - timedelta(days=19) + timedelta(hours=number)
        return Life(number, at=at, **more).receive("söz", mahalle=mahalle, address=address).register().assign()

    other_house = Life(9, at=NOW - timedelta(days=1), service="gurultu").receive("x", mahalle="Kadıköy").register()
    lives = [
        life(1, address="LALE Sokak no 3"),
        life(2),
        life(3, mahalle="Kale"),
        life(4).close(timedelta(days=15)),
        life(5).close(timedelta(hours=1)),
        life(6).keep(master_id="0" * 13).move(events.StatusChanged, Status.DUPLICATE),
        life(7, service="kaldirim-bozuk"),
        other_house.assign("zabita"),
    ]
    await repository.project([event for one in lives for event in one.events])
    numbers = {one.request_id: one.number for one in lives}

    async def alike(street: str | None, **more: Any) -> list[int]:
        found = await repository.similar("yol-cukur", "Kadıköy", street, NOW, **more)
        return [numbers[row["request_id"]] for row in found]

    assert await alike("lale sokak") == [1, 4, 2, 7]
    assert await alike(None) == [4, 2, 1, 7]
    assert await alike("lale sokak", limit=1) == [1]
    assert await alike(None, departments=["zabita"]) == []
