"""
The life of a request, as a pure function: ``decide(case, input, at, rules) -> case`` with the new events inside it.

A case is one document: the state of a request and of its parts, and every event that it ever gave out, as the bytes
that go to Kafka. An input that was handled before changes nothing, so a repeat gives the same bytes. What moves are
possible stands in ``moves.MOVES``, what each action needs in ``contracts.actions``, the clocks in ``timing.py``.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from services.common.contracts.actions import BY_THE_DESK, NOT_FOR_A_PART, SHAPES
from services.common.contracts.envelope import Received
from services.common.contracts.events import (
    CitizenReminded,
    CitizenReplied,
    DuplicateReceived,
    FeedbackSubmitted,
    FollowerAsked,
    LegalExtended,
    MasterChanged,
    NoteAdded,
    ReplyReceived,
    RequestEscalated,
    RequestReceived,
    RequestRegistered,
    RerouteAsked,
    TimerDue,
    UpdateRefused,
    UpdateSubmitted,
)
from services.common.contracts.vocabulary import (
    ANSWERS,
    TRIAGE_DEPARTMENT,
    TRIAGE_SERVICE,
    Action,
    DecidedBy,
    Outcome,
    RefusalReason,
    Status,
    Timer,
)
from services.common.kit.errors import Rejected
from services.routing.case import Alarm, Case, Member, Now, Parked, Rules, State, emit
from services.routing.choosing import Choice, choose, dangerous, placed
from services.routing.families import answer_follower, ask_master, master_changed, split, turn
from services.routing.meanwhile import held_by_at, in_words, moved_since
from services.routing.moves import MOVES, assign, close, move, refreshed, reopen, tell_followers, to_triage
from services.routing.policy import Step
from services.routing.timing import CLOCK_OF, UNACCEPTED, legal_clock, overdue, retime, step_of

MAX_EVENTS: Final = 2_000  # a case is one document of at most 16 MB, an event is about 2 kB
MAX_BYTES: Final = 8_000_000
MAX_PARKED: Final = 100
NOT_ACCEPTED_TEXT: Final = "Süresinde üstlenilmedi. / Not accepted in time."  # the desk reads it as the reason
CANCELLED_TEXT: Final = "Başvurunuz isteğiniz üzerine kapatıldı."
NO_REPLY_TEXT: Final = "Sorumuza yanıt alamadığımız için başvurunuzu kapattık. Yanıt verirseniz yeniden açılır."
"""Turkish, as departments write: routing knows no citizen's language. Templates add the rest in both."""

Refusal = tuple[RefusalReason, str]


def decide(case: Case, item: Received, *, at: datetime, rules: Rules) -> Case:
    """
    The case after an input. An input that had its effect already gives the case back, marked to be published again.

    Raises ``Rejected`` for an input that routing does not take and for a case that has grown past all bounds. Alarms go
    off even then: there are few of them while nothing else happens, and one that is not taken would ring for ever.
    """
    case = replace(case, touched=case.touched | {item.meta.id})
    if case.handled(item.meta.id):
        return case
    full = len(case.events) >= MAX_EVENTS or case.size > MAX_BYTES
    if full and not isinstance(item.data, TimerDue):
        raise Rejected(f"a case has at most {MAX_EVENTS} events and {MAX_BYTES} bytes")
    now = Now(item.meta, at, rules)
    match item.data:
        case RequestReceived():
            return _receive(case, now, item.data)
        case UpdateSubmitted() | CitizenReplied() if not case.members:
            return _park(case, item, now)
        case UpdateSubmitted():
            return _update(case, now, item.data)
        case CitizenReplied():
            return _reply(case, now, item.data)
        case FeedbackSubmitted():
            return _feedback(case, now, item.data)
        case TimerDue():
            return _timer(case, now, item.data)
        case FollowerAsked():
            return answer_follower(case, now, item.data)
        case MasterChanged():
            return master_changed(case, now, item.data)
        case RerouteAsked():
            return _reroute(case, now)
        case _:
            raise Rejected(f"routing does not take {type(item.data).__name__}")


