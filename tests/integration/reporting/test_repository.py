"""
Archive, projection and figures on a server that speaks MongoDB's protocol.
"""

import asyncio
import random
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.common.contracts import events
from services.common.contracts.envelope import Received
from services.common.contracts.vocabulary import CLOSED, Channel
from services.common.kit.clock import FrozenClock
from services.common.kit.mongo import Client, connect
from services.common.kit.settings import MongoSettings
from services.reporting.projections import ISTANBUL, place_of, subject_of
from services.reporting.queries import (
    Filter,
    Interval,
    after,
    grouped_pipeline,
    hours_pipeline,
    match,
    order_of,
    summary_pipeline,
    visit_match,
    volume_pipelines,
)
from services.reporting.repository import Repository
from services.reporting.work import Sort, View, Work, order_in, work_match
from tests.unit.reporting.lives import START, Life, deliver, documents_of, random_lives

pytestmark = pytest.mark.integration

NOW = START + timedelta(days=20)
PLACE = events.Location(address="Lale Sk. 14")


@pytest.fixture
async def repository(client: Client, database: str) -> Repository:
    repository = Repository(client, database)
    await repository.prepare()
    return repository


async def take(repository: Repository, received: Sequence[Received]) -> None:
    await repository.keep([deliver(event) for event in received])
    await repository.project(received)


async def documents(repository: Repository) -> dict[str, dict[str, Any]]:
    found = {row.pop("_id"): row async for row in repository.requests.find()}
    for row in found.values():
        row.pop("rev")
        row.pop("days", None)
        row.pop("written_at", None)
    return found


async def test_what_is_read_back_is_what_was_folded(repository: Repository) -> None:
    lives = list(random_lives(1, 40))

    await take(repository, [event for life in lives for event in life.events])

    assert await documents(repository) == documents_of(event for life in lives for event in life.events)


async def test_two_projectors_with_the_same_events_in_another_order_agree(repository: Repository) -> None:
    lives = list(random_lives(2, 25))
    received = [event for life in lives for event in life.events]

    async def one(seed: int) -> None:
        shuffled = random.Random(seed).sample(received, len(received))
        for start in range(0, len(shuffled), 20):
            await take(repository, shuffled[start : start + 20])

    await asyncio.gather(one(1), one(2))

    assert await documents(repository) == documents_of(event for life in lives for event in life.events)


@pytest.mark.parametrize("first", [0, 1])
async def test_a_part_gets_its_parents_body_whichever_of_two_projectors_is_killed(
    repository: Repository, first: int
) -> None:
    # What a kill between own events and inheritance leaves: the one side is written, the other process has not looked.
    life = Life().receive("duvar").register().assign().split(2)
    parents = [event for event in life.events if subject_of(event) == life.request_id]
    parts = [event for event in life.events if subject_of(event) != life.request_id]
    halves = [parents, parts]
    known = documents_of(halves[first])
    await repository.requests.insert_many([{"_id": name, "rev": 1, **row} for name, row in known.items()])

    await take(repository, halves[1 - first])

    assert await documents(repository) == documents_of(life.events)


async def test_no_note_and_no_reply_is_archived(repository: Repository) -> None:
    life = Life().receive().register().assign()
    life.remark(events.NoteAdded, note="gizli not").remark(events.ReplyReceived, reply="gizli yanıt")

    await take(repository, life.events)

    rows = [row async for row in repository.archive.find()]
    assert len(rows) == len(life.events)
    assert "gizli" not in str(rows)


async def test_of_a_departments_topic_the_words_are_archived_once_and_nothing_that_came_otherwise(
    repository: Repository,
) -> None:
    life = Life().receive("Ali Veli'nin kapısı").register().assign("zabita").whisper(text="Ali Veli'nin kapısı")
    life.assign("fen-isleri").whisper(reason="kazı var", text="Ali Veli'nin kapısı", location=PLACE)

    await take(repository, life.events)
    await take(repository, life.events)

    rows = [row async for row in repository.archive.find({"topic": {"$regex": "^requests.dept"}})]
    assert [(row["topic"], "kazı var" in row["value"]) for row in rows] == [("requests.dept.fen-isleri", True)]
    assert "Ali" not in rows[0]["value"]
    assert "Lale" not in rows[0]["value"]


