"""
Every story of ``stories.yaml``, told to routing's core and to notify's: after each step all must be as the story says.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest

from deploy.lifecycle.stories import STANDING, Escalation, Expected, Step, Story, load_stories, shipped_rules
from services.common.contracts.crises import Declared
from services.common.contracts.envelope import Received, Record
from services.common.contracts.events import (
    CitizenReplied,
    CrisisDeclared,
    DuplicateReceived,
    Event,
    FollowerAdded,
    Lifecycle,
    NoteAdded,
    ReplyReceived,
    RequestReceived,
    RerouteAsked,
    UpdateRefused,
    UpdateSubmitted,
)
from services.common.contracts.ids import family_of
from services.common.contracts.topics import COMMANDS, LIFECYCLE, department_topic
from services.notify import domain as notify
from services.notify import planning
from services.routing.case import Alarm, Case, Member, Rules, timer_command
from services.routing.domain import decide
from services.routing.rules import RuleBook
from services.routing.rules_form import ServiceRule
from tests.builders import read, received

STORIES = [story for chapter in load_stories() for story in chapter.stories]
RULES = shipped_rules()
CITIZEN = "c_" + "0" * 32
SILENT = (DuplicateReceived, NoteAdded, ReplyReceived, FollowerAdded)
SECRET = ("reason", "note", "reply")


@dataclass
class Happened:
    """
    What a step did to one request.
    """

    events: list[Lifecycle] = field(default_factory=list)
    rows: list[notify.Row] = field(default_factory=list)


class World:
    """
    All cases of a story and all that notify would say, at one time after the other.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.cases: dict[str, Case] = {}
        self.tellings: dict[str, notify.Telling] = {}
        self.numbers: dict[str, str] = {}
        self.rung: set[tuple[str, Alarm]] = set()
        self.last: Event | None = None
        self.records: list[Record] = []
        self.happened: dict[str, Happened] = {}

    def number(self, name: str) -> str:
        """
        The number of a request or a part, by its name in the story.
        """
        first, dot, part = name.partition(".")
        return self.numbers.setdefault(first, f"{len(self.numbers):013d}") + dot + part

    def step(self, step: Step, nth: int) -> None:
        """
        Let the time come, and then the input.
        """
        self.records, self.happened = [], {}
        self.until(step.at)
        if step.crisis is not None:
            said = CrisisDeclared(**wall(step.crisis), starts_at=step.at, declared_at=step.at, declared_by="test")
            self.rules = replace(self.rules, declared=Declared.of((*self.rules.declared.latest, said)))
        elif step.rules is not None:
            book = self.rules.book
            edited = [*(ServiceRule(**rule) for rule in step.rules), *book.services]
            self.rules = replace(self.rules, book=RuleBook(edited, book.assignments, [], book.catalogue))
        elif (given := self.input(step, nth)) is not None:
            self.last = given
            self.deliver(received(given), step.at)
        self.until(step.at)

    def input(self, step: Step, nth: int) -> Event | None:
        """
        What the step puts in; None if only time passes.
        """
        if step.request is not None:
            fields = {"channel": "web", "adapter": "test", "contact_id": CITIZEN, "received_at": step.at}
            given = dict(step.request)
            return RequestReceived(request_id=self.number(given.pop("name", "basvuru")), **(fields | given))
        if step.update is not None:
            given = wall(step.update)
            if "master" in given:
                given["master"] = self.number(given["master"])
            number = self.number(given.pop("of", "basvuru"))
            return UpdateSubmitted(request_id=number, update_id=f"u{nth}", submitted_at=step.at, **given)
        if step.reply is not None:
            given = dict(step.reply)
            number = self.number(given.pop("of", "basvuru"))
            heard = {"channel": "whatsapp", "adapter": "test", "received_at": step.at}
            return CitizenReplied(request_id=number, reply_id=f"r{nth}", **(heard | given))
        if step.reroute is not None:
            return RerouteAsked(request_id=self.number(step.reroute), asked_at=step.at, asked_by="test")
        return self.last if step.again else None

    def until(self, at: datetime) -> None:
        """
        Ring every alarm that is due by then, each at its time and once.
        """
        while due := sorted(
            (alarm.due_at, number, alarm.name, alarm)
            for case in self.cases.values()
            for number, alarm in case.alarms
            if alarm.due_at <= at
        ):
            moment, number, _, alarm = due[0]
            assert (number, alarm) not in self.rung, f"{alarm.name} rings for ever"
            self.rung.add((number, alarm))
            self.deliver(read(timer_command(number, alarm)), moment)

    def deliver(self, item: Received, at: datetime) -> None:
        """
        Give an input to its case, and on to other cases what it tells them.
        """
        family = family_of(item.data.key)
        before = self.cases.get(family) or Case(family)
        after = decide(before, item, at=at, rules=self.rules)
        self.cases[family] = after
        for record in [record for entry in after.events[len(before.events) :] for record in entry.records]:
            self.records.append(record)
            said = read(record)
            if record.topic == COMMANDS.name:
                self.deliver(said, at)
            elif record.topic == LIFECYCLE.name:
                self.hear(said)

    def hear(self, said: Received) -> None:
        """
        What notify makes of an event.
        """
        event = said.data
        assert isinstance(event, Lifecycle)
        number, now = event.request_id, event.occurred_at
        telling = self.tellings.get(number) or notify.Telling(number)
        contact = notify.Contact(CITIZEN, now, phone="+905321112233")
        heard = planning.absorb(telling, said.meta, event, contact, now, notify.Rules())
        self.tellings[number] = heard
        happened = self.happened.setdefault(number, Happened())
        happened.events.append(event)
        known = {row.transition for row in telling.rows}
        new = [row for row in heard.rows if row.transition not in known]
        happened.rows += [row for row in new if row.state is not notify.State.SUPPRESSED]