def _receive(case: Case, now: Now, request: RequestReceived) -> Case:
    if case.members:
        return emit(case, case.request_id, now, DuplicateReceived, duplicate_event_id=now.meta.id)
    rules, at = now.rules, request.received_at
    since = at.replace(microsecond=at.microsecond // 1000 * 1000)
    state = State(
        status=Status.RECEIVED,
        neighbourhood=request.location.neighbourhood if request.location else None,
        contact_id=request.contact_id,
        received_at=since,
        legal=legal_clock(request.legal, since, rules.calendar),
    )
    waiting = case.parked
    case = replace(case, registered_by=now.meta.id, request=request, parked=())
    case = case.put(Member(request_id=case.request_id, state=state, since=since, held=now.at))
    case = emit(case, case.request_id, now, RequestRegistered, adapter=request.adapter)
    choice = choose(request, now.at, rules)
    if request.answered is not None:
        choice = replace(choice, department=TRIAGE_DEPARTMENT, team=None)
    case = assign(case, case.parent, now, choice)
    if request.answered is not None:
        case = close(case, case.parent, now, Outcome.RESOLVED, request.answered.text)
    for parked in waiting:
        case = decide(case, parked.item, at=now.at, rules=rules)
    return case


def _park(case: Case, item: Received, now: Now) -> Case:
    if len(case.parked) >= MAX_PARKED:
        return _refuse_parked(case, item, now, f"{MAX_PARKED} inputs of this unknown request wait already")
    return replace(case, parked=(*case.parked, Parked(item, now.at + now.rules.parking)))


def _refuse_parked(case: Case, item: Received, now: Now, detail: str) -> Case:
    now = replace(now, meta=item.meta)
    if isinstance(item.data, UpdateSubmitted):
        return _refuse(case, now, item.data, RefusalReason.UNKNOWN_REQUEST, detail)
    assert isinstance(item.data, CitizenReplied)  # noqa: S101 - nothing else is parked
    reply = item.data
    unknown = RefusalReason.UNKNOWN_REQUEST
    return emit(case, reply.request_id, now, UpdateRefused, update_id=reply.reply_id, reason=unknown, detail=detail)


# --- what departments want ---


def _update(case: Case, now: Now, update: UpdateSubmitted) -> Case:
    member = case.find(update.request_id)
    if member is None:
        return _refuse(case, now, update, RefusalReason.UNKNOWN_REQUEST, "the request has no such part")
    refusal = _refusal(case, member, update, now)
    if refusal is not None:
        return _refuse(case, now, update, *refusal)
    said: dict[str, Any] = {"update_id": update.update_id, "action": update.action, "by": update.by}
    said["photos"] = update.photos
    if update.department != member.state.department:
        said["also"] = [update.department]  # the desk, which reads there what became of its wish
    noted = {**said, "secrets": {"note": update.note_internal}}
    why = update.note_internal or update.note_public
    text = update.note_public
    changes: dict[str, Any]
    match update.action:
        case Action.ACCEPT:
            member = _reclassified(case, member, update, now)
            return move(case, member, now, {"status": Status.ACCEPTED, "public_text": text}, **noted)
        case Action.START:
            return move(case, member, now, {"status": Status.IN_PROGRESS, "public_text": text}, **noted)
        case Action.SCHEDULE:
            changes = {"status": Status.SCHEDULED, "public_text": text, "planned_for": update.planned_for}
            case = move(case, member, now, changes, **noted)
            return tell_followers(case, now) if member.request_id == case.request_id else case
        case Action.ASK:
            member = member.model_copy(update={"asked_at": now.at})
            changes = {"status": Status.WAITING_CITIZEN, "public_text": text, "question": update.question}
            return move(case, member, now, changes, **noted)
        case Action.WAIT:
            changes = {"status": Status.WAITING_EXTERNAL, "public_text": text, "referred_to": update.referred_to}
            return move(case, member, now, changes, **noted)
        case Action.REJECT | Action.TRANSFER:
            return _pass_on(case, member, now, update, why, said)
        case Action.SPLIT:
            return split(case, member, now, update)
        case Action.RESOLVE:
            member = _reclassified(case, member, update, now)
            return close(case, member, now, update.outcome or Outcome.RESOLVED, str(text), **noted)
        case Action.REFER:
            return close(case, member, now, Outcome.REFERRED, str(text), referred_to=update.referred_to, **noted)
        case Action.CANCEL:
            return close(case, member, now, Outcome.CANCELLED, text or CANCELLED_TEXT, **noted)
        case Action.DUPLICATE:
            return ask_master(case, member, now, update)
        case Action.REOPEN:
            return reopen(case, member, now, why, **said)
        case Action.EXTEND:
            return _extend(case, member, now, text, noted)
        case Action.NOTE:
            return emit(case, member.request_id, now, NoteAdded, **noted)


def _reclassified(case: Case, member: Member, update: UpdateSubmitted, now: Now) -> Member:
    """
    The member as its holder classifies it, who keeps it: priority and clocks are those of the service. What was an
    emergency stays one: who takes the danger away says so by passing it on to whom it belongs.
    """
    state, code = member.state, update.service_code
    if code is None or code == state.service_code:
        return member
    assert case.request is not None  # noqa: S101 - a registered case
    choice = placed(code, DecidedBy.PERSON, None, case.request, now.at, now.rules, department=state.department)
    if state.emergency:
        choice = dangerous(choice)
    member = member.model_copy(update={"sla": choice.service}).with_state(
        service_code=choice.service,
        decided_by=choice.by,
        priority=choice.priority,
        emergency=choice.emergency,
        team=choice.team,
        crisis=choice.crisis,
    )
    return retime(case, member, now.at, now.rules)


def _pass_on(
    case: Case, member: Member, now: Now, update: UpdateSubmitted, why: str | None, said: dict[str, Any]
) -> Case:
    """
    To another department. Passing on what one has not accepted is a bounce, and so is every reject; after too many in a
    row, or when nobody is named, the desk decides. Who names the service says whether it is an emergency; who only
    passes it on takes none away.
    """
    state = member.state
    bounced = update.action is Action.REJECT or (state.status in UNACCEPTED and state.department != TRIAGE_DEPARTMENT)
    too_often = bounced and member.passes + 1 >= now.rules.policy.bounces_to_triage
    if update.to is None or too_often:
        return to_triage(case, member, now, why, **said)
    assert case.request is not None  # noqa: S101 - a registered case
    code = update.service_code or state.service_code or TRIAGE_SERVICE
    choice = placed(code, DecidedBy.PERSON, None, case.request, now.at, now.rules, department=update.to)
    if state.emergency and update.service_code is None:
        choice = dangerous(choice)
    return assign(case, member, now, choice, reason=why, bounced=bounced, **said)


def _extend(case: Case, member: Member, now: Now, text: str | None, said: dict[str, Any]) -> Case:
    assert case.request is not None  # noqa: S101 - a registered case
    longer = legal_clock(case.request.legal, case.request.received_at, now.rules.calendar, extended=True)
    case = refreshed(case.put(member.with_state(legal=longer, public_text=text)), member.request_id, now)
    return emit(case, member.request_id, now, LegalExtended, **said)


def _refusal(case: Case, member: Member, update: UpdateSubmitted, now: Now) -> Refusal | None:
    """
    Why an update cannot be applied, or None if it can.
    """
    return (
        _unknown_asker(update, now.rules)
        or _meanwhile(case, member, update)
        or _wrong_asker(member.state, update)
        or _incomplete(update, now)
        or _impossible(case, member, update, now)
    )


def _unknown_asker(update: UpdateSubmitted, rules: Rules) -> Refusal | None:
    if update.department is None:
        return RefusalReason.INCOMPLETE, "department: an update on requests.updates names who asks"
    if update.department not in rules.book.catalogue.departments:
        return RefusalReason.UNKNOWN_DEPARTMENT, "department: no such department"
    return None


def _meanwhile(case: Case, member: Member, update: UpdateSubmitted) -> Refusal | None:
    """
    Refuse who acts on what is no longer so; who had no part in the request then or now is not told of it.
    """
    if update.expected_seq is None or update.expected_seq >= member.seq:
        return None
    moved = moved_since(case, member.request_id, update.expected_seq)
    then = held_by_at(case, member.request_id, update.expected_seq)
    if moved is None or update.department not in (then, member.state.department, TRIAGE_DEPARTMENT):
        return None
    return RefusalReason.CHANGED_MEANWHILE, in_words(moved)


def _wrong_asker(state: State, update: UpdateSubmitted) -> Refusal | None:
    may = update.department == TRIAGE_DEPARTMENT and update.action in BY_THE_DESK
    if update.department == state.department or may:
        return None
    return RefusalReason.NOT_THE_HOLDER, f"the request is held by {state.department}"


_WANTED: Final = {
    "note_internal": "what colleagues are to know",
    "note_public": "a text for the citizen",
    "outcome": f"an outcome ({', '.join(sorted(ANSWERS))})",
    "to": "the department that takes over",
    "planned_for": "the day",
    "question": "what the citizen is asked",
    "referred_to": "the other body",
    "parts": "two parts or more",
    "master": "the request that it repeats",
}
"""What the fields hold that an action can need."""


def _there(update: UpdateSubmitted, name: str) -> bool:
    value = getattr(update, name)
    if name == "outcome":
        return value in ANSWERS
    if name == "parts":
        return len(value) >= 2
    return bool(value.strip()) if isinstance(value, str) else value is not None


def _lacks(update: UpdateSubmitted) -> str | None:
    """
    What the action needs and the update does not have, by ``contracts.actions``: the fields, and what would be right.
    """
    lacking = [names for names in SHAPES[update.action].needs if not any(_there(update, name) for name in names)]
    if not lacking:
        return None
    fields = ", ".join(" or ".join(names) for names in lacking)
    wanted = " and ".join("a reason" if len(names) > 1 else _WANTED[names[0]] for names in lacking)
    return f"{fields}: {update.action} needs {wanted}"


def _incomplete(update: UpdateSubmitted, now: Now) -> Refusal | None:
    catalogue = now.rules.book.catalogue
    lacks = _lacks(update)
    if lacks is not None:
        return RefusalReason.INCOMPLETE, lacks
    for number, part in enumerate(update.parts):
        if part.to is None and part.service_code is None:
            return RefusalReason.INCOMPLETE, f"parts.{number}: needs a department or a service"
    if any(
        slug is not None and slug not in catalogue.departments for slug in (update.to, *(p.to for p in update.parts))
    ):
        return RefusalReason.UNKNOWN_DEPARTMENT, "to: no such department"
    codes = (update.service_code, *(part.service_code for part in update.parts))
    if any(code is not None and code not in catalogue.services for code in codes):
        return RefusalReason.UNKNOWN_SERVICE, "service_code: no such service"
    return None


def _impossible(case: Case, member: Member, update: UpdateSubmitted, now: Now) -> Refusal | None:
    state, action, policy = member.state, update.action, now.rules.policy
    is_part = member.request_id != case.request_id
    if action is Action.NOTE:
        return None
    if action is Action.REOPEN:
        return _cannot_reopen(case, member, now)
    if state.closed:
        return RefusalReason.FORBIDDEN_MOVE, f"{action} is not possible while the request is {state.status}"
    if member.asking is not None and action is not Action.CANCEL:
        return RefusalReason.FORBIDDEN_MOVE, f"{action}: it is being closed as a duplicate of {member.asking.master}"
    if not is_part and case.open_parts and action not in _WITH_OPEN_PARTS:
        numbers = ", ".join(part.request_id for part in case.open_parts)
        return RefusalReason.FORBIDDEN_MOVE, f"{action}: the parts {numbers} are open; the request follows them"
    if is_part and action in NOT_FOR_A_PART:
        return RefusalReason.FORBIDDEN_MOVE, f"{action}: a part of a request cannot be"
    if update.to is not None and update.to == state.department:
        return RefusalReason.FORBIDDEN_MOVE, "to: the department holds the request already"
    if action is Action.REJECT and state.with_the_desk:
        return RefusalReason.FORBIDDEN_MOVE, "reject: the desk finds the department, it cannot reject"
    if action is Action.SPLIT and len(case.parts) + len(update.parts) > policy.max_parts:
        return RefusalReason.TOO_MANY, f"parts: a request has at most {policy.max_parts}"
    if action is Action.SPLIT and case.request is not None and case.request.repeat is not None:
        return RefusalReason.FORBIDDEN_MOVE, "split: its parts are the turns of a repeating need"
    if action is Action.DUPLICATE and update.master == case.request_id:
        return RefusalReason.UNKNOWN_MASTER, "master: a request cannot repeat itself"
    if action is Action.EXTEND and (state.legal is None or state.legal.basis != "4982" or state.legal.extended):
        return RefusalReason.FORBIDDEN_MOVE, "extend: only a request under law 4982, and only once"
    if action is Action.EXTEND and state.legal is not None and now.at > state.legal.due_at:
        return RefusalReason.TOO_LATE, "extend: the term is over"
    target = _TARGETS.get(action)
    if target is not None and target not in MOVES[state.status]:
        return RefusalReason.FORBIDDEN_MOVE, f"{action} is not possible while the request is {state.status}"
    return None


_WITH_OPEN_PARTS: Final = frozenset({Action.CANCEL, Action.SPLIT, Action.TRANSFER, Action.EXTEND})
_TARGETS: Final = {
    Action.ACCEPT: Status.ACCEPTED,
    Action.START: Status.IN_PROGRESS,
    Action.SCHEDULE: Status.SCHEDULED,
    Action.ASK: Status.WAITING_CITIZEN,
    Action.WAIT: Status.WAITING_EXTERNAL,
    Action.SPLIT: Status.IN_PROGRESS,
}
"""Where an action leads if that depends on nothing else. Every open state may end or change its department."""


def _cannot_reopen(case: Case, member: Member, now: Now) -> Refusal | None:
    policy, parent = now.rules.policy, case.parent
    if not member.state.closed:
        return RefusalReason.FORBIDDEN_MOVE, f"reopen: the request is open ({member.state.status})"
    ended = {member.request_id: member, parent.request_id: parent} if parent.state.closed else {"": member}
    for one in ended.values():
        if one.settled:
            return RefusalReason.TOO_LATE, f"reopen: only within {policy.reopening_days} days; please register it anew"
        if one.state.reopenings >= policy.max_reopenings:
            return RefusalReason.TOO_MANY, f"reopen: at most {policy.max_reopenings} times; please register it anew"
    return None


def _refuse(case: Case, now: Now, update: UpdateSubmitted, reason: RefusalReason, detail: str) -> Case:
    asker = update.department if update.department in now.rules.book.catalogue.departments else None
    return emit(
        case,
        update.request_id,
        now,
        UpdateRefused,
        concerns=[asker],
        update_id=update.update_id,
        action=update.action,
        by=update.by,
        reason=reason,
        detail=detail,
    )


# --- what citizens answer ---


def _reply(case: Case, now: Now, reply: CitizenReplied) -> Case:
    """
    The answer goes to who asked: the request, or those of its parts that wait. One that comes after what asked was
    closed for want of it opens that again; any other is kept for the holder to read.
    """
    named = case.find(reply.request_id) or case.parent
    asked = [named] if named.state.status is Status.WAITING_CITIZEN or named.state.parent_id else case.parts
    waiting = [member for member in asked if member.state.status is Status.WAITING_CITIZEN]
    heard = {"reply": reply.text}
    if not waiting:
        before = case
        for number in dict.fromkeys(member.request_id for member in (*asked, named)):
            member = case.find(number) or named  # a part opens its request again, which then needs nothing more
            if member.state.outcome is Outcome.NO_REPLY and _cannot_reopen(case, member, now) is None:
                case = reopen(case, member, now, None, secrets=heard)
        return emit(case, named.request_id, now, ReplyReceived, secrets=heard) if case is before else case
    for member in waiting:
        status = Status.TRIAGE if member.state.with_the_desk else Status.IN_PROGRESS
        answered = member.model_copy(update={"held": now.at, "asked_at": None})
        case = move(case, answered, now, {"status": status}, secrets=heard)
    return case


def _feedback(case: Case, now: Now, feedback: FeedbackSubmitted) -> Case:
    """
    Stars are for reporting. A citizen for whom the request has not ended opens it again, as a department could.
    """
    if not feedback.reopen:
        return case
    member = case.find(feedback.request_id)
    unknown = (RefusalReason.UNKNOWN_REQUEST, "there is no such request")
    refusal = unknown if member is None else _cannot_reopen(case, member, now)
    if member is not None and refusal is None:
        heard = {"reply": feedback.comment}
        return reopen(case, member, now, None, update_id=feedback.feedback_id, secrets=heard)
    reason, detail = refusal or unknown
    said: dict[str, Any] = {
        "update_id": feedback.feedback_id,
        "action": Action.REOPEN,
        "reason": reason,
        "detail": detail,
    }
    return emit(case, feedback.request_id, now, UpdateRefused, concerns=[], **said)


# --- what time does ---


def _timer(case: Case, now: Now, timer: TimerDue) -> Case:
    """
    An alarm that is still set goes off, once. One that is not (the request moved on, or the command came again) leaves
    nothing to do; nor does one whose turn it is not yet: an earlier step of its clock is set, and both come again.
    """
    if timer.timer is Timer.PARKING:
        return _parking_over(case, now, timer.due_at)
    member = case.find(timer.request_id)
    alarm = Alarm(timer=timer.timer, step=timer.step, due_at=timer.due_at)
    if member is None or alarm not in member.alarms:
        return case
    if any(other.timer is alarm.timer and other.step < alarm.step for other in member.alarms):
        return case
    fired = {**member.fired, alarm.name: max(now.at, alarm.due_at)}  # the clock that rang may be ahead of ours
    member = member.model_copy(update={"fired": fired})
    if alarm.timer is Timer.REOPENING:
        member = member.model_copy(update={"settled": True})
    case = refreshed(case.put(member), member.request_id, now)
    member = case.find(timer.request_id) or member
    match alarm.timer:
        case Timer.REOPENING:
            return case
        case Timer.REPEAT:
            return turn(case, member, now)
        case Timer.WAITING if alarm.step == 1:
            return emit(case, member.request_id, now, CitizenReminded)
        case Timer.WAITING:
            return close(case, member, now, Outcome.NO_REPLY, NO_REPLY_TEXT)
    step = step_of(alarm, now.rules)
    if isinstance(step, Step) and step.move is not None:
        return to_triage(case, member, now, NOT_ACCEPTED_TEXT, decided_by=DecidedBy.RULE, rule="not-accepted-in-time")
    if step is None or step.tell is None:
        return case  # the policy has fewer steps than it had
    return emit(
        case,
        member.request_id,
        now,
        RequestEscalated,
        clock=CLOCK_OF[alarm.timer],
        level=step.tell,
        step=alarm.step,
        due_at=alarm.due_at,
        overdue=overdue(step),
    )


def _parking_over(case: Case, now: Now, due_at: datetime) -> Case:
    """
    Inputs that were to wait until then, and no longer, are refused. A request that came in meanwhile leaves nothing to
    do, and so does a command that comes again.
    """
    over = [parked for parked in case.parked if parked.until <= due_at]
    case = replace(case, parked=tuple(parked for parked in case.parked if parked.until > due_at))
    for parked in over:
        case = _refuse_parked(case, parked.item, now, "no such request came in")
    return case


def _reroute(case: Case, now: Now) -> Case:
    choice = better_place(case, now.at, now.rules)
    return case if choice is None else assign(case, case.parent, now, choice)


def better_place(case: Case, at: datetime, rules: Rules) -> Choice | None:
    """
    Where the rules of today would send a request that a rule or the model sent where it is and that nobody has taken
    up; None if it may stay. What a person, the sender or a department decided stays.
    """
    if not case.members or case.request is None:
        return None
    state = case.parent.state
    machine = state.decided_by in (DecidedBy.RULE, DecidedBy.MODEL)
    if not machine or state.status not in (Status.TRIAGE, Status.ASSIGNED) or state.bounces:
        return None
    choice = choose(case.request, at, rules)
    before = (state.department, state.service_code, state.priority, state.emergency, state.team)
    after = (choice.department, choice.service, choice.priority, choice.emergency, choice.team)
    return None if before == after else choice
