"""
What is done to a telling: messages are put in, wait, are parked and end, and the event that says so goes into its
outbox by the same write. Pure.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from services.common.contracts.envelope import Metadata, encode
from services.common.contracts.events import (
    Notification,
    NotificationFailed,
    NotificationQueued,
    NotificationSent,
    NotificationSuppressed,
)
from services.common.contracts.ids import derived_id, message_hash
from services.common.contracts.topics import NOTIFICATIONS
from services.common.contracts.vocabulary import NotifyVia
from services.notify.domain import Reason, Row, Rules, State, Telling

SOURCE: Final = "/notify"
QUEUED_AFTER: Final = timedelta(seconds=1)  # what is sent within a second is published together with its outcome


def key_of(request_id: str, row: Row) -> str:
    """
    The key under which a provider gets the message: the same for ever, so that a repeat can be recognised.
    """
    return _key(request_id, row, row.attempt)


def told_key(request_id: str, row: Row) -> str:
    """
    The key under which it is remembered that a person was told: one for all attempts.
    """
    return _key(request_id, row, 1)


def _key(request_id: str, row: Row, attempt: int) -> str:
    return derived_id("notify", request_id, row.transition, row.recipient, str(attempt))


def thread_of(telling: Telling, row: Row) -> tuple[str, ...]:
    """
    What the provider calls the messages that were sent before on the row's channel, the oldest first.
    """
    earlier = (one for one in telling.rows if one.recipient == row.recipient and one.channel is row.channel)
    sent = sorted((one.sent_at, one.provider_id) for one in earlier if one.sent_at and one.provider_id)
    return tuple(provider_id for _, provider_id in sent)


def put(telling: Telling, row: Row) -> Telling:
    """
    Put the row in the place of the one with its identity.
    """
    others = [other for other in telling.rows if other.identity != row.identity]
    return replace(telling, rows=tuple(sorted([*others, row], key=lambda r: (r.seq, r.transition, r.attempt))))


def say(telling: Telling, row: Row, kind: type[Notification], now: datetime, *, late: bool = False) -> Telling:
    """
    Add the event that says what became of the row; of what is said in a conversation there is none.
    """
    if telling.conversation:
        return telling
    meta = Metadata(
        id=derived_id(key_of(telling.request_id, row), kind.__name__, *(["late"] if late else [])),
        source=SOURCE,
        time=now,
        subject=telling.request_id,
        correlation_id=row.correlation_id,
        causation_id=row.cause,
    )
    named = kind is NotificationSent and row.channel is not None and row.provider_id is not None
    more = {"message_hash": message_hash(row.channel or "", row.provider_id or "")} if named else {}
    data = kind(
        request_id=telling.request_id,
        transition=row.transition,
        recipient=row.recipient,
        attempt=row.attempt,
        channel=row.channel,
        reason=row.reason,
        late=late,
        superseded_by=row.superseded_by,
        occurred_at=now,
        **more,
    )
    soon = now + QUEUED_AFTER if kind is NotificationQueued else now
    at = soon if telling.publish_at is None else min(soon, telling.publish_at)
    return replace(telling, outbox=(*telling.outbox, encode(NOTIFICATIONS, meta, data)), publish_at=at)


_FINAL: Final[Mapping[State, type[Notification]]] = {
    State.SENT: NotificationSent,
    State.FAILED: NotificationFailed,
    State.SUPPRESSED: NotificationSuppressed,
}


def end(telling: Telling, row: Row, state: State, now: datetime, reason: str | None = None) -> Telling:
    """
    End the row: sent, failed or suppressed.
    """
    ended = replace(row, state=state, reason=reason, due_at=None, give_up_at=None, claim=None)
    return say(put(telling, ended), ended, _FINAL[state], now)


def suppress(telling: Telling, row: Row, reason: Reason, now: datetime) -> Telling:
    """
    End the row unsent, by rule.
    """
    return end(telling, replace(row, channel=None), State.SUPPRESSED, now, reason)


def merge(telling: Telling, row: Row, into: str, now: datetime) -> Telling:
    """
    End the row unsent: another one says what it would have said.
    """
    return suppress(telling, replace(row, superseded_by=into), Reason.MERGED, now)


def queue(telling: Telling, row: Row, channel: NotifyVia, due_at: datetime, now: datetime) -> Telling:
    """
    Let the row wait for its time to be sent.
    """
    until = row.give_up_at if row.tries else None
    waiting = replace(row, state=State.WAITING, channel=channel, due_at=due_at, give_up_at=until)
    telling = put(telling, waiting)
    return telling if row.channel else say(telling, waiting, NotificationQueued, now)  # what has a channel was queued


def park(telling: Telling, row: Row, now: datetime, rules: Rules) -> Telling:
    """
    Wait for the contact, until ``give_up_at``.
    """
    until = row.give_up_at or now + rules.parking
    return put(telling, replace(row, state=State.PARKED, claim=None, due_at=now + rules.recheck, give_up_at=until))
