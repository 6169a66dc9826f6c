"""
What a worker has read and not yet acknowledged: urgent records are taken first, none before an earlier one of its key.

Pure, so it is tested without Kafka. Faust commits over a gap of one record, and over any gap in a partition that has no
commit yet (measured in deploy/decisions/0007). So what was handled out of turn is held back here: ``handled`` tells to
acknowledge only what has nothing unhandled before it in its partition.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.common.kit.delivery import Delivery


@dataclass(slots=True, eq=False)
class Read:
    """
    One record that was read: the event that acknowledges it, what it says, and whether it had its effect.
    """

    event: Any
    delivery: Delivery
    handled: bool = False

    @property
    def place(self) -> tuple[str, bytes | None]:
        """
        Records of one place keep their order.
        """
        return self.delivery.topic, self.delivery.key


class ReadAhead:
    """
    Bounded by the number of records and by the bytes of their values; the last one may go over.
    """

    def __init__(self, max_records: int, max_bytes: int) -> None:
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._forget()

    def _forget(self) -> None:
        self._urgent: deque[Read] = deque()
        self._ordinary: OrderedDict[Read, None] = OrderedDict()
        self._ordinary_at: dict[tuple[str, bytes | None], deque[Read]] = {}
        self._partitions: dict[tuple[str, int], deque[Read]] = {}
        self._records = 0
        self._bytes = 0

    def __len__(self) -> int:
        """
        How many records were read and are not acknowledged.
        """
        return self._records

    @property
    def full(self) -> bool:
        """
        Whether reading is to wait. What is held back counts: while it fills the bound, the ordinary ones are taken.
        """
        return self._records >= self._max_records or self._bytes >= self._max_bytes

    @property
    def urgent(self) -> bool:
        """
        Whether urgent records wait.
        """
        return bool(self._urgent)

    def put(self, read: Read, *, urgent: bool) -> None:
        """
        Add a record. Waiting records of the same place go before an urgent one, whatever they are.
        """
        self._partitions.setdefault((read.delivery.topic, read.delivery.partition), deque()).append(read)
        self._records += 1
        self._bytes += len(read.delivery.value or b"")
        if not urgent:
            self._ordinary[read] = None
            self._ordinary_at.setdefault(read.place, deque()).append(read)
            return
        for earlier in self._ordinary_at.pop(read.place, ()):
            del self._ordinary[earlier]
            self._urgent.append(earlier)
        self._urgent.append(read)

    def take(self, limit: int) -> list[Read]:
        """
        The next at most ``limit`` records: urgent ones if any wait, else ordinary ones, in order of arrival.
        """
        if self._urgent:
            return [self._urgent.popleft() for _ in range(min(limit, len(self._urgent)))]
        return [self._take_ordinary() for _ in range(min(limit, len(self._ordinary)))]

    def _take_ordinary(self) -> Read:
        read, _ = self._ordinary.popitem(last=False)
        same_place = self._ordinary_at[read.place]
        same_place.popleft()
        if not same_place:
            del self._ordinary_at[read.place]
        return read

    def handled(self, batch: Sequence[Read]) -> list[Read]:
        """
        Note that the batch had its effect; what is to be acknowledged now, in the order of each partition.
        """
        for read in batch:
            read.handled = True
        ready: list[Read] = []
        for partition in dict.fromkeys((read.delivery.topic, read.delivery.partition) for read in batch):
            waiting = self._partitions[partition]
            while waiting and waiting[0].handled:
                ready.append(waiting.popleft())
        self._records -= len(ready)
        self._bytes -= sum(len(read.delivery.value or b"") for read in ready)
        return ready

    def drop(self) -> list[Read]:
        """
        Forget everything, held back or waiting; what that was. Only between two batches.
        """
        dropped = [read for partition in self._partitions.values() for read in partition]
        self._forget()
        return dropped


class Portion:
    """
    How many records to take at once: few at first, more while they are quick, fewer when they take longer than
    ``patience`` seconds. So a batch that is slow, because the database is, does not come back as large after every end.
    """

    def __init__(self, most: int, patience: float) -> None:
        self._most = most
        self._patience = patience
        self.size = max(1, most // 8)

    def took(self, seconds: float) -> None:
        """
        Learn from how long the last ones took.
        """
        self.size = max(1, self.size // 2) if seconds > self._patience else min(self._most, self.size * 2)


class Pace:
    """
    When the next batch may be taken: ``apart`` seconds after the last at the earliest, unless that was a full one. So
    what comes after a pause is taken at once, in a steady stream what came meanwhile goes together, and a backlog waits
    for nothing.
    """

    def __init__(self, apart: float) -> None:
        self._apart = apart
        self._not_before = 0.0

    def wait(self, now: float) -> float:
        """
        For how many seconds from ``now`` (monotonic) nothing may be taken.
        """
        return max(0.0, self._not_before - now)

    def took(self, now: float, *, full: bool) -> None:
        """
        A batch was taken.
        """
        self._not_before = now if full else now + self._apart
