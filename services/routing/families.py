"""
Requests that belong together: the parts of one, the turns of a repeating need, the duplicates of another. Pure.

A duplicate and its master are two cases, so they speak by commands: the follower asks, the master agrees or refuses,
and from then on tells the follower whenever it has something to tell a citizen. A request that has asked and has no
answer yet cannot be followed itself, so no circle can close.
"""

from typing import Final

from services.common.contracts.events import (
    FollowerAdded,
    FollowerAsked,
    MasterChanged,
    MasterProgressed,
    PartAsked,
    RequestRegistered,
    UpdateSubmitted,
)
from services.common.contracts.vocabulary import CLOSED, Action, DecidedBy, Outcome, Status
from services.routing.case import Asking, Case, Member, Now, State, command, emit
from services.routing.choosing import dangerous, placed
from services.routing.moves import assign, close, move, refreshed, refuse_duplicate

MAX_FOLLOWERS: Final = 500  # each closing of a master tells all of them, in one document
HEARD_WITH: Final = "Bu konuda daha önce bir başvuru yapılmış; sonucu size de bildirilecek."


def split(case: Case, member: Member, now: Now, update: UpdateSubmitted) -> Case:
    """
    Make a part for each department that has something to do. The request stays with who split it and follows its parts.
    """
    parts = member.state.parts + len(update.parts)
    case = move(
        case,
        member,
        now,
        {"status": Status.IN_PROGRESS, "parts": parts, "public_text": update.note_public},
        secrets={"note": update.note_internal},
        update_id=update.update_id,
        action=Action.SPLIT,
        by=update.by,
    )
    for asked in update.parts:
        case = add_part(case, now, asked, DecidedBy.PERSON, by=update.by)
    return case


def add_part(case: Case, now: Now, asked: PartAsked, decided_by: DecidedBy, by: str | None = None) -> Case:
    """
    Register one more part and assign it. It has waited as long as its request has, and is an emergency like it unless
    its own service was named.
    """
    parent, request = case.parent, case.request
    assert request is not None  # noqa: S101 - a registered case
    number = f"{case.request_id}.{len(case.parts) + 1}"
    code = asked.service_code or parent.state.service_code or ""
    state = State(
        status=Status.RECEIVED,
        neighbourhood=parent.state.neighbourhood,
        contact_id=parent.state.contact_id,
        received_at=parent.state.received_at,
        parent_id=case.request_id,
    )
    repeats = request.repeat is not None
    part = Member(
        request_id=number,
        state=state,
        since=now.at if repeats else parent.since,
        held=now.at,
        sla=code,
        pauses=() if repeats else tuple(pause for pause in parent.pauses if pause.until is not None),
        reason=asked.note,
    )
    case = emit(case.put(part), number, now, RequestRegistered, by=by)
    choice = placed(code, decided_by, None, request, now.at, now.rules, department=asked.to)
    if parent.state.emergency and asked.service_code is None:
        choice = dangerous(choice)
    return assign(case, _member(case, number), now, choice, reason=asked.note, by=by)


def turn(case: Case, member: Member, now: Now) -> Case:
    """
    The next turn of a repeating need becomes a part: one visit. The first makes the request one that is under way.
    """
    turns = member.turns + 1
    member = member.model_copy(update={"turns": turns})
    changes = {"parts": member.state.parts + 1}
    if turns == 1:
        case = move(case, member, now, {"status": Status.IN_PROGRESS, **changes})
    else:
        case = refreshed(case.put(member.with_state(**changes)), member.request_id, now)
    decided_by = member.state.decided_by or DecidedBy.RULE
    asked = PartAsked(to=member.state.department, service_code=member.state.service_code)
    return add_part(case, now, asked, decided_by)


def ask_master(case: Case, member: Member, now: Now, update: UpdateSubmitted) -> Case:
    """
    Ask another request whether this one may close as its duplicate. Nothing changes before it agrees.
    """
    master, asker = str(update.master), str(update.department)
    asking = Asking(master=master, update_id=update.update_id, department=asker, by=update.by)
    case = case.put(member.model_copy(update={"asking": asking}))
    return command(
        case,
        now,
        FollowerAsked(request_id=master, follower=case.request_id, update_id=update.update_id, department=asker),
    )