def wall(given: dict[str, Any]) -> dict[str, Any]:
    """
    The fields with times on the city's wall clock as moments.
    """
    return {
        name: Step(at=value, tr="", en="").at if name in ("planned_for", "ends_at") else value
        for name, value in given.items()
    }


def facts(member: Member) -> dict[str, Any]:
    """
    What a story can say of a request, as the core has it.
    """
    state = member.state
    assert state.due is not None
    return {
        **{name: getattr(state, name) for name in Expected.model_fields if name in type(state).model_fields},
        "service": state.service_code,
        "due": state.due.resolve_by,
        "accept_by": state.due.accept_by,
        "paused": state.due.paused_since is not None,
        "legal": state.legal.due_at.replace(microsecond=0) if state.legal else None,
        "text": state.public_text,
        "planned": state.planned_for,
        "referred": state.referred_to.body if state.referred_to else None,
    }


def check(world: World, name: str, expected: Expected, standing: dict[str, Any], at: datetime) -> None:
    """
    One request after one step.
    """
    number = world.number(name)
    happened = world.happened.get(number, Happened())
    case = world.cases.get(family_of(number)) or Case(family_of(number))
    member = case.find(number)
    assert {event.occurred_at for event in happened.events} <= {at}, "something happened between the steps"
    staff = [row for row in happened.rows if row.for_staff]
    assert tuple(row.kind for row in happened.rows if not row.for_staff) == expected.told
    assert [Escalation(clock=row.facts.clock, level=row.facts.level) for row in staff] == list(expected.staff)
    assert tuple(type(event).__name__ for event in happened.events if isinstance(event, SILENT)) == expected.noted
    assert [e.reason for e in happened.events if isinstance(e, UpdateRefused)] == (
        [expected.refused] if expected.refused else []
    )
    given = {name: value for name, value in expected if name in expected.model_fields_set}
    standing |= {name: given[name] for name in STANDING if name in given}
    if member is None:
        assert not standing
        return
    assert {row.recipient.split(":")[1] for row in staff} <= {standing["department"]}
    rule = next((rule for event in happened.events if (rule := getattr(event, "rule", None))), None)
    master = next((known for known in world.numbers if world.numbers[known] == member.state.master_id), None)
    found = facts(member) | {"rule": rule, "master": master}
    looked_at = standing | {name: value for name, value in given.items() if name in found}
    assert {name: found[name] for name in looked_at} == looked_at
    assert_public(happened.events, member)
    if expected.reads is not None:
        assert_read_by_the_holder_alone(world, number, standing["department"], expected.reads)


def assert_public(events: list[Lifecycle], member: Member) -> None:
    """
    The last event says where the request is: what people see is what the core knows.
    """
    if not events:
        return
    last, state = events[-1], member.state
    assert (last.seq, last.status, last.department) == (member.seq, state.status, state.department)
    assert (last.due, last.public_text, last.outcome) == (state.due, state.public_text, state.outcome)


def assert_read_by_the_holder_alone(world: World, number: str, department: str, words: str) -> None:
    """
    The words are on the holder's topic and nowhere else.
    """
    reader = department_topic(department).name
    seen = [read(record).data for record in world.records if record.topic == reader]
    mine = [event for event in seen if isinstance(event, Lifecycle) and event.request_id == number]
    assert words in [getattr(event, name, None) for event in mine for name in SECRET]
    elsewhere = [record for record in world.records if record.topic != reader]
    assert all(words.encode() not in (record.value or b"") for record in elsewhere)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.id)
def test_the_core_does_what_the_story_says(story: Story) -> None:
    world = World(RULES)
    standing: dict[str, dict[str, Any]] = {}
    for nth, step in enumerate(story.steps, 1):
        world.step(step, nth)
        names = dict.fromkeys([*standing, *step.then])
        strangers = set(world.happened) - {world.number(name) for name in names}
        assert not strangers, f"step {nth}: the story does not say what became of {strangers}"
        for name in names:
            try:
                check(world, name, step.then.get(name, Expected()), standing.setdefault(name, {}), step.at)
            except AssertionError as error:
                error.add_note(f"story {story.id}, step {nth} ({step.at:%a %d.%m. %H:%M}, {step.tr}), request {name}")
                raise


def test_every_story_has_a_number_of_its_own() -> None:
    assert len({story.id for story in STORIES}) == len(STORIES)
