"""
The laws of a request's life, for whatever may happen to three families in any order (``world.py``).

Each function in ``AT_EACH_INPUT`` and ``IN_THE_END`` is one law, its name is the claim. ``MACHINE=long`` looks twenty
times as far.
"""

import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from services.common.contracts.catalogue import catalogue
from services.common.contracts.clocks import Pause, legal_due
from services.common.contracts.events import (
    CrisisDeclared,
    FollowerAdded,
    FollowerAsked,
    LegalExtended,
    Lifecycle,
    MasterChanged,
    MasterProgressed,
    RequestAssigned,
    RequestEscalated,
    RequestReceived,
    RequestRegistered,
    RequestReopened,
    RerouteAsked,
    StatusChanged,
    UpdateRefused,
    UpdateSubmitted,
)
from services.common.contracts.topics import LIFECYCLE, department_topic
from services.common.contracts.vocabulary import (
    ANSWERS,
    CLOSED,
    TRIAGE_DEPARTMENT,
    TRIAGE_SERVICE,
    Action,
    DecidedBy,
    RefusalReason,
    Status,
    Timer,
)
from services.common.kit.errors import Rejected
from services.routing import domain
from services.routing.case import Case, Rules, timer_command
from services.routing.domain import decide
from services.routing.families import MAX_FOLLOWERS
from services.routing.moves import MOVES
from services.routing.policy import Policy
from services.routing.rules import RuleBook
from services.routing.rules_form import AssignmentRule, ServiceRule
from services.routing.timing import WAITING, next_turn
from tests.builders import CALENDAR, NOON, read, received, reply, request, update
from tests.unit.routing.world import Handled, World, replayed

EXAMPLES = 200 * (20 if os.environ.get("MACHINE") == "long" else 1)
BOOK = RuleBook(
    [ServiceRule(name="cukur", words=("çukur",), service="yol-cukur")],
    [AssignmentRule(name="kale", service=("gurultu",), neighbourhood=("Kale",), team="gece")],
    [],
    catalogue(),
)
RULES = Rules(BOOK, CALENDAR)
FAMILIES = tuple(str(n) * 13 for n in range(3))
NOBODY = "9" * 13
SECRET = "GIZLI"
"""Stands in every text that only the holder of a request may read."""
CONTACT = "c_" + "0" * 32
CLERK = "u_00000000000000c1"
PHOTOS = ("a_" + "1" * 32, "a_" + "2" * 32)
LONGEST = max(BOOK.catalogue.services, key=lambda code: BOOK.catalogue.services[code].sla_hours)
MOST_EVENTS = 102
"""What one input can cause: an end with 99 open turns, one event each, its own, its followers' commands, a refusal."""


# --- what may happen ---

REQUESTS: dict[str, dict[str, Any]] = {
    "explicit": {},
    "by rule": {"service_code": None},
    "nobody knows": {"service_code": None, "text": f"{SECRET} merhaba"},
    "emergency": {"service_code": "yol-cokme", "location": {"neighbourhood": "Kale", "address": SECRET}},
    "team": {"service_code": "gurultu", "location": {"neighbourhood": "Kale"}, "attributes": {"kat": SECRET}},
    "4982": {"legal": {"basis": "4982"}, "channel": "petition"},
    "3071, late": {"legal": {"basis": "3071"}, "received_at": NOON - timedelta(days=20, microseconds=7)},
    "weekly": {"service_code": "vefa-alisveris", "repeat": {"every_days": 7, "until": date(2026, 6, 30)}},
    "daily, unplaced": {"service_code": None, "text": SECRET, "repeat": {"every_days": 1, "until": date(2026, 6, 9)}},
    "settled": {"answered": {"text": "Nikâh salonu 09.00'da açılır."}},
    "crisis": {"service_code": "deprem-cadir"},
}
BARE: dict[str, Any] = {
    **dict.fromkeys(("note_public", "note_internal", "outcome", "to", "planned_for", "question", "referred_to")),
    "master": None,
    "parts": (),
}


@dataclass(frozen=True)
class Register:
    """
    A request comes in, or another body under the same number.
    """

    family: int
    kind: str

    def __call__(self, world: World) -> None:
        fields = {"text": f"{SECRET} sokakta çukur var", "contact_id": CONTACT} | REQUESTS[self.kind]
        world.say(request(FAMILIES[self.family], **fields))