def answer_follower(case: Case, now: Now, asked: FollowerAsked) -> Case:
    """
    The master's side: take the follower in, or say why not.
    """
    refused = _why_not(case, asked.follower)
    if refused is not None:
        answer = MasterChanged(
            request_id=asked.follower, master=case.request_id, seq=0, update_id=asked.update_id, refused=refused
        )
        return command(case, now, answer)
    parent = case.parent
    if asked.follower not in parent.followers:
        followers = (*parent.followers, asked.follower)
        parent = parent.model_copy(update={"followers": followers}).with_state(followers=len(followers))
        case = emit(case.put(parent), parent.request_id, now, FollowerAdded, follower=asked.follower)
    state = case.parent.state
    answer = MasterChanged(
        request_id=asked.follower,
        master=case.request_id,
        seq=case.parent.seq,
        update_id=asked.update_id,
        status=state.status,
        outcome=state.outcome,
        public_text=state.public_text,
        planned_for=state.planned_for,
    )
    return command(case, now, answer)


def _why_not(case: Case, follower: str) -> str | None:
    if not case.members:
        return "there is no such request"
    parent = case.parent
    if parent.state.status is Status.DUPLICATE:
        return f"it is itself a duplicate, of {parent.state.master_id}"
    if parent.asking is not None:
        return "it is itself about to become a duplicate"
    if len(parent.followers) >= MAX_FOLLOWERS and follower not in parent.followers:
        return f"{MAX_FOLLOWERS} requests follow it already"
    return None


def master_changed(case: Case, now: Now, news: MasterChanged) -> Case:
    """
    The follower's side: close when the master agreed, say so when it refused, pass on what it tells later. News of a
    master that is followed no longer, or older than what was heard of it, leave nothing to do.
    """
    if not case.members:
        return case
    member = case.parent
    asking = member.asking
    if asking is not None and (asking.master, asking.update_id) == (news.master, news.update_id):
        member = member.model_copy(update={"asking": None, "heard": news.seq})
        case = case.put(member)
        if news.refused is not None or news.status is None:
            return refuse_duplicate(case, now, asking, news.refused or "it did not agree")
        if case.open_parts:
            return refuse_duplicate(case, now, asking, "this request changed meanwhile")
        case = close(
            case,
            member,
            now,
            Outcome.DUPLICATE,
            HEARD_WITH,
            master_id=news.master,
            also=[asking.department],
            update_id=asking.update_id,
            action=Action.DUPLICATE,
            by=asking.by,
        )
        return _progress(case, now, news) if _worth_telling(news) else case
    follows = member.state.status is Status.DUPLICATE and member.state.master_id == news.master
    return _progress(case, now, news) if follows and news.seq > member.heard else case


def _worth_telling(news: MasterChanged) -> bool:
    return news.outcome is not None


def _progress(case: Case, now: Now, news: MasterChanged) -> Case:
    """
    Tell this request's citizen what the master told; and those who follow this one. The time in which it can be
    reopened runs from when its citizen hears of the end.
    """
    member = case.parent.with_state(public_text=news.public_text, planned_for=news.planned_for)
    member = member.model_copy(update={"heard": news.seq})
    if news.status in CLOSED:
        member = member.model_copy(update={"closed_at": now.at, "settled": False})
    case = refreshed(case.put(member), member.request_id, now)
    case = emit(case, member.request_id, now, MasterProgressed, master_status=news.status, master_seq=news.seq)
    own = {"master": case.request_id, "seq": case.parent.seq, "update_id": None}
    onward = (news.model_copy(update={"request_id": follower, **own}) for follower in member.followers)
    return command(case, now, *onward)


def _member(case: Case, request_id: str) -> Member:
    found = case.find(request_id)
    assert found is not None  # noqa: S101 - it was just put there
    return found
