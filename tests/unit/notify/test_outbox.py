"""
What was just written and what is found in the database are published side by side, and nothing of it is forgotten.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

import pytest

from services.common.contracts.envelope import Record, decode
from services.common.contracts.events import NotificationQueued, NotificationSuppressed
from services.common.kit.clock import FrozenClock
from services.common.kit.testing import FakePublisher
from services.notify import outbox
from services.notify.domain import Telling
from services.notify.outbox import Outbox
from services.notify.repository import NotifyRepository
from tests.unit.notify.lives import NOON, assigned, registered
from tests.unit.notify.mornings import Memory
from tests.unit.notify.tellings import after

LATER = NOON + timedelta(minutes=1)


class WrittenMeanwhile(Memory):
    """
    A database in which somebody of this process writes a telling while it is looked for, and hands it over.
    """

    def __init__(self, before: Telling, now: Telling) -> None:
        super().__init__([before], [])
        self._now: Telling | None = now
        self.outbox: Outbox | None = None

    async def unpublished(self, now: datetime, limit: int) -> dict[str, Telling]:
        """
        What was there before; nothing if it is looked for again.
        """
        found, written, self._now = dict(self.kept), self._now, None
        if written is None or self.outbox is None:
            return {}
        self.kept[written.request_id] = written
        self.outbox.hand_over([written])
        return found

    async def acknowledge(self, _: object) -> bool:
        """
        Somebody wrote meanwhile.
        """
        return False


def kind(record: Record) -> type[object]:
    """
    What the record says.
    """
    return type(decode(record.topic, record.key, record.value, record.headers).data)


async def test_what_is_newer_of_one_in_hand_is_taken_also_when_there_is_no_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "MOST_HANDED_OVER", 1)
    older = replace(after(registered()), rev=1)
    newer = replace(after(assigned(), telling=older), rev=2)
    other = replace(older, request_id="0000000000000")
    memory, kafka = WrittenMeanwhile(newer, newer), FakePublisher()
    box = Outbox(cast(NotifyRepository, memory), kafka, FrozenClock(LATER))

    box.hand_over([older])
    box.hand_over([newer, other])
    await box.publish_once()

    assert set(kafka.records) == set(newer.outbox)


async def test_what_is_handed_over_while_an_older_writing_is_found_is_published_too() -> None:
    older = replace(after(registered()), rev=1)
    newer = replace(after(assigned(), telling=older), rev=2)
    assert [kind(record) for record in newer.outbox] == [NotificationQueued, NotificationSuppressed]
    memory, kafka = WrittenMeanwhile(older, newer), FakePublisher()
    memory.outbox = Outbox(cast(NotifyRepository, memory), kafka, FrozenClock(LATER))
    await memory.outbox.publish_once()
    assert set(kafka.records) == set(older.outbox)
    await memory.outbox.publish_once()
    assert set(kafka.records) == set(newer.outbox)
