"""
What providers say of messages that left the house, merged into the ledger: in any order, any number of times. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from services.common.contracts.events import (
    DeliveryReported,
    NotificationDelivered,
    NotificationFailed,
    NotificationRead,
)
from services.common.contracts.ids import derived_id
from services.common.contracts.vocabulary import DeliveryStatus
from services.notify.channels.base import Report
from services.notify.domain import OPEN, Contact, Reason, Row, Rules, State, Telling
from services.notify.ledger import end, key_of, put, say
from services.notify.sending import onward

KEEP_EARLY: Final = timedelta(minutes=15)  # how long a report waits for its message
ASK_FOR: Final = timedelta(days=3)
_LONGEST_PAUSE: Final = timedelta(hours=1)
_RANK: Final = {
    None: 0,
    DeliveryStatus.SENT: 1,
    DeliveryStatus.DELIVERED: 2,
    DeliveryStatus.READ: 3,
    DeliveryStatus.FAILED: 4,
}


@dataclass(frozen=True, slots=True)
class Reported:
    """
    What was reported, of the message with our ``key`` or, if the provider does not echo it, with its ``provider_id``.
    """

    key: str | None
    provider_id: str
    status: DeliveryStatus
    code: str | None
    at: datetime

    @classmethod
    def of(cls, event: DeliveryReported) -> "Reported":
        """
        What the event says.
        """
        return cls(event.key_sent, event.provider_id, event.status, event.code, event.reported_at)

    @property
    def id(self) -> str:
        """
        The same for a report that comes twice.
        """
        return derived_id("report", self.key or "", self.provider_id, self.status)

    @property
    def marks(self) -> list[str]:
        """
        By what its message may be found.
        """
        return [mark for mark in (self.key, self.provider_id) if mark is not None]


def marks_of(telling: Telling) -> list[str]:
    """
    By what reports find the telling: the keys and the providers' names of all that was ever taken to be sent.
    """
    rows = [row for row in telling.rows if row.tries or row.provider_id]
    names = [row.provider_id for row in rows if row.provider_id is not None]
    return sorted({*(key_of(telling.request_id, row) for row in rows), *names})


def find(telling: Telling, reported: Reported) -> Row | None:
    """
    The message that it is about: by our key, else by the provider's name.
    """
    rows = [row for row in telling.rows if row.tries or row.provider_id]
    by_key = (row for row in rows if reported.key == key_of(telling.request_id, row))
    by_name = (row for row in rows if reported.provider_id == row.provider_id)
    return next(by_key, None) or next(by_name, None)


def merge(telling: Telling, reported: Reported, contact: Contact | None, now: datetime, rules: Rules) -> Telling:
    """
    Put down how far the message came, if that is farther than was known. It settles what is still open: what the
    provider delivers was sent. A failure goes on to the next channel, if the message is not too old to be told.
    """
    row = find(telling, reported)
    if row is None or _RANK[reported.status] <= _RANK[row.reached]:
        return telling
    if reported.status is DeliveryStatus.FAILED:
        return _failed(telling, row, reported, contact, now, rules)
    row = replace(row, provider_id=row.provider_id or reported.provider_id)
    if row.state in OPEN:
        row = replace(row, sent_at=now)
        telling = end(telling, row, State.SENT, now)
        row = replace(row, state=State.SENT, due_at=None, give_up_at=None, claim=None, reason=None)
    row = replace(
        row, reached=reported.status, ask_at=None if reported.status is not DeliveryStatus.SENT else row.ask_at
    )
    telling = put(telling, row)
    if reported.status is DeliveryStatus.DELIVERED:
        return say(telling, row, NotificationDelivered, now)
    if reported.status is DeliveryStatus.READ:
        return say(telling, row, NotificationRead, now)
    return telling


def _failed(
    telling: Telling, row: Row, reported: Reported, contact: Contact | None, now: datetime, rules: Rules
) -> Telling:
    if row.reached in (DeliveryStatus.DELIVERED, DeliveryStatus.READ) or row.state is State.SUPPRESSED:
        return telling
    reason = reported.code or Reason.REFUSED
    row = replace(row, reached=reported.status, provider_id=row.provider_id or reported.provider_id, ask_at=None)
    if row.state in OPEN:
        telling = end(telling, row, State.FAILED, now, reason)
    else:
        row = replace(row, reason=reason)
        telling = say(put(telling, row), row, NotificationFailed, now, late=True)
    if row.at is not None and now - row.at > rules.max_age:
        return telling
    if row.state is State.FAILED:  # what it carried is free since then
        row = replace(row, carries=())
    return onward(telling, row, contact, now)


def asked(
    telling: Telling, answers: Mapping[str, Report], contacts: Mapping[str, Contact], now: datetime, rules: Rules
) -> Telling:
    """
    Put down what a provider answered about the messages that it had to be asked about, and when to ask again: after
    one minute, two, four … at most an hour, and no more three days after it was sent.
    """
    for row in telling.rows:
        if row.ask_at is None or row.ask_at > now:
            continue
        pause = min(timedelta(minutes=2.0 ** min(row.asked, 10)), _LONGEST_PAUSE)
        over = row.sent_at is None or now + pause - row.sent_at > ASK_FOR
        telling = put(telling, replace(row, ask_at=None if over else now + pause, asked=row.asked + 1))
        report = answers.get(row.provider_id or "")
        if report is not None and row.provider_id is not None:
            reported = Reported(None, row.provider_id, report.status, report.code, now)
            telling = merge(telling, reported, contacts.get(row.recipient), now, rules)
    return telling
