"""
Lists on a server that speaks MongoDB's protocol are those of one plain question.
"""

import random
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from services.common.kit.mongo import Client
from services.reporting.lists import parted, staged, windows
from services.reporting.queries import Filter, match, order_of
from services.reporting.repository import Repository
from services.reporting.work import Sort, View, Work, order_in, work_match
from tests.unit.reporting.lives import START, random_lives

pytestmark = pytest.mark.integration

NOW = START + timedelta(days=20)
FILTERS = (
    Filter(),
    Filter(parts=True),
    Filter(first_day=date(2026, 11, 3), last_day=date(2026, 11, 9)),
    Filter(department=("zabita",), channel=("web",)),
    Filter(department=("zabita", "fen-isleri"), status=("resolved", "assigned"), first_day=date(2026, 11, 4)),
    Filter(within=frozenset({"zabita"}), parts=True, overdue=False),
    Filter(overdue=True),
    Filter(escalated=True, kind=("complaint",)),
    Filter(q="yol"),
    Filter(last_day=date(2030, 1, 1), paused=False),
)


@pytest.fixture
async def repository(client: Client, database: str) -> Repository:
    repository = Repository(client, database)
    await repository.prepare()
    await repository.project([event for life in random_lives(31, 80, days=28) for event in life.events])
    return repository


async def test_pages_together_are_what_one_plain_question_finds(repository: Repository) -> None:
    draw = random.Random(31)
    for filters in FILTERS:
        order = order_of(filters)
        plain = repository.requests.find(match(filters, NOW)).sort(order, -1)
        expected = [row["_id"] async for row in plain]
        found: list[dict[str, Any]] = []
        limit = draw.choice((1, 7, 50))
        while page := await repository.page(filters, NOW, limit, found[-1][order] if found else None):
            found += page

        assert [row["_id"] for row in found] == expected, filters.as_query()
    assert expected


@pytest.mark.parametrize("sort", list(Sort))
async def test_inboxes_are_what_one_plain_question_finds(repository: Repository, sort: Sort) -> None:
    name, way = order_in(sort)
    for view in View:
        work = Work("zabita", view)
        plain = repository.requests.find(work_match(work, NOW, sort)).sort(name, way)
        expected = [row["_id"] async for row in plain]
        found: list[dict[str, Any]] = []
        while page := await repository.inbox(work, NOW, sort=sort, limit=5, since=found[-1][name] if found else None):
            found += page

        assert [row["_id"] for row in found] == expected, view


@pytest.mark.parametrize("filters", FILTERS, ids=lambda filters: str(filters.as_query()))
async def test_whatever_is_asked_beside_it_an_index_serves_a_page(repository: Repository, filters: Filter) -> None:
    query, order = match(filters, NOW), order_of(filters)
    query[order] = next(windows(query[order], NOW))
    served, _ = parted(query)
    name, command = repository.requests.name, repository.requests.database.command

    plan = await command(
        {"explain": {"find": name, "filter": served, "sort": {order: -1}}, "verbosity": "queryPlanner"}
    )

    assert "IXSCAN" in str(plan)
    assert "COLLSCAN" not in str(plan)
    assert staged(query, order, -1, 5, {})[0] == {"$match": served}


async def test_a_filter_of_one_department_by_who_asks_is_the_same_as_asked_for(repository: Repository) -> None:
    asked = Filter(department=("zabita",), parts=True)

    found = await repository.page(asked, NOW, 500, None)

    limited = replace(asked, department=(), within=frozenset({"zabita"}))
    assert found == await repository.page(limited, NOW, 500, None)
    assert found