@dataclass(frozen=True)
class Ask:
    """
    A department wants something of a request or of one of its parts; ``how`` varies it, the last lacks what it needs.
    """

    family: int
    action: Action
    part: str = ""
    who: str | None = "holder"
    how: int = 0

    def __call__(self, world: World) -> None:
        number = FAMILIES[self.family] + self.part
        member = world.case(FAMILIES[self.family]).find(number)
        holder = member.state.department if member else "fen-isleri"
        fields: dict[str, Any] = {"note_internal": f"{SECRET} {self.how}"}
        match self.action:
            case Action.RESOLVE:
                fields["outcome"] = sorted(ANSWERS)[(self.how + 2 * self.family) % len(ANSWERS)]
            case Action.REJECT:
                fields["to"] = (None, "fen-isleri" if holder == "zabita" else "zabita", TRIAGE_DEPARTMENT)[self.how % 3]
            case Action.TRANSFER:
                fields["to"] = ("zabita", "fen-isleri", TRIAGE_DEPARTMENT)[self.how % 3]
                fields["service_code"] = (None, "gurultu", TRIAGE_SERVICE)[self.how % 3]
            case Action.SCHEDULE:
                fields["planned_for"] = world.now + timedelta(days=(2, -1, 9)[self.how % 3])
            case Action.SPLIT:
                parts = [{"to": "zabita", "note": SECRET}, {"service_code": "yol-cokme"}, {"to": TRIAGE_DEPARTMENT}]
                fields["parts"] = parts[: 2 + self.how % 2] * (1 + self.how // 2)
            case Action.DUPLICATE:
                fields["master"] = (*FAMILIES[self.family + 1 :], *FAMILIES[: self.family], NOBODY)[self.how % 3]
            case Action.START if self.how % 2:
                fields |= {"note_public": "Salı günü programda.", "photos": PHOTOS}
        if self.action in (Action.ACCEPT, Action.RESOLVE):
            named = (None, "gurultu", "yol-cokme", TRIAGE_SERVICE, "yol-cukur")
            fields["service_code"] = named[(2 * self.how + self.family + len(self.part)) % len(named)]
        if self.how == 3:
            fields = BARE
        if member is not None and (self.how + len(world.journal)) % 4 == 0:
            fields = fields | {"expected_seq": max(1, member.seq - len(world.journal) % 3)}
        if self.who == "holder":
            fields = fields | {"by": CLERK}
        asker = {"holder": holder, "desk": TRIAGE_DEPARTMENT}.get(str(self.who), self.who)
        world.say(update(number, self.action, asker, update_id=f"u{len(world.journal)}", **fields))


@dataclass(frozen=True)
class Work:
    """
    The holder goes on with a request or one of its parts, as far as its state lets it.
    """

    family: int
    member: int
    action: int
    how: int

    def __call__(self, world: World) -> None:
        members = world.case(FAMILIES[self.family]).members
        if members:
            member = members[self.member % len(members)]
            possible = [action for action in Action if (action is Action.REOPEN) == member.state.closed]
            action = possible[self.action % len(possible)]
            part = member.request_id.removeprefix(FAMILIES[self.family])
            Ask(self.family, action, part, how=self.how)(world)


@dataclass(frozen=True)
class Nothing:
    """
    What a list of steps shrinks to.
    """

    def __call__(self, world: World) -> None:
        return


@dataclass(frozen=True)
class Reply:
    """
    The citizen writes.
    """

    family: int
    part: str

    def __call__(self, world: World) -> None:
        number = FAMILIES[self.family] + self.part
        world.say(reply(number, reply_id=f"r{len(world.journal)}", text=f"{SECRET} Bakkalın önünde."))


@dataclass(frozen=True)
class Reroute:
    """
    The rules of today are to be applied.
    """

    family: int

    def __call__(self, world: World) -> None:
        world.say(RerouteAsked(request_id=FAMILIES[self.family], asked_at=world.now, asked_by="op"))


@dataclass(frozen=True)
class Declare:
    """
    A crisis begins or ends.
    """

    on: bool

    def __call__(self, world: World) -> None:
        ends = None if self.on else world.now
        world.say(
            CrisisDeclared(
                crisis="deprem", starts_at=NOON, ends_at=ends, reason="6,1", declared_by="op", declared_at=world.now
            )
        )


@dataclass(frozen=True)
class Wait:
    """
    Time goes by: with the alarm clock and Kafka at work all along, or with one of them away.
    """

    time: timedelta
    then: str

    def __call__(self, world: World) -> None:
        world.wait(self.time)
        if self.then == "settle":
            world.settle()
        elif self.then == "ring":
            world.ring()


@dataclass(frozen=True)
class Deliver:
    """
    A command arrives.
    """

    which: int

    def __call__(self, world: World) -> None:
        world.deliver(self.which)


@dataclass(frozen=True)
class Repeat:
    """
    Something comes again.
    """

    which: int

    def __call__(self, world: World) -> None:
        world.repeat(self.which)


Step = Register | Ask | Work | Reply | Reroute | Declare | Wait | Deliver | Repeat | Nothing

TIMES = [timedelta(milliseconds=400), *(timedelta(minutes=n) for n in (1, 15, 50)), timedelta(hours=3)]
TIMES += [timedelta(days=n) for n in (1, 1, 2, 7, 14, 40)]
family = st.sampled_from((0, 0, 0, 1, 1, 2))
part = st.sampled_from(("", "", ".1", ".1", ".2", ".9"))
who = st.sampled_from(("holder", "holder", "holder", "desk", "zabita", "yok-boyle", None))
work = st.builds(Work, family, st.integers(0, 3), st.integers(0, 13), st.integers(0, 2))
asks = st.builds(Ask, family, st.sampled_from(Action), part, who, st.integers(0, 3))
waits = st.builds(Wait, st.sampled_from(TIMES), st.sampled_from(("settle", "settle", "ring", "")))
registers = st.builds(Register, family, st.sampled_from(sorted(REQUESTS)))
replies = st.builds(Reply, family, part)
rare = st.one_of(registers, st.builds(Reroute, family), st.builds(Declare, st.booleans()))
follows = st.builds(Ask, family, st.just(Action.DUPLICATE), how=st.integers(0, 1))
splits = st.builds(Ask, family, st.just(Action.SPLIT), how=st.integers(0, 1))
ends = st.builds(Ask, family, st.just(Action.RESOLVE), st.sampled_from((".1", ".2", ".3")), how=st.integers(0, 2))
bounces = st.builds(Ask, family, st.just(Action.REJECT), st.sampled_from(("", ".1")), how=st.just(1))
delivers, repeats = st.builds(Deliver, st.integers(0, 5)), st.builds(Repeat, st.integers(0, 60))
often = [*(work,) * 7, *(follows,) * 2, splits, *(ends,) * 2, *(bounces,) * 2]
often += [*(waits,) * 2, *(delivers,) * 2, *(asks,) * 2, repeats, replies, rare]
"""Weighed so that most worlds have a reopening, a split, a duplicate, bounces and escalations."""
steps = st.lists(st.sampled_from([st.just(Nothing()), *often]).flatmap(lambda kind: kind), min_size=30, max_size=60)
openings = st.tuples(*[st.sampled_from([*sorted(REQUESTS), None])] * len(FAMILIES))


# --- the laws at each input ---


def no_input_causes_more_events_than_it_may(before: Case, after: Case, step: Handled) -> None:
    parked = len(before.parked) if isinstance(step.item.data, RequestReceived) else 0
    assert step.entries <= MOST_EVENTS + 30 * parked


def what_had_its_effect_has_no_other_when_it_comes_again(before: Case, after: Case, step: Handled) -> None:
    if before.handled(step.item.meta.id):
        assert after == before


def an_end_leaves_no_alarm_but_that_of_the_reopening_window(before: Case, after: Case, step: Handled) -> None:
    for member in after.members:
        if member.state.closed:
            assert [alarm.timer for alarm in member.alarms] == [Timer.REOPENING] * (not member.settled)


def a_clock_stands_still_exactly_while_somebody_is_waited_for(before: Case, after: Case, step: Handled) -> None:
    """
    What a closed request says of its due times is as it was in the end.
    """
    for member in after.members:
        assert (member.paused_since is not None) == (member.state.status in WAITING)
        assert member.state.due is not None
        assert member.state.closed or member.state.due.paused_since == member.paused_since


def a_closed_request_has_no_open_part(before: Case, after: Case, step: Handled) -> None:
    assert not (after.members and after.parent.state.closed and after.open_parts)


def the_end_of_the_last_part_is_the_end_of_the_request(before: Case, after: Case, step: Handled) -> None:
    ended = [part for part in after.parts if part.state.closed and not _closed(before, part.request_id)]
    if ended and not after.open_parts and next_turn(after, after.parent, step.rules) is None:
        assert after.parent.state.closed


def parts_are_numbered_in_order_and_not_too_many(before: Case, after: Case, step: Handled) -> None:
    assert [part.request_id for part in after.parts] == [f"{after.request_id}.{n + 1}" for n in range(len(after.parts))]
    repeats = after.request is not None and after.request.repeat is not None
    assert len(after.parts) <= (99 if repeats else step.rules.policy.max_parts)
    assert not after.members or after.parent.state.parts == len(after.parts)


def _closed(case: Case, request_id: str) -> bool:
    member = case.find(request_id)
    return member is not None and member.state.closed


AT_EACH_INPUT: list[Callable[[Case, Case, Handled], None]] = [
    no_input_causes_more_events_than_it_may,
    what_had_its_effect_has_no_other_when_it_comes_again,
    an_end_leaves_no_alarm_but_that_of_the_reopening_window,
    a_clock_stands_still_exactly_while_somebody_is_waited_for,
    a_closed_request_has_no_open_part,
    the_end_of_the_last_part_is_the_end_of_the_request,
    parts_are_numbered_in_order_and_not_too_many,
]


# --- the laws of all that was said in the end, every command delivered and no alarm due ---


def seq_counts_from_one_without_a_gap(world: World) -> None:
    for life in world.lives.values():
        assert [event.seq for event in life] == list(range(1, len(life) + 1))


def every_event_begins_where_the_one_before_ended(world: World) -> None:
    for life in world.lives.values():
        assert [event.previous_status for event in life] == [None, *(event.status for event in life[:-1])]


def every_change_of_state_stands_in_the_table_of_moves(world: World) -> None:
    for life in world.lives.values():
        assert life[0].status is Status.RECEIVED
        for before, after in pairwise(life):
            assert before.status is not None
            if isinstance(after, StatusChanged | RequestAssigned | RequestReopened):
                assert after.status in MOVES[before.status]
            else:
                assert after.status is before.status


def what_lifecycle_says_last_is_what_the_case_is(world: World) -> None:
    lives = world.lives
    for case in world.cases.values():
        for member in case.members:
            last = lives[member.request_id][-1]
            assert (last.seq, last.status, last.department) == (
                member.seq,
                member.state.status,
                member.state.department,
            )


def assignments_closings_reopenings_and_followers_are_counted_right(world: World) -> None:
    for life in world.lives.values():
        assigned = [event for event in life if isinstance(event, RequestAssigned)]
        closed = [event for event in life if event.status in CLOSED and event.previous_status not in CLOSED]
        reopened = [event for event in life if isinstance(event, RequestReopened)]
        added = [event.follower for event in life if isinstance(event, FollowerAdded)]
        last = life[-1]
        assert (last.assignments, last.closings, last.reopenings) == (len(assigned), len(closed), len(reopened))
        assert last.followers == len(added) == len(set(added))


def nothing_is_reopened_too_often(world: World) -> None:
    assert all(life[-1].reopenings <= world.rules.policy.max_reopenings for life in world.lives.values())


def what_is_passed_on_too_often_in_a_row_is_with_the_desk(world: World) -> None:
    for life in world.lives.values():
        in_a_row = 0
        for before, after in pairwise(life):
            if after.bounces > before.bounces:
                in_a_row += 1
            elif isinstance(after, RequestAssigned | RequestReopened):
                in_a_row = 0
            elif isinstance(after, StatusChanged) and after.status not in CLOSED | {Status.TRIAGE}:
                in_a_row = 0  # accepted, begun, planned, asked: somebody has taken it up
            if after.status is Status.TRIAGE:
                in_a_row = 0
            assert in_a_row < world.rules.policy.bounces_to_triage


def an_open_request_whose_parts_have_all_ended_was_itself_reopened(world: World) -> None:
    for case in world.cases.values():
        if not case.parts or case.open_parts or next_turn(case, case.parent, world.rules) is not None:
            continue
        own = world.lives[case.request_id]
        assert case.parent.state.closed or any(isinstance(event, RequestReopened) for event in own)


def no_event_id_stands_twice(world: World) -> None:
    ids = Counter((record.item.topic, record.item.meta.id) for record in world.given)
    assert [pair for pair, times in ids.items() if times > 1] == []


def the_same_inputs_give_the_same_bytes(world: World) -> None:
    assert replayed(world.journal) == world.cases


def no_input_does_anything_when_it_comes_again(world: World) -> None:
    """
    But for the wish to apply the rules of the day, which leaves no trace where they change nothing.
    """
    for step in world.journal:
        if not isinstance(step.item.data, RerouteAsked):
            case = world.case(step.item.data.key)
            assert decide(case, step.item, at=world.now, rules=world.rules) == case


def following_masters_never_leads_back(world: World) -> None:
    for family in FAMILIES:
        seen, at = set(), family
        while (case := world.case(at)).members and (master := case.parent.state.master_id) is not None:
            assert master not in seen
            seen.add(master)
            at = master


def every_question_to_a_master_is_answered(world: World) -> None:
    for record in world.given:
        if isinstance(record.item.data, FollowerAsked):
            asked = record.item.data
            life = world.lives[asked.follower]
            answers = [event for event in life if event.update_id == asked.update_id]
            assert [(type(event), event.status is Status.DUPLICATE) for event in answers] in (
                [(StatusChanged, True)],
                [(UpdateRefused, False)],
                [(UpdateRefused, True)],
            )
            assert world.case(asked.follower).parent.asking is None


def a_duplicate_hears_of_each_end_of_its_master_once(world: World) -> None:
    lives = world.lives
    for family in FAMILIES:
        case = world.case(family)
        if not case.members or case.parent.state.status is not Status.DUPLICATE:
            continue
        life, master = lives[family], str(case.parent.state.master_id)
        joined = max(event.seq for event in life if event.action is Action.DUPLICATE and type(event) is StatusChanged)
        (agreed,) = [
            record.item.data
            for record in world.given
            if isinstance(record.item.data, MasterChanged)
            and (record.item.data.request_id, record.item.data.update_id) == (family, life[joined - 1].update_id)
        ]
        heard = [event.master_seq for event in life[joined:] if isinstance(event, MasterProgressed)]
        ends = [
            event.seq
            for event in lives[master][agreed.seq :]
            if event.status in CLOSED and event.previous_status not in CLOSED
        ]
        if agreed.status in CLOSED:
            ends = [agreed.seq, *ends]
        assert [seq for seq in heard if seq in ends] == ends
        assert heard == sorted(set(heard))


def nobody_is_told_twice_that_the_same_time_runs_out(world: World) -> None:
    for life in world.lives.values():
        told = Counter((e.clock, e.step, e.due_at) for e in life if isinstance(e, RequestEscalated))
        assert [alarm for alarm, times in told.items() if times > 1] == []


def steps_of_escalation_come_in_order(world: World) -> None:
    """
    On each clock, until it begins anew: with a new holder or service, a reopening, a longer legal term, another plan.
    """
    for life in world.lives.values():
        steps: dict[str, int] = {}
        service: str | None = None
        for event in life:
            if isinstance(event, RequestAssigned | RequestReopened | LegalExtended) or event.action is Action.SCHEDULE:
                steps = {}
            elif event.service_code != service:
                steps = {}  # its holder says that it is another
            elif event.reply is None and event.status is Status.TRIAGE and event.previous_status in WAITING:
                steps = {}  # the desk has its answer and begins again to look for the department
            if isinstance(event, RequestEscalated):
                assert event.step > steps.get(event.clock, 0)
                steps[event.clock] = event.step
            service = event.service_code


def it_is_due_the_services_hours_after_it_came_or_was_reopened_without_the_pauses(world: World) -> None:
    """
    Reckoned again from what was said alone; the times of parts begin with their request's and are left out.
    """
    for family in FAMILIES:
        filed, sla, pauses = world.case(family).request, TRIAGE_SERVICE, list[Pause]()
        since = filed.received_at if filed else NOON
        for before, after in pairwise(world.lives.get(family, [])):
            bounced = after.bounces > before.bounces and after.status is Status.TRIAGE
            classified = type(after) is StatusChanged and after.service_code != before.service_code
            if classified or (isinstance(after, RequestAssigned) and not bounced):
                sla = str(after.service_code)
            if isinstance(after, RequestReopened):
                since, pauses = after.occurred_at, []
            if before.status not in WAITING and after.status in WAITING:
                begun = after.occurred_at
            if before.status in WAITING and after.status not in WAITING:
                pauses.append(Pause(begun, after.occurred_at))
            if after.status not in CLOSED and after.due is not None:
                service = BOOK.catalogue.services[sla]
                due = CALENDAR.add(since, service.sla_hours, service.clock, pauses)
                assert (
                    timedelta(0) <= due - after.due.resolve_by < timedelta(milliseconds=1)
                )  # stored to the millisecond


def what_was_an_emergency_stays_one_when_its_holder_classifies_it_anew(world: World) -> None:
    for life in world.lives.values():
        for before, after in pairwise(life):
            if type(after) is StatusChanged and after.service_code != before.service_code:
                assert after.action in (Action.ACCEPT, Action.RESOLVE)
                assert after.decided_by is DecidedBy.PERSON
                assert (after.department, after.assignments) == (before.department, before.assignments)
                assert after.emergency or not before.emergency


def who_of_the_staff_asked_stands_on_what_came_of_it(world: World) -> None:
    updates = _updates(world)
    for event in (event for life in world.lives.values() for event in life):
        asked = updates.get(event.update_id)
        if asked is not None:
            assert event.by == asked.by
            assert isinstance(event, UpdateRefused) or event.photos == asked.photos
        elif event.parent_id is None or not isinstance(event, RequestRegistered | RequestAssigned):
            assert event.by is None


def nobody_acts_on_what_has_moved_on_since_they_looked(world: World) -> None:
    """
    A duplicate closes when its master agrees, not when it was asked for.
    """
    updates, moves = _updates(world), RequestAssigned | RequestReopened | StatusChanged
    for life in world.lives.values():
        for event in life:
            asked = updates.get(event.update_id)
            if asked is None or asked.expected_seq is None or asked.action is Action.DUPLICATE:
                continue
            between = life[asked.expected_seq : event.seq - 1]
            moved = any(isinstance(one, moves) for one in between)
            if isinstance(event, UpdateRefused):
                assert moved or event.reason is not RefusalReason.CHANGED_MEANWHILE
            else:
                assert not moved


def the_laws_term_is_what_the_law_says_and_moves_by_an_extension_alone(world: World) -> None:
    for family in FAMILIES:
        filed, life = world.case(family).request, world.lives.get(family, [])
        extended = False
        for event in life:
            extended = extended or isinstance(event, LegalExtended)
            assert (event.legal is None) == (filed is None or filed.legal is None)
            if event.legal is not None and filed is not None:
                due = legal_due(event.legal.basis, filed.received_at, CALENDAR, extended=extended)
                assert due is not None
                assert (event.legal.extended, event.legal.due_at) == (extended, due.at)


def lifecycle_never_has_what_is_for_the_holder_alone(world: World) -> None:
    for record in world.given:
        if record.item.topic == LIFECYCLE.name:
            assert SECRET.encode() not in record.value
            own = {"reason"} if isinstance(record.item.data, UpdateRefused) else set()
            private = {"note", "reply", "reason", "text", "location", "attributes", "attachments", "kind", "channel"}
            assert not (private - own) & set(json.loads(record.value))


def no_department_ever_reads_who_the_citizen_is(world: World) -> None:
    for record in world.given:
        if record.item.topic != LIFECYCLE.name:
            assert CONTACT.encode() not in record.value


def who_holds_a_request_loses_it_or_asked_for_it_reads_what_becomes_of_it_and_nobody_else(world: World) -> None:
    """
    A refusal is for who asked alone.
    """
    holder: dict[str, str | None] = {}
    readers: dict[tuple[str, int, str], set[str]] = {}
    for record in world.given:
        event = record.item.data
        if isinstance(event, Lifecycle) and record.item.topic == LIFECYCLE.name:
            concerned = {_asker(world, event)}
            if not isinstance(event, UpdateRefused):
                concerned |= {holder.get(event.request_id), event.department}
            holder[event.request_id] = event.department
            topics = {department_topic(slug).name for slug in concerned if slug in BOOK.catalogue.departments}
            readers[event.request_id, event.seq, record.item.meta.id] = topics
        elif isinstance(event, Lifecycle):
            readers[event.request_id, event.seq, record.item.meta.id].remove(record.item.topic)
            own = event.department is not None and record.item.topic == department_topic(event.department).name
            assert own or SECRET.encode() not in record.value
    assert not any(readers.values())


def _updates(world: World) -> dict[str | None, UpdateSubmitted]:
    said = (step.item.data for step in reversed(world.journal))
    return {data.update_id: data for data in said if isinstance(data, UpdateSubmitted)}


def _asker(world: World, event: Lifecycle) -> str | None:
    asked = _updates(world).get(event.update_id)
    return None if asked is None else asked.department


IN_THE_END: list[Callable[[World], None]] = [
    seq_counts_from_one_without_a_gap,
    every_event_begins_where_the_one_before_ended,
    every_change_of_state_stands_in_the_table_of_moves,
    what_lifecycle_says_last_is_what_the_case_is,
    assignments_closings_reopenings_and_followers_are_counted_right,
    nothing_is_reopened_too_often,
    what_is_passed_on_too_often_in_a_row_is_with_the_desk,
    an_open_request_whose_parts_have_all_ended_was_itself_reopened,
    no_event_id_stands_twice,
    the_same_inputs_give_the_same_bytes,
    following_masters_never_leads_back,
    every_question_to_a_master_is_answered,
    a_duplicate_hears_of_each_end_of_its_master_once,
    nobody_is_told_twice_that_the_same_time_runs_out,
    steps_of_escalation_come_in_order,
    it_is_due_the_services_hours_after_it_came_or_was_reopened_without_the_pauses,
    what_was_an_emergency_stays_one_when_its_holder_classifies_it_anew,
    who_of_the_staff_asked_stands_on_what_came_of_it,
    nobody_acts_on_what_has_moved_on_since_they_looked,
    the_laws_term_is_what_the_law_says_and_moves_by_an_extension_alone,
    lifecycle_never_has_what_is_for_the_holder_alone,
    no_department_ever_reads_who_the_citizen_is,
    who_holds_a_request_loses_it_or_asked_for_it_reads_what_becomes_of_it_and_nobody_else,
    no_input_does_anything_when_it_comes_again,
]


def watch(before: Case, after: Case, step: Handled) -> None:
    for law in AT_EACH_INPUT:
        law(before, after, step)


def live(*steps: Step) -> World:
    """
    A world in which these things happened, and then nothing more.
    """
    world = World(RULES, watch)
    for step in steps:
        step(world)
    world.settle()
    return world


def keeps_every_law(world: World) -> None:
    for law in IN_THE_END:
        law(world)


@settings(max_examples=EXAMPLES, report_multiple_bugs=False)
@given(openings, steps)
def test_whatever_happens_every_law_is_kept(opening: tuple[str | None, ...], steps: list[Step]) -> None:
    registered = [Register(number, kind) for number, kind in enumerate(opening) if kind is not None]
    note("live(" + ", ".join(repr(step) for step in [*registered, *steps] if step != Nothing()) + ")")
    keeps_every_law(live(*registered, *steps))


# --- what was found, and the bounds ---

ASK_MASTER = Ask(0, Action.DUPLICATE)  # of family 1
FOUND: dict[str, list[Step]] = {
    "a question to a master is answered although the request ends before the answer": [
        Register(0, "explicit"),
        Register(1, "explicit"),
        ASK_MASTER,
        Ask(0, Action.CANCEL),
    ],
    "old news of a master do not reach who follows it anew": [
        *(Register(0, "explicit"), Register(1, "explicit"), ASK_MASTER, Deliver(0), Deliver(0)),
        Ask(0, Action.REOPEN),
        *(Ask(1, Action.CANCEL), Deliver(0), ASK_MASTER),
    ],
    "who asked for a duplicate reads that it became one though it holds the request no longer": [
        Register(0, "explicit"),
        Register(1, "explicit"),
        ASK_MASTER,
        *(Deliver(0), Wait(timedelta(days=40), "ring"), *(Deliver(1) for _ in range(3))),
    ],
    "the longer legal term counts from the filing after a reopening too": [
        Register(0, "4982"),
        Wait(timedelta(days=14), "settle"),
        *(Ask(0, Action.RESOLVE), Ask(0, Action.REOPEN), Ask(0, Action.EXTEND)),
    ],
    "an alarm that was said while the clock stood still goes off before those behind it": [
        Register(0, "emergency"),
        Ask(0, Action.ACCEPT),
        Wait(timedelta(days=7), "ring"),
        *(Ask(0, Action.ASK), Deliver(0), Reply(0, "")),
    ],
}


@pytest.mark.parametrize("steps", FOUND.values(), ids=FOUND)
def test_what_once_broke_a_law_breaks_none_any_more(steps: list[Step]) -> None:
    keeps_every_law(live(*steps))


def test_a_request_that_goes_back_to_its_first_service_leaves_no_alarm_that_rings_for_ever() -> None:
    number = FAMILIES[0]
    world = live(Register(0, "explicit"), Ask(0, Action.ACCEPT), Wait(timedelta(days=14), "settle"))
    told = len(_escalations(world))
    assert told
    world.say(update(number, "transfer", "fen-isleri", to="zabita", service_code=LONGEST))
    world.say(update(number, "transfer", "zabita", to="fen-isleri", service_code="yol-cukur"))
    world.say(update(number, "accept", "fen-isleri"))
    world.settle()
    assert len(_escalations(world)) == told


def test_an_alarm_that_a_clock_ahead_of_ours_rings_goes_off_once() -> None:
    world = live(Register(0, "explicit"))
    number, alarm = world.case(FAMILIES[0]).alarms[0]
    world.wait(alarm.due_at - world.now - timedelta(seconds=5))
    world.hand_in(read(timer_command(number, alarm)))
    world.wait(timedelta(seconds=5))
    world.settle()
    assert [event.step for event in _escalations(world)] == [alarm.step]


def test_a_case_that_takes_nothing_more_still_comes_to_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    world = live(Register(0, "explicit"), Ask(0, Action.ACCEPT))
    monkeypatch.setattr(domain, "MAX_EVENTS", 1)
    with pytest.raises(Rejected):
        Ask(0, Action.START)(world)
    Wait(timedelta(days=40), "settle")(world)
    assert [event.step for event in _escalations(world)] == [1, 2, 3]


def _escalations(world: World) -> list[RequestEscalated]:
    return [event for event in world.lives[FAMILIES[0]] if isinstance(event, RequestEscalated)]


def test_the_end_of_the_largest_family_is_bounded_and_fits_into_one_document() -> None:
    quiet = Rules(BOOK, CALENDAR, Policy(acceptance=(), resolution=()))
    need = {"service_code": "vefa-alisveris", "repeat": {"every_days": 1, "until": date(2026, 12, 31)}}
    case, at = decide(Case(FAMILIES[0]), received(request(FAMILIES[0], **need)), at=NOON, rules=quiet), NOON
    for follower in range(MAX_FOLLOWERS):
        asked = FollowerAsked(request_id=FAMILIES[0], follower=f"A{follower:012}", update_id="u", department="zabita")
        case = decide(case, received(asked), at=at, rules=quiet)
    while case.alarms:
        number, alarm = case.alarms[0]
        at = max(at, alarm.due_at)
        case = decide(case, read(timer_command(number, alarm)), at=at, rules=quiet)
    assert (len(case.open_parts), len(case.parent.followers)) == (99, MAX_FOLLOWERS)
    ended = decide(case, received(update(FAMILIES[0], "cancel", TRIAGE_DEPARTMENT)), at=at, rules=quiet)
    assert len(ended.events) - len(case.events) == MOST_EVENTS - 1  # no question to a master was open
    assert ended.size - case.size < 1_000_000
    assert ended.size < domain.MAX_BYTES / 2