async def test_what_changed_lately_is_told_to_who_holds_it_or_held_it(repository: Repository) -> None:
    clock = FrozenClock(NOW)
    repository = Repository(repository._client, repository.requests.database.name, clock)
    here = Life(1).receive().register().assign("zabita")
    await take(repository, here.events)
    clock.advance(timedelta(minutes=1))
    gone = Life(2).receive().register().assign("zabita").assign("fen-isleri")
    await take(repository, gone.events)

    async def ids(after: timedelta, *departments: str) -> set[str]:
        return {change.id for change in await repository.changed_since(NOW + after, departments)}

    assert await ids(timedelta(), "zabita") == {here.request_id, gone.request_id}
    assert await ids(timedelta(), "fen-isleri", "park-bahceler") == {gone.request_id}
    assert await ids(timedelta(seconds=30), "zabita") == {gone.request_id}
    assert await ids(timedelta(seconds=64), "zabita") == {gone.request_id}, "it may be seen late"
    assert await ids(timedelta(seconds=66), "zabita") == set()
    (change,) = await repository.changed_since(NOW + timedelta(seconds=30), ["zabita"])
    assert (change.department, change.rev, change.written_at) == ("fen-isleri", 1, clock())
    clock.advance(timedelta(minutes=1))
    await take(repository, gone.events)  # nothing new
    assert await ids(timedelta(seconds=70), "zabita") == set()
    await take(repository, gone.remark(events.NoteAdded).whisper(note="n").events[-1:])
    assert await ids(timedelta(seconds=70), "zabita") == {gone.request_id}


async def test_a_repeated_batch_writes_nothing(repository: Repository) -> None:
    received = Life().receive().register().assign().events
    await take(repository, received)
    before = await repository.requests.find_one()

    await take(repository, received)

    assert await repository.requests.find_one() == before
    assert await repository.archive.count_documents({}) == len(received)


@pytest.mark.parametrize(
    "filters",
    [
        Filter(),
        Filter(first_day=date(2026, 11, 3), last_day=date(2026, 11, 5)),
        Filter(parts=True),
        Filter(parts=True, department=("zabita",)),
        Filter(parent=Life(1).request_id),
        *(
            replace(one, first_day=day)
            for one in (
                Filter(department=("zabita",)),
                Filter(status=("resolved",)),
                Filter(channel=("web",)),
                Filter(service=("yol-cukur",)),
                Filter(neighbourhood=("Kadıköy",)),
                Filter(kind=("complaint",)),
            )
            for day in (None, date(2026, 11, 3))
        ),
    ],
    ids=lambda filters: str(filters.as_query()),
)
async def test_no_question_scans_the_collection(repository: Repository, filters: Filter) -> None:
    # Left out: several values at once, ``q``, and what is asked of few (team, crisis, overdue, paused, escalated, legal
    # terms). MongoDB's planner serves them by the same indexes; the stand-in's takes an index for equality and one
    # range at its end alone, and none if anything else is asked beside them.
    await take(repository, [event for life in random_lives(4, 20) for event in life.events])
    name, command = repository.requests.name, repository.requests.database.command
    received, closed = volume_pipelines(filters, NOW, Interval.DAY)
    pipelines = [
        summary_pipeline(filters, NOW),
        hours_pipeline(filters, NOW),
        grouped_pipeline(filters, NOW, "department"),
        received,
        *([] if len(filters.as_query().keys() - {"from", "to", "parts"}) else [closed]),
    ]
    asked: list[dict[str, Any]] = [
        *(
            {"find": name, "filter": query, "sort": {order_of(filters): -1}}
            for query in (match(filters, NOW), after(filters, NOW, place_of(NOW)))
        ),
        *({"aggregate": name, "pipeline": pipeline, "cursor": {}} for pipeline in pipelines),
    ]

    for question in asked:
        plan = await command({"explain": question, "verbosity": "queryPlanner"})
        assert "IXSCAN" in str(plan), question
        assert "COLLSCAN" not in str(plan), question


@pytest.mark.parametrize(
    "query",
    [
        visit_match(None),
        visit_match({"zabita"}),
        visit_match({"zabita", "fen-isleri"}),
    ],
    ids=str,
)
async def test_no_visit_list_scans_the_collection(repository: Repository, query: dict[str, Any]) -> None:
    await take(repository, [event for life in random_lives(4, 20) for event in life.events])
    question = {"explain": {"find": repository.requests.name, "filter": query}, "verbosity": "queryPlanner"}

    plan = await repository.requests.database.command(question)

    assert "COLLSCAN" not in str(plan)


