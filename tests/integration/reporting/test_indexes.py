"""
No question that is asked often reads a whole collection.

The local stand-in's planner is the stricter one: it takes an index for equality and one range at its end, and none if
anything else is asked beside them. So what it is asked stands in stages, and the first is looked at here.
"""

import itertools
from datetime import date, timedelta
from typing import Any

import pytest

from services.common.kit.mongo import Client
from services.reporting.figures.sheets_repository import OVERLAP, Made, Part, Sheets
from services.reporting.lists import parted, windows
from services.reporting.projections import place_of
from services.reporting.queries import Filter, after, match, midnight, order_of, visit_match
from services.reporting.repository import Repository
from services.reporting.work import Sort, View, Work, order_in, work_match
from tests.unit.reporting.lives import START, Life, random_lives

pytestmark = pytest.mark.integration

NOW = START + timedelta(days=20)
DAYS = Filter(first_day=date(2026, 11, 3), last_day=date(2026, 11, 5))


@pytest.fixture
async def repository(client: Client, database: str) -> Repository:
    repository = Repository(client, database)
    await repository.prepare()
    await repository.project([event for life in random_lives(4, 20) for event in life.events])
    return repository


async def served(collection: Any, query: dict[str, Any], **sort: int) -> bool:
    question = {"find": collection.name, "filter": query, **({"sort": sort} if sort else {})}
    plan = str(await collection.database.command({"explain": question, "verbosity": "queryPlanner"}))
    return "IXSCAN" in plan and "COLLSCAN" not in plan


ASKED = [
    Filter(),
    DAYS,
    Filter(parts=True),
    Filter(parts=True, department=("zabita",)),
    Filter(parent=Life(1).request_id),
    Filter(within=frozenset({"zabita"}), overdue=True),
    Filter(department=("zabita", "fen-isleri"), status=("resolved", "rejected"), channel=("web",)),
    Filter(escalated=True, paused=False, team=("vefa-1",), crisis=("salgin",)),
    Filter(q="yol"),
    Filter(q=Life(1).request_id),
    Filter(department=("zabita",)),
    Filter(status=("resolved",)),
    Filter(service=("yol-cukur",)),
    Filter(neighbourhood=("Kadıköy",), kind=("complaint",)),
]


async def test_no_page_of_a_list_scans_the_collection(repository: Repository) -> None:
    for filters in ASKED:
        order = order_of(filters)
        for query in (match(filters, NOW), after(filters, NOW, place_of(NOW))):
            by_index, _ = parted({**query, order: next(windows(query[order], NOW))})
            assert await served(repository.requests, by_index, **{order: -1}), by_index


async def test_no_visit_list_scans_the_collection(repository: Repository) -> None:
    for departments in (None, {"zabita"}, {"zabita", "fen-isleri"}):
        assert await served(repository.requests, visit_match(departments))


async def test_no_inbox_scans_the_collection(repository: Repository) -> None:
    for view, sort, since in itertools.product(View, Sort, (None, place_of(NOW))):
        name, way = order_in(sort)
        by_index, _ = parted(work_match(Work("zabita", view), NOW, sort, since))
        assert await served(repository.requests, by_index, **{name: way}), by_index


async def test_what_changed_lately_is_found_by_an_index(repository: Repository) -> None:
    assert await served(repository.requests, {"written_at": {"$gte": NOW}})


async def test_the_making_and_the_reading_of_sheets_scan_nothing(
    repository: Repository, client: Client, database: str
) -> None:
    sheets = Sheets(client, database)
    await sheets.prepare()
    await sheets.write("2026-11-02", Made(0), [Part.of("", 0, b"facts")])
    span = {"$gte": place_of(midnight(date(2026, 11, 2))), "$lt": place_of(midnight(date(2026, 11, 3)))}

    assert await served(repository.requests, {"registered": True, "work": span})
    assert await served(sheets.sheets, {"written_at": {"$gte": NOW - OVERLAP, "$lt": NOW}})
    assert await served(sheets.sheets, {"_id": {"$in": ["2026-11-02", "2026-11-03"]}})


async def test_indexes_that_only_cost_are_dropped(repository: Repository) -> None:
    await repository.requests.create_index([("registered", 1), ("closed_day", 1)])
    await repository.requests.create_index([("somebody", 1)])

    await repository.prepare()

    names = (await repository.requests.index_information()).keys()
    assert "registered_1_closed_day_1" not in names
    assert "somebody_1" in names
