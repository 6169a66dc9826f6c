"""
Archive, projection and figures on a server that speaks MongoDB's protocol.
"""

import asyncio
import os
import random
import statistics
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.common.contracts import events
from services.common.contracts.envelope import Received
from services.common.contracts.vocabulary import CLOSED, Channel
from services.common.kit.mongo import connect
from services.common.kit.settings import MongoSettings
from services.reporting.projections import ISTANBUL, fold, place_of
from services.reporting.queries import (
    Filter,
    Interval,
    after,
    grouped_pipeline,
    hours_pipeline,
    match,
    summary_pipeline,
    volume_pipelines,
)
from services.reporting.repository import Repository
from tests.unit.reporting.lives import START, Life, deliver, random_lives

pytestmark = pytest.mark.integration

NOW = START + timedelta(days=20)


@pytest.fixture
async def repository(mongo_uri: str, database: str) -> AsyncIterator[Repository]:
    client = connect(MongoSettings(uri=mongo_uri))
    repository = Repository(client, database)
    await repository.prepare()
    yield repository
    await client.drop_database(database)
    client.close()


async def take(repository: Repository, received: Sequence[Received]) -> None:
    await repository.keep([deliver(event) for event in received])
    await repository.project(received)


async def documents(repository: Repository) -> dict[str, dict[str, Any]]:
    found = {row.pop("_id"): row async for row in repository.requests.find()}
    for row in found.values():
        row.pop("rev")
    return found


async def test_what_is_read_back_is_what_was_folded(repository: Repository) -> None:
    lives = list(random_lives(1, 40))

    await take(repository, [event for life in lives for event in life.events])

    assert await documents(repository) == {life.request_id: fold(None, *life.events) for life in lives}


async def test_two_projectors_with_the_same_events_in_another_order_agree(repository: Repository) -> None:
    lives = list(random_lives(2, 25))
    received = [event for life in lives for event in life.events]

    async def one(seed: int) -> None:
        shuffled = random.Random(seed).sample(received, len(received))
        for start in range(0, len(shuffled), 20):
            await take(repository, shuffled[start : start + 20])

    await asyncio.gather(one(1), one(2))

    assert await documents(repository) == {life.request_id: fold(None, *life.events) for life in lives}


async def test_a_repeated_batch_writes_nothing(repository: Repository) -> None:
    received = Life().receive().register().assign().events
    await take(repository, received)
    before = await repository.requests.find_one()

    await take(repository, received)

    assert await repository.requests.find_one() == before
    assert await repository.archive.count_documents({}) == len(received)


async def test_a_rebuild_beside_a_running_projector_gives_the_same_documents(repository: Repository) -> None:
    lives = list(random_lives(3, 60))
    received = [event for life in lives for event in life.events]
    half = len(received) // 2
    await take(repository, received[:half])

    async def rest() -> None:
        for start in range(half, len(received), 10):
            await take(repository, received[start : start + 10])

    async def again() -> list[int]:
        return [done async for done in repository.rebuild()]

    _, progress = await asyncio.gather(rest(), again())

    assert progress == sorted(progress)
    assert await documents(repository) == {life.request_id: fold(None, *life.events) for life in lives}


async def test_the_rebuild_command_gives_the_same_numbers(
    repository: Repository, mongo_uri: str, database: str
) -> None:
    await take(repository, [event for life in random_lives(7, 30) for event in life.events])
    before = await repository.summary(Filter(), NOW), await documents(repository)
    await repository.requests.delete_one({"registered": True})

    environment = {**os.environ, "MONGODB_URI": mongo_uri, "REPORTING_DATABASE": database}
    command = (sys.executable, "-m", "services.reporting", "rebuild")
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.PIPE)
    shown, _ = await process.communicate()

    assert process.returncode == 0
    archived = await repository.archived_count()
    assert f"{archived:,} of {archived:,} events" in shown.decode()
    assert (await repository.summary(Filter(), NOW), await documents(repository)) == before


@pytest.mark.parametrize(
    "filters",
    [
        Filter(),
        Filter(first_day=date(2026, 11, 3), last_day=date(2026, 11, 5)),
        *(
            Filter(**{name: (value,)}, first_day=day)
            for name, value in {
                "department": "zabita",
                "status": "resolved",
                "channel": "web",
                "service": "yol-cukur",
                "neighbourhood": "Kadıköy",
                "kind": "complaint",
            }.items()
            for day in (None, date(2026, 11, 3))
        ),
    ],
    ids=lambda filters: str(filters.as_query()),
)
async def test_no_question_scans_the_collection(repository: Repository, filters: Filter) -> None:
    # Several values at once and ``q`` are left out: MongoDB's planner serves them by the same indexes, the stand-in's
    # planner takes an index for equality and one range at its end alone.
    await take(repository, [event for life in random_lives(4, 20) for event in life.events])
    name, command = repository.requests.name, repository.requests.database.command
    received, closed = volume_pipelines(filters, Interval.DAY)
    pipelines = [
        summary_pipeline(filters, NOW),
        hours_pipeline(filters),
        grouped_pipeline(filters, NOW, "department"),
        received,
        *([] if len(filters.as_query().keys() - {"from", "to"}) else [closed]),
    ]
    asked: list[dict[str, Any]] = [
        *(
            {"find": name, "filter": query, "sort": {"place": -1}}
            for query in (match(filters), after(filters, place_of(NOW)))
        ),
        *({"aggregate": name, "pipeline": pipeline, "cursor": {}} for pipeline in pipelines),
    ]

    for question in asked:
        plan = await command({"explain": question, "verbosity": "queryPlanner"})
        assert "IXSCAN" in str(plan), question
        assert "COLLSCAN" not in str(plan), question


