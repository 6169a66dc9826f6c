"""
One person's conversation in memory: messages go in at a time, what follows comes out as events.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.common.contracts.envelope import Record, decode
from services.common.contracts.events import (
    CitizenReplied,
    Event,
    FeedbackSubmitted,
    MessageReceived,
    MessageWanted,
    RequestReceived,
)
from services.common.contracts.ids import derived_id
from services.common.contracts.vocabulary import Status
from services.intake.calls.people import OwnRequest
from services.intake.conversations import domain, timing
from services.intake.conversations.inbound import message_id_of
from services.intake.conversations.model import Conversation, Known, Rules

NOON = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)  # a Monday, 12:00 in Samsun
RULES = Rules(b"a secret of the tests")
ANA = derived_id("ana")
HER_NUMBER = derived_id("ana's number")
OPEN, OTHER, DONE = "VYFVCRVKNFYPS", "7XK29MQ4T3BDA", "0123456789ABC"


def own(number: str = OPEN, status: Status = Status.ASSIGNED, **fields: Any) -> OwnRequest:
    """
    A request of hers about a pothole.
    """
    row = OwnRequest(number, status, "fen-isleri", "yol-cukur", NOON - timedelta(days=1))
    return replace(row, **fields)


def knowing(*requests: OwnRequest, **fields: Any) -> Known:
    """
    What is known beside the message; these requests are hers.
    """
    numbers = [one.request_id for one in requests]
    return Known(requests=dict(zip(numbers, requests, strict=True)), own=frozenset(numbers), **fields)


def message(
    name: str, text: str | None = None, *, sent: float = 0, channel: str = "whatsapp", **fields: Any
) -> MessageReceived:
    """
    A message that was sent so many seconds after noon; ``name`` is its provider's id.
    """
    sent_at = NOON + timedelta(seconds=sent)
    given: dict[str, Any] = {
        "message_id": message_id_of(channel, name, ANA),  # type: ignore[arg-type]
        "provider_id": name,
        "channel": channel,
        "person": ANA,
        "also": (HER_NUMBER,) if channel == "whatsapp" else (),
        "contact_id": "c_" + ANA,
        "kind": "text",
        "text": text,
        "sent_at": sent_at,
        "received_at": sent_at,
        "adapter": channel,
    }
    return MessageReceived(**(given | fields))


def read(record: Record) -> Event:
    """
    What a record says.
    """
    return decode(record.topic, record.key, record.value, record.headers).data


class Talk:
    """
    A conversation and a clock. What follows is published at once.
    """

    def __init__(self, rules: Rules = RULES) -> None:
        self.rules = rules
        self.now = NOON
        self.conversation: Conversation | None = None
        self.out: list[Event] = []
        self.records: list[Record] = []

    def hear(self, given: MessageReceived, known: Known | None = None, *, at: float | None = None) -> None:
        """
        A message comes, by default when it was sent; what time brings until then happens before.
        """
        self.until((given.sent_at - NOON).total_seconds() if at is None else at)
        self._become(domain.absorb(self.conversation, given, known or Known(), self.now, self.rules))

    def until(self, seconds: float) -> None:
        """
        So many seconds after noon have come.
        """
        end = NOON + timedelta(seconds=seconds)
        while self.conversation and (due := timing.next_at(self.conversation, self.rules)) and due <= end:
            self.now = max(self.now, due)
            self._become(timing.tick(self.conversation, self.now, self.rules))
        self.now = max(self.now, end)

    def end(self) -> None:
        """
        All that time brings has come.
        """
        while self.conversation and (due := timing.next_at(self.conversation, self.rules)):
            self.until((due - NOON).total_seconds())

    def change(self, by: Callable[[Conversation], Conversation]) -> None:
        """
        Something else happens to the conversation.
        """
        assert self.conversation is not None
        self._become(by(self.conversation))

    def _become(self, after: Conversation) -> None:
        self.records += after.outbox
        self.out += map(read, after.outbox)
        self.conversation = timing.published(after, after)

    @property
    def requests(self) -> list[RequestReceived]:
        """
        The requests so far.
        """
        return [one for one in self.out if isinstance(one, RequestReceived)]

    @property
    def replies(self) -> list[CitizenReplied]:
        """
        The replies so far.
        """
        return [one for one in self.out if isinstance(one, CitizenReplied)]

    @property
    def feedback(self) -> list[FeedbackSubmitted]:
        """
        The feedback so far.
        """
        return [one for one in self.out if isinstance(one, FeedbackSubmitted)]

    @property
    def said(self) -> list[str]:
        """
        What was said so far, by its kinds.
        """
        return [one.say.value for one in self.out if isinstance(one, MessageWanted)]

    def last(self, say: str) -> MessageWanted:
        """
        The last message of a kind.
        """
        return [one for one in self.out if isinstance(one, MessageWanted) and one.say == say][-1]
