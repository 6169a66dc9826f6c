"""
Alarms, crises and rerouting on the real MongoDB protocol: what the sweep says, and what another instance learns.
"""

import argparse
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import pytest

from services.common.contracts.catalogue import catalogue
from services.common.contracts.envelope import Record
from services.common.contracts.events import CrisisDeclared, RequestAssigned, RequestEscalated, TimerDue
from services.common.contracts.ids import random_request_id
from services.common.contracts.topics import LIFECYCLE
from services.common.kit.mongo import connect
from services.common.kit.settings import MongoSettings
from services.routing import reroute
from services.routing.case import Rules
from services.routing.handler import AlarmClock, Handler
from services.routing.repository import CaseRepository
from services.routing.rules import RuleBook
from services.routing.rules_form import ServiceRule
from tests.builders import CALENDAR, NOON, delivery, read, request, update

pytestmark = pytest.mark.integration

BOOK = RuleBook([ServiceRule(name="cukur", words=("çukur",), service="yol-cukur")], [], [], catalogue())
LATER = RuleBook([ServiceRule(name="cukur", words=("çukur",), service="kazi-onarim")], [], [], catalogue())


class World:
    """
    Routing without Kafka: what is published comes back as the next batch, if it is a command.
    """

    def __init__(self, cases: CaseRepository, book: RuleBook = BOOK) -> None:
        self.now = NOON
        self.published: list[Record] = []
        self.cases = cases
        self.rules = Rules(book, CALENDAR)
        self.handler = Handler(cases, self, self.rules, clock=lambda: self.now)
        self.alarms = AlarmClock(cases, self, clock=lambda: self.now)

    async def publish(self, records: Sequence[Record]) -> None:
        self.published += records

    def commands(self) -> list[Record]:
        return [record for record in self.published if record.topic == "requests.commands"]

    def events(self, kind: type) -> list[object]:
        on_lifecycle = (read(record).data for record in self.published if record.topic == LIFECYCLE.name)
        return [event for event in on_lifecycle if isinstance(event, kind)]

    async def obey(self, commands: Sequence[Record]) -> None:
        await self.handler([delivery(read(record).data) for record in commands])


@pytest.fixture
async def cases(mongo_uri: str, database: str) -> AsyncIterator[CaseRepository]:
    client = connect(MongoSettings(uri=mongo_uri))
    repository = CaseRepository(client, database)
    await repository.prepare()
    yield repository
    client.close()


async def test_an_alarm_is_said_when_it_is_due_goes_off_once_and_is_said_no_more(cases: CaseRepository) -> None:
    world = World(cases)
    await world.handler([delivery(request(service_code="su-baskini")) for _ in range(3)])
    assert await world.alarms.sweep() == 0
    world.now = NOON + timedelta(minutes=15)
    assert await world.alarms.sweep() == 3
    assert await world.alarms.sweep() == 0, "it was said just now"
    said = world.commands()
    assert {read(record).data.timer for record in said if isinstance(read(record).data, TimerDue)} == {"acceptance"}  # type: ignore[attr-defined]
    await world.obey(said)
    await world.obey(said)
    assert len(world.events(RequestEscalated)) == 3 + 3, "the second time the same three are published again"
    assert len({read(r).meta.id for r in world.published if r.topic == LIFECYCLE.name}) == 3 * 3
    world.now += timedelta(minutes=2)
    assert await world.alarms.sweep() == 0, "what went off is not said again, however patient one is"


async def test_what_did_not_go_off_is_said_again_after_a_while_with_the_same_bytes(cases: CaseRepository) -> None:
    world = World(cases)
    await world.handler([delivery(request(service_code="su-baskini"))])
    world.now = NOON + timedelta(minutes=15)
    await world.alarms.sweep()
    world.now += timedelta(seconds=61)
    assert await world.alarms.sweep() == 1
    first, second = world.commands()
    assert first == second
    assert await AlarmClock(cases, world, clock=lambda: world.now).sweep() == 1, "a new process knows nothing of it"


async def test_updates_of_a_request_that_nobody_knows_are_counted_and_refused_when_their_time_is_over(
    cases: CaseRepository,
) -> None:
    world = World(cases)
    unknown = random_request_id()
    await world.handler([delivery(update(unknown, "accept")), delivery(request())])
    assert await cases.parked() == 1
    world.now = NOON + timedelta(minutes=15)
    assert await world.alarms.sweep() == 1
    await world.obey(world.commands())
    assert [alarm for _, alarm in (await cases.load([unknown]))[unknown].alarms] == []


def crisis(declared_at: datetime, ends_at: datetime | None = None) -> CrisisDeclared:
    return CrisisDeclared(
        crisis="salgin",
        starts_at=NOON - timedelta(days=1),
        ends_at=ends_at,
        reason="deneme",
        declared_by="yonetici",
        declared_at=declared_at,
    )


async def test_the_last_word_on_a_crisis_counts_and_another_instance_learns_it(cases: CaseRepository) -> None:
    told, other = World(cases), World(cases)
    await told.handler([delivery(crisis(NOON))])
    shopping = request(service_code="vefa-alisveris", location={"neighbourhood": "Kale"})
    await other.handler.refresh()
    await other.handler([delivery(shopping)])
    (assigned,) = other.events(RequestAssigned)
    assert isinstance(assigned, RequestAssigned)
    assert (assigned.service_code, assigned.crisis, assigned.team) == ("vefa-alisveris", "salgin", "vefa-1")
    await told.handler([delivery(crisis(NOON + timedelta(hours=1), ends_at=NOON))])
    await told.handler([delivery(crisis(NOON + timedelta(minutes=1)))])
    await other.handler.refresh()
    await other.handler([delivery(request(service_code="vefa-alisveris"))])
    last = other.events(RequestAssigned)[-1]
    assert isinstance(last, RequestAssigned)
    assert (last.service_code, last.crisis) == ("vefa-destek", None)


async def test_edited_rules_move_only_what_a_rule_placed_and_nobody_took_up(cases: CaseRepository) -> None:
    world = World(cases)
    by_rule, explicit, accepted = request(service_code=None), request(), request(service_code=None)
    await world.handler([delivery(item) for item in (by_rule, explicit, accepted)])
    await world.handler([delivery(update(accepted.request_id, "accept"))])
    edited = Rules(LATER, CALENDAR)
    wanted = argparse.Namespace(department=None, service=None)
    found = reroute.moves([case async for case in cases.placed_by_machine()], NOON, edited, wanted)
    assert [(case.request_id, choice.service) for case, choice in found] == [(by_rule.request_id, "kazi-onarim")]
    elsewhere = argparse.Namespace(department="zabita", service=None)
    assert reroute.moves([case async for case in cases.placed_by_machine()], NOON, edited, elsewhere) == []
    after = World(cases, LATER)
    await after.obey([reroute.question(case, NOON, "operator") for case, _ in found])
    (moved,) = after.events(RequestAssigned)
    assert isinstance(moved, RequestAssigned)
    assert (moved.request_id, moved.service_code, moved.decided_by) == (by_rule.request_id, "kazi-onarim", "rule")
