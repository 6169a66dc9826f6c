"""
Routing crashes anywhere between reading and acknowledging: on the real MongoDB protocol, nothing gets a second version.

Each case runs a random list of inputs in random batches; at random steps the worker "dies" (an exception at a chosen
point) and the batch comes again, as Kafka would bring it. What was published is then compared with what is stored.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.common.contracts.catalogue import catalogue
from services.common.contracts.envelope import Record
from services.common.contracts.events import Event
from services.common.contracts.ids import random_request_id
from services.common.kit.mongo import connect
from services.common.kit.settings import MongoSettings
from services.routing.case import Case, Rules
from services.routing.handler import Handler
from services.routing.repository import CaseRepository
from services.routing.rules import RuleBook
from tests.builders import CALENDAR, delivery, parking_over, read, request, update

pytestmark = pytest.mark.integration

POINTS = ("loaded", "saved", "half published", "published", "marked")


class Died(Exception):
    """
    The worker is gone.
    """


class Mortal(CaseRepository):
    """
    The real repository and a sender; dies once at the chosen point.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.dies_at: str | None = None
        self.topic: list[Record] = []

    def _perhaps(self, point: str) -> None:
        if self.dies_at == point:
            self.dies_at = None
            raise Died(point)

    async def load(self, request_ids: Any) -> dict[str, Case]:
        cases = await super().load(request_ids)
        self._perhaps("loaded")
        return cases

    async def save(self, cases: Any) -> None:
        await super().save(cases)
        self._perhaps("saved")

    async def publish(self, records: Sequence[Record]) -> None:
        if self.dies_at == "half published":
            self.topic += records[: len(records) // 2]
        self._perhaps("half published")
        self.topic += records
        self._perhaps("published")

    async def mark_published(self, published: Any) -> None:
        await super().mark_published(published)
        self._perhaps("marked")


def plan_of(draw: Any) -> tuple[list[list[Event]], list[str | None], list[int]]:
    ids = [random_request_id() for _ in range(draw(st.integers(1, 3)))]
    one = st.one_of(
        st.builds(
            lambda i, n, s: request(i, text=f"metin {n}", service_code=s),
            st.sampled_from(ids),
            st.integers(0, 1),
            st.sampled_from(["yol-cukur", "su-baskini"]),
        ),
        st.builds(
            lambda i, a, d, n: update(i, a, department=d, update_id=f"u{n}"),
            st.sampled_from(ids),
            st.sampled_from(["accept", "reject", "transfer", "resolve"]),
            st.sampled_from(["fen-isleri", "zabita", "afet-isleri"]),
            st.integers(0, 3),
        ),
        st.builds(parking_over, st.sampled_from(ids)),
    )
    batches = draw(st.lists(st.lists(one, min_size=1, max_size=4), min_size=1, max_size=4))
    deaths = draw(st.lists(st.sampled_from([None, *POINTS]), min_size=len(batches), max_size=len(batches)))
    repeats = draw(st.lists(st.integers(0, len(batches) - 1), max_size=2))
    return batches, deaths, repeats


async def live_through(
    uri: str, database: str, batches: list[list[Event]], deaths: list[str | None], again: list[int]
) -> None:
    client = connect(MongoSettings(uri=uri))
    try:
        world = Mortal(client, database)
        rules = Rules(RuleBook([], [], [], catalogue()), CALENDAR)
        for batch, point in zip(batches, deaths, strict=True):
            world.dies_at = point
            for _ in range(2):
                try:
                    await Handler(world, world, rules)([delivery(item) for item in batch])
                    break
                except Died:
                    continue
            world.dies_at = None
        for index in again:
            await Handler(world, world, rules)([delivery(item) for item in batches[index]])
        stored = await world.load({item.key for batch in batches for item in batch})
    finally:
        client.close()
    published: dict[tuple[str, str], set[Record]] = defaultdict(set)
    for record in world.topic:
        published[record.topic, read(record).meta.id].add(record)
    assert all(len(versions) == 1 for versions in published.values()), "an event stands on its topic in two versions"
    expected = {
        (record.topic, read(record).meta.id): {record}
        for case in stored.values()
        for entry in case.events
        for record in entry.records
    }
    assert dict(published) == expected, "what is stored and what was published differ"
    assert all(case.published == len(case.events) for case in stored.values())


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_stored_and_published_bytes_agree_whatever_is_repeated_and_wherever_it_crashes(
    mongo_uri: str, database: str, data: st.DataObject
) -> None:
    asyncio.run(live_through(mongo_uri, database, *plan_of(data.draw)))


@pytest.fixture
async def two_workers(mongo_uri: str, database: str) -> AsyncIterator[tuple[Mortal, Mortal]]:
    client = connect(MongoSettings(uri=mongo_uri))
    yield Mortal(client, database), Mortal(client, database)
    client.close()


async def test_two_workers_with_the_same_request_in_hand_decide_it_once(two_workers: tuple[Mortal, Mortal]) -> None:
    rules = Rules(RuleBook([], [], [], catalogue()), CALENDAR)
    inputs = [request() for _ in range(20)]
    batch = [delivery(item) for item in inputs]
    await asyncio.gather(*(Handler(world, world, rules)(batch) for world in two_workers))
    versions = {(record.topic, read(record).meta.id, record.value) for world in two_workers for record in world.topic}
    assert len(versions) == 20 * 3  # registered, assigned, and assigned on the department's topic
