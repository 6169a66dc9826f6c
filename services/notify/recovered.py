"""
The ledger beside what its topic says, after it was lost or brought back as it once was. Pure.

What the topic says ended has ended: nobody is told of it again, and no event says so once more. What the topic does
not have stays as the ledger has it.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from services.common.contracts.envelope import Received
from services.common.contracts.events import (
    Notification,
    NotificationFailed,
    NotificationSent,
    NotificationSuppressed,
)
from services.notify.domain import OPEN, Row, State, Telling
from services.notify.ledger import put
from services.notify.transitions import Facts

_ENDS: Final[dict[type[Notification], State]] = {
    NotificationSent: State.SENT,
    NotificationFailed: State.FAILED,
    NotificationSuppressed: State.SUPPRESSED,
}
RESTORED: Final = "restored"  # the claim of a message of which nobody knows whether it went out since


def with_outcomes(telling: Telling, events: Iterable[Received]) -> Telling:
    """
    The telling, in which every message has ended of which the events (of ``notifications.lifecycle``) say so; the same
    object comes back if they say nothing new.

    A message that the ledger does not know is put in, with what the event has: enough for nobody to be told again, too
    little for a provider's later word to find it.
    """
    for event in events:
        data = event.data
        if not isinstance(data, Notification) or data.late or type(data) not in _ENDS:
            continue
        identity = (data.transition, data.recipient, data.attempt)
        known = next((row for row in telling.rows if row.identity == identity), None)
        if known is None or known.state in OPEN:
            telling = put(telling, _ended(known or _new(event, data), data))
    return telling


def in_doubt(telling: Telling, now: datetime) -> Telling:
    """
    The telling, in which every message that waits may have gone out since: as if its sender had died with it in hand.
    The rules of an unknown outcome say what becomes of it (design.md 4). The same object comes back if none waits.

    One whose contact has not come stays parked, and one that another message tells stays with it.
    """
    for row in telling.rows:
        if row.state is State.WAITING and row.carried_by is None:
            telling = put(
                telling, replace(row, state=State.SENDING, claim=RESTORED, due_at=now, held=None, held_for=None)
            )
    return telling


def _new(event: Received, data: Notification) -> Row:
    _, _, number = data.transition.partition(".")
    return Row(
        transition=data.transition,
        recipient=data.recipient,
        seq=int(number or 1),
        cause=event.meta.causation_id or event.meta.id,
        correlation_id=event.meta.correlation_id or data.request_id,
        facts=Facts(status=None),
        state=State.WAITING,
        at=data.occurred_at,
        attempt=data.attempt,
    )


def _ended(row: Row, data: Notification) -> Row:
    return replace(
        row,
        state=_ENDS[type(data)],
        channel=data.channel,
        reason=data.reason,
        superseded_by=data.superseded_by,
        sent_at=data.occurred_at if isinstance(data, NotificationSent) else None,
        due_at=None,
        give_up_at=None,
        claim=None,
        held=None,
        held_for=None,
    )
