"""
Declaring and ending crises: which times count, and that the audit is written first.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.crises import Crisis, Declared, crises
from services.common.contracts.envelope import decode
from services.common.contracts.events import CrisisDeclared
from services.common.kit.mongo import UNAVAILABLE
from services.common.kit.publisher import PublishFailed
from services.common.kit.testing import FakePublisher
from services.intake.crises import AuditRow, Declarations, UnknownCrisis, declaration, ending, known, state
from services.intake.domain import Refused
from services.intake.guard import Away, Breaker
from services.intake.schemas import CrisisEnd, NewCrisis
from tests.unit.intake.fakes import FakeStore

NOW = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WHO = {"reason": "Vaka sayısı", "declared_by": "Kaymakam"}


def new(**fields: Any) -> NewCrisis:
    return NewCrisis.model_validate(WHO | fields)


def is_on(at: datetime, *events: CrisisDeclared) -> bool:
    return "salgin" in Declared.of(events).on(at, crises())


def test_a_crisis_is_on_from_now_on_if_no_time_is_given() -> None:
    event = declaration("salgin", new(), NOW)
    assert (event.starts_at, event.ends_at, event.declared_at) == (NOW, None, NOW)
    assert is_on(NOW, event)
    assert is_on(NOW + 1000 * DAY, event)


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "taken"),
    [
        (None, NOW, False),
        (None, NOW + timedelta(seconds=1), True),
        (NOW + DAY, NOW + DAY, False),
        (NOW + DAY, NOW + 2 * DAY, True),
        (NOW - 2 * DAY, NOW - DAY, True),
        (NOW + DAY, None, True),
    ],
)
def test_a_crisis_ends_after_it_begins(starts_at: datetime | None, ends_at: datetime | None, taken: bool) -> None:
    body = new().model_copy(update={"starts_at": starts_at, "ends_at": ends_at})
    if taken:
        assert declaration("salgin", body, NOW).ends_at == ends_at
    else:
        with pytest.raises(Refused) as refused:
            declaration("salgin", body, NOW)
        assert refused.value.field == "ends_at"


moments = st.none() | st.integers(-5, 5).map(lambda days: NOW + days * DAY)


@given(moments, moments, st.booleans())
def test_after_its_end_was_declared_a_crisis_is_off_and_what_was_is_not_made_up(
    starts_at: datetime | None, ends_at: datetime | None, configured: bool
) -> None:
    times: Crisis | CrisisDeclared
    if configured:
        times = known("salgin").model_copy(update={"starts_at": starts_at, "ends_at": ends_at})
    else:
        times = CrisisDeclared(
            crisis="salgin", starts_at=starts_at or NOW - DAY, ends_at=ends_at, declared_at=NOW - 9 * DAY, **WHO
        )
    event = ending("salgin", CrisisEnd.model_validate(WHO), times, NOW)
    assert event.ends_at is not None
    assert event.starts_at <= event.ends_at <= NOW
    for days in range(10):
        assert not is_on(NOW + days * DAY, event)
    if times.starts_at is not None and times.starts_at < event.ends_at:
        assert event.starts_at == times.starts_at


def test_what_is_shown_is_the_last_declaration_and_without_one_what_the_file_says() -> None:
    shown = state("salgin", None, [], NOW)
    assert (shown.on, shown.starts_at, shown.ends_at) == (False, None, None)
    event = declaration("salgin", new(ends_at="2026-06-02T12:00:00+03:00"), NOW)
    row = AuditRow("1", event, "desk", "declared")
    shown = state("salgin", event, [row], NOW + timedelta(hours=1))
    assert (shown.on, shown.starts_at, shown.ends_at) == (True, NOW, NOW + DAY)
    assert (shown.audit[0].declared_by, shown.audit[0].adapter, shown.audit[0].state) == (
        "Kaymakam",
        "desk",
        "declared",
    )
    assert not state("salgin", event, [row], NOW + DAY).on


def test_what_is_shown_names_services_and_teams_of_the_crisis() -> None:
    shown = state("salgin", None, [], NOW)
    services = {service.code: service for service in shown.services}
    assert services["vefa-alisveris"].only_in_crisis
    assert (services["hasta-nakil"].only_in_crisis, services["hasta-nakil"].priority) == (False, "urgent")
    assert "yol-cukur" not in services
    team = shown.teams[0]
    assert (team.name, team.department, "Kale" in team.neighbourhoods) == ("vefa-1", "sosyal-destek", True)


class World:
    """
    Declarations, what they stand on, and a clock that goes on by a minute with each look.
    """

    def __init__(self) -> None:
        self.store, self.publisher = FakeStore(), FakePublisher()
        self.now = NOW
        mongo = Breaker("MongoDB", UNAVAILABLE, pause=0)
        self.declarations = Declarations(self.store, self.publisher, mongo, self.clock)  # type: ignore[arg-type]

    def clock(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now

    def events(self) -> list[CrisisDeclared]:
        found = [decode(one.topic, one.key, one.value, one.headers).data for one in self.publisher.on("crises")]
        return [event for event in found if isinstance(event, CrisisDeclared)]

    async def on(self) -> bool:
        return next(crisis.on for crisis in (await self.declarations.all()).crises if crisis.name == "salgin")


async def test_a_crisis_is_declared_and_ended_under_its_name_and_both_stand_in_the_audit() -> None:
    world = World()
    assert not await world.on()
    taken = await world.declarations.declare("salgin", new(), "desk")
    assert world.publisher.records[0].key == b"salgin"
    assert (taken.crisis, taken.starts_at, taken.ends_at) == ("salgin", world.now, None)
    assert await world.on()
    ended = await world.declarations.end("salgin", CrisisEnd.model_validate(WHO | {"reason": "Bitti"}), "desk")
    assert (ended.starts_at, ended.ends_at) == (taken.starts_at, ended.declared_at)
    assert not await world.on()
    assert not is_on(world.now, *world.events())
    assert [(row.state, row.event.reason) for row in world.store.audit] == [
        ("declared", "Bitti"),
        ("declared", "Vaka sayısı"),
    ]
    assert world.events() == [row.event for row in reversed(world.store.audit)]


async def test_a_try_that_kafka_did_not_take_stands_in_the_audit_and_the_crisis_is_off() -> None:
    world = World()
    world.publisher.failing = True
    with pytest.raises(PublishFailed):
        await world.declarations.declare("salgin", new(), "desk")
    assert [row.state for row in world.store.audit] == ["asked"]
    assert not await world.on()
    world.publisher.failing = False
    await world.declarations.declare("salgin", new(), "desk")
    assert [row.state for row in world.store.audit] == ["declared", "asked"]
    assert await world.on()


async def test_nothing_is_published_that_the_audit_could_not_take() -> None:
    world = World()
    world.store.away = True
    with pytest.raises(Away):
        await world.declarations.declare("salgin", new(), "desk")
    assert world.publisher.records == []


async def test_a_crisis_that_nobody_declared_can_be_ended() -> None:
    world = World()
    ended = await world.declarations.end("salgin", CrisisEnd.model_validate(WHO), "desk")
    assert ended.starts_at == ended.ends_at
    assert not await world.on()


async def test_the_audit_shows_the_last_twenty_newest_first() -> None:
    world = World()
    for number in range(25):
        await world.declarations.declare("salgin", new(reason=f"{number}"), "desk")
    (shown,) = [one for one in (await world.declarations.all()).crises if one.name == "salgin"]
    assert [row.reason for row in shown.audit] == [str(number) for number in range(24, 4, -1)]


async def test_an_unknown_crisis_is_answered_with_those_that_there_are() -> None:
    world = World()
    for work in (
        world.declarations.declare("covid", new(), "desk"),
        world.declarations.end("covid", CrisisEnd.model_validate(WHO), "desk"),
    ):
        with pytest.raises(UnknownCrisis, match=r"deprem, salgin"):
            await work
    assert world.store.audit == []