class Naive:
    """
    The figures as a person would count them from one life, told in order.
    """

    def __init__(self, life: Life) -> None:
        steps = [event.data for event in life.events if isinstance(event.data, events.Lifecycle)]
        bodies = [event.data for event in life.events if isinstance(event.data, events.RequestReceived)]
        messages = [event.data for event in life.events if isinstance(event.data, events.Notification)]
        self.registered = bool(steps)
        self.body = bodies[0]
        self.day = bodies[0].received_at.astimezone(ISTANBUL).date()
        self.told = [type(one).__name__ for one in messages if one.transition == "received"][-1:]
        self.assigned = self.closed = False
        self.reopened = 0
        self.department: str | None = None
        self.status = ""
        for step in steps:
            self.assigned |= isinstance(step, events.RequestAssigned)
            self.department, self.status = step.department, str(step.status)
            if step.status in CLOSED and not self.closed:
                self.closed_at = step.occurred_at
            self.reopened += step.status not in CLOSED and self.closed
            self.closed = step.status in CLOSED
        self.due = steps[-1].due.resolve_by if steps and steps[-1].due else NOW

    @property
    def hours(self) -> float:
        return (self.closed_at - self.body.received_at).total_seconds() / 3600


def figures(lives: list[Naive]) -> dict[str, Any]:
    closed = [one for one in lives if one.closed]
    return {
        "received": len(lives),
        "assigned": sum(one.assigned for one in lives),
        "closed": len(closed),
        "open": len(lives) - len(closed),
        "overdue": sum(not one.closed and one.due < NOW for one in lives),
        "reopened": sum(one.reopened > 0 for one in lives),
        "on_time_share": round(sum(one.closed_at <= one.due for one in closed) / len(closed), 4) if closed else None,
    }


@given(seed=st.integers(0, 2**32), first=st.integers(0, 25), days=st.integers(0, 10))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_figures_are_those_of_a_naive_count(mongo_uri: str, seed: int, first: int, days: int) -> None:
    async def compare() -> None:
        client = connect(MongoSettings(uri=mongo_uri))
        repository = Repository(client, f"test_naive_{seed}")
        lives = list(random_lives(seed, 40))
        received = [event for life in lives for event in life.events]
        random.Random(seed).shuffle(received)
        await repository.project(received)
        try:
            await _compare(repository, [one for one in map(Naive, lives) if one.registered], first, days)
        finally:
            await client.drop_database(f"test_naive_{seed}")
            client.close()

    asyncio.run(compare())


async def _compare(repository: Repository, every: list[Naive], first: int, days: int) -> None:
    since = START.date() + timedelta(days=first)
    until = since + timedelta(days=days)
    span = Filter(first_day=since, last_day=until)
    some = [one for one in every if since <= one.day <= until]

    for filters, lives in ((Filter(), every), (span, some)):
        row = await repository.summary(filters, NOW)
        assert {name: row[name] for name in figures(lives)} == figures(lives)
        assert {name: n for name, n in row["by_status"].items() if n} == Counter(one.status for one in lives)
        assert row["told"]["suppressed"] == sum(one.told == ["NotificationSuppressed"] for one in lives)
        assert sum(row["told"].values()) - row["told"]["no_contact"] == len(lives)
        hours = sorted(one.hours for one in lives if one.closed)
        if hours:
            assert hours[0] - 0.01 <= row["median_hours_to_close"] <= hours[-1] + 0.01
            low, high = statistics.quantiles(hours, n=4)[::2] if len(hours) > 3 else (hours[0], hours[-1])
            assert low - 0.01 <= row["median_hours_to_close"] <= high + 0.01

        by_channel = {row["channel"]: row for row in await repository.grouped(filters, NOW, "channel")}
        for channel in Channel:
            expected = figures([one for one in lives if one.body.channel is channel])
            found = by_channel.get(channel.value)
            assert ({name: found[name] for name in expected} if found else figures([])) == expected
        by_department = {row["department"]: row for row in await repository.grouped(filters, NOW, "department")}
        for department in {one.department for one in lives}:
            expected = figures([one for one in lives if one.department == department])
            assert {name: by_department[department][name] for name in expected} == expected

    volume = await repository.volume(span, Interval.DAY)
    assert len(volume) == days + 1
    for bucket in volume:
        day = date.fromisoformat(bucket["bucket"])
        assert bucket["received"] == sum(one.day == day for one in every)
        assert bucket["closed"] == sum(one.closed and one.closed_at.astimezone(ISTANBUL).date() == day for one in every)