@pytest.mark.parametrize("since", [None, place_of(NOW)])
@pytest.mark.parametrize(
    ("view", "sort"),
    [(View.OPEN, Sort.DUE), (View.ALL, Sort.NEWEST), (View.ALL, Sort.OLDEST), (View.CLOSED, Sort.CLOSED)],
)
async def test_no_inbox_scans_the_collection(repository: Repository, view: View, sort: Sort, since: str | None) -> None:
    # The stand-in's planner takes no index if anything is asked beside it; MongoDB's serves every view by these.
    await take(repository, [event for life in random_lives(4, 20) for event in life.events])
    name, way = order_in(sort)
    query = work_match(Work("zabita", view), NOW, sort, since)
    find = {"find": repository.requests.name, "filter": query, "sort": {name: way}}
    lately = {"written_at": {"$gte": NOW}}

    for question in (find, {"find": repository.requests.name, "filter": lately}):
        plan = await repository.requests.database.command({"explain": question, "verbosity": "queryPlanner"})
        assert "IXSCAN" in str(plan), question
        assert "COLLSCAN" not in str(plan), question


class Naive:
    """
    The figures as a person would count them from one life, told in order.
    """

    def __init__(self, life: Life, family: Life) -> None:
        mine = [event.data for event in family.events if subject_of(event) == life.request_id]
        steps = [data for data in mine if isinstance(data, events.Lifecycle)]
        messages = [data for data in mine if isinstance(data, events.Notification)]
        bodies = [event.data for event in family.events if isinstance(event.data, events.RequestReceived)]
        self.is_part = life is not family
        self.registered = bool(steps)
        self.body = bodies[0]
        self.day = bodies[0].received_at.astimezone(ISTANBUL).date()
        self.told = [type(one).__name__ for one in messages if one.transition == "received"][-1:]
        self.assigned = self.closed = self.on_time = self.paused = self.escalated = False
        self.reopened = 0
        self.department: str | None = None
        self.status = ""
        for step in steps:
            self.assigned |= isinstance(step, events.RequestAssigned)
            self.department, self.status = step.department, str(step.status)
            assert step.due is not None
            if step.status in CLOSED and not self.closed:
                self.closed_at = step.occurred_at
                self.on_time = (step.due.paused_since or step.occurred_at) <= step.due.resolve_by
            self.reopened += step.status not in CLOSED and self.closed
            self.closed = step.status in CLOSED
            self.escalated |= isinstance(step, events.RequestEscalated)
            self.paused = step.due.paused_since is not None and not self.closed
            self.overdue = not self.closed and not self.paused and step.due.resolve_by < NOW

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
        "overdue": sum(one.overdue for one in lives),
        "paused": sum(one.paused for one in lives),
        "escalated": sum(one.escalated for one in lives),
        "duplicates": sum(one.status == "duplicate" for one in lives),
        "reopened": sum(one.reopened > 0 for one in lives),
        "on_time_share": round(sum(one.on_time for one in closed) / len(closed), 4) if closed else None,
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
            every = [Naive(one, life) for life in lives for one in (life, *life.parts)]
            await _compare(repository, [one for one in every if one.registered], first, days)
        finally:
            await client.drop_database(f"test_naive_{seed}")
            client.close()

    asyncio.run(compare())


async def _compare(repository: Repository, families: list[Naive], first: int, days: int) -> None:
    every = [one for one in families if not one.is_part]
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
        work = [one for one in families if filters is not span or since <= one.day <= until]
        rows = await repository.grouped(replace(filters, parts=True), NOW, "department")
        by_department = {row["department"]: row for row in rows}
        for department in {one.department for one in work}:
            expected = figures([one for one in work if one.department == department])
            assert {name: by_department[department][name] for name in expected} == expected

    volume = await repository.volume(span, NOW, Interval.DAY)
    assert len(volume) == days + 1
    for bucket in volume:
        day = date.fromisoformat(bucket["bucket"])
        assert bucket["received"] == sum(one.day == day for one in every)
        assert bucket["closed"] == sum(one.closed and one.closed_at.astimezone(ISTANBUL).date() == day for one in every)
