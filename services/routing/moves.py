"""
How a request gets from one state to the next, and what that does to its clocks, its family and its followers. Pure.
"""

from collections.abc import Sequence
from typing import Any, Final

from services.common.contracts.events import (
    Lifecycle,
    MasterChanged,
    RequestAssigned,
    RequestReopened,
    StatusChanged,
    UpdateRefused,
)
from services.common.contracts.vocabulary import (
    CLOSED,
    CLOSES_AS,
    TRIAGE_DEPARTMENT,
    TRIAGE_SERVICE,
    Action,
    DecidedBy,
    Outcome,
    RefusalReason,
    Status,
)
from services.routing.case import Asking, Case, Member, Now, command, crew, emit
from services.routing.choosing import Choice
from services.routing.timing import next_turn, retime

_WORK: Final = frozenset({Status.IN_PROGRESS, Status.SCHEDULED, Status.WAITING_CITIZEN, Status.WAITING_EXTERNAL})
_BACK: Final = frozenset({Status.TRIAGE, Status.ASSIGNED})
_FRESH: Final = _BACK | {Status.ACCEPTED} | _WORK | CLOSED
_TAKEN: Final = _BACK | _WORK | CLOSED
MOVES: Final[dict[Status, frozenset[Status]]] = {
    Status.RECEIVED: frozenset({Status.TRIAGE, Status.ASSIGNED}),
    Status.TRIAGE: _FRESH - {Status.TRIAGE},
    Status.ASSIGNED: _FRESH,
    Status.REOPENED: _FRESH,
    Status.ACCEPTED: _TAKEN,
    Status.IN_PROGRESS: _TAKEN,
    Status.SCHEDULED: _TAKEN,
    Status.WAITING_CITIZEN: _TAKEN,
    Status.WAITING_EXTERNAL: _TAKEN,
    **{closed: frozenset({Status.REOPENED}) for closed in CLOSED},
}
_TAKEN_UP: Final = _WORK | {Status.ACCEPTED}
_OF_ONE_STATE: Final = ("public_text", "planned_for", "question", "referred_to", "master_id", "outcome")
"""What is said with one state and holds no longer in the next."""


def move(
    case: Case,
    member: Member,
    now: Now,
    changes: dict[str, Any],
    kind: type[Lifecycle] = StatusChanged,
    *,
    secrets: dict[str, Any] | None = None,
    also: Sequence[str] = (),
    **extra: Any,
) -> Case:
    """
    Go to a new state and say so. The holder reads it on its topic, with ``secrets``; who lost the request reads it too,
    and who is in ``also``, without. Alarms and due times follow, the parent's as well.
    """
    before = member.state
    if changes["status"] in _TAKEN_UP:
        member = member.model_copy(update={"passes": 0})
    member = member.with_state(**(dict.fromkeys(_OF_ONE_STATE) | changes))
    case = refreshed(case.put(member), member.request_id, now)
    losers = [before.department] if before.department not in (None, member.state.department) else []
    case = emit(
        case, member.request_id, now, kind, previous=before.status, also=[*losers, *also], secrets=secrets, **extra
    )
    return case if member.request_id == case.request_id else refreshed(case, case.request_id, now)


def refreshed(case: Case, request_id: str, now: Now) -> Case:
    """
    The case with a member's clocks as they are now.
    """
    member = case.find(request_id)
    assert member is not None  # noqa: S101 - of this case
    return case.put(retime(case, member, now.at, now.rules))


def assign(
    case: Case,
    member: Member,
    now: Now,
    choice: Choice,
    *,
    reason: str | None = None,
    bounced: bool = False,
    **extra: Any,
) -> Case:
    """
    Give the request to a department. ``reason`` is for the new holder's eyes alone. A request that comes back to the
    desk (``bounced``) keeps its urgency and its due times until somebody has classified it anew: what was dangerous
    still is.
    """
    status = Status.TRIAGE if (choice.department, choice.service) == (TRIAGE_DEPARTMENT, TRIAGE_SERVICE) else None
    changes: dict[str, Any] = {
        "status": status or Status.ASSIGNED,
        "department": choice.department,
        "service_code": choice.service,
        "decided_by": choice.by,
        "team": choice.team,
        "crisis": choice.crisis,
        "assignments": member.state.assignments + 1,
        "bounces": member.state.bounces + bounced,
    }
    own: dict[str, Any] = {"held": now.at, "passes": member.passes + 1 if bounced else 0}
    if not (bounced and status is Status.TRIAGE):
        changes |= {"priority": choice.priority, "emergency": choice.emergency}
        own["sla"] = choice.service
    if status is Status.TRIAGE:
        own["passes"] = 0
    extra |= {name: getattr(choice, name) for name in ("rule", "model", "confidence", "candidates")}
    extra["previous_department"] = member.state.department
    member = member.model_copy(update=own)
    return move(case, member, now, changes, RequestAssigned, secrets=crew(case, reason), **extra)


