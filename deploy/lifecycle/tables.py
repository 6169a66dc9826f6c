"""
What the core does, found out by asking it: each action is tried in each state, as routing itself would decide it.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from services.common.contracts.envelope import Metadata, Received, decode
from services.common.contracts.events import Event, MasterChanged, RequestReceived, UpdateRefused, UpdateSubmitted
from services.common.contracts.ids import derived_id
from services.common.contracts.topics import LIFECYCLE
from services.common.contracts.vocabulary import ANSWERS, TRIAGE_DEPARTMENT, Action, Outcome, Status
from services.routing.case import Case, Rules
from services.routing.domain import decide

_AT: Final = datetime(2026, 6, 1, 6, tzinfo=UTC)  # a Monday, 09:00 in Samsun
_NUMBER, _MASTER = "0" * 13, "1" * 13
_WHOLE: Final[dict[Action, dict[str, Any]]] = {
    Action.REJECT: {"note_internal": "…"},
    Action.TRANSFER: {"to": "temizlik-isleri"},
    Action.SCHEDULE: {"planned_for": _AT + timedelta(days=1)},
    Action.ASK: {"question": "…"},
    Action.WAIT: {"referred_to": {"body": "…"}},
    Action.EXTEND: {"note_public": "…"},
    Action.SPLIT: {"parts": [{"to": "zabita"}, {"to": "temizlik-isleri"}]},
    Action.RESOLVE: {"outcome": "resolved", "note_public": "…"},
    Action.REFER: {"referred_to": {"body": "…"}, "note_public": "…"},
    Action.DUPLICATE: {"master": _MASTER},
    Action.CANCEL: {"note_internal": "…"},
    Action.REOPEN: {"note_internal": "…"},
    Action.NOTE: {"note_internal": "…"},
}
_VARIANTS: Final[dict[Action, list[dict[str, Any]]]] = {
    Action.REJECT: [{}, {"to": "zabita"}],
    Action.RESOLVE: [{"outcome": outcome} for outcome in Outcome if outcome in ANSWERS],
}
"""What an action may say besides that leads elsewhere."""
_WAY_TO: Final[dict[Status, Sequence[Action]]] = {
    Status.ASSIGNED: (),
    Status.TRIAGE: (Action.REJECT,),
    Status.REOPENED: (Action.RESOLVE, Action.REOPEN),
    Status.ACCEPTED: (Action.ACCEPT,),
    Status.IN_PROGRESS: (Action.START,),
    Status.SCHEDULED: (Action.SCHEDULE,),
    Status.WAITING_CITIZEN: (Action.ASK,),
    Status.WAITING_EXTERNAL: (Action.WAIT,),
    Status.RESOLVED: (Action.RESOLVE,),
    Status.REFERRED: (Action.REFER,),
    Status.REJECTED: (Action.RESOLVE,),
    Status.DUPLICATE: (Action.DUPLICATE,),
    Status.CANCELLED: (Action.CANCEL,),
}
"""How a request gets into each state that lasts; a rejected one by an outcome of its own."""


class Row(NamedTuple):
    """
    One action: whether the desk may ask for it although another department holds the request, which fields it needs,
    from which states it is possible, and where it leads (nowhere else: it leaves the state as it is).
    """

    action: Action
    desk: bool
    needs: tuple[str, ...]
    sources: tuple[Status, ...]
    targets: tuple[Status, ...]


def actions(rules: Rules) -> Iterator[Row]:
    """
    A row for each action, in the order of the vocabulary.
    """
    begun = {state: _in_state(state, rules) for state in _WAY_TO}
    for action in Action:
        sources, targets = [], []
        for state, case in begun.items():
            for fields in _VARIANTS.get(action, [{}]):
                after = _ask(case, action, rules, fields)
                if _refusal(after, case) is None:
                    sources.append(state)
                    targets.append(after.parent.state.status)
        first = begun[sources[0]]
        bare = _refusal(_ask(first, action, rules, whole=False), first)
        by_desk = _refusal(_ask(first, action, rules, {"department": TRIAGE_DEPARTMENT}), first)
        yield Row(
            action,
            desk=by_desk is None,
            needs=tuple(field.partition(" or ")[0] for field in _fields(bare.detail)) if bare else (),
            sources=tuple(dict.fromkeys(sources)),
            targets=() if sources == targets else tuple(dict.fromkeys(targets)),
        )


def _fields(detail: str) -> list[str]:
    return detail.partition(":")[0].split(", ")


def _in_state(state: Status, rules: Rules) -> Case:
    """
    A request under law 4982 in that state.
    """
    request = RequestReceived(
        request_id=_NUMBER,
        channel="web",
        service_code="yol-cukur",
        text="…",
        contact_id="contact:none",
        adapter="lifecycle",
        received_at=_AT,
        legal={"basis": "4982"},
    )
    case = decide(Case(_NUMBER), _received(request), at=_AT, rules=rules)
    for action in _WAY_TO[state]:
        case = _ask(case, action, rules, {"outcome": Outcome.NOT_POSSIBLE} if state is Status.REJECTED else None)
    if case.parent.state.status is not state:
        raise ValueError(f"no way to {state} is known: it led to {case.parent.state.status}")
    return case


def _ask(
    case: Case, action: Action, rules: Rules, fields: Mapping[str, Any] | None = None, *, whole: bool = True
) -> Case:
    """
    The case after an update with all that the action needs, or with nothing; a master that is asked agrees.
    """
    number = str(len(case.events))
    update = UpdateSubmitted(
        **{
            "request_id": _NUMBER,
            "update_id": number,
            "action": action,
            "department": case.parent.state.department,
            "submitted_at": _AT,
            **(_WHOLE.get(action, {}) if whole else {}),
            **(fields or {}),
        }
    )
    case = decide(case, _received(update), at=_AT, rules=rules)
    if case.parent.asking is None:
        return case
    agreed = MasterChanged(request_id=_NUMBER, master=_MASTER, seq=2, update_id=number, status=Status.ASSIGNED)
    return decide(case, _received(agreed), at=_AT, rules=rules)


def _received(data: Event) -> Received:
    number = derived_id(data.model_dump_json())
    meta = Metadata(
        id=number, source="/lifecycle", time=_AT, subject=_NUMBER, correlation_id=_NUMBER, causation_id=_NUMBER
    )
    return Received("", meta, data)


def _refusal(case: Case, before: Case) -> UpdateRefused | None:
    """
    Why the last update was refused, or None if it was not.
    """
    for entry in case.events[len(before.events) :]:
        for record in entry.records:
            if record.topic == LIFECYCLE.name:
                said = decode(record.topic, record.key, record.value, record.headers).data
                if isinstance(said, UpdateRefused):
                    return said
    return None
