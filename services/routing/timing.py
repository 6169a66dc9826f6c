"""
By when, and what to be reminded of: the due times and the alarms of a request, from its state, the catalogue, the
calendar and the policy. Pure.

The clocks: *acceptance* runs from the assignment until somebody takes the request up; *resolution* from the receipt (or
the reopening) until the end, and stands still while the citizen or another body is waited for; *legal* as the law says,
never paused; *plan* until the day somebody promised to come is over. A change of department or service never restarts
the resolution clock: the citizen has waited since the receipt.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import Final

from services.common.contracts.clocks import Calendar, Kind, Pause, legal_due
from services.common.contracts.events import Due, Legal, LegalClock
from services.common.contracts.vocabulary import Clock, Level, Priority, Status, Timer
from services.routing.case import Alarm, Case, Member, Rules
from services.routing.policy import LegalStep, Step

UNACCEPTED: Final = frozenset({Status.TRIAGE, Status.ASSIGNED, Status.REOPENED})
WAITING: Final = frozenset({Status.WAITING_CITIZEN, Status.WAITING_EXTERNAL})
CLOCK_OF: Final = {
    Timer.ACCEPTANCE: Clock.ACCEPTANCE,
    Timer.PLAN: Clock.PLAN,
    Timer.RESOLUTION: Clock.RESOLUTION,
    Timer.LEGAL: Clock.LEGAL,
}
TURN_BEGINS: Final = time(8)
MAX_TURNS: Final = 99  # parts are numbered .1 to .99
_PLAN_MISSED: Final = Step(at=1, tell=Level.DEPARTMENT)


def retime(case: Case, member: Member, at: datetime, rules: Rules) -> Member:
    """
    The member with its pauses, due times and alarms as they follow from its state at ``at``.

    An alarm that went off does not go off again unless its time has moved to after that. One whose time is over but
    that never went off (a request that came to a new holder late) goes off at once.
    """
    member = _paused(member, at)
    if not member.state.closed:
        member = member.with_state(due=due_times(member, rules))
    fired, planned = member.fired, _alarms(case, member, rules)
    alarms = tuple(alarm for alarm in planned if alarm.name not in fired or alarm.due_at > fired[alarm.name])
    return member.model_copy(update={"alarms": alarms})


def _paused(member: Member, at: datetime) -> Member:
    waits, stands = member.state.status in WAITING, member.paused_since is not None
    if waits == stands:
        return member
    if waits:
        return member.model_copy(update={"pauses": (*member.pauses, Pause(at))})
    return member.model_copy(update={"pauses": (*member.pauses[:-1], Pause(member.pauses[-1].since, at))})


def due_times(member: Member, rules: Rules) -> Due:
    """
    By when to react (by priority), to accept (by priority, from the assignment) and to resolve (by service).
    """
    state, service = member.state, rules.service(member.sla)
    hours, clock = rules.book.catalogue.first_response_hours[state.priority or Priority.NORMAL]
    return Due(
        first_response_at=rules.calendar.add(member.since, hours, clock),
        resolve_by=rules.calendar.add(member.since, service.sla_hours, service.clock, member.pauses),
        accept_by=_after_assignment(member, rules, 1.0) if state.status in UNACCEPTED else None,
        paused_since=member.paused_since,
    )


def _after_assignment(member: Member, rules: Rules, times: float) -> datetime:
    hours, clock = _acceptance(member, rules)
    return rules.calendar.add(member.held, hours * times, clock)


def _acceptance(member: Member, rules: Rules) -> tuple[float, Kind]:
    if member.state.emergency:
        return rules.policy.emergency_acceptance / timedelta(hours=1), "cal"
    if member.state.with_the_desk:
        return rules.policy.triage_hours, "cal"
    return rules.book.catalogue.first_response_hours[member.state.priority or Priority.NORMAL]


def legal_clock(
    legal: Legal | None, filed: datetime, calendar: Calendar, *, extended: bool = False
) -> LegalClock | None:
    """
    The law's term for a request, or None if no law sets one.
    """
    due = legal_due(legal.basis, filed, calendar, extended=extended) if legal else None
    return LegalClock(basis=legal.basis, due_at=due.at, extended=extended) if legal and due else None


def _alarms(case: Case, member: Member, rules: Rules) -> Iterator[Alarm]:
    state, policy = member.state, rules.policy
    if state.closed:
        if not member.settled and member.closed_at is not None:
            yield _alarm(Timer.REOPENING, 1, member.closed_at + timedelta(days=policy.reopening_days))
        return
    if state.legal is not None and state.closings == 0:
        for number, term in enumerate(policy.legal, 1):
            yield _alarm(Timer.LEGAL, number, state.legal.due_at - timedelta(days=term.days_before))
    if (turn := next_turn(case, member, rules)) is not None:
        yield turn
    if coordinates(case, member, rules):
        return
    if state.status in UNACCEPTED:
        for number, step in enumerate(policy.acceptance, 1):
            if step.move is None or not state.with_the_desk:
                yield _alarm(Timer.ACCEPTANCE, number, _after_assignment(member, rules, step.at))
    if state.status is Status.WAITING_CITIZEN and member.asked_at is not None:
        for number, days in enumerate((policy.waiting_reminder_days, policy.waiting_ends_days), 1):
            yield _alarm(Timer.WAITING, number, member.asked_at + timedelta(days=days))
    if state.status is Status.SCHEDULED and state.planned_for is not None:
        day = rules.calendar.local(state.planned_for).date()
        yield _alarm(Timer.PLAN, 1, rules.calendar.day_start(day + timedelta(days=1)))
    if member.paused_since is None:
        service = rules.service(member.sla)
        for number, step in enumerate(policy.resolution, 1):
            at = rules.calendar.add(member.since, service.sla_hours * step.at, service.clock, member.pauses)
            yield _alarm(Timer.RESOLUTION, number, at)


def _alarm(timer: Timer, step: int, at: datetime) -> Alarm:
    """
    To the next whole second, which every database keeps exactly.
    """
    whole = at.replace(microsecond=0)
    return Alarm(timer=timer, step=step, due_at=whole if whole == at else whole + timedelta(seconds=1))


def coordinates(case: Case, member: Member, rules: Rules) -> bool:
    """
    Whether others do the work: a request with open parts, or one whose need comes again. Their clocks count, not its.
    """
    if member.request_id != case.request_id:
        return False
    return bool(case.open_parts) or next_turn(case, member, rules) is not None


def next_turn(case: Case, member: Member, rules: Rules) -> Alarm | None:
    """
    The alarm for the next turn of a repeating need: the first at once, the others in the morning of their day. None if
    there is none to come.
    """
    repeat = case.request.repeat if case.request else None
    if repeat is None or member.request_id != case.request_id or member.turns >= MAX_TURNS:
        return None
    if member.state.closings:
        return None  # whoever ended it ended its repeating
    if member.turns == 0:
        return _alarm(Timer.REPEAT, 1, member.since)
    day = rules.calendar.local(member.since).date() + timedelta(days=repeat.every_days * member.turns)
    if day > repeat.until:
        return None
    return _alarm(Timer.REPEAT, member.turns + 1, rules.calendar.day_start(day, TURN_BEGINS))


def step_of(alarm: Alarm, rules: Rules) -> Step | LegalStep | None:
    """
    What the policy says is to happen when a clock's alarm goes off; None if it has no such step any more.
    """
    if alarm.timer is Timer.PLAN:
        return _PLAN_MISSED
    steps: dict[Timer, Sequence[Step | LegalStep]] = {
        Timer.ACCEPTANCE: rules.policy.acceptance,
        Timer.RESOLUTION: rules.policy.resolution,
        Timer.LEGAL: rules.policy.legal,
    }
    known = steps.get(alarm.timer, ())
    return known[alarm.step - 1] if alarm.step <= len(known) else None


def overdue(step: Step | LegalStep) -> bool:
    """
    Whether the clock's time is over at this step, not only near.
    """
    return step.at >= 1 if isinstance(step, Step) else step.days_before == 0