def to_triage(case: Case, member: Member, now: Now, reason: str | None, **extra: Any) -> Case:
    """
    Back to the desk, as a bounce.
    """
    state = member.state
    choice = Choice(
        service=TRIAGE_SERVICE,
        department=TRIAGE_DEPARTMENT,
        priority=state.priority or now.rules.service(TRIAGE_SERVICE).priority,
        emergency=state.emergency,
        by=extra.pop("decided_by", DecidedBy.PERSON),
        rule=extra.pop("rule", None),
    )
    return assign(case, member, now, choice, reason=reason, bounced=True, **extra)


def close(case: Case, member: Member, now: Now, outcome: Outcome, text: str, **extra: Any) -> Case:
    """
    End it, with an outcome and a text for the citizen. Open parts end with their request as cancelled; the last part to
    end ends its request; followers are told. A question to a master that is still open is refused.
    """
    secrets = extra.pop("secrets", None)
    changes: dict[str, Any] = {
        "status": CLOSES_AS[outcome],
        "outcome": outcome,
        "public_text": text,
        "closings": member.state.closings + 1,
        **{name: extra.pop(name) for name in ("referred_to", "master_id") if name in extra},
    }
    ended = member.model_copy(update={"closed_at": now.at, "asking": None, "settled": False})
    case = move(case, ended, now, changes, secrets=secrets, **extra)
    if member.request_id == case.request_id:
        for part in case.open_parts:
            case = close(case, part, now, Outcome.CANCELLED, text)
        case = tell_followers(case, now)
        asking = member.asking
        return refuse_duplicate(case, now, asking, "this request ended otherwise meanwhile") if asking else case
    parent = case.parent
    if parent.state.closed or case.open_parts or next_turn(case, parent, now.rules) is not None:
        return case
    return close(case, parent, now, *conclusion(case, now))


_DONE: Final = frozenset({Outcome.RESOLVED, Outcome.NO_ACTION_NEEDED})
_HALF: Final = _DONE | {Outcome.PARTLY_RESOLVED}
_AS_ONE: Final = frozenset({Outcome.NOT_POSSIBLE, Outcome.INVALID, Outcome.CANCELLED, Outcome.NO_REPLY})


def conclusion(case: Case, now: Now) -> tuple[Outcome, str]:
    """
    What a request's parts, all of them closed, come to: its outcome, and a text that lists what each department said.
    """
    outcomes = {part.state.outcome for part in case.parts if part.state.outcome is not None}
    if outcomes <= _DONE:
        outcome = Outcome.RESOLVED
    elif outcomes & _HALF:
        outcome = Outcome.PARTLY_RESOLVED
    elif outcomes == {Outcome.REFERRED} or outcomes == {Outcome.NOT_OUR_RESPONSIBILITY}:
        outcome = Outcome.NOT_OUR_RESPONSIBILITY
    elif len(outcomes) == 1 and outcomes <= _AS_ONE:
        outcome = next(iter(outcomes))
    else:
        outcome = Outcome.NOT_POSSIBLE
    if case.request is not None and case.request.repeat is not None:
        done = sum(part.state.outcome in _HALF for part in case.parts)
        return outcome, f"Planlanan {len(case.parts)} ziyaretin {done} tanesi yapıldı."
    names = now.rules.book.catalogue.departments
    lines = [
        f"{names[part.state.department].tr.partition(' (')[0]}: {part.state.public_text}"
        for part in case.parts
        if part.state.department in names
    ]
    return outcome, "\n".join(lines)


def reopen(case: Case, member: Member, now: Now, reason: str | None, **extra: Any) -> Case:
    """
    Open a closed request again, in the department that closed it, with clocks that begin anew. A part opens its request
    again too, if that has ended.
    """
    parent = case.parent
    if member.request_id != parent.request_id and parent.state.closed:
        case = reopen(case, parent, now, None)
        case = move(case, case.parent, now, {"status": Status.IN_PROGRESS})
    again = member.model_copy(
        update={"since": now.at, "held": now.at, "pauses": (), "passes": 0, "closed_at": None, "asked_at": None}
    )
    secrets = crew(case, reason) | extra.pop("secrets", {})
    changes = {"status": Status.REOPENED, "reopenings": member.state.reopenings + 1}
    case = move(case, again, now, changes, RequestReopened, secrets=secrets, **extra)
    return tell_followers(case, now) if member.request_id == case.request_id else case


def tell_followers(case: Case, now: Now) -> Case:
    """
    Commands to the duplicates of a request that say where it is now.
    """
    parent = case.parent
    state = parent.state
    told = (
        MasterChanged(
            request_id=follower,
            master=case.request_id,
            seq=parent.seq,
            status=state.status,
            outcome=state.outcome,
            public_text=state.public_text,
            planned_for=state.planned_for,
        )
        for follower in parent.followers
    )
    return command(case, now, *told)


def refuse_duplicate(case: Case, now: Now, asking: Asking, why: str) -> Case:
    """
    The department that wanted the request closed as a duplicate reads why it was not.
    """
    return emit(
        case,
        case.request_id,
        now,
        UpdateRefused,
        concerns=[asking.department],
        update_id=asking.update_id,
        action=Action.DUPLICATE,
        by=asking.by,
        reason=RefusalReason.UNKNOWN_MASTER,
        detail=f"master: {asking.master} cannot be followed: {why}",
    )
